"""What many endpoints have in common at a time: an endpoint refers to it, and a change of state is another reference.

There are few shapes: one for each combination of kind and state that occurs in a process.  So an endpoint costs
little, what follows from its state is worked out once for all, and a change is one store, which no other thread or
signal's handler can meet half-way.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from winsock.abi import _constants as c
from winsock.nt import Process
from winsock.transports import Transport

if TYPE_CHECKING:
    from winsock.spi._table import Procedures


class State(Enum):
    """Where an endpoint stands.  A datagram socket with a default peer is BOUND with `remote` set."""

    OPEN = "open"  # made, no name
    BOUND = "bound"
    LISTENING = "listening"
    CONNECTING = "connecting"  # a non-blocking connect is under way
    CONNECTED = "connected"
    RESET = "reset"  # the peer, or the network, ended the connection
    CLOSED = "closed"

    __hash__ = object.__hash__  # Enum's own is slow, and every check of the refusal table asks for it

    def __repr__(self) -> str:
        return self.name


# In Process.services: what came before a reset is not handed out any more, as on Windows.  It costs a question to
# the network for each receive, so it is to be asked for.
DISCARD = "discard at reset"

Change = tuple[tuple[str, Any], ...]  # ((name of a field that varies, its value), ...)


class _KnownChange(tuple[tuple[str, Any], ...]):
    """One that the code names: it is looked up by what it is, without a look at what is in it."""

    __slots__ = ()

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def known_change(**fields: Any) -> Change:
    """The change of these fields to these values; to be made once only."""
    return _KnownChange(fields.items())


# To look a member up costs more than most of what is done with it.
_OPEN, _BOUND, _CONNECTED, _CLOSED = State.OPEN, State.BOUND, State.CONNECTED, State.CLOSED

# A stream in these states is ready for what the network says; in others one of them says more than the other.
_SETTLED = frozenset({State.CONNECTED, State.LISTENING})

_UNCONNECTED = frozenset({State.OPEN, State.BOUND})

# What Endpoint.extra has: nothing; the lane of overlapped receives alone; what has to be looked at in most calls;
# what sends have to be told of, too
NOTHING_NOTED, LANE_NOTED, NOTED, HELD_UP = 0, 1, 2, 3

NAME_SIZES = {c.AF_INET: 16, c.AF_INET6: 28}  # of a sockaddr; a name of AF_UNIX has no size of its own

_FIXED = ("process", "network", "family", "type", "protocol", "flags")
VARYING = (
    "procs",
    "state",
    "accepted",
    "connect_failed",
    "errors_waiting",
    "nonblocking",
    "noted",
    "receive_shut",
    "send_shut",
)


class Shape:
    """See Endpoint for the fields; they stay as they are, but for what is found out later: `quick`, `settable`.

    fast_connect           how long the names are that a stream can be connected to by the short cut; 0 if it cannot
    open_recv, open_send   a stream that can receive or send, whatever is noted of it
    lane_recv              one that can receive, and of which nothing is noted but that overlapped receives wait
    next     what changes lead to, as far as they have occurred: {change: shape}
    known    every shape of this kind: {its varying fields: shape}
    peers    names that such a stream was connected to by the short cut, and what they mean
    left     what of the refusal table a call has to look at, as this shape does not decide it: see _rules.check
    """

    __slots__ = (
        *_FIXED,
        *VARYING,
        "closed",
        "fast_accept",
        "fast_connect",
        "fast_message",
        "fast_recv",
        "fast_send",
        "known",
        "lane_recv",
        "left",
        "next",
        "open_recv",
        "open_send",
        "peers",
        "quick",
        "ready",
        "settable",
        "stream",
    )

    process: Process
    network: Transport
    procs: Procedures
    family: int
    type: int
    protocol: int
    flags: int
    state: State
    accepted: bool
    connect_failed: bool
    errors_waiting: bool
    nonblocking: bool
    noted: int
    receive_shut: bool
    send_shut: bool

    def __init__(self, fixed: tuple[Any, ...], varying: tuple[Any, ...], known: dict[tuple[Any, ...], Shape]) -> None:
        for name, value in zip(_FIXED, fixed):
            setattr(self, name, value)
        for name, value in zip(VARYING, varying):
            setattr(self, name, value)
        self.known = known
        self.next: dict[Change, Shape] = {}
        self.peers: dict[bytes, Any] = {}
        self.left: dict[str, tuple[Any, ...]] = {}
        self.quick: dict[tuple[int, int], int | None] | None = None
        self.settable: dict[tuple[int, int], Any] | None = None
        self.stream = self.type == c.SOCK_STREAM
        self.closed = self.state is _CLOSED
        self.fast_recv = self.fast_send = self.fast_message = self.ready = False
        self.fast_connect = 0
        self.fast_accept = self.open_recv = self.open_send = self.lane_recv = False
        if not self.closed and self.procs.plain:
            state, plain = self.state, not self.noted
            settled = True
            if self.stream:
                settled = state in _SETTLED
                if plain and state in _UNCONNECTED:
                    self.fast_connect = NAME_SIZES.get(self.family, 0)
                self.fast_accept = plain and state is State.LISTENING
                if state is _CONNECTED:
                    self.open_recv = not self.receive_shut and DISCARD not in self.process.services
                    self.open_send = not self.send_shut
                    self.fast_recv = plain and self.open_recv
                    self.lane_recv = self.noted == LANE_NOTED and self.open_recv
                    self.fast_send = self.open_send and self.noted != HELD_UP
            elif self.type == c.SOCK_DGRAM and state is _BOUND:
                self.fast_message = plain and not (self.receive_shut or self.send_shut or self.errors_waiting)
            self.ready = settled and plain and not self.connect_failed

    def changed(self, change: Change) -> Shape:
        """The shape that is this one but for the change; from now on `next` knows it."""
        fields = {name: getattr(self, name) for name in VARYING}
        for name, value in change:
            if name not in fields:
                raise AttributeError(f"{name} does not vary")
            fields[name] = value
        if self.closed:
            fields["state"] = _CLOSED  # whatever another thread was about to make of it
        varying = tuple(fields.values())
        found = self.known.get(varying)
        if found is None:
            fixed = tuple(getattr(self, name) for name in _FIXED)
            found = self.known.setdefault(varying, Shape(fixed, varying, self.known))
        self.next[change] = found
        return found


def first_shape(
    process: Process, network: Transport, family: int, type: int, protocol: int, flags: int, procs: Procedures
) -> Shape:
    """The shape of such an endpoint that was just made."""
    shapes: dict[tuple[Any, ...], Shape] = process.services.setdefault("shapes", {})
    key = (id(network), family, type, protocol, flags, id(procs))  # ids of what the shape keeps alive
    found = shapes.get(key)
    if found is None:
        fixed = (process, network, family, type, protocol, flags)
        varying = (procs, _OPEN, False, False, False, False, NOTHING_NOTED, False, False)
        known: dict[tuple[Any, ...], Shape] = {}
        shape = Shape(fixed, varying, known)
        known[varying] = shape
        found = shapes.setdefault(key, shape)
    return found
