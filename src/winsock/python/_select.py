"""The `select` module as CPython has it on Windows: select() alone, of sockets alone.

Windows' rules are the core's: a failed connect shows in the except set only, three empty sets are refused, what is
not a socket is refused.  What is this module's own is what CPython adds: objects with fileno(), and the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from weakref import ref

from winsock import spi
from winsock.afd import Endpoint
from winsock.nt._process import _tls
from winsock.python._endpoints import adopt, endpoints, forget
from winsock.python._oserror import face, keep
from winsock.transports import READ, URGENT, WRITE
from winsock.transports.host import HOST

LONGEST_TIMEOUT = 0x7FFFFFFF  # seconds of a struct timeval
FD_SETSIZE = 512  # CPython is built with this, not with the header's 64

READ_OR_WRITE = READ | WRITE


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


def _collect(objects: Any, strangers: list[Endpoint]) -> tuple[list[Any], list[Endpoint]]:
    """The objects of one argument, and their endpoints.

    A socket that other code has made gets an endpoint for this one call, which is added to the strangers.
    """
    try:
        items = list(objects)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None
    if len(items) > FD_SETSIZE:
        raise ValueError("too many file descriptors in select()")
    found = []
    for obj in items:
        fd = _descriptor(obj)
        ep = endpoints.get(fd)
        if ep is None:
            ep = adopt(fd)
            strangers.append(ep)
        found.append(ep)
    return items, found


def _ready(items: list[Any], of: list[Endpoint], found: list[Endpoint]) -> list[Any]:
    """The objects whose endpoints were found ready."""
    if not found:
        return []
    if len(found) == len(items):
        return items
    chosen = set(found)
    return [obj for obj, ep in zip(items, of, strict=True) if ep in chosen]


def _those(items: Sequence[Any], ready: list[tuple[Any, int]], events: int) -> list[Any]:
    """The objects that are ready for one of these events."""
    keys = {key for key, got in ready if got & events}
    return [item for item in items if _key(item) in keys]


def _key(item: Any) -> Any:
    """What the network's looker takes for it; LookupError if the network does not know what Windows would say."""
    ep: Any = endpoints.get(item) if item.__class__ is int else item._ep
    if not ep.shape.ready:
        raise LookupError
    return ep.look_key()


def select(
    rlist: Sequence[Any], wlist: Sequence[Any], xlist: Sequence[Any], timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """select(r, w, x[, seconds]): those of r that can be read, of w that can be written, of x that are exceptional.

    Sockets or their descriptors, at most 512 a set; seconds is how long to wait, None for ever.
    """
    try:
        # The short way, for endpoints of which Linux thinks as Windows does: what is ready now.
        reads, writes = len(rlist), len(wlist)  # of an iterator, which may be asked once only, there is no length
        ep: Any
        wanted: dict[Any, int] = {}
        if reads == 1 == writes and not xlist:
            item = rlist[0]
            ep = endpoints.get(item) if item.__class__ is int else item._ep
            item = wlist[0]
            other: Any = endpoints.get(item) if item.__class__ is int else item._ep
            if not (ep.shape.ready and other.shape.ready):
                raise LookupError
            ts = _tls.state
            first, second, look = ts.pair
            if first() is not ep or second() is not other:
                wanted = {ep.look_key(): READ}
                key = other.look_key()
                wanted[key] = READ_OR_WRITE if key in wanted else WRITE
                look = HOST.looker(ts, wanted)
                ts.pair = ref(ep), ref(other), look
        else:
            for item in rlist:
                ep = endpoints.get(item) if item.__class__ is int else item._ep
                if not ep.shape.ready:
                    raise LookupError
                wanted[ep.look_key()] = READ
            for item in wlist:
                ep = endpoints.get(item) if item.__class__ is int else item._ep
                if not ep.shape.ready:
                    raise LookupError
                key = ep.look_key()
                wanted[key] = READ_OR_WRITE if key in wanted else WRITE
            if xlist:
                if len(xlist) > FD_SETSIZE:
                    raise LookupError
                for item in xlist:
                    key = _key(item)
                    wanted[key] = wanted.get(key, 0) | URGENT
            if not wanted or reads + writes > FD_SETSIZE:
                raise LookupError
            ts = _tls.state
            known, look = ts.looker
            if known != wanted:
                look = HOST.looker(ts, wanted)
        ready = look(0)
        readable = writable = 0
        for _, got in ready:
            if got == READ:
                readable += 1
            elif got == WRITE:
                writable += 1
            elif got == READ_OR_WRITE:
                readable += 1
                writable += 1
            else:
                raise LookupError
        if timeout == 0 or (ready and (timeout is None or timeout > 0)):
            return (
                [*rlist] if readable == reads else _those(rlist, ready, READ) if readable else [],
                [*wlist] if writable == writes else _those(wlist, ready, WRITE) if writable else [],
                [],
            )
    except (AttributeError, LookupError, TypeError, ValueError, OSError):
        pass
    try:
        return _select(rlist, wlist, xlist, timeout)
    except BaseException as e:
        e.__traceback__ = keep(e)
        raise


@face
def _select(
    rlist: Sequence[Any], wlist: Sequence[Any], xlist: Sequence[Any], timeout: float | None
) -> tuple[list[Any], list[Any], list[Any]]:
    """The long way."""
    if timeout is not None:
        if not hasattr(timeout, "__float__") and not hasattr(timeout, "__index__"):
            raise TypeError("timeout must be a float or None")
        timeout = float(timeout)
        if timeout < 0:
            raise ValueError("timeout must be non-negative")
        if math.isnan(timeout) or timeout > LONGEST_TIMEOUT:
            raise OverflowError("timestamp too large to convert to C _PyTime_t")
        timeout *= 1e3
    strangers: list[Endpoint] = []
    try:
        reads, read_eps = _collect(rlist, strangers)
        writes, write_eps = _collect(wlist, strangers)
        others, other_eps = _collect(xlist, strangers)
        procs = next((ep.procs for eps in (read_eps, write_eps, other_eps) for ep in eps), spi.BASE)
        found = procs.select(read_eps, write_eps, other_eps, timeout)
    finally:
        for ep in strangers:
            forget(ep)
    return (
        _ready(reads, read_eps, found[0]),
        _ready(writes, write_eps, found[1]),
        _ready(others, other_eps, found[2]),
    )


def make_module() -> ModuleType:
    """The module `select`."""
    module = ModuleType("select", "This module supports asynchronous I/O on multiple sockets.")
    vars(module).update(select=select, error=OSError)
    return module
