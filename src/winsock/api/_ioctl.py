"""ioctlsocket and WSAIoctl."""

from __future__ import annotations

import struct
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._controls import SOCKETS_ONLY
from winsock.afd import Endpoint, _ports
from winsock.afd._ioctl import LIST_ENTRY, LIST_HEADER, ControlError, address_list, check_backlog_change
from winsock.afd._ioctl import _destination as destination
from winsock.afd._request import Request
from winsock.afd._selection import Change
from winsock.afd._structures import SUCCESS
from winsock.api import _extension
from winsock.api._call import SOCKET_ERROR, dword, endpoint, export
from winsock.api._overlapped import as_routine, start
from winsock.codes import NTSTATUS, WSA, WinsockError, wsa_to_ntstatus
from winsock.nt import ThreadState, memory

GUID_SIZE, POINTER_SIZE = 16, 8
TOO_SMALL = int(NTSTATUS.STATUS_BUFFER_TOO_SMALL)
# Not with an OVERLAPPED (fact)
ONLY_AT_ONCE = frozenset({c.SIO_BASE_HANDLE, c.SIO_BSP_HANDLE, c.SIO_BSP_HANDLE_SELECT, c.SIO_BSP_HANDLE_POLL})
CHANGES = frozenset({c.SIO_ADDRESS_LIST_CHANGE, c.SIO_ROUTING_INTERFACE_CHANGE, c.SIO_IDEAL_SEND_BACKLOG_CHANGE})
RESERVATIONS = frozenset(
    {c.SIO_ACQUIRE_PORT_RESERVATION, c.SIO_ASSOCIATE_PORT_RESERVATION, c.SIO_RELEASE_PORT_RESERVATION}
)
MAX_SOCKADDR = 128


@export(SOCKET_ERROR)
def ioctlsocket(ts: ThreadState, s: int, cmd: int, argp: Any) -> int:
    """FIONBIO (argp says whether the socket does not block), FIONREAD (how many bytes wait), SIOCATMARK.

    WSAENOTSOCK, WSAEFAULT for a bad pointer, WSAEOPNOTSUPP for another command.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    code = dword(cmd)
    if code not in SOCKETS_ONLY:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if code == c.FIONBIO:
        ep.procs.ioctl(ep, code, memory.read(argp, 4), None)
    else:
        memory.writable(argp, 4)
        memory.write(argp, ep.procs.ioctl(ep, code, None, 4))
    return 0


@export(SOCKET_ERROR)
def WSAIoctl(
    ts: ThreadState,
    s: int,
    dwIoControlCode: int,
    lpvInBuffer: Any,
    cbInBuffer: int,
    lpvOutBuffer: Any,
    cbOutBuffer: int,
    lpcbBytesReturned: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """Do what a control code asks for; the number of bytes of output is stored.

    The codes, and how faithful each is, are a table: see `winsock doctor`.

    WSAENOTSOCK; WSAEFAULT for a bad pointer, too little input or room, or nowhere to put the byte count;
    WSAEOPNOTSUPP for an unknown code; WSAEINVAL, WSAENOPROTOOPT for a socket that it
    is not for; WSAEWOULDBLOCK for what a non-blocking socket would have to wait for.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    code = dword(dwIoControlCode)
    if memory.is_null(lpcbBytesReturned):
        raise WinsockError(WSA.WSAEFAULT)
    memory.writable(lpcbBytesReturned, 4)
    # Document: reserving ports takes no notice of it on a socket that is not overlapped.
    heeded = ep.flags & c.WSA_FLAG_OVERLAPPED or code not in RESERVATIONS
    if heeded and not memory.is_null(lpOverlapped):
        request = Control(ts, ep, lpOverlapped, as_routine(lpCompletionRoutine))
    else:
        request = None
    data = None if memory.is_null(lpvInBuffer) else memory.read(lpvInBuffer, dword(cbInBuffer))
    room = None if memory.is_null(lpvOutBuffer) else dword(cbOutBuffer)
    if request is not None and data is not None and _ports.pends(ep, code, data, room):
        return start(
            _ports.Association(ts, ep, lpOverlapped, as_routine(lpCompletionRoutine), data), lpcbBytesReturned
        )
    try:
        if request is not None:
            if code in ONLY_AT_ONCE:
                raise request.refused(WSA.WSAEOPNOTSUPP)
            if code in CHANGES:
                request.await_change(code, data)
                raise WinsockError(WSA.WSA_IO_PENDING)
        output = _output(ep, code, data, room, lpvOutBuffer)
        if output:
            memory.write(lpvOutBuffer, output)
    except ControlError as e:
        if request is not None:
            if e.code == WSA.WSAEOPNOTSUPP or (code == c.SIO_GET_INTERFACE_LIST and e.code == WSA.WSAEFAULT):
                raise request.refused(e.code) from None
            if code == c.SIO_KEEPALIVE_VALS:
                request.marked()
        if e.count is not None:
            memory.write_u32(lpcbBytesReturned, e.count)
        raise
    memory.write_u32(lpcbBytesReturned, len(output))
    if request is not None:
        request.done()
    return 0


class Control(Request):
    """An overlapped WSAIoctl.  What is done at once ends at once, and its packet counts no bytes (fact)."""

    lane = None

    __slots__ = ("change",)

    def __init__(self, ts: ThreadState, ep: Endpoint, overlapped: Any, routine: Any) -> None:
        super().__init__(ts, ep, overlapped, routine)
        self.change: Change | None = None

    def done(self) -> None:
        """It has succeeded."""
        with self.requests.lock:
            self.prepare()
            self.complete(SUCCESS, 0, True)

    def marked(self) -> None:
        """It fails at once, marked as pending: this one looks at its input late (fact)."""
        assert self.overlapped is not None
        self.overlapped.failed()

    def refused(self, code: int) -> WinsockError:
        """It ends with this, but the call says that it is pending (fact): what to raise."""
        assert self.overlapped is not None
        with self.requests.lock:
            self.prepare()
            self.overlapped.begin()
            self.complete(wsa_to_ntstatus(code) if code != WSA.WSAEFAULT else TOO_SMALL)
        return WinsockError(WSA.WSA_IO_PENDING)

    def await_change(self, code: int, data: bytes | None) -> None:
        """It ends when what the code is about changes, whatever the socket's blocking mode (fact)."""
        routes = code == c.SIO_ROUTING_INTERFACE_CHANGE
        backlog = code == c.SIO_IDEAL_SEND_BACKLOG_CHANGE
        if backlog:
            check_backlog_change(self.ep)
        if routes:
            destination(self.ep, data or b"")
        assert self.overlapped is not None
        with self.requests.lock:
            if self.ep.closed:
                raise WinsockError(WSA.WSAENOTSOCK)
            self.prepare()
            self.overlapped.begin()
            self.change = None if backlog else Change(self.ep, routes, self._changed)
            self.requests.add(self)

    def _changed(self, ep: Endpoint, change: Change) -> None:
        with self.requests.lock:
            self.requests.end(self, SUCCESS)

    def cleared(self) -> None:
        change, self.change = self.change, None
        if change is not None:
            change.close()


def _output(ep: Endpoint, code: int, data: bytes | None, room: int | None, out: Any) -> bytes:
    """What goes to the caller, with real pointers in it."""
    if code == c.SIO_GET_EXTENSION_FUNCTION_POINTER:
        if len(data or b"") < GUID_SIZE or (room or 0) < POINTER_SIZE:
            raise ControlError(WSA.WSAEFAULT)
        return _extension.pointer((data or b"")[:GUID_SIZE]).to_bytes(POINTER_SIZE, "little")
    if code == c.SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER:
        if len(data or b"") < GUID_SIZE or (room or 0) < _extension.RIO_TABLE.size:
            raise ControlError(WSA.WSAEFAULT)
        return _extension.table((data or b"")[:GUID_SIZE])
    if code == c.SIO_ADDRESS_LIST_SORT:
        data = _flat(data or b"")
    elif code == c.SIO_ACQUIRE_PORT_RESERVATION and room:
        memory.writable(out, room)  # first: a refused call changes nothing
    output = ep.procs.ioctl(ep, code, data, room)
    if code in (c.SIO_ADDRESS_LIST_QUERY, c.SIO_ADDRESS_LIST_SORT):
        return _moved(output, memory.address(out))
    return output


def _flat(data: bytes) -> bytes:
    """A SOCKET_ADDRESS_LIST from the caller's memory, with the addresses that it points to behind it."""
    if len(data) < LIST_HEADER:
        raise ControlError(WSA.WSAEFAULT)
    (count,) = struct.unpack_from("<i", data)
    if count < 0 or len(data) < LIST_HEADER + LIST_ENTRY * count:
        raise ControlError(WSA.WSAEFAULT)
    entries = [struct.unpack_from("<Qi", data, LIST_HEADER + LIST_ENTRY * i) for i in range(count)]
    if any(not 0 <= size <= MAX_SOCKADDR for _, size in entries):
        raise ControlError(WSA.WSAEINVAL)
    return address_list([memory.read(pointer, size) for pointer, size in entries])


def _moved(data: bytes, base: int) -> bytes:
    """A SOCKET_ADDRESS_LIST whose pointers are offsets, with real ones for where it will be."""
    moved = bytearray(data)
    (count,) = struct.unpack_from("<i", data)
    for at in range(LIST_HEADER, LIST_HEADER + LIST_ENTRY * count, LIST_ENTRY):
        (offset,) = struct.unpack_from("<Q", moved, at)
        struct.pack_into("<Q", moved, at, base + offset & memory.MAX_ADDRESS)
    return bytes(moved)
