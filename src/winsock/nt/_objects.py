"""Objects that threads wait for: events, and whatever else is signalled.

Who waits has entered the object and is woken by ThreadState.interrupt(); then it looks again.  Taking a signal and
giving one are atomic, so that an auto-reset event lets one thread through, and nobody misses anything.
"""

from __future__ import annotations

import os
import threading

from winsock.nt._process import ThreadState

# Held for a few instructions only, by whoever takes signals: a wait for all of several objects takes them together.
# Reentrant, for a finalizer may set an event at any time.
taking = threading.RLock()
os.register_at_fork(after_in_child=taking._at_fork_reinit)  # type: ignore[attr-defined]


class Waitable:
    """Something that is signalled or not."""

    __slots__ = ("__weakref__", "_waiters")

    def __init__(self) -> None:
        self._waiters: tuple[ThreadState, ...] = ()

    def is_signaled(self, ts: ThreadState) -> bool:
        """Whether a wait of this thread would end now."""
        raise NotImplementedError

    def take(self, ts: ThreadState) -> None:
        """A wait has ended by this object; called with `taking` held, after is_signaled."""

    def enter(self, ts: ThreadState) -> None:
        """From now on a signal wakes this thread."""
        with taking:
            self._waiters = (*self._waiters, ts)

    def leave(self, ts: ThreadState) -> None:
        """It waits no more."""
        with taking:
            waiters = list(self._waiters)
            waiters.remove(ts)
            self._waiters = tuple(waiters)

    def wake(self) -> None:
        """Have the threads that wait look again."""
        for ts in self._waiters:
            ts.interrupt()


_NOBODY: frozenset[ThreadState] = frozenset()


class Event(Waitable):
    """An event object.

    manual      stays signalled until reset() (WSACreateEvent's kind); else one wait that it ends resets it
    signaled    its state
    """

    __slots__ = ("_pulsed", "manual", "name", "signaled")

    def __init__(self, manual: bool = True, signaled: bool = False, name: str = "") -> None:
        self._waiters = ()
        self.manual, self.signaled, self.name = manual, signaled, name
        self._pulsed = _NOBODY  # threads that a pulse releases

    def set(self) -> None:
        """Signal it."""
        self.signaled = True
        if self._waiters:
            self.wake()

    def reset(self) -> None:
        """It is not signalled any more."""
        self.signaled = False

    def pulse(self) -> None:
        """Release the threads that wait now (of an auto-reset event: one) and reset it."""
        with taking:
            waiting = self._waiters
            self.signaled = False
            self._pulsed |= frozenset(waiting if self.manual else waiting[:1])
        for ts in waiting:
            ts.interrupt()

    def is_signaled(self, ts: ThreadState) -> bool:
        return self.signaled or ts in self._pulsed

    def take(self, ts: ThreadState) -> None:
        if ts in self._pulsed:
            self._pulsed -= {ts}
        elif not self.manual:
            self.signaled = False

    def leave(self, ts: ThreadState) -> None:
        super().leave(ts)
        if self._pulsed:
            with taking:
                self._pulsed -= {ts}
