"""What the tests of options and control codes share: a fresh Windows process, and calls on its sockets."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator

import pytest
from calls import Calls
from processes import started

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.codes import WSA
from winsock.transports import READ

LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")
LOOPBACK6 = struct.pack("<H6x16s4x", c.AF_INET6, bytes(15) + b"\x01")
FILLING = 0xEE


class Lab(Calls):
    """Opens sockets of one process and asks them things."""

    # -- results

    def ok(self, result: int, expected: int = 0) -> int:
        code = ws.WSAGetLastError()
        assert result == expected, WSA(code) if code else result
        assert code == 0
        return result

    def fails(self, result: int, code: int, failure: int = -1) -> None:
        got = ws.WSAGetLastError()
        assert (result, got) == (failure, code), f"{result}, {WSA(got)!r}"

    # -- sockets

    def socket(self, family: int = c.AF_INET, kind: int = c.SOCK_STREAM, protocol: int = 0) -> int:
        s = ws.socket(family, kind, protocol)
        code = ws.WSAGetLastError()
        if code == WSA.WSAEACCES and kind == c.SOCK_RAW:
            pytest.skip("raw sockets need privileges")
        if code == WSA.WSAEAFNOSUPPORT and family == c.AF_INET6:
            pytest.skip("no IPv6 here")
        assert code == 0
        return s

    def bound(self, kind: int = c.SOCK_STREAM, family: int = c.AF_INET) -> int:
        s = self.socket(family, kind)
        name = LOOPBACK if family == c.AF_INET else LOOPBACK6
        self.ok(ws.bind(s, name, len(name)))
        return s

    def listener(self, family: int = c.AF_INET) -> int:
        s = self.bound(c.SOCK_STREAM, family)
        self.ok(ws.listen(s, 8))
        return s

    def pair(self) -> tuple[int, int]:
        """A stream's connecting end and its accepted one."""
        listener = self.listener()
        a = self.socket()
        self.ok(ws.connect(a, self.name(listener), 16))
        b = ws.accept(listener, None, None)
        assert ws.WSAGetLastError() == 0
        self.ok(ws.closesocket(listener))
        return a, b

    def endpoint(self, s: int) -> Endpoint:
        found = self.process.sockets[s]
        assert isinstance(found, Endpoint)
        return found

    def kernel(self, s: int, level: int, name: int, size: int = 0) -> int | bytes:
        """What the kernel says of the socket's descriptor, by the kernel's numbers."""
        transport = self.endpoint(s).transport
        return transport.getsockopt(level, name, size) if size else transport.getsockopt(level, name)

    def await_readable(self, s: int) -> None:
        ep = self.endpoint(s)
        assert ep.network.wait(winsock.nt.current(), [(ep.transport, READ)], 60_000), "nothing came"

    # -- options

    def set(self, s: int, level: int, name: int, value: int | bytes, size: int | None = None) -> int:
        data = value if isinstance(value, bytes) else struct.pack("<Q", value & (1 << 64) - 1)
        return ws.setsockopt(
            s, level, name, data, (len(value) if isinstance(value, bytes) else 4) if size is None else size
        )

    def query(self, s: int, level: int, name: int, size: int = 4) -> tuple[int, bytes, int]:
        """getsockopt with a buffer full of 0xEE: result, the buffer, the length."""
        data, n = bytearray([FILLING] * max(size, 8)), ctypes.c_int(size)
        result = ws.getsockopt(s, level, name, data, n)
        return result, bytes(data), n.value

    def get(self, s: int, level: int, name: int, size: int = 4) -> bytes:
        result, data, n = self.query(s, level, name, size)
        self.ok(result)
        return data[:n]

    def value(self, s: int, level: int, name: int) -> int:
        return int.from_bytes(self.get(s, level, name), "little")

    # -- control codes

    def ioctl(self, s: int, code: int, data: bytes | None = None, room: int | None = None) -> tuple[int, bytes, int]:
        """WSAIoctl: result, output buffer, byte count, which was 0xEEEEEEEE before."""
        out = None if room is None else ctypes.create_string_buffer(max(room, 1))
        count = ctypes.c_uint(0xEEEEEEEE)
        result = ws.WSAIoctl(s, code, data, len(data or b""), out, room or 0, count, None, None)
        return result, b"" if out is None else out.raw, count.value

    def control(self, s: int, code: int, data: bytes | None = None, room: int | None = None) -> bytes:
        result, out, count = self.ioctl(s, code, data, room)
        self.ok(result)
        return out[:count]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with started() as process:
        yield Lab(process)
