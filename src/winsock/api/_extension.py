"""Extension functions: what SIO_GET_EXTENSION_FUNCTION_POINTER hands out, one or, its MULTIPLE sister, a table."""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from winsock.abi._guids import BY_BYTES, WSAID_MULTIPLE_RIO
from winsock.api._pointers import address_of
from winsock.codes import WSA, WinsockError

# Where each lives; looked up when asked for, as most programs never ask
_MODULES: Final[dict[str, str]] = {
    "AcceptEx": "winsock.api._acceptex",
    "GetAcceptExSockaddrs": "winsock.api._acceptex",
    "ConnectEx": "winsock.api._connectex",
    "DisconnectEx": "winsock.api._connectex",
    "TransmitFile": "winsock.api._transmit",
    "TransmitPackets": "winsock.api._transmit",
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


# RIO_EXTENSION_FUNCTION_TABLE: its size, then pointers in this order
RIO_FUNCTIONS: Final = (
    "RIOReceive",
    "RIOReceiveEx",
    "RIOSend",
    "RIOSendEx",
    "RIOCloseCompletionQueue",
    "RIOCreateCompletionQueue",
    "RIOCreateRequestQueue",
    "RIODequeueCompletion",
    "RIODeregisterBuffer",
    "RIONotify",
    "RIORegisterBuffer",
    "RIOResizeCompletionQueue",
    "RIOResizeRequestQueue",
)
RIO_TABLE: Final = struct.Struct(f"<I4x{len(RIO_FUNCTIONS)}Q")


def table(guid: bytes) -> bytes:
    """The table of function pointers for a GUID's bytes; WSAEINVAL for one that there is none for."""
    if guid != WSAID_MULTIPLE_RIO.bytes_le:
        raise WinsockError(WSA.WSAEINVAL)
    rio = import_module("winsock.api._rio")
    return RIO_TABLE.pack(RIO_TABLE.size, *(address_of(getattr(rio, name)) for name in RIO_FUNCTIONS))
