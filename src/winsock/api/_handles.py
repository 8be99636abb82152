"""DuplicateHandle."""

from __future__ import annotations

import operator
from typing import Any

from winsock import spi
from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.api._call import dword
from winsock.api._kernel import CloseHandle, ThreadObject, handle_object, kernel, object_of
from winsock.codes import WinsockError
from winsock.nt import Process, ThreadState, memory
from winsock.nt._completion import CompletionPort
from winsock.nt._files import FileObject
from winsock.transports import TransportSocket


class RawSocket:
    """Another handle of a socket, which Winsock does not know: it keeps the connection open, and that is all."""

    __slots__ = ("transport",)

    def __init__(self, transport: TransportSocket) -> None:
        self.transport = transport

    def close(self) -> None:
        """The handle is gone."""
        self.transport.finish()


@kernel(0)
def DuplicateHandle(
    ts: ThreadState,
    hSourceProcessHandle: int,
    hSourceHandle: int,
    hTargetProcessHandle: int,
    lpTargetHandle: Any,
    dwDesiredAccess: int,
    bInheritHandle: int,
    dwOptions: int,
) -> int:
    """Another handle to the same object: an event, a completion port, a thread, a process.

    A socket's duplicate is not a SOCKET: Winsock's calls refuse it (WSAENOTSOCK); WSADuplicateSocket makes those.
    Both processes have to be the caller's own.  ERROR_INVALID_HANDLE; ERROR_NOT_SUPPORTED for files.
    Source: document, fact.
    """
    if any(object_of(ts, h, Process) is not ts.process for h in (hSourceProcessHandle, hTargetProcessHandle)):
        raise WinsockError(c.ERROR_ACCESS_DENIED)
    found = handle_object(ts, hSourceHandle)
    memory.writable(lpTargetHandle, 8)
    if isinstance(found, FileObject):
        raise WinsockError(c.ERROR_NOT_SUPPORTED)
    if isinstance(found, (Endpoint, RawSocket)):
        found = RawSocket(found.transport.duplicate())
    elif isinstance(found, ThreadObject):
        found = ThreadObject(found.state)
    elif isinstance(found, CompletionPort):
        found.handles += 1
    handle = ts.process.handles.add(found)
    try:
        memory.write_u64(lpTargetHandle, handle)
    except WinsockError:
        CloseHandle(handle)
        raise
    if dword(dwOptions) & c.DUPLICATE_CLOSE_SOURCE:
        number = operator.index(hSourceHandle)
        if number in ts.process.sockets:
            spi.close_socket(ts.process, number)
        else:
            ts.process.handles.remove(number)
    return 1
