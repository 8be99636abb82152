"""A process, sockets, and the two ways of being told of network events.

Nothing here sleeps: a check waits for what makes its question decidable (Lab.ready, Lab.holds), then asks once.
"""

from __future__ import annotations

import gc
import socket as linux
import struct
from typing import Any

import pytest
from calls import Calls
from processes import sockets, started

import winsock.kernel32 as k32
import winsock.user32 as user
import winsock.ws2_32 as ws
from winsock.abi import _constants as c

FAILED, NO_SOCKET = -1, (1 << 64) - 1
LONG = 60_000  # ms: longer than anything takes here
WM_SOCKET = c.WM_USER + 1


class Lab(Calls):
    """A process, and short names for what C programs write."""

    # -- sockets

    @staticmethod
    def sin(host: str = "127.0.0.1", port: int = 0) -> bytes:
        return struct.pack("<H", c.AF_INET) + struct.pack(">H", port) + linux.inet_aton(host) + bytes(8)

    def socket(self, kind: int = c.SOCK_STREAM, family: int = c.AF_INET) -> int:
        s = ws.socket(family, kind, 0)
        assert s != NO_SOCKET, ws.WSAGetLastError()
        return s

    def bound(self, kind: int = c.SOCK_STREAM) -> int:
        s = self.socket(kind)
        self.ok(ws.bind(s, self.sin(), 16))
        return s

    def udp(self) -> int:
        return self.socket(c.SOCK_DGRAM)

    def listener(self, backlog: int = 5) -> int:
        s = self.bound()
        self.ok(ws.listen(s, backlog))
        return s

    def client(self, listener: int) -> int:
        s = self.socket()
        self.ok(ws.connect(s, self.name(listener), 16))
        return s

    def accept(self, listener: int) -> int:
        s = ws.accept(listener, None, None)
        assert s != NO_SOCKET, ws.WSAGetLastError()
        return s

    def pair(self) -> tuple[int, int]:
        """The connecting and the accepted side."""
        listener = self.listener()
        client = self.client(listener)
        server = self.accept(listener)
        self.ok(ws.closesocket(listener))
        return client, server

    def ready(self, s: int, which: str = "read") -> None:
        """Until select says so: it reports nothing to anybody else."""
        entry = bytearray(struct.pack("<Ixxxx64Q", 1, s, *[0] * 63))
        sets = [entry if which == name else None for name in ("read", "write", "except")]
        assert ws.select(0, *sets, struct.pack("<ii", 10, 0)) == 1

    def holds(self, s: int, n: int) -> None:
        """Until so many bytes wait."""
        ep = self.process.sockets[s]
        for _ in range(LONG):
            if ep.transport.pending() == n:
                return
            self.ready(s)
        raise AssertionError(f"{ep.transport.pending()} bytes wait")

    def refused(self) -> bytes:
        """An address that refuses connections: bound, and nobody listens."""
        return self.name(self.bound())

    def thread(self, function: Any, *args: Any) -> Any:
        """Run it in another thread of the process, to its end."""
        import threading

        result: list[Any] = []

        def run() -> None:
            with self.process.attached():
                result.append(function(*args))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(30)
        assert result, "it did not end"
        return result[0]

    # -- windows

    def window(self, name: Any = "STATIC") -> int:
        hwnd = user.CreateWindowExW(0, name, None, 0, 0, 0, 0, 0, c.HWND_MESSAGE, None, None, None)
        assert hwnd, ws.WSAGetLastError()
        return hwnd

    @staticmethod
    def messages(hwnd: Any = None) -> list[tuple[int, int, int, int]]:
        """All that wait: hwnd, number, wParam, lParam."""
        found, msg = [], bytearray(48)
        while user.PeekMessageW(msg, hwnd, 0, 0, c.PM_REMOVE):
            found.append((*struct.unpack_from("<QI", msg), *struct.unpack_from("<QQ", msg, 16)))
        return found


class EventWatch:
    """WSAEventSelect with an event that is reset by WSAEnumNetworkEvents."""

    messages = False

    def __init__(self, lab: Lab) -> None:
        self.lab, self.event = lab, ws.WSACreateEvent()

    def select(self, s: int, mask: int) -> None:
        self.lab.ok(ws.WSAEventSelect(s, self.event, mask))

    def signalled(self, ms: int = 0) -> bool:
        return k32.WaitForSingleObject(self.event, ms) == c.WAIT_OBJECT_0

    def take(self, s: int) -> list[tuple[int, int]]:
        """What there is: (event, error) in the order of messages."""
        data = bytearray(b"\xab" * 44)
        self.lab.ok(ws.WSAEnumNetworkEvents(s, self.event, data))
        bits, *codes = struct.unpack("<i10i", data)
        order = (c.FD_CONNECT, c.FD_ACCEPT, c.FD_READ, c.FD_OOB, c.FD_WRITE, c.FD_CLOSE, 0x100, 0x200)
        return [(bit, codes[bit.bit_length() - 1]) for bit in order if bits & bit]

    def none(self, s: int) -> None:
        assert not self.signalled()
        assert self.take(s) == []

    def wait(self) -> None:
        assert self.signalled(LONG)

    def until(self, s: int, *events: int) -> list[tuple[int, int]]:
        """Take until all these have come."""
        seen: list[tuple[int, int]] = []
        while not set(events) <= {event for event, _ in seen}:
            self.wait()
            seen += self.take(s)
        return seen


class MessageWatch(EventWatch):
    """WSAAsyncSelect."""

    messages = True

    def __init__(self, lab: Lab) -> None:
        self.lab, self.hwnd = lab, lab.window()

    def select(self, s: int, mask: int) -> None:
        self.lab.ok(ws.WSAAsyncSelect(s, self.hwnd, WM_SOCKET, mask))

    def take(self, s: int) -> list[tuple[int, int]]:
        found = []
        for hwnd, number, wparam, lparam in self.lab.messages():
            assert (hwnd, number, wparam) == (self.hwnd, WM_SOCKET, s)
            found.append((lparam & 0xFFFF, lparam >> 16))
        return found

    def none(self, s: int) -> None:
        assert self.take(s) == []

    def wait(self) -> None:
        flags = c.MWMO_INPUTAVAILABLE
        assert user.MsgWaitForMultipleObjectsEx(0, None, LONG, c.QS_ALLPOSTMESSAGE, flags) == c.WAIT_OBJECT_0


@pytest.fixture
def lab():
    before = sockets()
    with started() as process:
        yield Lab(process)
    left = sockets() - before
    if left:
        gc.collect()
        left = sockets() - before
    assert not left, "sockets were left open"


@pytest.fixture(params=[EventWatch, MessageWatch], ids=["event", "message"])
def watch(request, lab):
    return request.param(lab)


@pytest.fixture
def events(lab):
    return EventWatch(lab)


@pytest.fixture
def posts(lab):
    return MessageWatch(lab)
