"""A fresh Windows process for each test of Microsoft's extensions."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import pytest
from overlapped_kit import OVERLAPPED, Lab
from overlapped_kit import no_faults_of_our_own as no_faults_of_our_own

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._guids import WSAID
from winsock.codes import WSA

AREA = 32  # what the address of an IPv4 socket needs in AcceptEx's buffer


class Bench(Lab):
    """Calls extension functions."""

    def extension(self, name: str) -> Any:
        s, pointer = self.socket(), ctypes.c_uint64()
        code = c.SIO_GET_EXTENSION_FUNCTION_POINTER
        self.ok(ws.WSAIoctl(s, code, WSAID[name].bytes_le, 16, pointer, 8, ctypes.c_uint32(), None, None))
        self.ok(ws.closesocket(s))
        return winsock.function(pointer.value)

    def call(self, name: str, *args: Any) -> tuple[int, int]:
        """An extension function's result and last error."""
        function = self.extension(name)
        ws.WSASetLastError(0)
        return function(*args), ws.WSAGetLastError()

    def pends(self, name: str, *args: Any) -> None:
        assert self.call(name, *args) == (0, WSA.WSA_IO_PENDING)

    def overlapped(self) -> OVERLAPPED:
        return OVERLAPPED(hEvent=self.event())

    def end(self, s: int, ov: OVERLAPPED) -> tuple[int, int, int]:
        """Wait: return value, bytes, error of GetOverlappedResult."""
        assert self.wait(ov.hEvent) == 0
        n = ctypes.c_uint32()
        r = k32.GetOverlappedResult(s, ov, n, 0)
        return r, n.value, 0 if r else k32.GetLastError()

    def accept_ex(self, listener: int, data: int = 0, into: int = 0) -> tuple[int, OVERLAPPED, Any]:
        """An AcceptEx that pends: the socket, its OVERLAPPED, its buffer."""
        s, ov = into or self.socket(), self.overlapped()
        room = ctypes.create_string_buffer(data + 2 * AREA)
        self.pends("AcceptEx", listener, s, room, data, AREA, AREA, None, ov)
        return s, ov, room

    def connect_ex(self, listener: int, data: bytes = b"") -> int:
        """A socket that ConnectEx connected."""
        s, ov = self.bound(), self.overlapped()
        self.pends("ConnectEx", s, self.name(listener), 16, data or None, len(data), None, ov)
        assert self.end(s, ov) == (1, len(data), 0)
        return s

    def update(self, s: int, listener: int = 0) -> None:
        """SO_UPDATE_ACCEPT_CONTEXT or SO_UPDATE_CONNECT_CONTEXT."""
        name = c.SO_UPDATE_ACCEPT_CONTEXT if listener else c.SO_UPDATE_CONNECT_CONTEXT
        data = struct.pack("<Q", listener) if listener else b""
        self.ok(ws.setsockopt(s, c.SOL_SOCKET, name, data or None, len(data)))

    def client(self, listener: int) -> int:
        s = self.socket()
        self.ok(ws.connect(s, self.name(listener), 16))
        return s

    def peer(self, s: int) -> bytes:
        name, n = bytearray(16), ctypes.c_int32(16)
        self.ok(ws.getpeername(s, name, n))
        return bytes(name)


@pytest.fixture
def lab():
    with Bench.fresh() as made:
        yield made
