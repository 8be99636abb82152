"""What the socket class is made with: settings, hidden methods, buffers, destinations."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.python._addresses import ANY, is_numeric, parse


class Settings:
    """What holds for all sockets: the default timeout, and whose timing they show."""

    timeout: float | None = None
    timing = "none"


settings = Settings()


class Hidden:
    """A method of Linux' socket that Windows' lacks: not even hasattr() finds it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        where = f"{type(instance).__name__!r} object"
        if instance is None and owner is not None:
            where = f"type object {owner.__name__!r}"
        raise AttributeError(f"{where} has no attribute {self.name!r}")


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
