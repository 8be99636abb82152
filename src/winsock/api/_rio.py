"""Registered I/O: the functions that SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER hands out as a table.

As on Windows no DLL exports them.  Source: documents; Wine 8 has none of it.
"""

from __future__ import annotations

import struct
from typing import Any, TypeVar

from winsock.abi import _constants as c
from winsock.afd._requests import READS, WRITES
from winsock.api._call import dword, endpoint, export
from winsock.api._events import reactor
from winsock.api._rio_queues import (
    SOCKADDR_INET,
    Buffer,
    CompletionQueue,
    Operation,
    Registry,
    RequestQueue,
    Slice,
    registry_of,
)
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._completion import CompletionPort
from winsock.nt._objects import Event
from winsock.nt._objects import taking as counting

Queue = TypeVar("Queue", CompletionQueue, RequestQueue)

TRUE, FALSE = 1, 0
MASK = (1 << 64) - 1
RIO_BUF = struct.Struct("<QII")  # BufferId, Offset, Length
RIORESULT = struct.Struct("<iIQQ")  # Status, BytesTransferred, SocketContext, RequestContext
NOTIFICATION = struct.Struct("<i4xQQQ")  # Type; a handle, then NotifyReset or CompletionKey, then Overlapped
DWORD_SIZE = 4
RECEIVE_FLAGS = c.RIO_MSG_DONT_NOTIFY | c.RIO_MSG_DEFER | c.RIO_MSG_WAITALL
SEND_FLAGS = c.RIO_MSG_DONT_NOTIFY | c.RIO_MSG_DEFER


def _invalid() -> WinsockError:
    return WinsockError(WSA.WSAEINVAL)


def _number(value: Any) -> int:
    """A descriptor or a context; NULL is 0, an object stands for its address."""
    if type(value) is int:
        return value & MASK
    return 0 if value is None else memory.address(value) & MASK


# -- buffers


@export(c.RIO_INVALID_BUFFERID)
def RIORegisterBuffer(ts: ThreadState, DataBuffer: Any, DataLength: int) -> int:
    """Register memory that requests may use; its number.

    An object is kept alive, and a bytearray in its size, until RIODeregisterBuffer.

    RIO_INVALID_BUFFERID with WSAEINVAL for no bytes, WSAEFAULT for memory that is not there or cannot be written.
    """
    size = dword(DataLength)
    if not size:
        raise _invalid()
    if memory.is_null(DataBuffer):
        raise memory.fault()
    registry = registry_of(ts.process)
    buffer = Buffer(DataBuffer, size)
    with counting:
        number = next(registry.numbers)
        registry.buffers[number] = buffer
    return number


@export(None)
def RIODeregisterBuffer(ts: ThreadState, BufferId: int) -> None:
    """The memory is the program's alone again; requests that use it end as usual, but touch it no more.

    Other numbers are ignored.
    """
    buffer = registry_of(ts.process).buffers.pop(_number(BufferId), None)
    if buffer is not None:
        buffer.gone = True


# -- completion queues


@export(c.RIO_INVALID_CQ)
def RIOCreateCompletionQueue(ts: ThreadState, QueueSize: int, NotificationCompletion: Any) -> int:
    """A queue of completions.

    QueueSize                 how many it takes, 1 to RIO_MAX_CQ_SIZE; it must do for all its request queues together
    NotificationCompletion    RIO_NOTIFICATION_COMPLETION: what RIONotify signals, an event, or where it posts, a
                              completion port; NULL when the program only polls

    RIO_INVALID_CQ with WSAEINVAL (size, type, a handle that is no event or port, no OVERLAPPED), WSAEFAULT.
    """
    queue = CompletionQueue(_queue_size(QueueSize))
    if not memory.is_null(NotificationCompletion):
        kind, handle, key, overlapped = NOTIFICATION.unpack(memory.read(NotificationCompletion, NOTIFICATION.size))
        target = ts.process.handles.get(handle & ~3)
        if kind == c.RIO_EVENT_COMPLETION and isinstance(target, Event):
            queue.event = target
            queue.reset = bool(dword(key))
        elif kind == c.RIO_IOCP_COMPLETION and isinstance(target, CompletionPort) and overlapped:
            queue.port, queue.key, queue.overlapped = target, key, overlapped
        else:
            raise _invalid()
    registry = registry_of(ts.process)
    with counting:
        number = next(registry.numbers)
        registry.completion_queues[number] = queue
    return number


def _queue_size(value: Any) -> int:
    size = dword(value)
    if not 1 <= size <= c.RIO_MAX_CQ_SIZE:
        raise _invalid()
    return size


def _found(queues: dict[int, Queue], number: Any) -> Queue:
    queue = queues.get(_number(number))
    if queue is None:
        raise _invalid()
    return queue


@export(FALSE)
def RIOResizeCompletionQueue(ts: ThreadState, CQ: int, QueueSize: int) -> int:
    """Make a queue larger or smaller; what lies in it stays.

    FALSE with WSAEINVAL for a queue that is none or a size out of range, WSAETOOMANYREFS when its request queues may
    have more outstanding.
    """
    queue, size = _found(registry_of(ts.process).completion_queues, CQ), _queue_size(QueueSize)
    with counting:
        if queue.reserved + queue.leftover > size:
            raise WinsockError(WSA.WSAETOOMANYREFS)
        queue.size = size
    return TRUE


@export(None)
def RIOCloseCompletionQueue(ts: ThreadState, CQ: int) -> None:
    """Close a queue: what it holds, and what ends later, is lost.  RIO_INVALID_CQ is ignored."""
    queue = registry_of(ts.process).completion_queues.pop(_number(CQ), None)
    if queue is not None:
        queue.close()


@export(c.RIO_CORRUPT_CQ)
def RIODequeueCompletion(ts: ThreadState, CQ: int, Array: Any, ArraySize: int) -> int:
    """Take completions, in the order in which requests ended; how many.

    Array        room for ArraySize RIORESULT structures.  Status is 0 or Winsock's code: WSA_OPERATION_ABORTED for a
                 request that the socket's close has ended

    An empty queue looks at once whether anything has happened.  RIO_CORRUPT_CQ for a queue that is none, with
    WSAEINVAL as last error, and for a bad pointer, with WSAEFAULT; nothing is taken then.
    """
    queue, most = _found(registry_of(ts.process).completion_queues, CQ), dword(ArraySize)
    if not most:
        return 0
    if memory.is_null(Array):
        raise memory.fault()
    entries = queue.entries
    if not entries:
        reactor(ts.process).wait(ts, lambda: True if entries else None, 0)
    n = min(most, len(entries))
    if not n:
        return 0
    memory.writable(Array, n * RIORESULT.size)
    taken = queue.take(n)
    memory.write(Array, b"".join(RIORESULT.pack(*entry[:4]) for entry in taken))
    return len(taken)


def RIONotify(CQ: int) -> int:
    """Have the queue's event signalled, or its packet posted, once, when a completion lies in it.

    At once if there is one already; requests with RIO_MSG_DONT_NOTIFY don't count.  With NotifyReset the event is
    reset first.

    0, or the code: WSAEINVAL for a queue that is none or has nothing to signal, WSAEALREADY while the last call
    has not told anything.
    """
    return _notify(CQ)


@export(WSA.WSAEINVAL.value, startup=False, clears=False)
def _notify(ts: ThreadState, CQ: int) -> int:
    try:
        if not ts.process.startups:
            raise WinsockError(WSA.WSANOTINITIALISED)
        _found(registry_of(ts.process).completion_queues, CQ).notify()
    except WinsockError as e:
        ts.last_error = e.code
        return e.code
    return 0


# -- request queues


@export(c.RIO_INVALID_RQ)
def RIOCreateRequestQueue(
    ts: ThreadState,
    Socket: int,
    MaxOutstandingReceive: int,
    MaxReceiveDataBuffers: int,
    MaxOutstandingSend: int,
    MaxSendDataBuffers: int,
    ReceiveCQ: int,
    SendCQ: int,
    SocketContext: Any,
) -> int:
    """The request queue of a socket, until it closes.

    Socket                      made with WSA_FLAG_REGISTERED_IO, or accepted by a listener that was
    MaxOutstanding...           how many requests may be outstanding; their completion queues must have room for them
    Max...DataBuffers           1
    ReceiveCQ, SendCQ           may be the same
    SocketContext               comes back with each completion

    RIO_INVALID_RQ with WSAENOTSOCK, WSAEOPNOTSUPP for another kind of socket, WSAEINVAL for a completion queue that
    is none, no requests at all or a socket that has a request queue already, WSAENOBUFS without room in the
    completion queues.
    """
    ep = endpoint(ts, Socket)
    if (
        not ep.flags & c.WSA_FLAG_REGISTERED_IO
        or ep.family not in (c.AF_INET, c.AF_INET6)
        or ep.type not in (c.SOCK_STREAM, c.SOCK_DGRAM)
    ):
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    limits = _limits(MaxOutstandingReceive, MaxOutstandingSend)
    if dword(MaxReceiveDataBuffers) != 1 or dword(MaxSendDataBuffers) != 1:
        raise _invalid()
    registry = registry_of(ts.process)
    queues = _found(registry.completion_queues, ReceiveCQ), _found(registry.completion_queues, SendCQ)
    return registry.new_request_queue(ep, limits, queues, _number(SocketContext))


def _limits(receives: Any, sends: Any) -> tuple[int, int]:
    limits = dword(receives), dword(sends)
    if not any(limits):
        raise _invalid()
    return limits


@export(FALSE)
def RIOResizeRequestQueue(ts: ThreadState, RQ: int, MaxOutstandingReceive: int, MaxOutstandingSend: int) -> int:
    """Allow more or fewer outstanding requests.

    FALSE with WSAEINVAL for a queue that is none or two zeros, WSAETOOMANYREFS when more are outstanding,
    WSAENOBUFS without room in the completion queues.
    """
    queue = _found(registry_of(ts.process).request_queues, RQ)
    queue.resize(_limits(MaxOutstandingReceive, MaxOutstandingSend))
    return TRUE


# -- requests


@export(FALSE)
def RIOReceive(
    ts: ThreadState, SocketQueue: int, pData: Any, DataBufferCount: int, Flags: int, RequestContext: Any
) -> int:
    """Receive into part of a registered buffer.

    pData              RIO_BUF; NULL, and a count of 0, for a datagram whose data nobody wants
    Flags              RIO_MSG_DEFER: wait for a receive without it, or for RIO_MSG_COMMIT_ONLY, which starts those
                       that wait and takes no other argument; RIO_MSG_DONT_NOTIFY: see RIONotify; RIO_MSG_WAITALL:
                       fill the buffer (streams only)
    RequestContext     comes back with the completion

    TRUE: the completion lies in the queue or will.  FALSE with WSAEINVAL, WSAEFAULT for a bad pointer or a buffer
    that is not registered, WSAENOBUFS when too many are outstanding.  What the network refuses, the completion tells.
    """
    return _ask(ts, READS, SocketQueue, pData, DataBufferCount, None, None, None, None, Flags, RequestContext)


@export(FALSE)
def RIOReceiveEx(
    ts: ThreadState,
    SocketQueue: int,
    pData: Any,
    DataBufferCount: int,
    pLocalAddress: Any,
    pRemoteAddress: Any,
    pControlContext: Any,
    pFlags: Any,
    Flags: int,
    RequestContext: Any,
) -> int:
    """RIOReceive that tells more; each a RIO_BUF or NULL.

    pLocalAddress, pRemoteAddress    room for a SOCKADDR_INET: where the data arrived, who sent them
    pControlContext                  room for a RIO_CMSG_BUFFER: the control data that options asked for
    pFlags                           room for a DWORD: MSG_TRUNC, MSG_CTRUNC, MSG_BCAST, MSG_MCAST
    """
    return _ask(
        ts, READS, SocketQueue, pData, DataBufferCount, pLocalAddress, pRemoteAddress, pControlContext, pFlags, Flags,
        RequestContext,
    )  # fmt: skip


@export(FALSE)
def RIOSend(
    ts: ThreadState, SocketQueue: int, pData: Any, DataBufferCount: int, Flags: int, RequestContext: Any
) -> int:
    """Send part of a registered buffer; it must not change until the completion is there.

    Arguments and errors: see RIOReceive; no RIO_MSG_WAITALL.
    """
    return _ask(ts, WRITES, SocketQueue, pData, DataBufferCount, None, None, None, None, Flags, RequestContext)


@export(FALSE)
def RIOSendEx(
    ts: ThreadState,
    SocketQueue: int,
    pData: Any,
    DataBufferCount: int,
    pLocalAddress: Any,
    pRemoteAddress: Any,
    pControlContext: Any,
    pFlags: Any,
    Flags: int,
    RequestContext: Any,
) -> int:
    """RIOSend with more; each a RIO_BUF or NULL.

    pLocalAddress      reserved: NULL
    pRemoteAddress     a SOCKADDR_INET: where a datagram goes
    pControlContext    a RIO_CMSG_BUFFER: control data that goes along
    pFlags             room for a DWORD, which will be 0
    """
    if not memory.is_null(pLocalAddress):
        raise _invalid()
    return _ask(
        ts, WRITES, SocketQueue, pData, DataBufferCount, None, pRemoteAddress, pControlContext, pFlags, Flags,
        RequestContext,
    )  # fmt: skip


def _ask(
    ts: ThreadState,
    lane: int,
    number: Any,
    data: Any,
    count: Any,
    local: Any,
    remote: Any,
    control: Any,
    told: Any,
    flags: Any,
    context: Any,
) -> int:
    registry = registry_of(ts.process)
    queue = _found(registry.request_queues, number)
    count, flags = dword(count), dword(flags)
    if flags & c.RIO_MSG_COMMIT_ONLY:
        others = (data, local, remote, control, told, context)
        if flags != c.RIO_MSG_COMMIT_ONLY or count or not all(map(memory.is_null, others)):
            raise _invalid()
        queue.commit(ts, lane)
        return TRUE
    stream = queue.ep.stream
    if flags & ~(RECEIVE_FLAGS if lane == READS else SEND_FLAGS) or (flags & c.RIO_MSG_WAITALL and not stream):
        raise _invalid()
    if count != (0 if memory.is_null(data) else 1) or (not count and stream):
        raise _invalid()
    operation = Operation(
        lane,
        _slice(registry, data, 0),
        _slice(registry, local, SOCKADDR_INET),
        _slice(registry, remote, SOCKADDR_INET),
        _slice(registry, control, c.RIO_CMSG_BASE_SIZE),
        _slice(registry, told, DWORD_SIZE),
        flags,
        _number(context),
    )
    queue.ask(operation)
    if not flags & c.RIO_MSG_DEFER:
        queue.commit(ts, lane)
    return TRUE


def _slice(registry: Registry, ptr: Any, least: int) -> Slice | None:
    """The part of a registered buffer that a RIO_BUF names; WSAEINVAL for one that is not within it or too small."""
    if ptr is None or memory.is_null(ptr):
        return None
    number, offset, length = RIO_BUF.unpack(memory.read(ptr, RIO_BUF.size))
    buffer = registry.buffers.get(number)
    if buffer is None:
        raise memory.fault()
    if offset + length > buffer.size or length < least:
        raise _invalid()
    part = Slice(buffer, offset, length)
    part.probe()
    return part
