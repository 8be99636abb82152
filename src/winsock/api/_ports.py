"""kernel32's completion ports: making them, associating handles, posting and taking packets.

Overlapped requests on sockets post to the port of their handle; here are the ports themselves.
"""

from __future__ import annotations

import operator
from typing import Any
from weakref import WeakKeyDictionary

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.api._call import INVALID_SOCKET, dword
from winsock.api._kernel import MASK, handle_object, kernel
from winsock.codes import WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._completion import CompletionPort, Packet
from winsock.nt._files import FileObject
from winsock.transports.host import HOST

ASSOCIATIONS = "completion ports"  # in Process.services: {what the handle stands for: (port, key)}


def _port(ts: ThreadState, handle: Any) -> CompletionPort:
    found = handle_object(ts, handle)
    if not isinstance(found, CompletionPort):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    return found


@kernel(0)
def CreateIoCompletionPort(
    ts: ThreadState, FileHandle: int, ExistingCompletionPort: int, CompletionKey: int, NumberOfConcurrentThreads: int
) -> int:
    """A new completion port, or the association of a socket or file with one, until that handle closes.

    FileHandle              INVALID_HANDLE_VALUE to make a port only
    ExistingCompletionPort  NULL to make a new one
    CompletionKey           comes back with each packet of this handle

    0 and ERROR_INVALID_PARAMETER for a handle that has a port already, ERROR_INVALID_HANDLE.
    The limit of concurrent threads is not enforced.
    """
    number = operator.index(FileHandle) & MASK
    given = None if memory.is_null(ExistingCompletionPort) else _port(ts, ExistingCompletionPort)
    if number == INVALID_SOCKET:
        if given is not None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        return ts.process.handles.add(CompletionPort())
    target = handle_object(ts, number)
    if not isinstance(target, (Endpoint, FileObject)):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    with ts.process.lock:
        associations = ts.process.services.setdefault(ASSOCIATIONS, WeakKeyDictionary())
        if target in associations:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        port = given if given is not None else CompletionPort()
        result = operator.index(ExistingCompletionPort) & MASK if given is not None else ts.process.handles.add(port)
        associations[target] = (port, operator.index(CompletionKey) & MASK)
    return result


@kernel(0)
def PostQueuedCompletionStatus(
    ts: ThreadState, CompletionPort: int, dwNumberOfBytesTransferred: int, dwCompletionKey: int, lpOverlapped: Any
) -> int:
    """Queue a packet with these values; nothing looks at them."""
    key = operator.index(dwCompletionKey) & MASK
    _port(ts, CompletionPort).post(Packet(dword(dwNumberOfBytesTransferred), key, memory.address(lpOverlapped)))
    return 1


@kernel(0)
def GetQueuedCompletionStatus(
    ts: ThreadState,
    CompletionPort: int,
    lpNumberOfBytesTransferred: Any,
    lpCompletionKey: Any,
    lpOverlapped: Any,
    dwMilliseconds: int,
) -> int:
    """Wait for a packet: its values, and 0 with the last error if the operation it tells of had failed.

    0 with lpOverlapped NULL and WAIT_TIMEOUT when the time (ms) is up, ERROR_ABANDONED_WAIT_0 when the port is
    closed meanwhile, ERROR_INVALID_HANDLE.
    """
    port = _port(ts, CompletionPort)
    for ptr, n in ((lpNumberOfBytesTransferred, 4), (lpCompletionKey, 8), (lpOverlapped, 8)):
        memory.writable(ptr, n)
    packet = _wait(ts, port, dword(dwMilliseconds))
    if isinstance(packet, int):
        memory.write_u64(lpOverlapped, 0)
        raise WinsockError(packet)
    memory.write_u32(lpNumberOfBytesTransferred, packet.transferred)
    memory.write_u64(lpCompletionKey, packet.key)
    memory.write_u64(lpOverlapped, packet.overlapped)
    if packet.error:
        raise WinsockError(packet.error)
    return 1


def _wait(ts: ThreadState, port: CompletionPort, ms: int) -> Packet | int:
    """A packet, or the code for none."""
    packet = port.take()
    if packet is not None or not ms:
        return packet or c.WAIT_TIMEOUT
    network: Any = ts.process.transport or HOST
    end = None if ms == c.INFINITE else network.now() + ms
    before, ts.wake = ts.wake, network.prepare(ts)
    port.enter(ts)
    try:
        while True:
            packet = port.take()
            if packet is not None:
                return packet
            if port.closed:
                return c.ERROR_ABANDONED_WAIT_0
            left = None if end is None else end - network.now()
            if left is not None and left <= 0:
                return c.WAIT_TIMEOUT
            network.wait(ts, [], left)
    finally:
        port.leave(ts)
        ts.wake = before


