"""Windows' libraries as programs call them through an FFI: the C-shaped faces, for handles of the Python-shaped one.

What a program has in its hands are descriptors of sockets and handles of _handles.  Here they are made those of the
core, and back.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from winsock import kernel32, ntdll, ws2_32
from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._receiving import Receive
from winsock.afd._sending import Send
from winsock.afd._structures import CANCELLED, SUCCESS
from winsock.api._buffers import buffer
from winsock.api._call import SOCKET_ERROR, dword, export
from winsock.api._kernel import kernel
from winsock.api._native import device_control
from winsock.api._overlapped import perform, start, store
from winsock.codes import NTSTATUS, WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.python import _handles, _pipes, _winapi
from winsock.python._endpoints import endpoints

HANDLE_SIZE = 8
BASE = frozenset({c.SIO_BASE_HANDLE, c.SIO_BSP_HANDLE_SELECT, c.SIO_BSP_HANDLE_POLL})
BROKEN = int(NTSTATUS.STATUS_PIPE_BROKEN)


# -- handles


def core_handle(handle: int) -> int:
    """The core's handle of a program's; 0, which is none, for a number that is none."""
    if handle >= _handles.FIRST:
        if handle in (c.INVALID_HANDLE_VALUE, c.CURRENT_THREAD):
            return handle
        ep = _pipe(handle)
        return handle - _handles.FIRST if ep is None else ep.handle
    found = endpoints.get(handle)
    return 0 if found is None else found.handle


def program_handle(handle: int) -> int:
    """The program's handle of the core's."""
    return handle if handle in (0, c.INVALID_HANDLE_VALUE) else handle + _handles.FIRST


def _pipe(handle: int) -> Endpoint | None:
    try:
        return _pipes.any_end(handle)
    except WinsockError:
        return None


# -- kernel32


@kernel(0)
def CloseHandle(ts: ThreadState, hObject: int) -> int:
    """CloseHandle(handle)"""
    ep = endpoints.get(hObject)
    if ep is not None:
        return kernel32.CloseHandle(ep.handle)
    _handles.close(hObject)
    return 1


def CreateIoCompletionPort(FileHandle: int, ExistingCompletionPort: int, CompletionKey: int, Threads: int) -> int:
    """CreateIoCompletionPort(handle, port, key, threads)"""
    port = core_handle(ExistingCompletionPort) if ExistingCompletionPort else 0
    return program_handle(kernel32.CreateIoCompletionPort(core_handle(FileHandle), port, CompletionKey, Threads))


def CreateFileW(*args: Any) -> int:
    """CreateFileW(name, ...)"""
    return program_handle(kernel32.CreateFileW(*args))


def CreateEventA(*args: Any) -> int:
    """CreateEventA(security, manual, signalled, name)"""
    return program_handle(kernel32.CreateEventA(*args))


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
    """DeviceIoControl(handle, code, input, size, output, size, count, overlapped); polls name descriptors."""
    source, output = (lpInBuffer, nInBufferSize), (lpOutBuffer, nOutBufferSize)
    device = core_handle(hDevice)
    return device_control(ts, device, dwIoControlCode, source, output, lpBytesReturned, lpOverlapped, endpoints)


class _PipeReceive(Receive):
    """The end of a pipe is a failure: a call that meets it at once fails, and no port is told."""

    ended = False

    def attempt(self) -> int | None:
        n = super().attempt()
        if n == 0 and self.room:
            self.ended = True
            raise WinsockError(c.ERROR_BROKEN_PIPE)
        return n

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        super().complete(BROKEN if self.ended else status, transferred, at_once)


class _PipeSend(Send):
    """Nobody who reads is a failure of its own."""

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        super().complete(status if status in (SUCCESS, CANCELLED) else BROKEN, transferred, at_once)


def _start(kind: Any, ts: ThreadState, ep: Endpoint, view: Any, count: Any, overlapped: Any, broken: int) -> int:
    """Begin it; without OVERLAPPED, wait for the end."""
    try:
        if not memory.is_null(overlapped):
            start(kind(ts, ep, [view], 0, overlapped), count)
            return 1
        request = kind(ts, ep, [view])
        perform(request)
        store(request, count)
    except WinsockError as e:
        raise WinsockError(e.code if e.code == WSA.WSA_IO_PENDING else broken) from None
    return 1


@kernel(0)
def ReadFile(ts: ThreadState, hFile: int, lpBuffer: Any, nBytes: int, lpRead: Any, lpOverlapped: Any) -> int:
    """ReadFile(handle, buffer, size, count, overlapped): also from a pipe"""
    ep = _pipe(hFile)
    if ep is None:
        return _passed(ts, kernel32.ReadFile(core_handle(hFile), lpBuffer, nBytes, lpRead, lpOverlapped))
    if _pipes.at_end(ep):
        raise WinsockError(c.ERROR_BROKEN_PIPE)
    view = buffer(lpBuffer, dword(nBytes), True)
    return _start(_PipeReceive, ts, ep, view, lpRead, lpOverlapped, c.ERROR_BROKEN_PIPE)


@kernel(0)
def WriteFile(ts: ThreadState, hFile: int, lpBuffer: Any, nBytes: int, lpWritten: Any, lpOverlapped: Any) -> int:
    """WriteFile(handle, data, size, count, overlapped): also to a pipe"""
    ep = _pipe(hFile)
    if ep is None:
        return _passed(ts, kernel32.WriteFile(core_handle(hFile), lpBuffer, nBytes, lpWritten, lpOverlapped))
    data = memory.read(lpBuffer, dword(nBytes))
    return _start(_PipeSend, ts, ep, data, lpWritten, lpOverlapped, c.ERROR_NO_DATA)


def _passed(ts: ThreadState, result: int) -> int:
    """The result of a face's call, which has set the last error already."""
    if not result:
        raise WinsockError(ts.last_error)
    return result


@kernel(c.WAIT_FAILED)
def WaitForSingleObject(ts: ThreadState, hHandle: int, dwMilliseconds: int) -> int:
    """WaitForSingleObject(handle, ms): also for a process"""
    return _winapi.wait((hHandle,), False, dword(dwMilliseconds))


@kernel(c.WAIT_FAILED)
def WaitForMultipleObjects(ts: ThreadState, nCount: int, lpHandles: Any, bWaitAll: int, dwMilliseconds: int) -> int:
    """WaitForMultipleObjects(count, handles, all, ms)"""
    n = dword(nCount)
    if not 0 < n <= _winapi.MAXIMUM_WAIT_OBJECTS:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    data = memory.read(lpHandles, n * HANDLE_SIZE)
    handles = [int.from_bytes(data[at : at + HANDLE_SIZE], "little") for at in range(0, len(data), HANDLE_SIZE)]
    return _winapi.wait(handles, bool(bWaitAll), dword(dwMilliseconds))


# -- ws2_32


@export(SOCKET_ERROR, startup=False)
def WSAIoctl(
    ts: ThreadState,
    s: int,
    dwIoControlCode: int,
    lpvInBuffer: Any,
    cbInBuffer: int,
    lpvOutBuffer: Any,
    cbOutBuffer: int,
    lpcbBytesReturned: Any,
    *how: Any,
) -> int:
    """WSAIoctl(descriptor, code, ...)"""
    ep = endpoints.get(operator.index(s))
    if ep is None:
        raise WinsockError(WSA.WSAENOTSOCK)
    based = dwIoControlCode in BASE
    if based and ep.procs.plain and cbOutBuffer >= HANDLE_SIZE and not any(how):
        memory.write_u64(lpvOutBuffer, s)  # a loop asks before each wait
        memory.write_u32(lpcbBytesReturned, HANDLE_SIZE)
        return 0
    do: Any = ws2_32.WSAIoctl
    data, output = (lpvInBuffer, cbInBuffer), (lpvOutBuffer, cbOutBuffer)
    result: int = do.__winsock__(ts, ep.handle, dwIoControlCode, *data, *output, lpcbBytesReturned, *how)
    if based and memory.read_u64(lpvOutBuffer) == ep.handle:
        memory.write_u64(lpvOutBuffer, s)
    return result


# -- who calls what

# Of each parameter: H a handle, C the core's handle of one, P a pointer, I a number.  The first is the result's.
Entry = tuple[str, Callable[..., Any]]

KERNEL32: dict[str, Entry] = {
    "CancelIoEx": ("ICP", kernel32.CancelIoEx),
    "CloseHandle": ("IH", CloseHandle),
    "CreateEventA": ("HPIIP", CreateEventA),
    "CreateFileW": ("HPIIPIIH", CreateFileW),
    "CreateIoCompletionPort": ("HHHII", CreateIoCompletionPort),
    "DeviceIoControl": ("IHIPIPIPP", DeviceIoControl),
    "GetQueuedCompletionStatusEx": ("ICPIPII", kernel32.GetQueuedCompletionStatusEx),
    "PostQueuedCompletionStatus": ("ICIIP", kernel32.PostQueuedCompletionStatus),
    "ReadFile": ("IHPIPP", ReadFile),
    "ResetEvent": ("IC", kernel32.ResetEvent),
    "SetEvent": ("IC", kernel32.SetEvent),
    "SetFileCompletionNotificationModes": ("ICI", kernel32.SetFileCompletionNotificationModes),
    "WaitForMultipleObjects": ("IIPII", WaitForMultipleObjects),
    "WaitForSingleObject": ("IHI", WaitForSingleObject),
    "WriteFile": ("IHPIPP", WriteFile),
}
NTDLL: dict[str, Entry] = {"RtlNtStatusToDosError": ("II", ntdll.RtlNtStatusToDosError)}
WS2_32: dict[str, Entry] = {
    "WSAGetLastError": ("I", ws2_32.WSAGetLastError),
    "WSAIoctl": ("IIIPIPIPPP", WSAIoctl),
}
LIBRARIES = MappingProxyType({"kernel32.dll": KERNEL32, "ntdll.dll": NTDLL, "ws2_32.dll": WS2_32})
