"""What a socket is ready for in each state: select's three sets and WSAPoll's bits."""

from __future__ import annotations

import ctypes

import pytest

import winsock.ws2_32 as ws
from winsock import afd
from winsock.abi import _constants as c
from winsock.afd import _poll
from winsock.codes import WSA

ALL = c.POLLRDNORM | c.POLLRDBAND | c.POLLWRNORM
PATIENCE = 60_000


def revents(net, s, events=ALL, ms=0):
    """WSAPoll's bits by name."""
    n, [bits] = net.poll((s, events), ms=ms)
    assert n == (bits != 0)
    names = ("POLLRDNORM", "POLLRDBAND", "POLLWRNORM", "POLLERR", "POLLHUP", "POLLNVAL")
    return {name for name in names if bits & getattr(c, name)}


IN, BAND, OUT, ERR, HUP = "POLLRDNORM", "POLLRDBAND", "POLLWRNORM", "POLLERR", "POLLHUP"


# ################ before a connection ################


@pytest.mark.parametrize("bound", [False, True])
def test_a_stream_without_connection_is_ready_for_nothing(net, bound):
    s = net.tcp()
    if bound:
        assert ws.bind(s, net.nobody()[:2] + bytes(2) + b"\x7f\0\0\x01" + bytes(8), 16) == 0
    assert net.everywhere(s) == ""
    assert revents(net, s) == set()
    assert net.select([s], [s], [s], ms=5) == (0, [], [], [])


def test_a_fresh_datagram_socket_is_writable(net):
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert net.everywhere(s) == "w"
    assert revents(net, s) == {OUT}


def test_a_listener(net):
    lst = net.listener()
    assert net.everywhere(lst) == ""
    net.client(lst)
    assert net.select([lst], ms=PATIENCE)[0] == 1
    assert net.everywhere(lst) == "r"
    assert revents(net, lst) == {IN}
    assert revents(net, lst, c.POLLWRNORM) == set()
    assert afd.events(net.endpoint(lst)) == _poll.ACCEPT
    ws.accept(lst, None, None)
    assert net.everywhere(lst) == ""


def test_a_deferred_connection_still_waits(net):
    lst = net.listener()
    net.client(lst)
    assert ws.WSAAccept(lst, None, None, lambda *a: c.CF_DEFER, 0) == c.INVALID_SOCKET
    assert ws.WSAGetLastError() == WSA.WSATRY_AGAIN
    assert net.everywhere(lst) == "r"
    assert revents(net, lst) == {IN}


# ################ connecting ################


def test_a_connect_that_succeeds(net):
    lst = net.listener()
    s = net.connecting(net.name(lst))
    assert net.select(write=[s], other=[s], ms=PATIENCE) == (1, [], [s], [])
    assert net.everywhere(s) == "w"
    assert ws.getpeername(s, bytearray(16), ctypes.c_int32(16)) == 0


def test_a_connect_that_fails_is_exceptional_for_ever(net):
    s = net.refused()
    for _ in range(2):
        assert net.everywhere(s) == "x"
    assert revents(net, s) == {OUT, ERR, HUP}
    assert revents(net, s, 0) == {ERR, HUP}
    assert net.select([s], [s], ms=5) == (0, [], [], [])


def test_a_blocking_connect_that_fails_is_exceptional_too(net):
    s = net.tcp()
    net.fails(ws.connect(s, net.nobody(), 16), WSA.WSAECONNREFUSED)
    assert net.everywhere(s) == "x"


def test_a_connect_that_succeeds_after_a_failure_is_forgiven(net):
    s = net.refused()
    lst = net.listener()
    net.fails(ws.connect(s, net.name(lst), 16), WSA.WSAEWOULDBLOCK)
    assert net.select([s], [s], [s], ms=PATIENCE) == (1, [], [s], [])


def test_failed_connects_were_not_polled_before_2004(net):
    s = net.refused()
    net.process.services["windows build"] = 18363
    assert revents(net, s, ms=1) == set()
    net.process.services["windows build"] = 19041
    assert revents(net, s) == {OUT, ERR, HUP}


# ################ data ################


def test_connected(net):
    for s in net.pair():
        assert net.everywhere(s) == "w"
        assert revents(net, s) == {OUT}
        assert afd.events(net.endpoint(s)) == _poll.WRITE | _poll.CONNECTED


def test_data(net):
    a, b = net.pair()
    net.send(a, b"data")
    net.await_arrival(b)
    assert net.everywhere(b) == "rw"
    assert revents(net, b) == {IN, OUT}
    assert revents(net, b, c.POLLRDBAND) == set()
    net.recv(b)
    assert net.everywhere(b) == "w"


def test_a_full_socket_is_not_writable(net):
    a, _ = net.pair()
    net.fill(a)
    assert net.everywhere(a) == ""
    assert revents(net, a) == set()


def test_a_datagram(net):
    a, b = net.udp(), net.udp()
    assert ws.sendto(a, b"", 0, 0, net.name(b), 16) == 0
    assert net.select([b], ms=PATIENCE)[0] == 1
    assert net.everywhere(b) == "rw"
    assert revents(net, b) == {IN, OUT}
    assert net.recv(b) == 0
    assert net.everywhere(b) == "w"


def test_a_datagram_nobody_took_makes_its_sender_readable(net):
    a, gone = net.udp(), net.udp()
    to = net.name(gone)
    assert ws.closesocket(gone) == 0
    assert ws.sendto(a, b"x", 1, 0, to, 16) == 1
    assert net.select([a], ms=PATIENCE)[0] == 1
    net.fails(net.recv(a), WSA.WSAECONNRESET)
    assert net.everywhere(a) == "w"


def test_urgent_data_is_exceptional(net):
    a, b = net.pair()
    net.send(a, b"u", c.MSG_OOB)
    assert net.select([b], other=[b], ms=PATIENCE) == (1, [], [], [b])
    assert net.everywhere(b) == "wx"
    assert revents(net, b) == {BAND, OUT}
    assert net.recv(b, 1, c.MSG_OOB) == 1
    assert net.everywhere(b) == "w"


def test_urgent_data_inline_is_data(net):
    a, b = net.pair()
    assert ws.setsockopt(b, c.SOL_SOCKET, c.SO_OOBINLINE, ctypes.c_int32(1), 4) == 0
    net.send(a, b"u", c.MSG_OOB)
    assert net.select([b], ms=PATIENCE)[0] == 1
    assert net.everywhere(b) == "rw"
    assert revents(net, b) == {IN, OUT}


# ################ ends ################


def test_the_end_of_the_stream_hangs_up_and_is_readable(net):
    a, b = net.pair()
    assert ws.shutdown(a, c.SD_SEND) == 0
    net.await_arrival(b)
    assert net.everywhere(b) == "rw"
    assert revents(net, b) == {OUT, HUP}
    assert revents(net, b, 0) == {HUP}
    assert net.everywhere(a) == "w"
    assert revents(net, a) == {OUT}


def test_data_before_the_end_is_seen_with_it(net):
    a, b = net.pair()
    net.send(a, b"last")
    assert ws.closesocket(a) == 0
    net.await_arrival(b)
    _, [bits] = net.poll((b, ALL), ms=PATIENCE)
    while not bits & c.POLLHUP:  # the data may come first
        _, [bits] = net.poll((b, ALL), ms=PATIENCE)
    assert bits == c.POLLRDNORM | c.POLLWRNORM | c.POLLHUP
    net.recv(b)
    assert revents(net, b) == {OUT, HUP}


@pytest.mark.parametrize("how", [c.SD_RECEIVE, c.SD_SEND, c.SD_BOTH])
def test_an_own_shutdown_changes_nothing(net, how):
    a, _ = net.pair()
    assert ws.shutdown(a, how) == 0
    assert net.everywhere(a) == "w"
    assert revents(net, a) == {OUT}


def test_a_peer_that_receives_no_more_is_not_seen(net):
    a, b = net.pair()
    assert ws.shutdown(a, c.SD_RECEIVE) == 0
    assert net.everywhere(b) == "w"


def test_both_directions_ended(net):
    a, b = net.pair()
    assert ws.shutdown(a, c.SD_SEND) == 0
    net.await_arrival(b)
    assert ws.shutdown(b, c.SD_SEND) == 0
    net.await_arrival(a)
    for s in (a, b):
        assert net.everywhere(s) == "rw"
        assert revents(net, s) == {OUT, HUP}


@pytest.mark.parametrize("told", [False, True])
def test_a_reset(net, told):
    a, b = net.pair()
    net.reset(a)
    net.await_arrival(b)
    if told:
        net.fails(net.recv(b), WSA.WSAECONNRESET)
    assert net.everywhere(b) == "rw"
    assert revents(net, b) == {OUT, ERR, HUP}
    assert net.select(other=[b], ms=5) == (0, [], [], [])


# ################ other families ################


def test_unix_streams(net, tmp_path):
    path = str(tmp_path / "s").encode()
    name = c.AF_UNIX.to_bytes(2, "little") + path.ljust(108, b"\0")
    lst, a = (ws.socket(c.AF_UNIX, c.SOCK_STREAM, 0) for _ in range(2))
    assert ws.bind(lst, name, 110) == ws.listen(lst, 1) == 0
    assert net.everywhere(a) == ""
    assert ws.connect(a, name, 110) == 0
    assert net.everywhere(lst) == "r"
    b = ws.accept(lst, None, None)
    assert net.everywhere(a) == net.everywhere(b) == "w"
    net.send(a, b"x")
    assert net.everywhere(b) == "rw"
    assert ws.closesocket(a) == 0
    assert revents(net, b) == {IN, OUT, HUP}


# ################ WSAPoll itself ################


@pytest.mark.parametrize("bit", [b for b in (1 << i for i in range(16)) if not b & ALL])
def test_what_cannot_be_asked_for(net, bit):
    a, _ = net.pair()
    net.fails(net.poll((a, ALL | bit))[0], WSA.WSAEINVAL)
    n, bits = net.poll((c.INVALID_SOCKET, bit), (a, ALL))
    assert (n, bits) == (1, [c.POLLNVAL, c.POLLWRNORM])


def test_strangers_are_marked_and_not_counted(net):
    a, _ = net.pair()
    assert net.poll((a, ALL), (0x7777_0000, ALL), (c.INVALID_SOCKET, ALL), (a, 0)) == (
        1,
        [c.POLLWRNORM, c.POLLNVAL, c.POLLNVAL, 0],
    )
    assert ws.WSAGetLastError() == 0
    assert net.poll((0x7777_0000, ALL), (net.listener(), ALL)) == (0, [c.POLLNVAL, 0])


def test_strangers_alone(net):
    n, bits = net.poll((0x7777_0000, ALL), (c.INVALID_SOCKET, ALL))
    net.fails(n, WSA.WSAENOTSOCK)
    assert bits == [c.POLLNVAL] * 2
    net.fails(net.poll((c.INVALID_SOCKET, ALL), ms=-1)[0], WSA.WSAEINVAL)


@pytest.mark.parametrize(
    ("array", "count", "code"),
    [
        (None, 0, WSA.WSAEINVAL),
        (bytearray(16), 0, WSA.WSAEINVAL),
        (None, 1, WSA.WSAEFAULT),
        (0x10, 1, WSA.WSAEFAULT),
        (bytearray(16), 2, WSA.WSAEFAULT),
        (bytearray(16), -1, WSA.WSAEFAULT),
    ],
)
def test_bad_arrays(net, array, count, code):
    net.fails(ws.WSAPoll(array, count, 0), code)


def test_an_array_that_cannot_be_written(net):
    a, _ = net.pair()
    net.fails(ws.WSAPoll(a.to_bytes(8, "little") + bytes(8), 1, 0), WSA.WSAEFAULT)


def test_one_socket_in_two_entries(net):
    a, b = net.pair()
    net.send(a, b"x")
    net.await_arrival(b)
    assert net.poll((b, c.POLLRDNORM), (b, c.POLLWRNORM)) == (2, [c.POLLRDNORM, c.POLLWRNORM])
