"""The procedure table of a provider: what every call on a socket goes through.

The entries are functions that take an Endpoint and Python values and raise WinsockError; winsock.ws2spi's C-shaped
WSP* procedures are made from them.  A layered provider is a table whose entries wrap the next one's, by
_replace(); entries that it leaves alone are the same functions, so they cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from winsock.afd import Endpoint, _connection, _data, _ioctl, _options, _poll, _selection
from winsock.afd._request import Request, begin
from winsock.nt._objects import Event
from winsock.spi import _catalog
from winsock.transports import Address, Message


class Procedures(NamedTuple):
    """One provider's entries.

    start    begins an overlapped request of any kind: whether it has ended already
    plain    True only for the base provider: its sockets may take the short cut of Endpoint.fast_recv
    """

    bind: Callable[[Endpoint, Address], None]
    listen: Callable[[Endpoint, int], None]
    accept: Callable[..., tuple[Endpoint, Address]]
    connect: Callable[..., None]
    shutdown: Callable[[Endpoint, int], None]
    getsockname: Callable[[Endpoint], Address]
    getpeername: Callable[[Endpoint], Address]
    recv: Callable[[Endpoint, Sequence[Any], int], tuple[int, Address | None, int]]
    recv_message: Callable[[Endpoint, Sequence[Any], bool, int], Message]
    send: Callable[..., int]
    getsockopt: Callable[[Endpoint, int, int, int], bytes]
    setsockopt: Callable[[Endpoint, int, int, bytes | None], None]
    protocol_info: Callable[[Endpoint, bool], bytes]
    ioctl: Callable[[Endpoint, int, bytes | None, int | None], bytes]
    select: Callable[..., tuple[list[Endpoint], list[Endpoint], list[Endpoint]]]
    event_select: Callable[[Endpoint, int, Event | None], None]
    async_select: Callable[[Endpoint, int, _selection.Post | None], None]
    enum_network_events: Callable[[Endpoint, Event | None], dict[int, int]]
    start: Callable[[Request], bool] = begin
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
    recv_message=_data.recv_message,
    send=_data.send,
    getsockopt=_options.getsockopt,
    setsockopt=_options.setsockopt,
    protocol_info=_catalog.info_of,
    ioctl=_ioctl.ioctl,
    select=_poll.select,
    event_select=_selection.select_events,
    async_select=_selection.select_messages,
    enum_network_events=_selection.fetch,
    plain=True,
)
