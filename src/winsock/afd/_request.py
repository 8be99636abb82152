"""Overlapped requests: what is started now and ends later.

A Request tries at once.  If it has to wait it lies in one of its endpoint's lanes, in order, and the reactor has it
try again whenever something happened to the socket.  It ends once: its status is stored, first in the caller's
OVERLAPPED, then its event, its completion routine or its completion port is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.afd._endpoint import Endpoint
from winsock.afd._requests import READS, Requests, Truncation, requests_of
from winsock.afd._structures import CANCELLED, OVERFLOW, PENDING, SUCCESS, Overlapped
from winsock.codes import WSA, WinsockError, ntstatus_to_wsa
from winsock.nt import ThreadState, queue_apc
from winsock.nt._completion import CompletionPort
from winsock.nt._objects import Event

_SKIP_PORT, _SKIP_HANDLE = c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, c.FILE_SKIP_SET_EVENT_ON_HANDLE


class Request:
    """One overlapped request.

    lane           READS or WRITES: which of the endpoint's lanes it waits in; None: it ends by complete() alone
    overlapped     the caller's structure; None for requests that have none
    routine        a completion routine: called with error, bytes, OVERLAPPED's address, flags, as an APC
    event          what is signalled at the end
    quiet          no packet at the completion port
    status         PENDING, then what it ended with; transferred, told: bytes and flags
    total          bytes that attempts moved so far
    """

    lane: int | None = READS
    outlives = False  # does not end with the handle that it was started on
    lazy = False  # need not try at once when nothing has come since the last one found nothing more

    # Slots: the interpreter is slow to find what an instance and its class both have.
    __slots__ = (
        "ep",
        "event",
        "overlapped",
        "quiet",
        "requests",
        "routine",
        "status",
        "told",
        "total",
        "transferred",
        "ts",
    )

    event: Event | None
    overlapped: Overlapped | None
    routine: Callable[..., Any] | None

    def __init__(self, ts: ThreadState, ep: Endpoint, overlapped: Any = None, routine: Any = None) -> None:
        """overlapped: a pointer, or NULL.  WSAEFAULT, WSA_INVALID_HANDLE (hEvent), WSAEINVAL (routine and port)."""
        self.ts, self.ep = ts, ep
        self.status = PENDING
        self.transferred = self.told = self.total = 0
        self.event = self.overlapped = self.routine = None
        self.quiet = False
        known = ep.rest.requests
        self.requests: Requests = requests_of(ep) if known is None else known
        if overlapped is not None:
            self._take_structure(overlapped, routine)

    def _take_structure(self, overlapped: Any, routine: Any) -> None:
        """What the caller's structure says."""
        ep = self.ep
        self.overlapped = Overlapped(overlapped, ep.process)
        handle = self.overlapped.event
        if routine is not None:
            if self.requests.port is not None:
                raise WinsockError(WSA.WSAEINVAL)
            self.routine = routine
        elif handle & ~3:
            event = ep.process.handles.objects.get(handle & ~3)
            if not isinstance(event, Event):
                raise WinsockError(WSA.WSA_INVALID_HANDLE)
            self.event = event
        if handle & 1:
            self.quiet = True

    # -- what kinds of requests do differently

    def attempt(self) -> int | None:
        """Try: bytes when it is done, None when it has to wait.  WinsockError ends it.  Must not wait."""
        raise NotImplementedError

    def serve(self, requests: Requests, lane: list[Request]) -> None:
        """Something happened for its lane, in which it is the first; with requests.lock held."""
        requests.run(lane)

    def orphaned(self) -> None:
        """Its OVERLAPPED is gone, so its buffers may be: touch them no more.  It goes on all the same."""

    def cleared(self) -> None:
        """It has ended, or could not be started: let go of what was kept for it."""

    # -- its life

    def begin(self) -> bool:
        """Start: True if it has ended already, with success or a warning, False while it is pending.

        WinsockError if it failed at once: then nobody is told.
        """
        requests = self.requests
        with requests.lock:
            if self.ep.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            self.prepare()
            lane = None if self.lane is None else requests.lanes[self.lane]
            if not lane and not (self.lazy and requests.dry == requests.news):
                try:
                    done = self.attempt()
                except Truncation as e:
                    self.complete(OVERFLOW, e.stored, True)
                    return True
                except WinsockError:
                    if self.overlapped is not None:
                        self.overlapped.failed()
                    self.cleared()
                    raise
                if done is not None:
                    self.complete(SUCCESS, done, True)
                    return True
            if self.status == PENDING:
                if self.overlapped is not None:
                    self.overlapped.begin()
                requests.add(self)
        return False

    def prepare(self) -> None:
        """It starts: what its end will signal is not signalled, and neither is the handle (seen on Wine)."""
        self.requests.signal.signaled = False
        if self.event is not None:
            self.event.reset()

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        """It has ended.  Called once, with requests.lock held, when the request is in no lane any more.

        at_once    in begin(), so that FILE_SKIP_COMPLETION_PORT_ON_SUCCESS applies
        """
        if self.status != PENDING:
            return
        requests = self.requests
        self.status, self.transferred = status, transferred
        if self.overlapped is not None:
            self.overlapped.end(status, transferred, self.told, at_once)
        self.cleared()
        modes = requests.modes
        if self.event is not None:
            self.event.set()
        elif not modes & _SKIP_HANDLE:
            signal = requests.signal
            signal.signaled = True
            if signal._waiters:
                signal.wake()
        if self.routine is not None:
            queue_apc(self.ts, self._call_routine)
            return
        port = requests.port
        if (
            port is not None
            and not self.quiet
            and not (at_once and status == SUCCESS and modes & _SKIP_PORT)
        ):
            self.packet(port, requests.key)

    def packet(self, port: CompletionPort, key: int) -> None:
        """Tell the completion port."""
        address = self.overlapped.token if self.overlapped is not None else 0
        port.post((self.status, self.transferred, key, address))

    def _call_routine(self) -> None:
        assert self.routine is not None
        error = ntstatus_to_wsa(self.status) if self.status else 0
        self.routine(error, self.transferred, self.overlapped.address if self.overlapped else 0, self.told)

    def cancel(self, status: int = CANCELLED) -> bool:
        """End it, if it is pending; from any thread."""
        requests = self.requests
        with requests.lock:
            if self.status != PENDING or self not in requests.pending:
                return False
            requests.remove(self)
            self.complete(status, self.total)
            return True

    def tied(self) -> bool:
        """Whether it ends with the thread that started it: what goes to a port alone outlives it (fact)."""
        return self.requests.port is None or self.event is not None


def begin(request: Request) -> bool:
    """request.begin(), as a provider's entry: see spi.Procedures.start."""
    return request.begin()
