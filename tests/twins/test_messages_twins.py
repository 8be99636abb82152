"""Windows, the messages of threads, and network events by message."""

from __future__ import annotations

import ctypes
import struct

import pytest
from arms import NO_SOCKET, sin

from winsock.abi import _constants as c
from winsock.codes import WSA

FIRST = c.WM_USER
WM_SOCKET, WM_NAMES = c.WM_USER + 1, c.WM_USER + 2
LONG = 60_000
ALL = 0x3F
MASK = (1 << 64) - 1


class Box:
    """A window and what comes to it."""

    def __init__(self, user):
        self.user = user
        self.hwnd = user.CreateWindowExW(0, "STATIC", None, 0, 0, 0, 0, 0, -3 & MASK, None, None, None)
        assert self.hwnd.ret

    def take(self, low=FIRST, high=0x7FFF):
        """Messages from WM_USER up: (number, wParam, lParam)."""
        found, msg = [], bytearray(48)
        while self.user.PeekMessageW(msg, None, low, high, c.PM_REMOVE).ret:
            found.append((int.from_bytes(msg[8:12], "little"), *struct.unpack_from("<QQ", msg, 16)))
        return found

    def until(self, count):
        """So many at least."""
        found = self.take()
        while len(found) < count:
            # QS_POSTMESSAGE alone
            r = self.user.MsgWaitForMultipleObjectsEx(0, None, LONG, c.QS_POSTMESSAGE, c.MWMO_INPUTAVAILABLE)
            assert r.ret == c.WAIT_OBJECT_0
            found += self.take()
        return found

    def events(self, s, count=1):
        """Network events of one socket: (event, error)."""
        found = []
        for number, wparam, lparam in self.until(count):
            assert (number, wparam) == (WM_SOCKET, int(s))
            found.append((lparam & 0xFFFF, lparam >> 16))
        return found


@pytest.fixture
def box(user):
    made = Box(user)
    made.take()
    yield made
    user.DestroyWindow(made.hwnd)


# -- queues


def test_order_and_values(user, box):
    for i in range(4):
        assert user.PostMessageW(box.hwnd, FIRST + i, i, (1 << 33) + i).ret
    assert box.take() == [(FIRST + i, i, (1 << 33) + i) for i in range(4)]


def test_filters(user, box):
    for number in (FIRST, FIRST + 1, FIRST + 2):
        user.PostMessageW(box.hwnd, number, 0, 0)
    assert [number for number, *_ in box.take(FIRST + 1, FIRST + 1)] == [FIRST + 1]
    assert [number for number, *_ in box.take()] == [FIRST, FIRST + 2]


def test_the_threads_own_messages(user, box):
    assert user.PostMessageW(None, FIRST, 1, 2).ret
    assert user.PostMessageW(box.hwnd, FIRST + 1, 3, 4).ret
    msg = bytearray(48)
    assert user.PeekMessageW(msg, -1 & MASK, FIRST, 0x7FFF, c.PM_REMOVE).ret
    assert struct.unpack_from("<QI", msg) == (0, FIRST)
    assert not user.PeekMessageW(msg, -1 & MASK, FIRST, 0x7FFF, c.PM_REMOVE).ret
    assert box.take() == [(FIRST + 1, 3, 4)]


def test_refusals(user, box):
    stranger = 0x7FFE
    r = user.PostMessageW(stranger, FIRST, 0, 0)
    assert (r.ret, r.error) == (0, c.ERROR_INVALID_WINDOW_HANDLE)
    r = user.GetMessageW(bytearray(48), stranger, 0, 0)
    assert (r.ret, r.error) == (-1, c.ERROR_INVALID_WINDOW_HANDLE)
    r = user.CreateWindowExW(0, "No Such Class", None, 0, 0, 0, 0, 0, -3 & MASK, None, None, None)
    assert r.ret == 0  # the code: see tests/events; Wine has another
    assert not user.IsWindow(stranger).ret
    assert user.IsWindow(box.hwnd).ret


def test_quitting_comes_last(user, box):
    user.PostQuitMessage(7)
    user.PostMessageW(box.hwnd, FIRST, 0, 0)
    msg = bytearray(48)
    assert user.GetMessageW(msg, None, 0, 0).ret == 1
    assert user.GetMessageW(msg, None, 0, 0).ret == 0
    assert struct.unpack_from("<I4xQ", msg, 8) == (c.WM_QUIT, 7)


def test_messages_die_with_their_window(user, box):
    hwnd = Box(user).hwnd
    user.PostMessageW(hwnd, FIRST, 0, 0)
    assert user.DestroyWindow(hwnd).ret
    assert box.take() == []


def test_what_was_looked_at_ends_no_wait(user, box):
    def wait(flags=0):
        return user.MsgWaitForMultipleObjectsEx(0, None, 0, c.QS_POSTMESSAGE, flags).ret

    assert wait() == c.WAIT_TIMEOUT
    user.PostMessageW(box.hwnd, FIRST, 0, 0)
    assert wait() == c.WAIT_OBJECT_0
    user.PeekMessageW(bytearray(48), None, 0, 0, c.PM_NOREMOVE)
    assert wait() == c.WAIT_TIMEOUT
    assert wait(c.MWMO_INPUTAVAILABLE) == c.WAIT_OBJECT_0
    box.take()


def test_a_window_keeps_a_number(user, box):
    assert user.SetWindowLongPtrW(box.hwnd, -21, 77).ret == 0
    assert user.SetWindowLongPtrW(box.hwnd, -21, 78).ret == 77
    assert user.GetWindowLongPtrW(box.hwnd, -21).ret == 78


# -- network events


def test_refused_selections(ws, kit, box):
    r = ws.WSAAsyncSelect(NO_SOCKET, box.hwnd, WM_SOCKET, c.FD_READ)
    assert (r.ret, r.error) == (-1, WSA.WSAENOTSOCK)
    s = kit.tcp()
    assert ws.WSAAsyncSelect(s, None, 0, 0).ret == 0
    assert ws.WSAAsyncSelect(s, box.hwnd, WM_SOCKET, c.FD_READ).ret == 0
    r = ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint32(0))
    assert (r.ret, r.error) == (-1, WSA.WSAEINVAL)
    assert ws.WSAAsyncSelect(s, box.hwnd, 0, 0).ret == 0
    assert ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint32(0)).ret == 0


def test_data(ws, kit, box):
    client, server = kit.pair()
    assert ws.WSAAsyncSelect(server, box.hwnd, WM_SOCKET, ALL).ret == 0
    assert box.events(server) == [(c.FD_WRITE, 0)]
    assert ws.send(client, b"hello", 5, 0).ret == 5
    assert box.events(server) == [(c.FD_READ, 0)]
    assert ws.recv(server, bytearray(3), 3, 0).ret == 3
    assert box.events(server) == [(c.FD_READ, 0)]
    assert ws.WSAAsyncSelect(server, box.hwnd, WM_SOCKET, ALL).ret == 0
    assert box.events(server, 2) == [(c.FD_READ, 0), (c.FD_WRITE, 0)]
    assert ws.recv(server, bytearray(3), 3, 0).ret == 2
    assert box.take() == []


def test_connecting_and_accepting(ws, kit, box):
    listener, s = kit.listener(), kit.tcp()
    assert ws.WSAAsyncSelect(s, box.hwnd, WM_SOCKET, ALL).ret == 0
    r = ws.connect(s, kit.name(listener), 16)
    assert (r.ret, r.error) == (-1, WSA.WSAEWOULDBLOCK)
    assert box.events(s, 2) == [(c.FD_CONNECT, 0), (c.FD_WRITE, 0)]
    assert ws.WSAAsyncSelect(listener, box.hwnd, WM_SOCKET, ALL).ret == 0
    assert box.events(listener) == [(c.FD_ACCEPT, 0)]
    server = kit.keep(ws.accept(listener, None, None))
    assert box.events(server) == [(c.FD_WRITE, 0)]


def test_a_refused_connect(ws, kit, box):
    s = kit.tcp()
    assert ws.WSAAsyncSelect(s, box.hwnd, WM_SOCKET, ALL).ret == 0
    r = ws.connect(s, sin(port=kit.deaf_port()), 16)
    assert (r.ret, r.error) == (-1, WSA.WSAEWOULDBLOCK)
    assert box.events(s) == [(c.FD_CONNECT, WSA.WSAECONNREFUSED)]
    assert ws.WSAAsyncSelect(s, box.hwnd, WM_SOCKET, ALL).ret == 0
    assert box.take() == []


def test_the_peer_ends(ws, kit, box):
    client, server = kit.pair()
    assert ws.WSAAsyncSelect(server, box.hwnd, WM_SOCKET, c.FD_CLOSE).ret == 0
    assert ws.shutdown(client, c.SD_SEND).ret == 0
    for _ in range(2):
        assert box.events(server) == [(c.FD_CLOSE, 0)]
        assert ws.WSAAsyncSelect(server, box.hwnd, WM_SOCKET, c.FD_CLOSE).ret == 0


# -- look-ups


def test_look_ups(ws, arm, box):
    room = arm.alloc(1024)
    for call, args in (
        ("WSAAsyncGetProtoByName", ("tcp",)),
        ("WSAAsyncGetProtoByNumber", (6,)),
        ("WSAAsyncGetHostByAddr", (b"\x7f\0\0\1", 4, c.AF_INET)),
    ):
        handle = getattr(ws, call)(box.hwnd, WM_NAMES, *args, room.addr, 1024)
        assert handle.ret
        ((number, wparam, lparam),) = box.until(1)
        assert (number, wparam, lparam >> 16) == (WM_NAMES, handle.ret, 0)
        size = lparam & 0xFFFF
        assert 0 < size < 1024
        handle = getattr(ws, call)(box.hwnd, WM_NAMES, *args, room.addr, size - 1)
        assert box.until(1) == [(WM_NAMES, handle.ret, WSA.WSAENOBUFS << 16 | size)]


def test_failing_look_ups(ws, arm, box):
    room = arm.alloc(1024)
    for call, args in (
        ("WSAAsyncGetServByPort", (0, None)),
        ("WSAAsyncGetServByName", ("no such service", None)),
        ("WSAAsyncGetProtoByName", ("no such protocol",)),
        ("WSAAsyncGetProtoByNumber", (999,)),
    ):
        handle = getattr(ws, call)(box.hwnd, WM_NAMES, *args, room.addr, 1024)
        assert box.until(1) == [(WM_NAMES, handle.ret, WSA.WSANO_DATA << 16)]
