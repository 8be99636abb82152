"""Network events: what is recorded, what is announced, and which calls allow the next announcement.

This file is the rules, as a table, and a machine that follows them.  It knows no socket: it is shown what an
endpoint is ready for (Snapshot) and told of calls, and says what is to be announced.  _selection.py feeds it.

Windows keeps two accounts of one socket, and they differ (facts):

* The record, which WSAEventSelect signals and WSAEnumNetworkEvents reads.  It is kept whatever is selected.  Each
  arrival is recorded, even if the one before was never answered; what was fetched is not recorded again, however
  often the socket is selected, until the call that answers it.
* Messages, which WSAAsyncSelect posts.  Each selection posts what holds at the time; then each kind waits for the
  call that answers it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NamedTuple

from winsock.abi import _constants as c
from winsock.codes import WSA

NETWORK_EVENTS: Final = "network events"  # in Endpoint.extra: what told() tells

# What told() is told of.  Those that answer nothing only have the endpoint looked at.
RECEIVE, RECEIVE_URGENT, SEND, ACCEPT = "receive", "receive urgent", "send", "accept"
CONNECT, BIND, ARRIVAL = "connect", "bind", "arrival"


class Kind(NamedTuple):
    """One kind of network event.

    event        FD_*
    condition    AFD_POLL_*: it holds while the endpoint is ready for any of these; 0 for what happens elsewhere
    answer       the call that answers it and so allows the next announcement; "" is none
    repeats      a selection for messages posts it again if it holds
    """

    event: int
    condition: int
    answer: str
    repeats: bool


# In the order in which messages are posted.  Source: facts; the last two are documents'.
KINDS: Final = (
    Kind(c.FD_CONNECT, c.AFD_POLL_CONNECT | c.AFD_POLL_CONNECT_FAIL, "", False),
    Kind(c.FD_ACCEPT, c.AFD_POLL_ACCEPT, ACCEPT, True),
    Kind(c.FD_READ, c.AFD_POLL_RECEIVE, RECEIVE, True),
    Kind(c.FD_OOB, c.AFD_POLL_RECEIVE_EXPEDITED, RECEIVE_URGENT, True),
    Kind(c.FD_WRITE, c.AFD_POLL_SEND, SEND, True),  # answered by a send that would have blocked, by no other
    Kind(c.FD_CLOSE, c.AFD_POLL_DISCONNECT | c.AFD_POLL_ABORT, "", True),
    Kind(c.FD_ROUTING_INTERFACE_CHANGE, 0, "", False),  # asking for the next change by ioctl answers these
    Kind(c.FD_ADDRESS_LIST_CHANGE, 0, "", False),
)
ANSWERED_BY: Final = {kind.answer: kind.event for kind in KINDS if kind.answer}

_POLLED: Final = tuple(kind for kind in KINDS if kind.condition)
_REPEATING: Final = sum(kind.event for kind in KINDS if kind.repeats)
_ORDER: Final = tuple(kind.event for kind in KINDS)
_ARRIVING: Final = c.FD_READ | c.FD_ACCEPT  # each arrival is recorded, answered or not; urgent data likewise


def _holding(bits: int) -> tuple[int, ...]:
    """What holds, by what the endpoint is ready for."""
    found = [0]
    for bit in range(bits):
        more = sum(kind.event for kind in _POLLED if kind.condition >> bit & 1)
        found += [known | more for known in found]
    return tuple(found)


_HOLDS: Final = _holding(9)
# What a connection of its own brings anew
_BEGINS: Final = {
    True: c.FD_CONNECT | c.FD_WRITE | c.FD_CLOSE | c.FD_READ | c.FD_OOB,  # a stream
    False: c.FD_CONNECT | c.FD_WRITE,
}
_CONNECTED_BITS: Final = c.AFD_POLL_CONNECT | c.AFD_POLL_CONNECT_FAIL

_NOTHING: Final = nullcontext()
Announcement = tuple[int, int]  # FD_*, error code


class Snapshot(NamedTuple):
    """An endpoint at one moment.

    ready           AFD_POLL_*
    waiting         how much has arrived and waits: bytes, datagrams, connections; more of it is an arrival
    urgent          the same for urgent bytes
    named           it has a local name: only then FD_WRITE is recorded (fact, of datagram sockets)
    stream          a datagram socket's connect posts no FD_CONNECT (fact)
    connect_code    what a failed connect failed with
    """

    ready: int
    waiting: int = 0
    urgent: int = 0
    named: bool = True
    stream: bool = True
    connect_code: int = 0

    def code(self, event: int) -> int:
        """The error that goes with an event.

        A connection that was not ended gracefully is WSAECONNABORTED, a reset too (fact; documents say
        WSAECONNRESET).
        """
        if event == c.FD_CONNECT and self.ready & c.AFD_POLL_CONNECT_FAIL:
            return self.connect_code
        if event == c.FD_CLOSE and self.ready & c.AFD_POLL_ABORT:
            return WSA.WSAECONNABORTED
        return 0


class NetworkEvents:
    """The two accounts of one endpoint.

    mask        the selected events, 0 for none
    messages    they are posted as messages, not recorded for an event object
    record      recorded events that nobody fetched yet
    codes       the error of each recorded event
    """

    __slots__ = ("_armed", "_open", "_urgent", "_waiting", "codes", "mask", "messages", "record")

    def __init__(self, accepted: bool = False) -> None:
        """accepted: the connection was accepted, so that there was no connect to tell of."""
        self.mask = 0
        self.messages = False
        self.record = 0
        self.codes: dict[int, int] = {}
        self._open = c.FD_ALL_EVENTS & ~(c.FD_CONNECT if accepted else 0)  # may be recorded when the condition holds
        self._armed = 0  # may be posted when the condition holds
        self._waiting = self._urgent = 0

    def select(self, mask: int, messages: bool, now: Snapshot) -> list[Announcement]:
        """A selection takes the place of the one before; what is to be announced at once.

        For an event object: everything selected that is recorded, also if it was announced before.
        """
        self.mask, self.messages = mask & c.FD_ALL_EVENTS, messages
        self._armed = 0
        if messages:
            self._armed = self.mask & _REPEATING
            if not now.ready & _CONNECTED_BITS:
                self._armed |= self.mask & c.FD_CONNECT
            return self.look(now)
        self.look(now)
        return [(event, self.codes[event]) for event in self._recorded()]

    def look(self, now: Snapshot) -> list[Announcement]:
        """Compare with the endpoint as it is now: what is to be announced, in order."""
        ready, waiting, urgent, named, stream, _ = now
        holds, allowed = _HOLDS[ready], self._open
        if waiting > self._waiting:
            allowed |= _ARRIVING
        if urgent > self._urgent:
            allowed |= c.FD_OOB
        self._waiting, self._urgent = waiting, urgent
        recorded, posted = holds & allowed, holds & self._armed
        if not recorded | posted:
            return []
        if not named:
            recorded &= ~c.FD_WRITE
        self._open &= ~recorded
        self._armed &= ~posted
        if not stream:
            posted &= ~c.FD_CONNECT
        announced = posted if self.messages else recorded & self.mask
        told = []
        for event in _ORDER:
            if (recorded | posted) & event:
                code = now.code(event)
                if recorded & event:
                    self.record |= event
                    self.codes[event] = code
                if announced & event:
                    told.append((event, code))
        return told

    def answer(self, call: str) -> None:
        """A call did what answers an event: the event is not recorded any more, and may be announced anew.

        To be followed by look().
        """
        event = ANSWERED_BY.get(call, 0)
        if event and call != SEND:  # what a send would have to wait for is yet to come; the room before stays told
            self.record &= ~event
        self._open |= event
        self._armed |= event & self.mask if self.messages else 0

    def refused(self, call: str) -> None:
        """A call failed before it came to the socket: messages take that for an answer all the same (fact)."""
        if self.messages:
            self._armed |= ANSWERED_BY.get(call, 0) & self.mask

    def begin(self, stream: bool, accepted: bool = False) -> None:
        """A connection begins, or a datagram socket gets a peer.  To be followed by look().

        accepted    it came out of a listener, so that there was no connect to tell of
        """
        events = _BEGINS[stream]
        if accepted:
            events &= ~c.FD_CONNECT
        self.record &= ~events
        self._open |= events
        if stream:
            self._waiting = self._urgent = 0
        if self.messages:
            self._armed |= events & self.mask

    def happened(self, event: int, code: int = 0) -> list[Announcement]:
        """Something that no snapshot shows."""
        self.record |= event
        self.codes[event] = code
        return [(event, code)] if self.mask & event else []

    def fetch(self) -> dict[int, int]:
        """Take the selected events out of the record: {FD_*: error}; the others stay recorded (fact)."""
        found = {} if self.messages else {event: self.codes[event] for event in self._recorded()}
        for event in found:
            self.record &= ~event
        return found

    def _recorded(self) -> list[int]:
        recorded = self.record & self.mask
        return [event for event in _ORDER if recorded & event] if recorded else []


# What the calls of endpoints say to the selection in Endpoint.extra, if there is one (_selection.Selection).


def told(ep: Any, call: str, code: int = 0) -> None:
    """A call on this endpoint has come to its end.

    call    RECEIVE, SEND, ...
    code    what it failed with
    """
    selection = ep.extra.get(NETWORK_EVENTS)
    if selection is not None:
        selection.told(ep, call, code)


def beginning(ep: Any) -> AbstractContextManager[Any]:
    """Around the start of a connect: nobody looks at the endpoint meanwhile, and what comes then is news.

    The connect that is refused inside begins nothing.
    """
    selection = ep.extra.get(NETWORK_EVENTS)
    return _NOTHING if selection is None else selection.beginning(ep)


def inherit(listener: Any, new: Any) -> None:
    """A connection was accepted."""
    selection = listener.extra.get(NETWORK_EVENTS)
    if selection is not None:
        selection.inherited(new)


def started(ep: Any) -> None:
    """An endpoint has got its handle."""
    selection = ep.extra.get(NETWORK_EVENTS)
    if selection is not None:
        selection.start(ep)


def closed(ep: Any) -> None:
    """An endpoint is closed, its socket not yet."""
    selection = ep.extra.get(NETWORK_EVENTS)
    if selection is not None:
        selection.stop(ep)
