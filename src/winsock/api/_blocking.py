"""Blocking hooks: what a Winsock 1.1 program does while a call of its own blocks.

While a blocking call waits, the thread's hook is called again and again; it may do anything but call Winsock, where
WSACancelBlockingCall, WSAIsBlocking and the last error are all that is open to it (WSAEINPROGRESS else).  Winsock 2
has none of this: a process that negotiated 2.x gets WSAEOPNOTSUPP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winsock.api._call import SOCKET_ERROR, export
from winsock.api._pointers import address_of, function
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory


def default_hook() -> int:
    """The hook of a thread that has set none: it would dispatch window messages; FALSE: nothing left to do."""
    return 0


def _require_version_1(ts: ThreadState) -> None:
    if ts.process.version & 0xFF != 1:
        raise WinsockError(WSA.WSAEOPNOTSUPP)


@export(0)
def WSASetBlockingHook(ts: ThreadState, lpBlockFunc: Any) -> int:
    """Set what the calling thread does while it blocks; the hook before, as a function pointer.

    lpBlockFunc   a callable without arguments that returns TRUE as long as it wants to be called at once again, or
                  a function pointer from an earlier call

    NULL and WSAEOPNOTSUPP (not a Winsock 1.1 program), WSAEFAULT, WSAEINPROGRESS.  Source: document.
    """
    _require_version_1(ts)
    hook = _callable(lpBlockFunc)
    before = address_of(ts.hook or default_hook)
    ts.hook = None if hook is default_hook else hook
    return before


@export(SOCKET_ERROR)
def WSAUnhookBlockingHook(ts: ThreadState) -> int:
    """Back to the default hook.  WSAEOPNOTSUPP, WSAEINPROGRESS."""
    _require_version_1(ts)
    ts.hook = None
    return 0


@export(0, during=True)
def WSAIsBlocking(ts: ThreadState) -> int:
    """Whether a call of the calling thread blocks now: TRUE only in its hook.  WSAEOPNOTSUPP."""
    _require_version_1(ts)
    return int(ts.blocking > 0)


@export(SOCKET_ERROR, during=True)
def WSACancelBlockingCall(ts: ThreadState) -> int:
    """End the calling thread's blocking call: it fails with WSAEINTR.

    WSAEOPNOTSUPP, WSAEINVAL (nothing blocks).  Source: document.
    """
    _require_version_1(ts)
    if not ts.blocking:
        raise WinsockError(WSA.WSAEINVAL)
    ts.cancelled = WSA.WSAEINTR
    ts.interrupt()
    return 0


def _callable(value: Any) -> Callable[..., Any]:
    if callable(value):
        return value  # type: ignore[no-any-return]
    try:
        return function(int(value))
    except (KeyError, TypeError, ValueError):
        raise memory.fault() from None
