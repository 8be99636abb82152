"""select called over and over: what one call remembers must not show in the next."""

from __future__ import annotations

import os
import signal

import pytest
from fdsets import fd_set, members, timeval

import winsock.ws2_32 as ws
from winsock.codes import WSA
from winsock.nt import current

NOW = timeval(0)


def test_the_same_sets_see_what_has_changed(net):
    a, b = net.pair()
    for _ in range(3):
        assert net.select([b], [a], [b]) == (1, [], [a], [])
        net.send(a, b"x")
        net.await_arrival(b)
        assert net.select([b], [a], [b]) == (2, [b], [a], [])
        assert net.recv(b) == 1


def test_other_sets_of_the_same_sockets(net):
    a, b = net.pair()
    net.send(a, b"x")
    net.await_arrival(b)
    assert net.select([a, b], []) == (1, [b], [], [])
    assert net.select([], [a, b]) == (2, [], [a, b], [])
    assert net.select([b, a], [b, a]) == (3, [b], [b, a], [])
    assert net.select([a], [a]) == (1, [], [a], [])
    assert net.select([b], [b]) == (2, [b], [b], [])
    assert net.select([b, b], [a]) == (2, [b], [a], [])


def test_many_of_which_some_are_ready_keep_their_order(net):
    sockets = [net.udp() for _ in range(70)]
    ready = sockets[::7]
    for s in ready:
        assert ws.sendto(sockets[0], b"x", 1, 0, net.name(s), 16) == 1
        net.await_arrival(s)
    for _ in range(2):
        assert net.select(sockets, sockets[::-1]) == (80, ready, sockets[::-1], [])
        assert net.select(sockets[1:7]) == (0, [], [], [])


def test_a_new_socket_with_an_old_descriptor(net):
    a, b = net.pair()
    net.send(a, b"x")
    net.await_arrival(b)
    assert net.select([b]) == (1, [b], [], [])
    number = net.endpoint(b).transport.fileno()
    assert ws.closesocket(b) == 0
    net.fails(ws.select(0, fd_set(b), None, None, NOW), WSA.WSAENOTSOCK)
    new = next(s for s in [net.udp() for _ in range(8)] if net.endpoint(s).transport.fileno() == number)
    assert net.select([new], [new]) == (1, [], [new], [])


def test_a_reset_between_two_looks(net):
    a, b = net.pair()
    assert net.everywhere(b) == "w"
    net.reset(a)
    net.await_arrival(b)
    assert net.everywhere(b) == net.everywhere(b) == "rw"


def test_a_descriptor_that_the_program_closed(net):
    s = net.udp()
    assert net.everywhere(s) == "w"
    os.close(net.endpoint(s).transport.fileno())
    reading, writing = fd_set(s), fd_set(s)
    assert ws.select(0, reading, writing, None, NOW) <= 0
    assert ws.closesocket(s) == 0


@pytest.mark.parametrize("which", range(3))
def test_a_set_that_cannot_be_written_leaves_the_others_alone(net, which):
    a, b = net.pair()
    sets = [fd_set(b), fd_set(a), fd_set(b)]
    sets[which] = bytes(sets[which])
    net.fails(ws.select(0, *sets, NOW), WSA.WSAEFAULT)
    assert [members(s) for s in sets] == [[b], [a], [b]]


def test_threads_look_at_their_own_sockets(net):
    pairs = [net.pair() for _ in range(4)]

    def look(a, b):
        for _ in range(200):
            reading, writing = fd_set(b), fd_set(a)
            assert ws.select(0, reading, writing, None, NOW) == 1
            assert (members(reading), members(writing)) == ([], [a])
        return current().looker[0]

    known = [call.result(30)[0] for call in [net.run(look, *pair) for pair in pairs]]
    for wanted, (a, b) in zip(known, pairs, strict=True):
        assert set(wanted) == {net.endpoint(a).transport.fileno(), net.endpoint(b).transport.fileno()}


def test_a_signal_handler_that_looks_at_others(net):
    a, b = net.pair()
    other, quiet = net.pair()
    seen = []

    def handler(number, frame):
        seen.append(net.select([quiet], [other]))

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        for _ in range(50):
            signal.raise_signal(signal.SIGUSR1)
            assert net.select([b], [a]) == (1, [], [a], [])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [(1, [], [other], [])] * 50
