"""Registered waits: a function is called, in a thread of its own, when an object is signalled or the time is up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from winsock.nt._objects import Event, Waitable, taking
from winsock.nt._process import Process

_log = logging.getLogger("winsock")


class RegisteredWait:
    """A wait that needs no thread while it lasts: it stands among the object's waiters in a thread's place.

    callback    is called with True when the time was up, False when the object was signalled
    timeout     milliseconds, None for ever; counted anew after each call
    once        call once only
    call_at     the reactor's: (when, function) -> a timer with cancel()
    """

    def __init__(
        self,
        process: Process,
        obj: Waitable,
        callback: Callable[[bool], Any],
        timeout: float | None,
        once: bool,
        now: Callable[[], float],
        call_at: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self.process, self.obj, self.callback = process, obj, callback
        self.timeout, self.once, self.now, self.call_at = timeout, once, now, call_at
        self.over = False  # nothing will be called any more, but for what runs
        self.running = False
        self.idle = threading.Condition()
        self.done: Event | None = None
        self.timer: Any = None
        self.obj.enter(self)  # type: ignore[arg-type]
        self._await()

    def _await(self) -> None:
        if self.timeout is not None:
            self.timer = self.call_at(self.now() + self.timeout, lambda: self._fire(True))
        self.interrupt()

    def interrupt(self) -> None:
        """The object may be signalled; as ThreadState.interrupt, from any thread."""
        with taking:
            if self.over or self.running or not self.obj.is_signaled(self):  # type: ignore[arg-type]
                return
            self.obj.take(self)  # type: ignore[arg-type]
            self._fire(False)

    def _fire(self, timed_out: bool) -> None:
        with self.idle:
            if self.over or self.running:
                return
            self.running = True
            if self.timer is not None:
                self.timer.cancel()
            if self.once:
                self._leave()
        threading.Thread(target=self._call, args=(timed_out,), name="winsock wait", daemon=True).start()

    def _call(self, timed_out: bool) -> None:
        try:
            with self.process.attached():
                self.callback(timed_out)
        except Exception:  # C code could not raise through the system either
            _log.exception("the function of a registered wait failed: %r", self.callback)
        with self.idle:
            self.running = False
            self.idle.notify_all()
            done, again = self.done, not self.over
        if done is not None:
            done.set()
        if again:
            self._await()

    def _leave(self) -> None:
        if not self.over:
            self.over = True
            self.obj.leave(self)  # type: ignore[arg-type]

    def end(self, done: Event | None = None, wait: bool = False) -> bool:
        """Call nothing any more.  False if a call is under way, which is waited for, or ends with done.set()."""
        with self.idle:
            self._leave()
            if self.timer is not None:
                self.timer.cancel()
            if wait:
                while self.running:
                    self.idle.wait()
            if self.running:
                self.done = done
                return False
        if done is not None:
            done.set()
        return True
