"""The requests behind AcceptEx and ConnectEx.

Both always pend, even when there is a connection already or the answer comes at once (fact).  Until the program sets
SO_UPDATE_ACCEPT_CONTEXT or SO_UPDATE_CONNECT_CONTEXT such a connection lacks its names: CONTEXT stands in
Endpoint.extra, and the names' calls answer WSAENOTCONN.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from winsock.abi import _options as table
from winsock.afd import _events
from winsock.afd._connection import (
    ACCEPTING,
    ANY,
    DEFERRED,
    FAILURES,
    _give_up,
    _settling,
    check_remote,
    connect_timeout,
    is_accepting,
    poll_connect,
)
from winsock.afd._data import lost
from winsock.afd._endpoint import NO_REST, Endpoint, State
from winsock.afd._reactor import Reactor
from winsock.afd._request import Request
from winsock.afd._requests import READS, WRITES, Requests, serve_later, status_of
from winsock.afd._structures import PENDING, SUCCESS
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState
from winsock.transports import READ, WRITE, Address

CONTEXT = "context"  # in Endpoint.extra: one of these until the program updates it
CONTEXT_OF_ACCEPT, CONTEXT_OF_CONNECT = "accept", "connect"
REUSED = "reused"  # in Endpoint.extra: it had a connection, and may get another

_OPEN, _LISTENING = State.OPEN, State.LISTENING

Joined = Callable[[Address, Address], int]


class Accept(Request):
    """Accept a connection into an endpoint made beforehand; it belongs to the listener.

    into      a fresh stream endpoint
    view      where the connection's first bytes go; of none, it ends with the connection itself
    joined    is told the local and the remote address; an NTSTATUS but 0 from it, or WinsockError, ends the request
    """

    __slots__ = ("first", "into", "joined", "lane", "view")

    def __init__(
        self,
        ts: ThreadState,
        listener: Endpoint,
        into: Endpoint,
        overlapped: Any = None,
        view: memoryview | None = None,
        joined: Joined | None = None,
    ) -> None:
        super().__init__(ts, listener, overlapped)
        self.into, self.view, self.joined = into, view, joined
        self.first: FirstData | None = None
        self.lane = READS

    def prepare(self) -> None:
        process = self.ep.shape.process
        accepting = process.services.get(ACCEPTING)
        if accepting is None:
            with process.lock:
                accepting = process.services.setdefault(ACCEPTING, {})
                process.on_close(accepting, _closing)
        self._check(accepting)
        super().prepare()
        accepting[self.into] = self

    def check(self) -> None:
        """WSAEINVAL for sockets that cannot do this."""
        self._check(self.ep.shape.process.services.get(ACCEPTING, ()))

    def _check(self, accepting: Container[Endpoint]) -> None:
        into, shape, its = self.into, self.ep.shape, self.into.shape
        if (
            shape.state is _LISTENING
            and its.stream
            and its.family == shape.family
            and (its.state is _OPEN or (its.state is State.BOUND and REUSED in into.rest.extra))
            and into not in accepting
        ):
            return
        refuse(self, WSA.WSAEINVAL)

    def begin(self) -> bool:
        ep, requests = self.ep, self.requests
        with requests.lock:
            if ep.shape.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            self.prepare()
            if self.overlapped is not None:
                self.overlapped.begin()
            known = requests.watched is ep
            try:
                requests.add(self)
            except WinsockError:
                self.cleared()
                raise
        if len(ep.rest.extra) > 1:
            if ep.rest.extra.get(DEFERRED) or self._waits():
                serve_later(ep, READ)
        elif known:
            requests.reactor.again(ep)  # a connection may wait that came before, and was told of then
        return False

    def _waits(self) -> bool:
        """Whether a connection waits already."""
        ts, ep = self.ts, self.ep
        wanted = {ep.look_key(): READ}
        known, look = ts.looker
        try:
            if known != wanted:
                look = ep.shape.network.looker(ts, wanted)
            return bool(look(0))
        except ValueError:
            return False  # closed meanwhile

    def serve(self, requests: Requests, lane: list[Request]) -> None:
        listener, into = self.ep, self.into
        if self.joined is not None or self.view or len(listener.rest.extra) > 1 or into.rest.extra:
            requests.run(lane)
            return
        try:
            _join(requests.reactor, listener, into)
        except WinsockError as e:
            if e.code != WSA.WSAEWOULDBLOCK:
                requests.end(self, status_of(listener, e.code))
                requests.run(lane)
            return
        del lane[0]
        requests.pending.pop(self, None)
        self.complete(SUCCESS)
        if lane or listener.rest.waiters or len(requests.endpoints) > 1:
            requests.run(lane)

    def attempt(self) -> int | None:
        try:
            address = join(self.requests.reactor, self.ep, self.into)
        except WinsockError as e:
            if e.code == WSA.WSAEWOULDBLOCK:
                return None
            raise
        if self.joined is not None:
            status = self.joined(self.into.local_name(), address)
            if status:
                self.requests.end(self, status)
                return None
        if self.view is None or not len(self.view):
            return 0
        # It waits for data, and others for the next connection.
        self.first = FirstData(self)
        with self.first.requests.lock:
            self.first.requests.add(self.first)
        self.requests.lanes[READS].remove(self)
        self.lane = None
        serve_later(self.ep, READ)
        return None

    def arrived(self) -> bool:
        """Something may have come over the new connection; whether this request needs no more of it."""
        requests, into = self.requests, self.into
        with requests.lock:
            if self.status != PENDING or self.view is None:
                return True
            if self.gone():
                self.orphaned()
            try:
                n = into.transport.receive_now(self.view, len(self.view))
                status = SUCCESS
            except WinsockError as e:
                lost(into, e.code)
                n, status = 0, status_of(into, e.code)
            if n >= 0:
                requests.end(self, status, n)
            return n >= 0

    def gone(self) -> bool:
        """Whether the caller has taken the memory back."""
        return self.overlapped is not None and not self.overlapped.intact()

    def orphaned(self) -> None:
        self.joined = None
        if self.view is not None:
            self.view = memoryview(bytearray(len(self.view)))

    def cleared(self) -> None:
        accepting = self.ep.shape.process.services.get(ACCEPTING)
        if accepting and accepting.get(self.into) is self:
            del accepting[self.into]
        if self.first is not None:
            serve_later(self.into, READ)  # others receive from now on
        self.view = self.joined = self.first = None


class FirstData(Request):
    """An Accept's wait for the first data of its connection: before others that receive there (seen on Wine).

    It lies in the connection's lane of receives; everything else is the Accept's affair.  Its turn comes with the
    connection's lock held, and takes the listener's for an Accept that waits; an Accept takes them the other way
    round only to add it, when no turn can have come.  So one that is cancelled leaves it for the next turn.
    """

    lane = READS
    outlives = True

    __slots__ = ("accept",)

    def __init__(self, accept: Accept) -> None:
        super().__init__(accept.ts, accept.into)
        self.accept = accept

    def attempt(self) -> int | None:
        accept = self.accept
        return 0 if accept.status != PENDING or accept.arrived() else None

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        self.status = status

    def cancel(self, status: int = 0) -> bool:
        return False

    def tied(self) -> bool:
        return False


def refuse(request: Request, code: int) -> None:
    """The request fails at once."""
    if request.overlapped is not None:
        request.overlapped.failed()
    raise WinsockError(code)


def _closing(ep: Any) -> None:
    """An endpoint closes: whoever waited to make a connection of it ends."""
    request: Accept | None = ep.process.services.get(ACCEPTING, {}).get(ep)
    if request is not None:
        request.cancel()


def join(reactor: Reactor, listener: Endpoint, into: Endpoint) -> Address:
    """The listener's next connection is this endpoint's from now on; the peer's address.  WSAEWOULDBLOCK."""
    if into.rest.extra:  # where those who are to hear of its events are, too
        with _events.beginning(into):
            remote = _join(reactor, listener, into)
    else:
        remote = _join(reactor, listener, into)
    _events.told(listener, _events.ACCEPT)
    return remote


def _join(reactor: Reactor, listener: Endpoint, into: Endpoint) -> Address:
    remote: Address
    with _settling:
        shape = into.shape
        if shape.closed:
            raise WinsockError(WSA.WSA_OPERATION_ABORTED)
        try:
            remote = reactor.replace(into, _take, listener, into)
        except WinsockError as e:
            if e.code == WSA.WSAECONNRESET:
                tell_options(into)
            raise
        if into.rest is not NO_REST:
            tell_options(into)
            into.drop(REUSED)
        into.joined(remote, CONTEXT_OF_ACCEPT)
    return remote


def _take(listener: Endpoint, into: Endpoint) -> Address:
    """The next connection, after those that were put off."""
    deferred = listener.rest.extra.get(DEFERRED)
    if deferred:
        try:
            transport, address = deferred.popleft()
        except IndexError:
            pass
        else:
            into.transport.take_over(transport)
            return address
    return listener.accept_into(into)


def tell_options(ep: Endpoint) -> None:
    """The network has another socket for it: tell that one the options that it has to know."""
    for key, value in ep.rest.options.items():
        row = table.BY_NUMBER.get(key)
        if row is not None and row.carried:
            ep.transport.tell_option(row.level, row.name, value)


class Connect(Request):
    """Connect a bound stream, and send first data.

    address    the peer's
    views      data to send as soon as there is a connection; the bytes sent are the request's result
    """

    lane = WRITES
    eager = False  # a connection that there is at once ends it at once, and not soon

    __slots__ = ("address", "code", "started", "timer", "views")

    def __init__(
        self,
        ts: ThreadState,
        ep: Endpoint,
        address: Address,  # None: the caller sets it before start()
        overlapped: Any = None,
        views: Sequence[memoryview] = (),
    ) -> None:
        super().__init__(ts, ep, overlapped)
        self.address, self.views = address, list(views)
        self.code, self.started = 0, False
        self.timer: Any = None

    def begin(self) -> bool:
        if self.requests.writes:
            self.check()  # as _start() does, which would come too late behind another request
        super().begin()
        if self.status == PENDING and (self.code or self.ep.transport.readiness() & WRITE):
            serve_later(self.ep, WRITE)
        return False

    def attempt(self) -> int | None:
        ep = self.ep
        if not self.started:
            if self._start():
                self.complete(SUCCESS)  # the port is told, as of one that took its time
            return None
        if self.code:
            raise WinsockError(self.code)
        if not poll_connect(ep):
            return None
        if ep.state not in (State.CONNECTED, State.RESET):
            raise WinsockError(ep.so_error or WSA.WSAECONNREFUSED)
        if CONTEXT not in ep.extra:
            ep.drop(REUSED)
            ep.note(CONTEXT, CONTEXT_OF_CONNECT)
            ep.refresh()
        if self.timer is not None:
            self.timer.cancel()
        while self.views:
            n = ep.transport.transmit_now(self.views[0])
            if n < 0:
                return None
            self.total += n
            self.views[0] = self.views[0][n:]
            if not len(self.views[0]):
                del self.views[0]
        return self.total

    def check(self) -> None:
        """WSAEISCONN, WSAEINVAL for a socket that cannot do this."""
        ep = self.ep
        poll_connect(ep)
        if ep.state in (State.CONNECTED, State.RESET):
            refuse(self, WSA.WSAEISCONN)
        if not ep.stream or ep.state is not State.BOUND or is_accepting(ep):
            refuse(self, WSA.WSAEINVAL)

    def _start(self) -> bool:
        """Begin; whether that was all, see `eager`.  Only what is wrong with the call itself is said now."""
        ep = self.ep
        self.check()
        if ep.family in ANY:
            check_remote(self.address)
        with _events.beginning(ep), _settling:
            self.started = True
            try:
                done = ep.transport.connect_begin(self.address)
            except WinsockError as e:
                if e.code not in FAILURES:
                    raise
                self.code = e.code
                ep.transport.connect_abandon()
                ep.connect_ended(0)
                return False
            if done and self.eager and not (self.views or ep.rest.extra):
                ep.joined(self.address, CONTEXT_OF_CONNECT)
                return True
            ep.became_connecting(self.address)
        reactor = self.requests.reactor
        self.timer = reactor.call_at(reactor.now() + connect_timeout(ep), self._too_late)
        return False

    def _too_late(self) -> None:
        requests = self.requests
        with requests.lock:
            if self.status == PENDING and self.ep.state is State.CONNECTING:
                _give_up(self.ep, 0)
                requests.end(self, status_of(self.ep, WSA.WSAETIMEDOUT))

    def orphaned(self) -> None:
        self.views = []

    def cancel(self, status: int = 0) -> bool:
        ended = super().cancel(status) if status else super().cancel()
        if ended and not self.ep.closed:
            _give_up(self.ep, 0)
        return ended

    def cleared(self) -> None:
        self.views = []
        if self.timer is not None:
            self.timer.cancel()
        _events.told(self.ep, _events.CONNECT)
