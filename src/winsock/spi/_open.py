"""Making and closing socket handles: the catalog chooses a provider, the handle table gives the number."""

from __future__ import annotations

from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.codes import WSA, WinsockError
from winsock.nt import Process
from winsock.spi._table import BASE
from winsock.transports import TransportSocket
from winsock.transports.host import HOST


def open_socket(process: Process, family: int, kind: int, protocol: int, flags: int) -> Endpoint:
    """A new endpoint with a handle; family, type and protocol are those of a catalog entry."""
    network: Any = process.transport or HOST
    transport = network.socket(family, kind, protocol)
    return register(
        process, Endpoint(process, network, transport, family, kind, protocol, flags, BASE)
    )


def adopt(process: Process, transport: TransportSocket, family: int, kind: int, protocol: int) -> Endpoint:
    """An endpoint, with a handle, for a transport's socket that exists already."""
    network: Any = process.transport or HOST
    return register(
        process,
        Endpoint(process, network, transport, family, kind, protocol, c.WSA_FLAG_OVERLAPPED, BASE),
    )


def register(process: Process, ep: Endpoint) -> Endpoint:
    """Give the endpoint a handle; without a free one it is closed again."""
    try:
        ep.handle = process.handles.add(ep)
    except WinsockError:
        ep.transport.finish()
        raise
    process.sockets[ep.handle] = ep
    ep.refresh()
    return ep


def close_socket(process: Process, handle: int) -> None:
    """closesocket: the handle is free at once, whoever waits is woken."""
    ep = process.sockets.pop(handle, None)
    if ep is None:
        raise WinsockError(WSA.WSAENOTSOCK)
    process.handles.remove(handle)
    ep.close()  # type: ignore[attr-defined]


