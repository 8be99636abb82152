"""What the tests of registered I/O share: its functions by name, sockets, queues, requests."""

from __future__ import annotations

import ctypes
import struct
from typing import Any, NamedTuple

from overlapped_kit import LONG, LOOPBACK, Lab

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._guids import WSAID_MULTIPLE_RIO
from winsock.api._extension import RIO_FUNCTIONS, RIO_TABLE
from winsock.codes import WSA

POOL = 4096
INET = 28  # a SOCKADDR_INET
REGISTERED = c.WSA_FLAG_OVERLAPPED | c.WSA_FLAG_REGISTERED_IO


class Result(NamedTuple):
    status: int
    n: int
    socket: int
    request: int


class Rig(Lab):
    """Sockets with request queues, and one registered buffer."""

    def __init__(self, process: winsock.Process) -> None:
        super().__init__(process)
        s, n = self.socket(), ctypes.c_uint32()
        raw = bytearray(RIO_TABLE.size)
        self.ok(self.table(s, WSAID_MULTIPLE_RIO.bytes_le, raw, len(raw), n))
        self.ok(ws.closesocket(s))
        self.size, *pointers = RIO_TABLE.unpack(raw)
        assert n.value == len(raw)
        self.functions = dict(zip(RIO_FUNCTIONS, map(winsock.function, pointers)))
        self.memory = bytearray(POOL)
        self.pool = self.register(self.memory, POOL)

    def __getattr__(self, name: str) -> Any:
        return self.functions["RIO" + name]

    @staticmethod
    def table(s: int, guid: bytes, out: Any, room: int, n: Any) -> int:
        code = c.SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER
        return ws.WSAIoctl(s, code, guid, len(guid), out, room, n, None, None)

    @staticmethod
    def yes(result: int) -> int:
        """TRUE, or a descriptor."""
        assert result not in (0, c.RIO_INVALID_BUFFERID), WSA(ws.WSAGetLastError())
        return result

    def no(self, result: int, code: int, failure: int = 0) -> None:
        self.fails(result, code, failure)

    def register(self, memory: Any, size: int) -> int:
        return self.yes(self.RegisterBuffer(memory, size))

    # -- sockets and queues

    def open(self, kind: int = c.SOCK_DGRAM, family: int = c.AF_INET, flags: int = REGISTERED) -> int:
        s = ws.WSASocketW(family, kind, 0, None, 0, flags)
        assert s < 1 << 32, ws.WSAGetLastError()
        return s

    def udp(self) -> int:
        s = self.open()
        self.ok(ws.bind(s, LOOPBACK, 16))
        return s

    def pair(self, listener: int = 0) -> tuple[int, int]:
        """Two ends of a stream, both for registered I/O; the accepted one takes after its listener."""
        at = self.open(c.SOCK_STREAM)
        self.ok(ws.bind(at, LOOPBACK, 16))
        self.ok(ws.listen(at, 5))
        a = self.open(c.SOCK_STREAM)
        self.ok(ws.connect(a, self.name(at), 16))
        b = ws.accept(at, None, None)
        assert b < 1 << 32, ws.WSAGetLastError()
        self.ok(ws.closesocket(at))
        return a, b

    def cq(self, size: int = 64, how: Any = None) -> int:
        return self.yes(self.CreateCompletionQueue(size, how))

    def by_event(self, event: int, reset: bool = False) -> bytes:
        return struct.pack("<i4xQQQ", c.RIO_EVENT_COMPLETION, event, reset, 0)

    def by_port(self, port: int, key: int, overlapped: int) -> bytes:
        return struct.pack("<i4xQQQ", c.RIO_IOCP_COMPLETION, port, key, overlapped)

    def rq(self, s: int, receiving: int, sending: int = 0, most: tuple[int, int] = (8, 8), context: int = 0) -> int:
        sending = sending or receiving
        return self.yes(self.CreateRequestQueue(s, most[0], 1, most[1], 1, receiving, sending, context))

    # -- requests

    def buf(self, offset: int, length: int, pool: int = 0) -> bytes:
        return struct.pack("<QII", pool or self.pool, offset, length)

    def put(self, offset: int, data: bytes) -> bytes:
        """Data into the pool; the RIO_BUF for it."""
        self.memory[offset : offset + len(data)] = data
        return self.buf(offset, len(data))

    def receive(self, rq: int, offset: int, length: int, flags: int = 0, context: int = 0) -> None:
        self.yes(self.Receive(rq, self.buf(offset, length), 1, flags, context))

    def transmit(self, rq: int, offset: int, data: bytes, flags: int = 0, context: int = 0) -> None:
        self.yes(self.Send(rq, self.put(offset, data), 1, flags, context))

    def receives(self, s: int) -> bool:
        """Whether a socket works: a datagram to itself."""
        cq = self.cq()
        rq = self.rq(s, cq)
        self.ok(ws.connect(s, self.name(s), 16))
        self.receive(rq, 0, 8)
        self.transmit(rq, 16, b"works")
        return [r.n for r in self.results(cq, 2)] == [5, 5]

    def results(self, cq: int, n: int) -> list[Result]:
        """That many completions, however long they take."""
        found: list[Result] = []

        def enough() -> bool:
            found.extend(self.look(cq))
            return len(found) >= n

        self.until(enough, f"{n} completions")
        assert len(found) == n
        return found

    def look(self, cq: int, room: int = 16) -> list[Result]:
        array = bytearray(24 * room)
        n = self.DequeueCompletion(cq, array, room)
        assert n <= room, WSA(ws.WSAGetLastError())
        return [Result(*struct.unpack_from("<iIQQ", array, 24 * i)) for i in range(n)]

    def signaled(self, event: int, ms: int = 0) -> bool:
        return self.wait(event, ms) == 0

    def comes(self, event: int) -> None:
        assert self.signaled(event, LONG)
