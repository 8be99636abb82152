"""Waits of a thread: for objects, for a time, for APCs.

The thread waits at its process' pump (see Pump), which lets it do meanwhile what the network has for it to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from winsock.abi import _constants as c
from winsock.nt._apc import run_apcs
from winsock.nt._objects import Waitable, taking
from winsock.nt._process import ThreadState

FOREVER = None
_WOKEN = object()


class Pump(Protocol):
    """Where threads of a process wait (afd.Reactor)."""

    def wait(self, ts: ThreadState, until: Callable[[], Any], timeout: float | None) -> Any:
        """Wait until until() gives something else than None, and return that; None after timeout ms.

        until() is asked at first, and after each ThreadState.interrupt(); it must not wait itself.
        """

    def now(self) -> float:
        """Milliseconds on the network's clock."""


def wait_for(
    ts: ThreadState, pump: Pump, objects: Sequence[Waitable], together: bool, timeout: float | None, alertable: bool
) -> int:
    """Wait for one of these objects, or for all of them together: WAIT_OBJECT_0 and the index, or WAIT_TIMEOUT.

    timeout      milliseconds, or None
    alertable    APCs of the thread run, and end the wait with WAIT_IO_COMPLETION

    A signal that is there comes before APCs.  Of several objects the first one counts.
    """

    def look() -> int | None:
        with taking:
            if together:
                if all(obj.is_signaled(ts) for obj in objects):
                    for obj in objects:
                        obj.take(ts)
                    return c.WAIT_OBJECT_0
                return None
            for i, obj in enumerate(objects):
                if obj.is_signaled(ts):
                    obj.take(ts)
                    return c.WAIT_OBJECT_0 + i
            return None

    found = look()
    if found is not None:
        return found
    entered: list[Waitable] = []
    try:
        for obj in objects:
            obj.enter(ts)
            entered.append(obj)
        return _wait(ts, pump, look, timeout, alertable)
    finally:
        for obj in entered:
            obj.leave(ts)


def sleep(ts: ThreadState, pump: Pump, timeout: float | None, alertable: bool) -> int:
    """Let time pass: 0 when it has, WAIT_IO_COMPLETION when APCs ran before."""
    result = _wait(ts, pump, lambda: None, timeout, alertable)
    return 0 if result == c.WAIT_TIMEOUT else result


def _wait(ts: ThreadState, pump: Pump, look: Callable[[], int | None], timeout: float | None, alertable: bool) -> int:
    if not alertable:
        found = pump.wait(ts, look, timeout)
        return c.WAIT_TIMEOUT if found is None else int(found)

    def until() -> Any:
        found = look()
        return _WOKEN if found is None and ts.apcs else found

    found = pump.wait(ts, until, timeout)
    if found is _WOKEN:
        run_apcs(ts)
        return c.WAIT_IO_COMPLETION
    return c.WAIT_TIMEOUT if found is None else int(found)
