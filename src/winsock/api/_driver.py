"""What AFD does when it is asked directly, by NtDeviceIoControlFile or DeviceIoControl."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address, unpack_address
from winsock.afd import Endpoint, State
from winsock.afd._device import Device, Poll
from winsock.afd._events import NETWORK_EVENTS
from winsock.afd._receiving import Receive
from winsock.afd._request import Request
from winsock.afd._sending import Send
from winsock.afd._structures import PENDING, SUCCESS, Overlapped
from winsock.api import _sockaddr
from winsock.api._buffers import WSABUF, buffer, probe_read
from winsock.api._events import event_object, reactor
from winsock.api._marks import Mark
from winsock.codes import NTSTATUS as S
from winsock.codes import WinsockError, wsa_to_ntstatus
from winsock.nt import ThreadState, memory
from winsock.nt._objects import Event

HEADER = struct.Struct("<qIBxxx")  # AFD_POLL_INFO: Timeout, NumberOfHandles, Exclusive
HANDLE = struct.Struct("<QII")  # AFD_POLL_HANDLE_INFO: Handle, PollEvents, Status
TRANSFER = struct.Struct("<QIII")  # WSABUF array, count, AFD flags, TDI flags
EVENT_SELECT = struct.Struct("<QI")  # event, AFD_POLL_*
GET_EVENTS = struct.Struct("<14I")  # AFD_POLL_*, a status for each bit
MAX_HANDLES = 0x10000
MAX_BUFFERS = 0x10000
BIND_HEAD, FAMILY_SIZE = 4, 2
CONNECT_STATUS = 8  # in GET_EVENTS: the bit of AFD_POLL_CONNECT_FAIL

# FD_* of AFD_POLL_*
FD_OF = {
    c.AFD_POLL_RECEIVE: c.FD_READ,
    c.AFD_POLL_RECEIVE_EXPEDITED: c.FD_OOB,
    c.AFD_POLL_SEND: c.FD_WRITE,
    c.AFD_POLL_DISCONNECT: c.FD_CLOSE,
    c.AFD_POLL_ABORT: c.FD_CLOSE,
    c.AFD_POLL_CONNECT: c.FD_CONNECT,
    c.AFD_POLL_CONNECT_FAIL: c.FD_CONNECT,
    c.AFD_POLL_ACCEPT: c.FD_ACCEPT,
}
AFD_OF = {
    c.FD_READ: c.AFD_POLL_RECEIVE,
    c.FD_OOB: c.AFD_POLL_RECEIVE_EXPEDITED,
    c.FD_WRITE: c.AFD_POLL_SEND,
    c.FD_ACCEPT: c.AFD_POLL_ACCEPT,
}


class Status(Exception):
    """A call that ends at once with an NTSTATUS.

    stored    it goes into the status block, too
    """

    def __init__(self, status: int, stored: bool = False) -> None:
        super().__init__(f"{int(status):#x}")
        self.status, self.stored = int(status), stored


class Packet:
    """One call of the driver: who is to be told of its end, and how, and the caller's buffers.

    block      the caller's OVERLAPPED or IO_STATUS_BLOCK
    routine    called as an APC with context and block
    quiet      no packet at the completion port
    sockets    who is meant by the numbers in a poll: the process' handles, unless others are given
    """

    def __init__(
        self,
        ts: ThreadState,
        target: Any,
        block: Overlapped | None,
        event: Event | None = None,
        routine: Callable[[], Any] | None = None,
        quiet: bool = False,
        source: tuple[Any, int] = (None, 0),
        output: tuple[Any, int] = (None, 0),
        sockets: Any = None,
    ) -> None:
        self.ts, self.target, self.block, self.event = ts, target, block, event
        self.sockets = ts.process.sockets if sockets is None else sockets
        self.routine, self.quiet = routine, quiet
        self.source, self.output = source, output

    @property
    def data(self) -> bytes:
        """The input."""
        pointer, size = self.source
        return memory.read(pointer, size) if size and not memory.is_null(pointer) else b""

    @property
    def room(self) -> int:
        """Bytes that the output buffer has."""
        pointer, size = self.output
        return 0 if memory.is_null(pointer) else size

    def store(self, data: bytes) -> int:
        """Write to the output buffer; how much that was."""
        if data:
            memory.write(self.output[0], data)
        return len(data)

    def endpoint(self) -> Endpoint:
        """The socket it is about."""
        if not isinstance(self.target, Endpoint):
            raise Status(S.STATUS_INVALID_HANDLE)
        return self.target

    def run(self, request: Request) -> int:
        """Start a request; the status that the call returns."""
        request.overlapped = self.block
        request.event = self.event
        request.quiet = self.quiet
        if self.routine is not None:
            routine = self.routine
            request.routine = lambda *_: routine()
        waits = self.block is None or not self.target.flags & c.WSA_FLAG_OVERLAPPED
        try:
            if not request.begin():
                if not waits:
                    return PENDING
                wait(request)
        except WinsockError as e:
            return wsa_to_ntstatus(e.code)
        return request.status


def wait(request: Request) -> None:
    """Until it has ended."""
    ts = request.ts
    obj = request.event or request.requests.signal
    obj.enter(ts)
    try:
        reactor(ts.process).wait(ts, lambda: True if request.status != PENDING else None, None)
    finally:
        obj.leave(ts)


class Done(Request):
    """What is done at once.

    action    does it, and gives the number of bytes of output
    later     it says that it is pending all the same
    """

    lane = None

    def __init__(self, packet: Packet, action: Callable[[], int], later: bool = False) -> None:
        super().__init__(packet.ts, packet.target)
        self.action, self.later = action, later

    def begin(self) -> bool:
        with self.requests.lock:
            if not self.later:
                self.prepare()
                self.complete(SUCCESS, self.action(), True)
                return True
            self.prepare()
            assert self.overlapped is not None
            self.overlapped.begin()
            self.requests.add(self)
            try:
                n, status = self.action(), SUCCESS
            except WinsockError as e:
                n, status = 0, wsa_to_ntstatus(e.code)
            self.requests.end(self, status, n)
        return False


def control(packet: Packet, code: int) -> int:
    """Do what a control code asks for; the status."""
    action = _ACTIONS.get(code)
    if action is None:
        return int(S.STATUS_INVALID_DEVICE_REQUEST)
    try:
        return action(packet)
    except Status as e:
        if e.stored and packet.block is not None:
            packet.block.end(e.status, 0, 0, True)
        return e.status


# -- polls


def _poll(packet: Packet) -> int:
    _, size = packet.source
    if size < HEADER.size or packet.room < size:
        raise Status(S.STATUS_INVALID_PARAMETER)
    data = packet.data
    timeout, count, exclusive = HEADER.unpack_from(data)
    if not 0 < count <= MAX_HANDLES or len(data) < HEADER.size + count * HANDLE.size:
        raise Status(S.STATUS_INVALID_PARAMETER)
    targets = []
    for handle, wanted, _ in HANDLE.iter_unpack(data[HEADER.size : HEADER.size + count * HANDLE.size]):
        ep: Any = packet.sockets.get(handle)
        if not isinstance(ep, Endpoint):
            raise Status(S.STATUS_INVALID_HANDLE)
        targets.append((handle, ep, wanted))

    def deliver(found: list[tuple[int, int]]) -> int:
        if not request.unmark():
            return 0
        head = HEADER.pack(timeout, len(found), exclusive)
        return packet.store(head + b"".join(HANDLE.pack(handle, flags, 0) for handle, flags in found))

    request = _Poll(packet.ts, packet.target, targets, timeout, bool(exclusive), deliver)
    if isinstance(packet.output[0], int):
        try:
            request.mark = Mark(packet.output[0])
        except WinsockError:
            raise Status(S.STATUS_ACCESS_VIOLATION) from None
    try:
        return packet.run(request)
    except BaseException:
        request.unmark()
        raise


class _Poll(Poll):
    """A Poll with a mark in its output."""

    mark: Mark | None = None

    def unmark(self) -> bool:
        """Lift it; False if the output is gone."""
        mark, self.mark = self.mark, None
        return mark is None or mark.lift()

    def cleared(self) -> None:
        self.unmark()
        super().cleared()


# -- receiving and sending


def _views(packet: Packet, writable: bool) -> tuple[list[memoryview], int, int]:
    """The buffers, AFD's flags, TDI's flags."""
    data = packet.data
    if len(data) < TRANSFER.size:
        raise Status(S.STATUS_INVALID_PARAMETER)
    array, count, flags, message = TRANSFER.unpack_from(data)
    if not 0 < count <= MAX_BUFFERS:
        raise Status(S.STATUS_INVALID_PARAMETER)
    views = []
    try:
        for size, pointer in WSABUF.iter_unpack(memory.read(array, count * WSABUF.size)):
            if size and not writable:
                probe_read(pointer, size)
            views.append(buffer(pointer, size, writable))
    except WinsockError:
        raise Status(S.STATUS_ACCESS_VIOLATION) from None
    return views, flags, message


def _refused(make: Callable[[], Request]) -> Request:
    try:
        return make()
    except WinsockError as e:
        raise Status(wsa_to_ntstatus(e.code)) from None


def _receive(packet: Packet) -> int:
    """Receives; on a socket that does not block it pends only if AFD_OVERLAPPED says so."""
    if len(packet.data) < packet.source[1] or packet.source[1] < TRANSFER.size + 4:
        raise Status(S.STATUS_INVALID_PARAMETER)
    ep = packet.endpoint()
    _, _, how, message = TRANSFER.unpack_from(packet.data)
    kinds = message & (c.TDI_RECEIVE_NORMAL | c.TDI_RECEIVE_EXPEDITED)
    if kinds not in (c.TDI_RECEIVE_NORMAL, c.TDI_RECEIVE_EXPEDITED):
        raise Status(S.STATUS_INVALID_PARAMETER)
    flags = c.MSG_OOB if kinds == c.TDI_RECEIVE_EXPEDITED else 0
    flags |= c.MSG_PEEK if message & c.TDI_RECEIVE_PEEK else 0
    flags |= c.MSG_WAITALL if message & c.TDI_RECEIVE_WAITALL else 0
    request = _refused(lambda: Receive(packet.ts, ep, (), flags))  # what the state refuses comes first
    views, _, _ = _views(packet, True)
    request = _refused(lambda: Receive(packet.ts, ep, views, flags))
    if ep.nonblocking and not how & c.AFD_OVERLAPPED and not ep.transport.readiness():
        raise Status(S.STATUS_DEVICE_NOT_READY)
    return packet.run(request)


def _send(packet: Packet) -> int:
    views, _, message = _views(packet, False)
    flags = c.MSG_OOB if message & c.TDI_RECEIVE_EXPEDITED else 0
    ep = packet.endpoint()
    return packet.run(_refused(lambda: Send(packet.ts, ep, views, flags)))


# -- names


def _bind(packet: Packet) -> int:
    ep, data = packet.endpoint(), packet.data
    if len(data) < BIND_HEAD + FAMILY_SIZE:
        raise Status(S.STATUS_INVALID_PARAMETER)
    name = data[BIND_HEAD:]
    full = _sockaddr.FULL_SIZES[ep.family]
    if int.from_bytes(name[:FAMILY_SIZE], "little") != ep.family or len(name) < _sockaddr.SIZES[ep.family]:
        raise Status(S.STATUS_INVALID_ADDRESS)
    if packet.room < full:
        raise Status(S.STATUS_INVALID_PARAMETER)
    if ep.state is not State.OPEN:
        raise Status(S.STATUS_ADDRESS_ALREADY_ASSOCIATED)

    def bind() -> int:
        ep.procs.bind(ep, unpack_address(name))
        return packet.store(pack_address(ep.family, ep.procs.getsockname(ep)))

    return packet.run(Done(packet, bind, packet.block is not None))


def _listen(packet: Packet) -> int:
    ep, data = packet.endpoint(), packet.data
    if len(data) < 12:
        raise Status(S.STATUS_INVALID_PARAMETER)
    backlog = int.from_bytes(data[4:8], "little", signed=True)

    def listen() -> int:
        ep.procs.listen(ep, backlog)
        return 0

    return packet.run(Done(packet, listen))


def _name(packet: Packet) -> int:
    ep = packet.endpoint()
    if ep.state is State.OPEN:
        raise Status(S.STATUS_INVALID_PARAMETER)
    name = pack_address(ep.family, ep.transport.local_name())
    if packet.room < len(name):
        raise Status(S.STATUS_BUFFER_TOO_SMALL)
    return packet.run(Done(packet, lambda: packet.store(name)))


# -- network events


def _select(packet: Packet) -> int:
    ep, data = packet.endpoint(), packet.data
    if len(data) < EVENT_SELECT.size:
        raise Status(S.STATUS_INVALID_PARAMETER, True)
    handle, wanted = EVENT_SELECT.unpack_from(data)
    try:
        event = event_object(packet.ts, handle)
    except WinsockError:
        raise Status(S.STATUS_INVALID_PARAMETER, True) from None
    mask = 0
    for bit, network_event in FD_OF.items():
        mask |= network_event if wanted & bit else 0

    def select() -> int:
        ep.procs.event_select(ep, mask, event)
        return 0

    return packet.run(Done(packet, select))


def _events(packet: Packet) -> int:
    ep = packet.endpoint()
    if packet.room < GET_EVENTS.size:
        raise Status(S.STATUS_INVALID_PARAMETER)

    def fetch() -> int:
        flags, statuses = 0, [0] * 13
        found = ep.procs.enum_network_events(ep, None)
        for event, code in found.items():
            if event == c.FD_CONNECT:
                flags |= c.AFD_POLL_CONNECT_FAIL if code else c.AFD_POLL_CONNECT
            elif event == c.FD_CLOSE:
                flags |= c.AFD_POLL_ABORT if code else c.AFD_POLL_DISCONNECT
            else:
                flags |= AFD_OF.get(event, 0)
        selection = ep.extra.get(NETWORK_EVENTS)
        failed = selection.events.codes.get(c.FD_CONNECT, 0) if selection is not None else 0
        if failed:
            statuses[CONNECT_STATUS] = wsa_to_ntstatus(failed)  # stays when the event is taken (fact)
        return packet.store(GET_EVENTS.pack(flags, *statuses))

    return packet.run(Done(packet, fetch))


_ACTIONS: dict[int, Callable[[Packet], int]] = {
    c.IOCTL_AFD_POLL: _poll,
    c.IOCTL_AFD_RECV: _receive,
    c.IOCTL_AFD_SEND: _send,
    c.IOCTL_AFD_BIND: _bind,
    c.IOCTL_AFD_LISTEN: _listen,
    c.IOCTL_AFD_GETSOCKNAME: _name,
    c.IOCTL_AFD_EVENT_SELECT: _select,
    c.IOCTL_AFD_GET_EVENTS: _events,
}


def is_device(name: str) -> bool:
    """Whether a path of the object manager's is AFD's, with any suffix."""
    path = name.lower()
    return path == r"\device\afd" or path.startswith("\\device\\afd\\")


def open_device(ts: ThreadState) -> int:
    """A handle to AFD without a socket behind it."""
    return ts.process.handles.add(Device(ts.process, reactor(ts.process).network))
