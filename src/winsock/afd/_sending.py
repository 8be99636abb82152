"""Overlapped sends: WSASend, WSASendTo, WSASendMsg.

Windows takes a send on a stream whole, whatever its size, while less than SO_SNDBUF bytes are on their way, and then
it has ended; what the network has no room for yet lies in a buffer.  Only when that much is outstanding a send waits.
With SO_SNDBUF 0 nothing is buffered: it ends when the network has it all (fact).  What was accepted is sent in order,
before the end of the stream, also after closesocket.
"""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Sequence
from ctypes import addressof, c_char
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _connection, _events, _urgent
from winsock.afd._data import check_lost, check_send, check_send_flags, lost, remaining
from winsock.afd._endpoint import SENDS, Endpoint, State
from winsock.afd._request import Request
from winsock.afd._requests import WRITES, Requests
from winsock.afd._wait import wait_ready
from winsock.codes import NTSTATUS, WSA, WinsockError
from winsock.nt import Process, ThreadState, memory
from winsock.transports import ERROR, HANGUP, WRITE, Address, TransportSocket

SO_SNDBUF = (c.SOL_SOCKET, c.SO_SNDBUF)
SO_LINGER = (c.SOL_SOCKET, c.SO_LINGER)
DEFAULT = 0x10000
AHEAD = 0x40000  # bytes of a big send that the kernel may hold, with SO_SNDBUF 0, while more than its END is left
BIG, END = 0x10000, 0x1000
AT_EXIT = 5_000.0  # ms that a program's end waits for what was accepted

TOO_LONG = int(NTSTATUS.STATUS_INVALID_BUFFER_SIZE)
_WOULDBLOCK = WSA.WSAEWOULDBLOCK


def limit_of(ep: Endpoint) -> int:
    """SO_SNDBUF."""
    return int(ep.options.get(SO_SNDBUF, DEFAULT))


def copied(views: Sequence[Any], raw: bool) -> bytes:
    """The buffers' bytes; raw: WSAEFAULT for memory that is not there, instead of a crash."""
    if not raw:
        return b"".join(views)
    return b"".join(
        bytes(view) if memoryview(view).readonly else memory.read(addressof(c_char.from_buffer(view)), len(view))
        for view in views
        if len(view)
    )


def _transmit(transport: TransportSocket, chunks: deque[memoryview]) -> int:
    """Send of these what there is room for, and take that out; how many bytes it was."""
    sent = 0
    while chunks:
        n = transport.transmit_now(chunks[0])
        if n < 0:
            break
        sent += n
        if n < len(chunks[0]):
            chunks[0] = chunks[0][n:]
        else:
            chunks.popleft()
    return sent


class Buffer:
    """What was accepted and is not on its way yet, of one stream.

    Exists while there is something; with Requests.lock held.
    """

    __slots__ = ("chunks", "ep", "requests", "size", "transport")

    def __init__(self, requests: Requests, ep: Endpoint) -> None:
        self.requests, self.ep = requests, ep
        self.transport: TransportSocket = ep.transport
        self.chunks: deque[memoryview] = deque()
        self.size = 0
        requests.sends = self
        if not requests.holding:
            requests.hold()
        requests.reactor.busy(requests)
        if requests.watched is None:
            requests.watch(ep)

    def put(self, data: Any) -> None:
        """Take this over: bytes nobody changes any more."""
        view = memoryview(data)
        self.chunks.append(view)
        self.size += len(view)

    def drain(self) -> None:
        """Send what there is room for."""
        chunks = self.chunks
        try:
            sent = _transmit(self.transport, chunks)
            self.size -= sent
        except WinsockError as e:
            lost(self.ep, e.code)
            chunks.clear()
            self.size = 0
        if not chunks:
            self._emptied()
        elif self.size < limit_of(self.ep):
            for endpoint in self.requests.endpoints:
                for ts in endpoint.waiters:
                    ts.interrupt()  # a send that is not overlapped may go on

    def _emptied(self) -> None:
        requests = self.requests
        requests.sends = None
        if not requests.writes:
            requests.release()
        if not requests.pending:
            requests.reactor.idle(requests)

    def closing(self, ep: Endpoint) -> None:
        """The last handle closes: what was accepted is still sent, unless the connection is to be aborted."""
        linger = ep.options.get(SO_LINGER, 0)
        self.requests.sends = None
        if linger & 0xFFFF and not linger >> 16:
            return
        ep.note("kept", True)
        Afterlife(ep, self.chunks)


class Afterlife:
    """A closed stream that still has data to send.  Its endpoint's socket is closed when it has."""

    def __init__(self, ep: Endpoint, chunks: deque[memoryview]) -> None:
        from winsock.afd._reactor import reactor_of

        self.chunks, self.transport = chunks, ep.transport
        self.reactor = reactor_of(ep.process, ep.network)
        self.key: Any = _Corpse(ep)
        self.reactor.forget(ep)
        self.reactor.busy(self)
        try:
            self.reactor.watch(self.key, self.go_on)
        except WinsockError:
            self._over()

    def works(self) -> bool:
        """It is at it."""
        return self.key is not None

    def go_on(self, _: Any, got: int) -> None:
        """There may be room."""
        if not got & (WRITE | ERROR | HANGUP):
            return
        chunks = self.chunks
        try:
            _transmit(self.transport, chunks)
        except WinsockError:
            chunks.clear()  # nobody is left to tell
        if not chunks:
            self._over()

    def _over(self) -> None:
        self.reactor.forget(self.key)
        self.key = None
        self.reactor.idle(self)
        self.transport.finish()


class _Corpse:
    """Stands for a closed endpoint at the reactor."""

    __slots__ = ("transport",)

    def __init__(self, ep: Endpoint) -> None:
        self.transport = ep.transport


class Send(Request):
    """Send buffers.

    The data are copied if the request has to wait: the caller may do with the buffers what it likes.

    ahead     with SO_SNDBUF 0, the kernel has been given room for AHEAD bytes
    raw       the buffers are memory that nobody vouches for
    stored    they stay as they are, and it ends when the network has them all, as with SO_SNDBUF 0: a pipe's
    """

    lane = WRITES
    raw = stored = False

    __slots__ = ("address", "ahead", "control", "data", "flags", "size", "views")

    def __init__(
        self,
        ts: ThreadState,
        ep: Endpoint,
        views: Sequence[Any],
        flags: int = 0,
        overlapped: Any = None,
        routine: Any = None,
        address: Address | None = None,
        control: Sequence[tuple[int, int, bytes]] = (),
    ) -> None:
        super().__init__(ts, ep, overlapped, routine)
        check_send(ep, address)
        if flags:
            check_send_flags(ep, flags)
        self.views, self.flags, self.address, self.control = views, flags, address, control
        self.size = sum(map(len, views))
        self.data: bytes | None = None
        self.ahead = False

    def attempt(self) -> int | None:
        ep = self.ep
        try:
            if ep.type != c.SOCK_STREAM:
                return self._message()
            if self.flags & c.MSG_OOB and self.size and not _urgent.reaches_inline(ep):
                return self._urgent()
            return self._stream()
        except WinsockError as e:
            if ep.extra:
                _events.told(ep, _events.SEND, e.code)
            if e.code == _WOULDBLOCK:
                self._waits()
                return None
            lost(ep, e.code)
            if e.code == WSA.WSAEMSGSIZE and self not in self.requests.pending:
                # The network says so when the call has returned; CPython's tests for its issue 156920 count on it.
                if self.overlapped is not None:
                    self.overlapped.begin()
                self.complete(TOO_LONG)
                return None
            raise

    def _stream(self) -> int | None:
        ep, requests = self.ep, self.requests
        check_lost(ep)
        buffer: Buffer | None = requests.sends
        limit = 0 if self.stored else limit_of(ep)
        if buffer is not None:
            if buffer.size >= limit:
                self._waits()
                return None
            buffer.put(self._copy(0))
            return self.size
        if self.ahead:
            if limit:
                self.ahead = False  # the program has set another SO_SNDBUF meanwhile
            elif not self._go_ahead():
                return None
        views = self.views if self.data is None else (self.data,)
        while True:
            rest = remaining(views, self.total) if self.total else views
            n = self._transmit(rest)
            if n > 0:
                self.total += n
                if self.total >= self.size:
                    return self.size
            elif not self.size:
                return 0
            if limit or n < 0:
                break
        if ep.extra:
            _events.told(ep, _events.SEND, _WOULDBLOCK)
        if not limit:
            self._waits()
            if self.data is not None and self.size - self.total > BIG:
                return self._stream() if self._go_ahead() else None
            return None
        data = self._copy(self.total)
        Buffer(requests, ep).put(data)
        return self.size

    def _go_ahead(self) -> bool:
        """Send all but the end of a big send; whether that has gone.

        With the little room of SO_SNDBUF 0 the kernel would take one segment, and the next when that is acknowledged,
        with which receivers take their time.  The end finds little room again: it leaves when the rest has arrived.
        """
        transport, data = self.ep.transport, memoryview(self.data or b"")
        end = self.size - END
        if not self.ahead:
            transport.tell_option(*SO_SNDBUF, AHEAD)
            self.ahead = True
        while self.total < end:
            n = transport.transmit_now(data[self.total : end])
            if n < 0:
                return False
            self.total += n
        self._no_longer_ahead()
        return True

    def _no_longer_ahead(self) -> None:
        self.ahead = False
        try:
            self.ep.transport.tell_option(*SO_SNDBUF, 0)
        except WinsockError:
            pass  # closed

    def _transmit(self, views: Sequence[Any]) -> int:
        """How many bytes went, -1 while there is no room."""
        transport = self.ep.transport
        if len(views) == 1:
            return transport.transmit_now(views[0])
        try:
            return transport.transmit(views, self.flags & ~c.MSG_OOB)
        except WinsockError as e:
            if e.code != _WOULDBLOCK:
                raise
            return -1

    def _urgent(self) -> int | None:
        """The last byte is the urgent one; it leaves when those before it have left."""
        ep = self.ep
        if self.requests.sends is not None:
            self._waits()
            return None
        if self.data is None:
            self.data = copied(self.views, self.raw)
        plain = self.flags & ~c.MSG_OOB
        while self.total < self.size - 1:
            self.total += ep.transport.transmit([memoryview(self.data)[self.total : -1]], plain)
        if not _urgent.deliver(ep, self.data[-1]):
            ep.transport.transmit([self.data[-1:]], self.flags)
        return self.size

    def _message(self) -> int | None:
        ep = self.ep
        if ep.state is State.OPEN:
            _connection.autobind(ep)
        views = self.views if self.data is None else (self.data,)
        return ep.transport.transmit_message(views, self.control, self.flags, self.address)

    def _copy(self, start: int) -> bytes | memoryview:
        """The data from there on."""
        if self.data is not None:
            return memoryview(self.data)[start:]
        return copied(remaining(self.views, start) if start else self.views, self.raw)

    def _waits(self) -> None:
        if self.data is None and not self.stored:
            self.data = copied(self.views, self.raw)

    def cleared(self) -> None:
        if self.ahead:
            self._no_longer_ahead()
        self.views, self.data = (), None


# -- sends that are not overlapped, while others wait


def send_after(ep: Endpoint, views: Sequence[Any]) -> int | None:
    """Send behind what was accepted, and requests; None when there is nothing.  WSAEWOULDBLOCK, WSAETIMEDOUT."""
    while True:
        requests: Requests | None = ep.extra.get(SENDS)
        if requests is None:
            return None
        with requests.lock:
            requests.serve(ep, WRITE)
            buffer: Buffer | None = requests.sends
            if buffer is None and not requests.writes:
                return None
            if buffer is not None and buffer.size < limit_of(ep) and not requests.writes:
                data = copied(views, True)
                buffer.put(data)
                return len(data)
        if ep.nonblocking:
            raise WinsockError(_WOULDBLOCK)
        timeout = float(ep.send_timeout) if ep.send_timeout else None
        if not wait_ready(ep, WRITE, timeout, WSA.WSAECONNABORTED):
            raise WinsockError(WSA.WSAETIMEDOUT)


def _at_exit() -> None:
    """A program ends: Windows would go on sending what it accepted."""
    for process in Process.all():
        reactor = process.services.get("reactor")
        if reactor is not None:
            reactor.wait(process.thread(), lambda r=reactor: None if _unsent(r) else True, AT_EXIT)


def _unsent(reactor: Any) -> bool:
    return any(isinstance(x, Afterlife) or (isinstance(x, Requests) and x.sends) for x in list(reactor.known))


atexit.register(_at_exit)
