"""The C-shaped face's one way from WinsockError to return values and last errors.

Every exported function is written as a Python function whose first parameter is the calling thread's ThreadState and
which raises WinsockError; @export makes the C-shaped call of it, which never raises:

    @export(SOCKET_ERROR)
    def bind(ts, s, name, namelen): ...          # bind(s, name, namelen)

Arguments of the wrong Python type are WSAEFAULT or WSAEINVAL, as a wrong pointer or number would be.  A fault of
winsock's own is logged and reported as WSASYSCALLFAILURE: the code for what should never fail.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from winsock.afd import Endpoint
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current
from winsock.nt._process import _tls

P = ParamSpec("P")
R = TypeVar("R")

SOCKET_ERROR = -1
INVALID_SOCKET = (1 << 64) - 1

_log = logging.getLogger("winsock")


def export(
    failure: R, *, startup: bool = True, clears: bool = True, during: bool = False
) -> Callable[[Callable[Concatenate[ThreadState, P], R]], Callable[P, R]]:
    """Make a C-shaped call.

    failure    what it returns when it fails
    startup    whether it needs WSAStartup (WSANOTINITIALISED without)
    clears     whether success sets the last error to 0, as most socket calls do
    during     whether a Winsock 1.1 program may call it from its blocking hook (WSAEINPROGRESS if not)
    """

    def decorate(function: Callable[Concatenate[ThreadState, P], R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                ts = _tls.state
            except AttributeError:
                ts = current()
            try:
                if startup and not ts.process.startups:
                    raise WinsockError(WSA.WSANOTINITIALISED)
                if ts.blocking and not during:
                    refuse_nested(ts)
                result = function(ts, *args, **kwargs)
                if clears:
                    ts.last_error = 0
                return result
            except WinsockError as e:
                ts.last_error = e.code
                return failure
            except Exception as e:
                ts.last_error = unexpected(function.__name__, e, args)
                return failure

        call.__winsock__ = function  # type: ignore[attr-defined]
        del call.__wrapped__
        return call

    return decorate


def slow_way(name: str, function: Any, ts: ThreadState, *args: Any) -> int:
    """Where a hot call's short cut ends: function(ts, *args) as @export would call it; SOCKET_ERROR when it fails."""
    try:
        if not ts.process.startups:
            raise WinsockError(WSA.WSANOTINITIALISED)
        if ts.blocking:
            refuse_nested(ts)
        n: int = function(ts, *args)
        ts.last_error = 0
        return n
    except WinsockError as e:
        ts.last_error = e.code
    except Exception as e:
        ts.last_error = unexpected(name, e, args)
    return SOCKET_ERROR


def refuse_nested(ts: ThreadState) -> None:
    """A Winsock 1.1 program may have one call at a time under way in a thread: WSAEINPROGRESS for another.

    Source: document.
    """
    if ts.process.version & 0xFF == 1:
        raise WinsockError(WSA.WSAEINPROGRESS)


def unexpected(name: str, error: Exception, args: Any) -> int:
    """The code for a Python error inside a call."""
    if isinstance(error, (TypeError, BufferError)):
        return WSA.WSAEFAULT
    if isinstance(error, (ValueError, OverflowError)):
        return WSA.WSAEINVAL
    if isinstance(error, MemoryError):
        return WSA.WSAENOBUFS
    _log.exception("%s%r failed inside winsock; please report this", name, args)
    return WSA.WSASYSCALLFAILURE


def endpoint(ts: ThreadState, s: Any) -> Endpoint:
    """The endpoint behind a SOCKET; WSAENOTSOCK if there is none."""
    try:
        ep: Endpoint = ts.sockets[s]
        return ep
    except (KeyError, TypeError):
        pass
    try:
        ep = ts.sockets[operator.index(s) & INVALID_SOCKET]
        return ep
    except (KeyError, TypeError):
        raise WinsockError(WSA.WSAENOTSOCK) from None


def c_int(value: Any) -> int:
    """An int argument as a C int."""
    if type(value) is int and -0x80000000 <= value <= 0x7FFFFFFF:
        return value
    n = operator.index(value) & 0xFFFFFFFF
    return n - (1 << 32) if n >> 31 else n


def dword(value: Any) -> int:
    """An int argument as a DWORD."""
    return operator.index(value) & 0xFFFFFFFF
