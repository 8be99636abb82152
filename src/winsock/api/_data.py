"""Sending and receiving."""

from __future__ import annotations

import socket as linux
from typing import Any

from winsock.api import _sockaddr
from winsock.api._call import SOCKET_ERROR, c_int, endpoint, unexpected
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory

# The short cut of recv and send knows these two host flags; everything else goes through the provider.
DONTWAIT = linux.MSG_DONTWAIT
SEND_FLAGS = linux.MSG_DONTWAIT | linux.MSG_NOSIGNAL


def recv(s: int, buf: Any, len: int, flags: int) -> int:
    """Receive at most len bytes into buf: how many, 0 at the end of the stream, SOCKET_ERROR."""
    ts = current()
    try:
        ep: Any = ts.sockets[s]
        if ep.fast_recv and not flags and len:
            n: int = ep.transport.fast_receive(buf, len, DONTWAIT)
            ts.last_error = 0
            return n
    except Exception:
        pass  # the provider finds out what was wrong
    return _slow("recv", _recv, ts, s, buf, len, flags)


def send(s: int, buf: Any, len: int, flags: int) -> int:
    """Send len bytes of buf: how many went, SOCKET_ERROR.  A blocking stream takes them all."""
    ts = current()
    try:
        ep: Any = ts.sockets[s]
        if ep.fast_send and not flags and type(buf) is bytes and buf.__len__() == len:
            n: int = ep.transport.fast_send(buf, SEND_FLAGS)
            if n == len:
                ts.last_error = 0
                return n
            return _slow("send", _send_rest, ts, s, buf, n, flags)
    except Exception:
        pass
    return _slow("send", _send, ts, s, buf, len, flags)


def recvfrom(s: int, buf: Any, len: int, flags: int, from_: Any, fromlen: Any) -> int:
    """recv, and the sender's address into from_ and fromlen (bytes, in and out), which may be NULL."""
    return _slow("recvfrom", _recvfrom, current(), s, buf, len, flags, from_, fromlen)


def sendto(s: int, buf: Any, len: int, flags: int, to: Any, tolen: int) -> int:
    """Send a datagram to an address."""
    return _slow("sendto", _sendto, current(), s, buf, len, flags, to, tolen)


def _slow(name: str, function: Any, ts: ThreadState, *args: Any) -> int:
    """The way through the provider, with the conversion of errors."""
    try:
        if not ts.process.startups:
            raise WinsockError(WSA.WSANOTINITIALISED)
        n: int = function(ts, *args)
        ts.last_error = 0
        return n
    except WinsockError as e:
        ts.last_error = e.code
    except Exception as e:
        ts.last_error = unexpected(name, e, args)
    return SOCKET_ERROR


def _recv(ts: ThreadState, s: Any, buf: Any, n: int, flags: int) -> int:
    ep = endpoint(ts, s)
    return ep.procs.recv(ep, [_buffer(buf, n)], c_int(flags))[0]


def _recvfrom(ts: ThreadState, s: Any, buf: Any, n: int, flags: int, from_: Any, fromlen: Any) -> int:
    ep = endpoint(ts, s)
    got, address, _ = ep.procs.recv(ep, [_buffer(buf, n)], c_int(flags))
    if from_ is not None and fromlen is not None and address and not ep.stream:
        _sockaddr.write(ep.family, address, from_, fromlen)
    return got


def _send(ts: ThreadState, s: Any, buf: Any, n: int, flags: int) -> int:
    ep = endpoint(ts, s)
    return ep.procs.send(ep, [_buffer(buf, n, False)], c_int(flags))


def _send_rest(ts: ThreadState, s: Any, buf: bytes, sent: int, flags: int) -> int:
    """The short cut sent a part."""
    ep = endpoint(ts, s)
    if ep.nonblocking:
        return sent
    return sent + ep.procs.send(ep, [memoryview(buf)[sent:]], flags)


def _sendto(ts: ThreadState, s: Any, buf: Any, n: int, flags: int, to: Any, tolen: int) -> int:
    ep = endpoint(ts, s)
    address = None if to is None else _sockaddr.read(to, c_int(tolen), ep.family)
    return ep.procs.send(ep, [_buffer(buf, n, False)], c_int(flags), address)


def _buffer(buf: Any, n: int, writable: bool = True) -> memoryview:
    """n bytes of the caller's; an empty one may be NULL."""
    n = c_int(n)
    if n == 0:
        return memoryview(bytearray())
    if n < 0:
        raise WinsockError(WSA.WSAEFAULT)
    return memory.view(buf, n, writable)


