"""bind, listen, accept, connect, shutdown, WSAAccept: what winsock and Wine agree on."""

import pytest
from arms import FAILED, NO_SOCKET, fd_set, i32, sin, sin6, timeval

from winsock.abi import _constants as c
from winsock.codes import WSA


def set_option(ws, s, option):
    assert ws.setsockopt(s, c.SOL_SOCKET, option, i32(1), 4).ret == 0


def code(r):
    return 0 if r.ret == 0 else r.error


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (None, None, WSA.WSAEADDRINUSE),
        (None, c.SO_REUSEADDR, WSA.WSAEACCES),
        (c.SO_REUSEADDR, c.SO_REUSEADDR, 0),
        (c.SO_EXCLUSIVEADDRUSE, c.SO_REUSEADDR, WSA.WSAEACCES),
        (None, c.SO_EXCLUSIVEADDRUSE, WSA.WSAEADDRINUSE),
    ],
)
def test_second_bind_to_an_address(ws, kit, first, second, expected):
    a, b = kit.tcp(), kit.tcp()
    for s, option in ((a, first), (b, second)):
        if option is not None:
            set_option(ws, s, option)
    kit.bound(a)
    assert code(ws.bind(b, kit.name(a), 16)) == expected


def test_bind_checks_the_family_before_the_state(ws, kit):
    s = kit.bound(kit.tcp())
    assert code(ws.bind(s, sin(), 16)) == WSA.WSAEINVAL
    assert code(ws.bind(s, sin(family=0xDEAD), 16)) == WSA.WSAEAFNOSUPPORT
    assert code(ws.bind(kit.tcp(), sin(), 15)) == WSA.WSAEFAULT


def test_connect_checks_the_state_before_the_address(ws, kit):
    client, server = kit.pair()
    for s in (client, server):
        assert code(ws.connect(s, sin6(), 28)) == WSA.WSAEISCONN
        assert code(ws.connect(s, sin("0.0.0.0"), 16)) == WSA.WSAEISCONN
    assert code(ws.connect(kit.listener(), sin("0.0.0.0", 1), 16)) == WSA.WSAEINVAL


def test_refused_connect_names_the_socket(ws, kit):
    s = kit.tcp()
    assert code(ws.connect(s, kit.name(kit.bound(kit.tcp())), 16)) == WSA.WSAECONNREFUSED
    name = kit.name(s)
    assert name[2:4] != b"\0\0"


def test_peer_of_a_datagram_socket(ws, kit):
    s, peer = kit.udp(), kit.bound(kit.udp())
    assert ws.getpeername(s, bytearray(16), i32(16)).error == WSA.WSAENOTCONN
    assert code(ws.connect(s, kit.name(peer), 16)) == 0
    got = bytearray(16)
    assert ws.getpeername(s, got, i32(16)).ret == 0
    assert got == kit.name(peer)
    assert code(ws.connect(s, bytes(16), 16)) == 0
    assert ws.getpeername(s, bytearray(16), i32(16)).error == WSA.WSAENOTCONN


def test_broadcast_peer_needs_permission(ws, kit):
    assert code(ws.connect(kit.udp(), sin("255.255.255.255", 9), 16)) == WSA.WSAEACCES


def waiting(ws, kit):
    listener, client = kit.listener(), kit.tcp()
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    assert ws.select(0, fd_set(listener), None, None, timeval(60)).ret == 1
    return listener, client


def test_condition_function_accepts(arm, ws, kit):
    listener, client = waiting(ws, kit)
    condition = arm.callback("vvvvvvvv", c.CF_ACCEPT)
    addr, n = bytearray(32), i32(32)
    s = kit.keep(ws.WSAAccept(listener, addr, n, condition, 0))
    assert n.value == 16
    assert bytes(addr[:16]) == kit.name(client)
    assert kit.name(s) == kit.name(listener)


@pytest.mark.parametrize(
    ("verdict", "expected"), [(c.CF_REJECT, WSA.WSAECONNREFUSED), (c.CF_DEFER, WSA.WSATRY_AGAIN)]
)
def test_condition_function_declines(arm, ws, kit, verdict, expected):
    listener, _ = waiting(ws, kit)
    r = ws.WSAAccept(listener, None, None, arm.callback("vvvvvvvv", verdict), 0)
    assert (r.ret, r.error) == (FAILED, expected)
    kit.nonblocking(listener)
    left = ws.accept(listener, None, None)
    if verdict == c.CF_DEFER:
        kit.keep(left)
    else:
        assert left.error == WSA.WSAEWOULDBLOCK


def test_what_cannot_accept(ws, kit):
    client, _ = kit.pair()
    for s, expected in ((client, WSA.WSAEINVAL), (kit.tcp(), WSA.WSAEINVAL), (kit.udp(), WSA.WSAEOPNOTSUPP)):
        assert ws.accept(s, None, None).error == expected
    assert ws.accept(NO_SOCKET, None, None).error == WSA.WSAENOTSOCK


def test_halves(ws, kit):
    client, server = kit.pair()
    assert ws.shutdown(client, 7).error == WSA.WSAEINVAL
    assert ws.shutdown(kit.tcp(), c.SD_SEND).error == WSA.WSAENOTCONN
    assert ws.shutdown(kit.udp(), c.SD_BOTH).ret == 0
    assert ws.WSASendDisconnect(client, None).ret == 0
    assert ws.send(client, b"x", 1, 0).error == WSA.WSAESHUTDOWN
    assert ws.recv(server, bytearray(1), 1, 0).ret == 0
    assert ws.WSARecvDisconnect(server, None).ret == 0
    assert ws.recv(server, bytearray(1), 1, 0).error == WSA.WSAESHUTDOWN


def test_closed_handle(ws, kit):
    s = kit.tcp()
    assert ws.closesocket(s).ret == 0
    assert ws.closesocket(s).error == WSA.WSAENOTSOCK
