"""ntdll's calls, as far as programs use them on sockets.  They return an NTSTATUS (unsigned) and no last error."""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._device import Device
from winsock.afd._receiving import Receive
from winsock.afd._requests import cancel_all, end_of_thread
from winsock.afd._sending import Send
from winsock.afd._structures import OVERLAPPED_SIZE, Overlapped, StatusBlock
from winsock.api import _driver
from winsock.api._buffers import buffer
from winsock.api._call import dword, unexpected
from winsock.api._driver import Packet, Status
from winsock.api._events import event_object, reactor
from winsock.api._kernel import CloseHandle, ThreadObject, handle_object, kernel, object_of
from winsock.api._overlapped import as_routine
from winsock.codes import NTSTATUS as S
from winsock.codes import WinsockError, ntstatus_to_win32, wsa_to_ntstatus
from winsock.nt import ThreadState, current, memory

P = ParamSpec("P")

BLOCK_SIZE = 16  # IO_STATUS_BLOCK
ATTRIBUTES = struct.Struct("<I4xQQI4xQQ")  # OBJECT_ATTRIBUTES: length, root, name, attributes, ...
STRING = struct.Struct("<HH4xQ")  # UNICODE_STRING
BASIC_INFORMATION = struct.Struct("<IIIIII32x")  # OBJECT_BASIC_INFORMATION: attributes, access, handles, pointers
INFORMATION_CLASS_BASIC = 0
LOWEST_OFFSET = -2  # FILE_USE_FILE_POINTER_POSITION, above it FILE_WRITE_TO_END_OF_FILE
MASK = (1 << 64) - 1


def native(function: Callable[Concatenate[ThreadState, P], int]) -> Callable[P, int]:
    """Make a call that returns an NTSTATUS."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return function(current(), *args, **kwargs)
        except Status as e:
            return e.status
        except WinsockError as e:
            return wsa_to_ntstatus(e.code)
        except Exception as e:
            return wsa_to_ntstatus(unexpected(function.__name__, e, args))

    call.__winsock__ = function  # type: ignore[attr-defined]
    del call.__wrapped__
    return call


def _target(ts: ThreadState, handle: Any) -> Any:
    found = handle_object(ts, handle)
    if not isinstance(found, (Endpoint, Device)):
        raise Status(S.STATUS_INVALID_DEVICE_REQUEST)
    return found


def _packet(
    ts: ThreadState,
    handle: Any,
    event: Any,
    routine: Any,
    context: Any,
    block: Any,
    source: tuple[Any, int] = (None, 0),
    output: tuple[Any, int] = (None, 0),
) -> Packet:
    target = _target(ts, handle)
    memory.writable(block, BLOCK_SIZE)
    signal = None if memory.is_null(event) else event_object(ts, event)
    number = memory.address(context) & MASK
    apc = as_routine(routine)
    address = memory.address(block)
    call = None if apc is None else lambda: apc(number, address, 0)
    status = StatusBlock(block, ts.process, number)
    return Packet(ts, target, status, signal, call, not number, source, output)


# -- opening and closing


def _open(ts: ThreadState, handle: Any, attributes: Any, block: Any) -> int:
    memory.writable(handle, 8)
    memory.writable(block, BLOCK_SIZE)
    _, root, string, _, _, _ = ATTRIBUTES.unpack(memory.read(attributes, ATTRIBUTES.size))
    if root or not string:
        raise Status(S.STATUS_OBJECT_PATH_SYNTAX_BAD)
    size, _, pointer = STRING.unpack(memory.read(string, STRING.size))
    name = memory.read(pointer, size).decode("utf-16-le", "surrogatepass") if size else ""
    if not name.startswith("\\"):
        raise Status(S.STATUS_OBJECT_PATH_SYNTAX_BAD)
    if not _driver.is_device(name):
        raise Status(S.STATUS_OBJECT_NAME_NOT_FOUND)
    memory.write_u64(handle, _driver.open_device(ts))
    memory.write(block, bytes(BLOCK_SIZE))
    return 0


@native
def NtOpenFile(
    ts: ThreadState,
    FileHandle: Any,
    DesiredAccess: int,
    ObjectAttributes: Any,
    IoStatusBlock: Any,
    ShareAccess: int,
    OpenOptions: int,
) -> int:
    r"""Open the driver: \Device\Afd, with any suffix; other names are STATUS_OBJECT_NAME_NOT_FOUND.

    The handle has no socket behind it: it is for IOCTL_AFD_POLL.  Source: facts.
    """
    return _open(ts, FileHandle, ObjectAttributes, IoStatusBlock)


@native
def NtCreateFile(
    ts: ThreadState,
    FileHandle: Any,
    DesiredAccess: int,
    ObjectAttributes: Any,
    IoStatusBlock: Any,
    AllocationSize: Any,
    FileAttributes: int,
    ShareAccess: int,
    CreateDisposition: int,
    CreateOptions: int,
    EaBuffer: Any,
    EaLength: int,
) -> int:
    """NtOpenFile, with more parameters.  STATUS_NOT_SUPPORTED for extended attributes, which make sockets."""
    if dword(EaLength):
        raise Status(S.STATUS_NOT_SUPPORTED)
    return _open(ts, FileHandle, ObjectAttributes, IoStatusBlock)


@native
def NtClose(ts: ThreadState, Handle: int) -> int:
    """Close any handle: STATUS_INVALID_HANDLE if it is none."""
    before = ts.last_error
    try:
        return 0 if CloseHandle(Handle) else wsa_to_ntstatus(ts.last_error)
    finally:
        ts.last_error = before


@native
def NtQueryObject(
    ts: ThreadState,
    Handle: int,
    ObjectInformationClass: int,
    ObjectInformation: Any,
    ObjectInformationLength: int,
    ReturnLength: Any,
) -> int:
    """What a handle may do: ObjectBasicInformation.  Sockets are inherited by default (fact).

    STATUS_INVALID_PARAMETER for other classes, STATUS_INVALID_HANDLE, STATUS_BUFFER_TOO_SMALL.
    """
    if dword(ObjectInformationClass) != INFORMATION_CLASS_BASIC:
        raise Status(S.STATUS_INVALID_PARAMETER)
    found = handle_object(ts, Handle)
    if dword(ObjectInformationLength) < BASIC_INFORMATION.size:
        raise Status(S.STATUS_BUFFER_TOO_SMALL)
    socket = isinstance(found, Endpoint)
    rights = (c.OBJ_INHERIT, c.SOCKET_ACCESS) if socket else (0, c.EVENT_ALL_ACCESS)
    memory.write(ObjectInformation, BASIC_INFORMATION.pack(*rights, 1, 1, 0, 0))
    if not memory.is_null(ReturnLength):
        memory.write_u32(ReturnLength, BASIC_INFORMATION.size)
    return 0


# -- requests


@native
def NtDeviceIoControlFile(
    ts: ThreadState,
    FileHandle: int,
    Event: int,
    ApcRoutine: Any,
    ApcContext: Any,
    IoStatusBlock: Any,
    IoControlCode: int,
    InputBuffer: Any,
    InputBufferLength: int,
    OutputBuffer: Any,
    OutputBufferLength: int,
) -> int:
    """Ask the driver: IOCTL_AFD_POLL, RECV, SEND, BIND, LISTEN, GETSOCKNAME, EVENT_SELECT, GET_EVENTS.

    Event         is signalled at the end, unless the call fails at once
    ApcRoutine    is called at the end with ApcContext and IoStatusBlock, in an alertable wait
    ApcContext    what a completion port gets as the packet's OVERLAPPED; NULL: no packet (fact)

    STATUS_PENDING when it goes on.  STATUS_INVALID_DEVICE_REQUEST for other codes.  Source: facts.
    """
    source = InputBuffer, dword(InputBufferLength)
    output = OutputBuffer, dword(OutputBufferLength)
    packet = _packet(ts, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, source, output)
    return _driver.control(packet, dword(IoControlCode))


def _offset(target: Endpoint, pointer: Any) -> None:
    """A socket has no position, but the offset has to be a possible one (fact)."""
    if target.flags & c.WSA_FLAG_OVERLAPPED:
        if memory.is_null(pointer):
            raise Status(S.STATUS_INVALID_PARAMETER)
        offset = memory.read_u64(pointer)
        if offset >> 63 and offset - (1 << 64) < LOWEST_OFFSET:
            raise Status(S.STATUS_INVALID_PARAMETER)


@native
def NtReadFile(
    ts: ThreadState,
    FileHandle: int,
    Event: int,
    ApcRoutine: Any,
    ApcContext: Any,
    IoStatusBlock: Any,
    Buffer: Any,
    Length: int,
    ByteOffset: Any,
    Key: Any,
) -> int:
    """Receive from a socket; whatever its blocking mode, it pends, or blocks if it is not an overlapped one (fact).

    ByteOffset    is not used, but STATUS_INVALID_PARAMETER for an overlapped socket if NULL or less than -2
    """
    packet = _packet(ts, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    ep = packet.endpoint()
    if not memory.is_null(ByteOffset):
        _offset(ep, ByteOffset)
    view = buffer(Buffer, dword(Length), True)
    return packet.run(Receive(ts, ep, [view]))


@native
def NtWriteFile(
    ts: ThreadState,
    FileHandle: int,
    Event: int,
    ApcRoutine: Any,
    ApcContext: Any,
    IoStatusBlock: Any,
    Buffer: Any,
    Length: int,
    ByteOffset: Any,
    Key: Any,
) -> int:
    """Send on a socket; see NtReadFile."""
    packet = _packet(ts, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    ep = packet.endpoint()
    _offset(ep, ByteOffset)
    return packet.run(Send(ts, ep, [memory.read(Buffer, dword(Length))]))


@native
def NtCancelIoFile(ts: ThreadState, FileHandle: int, IoStatusBlock: Any) -> int:
    """End what the calling thread has pending on a handle."""
    cancel_all(_target(ts, FileHandle), ts)
    memory.write(IoStatusBlock, bytes(BLOCK_SIZE))
    return 0


@native
def NtCancelIoFileEx(ts: ThreadState, FileHandle: int, IoRequestToCancel: Any, IoStatusBlock: Any) -> int:
    """End what any thread has pending on a handle: one request, by its status block, or, for NULL, all.

    STATUS_NOT_FOUND if there is none.
    """
    target = _target(ts, FileHandle)
    memory.writable(IoStatusBlock, BLOCK_SIZE)
    address = 0 if memory.is_null(IoRequestToCancel) else memory.address(IoRequestToCancel)
    status = 0 if cancel_all(target, None, address) else int(S.STATUS_NOT_FOUND)
    memory.write(IoStatusBlock, struct.pack("<QQ", status, 0))
    return status


def RtlNtStatusToDosError(Status: int) -> int:
    """The Win32 error of a status; 317 (ERROR_MR_MID_NOT_FOUND) if it has none."""
    try:
        return ntstatus_to_win32(dword(Status))
    except (TypeError, ValueError, OverflowError):
        return ntstatus_to_win32(int(S.STATUS_UNSUCCESSFUL))


# -- kernel32


@kernel(0)
def DeviceIoControl(
    ts: ThreadState,
    hDevice: int,
    dwIoControlCode: int,
    lpInBuffer: Any,
    nInBufferSize: int,
    lpOutBuffer: Any,
    nOutBufferSize: int,
    lpBytesReturned: Any,
    lpOverlapped: Any,
) -> int:
    """NtDeviceIoControlFile in Win32's terms; the OVERLAPPED's address is what a completion port gets.

    Without OVERLAPPED it waits for the end.  0 with ERROR_IO_PENDING while it goes on, or with the status' error.
    """
    source, output = (lpInBuffer, dword(nInBufferSize)), (lpOutBuffer, dword(nOutBufferSize))
    return device_control(ts, hDevice, dwIoControlCode, source, output, lpBytesReturned, lpOverlapped)


def device_control(
    ts: ThreadState,
    device: int,
    code: int,
    source: tuple[Any, int],
    output: tuple[Any, int],
    lpBytesReturned: Any,
    lpOverlapped: Any,
    sockets: Any = None,
) -> int:
    """DeviceIoControl; sockets: see Packet."""
    target = _target_32(ts, device)
    if memory.is_null(lpOverlapped):
        memory.writable(lpBytesReturned, 4)
        block = bytearray(BLOCK_SIZE)
        packet = Packet(ts, target, StatusBlock(block, ts.process), None, None, True, source, output, sockets)
        status = _driver.control(packet, dword(code))
        if status == S.STATUS_PENDING:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        transferred = int.from_bytes(block[8:12], "little")
    else:
        memory.writable(lpOverlapped, OVERLAPPED_SIZE)
        overlapped = Overlapped(lpOverlapped, ts.process)
        handle = overlapped.event
        event = event_object(ts, handle) if handle & ~3 else None
        packet = Packet(ts, target, overlapped, event, None, bool(handle & 1), source, output, sockets)
        status = _driver.control(packet, dword(code))
        if status == S.STATUS_PENDING:
            raise WinsockError(c.ERROR_IO_PENDING)
        transferred = memory.read_u64(_internal_high(lpOverlapped)) if not status else 0
    if status >> 31:
        raise WinsockError(ntstatus_to_win32(status))
    if not memory.is_null(lpBytesReturned):
        memory.write_u32(lpBytesReturned, transferred)
    return 1


def _internal_high(overlapped: Any) -> Any:
    return memory.address(overlapped) + 8


def _target_32(ts: ThreadState, handle: Any) -> Any:
    found = handle_object(ts, handle)
    if not isinstance(found, (Endpoint, Device)):
        raise WinsockError(c.ERROR_INVALID_FUNCTION)
    return found


@kernel(0)
def TerminateThread(ts: ThreadState, hThread: int, dwExitCode: int) -> int:
    """End another thread.  For Windows it is over at once; Python ends it when it next runs Python code.

    ERROR_ACCESS_DENIED for the calling and for the main thread, ERROR_INVALID_HANDLE.
    """
    state = object_of(ts, hThread, ThreadObject).state
    if state is ts or state.tid == threading.main_thread().native_id:
        raise WinsockError(c.ERROR_ACCESS_DENIED)
    if "ended" not in state.buffers:
        _leave_python(state)
    end_of_thread(state)
    state.ended()
    return 1


def _leave_python(state: ThreadState) -> None:
    """Raise SystemExit in a thread, if it is Python's.

    Not while a thread begins: until it runs, CPython 3.11 takes it for the thread that started it, and would end the
    new one, which may be the reactor's.
    """
    begins = threading.Event()
    while True:
        # Nobody starts a thread without these.
        with threading._active_limbo_lock, reactor(state.process).still() as still:  # type: ignore[attr-defined]
            threads = threading.enumerate()
            if still and all(thread.ident is not None for thread in threads):
                for thread in threads:
                    if thread.native_id == state.tid:
                        ident, error = ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
                        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)
                return
        begins.wait(0.001)
