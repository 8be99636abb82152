"""Registered I/O: registered buffers, completion queues, request queues, and the requests in them.

A request is charged to its request queue until its completion has been dequeued, and a completion queue is as large
as everything that its request queues may have outstanding.  So a completion always has its place (document).

The requests are those of overlapped I/O, whose ends go to a completion queue instead of an OVERLAPPED.  What the
network refuses comes as a completion, too: the calls themselves fail for wrong arguments and full queues only.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address
from winsock.afd import Endpoint
from winsock.afd._receiving import Receive
from winsock.afd._request import Request
from winsock.afd._requests import READS, Requests, Truncation, requests_of
from winsock.afd._sending import Send
from winsock.afd._structures import PENDING, SUCCESS
from winsock.api import _buffers
from winsock.api._data import destination
from winsock.codes import WSA, WinsockError, ntstatus_to_wsa
from winsock.nt import Process, ThreadState, memory
from winsock.nt._completion import CompletionPort
from winsock.nt._objects import Event
from winsock.nt._objects import taking as counting  # for a few instructions, as here
from winsock.transports import Address, Message

SERVICE = "registered i/o"  # in Process.services: a Registry
SOCKADDR_INET = 28  # bytes: a SOCKADDR_IN6, which is the larger one
STEP = 16  # between the numbers of buffers and queues, which look like pointers
PKTINFO = {c.AF_INET: (c.IPPROTO_IP, c.IP_PKTINFO), c.AF_INET6: (c.IPPROTO_IPV6, c.IPV6_PKTINFO)}
PKTINFO_4, PKTINFO_6 = 8, 20  # bytes of IN_PKTINFO and IN6_PKTINFO: an address, then an interface


class Buffer:
    """Registered memory.

    base    its address if the program gave a raw one, else 0; then `view` is the memory, kept alive and in its size
    gone    it is not registered any more
    """

    __slots__ = ("base", "gone", "size", "view")

    def __init__(self, ptr: Any, size: int) -> None:
        self.size, self.gone = size, False
        self.base = 0
        self.view: memoryview | None = None
        if isinstance(ptr, int):
            self.base = int(ptr)
            for at in range(0, size, _buffers.MAX_MESSAGE):
                _buffers.probe(self.base + at, min(size - at, _buffers.MAX_MESSAGE))
        else:
            self.view = memory.view(ptr, size, writable=True)


class Slice(NamedTuple):
    """Part of a registered buffer."""

    buffer: Buffer
    offset: int
    length: int

    def memory(self) -> memoryview:
        """Its bytes, for the network; WSAEFAULT when the buffer is not registered any more."""
        buffer = self.buffer
        if buffer.gone:
            raise memory.fault()
        if buffer.view is not None:
            return buffer.view[self.offset : self.offset + self.length]
        return memory.view(buffer.base + self.offset, self.length)

    def probe(self) -> None:
        """WSAEFAULT for memory that was taken back."""
        if self.buffer.base and self.length:
            _buffers.probe(self.buffer.base + self.offset, self.length)

    def read(self, at: int, n: int) -> bytes:
        """Bytes of it."""
        part = self._replace(offset=self.offset + at, length=n).memory()
        return memory.read(self.buffer.base + self.offset + at, n) if self.buffer.base else bytes(part)

    def write(self, data: bytes) -> None:
        """Put these at its beginning, unless the buffer is not registered any more."""
        if self.buffer.gone:
            return
        if self.buffer.base:
            memory.write(self.buffer.base + self.offset, data)
        else:
            self.memory()[: len(data)] = data


class Entry(NamedTuple):
    """A completion: what RIORESULT tells, whose it is, and whether it counts for RIONotify."""

    status: int
    transferred: int
    socket_context: int
    request_context: int
    queue: RequestQueue
    lane: int
    loud: bool


class CompletionQueue:
    """A RIO_CQ.

    size        how many completions it takes
    reserved    the most that its request queues may have outstanding
    leftover    completions of request queues that are closed, to be dequeued yet
    loud        how many completions count for RIONotify
    armed       RIONotify was called and has told nothing yet
    event       what a notification signals; reset: RIONotify resets it
    port        where a notification is posted, with `key` and the address of an OVERLAPPED
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.reserved = self.leftover = self.loud = 0
        self.armed = self.closed = self.reset = False
        self.event: Event | None = None
        self.port: CompletionPort | None = None
        self.key = self.overlapped = 0
        self.entries: deque[Entry] = deque()

    def room_for(self, more: int) -> bool:
        """Whether so many more completions would have their place; with `counting` held."""
        return self.reserved + self.leftover + more <= self.size

    def push(self, entry: Entry) -> None:
        """A request has ended."""
        with counting:
            if self.closed:
                return
            self.entries.append(entry)
            tell = entry.loud and self.armed
            self.loud += entry.loud
            if tell:
                self.armed = False
        if tell:
            self.tell()

    def take(self, most: int) -> list[Entry]:
        """Dequeue: the requests that these were are not charged any more."""
        entries = self.entries
        with counting:
            taken = [entries.popleft() for _ in range(min(most, len(entries)))]
            for entry in taken:
                self.loud -= entry.loud
                if entry.queue.closed:
                    self.leftover -= 1
                else:
                    entry.queue.outstanding[entry.lane] -= 1
        return taken

    def notify(self) -> None:
        """Tell of the first completion that counts, once; at once if there is one.  WSAEINVAL, WSAEALREADY."""
        with counting:
            if self.event is None and self.port is None:
                raise WinsockError(WSA.WSAEINVAL)
            if self.armed:
                raise WinsockError(WSA.WSAEALREADY)
            if self.event is not None and self.reset:
                self.event.reset()
            tell = self.loud > 0
            self.armed = not tell
        if tell:
            self.tell()

    def tell(self) -> None:
        """Signal the event, or post the packet."""
        if self.event is not None:
            self.event.set()
        elif self.port is not None:
            self.port.post((SUCCESS, 0, self.key, self.overlapped))

    def close(self) -> None:
        """What ends later is dropped."""
        with counting:
            self.closed, self.armed = True, False
            self.entries.clear()


class Operation(NamedTuple):
    """A request as it was asked for; it may wait here until it is committed."""

    lane: int
    data: Slice | None
    local: Slice | None
    remote: Slice | None
    control: Slice | None
    told: Slice | None
    flags: int
    context: int


class RequestQueue:
    """A RIO_RQ: a socket's requests, by lane (READS, WRITES).

    ep             the socket, or a duplicate of it that outlives it
    limits         how many requests may be outstanding
    outstanding    how many are: asked for, and their completions not dequeued
    deferred       those that wait to be committed
    committing     a thread is starting the deferred ones, in their order
    """

    def __init__(self, ep: Endpoint, queues: tuple[CompletionQueue, CompletionQueue], context: int) -> None:
        self.ep: Endpoint = ep
        self.requests: Requests = requests_of(ep)
        self.queues = queues
        self.context = context
        self.limits = [0, 0]
        self.outstanding = [0, 0]
        self.deferred: tuple[deque[Operation], deque[Operation]] = (deque(), deque())
        self.committing = [False, False]
        self.closed = self.knows_local = False

    def resize(self, limits: Sequence[int]) -> None:
        """WSAETOOMANYREFS when more requests are outstanding, WSAENOBUFS without room in the completion queues."""
        with counting:
            more = [limit - old for limit, old in zip(limits, self.limits)]
            if any(limit < n for limit, n in zip(limits, self.outstanding)):
                raise WinsockError(WSA.WSAETOOMANYREFS)
            receiving, sending = self.queues
            shared = receiving is sending
            if not all(
                queue.room_for(sum(more) if shared else n) or (sum(more) if shared else n) <= 0
                for queue, n in zip(self.queues, more)
            ):
                raise WinsockError(WSA.WSAENOBUFS)
            for queue, n in zip(self.queues, more):
                queue.reserved += n
            self.limits = list(limits)

    def ask(self, operation: Operation) -> None:
        """Charge a request; WSAENOBUFS at the limit, WSAEINVAL when the completion queue is gone."""
        lane = operation.lane
        with counting:
            if self.closed or self.queues[lane].closed:
                raise WinsockError(WSA.WSAEINVAL)
            if self.outstanding[lane] >= self.limits[lane]:
                raise WinsockError(WSA.WSAENOBUFS)
            self.outstanding[lane] += 1
            self.deferred[lane].append(operation)

    def commit(self, ts: ThreadState, lane: int) -> None:
        """Start what was deferred.  Another thread that is at it does this one's, too: their order is kept."""
        deferred = self.deferred[lane]
        with counting:
            if self.committing[lane]:
                return
            self.committing[lane] = True
        try:
            while True:
                with counting:
                    if not deferred:
                        self.committing[lane] = False
                        return
                    operation = deferred.popleft()
                self._start(ts, operation)
        except BaseException:
            self.committing[lane] = False
            raise

    def _start(self, ts: ThreadState, operation: Operation) -> None:
        make = RegisteredReceive if operation.lane == READS else RegisteredSend
        try:
            self.ep.procs.start(make(ts, self, operation))
        except WinsockError as e:
            self.ended(operation, WSA.WSA_OPERATION_ABORTED if self.ep.closed else e.code, 0)

    def ended(self, operation: Operation, code: int, transferred: int) -> None:
        """A request has ended."""
        lane = operation.lane
        loud = not operation.flags & c.RIO_MSG_DONT_NOTIFY
        self.queues[lane].push(Entry(code, transferred, self.context, operation.context, self, lane, loud))

    def close(self) -> None:
        """The socket closes; its requests have been cancelled, all but those that nobody committed."""
        for deferred in self.deferred:
            while deferred:
                self.ended(deferred.popleft(), WSA.WSA_OPERATION_ABORTED, 0)
        with counting:
            self.closed = True
            for queue, limit, n in zip(self.queues, self.limits, self.outstanding):
                queue.reserved -= limit
                queue.leftover += n


class Registered(Request):
    """A request of a request queue: its end is told there, and nowhere else."""

    queue: RequestQueue
    operation: Operation

    def prepare(self) -> None:
        pass  # the socket's own handle has no part in it

    def tied(self) -> bool:
        return False

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        if self.status != PENDING:
            return
        self.status, self.transferred = status, transferred
        self.cleared()
        self.queue.ended(self.operation, ntstatus_to_wsa(status) if status else 0, transferred)


class RegisteredReceive(Registered, Receive):
    """RIOReceive, RIOReceiveEx."""

    def __init__(self, ts: ThreadState, queue: RequestQueue, operation: Operation) -> None:
        self.queue, self.operation = queue, operation
        ep, data, flags = queue.ep, operation.data, 0
        if operation.flags & c.RIO_MSG_WAITALL:
            flags = c.MSG_WAITALL
        view = data.memory() if data is not None else memoryview(bytearray())
        deliver, control = None, False
        if not ep.stream and operation[2:6] != (None,) * 4:
            deliver = self._deliver
            control = operation.control is not None or operation.told is not None
            if operation.local is not None:
                control = True
                _tell_local(queue)
        Receive.__init__(self, ts, ep, [view], flags, None, None, deliver, control)

    def attempt(self) -> int | None:
        operation = self.operation
        for part in operation[1:6]:
            if part is not None and part.buffer.gone:
                self.orphaned()  # the memory may be somebody else's by now
        try:
            return super().attempt()
        except Truncation:
            if operation.data is None:
                return 0  # nobody asked for the data
            raise

    def _deliver(self, message: Message) -> None:
        operation, ep = self.operation, self.ep
        told = message.flags
        if operation.remote is not None:
            operation.remote.write(pack_address(ep.family, message.address))
        if operation.local is not None:
            operation.local.write(pack_address(ep.family, _local_address(ep, message.control)))
        if operation.control is not None:
            entries = [entry for entry in message.control if _asked_for(ep, entry)]
            room = operation.control.length - c.RIO_CMSG_BASE_SIZE
            data, cut = _buffers.pack_control(entries, room)
            length = c.RIO_CMSG_BASE_SIZE + len(data)
            operation.control.write(length.to_bytes(c.RIO_CMSG_BASE_SIZE, "little") + data)
            told |= c.MSG_CTRUNC if cut else 0
        if operation.told is not None:
            operation.told.write(told.to_bytes(4, "little"))
        if told & c.MSG_CTRUNC:
            raise Truncation(message.stored)

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        if self.ep.stream and status == SUCCESS and self.status == PENDING:
            try:
                self._tell_names()
            except WinsockError:
                pass  # the memory was taken back
        super().complete(status, transferred, at_once)

    def _tell_names(self) -> None:
        """A stream's data have the stream's two ends."""
        operation, ep = self.operation, self.ep
        if operation.remote is not None and ep.remote is not None:
            operation.remote.write(pack_address(ep.family, ep.remote))
        if operation.local is not None and (local := ep.transport.local_name()) is not None:
            operation.local.write(pack_address(ep.family, local))
        if operation.control is not None:
            operation.control.write(c.RIO_CMSG_BASE_SIZE.to_bytes(c.RIO_CMSG_BASE_SIZE, "little"))
        if operation.told is not None:
            operation.told.write(bytes(4))


class RegisteredSend(Registered, Send):
    """RIOSend, RIOSendEx."""

    raw = True

    def __init__(self, ts: ThreadState, queue: RequestQueue, operation: Operation) -> None:
        self.queue, self.operation = queue, operation
        ep, data = queue.ep, operation.data
        view = data.memory() if data is not None else b""
        address: Address | None = None
        if operation.remote is not None and not ep.stream:
            address = destination(ep, operation.remote.read(0, SOCKADDR_INET), SOCKADDR_INET)
        Send.__init__(self, ts, ep, [view], 0, None, None, address, self._control())

    def _control(self) -> Sequence[tuple[int, int, bytes]]:
        """What goes along: a RIO_CMSG_BUFFER tells how long it is, itself included."""
        part, base = self.operation.control, c.RIO_CMSG_BASE_SIZE
        if part is None or self.queue.ep.stream:
            return ()
        length = int.from_bytes(part.read(0, 4), "little")
        if length <= base:
            return ()
        if length > part.length or length > _buffers.MAX_CONTROL:
            raise WinsockError(WSA.WSAEINVAL)
        return _buffers.unpack_control(part.read(base, length - base))

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        told = self.operation.told
        if told is not None and self.status == PENDING:
            try:
                told.write(bytes(4))
            except WinsockError:
                pass  # the memory was taken back
        super().complete(status, transferred, at_once)


def _tell_local(queue: RequestQueue) -> None:
    """From now on the network tells for each datagram which address it was sent to."""
    if not queue.knows_local:
        queue.knows_local = True
        ep = queue.ep
        if not ep.options.get(PKTINFO[ep.family]):
            ep.transport.tell_option(*PKTINFO[ep.family], 1)


def _local_address(ep: Endpoint, control: Sequence[tuple[int, int, bytes]]) -> Address:
    """Where a datagram arrived: as the network tells, or else as the socket is bound."""
    name: Any = ep.transport.local_name()
    for level, kind, data in control:
        if (level, kind) == PKTINFO[c.AF_INET] and len(data) == PKTINFO_4:
            host = ".".join(map(str, data[:4]))
            return (host, name[1]) if ep.family == c.AF_INET else (f"::ffff:{host}", name[1], 0, 0)
        if (level, kind) == PKTINFO[c.AF_INET6] and len(data) == PKTINFO_6:
            scope = int.from_bytes(data[16:], "little") if data[0] == 0xFE and data[1] & 0xC0 == 0x80 else 0
            host = ":".join(data[at : at + 2].hex() for at in range(0, 16, 2))
            return host, name[1], 0, scope
    return name or ("::" if ep.family == c.AF_INET6 else "0.0.0.0", 0)


def _asked_for(ep: Endpoint, entry: tuple[int, int, bytes]) -> bool:
    """Whether the program's options want it, and not only _tell_local()."""
    if entry[:2] not in PKTINFO.values():
        return True
    return any(bool(ep.options.get(key)) for key in PKTINFO.values())


class Registry:
    """What a process has of it, by the numbers that the program knows."""

    def __init__(self, process: Process) -> None:
        self.numbers = itertools.count(STEP, STEP)
        self.buffers: dict[int, Buffer] = {}
        self.completion_queues: dict[int, CompletionQueue] = {}
        self.request_queues: dict[int, RequestQueue] = {}
        self.by_endpoint: dict[Endpoint, int] = {}
        process.on_close(self.by_endpoint, self.closing)

    def closing(self, ep: Endpoint) -> None:
        """A socket closes.  A duplicate of it takes its request queue over."""
        number = self.by_endpoint.pop(ep, None)
        queue = self.request_queues.get(number) if number is not None else None
        if number is None or queue is None:
            return
        heirs = [heir for heir in queue.requests.endpoints if heir is not ep]
        if heirs:
            queue.ep = heirs[-1]
            self.by_endpoint[queue.ep] = number
        else:
            del self.request_queues[number]
            queue.close()

    def new_request_queue(
        self, ep: Endpoint, limits: Sequence[int], queues: tuple[CompletionQueue, CompletionQueue], context: int
    ) -> int:
        """WSAEINVAL for a socket that has one already, WSAENOBUFS without room in the completion queues."""
        queue = RequestQueue(ep, queues, context)
        with counting:
            if any(known in self.by_endpoint for known in queue.requests.endpoints):
                raise WinsockError(WSA.WSAEINVAL)
            queue.resize(limits)
            number = next(self.numbers)
            self.request_queues[number] = queue
            self.by_endpoint[ep] = number
        if ep.closed:
            self.closing(ep)
            raise WinsockError(WSA.WSAENOTSOCK)
        return number


def registry_of(process: Process) -> Registry:
    """The process'; made when first needed."""
    found: Registry | None = process.services.get(SERVICE)
    return process.service(SERVICE, lambda: Registry(process)) if found is None else found
