"""WSAEventSelect and WSAAsyncSelect on endpoints: the machine of _events.py between the network and the program.

A Selection hangs in Endpoint.extra from the first selection to the end of the socket: its record outlives a
deselection.  What the calls of the program do it is told by _events.told(), what the network does by the reactor.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _events, _poll, _urgent
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._events import NETWORK_EVENTS, Announcement, NetworkEvents, Snapshot
from winsock.afd._reactor import reactor_of
from winsock.codes import WSA, WinsockError
from winsock.nt import Process
from winsock.nt._objects import Event
from winsock.transports import RDHUP, READ, URGENT, WRITE

REQUESTS = "requests"  # in Endpoint.extra: lanes[0] are the receives and accepts that wait
EVERYTHING = READ | WRITE | URGENT | RDHUP
Post = Callable[[int, int, int], None]  # socket, FD_*, error code

# A receive that ended with one of these has asked the network.
_ASKED = frozenset(
    {
        0,
        WSA.WSAEWOULDBLOCK,
        WSA.WSAEMSGSIZE,
        WSA.WSAECONNRESET,
        WSA.WSAECONNABORTED,
        WSA.WSAENETRESET,
        WSA.WSAETIMEDOUT,
    }
)


class _Nobody:
    """For Transport.looker, which keeps for a thread what it looked at last."""

    looker: Any


class Selection:
    """What is selected on one endpoint.

    events    the machine
    lock      for the machine, and so that announcements come in order; no other lock is taken before it
    event     where announcements go, or:
    post
    changes   what the program has asked by ioctl to be told of, by event
    """

    __slots__ = ("_poll", "_transport", "changes", "event", "events", "lock", "post", "watched")

    def __init__(self, accepted: bool) -> None:
        self.events = NetworkEvents(accepted)
        self.lock = threading.RLock()
        self.event: Event | None = None
        self.post: Post | None = None
        self.watched = False
        self._poll: Callable[[int], list[tuple[Any, int]]]
        self._transport: Any = None  # which that looks at
        self.changes: dict[int, Change] = {}

    def look(self, ep: Endpoint) -> None:
        """Announce what there is."""
        with self.lock:
            if not ep.closed:
                try:
                    found = self.events.look(self.snapshot(ep))
                except WinsockError:
                    return  # closed just now
                if found:
                    self.announce(ep, found)

    def announce(self, ep: Endpoint, announcements: list[Announcement]) -> None:
        """Signal the event, or post the messages."""
        if not announcements:
            return
        if self.post is None:
            if self.event is not None:
                self.event.set()
            return
        for event, code in announcements:
            self.post(ep.handle, event, code)

    def snapshot(self, ep: Endpoint) -> Snapshot:
        """The endpoint now."""
        if ep.transport is not self._transport:
            nobody: Any = _Nobody()
            try:
                self._poll = ep.network.looker(nobody, {ep.transport.look_key(): EVERYTHING})
            except (TypeError, ValueError):  # closed just now
                raise WinsockError(WSA.WSAENOTSOCK) from None
            self._transport = ep.transport
        got = self._poll(0)
        ready = _poll.readiness(ep, got[0][1] if got else 0)
        shape, rest, waiting, urgent = ep.shape, ep.rest, 0, 0
        if ready & (c.AFD_POLL_RECEIVE | c.AFD_POLL_ACCEPT):
            if not self.events.messages:
                waiting = ep.transport.waiting(shape.state is State.LISTENING)
            requests = rest.extra.get(REQUESTS)
            if requests is not None and requests.lanes[0]:
                ready &= ~(c.AFD_POLL_RECEIVE | c.AFD_POLL_ACCEPT)  # pending requests take it (fact)
        if ready & c.AFD_POLL_RECEIVE_EXPEDITED:
            urgent = _urgent.waiting(ep)
        so_error = rest.so_error
        if shape.connect_failed and not so_error:
            ready &= ~c.AFD_POLL_CONNECT_FAIL  # connect has said so itself
        return Snapshot(ready, waiting, urgent, shape.state is not State.OPEN, shape.stream, so_error)

    def told(self, ep: Endpoint, call: str, code: int) -> None:
        """See _events.told."""
        if call == _events.SEND and code != WSA.WSAEWOULDBLOCK:
            return
        if call == _events.ACCEPT and code == WSA.WSATRY_AGAIN:
            return  # put off: who says so is not told of it again (document)
        with self.lock:
            if call in _events.ANSWERED_BY:
                if code in _ASKED or call in (_events.SEND, _events.ACCEPT):
                    self.events.answer(call)
                else:
                    self.events.refused(call)
            self.look(ep)

    @contextmanager
    def beginning(self, ep: Endpoint) -> Iterator[None]:
        """See _events.beginning."""
        with self.lock:
            try:
                yield
            except WinsockError as e:
                if e.code == WSA.WSAEWOULDBLOCK:
                    self.events.begin(ep.stream)
                raise
            self.events.begin(ep.stream, ep.accepted)

    def inherited(self, new: Endpoint) -> None:
        """A connection that was accepted from this listener has the listener's selection (document, fact)."""
        if self.events.mask:
            heir = Selection(accepted=True)
            heir.event, heir.post = self.event, self.post
            heir.events.mask, heir.events.messages = self.events.mask, self.events.messages
            new.note(NETWORK_EVENTS, heir)

    def start(self, ep: Endpoint) -> None:
        """The endpoint has its handle: what was inherited takes effect."""
        self._select(ep, self.events.mask, self.event, self.post)

    def _select(self, ep: Endpoint, mask: int, event: Event | None, post: Post | None) -> None:
        with self.lock:
            self._watch(ep, bool(mask))
            self.event, self.post = (event, post) if mask else (None, None)
            try:
                self.announce(ep, self.events.select(mask, post is not None, self.snapshot(ep)))
            finally:
                if ep.closed:
                    self._watch(ep, False)

    def stop(self, ep: Endpoint) -> None:
        """The endpoint is closed: nothing is announced any more."""
        with self.lock:
            self.event = self.post = None
            self._watch(ep, False)
            for change in self.changes.values():
                change.close()

    def expect(self, ep: Endpoint, event: int) -> None:
        """The next change of routes or addresses is an event."""
        with self.lock:
            if event not in self.changes:
                self.events.record &= ~event
                self.changes[event] = Change(ep, event == c.FD_ROUTING_INTERFACE_CHANGE, self._changed)

    def _changed(self, ep: Endpoint, change: Change) -> None:
        with self.lock:
            for event, known in list(self.changes.items()):
                if known is change:
                    del self.changes[event]
                    self.announce(ep, self.events.happened(event))

    def _watch(self, ep: Endpoint, wanted: bool) -> None:
        """Be told of what happens to the socket.  WSAENOBUFS."""
        if wanted is not self.watched:
            reactor = reactor_of(ep.process, ep.network)
            if wanted:
                reactor.watch(ep, self.ready)
            else:
                reactor.unwatch(ep, self.ready)
            self.watched = wanted

    def ready(self, ep: Endpoint, got: int) -> None:
        """The reactor's news.  They may be old: a request has perhaps taken what there was."""
        self.look(ep)


class Change:
    """Waits at the reactor for one change of this machine's addresses or routes, then calls back and closes itself.

    WSAENOBUFS.
    """

    __slots__ = ("__weakref__", "_call", "_ep", "_reactor", "transport")

    def __init__(self, ep: Endpoint, routes: bool, call: Callable[[Endpoint, Change], None]) -> None:
        self._ep, self._call = ep, call
        self.transport: Any = ep.network.changes(ep.family, routes)
        self._reactor: Any = reactor_of(ep.process, ep.network)
        try:
            self.watch()
        except WinsockError:
            self.transport.close()
            raise

    def watch(self) -> None:
        """WSAENOBUFS."""
        self._reactor.watch(self, self._ready)

    def _ready(self, ep: Any, got: int) -> None:
        if got & READ:
            self.close()
            self._call(self._ep, self)

    def close(self) -> None:
        """Wait no more."""
        self._reactor.forget(self)
        self.transport.close()


def _selection(ep: Endpoint) -> Selection:
    found: Selection | None = ep.extra.get(NETWORK_EVENTS)
    if found is None:
        with ep.process.lock:
            found = ep.noted(NETWORK_EVENTS, lambda: Selection(ep.accepted))
            ep.refresh()
    return found


def select_events(ep: Endpoint, mask: int, event: Event | None) -> None:
    """Select network events (FD_*) for an event object, in place of what was selected; 0 ends that.

    The socket does not block any more, not even after mask 0, until FIONBIO says so.  WSAENOTSOCK, WSAENOBUFS.
    """
    _select(ep, mask, event, None)


def select_messages(ep: Endpoint, mask: int, post: Post | None) -> None:
    """The same for messages: post(socket, FD_*, error code) posts one."""
    _select(ep, mask, None, post)


def _select(ep: Endpoint, mask: int, event: Event | None, post: Post | None) -> None:
    shape = ep.shape
    if shape.closed:
        raise WinsockError(WSA.WSAENOTSOCK)
    mask &= c.FD_ALL_EVENTS
    if not shape.nonblocking:
        ep.nonblocking = True
    if mask or NETWORK_EVENTS in ep.extra:
        _selection(ep)._select(ep, mask, event, post)


def expect_change(ep: Endpoint, event: int) -> None:
    """A socket that does not block has asked for a change: FD_ROUTING_INTERFACE_CHANGE, FD_ADDRESS_LIST_CHANGE."""
    _selection(ep).expect(ep, event)


def fetch(ep: Endpoint, reset: Event | None) -> dict[int, int]:
    """WSAEnumNetworkEvents: take what is recorded of what is selected; {FD_*: error code}.

    reset    an event object that is reset in the same breath
    """
    selection: Selection | None = ep.extra.get(NETWORK_EVENTS)
    if selection is None:
        if reset is not None:
            reset.reset()
        return {}
    with selection.lock:
        selection.look(ep)
        found = selection.events.fetch()
        if reset is not None:
            reset.reset()
    return found


def selected(ep: Endpoint) -> int:
    """FD_* that are selected, for either purpose."""
    selection: Selection | None = ep.extra.get(NETWORK_EVENTS)
    return selection.events.mask if selection is not None else 0


def handle_closed(ep: Endpoint) -> None:
    """The handle is about to be closed behind Winsock's back: that posts FD_CLOSE, closesocket does not (fact)."""
    selection: Selection | None = ep.extra.get(NETWORK_EVENTS)
    if selection is not None and selection.post is not None and selection.events.mask & c.FD_CLOSE:
        selection.post(ep.handle, c.FD_CLOSE, 0)


def _after_fork() -> None:
    """In a forked child: nobody holds a lock, and the child's own reactor, made anew before this, watches."""
    for process in Process.all():
        for ep in list(process.sockets.values()):
            selection: Any = getattr(ep, "extra", {}).get(NETWORK_EVENTS)
            if selection is not None:
                selection.lock = threading.RLock()
                selection.watched = False
                try:
                    selection._watch(ep, bool(selection.events.mask))
                    for change in selection.changes.values():
                        change.watch()
                except WinsockError:
                    pass  # no descriptor left: what happens is learned when the child looks


os.register_at_fork(after_in_child=_after_fork)
