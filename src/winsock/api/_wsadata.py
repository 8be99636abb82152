"""Sending and receiving with scattered buffers and control data: WSASend, WSARecv and their like."""

from __future__ import annotations

import struct
from ctypes import Structure, c_uint32
from typing import Any, Final

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address
from winsock.afd import Endpoint, Truncated
from winsock.afd._plain import OwnOverlapped, PlainReceive
from winsock.afd._receiving import Receive
from winsock.afd._requests import Truncation
from winsock.afd._sending import Send
from winsock.api import _buffers, _sockaddr
from winsock.api._call import SOCKET_ERROR, dword, endpoint, export, slow_way, unexpected
from winsock.api._data import destination, name_room
from winsock.api._overlapped import as_routine, start, store
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory
from winsock.transports import Message

_event: Final = struct.Struct("<24xQ").unpack_from  # of an OVERLAPPED
_wsabuf: Final = _buffers.WSABUF.unpack_from
BY_REFERENCE: Final = memory._ByRef
IO_PENDING: Final = int(WSA.WSA_IO_PENDING)
SENDMSG_FLAGS = c.MSG_DONTROUTE | c.MSG_PARTIAL | c.MSG_OOB


def _overlapped(count: Any, overlapped: Any, routine: Any) -> bool:
    """Whether the call is an overlapped one; WSAEFAULT if it is not and has nowhere to put the byte count.

    A routine without an OVERLAPPED is ignored, as on Windows.
    """
    if memory.is_null(overlapped):
        if memory.is_null(count):
            raise memory.fault()
        memory.writable(count, 4)
        return False
    return True


class _Send(Send):
    raw = True  # WSABUF has addresses


@export(SOCKET_ERROR)
def WSASend(
    ts: ThreadState,
    s: int,
    lpBuffers: Any,
    dwBufferCount: int,
    lpNumberOfBytesSent: Any,
    dwFlags: int,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """Send the buffers of a WSABUF array, one after the other; how many bytes went is stored.

    Errors: see send; WSAEINVAL for no buffers, WSAEFAULT for a missing count.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    overlapped = _overlapped(lpNumberOfBytesSent, lpOverlapped, lpCompletionRoutine)
    views = _buffers.wsabufs_out(lpBuffers, dword(dwBufferCount), dword(dwFlags), ep.stream)
    if overlapped:
        request = _Send(ts, ep, views, dword(dwFlags), lpOverlapped, as_routine(lpCompletionRoutine))
        return start(request, lpNumberOfBytesSent)
    memory.write_u32(lpNumberOfBytesSent, ep.procs.send(ep, views, dword(dwFlags)))
    return 0


@export(SOCKET_ERROR)
def WSASendTo(
    ts: ThreadState,
    s: int,
    lpBuffers: Any,
    dwBufferCount: int,
    lpNumberOfBytesSent: Any,
    dwFlags: int,
    lpTo: Any,
    iTolen: int,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """sendto with a WSABUF array.  Errors: see sendto and WSASend."""
    ep = endpoint(ts, s)
    overlapped = _overlapped(lpNumberOfBytesSent, lpOverlapped, lpCompletionRoutine)
    views = _buffers.wsabufs_out(lpBuffers, dword(dwBufferCount), dword(dwFlags), ep.stream)
    address = None if memory.is_null(lpTo) or ep.stream else destination(ep, lpTo, iTolen)
    if overlapped:
        request = _Send(ts, ep, views, dword(dwFlags), lpOverlapped, as_routine(lpCompletionRoutine), address)
        return start(request, lpNumberOfBytesSent)
    memory.write_u32(lpNumberOfBytesSent, ep.procs.send(ep, views, dword(dwFlags), address))
    return 0


def WSARecv(
    s: int,
    lpBuffers: Any,
    dwBufferCount: int,
    lpNumberOfBytesRecvd: Any,
    lpFlags: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """Receive into the buffers of a WSABUF array; each is filled before the next one.

    lpFlags    a DWORD, in: as recv's, out: MSG_PARTIAL for a message that was longer (with WSAEMSGSIZE)

    Errors: see recv; a failure leaves the byte count as it was.  Source: document, facts.
    """
    ts = current()
    request = None
    try:
        if dwBufferCount == 1 and lpCompletionRoutine is None and not ts.blocking:
            request = _plain(ts, ts.sockets[s], lpBuffers, lpFlags, lpOverlapped)
    except Exception:
        pass  # the long way finds out what was wrong
    if request is None:
        rest = lpNumberOfBytesRecvd, lpFlags, lpOverlapped, lpCompletionRoutine
        return slow_way("WSARecv", _receive, ts, s, lpBuffers, dwBufferCount, *rest)
    try:
        if request.begin():
            store(request, lpNumberOfBytesRecvd)
            ts.last_error = 0
            return 0
        ts.last_error = IO_PENDING
    except WinsockError as e:
        ts.last_error = e.code
    except Exception as e:
        ts.last_error = unexpected("WSARecv", e, (s,))
    return SOCKET_ERROR


def _plain(ts: ThreadState, ep: Any, array: Any, flags: Any, overlapped: Any) -> PlainReceive | None:
    """The request for one buffer, without flags or event, on a socket with a port; None if it is not as plain."""
    if type(flags) is BY_REFERENCE:
        flags = flags._obj  # type: ignore[attr-defined]
    if type(overlapped) is BY_REFERENCE:
        overlapped = overlapped._obj  # type: ignore[attr-defined]
    shape = ep.shape
    if (
        not shape.open_recv
        or type(flags) is not c_uint32
        or flags.value
        or not isinstance(overlapped, Structure)
        or _event(overlapped)[0]
    ):
        return None
    requests = ep.rest.requests
    room, address = _wsabuf(array)
    if not room or requests is None or requests.port is None:
        return None
    _buffers.probe(address, room)
    return PlainReceive(ts, ep, requests, _buffers.octets(address, room), room, OwnOverlapped(overlapped))


@export(SOCKET_ERROR)
def WSARecvFrom(
    ts: ThreadState,
    s: int,
    lpBuffers: Any,
    dwBufferCount: int,
    lpNumberOfBytesRecvd: Any,
    lpFlags: Any,
    lpFrom: Any,
    lpFromlen: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """WSARecv, and the sender's address as recvfrom gives it."""
    return _receive(
        ts,
        s,
        lpBuffers,
        dwBufferCount,
        lpNumberOfBytesRecvd,
        lpFlags,
        lpOverlapped,
        lpCompletionRoutine,
        lpFrom,
        lpFromlen,
    )


def _receive(
    ts: ThreadState,
    s: Any,
    array: Any,
    count: Any,
    received: Any,
    flags_ptr: Any,
    overlapped: Any,
    routine: Any,
    name: Any = None,
    namelen: Any = None,
) -> int:
    ep = endpoint(ts, s)
    pending = _overlapped(received, overlapped, routine)
    flags = memory.read_u32(flags_ptr)
    memory.writable(flags_ptr, 4)
    views = _buffers.wsabufs_in(array, dword(count))
    named = not (memory.is_null(name) or memory.is_null(namelen) or ep.stream)
    if named:
        name_room(ep.family, name, namelen)
    if pending:

        def deliver(message: Message) -> None:
            _sockaddr.write(ep.family, message.address, name, namelen)

        request = Receive(ts, ep, views, flags, overlapped, as_routine(routine), deliver if named else None)
        return start(request, received, flags_ptr)
    try:
        got, address, told = ep.procs.recv(ep, views, flags)
    except Truncated as e:
        memory.write_u32(received, e.message.stored)
        memory.write_u32(flags_ptr, c.MSG_PARTIAL)
        if named:
            _sockaddr.write(ep.family, e.message.address, name, namelen)
        raise
    memory.write_u32(received, got)
    memory.write_u32(flags_ptr, told)
    if named:
        _sockaddr.write(ep.family, address, name, namelen)
    return 0


@export(SOCKET_ERROR)
def WSASendMsg(
    ts: ThreadState,
    s: int,
    lpMsg: Any,
    dwFlags: int,
    lpNumberOfBytesSent: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """Send a message with an address and control data (IP_PKTINFO chooses where from, ...).

    lpMsg      WSAMSG; its own dwFlags count for nothing
    dwFlags    MSG_DONTROUTE

    Errors: see sendto; WSAEINVAL on streams (fact) and for control data that cannot be sent, WSAEFAULT for NULL,
    WSAEOPNOTSUPP for flags that do not exist.
    """
    ep = endpoint(ts, s)
    if memory.is_null(lpMsg):
        raise memory.fault()
    overlapped = _overlapped(lpNumberOfBytesSent, lpOverlapped, lpCompletionRoutine)
    msg = _buffers.wsamsg(lpMsg)
    if ep.stream:
        raise WinsockError(WSA.WSAEINVAL)
    flags = dword(dwFlags)
    if flags & ~SENDMSG_FLAGS:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    views = _buffers.wsabufs_out(msg.buffers or None, msg.buffer_count, flags, False)
    if msg.control_len > _buffers.MAX_CONTROL:
        raise WinsockError(WSA.WSAEINVAL)
    control = _buffers.unpack_control(memory.read(msg.control, msg.control_len)) if msg.control_len else ()
    address = destination(ep, msg.name, msg.namelen) if msg.namelen else None
    if overlapped:
        request = _Send(ts, ep, views, flags, lpOverlapped, as_routine(lpCompletionRoutine), address, control)
        return start(request, lpNumberOfBytesSent)
    memory.write_u32(lpNumberOfBytesSent, ep.procs.send(ep, views, flags, address, control))
    return 0


@export(SOCKET_ERROR)
def WSARecvMsg(
    ts: ThreadState, s: int, lpMsg: Any, lpdwNumberOfBytesRecvd: Any, lpOverlapped: Any, lpCompletionRoutine: Any
) -> int:
    """Receive a message with its sender and the control data that options asked for.

    lpMsg      WSAMSG; namelen, Control.len and dwFlags (MSG_TRUNC, MSG_CTRUNC, MSG_MCAST, MSG_BCAST) are set.
               In: MSG_PEEK.

    WSAEMSGSIZE when the message or its control data was longer; what there is room for is delivered all the same
    (fact).  Other errors: see recvfrom; WSAEINVAL on streams.
    """
    ep = endpoint(ts, s)
    if memory.is_null(lpMsg):
        raise memory.fault()
    overlapped = _overlapped(lpdwNumberOfBytesRecvd, lpOverlapped, lpCompletionRoutine)
    msg = _buffers.wsamsg(lpMsg)
    if msg.flags & ~c.MSG_PEEK or (msg.flags and ep.type != c.SOCK_DGRAM):
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if ep.stream:
        raise WinsockError(WSA.WSAEINVAL)
    views = _buffers.wsabufs_in(msg.buffers or None, msg.buffer_count)
    memory.writable(lpMsg, _buffers.WSAMSG.size)
    room = _buffers.name_size(ep.family) if msg.namelen else 0
    if msg.namelen < room:
        raise memory.fault()
    if room:
        _buffers.probe(msg.name, room)
    if msg.control_len:
        _buffers.probe(msg.control, msg.control_len)
    if overlapped:

        def deliver(message: Message) -> None:
            if _deliver(ep, lpMsg, msg, message) & c.MSG_CTRUNC:
                raise Truncation(message.stored)

        request = Receive(
            ts, ep, views, msg.flags, lpOverlapped, as_routine(lpCompletionRoutine), deliver, control=True
        )
        return start(request, lpdwNumberOfBytesRecvd)
    got = ep.procs.recv_message(ep, views, True, msg.flags)
    told = _deliver(ep, lpMsg, msg, got)
    memory.write_u32(lpdwNumberOfBytesRecvd, got.stored)
    if told & (c.MSG_TRUNC | c.MSG_CTRUNC):
        raise WinsockError(WSA.WSAEMSGSIZE)
    return 0


def _deliver(ep: Endpoint, ptr: Any, msg: _buffers.Msg, got: Message) -> int:
    """Store a message's sender and control data where its WSAMSG says; the flags told."""
    control, cut = _buffers.pack_control(got.control, msg.control_len)
    told = got.flags | (c.MSG_CTRUNC if cut else 0)
    name = pack_address(ep.family, got.address) if msg.namelen else b""
    if name:
        memory.write(msg.name, name)
    if control:
        memory.write(msg.control, control)
    memory.write(ptr, msg._replace(namelen=len(name), control_len=len(control), flags=told).pack())
    return told
