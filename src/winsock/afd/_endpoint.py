"""An endpoint: what Windows knows of one socket handle, whatever network carries it.

Rule 1: every change of an endpoint's state goes through the methods of this file.
Rule 2: this room knows no descriptor and no clock; both are the transport's.
Rule 3: a refused call changes nothing; what is refused is a table (_rules.py).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from winsock.abi import _constants as c
from winsock.afd._events import NETWORK_EVENTS, closed
from winsock.codes import WSA, WinsockError
from winsock.nt import Process, ThreadState
from winsock.transports import Address, Transport, TransportSocket

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


# To look a member up costs more than most of what is done with it.
_OPEN, _BOUND, _CONNECTED, _CLOSED = State.OPEN, State.BOUND, State.CONNECTED, State.CLOSED

# A stream in these states is ready for what the network says; in others one of them says more than the other.
_SETTLED = frozenset({State.CONNECTED, State.LISTENING})

# In `extra`: what a send has to look at.
_SENDS_LOOK = frozenset({NETWORK_EVENTS, "accepted for sending"})

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


class Endpoint:
    """One socket handle.

    family, type, protocol    Windows' numbers
    flags                     WSA_FLAG_* it was made with
    nonblocking               FIONBIO
    options                   {(level, name): value} of options that were set; what is absent has its default
    so_error                  SO_ERROR: the code of a failed connect; not cleared by reading it
    connect_failed            a connect failed and none succeeded since: select reports it in exceptfds for ever
    accepted                  its connection came out of a listener: no connect of its own
    receive_shut, send_shut   shutdown()
    fast_recv, fast_send      a plain recv or send needs no further look at the state: straight to the transport
    fast_message              the same for datagrams: receiving and sending
    fast_ready                what Transport.looker takes for it, while that knows what Windows would say; else None
    quick                     options that getsockopt answers from memory, with defaults; None until one was asked
    waiters                   threads that wait for it, to be interrupted by closesocket
    """

    __slots__ = (
        "__weakref__",
        "accepted",
        "closed",
        "connect_failed",
        "connect_time",
        "extra",
        "family",
        "fast_message",
        "fast_ready",
        "fast_recv",
        "fast_send",
        "flags",
        "handle",
        "network",
        "nonblocking",
        "options",
        "process",
        "procs",
        "protocol",
        "quick",
        "receive_shut",
        "receive_timeout",
        "remote",
        "send_shut",
        "send_timeout",
        "so_error",
        "state",
        "transport",
        "type",
        "waiters",
    )

    def __init__(
        self,
        process: Process,
        network: Transport,
        transport: TransportSocket,
        family: int,
        type: int,
        protocol: int,
        flags: int,
        procs: Procedures,
    ) -> None:
        self.process = process
        self.network = network
        self.transport = transport
        self.family, self.type, self.protocol, self.flags = family, type, protocol, flags
        self.procs = procs
        self.handle = 0
        self.state = _OPEN
        self.closed = False
        self.nonblocking = False
        self.receive_shut = self.send_shut = False
        self.receive_timeout = self.send_timeout = 0  # ms; 0 waits for ever
        self.so_error = 0
        self.connect_failed = False
        self.connect_time: float | None = None  # ms of the network's clock
        self.accepted = False
        self.remote: Address | None = None
        self.options: Mapping[tuple[int, int], Any] = NOTHING
        self.extra: Mapping[str, Any] = NOTHING
        self.waiters: tuple[ThreadState, ...] = ()
        self.fast_recv = self.fast_send = self.fast_message = False
        self.fast_ready: Any = None
        self.quick: dict[tuple[int, int], int | None] | None = None

    @property
    def stream(self) -> bool:
        """A byte stream, as against messages."""
        return self.type == c.SOCK_STREAM

    # -- what only few endpoints have

    def set_option(self, key: tuple[int, int], value: Any) -> None:
        """Keep an option's value."""
        if self.options is NOTHING:
            self.options = {key: value}
        else:
            self.options[key] = value  # type: ignore[index]

    def reset_option(self, key: tuple[int, int]) -> None:
        """The option has its default again."""
        if key in self.options:
            del self.options[key]  # type: ignore[attr-defined]

    def note(self, name: str, value: Any) -> None:
        """Keep something in `extra`."""
        if self.extra is NOTHING:
            self.extra = {name: value}
        else:
            self.extra[name] = value  # type: ignore[index]

    def noted(self, name: str, make: Callable[[], Any]) -> Any:
        """What `extra` has there, made now if it is not."""
        if name not in self.extra:
            self.note(name, make())
        return self.extra[name]

    def drop(self, name: str) -> Any:
        """Take it out of `extra`: what it was, or None."""
        if name in self.extra:
            return self.extra.pop(name)  # type: ignore[attr-defined]
        return None

    # -- transitions

    def refresh(self) -> None:
        """Recompute the short cuts after any change of state."""
        fast_recv = fast_send = fast_message = False
        fast_ready = None
        if not self.closed and self.procs.plain:
            state, plain = self.state, not self.extra
            if self.type == c.SOCK_STREAM:
                settled = state in _SETTLED
                if state is _CONNECTED:
                    fast_recv = plain and not self.receive_shut
                    fast_send = not self.send_shut and (plain or _SENDS_LOOK.isdisjoint(self.extra))
            else:
                settled = True
                if self.type == c.SOCK_DGRAM and state is _BOUND:
                    fast_message = plain and not (self.receive_shut or self.send_shut)
            if settled and plain and not self.connect_failed:
                fast_ready = self.transport.look_key()
        self.fast_recv, self.fast_send, self.fast_message = fast_recv, fast_send, fast_message
        self.fast_ready = fast_ready
        for ts in self.waiters:
            ts.interrupt()  # who selects on it looks again

    def became_bound(self) -> None:
        if self.state is _OPEN:
            self.state = _BOUND
            self.refresh()

    def became_listening(self) -> None:
        self.state = State.LISTENING
        self.refresh()

    def became_connecting(self, remote: Address) -> None:
        self.state, self.remote = State.CONNECTING, remote
        self.refresh()

    def became_connected(self, remote: Address | None) -> None:
        """A stream has its connection; a datagram socket its peer (None dissolves it)."""
        self.remote = remote
        if self.stream:
            self.drop("lost")
            self.state = _CONNECTED
            self.connect_failed = False
            self.connect_time = self.network.now()
        else:
            self.state = _BOUND
        self.refresh()

    def connect_ended(self, code: int, state: State = State.BOUND) -> None:
        """A connect failed: back to bound (a path of AF_UNIX it never had), the code in SO_ERROR."""
        self.state, self.remote = state, None
        self.connect_failed = True
        self.so_error = code
        self.refresh()

    def became_reset(self, code: int = WSA.WSAECONNRESET) -> None:
        """The connection is lost; every later send and receive gets this code, the first one to tell."""
        if self.state is State.CONNECTED:
            self.state = State.RESET
            self.note("lost", code)
            self.refresh()

    def shut(self, how: int) -> None:
        if how in (c.SD_RECEIVE, c.SD_BOTH):
            self.receive_shut = True
        if how in (c.SD_SEND, c.SD_BOTH):
            self.send_shut = True
        self.refresh()

    def close(self) -> None:
        """Closed for everybody at once; whoever waits is woken, and the last of them frees the transport's socket."""
        with _lock:
            if self.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            self.closed = True
            self.state = _CLOSED
            self.refresh()
            waiters = self.waiters
        if self.extra:
            closed(self)
        for hook in self.process.services.get("closing", ()):
            hook(self)  # who has work pending on it
        for ts in waiters:
            ts.interrupt()
        if not waiters:
            self._finish()

    def _finish(self) -> None:
        """Nobody is inside any more."""
        for transport, _ in self.drop("deferred") or ():
            transport.finish(abortive=True)
        if not self.drop("kept"):  # what was accepted for sending goes first
            self.transport.finish()

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
        self.options = dict(snapshot.get("options", {})) or NOTHING
        for name, value in snapshot.get("extra", {}).items():
            self.note(name, value)
        self.state = State(snapshot["state"])
        self.refresh()

    # -- waiting

    def enter_wait(self, ts: ThreadState) -> None:
        with _lock:
            if self.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            self.waiters = (*self.waiters, ts)

    def leave_wait(self, ts: ThreadState) -> None:
        with _lock:
            waiters = list(self.waiters)
            waiters.remove(ts)
            self.waiters = tuple(waiters)
            last = self.closed and not self.waiters
        if last:
            self._finish()

    def __repr__(self) -> str:
        return f"<Endpoint {self.handle:#x} {self.state.name}>"


# For waiters and closed of any endpoint, held for a few instructions only; reentrant, for the garbage collector may
# close sockets in between.
_lock = threading.RLock()


def _after_fork() -> None:
    """In a forked child: nobody waits but the thread that is left, so that closing closes."""
    _lock._at_fork_reinit()  # type: ignore[attr-defined]
    for process in Process.all():
        mine = process.current_state
        for ep in process.sockets.values():
            if isinstance(ep, Endpoint):
                ep.waiters = tuple(ts for ts in ep.waiters if ts is mine)


os.register_at_fork(after_in_child=_after_fork)
