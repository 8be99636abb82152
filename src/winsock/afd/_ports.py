"""SIO_ACQUIRE_PORT_RESERVATION, SIO_ASSOCIATE_PORT_RESERVATION, SIO_RELEASE_PORT_RESERVATION.

They are done at once, whatever the socket's mode; as overlapped requests they complete before the call returns.
Ports are in network order and counts in the machine's, in both directions.  Source: document, facts.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from winsock.abi import _constants as c
from winsock.abi._controls import Control
from winsock.afd._endpoint import Endpoint, State
from winsock.codes import WSA, WinsockError

PORT_RANGE: Final = struct.Struct("<2sH")  # INET_PORT_RANGE
INSTANCE: Final = struct.Struct("<2sH4xQ")  # INET_PORT_RESERVATION_INSTANCE: a range and a token
TOKEN: Final = struct.Struct("<Q")

ASSOCIATION: Final = (0, c.SIO_ASSOCIATE_PORT_RESERVATION)  # in Endpoint.options, while it waits for its bind


def acquire(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Reserve a block for this process, until the socket closes.

    WSAEINVAL for too little input or room, no ports, or more than there are; WSAEADDRINUSE when one is taken or
    reserved, WSAENOBUFS when the system finds no such block.
    """
    if len(data) < PORT_RANGE.size or (room or 0) < INSTANCE.size:
        raise _refused(WSA.WSAEINVAL)
    start, count = PORT_RANGE.unpack_from(data)
    first, token = _asked(ep, "acquire", ep.transport, ep.type, int.from_bytes(start, "big"), count)
    return INSTANCE.pack(first.to_bytes(2, "big"), count, token)


def associate(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Let bind take a port of a block; before bind only."""
    token = _token(data, room)
    if ep.state is not State.OPEN:
        raise _refused(WSA.WSAEINVAL)
    _asked(ep, "associate", ep.transport, ep.type, token)
    ep.set_option(ASSOCIATION, token)
    return b""


def release(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """End a runtime block of this process before its socket closes; sockets in it stay bound."""
    _asked(ep, "release", ep.type, _token(data, room))
    return b""


def _refused(code: int) -> WinsockError:
    from winsock.afd._ioctl import ControlError  # which imports this

    return ControlError(code)


def _token(data: bytes, room: int | None) -> int:
    if len(data) < TOKEN.size or room:
        raise _refused(WSA.WSAEINVAL)
    (token,) = TOKEN.unpack_from(data)
    return int(token)


def _asked(ep: Endpoint, what: str, *arguments: Any) -> Any:
    """Let the endpoint's network do it, for the endpoint's process; whatever it refuses stores a byte count of 0."""
    pool = getattr(ep.network, "ports", None)
    if pool is None:
        raise _refused(WSA.WSAEOPNOTSUPP)
    try:
        return getattr(pool, what)(*arguments, ep.process.pid)
    except WinsockError as e:
        raise _refused(e.code) from None
