"""ioctlsocket and WSAIoctl."""

from __future__ import annotations

import struct
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._controls import SOCKETS_ONLY
from winsock.afd import Endpoint
from winsock.afd._ioctl import LIST_ENTRY, LIST_HEADER, ControlError, address_list
from winsock.api import _extension
from winsock.api._call import SOCKET_ERROR, dword, endpoint, export
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory

GUID_SIZE, POINTER_SIZE = 16, 8
MAX_SOCKADDR = 128


@export(SOCKET_ERROR)
def ioctlsocket(ts: ThreadState, s: int, cmd: int, argp: Any) -> int:
    """FIONBIO (argp says whether the socket does not block), FIONREAD (how many bytes wait), SIOCATMARK.

    WSAENOTSOCK, WSAEFAULT for a bad pointer, WSAEOPNOTSUPP for another command.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    code = dword(cmd)
    if code not in SOCKETS_ONLY:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if code == c.FIONBIO:
        ep.procs.ioctl(ep, code, memory.read(argp, 4), None)
    else:
        memory.writable(argp, 4)
        memory.write(argp, ep.procs.ioctl(ep, code, None, 4))
    return 0


@export(SOCKET_ERROR)
def WSAIoctl(
    ts: ThreadState,
    s: int,
    dwIoControlCode: int,
    lpvInBuffer: Any,
    cbInBuffer: int,
    lpvOutBuffer: Any,
    cbOutBuffer: int,
    lpcbBytesReturned: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
) -> int:
    """Do what a control code asks for; the number of bytes of output is stored.

    The codes, and how faithful each is, are a table: see `winsock doctor`.

    WSAENOTSOCK; WSAEFAULT for a bad pointer, too little input or room, or nowhere to put the byte count;
    WSAEOPNOTSUPP for an unknown code and, for now, with an OVERLAPPED; WSAEINVAL, WSAENOPROTOOPT for a socket that it
    is not for; WSAEWOULDBLOCK for what a non-blocking socket would have to wait for.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    code = dword(dwIoControlCode)
    if memory.is_null(lpcbBytesReturned):
        raise WinsockError(WSA.WSAEFAULT)
    memory.writable(lpcbBytesReturned, 4)
    if not memory.is_null(lpOverlapped):
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    data = None if memory.is_null(lpvInBuffer) else memory.read(lpvInBuffer, dword(cbInBuffer))
    room = None if memory.is_null(lpvOutBuffer) else dword(cbOutBuffer)
    try:
        output = _output(ep, code, data, room, lpvOutBuffer)
        if output:
            memory.write(lpvOutBuffer, output)
    except ControlError as e:
        if e.count is not None:
            memory.write_u32(lpcbBytesReturned, e.count)
        raise
    memory.write_u32(lpcbBytesReturned, len(output))
    return 0


def _output(ep: Endpoint, code: int, data: bytes | None, room: int | None, out: Any) -> bytes:
    """What goes to the caller, with real pointers in it."""
    if code == c.SIO_GET_EXTENSION_FUNCTION_POINTER:
        if len(data or b"") < GUID_SIZE or (room or 0) < POINTER_SIZE:
            raise ControlError(WSA.WSAEFAULT)
        return _extension.pointer((data or b"")[:GUID_SIZE]).to_bytes(POINTER_SIZE, "little")
    if code == c.SIO_ADDRESS_LIST_SORT:
        data = _flat(data or b"")
    elif code == c.SIO_ACQUIRE_PORT_RESERVATION and room:
        memory.writable(out, room)  # first: a refused call changes nothing
    output = ep.procs.ioctl(ep, code, data, room)
    if code in (c.SIO_ADDRESS_LIST_QUERY, c.SIO_ADDRESS_LIST_SORT):
        return _moved(output, memory.address(out))
    return output


def _flat(data: bytes) -> bytes:
    """A SOCKET_ADDRESS_LIST from the caller's memory, with the addresses that it points to behind it."""
    if len(data) < LIST_HEADER:
        raise ControlError(WSA.WSAEFAULT)
    (count,) = struct.unpack_from("<i", data)
    if count < 0 or len(data) < LIST_HEADER + LIST_ENTRY * count:
        raise ControlError(WSA.WSAEFAULT)
    entries = [struct.unpack_from("<Qi", data, LIST_HEADER + LIST_ENTRY * i) for i in range(count)]
    if any(not 0 <= size <= MAX_SOCKADDR for _, size in entries):
        raise ControlError(WSA.WSAEINVAL)
    return address_list([memory.read(pointer, size) for pointer, size in entries])


def _moved(data: bytes, base: int) -> bytes:
    """A SOCKET_ADDRESS_LIST whose pointers are offsets, with real ones for where it will be."""
    moved = bytearray(data)
    (count,) = struct.unpack_from("<i", data)
    for at in range(LIST_HEADER, LIST_HEADER + LIST_ENTRY * count, LIST_ENTRY):
        (offset,) = struct.unpack_from("<Q", moved, at)
        struct.pack_into("<Q", moved, at, base + offset & memory.MAX_ADDRESS)
    return bytes(moved)
