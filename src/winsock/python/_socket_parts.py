"""What the socket class is made with: settings, hidden methods, buffers, destinations."""

from __future__ import annotations

import _socket
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.python._addresses import ANY, is_numeric, parse


class Settings:
    """What holds for all sockets, the default timeout and whose timing they show; and how `winsock run` was called.

    options    of `winsock run`, by which other processes see the same; None if this is no program under it
    """

    timeout: float | None = None
    timing = "none"
    options: list[str] | None = None


settings = Settings()


class Mode:
    """What only some sockets have of this face's, kept by the endpoint (Rest.face).

    timeout    seconds, when the endpoint does not wait itself
    shown      family and type that the program gave together with a descriptor, if they are not the endpoint's
    dry        polls for data, since a non-blocking receive found none
    twin       see Twin
    quickack   TCP_QUICKACK, as it was set
    """

    __slots__ = ("dry", "quickack", "shown", "timeout", "twin")

    def __init__(self) -> None:
        self.timeout = 0.0
        self.quickack = 0
        self.dry: Callable[[int], Any] | None = None
        self.twin: Twin | None = None
        self.shown: tuple[int, int] | None = None


OFFERED = Mode()  # of an endpoint that no socket object has yet, or has any more; it stays as it is


class Twin(_socket.socket):
    """A C socket for what waits in C itself; the descriptor is not its own to close."""

    __slots__ = ("__weakref__",)

    def __del__(self) -> None:
        self.detach()


class _Nothing:
    """Of a socket that is closed: no short cut, no options."""

    fast_recv = fast_send = fast_message = ready = nonblocking = False
    quick = face = None
    options: Mapping[Any, Any] = {}


class Gone:
    """What is left of a socket when it is closed or detached."""

    __slots__ = ("family", "proto", "rest", "shape", "type")

    def __init__(self, family: int, type: int, proto: int, timeout: float | None) -> None:
        self.family, self.type, self.proto = family, type, proto
        self.shape = self.rest = nothing = _Nothing()
        if timeout is not None:
            nothing.nonblocking = True
            if timeout:
                mode: Any = nothing
                mode.face = Mode()
                mode.face.timeout = timeout

    def fileno(self) -> int:
        return -1


gone = lru_cache(64)(Gone)


NOWHERE = frozenset(ANY.values())


def check_destination(kind: int, address: Any) -> None:
    """A message goes to a host's port."""
    if kind != c.SOCK_STREAM and (address[0] in NOWHERE or (not address[1] and kind != c.SOCK_RAW)):
        raise WinsockError(WSA.WSAEADDRNOTAVAIL)


@lru_cache(1024)
def numeric_destination(family: int, kind: int, address: Any) -> Any:
    """The destination of a message, if that needs no look-up; LookupError if it does, or is no destination."""
    if not is_numeric(family, address):
        raise LookupError
    parsed = parse(family, address, "sendto")
    try:
        check_destination(kind, parsed)
    except WinsockError:
        raise LookupError from None
    return parsed


def octets_of(data: Any) -> memoryview:
    """The bytes of what is to be sent."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        if isinstance(data, memoryview):
            raise
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None


def room_in(buffer: Any, nbytes: int, caller: str) -> memoryview:
    """The part of a buffer that is to be filled."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError(f"{caller}() argument 1 must be read-write bytes-like object, not {type(buffer).__name__}")
    if nbytes < 0:
        raise ValueError(f"negative buffersize in {caller}")
    if nbytes > len(view):
        raise ValueError("buffer too small for requested bytes" if caller == "recv_into" else
                         "nbytes is greater than the length of the buffer")  # fmt: skip
    return view[:nbytes] if nbytes else view
