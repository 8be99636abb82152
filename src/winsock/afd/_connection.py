"""bind, listen, accept, connect, shutdown and the names: what they do to an endpoint."""

from __future__ import annotations

import ipaddress
import os
import struct
import threading
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _events, _ports, _urgent
from winsock.afd._endpoint import SENDS, Endpoint
from winsock.afd._rules import check
from winsock.afd._shape import State
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.transports import ERROR, HANGUP, READ, WRITE, Address, TransportSocket

SO_REUSEADDR = (c.SOL_SOCKET, c.SO_REUSEADDR)
SO_EXCLUSIVEADDRUSE = (c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE)
SO_BROADCAST = (c.SOL_SOCKET, c.SO_BROADCAST)
SO_LINGER = (c.SOL_SOCKET, c.SO_LINGER)
# Asked for in most calls; looking one up costs more than the question.
_CONNECTING, _RESET = State.CONNECTING, State.RESET
ANY = {c.AF_INET: ("0.0.0.0", 0), c.AF_INET6: ("::", 0, 0, 0)}
BROADCAST = "255.255.255.255"

INITIAL_RTO = (0, c.SIO_TCP_INITIAL_RTO)  # in Endpoint.options: TCP_INITIAL_RTO_PARAMETERS
_RTO = struct.Struct("<HBx")  # ms until the first retransmission, how many retransmissions
RETRANSMISSION, RETRANSMISSIONS = 3000, 2  # together 21 s: how long Windows tries (document: WSAETIMEDOUT)
UNSPECIFIED, UNSPECIFIED_COUNT, NONE = 0xFFFF, 0xFF, 0xFE
LONGEST = 0x7FFFFFFF  # ms

# What a connection attempt can end with; a non-blocking one learns it later.
FAILURES = frozenset({WSA.WSAECONNREFUSED, WSA.WSAENETUNREACH, WSA.WSAEHOSTUNREACH, WSA.WSAETIMEDOUT})

DEFERRED = "deferred"  # in Endpoint.extra of a listener: connections that WSAAccept was told to put off
ACCEPTING = "accepting"  # in Process.services: {endpoint that is to become a connection: its Accept}
TOLD_OF_RESET = "told of reset"  # in Endpoint.extra: the program knows it from an overlapped call

Condition = Callable[[TransportSocket, Address], int]

_settling = threading.RLock()  # one thread learns how a connect went
os.register_at_fork(after_in_child=_settling._at_fork_reinit)  # type: ignore[attr-defined]


# -- names


def bind(ep: Endpoint, address: Address) -> None:
    """Give the endpoint a local name."""
    check(ep, "bind")
    if ep.family in ANY:
        _check_local(ep, address)
    options = ep.options
    ep.transport.bind_to(
        address, bool(options.get(SO_REUSEADDR, 0)), bool(options.get(SO_EXCLUSIVEADDRUSE, 0))
    )
    ep.became_bound()
    _events.told(ep, _events.BIND)


def _check_local(ep: Endpoint, address: Address) -> None:
    """Only addresses of this machine may be bound; Linux also binds groups and broadcasts."""
    kind = _kind(address)
    if kind in ("one", "any"):
        return
    if kind == "all":
        if ep.stream:
            raise WinsockError(WSA.WSAEADDRNOTAVAIL)
        if not ep.options.get(SO_BROADCAST, 0):
            raise WinsockError(WSA.WSAEACCES)
    else:
        raise WinsockError(WSA.WSAEADDRNOTAVAIL)


def _kind(address: Address) -> str:
    """What an address stands for: "one" host, "any" of ours, a "group", "all" (broadcast).

    WSAEADDRNOTAVAIL for a host that is a name.
    """
    try:
        return _kind_of(address[0])
    except ValueError:
        raise WinsockError(WSA.WSAEADDRNOTAVAIL) from None


@lru_cache(256)
def _kind_of(host: str) -> str:
    ip = ipaddress.ip_address(host.split("%", 1)[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_unspecified:
        return "any"
    return "group" if ip.is_multicast else "all" if str(ip) == BROADCAST else "one"


def is_group(address: Address) -> bool:
    """Whether it is a multicast address."""
    return _kind(address) == "group"


def autobind(ep: Endpoint) -> None:
    """The name that sendto and a datagram socket's connect give a socket that has none."""
    if ep.state is State.OPEN and ep.family in ANY:
        with _settling:
            if ep.state is State.OPEN:
                ep.transport.bind_to(ANY[ep.family], False, False)
                ep.became_bound()
        _events.told(ep, _events.BIND)


def getsockname(ep: Endpoint) -> Address:
    """The local address."""
    check(ep, "getsockname")
    return ep.transport.local_name() or ANY.get(ep.family)


def getpeername(ep: Endpoint) -> Address:
    """The peer's address; it outlives the connection."""
    poll_connect(ep)
    remote = ep.remote
    check(ep, "getpeername")
    if remote is None:
        raise WinsockError(WSA.WSAENOTCONN)
    return remote


# -- listen, accept


def listen(ep: Endpoint, backlog: int) -> None:
    """Take connections from now on; a second listen changes nothing but succeeds."""
    poll_connect(ep)
    check(ep, "listen")
    if ep.state is State.LISTENING:
        return
    ep.transport.listen_with(backlog)
    ep.became_listening()


def accept(ep: Endpoint, condition: Condition | None = None) -> tuple[Endpoint, Address]:
    """The next connection, as an endpoint without a handle, and the peer's address.

    condition    what WSAAccept's condition function says to this connection: a CF_* number

    WSAECONNREFUSED when it rejects, WSATRY_AGAIN when it defers (the connection stays the next one), WSAEINVAL for
    another answer.  WSAECONNRESET for a connection that the peer reset before it was taken.
    """
    try:
        new, address = _accept(ep, condition)
    except WinsockError as e:
        _events.told(ep, _events.ACCEPT, e.code)
        raise
    _events.inherit(ep, new)
    _events.told(ep, _events.ACCEPT)
    return new, address


def _accept(ep: Endpoint, condition: Condition | None) -> tuple[Endpoint, Address]:
    transport, address = _take(ep)
    if condition is not None:
        try:
            verdict = condition(transport, address)
        except BaseException:
            _put_back(ep, transport, address)
            raise
        if verdict == c.CF_REJECT:
            transport.finish(abortive=True)
            raise WinsockError(WSA.WSAECONNREFUSED)
        if verdict != c.CF_ACCEPT:
            _put_back(ep, transport, address)
            raise WinsockError(WSA.WSATRY_AGAIN if verdict == c.CF_DEFER else WSA.WSAEINVAL)
    new: Any = transport
    new.accepted_from(ep, address)
    if ep.rest.extra:
        _urgent.accepted(ep, new, address)
        new.refresh()
    return new, address


def accept_plain(ep: Endpoint) -> int:
    """accept() of an endpoint whose shape says fast_accept, without an address: a handle.

    LookupError if there is more to it.
    """
    if ep.rest.extra:
        raise LookupError
    new: Any
    try:
        new, address = ep.accept_one()
    except WinsockError as e:
        if e.code == WSA.WSAEWOULDBLOCK or ep.closed:
            raise LookupError from None
        raise
    new.accepted_from(ep, address)
    try:
        handle: int = ep.shape.process.handles.add_socket(new)
    except WinsockError:
        new.finish()
        raise
    new._handle = handle  # it inherited nothing that had to begin now
    return handle


def _take(ep: Endpoint) -> tuple[TransportSocket, Address]:
    """The next connection of the network's, after those that were put off."""
    check(ep, "accept")
    while True:
        if "requests" in ep.extra:
            ep.extra["requests"].go_first(ep)  # AcceptEx
        deferred = ep.extra.get(DEFERRED)
        if deferred:
            try:
                taken: tuple[TransportSocket, Address] = deferred.popleft()
                return taken
            except IndexError:
                pass  # another thread took it
        try:
            return ep.transport.accept_one()
        except WinsockError as e:
            if ep.closed:
                raise WinsockError(WSA.WSAENOTSOCK) from None
            if e.code != WSA.WSAEWOULDBLOCK or ep.nonblocking:
                raise
        wait_ready(ep, READ, None, WSA.WSAEINTR, lambda: ep.extra.get(DEFERRED))
        check(ep, "accept")


def _put_back(ep: Endpoint, transport: TransportSocket, address: Address) -> None:
    """The connection is the next one again."""
    with _settling:
        if not ep.closed:
            ep.noted(DEFERRED, deque).appendleft((transport, address))
            ep.refresh()
            return
    transport.finish(abortive=True)


# -- connect


def connect(ep: Endpoint, address: Address | None, blocking: bool | None = None) -> None:
    """Connect a stream, or set a datagram socket's peer; None or the wildcard dissolves that.

    blocking    wait for the outcome, whatever the socket's own mode (None: as that says)
    """
    poll_connect(ep)
    check(ep, "connect")
    try:
        if ep.stream:
            if address is None:
                raise WinsockError(WSA.WSAEAFNOSUPPORT)
            if ep.family in ANY:
                check_remote(address)
            if _ports.ASSOCIATION in ep.options:
                autobind(ep)
            _connect_stream(ep, address, not ep.nonblocking if blocking is None else blocking)
        else:
            _connect_messages(ep, address)
    finally:
        _events.told(ep, _events.CONNECT)


def _connect_messages(ep: Endpoint, address: Address | None) -> None:
    if address is None or _kind(address) == "any":
        if ep.state is not State.OPEN:
            ep.transport.disconnect()
            ep.became_connected(None)
        return
    autobind(ep)
    with _events.beginning(ep):
        ep.transport.set_peer(address)
        ep.became_connected(address)


def check_remote(address: Address) -> None:
    """A stream connects to one host's port."""
    if _kind(address) != "one" or not address[1]:
        raise WinsockError(WSA.WSAEADDRNOTAVAIL)


def _connect_stream(ep: Endpoint, address: Address, blocking: bool) -> None:
    with _events.beginning(ep):
        done = start_stream(ep, address, blocking)
    if not done:
        outcome(ep, blocking)


def is_accepting(ep: Endpoint) -> bool:
    """Whether AcceptEx has it, to make it a connection."""
    return ep in ep.shape.process.services.get(ACCEPTING, ())


def start_stream(ep: Endpoint, address: Address, blocking: bool) -> bool:
    """Begin to connect; True when it is done at once, False when it is under way."""
    with _settling:
        if not ep.shape.fast_connect:  # which is refused nothing
            check(ep, "connect")
        if is_accepting(ep):
            raise WinsockError(WSA.WSAEINVAL)  # seen on Wine
        try:
            done = ep.connect_begin(address)
        except WinsockError as e:
            if e.code in FAILURES:
                ep.transport.connect_abandon()
                later = not blocking and e.code == WSA.WSAECONNREFUSED
                ep.connect_ended(e.code if later else 0, State.BOUND if ep.family in ANY else ep.state)
                if later:
                    raise WinsockError(WSA.WSAEWOULDBLOCK) from None
            raise
        if done and blocking:
            ep.became_connected(address)
            return True
        ep.became_connecting(address)
        return False


def outcome(ep: Endpoint, blocking: bool) -> None:
    """Wait for how a connect that is under way ends."""
    if not blocking:
        raise WinsockError(WSA.WSAEWOULDBLOCK)  # Windows never connects a non-blocking socket at once
    try:
        in_time = wait_ready(ep, WRITE, connect_timeout(ep), WSA.WSAEINTR, lambda: ep.state is not State.CONNECTING)
    except BaseException:  # closed, cancelled, or a signal's exception
        _give_up(ep, 0)
        raise
    if not in_time:
        _give_up(ep, 0)
        raise WinsockError(WSA.WSAETIMEDOUT)
    with _settling:
        if ep.state is State.CONNECTING:
            code = _ended(ep, 0)  # a blocking connect reports a failure itself: SO_ERROR stays 0
            if code:
                raise WinsockError(code)
        elif ep.state is State.BOUND:  # another thread, in select, was faster to learn it
            raise WinsockError(ep.so_error or WSA.WSAECONNREFUSED)
        elif ep.closed:
            raise WinsockError(WSA.WSAEINTR)


def connect_timeout(ep: Endpoint) -> float:
    """Milliseconds that a connect may take: each retransmission waits twice as long as the one before."""
    first, count = RETRANSMISSION, RETRANSMISSIONS
    if INITIAL_RTO in ep.options:
        ms, wanted = _RTO.unpack_from(ep.options[INITIAL_RTO])
        first = first if ms in (0, UNSPECIFIED) else ms
        count = {0: count, UNSPECIFIED_COUNT: count, NONE: 0}.get(wanted, wanted)
    return float(min(first * ((2 << count) - 1), LONGEST))


def _give_up(ep: Endpoint, code: int) -> None:
    with _settling:
        if ep.state is State.CONNECTING and not ep.closed:
            ep.transport.connect_abandon()
            ep.connect_ended(code)


def poll_connect(ep: Endpoint) -> bool:
    """Learn how a non-blocking connect went, if it has ended; False while it is under way."""
    if ep.shape.state is not _CONNECTING:
        return True
    with _settling:
        if ep.state is not _CONNECTING:
            return True
        if not ep.transport.readiness() & (WRITE | ERROR | HANGUP):
            return False
        if not ep.closed:
            _ended(ep, None)
        return True


def _ended(ep: Endpoint, kept: int | None) -> int:
    """A connect that was under way has ended: what it failed with, or 0.

    kept    what a failure leaves in SO_ERROR; its code if None
    """
    code = ep.transport.connect_error()
    if code and code != WSA.WSAECONNRESET:
        ep.transport.connect_abandon()
        ep.connect_ended(code if kept is None else kept)
        return code
    ep.became_connected(ep.remote)
    if code:
        ep.became_reset(code)  # there was a connection, and the peer has reset it already
    return 0


# -- the end


def check_close(ep: Endpoint) -> None:
    """WSAEWOULDBLOCK when closing would linger and the socket must not wait; it stays open then."""
    linger = ep.options.get(SO_LINGER, 0)
    if linger & 0xFFFF and linger >> 16 and ep.nonblocking and ep.stream and ep.transport.unsent():
        raise WinsockError(WSA.WSAEWOULDBLOCK)


def shutdown(ep: Endpoint, how: int) -> None:
    """Say that nothing more will be received, sent, or both."""
    if ep.shape.state is _CONNECTING:
        poll_connect(ep)
    check(ep, "shutdown")
    if how not in (c.SD_RECEIVE, c.SD_SEND, c.SD_BOTH):
        raise WinsockError(WSA.WSAEINVAL)
    shape = ep.shape
    if shape.state is _RESET and ep.extra.get("lost") == WSA.WSAECONNRESET and TOLD_OF_RESET not in ep.extra:
        # Document, and python/cpython#83037; when the peer had finished before, it succeeds (test_drain_raises), and
        # after an overlapped call's end has told of the reset (test_create_server_ssl_over_ssl).
        raise WinsockError(WSA.WSAECONNRESET)
    if how != c.SD_RECEIVE and not shape.send_shut and shape.stream and not _later(ep):
        try:
            ep.half_close(c.SD_SEND)
        except WinsockError as e:
            if e.code != WSA.WSAENOTCONN:
                raise
            # The peer was faster; a reset that nobody was told of yet is told now.
            if ep.transport.broken() == WSA.WSAECONNRESET and TOLD_OF_RESET not in ep.extra:
                ep.became_reset()
                raise WinsockError(WSA.WSAECONNRESET) from None
    ep.shut(how)


def _later(ep: Endpoint) -> bool:
    """What was accepted for sending, and requests that send, go before the end of the stream."""
    requests: Any = ep.rest.extra.get(SENDS)
    return requests is not None and bool(requests.finish_after())
