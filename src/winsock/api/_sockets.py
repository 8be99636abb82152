"""Sockets: making, naming, connecting and closing them."""

from __future__ import annotations

from typing import Any

from winsock import afd, spi
from winsock.abi import _constants as c
from winsock.afd._connection import accept_plain, check_remote, outcome, start_stream
from winsock.afd._endpoint import NO_REST
from winsock.afd._ports import ASSOCIATION
from winsock.api import _sockaddr
from winsock.api._call import INVALID_SOCKET, SOCKET_ERROR, c_int, endpoint, export, unexpected
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._process import _tls

MANY_PEERS = 256

_bytes_of = b"".join  # of any buffers, and of nothing else; bytes() would take numbers and lists


def socket(af: int, type: int, protocol: int) -> int:
    """A new socket, with the overlapped attribute unless the thread's SO_OPENTYPE says otherwise.

    A type or protocol of 0, or AF_UNSPEC, is filled in from the catalog.  Errors: see WSASocketW.
    """
    try:
        ts = _tls.state
        if not (ts.open_type or ts.blocking):
            process = ts.process
            if process.startups and af | type | protocol:  # numbers they are
                handle = process.openers[af, type, protocol]()
                if process.startups:
                    ts.last_error = 0
                    return handle
                spi.close_socket(process, handle)  # another thread called WSACleanup, which may have done so
    except Exception:
        pass  # the long way finds out what was wrong
    return _socket(af, type, protocol)


@export(INVALID_SOCKET)
def _socket(ts: ThreadState, af: int, type: int, protocol: int) -> int:
    flags = 0 if ts.open_type else c.WSA_FLAG_OVERLAPPED
    return kept(ts, spi.open_socket(ts.process, c_int(af), c_int(type), c_int(protocol), flags))


def kept(ts: ThreadState, ep: afd.Endpoint) -> int:
    """A new socket's handle; WSANOTINITIALISED if another thread called WSACleanup meanwhile, which ends it too."""
    if not ts.process.startups:
        try:
            spi.close_socket(ts.process, ep.handle)
        except WinsockError:
            pass  # WSACleanup did
        raise WinsockError(WSA.WSANOTINITIALISED)
    return ep.handle


def given(pointer: Any) -> bool:
    """Whether an optional pointer is not NULL."""
    return not memory.is_null(pointer)


def closesocket(s: int) -> int:
    """Close a socket; calls of other threads that wait on it end.

    What SO_LINGER says: nothing, or a time of 0 with l_onoff (the connection is reset), does not wait; a time waits
    for the peer to have everything.  WSAEWOULDBLOCK (document) for a non-blocking socket that would have to wait; it
    stays open.
    """
    try:
        ts = _tls.state
        ep = ts.sockets[s]
        if not (ep.shape.nonblocking or ts.blocking):
            ep.close()
            ts.last_error = 0
            return 0
    except Exception:
        pass
    return _closesocket(s)


@export(SOCKET_ERROR)
def _closesocket(ts: ThreadState, s: int) -> int:
    ep = endpoint(ts, s)
    afd.check_close(ep)
    spi.close_socket(ts.process, ep.handle)
    return 0


@export(SOCKET_ERROR)
def bind(ts: ThreadState, s: int, name: Any, namelen: int) -> int:
    """Give a socket its local address (a sockaddr, port in network order)."""
    ep = endpoint(ts, s)
    ep.procs.bind(ep, _sockaddr.read(name, c_int(namelen), ep.family))
    return 0


@export(SOCKET_ERROR)
def listen(ts: ThreadState, s: int, backlog: int) -> int:
    """Take connections; backlog is how many may wait to be accepted."""
    ep = endpoint(ts, s)
    ep.procs.listen(ep, c_int(backlog))
    return 0


def accept(s: int, addr: Any, addrlen: Any) -> int:
    """The next connection as a new socket; addr and addrlen (in and out, bytes) may be NULL.

    WSAECONNRESET for a connection that was reset meanwhile (document), WSAEINTR when the listener is closed during
    the wait, WSAEFAULT for too little room, before a connection is taken.
    """
    try:
        ts = _tls.state
        ep = ts.sockets[s]
        if addr is None and ep.shape.fast_accept and not ts.blocking:
            handle = accept_plain(ep)
            if not ts.process.startups:
                kept(ts, ts.sockets[handle])
            ts.last_error = 0
            return handle
    except WinsockError as e:
        ts.last_error = e.code
        return INVALID_SOCKET
    except Exception:
        pass
    return _accept(s, addr, addrlen)


@export(INVALID_SOCKET)
def _accept(ts: ThreadState, s: int, addr: Any, addrlen: Any) -> int:
    return accept_into(ts, endpoint(ts, s), addr, addrlen, None)


def accept_into(ts: ThreadState, ep: afd.Endpoint, addr: Any, addrlen: Any, condition: Any) -> int:
    """What accept and WSAAccept have in common: the new handle."""
    afd.check(ep, "accept")
    wanted = given(addr) and given(addrlen)
    if wanted:
        size = _sockaddr.FULL_SIZES[ep.family]
        if memory.read_i32(addrlen) < size:
            raise WinsockError(WSA.WSAEFAULT)
        memory.writable(addr, size)
        memory.writable(addrlen, 4)
    new, address = ep.procs.accept(ep) if condition is None else ep.procs.accept(ep, condition)
    handle = kept(ts, spi.register(ts.process, new))
    if wanted:
        try:
            _sockaddr.write(ep.family, address, addr, addrlen)
        except WinsockError:
            spi.close_socket(ts.process, handle)  # the memory went away meanwhile
            raise
    return handle


def connect(s: int, name: Any, namelen: int) -> int:
    """Connect a stream, or set a datagram socket's peer (a zeroed address or sockaddr dissolves it).

    Order: the handle, the socket's state (WSAEINVAL, WSAEALREADY, WSAEISCONN), the pointer, the family, the address.
    """
    try:
        ts = _tls.state
        ep = ts.sockets[s]
        shape = ep.shape
        if shape.fast_connect != namelen or ts.blocking:
            raise LookupError
        rest = ep.rest
        if rest is not NO_REST and (rest.extra or ASSOCIATION in rest.options):
            raise LookupError
        whole = _bytes_of((name,))
        address = shape.peers.get(whole) or _peer(shape, whole)
    except Exception:
        return _connect(s, name, namelen)
    try:
        # What is left of afd.connect; it looks at the state itself.
        blocking = not shape.nonblocking
        if not start_stream(ep, address, blocking):
            outcome(ep, blocking)
    except WinsockError as e:
        ts.last_error = e.code
        return SOCKET_ERROR
    except Exception as e:
        ts.last_error = unexpected("connect", e, (s, name, namelen))
        return SOCKET_ERROR
    ts.last_error = 0
    return 0


def _peer(shape: Any, name: bytes) -> Any:
    """The host and port that a stream can connect to, of a structure of just the right size; kept in `peers`."""
    family = shape.family
    if len(name) != _sockaddr.SIZES[family]:
        raise LookupError
    address = _sockaddr.read(name, len(name), family)
    check_remote(address)
    if len(shape.peers) >= MANY_PEERS:
        shape.peers.clear()
    shape.peers[name] = address
    return address


@export(SOCKET_ERROR)
def _connect(ts: ThreadState, s: int, name: Any, namelen: int) -> int:
    ep = endpoint(ts, s)
    ep.procs.connect(ep, remote(ep, name, namelen))
    return 0


def remote(ep: afd.Endpoint, name: Any, namelen: int) -> Any:
    """The address that connect is given; None for a zeroed structure, which dissolves a datagram socket's peer."""
    afd.poll_connect(ep)
    afd.check(ep, "connect")
    namelen = c_int(namelen)
    if not ep.stream and given(name) and namelen >= 2 and memory.read_u16(name) == c.AF_UNSPEC:
        return None
    return _sockaddr.read(name, namelen, ep.family)


@export(SOCKET_ERROR)
def shutdown(ts: ThreadState, s: int, how: int) -> int:
    """End receiving (SD_RECEIVE), sending (SD_SEND) or both."""
    ep = endpoint(ts, s)
    ep.procs.shutdown(ep, c_int(how))
    return 0


@export(SOCKET_ERROR)
def getsockname(ts: ThreadState, s: int, name: Any, namelen: Any) -> int:
    """The local address into name, its length (bytes) into namelen."""
    ep = endpoint(ts, s)
    _sockaddr.write(ep.family, ep.procs.getsockname(ep), name, namelen)
    return 0


@export(SOCKET_ERROR)
def getpeername(ts: ThreadState, s: int, name: Any, namelen: Any) -> int:
    """The peer's address into name, its length (bytes) into namelen."""
    ep = endpoint(ts, s)
    _sockaddr.write(ep.family, ep.procs.getpeername(ep), name, namelen)
    return 0
