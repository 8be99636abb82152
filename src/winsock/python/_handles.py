"""Handles as Python programs see them: what is no socket has a number that no descriptor has.

A socket's handle is its descriptor, so that fileno() means the same to CPython's C code and to _overlapped.  Events,
completion ports, pipes and processes are handles of the core, moved out of the descriptors' way.
"""

from __future__ import annotations

from typing import Any, TypeVar

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._reactor import Reactor, reactor_of
from winsock.codes import WSA, WinsockError
from winsock.nt import Process, ThreadState, current
from winsock.nt._objects import Waitable
from winsock.python import _endpoints
from winsock.transports.host import HOST

FIRST = 0x1000000  # above every descriptor and every handle of the core
INVALID = (1 << 64) - 1

T = TypeVar("T")


def make(obj: Any) -> int:
    """A handle for the object, whose close(), if it has one, is called when the handle is closed."""
    return current().process.handles.add(obj) + FIRST


def find(handle: int, kind: type[T]) -> T:
    """The object of that kind behind a handle; ERROR_INVALID_HANDLE."""
    obj = current().process.handles.objects.get(handle - FIRST)
    if not isinstance(obj, kind):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    return obj


def close(handle: int) -> None:
    """CloseHandle; ERROR_INVALID_HANDLE."""
    obj = current().process.handles.remove(handle - FIRST)
    if obj is None:
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    closing = getattr(obj, "close", None)
    if closing is not None:
        closing()


def waitable(handle: int) -> Waitable:
    """What a wait for the handle waits for."""
    return find(handle, Waitable)


def endpoint(handle: int) -> Endpoint:
    """The endpoint of a socket's descriptor, or of a pipe's handle; WSAENOTSOCK."""
    ep = _endpoints.endpoints.get(handle)
    if ep is not None:
        return ep
    if handle >= FIRST:
        obj = current().process.handles.objects.get(handle - FIRST)
        found = getattr(obj, "ep", None)
        if isinstance(found, Endpoint):
            return found
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    raise WinsockError(WSA.WSAENOTSOCK)


def reactor(ts: ThreadState) -> Reactor:
    """The reactor of the thread's process."""
    process: Process = ts.process
    return reactor_of(process, process.transport or HOST)
