"""The part of `_winapi` and `msvcrt` that networking code of CPython uses."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.afd._requests import requests_of
from winsock.codes import WinsockError
from winsock.nt import current
from winsock.nt._waits import wait_for
from winsock.python import _handles, _operation, _pipes
from winsock.python._handles import INVALID
from winsock.python._oserror import face

PIPE_UNLIMITED_INSTANCES = 255
FILE_FLAG_FIRST_PIPE_INSTANCE = 0x00080000
FILE_FLAG_OVERLAPPED = 0x40000000

CONSTANTS = {
    "NULL": 0,
    "INFINITE": c.INFINITE,
    "INVALID_HANDLE_VALUE": INVALID,
    "WAIT_OBJECT_0": 0,
    "WAIT_ABANDONED_0": 0x80,
    "WAIT_TIMEOUT": c.WAIT_TIMEOUT,
    "GENERIC_READ": 0x80000000,
    "GENERIC_WRITE": 0x40000000,
    "OPEN_EXISTING": 3,
    "FILE_FLAG_FIRST_PIPE_INSTANCE": FILE_FLAG_FIRST_PIPE_INSTANCE,
    "FILE_FLAG_OVERLAPPED": FILE_FLAG_OVERLAPPED,
    "FILE_GENERIC_READ": 0x00120089,
    "FILE_GENERIC_WRITE": 0x00120116,
    "PIPE_ACCESS_INBOUND": 1,
    "PIPE_ACCESS_DUPLEX": 3,
    "PIPE_WAIT": 0,
    "PIPE_TYPE_MESSAGE": 4,
    "PIPE_READMODE_MESSAGE": 2,
    "PIPE_UNLIMITED_INSTANCES": PIPE_UNLIMITED_INSTANCES,
    "NMPWAIT_WAIT_FOREVER": 0xFFFFFFFF,
    "ERROR_SUCCESS": 0,
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
    first, overlapped = bool(open_mode & FILE_FLAG_FIRST_PIPE_INSTANCE), bool(open_mode & FILE_FLAG_OVERLAPPED)
    return _handles.make(_pipes.create(name, first, limit, overlapped))


@face
def CreateFile(
    file_name: str, desired_access: int, share_mode: int, security_attributes: int, creation_disposition: int,
    flags_and_attributes: int, template_file: int, /,
) -> int:  # fmt: skip
    """CreateFile(name, ...): the client's end of a pipe."""
    return _handles.make(_pipes.connect(file_name, bool(flags_and_attributes & FILE_FLAG_OVERLAPPED)))


class Overlapped:
    """What this module's overlapped calls return."""

    def __init__(self) -> None:
        self._inner = _operation.Overlapped()
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
def WaitForSingleObject(handle: int, milliseconds: int, /) -> int:
    """WaitForSingleObject(handle, ms): WAIT_OBJECT_0 or WAIT_TIMEOUT"""
    return wait([handle], False, milliseconds)


@face
def WaitForMultipleObjects(handle_seq: Sequence[int], wait_flag: bool, milliseconds: int = c.INFINITE, /) -> int:
    """WaitForMultipleObjects(handles, all, ms=INFINITE): WAIT_OBJECT_0 + index, or WAIT_TIMEOUT"""
    if len(handle_seq) > MAXIMUM_WAIT_OBJECTS:
        raise ValueError(f"need at most {MAXIMUM_WAIT_OBJECTS} handles, got a sequence of length {len(handle_seq)}")
    return wait(handle_seq, bool(wait_flag), milliseconds)


def wait(handles: Sequence[int], together: bool, milliseconds: int) -> int:
    """Wait for one of these handles, or for all of them together: WAIT_OBJECT_0 + index, or WAIT_TIMEOUT."""
    ts = current()
    reactor = _handles.reactor(ts)
    objects = [_handles.waitable(handle) for handle in handles]
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
    CloseHandle, ConnectNamedPipe, CreateFile, CreateNamedPipe, GetCurrentProcess, ReadFile, WaitForMultipleObjects,
    WaitForSingleObject, WriteFile,
)  # fmt: skip


def make_module() -> ModuleType:
    """A fresh `_winapi`."""
    module = ModuleType("_winapi", __doc__)
    module.__dict__.update(CONSTANTS)
    module.__dict__.update({function.__name__: function for function in FUNCTIONS})
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


# -- msvcrt


@face
def open_osfhandle(handle: int, flags: int, /) -> int:
    """open_osfhandle(handle, flags): a descriptor for a pipe's handle, which is closed with it."""
    end = _handles.find(handle, _pipes.End)
    fd = os.dup(end.ep.transport.fileno())
    os.set_blocking(fd, True)
    _handles.close(handle)
    return fd


@face
def get_osfhandle(fd: int, /) -> int:
    """get_osfhandle(fd): the handle of a file, here the descriptor itself."""
    try:
        os.fstat(fd)
    except OSError:
        raise WinsockError(c.ERROR_INVALID_HANDLE) from None
    return fd


def make_msvcrt() -> ModuleType:
    """A fresh `msvcrt`."""
    module = ModuleType("msvcrt", "The part of msvcrt that networking code uses.")
    module.__dict__.update(open_osfhandle=open_osfhandle, get_osfhandle=get_osfhandle)
    return module
