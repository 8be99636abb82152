"""An endpoint: what Windows knows of one socket handle, whatever network carries it.

Rule 1: every change of an endpoint's state goes through the methods of this file.
Rule 2: this room knows no descriptor and no clock; both are the transport's.
Rule 3: a refused call changes nothing; what is refused is a table (_rules.py).

An endpoint is one object together with its transport's socket: _making.endpoint_class() derives it from the class
that the network makes its sockets of.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from winsock.abi import _constants as c
from winsock.afd._events import NETWORK_EVENTS, closed
from winsock.afd._shape import HELD_UP, LANE_NOTED, NOTED, NOTHING_NOTED, Change, Shape, first_shape, known_change
from winsock.afd._shape import State as State
from winsock.codes import WSA, WinsockError
from winsock.nt import Process, ThreadState
from winsock.transports import Address, Transport, TransportSocket

if TYPE_CHECKING:
    from winsock.spi._table import Procedures

    Base = TransportSocket
else:
    Base = object

SENDS = "accepted for sending"  # in `extra` while synchronous sends have to look for others before them
# In `extra`: what a send has to look at.
_SENDS_LOOK = frozenset({NETWORK_EVENTS, SENDS})

LEAVING = "closed and not left yet"  # in Process.services: endpoints on which threads waited when they were closed
LEAVING_LIMIT = 5.0  # s

NOTHING: Mapping[Any, Any] = MappingProxyType({})  # most endpoints' `options` and `extra`, at no cost of memory

# What a duplicate handle has in common with its source at first, besides options and state.
_COPIED = (
    "nonblocking",
    "receive_shut",
    "send_shut",
    "receive_timeout",
    "send_timeout",
    "so_error",
    "connect_failed",
    "connect_time",
    "accepted",
    "remote",
)

_TO_BOUND = known_change(state=State.BOUND)
_TO_LISTENING = known_change(state=State.LISTENING)
_TO_CONNECTING = known_change(state=State.CONNECTING)
_TO_CONNECTED = known_change(state=State.CONNECTED, connect_failed=False)
_TO_JOINED = known_change(state=State.CONNECTED, accepted=True, connect_failed=False)
_TO_JOINED_NOTED = known_change(state=State.CONNECTED, accepted=True, connect_failed=False, noted=NOTED)
_TO_CONNECTED_NOTED = known_change(state=State.CONNECTED, connect_failed=False, noted=NOTED)
_TO_RESET = known_change(state=State.RESET)
_TO_CLOSED = known_change(state=State.CLOSED)
_TO_HEIR = known_change(
    state=State.CONNECTED,
    accepted=True,
    connect_failed=False,
    errors_waiting=False,
    noted=NOTHING_NOTED,
    receive_shut=False,
    send_shut=False,
)
_TO_SHUT = {
    c.SD_RECEIVE: known_change(receive_shut=True),
    c.SD_SEND: known_change(send_shut=True),
    c.SD_BOTH: known_change(receive_shut=True, send_shut=True),
}
_NOTED = {level: known_change(noted=level) for level in (NOTHING_NOTED, LANE_NOTED, NOTED, HELD_UP)}
_BOUND, _CONNECTED = State.BOUND, State.CONNECTED


class Rest:
    """What an idle endpoint has not: made when the first of it is set.

    See Endpoint for the fields; `face` is for the face above, of which this room knows nothing, and `requests` what
    is known of overlapped requests, if there ever were any.
    """

    __slots__ = (
        "connect_time",
        "extra",
        "face",
        "options",
        "receive_timeout",
        "remote",
        "requests",
        "send_timeout",
        "so_error",
        "waiters",
    )

    def __init__(self, remote: Address | None = None, connect_time: float | None = None) -> None:
        self.connect_time = connect_time
        self.extra = self.options = NOTHING
        self.face: Any = None
        self.requests: Any = None
        self.receive_timeout = self.send_timeout = self.so_error = 0
        self.remote = remote
        self.waiters: tuple[ThreadState, ...] = ()

    def end_requests(self, ep: Any) -> None:
        """The handle closes: there are no requests any more."""
        requests, self.requests = self.requests, None
        if requests is not None:
            requests.closing(ep)


NO_REST = Rest()  # of endpoints that have none; it stays as it is


def _shared(name: str) -> Any:
    """A field of the endpoint's shape; to set it is to take another shape."""

    def change(self: Endpoint, value: Any) -> None:
        self.turn(((name, value),))

    return property(attrgetter(f"shape.{name}"), change)


def _rest(name: str) -> Any:
    """A field of what only some endpoints have."""

    def store(self: Endpoint, value: Any) -> None:
        setattr(self.own_rest(), name, value)

    return property(attrgetter(f"rest.{name}"), store)


class Endpoint(Base):
    """One socket handle.

    family, type, protocol    Windows' numbers
    flags                     WSA_FLAG_* it was made with
    nonblocking               FIONBIO
    options                   {(level, name): value} of options that were set; what is absent has its default
    so_error                  SO_ERROR: the code of a failed connect; not cleared by reading it
    connect_failed            a connect failed and none succeeded since: select reports it in exceptfds for ever
    accepted                  its connection came out of a listener: no connect of its own
    receive_shut, send_shut   shutdown()
    errors_waiting            the transport has errors in a queue that a receive has to report
    connect_time              ms of the network's clock
    receive_timeout, send_timeout    ms; 0 waits for ever
    waiters                   threads that wait for it, to be interrupted by closesocket

    Short cuts, which calls look up in `shape`:

    fast_recv, fast_send      a plain recv or send needs no further look at the state: straight to the transport
    fast_message              the same for datagrams: receiving and sending
    ready                     the network knows what Windows would say of it: Transport.looker may be asked
    fast_connect, fast_accept    the same for a stream without a connection (see Shape), and for a listener
    quick                     options that getsockopt answers from memory, with defaults; None until one was asked
    settable                  options that setsockopt just keeps (_options.settings); None at first, and at last

    Its state is in three places: `shape`, what it has in common with others; `rest`, what only some have; and the
    transport's socket, which it is.
    """

    __slots__ = ()

    shape: Shape
    rest: Rest
    _handle: int | None

    def begin(self, shape: Shape) -> None:
        """The transport has made it; from now on it is an endpoint."""
        self._handle = None
        self.rest = NO_REST
        self.shape = shape

    process: Process = _shared("process")
    network: Transport = _shared("network")
    procs: Procedures = _shared("procs")
    family: int = _shared("family")
    protocol: int = _shared("protocol")
    flags: int = _shared("flags")
    stream: bool = _shared("stream")
    state: State = _shared("state")
    closed: bool = _shared("closed")
    nonblocking: bool = _shared("nonblocking")
    accepted: bool = _shared("accepted")
    connect_failed: bool = _shared("connect_failed")
    errors_waiting: bool = _shared("errors_waiting")
    receive_shut: bool = _shared("receive_shut")
    send_shut: bool = _shared("send_shut")

    fast_recv: bool = _shared("fast_recv")
    fast_send: bool = _shared("fast_send")
    fast_message: bool = _shared("fast_message")

    connect_time: float | None = _rest("connect_time")
    extra: Mapping[str, Any] = _rest("extra")
    options: Mapping[tuple[int, int], Any] = _rest("options")
    receive_timeout: int = _rest("receive_timeout")
    remote: Address | None = _rest("remote")
    send_timeout: int = _rest("send_timeout")
    so_error: int = _rest("so_error")
    waiters: tuple[ThreadState, ...] = _rest("waiters")

    @property
    def unsettled(self) -> bool:
        """AcceptEx or ConnectEx made its connection, and the program has not set SO_UPDATE_*_CONTEXT."""
        return "context" in self.rest.extra

    @property
    def nameless(self) -> bool:
        """AcceptEx did, so that it has no name yet either."""
        return self.rest.extra.get("context") == "accept"

    @property
    def transport(self) -> TransportSocket:
        """The network's side of it."""
        return self

    @property
    def handle(self) -> int:
        """Its number in the process' handle table; it gets one now, if nobody has asked for it yet."""
        handle = self._handle
        if handle is None:
            handle = self._handle = self.process.handles.add_socket(self)
        return handle

    def own_rest(self) -> Rest:
        """Its `rest`, to be written to."""
        if self.rest is NO_REST:
            rest = Rest()
            if self.rest is NO_REST:  # neither another thread nor a signal's handler was faster
                self.rest = rest
        return self.rest

    def turn(self, change: Change) -> None:
        """Take the shape that differs by this change from the one it has, whatever that is by now."""
        try:
            # Nothing comes between the look at the old shape and the store: there is no call in this line.
            self.shape = self.shape.next[change]
        except KeyError:
            self.shape.changed(change)
            self.turn(change)

    # -- what only few endpoints have

    def set_option(self, key: tuple[int, int], value: Any) -> None:
        """Keep an option's value."""
        rest = self.rest
        if rest is NO_REST:
            rest = self.own_rest()
        if rest.options is NOTHING:
            rest.options = {key: value}
        else:
            rest.options[key] = value  # type: ignore[index]

    def reset_option(self, key: tuple[int, int]) -> None:
        """The option has its default again."""
        if key in self.options:
            del self.options[key]  # type: ignore[attr-defined]

    def note(self, name: str, value: Any) -> None:
        """Keep something in `extra`."""
        rest = self.rest
        if rest is NO_REST:
            rest = self.own_rest()
        if rest.extra is NOTHING:
            rest.extra = {name: value}
        else:
            rest.extra[name] = value  # type: ignore[index]

    def noted(self, name: str, make: Callable[[], Any]) -> Any:
        """What `extra` has there, made now if it is not."""
        if name not in self.extra:
            self.note(name, make())
        return self.extra[name]

    def drop(self, name: str) -> Any:
        """Take it out of `extra`: what it was, or None."""
        extra: Any = self.rest.extra
        return extra.pop(name, None) if extra else None

    # -- transitions

    def refresh(self) -> None:
        """Look again whether the short cuts are open, after something was noted or dropped; tell who waits."""
        extra = self.rest.extra
        if not extra:
            level = NOTHING_NOTED
        elif _SENDS_LOOK.isdisjoint(extra):
            level = LANE_NOTED if "requests" in extra and len(extra) == 1 else NOTED
        else:
            level = HELD_UP
        self.turn(_NOTED[level])
        for ts in self.rest.waiters:
            ts.interrupt()  # who selects on it looks again

    def _become(self, change: Change) -> None:
        try:
            self.shape = self.shape.next[change]  # as in turn()
        except KeyError:
            self.turn(change)
        rest = self.rest
        if rest.extra or rest.waiters or self.shape.noted:
            self.refresh()

    def became_bound(self) -> None:
        if self.shape.state is State.OPEN:
            self._become(_TO_BOUND)

    def became_listening(self) -> None:
        self._become(_TO_LISTENING)

    def became_connecting(self, remote: Address) -> None:
        self.remote = remote
        self._become(_TO_CONNECTING)

    def became_connected(self, remote: Address | None) -> None:
        """A stream has its connection; a datagram socket its peer (None dissolves it)."""
        shape = self.shape
        if not shape.stream:
            self.remote = remote
            self._become(_TO_BOUND)
            return
        rest = Rest(remote, shape.network.clock() * 1e3)
        if self.rest is not NO_REST:
            mine = self.rest
            mine.remote, mine.connect_time = remote, rest.connect_time
            if mine.extra:
                self.drop("lost")
            self._become(_TO_CONNECTED)
            return
        self.rest = rest  # nobody was faster, as in own_rest(): nothing is noted, and at most somebody waits by now
        try:
            self.shape = self.shape.next[_TO_CONNECTED]  # as in turn()
        except KeyError:
            self.turn(_TO_CONNECTED)
        if rest.waiters:
            self.refresh()

    def accepted_from(self, listener: Endpoint, remote: Address) -> None:
        """The transport took this connection from a listener: begin as its heir.

        What it takes over besides what the network itself carries over: options, time-outs, FIONBIO, flags.
        """
        self._handle = None
        shape = listener.shape
        rest = self.rest = Rest(remote, shape.network.clock() * 1e3)
        its = listener.rest
        if its is not NO_REST:
            if its.options:
                rest.options = dict(its.options)
            rest.receive_timeout, rest.send_timeout = its.receive_timeout, its.send_timeout
        try:
            self.shape = shape.next[_TO_HEIR]
        except KeyError:
            if shape.closed:  # a condition function did it
                s = shape
                shape = first_shape(s.process, s.network, s.family, s.type, s.protocol, s.flags, s.procs)
                shape = shape.changed((("nonblocking", s.nonblocking),))
            self.shape = shape.changed(_TO_HEIR)

    def joined(self, remote: Address, context: str) -> None:
        """AcceptEx, or ConnectEx, has its connection, which lacks its context (see unsettled).

        context    "accept": it had been a listener's; "connect"
        """
        now = self.shape.network.clock() * 1e3
        rest = self.rest
        if rest is NO_REST:
            rest = Rest(remote, now)
            rest.extra = {"context": context}
            self.rest = rest  # nobody was faster, as in own_rest(): nothing else is noted
        else:
            rest.remote, rest.connect_time = remote, now
            if rest.extra or rest.waiters:
                self.drop("lost")
                self.note("context", context)
                self._become(_TO_JOINED if context == "accept" else _TO_CONNECTED)
                return
            rest.extra = {"context": context}
        self.turn(_TO_JOINED_NOTED if context == "accept" else _TO_CONNECTED_NOTED)
        for ts in self.rest.waiters:
            ts.interrupt()  # who selects on it looks again

    def connect_ended(self, code: int, state: State = State.BOUND) -> None:
        """A connect failed: back to bound (a path of AF_UNIX it never had), the code in SO_ERROR."""
        self.remote = None
        self.so_error = code
        self._become((("state", state), ("connect_failed", True)))

    def became_reset(self, code: int = WSA.WSAECONNRESET) -> None:
        """The connection is lost; every later send and receive gets this code, the first one to tell."""
        for ep in self._handles():
            if ep.shape.state is State.CONNECTED:
                ep.note("lost", code)
                ep._become(_TO_RESET)

    def shut(self, how: int) -> None:
        for ep in self._handles():
            ep._become(_TO_SHUT[how])

    def _handles(self) -> Sequence[Endpoint]:
        """It and its duplicates in this process, which are one socket."""
        requests = self.rest.requests
        return (self,) if requests is None else tuple(requests.endpoints)

    def close(self) -> None:
        """Closed for everybody at once, and no handle any more: who closes it again gets WSAENOTSOCK.

        Whoever waits is woken, and the last of them frees the transport's socket.  This call waits for that: what it
        returns from neither takes connections nor holds an address, as on Windows.
        """
        shape, handle = self.shape, self._handle
        if handle is not None:
            handles = shape.process.handles
            if handles.sockets.pop(handle, None) is not None:
                handles.free.append(handle)
            shape = self.shape
        if shape.closed:
            raise WinsockError(WSA.WSAENOTSOCK)
        try:
            self.shape = shape.next[_TO_CLOSED]  # no call since the look: of several threads one closes it
        except KeyError:
            shape.changed(_TO_CLOSED)
            self.close()
            return
        rest = self.rest
        if rest.extra and (len(rest.extra) > 1 or "requests" not in rest.extra):
            closed(self)
        if rest.requests is not None:
            rest.end_requests(self)
            self.drop("requests")
        for known, hook in shape.process.closing:
            if self in known:
                hook(self)  # who has work pending on it
        rest = self.rest
        if rest.waiters and self._handed_over():
            return
        if rest.extra:
            self._finish()
        else:
            self.finish()

    def _handed_over(self) -> bool:
        """Whoever waits is woken, and the last of them has freed it; False if there is nobody any more."""
        with _lock:  # who came just now, and saw that it is closed, has gone again
            waiters = self.rest.waiters
            if not waiters:
                return False
            self._leaving().add(self)
        for ts in waiters:
            ts.interrupt()
        self._await_leaving(waiters)
        return True

    def _leaving(self) -> set[Endpoint]:
        leaving: set[Endpoint] = self.shape.process.services.setdefault(LEAVING, set())
        return leaving

    def _await_leaving(self, waiters: tuple[ThreadState, ...]) -> None:
        if self.shape.process.current_state in waiters or _lock._is_owned():  # type: ignore[attr-defined]
            return  # it would wait for itself: in a hook or an APC, or as a finalizer that holds others up
        with _left:
            _left.wait_for(lambda: self not in self._leaving(), LEAVING_LIMIT)

    def _finish(self) -> None:
        """Nobody is inside any more; a second call changes nothing."""
        for transport, _ in self.drop("deferred") or ():
            transport.finish(abortive=True)
        if "kept" not in self.rest.extra:  # what was accepted for sending goes first
            self.finish()

    # -- duplicates

    def snapshot(self) -> dict[str, Any]:
        """What a duplicate handle copies: all that is the endpoint's own and not the transport's."""
        state: dict[str, Any] = {name: getattr(self, name) for name in _COPIED}
        lost = {"lost": self.extra["lost"]} if "lost" in self.extra else {}
        return {**state, "state": self.state.value, "options": dict(self.options), "extra": lost}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take another handle's state over."""
        for name in _COPIED:
            if name in snapshot:
                setattr(self, name, snapshot[name])
        options = snapshot.get("options")
        if options:
            self.options = dict(options)
        for name, value in snapshot.get("extra", {}).items():
            self.note(name, value)
        self.state = State(snapshot["state"])
        self.refresh()

    # -- waiting

    def enter_wait(self, ts: ThreadState) -> None:
        with _lock:
            before = self.rest.waiters
            self.waiters = (*before, ts)
            if self.shape.closed:  # close() looks the other way round: at the waiters after it has closed
                self.waiters = before
                raise WinsockError(WSA.WSAENOTSOCK)

    def leave_wait(self, ts: ThreadState) -> None:
        """May come twice for one enter_wait, or without any, where a signal's handler has raised."""
        with _lock:
            waiters = list(self.rest.waiters)
            if ts in waiters:
                waiters.remove(ts)
                self.waiters = tuple(waiters)
            last = self.shape.closed and not waiters and self in self._leaving()  # else close() finds nobody
        if last:
            try:
                self._finish()
            finally:
                with _left:
                    self._leaving().discard(self)
                    _left.notify_all()

    def __repr__(self) -> str:
        return f"<Endpoint {self._handle or 0:#x} {self.state.name}>"


# For waiters of any endpoint, held for a few instructions only; reentrant, for the garbage collector may close
# sockets in between.
_lock = threading.RLock()
_left = threading.Condition()


def _after_fork() -> None:
    """In a forked child: nobody waits but the thread that is left, so that closing closes."""
    _lock._at_fork_reinit()  # type: ignore[attr-defined]
    _left._at_fork_reinit()  # type: ignore[attr-defined]
    for process in Process.all():
        mine = process.current_state
        for ep in process.all_sockets():
            if isinstance(ep, Endpoint) and ep.waiters:
                ep.waiters = tuple(ts for ts in ep.waiters if ts is mine)


os.register_at_fork(after_in_child=_after_fork)
