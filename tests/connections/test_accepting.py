"""listen, accept and WSAAccept: pointers, what a new socket is like, conditions, resets, and closing meanwhile."""

from __future__ import annotations

import ctypes
import struct

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1


@pytest.fixture
def waiting(net):
    """A listener with one connection in its queue, and the client."""
    lst, client = net.listener(), net.tcp()
    net.ok(net.connect(client, net.name(lst)))
    return lst, client


def plain(s, addr, n):
    return ws.accept(s, addr, n)


def extended(s, addr, n):
    return ws.WSAAccept(s, addr, n, None, 0)


both = pytest.mark.parametrize("accept", [plain, extended])


# -- listen


@pytest.mark.parametrize("backlog", [0, 1, -1, -300, 1 << 30, 0x7FFFFFFF, -0x80000000])
def test_any_backlog_will_do(net, backlog):
    s = net.bound()
    net.ok(ws.listen(s, backlog))
    net.ok(ws.listen(s, 5))
    net.ok(net.connect(net.tcp(), net.name(s)))
    net.accept(s)


def test_accepted_socket_cannot_listen(net):
    for s in net.pair():
        net.fails(ws.listen(s, 1), WSA.WSAEISCONN)
        assert ws.send(s, b"still", 5, 0) == 5


def test_connecting_socket_cannot_listen(net, silent):
    s = net.nonblocking(net.tcp())
    net.fails(net.connect(s, silent), WSA.WSAEWOULDBLOCK)
    net.fails(ws.listen(s, 1), WSA.WSAEINVAL)


# -- pointers


@both
@pytest.mark.parametrize("room", [-1, 0, 15])
def test_too_little_room_takes_no_connection(net, waiting, accept, room):
    lst, client = waiting
    addr, n = bytearray(b"\xaa" * 16), ctypes.c_int(room)
    net.fails(accept(lst, addr, n), WSA.WSAEFAULT)
    assert (n.value, addr) == (room, b"\xaa" * 16)
    assert net.peer(net.accept(lst)) == net.name(client)


@both
def test_memory_that_cannot_be_written_takes_no_connection(net, waiting, accept):
    lst, _ = waiting
    for addr, n in (
        (8, ctypes.c_int(16)),
        (bytes(16), ctypes.c_int(16)),
        (bytearray(16), 8),
        (bytearray(3), b"\x10\0\0\0"),
    ):
        net.fails(accept(lst, addr, n), WSA.WSAEFAULT)
    net.accept(lst)


@both
def test_refused_before_there_is_a_connection(net, accept):
    net.fails(accept(net.listener(), bytearray(16), ctypes.c_int(3)), WSA.WSAEFAULT)  # at once, though it blocks


@both
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.ipv6)])
def test_the_peer_and_its_length(net, accept, host):
    lst = net.listener(host)
    client = net.socket(c.AF_INET6 if ":" in host else c.AF_INET)
    net.ok(net.connect(client, net.name(lst)))
    addr, n = bytearray(64), ctypes.c_int(64)
    s = accept(lst, addr, n)
    assert bytes(addr[: n.value]) == net.name(client) == net.peer(s)
    assert net.name(s) == net.peer(client)


@both
def test_half_of_the_pointers_is_none(net, waiting, accept):
    lst, _ = waiting
    addr = bytearray(16)
    assert accept(lst, addr, None) != NO_SOCKET
    assert addr == bytes(16)
    net.ok(net.connect(net.tcp(), net.name(lst)))
    n = ctypes.c_int(16)
    assert accept(lst, None, n) != NO_SOCKET
    assert n.value == 16


# -- refusals


@both
def test_what_cannot_accept(net, accept):
    client, server = net.pair()
    for s, code in (
        (net.udp(), WSA.WSAEOPNOTSUPP),
        (net.tcp(), WSA.WSAEINVAL),
        (net.bound(), WSA.WSAEINVAL),
        (client, WSA.WSAEINVAL),
        (server, WSA.WSAEINVAL),
        (4, WSA.WSAENOTSOCK),
        (NO_SOCKET, WSA.WSAENOTSOCK),
    ):
        net.fails(accept(s, None, None), code)
        net.fails(accept(s, bytearray(3), ctypes.c_int(3)), code)  # first the socket, then the pointers


@both
def test_nonblocking_listener_without_a_connection(net, accept):
    net.fails(accept(net.nonblocking(net.listener()), None, None), WSA.WSAEWOULDBLOCK)


@both
def test_connection_that_was_reset_before(net, waiting, accept):
    lst, client = waiting
    net.set(client, c.SO_LINGER, 1)
    net.ok(ws.closesocket(client))
    net.fails(accept(lst, None, None), WSA.WSAECONNRESET)
    net.fails(accept(net.nonblocking(lst), None, None), WSA.WSAEWOULDBLOCK)  # it is gone


@both
def test_connection_that_was_closed_before_is_accepted(net, waiting, accept):
    lst, client = waiting
    assert ws.send(client, b"bye", 3, 0) == 3
    net.ok(ws.closesocket(client))
    s, data = accept(lst, None, None), bytearray(8)
    assert ws.recv(s, data, 8, 0) == 3
    assert ws.recv(s, data, 8, 0) == 0


# -- the new socket


def test_new_socket_is_as_its_listener(net):
    lst = net.bound()
    for option, value in ((c.SO_KEEPALIVE, 1), (c.SO_RCVTIMEO, 250), (c.SO_SNDTIMEO, 300), (c.SO_OOBINLINE, 1)):
        net.set(lst, option, value)
    net.ok(ws.listen(lst, 2))
    net.nonblocking(lst)
    net.ok(net.connect(net.tcp(), net.name(lst)))
    assert net.ready(lst)
    s = net.accept(lst)
    for option, value in ((c.SO_KEEPALIVE, 1), (c.SO_RCVTIMEO, 250), (c.SO_SNDTIMEO, 300), (c.SO_OOBINLINE, 1)):
        assert net.get(s, option) == value
    net.fails(ws.recv(s, bytearray(1), 1, 0), WSA.WSAEWOULDBLOCK)
    net.set(s, c.SO_RCVTIMEO, 7)
    assert net.get(lst, c.SO_RCVTIMEO) == 250


# -- closing meanwhile


@both
def test_closing_the_listener_ends_the_wait(net, accept):
    lst = net.listener()
    calls = [net.background(accept, lst, None, None) for _ in range(3)]
    for call in calls:
        call.waits()
    net.ok(ws.closesocket(lst))
    for call in calls:
        assert call.join() == (NO_SOCKET, WSA.WSAEINTR)
    net.fails(accept(lst, None, None), WSA.WSAENOTSOCK)


def test_several_waiting_threads_get_one_connection_each(net):
    lst = net.listener()
    calls = [net.background(ws.accept, lst, None, None) for _ in range(4)]
    for call in calls:
        call.waits()
    for _ in calls:
        net.ok(net.connect(net.tcp(), net.name(lst)))
    assert len({call.join()[0] for call in calls} - {NO_SOCKET}) == 4


# -- conditions


def wsabuf(address):
    n, where = struct.unpack("<I4xQ", ctypes.string_at(address, 16))
    return ctypes.string_at(where, n) if n else b""


def test_condition_sees_both_addresses(net, waiting):
    lst, client = waiting
    seen = []

    def condition(caller, caller_data, sqos, gqos, callee, callee_data, g, data):
        seen.append(
            (wsabuf(caller), wsabuf(caller_data), sqos, gqos, wsabuf(callee), wsabuf(callee_data), bool(g), data)
        )
        return c.CF_ACCEPT

    addr, n = bytearray(16), ctypes.c_int(16)
    s = ws.WSAAccept(lst, addr, n, condition, 0x5EED)
    assert net.peer(s) == addr == net.name(client)
    assert seen == [(net.name(client), b"", None, None, net.name(lst), b"", True, 0x5EED)]


def test_rejected_connection_is_reset(net, waiting):
    lst, client = waiting
    net.fails(ws.WSAAccept(lst, None, None, lambda *_: c.CF_REJECT, 0), WSA.WSAECONNREFUSED)
    net.fails(ws.recv(client, bytearray(1), 1, 0), WSA.WSAECONNRESET)
    net.fails(ws.accept(net.nonblocking(lst), None, None), WSA.WSAEWOULDBLOCK)


@pytest.mark.parametrize(
    ("verdict", "code"), [(c.CF_DEFER, WSA.WSATRY_AGAIN), (3, WSA.WSAEINVAL), (-1, WSA.WSAEINVAL)]
)
def test_undecided_connection_stays_the_next(net, waiting, verdict, code):
    lst, first = waiting
    net.ok(net.connect(net.tcp(), net.name(lst)))
    for _ in range(3):
        net.fails(ws.WSAAccept(lst, None, None, lambda *_: verdict, 0), code)
    assert net.ready(lst)
    assert net.peer(net.accept(lst)) == net.name(first)
    net.accept(lst)
    net.fails(ws.accept(net.nonblocking(lst), None, None), WSA.WSAEWOULDBLOCK)


def test_deferred_connection_goes_to_a_thread_that_waits(net):
    lst, client = net.listener(), net.tcp()
    call = None

    def condition(*_):
        nonlocal call
        call = net.background(ws.accept, lst, None, None)
        call.waits()
        return c.CF_DEFER

    net.ok(net.connect(client, net.name(lst)))
    net.fails(ws.WSAAccept(lst, None, None, condition, 0), WSA.WSATRY_AGAIN)
    assert net.peer(call.join()[0]) == net.name(client)


def test_deferred_connection_ends_with_its_listener(net, waiting):
    lst, client = waiting
    net.fails(ws.WSAAccept(lst, None, None, lambda *_: c.CF_DEFER, 0), WSA.WSATRY_AGAIN)
    net.ok(ws.closesocket(lst))
    net.fails(ws.recv(client, bytearray(1), 1, 0), WSA.WSAECONNRESET)


def test_listener_closed_by_its_condition(net, waiting):
    lst, _ = waiting

    def condition(*_):
        net.ok(ws.closesocket(lst))
        return c.CF_DEFER

    net.fails(ws.WSAAccept(lst, None, None, condition, 0), WSA.WSATRY_AGAIN)


def test_broken_condition_function_loses_no_connection(net, waiting, caplog):
    lst, client = waiting

    def condition(*_):
        raise RuntimeError("of the program's own")

    net.fails(ws.WSAAccept(lst, None, None, condition, 0), WSA.WSAEINVAL)
    assert "of the program's own" in caplog.text
    caplog.clear()  # with the traceback, which holds the connection
    assert net.peer(net.accept(lst)) == net.name(client)


@pytest.mark.parametrize("pointer", [12, b"x", 1.5])
def test_condition_that_is_no_function(net, waiting, pointer):
    lst, _ = waiting
    net.fails(ws.WSAAccept(lst, None, None, pointer, 0), WSA.WSAEFAULT)
    net.accept(lst)
