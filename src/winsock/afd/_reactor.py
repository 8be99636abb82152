"""The reactor of a process: it learns what happened to the sockets that have work pending, and has it done.

Whoever waits runs it.  One thread at a time leads: it polls the network's watcher, runs the callbacks of what became
ready, and sees whether its own wait is over.  Others that wait follow: they sleep until somebody interrupts them, and
one of them leads when the leader goes.  While there is work and nobody waits, the stand-in leads, a thread that
exists for that alone.  A leader that goes and comes back in no time, as a program's loop does, doesn't call it: it
looks for itself, some times a second, whether it has to step in, and rests when it has not been needed for a while.

Callbacks get (endpoint, READ | WRITE | ...) as the transport reports it.  They are told of changes, not of states:
who is told takes all that there is.  They run without locks of the reactor's, in any thread, and must not wait.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from winsock.afd._stand_in import StandIn
from winsock.nt import Process, ThreadState
from winsock.transports import READ, Transport

_log = logging.getLogger("winsock")

Callback = Callable[[Any, int], None]
T = TypeVar("T")


class _Watch:
    """An endpoint that is watched, and for whom.

    only    the callback, if there is but one
    """

    __slots__ = ("callbacks", "ep", "only")

    def __init__(self, ep: Any, callback: Callback) -> None:
        self.ep = ep
        self.callbacks: tuple[Callback, ...] = (callback,)
        self.only: Callback | None = callback

    def are(self, callbacks: tuple[Callback, ...]) -> None:
        """These watch it from now on."""
        self.callbacks = callbacks
        self.only = callbacks[0] if len(callbacks) == 1 else None


def _tell(watches: dict[int, _Watch], events: Iterable[tuple[int, int]]) -> None:
    """Call back for what the watcher has told of."""
    for key, got in events:
        watch = watches.get(key)
        if watch is None:
            continue
        only = watch.only
        if only is not None:
            try:
                only(watch.ep, got)
            except Exception:
                _failed()
            continue
        for callback in watch.callbacks:
            try:
                callback(watch.ep, got)
            except Exception:
                _failed()


def _failed() -> None:
    raise_in_main_thread()
    _log.exception("winsock: a callback of the reactor failed; please report this")


def raise_in_main_thread() -> None:
    """Raise what is being handled: in the main thread it may be the program's, from a signal's handler."""
    if threading.current_thread() is threading.main_thread():
        raise  # noqa: PLE0704


class Timer:
    """Something to be done later; cancel() any time."""

    __slots__ = ("function", "when")

    def __init__(self, when: float, function: Callable[[], None]) -> None:
        self.when = when
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        """It will not be done, unless it is being done just now."""
        self.function = None


LED = object()  # another thread leads


class Reactor:
    """One for each process; see reactor_of()."""

    def __init__(self, process: Process, network: Transport) -> None:
        self.process = weakref.ref(process)
        self.network = network
        self.now = network.now
        self._watches: dict[Any, _Watch] = {}
        self._fresh()
        process.on_close(self._watches, self.forget)

    def _fresh(self) -> None:
        """Nothing is watched and nobody waits; also in a forked child, where the parent's watcher is not ours."""
        self._watcher: Any = None  # a Watcher, when something is watched
        self._watches.clear()
        self._lock = threading.RLock()  # for _watches and _timers
        # Holds one thing while nobody leads.  Who takes it out leads, and is in a `try` before a signal's handler can
        # raise; after a lock's acquire() it can, and nobody would ever release that.
        self._free = [True]
        self._leader: ThreadState | None = None
        self._laps = 0  # times that somebody took the lead
        self._followers: list[ThreadState] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self.known: set[Any] = set()  # what has work, or had
        self.attended = False  # the stand-in sees to it that somebody leads
        self._stand_in = StandIn(self)

    # -- what there is to do

    def watch(self, ep: Any, callback: Callback, first: bool = False) -> None:
        """Call back whenever the endpoint may have become ready for something; now, too, if it is ready already.

        ep       an endpoint, or what else has a `transport`
        first    before others that watch it: requests take their data before events look what there is
        """
        with self._lock:
            watcher = self._watcher
            if watcher is None:
                watcher = self._watcher = self.network.watcher()
            watch = self._watches.get(ep)
            if watch is not None:
                # First of all: the watcher may tell another thread at once, and tells once only.
                if callback not in watch.callbacks:
                    watch.are((callback, *watch.callbacks) if first else (*watch.callbacks, callback))
                watcher.again(ep.transport)
            else:
                watch = self._watches[ep] = _Watch(ep, callback)  # before the watcher has it: see replace()
                try:
                    watcher.add(ep.transport, watch)
                except BaseException:
                    del self._watches[ep]
                    raise
        self.attend()

    def unwatch(self, ep: Any, callback: Callback) -> None:
        """Call back no more."""
        with self._lock:
            watch = self._watches.get(ep)
            if watch is not None:
                watch.are(tuple(known for known in watch.callbacks if known != callback))
                if not watch.callbacks:
                    self.forget(ep)

    def again(self, ep: Any) -> None:
        """Call back those who watch it once more, if it is ready for something."""
        watcher = self._watcher
        if watcher is not None:
            watcher.again(ep.transport)

    def replace(self, ep: Any, change: Callable[..., T], *args: Any) -> T:
        """change(...) puts another socket of the network's in the endpoint's place: who watches it watches that.

        Returns what change() does.
        """
        if ep not in self._watches:
            result = change(*args)
            if ep in self._watches:  # since just now, and maybe the socket that is gone
                with self._lock:
                    watch, watcher = self._watches.get(ep), self._watcher
                    if watch is not None and watcher is not None:
                        watcher.add(ep.transport, watch)
            return result
        with self._lock:
            watch, watcher = self._watches.get(ep), self._watcher
            if watch is None or watcher is None:
                return change(*args)
            watcher.remove(ep.transport)
            try:
                return change(*args)
            finally:
                watcher.add(ep.transport, watch)

    def forget(self, ep: Any) -> None:
        """Whoever watched it, nobody does any more: its socket is about to close."""
        if ep not in self._watches:
            return
        with self._lock:
            if self._watches.pop(ep, None) is not None and self._watcher is not None:
                self._watcher.remove(ep.transport)

    def busy(self, token: Any) -> None:
        """There is work, whether or not anybody waits, as long as token.works() says so."""
        self.known.add(token)
        self.attend()

    def idle(self, token: Any) -> None:
        """There is no such work any more."""
        self.known.discard(token)
        if self._stand_in.leads and not self.has_work() and self._watcher is not None:
            self._watcher.kick()  # it need not lead any more

    def call_at(self, when: float, function: Callable[[], None]) -> Timer:
        """Call when the network's clock says so; whether or not anybody waits."""
        timer = Timer(when, function)
        with self._lock:
            if self._watcher is None:
                self._watcher = self.network.watcher()
            heapq.heappush(self._timers, (when, next(self._numbers), timer))
            first = self._timers[0][2] is timer
        if first and not self._free:
            self._watcher.kick()
        else:
            self.attend()
        return timer

    def has_work(self) -> bool:
        """Whether something has to go on while nobody waits."""
        if self._timers:
            with self._lock:
                self._drop_cancelled()
            if self._timers:
                return True
        known = self.known
        while known:
            try:
                token = known.pop()
            except KeyError:
                break
            if token.works():
                known.add(token)
                return True
            if token.works():  # just now
                known.add(token)
        return False

    def attend(self) -> None:
        """See to it that somebody leads, if there is a need."""
        if not self._free:
            return
        followers = self._followers
        if followers and (self._watches or self._timers):
            try:
                followers[-1].interrupt()
                return
            except IndexError:
                pass  # it went just now
        if not self.attended and (self.known or self._timers):
            self._stand_in.rouse()

    def still(self) -> AbstractContextManager[bool]:
        """While this lasts no thread of ours begins; False if one does just now."""
        return self._stand_in.still()

    # -- waiting

    def wait(self, ts: ThreadState, until: Callable[[], Any], timeout: float | None) -> Any:
        """Wait until until() gives something else than None, and return that; None after timeout ms.

        Also without a wait (timeout 0) what is ready is done before until() has its last say.
        """
        end = None if timeout is None else self.now() + timeout
        before = ts.wake
        try:
            if self._leader is ts:  # a signal's handler, while this thread leads
                return self._run(ts, until, end)
            while True:
                if self._watcher is not None and (self._free or self._stand_in.give_way()):
                    found = self._lead(ts, self._run, ts, until, end)
                    if found is not LED:
                        return found
                found, over = self._follow(ts, until, end)
                if over:
                    return found
        finally:
            ts.wake = before
            if self._followers or not self.attended:
                self.attend()

    def _lead(self, ts: ThreadState, work: Callable[..., Any], *arguments: Any) -> Any:
        """What work(*arguments) gives, done by the thread that leads; LED if another one was faster."""
        free = self._free
        try:
            del free[0]
        except IndexError:
            return LED
        try:
            self._leader = ts
            self._laps += 1
            return work(*arguments)
        except BaseException:
            self._interrupted()
            raise
        finally:
            self._leader = None
            free.append(True)
            if self._followers or not self.attended:
                self.attend()

    def _interrupted(self) -> None:
        """A signal's handler raised: what the watcher told last may have been lost, so let it tell again."""
        watcher = self._watcher
        if watcher is not None:
            with self._lock:
                for ep in self._watches:
                    watcher.again(ep.transport)

    def _run(self, ts: ThreadState, until: Callable[[], Any], end: float | None) -> Any:
        """Lead until the own wait is over."""
        watcher: Any = self._watcher
        poll, kick, now = watcher.poll, watcher.kick, self.now
        looked = False
        while True:
            ts.wake = kick
            found = until()
            if found is not None:
                return found
            left = None
            if end is not None:
                left = end - now()
                if left <= 0:
                    if looked:
                        return None
                    left = 0
            if self._timers:
                left = self._due(left)
            events = poll(left)
            if self._watcher is not watcher:  # forked, by a signal's handler
                return None
            ts.wake = None  # it looks again anyway
            looked = True
            _tell(watcher.tokens, events)
            if self._timers:
                self._ring()

    def glance(self, ts: ThreadState) -> bool:
        """wait() without a wait, whose caller looks what has come of it; False if another thread leads."""
        return self._watcher is not None and self._lead(ts, self._turn, self._watcher) is not LED

    def _turn(self, watcher: Any) -> None:
        """Do what is ready."""
        _tell(watcher.tokens, watcher.poll(0))
        if self._timers and self._watcher is watcher:
            self._ring()

    def next_packet(self, ts: ThreadState, port: Any, timeout: float | None) -> Any:
        """wait() for a completion port's next packet; None if there was none in time, LED if wait() has to go on.

        What a program's loop does most: it leads, and what it waits for is among the first that happen.
        """
        watcher = self._watcher
        if watcher is None:
            return LED
        before = ts.wake
        try:
            return self._lead(ts, self._packet, ts, port, timeout, watcher)
        finally:
            ts.wake = before
            if port.packets and port._queue:
                port.tell()  # there is one for somebody else, too

    def _packet(self, ts: ThreadState, port: Any, timeout: float | None, watcher: Any) -> Any:
        packets, queue = port.packets, port._queue
        try:
            queue.append(ts)
            ts.wake = watcher.kick
            if not packets and not port.closed:
                due = self._due(timeout) if self._timers else timeout
                events = watcher.poll(due)
                ts.wake = None
                if not events and due is timeout:
                    return None
                _tell(watcher.tokens, events)
                if self._timers and self._watcher is watcher:
                    self._ring()
            return packets.popleft() if packets else LED
        finally:
            queue.remove(ts)

    def look(
        self, ts: ThreadState, entries: Sequence[tuple[Any, int]], timeout: float | None
    ) -> list[tuple[Any, int]]:
        """Transport.wait() for a thread that waits for sockets of its own; other work is done meanwhile.

        May find nothing before the time is up.
        """
        wait = self.network.wait
        watcher: Any = self._watcher
        if watcher is None or not (self._watches or self._timers):
            return wait(ts, entries, timeout)
        if self._leader is not ts and (self._free or self._stand_in.give_way()):
            answer = self._lead(ts, self._look, ts, entries, timeout)
            if answer is not LED:
                found: list[tuple[Any, int]] = answer
                return found
        try:
            self._followers.append(ts)
            return wait(ts, entries, timeout if self._led() else 0)
        finally:
            self._followers.remove(ts)
            if self._followers or not self.attended:
                self.attend()

    def _look(
        self, ts: ThreadState, entries: Sequence[tuple[Any, int]], timeout: float | None
    ) -> list[tuple[Any, int]]:
        """Wait for these and for what the watcher tells of, as the leader."""
        watcher: Any = self._watcher
        due = self._due(timeout) if self._timers else timeout
        found = self.network.wait(ts, [*entries, (watcher, READ)], due)
        mine = [answer for answer in found if answer[0] is not watcher]
        if len(mine) < len(found) and self._watcher is watcher:
            _tell(watcher.tokens, watcher.poll(0))
        if self._timers:
            self._ring()
        return mine

    def _follow(self, ts: ThreadState, until: Callable[[], Any], end: float | None) -> tuple[Any, bool]:
        """Sleep once, as somebody else leads or nothing is to be led: what was found, and whether that was all."""
        ts.wake = self.network.prepare(ts)
        try:
            self._followers.append(ts)
            if self._watcher is not None and not self._led():
                return None, False
            found = until()
            if found is not None:
                return found, True
            left = None if end is None else end - self.now()
            if left is not None and left <= 0:
                return None, True
            self.network.wait(ts, (), left)
        finally:
            self._followers.remove(ts)
        found = until()
        return found, found is not None

    def _led(self) -> bool:
        """Whether somebody leads who does not give way to those that wait."""
        return not self._free and not self._stand_in.leads

    def _due(self, timeout: float | None) -> float | None:
        """The time-out itself, or the ms until the first timer if that is sooner."""
        with self._lock:
            self._drop_cancelled()
            if not self._timers:
                return timeout
            due = max(0.0, self._timers[0][0] - self.now())
        return due if timeout is None or due < timeout else timeout

    def _drop_cancelled(self) -> None:
        """Forget timers that come next and were cancelled; with the lock held."""
        while self._timers and self._timers[0][2].function is None:
            heapq.heappop(self._timers)

    def _ring(self) -> None:
        """Do what is due."""
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > self.now():
                    return
                _, _, timer = heapq.heappop(self._timers)
            function, timer.function = timer.function, None
            if function is not None:
                try:
                    function()
                except Exception:
                    _failed()


REACTOR = "reactor"  # in Process.services


def look(
    ts: ThreadState, network: Any, entries: Sequence[tuple[Any, int]], timeout: float | None
) -> list[tuple[Any, int]]:
    """Reactor.look() of the thread's process, or Transport.wait() if nothing there was ever watched."""
    reactor: Reactor | None = ts.process.services.get(REACTOR)
    if reactor is None or reactor.network is not network:
        found: list[tuple[Any, int]] = network.wait(ts, entries, timeout)
        return found
    return reactor.look(ts, entries, timeout)


def reactor_of(process: Process, network: Any) -> Reactor:
    """The process' reactor, made when it is first asked for."""
    reactor: Reactor | None = process.services.get(REACTOR)
    if reactor is None:
        with process.lock:
            reactor = process.services.get(REACTOR)
            if reactor is None:
                reactor = process.services[REACTOR] = Reactor(process, network)
    return reactor


def _after_fork() -> None:
    """In a forked child: the parent's watcher, and what was watched, are the parent's."""
    for process in Process.all():
        reactor: Reactor | None = process.services.get(REACTOR)
        if reactor is not None:
            reactor._fresh()


os.register_at_fork(after_in_child=_after_fork)
