"""What happens on a network and which events tell of it, by event object and by message."""

from __future__ import annotations

import ctypes
import os
import socket as linux
import struct

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

ALL = 0x3F
READ, WRITE, ACCEPT = (c.FD_READ, 0), (c.FD_WRITE, 0), (c.FD_ACCEPT, 0)
CONNECT, CLOSE, OOB, ABORT = (c.FD_CONNECT, 0), (c.FD_CLOSE, 0), (c.FD_OOB, 0), (c.FD_CLOSE, WSA.WSAECONNABORTED)


def selected(lab, watch, mask=ALL & ~c.FD_WRITE):
    """A pair; what the accepted side has to tell at first is taken."""
    client, server = lab.pair()
    watch.select(server, mask)
    watch.take(server)
    return client, server


# -- connecting


def test_connecting(lab, watch):
    listener, s = lab.listener(), lab.socket()
    watch.select(s, ALL)
    lab.fails(ws.connect(s, lab.name(listener), 16), WSA.WSAEWOULDBLOCK)
    assert watch.until(s, c.FD_CONNECT, c.FD_WRITE) == [CONNECT, WRITE]
    watch.none(s)
    lab.fails(ws.connect(s, lab.name(listener), 16), WSA.WSAEISCONN)
    watch.none(s)


def test_a_refused_connect_and_another_that_succeeds(lab, watch):
    listener, s = lab.listener(), lab.socket()
    watch.select(s, ALL)
    lab.fails(ws.connect(s, lab.refused(), 16), WSA.WSAEWOULDBLOCK)
    assert watch.until(s, c.FD_CONNECT) == [(c.FD_CONNECT, WSA.WSAECONNREFUSED)]
    watch.select(s, ALL)
    watch.none(s)
    lab.fails(ws.connect(s, lab.name(listener), 16), WSA.WSAEWOULDBLOCK)
    assert watch.until(s, c.FD_CONNECT, c.FD_WRITE) == [CONNECT, WRITE]


def test_the_past_connect_is_recorded_but_not_posted(lab, watch):
    client, server = lab.pair()
    watch.select(client, ALL)
    watch.select(server, ALL)
    if watch.messages:
        assert sorted(lab.messages()) == sorted((watch.hwnd, c.WM_USER + 1, s, c.FD_WRITE) for s in (client, server))
    else:
        assert watch.take(client) == [CONNECT, WRITE]
        assert watch.take(server) == [WRITE]


def test_selecting_while_a_connect_is_under_way(lab, watch):
    listener, s = lab.listener(), lab.socket()
    lab.ok(ws.WSAEventSelect(s, None, 0))
    lab.fails(ws.connect(s, lab.name(listener), 16), WSA.WSAEWOULDBLOCK)
    watch.select(s, ALL)
    # Done by then or not: it is not posted if it was.
    assert watch.until(s, c.FD_WRITE)[-1] == WRITE
    watch.none(s)


# -- accepting


def test_each_waiting_client(lab, watch):
    listener = lab.listener()
    watch.select(listener, c.FD_ACCEPT)
    watch.none(listener)
    clients = [lab.client(listener)]
    assert watch.until(listener, c.FD_ACCEPT) == [ACCEPT]
    watch.none(listener)
    clients.append(lab.client(listener))
    lab.ready(listener)
    if watch.messages:
        watch.none(listener)
    else:
        assert watch.until(listener, c.FD_ACCEPT) == [ACCEPT]
    lab.accept(listener)
    assert watch.take(listener) == [ACCEPT], "another one waits"
    lab.accept(listener)
    watch.none(listener)
    lab.fails(ws.accept(listener, None, None), WSA.WSAEWOULDBLOCK, (1 << 64) - 1)
    clients.append(lab.client(listener))
    assert watch.until(listener, c.FD_ACCEPT) == [ACCEPT]


def test_accepted_sockets_have_the_selection(lab, watch):
    listener = lab.listener()
    watch.select(listener, ALL)
    client = lab.client(listener)
    lab.send(client, b"x")
    assert watch.until(listener, c.FD_ACCEPT) == [ACCEPT]
    server = lab.accept(listener)
    assert set(watch.until(server, c.FD_READ, c.FD_WRITE)) == {READ, WRITE}
    lab.fails(ws.ioctlsocket(server, c.FIONBIO, bytes(4)), WSA.WSAEINVAL)
    lab.ok(ws.closesocket(client))
    assert watch.until(server, c.FD_CLOSE) == [CLOSE]
    watch.none(listener)


def test_a_connection_that_is_put_off_is_not_told_of_again(lab, watch):
    listener = lab.listener()
    watch.select(listener, c.FD_ACCEPT)
    lab.client(listener)
    watch.until(listener, c.FD_ACCEPT)
    put_off = ws.WSAAccept(listener, None, None, lambda *args: c.CF_DEFER, 0)
    lab.fails(put_off, WSA.WSATRY_AGAIN, (1 << 64) - 1)
    watch.none(listener)
    lab.accept(listener)


# -- data


def test_data(lab, watch):
    client, server = selected(lab, watch)
    lab.send(client, b"hello")
    assert watch.until(server, c.FD_READ) == [READ]
    watch.none(server)
    assert lab.recv(server, 3) == b"hel"
    assert watch.take(server) == [READ], "there is more"
    assert lab.recv(server, 3) == b"lo"
    watch.none(server)
    lab.fails(ws.recv(server, bytearray(3), 3, 0), WSA.WSAEWOULDBLOCK)
    lab.send(client, b"again")
    assert watch.until(server, c.FD_READ) == [READ]


def test_more_data_before_the_receive(lab, watch):
    client, server = selected(lab, watch)
    lab.send(client, b"hello")
    watch.until(server, c.FD_READ)
    lab.send(client, b"world")
    lab.holds(server, 10)
    if watch.messages:
        watch.none(server)
    else:
        assert watch.take(server) == [READ]
        watch.none(server)


def test_peeking_answers_as_receiving_does(lab, watch):
    client, server = selected(lab, watch)
    lab.send(client, b"hello")
    watch.until(server, c.FD_READ)
    assert lab.recv(server, 3, c.MSG_PEEK) == b"hel"
    assert watch.take(server) == [READ]


def test_a_receive_without_a_buffer_answers_messages_only(lab, watch):
    client, server = selected(lab, watch)
    lab.send(client, b"hello")
    watch.until(server, c.FD_READ)
    lab.fails(ws.recv(server, None, 3, 0), WSA.WSAEFAULT)
    assert watch.take(server) == ([READ] if watch.messages else [])


@pytest.mark.parametrize("call", ["recv", "recvfrom", "WSARecv", "WSARecvFrom"])
def test_every_receive_answers(lab, watch, call):
    client, server = selected(lab, watch)
    lab.send(client, b"hello")
    watch.until(server, c.FD_READ)
    room = ctypes.create_string_buffer(2)
    array, n, flags = struct.pack("<I4xQ", 2, ctypes.addressof(room)), ctypes.c_uint32(), ctypes.c_uint32()
    arguments = {
        "recv": (room, 2, 0),
        "recvfrom": (room, 2, 0, None, None),
        "WSARecv": (array, 1, n, flags, None, None),
        "WSARecvFrom": (array, 1, n, flags, None, None, None, None),
    }[call]
    assert getattr(ws, call)(server, *arguments) in (0, 2)
    assert watch.take(server) == [READ]


def test_urgent_data(lab, watch):
    client, server = selected(lab, watch)
    lab.send(client, b"u", c.MSG_OOB)
    assert watch.until(server, c.FD_OOB) == [OOB]
    watch.none(server)
    lab.send(client, b"v", c.MSG_OOB)
    assert watch.take(server) == ([] if watch.messages else [OOB])
    assert lab.recv(server, 1, c.MSG_OOB) == b"u"
    assert watch.take(server) == [OOB], "another one waits"
    assert lab.recv(server, 1, c.MSG_OOB) == b"v"
    watch.none(server)


def test_a_send_that_would_block(lab, watch):
    client, server = selected(lab, watch, ALL)
    watch.none(server)
    chunk, total = bytes(1 << 18), 0
    while (n := ws.send(server, chunk, len(chunk), 0)) > 0:
        total += n
    lab.fails(n, WSA.WSAEWOULDBLOCK)
    room = bytearray(1 << 18)
    seen = []
    while total:
        n = ws.recv(client, room, len(room), 0)
        assert n > 0
        total -= n
    seen = watch.until(server, c.FD_WRITE)
    assert seen == [WRITE]
    lab.send(server, b"x")
    watch.none(server)


def test_what_was_received_before_it_was_selected_is_not_told(lab, watch):
    client, server = selected(lab, watch, c.FD_OOB)
    lab.send(client, b"hello")
    lab.holds(server, 5)
    assert lab.recv(server, 5) == b"hello"
    watch.select(server, c.FD_READ)
    watch.none(server)


def test_what_came_before_it_was_selected_is_told(lab, watch):
    client, server = selected(lab, watch, c.FD_OOB)
    watch.select(server, 0)
    lab.send(client, b"hello")
    lab.ok(ws.shutdown(client, c.SD_SEND))
    lab.holds(server, 5)
    watch.none(server)
    watch.select(server, c.FD_READ | c.FD_CLOSE)
    assert watch.until(server, c.FD_READ, c.FD_CLOSE) == [READ, CLOSE]


# -- the end


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_the_peer_ends(lab, watch, how):
    client, server = selected(lab, watch)
    lab.send(client, b"hello")
    lab.ok(ws.closesocket(client) if how == "close" else ws.shutdown(client, c.SD_SEND))
    assert watch.until(server, c.FD_READ, c.FD_CLOSE) == [READ, CLOSE], "data first"
    assert lab.recv(server, 3) == b"hel"
    assert watch.take(server) == [READ]
    assert lab.recv(server, 3) == b"lo"
    watch.none(server)
    assert lab.recv(server, 3) == b""
    watch.none(server)


def test_the_peer_resets(lab, watch):
    client, server = selected(lab, watch)
    lab.reset(client)
    assert watch.until(server, c.FD_CLOSE) == [ABORT]
    watch.none(server)
    watch.select(server, c.FD_CLOSE)
    assert watch.take(server) == ([ABORT] if watch.messages else [])
    lab.fails(ws.recv(server, bytearray(1), 1, 0), WSA.WSAECONNRESET)
    watch.none(server)


def test_ones_own_shutdown_is_no_news_and_the_peers_is(lab, watch):
    client, server = selected(lab, watch)
    lab.ok(ws.shutdown(server, c.SD_BOTH))
    watch.none(server)
    assert lab.recv(client, 1) == b""
    lab.ok(ws.shutdown(client, c.SD_SEND))
    assert watch.until(server, c.FD_CLOSE) == [CLOSE]


# -- datagrams


def test_datagrams(lab, watch):
    s, peer = lab.udp(), lab.bound(c.SOCK_DGRAM)
    watch.select(s, ALL)
    assert watch.take(s) == ([WRITE] if watch.messages else [])
    lab.ok(ws.bind(s, lab.sin(), 16))
    assert watch.take(s) == ([] if watch.messages else [WRITE]), "recorded with the name"
    for data in (b"a", b"b"):
        assert ws.sendto(peer, data, 1, 0, lab.name(s), 16) == 1
    assert watch.until(s, c.FD_READ) == [READ]
    assert lab.recv(s, 1) == b"a"
    assert watch.until(s, c.FD_READ) == [READ]
    assert lab.recv(s, 1) == b"b"
    watch.none(s)


def test_each_datagram_is_recorded(lab, events):
    s, peer = lab.bound(c.SOCK_DGRAM), lab.bound(c.SOCK_DGRAM)
    events.select(s, c.FD_READ)
    for _ in range(3):
        assert ws.sendto(peer, b"x", 1, 0, lab.name(s), 16) == 1
        assert events.until(s, c.FD_READ) == [READ]
        events.none(s)


@pytest.mark.parametrize("call", ["sendto", "connect"])
def test_a_name_that_a_datagram_socket_gets_by_the_way(lab, events, call):
    s, peer = lab.udp(), lab.bound(c.SOCK_DGRAM)
    events.select(s, ALL)
    events.none(s)
    if call == "sendto":
        assert ws.sendto(s, b"x", 1, 0, lab.name(peer), 16) == 1
        assert events.take(s) == [WRITE]
    else:
        lab.ok(ws.connect(s, lab.name(peer), 16))
        assert events.take(s) == [CONNECT, WRITE]
        lab.ok(ws.connect(s, lab.name(peer), 16))
        assert events.take(s) == [CONNECT, WRITE]


def test_connecting_datagrams_posts_write_only(lab, posts):
    s, peer = lab.udp(), lab.bound(c.SOCK_DGRAM)
    posts.select(s, ALL)
    assert posts.take(s) == [WRITE]
    lab.ok(ws.connect(s, lab.name(peer), 16))
    assert posts.take(s) == [WRITE]


# -- other families


def test_local_sockets(lab, watch, tmp_path):
    name = struct.pack("<H", c.AF_UNIX) + os.fsencode(tmp_path / "s").ljust(108, b"\0")
    listener, client = lab.socket(family=c.AF_UNIX), lab.socket(family=c.AF_UNIX)
    lab.ok(ws.bind(listener, name, len(name)))
    lab.ok(ws.listen(listener, 5))
    watch.select(listener, ALL)
    lab.ok(ws.connect(client, name, len(name)))
    assert watch.until(listener, c.FD_ACCEPT) == [ACCEPT]
    server = lab.accept(listener)
    assert watch.until(server, c.FD_WRITE) == [WRITE]
    lab.send(client, b"hello")
    assert watch.until(server, c.FD_READ) == [READ]
    assert lab.recv(server, 3) == b"hel"
    assert watch.take(server) == [READ]
    assert lab.recv(server, 3) == b"lo"
    lab.ok(ws.closesocket(client))
    assert watch.until(server, c.FD_CLOSE) == [CLOSE]
    watch.none(listener)


@pytest.mark.ipv6
def test_ipv6(lab, watch):
    name = struct.pack("<HHI16sI", c.AF_INET6, 0, 0, bytes(15) + b"\1", 0)
    listener, client = lab.socket(family=c.AF_INET6), lab.socket(family=c.AF_INET6)
    lab.ok(ws.bind(listener, name, 28))
    lab.ok(ws.listen(listener, 5))
    there = bytearray(28)
    lab.ok(ws.getsockname(listener, there, ctypes.c_int(28)))
    watch.select(client, ALL)
    lab.fails(ws.connect(client, there, 28), WSA.WSAEWOULDBLOCK)
    assert watch.until(client, c.FD_CONNECT, c.FD_WRITE) == [CONNECT, WRITE]
    server = lab.accept(listener)
    lab.send(server, b"u", c.MSG_OOB)
    assert watch.until(client, c.FD_OOB) == [OOB]


def test_urgent_data_of_another_program(lab, watch):
    """It comes over the network, not from this interpreter's own endpoints."""
    with linux.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        s = lab.socket()
        lab.ok(ws.connect(s, lab.sin(port=listener.getsockname()[1]), 16))
        peer, _ = listener.accept()
        with peer:
            watch.select(s, ALL & ~c.FD_WRITE)
            watch.take(s)
            peer.send(b"u", linux.MSG_OOB)
            assert watch.until(s, c.FD_OOB) == [OOB]
            assert lab.recv(s, 1, c.MSG_OOB) == b"u"
            watch.none(s)
            peer.send(b"hello")
            assert watch.until(s, c.FD_READ) == [READ]
