"""Operation: one operation of asyncio's proactor event loop, over the core's requests; and those of streams.

What loops do most is done in few steps: a send that the network takes at once needs no request, and a plain receive
that has to wait is itself what waits in the endpoint's lane.  Everything else is a request of the core's.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd import _events as events
from winsock.afd._connection import TOLD_OF_RESET
from winsock.afd._data import lost
from winsock.afd._plain import open_lane
from winsock.afd._request import Request
from winsock.afd._requests import NOTE, READS, Requests, serve_later, status_of
from winsock.afd._structures import CANCELLED, PENDING, SUCCESS
from winsock.afd._urgent import joined, take_joined
from winsock.codes import WSA, WinsockError, ntstatus_to_win32
from winsock.nt import current
from winsock.nt._objects import Event, Waitable
from winsock.python import _handles, _oserror
from winsock.python._endpoints import _endpoints as by_descriptor
from winsock.python._handles import INVALID
from winsock.python._oserror import face
from winsock.python._told import ToldReceive, ToldSend
from winsock.transports import READ

_C = _socket.socket
_recv: Any = _C.recv
_recv_into: Any = _C.recv_into
_send: Any = _C.send
DONTWAIT = _socket.MSG_DONTWAIT
SEND_FLAGS = DONTWAIT | _socket.MSG_NOSIGNAL

IO_PENDING = int(WSA.WSA_IO_PENDING)
IO_INCOMPLETE = int(WSA.WSA_IO_INCOMPLETE)
SKIP_PACKET = c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS
_WARNINGS = (c.ERROR_MORE_DATA,)
TRY = (LookupError, AttributeError, TypeError, ValueError, BufferError, WinsockError)


def win32_error(code: int) -> OSError:
    """The exception for a Win32 error of a finished operation; two of them have classes of their own here."""
    if code == c.ERROR_CONNECTION_REFUSED:
        return _oserror.winsock_error(code, ConnectionRefusedError)
    if code == c.ERROR_CONNECTION_ABORTED:
        return _oserror.winsock_error(code, ConnectionAbortedError)
    return _oserror.winsock_error(code)


class _OwnEvent:
    """The event that an Overlapped made for itself."""

    def __init__(self) -> None:
        self.object = Event(True)
        self.handle = _handles.make(self.object)

    def __del__(self) -> None:
        try:
            _handles.close(self.handle)
        except Exception:
            pass  # the interpreter is on its way out


class _Started:
    """A request of the core's that does an Overlapped's work, and what makes the result of it."""

    __slots__ = ("finish", "request")

    def __init__(self, request: Any, finish: Callable[[Any], Any] | None) -> None:
        self.request, self.finish = request, finish


# How far an Operation is: not started, without or with an event; started, and nothing waits; waits in a lane itself;
# a request of the core's does it.
_FRESH, _WITH_EVENT, _BEGUN, _WAITS, HANDED = range(5)


class Operation(Request):
    """What Overlapped has, but for the starts of what loops do less often."""

    # Of what the core knows of requests this has only what a receive in a lane needs.
    __slots__ = (
        "_event",
        "_handle",
        "_own",  # keeps the event that it made for itself
        "_size",
        "_stage",
        "_started",  # HANDED: to which request
        "_value",  # the result, once `status` says that it has ended well
        "_view",  # where a plain receive goes; None: new bytes
        "address",
        "error",
        "pending",
    )

    requests: Any
    ep: Any
    _event: Event | None
    _size: int
    _started: _Started
    _view: Any
    overlapped = None
    total = 0
    of_pipe = False

    def __init__(self, event: int = INVALID) -> None:
        self.address = id(self)
        self.status = PENDING
        self.pending = False
        self.error = self._stage = 0
        self._event = None
        if event:
            self._take_event(event)

    @face
    def _take_event(self, event: int) -> None:
        if event == INVALID:
            self._own = own = _OwnEvent()
            self._event, self._handle = own.object, own.handle
        else:
            self._event, self._handle = _handles.find(event, Event), event
        self._stage = _WITH_EVENT

    @property
    def event(self) -> Any:  # type: ignore[override]  # the core doesn't meet one that has an event
        """the event's handle"""
        return 0 if self._event is None else self._handle

    def getresult(self, wait: bool = False) -> Any:
        """getresult(wait=False): what the operation gave, or OSError with what it failed with."""
        if self.status == SUCCESS:
            self.error = 0
            return self._value
        try:
            return self._getresult(wait)
        except BaseException as e:
            e.__traceback__ = _oserror.keep(e)
            raise

    @face
    def _getresult(self, wait: bool) -> Any:
        if self._stage < _WAITS:
            raise ValueError("operation failed to start" if self._stage == _BEGUN else "operation not yet attempted")
        started = self._started if self._stage == HANDED else None
        request: Any = self if started is None else started.request
        if request.status == PENDING:
            if not wait:
                self.error = IO_INCOMPLETE
                raise win32_error(IO_INCOMPLETE)
            self._wait(request)
        status = request.status
        if status:
            code = ntstatus_to_win32(status)
            if code == c.ERROR_NETNAME_DELETED and self.of_pipe:
                code = c.ERROR_BROKEN_PIPE  # the other end went without having read all: a reset between Unix sockets
            self.error = code
            ended = code == c.ERROR_BROKEN_PIPE and self.of_pipe and request.lane == READS
            if code == c.ERROR_NETNAME_DELETED and request.ep is not None and not request.ep.closed:
                request.ep.note(TOLD_OF_RESET, True)
            if code not in _WARNINGS and not ended:
                raise win32_error(code)
        else:
            self.error = 0
        if started is None:
            return self._value
        return request.transferred if started.finish is None else started.finish(request)

    def _wait(self, request: Any) -> None:
        ts = current()
        obj: Waitable = self._event or request.requests.signal
        obj.enter(ts)
        try:
            _handles.reactor(ts).wait(ts, lambda: True if request.status != PENDING else None, None)
        finally:
            obj.leave(ts)

    def cancel(self, status: int | None = None) -> Any:
        """cancel(): end the operation with ERROR_OPERATION_ABORTED, if it is still under way."""
        if status is not None:  # the core asks
            return self._stop(status)
        if self._stage == HANDED:
            self._started.request.cancel()
        elif self._stage == _WAITS:
            self._stop(CANCELLED)
        return None

    # -- a plain receive that waits, as the core sees it

    def serve(self, requests: Requests, lane: list[Request]) -> None:
        """Something has come for it, the first of the lane; with the lock held.  attempt() and complete() in one."""
        ep = self.ep
        if not ep.shape.lane_recv:
            requests.run(lane)
            return
        view = self._view
        n: int
        try:
            if view is None:
                data = self._value = _recv(ep, self._size, DONTWAIT)
                n = len(data)
            else:
                n = self._value = _recv_into(ep, view, 0, DONTWAIT)
        except BlockingIOError:
            requests.dry = -1 if requests.ended else requests.news
            return
        except OSError as e:
            refusal = ep.failure(e)
            lost(ep, refusal.code)
            requests.end(self, status_of(ep, refusal.code))
            requests.run(lane)
            return
        requests.dry = requests.news if n < self._size and not requests.ended else -1
        del lane[0]
        self.status = SUCCESS
        self.pending = False
        self._view = None
        signal = requests.signal
        signal.signaled = True
        if signal._waiters:
            signal.wake()
        port: Any = requests.port
        port.packets.append((SUCCESS, n, requests.key, id(self)))
        if port._queue or port._waiters:
            port.tell()
        if lane or ep.rest.waiters or len(requests.endpoints) > 1:
            requests.run(lane)

    def attempt(self) -> int | None:
        """Take what is there."""
        ep, requests, view = self.ep, self.requests, self._view
        n: int
        try:
            if len(ep.rest.extra) > 1 and joined(ep):
                return self._take_joined(ep)
            if view is None:
                data = self._value = _recv(ep, self._size, DONTWAIT)
                n = len(data)
            else:
                n = self._value = _recv_into(ep, view, 0, DONTWAIT)
        except BlockingIOError:
            requests.dry = -1 if requests.ended else requests.news
            return None
        except OSError as e:
            refusal = ep.failure(e)
            lost(ep, refusal.code)
            raise refusal from None
        requests.dry = requests.news if n < self._size and not requests.ended else -1
        return n

    def _take_joined(self, ep: Endpoint) -> int | None:
        view = memoryview(bytearray(self._size)) if self._view is None else self._view
        n = take_joined(ep, view, False)
        self._value = bytes(view[:n]) if self._view is None else n
        return n or None

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        """It has ended."""
        if self.status != PENDING:
            return
        self.status, self.pending = status, False
        requests, ep = self.requests, self.ep
        self._view = None
        if not status:
            self.ep = None
        requests.signal.set()
        port = requests.port
        if port is not None:
            port.post((status, transferred, requests.key, self.address))
        if len(ep.rest.extra) > 1 and status != CANCELLED:
            events.told(ep, events.RECEIVE)

    def _stop(self, status: int) -> bool:
        requests: Requests = self.requests
        with requests.lock:
            if self.status != PENDING or self not in requests.reads:
                return False
            requests.remove(self)
            self.complete(status)
            return True

    def tied(self) -> bool:
        """It goes to a port alone, and so outlives its thread."""
        return False

    def orphaned(self) -> None:
        """Its memory is its own."""

    # -- how operations start

    def _start_afresh(self, handle: int = 0, error: OSError | None = None) -> None:
        """The first start; error: what the short way met, which the network tells once only."""
        if self._stage >= _BEGUN:
            raise ValueError("operation already attempted")
        self._stage = _BEGUN
        if error is not None and not isinstance(error, BlockingIOError):
            ep: Any = _handles.endpoint(handle)
            refusal = ep.failure(error)
            lost(ep, refusal.code)
            self.error = refusal.code
            if not ep.closed:
                ep.note(TOLD_OF_RESET, True)
            raise refusal

    def _ended(self, requests: Requests, n: int, value: Any) -> None:
        """It has ended at once, successfully; the port is told all the same."""
        self._stage = _BEGUN
        self.status = SUCCESS
        self._value = value
        if self._event is not None:
            self._event.set()
        port = requests.port
        if port is not None and not requests.modes & SKIP_PACKET:
            port.packets.append((SUCCESS, n, requests.key, id(self)))
            port.drained = False  # what it has caused may be there, too
            if port._queue or port._waiters:
                port.tell()

    def _start(self, make: Callable[[], Any], finish: Callable[[Any], Any] | None = None) -> None:
        """Start a request of the core's."""
        request: Any = None
        try:
            request = make()
            request.owner = self
            if self._event is not None:
                request.event = self._event
            self.pending = True
            at_once = request.ep.procs.start(request)
        except WinsockError as e:
            self.pending = False
            self.error = e.code
            if e.code == WSA.WSAECONNRESET and request is not None and not request.ep.closed:
                request.ep.note(TOLD_OF_RESET, True)
            raise
        except BaseException:
            self.pending = False
            raise
        self._started = _Started(request, finish)
        self._stage = HANDED
        self.error = 0 if at_once else IO_PENDING

    # -- streams

    def WSARecv(self, handle: int, size: int, flags: int = 0, /) -> None:
        """WSARecv(handle, size[, flags]): receive at most so many bytes."""
        error: OSError | None = None
        try:
            ep: Any = by_descriptor[handle]
            if size > 0 and not (flags or handle < 0) and self._receive(ep, None, size):
                return
        except OSError as e:
            error = e
        except TRY:
            pass  # the long way tells
        self._recv_slowly(handle, size, flags, error)

    def WSARecvInto(self, handle: int, buf: Any, flags: int = 0, /) -> None:
        """WSARecvInto(handle, buffer[, flags]): receive into a buffer, which is held until the end."""
        error: OSError | None = None
        try:
            ep: Any = by_descriptor[handle]
            if not (flags or handle < 0):
                view = memoryview(buf)
                if self._receive(ep, view, view.nbytes):
                    return
        except OSError as e:
            error = e
        except TRY:
            pass  # the long way tells
        self._recv_into_slowly(handle, buf, flags, error)

    def _receive(self, ep: Any, view: Any, size: int) -> bool:
        """A plain receive on a stream of which nothing else is known than requests; False if it is none, or fails."""
        if not size or self._stage or not (ep.shape.lane_recv or open_lane(ep)):
            return False
        requests: Any = ep.rest.requests
        if requests.port is None or requests.watched is not ep:
            return False
        lane = requests.reads
        news = requests.news  # before looking: whoever leads the reactor may find more meanwhile
        if not lane and requests.dry != news:
            # Something has come since a receive found no more.
            with requests.lock:
                if lane or not ep.shape.lane_recv:
                    return False
                try:
                    if view is None:
                        value = _recv(ep, size, DONTWAIT)
                        n = len(value)
                    else:
                        n = value = _recv_into(ep, view, 0, DONTWAIT)
                    if not n:
                        return False  # the end, which is told by the port only
                    requests.dry = news if n < size and not requests.ended else -1
                    self._ended(requests, n, value)
                    return True
                except BlockingIOError:
                    pass
        self._stage = _WAITS
        self.pending = True
        self.error = IO_PENDING
        self.requests = requests
        self.ep = ep
        self._view = view
        self._size = size
        requests.signal.signaled = False
        # Last of all, and so without a lock: whoever serves the lane from now on finds it whole.
        lane.append(self)
        reactor = requests.reactor
        reactor.known.add(requests)
        if requests.news != news:
            serve_later(ep, READ)
        elif not ep.shape.lane_recv:
            self._overtaken(ep)
        elif not reactor.attended:
            reactor.attend()
        return True

    def _overtaken(self, ep: Endpoint) -> None:
        """While it went into its lane another thread closed the socket, or noted something of it."""
        if ep.closed:
            self._stop(self.requests.fate)
            return
        with self.requests.lock:
            if self.status == PENDING and NOTE not in ep.extra:
                ep.note(NOTE, self.requests)
                ep.refresh()
        serve_later(ep, READ)

    @face
    def _recv_slowly(self, handle: int, size: int, flags: int, error: OSError | None) -> None:
        self._start_afresh(handle, error)
        view = memoryview(bytearray(max(size, 1)))[:size]
        self._receive_slowly(_handles.endpoint(handle), view, flags, lambda r: bytes(view[: r.transferred]))

    @face
    def _recv_into_slowly(self, handle: int, buf: Any, flags: int, error: OSError | None) -> None:
        self._start_afresh(handle, error)
        self._receive_slowly(_handles.endpoint(handle), memoryview(buf).cast("B"), flags)

    def _receive_slowly(
        self, ep: Endpoint, view: memoryview, flags: int, finish: Callable[[Any], Any] | None = None
    ) -> None:
        self._start(lambda: ToldReceive(current(), ep, [view], flags), finish)

    def WSASend(self, handle: int, buf: Any, flags: int = 0, /) -> None:
        """WSASend(handle, data[, flags]): send all of it."""
        error: OSError | None = None
        sent = 0
        try:
            ep: Any = by_descriptor[handle]
            if ep.shape.open_send and not (flags or handle < 0 or self._stage):
                requests = ep.rest.requests
                if requests.sends is None and not requests.writes:
                    sent = _send(ep, buf, SEND_FLAGS)
                    if sent == len(buf) and (type(buf) is bytes or sent == memoryview(buf).nbytes):
                        self._ended(requests, sent, sent)
                        return
        except OSError as e:
            error = e
        except TRY:
            pass  # the long way tells
        self._send_slowly(handle, buf, flags, sent, error)

    @face
    def _send_slowly(self, handle: int, buf: Any, flags: int, sent: int, error: OSError | None) -> None:
        self._start_afresh(handle, error)
        self._transmit(_handles.endpoint(handle), buf, flags, sent)

    def _transmit(self, ep: Endpoint, buf: Any, flags: int, sent: int = 0, stored: bool = False) -> None:
        data = memoryview(buf).cast("B")

        def make() -> ToldSend:
            request = ToldSend(current(), ep, [data], flags)
            request.total, request.stored = sent, stored
            return request

        self._start(make)
