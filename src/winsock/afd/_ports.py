"""SIO_ACQUIRE_PORT_RESERVATION, SIO_ASSOCIATE_PORT_RESERVATION, SIO_RELEASE_PORT_RESERVATION.

They are done before the call returns, whatever the socket's mode; but a persistent block is looked for in a file
that others may keep locked.  The call waits for that, until it is cancelled or its socket closes; an overlapped one
is pending meanwhile.

Ports are in network order and counts in the machine's, in both directions.  Source: document, facts.
"""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable
from typing import Any, Final

from winsock.abi import _constants as c
from winsock.abi._controls import Control
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._reactor import look
from winsock.afd._request import Request
from winsock.afd._structures import SUCCESS
from winsock.afd._wait import Wait
from winsock.codes import NTSTATUS, WSA, WinsockError, wsa_to_ntstatus
from winsock.nt import ThreadState, current

PORT_RANGE: Final = struct.Struct("<2sH")  # INET_PORT_RANGE
INSTANCE: Final = struct.Struct("<2sH4xQ")  # INET_PORT_RESERVATION_INSTANCE: a range and a token
TOKEN: Final = struct.Struct("<Q")

_log = logging.getLogger("winsock")

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
    """Let bind take a port of a block; before bind only.

    WSAEINTR when the wait for a persistent block is cancelled, or the socket closed.
    """
    token = _token(data, room)
    if ep.state is not State.OPEN:
        raise _refused(WSA.WSAEINVAL)
    _associate(ep, token, _waited(ep, token) if _pool(ep).waits(token) else _find(ep, token))
    return b""


def _associate(ep: Endpoint, token: int, target: Any) -> None:
    if ep.state is not State.OPEN:
        raise _refused(WSA.WSAEINVAL)
    _pool(ep).associate(ep.transport, target)
    ep.set_option(ASSOCIATION, token)


def _find(ep: Endpoint, token: int) -> Any:
    return _asked(ep, "find", ep.type, token)


def _waited(ep: Endpoint, token: int) -> Any:
    """The block of a token, however long that takes."""
    ts = current()
    with Wait(ts, ep.network, None) as wait, wait:
        if not wait.join(ep):
            raise WinsockError(WSA.WSAENOTSOCK)
        search = Search(ep, token, lambda _: ts.interrupt())
        while search.outcome is None and wait.goes_on():
            if ep.closed:
                raise WinsockError(WSA.WSAEINTR)
            look(ts, ep.network, [], wait.left())
    if isinstance(search.outcome, WinsockError):
        raise search.outcome
    return search.outcome


class Search:
    """The search for a persistent block, in a thread of its own.

    outcome    None while it lasts; then the block, or a WinsockError
    over       called with the outcome, in that thread
    """

    def __init__(self, ep: Endpoint, token: int, over: Callable[[Any], None]) -> None:
        self.ep, self.token, self.over = ep, token, over
        self.outcome: Any = None
        try:
            threading.Thread(target=self._run, name="winsock reservations", daemon=True).start()
        except RuntimeError:
            raise _refused(WSA.WSAENOBUFS) from None

    def _run(self) -> None:
        with self.ep.process.attached():
            try:
                found = _find(self.ep, self.token)
            except WinsockError as e:
                found = e
            except Exception:
                _log.exception("winsock: a search for a reservation failed inside; please report this")
                found = WinsockError(WSA.WSASYSCALLFAILURE)
            self.outcome = found
            self.over(found)


class Association(Request):
    """An overlapped SIO_ASSOCIATE_PORT_RESERVATION that has to look for its block in a file."""

    lane = None

    def __init__(self, ts: ThreadState, ep: Endpoint, overlapped: Any, routine: Any, data: bytes) -> None:
        super().__init__(ts, ep, overlapped, routine)
        (self.token,) = TOKEN.unpack_from(data)

    def attempt(self) -> int | None:
        Search(self.ep, self.token, self._found)
        return None

    def _found(self, outcome: Any) -> None:
        requests = self.requests
        with requests.lock:
            if self not in requests.pending:
                return  # cancelled, or closed
            status = SUCCESS
            try:
                if isinstance(outcome, WinsockError):
                    raise outcome
                _associate(self.ep, self.token, outcome)
            except WinsockError as e:
                status = wsa_to_ntstatus(e.code)
            except Exception:
                _log.exception("winsock: an association failed inside; please report this")
                status = int(NTSTATUS.STATUS_UNSUCCESSFUL)
            requests.end(self, status)


def pends(ep: Endpoint, code: int, data: bytes | None, room: int | None) -> bool:
    """Whether an overlapped control code is to be an Association; else ioctl() does or refuses it at once."""
    return (
        code == c.SIO_ASSOCIATE_PORT_RESERVATION
        and len(data or b"") >= TOKEN.size
        and not room
        and ep.type in (c.SOCK_STREAM, c.SOCK_DGRAM)
        and ep.family in (c.AF_INET, c.AF_INET6)
        and ep.state is State.OPEN
        and getattr(ep.network, "ports", None) is not None
        and bool(_pool(ep).waits(TOKEN.unpack_from(data or b"")[0]))
    )


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


def _pool(ep: Endpoint) -> Any:
    """The reservations of the endpoint's network."""
    pool = getattr(ep.network, "ports", None)
    if pool is None:
        raise _refused(WSA.WSAEOPNOTSUPP)
    return pool


def _asked(ep: Endpoint, what: str, *arguments: Any) -> Any:
    """Let the endpoint's network do it, for the endpoint's process; whatever it refuses stores a byte count of 0."""
    try:
        return getattr(_pool(ep), what)(*arguments, ep.process.pid)
    except WinsockError as e:
        if getattr(e, "file", None) is not None:
            _log.warning("port reservations: %s", e)  # a code alone does not say which file
        raise _refused(e.code) from None
