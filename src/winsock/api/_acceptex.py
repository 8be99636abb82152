"""AcceptEx and GetAcceptExSockaddrs."""

from __future__ import annotations

import struct
from ctypes import Structure, sizeof
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address
from winsock.afd._extended import Accept
from winsock.afd._structures import OVERLAPPED_SIZE, PENDING, SUCCESS
from winsock.api import _marks, _sockaddr
from winsock.api._call import dword, endpoint, export
from winsock.api._marks import Mark
from winsock.api._overlapped import start
from winsock.api._sockets import given
from winsock.codes import NTSTATUS, WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.transports import Address

FALSE = 0
IO_PENDING = int(WSA.WSA_IO_PENDING)
TOO_SMALL = int(NTSTATUS.STATUS_BUFFER_TOO_SMALL)
SPARE = 16  # how much longer than the address its area has to be (document)
LENGTH = struct.Struct("<Q")  # what stands before an address in its area


def refuse(overlapped: Any, code: int) -> WinsockError:
    """What to raise for a call that fails at once: Internal says STATUS_PENDING all the same (fact)."""
    memory.write_u64(overlapped, PENDING)
    return WinsockError(code)


@export(FALSE, clears=False)
def AcceptEx(
    ts: ThreadState,
    sListenSocket: int,
    sAcceptSocket: int,
    lpOutputBuffer: Any,
    dwReceiveDataLength: int,
    dwLocalAddressLength: int,
    dwRemoteAddressLength: int,
    lpdwBytesReceived: Any,
    lpOverlapped: Any,
) -> int:
    """Accept a connection into a socket made beforehand, with its first data.

    sAcceptSocket            a stream that has no name; until SO_UPDATE_ACCEPT_CONTEXT the connection has none either
    lpOutputBuffer           room for the data, then for the local, then for the remote address
    dwReceiveDataLength      0: it ends with the connection itself, else with the first data or the stream's end
    dwLocalAddressLength     16 more than the address needs; 0: it is not stored
    dwRemoteAddressLength    likewise, but not 0
    lpdwBytesReceived        not used: it never ends at once

    It always pends (ERROR_IO_PENDING), and belongs to the listener.  Closing either socket ends it with
    ERROR_OPERATION_ABORTED.  Areas that are too small show when a connection comes: ERROR_INSUFFICIENT_BUFFER.

    ERROR_INVALID_PARAMETER without an OVERLAPPED, WSAEINVAL for a socket that does not listen or one that is not
    fresh, WSAEFAULT without a buffer or with no area for the remote address.  Source: document, facts.
    """
    if not isinstance(lpOverlapped, Structure) or sizeof(lpOverlapped) < OVERLAPPED_SIZE:
        if memory.is_null(lpOverlapped):
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        memory.writable(lpOverlapped, OVERLAPPED_SIZE)
    listener, into = endpoint(ts, sListenSocket), endpoint(ts, sAcceptSocket)
    data, local, remote = dword(dwReceiveDataLength), dword(dwLocalAddressLength), dword(dwRemoteAddressLength)
    request = AcceptInto(ts, listener, into, lpOverlapped)
    try:
        if isinstance(lpOutputBuffer, int):  # which will be marked
            request.check()
            memory.writable(lpOutputBuffer or None, data + local + remote)
        if not remote:
            raise memory.fault()
        request.give(lpOutputBuffer, data, local, remote)
    except WinsockError as e:
        request.check()  # the sockets come before the buffer; else the start looks at them
        raise refuse(lpOverlapped, e.code) from None
    try:
        if listener.shape.flags & c.WSA_FLAG_OVERLAPPED:
            listener.shape.procs.start(request)
            ts.last_error = IO_PENDING
            return FALSE
        start(request, lpdwBytesReceived)
        ts.last_error = 0
        return FALSE
    except WinsockError as e:
        if e.code != WSA.WSA_IO_PENDING:
            request.cleared()
        raise


class AcceptInto(Accept):
    """An Accept with the caller's buffer.

    A program may give the buffer's memory back too early.  Of memory that nobody vouches for the first bytes are a
    mark while the request pends: where that is no more, nothing is stored.
    """

    raw = 0  # the buffer's address, if it is no object's
    mark: Mark | None = None

    places: tuple[tuple[int, int], tuple[int, int]]
    room: memoryview

    def give(self, buffer: Any, data: int, local: int, remote: int) -> None:
        """The buffer, and the sizes of its parts."""
        self.room = memory.view(buffer, data + local + remote, True)
        self.places = ((data, local), (data + local, remote))
        self.view = self.room[:data]
        self.joined = self.store
        if isinstance(buffer, int):
            self.raw = int(buffer)
            self.set_mark()

    def set_mark(self) -> None:
        """Mark the buffer."""
        if self.raw and len(self.room) >= _marks.SIZE:
            self.mark = Mark(self.raw)

    def unmark(self) -> bool:
        """Put the first bytes back; False if the buffer is gone."""
        mark, self.mark = self.mark, None
        return mark is None or mark.lift()

    def gone(self) -> bool:
        return super().gone() or not self.unmark()

    def orphaned(self) -> None:
        self.mark = None
        super().orphaned()

    def cleared(self) -> None:
        self.unmark()
        super().cleared()

    def store(self, local: Address, remote: Address) -> int:
        """Store the addresses; the status of the request."""
        family = self.ep.shape.family
        needed = _sockaddr.FULL_SIZES[family] + SPARE
        (local_at, local_size), (remote_at, remote_size) = self.places
        if 0 < local_size < needed or remote_size < needed:
            return TOO_SMALL
        if not self.unmark():
            self.orphaned()
            return SUCCESS
        if local_size:
            self._write(local_at, pack_address(family, local))
        self._write(remote_at, pack_address(family, remote))
        if self.view:
            self.set_mark()  # until data come
        return SUCCESS

    def _write(self, at: int, name: bytes) -> None:
        data = LENGTH.pack(len(name)) + name
        if self.raw:
            memory.write(self.raw + at, data)
        else:
            self.room[at : at + len(data)] = data


@export(None, startup=False, clears=False)
def GetAcceptExSockaddrs(
    ts: ThreadState,
    lpOutputBuffer: Any,
    dwReceiveDataLength: int,
    dwLocalAddressLength: int,
    dwRemoteAddressLength: int,
    LocalSockaddr: Any,
    LocalSockaddrLength: Any,
    RemoteSockaddr: Any,
    RemoteSockaddrLength: Any,
) -> None:
    """Where in AcceptEx's buffer the addresses lie, and how long they are; the three lengths are AcceptEx's.

    What has no area, and an area that holds no address, leave their pointer and length as they are (fact).  Returns
    nothing: a bad pointer is seen by WSAGetLastError alone, WSAEFAULT.
    """
    data, local, remote = map(dword, (dwReceiveDataLength, dwLocalAddressLength, dwRemoteAddressLength))
    base = memory.address(lpOutputBuffer)
    if not base:
        raise memory.fault()
    whole = memory.size(lpOutputBuffer)
    if whole is not None and whole < data + local + remote:
        raise memory.fault()
    for at, room, pointer, length in (
        (data, local, LocalSockaddr, LocalSockaddrLength),
        (data + local, remote, RemoteSockaddr, RemoteSockaddrLength),
    ):
        if room < LENGTH.size or not given(pointer) or not given(length):
            continue
        size = memory.read_u64(base + at)
        if 0 < size <= room - LENGTH.size:
            memory.writable(pointer, 8)
            memory.write_u32(length, size)
            memory.write_u64(pointer, base + at + LENGTH.size)
