"""What the tests of sending and receiving share: a fresh Windows process and sockets in it."""

from __future__ import annotations

import ctypes
import struct
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from calls import Calls
from processes import WINSOCK_2_2, started

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.nt import current
from winsock.transports import RDHUP

LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")
LOOPBACK6 = struct.pack("<H6x16s4x", c.AF_INET6, bytes(15) + b"\x01")


class Net(Calls):
    """Opens sockets of one process, calls, and says what a call did."""

    LOOPBACK, LOOPBACK6 = LOOPBACK, LOOPBACK6

    def __init__(self, process: winsock.Process) -> None:
        super().__init__(process)
        self.memory: list[ctypes.Array] = []

    def socket(self, family: int = c.AF_INET, kind: int = c.SOCK_STREAM, protocol: int = 0) -> int:
        s = ws.socket(family, kind, protocol)
        assert s < 1 << 32, ws.WSAGetLastError()
        return s

    def bound(self, kind: int, family: int = c.AF_INET) -> int:
        s = self.socket(family, kind)
        name = LOOPBACK if family == c.AF_INET else LOOPBACK6
        self.ok(ws.bind(s, name, len(name)))
        return s

    def listener(self, family: int = c.AF_INET) -> int:
        s = self.bound(c.SOCK_STREAM, family)
        self.ok(ws.listen(s, 16))
        return s

    def pair(self, family: int = c.AF_INET) -> tuple[int, int]:
        """A stream's two ends: the connecting one, the accepted one."""
        listener = self.listener(family)
        a = self.socket(family)
        to = self.name(listener)
        self.ok(ws.connect(a, to, len(to)))
        b = ws.accept(listener, None, None)
        assert b < 1 << 32, ws.WSAGetLastError()
        self.ok(ws.closesocket(listener))
        return a, b

    def udp(self, family: int = c.AF_INET) -> int:
        return self.bound(c.SOCK_DGRAM, family)

    def udp_pair(self, family: int = c.AF_INET) -> tuple[int, int]:
        """Two datagram sockets, each with the other as its peer."""
        a, b = self.udp(family), self.udp(family)
        for s, to in ((a, self.name(b)), (b, self.name(a))):
            self.ok(ws.connect(s, to, len(to)))
        return a, b

    def closed_port(self) -> bytes:
        """The address of a datagram socket that is no more."""
        s = self.udp()
        name = self.name(s)
        self.ok(ws.closesocket(s))
        return name

    def option(self, s: int, level: int, name: int, value: int = 1) -> None:
        self.ok(ws.setsockopt(s, level, name, ctypes.c_int32(value), 4))

    def await_end(self, s: int) -> None:
        """Wait until the peer's end, or its reset, has arrived."""
        ep = self.endpoint(s)
        assert ep.network.wait(current(), [(ep.transport, RDHUP)], 60_000)

    def alloc(self, what) -> SimpleNamespace:
        """Memory with an address; it stays while the test does."""
        mem = ctypes.create_string_buffer(what, len(what)) if isinstance(what, bytes) else (ctypes.c_char * what)()
        self.memory.append(mem)
        return SimpleNamespace(mem=mem, addr=ctypes.addressof(mem), size=len(mem))

    def wsabuf(self, *buffers) -> bytes:
        return b"".join(struct.pack("<I4xQ", b.size, b.addr) for b in buffers)


@contextmanager
def opened(version: int = WINSOCK_2_2):
    with started(version) as process:
        net = Net(process)
        yield net
        net.threads.shutdown()
        assert current().blocking == 0


@pytest.fixture
def net():
    with opened() as net:
        yield net


@pytest.fixture
def net_1_1():
    with opened(0x0101) as net:
        yield net
