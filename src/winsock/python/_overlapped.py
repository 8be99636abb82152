"""The `_overlapped` module, on which asyncio's proactor event loop stands, over the core's requests and ports.

What loops do most, sending to a stream and receiving what is there already, is done at once and needs no request.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from types import ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint, State
from winsock.afd._connection import bind
from winsock.afd._data import check_receive, lost
from winsock.afd._extended import Accept, Connect
from winsock.afd._receiving import Receive
from winsock.afd._requests import PENDING, READS, SUCCESS, WRITES, Request, Requests, requests_of
from winsock.afd._sending import Send
from winsock.codes import WSA, WinsockError, ntstatus_to_win32
from winsock.nt import ThreadState, current
from winsock.nt._completion import CompletionPort
from winsock.nt._objects import Event, Waitable
from winsock.python import _addresses, _handles, _oserror, _pipes
from winsock.python._endpoints import endpoints
from winsock.python._handles import INVALID
from winsock.python._oserror import face
from winsock.transports import Address, Message

_C = _socket.socket
_recv, _recv_into, _send = _C.recv, _C.recv_into, _C.send
DONTWAIT = _socket.MSG_DONTWAIT
SEND_FLAGS = DONTWAIT | _socket.MSG_NOSIGNAL

ANY = {c.AF_INET: ("0.0.0.0", 0), c.AF_INET6: ("::", 0, 0, 0)}
INFINITE = c.INFINITE
IO_PENDING = int(WSA.WSA_IO_PENDING)
IO_INCOMPLETE = int(WSA.WSA_IO_INCOMPLETE)
_CONNECTED = State.CONNECTED
_WARNINGS = (c.ERROR_MORE_DATA,)


def win32_error(code: int) -> OSError:
    """The exception for a Win32 error of a finished operation; two of them have classes of their own here."""
    if code == c.ERROR_CONNECTION_REFUSED:
        return _oserror.winsock_error(code, ConnectionRefusedError)
    if code == c.ERROR_CONNECTION_ABORTED:
        return _oserror.winsock_error(code, ConnectionAbortedError)
    return _oserror.winsock_error(code)


# -- requests that tell an Overlapped's address to the port


class _Told(Request):
    """A request of an Overlapped."""

    __slots__ = ()
    owner: Overlapped

    def packet(self, port: CompletionPort, key: int) -> None:
        port.post((self.transferred, key, id(self.owner), self.status))


class _Read(_Told):
    """A receive of bytes from a stream, which has to wait."""

    lane = READS
    __slots__ = ("data", "owner", "size", "waited")

    def __init__(self, ts: ThreadState, ep: Endpoint, requests: Requests, size: int, owner: Overlapped) -> None:
        self.ts, self.ep, self.requests, self.size, self.owner = ts, ep, requests, size, owner
        self.status, self.transferred, self.told, self.total = PENDING, 0, 0, 0
        self.event, self.quiet, self.routine, self.overlapped = owner._object, False, None, None
        self.data = b""
        self.waited = False

    def attempt(self) -> int | None:
        if not self.waited:
            self.waited = True
            return None
        ep = self.ep
        try:
            data = self.data = _recv(ep.transport, self.size, DONTWAIT)  # type: ignore[arg-type]
        except BlockingIOError:
            return None
        except OSError as e:
            refusal = ep.transport.failure(e)
            lost(ep, refusal.code)
            raise refusal from None
        return len(data)

    def result(self) -> bytes:
        return self.data


class _ReadInto(_Read):
    """The same, into a buffer."""

    __slots__ = ("view",)
    view: memoryview

    def attempt(self) -> int | None:
        if not self.waited:
            self.waited = True
            return None
        ep = self.ep
        try:
            return _recv_into(ep.transport, self.view, 0, DONTWAIT)  # type: ignore[arg-type]
        except BlockingIOError:
            return None
        except OSError as e:
            refusal = ep.transport.failure(e)
            lost(ep, refusal.code)
            raise refusal from None

    def cleared(self) -> None:
        self.view.release()


class _Receive(_Told, Receive):
    __slots__ = ("owner",)


class _Send(_Told, Send):
    __slots__ = ("owner",)


class _Accept(_Told, Accept):
    __slots__ = ("owner",)


class _Connect(_Told, Connect):
    __slots__ = ("owner",)


class Overlapped:
    """Overlapped(event=INVALID_HANDLE_VALUE): one overlapped operation.

    event    a handle that is signalled at the end, NULL for none; by default a new one
    """

    __slots__ = ("__weakref__", "_finish", "_object", "_own", "_pipe", "_request", "_value", "error", "event")

    def __init__(self, event: int = INVALID) -> None:
        self._request: Any = None  # the core's; None before the start, True when it has ended at once
        self._value: Any = None
        self._finish: Callable[[], Any] | None = None
        self._pipe = False
        self.error = 0
        self._object: Event | None = None
        self._own = event == INVALID
        self.event = 0
        if event:
            self._object = Event(True) if self._own else _handles.find(event, Event)
            self.event = _handles.make(self._object) if self._own else event

    def __del__(self) -> None:
        if self._own and self.event:
            try:
                _handles.close(self.event)
            except Exception:
                pass  # the interpreter is on its way out

    # -- what programs ask

    @property
    def address(self) -> int:
        """a number of its own, as long as it lives"""
        return id(self)

    @property
    def pending(self) -> bool:
        """whether the operation is under way"""
        request = self._request
        if request is None or request is True or request.status != PENDING:
            return False
        if self._pipe:  # who asks may be the only one to look
            ts = current()
            _handles.reactor(ts).wait(ts, lambda: None, 0)
        status: int = request.status
        return status == PENDING

    @face
    def getresult(self, wait: bool = False) -> Any:
        """getresult(wait=False): what the operation gave, or OSError with what it failed with."""
        request = self._request
        if request is True:
            self.error = 0
            return self._value
        if request is None:
            raise ValueError("operation failed to start" if self.error else "operation not yet attempted")
        if request.status == PENDING:
            if not wait:
                self.error = IO_INCOMPLETE
                raise win32_error(IO_INCOMPLETE)
            self._wait(request)
        status = request.status
        if status:
            code = self.error = ntstatus_to_win32(status)
            ended = self._pipe and code == c.ERROR_BROKEN_PIPE and request.lane == READS
            if code not in _WARNINGS and not ended:
                raise win32_error(code)
        else:
            self.error = 0
        return request.transferred if self._finish is None else self._finish()

    def _wait(self, request: Request) -> None:
        ts = current()
        obj: Waitable = self._object or request.requests.signal
        obj.enter(ts)
        try:
            _handles.reactor(ts).wait(ts, lambda: True if request.status != PENDING else None, None)
        finally:
            obj.leave(ts)

    @face
    def cancel(self) -> None:
        """cancel(): end the operation with ERROR_OPERATION_ABORTED, if it is still under way."""
        if self.pending:
            self._request.cancel()

    # -- how operations start

    def _fresh(self) -> None:
        if self._request is not None or self.error:
            raise ValueError("operation already attempted")

    def _ended(self, requests: Requests, n: int, value: Any) -> None:
        """It has ended at once, successfully; the port is told all the same."""
        self._request, self._value = True, value
        if self._object is not None:
            self._object.set()
        port = requests.port
        if port is not None and not requests.modes & c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS:
            port.post((n, requests.key, id(self), SUCCESS))

    def _run(self, request: Any, finish: Callable[[], Any] | None = None) -> None:
        """Start a request of the core's."""
        request.owner = self
        if self._object is not None:
            request.event = self._object
        try:
            at_once = request.begin()
        except WinsockError as e:
            self.error = e.code
            raise
        self._request, self._finish = request, finish
        self.error = 0 if at_once else IO_PENDING

    def _start(self, make: Callable[[], Any], finish: Callable[[Any], Any] | None = None) -> None:
        try:
            request = make()
        except WinsockError as e:
            self.error = e.code
            raise
        self._run(request, None if finish is None else lambda: finish(request))

    # -- streams

    @face
    def WSARecv(self, handle: int, size: int, flags: int = 0) -> None:
        """WSARecv(handle, size[, flags]): receive at most so many bytes."""
        self._fresh()
        ep = endpoints.get(handle) or _handles.endpoint(handle)
        if ep.type != c.SOCK_STREAM or flags:
            buffer = bytearray(max(size, 1))
            view = memoryview(buffer)[:size]
            self._start(
                lambda: _Receive(current(), ep, [view], flags), lambda request: bytes(view[: request.transferred])
            )
            return
        self._receive(ep, size)

    def _receive(self, ep: Endpoint, size: int) -> None:
        try:
            if ep.state is not _CONNECTED or ep.receive_shut:
                check_receive(ep)
            requests = requests_of(ep)
        except WinsockError as e:
            self.error = e.code
            raise
        data: bytes | None = None
        if not requests.lanes[READS]:
            try:
                data = _recv(ep.transport, size, DONTWAIT)  # type: ignore[arg-type]
                if data:
                    self._ended(requests, len(data), data)
                    return
                # The end of a stream is told by the port only: asyncio posts a receive before it has delivered
                # what the one before brought.
            except BlockingIOError:
                pass
            except OSError as e:
                raise self._lost(ep, e) from None
        request = _Read(current(), ep, requests, size, self)
        self._run(request, request.result)
        if data == b"":
            requests.reactor.call_at(0.0, lambda: requests.serve(ep, FOR_READS))

    def _lost(self, ep: Endpoint, error: OSError) -> WinsockError:
        refusal = ep.transport.failure(error)
        lost(ep, refusal.code)
        self.error = refusal.code
        return refusal

    @face
    def WSARecvInto(self, handle: int, buf: Any, flags: int = 0) -> None:
        """WSARecvInto(handle, buffer[, flags]): receive into a buffer, which is held until the end."""
        self._fresh()
        ep = endpoints.get(handle) or _handles.endpoint(handle)
        view = memoryview(buf).cast("B")
        if ep.type != c.SOCK_STREAM or flags:
            self._start(lambda: _Receive(current(), ep, [view], flags))
            return
        self._receive_into(ep, view)

    def _receive_into(self, ep: Endpoint, view: memoryview) -> None:
        try:
            if ep.state is not _CONNECTED or ep.receive_shut:
                check_receive(ep)
            requests = requests_of(ep)
        except WinsockError as e:
            self.error = e.code
            raise
        n = -1
        if not requests.lanes[READS]:
            try:
                n = _recv_into(ep.transport, view, 0, DONTWAIT)  # type: ignore[arg-type]
                if n:
                    self._ended(requests, n, n)
                    return
            except BlockingIOError:
                pass
            except OSError as e:
                raise self._lost(ep, e) from None
        request = _ReadInto(current(), ep, requests, len(view), self)
        request.view = view
        self._run(request)
        if n == 0:
            requests.reactor.call_at(0.0, lambda: requests.serve(ep, FOR_READS))

    @face
    def WSASend(self, handle: int, buf: Any, flags: int = 0) -> None:
        """WSASend(handle, data[, flags]): send all of it."""
        self._fresh()
        ep = endpoints.get(handle) or _handles.endpoint(handle)
        self._transmit(ep, buf, flags)

    def _transmit(self, ep: Endpoint, buf: Any, flags: int) -> None:
        sent = 0
        if ep.state is _CONNECTED and not flags and not ep.send_shut and ep.type == c.SOCK_STREAM:
            requests = requests_of(ep)
            if requests.sends is None and not requests.lanes[WRITES]:
                try:
                    sent = _send(ep.transport, buf, SEND_FLAGS)  # type: ignore[arg-type]
                    if sent == len(buf):
                        self._ended(requests, sent, sent)
                        return
                except BlockingIOError:
                    pass
                except OSError as e:
                    raise self._lost(ep, e) from None
        data = memoryview(buf).cast("B")

        def make() -> _Send:
            request = _Send(current(), ep, [data], flags)
            request.total = sent
            return request

        self._start(make)

    # -- messages

    @face
    def WSARecvFrom(self, handle: int, size: int, flags: int = 0) -> None:
        """WSARecvFrom(handle, size[, flags]): receive a message; (bytes, address)."""
        self._fresh()
        view = memoryview(bytearray(max(size, 1)))[:size]
        self._receive_from(handle, view, flags, lambda n: bytes(view[:n]))

    @face
    def WSARecvFromInto(self, handle: int, buf: Any, size: int, flags: int = 0) -> None:
        """WSARecvFromInto(handle, buffer, size[, flags]): receive a message into a buffer; (size, address)."""
        self._fresh()
        whole = memoryview(buf).cast("B")
        if size > len(whole):
            raise ValueError("nbytes is greater than the length of the buffer")
        self._receive_from(handle, whole[:size], flags, lambda n: n)

    def _receive_from(self, handle: int, view: memoryview, flags: int, value: Callable[[int], Any]) -> None:
        ep = endpoints.get(handle) or _handles.endpoint(handle)
        sender: list[Address] = [None]

        def deliver(message: Message) -> None:
            sender[0] = message.address

        def make() -> _Receive:
            return _Receive(current(), ep, [view], flags, deliver=deliver)

        self._start(make, lambda request: (value(request.transferred), sender[0]))

    @face
    def WSASendTo(self, handle: int, buf: Any, flags: int, address: Any) -> None:
        """WSASendTo(handle, data, flags, address): send a message; the address is numeric."""
        self._fresh()
        ep = endpoints.get(handle) or _handles.endpoint(handle)
        to = numeric(ep, address)
        data = memoryview(buf).cast("B")
        self._start(lambda: _Send(current(), ep, [data], flags, address=to))

    # -- connections

    @face
    def AcceptEx(self, listen_handle: int, accept_handle: int) -> None:
        """AcceptEx(listener, socket): accept the next connection into a fresh socket."""
        self._fresh()
        listener, into = _handles.endpoint(listen_handle), _handles.endpoint(accept_handle)
        self._start(lambda: _Accept(current(), listener, into))

    @face
    def ConnectEx(self, handle: int, address: Any) -> None:
        """ConnectEx(handle, address): connect a bound socket; the address is numeric."""
        self._fresh()
        ep = _handles.endpoint(handle)
        to = numeric(ep, address)
        self._start(lambda: _Connect(current(), ep, to))

    @face
    def DisconnectEx(self, handle: int, flags: int) -> None:
        """DisconnectEx(handle, flags): end the connection."""
        self._fresh()
        ep = _handles.endpoint(handle)
        ep.procs.shutdown(ep, c.SD_SEND)
        self._ended(requests_of(ep), 0, 0)

    @face
    def TransmitFile(
        self, socket: int, file: int, offset: int, offset_high: int, count: int, count_per_send: int, flags: int
    ) -> None:
        """TransmitFile(socket, file, offset, offset_high, count, count_per_send, flags): send part of a file.

        file     what msvcrt.get_osfhandle() gave
        count    bytes; 0 for all of the rest
        """
        self._fresh()
        ep = _handles.endpoint(socket)
        data = _pipes.file_part(file, offset_high << 32 | offset, count)
        self._start(lambda: _Send(current(), ep, [memoryview(data)], 0))

    # -- pipes

    @face
    def ReadFile(self, handle: int, size: int) -> None:
        """ReadFile(handle, size): read from a pipe."""
        self._fresh()
        self._pipe = True
        ep = _pipes.end_of(handle)
        self._receive_pipe(ep, lambda: self._receive(ep, size))

    @face
    def ReadFileInto(self, handle: int, buf: Any) -> None:
        """ReadFileInto(handle, buffer): read from a pipe into a buffer."""
        self._fresh()
        self._pipe = True
        ep = _pipes.end_of(handle)
        view = memoryview(buf).cast("B")
        self._receive_pipe(ep, lambda: self._receive_into(ep, view))

    def _receive_pipe(self, ep: Endpoint, receive: Callable[[], None]) -> None:
        if _pipes.at_end(ep):
            self.error = c.ERROR_BROKEN_PIPE
            raise win32_error(c.ERROR_BROKEN_PIPE)
        try:
            receive()
        except WinsockError:
            self.error = c.ERROR_BROKEN_PIPE
            raise win32_error(c.ERROR_BROKEN_PIPE) from None

    @face
    def WriteFile(self, handle: int, buf: Any) -> None:
        """WriteFile(handle, data): write to a pipe."""
        self._fresh()
        self._pipe = True
        ep = _pipes.end_of(handle)
        try:
            self._transmit(ep, buf, 0)
        except WinsockError:
            self.error = c.ERROR_NO_DATA
            raise win32_error(c.ERROR_NO_DATA) from None

    @face
    def ConnectNamedPipe(self, handle: int) -> bool:
        """ConnectNamedPipe(handle): wait for a client; True when one is there already."""
        self._fresh()
        server = _handles.find(handle, _pipes.Server)
        if server.connected:
            if _pipes.peer_gone(server):
                self.error = c.ERROR_NO_DATA
                raise win32_error(c.ERROR_NO_DATA)
            self._request, self._value = True, None
            return True
        request = _pipes.Connecting(current(), server)
        _adopt_owner(request, self)
        self._run(request)
        return False


def _adopt_owner(request: Any, owner: Overlapped) -> None:
    request.owner = owner


FOR_READS = 0xFFFF  # whatever it is


def numeric(ep: Endpoint, address: Any) -> Address:
    """An address of numbers, as a tuple of the family's length; no names are looked up."""
    if not isinstance(address, tuple):
        raise TypeError(f"must be tuple, not {type(address).__name__}")
    if len(address) != {c.AF_INET: 2, c.AF_INET6: 4}.get(ep.family, len(address)) or len(address) not in (2, 4):
        raise ValueError("illegal address_as_bytes argument")
    if not _addresses.is_numeric(ep.family, address):
        raise WinsockError(WSA.WSAEINVAL)
    return _addresses.parse(ep.family, address, "address")


# -- functions


@face
def CreateIoCompletionPort(handle: int, port: int, key: int, concurrency: int) -> int:
    """CreateIoCompletionPort(handle, port, key, concurrency): a new port, or a handle's association with one."""
    given = _handles.find(port, CompletionPort) if port else None
    if handle == INVALID:
        if given is not None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        return _handles.make(CompletionPort(concurrency))
    requests = requests_of(_pipes.any_end(handle) or _handles.endpoint(handle))
    with requests.lock:
        if requests.port is not None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        if given is None:
            given = CompletionPort(concurrency)
            port = _handles.make(given)
        requests.key, requests.port = key, given
    return port


@face
def GetQueuedCompletionStatus(port: int, msecs: int) -> tuple[int, int, int, int] | None:
    """GetQueuedCompletionStatus(port, ms): (error, bytes, key, address) of what has ended; None in vain."""
    ts = current()
    target = ts.process.handles.objects.get(port - _handles.FIRST)
    if not isinstance(target, CompletionPort):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    packets = target.packets
    if packets:
        found = packets.popleft()
        ts.buffers[DRAINED] = port
    else:
        if not msecs and ts.buffers.get(DRAINED) == port:
            # The loop asks until there is no more; what came since it began to ask, it learns the next time.
            ts.buffers[DRAINED] = None
            return None
        ts.buffers[DRAINED] = None

        def ready() -> Any:
            if packets:
                return packets.popleft()
            return _CLOSED if target.closed else None

        found = target.get(ts, _handles.reactor(ts), None if msecs == INFINITE else msecs, ready)
        if found is None:
            return None
        if found is _CLOSED:
            raise WinsockError(c.ERROR_ABANDONED_WAIT_0)
        ts.buffers[DRAINED] = port
    n, key, address, status = found
    return ntstatus_to_win32(status) if status else 0, n, key, address


_CLOSED: Any = object()
DRAINED = "drained port"


@face
def PostQueuedCompletionStatus(port: int, bytes: int, key: int, address: int) -> None:
    """PostQueuedCompletionStatus(port, bytes, key, address): queue a packet."""
    _handles.find(port, CompletionPort).post((bytes, key, address, SUCCESS))


@face
def BindLocal(handle: int, family: int) -> None:
    """BindLocal(handle, family): bind to any address and port; WSAEINVAL if it is bound."""
    if family not in ANY:
        raise ValueError("expected tuple of length 2 or 4")
    ep = _handles.endpoint(handle)
    bind(ep, ANY[family])


@face
def WSAConnect(handle: int, address: Any) -> None:
    """WSAConnect(handle, address): set a datagram socket's peer."""
    ep = _handles.endpoint(handle)
    ep.procs.connect(ep, numeric(ep, address))


@face
def FormatMessage(error_code: int) -> str:
    """FormatMessage(code): Windows' text for an error."""
    return str(_oserror.winsock_error(error_code).strerror)


@face
def CreateEvent(attributes: Any, manual_reset: bool, initial_state: bool, name: str | None) -> int:
    """CreateEvent(None, manual, initial, None): the handle of a new event."""
    if attributes is not None:
        raise ValueError("EventAttributes must be None")
    return _handles.make(Event(bool(manual_reset), bool(initial_state), name or ""))


@face
def SetEvent(handle: int) -> None:
    """SetEvent(handle)"""
    _handles.find(handle, Event).set()


@face
def ResetEvent(handle: int) -> None:
    """ResetEvent(handle)"""
    _handles.find(handle, Event).reset()


@face
def ConnectPipe(address: str) -> int:
    """ConnectPipe(name): the client's end of a named pipe."""
    return _handles.make(_pipes.connect(address))


# -- registered waits


class _Registered:
    """A wait for an object, ended by a packet; it stands among the object's waiters."""

    def __init__(self, obj: Waitable, port: CompletionPort, address: int, ms: int) -> None:
        self.obj, self.port, self.address = obj, port, address
        self.over = False
        self.timer: Any = None
        ts = current()
        self.reactor = _handles.reactor(ts)
        obj.enter(self)  # type: ignore[arg-type]
        if ms != INFINITE:
            self.timer = self.reactor.call_at(self.reactor.now() + ms, lambda: self.end(True))
        watch = getattr(obj, "watch", None)
        if watch is not None:
            watch(self.reactor)
        self.interrupt()

    def interrupt(self) -> None:
        """Something happened to the object."""
        if not self.over and self.obj.is_signaled(self):  # type: ignore[arg-type]
            self.obj.take(self)  # type: ignore[arg-type]
            self.end(False)

    def end(self, timed_out: bool) -> None:
        """Post the packet, once."""
        if self.leave():
            self.port.post((int(timed_out), 0, self.address, SUCCESS))

    def leave(self) -> bool:
        """Wait no more; False if that was so already."""
        if self.over:
            return False
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
        self.obj.leave(self)  # type: ignore[arg-type]
        return True


@face
def RegisterWaitWithQueue(obj: int, port: int, address: int, miliseconds: int) -> int:
    """RegisterWaitWithQueue(object, port, address, ms): post a packet when the object is signalled."""
    target, queue = _handles.waitable(obj), _handles.find(port, CompletionPort)
    return _handles.make(_Registered(target, queue, address, miliseconds))


@face
def UnregisterWait(wait_handle: int) -> None:
    """UnregisterWait(handle): wait no more."""
    _unregister(wait_handle)


@face
def UnregisterWaitEx(wait_handle: int, event: int) -> None:
    """UnregisterWaitEx(handle, event): wait no more; the event is signalled when that is so."""
    done = _handles.find(event, Event) if event else None
    _unregister(wait_handle)
    if done is not None:
        done.set()


def _unregister(wait_handle: int) -> None:
    wait = _handles.find(wait_handle, _Registered)
    current().process.handles.remove(wait_handle - _handles.FIRST)
    wait.leave()


# -- the module

CONSTANTS = {
    "ERROR_IO_PENDING": IO_PENDING,
    "ERROR_NETNAME_DELETED": c.ERROR_NETNAME_DELETED,
    "ERROR_OPERATION_ABORTED": c.ERROR_OPERATION_ABORTED,
    "ERROR_PIPE_BUSY": c.ERROR_PIPE_BUSY,
    "ERROR_PORT_UNREACHABLE": c.ERROR_PORT_UNREACHABLE,
    "ERROR_SEM_TIMEOUT": c.ERROR_SEM_TIMEOUT,
    "INFINITE": INFINITE,
    "INVALID_HANDLE_VALUE": INVALID,
    "NULL": 0,
    "SO_UPDATE_ACCEPT_CONTEXT": c.SO_UPDATE_ACCEPT_CONTEXT,
    "SO_UPDATE_CONNECT_CONTEXT": c.SO_UPDATE_CONNECT_CONTEXT,
    "TF_REUSE_SOCKET": c.TF_REUSE_SOCKET,
}
FUNCTIONS: tuple[Callable[..., Any], ...] = (
    BindLocal, ConnectPipe, CreateEvent, CreateIoCompletionPort, FormatMessage, GetQueuedCompletionStatus,
    PostQueuedCompletionStatus, RegisterWaitWithQueue, ResetEvent, SetEvent, UnregisterWait, UnregisterWaitEx,
    WSAConnect,
)  # fmt: skip


def make_module() -> ModuleType:
    """A fresh `_overlapped`."""
    module = ModuleType("_overlapped", __doc__)
    module.__dict__.update(CONSTANTS)
    module.__dict__.update({function.__name__: function for function in FUNCTIONS})
    module.__dict__["Overlapped"] = Overlapped
    return module
