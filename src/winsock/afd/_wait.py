"""Blocking calls: wait until an endpoint is ready, and be interruptible meanwhile."""

from __future__ import annotations

from winsock.afd._endpoint import Endpoint
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current

HOOK_SLICE = 1.0  # ms between two calls of a blocking hook


def wait_ready(ep: Endpoint, events: int, timeout: float | None, closed_code: int = WSA.WSAEINTR) -> bool:
    """Wait until the endpoint has one of these events (transports.READ, WRITE, URGENT), an error or a hang-up.

    timeout        milliseconds; None waits for ever
    closed_code    the error when another thread closes the socket meanwhile

    False when the time is up.  WSACancelBlockingCall ends it with WSAEINTR.
    """
    ts = current()
    network = ep.network
    waker = network.prepare(ts)  # type: ignore[attr-defined]
    ep.enter_wait(ts)
    ts.wake, ts.cancelled = waker, False
    ts.blocking += 1
    end = None if timeout is None else network.now() + timeout
    try:
        while True:
            if ep.closed:
                raise WinsockError(closed_code)
            if ts.cancelled:
                raise WinsockError(WSA.WSAEINTR)
            left = None if end is None else max(0.0, end - network.now())
            if ts.hook is not None:
                _run_hook(ts)
                left = HOOK_SLICE if left is None else min(left, HOOK_SLICE)
            if network.wait(ts, [(ep.transport, events)], left):
                if ep.closed:
                    raise WinsockError(closed_code)
                return True
            if end is not None and network.now() >= end:
                return False
    finally:
        ts.blocking -= 1
        ts.wake = None
        ep.leave_wait(ts)


def _run_hook(ts: ThreadState) -> None:
    """The hook runs until it says that there is nothing left to do."""
    hook = ts.hook
    while hook is not None and not ts.cancelled and hook():
        hook = ts.hook
