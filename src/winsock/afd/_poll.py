"""What endpoints are ready for, in Windows' terms, and the wait for it: under select, WSAPoll and event selection.

A transport reports what its own system thinks (transports.READ, WRITE, ...); what that means on Windows depends on
the endpoint's state, and `readiness` is the one place that knows:

* a stream without a connection is ready for nothing; after a failed connect it is CONNECT_FAILED for ever;
* a connection waiting at a listener is ACCEPT, never READ;
* the end of the stream is HANGUP, not READ, even while unread data is queued; a reset is RESET;
* a stream whose sending was shut down stays ready for WRITE; shutting down receiving changes nothing;
* urgent data is OOB, unless it is inline.

Source: facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from winsock.abi import _constants as c
from winsock.afd import _urgent
from winsock.afd._connection import DEFERRED, poll_connect
from winsock.afd._endpoint import Endpoint
from winsock.afd._reactor import look as ask
from winsock.afd._shape import State
from winsock.afd._wait import Wait
from winsock.codes import WSA, WinsockError
from winsock.nt import current
from winsock.transports import ERROR, HANGUP, RDHUP, URGENT, TransportSocket
from winsock.transports import READ as CAN_READ
from winsock.transports import WRITE as CAN_WRITE

READ = c.AFD_POLL_RECEIVE
OOB = c.AFD_POLL_RECEIVE_EXPEDITED
WRITE = c.AFD_POLL_SEND
HANGUP_SEEN = c.AFD_POLL_DISCONNECT
RESET = c.AFD_POLL_ABORT
CLOSED = c.AFD_POLL_LOCAL_CLOSE
CONNECTED = c.AFD_POLL_CONNECT
ACCEPT = c.AFD_POLL_ACCEPT
CONNECT_FAILED = c.AFD_POLL_CONNECT_FAIL
EVERYTHING = READ | OOB | WRITE | HANGUP_SEEN | RESET | CLOSED | CONNECTED | ACCEPT | CONNECT_FAILED

# What puts a socket into select's sets.
READABLE = READ | ACCEPT | HANGUP_SEEN | RESET | CLOSED
WRITABLE = WRITE
EXCEPTIONAL = OOB | CONNECT_FAILED

_UNCONNECTED = (State.OPEN, State.BOUND)


def readiness(ep: Endpoint, got: int) -> int:
    """What the endpoint is ready for (READ, ... above), given what its transport reports.

    Learns by the way how a connect went.
    """
    shape = ep.shape
    if shape.closed:
        return CLOSED
    if shape.state is State.CONNECTING:
        if not (got & (CAN_WRITE | ERROR | HANGUP) and poll_connect(ep)):
            return 0
        shape = ep.shape
    failed = CONNECT_FAILED if shape.connect_failed else 0
    state = shape.state
    if state is State.LISTENING:
        return failed | (ACCEPT if got & CAN_READ or ep.extra.get(DEFERRED) else 0)
    if not shape.stream:
        found = CONNECTED if ep.remote is not None else 0
        if got & (CAN_READ | ERROR):
            found |= READ
        return found | (WRITE if got & CAN_WRITE else 0)
    if state in _UNCONNECTED:
        return failed
    if state is State.RESET or got & ERROR:
        return CONNECTED | RESET | WRITE
    return failed | _connected(ep, got)


def _connected(ep: Endpoint, got: int) -> int:
    found = CONNECTED
    if got & CAN_WRITE:
        found |= WRITE
    if got & (RDHUP | HANGUP):
        # The network calls the end of the stream readable, like data.
        found |= HANGUP_SEEN | (READ if ep.transport.pending() else 0)
    elif got & CAN_READ:
        found |= READ
    if got & URGENT or _urgent.QUEUE in ep.extra:
        if _urgent.urgent_ready(ep, got):
            found |= OOB
        if _urgent.joined(ep):
            found |= READ
    return found


def interest(ep: Endpoint, wanted: int) -> int | None:
    """What to ask the transport, so that readiness() can tell; None when nothing it may say matters."""
    if ep.closed:
        return None
    if ep.stream:
        if ep.state is State.CONNECTING:
            return CAN_WRITE
        if ep.state is State.LISTENING:
            return CAN_READ if wanted & ACCEPT else None
        if ep.state is not State.CONNECTED:
            return None
    bits = 0
    if wanted & READ:
        bits |= CAN_READ
    if wanted & (READ | HANGUP_SEEN):
        bits |= RDHUP
    if wanted & WRITE:
        bits |= CAN_WRITE
    if wanted & OOB:
        bits |= URGENT
    return bits


def events(ep: Endpoint) -> int:
    """What the endpoint is ready for now."""
    return look({ep: EVERYTHING}).get(ep, 0)


def look(wanted: dict[Endpoint, int]) -> dict[Endpoint, int]:
    """Of these endpoints those that are ready now for something wanted (or closed), and for what."""
    return _Look(wanted).once(0)


def wait_for(wanted: dict[Endpoint, int], timeout: float | None) -> dict[Endpoint, int]:
    """look(), but wait until there is something: at most timeout milliseconds, None for ever; {} on time-out.

    An alertable wait: the thread's APCs run while it lasts, but not if something is ready at once.  WSAEINTR when
    WSACancelBlockingCall ends it.
    """
    looking = _Look(wanted)
    found = looking.once(0)
    if found or timeout == 0 or not wanted:
        return found
    with Wait(current(), next(iter(wanted)).network, timeout) as wait, wait:
        for ep in wanted:
            if not wait.join(ep):
                break  # closed meanwhile: the next look says so
        while not found and wait.goes_on():
            found = looking.once(wait.left())
    return found


class _Look:
    """One or more looks at the same endpoints."""

    __slots__ = ("deaf", "wanted")

    def __init__(self, wanted: dict[Endpoint, int]) -> None:
        self.wanted = wanted
        self.deaf: set[Endpoint] = set()  # their transport keeps telling what nobody wants to know

    def once(self, timeout: float | None) -> dict[Endpoint, int]:
        """What is ready; waits for it (or an interruption) at most timeout milliseconds."""
        wanted = self.wanted
        entries: list[tuple[TransportSocket, int]] = []
        asked: dict[TransportSocket, Endpoint] = {}
        found: dict[Endpoint, int] = {}
        for ep, mask in wanted.items():
            if not ep.shape.ready:
                # Something the network does not know of: a failure, a reset, urgent bytes, a deferred connection.
                ready = readiness(ep, 0) & (mask | CLOSED)
                if ready:
                    found[ep] = ready
            bits = interest(ep, mask)
            if bits is not None and ep not in self.deaf:
                entries.append((ep.transport, bits))
                asked[ep.transport] = ep
        if not wanted:
            return found
        network = next(iter(wanted)).network
        ts = current()
        answers = network.wait(ts, entries, 0) if found or timeout == 0 else ask(ts, network, entries, timeout)
        if not answers:
            self.deaf.clear()
        changed = False
        for transport, got in answers:
            ep = asked[transport]
            state = ep.state
            ready = readiness(ep, got) & (wanted[ep] | CLOSED)
            if ready:
                found[ep] = ready
            elif ep.state is state:
                self.deaf.add(ep)
            else:
                changed = True
        if changed and not found:
            return self.once(0)  # a connect has ended: what is asked of its endpoint is something else now
        return found


# -- select


def select(
    read: Sequence[Endpoint], write: Sequence[Endpoint], other: Sequence[Endpoint], timeout: float | None
) -> tuple[list[Endpoint], list[Endpoint], list[Endpoint]]:
    """Those that are readable, writable, exceptional, in their order; three empty lists when the time is up.

    timeout    milliseconds; 0 does not wait, None waits for ever

    WSAEINVAL without any endpoint; WSAENOTSOCK when one was closed before, or while select waited and it was not
    among those to read (there it counts as readable); WSAEINTR.
    """
    wanted: dict[Endpoint, int] = {}
    for eps, mask in (read, READABLE), (write, WRITABLE), (other, EXCEPTIONAL):
        for ep in eps:
            if ep.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            wanted[ep] = wanted.get(ep, 0) | mask
    if not wanted:
        raise WinsockError(WSA.WSAEINVAL)
    found = wait_for(wanted, timeout)
    result = _those(read, found, READABLE), _those(write, found, WRITABLE), _those(other, found, EXCEPTIONAL)
    if found and not any(result):
        raise WinsockError(WSA.WSAENOTSOCK)
    return result


def _those(eps: Iterable[Endpoint], found: dict[Endpoint, int], mask: int) -> list[Endpoint]:
    return [ep for ep in eps if found.get(ep, 0) & mask]
