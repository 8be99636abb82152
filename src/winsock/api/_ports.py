"""kernel32's completion ports: making them, associating handles, posting and taking packets."""

from __future__ import annotations

import math
import operator
import struct
from ctypes import c_uint32, c_uint64
from typing import Any
from weakref import WeakKeyDictionary

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._device import Device
from winsock.afd._reactor import REACTOR
from winsock.afd._requests import requests_of
from winsock.api._call import INVALID_SOCKET, dword
from winsock.api._events import milliseconds, reactor
from winsock.api._kernel import MASK, handle_object, kernel, object_of
from winsock.codes import WinsockError, ntstatus_to_win32
from winsock.nt import ThreadState, current, memory, run_apcs
from winsock.nt import _completion as completion
from winsock.nt._completion import Packet
from winsock.nt._files import FileObject

ASSOCIATIONS = "completion ports"  # in Process.services: {file: (port, key)}
ENTRY = struct.Struct("<QQQI4x")  # OVERLAPPED_ENTRY: key, OVERLAPPED, Internal, bytes
FAILED = 0x80000000  # an NTSTATUS from here on is a failure
MODES = c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | c.FILE_SKIP_SET_EVENT_ON_HANDLE
_CLOSED = object()
_APC = object()
_Port = completion.CompletionPort  # by that name parameters go


@kernel(0)
def CreateIoCompletionPort(
    ts: ThreadState, FileHandle: int, ExistingCompletionPort: int, CompletionKey: int, NumberOfConcurrentThreads: int
) -> int:
    """A new completion port, or the association of a socket or file with one, until that handle closes.

    FileHandle                   INVALID_HANDLE_VALUE to make a port only
    ExistingCompletionPort       NULL to make a new one
    CompletionKey                comes back with each packet of this handle
    NumberOfConcurrentThreads    kept, not enforced: see docs/fidelity.md

    0 and ERROR_INVALID_PARAMETER for a handle that has a port already, ERROR_INVALID_HANDLE.
    """
    number = operator.index(FileHandle) & MASK
    threads = dword(NumberOfConcurrentThreads)
    given = None if memory.is_null(ExistingCompletionPort) else object_of(ts, ExistingCompletionPort, _Port)
    if number == INVALID_SOCKET:
        if given is not None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        return ts.process.handles.add(_Port(threads))
    target = handle_object(ts, number)
    if not isinstance(target, (Endpoint, Device, FileObject)):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    key = operator.index(CompletionKey) & MASK
    with ts.process.lock:
        associations = ts.process.services.setdefault(ASSOCIATIONS, WeakKeyDictionary())
        requests = requests_of(target) if isinstance(target, (Endpoint, Device)) else None
        if target in associations or (requests is not None and requests.port is not None):
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        port = given if given is not None else _Port(threads)
        result = operator.index(ExistingCompletionPort) & MASK if given is not None else ts.process.handles.add(port)
        if requests is not None:
            requests.key, requests.port = key, port
        else:
            associations[target] = (port, key)
    return result


@kernel(0)
def SetFileCompletionNotificationModes(ts: ThreadState, FileHandle: int, Flags: int) -> int:
    """FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE for a socket; they cannot be taken back.

    0 with ERROR_INVALID_PARAMETER for other flags, ERROR_INVALID_HANDLE.
    """
    target = handle_object(ts, FileHandle)
    flags = operator.index(Flags) & 0xFF
    if flags & ~MODES or not isinstance(target, (Endpoint, Device, FileObject)):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    (requests_of(target) if isinstance(target, (Endpoint, Device)) else target).modes |= flags
    return 1


def PostQueuedCompletionStatus(
    CompletionPort: int, dwNumberOfBytesTransferred: int, dwCompletionKey: int, lpOverlapped: Any
) -> int:
    """Queue a packet with these values; nothing looks at them."""
    try:
        port = current().process.handles.objects[CompletionPort]
        if (
            type(port) is completion.CompletionPort
            and 0 <= dwNumberOfBytesTransferred <= 0xFFFFFFFF
            and 0 <= dwCompletionKey <= MASK
            and type(lpOverlapped) is int
            and 0 <= lpOverlapped <= MASK
        ):
            port.post((0, dwNumberOfBytesTransferred, dwCompletionKey, lpOverlapped))
            return 1
    except (KeyError, TypeError):
        pass
    return _post(CompletionPort, dwNumberOfBytesTransferred, dwCompletionKey, lpOverlapped)


@kernel(0)
def _post(ts: ThreadState, handle: Any, transferred: Any, key: Any, overlapped: Any) -> int:
    address = memory.address(overlapped) & MASK
    object_of(ts, handle, _Port).post((0, dword(transferred), operator.index(key or 0) & MASK, address))
    return 1


def GetQueuedCompletionStatus(
    CompletionPort: int,
    lpNumberOfBytesTransferred: Any,
    lpCompletionKey: Any,
    lpOverlapped: Any,
    dwMilliseconds: int,
) -> int:
    """Wait for a packet: its values, and 0 with the last error if the operation it tells of had failed.

    0 with lpOverlapped NULL and WAIT_TIMEOUT when the time (ms) is up, ERROR_ABANDONED_WAIT_0 when the port is
    closed meanwhile, ERROR_INVALID_HANDLE.  The error of a failed operation is Win32's: see GetOverlappedResult.
    """
    try:
        if (
            type(lpOverlapped) is c_uint64
            and type(lpCompletionKey) is c_uint64
            and type(lpNumberOfBytesTransferred) is c_uint32
        ):
            ts = current()
            port = ts.process.handles.objects[CompletionPort]
            if port.packets or not dwMilliseconds:
                packet = port.packets.popleft()
            else:
                # The thread leads the reactor, and what it waits for is among the first that happen.
                pump = ts.process.services[REACTOR]
                if dwMilliseconds == c.INFINITE:
                    packet = pump.next_packet(ts, port, None)
                else:
                    end = pump.now() + dwMilliseconds
                    packet = pump.next_packet(ts, port, dwMilliseconds)
                    dwMilliseconds = max(0, math.ceil(end - pump.now()))
            status, transferred, key, overlapped = packet
            lpNumberOfBytesTransferred.value = transferred
            lpCompletionKey.value = key
            lpOverlapped.value = overlapped
            if status < FAILED:
                return 1
            ts.last_error = ntstatus_to_win32(status)
            return 0
    except (LookupError, AttributeError, TypeError):
        pass  # no packet yet, or no port
    return _get(CompletionPort, lpNumberOfBytesTransferred, lpCompletionKey, lpOverlapped, dwMilliseconds)


@kernel(0)
def _get(ts: ThreadState, handle: Any, transferred: Any, key: Any, overlapped: Any, ms: Any) -> int:
    port = object_of(ts, handle, _Port)
    for ptr, n in ((transferred, 4), (key, 8), (overlapped, 8)):
        memory.writable(ptr, n)
    packet = _wait(ts, port, milliseconds(ms), False)
    if isinstance(packet, int):
        memory.write_u64(overlapped, 0)
        raise WinsockError(packet)
    status, n, number, address = packet
    memory.write_u32(transferred, n)
    memory.write_u64(key, number)
    memory.write_u64(overlapped, address)
    if status >= FAILED:
        raise WinsockError(ntstatus_to_win32(status))
    return 1


def _wait(ts: ThreadState, port: completion.CompletionPort, timeout: float | None, alertable: bool) -> Packet | int:
    """A packet, or the code for none."""
    packets = port.packets

    def ready() -> Any:
        try:
            return packets.popleft()
        except IndexError:
            if port.closed:
                return _CLOSED
            return _APC if alertable and ts.apcs else None

    found = ready()
    if found is None:
        found = port.get(ts, reactor(ts.process), timeout, ready)
    if found is None:
        return c.WAIT_TIMEOUT
    if found is _CLOSED:
        return c.ERROR_ABANDONED_WAIT_0
    if found is _APC:
        run_apcs(ts)
        return c.WAIT_IO_COMPLETION
    packet: Packet = found
    return packet


@kernel(0)
def GetQueuedCompletionStatusEx(
    ts: ThreadState,
    CompletionPort: int,
    lpCompletionPortEntries: Any,
    ulCount: int,
    ulNumEntriesRemoved: Any,
    dwMilliseconds: int,
    fAlertable: int,
) -> int:
    """Take up to ulCount packets at once, as OVERLAPPED_ENTRYs; waits until there is one.

    fAlertable    APCs of the thread end the wait: 0 with WAIT_IO_COMPLETION

    0 with WAIT_TIMEOUT, ERROR_ABANDONED_WAIT_0, ERROR_INVALID_PARAMETER (ulCount 0).  An operation that failed is a
    success here: its NTSTATUS is in the entry.  Source: document.
    """
    port = object_of(ts, CompletionPort, _Port)
    room = dword(ulCount)
    if not room:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    memory.writable(ulNumEntriesRemoved, 4)
    memory.writable(lpCompletionPortEntries, min(room, max(1, len(port.packets))) * ENTRY.size)
    packet = _wait(ts, port, milliseconds(dwMilliseconds), bool(fAlertable))
    if isinstance(packet, int):
        raise WinsockError(packet)
    taken = [packet]
    while len(taken) < room:
        try:
            taken.append(port.packets.popleft())
        except IndexError:
            break
    data = [ENTRY.pack(key, overlapped, status, n) for status, n, key, overlapped in taken]
    try:
        memory.write(lpCompletionPortEntries, b"".join(data))
    except WinsockError:
        port.packets.extendleft(reversed(taken))  # nothing gets lost
        raise
    memory.write_u32(ulNumEntriesRemoved, len(taken))
    return 1
