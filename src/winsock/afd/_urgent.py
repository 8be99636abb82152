"""Urgent data: bytes sent with MSG_OOB.

On Windows urgent bytes queue apart from the stream and never join it, unless SO_OOBINLINE is on.  Linux keeps one
such byte, at its place in the stream, and a second one pushes the first into the ordinary data.  So between two
endpoints of this interpreter the bytes take the short way: they go into the receiver's queue here, and the network
carries the ordinary data alone.  To and from other programs they travel as Linux' urgent data.
"""

from __future__ import annotations

import weakref
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _events
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._requests import serve_later
from winsock.nt import Process
from winsock.transports import ERROR, HANGUP, RDHUP, URGENT, Address

OOBINLINE = (c.SOL_SOCKET, c.SO_OOBINLINE)
QUEUE = "urgent"  # Endpoint.extra: the bytes that wait (bytearray)
PEER = "urgent peer"  # Endpoint.extra: weak reference to the endpoint that receives, or FOREIGN
UNACCEPTED = "urgent unaccepted"  # a listener's Endpoint.extra: {client's address: (its endpoint, bytes that wait)}
FOREIGN = None  # the other end is another program's


def inline(ep: Endpoint) -> bool:
    """SO_OOBINLINE: urgent bytes are ordinary data."""
    return bool(ep.options.get(OOBINLINE, 0))


def waiting(ep: Endpoint) -> int:
    """How many urgent bytes wait in the endpoint's own queue."""
    return len(ep.extra.get(QUEUE, b""))


def urgent_ready(ep: Endpoint, ready: int) -> bool:
    """Whether there is urgent data apart from the stream; ready is what the transport says (URGENT, ...)."""
    return not inline(ep) and bool(ready & URGENT or waiting(ep))


def joined(ep: Endpoint) -> int:
    """How many bytes of the queue became ordinary data because SO_OOBINLINE was switched on: FIONREAD counts them."""
    return waiting(ep) if inline(ep) else 0


def at_mark(ep: Endpoint) -> bool:
    """SIOCATMARK: true while no urgent byte waits apart from the stream, the reverse of BSD (fact)."""
    if waiting(ep):
        return False
    return inline(ep) or not ep.transport.readiness() & URGENT


def take(ep: Endpoint, view: Any, peek: bool) -> int:
    """Move one urgent byte into view: 1; 0 if none waits in the endpoint's queue."""
    queue = ep.extra.get(QUEUE)
    if not queue:
        return 0
    view[0] = queue[0]
    if not peek:
        del queue[0]
    return 1


def take_joined(ep: Endpoint, view: Any, peek: bool) -> int:
    """The bytes that SO_OOBINLINE made ordinary, alone, before the stream goes on."""
    queue = ep.extra.get(QUEUE)
    if not queue:
        return 0
    n = min(len(queue), len(view))
    view[:n] = queue[:n]
    if not peek:
        del queue[:n]
    return n


def ended(ep: Endpoint) -> bool:
    """Whether no urgent byte can come any more."""
    return bool(ep.transport.readiness() & (RDHUP | HANGUP | ERROR))


# -- sending


def deliver(ep: Endpoint, byte: int) -> bool:
    """Put an urgent byte into the queue of the other end.

    False if that end is not here, or takes urgent data inline: then the byte goes over the network.
    """
    peer = _other_end(ep)
    if peer is None or inline(peer):
        return False
    if peer.state is not State.LISTENING:
        peer.noted(QUEUE, bytearray).append(byte)
        peer.refresh()
        for ts in peer.waiters:
            ts.interrupt()
        _events.told(peer, _events.ARRIVAL)
        serve_later(peer, URGENT)
        return True
    unaccepted: dict[Address, tuple[Any, bytearray]] = peer.noted(UNACCEPTED, dict)
    here = _short(ep.transport.local_name())
    sender, queue = unaccepted.get(here, (None, b""))
    if sender is None or sender() is not ep:  # an older connection's that nobody accepted
        sender, queue = unaccepted[here] = weakref.ref(ep), bytearray()
    assert isinstance(queue, bytearray)
    queue.append(byte)
    return True


def reaches_inline(ep: Endpoint) -> bool:
    """Whether the other end is here and takes urgent data as ordinary data: nothing is urgent then."""
    peer = _other_end(ep)
    return peer is not None and inline(peer)


def accepted(listener: Endpoint, new: Endpoint, address: Address) -> None:
    """A connection leaves its listener with the urgent bytes that came before."""
    unaccepted = listener.extra.get(UNACCEPTED)
    if unaccepted and (found := unaccepted.pop(_short(address), None)):
        new.note(QUEUE, found[1])


def _short(address: Address) -> Address:
    """Host and port alone."""
    return tuple(address[:2]) if isinstance(address, tuple) else address


def _other_end(ep: Endpoint) -> Endpoint | None:
    """The endpoint at the other end of a connection, or the listener that has yet to accept it; None if not here.

    Looked up until it is known who accepted the connection.
    """
    if PEER in ep.extra:
        known = ep.extra[PEER]
        peer: Endpoint | None = known() if known is not FOREIGN else None
        return peer if peer is not None and not peer.closed else None
    if ep.family == c.AF_UNIX:
        return None
    here, there = _short(ep.transport.local_name()), _short(ep.transport.peer_name())
    listener = None
    for other in _endpoints(ep):
        if other.state is State.LISTENING:
            name = _short(other.transport.local_name())
            if name[1] == there[1] and name[0] in (there[0], "0.0.0.0", "::"):
                listener = other
        elif (
            other.state in (State.CONNECTED, State.RESET)
            and other is not ep
            and _short(other.remote) == here
            and _short(other.transport.local_name()) == there
        ):
            ep.note(PEER, weakref.ref(other))
            return other
    if listener is None:
        ep.note(PEER, FOREIGN)
    elif ended(ep):
        return None  # who accepted it has gone
    return listener


def _endpoints(ep: Endpoint) -> list[Endpoint]:
    """Streams of all processes of this interpreter that live on the same network."""
    return [
        other
        for process in Process.all()
        for other in process.all_sockets()
        if isinstance(other, Endpoint) and other.stream and other.network is ep.network and not other.closed
    ]
