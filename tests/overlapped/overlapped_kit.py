"""What the tests of overlapped I/O share: a fresh Windows process, sockets, requests."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import calls
import pytest
from calls import Calls

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

LONG = 20_000  # ms: a limit that nothing but a fault reaches
LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")


def environment() -> dict[str, str]:
    """Of programs that tests start: they can import this."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.dirname, (__file__, calls.__file__)))}


class WSABUF(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint32), ("buf", ctypes.c_uint64))


class OVERLAPPED(ctypes.Structure):
    _fields_ = (
        ("Internal", ctypes.c_uint64),
        ("InternalHigh", ctypes.c_uint64),
        ("Offset", ctypes.c_uint32),
        ("OffsetHigh", ctypes.c_uint32),
        ("hEvent", ctypes.c_uint64),
    )

    @property
    def address(self) -> int:
        return ctypes.addressof(self)


class Operation:
    """A receive or send: its OVERLAPPED, its buffers, what the call returned."""

    def __init__(self, sizes: tuple[int, ...] = (64,), event: int = 0, data: bytes | None = None) -> None:
        self.ov = OVERLAPPED(hEvent=event)
        self.memory = [ctypes.create_string_buffer(max(1, n)) for n in sizes]
        if data is not None:
            self.memory = [ctypes.create_string_buffer(data, max(1, len(data)))]
            sizes = (len(data),)
        self.array = (WSABUF * len(sizes))(*(WSABUF(n, ctypes.addressof(m)) for n, m in zip(sizes, self.memory)))
        self.count = ctypes.c_uint32(0xAAAA)
        self.flags = ctypes.c_uint32()
        self.result = self.error = 0

    @property
    def data(self) -> bytes:
        return self.memory[0].raw

    @property
    def pending(self) -> bool:
        return self.ov.Internal == c.STATUS_PENDING


class Lab(Calls):
    """Opens sockets of one process, starts requests, and says what became of them."""

    @classmethod
    @contextmanager
    def fresh(cls) -> Iterator[Self]:
        """One in a Windows process of its own; every start of Winsock is to be undone again."""
        process = winsock.Process()
        with process.attached():
            assert ws.WSAStartup(0x0202, bytearray(408)) == 0
            made = cls(process)
            yield made
            assert ws.WSACleanup() == 0
        made.threads.shutdown()

    # -- sockets

    @staticmethod
    def socket(kind: int = c.SOCK_STREAM) -> int:
        s = ws.socket(c.AF_INET, kind, 0)
        assert s < 1 << 32, ws.WSAGetLastError()
        return s

    def bound(self, kind: int = c.SOCK_STREAM) -> int:
        s = self.socket(kind)
        self.ok(ws.bind(s, LOOPBACK, 16))
        return s

    def udp(self) -> int:
        return self.bound(c.SOCK_DGRAM)

    def listener(self) -> int:
        s = self.bound()
        self.ok(ws.listen(s, 50))
        return s

    def pair(self, listener: int = 0) -> tuple[int, int]:
        """A stream's two ends: the connecting one, the accepted one."""
        at = listener or self.listener()
        a = self.socket()
        self.ok(ws.connect(a, self.name(at), 16))
        b = ws.accept(at, None, None)
        assert b < 1 << 32, ws.WSAGetLastError()
        if not listener:
            self.ok(ws.closesocket(at))
        return a, b

    def option(self, s: int, name: int, value: int) -> None:
        self.ok(ws.setsockopt(s, c.SOL_SOCKET, name, ctypes.c_int32(value), 4))

    def readable(self, s: int) -> None:
        assert ws.select(0, bytearray(struct.pack("<I4xQ", 1, s)), None, None, struct.pack("<ii", 20, 0)) == 1

    # -- requests

    def start_recv(self, s: int, op: Operation, routine: Any = None) -> Operation:
        op.result = ws.WSARecv(s, op.array, len(op.array), op.count, op.flags, op.ov, routine)
        op.error = ws.WSAGetLastError()
        return op

    def pend_recv(self, s: int, *sizes: int, event: int = 0, routine: Any = None) -> Operation:
        """A receive that waits."""
        op = self.start_recv(s, Operation(sizes or (64,), event), routine)
        assert (op.result, op.error) == (-1, WSA.WSA_IO_PENDING)
        assert op.pending
        return op

    def start_send(self, s: int, data: bytes, event: int = 0, routine: Any = None) -> Operation:
        op = Operation(event=event, data=data)
        op.result = ws.WSASend(s, op.array, 1, op.count, 0, op.ov, routine)
        op.error = ws.WSAGetLastError()
        return op

    def event(self, manual: bool = True) -> int:
        e = k32.CreateEventW(None, manual, False, None)
        assert e
        return e

    def wait(self, handle: int, ms: int = LONG) -> int:
        return k32.WaitForSingleObject(handle, ms)

    def result(self, s: int, op: Operation, wait: bool = True) -> tuple[int, int, int]:
        """GetOverlappedResult: return value, bytes, and the error if it failed."""
        n = ctypes.c_uint32(0xAAAA)
        r = k32.GetOverlappedResult(s, op.ov, n, wait)
        return r, n.value, 0 if r else k32.GetLastError()

    def wsa_result(self, s: int, op: Operation) -> tuple[int, int, int, int]:
        """WSAGetOverlappedResult: return value, bytes, flags, last error."""
        n, flags = ctypes.c_uint32(0xAAAA), ctypes.c_uint32(0xAAAA)
        r = ws.WSAGetOverlappedResult(s, op.ov, n, 1, flags)
        return r, n.value, flags.value, ws.WSAGetLastError()

    # -- completion ports

    def port(self, *sockets: int, threads: int = 0) -> int:
        port = k32.CreateIoCompletionPort(c.INVALID_HANDLE_VALUE, None, 0, threads)
        assert port
        for key, s in enumerate(sockets, 1):
            assert k32.CreateIoCompletionPort(s, port, key, 0) == port
        return port

    def packet(self, port: int, ms: int = LONG) -> tuple[int, int, int, int, int]:
        """Return value, bytes, key, OVERLAPPED, last error if it failed."""
        n, key, ov = ctypes.c_uint32(0xAAAA), ctypes.c_uint64(0xAAAA), ctypes.c_uint64(0xAAAA)
        r = k32.GetQueuedCompletionStatus(port, n, key, ov, ms)
        return r, n.value, key.value, ov.value, 0 if r else k32.GetLastError()

    def no_packet(self, port: int) -> None:
        assert self.packet(port, 0) == (0, 0xAAAA, 0xAAAA, 0, c.WAIT_TIMEOUT)

    # -- threads

    def until(self, condition: Any, what: str = "") -> None:
        """Wait for something that another thread does."""
        rest = threading.Event()
        for _ in range(4000):
            if condition():
                return
            rest.wait(0.005)
        raise AssertionError(f"it did not happen: {what}")

    def requests(self, s: int) -> Any:
        from winsock.afd._requests import requests_of

        return requests_of(self.process.sockets[s])


@pytest.fixture(autouse=True)
def no_faults_of_our_own(caplog, request):
    """winsock logs what should never happen inside it."""
    yield
    if "routines_raise" not in request.fixturenames:
        assert not [r.getMessage() for r in caplog.records if r.name == "winsock"]
