"""WSABUF arrays, the WSAMSG structure and control data as they lie in the caller's memory."""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Sequence
from ctypes import c_char
from typing import Any, Final, NamedTuple

from winsock.abi import _constants as c
from winsock.api._call import c_int
from winsock.api._sockaddr import SIZE_IN, SIZE_IN6, SIZE_UN
from winsock.codes import WSA, WinsockError
from winsock.nt import memory

WSABUF = struct.Struct("<I4xQ")  # len, buf
WSAMSG = struct.Struct("<Qi4xQI4xI4xQI4x")  # name, namelen, lpBuffers, dwBufferCount, Control (a WSABUF), dwFlags
CMSGHDR = struct.Struct("<Qii")  # cmsg_len, cmsg_level, cmsg_type
ALIGN = 8
MANY = 1024  # Linux takes no more at once
MAX_BUFFERS = 0x10000  # more than any program has; Windows' own limit is memory

MADV_POPULATE_READ, MADV_POPULATE_WRITE = 22, 23
MAX_CONTROL = 0x10000  # far more than anything that can be sent along
MAX_MESSAGE = 0x10000  # no datagram is longer
_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def _populates() -> bool:
    """Whether the kernel knows MADV_POPULATE_WRITE (5.14 does)."""
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        anchor = ctypes.c_char.from_buffer(page)
        known: bool = _madvise(ctypes.addressof(anchor), mmap.PAGESIZE, MADV_POPULATE_WRITE) == 0
        del anchor
    return known


POPULATES: Final = _populates()
PAGE_MASK = -mmap.PAGESIZE


def name_size(family: int) -> int:
    """How long an address of the family is at most."""
    return {c.AF_INET: SIZE_IN, c.AF_INET6: SIZE_IN6}.get(family, SIZE_UN)


def buffer(buf: Any, n: Any, writable: bool) -> memoryview:
    """n bytes of the caller's; of no bytes the pointer may be NULL."""
    n = c_int(n)
    if n == 0:
        return memoryview(bytearray())
    if n < 0:
        raise memory.fault()
    if isinstance(buf, int) and writable:
        probe(buf, n)
    return memory.view(buf, n, writable)


def probe(address: int, n: int) -> None:
    """WSAEFAULT unless n bytes (as many as a message may have) can be written at a raw address.

    What is there stays as it is.  Windows looks before it receives; Linux would take a datagram from the queue and
    then find no place for it.
    """
    if not 0 < address <= memory.MAX_ADDRESS - n:
        raise memory.fault()
    first = address & PAGE_MASK
    end = address + (n if n < MAX_MESSAGE else MAX_MESSAGE)
    if POPULATES and _madvise(first, end - first, MADV_POPULATE_WRITE) != 0:
        raise memory.fault()


def probe_read(address: int, n: int) -> None:
    """WSAEFAULT unless the last of n bytes can be read at a raw address.

    Linux would send as much as there is and then fail.  The first page it looks at by itself, before it sends.
    """
    if not 0 < address <= memory.MAX_ADDRESS - n:
        raise memory.fault()
    last = (address + n - 1) & PAGE_MASK
    if last > address and POPULATES and _madvise(last, mmap.PAGESIZE, MADV_POPULATE_READ) != 0:
        raise memory.fault()


def octets(address: int, n: int) -> Any:
    """n bytes at a raw address for a system call, which answers EFAULT if they are not there."""
    return (c_char * n).from_address(address)


def outgoing(buf: Any, n: Any, flags: Any) -> list[Any]:
    """n bytes of the caller's to be sent, as one buffer or two.

    The urgent byte is looked at here, by Python: at a raw address that may crash, so it is fetched with care.
    """
    if isinstance(buf, int) and (size := c_int(n)) > 0:
        probe_read(int(buf), size)
        if c_int(flags) & c.MSG_OOB:
            return _urgent_last(int(buf), size)
    return [buffer(buf, n, False)]


def _urgent_last(address: int, n: int) -> list[Any]:
    last = memory.read(address + n - 1, 1)
    return [memory.view(address, n - 1), last] if n > 1 else [last]


def wsabufs_in(array: Any, count: int) -> list[memoryview]:
    """The buffers of a WSABUF array to receive into, at least one; empty ones but the first are left out.

    WSAEINVAL for no or absurdly many buffers, WSAEFAULT for memory that is not there.
    """
    views = []
    for length, address in _entries(array, count):
        probe(address, length)
        views.append(memoryview((c_char * length).from_address(address)).cast("B"))
    return views or [memoryview(bytearray())]


def wsabufs_out(array: Any, count: int, flags: int, stream: bool) -> list[Any]:
    """The buffers of a WSABUF array to be sent; see wsabufs_in.

    A message of more buffers than the kernel takes at once is put together here; WSAEMSGSIZE if it is too long.
    """
    entries = _entries(array, count)
    for length, address in entries:
        probe_read(address, length)
    if not stream and len(entries) > MANY:
        if sum(length for length, _ in entries) > MAX_MESSAGE:
            raise WinsockError(WSA.WSAEMSGSIZE)
        return [b"".join(memory.read(address, length) for length, address in entries)]
    views: list[Any] = [memoryview((c_char * n).from_address(at)).cast("B") for n, at in entries]
    if flags & c.MSG_OOB and entries:
        views[-1:] = _urgent_last(entries[-1][1], entries[-1][0])
    return views or [memoryview(bytearray())]


def _entries(array: Any, count: int) -> list[tuple[int, int]]:
    """(length, address) of an array's buffers that are not empty."""
    if not 0 < count <= MAX_BUFFERS:
        raise WinsockError(WSA.WSAEINVAL)
    return [entry for entry in WSABUF.iter_unpack(memory.read(array, count * WSABUF.size)) if entry[0]]


class Msg(NamedTuple):
    """A WSAMSG: addresses and lengths as the caller wrote them."""

    name: int
    namelen: int
    buffers: int
    buffer_count: int
    control_len: int
    control: int
    flags: int

    def pack(self) -> bytes:
        """The structure with these values."""
        return WSAMSG.pack(*self)


def wsamsg(ptr: Any) -> Msg:
    """The WSAMSG at ptr; WSAEFAULT for NULL where a length says that there is something."""
    msg = Msg._make(WSAMSG.unpack(memory.read(ptr, WSAMSG.size)))
    if (msg.namelen and not msg.name) or (msg.control_len and not msg.control):
        raise memory.fault()
    return msg


def pack_control(entries: Sequence[tuple[int, int, bytes]], room: int) -> tuple[bytes, bool]:
    """Control data as it lies in a buffer of that size, and whether some did not fit.

    Every entry counts its header and its data in cmsg_len, without the padding before the next one.
    """
    out = b""
    for level, kind, data in entries:
        length = CMSGHDR.size + len(data)
        entry = CMSGHDR.pack(length, level, kind) + data + bytes(-length % ALIGN)
        if len(out) + length > room:
            return out, True
        out += entry[: room - len(out)]
    return out, False


def unpack_control(data: bytes) -> list[tuple[int, int, bytes]]:
    """The entries of a control buffer that is to be sent; WSAEINVAL for lengths that do not fit."""
    entries = []
    at = 0
    while at + CMSGHDR.size <= len(data):
        length, level, kind = CMSGHDR.unpack_from(data, at)
        if not CMSGHDR.size <= length <= len(data) - at:
            raise WinsockError(WSA.WSAEINVAL)
        entries.append((level, kind, data[at + CMSGHDR.size : at + length]))
        at += -(-length // ALIGN) * ALIGN
    return entries
