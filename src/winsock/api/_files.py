"""kernel32's files: temporary names, opening, reading, writing.  Paths are the host's own."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._receiving import Receive
from winsock.afd._request import Request
from winsock.afd._sending import Send
from winsock.afd._structures import FLAGS_AT, HANDLE_AT, OVERLAPPED_SIZE
from winsock.api._buffers import buffer
from winsock.api._call import INVALID_SOCKET, dword
from winsock.api._events import event_object
from winsock.api._kernel import handle_object, kernel, object_of
from winsock.api._overlapped import start
from winsock.api._ports import ASSOCIATIONS
from winsock.codes import WSA, WinsockError, ntstatus_to_win32, wsa_to_ntstatus
from winsock.nt import ThreadState, memory
from winsock.nt._files import FileObject, file_error

INVALID_HANDLE_VALUE = INVALID_SOCKET
DONE = struct.Struct("<QQ")  # OVERLAPPED: Internal, InternalHigh
_ROOTS = "\\\\.\\globalroot", "\\\\?\\globalroot"  # the object manager's names, among which is AFD


def _string(ptr: Any, wide: bool) -> str:
    return memory.wstring(ptr) if wide else os.fsdecode(memory.cstring(ptr))


def _store(text: str, ptr: Any, wide: bool) -> None:
    memory.write(ptr, (text + "\0").encode("utf-16-le", "surrogatepass") if wide else os.fsencode(text) + b"\0")


def _temp_path(room: int, ptr: Any, wide: bool) -> int:
    folder = os.path.join(tempfile.gettempdir(), "")
    n = len(folder) if wide else len(os.fsencode(folder))
    if room <= n:
        return n + 1
    _store(folder, ptr, wide)
    return n


@kernel(0)
def GetTempPathA(ts: ThreadState, nBufferLength: int, lpBuffer: Any) -> int:
    """The folder for temporary files, with its closing slash: characters, or those needed with the NUL."""
    return _temp_path(dword(nBufferLength), lpBuffer, False)


@kernel(0)
def GetTempPathW(ts: ThreadState, nBufferLength: int, lpBuffer: Any) -> int:
    """The same in UTF-16."""
    return _temp_path(dword(nBufferLength), lpBuffer, True)


def _temp_name(folder: Any, prefix: Any, unique: int, name: Any, wide: bool) -> int:
    memory.writable(name, 1)
    where, start = _string(folder, wide), _string(prefix, wide)[:3]
    if unique:
        _store(os.path.join(where, f"{start}{unique & 0xFFFF:x}.TMP"), name, wide)
        return unique & 0xFFFF
    try:
        fd, path = tempfile.mkstemp(".TMP", start, where)
    except OSError as e:
        raise file_error(e) from None
    os.close(fd)
    _store(path, name, wide)
    return 1


@kernel(0)
def GetTempFileNameA(ts: ThreadState, lpPathName: Any, lpPrefixString: Any, uUnique: int, lpTempFileName: Any) -> int:
    """A file name of MAX_PATH characters at most in a folder; with uUnique 0 the file is made, empty."""
    return _temp_name(lpPathName, lpPrefixString, dword(uUnique), lpTempFileName, False)


@kernel(0)
def GetTempFileNameW(ts: ThreadState, lpPathName: Any, lpPrefixString: Any, uUnique: int, lpTempFileName: Any) -> int:
    """The same in UTF-16."""
    return _temp_name(lpPathName, lpPrefixString, dword(uUnique), lpTempFileName, True)


def _create(ts: ThreadState, name: str, access: int, disposition: int, flags: int) -> int:
    for prefix in _ROOTS:
        if name.lower().startswith(prefix):
            from winsock.api import _driver

            if _driver.is_device(name[len(prefix) :]):
                return _driver.open_device(ts)
            raise WinsockError(c.ERROR_FILE_NOT_FOUND)
    return ts.process.handles.add(FileObject(name, dword(access), dword(disposition), dword(flags)))


@kernel(INVALID_HANDLE_VALUE)
def CreateFileA(
    ts: ThreadState,
    lpFileName: Any,
    dwDesiredAccess: int,
    dwShareMode: int,
    lpSecurityAttributes: Any,
    dwCreationDisposition: int,
    dwFlagsAndAttributes: int,
    hTemplateFile: Any,
) -> int:
    r"""Open or create a file.  Sharing modes and security are not kept: Linux has none of that kind.

    \\.\GLOBALROOT\Device\Afd, with any suffix, is AFD: see ntdll.NtOpenFile.
    """
    return _create(ts, _string(lpFileName, False), dwDesiredAccess, dwCreationDisposition, dwFlagsAndAttributes)


@kernel(INVALID_HANDLE_VALUE)
def CreateFileW(
    ts: ThreadState,
    lpFileName: Any,
    dwDesiredAccess: int,
    dwShareMode: int,
    lpSecurityAttributes: Any,
    dwCreationDisposition: int,
    dwFlagsAndAttributes: int,
    hTemplateFile: Any,
) -> int:
    """The same with a UTF-16 name."""
    return _create(ts, _string(lpFileName, True), dwDesiredAccess, dwCreationDisposition, dwFlagsAndAttributes)


def _no_count(count: Any) -> None:
    if not memory.is_null(count):
        memory.write_u32(count, 0)


def _transfer(ep: Endpoint, overlapped: Any, count: Any, make: Callable[[], Request]) -> int:
    """ReadFile or WriteFile on a socket: whatever its blocking mode, it waits or is pending (fact).

    ERROR_INVALID_PARAMETER without an OVERLAPPED on a socket that is an overlapped one (fact); Win32's errors instead
    of Winsock's.
    """
    if memory.is_null(overlapped) and ep.flags & c.WSA_FLAG_OVERLAPPED:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    try:
        start(make(), count)
    except WinsockError as e:
        if e.code == WSA.WSA_IO_PENDING:
            raise
        raise WinsockError(ntstatus_to_win32(wsa_to_ntstatus(e.code))) from None
    return 1


def _finish(ts: ThreadState, target: FileObject, overlapped: Any, count: Any, action: Callable[[int], int]) -> int:
    """Do it at once, at the OVERLAPPED's offset, and tell event and completion port; a failure is told to nobody."""
    memory.writable(overlapped, OVERLAPPED_SIZE)
    offset = memory.read_u64(memory.address(overlapped) + FLAGS_AT)
    handle = memory.read_u64(memory.address(overlapped) + HANDLE_AT)
    event = event_object(ts, handle) if handle & ~3 else None
    if event is not None:
        event.reset()
    n = action(offset)
    memory.write(overlapped, DONE.pack(0, n))
    if not memory.is_null(count):
        memory.write_u32(count, n)
    if event is not None:
        event.set()
    association = (ts.process.services.get(ASSOCIATIONS) or {}).get(target)
    if association is not None and not (handle & 1 or target.modes & c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS):
        port, key = association
        port.post((0, n, key, memory.address(overlapped)))
    return 1


@kernel(0)
def WriteFile(ts: ThreadState, hFile: int, lpBuffer: Any, nBytes: int, lpWritten: Any, lpOverlapped: Any) -> int:
    """Write to a file, with OVERLAPPED at its offset; or send on a connected socket (see _transfer).

    With a file it is over when the call returns.  The count is 0 first of all (document).
    """
    _no_count(lpWritten)
    target = handle_object(ts, hFile)
    if isinstance(target, Endpoint):
        views = [memory.read(lpBuffer, dword(nBytes))]
        return _transfer(
            target,
            lpOverlapped,
            lpWritten,
            lambda: Send(ts, target, views, 0, None if memory.is_null(lpOverlapped) else lpOverlapped),
        )
    file = object_of(ts, hFile, FileObject)
    if not memory.is_null(lpOverlapped):
        data = memory.read(lpBuffer, dword(nBytes))
        return _finish(ts, file, lpOverlapped, lpWritten, lambda offset: file.write_at(offset, data))
    n = file.write(memory.read(lpBuffer, dword(nBytes)))
    if not memory.is_null(lpWritten):
        memory.write_u32(lpWritten, n)
    return 1


@kernel(0)
def ReadFile(ts: ThreadState, hFile: int, lpBuffer: Any, nBytes: int, lpRead: Any, lpOverlapped: Any) -> int:
    """Read from a file, or receive from a socket (see _transfer); 0 bytes at its end.

    With OVERLAPPED, a file is read at its offset, and that is over when the call returns: ERROR_HANDLE_EOF there.
    The count is 0 first of all (document).
    """
    _no_count(lpRead)
    source = handle_object(ts, hFile)
    if isinstance(source, Endpoint):
        view = buffer(lpBuffer, dword(nBytes), True)
        return _transfer(
            source,
            lpOverlapped,
            lpRead,
            lambda: Receive(ts, source, [view], 0, None if memory.is_null(lpOverlapped) else lpOverlapped),
        )
    file = object_of(ts, hFile, FileObject)
    if dword(nBytes):
        memory.writable(lpBuffer, dword(nBytes))
    if not memory.is_null(lpOverlapped):

        def read(offset: int) -> int:
            got = file.read_at(offset, dword(nBytes))
            memory.write(lpBuffer, got)
            return len(got)

        return _finish(ts, file, lpOverlapped, lpRead, read)
    data = file.read(dword(nBytes))
    memory.write(lpBuffer, data)
    if not memory.is_null(lpRead):
        memory.write_u32(lpRead, len(data))
    return 1


@kernel(c.INVALID_SET_FILE_POINTER)
def SetFilePointer(ts: ThreadState, hFile: int, lDistance: int, lpDistanceHigh: Any, dwMoveMethod: int) -> int:
    """Move a file's position: its low 32 bits, the high ones into lpDistanceHigh."""
    low = dword(lDistance)
    if memory.is_null(lpDistanceHigh):
        distance = low - (1 << 32) if low >> 31 else low
    else:
        distance = memory.read_i32(lpDistanceHigh) << 32 | low
    at = object_of(ts, hFile, FileObject).seek(distance, dword(dwMoveMethod))
    if not memory.is_null(lpDistanceHigh):
        memory.write_u32(lpDistanceHigh, at >> 32)
    return at & 0xFFFFFFFF
