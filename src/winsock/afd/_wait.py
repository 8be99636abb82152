"""Blocking calls: the calling thread waits for endpoints, and is interruptible meanwhile.

While a thread waits it may run other code of the program: its APCs (the wait is alertable, as Windows' blocking
calls are) and a Winsock 1.1 program's blocking hook.  Both may wait in turn, so that waits nest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any

from winsock.abi import _constants as c
from winsock.afd._endpoint import Endpoint
from winsock.afd._reactor import look
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, run_apcs

_log = logging.getLogger("winsock")

HOOK_SLICE = 1.0  # ms between two calls of a blocking hook


class Wait:
    """A wait under way; on leaving the `with` block the endpoints are free again.

    `with Wait(...) as wait, wait:` - twice, for a signal's handler may raise where __exit__ begins; the second time
    nothing is left to do, or everything.

    goes_on() is to be asked before each look at what is waited for, which may last left() milliseconds.
    """

    __slots__ = ("before", "end", "endpoints", "entered", "network", "started", "ts")

    def __init__(self, ts: ThreadState, network: Any, timeout: float | None) -> None:
        self.ts, self.network = ts, network
        self.end = None if timeout is None else network.now() + timeout
        self.endpoints: list[Endpoint] = []
        self.before: Any = None
        self.entered = self.started = False

    def __enter__(self) -> Wait:
        if not self.entered:
            ts, wake = self.ts, self.network.prepare(self.ts)
            # No calls from here on, and so no signals.
            self.before = ts.wake
            ts.wake = wake
            if not ts.blocking:
                ts.cancelled = 0
            ts.blocking += 1
            self.entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ts, endpoints = self.ts, self.endpoints
        if self.entered:
            self.entered = False
            ts.blocking -= 1
            ts.wake = self.before
        while endpoints:
            endpoints[-1].leave_wait(ts)
            endpoints.pop()

    def join(self, ep: Endpoint) -> bool:
        """From now on closing this endpoint, and other news of it, wake the thread; False if it is closed."""
        self.endpoints.append(ep)  # first: who leaves need not have entered
        try:
            ep.enter_wait(self.ts)
        except WinsockError:
            return False
        return True

    def goes_on(self) -> bool:
        """Run what has to run meanwhile; False when the time is up.  WSAEINTR after WSACancelBlockingCall."""
        ts = self.ts
        if ts.cancelled:
            raise WinsockError(ts.cancelled)
        if self.started and self.end is not None and self.network.now() >= self.end:
            return False
        self.started = True
        if ts.apcs and ts.open_type != c.SO_SYNCHRONOUS_NONALERT:
            run_apcs(ts)
        if ts.hook is not None:
            run_hook(ts)
        if ts.cancelled:
            raise WinsockError(ts.cancelled)
        return True

    def left(self) -> float | None:
        """Milliseconds for the next look."""
        left = None if self.end is None else max(0.0, self.end - self.network.now())
        if self.ts.hook is not None:
            return HOOK_SLICE if left is None else min(left, HOOK_SLICE)
        return left


def wait_ready(
    ep: Endpoint,
    events: int,
    timeout: float | None,
    closed_code: int = WSA.WSAEINTR,
    until: Callable[[], Any] | None = None,
) -> bool:
    """Wait until the endpoint has one of these events (transports.READ, WRITE, URGENT), an error or a hang-up.

    timeout        milliseconds; None waits for ever
    closed_code    the error when another thread closes the socket meanwhile
    until          something else that ends the wait when it is true; whoever makes it true interrupts the waiters

    False when the time is up.  WSACancelBlockingCall ends it with WSAEINTR.
    """
    ts = current()
    network: Any = ep.network
    entries = [(ep.transport, events)]
    if ts.apcs and network.wait(ts, entries, 0):
        return True  # APCs run in calls that have to wait, and only there
    with Wait(ts, network, timeout) as wait, wait:
        if not wait.join(ep):
            raise WinsockError(WSA.WSAENOTSOCK)
        while wait.goes_on():
            if ep.closed:
                raise WinsockError(closed_code)
            if until is not None and until():
                return True
            ready = look(ts, network, entries, wait.left())
            if ep.closed:
                raise WinsockError(closed_code)
            if ready:
                return True
    return False


def run_hook(ts: ThreadState) -> None:
    """The blocking hook runs until it says that there is nothing left to do.

    A Winsock 1.1 program's calls fail meanwhile (WSAEINPROGRESS), so its sockets are out of reach of short cuts.
    """
    sockets = ts.sockets
    if ts.process.version & 0xFF == 1:
        ts.sockets = {}
    try:
        hook = ts.hook
        while hook is not None and not ts.cancelled and hook():
            hook = ts.hook
    except Exception:  # C code could not raise through Winsock either: the call that waits ends, with WSAEINTR
        _log.exception("a blocking hook failed: %r", hook)
        ts.cancelled = WSA.WSAEINTR
    finally:
        ts.sockets = sockets
