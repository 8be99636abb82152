"""What open sockets have of overlapped requests.

Each endpoint that ever had a request has a Requests: its lanes, its completion port, the object that a wait for the
socket's own handle waits for.  A duplicate of the socket in the same process has the same one.
"""

from __future__ import annotations

import logging
import os
import threading
from _thread import RLock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from winsock.abi import _constants as c
from winsock.afd._endpoint import SENDS, Endpoint, State
from winsock.afd._reactor import Reactor, raise_in_main_thread, reactor_of
from winsock.afd._structures import CANCELLED, OVERFLOW, SUCCESS
from winsock.codes import NTSTATUS as S
from winsock.codes import WSA, WinsockError, wsa_to_ntstatus
from winsock.nt import Process, ThreadState
from winsock.nt._completion import CompletionPort
from winsock.nt._objects import Event
from winsock.transports import ERROR, HANGUP, RDHUP, READ, URGENT, WRITE

if TYPE_CHECKING:
    from winsock.afd._request import Request

_log = logging.getLogger("winsock")

READS, WRITES = 0, 1  # lanes
_FOR_READS = READ | URGENT | RDHUP | HANGUP | ERROR
_ENDS = RDHUP | HANGUP | ERROR | URGENT
_FOR_WRITES = WRITE | HANGUP | ERROR

NOTE = "requests"  # in Endpoint.extra while synchronous receives have to look for requests before them
ALL = "requests"  # in Process.services: every open socket's Requests, in a set


class Truncation(WinsockError):
    """WSAEMSGSIZE with bytes stored: ends a request with STATUS_BUFFER_OVERFLOW, which is a warning."""

    __slots__ = ("stored",)

    def __init__(self, stored: int) -> None:
        super().__init__(WSA.WSAEMSGSIZE)
        self.stored = stored


def status_of(ep: Endpoint, code: int) -> int:
    """The status of a request that ends with this code; a datagram socket's 10054 is an unreachable port."""
    if code == WSA.WSAECONNRESET and not ep.stream:
        return int(S.STATUS_PORT_UNREACHABLE)
    return wsa_to_ntstatus(code)


class Requests:
    """What an open socket has of requests.

    lock       for all of this; the reactor's own may be taken inside it
    lanes      requests that wait, by lane, the oldest first
    pending    every request that has not ended, but for some that are found in their lane alone; in order
    port, key  completion port, None without one
    modes      FILE_SKIP_*
    signal     what a wait for the handle itself waits for
    news       how often something has come that receives want
    dry        `news` as a receive knew it that found less than it had room for
    sends      a _sending.Buffer, while data that was accepted is not on its way yet
    holding    sends that are not overlapped have to look for what goes before them
    fin        the end of the stream is to follow what is there to be sent
    """

    __slots__ = (
        "dry",
        "ended",
        "endpoints",
        "fate",
        "fin",
        "holding",
        "key",
        "lanes",
        "lock",
        "modes",
        "news",
        "pending",
        "port",
        "reactor",
        "reads",
        "sends",
        "signal",
        "watched",
        "writes",
    )

    def __init__(self, ep: Endpoint, reactor: Reactor) -> None:
        self.endpoints = [ep]
        self.reactor = reactor
        self.lock = RLock()
        self.reads: list[Request] = []
        self.writes: list[Request] = []
        self.lanes = self.reads, self.writes
        self.pending: dict[Request, None] = {}
        self.port: CompletionPort | None = None
        self.key = 0
        self.modes = 0
        self.signal = Event()
        self.watched: Endpoint | None = None
        self.ended = False
        self.news, self.dry = 0, -1
        self.sends: Any = None
        self.holding = self.fin = False
        self.fate = CANCELLED  # what becomes of requests when the handle closes

    def add(self, request: Request) -> None:
        """It waits from now on; with lock held."""
        pending, reactor = self.pending, self.reactor
        pending[request] = None
        if self not in reactor.known:
            reactor.known.add(self)
        if (self.port is None or request.event is not None) and "thread end" not in request.ts.buffers:
            _tie(request.ts)
        lane = request.lane
        if lane is not None:
            self.lanes[lane].append(request)
            ep = request.ep
            if lane == READS:
                if NOTE not in ep.extra or len(self.endpoints) > 1:
                    self.note_reads()
            elif lane == WRITES and not self.holding and ep.state is State.CONNECTED:
                self.hold()
            if self.watched is not ep:
                try:
                    self.watch(ep)
                except WinsockError:
                    self.remove(request)
                    raise
        if not reactor.attended:
            reactor.attend()

    def works(self) -> bool:
        """Whether there is something to do while nobody waits."""
        return bool(self.reads or self.pending) or self.sends is not None

    def all(self) -> list[Request]:
        """Every request that has not ended."""
        return list(dict.fromkeys((*self.pending, *self.reads)))

    def watch(self, ep: Endpoint) -> None:
        """Be told by the reactor of what happens to the socket."""
        if self.watched is not None:
            self.reactor.unwatch(self.watched, self.serve)
        self.watched = None
        self.reactor.watch(ep, self.serve, True)
        self.watched = ep

    def remove(self, request: Request) -> None:
        """It waits no more; with lock held."""
        self.pending.pop(request, None)
        if request.lane is not None:
            lane = self.lanes[request.lane]
            if lane and lane[0] is request:
                del lane[0]
            else:
                lane.remove(request)
            if not lane:
                self.emptied()

    def emptied(self) -> None:
        """A lane is empty: calls that are not overlapped come after requests."""
        if self.holding and self.sends is None and not self.writes:
            self.release()
        for ep in self.endpoints:
            for ts in ep.rest.waiters:
                ts.interrupt()

    def note_reads(self) -> None:
        """Receives that are not overlapped, by whatever handle, come after this one."""
        for ep in self.endpoints:
            if NOTE not in ep.extra:
                ep.note(NOTE, self)
                ep.refresh()

    def hold(self) -> None:
        """Something waits to be sent: what is not overlapped, and the end of the stream, come after it."""
        self.holding = True
        for ep in self.endpoints:
            ep.note(SENDS, self)
            ep.refresh()

    def release(self) -> None:
        """Everything is sent."""
        self.holding = False
        for ep in self.endpoints:
            if ep.drop(SENDS) is not None:
                ep.refresh()
        if self.fin and self.endpoints:
            try:
                self.endpoints[-1].transport.half_close(c.SD_SEND)
            except WinsockError:
                pass  # the peer was faster
        self.fin = False

    def finish_after(self) -> bool:
        """The end of the stream comes after what is there to be sent; False when nothing is."""
        with self.lock:
            self.fin = self.holding and (self.sends is not None or bool(self.writes))
            return self.fin

    def serve(self, ep: Endpoint, got: int) -> None:
        """Something happened to the socket: those that wait try again."""
        with self.lock:
            if got & _FOR_READS:
                if got & _ENDS:  # or urgent data: a receive finds less than there is
                    self.ended = True
                self.news += 1
                reads = self.reads
                if reads:
                    reads[0].serve(self, reads)
            if (self.writes or self.sends is not None) and got & _FOR_WRITES:
                if self.sends is not None:
                    self.sends.drain()
                if self.writes:
                    self.run(self.writes)

    def run(self, lane: list[Request]) -> None:
        """Let the first of a lane try, and so on."""
        pending = self.pending
        while lane:
            request = lane[0]
            if request.overlapped is not None and not request.overlapped.intact():
                request.orphaned()
            status = SUCCESS
            try:
                done = request.attempt()
                if done is None:
                    if lane and lane[0] is not request:
                        continue  # it waits elsewhere now
                    return
            except Truncation as e:
                done, status = e.stored, OVERFLOW
            except WinsockError as e:
                done, status = request.total, status_of(request.ep, e.code)
            except Exception:
                raise_in_main_thread()
                _log.exception("winsock: %r failed inside; please report this", request)
                done, status = request.total, int(S.STATUS_UNSUCCESSFUL)
            if lane and lane[0] is request:
                del lane[0]
                pending.pop(request, None)
                request.complete(status, done)
        self.emptied()

    def go_first(self, ep: Endpoint) -> None:
        """What is there is for those that wait; a call that is not overlapped comes after them."""
        lane = self.lanes[READS]
        with self.lock:
            self.run(lane)
            if not lane and ep.drop(NOTE) is not None:
                ep.refresh()

    def end(self, request: Request, status: int, transferred: int = 0) -> None:
        """A pending request has ended; with lock held."""
        if request in self.pending or request in self.reads:
            self.remove(request)
            request.complete(status, transferred)

    def cancel(self, which: Callable[[Request], bool]) -> int:
        """End the pending ones among these with STATUS_CANCELLED; how many."""
        with self.lock:
            chosen = [request for request in self.all() if which(request)]
            return sum(request.cancel(CANCELLED) for request in chosen)

    def closing(self, ep: Endpoint) -> None:
        """This handle closes; with the last one all requests end."""
        with self.lock:
            if ep in self.endpoints:
                self.endpoints.remove(ep)
            if self.watched is ep:
                self.watched = None
            if self.endpoints:
                self._migrate(ep, self.endpoints[-1])
                return
            ep.process.services[ALL].discard(self)
            for request in self.all() if self.pending or self.reads else ():
                if not request.outlives:
                    request.cancel(self.fate)
            if self.sends is not None:
                self.sends.closing(ep)

    def _migrate(self, ep: Endpoint, heir: Endpoint) -> None:
        """The open socket lives on under another handle, and so do its requests."""
        moved = False
        for request in self.all():
            if request.ep is ep:
                request.ep = heir
                moved = True
        if self.sends is not None:
            self.sends.ep, self.sends.transport = heir, heir.transport
        elif not moved:
            return
        if self.watched is not heir:
            try:
                self.watch(heir)
            except WinsockError:
                pass  # no memory: they end when the handle does


def requests_of(ep: Any) -> Requests:
    """The endpoint's, made when first needed; WSAENOTSOCK for one that is closed."""
    found: Requests | None = ep.rest.requests
    if found is not None:
        return found
    process = ep.process
    with process.lock:
        found = ep.rest.requests
        if found is None:
            if ep.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            found = Requests(ep, reactor_of(process, ep.network))
            process.services.setdefault(ALL, set()).add(found)
            ep.own_rest().requests = found
            if ep.closed:  # by another thread, which may have looked before
                ep.rest.end_requests(ep)
    return found


def known_requests(ep: Any) -> Requests | None:
    """The endpoint's, if it ever had any."""
    found: Requests | None = ep.rest.requests
    return found


def serve_later(ep: Endpoint, got: int) -> None:
    """Something happened that the network does not tell of: pending requests try again, soon and without locks."""
    requests = known_requests(ep)
    if requests is not None and requests.works():
        requests.reactor.call_at(requests.reactor.now(), lambda: requests.serve(ep, got))


def share(source: Endpoint, duplicate: Endpoint) -> None:
    """The duplicate is another handle of the same open socket: same completion port, same requests."""
    try:
        requests = requests_of(source)
    except WinsockError:
        return  # closed just now
    with requests.lock:
        requests.endpoints.append(duplicate)
        if requests.reads:
            requests.note_reads()
        if requests.holding:
            duplicate.note(SENDS, requests)
            duplicate.refresh()
        duplicate.own_rest().requests = requests


def abort_later(ep: Any) -> None:
    """The handle is about to be closed behind Winsock's back: a connection is aborted then (fact)."""
    requests = known_requests(ep)
    if requests is not None and ep.stream:
        requests.fate = int(S.STATUS_CONNECTION_ABORTED)


def cancel_all(ep: Any, ts: ThreadState | None = None, address: int = 0) -> int:
    """Cancel the endpoint's pending requests: those of one thread, or with one OVERLAPPED, or all; how many."""
    requests = known_requests(ep)
    if requests is None:
        return 0
    return requests.cancel(
        lambda r: (
            (ts is None or r.ts is ts)
            and (not address or (r.overlapped is not None and r.overlapped.address == address))
        )
    )


# -- threads that end


class _ThreadEnd:
    """Lies among the thread's own variables; the interpreter drops it when the thread ends."""

    __slots__ = ("ts",)

    def __init__(self, ts: ThreadState) -> None:
        self.ts = ts

    def __del__(self) -> None:
        try:
            end_of_thread(self.ts)
        except Exception:
            pass  # the interpreter is on its way out


def end_of_thread(ts: ThreadState) -> None:
    """What it has pending ends with it, but for what goes to a port alone."""
    for requests in list(ts.process.services.get(ALL) or ()):
        requests.cancel(lambda r: r.ts is ts and r.tied())


def _tie(ts: ThreadState) -> None:
    """The thread has requests that end with it."""
    if ts.process.current_state is ts:
        ts.buffers["thread end"] = True
        ts.process._local.end = _ThreadEnd(ts)


def _after_fork() -> None:
    """In a forked child: the requests are the parent's; here they are over."""
    for process in Process.all():
        for requests in list(process.services.get(ALL) or ()):
            requests.lock = threading.RLock()
            requests.watched = None
            requests.sends = None
            requests.fin = False
            ended = requests.all()
            for lane in requests.lanes:
                lane.clear()
            requests.pending.clear()
            for request in ended:
                request.complete(CANCELLED)


os.register_at_fork(after_in_child=_after_fork)
