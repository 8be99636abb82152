"""TransmitFile and TransmitPackets."""

from __future__ import annotations

import struct
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._data import check_send
from winsock.afd._structures import OVERLAPPED_SIZE
from winsock.afd._transmitting import FilePart, Piece, Transmit
from winsock.api._acceptex import FALSE
from winsock.api._buffers import buffer, probe_read
from winsock.api._call import dword, endpoint, export
from winsock.api._kernel import object_of
from winsock.api._overlapped import perform
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._files import FileObject

MAX_TRANSMIT = 0x7FFFFFFE
BUFFERS = struct.Struct("<QI4xQI4x")  # TRANSMIT_FILE_BUFFERS: head and tail
ELEMENT = struct.Struct("<IIqQ")  # TRANSMIT_PACKETS_ELEMENT: flags, length, offset or pointer, file
MAX_ELEMENTS = 0x10000
OFFSET_AT = 16  # of OVERLAPPED.Offset
CURRENT = -1  # the file's own position
KINDS = c.TP_ELEMENT_MEMORY | c.TP_ELEMENT_FILE


def _check_flags(ep: Endpoint, flags: int) -> None:
    if flags & (c.TF_REUSE_SOCKET | c.TF_DISCONNECT) == c.TF_REUSE_SOCKET:
        raise WinsockError(WSA.WSAEINVAL)


def _memory(pointer: int, size: int) -> memoryview:
    """The caller's memory, at an address that stands in a structure."""
    if size:
        probe_read(pointer, size)
    return buffer(pointer, size, False)


@export(FALSE)
def TransmitFile(
    ts: ThreadState,
    hSocket: int,
    hFile: int,
    nNumberOfBytesToWrite: int,
    nNumberOfBytesPerSend: int,
    lpOverlapped: Any,
    lpTransmitBuffers: Any,
    dwReserved: int,
) -> int:
    """Send a file over a connected stream, with data before and after it.

    hFile                    NULL: only the data before and after
    nNumberOfBytesToWrite    0: to the end of the file; what there is, if that is less
    nNumberOfBytesPerSend    taken for a hint, and not followed
    lpOverlapped             NULL: from the file's position on, and the call waits for the end, whatever the socket's
                             mode.  Else from OVERLAPPED.Offset on, and it always pends (ERROR_IO_PENDING)
    lpTransmitBuffers        a TRANSMIT_FILE_BUFFERS or NULL
    dwReserved               TF_DISCONNECT: the end of the stream follows; with TF_REUSE_SOCKET as DisconnectEx.
                             TF_WRITE_BEHIND and the choice of threads change nothing

    WSAENOTCONN, WSAESHUTDOWN; WSAEINVAL for a datagram socket, too large a length, TF_REUSE_SOCKET without
    TF_DISCONNECT, an offset behind the file's end; ERROR_INVALID_HANDLE; WSAEFAULT.  Source: document, facts.
    """
    ep = endpoint(ts, hSocket)
    check_send(ep, None)
    length, flags = dword(nNumberOfBytesToWrite), dword(dwReserved)
    if length > MAX_TRANSMIT or not ep.stream:
        raise WinsockError(WSA.WSAEINVAL)
    _check_flags(ep, flags)
    overlapped = None if memory.is_null(lpOverlapped) else lpOverlapped
    offset = None
    if overlapped is not None:
        memory.writable(overlapped, OVERLAPPED_SIZE)
        offset = int.from_bytes(memory.read(overlapped, OVERLAPPED_SIZE)[OFFSET_AT : OFFSET_AT + 8], "little")
    pieces: list[Piece] = []
    after = None
    if not memory.is_null(lpTransmitBuffers):
        head, head_size, tail, tail_size = BUFFERS.unpack(memory.read(lpTransmitBuffers, BUFFERS.size))
        pieces.append(_memory(head, head_size))
        after = _memory(tail, tail_size)
    if not memory.is_null(hFile):
        file = object_of(ts, hFile, FileObject)
        if offset is not None and offset > file.size():
            raise WinsockError(WSA.WSAEINVAL)
        pieces.append(FilePart(file.fd, offset, length or None))
    if after is not None:
        pieces.append(after)
    perform(Transmit(ts, ep, [pieces], overlapped, bool(flags & c.TF_DISCONNECT), bool(flags & c.TF_REUSE_SOCKET)))
    return 1


@export(FALSE)
def TransmitPackets(
    ts: ThreadState,
    hSocket: int,
    lpPacketArray: Any,
    nElementCount: int,
    nSendSize: int,
    lpOverlapped: Any,
    dwFlags: int,
) -> int:
    """Send pieces of memory and of files over a connected socket, a datagram one too.

    lpPacketArray    TRANSMIT_PACKETS_ELEMENTs: TP_ELEMENT_MEMORY, or TP_ELEMENT_FILE (length 0: to its end; offset
                     -1: from its position on); TP_ELEMENT_EOP ends a datagram, as the last one does
    nSendSize        taken for a hint, and not followed
    lpOverlapped     NULL: the call waits for the end; else it always pends (ERROR_IO_PENDING)
    dwFlags          TP_DISCONNECT, TP_REUSE_SOCKET: see TransmitFile

    WSAENOTCONN, WSAESHUTDOWN, WSAEINVAL, WSAEFAULT, ERROR_INVALID_HANDLE.  Source: document.
    """
    ep = endpoint(ts, hSocket)
    check_send(ep, None)
    flags, count = dword(dwFlags), dword(nElementCount)
    _check_flags(ep, flags)
    if count > MAX_ELEMENTS:
        raise WinsockError(WSA.WSAENOBUFS)
    disconnect = bool(flags & c.TF_DISCONNECT) and ep.stream
    overlapped = None if memory.is_null(lpOverlapped) else lpOverlapped
    if overlapped is not None:
        memory.writable(overlapped, OVERLAPPED_SIZE)
    packets: list[list[Piece]] = [[]]
    data = memory.read(lpPacketArray, count * ELEMENT.size) if count else b""
    for kind, size, place, file in ELEMENT.iter_unpack(data):
        if kind & KINDS == c.TP_ELEMENT_MEMORY:
            packets[-1].append(_memory(place & memory.MAX_ADDRESS, size))
        elif kind & KINDS == c.TP_ELEMENT_FILE:
            if place < CURRENT:
                raise WinsockError(WSA.WSAEINVAL)
            fd = object_of(ts, file, FileObject).fd
            packets[-1].append(FilePart(fd, None if place == CURRENT else place, size or None))
        else:
            raise WinsockError(WSA.WSAEINVAL)
        if kind & c.TP_ELEMENT_EOP:
            packets.append([])
    perform(
        Transmit(
            ts,
            ep,
            [packet for packet in packets if packet],
            overlapped,
            disconnect,
            bool(flags & c.TF_REUSE_SOCKET) and disconnect,
        )
    )
    return 1
