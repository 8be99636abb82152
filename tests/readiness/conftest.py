"""A fresh Windows process, sockets in the states that matter, fd_sets, and calls on other threads."""

from __future__ import annotations

import struct

import pytest
from calls import Calls
from fdsets import fd_set, members, timeval
from processes import sockets, started

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.nt import current
from winsock.transports import RDHUP, READ, URGENT

LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")
PATIENCE = 60_000  # ms that a wait for what must happen may take


class Net(Calls):
    """Opens sockets, puts them into states, selects."""

    # -- sockets

    def tcp(self) -> int:
        return ws.socket(c.AF_INET, c.SOCK_STREAM, 0)

    def udp(self) -> int:
        s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
        assert ws.bind(s, LOOPBACK, 16) == 0
        return s

    def listener(self) -> int:
        s = self.tcp()
        assert ws.bind(s, LOOPBACK, 16) == ws.listen(s, 16) == 0
        return s

    def client(self, listener: int) -> int:
        s = self.tcp()
        assert ws.connect(s, self.name(listener), 16) == 0
        return s

    def pair(self) -> tuple[int, int]:
        listener = self.listener()
        a = self.client(listener)
        b = ws.accept(listener, None, None)
        assert ws.closesocket(listener) == 0
        return a, b

    def nobody(self) -> bytes:
        """An address where connections are refused: bound, not listening."""
        s = self.tcp()
        assert ws.bind(s, LOOPBACK, 16) == 0
        return self.name(s)

    def connecting(self, address: bytes) -> int:
        s = self.nonblocking(self.tcp())
        assert (ws.connect(s, address, 16), ws.WSAGetLastError()) == (-1, WSA.WSAEWOULDBLOCK)
        return s

    def refused(self) -> int:
        """A socket whose non-blocking connect was refused, as select has seen."""
        s = self.connecting(self.nobody())
        assert self.select(other=[s], ms=PATIENCE) == (1, [], [], [s])
        return s

    def recv(self, s: int, n: int = 100, flags: int = 0) -> int:
        return ws.recv(s, bytearray(n), n, flags)

    def fill(self, s: int) -> None:
        """Send until nothing more fits."""
        chunk = bytes(1 << 20)
        self.nonblocking(s)
        ep = self.endpoint(s)
        while ws.send(s, chunk, len(chunk), 0) > 0 or ep.network.wait(current(), [(ep.transport, 4)], 50):
            pass

    def await_arrival(self, s: int) -> None:
        """Wait until something (data, an end, a reset, an urgent byte) has arrived."""
        ep = self.endpoint(s)
        assert ep.network.wait(current(), [(ep.transport, READ | RDHUP | URGENT)], PATIENCE)

    # -- calls

    def select(self, read=(), write=(), other=(), ms: float | None = 0):
        """select's result and the three sets it leaves."""
        sets = [fd_set(*s) for s in (read, write, other)]
        timeout = None if ms is None else timeval(ms)
        n = ws.select(0, *sets, timeout)
        assert n >= 0, WSA(ws.WSAGetLastError())
        return n, *(members(s) for s in sets)

    def everywhere(self, s: int):
        """In which sets a socket is now."""
        n, *sets = self.select([s], [s], [s])
        found = "".join(letter for letter, left in zip("rwx", sets) if left)
        assert n == len(found)
        return found

    def poll(self, *entries, ms: int = 0):
        """WSAPoll of (socket, events)s: result, revents."""
        data = bytearray(b"".join(struct.pack("<QHH4x", s, e, 0x5555) for s, e in entries))
        n = ws.WSAPoll(data, len(entries), ms)
        return n, [struct.unpack_from("<H", data, 16 * i + 10)[0] for i in range(len(entries))]


@pytest.fixture
def net():
    before = sockets()
    with started() as process:
        net = Net(process)
        yield net
        net.threads.shutdown()
        ts = current()
        assert (ts.blocking, ts.wake) == (0, None)
    assert sockets() == before
