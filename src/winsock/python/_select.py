"""The `select` module as CPython has it on Windows: select() alone, of sockets alone.

Windows' rules are the core's: a failed connect shows in the except set only, three empty sets are refused, what is
not a socket is refused.  What is this module's own is what CPython adds: objects with fileno(), and the limit.
"""

from __future__ import annotations

import os
import select as linux
import stat
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from winsock.afd import Endpoint, State
from winsock.afd._connection import poll_connect
from winsock.codes import WSA, WinsockError
from winsock.python._oserror import face
from winsock.python._socket import endpoint_of
from winsock.transports import ERROR, HANGUP, READ, URGENT, WRITE

FD_SETSIZE = 512  # CPython is built with this, not with the header's 64
_READABLE = READ | ERROR | HANGUP
_WRITABLE = WRITE | ERROR


def _descriptor(obj: Any) -> int:
    """The descriptor of an int or of an object with fileno(); CPython's own errors for anything else."""
    if isinstance(obj, int):
        fd = obj
    else:
        try:
            method = obj.fileno
        except AttributeError:
            raise TypeError("argument must be an int, or have a fileno() method.") from None
        fd = method()
        if not isinstance(fd, int):
            raise TypeError("fileno() returned a non-integer")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _collect(objects: Any) -> list[tuple[Any, int, Endpoint | None]]:
    """The objects of one argument with their descriptors and endpoints."""
    try:
        items = list(objects)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None
    if len(items) > FD_SETSIZE:
        raise ValueError("too many file descriptors in select()")
    found = []
    for obj in items:
        fd = _descriptor(obj)
        ep = endpoint_of(fd)
        if ep is None and not _is_socket(fd):
            raise WinsockError(WSA.WSAENOTSOCK)
        found.append((obj, fd, ep))
    return found


@face
def select(
    rlist: Sequence[Any], wlist: Sequence[Any], xlist: Sequence[Any], timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """Wait until one or more file descriptors are ready for some kind of I/O.

    The first three arguments are iterables of file descriptors to be waited for:
    rlist -- wait until ready for reading
    wlist -- wait until ready for writing
    xlist -- wait for an "exceptional condition"
    If only one kind of condition is required, pass [] for the other lists.

    A file descriptor is either a socket or file object, or a small integer gotten from a fileno() method call on one
    of those.  The optional 4th argument specifies a timeout in seconds; it may be a floating point number to specify
    fractions of seconds.  If it is absent or None, the call will never time out.

    The return value is a tuple of three lists corresponding to the first three arguments; each contains the subset of
    the corresponding file descriptors that are ready.

    On Windows, only sockets are supported; on Unix, all file descriptors can be used.
    """
    if timeout is not None:
        if not hasattr(timeout, "__float__") and not hasattr(timeout, "__index__"):
            raise TypeError("timeout must be a float or None")
        timeout = float(timeout)
        if timeout < 0:
            raise ValueError("timeout must be non-negative")
        if timeout != timeout or timeout > 0x7FFFFFFF:
            raise OverflowError("timestamp too large to convert to C _PyTime_t")
    reads, writes, excepts = _collect(rlist), _collect(wlist), _collect(xlist)
    if not reads and not writes and not excepts:
        raise WinsockError(WSA.WSAEINVAL)
    return _wait(reads, writes, excepts, timeout)


Items = list[tuple[Any, int, Endpoint | None]]


def _wait(reads: Items, writes: Items, excepts: Items, timeout: float | None) -> tuple[list[Any], ...]:
    end = None if timeout is None else time.monotonic() + timeout
    wanted: dict[int, int] = {}
    for items, events in ((reads, READ), (writes, WRITE), (excepts, URGENT)):
        for _, fd, ep in items:
            if events == URGENT and ep is not None and ep.state is State.CONNECTING:
                events_of_item = WRITE | URGENT
            else:
                events_of_item = events
            wanted[fd] = wanted.get(fd, 0) | events_of_item
    while True:
        # A socket that has failed to connect, or never tried, hangs up for Linux: it is not waited for.
        quiet = {fd for items in (reads, writes, excepts) for _, fd, ep in items if _quiet(ep)}
        poller = linux.poll()
        for fd, events in wanted.items():
            if fd not in quiet:
                poller.register(fd, events)
        left = None if end is None else max(0.0, end - time.monotonic())
        failed = any(ep is not None and ep.connect_failed for _, _, ep in excepts)
        ready = dict(poller.poll(0 if failed else None if left is None else left * 1e3))
        result = (
            [obj for obj, fd, ep in reads if _readable(ready.get(fd, 0), ep)],
            [obj for obj, fd, ep in writes if _writable(ready.get(fd, 0), ep)],
            [obj for obj, fd, ep in excepts if _exceptional(ready.get(fd, 0), ep)],
        )
        if any(result) or (end is not None and time.monotonic() >= end):
            return result


def _quiet(ep: Endpoint | None) -> bool:
    """Nothing can happen on it: a stream without a connection, on its way to none."""
    return ep is not None and ep.stream and ep.state in (State.OPEN, State.BOUND)


def _settle(ep: Endpoint | None, events: int) -> State | None:
    """The endpoint's state, once it is known how its connect went."""
    if ep is None:
        return None
    if ep.state is State.CONNECTING and events:
        poll_connect(ep)
    return ep.state


def _readable(events: int, ep: Endpoint | None) -> bool:
    if not events & _READABLE:
        return False
    return not (_settle(ep, events) in (State.CONNECTING, State.BOUND) and ep is not None and ep.stream)


def _writable(events: int, ep: Endpoint | None) -> bool:
    if not events & (_WRITABLE | HANGUP):
        return False
    return not (_settle(ep, events) in (State.CONNECTING, State.BOUND) and ep is not None and ep.stream)


def _exceptional(events: int, ep: Endpoint | None) -> bool:
    _settle(ep, events)
    return bool(events & URGENT) or (ep is not None and ep.connect_failed)


def make_module() -> ModuleType:
    """The module `select`."""
    module = ModuleType(
        "select", "This module supports asynchronous I/O on multiple file descriptors.\n\nOn Windows, only for sockets."
    )
    vars(module).update(select=select, error=OSError)
    return module
