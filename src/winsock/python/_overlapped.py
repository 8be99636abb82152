"""The `_overlapped` module, on which asyncio's proactor event loop stands, over the core's requests and ports."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.afd._connection import ANY, bind
from winsock.afd._reactor import LED, REACTOR
from winsock.afd._requests import requests_of
from winsock.afd._structures import SUCCESS
from winsock.codes import WinsockError, ntstatus_to_win32
from winsock.nt import ThreadState, current
from winsock.nt._completion import CompletionPort, Packet
from winsock.nt._objects import Event, Waitable
from winsock.nt._process import _tls
from winsock.python import _handles, _oserror, _pipes
from winsock.python._handles import FIRST, INVALID
from winsock.python._operation import IO_PENDING
from winsock.python._oserror import face
from winsock.python._starts import Overlapped, numeric
from winsock.python._winapi import ResetEvent, SetEvent

INFINITE = c.INFINITE

# -- functions


@face
def CreateIoCompletionPort(handle: int, port: int, key: int, concurrency: int) -> int:
    """CreateIoCompletionPort(handle, port, key, concurrency): a new port, or a handle's association with one."""
    given = _handles.find(port, CompletionPort) if port else None
    if handle == INVALID:
        if given is not None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        return _handles.make(CompletionPort(concurrency))
    ep = None if handle < FIRST else _pipes.end_for_port(handle)
    requests = requests_of(_handles.endpoint(handle) if ep is None else ep)
    with requests.lock:
        if requests.port is not None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        if given is None:
            given = CompletionPort(concurrency)
            port = _handles.make(given)
        requests.key, requests.port = key, given
    return port


def GetQueuedCompletionStatus(port: int, msecs: int, /) -> tuple[int, int, int, int] | None:
    """GetQueuedCompletionStatus(port, ms): (error, bytes, key, address) of what has ended; None in vain."""
    try:
        ts = _tls.state
        target = ts.process.handles.objects[port - FIRST]
        packets = target.packets
        if not packets:
            if msecs:
                return _wait(port, msecs)
            if target.drained:
                # The loop asks until there is no more; what came since it began to ask, it learns the next time.
                target.drained = False
                return None
            if not ts.process.services[REACTOR].glance(ts):
                return _wait(port, msecs)
            if not packets:
                return None
            target.drained = True
        packet: Packet = packets.popleft()
        return _told(packet) if packet[0] else packet
    except (LookupError, TypeError, AttributeError):
        pass  # another thread took it, or it is no port
    return _wait(port, msecs)


def _told(packet: Packet) -> Packet:
    """A packet as this face tells of it: with an error in the place of its status."""
    return ntstatus_to_win32(packet[0]), *packet[1:]


def _wait(port: int, msecs: float) -> Packet | None:
    """Wait for a packet."""
    ts = current()
    packet: Any = LED
    try:
        try:
            target = ts.process.handles.objects[port - FIRST]
            target.drained = False
            reactor = ts.process.services[REACTOR]
        except (LookupError, TypeError, AttributeError):
            target = None  # no port, or nothing was started yet
        else:
            end = None if msecs == INFINITE else reactor.now() + msecs
            packet = reactor.next_packet(ts, target, None if end is None else msecs)
            if packet is LED and end is not None:
                msecs = max(0.0, end - reactor.now())
        if packet is LED:
            packet = _await_packet(ts, port, msecs)
    except BaseException as e:
        e.__traceback__ = _oserror.keep(e)
        raise
    if packet is None:
        return None
    if target is not None:
        target.drained = True
    return _told(packet)


@face
def _await_packet(ts: ThreadState, port: int, msecs: float) -> Packet | None:
    target = _handles.find(port, CompletionPort)
    packets = target.packets

    def ready() -> Any:
        if packets:
            return packets.popleft()
        return _CLOSED if target.closed else None

    found: Any = target.get(ts, _handles.reactor(ts), None if msecs == INFINITE else msecs, ready)
    if found is _CLOSED:
        raise WinsockError(c.ERROR_ABANDONED_WAIT_0)
    answer: Packet | None = found
    return answer


_CLOSED: Any = object()


@face
def PostQueuedCompletionStatus(port: int, bytes: int, key: int, address: int) -> None:
    """PostQueuedCompletionStatus(port, bytes, key, address): queue a packet."""
    _handles.find(port, CompletionPort).post((SUCCESS, bytes, key, address))


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
            self.port.post((SUCCESS, int(timed_out), 0, self.address))

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
