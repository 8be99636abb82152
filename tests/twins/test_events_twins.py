"""Network events by event object: selecting, recording, answering."""

from __future__ import annotations

import ctypes
import struct

import pytest
from arms import NO_SOCKET, sin

from winsock.abi import _constants as c
from winsock.codes import WSA

LONG = 60_000
ALL = 0x3F
READ, WRITE, ACCEPT = {c.FD_READ: 0}, {c.FD_WRITE: 0}, {c.FD_ACCEPT: 0}


class Watch:
    """An event object and what it is signalled for."""

    def __init__(self, ws):
        self.ws, self.event = ws, ws.WSACreateEvent()
        assert self.event.ret

    def select(self, s, mask):
        assert self.ws.WSAEventSelect(s, self.event, mask).ret == 0

    def signalled(self, ms=0):
        handles = struct.pack("<Q", int(self.event))
        return self.ws.WSAWaitForMultipleEvents(1, handles, 0, ms, 0).ret == c.WSA_WAIT_EVENT_0

    def take(self, s):
        data = bytearray(44)
        assert self.ws.WSAEnumNetworkEvents(s, self.event, data).ret == 0
        bits, *codes = struct.unpack("<i10i", data)
        return {1 << i: codes[i] for i in range(10) if bits >> i & 1}

    def until(self, s, *events):
        seen = {}
        while not set(events) <= set(seen):
            assert self.signalled(LONG)
            seen |= self.take(s)
        return seen


@pytest.fixture
def watch(ws):
    made = Watch(ws)
    yield made
    ws.WSACloseEvent(made.event)


def test_refusals(ws, kit, watch):
    s, event = kit.tcp(), watch.event
    for handle, mask in (None, 1), (NO_SOCKET, 1), (s, 1), (NO_SOCKET, 0):
        r = ws.WSAEventSelect(s, handle, mask)
        assert (r.ret, r.error) == (-1, WSA.WSAEINVAL)
    for handle in event, None:
        r = ws.WSAEventSelect(NO_SOCKET, handle, 1)
        assert (r.ret, r.error) == (-1, WSA.WSAENOTSOCK)
    assert ws.WSAEventSelect(s, None, 0).ret == 0
    assert ws.WSAEventSelect(s, event, 0x7FFFFFFF).ret == 0
    r = ws.WSAEnumNetworkEvents(NO_SOCKET, event, bytearray(44))
    assert (r.ret, r.error) == (-1, WSA.WSAENOTSOCK)


def test_blocking_again(ws, kit, watch):
    s, blocking = kit.tcp(), ctypes.c_uint32(0)
    watch.select(s, c.FD_READ)
    r = ws.ioctlsocket(s, c.FIONBIO, blocking)
    assert (r.ret, r.error) == (-1, WSA.WSAEINVAL)
    watch.select(s, 0)
    assert ws.ioctlsocket(s, c.FIONBIO, blocking).ret == 0


def test_write_comes_once(ws, kit, watch):
    _, server = kit.pair()
    watch.select(server, ALL)
    assert watch.until(server, c.FD_WRITE) == WRITE
    for mask in ALL, 0, ALL:
        watch.select(server, mask)
        assert watch.take(server) == {}
    assert ws.send(server, b"x", 1, 0).ret == 1
    assert watch.take(server) == {}


def test_reads_are_answered_by_receiving(ws, kit, watch):
    client, server = kit.pair()
    watch.select(server, c.FD_READ)
    assert watch.take(server) == {}
    assert ws.send(client, b"hello", 5, 0).ret == 5
    assert watch.until(server, c.FD_READ) == READ
    assert watch.take(server) == {}
    assert ws.recv(server, bytearray(3), 3, c.MSG_PEEK).ret == 3
    assert watch.until(server, c.FD_READ) == READ
    assert ws.recv(server, bytearray(3), 3, 0).ret == 3
    assert watch.until(server, c.FD_READ) == READ
    assert ws.recv(server, bytearray(3), 3, 0).ret == 2
    assert watch.take(server) == {}
    assert not watch.signalled()


def test_only_what_is_selected_is_taken(ws, kit, watch):
    client, server = kit.pair()
    watch.select(server, c.FD_READ)
    assert ws.send(client, b"hello", 5, 0).ret == 5
    assert watch.signalled(LONG)
    watch.select(server, c.FD_OOB)
    assert watch.take(server) == {}
    watch.select(server, ALL)
    assert watch.signalled()
    assert watch.take(server) == READ | WRITE


def test_connecting(ws, kit, watch):
    listener, s = kit.listener(), kit.tcp()
    watch.select(s, ALL)
    r = ws.connect(s, kit.name(listener), 16)
    assert (r.ret, r.error) == (-1, WSA.WSAEWOULDBLOCK)
    assert watch.until(s, c.FD_CONNECT, c.FD_WRITE) == {c.FD_CONNECT: 0, c.FD_WRITE: 0}
    assert watch.take(s) == {}


def test_a_refused_connect(ws, kit, watch):
    s = kit.tcp()
    watch.select(s, ALL)
    r = ws.connect(s, sin(port=kit.deaf_port()), 16)
    assert (r.ret, r.error) == (-1, WSA.WSAEWOULDBLOCK)
    assert watch.until(s, c.FD_CONNECT)[c.FD_CONNECT] == WSA.WSAECONNREFUSED
    watch.select(s, ALL)
    assert c.FD_CONNECT not in watch.take(s)


def test_accepting_inherits(ws, kit, watch):
    listener, client = kit.listener(), kit.tcp()
    watch.select(listener, ALL)
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    assert watch.until(listener, c.FD_ACCEPT) == ACCEPT
    server = kit.keep(ws.accept(listener, None, None))
    assert watch.until(server, c.FD_WRITE) == WRITE
    r = ws.ioctlsocket(server, c.FIONBIO, ctypes.c_uint32(0))
    assert (r.ret, r.error) == (-1, WSA.WSAEINVAL)
    assert watch.take(listener) == {}


def test_the_peer_ends(ws, kit, watch):
    client, server = kit.pair()
    watch.select(server, c.FD_READ | c.FD_CLOSE)
    assert ws.shutdown(client, c.SD_SEND).ret == 0
    assert watch.until(server, c.FD_CLOSE) == {c.FD_CLOSE: 0}
    assert ws.recv(server, bytearray(1), 1, 0).ret == 0
    assert watch.take(server) == {}


@pytest.mark.wine(differs="a second arrival is recorded only after a receive")
def test_each_arrival_is_recorded(ws, kit, watch):
    client, server = kit.pair()
    watch.select(server, c.FD_READ)
    for _ in range(3):
        assert ws.send(client, b"hello", 5, 0).ret == 5
        assert watch.signalled(1000)
        assert watch.take(server) == READ


@pytest.mark.wine(differs="a socket without a name is writable already")
def test_datagram_sockets_are_writable_once_they_have_a_name(ws, kit, watch):
    s = kit.udp()
    watch.select(s, ALL)
    assert watch.take(s) == {}
    kit.bound(s)
    assert watch.take(s) == WRITE
