"""bind, listen, accept, connect, shutdown and the names: what they do to an endpoint."""

from __future__ import annotations

from winsock.abi import _constants as c
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._rules import check
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.transports import READ, WRITE, Address

SO_REUSEADDR = (c.SOL_SOCKET, c.SO_REUSEADDR)
SO_EXCLUSIVEADDRUSE = (c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE)
ANY = {c.AF_INET: ("0.0.0.0", 0), c.AF_INET6: ("::", 0, 0, 0)}

# What an accepted socket takes over from its listener besides what the network itself carries over.
INHERITED_STATE = ("receive_timeout", "send_timeout", "nonblocking", "flags")


def bind(ep: Endpoint, address: Address) -> None:
    """Give the endpoint a local name."""
    check(ep, "bind")
    options = ep.options
    ep.transport.bind_to(
        address, bool(options.get(SO_REUSEADDR, 0)), bool(options.get(SO_EXCLUSIVEADDRUSE, 0))
    )
    ep.became_bound()


def autobind(ep: Endpoint) -> None:
    """The name that connect and sendto give a socket that has none."""
    if ep.state is State.OPEN and ep.family in ANY:
        ep.transport.bind_to(ANY[ep.family], False, False)
        ep.became_bound()


def listen(ep: Endpoint, backlog: int) -> None:
    """Take connections from now on; a second listen changes nothing but succeeds."""
    check(ep, "listen")
    if ep.state is State.LISTENING:
        return
    ep.transport.listen_with(backlog)
    ep.became_listening()


def accept(ep: Endpoint) -> tuple[Endpoint, Address]:
    """The next connection, as an endpoint without a handle, and the peer's address."""
    check(ep, "accept")
    while True:
        try:
            transport, address = ep.transport.accept_one()
            break
        except WinsockError as e:
            if e.code != WSA.WSAEWOULDBLOCK or ep.nonblocking:
                raise
        wait_ready(ep, READ, None, WSA.WSAEINTR)
        check(ep, "accept")
    new = Endpoint(ep.process, ep.network, transport, ep.family, ep.type, ep.protocol, ep.flags, ep.procs)
    new.options = dict(ep.options)
    for name in INHERITED_STATE:
        setattr(new, name, getattr(ep, name))
    new.state = State.BOUND
    new.became_connected(address)
    return new, address


def connect(ep: Endpoint, address: Address | None) -> None:
    """Connect a stream, or set a datagram socket's peer; None dissolves that."""
    check(ep, "connect")
    if not ep.stream:
        if address is None:
            ep.transport.disconnect()
            ep.became_connected(None)
            return
        autobind(ep)
        ep.transport.connect_begin(address)
        ep.became_connected(address)
        return
    if address is None:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    autobind(ep)
    try:
        done = ep.transport.connect_begin(address)
    except WinsockError as e:
        if e.code == WSA.WSAECONNREFUSED and ep.nonblocking:
            ep.connect_ended(e.code)
            raise WinsockError(WSA.WSAEWOULDBLOCK) from None
        if e.code in (WSA.WSAECONNREFUSED, WSA.WSAENETUNREACH, WSA.WSAEHOSTUNREACH, WSA.WSAETIMEDOUT):
            ep.connect_ended(0)
        raise
    if ep.nonblocking:
        # Windows never connects a non-blocking socket at once.
        ep.became_connecting(address)
        raise WinsockError(WSA.WSAEWOULDBLOCK)
    if not done:
        ep.became_connecting(address)
        try:
            wait_ready(ep, WRITE, None)
        except WinsockError:
            if not ep.closed:
                ep.transport.connect_abandon()
                ep.connect_ended(0)
            raise
        code = ep.transport.connect_error()
        if code:
            ep.connect_ended(0)  # a blocking connect reports it itself: SO_ERROR stays 0
            raise WinsockError(code)
    ep.became_connected(address)


def poll_connect(ep: Endpoint) -> bool:
    """Learn how a non-blocking connect went, if it has ended; False while it is under way."""
    if ep.state is not State.CONNECTING:
        return True
    ready = ep.transport.readiness()  # type: ignore[attr-defined]
    if not ready & (WRITE | 0x18):
        return False
    code = ep.transport.connect_error()
    if code:
        ep.connect_ended(code)
    else:
        ep.became_connected(ep.remote)
    return True


def shutdown(ep: Endpoint, how: int) -> None:
    """Say that nothing more will be received, sent, or both."""
    poll_connect(ep)
    check(ep, "shutdown")
    if how not in (c.SD_RECEIVE, c.SD_SEND, c.SD_BOTH):
        raise WinsockError(WSA.WSAEINVAL)
    if how != c.SD_RECEIVE and not ep.send_shut and ep.stream:
        try:
            ep.transport.half_close(c.SD_SEND)
        except WinsockError as e:
            if e.code != WSA.WSAENOTCONN:  # the peer was faster
                raise
    ep.shut(how)


def getsockname(ep: Endpoint) -> Address:
    """The local address."""
    check(ep, "getsockname")
    return ep.transport.local_name()


def getpeername(ep: Endpoint) -> Address:
    """The peer's address."""
    poll_connect(ep)
    check(ep, "getpeername")
    return ep.remote
