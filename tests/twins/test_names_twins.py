"""bind, listen, accept, connect, and the names of sockets: what is done and what is refused."""

import pytest
from arms import FAILED, NO_SOCKET, host_of, i32, port_of, sin, sin6

from winsock.abi import _constants as c
from winsock.codes import WSA

################ OPEN ################


def test_name_of_an_unbound_socket(ws, kit):
    for s in (kit.tcp(), kit.udp()):
        r = ws.getsockname(s, bytearray(16), i32(16))
        assert (r.ret, r.error) == (FAILED, WSA.WSAEINVAL)


def test_listen_unbound(ws, kit):
    assert ws.listen(kit.tcp(), 5).error == WSA.WSAEINVAL


def test_accept_not_listening(ws, kit):
    assert ws.accept(kit.tcp(), None, None).error == WSA.WSAEINVAL
    assert ws.accept(kit.bound(kit.tcp()), None, None).error == WSA.WSAEINVAL


def test_peer_of_an_unconnected_socket(ws, kit):
    assert ws.getpeername(kit.bound(kit.tcp()), bytearray(16), i32(16)).error == WSA.WSAENOTCONN


def test_bind_picks_a_port(ws, kit):
    name = kit.name(kit.bound(kit.tcp()))
    assert port_of(name) >= 1024
    assert host_of(name) == "127.0.0.1"
    assert name[8:] == bytes(8)


def test_bind_short_name(ws, kit):
    assert ws.bind(kit.tcp(), sin(), 15).error == WSA.WSAEFAULT


def test_bind_null_name(ws, kit):
    assert ws.bind(kit.tcp(), None, 16).error == WSA.WSAEFAULT


def test_bind_foreign_family(ws, kit):
    assert ws.bind(kit.tcp(), sin(family=0xDEAD), 16).error == WSA.WSAEAFNOSUPPORT


def test_bind_foreign_address(ws, kit):
    assert ws.bind(kit.tcp(), sin("8.8.8.8"), 16).error == WSA.WSAEADDRNOTAVAIL


################ BOUND ################


def test_bind_twice(ws, kit):
    s = kit.bound(kit.tcp())
    before = kit.name(s)
    assert ws.bind(s, sin(), 16).error == WSA.WSAEINVAL
    assert kit.name(s) == before


def test_bind_a_taken_port(ws, kit):
    taken = port_of(kit.name(kit.listener()))
    assert ws.bind(kit.tcp(), sin(port=taken), 16).error == WSA.WSAEADDRINUSE


def test_reuse_steals_a_port(ws, kit):
    first, second = kit.udp(), kit.udp()
    for s in (first, second):
        assert kit.set(s, c.SOL_SOCKET, c.SO_REUSEADDR, 1).ret == 0
    kit.bound(first)
    assert ws.bind(second, sin(port=port_of(kit.name(first))), 16).ret == 0


def test_exclusive_keeps_a_port(ws, kit):
    first, second = kit.tcp(), kit.tcp()
    assert kit.set(first, c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE, 1).ret == 0
    kit.bound(first)
    assert kit.set(second, c.SOL_SOCKET, c.SO_REUSEADDR, 1).ret == 0
    assert ws.bind(second, sin(port=port_of(kit.name(first))), 16).error == WSA.WSAEACCES


def test_reuse_and_exclusive_exclude_each_other(ws, kit):
    s = kit.tcp()
    assert kit.set(s, c.SOL_SOCKET, c.SO_REUSEADDR, 1).ret == 0
    assert kit.set(s, c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE, 1).error == WSA.WSAEINVAL


def test_listen_on_a_datagram_socket(ws, kit):
    assert ws.listen(kit.bound(kit.udp()), 5).error == WSA.WSAEOPNOTSUPP


################ LISTENING ################


def test_listening_twice_is_fine(ws, kit):
    assert ws.listen(kit.listener(), 3).ret == 0


def test_accept_gives_the_peer(ws, kit):
    listener, client = kit.listener(), kit.tcp()
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    peer, n = bytearray(16), i32(16)
    s = kit.keep(ws.accept(listener, peer, n))
    assert n.value == 16
    assert bytes(peer) == kit.name(client)
    assert kit.name(s) == kit.name(listener)


def test_accept_with_nobody_there(ws, kit):
    assert ws.accept(kit.nonblocking(kit.listener()), None, None).error == WSA.WSAEWOULDBLOCK


def test_connect_a_listener(ws, kit):
    listener = kit.listener()
    assert ws.connect(listener, kit.name(kit.listener()), 16).error == WSA.WSAEINVAL


################ connect ################


def test_connect_refused(ws, kit):
    assert ws.connect(kit.tcp(), sin(port=kit.deaf_port()), 16).error == WSA.WSAECONNREFUSED


@pytest.mark.wine(differs="WSAEADDRNOTAVAIL")
def test_connect_short_name(ws, kit):
    assert ws.connect(kit.tcp(), sin(port=1), 8).error == WSA.WSAEFAULT


@pytest.mark.wine(differs="WSAEOPNOTSUPP")
def test_connect_foreign_family(ws, kit):
    assert ws.connect(kit.tcp(), sin6(port=1), 28).error == WSA.WSAEAFNOSUPPORT


def test_connect_twice(ws, kit):
    listener = kit.listener()
    client = kit.tcp()
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    assert ws.connect(client, kit.name(listener), 16).error == WSA.WSAEISCONN


def test_bind_connected(ws, kit):
    client, _ = kit.pair()
    assert ws.bind(client, sin(), 16).error == WSA.WSAEINVAL


def test_nonblocking_connect(ws, kit):
    client = kit.nonblocking(kit.tcp())
    r = ws.connect(client, kit.name(kit.listener()), 16)
    assert (r.ret, r.error) == (FAILED, WSA.WSAEWOULDBLOCK)


def test_connected_datagram_socket_and_its_end(ws, kit):
    a, b = kit.bound(kit.udp()), kit.bound(kit.udp())
    assert ws.connect(a, kit.name(b), 16).ret == 0
    peer = bytearray(16)
    assert ws.getpeername(a, peer, i32(16)).ret == 0
    assert bytes(peer) == kit.name(b)


def test_names_too_short(ws, kit):
    client, _ = kit.pair()
    for call in (ws.getsockname, ws.getpeername):
        assert call(client, bytearray(16), i32(4)).error == WSA.WSAEFAULT
        assert call(client, None, None).error == WSA.WSAEFAULT


@pytest.mark.parametrize("call", ["bind", "connect"])
def test_not_a_socket(ws, call):
    assert getattr(ws, call)(NO_SOCKET, sin(port=9), 16).error == WSA.WSAENOTSOCK
