"""Waiting in select and WSAPoll: time-outs, closing meanwhile, APCs, news from other threads."""

from __future__ import annotations

import struct
import threading
import time

import pytest
from fdsets import fd_set, members, timeval

import winsock.ws2_32 as ws
from winsock import afd
from winsock import kernel32 as k32
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.nt import current

PATIENCE = 60_000
LONG = timeval(PATIENCE)
NOT_YET = struct.pack("<ii", 0, 0)


def pollfd(s, events):
    return bytearray(struct.pack("<QhH4x", s, events, 0))


def revents(entry):
    return struct.unpack_from("<H", entry, 10)[0]


# ################ time ################


@pytest.mark.parametrize("ms", [1, 30])
def test_the_time_out(net, ms):
    a, _ = net.pair()
    begin = time.monotonic()
    assert net.select([a], ms=ms) == (0, [], [], [])
    assert net.poll((a, c.POLLRDNORM), ms=ms) == (0, [0])
    assert time.monotonic() - begin >= 2 * ms / 1e3
    assert not net.endpoint(a).waiters


@pytest.mark.parametrize("what", ["select without time-out", "select", "poll without time-out", "poll"])
def test_data_ends_the_wait(net, what):
    a, b = net.pair()
    read, entry = fd_set(b), pollfd(b, c.POLLRDNORM)
    if what.startswith("select"):
        call = net.run(ws.select, 0, read, None, None, None if "without" in what else LONG)
    else:
        call = net.run(ws.WSAPoll, entry, 1, -1 if "without" in what else PATIENCE)
    net.blocked(b)
    net.send(a, b"x")
    assert call.result(60) == (1, 0)
    assert members(read) == [b]
    assert revents(entry) == (0 if what.startswith("select") else c.POLLRDNORM)


def test_it_waits_although_something_else_is_ready(net):
    """What nobody asked for must neither end the wait nor keep the processor busy."""
    a, b = net.pair()
    net.reset(a)
    net.await_arrival(b)
    before = time.thread_time()
    assert net.select(other=[b], ms=100) == (0, [], [], [])
    assert time.thread_time() - before < 0.05


# ################ closing ################


def test_closing_counts_as_readable(net):
    for s in (net.listener(), net.pair()[0], net.udp()):
        read = fd_set(s)
        call = net.run(ws.select, 0, read, None, None, LONG)
        net.blocked(s)
        assert ws.closesocket(s) == 0
        assert call.result(60) == (1, 0)
        assert members(read) == [s]


def test_closing_what_is_not_read_fails(net):
    a, _ = net.pair()
    net.fill(a)
    for sets in ((None, fd_set(a), None), (None, None, fd_set(a)), (None, fd_set(a), fd_set(a))):
        a, _ = net.pair()
        net.fill(a)
        for data in sets:
            if data is not None:
                data[8:16] = struct.pack("<Q", a)
        call = net.run(ws.select, 0, *sets, LONG)
        net.blocked(a)
        assert ws.closesocket(a) == 0
        assert call.result(60) == (-1, WSA.WSAENOTSOCK)
        assert [members(data) for data in sets if data] == [[]] * sum(data is not None for data in sets)


def test_closing_ends_a_poll(net):
    a, b = net.pair()
    entry = pollfd(a, c.POLLRDNORM) + pollfd(b, c.POLLRDNORM)
    call = net.run(ws.WSAPoll, entry, 2, -1)
    net.blocked(a)
    assert ws.closesocket(a) == 0
    assert call.result(60) == (1, 0)
    assert revents(entry) == c.POLLNVAL


def test_cleanup_ends_every_wait(net):
    a, b = net.pair()
    calls = [net.run(ws.select, 0, fd_set(a), None, None, None), net.run(ws.WSAPoll, pollfd(b, 0), 1, -1)]
    net.blocked(a)
    net.blocked(b)
    assert ws.WSACleanup() == 0
    assert [call.result(60)[0] for call in calls] == [1, 1]


def test_sockets_closed_under_selecting_threads(net):
    """Many threads select on the same sockets while these are closed: no wait is lost, no descriptor either."""
    sockets = [net.udp() for _ in range(12)]
    calls = [net.run(ws.select, 0, fd_set(*sockets), None, None, LONG) for _ in range(6)]
    for s in sockets:
        net.blocked(s)
    for s in sockets:
        assert ws.closesocket(s) == 0
    for call in calls:
        n, code = call.result(60)
        assert n > 0 or code == WSA.WSAENOTSOCK


def test_short_looks_while_sockets_come_and_go(net):
    """The short way, unregistered, while the handle is closed: a count or WSAENOTSOCK, nothing else."""
    stop, seen = threading.Event(), set()
    handles = [net.udp()]

    def look():
        while True:
            s = handles[0]
            seen.add((ws.select(0, None, fd_set(s), None, NOT_YET), ws.WSAGetLastError()))
            if stop.is_set():
                return

    assert ws.select(0, None, fd_set(handles[0]), None, NOT_YET) == 1
    looking = net.run(look)
    for _ in range(300):
        new = net.udp()
        old, handles[0] = handles[0], new
        assert ws.closesocket(old) == 0
    stop.set()
    looking.result(60)
    assert seen
    assert seen <= {(1, 0), (-1, WSA.WSAENOTSOCK)}  # which of them, the scheduler decides


# ################ news from other threads ################


def test_a_connect_begun_meanwhile(net):
    lst, s = net.listener(), net.nonblocking(net.tcp())
    write = fd_set(s)
    call = net.run(ws.select, 0, None, write, None, LONG)
    net.blocked(s)
    net.fails(ws.connect(s, net.name(lst), 16), WSA.WSAEWOULDBLOCK)
    assert call.result(60) == (1, 0)
    assert members(write) == [s]


def test_a_listen_begun_meanwhile(net):
    s = net.tcp()
    assert ws.bind(s, net.name(net.udp())[:2] + bytes(2) + b"\x7f\0\0\x01" + bytes(8), 16) == 0
    call = net.run(ws.select, 0, fd_set(s), None, None, LONG)
    net.blocked(s)
    assert ws.listen(s, 1) == 0
    net.client(s)
    assert call.result(60) == (1, 0)


def test_a_refused_connect_meanwhile(net):
    s = net.nonblocking(net.tcp())
    other = fd_set(s)
    call = net.run(ws.select, 0, fd_set(s), fd_set(s), other, LONG)
    net.blocked(s)
    net.fails(ws.connect(s, net.nobody(), 16), WSA.WSAEWOULDBLOCK)
    assert call.result(60) == (1, 0)
    assert members(other) == [s]


# ################ APCs ################


def apc(log, then=None):
    def run(parameter):
        log.append((parameter, threading.get_ident()))
        if then is not None:
            then()

    return run


def test_an_apc_runs_in_a_select_that_waits_and_does_not_end_it(net):
    a, _ = net.pair()
    log = []
    assert k32.QueueUserAPC(apc(log), k32.GetCurrentThread(), 7)
    assert net.select([a], ms=5) == (0, [], [], [])
    assert log == [(7, threading.get_ident())]


def test_no_apc_runs_in_a_select_that_need_not_wait(net):
    a, _ = net.pair()
    log = []
    assert k32.QueueUserAPC(apc(log), k32.GetCurrentThread(), 0)
    assert net.select(write=[a], ms=PATIENCE) == (1, [], [a], [])
    assert log == []
    k32.SleepEx(0, 1)
    assert len(log) == 1


def test_an_apc_from_another_thread_runs_meanwhile(net):
    a, b = net.pair()
    log, waiting, states = [], threading.Event(), []

    def wait():
        states.append(current())
        waiting.set()
        return ws.select(0, fd_set(b), None, None, None)

    call = net.run(wait)
    assert waiting.wait(60)
    net.blocked(b)
    from winsock.nt import queue_apc

    queue_apc(states[0], lambda: (log.append(threading.get_ident()), net.send(a, b"x")))
    assert call.result(60) == (1, 0)
    assert len(log) == 1
    assert log[0] != threading.get_ident()


def test_an_apc_may_wait_itself(net):
    a, b = net.pair()
    inner = []
    assert k32.QueueUserAPC(apc([], lambda: inner.append(net.select([b], ms=5))), k32.GetCurrentThread(), 0)
    assert net.select([a, b], ms=20) == (0, [], [], [])
    assert inner == [(0, [], [], [])]
    assert not net.endpoint(b).waiters


def test_an_apc_may_close_what_is_waited_for(net):
    a, _ = net.pair()
    assert k32.QueueUserAPC(apc([], lambda: ws.closesocket(a)), k32.GetCurrentThread(), 0)
    assert net.select([a], ms=PATIENCE) == (1, [a], [], [])


# ################ afd.select ################


def test_endpoints_come_back_in_order(net):
    pairs = [net.pair() for _ in range(4)]
    for a, b in pairs[1::2]:
        net.send(a, b"x")
        net.await_arrival(b)
    read = [net.endpoint(b) for _, b in pairs]
    write = [net.endpoint(a) for a, _ in pairs]
    assert afd.select(read, write, [], 0) == (read[1::2], write, [])
    assert afd.select(read, [], read, 0) == (read[1::2], [], [])
    idle = [read[0], net.endpoint(net.tcp())]
    assert afd.select(idle, idle[1:], idle, 5) == ([], [], [])
    failed = net.endpoint(net.refused())
    assert afd.select([*read, failed], [failed], [read[0], failed], None) == (read[1::2], [], [failed])


def test_endpoints_that_are_closed(net):
    a, b = net.pair()
    eps = [net.endpoint(a), net.endpoint(b)]
    assert ws.closesocket(a) == 0
    for sets in ((eps, [], []), ([], eps, []), ([], [], eps)):
        with pytest.raises(WinsockError) as e:
            afd.select(*sets, 0)
        assert e.value.code == WSA.WSAENOTSOCK
    with pytest.raises(WinsockError) as e:
        afd.select([], [], [], 0)
    assert e.value.code == WSA.WSAEINVAL


# ################ descriptors beyond select(2) ################


def test_high_descriptors(net, monkeypatch):
    import os
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("so many descriptors are not allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    filler = [os.dup(0) for _ in range(1030)]
    try:
        a, b = net.pair()
        net.send(a, b"x")
        net.await_arrival(b)
        assert net.endpoint(b).transport.fileno() >= 1024
        assert net.select([a, b], [a]) == (2, [b], [a], [])
        assert net.everywhere(b) == "rw"
        for s in (a, b):
            assert ws.closesocket(s) == 0
    finally:
        for fd in filler:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
