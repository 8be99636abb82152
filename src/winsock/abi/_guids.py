"""GUIDs of extension functions, for SIO_GET_EXTENSION_FUNCTION_POINTER."""

from __future__ import annotations

from typing import Final
from uuid import UUID

WSAID: Final[dict[str, UUID]] = {
    "TransmitFile": UUID("b5367df0-cbac-11cf-95ca-00805f48a192"),
    "AcceptEx": UUID("b5367df1-cbac-11cf-95ca-00805f48a192"),
    "GetAcceptExSockaddrs": UUID("b5367df2-cbac-11cf-95ca-00805f48a192"),
    "TransmitPackets": UUID("d9689da0-1f90-11d3-9971-00c04f68c876"),
    "ConnectEx": UUID("25a207b9-ddf3-4660-8ee9-76e58c74063e"),
    "DisconnectEx": UUID("7fda2e11-8630-436f-a031-f536a6eec157"),
    "WSARecvMsg": UUID("f689d7c8-6f1f-436b-8a53-e54fe351c322"),
    "WSASendMsg": UUID("a441e712-754f-43ca-84a7-0dee44cf606d"),
    "WSAPoll": UUID("18c76f85-dc66-4964-972e-23c27238312b"),
}

BY_BYTES: Final[dict[bytes, str]] = {guid.bytes_le: name for name, guid in WSAID.items()}

# For SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER: the functions of registered I/O
WSAID_MULTIPLE_RIO: Final = UUID("8509e081-96dd-4005-b165-9e2ee8c79e3f")
