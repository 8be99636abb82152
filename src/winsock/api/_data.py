"""Sending and receiving.

recv, send, recvfrom and sendto each have a short cut: where a socket's state allows (Endpoint.fast_recv and its like)
and the arguments are plain, the transport's own call is made at once.  Whatever is unusual goes through the provider.
"""

from __future__ import annotations

import socket as linux
from ctypes import c_int32, c_uint32, sizeof
from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address
from winsock.afd import Endpoint, Truncated, ignored, lost
from winsock.afd._events import RECEIVE, told
from winsock.api import _sockaddr
from winsock.api._buffers import buffer, octets, outgoing, probe, probe_read
from winsock.api._call import SOCKET_ERROR, c_int, endpoint, slow_way
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory
from winsock.transports import Address

# The short cuts know these host flags.
DONTWAIT = int(linux.MSG_DONTWAIT)
MESSAGE_FLAGS = int(linux.MSG_DONTWAIT | linux.MSG_TRUNC)
SEND_FLAGS = int(linux.MSG_DONTWAIT | linux.MSG_NOSIGNAL)
WOULDBLOCK = int(WSA.WSAEWOULDBLOCK)
MSGSIZE = int(WSA.WSAEMSGSIZE)
MAX_INT = 0x7FFFFFFF

_NAME_SIZES = {c.AF_INET: _sockaddr.SIZE_IN, c.AF_INET6: _sockaddr.SIZE_IN6}
_LENGTHS = frozenset({c_int32, c_uint32})
_NOWHERE = frozenset({"0.0.0.0", "::"})


def recv(s: int, buf: Any, len: int, flags: int) -> int:
    """Receive at most len bytes into buf.

    s       a connected stream, or a bound socket of messages
    flags   MSG_PEEK, MSG_OOB, MSG_WAITALL

    How many bytes came; 0 at the end of the stream.  SOCKET_ERROR with WSAEWOULDBLOCK (non-blocking, nothing there),
    WSAETIMEDOUT (SO_RCVTIMEO), WSAEMSGSIZE (a message was longer; buf is filled, the rest is lost), WSAECONNRESET
    (the peer reset, again at each call; for UDP: an earlier datagram found no port), WSAENETRESET (its time to live
    ran out), WSAECONNABORTED (also: closed by another thread), WSAEINTR, WSAENOTCONN, WSAESHUTDOWN, WSAEINVAL (no
    name yet, unknown flag, MSG_OOB with SO_OOBINLINE), WSAEOPNOTSUPP, WSAEFAULT, WSAENOTSOCK.
    Source: document; resets and truncation are facts.
    """
    ts = current()
    ep: Any = None
    error = None
    try:
        ep = ts.sockets[s]
        if not flags and 0 < len <= MAX_INT:
            if ep.shape.fast_recv:
                room = octets(buf, len) if type(buf) is int else buf
                n: int = ep.raw_receive(room, len, DONTWAIT)
                ts.last_error = 0
                return n
            if ep.shape.fast_message:
                n = ep.raw_receive(_room(buf, len), len, MESSAGE_FLAGS)
                if n <= len:
                    ts.last_error = 0
                    return n
                ts.last_error = MSGSIZE
                return SOCKET_ERROR
    except BlockingIOError:
        if ep.shape.nonblocking:
            ts.last_error = WOULDBLOCK
            return SOCKET_ERROR
    except OSError as e:
        error = e.with_traceback(None)  # else a cycle keeps the socket alive
    except Exception:
        pass  # the provider finds out what was wrong
    return slow_way("recv", _recv, ts, ep, s, buf, len, flags, error)


def send(s: int, buf: Any, len: int, flags: int) -> int:
    """Send len bytes of buf to the peer.

    flags   MSG_OOB (the last byte is urgent), MSG_DONTROUTE

    How many bytes went: on a blocking stream all of them, on a non-blocking one what there was room for; a message
    goes whole.  SOCKET_ERROR with WSAEWOULDBLOCK, WSAETIMEDOUT (SO_SNDTIMEO), WSAEMSGSIZE (longer than the
    protocol allows), WSAECONNRESET, WSAECONNABORTED, WSAENOTCONN, WSAESHUTDOWN, WSAEACCES (broadcast without
    SO_BROADCAST), WSAEINVAL (unknown flag), WSAEOPNOTSUPP, WSAEFAULT, WSAENOTSOCK.  Source: document.
    """
    ts = current()
    ep: Any = None
    error = None
    try:
        ep = ts.sockets[s]
        if not flags and (ep.shape.fast_send or (ep.shape.fast_message and ep.rest.remote is not None)):
            data = buf if type(buf) is bytes and buf.__len__() == len else _octets(buf, len)
            n: int = ep.raw_send(data, SEND_FLAGS)
            if n == len or ep.shape.nonblocking:
                ts.last_error = 0
                return n
            return slow_way("send", _send_rest, ts, ep, data, n)
    except BlockingIOError:
        if ep.shape.nonblocking:
            ts.last_error = WOULDBLOCK
            return SOCKET_ERROR
    except OSError as e:
        error = e.with_traceback(None)  # else a cycle keeps the socket alive
    except Exception:
        pass
    return slow_way("send", _send, ts, ep, s, buf, len, flags, error)


def recvfrom(s: int, buf: Any, len: int, flags: int, from_: Any, fromlen: Any) -> int:
    """recv, and the sender's address into from_.

    fromlen   in: the room at from_ in bytes, out: how many the address has; both pointers may be NULL

    On a stream they are left alone.  Errors: see recv; WSAEFAULT also for too little room, before anything is taken.
    """
    ts = current()
    ep: Any = None
    error = None
    try:
        ep = ts.sockets[s]
        if (
            ep.shape.fast_message
            and not flags
            and 0 < len <= MAX_INT
            and type(fromlen) in _LENGTHS
            and fromlen.value >= (size := _NAME_SIZES[ep.family])
        ):
            name = from_ if type(from_) is bytearray and from_.__len__() == size else _name(from_, size)
            n: int
            n, address = ep.raw_receive_from(_room(buf, len), len, MESSAGE_FLAGS)
            name[:size] = pack_address(ep.family, address)
            fromlen.value = size
            if n <= len:
                ts.last_error = 0
                return n
            ts.last_error = MSGSIZE
            return SOCKET_ERROR
    except BlockingIOError:
        if ep.shape.nonblocking:
            ts.last_error = WOULDBLOCK
            return SOCKET_ERROR
    except OSError as e:
        error = e.with_traceback(None)  # else a cycle keeps the socket alive
    except Exception:
        pass
    return slow_way("recvfrom", _recvfrom, ts, ep, s, buf, len, flags, from_, fromlen, error)


def sendto(s: int, buf: Any, len: int, flags: int, to: Any, tolen: int) -> int:
    """Send a message to an address; on a stream the address is ignored, without one it is send.

    A socket without a name gets one.  Errors: see send; WSAEADDRNOTAVAIL for no address to send to (0.0.0.0, ::, or
    port 0), WSAEAFNOSUPPORT for another family's, WSAEFAULT for a short one.  Source: document.
    """
    ts = current()
    ep: Any = None
    error = None
    try:
        ep = ts.sockets[s]
        if ep.shape.fast_message and not flags and to:
            data = buf if type(buf) is bytes and buf.__len__() == len else _octets(buf, len)
            n: int = ep.raw_send_to(data, SEND_FLAGS, destination(ep, to, tolen))
            ts.last_error = 0
            return n
    except BlockingIOError:
        if ep.shape.nonblocking:
            ts.last_error = WOULDBLOCK
            return SOCKET_ERROR
    except OSError as e:
        error = e.with_traceback(None)  # else a cycle keeps the socket alive
    except Exception:
        pass
    return slow_way("sendto", _sendto, ts, ep, s, buf, len, flags, to, tolen, error)


def WSARecvEx(s: int, buf: Any, len: int, flags: Any) -> int:
    """recv that tells of a truncated message by MSG_PARTIAL in *flags instead of WSAEMSGSIZE.

    flags   an int, in (as for recv) and out; on a stream always 0 when it returns

    The rest of the message is lost (UDP keeps none).  Errors: see recv.  Source: document.
    """
    return slow_way("WSARecvEx", _recv_ex, current(), s, buf, len, flags)


# -- the way through the provider; ep is the endpoint, if the short cut found it: a call looks up its handle once


def _recv(ts: ThreadState, ep: Endpoint | None, s: Any, buf: Any, n: int, flags: int, error: OSError | None) -> int:
    ep = ep or endpoint(ts, s)
    if error is not None:
        _receive_failed(ep, error)
    return ep.procs.recv(ep, [_into(ep, buf, n)], c_int(flags))[0]


def _recvfrom(
    ts: ThreadState,
    ep: Endpoint | None,
    s: Any,
    buf: Any,
    n: int,
    flags: int,
    from_: Any,
    fromlen: Any,
    error: OSError | None,
) -> int:
    ep = ep or endpoint(ts, s)
    if error is not None:
        _receive_failed(ep, error)
    view = _into(ep, buf, n)
    if memory.is_null(from_) or memory.is_null(fromlen) or ep.stream:
        return ep.procs.recv(ep, [view], c_int(flags))[0]
    name_room(ep.family, from_, fromlen)
    try:
        got, address, _ = ep.procs.recv(ep, [view], c_int(flags))
    except Truncated as e:
        _sockaddr.write(ep.family, e.message.address, from_, fromlen)
        raise
    _sockaddr.write(ep.family, address, from_, fromlen)
    return got


def _recv_ex(ts: ThreadState, s: Any, buf: Any, n: int, flags: Any) -> int:
    ep = endpoint(ts, s)
    wanted = memory.read_i32(flags)
    memory.writable(flags, 4)
    try:
        got, _, told = ep.procs.recv(ep, [_into(ep, buf, n)], wanted & ~c.MSG_PARTIAL)
    except Truncated as e:
        got, told = e.message.stored, c.MSG_PARTIAL
    memory.write_u32(flags, told)
    return got


def _send(ts: ThreadState, ep: Endpoint | None, s: Any, buf: Any, n: int, flags: int, error: OSError | None) -> int:
    ep = ep or endpoint(ts, s)
    if error is not None:
        _send_failed(ep, error)
    return ep.procs.send(ep, outgoing(buf, n, flags), c_int(flags))


def _send_rest(ts: ThreadState, ep: Endpoint, data: Any, sent: int) -> int:
    """The short cut sent a part."""
    return sent + ep.procs.send(ep, [memoryview(data).cast("B")[sent:]], 0)


def _sendto(
    ts: ThreadState,
    ep: Endpoint | None,
    s: Any,
    buf: Any,
    n: int,
    flags: int,
    to: Any,
    tolen: int,
    error: OSError | None,
) -> int:
    ep = ep or endpoint(ts, s)
    if error is not None:
        _send_failed(ep, error)
    address = None if memory.is_null(to) or ep.stream else destination(ep, to, tolen)
    return ep.procs.send(ep, outgoing(buf, n, flags), c_int(flags), address)


def _into(ep: Endpoint, buf: Any, n: Any) -> memoryview:
    """Where a receive puts what comes."""
    try:
        return buffer(buf, n, True)
    except WinsockError as e:
        told(ep, RECEIVE, e.code)
        raise


def _receive_failed(ep: Any, error: OSError) -> None:
    """A short cut met this error, and the kernel tells it once only."""
    try:
        ep.transport.receive_failed(error)
    except WinsockError as e:
        lost(ep, e.code)
        if not ignored(ep, e.code):
            raise


def _send_failed(ep: Any, error: OSError) -> None:
    if ep.stream:
        code = ep.transport.failure(error).code
        lost(ep, code)
        raise WinsockError(code)
    # A datagram: this took an earlier one's error from the socket, so the next receive looks into the queue; or it
    # was this one's own error, and sending again finds that out.
    ep.errors_waiting = True


# -- arguments


def _octets(buf: Any, n: int) -> Any:
    """An object of exactly n bytes for a send: the buffer itself if it is that long."""
    kind = type(buf)
    if kind is int:
        if 0 <= n <= MAX_INT:
            if n:
                probe_read(buf, n)
            return octets(buf, n)
        raise WinsockError(WSA.WSAEFAULT)
    if kind is bytearray or kind is bytes:
        size = buf.__len__()
    elif kind is memoryview:
        size = buf.nbytes
    else:
        size = sizeof(buf)
    if size == n:
        return buf
    return memory.view(buf, n) if n >= 0 else _fault()


def _room(buf: Any, n: int) -> Any:
    """Where a message goes; memory at a raw address is looked at first, as the kernel would lose the message."""
    if type(buf) is int:
        probe(buf, n)
        return octets(buf, n)
    return buf


def _name(ptr: Any, size: int) -> memoryview:
    """Where an address goes."""
    if type(ptr) is int:
        probe(ptr, size)
    return memory.view(ptr, size, True)


def _fault() -> Any:
    raise WinsockError(WSA.WSAEFAULT)


def name_room(family: int, name: Any, namelen: Any) -> None:
    """WSAEFAULT unless an address of the family fits: known before a message is taken from the queue."""
    size = _NAME_SIZES.get(family, _sockaddr.SIZE_UN)
    if memory.read_i32(namelen) < size:
        raise WinsockError(WSA.WSAEFAULT)
    memory.writable(name, size)
    memory.writable(namelen, 4)


def destination(ep: Any, to: Any, tolen: int) -> Address:
    """The address at `to` for a message of this socket."""
    if type(to) is bytearray and to.__len__() == tolen:
        return _destination(bytes(to), ep.family, ep.type)
    if type(to) is bytes and to.__len__() == tolen:
        return _destination(to, ep.family, ep.type)
    address = _sockaddr.read(to, c_int(tolen), ep.family)
    _check_destination(address, ep.type)
    return address


@lru_cache(1024)
def _destination(data: bytes, family: int, type: int) -> Address:
    address = _sockaddr.read(data, len(data), family)
    _check_destination(address, type)
    return address


def _check_destination(address: Address, type: int) -> None:
    if isinstance(address, tuple) and (address[0] in _NOWHERE or (not address[1] and type != c.SOCK_RAW)):
        raise WinsockError(WSA.WSAEADDRNOTAVAIL)
