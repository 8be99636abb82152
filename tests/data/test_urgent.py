"""Urgent data: a queue of its own, between our endpoints and to other programs."""

from __future__ import annotations

import ctypes
import socket
import struct
import time

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.transports import HANGUP


def urgent(net, s, data=b"!"):
    net.send(s, data, c.MSG_OOB)


def query(net, s, code):
    value = ctypes.c_uint32(0xDEAD)
    net.ok(ws.ioctlsocket(s, code, value))
    return value.value


def mark(net, s):
    return query(net, s, c.SIOCATMARK)


def waiting(net, s):
    return query(net, s, c.FIONREAD)


def foreign_pair(net):
    """A stream to a socket that is not winsock's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        a = net.socket()
        to = net.LOOPBACK[:2] + server.getsockname()[1].to_bytes(2, "big") + net.LOOPBACK[4:]
        net.ok(ws.connect(a, to, 16))
        other, _ = server.accept()
    return a, other


@pytest.mark.parametrize("ends", [0, 1], ids=["to the accepted side", "to the connecting side"])
@pytest.mark.parametrize("family", [c.AF_INET, pytest.param(c.AF_INET6, marks=pytest.mark.ipv6)])
def test_urgent_bytes_queue_and_never_join_the_stream(net, ends, family):
    pair = net.pair(family)
    a, b = pair[ends], pair[1 - ends]
    net.send(a, b"hello")
    urgent(net, a, b"1")
    urgent(net, a, b"2")
    net.send(a, b"world")
    assert (waiting(net, b), mark(net, b)) == (10, 0)
    assert net.recv(b, 1, c.MSG_OOB) == b"1"
    assert net.recv_all(b, 10) == b"helloworld"
    assert mark(net, b) == 0
    assert net.recv(b, 1, c.MSG_OOB) == b"2"
    assert (waiting(net, b), mark(net, b)) == (0, 1)


def test_only_the_last_byte_of_a_send_is_urgent(net):
    a, b = net.pair()
    urgent(net, a, b"abc")
    assert net.recv(b) == b"ab"
    assert net.recv(b, 8, c.MSG_OOB) == b"c"
    net.ok(ws.send(a, None, 0, c.MSG_OOB), 0)
    assert mark(net, b) == 1


def test_at_a_raw_address(net):
    a, b = net.pair()
    mem, parts = net.alloc(b"abc"), [net.alloc(b"d"), net.alloc(b"ef")]
    net.ok(ws.send(a, mem.addr, 3, c.MSG_OOB), 3)
    net.ok(ws.send(a, mem.addr, 1, c.MSG_OOB), 1)
    n = ctypes.c_uint32()
    net.ok(ws.WSASend(a, net.wsabuf(*parts), 2, n, c.MSG_OOB, None, None))
    assert n.value == 3
    assert net.recv_all(b, 4) == b"abde"
    assert [net.recv(b, 1, c.MSG_OOB) for _ in range(3)] == [b"c", b"a", b"f"]


@pytest.mark.parametrize("n", [1, 2, 100_000])
def test_nothing_at_that_address(net, n):
    a, b = net.pair()
    array = (n).to_bytes(8, "little") + (16).to_bytes(8, "little")
    for _ in range(2):
        net.fails(ws.send(a, 16, n, c.MSG_OOB), WSA.WSAEFAULT)
        net.fails(ws.sendto(a, 16, n, c.MSG_OOB, None, 0), WSA.WSAEFAULT)
        net.fails(ws.WSASend(a, array, 1, ctypes.c_uint32(), c.MSG_OOB, None, None), WSA.WSAEFAULT)
    net.fails(ws.recv(net.nonblocking(b), bytearray(1), 1, 0), WSA.WSAEWOULDBLOCK)


def test_peeking_leaves_it(net):
    a, b = net.pair()
    urgent(net, a)
    assert [net.recv(b, 1, c.MSG_OOB | c.MSG_PEEK), net.recv(b, 1, c.MSG_OOB)] == [b"!", b"!"]


def test_nothing_urgent(net):
    a, b = net.pair()
    net.send(a, b"hello")
    net.nonblocking(b)
    net.fails(ws.recv(b, bytearray(1), 1, c.MSG_OOB), WSA.WSAEWOULDBLOCK)
    assert (net.recv(b), mark(net, b)) == (b"hello", 1)


def test_recv_waits_for_an_urgent_byte(net):
    a, b = net.pair()
    buf = bytearray(1)
    receiving = net.run(ws.recv, b, buf, 1, c.MSG_OOB)
    net.blocked(b)
    urgent(net, a)
    assert receiving.result(60) == (1, 0)
    assert buf == b"!"


def test_recv_does_not_wait_after_the_end(net):
    a, b = net.pair()
    receiving = net.run(ws.recv, b, bytearray(1), 1, c.MSG_OOB)
    net.blocked(b)
    net.ok(ws.closesocket(a))
    assert receiving.result(60) == (0, 0)


def test_a_reset_is_no_end(net):
    a, b = net.pair()
    net.reset(a)
    net.fails(ws.recv(b, bytearray(1), 1, c.MSG_OOB), WSA.WSAECONNRESET)


def test_data_before_a_reset_can_still_be_received(net):
    a, b = net.pair()
    net.send(a, b"abc")
    net.reset(a)
    assert net.recv(b, 1, c.MSG_OOB) == b""
    assert net.recv(b) == b"abc"
    net.fails(ws.recv(b, bytearray(1), 1, c.MSG_OOB), WSA.WSAECONNRESET)


def test_a_send_whose_first_part_breaks_the_connection(net):
    a, b = net.pair()
    net.ok(ws.closesocket(b))
    assert net.recv(a) == b""
    urgent(net, a, b"abc")  # the peer answers "ab" with a reset
    net.fails(ws.recv(a, bytearray(1), 1, 0), WSA.WSAECONNABORTED)


def test_the_listener_gets_nothing_for_who_has_gone(net):
    listener, a = net.listener(), net.socket()
    to = net.name(listener)
    net.ok(ws.connect(a, to, len(to)))
    net.ok(ws.closesocket(ws.accept(listener, None, None)))
    assert net.recv(a) == b""
    urgent(net, a)
    while not net.endpoint(a).transport.readiness() & HANGUP:  # until the peer's answer, a reset, is here
        time.sleep(0.001)
    net.fails(ws.send(a, b"x", 1, 0), WSA.WSAECONNABORTED)


def test_sending_nothing_meets_a_reset_too(net):
    a, b = net.pair()
    net.send(a, b"", c.MSG_OOB)
    net.reset(b)
    readable = struct.pack("<I4xQ", 1, a).ljust(520, b"\0")
    assert ws.select(0, bytearray(readable), None, None, None) == 1
    net.fails(ws.send(a, b"", 0, c.MSG_OOB), WSA.WSAECONNRESET)


def test_it_outlasts_the_stream(net):
    a, b = net.pair()
    urgent(net, a)
    net.ok(ws.closesocket(a))
    assert net.recv(b) == b""
    assert mark(net, b) == 0
    assert net.recv(b, 1, c.MSG_OOB) == b"!"


def test_before_the_connection_is_accepted(net):
    listener, a = net.listener(), net.socket()
    net.ok(ws.connect(a, net.name(listener), 16))
    urgent(net, a, b"x1")
    urgent(net, a, b"y2")
    b = ws.accept(listener, None, None)
    assert net.recv_all(b, 2) == b"xy"
    assert [net.recv(b, 1, c.MSG_OOB) for _ in range(2)] == [b"1", b"2"]


def test_between_processes(net):
    import winsock

    other = winsock.Process()
    listener = net.listener()
    with other.attached():
        net.ok(ws.WSAStartup(0x0202, bytearray(408)))
        a = net.socket()
        net.process, mine = other, net.process
        net.ok(ws.connect(a, b"\2\0" + net_name(mine, listener)[2:], 16))
        net.process = mine
    b = ws.accept(listener, None, None)
    with other.attached():
        urgent(net, a, b"1")
        urgent(net, a, b"2")
    assert [net.recv(b, 1, c.MSG_OOB) for _ in range(2)] == [b"1", b"2"]
    with other.attached():
        ws.WSACleanup()


def net_name(process, s):
    with process.attached():
        name = bytearray(16)
        ws.getsockname(s, name, ctypes.c_int32(16))
        return bytes(name)


# -- inline


def test_inline_it_is_ordinary_data(net):
    a, b = net.pair()
    net.option(b, c.SOL_SOCKET, c.SO_OOBINLINE)
    net.send(a, b"he")
    urgent(net, a, b"l")
    urgent(net, a, b"l")
    net.send(a, b"o")
    assert (waiting(net, b), mark(net, b)) == (5, 1)
    assert net.recv_all(b, 5) == b"hello"
    net.fails(ws.recv(b, bytearray(1), 1, c.MSG_OOB), WSA.WSAEINVAL)


def test_inline_inherited_before_accept(net):
    listener, a = net.listener(), net.socket()
    net.option(listener, c.SOL_SOCKET, c.SO_OOBINLINE)
    net.ok(ws.connect(a, net.name(listener), 16))
    net.send(a, b"he")
    urgent(net, a, b"y")
    b = ws.accept(listener, None, None)
    assert net.recv_all(b, 3) == b"hey"


def test_going_inline_joins_what_waits(net):
    a, b = net.pair()
    urgent(net, a, b"1")
    urgent(net, a, b"2")
    net.send(a, b"x")
    net.option(b, c.SOL_SOCKET, c.SO_OOBINLINE)
    assert (waiting(net, b), mark(net, b)) == (3, 0)
    assert net.recv(b, 8, c.MSG_PEEK) == b"12"
    assert net.recv_all(b, 3) == b"12x"
    assert (waiting(net, b), mark(net, b)) == (0, 1)


# -- other programs


def test_to_another_program(net):
    a, other = foreign_pair(net)
    with other:
        urgent(net, a, b"ab")
        assert other.recv(8) == b"a"
        assert other.recv(1, socket.MSG_OOB) == b"b"


def test_from_another_program(net):
    a, other = foreign_pair(net)
    with other:
        other.send(b"hello")
        other.send(b"!", socket.MSG_OOB)
        ep = net.endpoint(a)
        assert ep.network.wait(__import__("winsock.nt").nt.current(), [(ep.transport, 2)], 5000)
        assert mark(net, a) == 0
        assert net.recv(a, 1, c.MSG_OOB | c.MSG_PEEK) == b"!"
        assert net.recv(a, 1, c.MSG_OOB) == b"!"
        assert mark(net, a) == 1
        assert net.recv(a) == b"hello"


@pytest.mark.parametrize("listening", [True, False])
def test_bytes_for_a_lost_peer_go_to_nobody(net, listening):
    """The address of a peer that is gone may belong to another connection later."""
    listener, a = net.listener(), net.socket()
    net.ok(ws.connect(a, net.name(listener), 16))
    b = ws.accept(listener, None, None)
    if not listening:
        net.ok(ws.closesocket(listener))
    urgent(net, a)
    net.ok(ws.closesocket(b))
    ws.send(a, b"!", 1, c.MSG_OOB)
    assert not any(ep.extra.get("urgent") or ep.extra.get("urgent unaccepted") for ep in net.process.sockets.values())
