"""Extension functions: what SIO_GET_EXTENSION_FUNCTION_POINTER hands out.

WSARecvMsg, WSASendMsg and WSAPoll work.  AcceptEx, ConnectEx, DisconnectEx, TransmitFile and TransmitPackets need
overlapped I/O, which is not made yet: they check their arguments as Windows does and then fail with WSAEOPNOTSUPP.
GetAcceptExSockaddrs, which could not say so, is not handed out: WSAEINVAL, as for an unknown GUID.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from winsock.abi import _constants as c
from winsock.abi._guids import BY_BYTES
from winsock.afd import Endpoint, State
from winsock.api._call import dword, endpoint, export
from winsock.api._pointers import address_of
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory

FALSE = 0

MAX_TRANSMIT = 0x7FFFFFFE


def _not_yet() -> WinsockError:
    return WinsockError(WSA.WSAEOPNOTSUPP)


def _refuse(code: int) -> None:
    raise WinsockError(code)


def _connected(ep: Endpoint) -> None:
    if ep.send_shut:
        _refuse(WSA.WSAESHUTDOWN)
    if ep.state is not State.CONNECTED and (ep.stream or not ep.remote):
        _refuse(WSA.WSAENOTCONN)


@export(FALSE)
def DisconnectEx(ts: ThreadState, s: int, lpOverlapped: Any, dwFlags: int, dwReserved: int) -> int:
    """End a connection and make its socket fit for another.  WSAEOPNOTSUPP for now.

    WSAEINVAL for other flags than TF_REUSE_SOCKET or a reserved value that is not 0, WSAENOTCONN.
    """
    ep = endpoint(ts, s)
    if dword(dwFlags) & ~c.TF_REUSE_SOCKET or dword(dwReserved):
        _refuse(WSA.WSAEINVAL)
    if not ep.stream or ep.state not in (State.CONNECTED, State.RESET):
        _refuse(WSA.WSAENOTCONN)
    raise _not_yet()


@export(FALSE)
def TransmitFile(
    ts: ThreadState,
    hSocket: int,
    hFile: int,
    nNumberOfBytesToWrite: int,
    nNumberOfBytesPerSend: int,
    lpOverlapped: Any,
    lpTransmitBuffers: Any,
    dwReserved: int,
) -> int:
    """Send a file, with data before and after it.  WSAEOPNOTSUPP for now.

    WSAENOTCONN, WSAESHUTDOWN, WSAEINVAL for a length that is too large or TF_REUSE_SOCKET without TF_DISCONNECT.
    """
    ep = endpoint(ts, hSocket)
    _connected(ep)
    _check_transmit(ep, dword(nNumberOfBytesToWrite), dword(dwReserved))
    if not ep.stream:
        _refuse(WSA.WSAEINVAL)
    raise _not_yet()


@export(FALSE)
def TransmitPackets(
    ts: ThreadState,
    hSocket: int,
    lpPacketArray: Any,
    nElementCount: int,
    nSendSize: int,
    lpOverlapped: Any,
    dwFlags: int,
) -> int:
    """Send pieces of memory and of files.  WSAEOPNOTSUPP for now; see TransmitFile."""
    ep = endpoint(ts, hSocket)
    _connected(ep)
    _check_transmit(ep, 0, dword(dwFlags))
    if dword(nElementCount):
        memory.read(lpPacketArray, 1)
    raise _not_yet()


def _check_transmit(ep: Endpoint, length: int, flags: int) -> None:
    if length > MAX_TRANSMIT or flags & (c.TF_REUSE_SOCKET | c.TF_DISCONNECT) == c.TF_REUSE_SOCKET:
        _refuse(WSA.WSAEINVAL)


# Where each lives; looked up when asked for, as most programs never ask
_MODULES: Final[dict[str, str]] = {
    "AcceptEx": "winsock.api._acceptex",
    "GetAcceptExSockaddrs": "winsock.api._acceptex",
    "ConnectEx": "winsock.api._connectex",
    "DisconnectEx": __name__,
    "TransmitFile": __name__,
    "TransmitPackets": __name__,
    "WSARecvMsg": "winsock.api._wsadata",
    "WSASendMsg": "winsock.api._wsadata",
    "WSAPoll": "winsock.api._select",
}


def pointer(guid: bytes) -> int:
    """The function pointer for a GUID's bytes; WSAEINVAL for one that there is none for."""
    name = BY_BYTES.get(guid, "")
    if name not in _MODULES:
        raise WinsockError(WSA.WSAEINVAL)
    call: Callable[..., Any] = getattr(import_module(_MODULES[name]), name)
    return address_of(call)
