"""WSAEventSelect, WSAEnumNetworkEvents and WSAAsyncSelect: arguments, blocking mode, one selection after another."""

from __future__ import annotations

import ctypes
import struct

import pytest

import winsock.kernel32 as k32
import winsock.user32 as user
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

WM_SOCKET = c.WM_USER + 1

ALL = 0x3F
STRANGER = 0x7FFFFC


def test_refused_arguments(lab, events):
    s, event = lab.socket(), events.event
    lab.fails(ws.WSAEventSelect(STRANGER, event, c.FD_READ), WSA.WSAENOTSOCK)
    lab.fails(ws.WSAEventSelect(event, event, c.FD_READ), WSA.WSAENOTSOCK)
    for handle in (None, 0, STRANGER, s):
        lab.fails(ws.WSAEventSelect(s, handle, c.FD_READ), WSA.WSAEINVAL)
    lab.fails(ws.WSAEventSelect(s, STRANGER, 0), WSA.WSAEINVAL)
    lab.ok(ws.WSAEventSelect(s, None, 0))
    lab.fails(ws.WSAEnumNetworkEvents(STRANGER, event, bytearray(44)), WSA.WSAENOTSOCK)
    lab.fails(ws.WSAEnumNetworkEvents(s, STRANGER, bytearray(44)), WSA.WSAEINVAL)
    lab.fails(ws.WSAEnumNetworkEvents(s, event, None), WSA.WSAEFAULT)
    lab.fails(ws.WSAEnumNetworkEvents(s, event, bytearray(43)), WSA.WSAEFAULT)
    lab.fails(ws.WSAEnumNetworkEvents(s, event, 8), WSA.WSAEFAULT)
    hwnd = lab.window()
    lab.fails(ws.WSAAsyncSelect(STRANGER, hwnd, WM_SOCKET, c.FD_READ), WSA.WSAENOTSOCK)
    for window in (None, 0, 1, hwnd + 1):
        lab.fails(ws.WSAAsyncSelect(s, window, WM_SOCKET, c.FD_READ), WSA.WSAEINVAL)
    lab.ok(ws.WSAAsyncSelect(s, None, 0, 0))


def test_a_refused_selection_changes_nothing(lab, events):
    client, server = lab.pair()
    events.select(server, c.FD_READ)
    lab.fails(ws.WSAEventSelect(server, STRANGER, ALL), WSA.WSAEINVAL)
    lab.fails(ws.WSAAsyncSelect(server, STRANGER, WM_SOCKET, ALL), WSA.WSAEINVAL)
    lab.send(client, b"x")
    assert events.until(server, c.FD_READ) == [(c.FD_READ, 0)]


def test_a_refused_fetch_takes_nothing(lab, events):
    client, server = lab.pair()
    events.select(server, c.FD_READ)
    lab.send(client, b"x")
    events.wait()
    lab.fails(ws.WSAEnumNetworkEvents(server, events.event, bytearray(8)), WSA.WSAEFAULT)
    assert events.signalled()
    assert events.take(server) == [(c.FD_READ, 0)]


def test_the_socket_does_not_block_any_more(lab, watch):
    s = lab.bound(c.SOCK_DGRAM)
    watch.select(s, c.FD_READ)
    lab.fails(ws.recv(s, bytearray(4), 4, 0), WSA.WSAEWOULDBLOCK)
    count, blocking = ctypes.c_uint32(0xAB), ctypes.c_uint32(0)
    lab.fails(ws.ioctlsocket(s, c.FIONBIO, blocking), WSA.WSAEINVAL)
    lab.fails(ws.WSAIoctl(s, c.FIONBIO, blocking, 4, None, 0, count, None, None), WSA.WSAEINVAL)
    assert count.value == 0
    lab.ok(ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint32(1)))
    watch.select(s, 0)
    lab.fails(ws.recv(s, bytearray(4), 4, 0), WSA.WSAEWOULDBLOCK)
    lab.ok(ws.ioctlsocket(s, c.FIONBIO, blocking))


def test_selecting_nothing_on_a_fresh_socket_makes_it_not_block(lab):
    s = lab.bound(c.SOCK_DGRAM)
    lab.ok(ws.WSAEventSelect(s, None, 0))
    lab.fails(ws.recv(s, bytearray(4), 4, 0), WSA.WSAEWOULDBLOCK)


def test_error_codes_of_other_events_are_left_alone(lab, events):
    _, server = lab.pair()
    events.select(server, ALL)
    data = bytearray(b"\xab" * 44)
    lab.ok(ws.WSAEnumNetworkEvents(server, None, data))
    assert struct.unpack("<i10I", data) == (c.FD_WRITE, 0xABABABAB, 0, *[0xABABABAB] * 8)
    assert events.signalled(), "no event object was given: none was reset"


def test_fetching_without_a_selection_resets_the_event(lab, events):
    s = lab.socket()
    ws.WSASetEvent(events.event)
    assert events.take(s) == []
    assert not events.signalled()


def test_events_end_where_messages_begin(lab, events, posts):
    client, server = lab.pair()
    events.select(server, c.FD_READ)
    posts.select(server, c.FD_READ)
    lab.send(client, b"x")
    assert posts.until(server, c.FD_READ) == [(c.FD_READ, 0)]
    assert events.take(server) == []
    assert not events.signalled()


def test_messages_end_where_events_begin(lab, events, posts):
    client, server = lab.pair()
    posts.select(server, c.FD_READ)
    events.select(server, c.FD_READ)
    lab.send(client, b"x")
    assert events.until(server, c.FD_READ) == [(c.FD_READ, 0)]
    posts.none(server)


def test_a_second_window_takes_over(lab):
    client, server = lab.pair()
    first, second = lab.window(), lab.window()
    lab.ok(ws.WSAAsyncSelect(server, first, WM_SOCKET, c.FD_READ))
    lab.ok(ws.WSAAsyncSelect(server, second, WM_SOCKET + 1, c.FD_READ))
    lab.send(client, b"x")
    lab.ready(server)
    assert lab.messages() == [(second, WM_SOCKET + 1, server, c.FD_READ)]


def test_messages_that_wait_outlive_the_selection(lab, posts):
    _, server = lab.pair()
    posts.select(server, c.FD_WRITE)
    posts.select(server, 0)
    assert posts.take(server) == [(c.FD_WRITE, 0)]


def test_a_window_that_is_gone_gets_nothing(lab, posts):
    client, server = lab.pair()
    posts.select(server, c.FD_READ | c.FD_WRITE)
    assert user.DestroyWindow(posts.hwnd)
    lab.send(client, b"x")
    lab.ready(server)
    assert lab.messages() == []
    assert lab.recv(server, 4) == b"x"


def test_an_event_that_is_closed_is_still_the_selections(lab, events):
    """As an object of the kernel's lives as long as somebody holds it."""
    client, server = lab.pair()
    events.select(server, c.FD_READ)
    assert ws.WSACloseEvent(events.event)
    lab.send(client, b"x")
    lab.ready(server)
    data = bytearray(44)
    lab.ok(ws.WSAEnumNetworkEvents(server, None, data))
    assert data[0] == c.FD_READ


def test_one_event_for_many_sockets(lab, events):
    pairs = [lab.pair() for _ in range(4)]
    for _, server in pairs:
        events.select(server, c.FD_READ)
    for client, _ in pairs:
        lab.send(client, b"x")
    left = {server for _, server in pairs}
    while left:
        events.wait()
        ws.WSAResetEvent(events.event)
        for server in list(left):
            data = bytearray(44)
            lab.ok(ws.WSAEnumNetworkEvents(server, None, data))
            if data[0] == c.FD_READ:
                left.remove(server)


def test_auto_reset_events_will_do(lab, events):
    client, server = lab.pair()
    events.event = k32.CreateEventW(None, 0, 0, None)
    events.select(server, c.FD_READ)
    lab.send(client, b"x")
    assert events.signalled(9000)
    assert not events.signalled()
    assert events.take(server) == [(c.FD_READ, 0)]


def test_closesocket_announces_nothing(lab, watch):
    _, server = lab.pair()
    watch.select(server, ALL)
    watch.until(server, c.FD_WRITE)
    lab.ok(ws.closesocket(server))
    if watch.messages:
        watch.none(server)
    else:
        assert not watch.signalled()


def test_closing_the_handle_posts_close(lab, posts):
    _, server = lab.pair()
    posts.select(server, ALL)
    posts.until(server, c.FD_WRITE)
    assert k32.CloseHandle(server)
    assert posts.take(server) == [(c.FD_CLOSE, 0)]


@pytest.mark.parametrize("mask", [c.FD_READ, 0], ids=["selected", "deselected"])
def test_sockets_with_a_selection_give_up_short_cuts_and_others_do_not(lab, events, mask):
    client, server = lab.pair()
    events.select(server, c.FD_READ)
    events.select(server, mask)
    here, there = lab.process.sockets[server], lab.process.sockets[client]
    assert not here.fast_recv
    assert not here.fast_send
    assert there.fast_recv
    assert there.fast_send
