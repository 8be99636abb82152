"""AFD, the driver under Winsock, as programs that call it directly see it: a handle of its own, and its polls.

Such a handle is for polls alone, which name the sockets they are about.  A poll may be made on a socket's handle just
as well; then it goes on when that handle is closed (fact).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _poll
from winsock.afd._connection import _settling
from winsock.afd._endpoint import Endpoint, Rest
from winsock.afd._request import Request
from winsock.afd._requests import READS, known_requests
from winsock.afd._structures import PENDING, SUCCESS
from winsock.codes import NTSTATUS as S
from winsock.codes import WinsockError
from winsock.nt import Process, ThreadState
from winsock.transports import Transport

POLLS = "afd polls"  # in Process.services: {endpoint: its polls}
MAIN = "afd main polls"  # in Process.services: {endpoint: its main poll}
ALWAYS = 0x7FFFFFFFFFFFFFFF  # a time-out that never comes
TICKS = 10_000  # in a millisecond
EPOCH = 11_644_473_600_000  # ms from 1601 to 1970
NOTHING: Mapping[str, Any] = MappingProxyType({})
TIMEOUT = int(S.STATUS_TIMEOUT)

Event = tuple[int, int]  # socket, AFD_POLL_*


class Device:
    """An open \\\\Device\\\\Afd without a socket behind it; has what requests want of an endpoint."""

    closed = False
    flags = c.WSA_FLAG_OVERLAPPED
    stream = False
    waiters = ()
    extra = NOTHING

    def __init__(self, process: Process, network: Transport) -> None:
        self.process, self.network = process, network
        self.rest = Rest()

    def own_rest(self) -> Rest:
        """As an endpoint's."""
        return self.rest

    def close(self) -> None:
        """The handle is closed: its requests end."""
        self.closed = True
        self.rest.end_requests(self)


class _Waiter:
    """Stands among an endpoint's waiters, and so is told of changes that the network does not see."""

    __slots__ = ("ep", "poll")

    def __init__(self, poll: Poll, ep: Endpoint) -> None:
        self.poll, self.ep = poll, ep

    def interrupt(self) -> None:
        if self.ep.closed:
            self.leave()
            return
        poll = self.poll
        reactor = poll.requests.reactor
        reactor.call_at(reactor.now(), poll.look)

    def leave(self) -> None:
        """Wait no more; the last to leave a closed endpoint closes its socket."""
        waiting: Any = self.ep.waiters
        if self in waiting:
            self.ep.leave_wait(self)  # type: ignore[arg-type]


class Poll(Request):
    """Wait until one of some sockets is ready.

    targets      (handle, endpoint, AFD_POLL_* wanted), in the caller's order
    timeout      100 ns: negative from now on, positive since 1601, 0 does not wait
    exclusive    takes the place of another exclusive one, if that is the endpoint's main poll: its first
    deliver      stores what was found, before the end is told
    """

    lane = None

    def __init__(
        self,
        ts: ThreadState,
        ep: Any,
        targets: Sequence[tuple[int, Endpoint, int]],
        timeout: int,
        exclusive: bool,
        deliver: Callable[[list[Event]], int],
    ) -> None:
        super().__init__(ts, ep)
        self.targets, self.timeout, self.exclusive, self.deliver = list(targets), timeout, exclusive, deliver
        self.outlives = isinstance(ep, Endpoint)
        self.endpoints = list(dict.fromkeys(target for _, target, _ in targets))
        self.timer: Any = None
        self.waiters: list[_Waiter] = []

    def begin(self) -> bool:
        ended = super().begin()
        if not ended:
            self._wait()
        return ended

    def attempt(self) -> int | None:
        found = self._found()
        if found or not self.timeout:
            return self.deliver(found)
        return None

    def _found(self) -> list[Event]:
        events = []
        ready: dict[Endpoint, int] = {}
        for handle, ep, wanted in self.targets:
            if ep not in ready:
                ready[ep] = ready_for(ep)
            if ready[ep] & wanted:
                events.append((handle, ready[ep] & wanted))
        return events

    def _wait(self) -> None:
        """Nothing yet: see to it that it is asked again."""
        services, reactor = self.ep.process.services, self.requests.reactor
        with self.requests.lock:
            if self.status != PENDING:
                return
            # Of a socket named twice one entry tells later (fact).
            self.targets = list({target[1]: target for target in self.targets}.values())
            with _lock:
                polls, main = services.setdefault(POLLS, {}), services.setdefault(MAIN, {})
                self.ep.process.on_close(polls, _target_closes, True)
                replaced = []
                for ep in self.endpoints:
                    polls.setdefault(ep, []).append(self)
                    first = main.get(ep)
                    if first is not None and first.exclusive and self.exclusive:
                        replaced.append(first)
                        first = None
                    if first is None:
                        main[ep] = self
            for ep in self.endpoints:
                waiter: Any = _Waiter(self, ep)
                try:
                    ep.enter_wait(waiter)
                    self.waiters.append(waiter)
                    reactor.watch(ep, self._happened)
                except WinsockError:
                    pass  # closed just now: look() says so
            if self.timeout != ALWAYS:
                self.timer = reactor.call_at(reactor.now() + self._milliseconds(), self._too_late)
        for poll in replaced:
            poll.finish([])
        self.look()

    def _milliseconds(self) -> float:
        if self.timeout < 0:
            return -self.timeout / TICKS
        return max(0.0, self.timeout / TICKS - EPOCH - time.time() * 1e3)

    def _happened(self, ep: Any, got: int) -> None:
        self.look()

    def look(self) -> None:
        """End, if something is ready."""
        if self.status == PENDING:
            found = self._found()
            if found:
                self.finish(found)

    def _too_late(self) -> None:
        self.finish([], TIMEOUT)

    def finish(self, found: list[Event], status: int = SUCCESS) -> None:
        """End with these events."""
        requests = self.requests
        with requests.lock:
            if self.status != PENDING:
                return
            there = self.overlapped is None or self.overlapped.intact()
            try:
                n = self.deliver(found) if there else 0
            except WinsockError:
                n, status = 0, int(S.STATUS_ACCESS_VIOLATION)
            requests.end(self, status, n)

    def cleared(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        waiters, self.waiters = self.waiters, []
        services, reactor = self.ep.process.services, self.requests.reactor
        for waiter in waiters:
            ep = waiter.ep
            with _lock:
                polls = services[POLLS].get(ep, [])
                if self in polls:
                    polls.remove(self)
                if not polls:
                    services[POLLS].pop(ep, None)
                if services[MAIN].get(ep) is self:
                    del services[MAIN][ep]
            reactor.unwatch(ep, self._happened)
            if not ep.closed:  # else its closing does that, last of all
                waiter.leave()


def ready_for(ep: Endpoint) -> int:
    """AFD_POLL_* that hold; data that pending requests take do not count (fact)."""
    try:
        ready = _poll.readiness(ep, ep.transport.readiness() if not ep.closed else 0)
    except WinsockError:
        return c.AFD_POLL_LOCAL_CLOSE
    if ready & (c.AFD_POLL_RECEIVE | c.AFD_POLL_ACCEPT):
        requests = known_requests(ep)
        if requests is not None and requests.lanes[READS]:
            ready &= ~(c.AFD_POLL_RECEIVE | c.AFD_POLL_ACCEPT)
    return ready


def _target_closes(ep: Any) -> None:
    """A socket closes: its polls say so, or go on without it."""
    for poll in list((ep.process.services.get(POLLS) or {}).get(ep, ())):
        poll.look()
        with poll.requests.lock:
            if poll.status == PENDING:
                poll.targets = [target for target in poll.targets if target[1] is not ep]


_lock = _settling  # for the tables of polls; free in a forked child before requests end there
