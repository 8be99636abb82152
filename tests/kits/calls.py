"""What tests of C-shaped calls share: calls with their outcomes, calls on other threads, what lies in memory."""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA


class Calls:
    """Short names for what C programs write; what is to succeed is checked."""

    def __init__(self, process: winsock.Process) -> None:
        self.process = process

    def endpoint(self, s: int) -> Any:
        return self.process.sockets[s]

    # -- outcomes

    @staticmethod
    def ok(result: int, expected: int = 0) -> int:
        assert result == expected, WSA(ws.WSAGetLastError()) if ws.WSAGetLastError() else result
        return result

    @staticmethod
    def fails(result: int, code: int, failure: int = -1) -> None:
        assert (result, ws.WSAGetLastError()) == (failure, code)

    # -- sockets

    def name(self, s: int, call: Callable[..., int] = ws.getsockname) -> bytes:
        """Its own address, or what another call says."""
        room, n = bytearray(128), ctypes.c_int32(128)
        self.ok(call(s, room, n))
        return bytes(room[: n.value])

    def nonblocking(self, s: int, on: int = 1) -> int:
        self.ok(ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint32(on)))
        return s

    def reset(self, s: int) -> None:
        """Close so that the peer gets a reset."""
        self.ok(ws.setsockopt(s, c.SOL_SOCKET, c.SO_LINGER, struct.pack("<HH", 1, 0), 4))
        self.ok(ws.closesocket(s))

    def send(self, s: int, data: bytes, flags: int = 0) -> None:
        self.ok(ws.send(s, data, len(data), flags), len(data))

    def recv(self, s: int, n: int = 65536, flags: int = 0) -> bytes:
        room = bytearray(n)
        got = ws.recv(s, room, n, flags)
        assert got >= 0, WSA(ws.WSAGetLastError())
        return bytes(room[:got])

    def recv_all(self, s: int, n: int) -> bytes:
        data = b""
        while len(data) < n and (part := self.recv(s, n - len(data))):
            data += part
        return data

    # -- threads

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """Who makes calls of other threads; to be shut down where there were any."""
        return ThreadPoolExecutor(16)

    def run(self, call: Callable[..., Any], *args: Any) -> Future[tuple[Any, int]]:
        """call(*args) on another thread of the process: a future of (what it returned, last error)."""

        def body() -> tuple[Any, int]:
            with self.process.attached():
                return call(*args), ws.WSAGetLastError()

        return self.threads.submit(body)

    def blocked(self, s: int) -> None:
        """Wait until a thread waits for this socket."""
        pause, ep = threading.Event(), self.endpoint(s)
        while not ep.waiters:
            pause.wait(0.001)


class Result:
    """Outcome of a call: its return value and the last error right after it; an int in further calls."""

    def __init__(self, name: str, ret: int, error: int) -> None:
        self.name, self.ret, self.error = name, ret, error

    def __index__(self) -> int:
        return self.ret

    __int__ = __index__

    def __repr__(self) -> str:
        return f"<{self.name} -> {self.ret}, {self.error}>"


# -- what lies at an address


def u32(at: int) -> int:
    return ctypes.c_uint32.from_address(at).value


def pointer(at: int) -> int:
    return ctypes.c_uint64.from_address(at).value


def text(at: int) -> str:
    return ctypes.string_at(at).decode()


def wide(at: int) -> str:
    """UTF-16 up to a NUL."""
    data = b""
    while (unit := ctypes.string_at(at + len(data), 2)) != b"\0\0":
        data += unit
    return data.decode("utf-16-le")
