"""The overlapped receive that servers post most, in few steps: one buffer, and a completion port alone is told.

Nothing here differs from Receive but the time it takes.
"""

from __future__ import annotations

from ctypes import addressof
from typing import Any

from winsock.abi import _constants as c
from winsock.afd._endpoint import Endpoint
from winsock.afd._events import NETWORK_EVENTS
from winsock.afd._receiving import Receive
from winsock.afd._requests import NOTE, READS, Requests
from winsock.afd._structures import PENDING, SUCCESS, Overlapped
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState

_SKIP_PORT, _SKIP_HANDLE = c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, c.FILE_SKIP_SET_EVENT_ON_HANDLE


class OwnOverlapped(Overlapped):
    """The caller's OVERLAPPED, a ctypes instance that is large enough: it has its memory for as long as it lives."""

    __slots__ = ()

    def __init__(self, instance: Any) -> None:
        self.address, self._view = addressof(instance), instance


class PlainReceive(Receive):
    """A Receive into one buffer that is not empty, on a stream that can receive (Shape.open_recv).

    requests      its endpoint's, which have a completion port
    structure     names no event
    """

    __slots__ = ("structure",)

    def __init__(
        self, ts: ThreadState, ep: Endpoint, requests: Requests, buffer: Any, room: int, structure: OwnOverlapped
    ) -> None:
        self.ts, self.ep, self.requests = ts, ep, requests
        self.status = PENDING
        self.transferred = self.told = self.total = 0
        self.event = self.routine = None
        self.quiet = False
        self.views, self.room, self.simple = (buffer,), room, True
        self.flags = self.code = 0
        self.deliver = self.dirty = None
        self.control = False
        self.structure = self.overlapped = structure

    def begin(self) -> bool:
        ep, requests = self.ep, self.requests
        lane = requests.lanes[READS]
        with requests.lock:
            if ep.shape.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            requests.signal.signaled = False
            if not lane:
                try:
                    done = self.attempt()
                except WinsockError:
                    self.structure.failed()
                    self.cleared()
                    raise
                if done is not None:
                    self.complete(SUCCESS, done, True)
                    return True
            self.structure.begin()
            if requests.watched is not ep or NOTE not in ep.rest.extra:
                requests.add(self)
                return False
            requests.pending[self] = None
            lane.append(self)
        reactor = requests.reactor
        reactor.known.add(requests)
        if not reactor.attended:
            reactor.attend()
        return False

    def _stream(self) -> int | None:
        # More than the network's data alone: that may be stored by Python.
        self.views = (memoryview(self.views[0]).cast("B"),)
        return super()._stream()

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        if self.status != PENDING:
            return
        requests = self.requests
        self.status, self.transferred = status, transferred
        self.structure.end(status, transferred, 0, at_once)
        self.views = ()
        if self.dirty or NETWORK_EVENTS in self.ep.rest.extra:
            self.cleared()
        modes = requests.modes
        if not modes & _SKIP_HANDLE:
            signal = requests.signal
            signal.signaled = True
            if signal._waiters:
                signal.wake()
        port = requests.port
        if port is not None and not (at_once and status == SUCCESS and modes & _SKIP_PORT):
            port.packets.append((status, transferred, requests.key, self.structure.address))
            if port._queue or port._waiters:
                port.tell()


def open_lane(ep: Endpoint) -> bool:
    """Let receives wait in the lane of an endpoint of which nothing is noted; False if there is more to it."""
    requests: Requests | None = ep.rest.requests
    if requests is None or ep.rest.extra or not ep.shape.open_recv:
        return False
    with requests.lock:
        if requests.watched is None:
            requests.watch(ep)
        ep.note(NOTE, requests)
        ep.refresh()
    return ep.shape.lane_recv
