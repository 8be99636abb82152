"""ConnectEx."""

from __future__ import annotations

from typing import Any

from winsock.abi import _constants as c
from winsock.afd._extended import Connect
from winsock.afd._requests import OVERLAPPED_SIZE
from winsock.api import _sockaddr
from winsock.api._acceptex import FALSE, refuse
from winsock.api._buffers import buffer, probe_read
from winsock.api._call import c_int, dword, endpoint, export
from winsock.api._overlapped import start
from winsock.api._sockets import given
from winsock.codes import WinsockError
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
