"""ConnectEx and DisconnectEx."""

from __future__ import annotations

from typing import Any

from winsock.abi import _constants as c
from winsock.afd._extended import Connect
from winsock.afd._structures import OVERLAPPED_SIZE
from winsock.afd._transmitting import Transmit
from winsock.api import _sockaddr
from winsock.api._acceptex import FALSE, refuse
from winsock.api._buffers import buffer, probe_read
from winsock.api._call import c_int, dword, endpoint, export
from winsock.api._overlapped import perform, start
from winsock.api._sockets import given
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory


@export(FALSE)
def ConnectEx(
    ts: ThreadState,
    s: int,
    name: Any,
    namelen: int,
    lpSendBuffer: Any,
    dwSendDataLength: int,
    lpdwBytesSent: Any,
    lpOverlapped: Any,
) -> int:
    """Connect a bound stream, and send first data.

    lpSendBuffer     NULL, or what to send as soon as there is a connection; it stays the system's until then
    lpdwBytesSent    not used: it never ends at once; the request's result is the number of bytes sent

    It always pends (ERROR_IO_PENDING).  Until SO_UPDATE_CONNECT_CONTEXT the connection has no names: getpeername and
    shutdown say WSAENOTCONN, connect says WSAEINVAL.

    ERROR_INVALID_PARAMETER without an OVERLAPPED; WSAEINVAL for a socket that is not bound, that listens, or whose
    connect is under way; WSAEISCONN; and what connect says of addresses.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    if memory.is_null(lpOverlapped):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    memory.writable(lpOverlapped, OVERLAPPED_SIZE)
    request = Connect(ts, ep, None, lpOverlapped)
    request.check()
    try:
        request.address = _sockaddr.read(name, c_int(namelen), ep.family)
        size = dword(dwSendDataLength)
        if given(lpSendBuffer) and size:
            if isinstance(lpSendBuffer, int):
                probe_read(lpSendBuffer, size)
            request.views = [buffer(lpSendBuffer, size, False)]
    except WinsockError as e:
        raise refuse(lpOverlapped, e.code) from None
    return start(request, lpdwBytesSent)


@export(FALSE)
def DisconnectEx(ts: ThreadState, s: int, lpOverlapped: Any, dwFlags: int, dwReserved: int) -> int:
    """End a stream's connection: no more is sent; with TF_REUSE_SOCKET, make its socket fit for another one.

    Without that flag it is a shutdown(SD_SEND) that can be waited for.  With it, it ends when the peer has ended too;
    then ConnectEx takes a socket that had been bound, AcceptEx any.

    lpOverlapped    NULL: the call waits for the end; else it always pends (ERROR_IO_PENDING)

    WSAEINVAL for other flags or a reserved value that is not 0, WSAENOTCONN.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    flags = dword(dwFlags)
    if flags & ~c.TF_REUSE_SOCKET or dword(dwReserved):
        raise WinsockError(WSA.WSAEINVAL)
    overlapped = None if memory.is_null(lpOverlapped) else lpOverlapped
    if overlapped is not None:
        memory.writable(overlapped, OVERLAPPED_SIZE)
    request = Transmit(ts, ep, (), overlapped, True, bool(flags & c.TF_REUSE_SOCKET))
    perform(request)
    return 1
