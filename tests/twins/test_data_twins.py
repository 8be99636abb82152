"""send, recv, sendto, recvfrom, shutdown."""

import pytest
from arms import FAILED, fd_set, i32, sin, timeval

from winsock.abi import _constants as c
from winsock.codes import WSA


def exactly(ws, s, n):
    """n bytes of a stream."""
    got = b""
    while len(got) < n:
        data = bytearray(n - len(got))
        r = ws.recv(s, data, len(data), 0)
        assert r.ret > 0, r
        got += data[: r.ret]
    return got


################ streams ################


def test_urgent_sends_and_a_lost_peer(ws, kit):
    a, b = kit.pair()
    assert ws.send(a, b"", 0, c.MSG_OOB).ret == 0
    assert ws.closesocket(b).ret == 0
    assert ws.select(0, fd_set(a), None, None, timeval(60)).ret == 1
    assert ws.send(a, b"abc", 3, c.MSG_OOB).ret == 3
    a, b = kit.pair()
    ws.setsockopt(b, c.SOL_SOCKET, c.SO_LINGER, b"\1\0\0\0", 4)
    assert ws.closesocket(b).ret == 0
    assert ws.select(0, fd_set(a), None, None, timeval(60)).ret == 1
    assert ws.send(a, b"", 0, c.MSG_OOB).error == WSA.WSAECONNRESET


def test_there_and_back(ws, kit):
    a, b = kit.pair()
    assert ws.send(a, b"hello", 5, 0).ret == 5
    assert exactly(ws, b, 5) == b"hello"
    assert ws.send(b, b"world", 5, 0).ret == 5
    assert exactly(ws, a, 5) == b"world"


@pytest.mark.wine(differs="send gives WSAECONNRESET")
def test_unconnected(ws, kit):
    s = kit.tcp()
    assert ws.send(s, b"x", 1, 0).error == WSA.WSAENOTCONN
    assert ws.recv(s, bytearray(1), 1, 0).error == WSA.WSAENOTCONN


@pytest.mark.wine(differs="send gives WSAECONNRESET")
def test_listening(ws, kit):
    s = kit.nonblocking(kit.listener())
    assert ws.recv(s, bytearray(1), 1, 0).error == WSA.WSAENOTCONN
    assert ws.send(s, b"x", 1, 0).error == WSA.WSAENOTCONN


def test_peek_leaves_the_data(ws, kit):
    a, b = kit.pair()
    ws.send(a, b"abc", 3, 0)
    data = bytearray(3)
    assert ws.recv(b, data, 1, c.MSG_PEEK).ret == 1
    assert exactly(ws, b, 3) == b"abc"


def test_nothing_there(ws, kit):
    a, _ = kit.pair()
    r = ws.recv(kit.nonblocking(a), bytearray(1), 1, 0)
    assert (r.ret, r.error) == (FAILED, WSA.WSAEWOULDBLOCK)


def test_peer_has_closed(ws, kit):
    a, b = kit.pair()
    assert ws.closesocket(b).ret == 0
    assert ws.recv(a, bytearray(1), 1, 0).ret == 0
    assert ws.recv(a, bytearray(1), 1, 0).ret == 0


@pytest.mark.wine(differs="it reads as the end of the stream")
def test_peer_has_reset(ws, kit):
    a, b = kit.pair()
    assert ws.setsockopt(b, c.SOL_SOCKET, c.SO_LINGER, b"\1\0\0\0", 4).ret == 0
    assert ws.closesocket(b).ret == 0
    assert ws.recv(a, bytearray(1), 1, 0).error == WSA.WSAECONNRESET


def test_receive_timeout(ws, kit):
    a, _ = kit.pair()
    assert kit.set(a, c.SOL_SOCKET, c.SO_RCVTIMEO, 50).ret == 0
    assert ws.recv(a, bytearray(1), 1, 0).error == WSA.WSAETIMEDOUT


def test_recv_waits_for_data(arm, ws, kit):
    a, b = kit.pair()
    data = bytearray(4)
    call = arm.thread("reader").start(ws.recv, b, data, 4, 0)
    assert call.blocks()
    ws.send(a, b"late", 4, 0)
    assert call.join().ret == 4
    assert data == b"late"


def test_closed_handle(ws, kit):
    s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    ws.closesocket(s)
    assert ws.send(s, b"x", 1, 0).error == WSA.WSAENOTSOCK
    assert ws.recv(s, bytearray(1), 1, 0).error == WSA.WSAENOTSOCK


################ shutdown ################


def test_shutdown_unconnected(ws, kit):
    assert ws.shutdown(kit.tcp(), c.SD_BOTH).error == WSA.WSAENOTCONN
    assert ws.shutdown(kit.listener(), c.SD_BOTH).error == WSA.WSAENOTCONN


def test_shutdown_how(ws, kit):
    a, _ = kit.pair()
    assert ws.shutdown(a, 3).error == WSA.WSAEINVAL
    assert ws.send(a, b"x", 1, 0).ret == 1


def test_send_after_shutdown(ws, kit):
    a, b = kit.pair()
    assert ws.shutdown(a, c.SD_SEND).ret == 0
    assert ws.send(a, b"x", 1, 0).error == WSA.WSAESHUTDOWN
    assert ws.recv(b, bytearray(1), 1, 0).ret == 0
    assert ws.send(b, b"y", 1, 0).ret == 1
    assert exactly(ws, a, 1) == b"y"


def test_recv_after_shutdown(ws, kit):
    a, _ = kit.pair()
    assert ws.shutdown(a, c.SD_RECEIVE).ret == 0
    assert ws.recv(a, bytearray(1), 1, 0).error == WSA.WSAESHUTDOWN


################ datagrams ################


def test_datagram_and_its_sender(ws, kit):
    a, b = kit.bound(kit.udp()), kit.bound(kit.udp())
    assert ws.sendto(a, b"hi", 2, 0, kit.name(b), 16).ret == 2
    data, sender, n = bytearray(8), bytearray(16), i32(16)
    assert ws.recvfrom(b, data, 8, 0, sender, n).ret == 2
    assert data[:2] == b"hi"
    assert bytes(sender) == kit.name(a)


def test_truncated_datagram(ws, kit):
    a, b = kit.bound(kit.udp()), kit.bound(kit.udp())
    ws.sendto(a, b"abcdef", 6, 0, kit.name(b), 16)
    data = bytearray(4)
    r = ws.recvfrom(b, data, 4, 0, None, None)
    assert (r.ret, r.error) == (FAILED, WSA.WSAEMSGSIZE)
    assert data == b"abcd"
    assert ws.recv(kit.nonblocking(b), data, 4, 0).error == WSA.WSAEWOULDBLOCK


@pytest.mark.wine(differs="it waits")
def test_recvfrom_unbound(ws, kit):
    assert ws.recvfrom(kit.nonblocking(kit.udp()), bytearray(4), 4, 0, None, None).error == WSA.WSAEINVAL


def test_sendto_binds(ws, kit):
    a, b = kit.udp(), kit.bound(kit.udp())
    assert ws.sendto(a, b"x", 1, 0, kit.name(b), 16).ret == 1
    assert kit.name(a)[2:4] != b"\0\0"


@pytest.mark.wine(differs="WSAEINVAL")
def test_send_without_a_peer(ws, kit):
    assert ws.send(kit.bound(kit.udp()), b"x", 1, 0).error == WSA.WSAENOTCONN


@pytest.mark.wine(differs="WSAEINVAL")
def test_sendto_port_0(ws, kit):
    assert ws.sendto(kit.udp(), b"x", 1, 0, sin(port=0), 16).error == WSA.WSAEADDRNOTAVAIL


def test_sendto_too_large(ws, kit):
    r = ws.sendto(kit.udp(), bytes(70000), 70000, 0, sin(port=9), 16)
    assert (r.ret, r.error) == (FAILED, WSA.WSAEMSGSIZE)


def test_empty_datagram(ws, kit):
    a, b = kit.bound(kit.udp()), kit.bound(kit.udp())
    assert ws.sendto(a, b"", 0, 0, kit.name(b), 16).ret == 0
    assert ws.recv(b, bytearray(4), 4, 0).ret == 0
