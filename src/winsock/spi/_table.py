"""The procedure table of a provider: what every call on a socket goes through.

The entries are functions that take an Endpoint and Python values and raise WinsockError; winsock.ws2spi's C-shaped
WSP* procedures are made from them.  A layered provider is a table whose entries wrap the next one's, by
dataclasses.replace(); entries that it leaves alone are the same functions, so they cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from winsock.afd import Endpoint, _connection, _data
from winsock.transports import Address


@dataclass(frozen=True, slots=True)
class Procedures:
    """One provider's entries.

    plain    True only for the base provider: its sockets may take the short cut of Endpoint.fast_recv
    """

    bind: Callable[[Endpoint, Address], None]
    listen: Callable[[Endpoint, int], None]
    accept: Callable[[Endpoint], tuple[Endpoint, Address]]
    connect: Callable[[Endpoint, Address | None], None]
    shutdown: Callable[[Endpoint, int], None]
    getsockname: Callable[[Endpoint], Address]
    getpeername: Callable[[Endpoint], Address]
    recv: Callable[[Endpoint, Sequence[Any], int], tuple[int, Address | None, int]]
    send: Callable[..., int]
    plain: bool = False


BASE = Procedures(
    bind=_connection.bind,
    listen=_connection.listen,
    accept=_connection.accept,
    connect=_connection.connect,
    shutdown=_connection.shutdown,
    getsockname=_connection.getsockname,
    getpeername=_connection.getpeername,
    recv=_data.recv,
    send=_data.send,
    plain=True,
)
