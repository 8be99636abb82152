"""Overlapped receives: WSARecv, WSARecvFrom, WSARecvMsg."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _control, _events, _urgent
from winsock.afd._data import (
    check_lost,
    check_receive,
    check_recv_flags,
    ignored,
    lost,
    mark_pages,
    remaining,
    settle_pages,
)
from winsock.afd._endpoint import Endpoint
from winsock.afd._request import Request
from winsock.afd._requests import NOTE, READS, Requests, Truncation
from winsock.afd._structures import CANCELLED
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState
from winsock.transports import Message

_WOULDBLOCK = WSA.WSAEWOULDBLOCK
Delivery = Callable[[Message], None]


class Receive(Request):
    """Receive into buffers.

    views      memoryviews or the like, at least one; of no bytes at all: it ends when there is data, and takes none
    deliver    gets the Message of a message socket's receive, when its bytes are in the buffers
    control    ask for control data, too
    code       what the network said
    """

    lane = READS

    __slots__ = ("code", "control", "deliver", "dirty", "flags", "room", "simple", "views")

    dirty: Any
    views: Sequence[Any]

    def __init__(
        self,
        ts: ThreadState,
        ep: Endpoint,
        views: Sequence[Any],
        flags: int = 0,
        overlapped: Any = None,
        routine: Any = None,
        deliver: Delivery | None = None,
        control: bool = False,
    ) -> None:
        super().__init__(ts, ep, overlapped, routine)
        check_receive(ep)
        self.views, self.flags, self.deliver, self.control = views, flags, deliver, control
        self.code, self.dirty = 0, None
        if len(views) == 1:
            self.room = room = len(views[0])
            self.simple = room > 0 and not flags and ep.type == c.SOCK_STREAM
        else:
            self.room = sum(map(len, views))
            self.simple = False
        if flags:
            check_recv_flags(ep, flags, True)

    def attempt(self) -> int | None:
        ep = self.ep
        if not self.simple:
            return self._message() if ep.type != c.SOCK_STREAM else self._stream()
        extra = ep.rest.extra
        if extra and (len(extra) > 1 or NOTE not in extra):
            return self._stream()
        try:
            n = ep.receive_now(self.views[0], self.room)
        except WinsockError as e:
            lost(ep, e.code)
            raise
        requests = self.requests
        requests.dry = requests.news if n < self.room and not requests.ended else -1
        if n >= 0:
            return n
        self._waits()
        return None

    def _stream(self) -> int | None:
        ep, flags = self.ep, self.flags
        try:
            check_lost(ep)
            if flags & c.MSG_OOB:
                return self._urgent()
            if not self.room:
                ep.transport.receive([memoryview(bytearray(1))], c.MSG_PEEK)
                return 0
            while True:
                rest = remaining(self.views, self.total) if self.total else self.views
                if _urgent.joined(ep) and (n := _urgent.take_joined(ep, rest[0], bool(flags & c.MSG_PEEK))):
                    return self.total + n
                n = ep.transport.receive(rest, flags)
                if not flags & c.MSG_WAITALL or not n:
                    return self.total + n
                self.total += n
                if self.total == self.room:
                    return self.total
        except WinsockError as e:
            code = e.code
            if code == _WOULDBLOCK:
                self._waits()
                return None
            lost(ep, code)
            self.code = code
            raise

    def _urgent(self) -> int:
        ep = self.ep
        view = next((v for v in self.views if len(v)), None)
        peek = bool(self.flags & c.MSG_PEEK)
        self.told = c.MSG_OOB
        if _urgent.waiting(ep):
            return _urgent.take(ep, view, peek) if view is not None else 0
        try:
            if view is None:
                ep.transport.receive([memoryview(bytearray(1))], self.flags | c.MSG_PEEK)
                return 0
            return ep.transport.receive([view], self.flags)
        except WinsockError as e:
            if e.code == WSA.WSAEINVAL:  # Linux: while there is none
                if _urgent.ended(ep):
                    return 0
                raise WinsockError(_WOULDBLOCK) from None
            raise

    def _message(self) -> int | None:
        ep, views = self.ep, self.views
        while True:
            try:
                if self.control or len(views) != 1:
                    message = ep.transport.receive_message(views, self.control, self.flags)
                    if message.control:
                        message = message._replace(control=_control.wanted(ep, message.control))
                else:
                    size, address = ep.transport.receive_from(views[0], self.flags)
                    message = Message(min(size, self.room), size, address, [], 0)
            except WinsockError as e:
                code = e.code
                if code == _WOULDBLOCK:
                    self._waits()
                    return None
                if ignored(ep, code):
                    continue
                self.code = code
                raise
            if self.deliver is not None:
                self.deliver(message)
            if message.size > message.stored:
                self.told |= c.MSG_PARTIAL
                raise Truncation(message.stored)
            return message.stored

    def _waits(self) -> None:
        """There is nothing yet: the buffers' pages count as written from now on (fact)."""
        if self.dirty is None and "pages" in self.ep.shape.process.services:
            self.dirty = mark_pages(self.ep, self.views)

    def orphaned(self) -> None:
        self.views = [memoryview(bytearray(self.room))]  # what comes goes nowhere
        self.deliver, self.dirty = None, ()

    def cleared(self) -> None:
        if self.dirty:
            settle_pages(self.ep, self.dirty)
        self.views = ()
        if _events.NETWORK_EVENTS in self.ep.rest.extra and self.status != CANCELLED:
            # Now that it waits no more: what is left of the data is somebody else's.
            _events.told(self.ep, _events.RECEIVE_URGENT if self.flags & c.MSG_OOB else _events.RECEIVE, self.code)


def take_turn(ep: Endpoint, timeout: float | None) -> None:
    """A receive that is not overlapped comes after the requests that wait: WSAEWOULDBLOCK, WSAETIMEDOUT."""
    requests: Requests | None = ep.extra.get(NOTE)
    if requests is None:
        return
    lane = requests.lanes[READS]
    with requests.lock:
        requests.run(lane)
    if lane:
        if ep.nonblocking:
            raise WinsockError(_WOULDBLOCK)
        # Whoever serves the last of them makes the endpoint's waiters look again.
        if not wait_ready(ep, 0, timeout, WSA.WSAECONNABORTED, lambda: not lane):
            raise WinsockError(WSA.WSAETIMEDOUT)
    with requests.lock:
        if not lane and ep.drop(NOTE) is not None:
            ep.refresh()
