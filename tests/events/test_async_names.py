"""WSAAsyncGetXByY: look-ups that end with a message."""

from __future__ import annotations

import ctypes
import threading

import pytest

import winsock.user32 as user
import winsock.ws2_32 as ws
from winsock import names
from winsock.abi import _constants as c
from winsock.codes import WSA

MESSAGE = c.WM_USER + 100
HTTP = int.from_bytes((80).to_bytes(2, "big"), "little")
LOOPBACK = b"\x7f\0\0\1"


def outcome(lab, handle):
    """The message of a task: (error, size)."""
    msg = bytearray(48)
    assert user.GetMessageW(msg, None, 0, 0) == 1
    assert int.from_bytes(msg[8:12], "little") == MESSAGE
    assert int.from_bytes(msg[16:24], "little") == handle
    lparam = int.from_bytes(msg[24:32], "little")
    return lparam >> 16, lparam & 0xFFFF


def text(address):
    return ctypes.string_at(ctypes.c_uint64.from_address(address).value).decode()


FOUND = {
    "WSAAsyncGetHostByName": (("127.0.0.1",), lambda: ws.gethostbyname("127.0.0.1")),
    "WSAAsyncGetHostByAddr": ((LOOPBACK, 4, c.AF_INET), lambda: ws.gethostbyaddr(LOOPBACK, 4, c.AF_INET)),
    "WSAAsyncGetServByName": (("http", "tcp"), lambda: ws.getservbyname("http", "tcp")),
    "WSAAsyncGetServByPort": ((HTTP, "tcp"), lambda: ws.getservbyport(HTTP, "tcp")),
    "WSAAsyncGetProtoByName": (("tcp",), lambda: ws.getprotobyname("tcp")),
    "WSAAsyncGetProtoByNumber": ((6,), lambda: ws.getprotobynumber(6)),
}
every = pytest.mark.parametrize("call", FOUND)


@every
def test_the_buffer_holds_what_the_blocking_call_finds(lab, call):
    args, blocking = FOUND[call]
    room = ctypes.create_string_buffer(c.MAXGETHOSTSTRUCT)
    handle = getattr(ws, call)(lab.window(), MESSAGE, *args, room, len(room))
    assert handle
    error, size = outcome(lab, handle)
    assert error == 0
    assert text(ctypes.addressof(room)) == text(blocking())
    assert room.raw[size:] == bytes(len(room) - size), "no byte more than it says"
    again = ctypes.create_string_buffer(size)
    handle = getattr(ws, call)(lab.window(), MESSAGE, *args, again, size)
    assert outcome(lab, handle) == (0, size)


@every
@pytest.mark.parametrize("room", [1, 0, -1])
def test_too_little_room_tells_how_much_it_takes(lab, call, room):
    args, _ = FOUND[call]
    buffer = bytearray(c.MAXGETHOSTSTRUCT)
    hwnd = lab.window()
    _, size = outcome(lab, getattr(ws, call)(hwnd, MESSAGE, *args, buffer, len(buffer)))
    handle = getattr(ws, call)(hwnd, MESSAGE, *args, bytearray(16), room)
    assert outcome(lab, handle) == (WSA.WSAENOBUFS, size)
    handle = getattr(ws, call)(hwnd, MESSAGE, *args, None, size)
    assert outcome(lab, handle)[0] == WSA.WSAEFAULT
    handle = getattr(ws, call)(hwnd, MESSAGE, *args, 8, size)
    assert outcome(lab, handle)[0] == WSA.WSAEFAULT


@pytest.mark.parametrize(
    ("call", "args", "code"),
    [
        ("WSAAsyncGetServByName", ("no such service", None), WSA.WSANO_DATA),
        ("WSAAsyncGetServByName", (None, None), WSA.WSAEFAULT),
        ("WSAAsyncGetServByPort", (0, None), WSA.WSANO_DATA),
        ("WSAAsyncGetServByPort", (HTTP, 8), WSA.WSAEFAULT),
        ("WSAAsyncGetProtoByName", ("no such protocol",), WSA.WSANO_DATA),
        ("WSAAsyncGetProtoByName", (8,), WSA.WSAEFAULT),
        ("WSAAsyncGetProtoByNumber", (999,), WSA.WSANO_DATA),
        ("WSAAsyncGetHostByName", ("no.such.invalid",), WSA.WSAHOST_NOT_FOUND),
        ("WSAAsyncGetHostByName", (8,), WSA.WSAEFAULT),
        ("WSAAsyncGetHostByAddr", (LOOPBACK, 3, c.AF_INET), WSA.WSAEFAULT),
        ("WSAAsyncGetHostByAddr", (LOOPBACK, 4, 99), WSA.WSAEAFNOSUPPORT),
    ],
)
def test_the_message_tells_what_was_wrong(lab, monkeypatch, call, args, code):
    def nowhere(name):
        raise names._hosts.WinsockError(WSA.WSAHOST_NOT_FOUND)

    if args[0] == "no.such.invalid":
        monkeypatch.setattr(names, "host_by_name", nowhere)  # no question to the machine's name server
    handle = getattr(ws, call)(lab.window(), MESSAGE, *args, bytearray(64), 64)
    assert handle
    assert outcome(lab, handle)[0] == code


def test_tasks_are_done_in_their_order(lab):
    hwnd = lab.window()
    room = bytearray(c.MAXGETHOSTSTRUCT)
    handles = [ws.WSAAsyncGetProtoByNumber(hwnd, MESSAGE, 6, room, len(room)) for _ in range(50)]
    assert len(set(handles)) == 50
    for handle in handles:
        assert outcome(lab, handle)[0] == 0


def test_nobody_to_tell(lab):
    room = bytearray(c.MAXGETHOSTSTRUCT)
    assert ws.WSAAsyncGetServByPort(None, 0, 0, None, None, 0)
    assert ws.WSAAsyncGetProtoByNumber(0x7777, MESSAGE, 6, room, len(room))
    handle = ws.WSAAsyncGetProtoByNumber(lab.window(), MESSAGE, 6, room, len(room))
    assert outcome(lab, handle)[0] == 0


def test_cancelling(lab, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def slow(number):
        begun.set()
        assert go.wait(20)
        return names._services.protocol_by_number(number)

    monkeypatch.setattr(names, "protocol_by_number", slow)
    hwnd, room = lab.window(), bytearray(c.MAXGETHOSTSTRUCT)
    handles = [ws.WSAAsyncGetProtoByNumber(hwnd, MESSAGE, 6, room, len(room)) for _ in range(3)]
    assert begun.wait(20)
    for handle in handles[:2]:  # one under way, one that waits
        lab.ok(ws.WSACancelAsyncRequest(handle))
        lab.fails(ws.WSACancelAsyncRequest(handle), WSA.WSAEALREADY)
    go.set()
    assert outcome(lab, handles[2])[0] == 0
    assert lab.messages() == []
    lab.fails(ws.WSACancelAsyncRequest(handles[2]), WSA.WSAEALREADY)
    for stranger in (0, None, handles[2] + 1):
        lab.fails(ws.WSACancelAsyncRequest(stranger), WSA.WSAEINVAL)


def test_winsock_has_to_be_started(lab):
    lab.ok(ws.WSACleanup())
    lab.fails(ws.WSAAsyncGetServByName(None, 0, "http", None, None, 0), WSA.WSANOTINITIALISED, 0)
    lab.fails(ws.WSACancelAsyncRequest(1), WSA.WSANOTINITIALISED)
