"""The stand-in: the thread that leads a process' reactor while there is work and nobody waits."""

from __future__ import annotations

import _thread
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from winsock.nt import ThreadState
from winsock.nt._threads import rest, work

if TYPE_CHECKING:
    from winsock.afd._reactor import Reactor

TICK = 0.010  # seconds in which the stand-in gives a leader time to come back
LONG_TICK = 0.040  # the same for one that has always come back
REST = 0.2  # seconds without need, after which it ends
HAND_OVER = 0.2  # seconds that the stand-in may take to stand back


class StandIn:
    """The thread that leads while there is work and nobody waits."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = weakref.ref(reactor)
        self._lock = threading.RLock()  # a finalizer may close sockets at any time
        self._roused = threading.Condition(self._lock)
        self._state = "absent"
        self.leads = False
        self._back = False  # somebody wants to lead
        self._stood_back = threading.Event()
        self._begins = False  # started, and has not run yet

    def rouse(self) -> None:
        """There is work, and nobody leads."""
        with self._lock:
            if self._state == "absent":
                self._enter("ticking")
                self._begins = True
                try:
                    # None of the program's own threads: threading doesn't count it, nor waits for it at the end.
                    _thread.start_new_thread(self._run, ())
                except RuntimeError:  # the interpreter ends, or has no room for a thread: waiting threads remain
                    self._begins = False
                    self._enter("absent")
            elif self._state == "resting":
                self._enter("ticking")
                self._roused.notify()

    def _enter(self, state: str) -> None:
        self._state = state
        self.leads = state == "leading"
        reactor = self._reactor()
        if reactor is not None:
            reactor.attended = state in ("ticking", "leading")

    def give_way(self) -> bool:
        """If it leads: have it stand back; whether it has."""
        if not self.leads:
            return False
        reactor = self._reactor()
        watcher = reactor._watcher if reactor is not None else None
        if reactor is None or watcher is None:
            return False
        self._back = True
        watcher.kick()
        return self._stood_back.wait(HAND_OVER)

    @contextmanager
    def still(self) -> Iterator[bool]:
        """While this lasts it does not begin; False if it does just now."""
        with self._lock:
            yield not self._begins

    def _run(self) -> None:
        self._begins = False
        rest()
        try:
            self._tick()
        finally:
            work()

    def _tick(self) -> None:
        tick = TICK
        while True:
            reactor = self._reactor()
            lap = -1 if reactor is None else reactor._laps
            del reactor  # nobody else may want it any more
            with self._lock:
                self._roused.wait(tick)
            reactor = self._reactor()
            if reactor is None:
                return
            led, moved = not reactor._free, reactor._laps != lap
            tick = min(2 * tick, LONG_TICK) if moved else TICK
            if not reactor.has_work() or (led and not moved):
                del reactor
                if not self._rest():
                    return
            elif not led and not moved:
                self._lead(reactor)

    def _rest(self) -> bool:
        """Sleep until roused; False after a while in which nobody did."""
        with self._lock:
            reactor = self._reactor()
            if reactor is None:
                return False
            self._enter("resting")
            if reactor.has_work() and reactor._free:
                self._enter("ticking")  # it has changed just now
                return True
            del reactor
            self._roused.wait(REST)
            if self._state == "resting":
                self._enter("absent")
                return False
            return True

    def _lead(self, reactor: Reactor) -> None:
        process = reactor.process()
        if process is None or reactor._watcher is None:  # whoever brings the first work has yet to make one
            return
        try:
            del reactor._free[0]
        except IndexError:
            return
        self._back = False
        self._stood_back.clear()
        self._enter("leading")
        if reactor._followers:  # they came while it was not yet to be seen who leads
            self._back = True
        work()
        try:
            reactor._run(ThreadState(process), lambda: True if self._back or not reactor.has_work() else None, None)
        finally:
            rest()
            self._enter("ticking")
            reactor._free.append(True)
            self._stood_back.set()
            if reactor._followers:
                reactor.attend()
