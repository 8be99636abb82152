"""WSASocket, WSADuplicateSocket and WSAEnumProtocols: sockets from the catalog and from other processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from winsock import spi
from winsock.abi import _constants as c
from winsock.abi._structs import WSAPROTOCOL_INFOA, WSAPROTOCOL_INFOW
from winsock.api._call import INVALID_SOCKET, SOCKET_ERROR, c_int, dword, endpoint, export
from winsock.api._sockets import kept
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory

SIZE_A, SIZE_W = 372, 628
LONGEST_LIST = 1024  # protocols in WSAEnumProtocols' list
_FROM_INFO = (0, c.FROM_PROTOCOL_INFO)


@export(INVALID_SOCKET)
def WSASocketA(
    ts: ThreadState, af: int, type: int, protocol: int, lpProtocolInfo: Any, g: int, dwFlags: int
) -> int:
    """WSASocketW with a WSAPROTOCOL_INFOA (372 bytes)."""
    return _socket(ts, af, type, protocol, lpProtocolInfo, g, dwFlags, SIZE_A)


@export(INVALID_SOCKET)
def WSASocketW(
    ts: ThreadState, af: int, type: int, protocol: int, lpProtocolInfo: Any, g: int, dwFlags: int
) -> int:
    """A new socket, or one more handle of a socket that WSADuplicateSocket shared.

    af, type, protocol   AF_*, SOCK_*, IPPROTO_*; 0 for what the catalog says; 0 or FROM_PROTOCOL_INFO (-1) for
                         what lpProtocolInfo says
    lpProtocolInfo       NULL, an entry of WSAEnumProtocolsW, or what WSADuplicateSocketW filled in
    g                    0, SG_UNCONSTRAINED_GROUP, SG_CONSTRAINED_GROUP, or the number of a group
    dwFlags              WSA_FLAG_*; without WSA_FLAG_OVERLAPPED the socket is not for overlapped I/O

    INVALID_SOCKET and WSAESOCKTNOSUPPORT, WSAEAFNOSUPPORT, WSAEPROTONOSUPPORT (judged in this order),
    WSAEINVAL (neither family nor protocol; unknown flags or group; a duplicate that was taken already),
    WSAEFAULT, WSAEACCES (a raw socket without the right to it), WSAEMFILE, WSAENOBUFS.
    Source: facts, document; unknown flags: document.
    """
    return _socket(ts, af, type, protocol, lpProtocolInfo, g, dwFlags, SIZE_W)


def _socket(
    ts: ThreadState, af: int, type: int, protocol: int, info: Any, group: int, flags: int, size: int
) -> int:
    af, type, protocol = c_int(af), c_int(type), c_int(protocol)
    group, flags = dword(group), dword(flags)
    if not memory.is_null(info):
        data = memory.read(info, size)
        shared = spi.open_ticket(ts.process, data, flags)
        if shared is not None:
            return kept(ts, shared)
        layout = WSAPROTOCOL_INFOW if size == SIZE_W else WSAPROTOCOL_INFOA
        entry = layout.from_buffer_copy(data)
        if entry.dwProviderReserved:
            raise WinsockError(WSA.WSAEINVAL)
        af = entry.iAddressFamily if af in _FROM_INFO else af
        type = entry.iSocketType if type in _FROM_INFO else type
        protocol = entry.iProtocol if protocol in _FROM_INFO else protocol
    return kept(ts, spi.open_socket(ts.process, af, type, protocol, flags, group))


@export(SOCKET_ERROR)
def WSADuplicateSocketA(ts: ThreadState, s: int, dwProcessId: int, lpProtocolInfo: Any) -> int:
    """WSADuplicateSocketW with a WSAPROTOCOL_INFOA (372 bytes)."""
    return _duplicate(ts, s, dwProcessId, lpProtocolInfo, wide=False)


@export(SOCKET_ERROR)
def WSADuplicateSocketW(ts: ThreadState, s: int, dwProcessId: int, lpProtocolInfo: Any) -> int:
    """Share a socket with a process of this machine (or this one), which opens it with WSASocketW.

    dwProcessId      the process that may open it, once
    lpProtocolInfo   WSAPROTOCOL_INFOW, 628 bytes, filled in

    WSAENOTSOCK, then WSAEINVAL for a process that is not there, then WSAEFAULT.  Until another process has opened
    it, this one must live.  Source: facts, document.
    """
    return _duplicate(ts, s, dwProcessId, lpProtocolInfo, wide=True)


def _duplicate(ts: ThreadState, s: int, pid: int, info: Any, wide: bool) -> int:
    ep = endpoint(ts, s)
    pid = dword(pid)
    if not spi.process_exists(pid):
        raise WinsockError(WSA.WSAEINVAL)
    memory.writable(info, SIZE_W if wide else SIZE_A)
    memory.write(info, spi.write_ticket(ep, pid, wide))
    if not ts.process.startups:  # another thread called WSACleanup meanwhile
        spi.discard(ts.process)
        raise WinsockError(WSA.WSANOTINITIALISED)
    return 0


@export(SOCKET_ERROR)
def WSAEnumProtocolsA(ts: ThreadState, lpiProtocols: Any, lpProtocolBuffer: Any, lpdwBufferLength: Any) -> int:
    """WSAEnumProtocolsW with WSAPROTOCOL_INFOA entries (372 bytes each)."""
    return _enumerate(lpiProtocols, lpProtocolBuffer, lpdwBufferLength, wide=False)


@export(SOCKET_ERROR)
def WSAEnumProtocolsW(ts: ThreadState, lpiProtocols: Any, lpProtocolBuffer: Any, lpdwBufferLength: Any) -> int:
    """The catalog's entries, in its order, without the hidden ones; how many.

    lpiProtocols       ints with a 0 at the end: only entries of these protocols; NULL for all
    lpProtocolBuffer   room for WSAPROTOCOL_INFOW entries, 628 bytes each
    lpdwBufferLength   in: its size in bytes; out, when that is too small: what is needed

    WSAENOBUFS when there is no or too little room, WSAEFAULT.  Source: facts, document.
    """
    return _enumerate(lpiProtocols, lpProtocolBuffer, lpdwBufferLength, wide=True)


def _enumerate(protocols: Any, buffer: Any, length: Any, wide: bool) -> int:
    return store_entries(spi.listed(None if memory.is_null(protocols) else int_list(protocols)), buffer, length, wide)


def store_entries(entries: Sequence[spi.Entry], buffer: Any, length: Any, wide: bool) -> int:
    """Store entries of the catalog, WSAENOBUFS where that is too much; how many."""
    size = SIZE_W if wide else SIZE_A
    memory.writable(length, 4)
    room = memory.read_u32(length)
    needed = size * len(entries)
    if room < needed or memory.is_null(buffer):
        memory.write_u32(length, needed)
        raise WinsockError(WSA.WSAENOBUFS)
    if entries:
        memory.write(buffer, b"".join(spi.packed(e, wide) for e in entries))
    return len(entries)


def int_list(ptr: Any) -> list[int]:
    """C ints up to a 0."""
    found: list[int] = []
    known = memory.size(ptr)
    if known is None:
        # A raw address: one after the other, as nobody says where it ends.
        while len(found) < LONGEST_LIST and (number := memory.read_i32(ptr + 4 * len(found))):
            found.append(number)
        return found
    data = memory.read(ptr, known)
    for i in range(0, known - 3, 4):
        number = int.from_bytes(data[i : i + 4], "little", signed=True)
        if not number:
            return found
        found.append(number)
    raise memory.fault()  # the 0 at the end is missing
