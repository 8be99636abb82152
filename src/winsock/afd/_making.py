"""Making endpoints: their class, one endpoint, and what makes one more like it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from winsock.afd._endpoint import NO_REST, Endpoint
from winsock.afd._shape import first_shape
from winsock.nt import Process
from winsock.transports import Transport

if TYPE_CHECKING:
    from winsock.spi._table import Procedures


@lru_cache(16)
def endpoint_class(socket_class: type) -> type[Endpoint]:
    """What the endpoints on a network are: its sockets' class (Transport.socket_class) and an Endpoint in one."""
    made = type("Endpoint", (Endpoint, socket_class), {"__slots__": ("_handle", "rest", "shape")})
    return cast(type[Endpoint], made)


def new_endpoint(
    process: Process,
    network: Transport,
    family: int,
    type: int,
    protocol: int,
    flags: int,
    procs: Procedures,
    source: Any = None,
    asked: int | None = None,
) -> Endpoint:
    """An endpoint on a new socket of the network's, or on what `source` stands for there (see socket_class).

    asked    the protocol that the network is asked for, 0 for the usual one; else that is `protocol`
    """
    made: Any = endpoint_class(network.socket_class)
    ep: Endpoint = made.create(family, type, protocol if asked is None else asked, source)
    ep.begin(first_shape(process, network, family, type, protocol, flags, procs))
    return ep


def opener(ep: Endpoint, asked: int) -> Callable[[], int]:
    """What opens one more endpoint like this new one, and returns its handle; see new_endpoint for `asked`.

    It is for who can do without: it may fail with any exception.
    """
    shape = ep.shape
    handles, cls = shape.process.handles, cast(Any, type(ep))
    make, number, sockets = cls.maker(shape.family, shape.type, asked), handles.number, handles.sockets

    def open_one() -> int:
        new = make()
        new.rest, new.shape = NO_REST, shape  # begin()
        handle: int = number()
        new._handle = handle
        sockets[handle] = new
        return handle

    return open_one


def waiting_maker(ep: Endpoint, asked: int) -> Callable[[], Endpoint]:
    """What makes one more endpoint like this new one, without a handle, on a descriptor that waits; see opener()."""
    shape = ep.shape
    make = cast(Any, type(ep)).maker(shape.family, shape.type, asked, True)

    def make_one() -> Endpoint:
        new: Endpoint = make()
        new._handle, new.rest, new.shape = None, NO_REST, shape  # begin()
        return new

    return make_one
