"""What goes wrong with reservations: one exception inside, one for programs."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError

P = ParamSpec("P")
R = TypeVar("R")

_NUMBERS: dict[int, int] = {
    WSA.WSAEADDRINUSE: errno.EADDRINUSE,
    WSA.WSAEACCES: errno.EACCES,
    WSA.WSAENOBUFS: errno.ENOBUFS,
    WSA.WSAEMFILE: errno.EMFILE,
    WSA.WSAEADDRNOTAVAIL: errno.EADDRNOTAVAIL,
    WSA.WSAEAFNOSUPPORT: errno.EAFNOSUPPORT,
    WSA.WSAEOPNOTSUPP: errno.EOPNOTSUPP,
    WSA.WSAENETDOWN: errno.ENETDOWN,
    c.ERROR_ACCESS_DENIED: errno.EACCES,
    c.ERROR_SHARING_VIOLATION: errno.EADDRINUSE,
    c.ERROR_INVALID_PARAMETER: errno.EINVAL,
    c.ERROR_NOT_FOUND: errno.ENOENT,
}


class Refused(WinsockError):
    """A reservation was refused: the code, and a sentence about this case.

    file    the file that is to blame, if one is
    """

    __slots__ = ("file", "text")

    def __init__(self, code: int, text: str, file: str | None = None) -> None:
        super().__init__(code)
        self.text, self.file = text, file

    def __str__(self) -> str:
        return self.text


class PortError(OSError):
    """A reservation, or a bind inside one, failed.

    errno    Linux' number for it
    code     Windows' number: a WSA code, or a Win32 error of the persistent functions (5, 32, 87, 1168)
    """

    def __init__(self, code: int, text: str, file: str | None = None) -> None:
        number = _NUMBERS.get(code, errno.EINVAL)
        if file is None:
            super().__init__(number, text)
        else:
            super().__init__(number, text, file)
        self.code = int(code)

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.strerror, self.filename)


class StoreError(PortError):
    """The store of persistent reservations is damaged, or cannot be read or written; `filename` names the file.

    What was in the file is untouched.
    """


def python_shaped(function: Callable[P, R]) -> Callable[P, R]:
    """Programs see PortError, whatever is raised inside."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except WinsockError as e:
            raise as_port_error(e) from None

    return call


def as_port_error(e: WinsockError) -> PortError:
    """The exception that programs get for it."""
    if isinstance(e, Refused):
        kind = StoreError if e.file is not None else PortError
        return kind(e.code, e.text, e.file)
    return PortError(e.code, f"port reservation failed with code {e.code}")
