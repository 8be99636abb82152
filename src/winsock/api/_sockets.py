"""Sockets: making, naming, connecting and closing them."""

from __future__ import annotations

from typing import Any

from winsock import spi
from winsock.abi import _constants as c
from winsock.api import _sockaddr
from winsock.api._call import INVALID_SOCKET, SOCKET_ERROR, c_int, endpoint, export
from winsock.nt import ThreadState, memory


@export(INVALID_SOCKET)
def socket(ts: ThreadState, af: int, type: int, protocol: int) -> int:
    """A new socket, with the overlapped attribute unless the thread's SO_OPENTYPE says otherwise.

    A type or protocol of 0, or AF_UNSPEC, is filled in from the catalog.  Errors: see WSASocketW.
    """
    flags = 0 if ts.open_type else c.WSA_FLAG_OVERLAPPED
    return spi.open_socket(ts.process, c_int(af), c_int(type), c_int(protocol), flags).handle


@export(SOCKET_ERROR)
def closesocket(ts: ThreadState, s: int) -> int:
    """Close a socket; calls of other threads that wait on it end."""
    spi.close_socket(ts.process, endpoint(ts, s).handle)
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


@export(INVALID_SOCKET)
def accept(ts: ThreadState, s: int, addr: Any, addrlen: Any) -> int:
    """The next connection as a new socket; addr and addrlen (in and out, bytes) may be NULL."""
    ep = endpoint(ts, s)
    new, address = ep.procs.accept(ep)
    if addr is not None and addrlen is not None:
        _sockaddr.write(ep.family, address, addr, addrlen)
    return spi.register(ts.process, new).handle


@export(SOCKET_ERROR)
def connect(ts: ThreadState, s: int, name: Any, namelen: int) -> int:
    """Connect a stream, or set a datagram socket's peer (a zeroed sockaddr dissolves it)."""
    ep = endpoint(ts, s)
    if not ep.stream and memory.read_u16(name) == c.AF_UNSPEC:
        ep.procs.connect(ep, None)
    else:
        ep.procs.connect(ep, _sockaddr.read(name, c_int(namelen), ep.family))
    return 0


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


