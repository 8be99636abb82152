"""The part of `_winapi` and `msvcrt` that networking code of CPython uses."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.afd._requests import requests_of
from winsock.codes import WinsockError
from winsock.nt import current
from winsock.nt._objects import Event, Waitable
from winsock.nt._waits import wait_for
from winsock.python import _handles, _pipes, _starts
from winsock.python._handles import INVALID
from winsock.python._oserror import face
from winsock.python._versions import WINAPI_NAMES, later

PIPE_UNLIMITED_INSTANCES = 255
PIPE_WAIT, PIPE_NOWAIT = 0, 1
FILE_FLAG_FIRST_PIPE_INSTANCE = 0x00080000

CONSTANTS = {
    "NULL": 0,
    "INFINITE": c.INFINITE,
    "INVALID_HANDLE_VALUE": INVALID,
    "WAIT_OBJECT_0": c.WAIT_OBJECT_0,
    "WAIT_ABANDONED_0": 0x80,
    "WAIT_TIMEOUT": c.WAIT_TIMEOUT,
    "GENERIC_READ": c.GENERIC_READ,
    "GENERIC_WRITE": c.GENERIC_WRITE,
    "OPEN_EXISTING": c.OPEN_EXISTING,
    "FILE_FLAG_FIRST_PIPE_INSTANCE": FILE_FLAG_FIRST_PIPE_INSTANCE,
    "FILE_FLAG_OVERLAPPED": c.FILE_FLAG_OVERLAPPED,
    "FILE_GENERIC_READ": 0x00120089,
    "FILE_GENERIC_WRITE": 0x00120116,
    "PIPE_ACCESS_INBOUND": 1,
    "PIPE_ACCESS_DUPLEX": 3,
    "PIPE_WAIT": PIPE_WAIT,
    "PIPE_TYPE_MESSAGE": 4,
    "PIPE_READMODE_MESSAGE": 2,
    "PIPE_UNLIMITED_INSTANCES": PIPE_UNLIMITED_INSTANCES,
    "NMPWAIT_WAIT_FOREVER": 0xFFFFFFFF,
    "ERROR_SUCCESS": c.ERROR_SUCCESS,
    "ERROR_ACCESS_DENIED": c.ERROR_ACCESS_DENIED,
    "ERROR_IO_PENDING": c.ERROR_IO_PENDING,
    "ERROR_BROKEN_PIPE": c.ERROR_BROKEN_PIPE,
    "ERROR_MORE_DATA": c.ERROR_MORE_DATA,
    "ERROR_NETNAME_DELETED": c.ERROR_NETNAME_DELETED,
    "ERROR_NO_DATA": c.ERROR_NO_DATA,
    "ERROR_OPERATION_ABORTED": c.ERROR_OPERATION_ABORTED,
    "ERROR_PIPE_BUSY": c.ERROR_PIPE_BUSY,
    "ERROR_PIPE_CONNECTED": c.ERROR_PIPE_CONNECTED,
    "ERROR_SEM_TIMEOUT": c.ERROR_SEM_TIMEOUT,
}

MAXIMUM_WAIT_OBJECTS = 64
BATCH = MAXIMUM_WAIT_OBJECTS - 1  # one is for Ctrl+C
MAXIMUM_BATCHED = BATCH * BATCH


@face
def CloseHandle(handle: int, /) -> None:
    """CloseHandle(handle)"""
    _handles.close(handle)


@face
def CreateNamedPipe(
    name: str, open_mode: int, pipe_mode: int, max_instances: int, out_size: int, in_size: int, timeout: int,
    security_attributes: int, /,
) -> int:  # fmt: skip
    """CreateNamedPipe(name, open_mode, ...): a server's instance of a pipe, within this process."""
    limit = max_instances if max_instances < PIPE_UNLIMITED_INSTANCES else 1 << 30
    first, overlapped = bool(open_mode & FILE_FLAG_FIRST_PIPE_INSTANCE), bool(open_mode & c.FILE_FLAG_OVERLAPPED)
    return _handles.make(_pipes.create(name, first, limit, overlapped, timeout))


@face
def CreateFile(
    file_name: str, desired_access: int, share_mode: int, security_attributes: int, creation_disposition: int,
    flags_and_attributes: int, template_file: int, /,
) -> int:  # fmt: skip
    """CreateFile(name, ...): the client's end of a pipe."""
    return _handles.make(_pipes.connect(file_name, bool(flags_and_attributes & c.FILE_FLAG_OVERLAPPED)))


class Overlapped:
    """What this module's overlapped calls return."""

    def __init__(self) -> None:
        self._inner = _starts.Overlapped()
        self._data: Any = None

    @property
    def event(self) -> int:
        """the event's handle"""
        handle: int = self._inner.event
        return handle

    def GetOverlappedResult(self, wait: bool, /) -> tuple[int, int]:
        """GetOverlappedResult(wait): (bytes, error)"""
        try:
            value = self._inner.getresult(bool(wait))
        except OSError as e:
            code: int = e.winerror  # type: ignore[attr-defined]
            if code in (c.ERROR_IO_INCOMPLETE, c.ERROR_OPERATION_ABORTED, c.ERROR_MORE_DATA):
                return 0, code
            raise
        self._data = value if isinstance(value, bytes) else None
        return (len(value) if isinstance(value, bytes) else int(value or 0)), self._inner.error

    def getbuffer(self) -> bytes | None:
        """getbuffer(): what was read"""
        data: bytes | None = self._data
        return data

    def cancel(self) -> None:
        """cancel()"""
        self._inner.cancel()


@face
def ConnectNamedPipe(handle: int, overlapped: bool = False) -> Overlapped | None:
    """ConnectNamedPipe(handle, overlapped=False): wait for a client."""
    result = Overlapped()
    server = _handles.find(handle, _pipes.Server)
    if server.connected:
        if _pipes.peer_gone(server):
            raise WinsockError(c.ERROR_NO_DATA)
        result._inner._ended(requests_of(server.ep), 0, 0)
    else:
        result._inner.ConnectNamedPipe(handle)
    if overlapped:
        return result
    result.GetOverlappedResult(True)
    return None


def _begun(result: Overlapped) -> tuple[Overlapped, int]:
    return result, c.ERROR_IO_PENDING if result._inner.pending else 0


@face
def ReadFile(handle: int, size: int, overlapped: bool = False) -> tuple[Any, int]:
    """ReadFile(handle, size, overlapped=False): (bytes or Overlapped, error)"""
    result = Overlapped()
    result._inner.ReadFile(handle, size)
    if overlapped:
        return _begun(result)
    _, error = result.GetOverlappedResult(True)
    return result.getbuffer(), error


@face
def WriteFile(handle: int, buffer: Any, overlapped: bool = False) -> tuple[Any, int]:
    """WriteFile(handle, data, overlapped=False): (bytes written or Overlapped, error)"""
    result = Overlapped()
    result._inner.WriteFile(handle, buffer)
    if overlapped:
        return _begun(result)
    return result.GetOverlappedResult(True)


@face
def PeekNamedPipe(handle: int, size: int = 0, /) -> tuple[int, int] | tuple[bytes, int, int]:
    """PeekNamedPipe(handle, size=0): (bytes there, 0), or (at most size of them, bytes there, 0); they stay there.

    The last number, what is left of a message, is 0 on a pipe of bytes.  ERROR_BROKEN_PIPE when the other end is
    closed and everything read, 230 (ERROR_BAD_PIPE) before a client has come.
    """
    if size < 0:
        raise ValueError("negative size")
    there, data = _pipes.peek(handle, size)
    return (data, there, 0) if size else (there, 0)


@face
def SetNamedPipeHandleState(
    named_pipe: int, mode: int | None, max_collection_count: int | None, collect_data_timeout: int | None, /
) -> None:
    """SetNamedPipeHandleState(handle, mode, count, timeout): a pipe of bytes whose calls wait; nothing else here.

    ERROR_INVALID_PARAMETER for PIPE_READMODE_MESSAGE, as of any pipe of bytes; ERROR_NOT_SUPPORTED for PIPE_NOWAIT.
    What collects data for another computer has no effect.
    """
    _handles.find(named_pipe, _pipes.End)
    if mode is not None and mode != PIPE_WAIT:
        raise WinsockError(c.ERROR_NOT_SUPPORTED if mode == PIPE_NOWAIT else c.ERROR_INVALID_PARAMETER)


@face
def WaitNamedPipe(name: str, timeout: int, /) -> None:
    """WaitNamedPipe(name, ms): wait until CreateFile finds an instance of the pipe free.

    timeout    ms; 0 for what CreateNamedPipe was told, 0xFFFFFFFF for ever

    ERROR_FILE_NOT_FOUND when there is no such pipe (also: no more), ERROR_SEM_TIMEOUT.
    """
    vacancy = _pipes.vacancy(name)
    limit = vacancy.default_wait if timeout == 0 else timeout
    if _wait([vacancy], False, limit) == c.WAIT_TIMEOUT:
        raise WinsockError(c.ERROR_SEM_TIMEOUT)
    _pipes.vacancy(name)  # or the last instance is gone


# -- events and waits


@face
def CreateEventW(security_attributes: int, manual_reset: bool, initial_state: bool, name: str | None) -> int:
    """CreateEventW(0, manual, initial, name): the handle of a new event, or of this process' event of that name."""
    from winsock import kernel32  # loads much that few programs need

    return _handles.FIRST + kernel32.CreateEventW(security_attributes, bool(manual_reset), bool(initial_state), name)


@face
def OpenEventW(desired_access: int, inherit_handle: bool, name: str) -> int:
    """OpenEventW(access, inherit, name): a handle of this process' event of that name; ERROR_FILE_NOT_FOUND."""
    from winsock.api._events import named_event

    return _handles.make(named_event(current().process, name))


@face
def SetEvent(event: int) -> None:
    """SetEvent(event)"""
    _handles.find(event, Event).set()


@face
def ResetEvent(event: int) -> None:
    """ResetEvent(event)"""
    _handles.find(event, Event).reset()


@face
def WaitForSingleObject(handle: int, milliseconds: int, /) -> int:
    """WaitForSingleObject(handle, ms): WAIT_OBJECT_0 or WAIT_TIMEOUT"""
    return wait([handle], False, milliseconds)


@face
def WaitForMultipleObjects(handle_seq: Sequence[int], wait_flag: bool, milliseconds: int = c.INFINITE, /) -> int:
    """WaitForMultipleObjects(handles, all, ms=INFINITE): WAIT_OBJECT_0 + index, or WAIT_TIMEOUT"""
    _check_number(handle_seq, BATCH)
    return wait(handle_seq, bool(wait_flag), milliseconds)


@face
def BatchedWaitForMultipleObjects(
    handle_seq: Sequence[int], wait_all: bool, milliseconds: int = c.INFINITE
) -> list[int] | None:
    """BatchedWaitForMultipleObjects(handles, all, ms=INFINITE): the same for up to 3969; since Python 3.13.

    None when all are signalled; else the indices of some that are, at most one of 63 that stand together.
    WAIT_TIMEOUT is an error.
    """
    _check_number(handle_seq, MAXIMUM_BATCHED)
    if not handle_seq:
        return None if wait_all else []
    objects = [_handles.waitable(handle) for handle in handle_seq]
    first = _wait(objects, bool(wait_all), milliseconds)
    if first == c.WAIT_TIMEOUT:
        raise WinsockError(c.WAIT_TIMEOUT)
    if wait_all:
        return None
    found = [first]
    for start in range(0, len(objects), BATCH):
        if start <= first < start + BATCH:
            continue
        index = _wait(objects[start : start + BATCH], False, 0)
        if index != c.WAIT_TIMEOUT:
            found.append(start + index)
    return sorted(found)


def _check_number(handles: Sequence[int], limit: int) -> None:
    if not hasattr(type(handles), "__getitem__") or isinstance(handles, dict):
        raise TypeError(f"sequence type expected, got '{type(handles).__name__}'")
    if len(handles) > limit:
        raise ValueError(f"need at most {limit} handles, got a sequence of length {len(handles)}")


def wait(handles: Sequence[int], together: bool, milliseconds: int) -> int:
    """Wait for one of these handles, or for all of them together: WAIT_OBJECT_0 + index, or WAIT_TIMEOUT."""
    return _wait([_handles.waitable(handle) for handle in handles], together, milliseconds)


def _wait(objects: Sequence[Waitable], together: bool, milliseconds: int) -> int:
    ts = current()
    reactor = _handles.reactor(ts)
    for obj in objects:
        watch = getattr(obj, "watch", None)
        if watch is not None:
            watch(reactor)
    timeout = None if milliseconds == c.INFINITE else float(milliseconds)
    return wait_for(ts, reactor, objects, together, timeout, False)


@face
def GetCurrentProcess() -> int:
    """GetCurrentProcess()"""
    return INVALID


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    BatchedWaitForMultipleObjects, CloseHandle, ConnectNamedPipe, CreateEventW, CreateFile, CreateNamedPipe,
    GetCurrentProcess, OpenEventW, PeekNamedPipe, ReadFile, ResetEvent, SetEvent, SetNamedPipeHandleState,
    WaitForMultipleObjects, WaitForSingleObject, WaitNamedPipe, WriteFile,
)  # fmt: skip


def make_module() -> ModuleType:
    """A fresh `_winapi`."""
    module = ModuleType("_winapi", __doc__)
    not_yet = later(WINAPI_NAMES)
    module.__dict__.update(CONSTANTS)
    module.__dict__.update({f.__name__: f for f in FUNCTIONS if f.__name__ not in not_yet})
    module.__dict__["Overlapped"] = Overlapped
    return module


def process_handle(popen: Any) -> int:
    """The handle of a subprocess.Popen's process; closed with the object."""
    handle: int | None = popen.__dict__.get("_process_handle")
    if handle is None:
        handle = popen.__dict__["_process_handle"] = _handles.make(_pipes.ProcessObject(popen.pid))
        weakref.finalize(popen, _close_quietly, handle)
    return handle


def _close_quietly(handle: int) -> None:
    try:
        _handles.close(handle)
    except WinsockError:
        pass
