"""Pages: VirtualAlloc and its family on mmap, with write watches.

A write watch tells which pages were written since it was last reset.  Linux keeps that for a whole process at best,
so a watched region is compared with a copy: a page counts as written when its bytes differ, or when winsock itself
took it for a receive (touch), which Windows reports even before a byte has come.
"""

from __future__ import annotations

import ctypes
import mmap
import threading

from winsock.abi import _constants as c
from winsock.codes import WinsockError
from winsock.nt import memory

PAGE = mmap.PAGESIZE
MAX_WATCHED = 1 << 28  # bytes of a region with a write watch

_libc = ctypes.CDLL(None, use_errno=True)
_mmap = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_mprotect = _libc.mprotect
_mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_munmap = _libc.munmap
_munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)

PROTECTIONS = {
    c.PAGE_NOACCESS: 0,
    c.PAGE_READONLY: mmap.PROT_READ,
    c.PAGE_READWRITE: mmap.PROT_READ | mmap.PROT_WRITE,
}


class Region:
    """A range of pages that VirtualAlloc gave.

    protection    first page, last page, PAGE_*: the last one that has a page counts
    """

    __slots__ = ("base", "copy", "protection", "size", "touched", "watched")

    def __init__(
        self, base: int, size: int, protection: list[tuple[int, int, int]], watched: bool, copy: bytes
    ) -> None:
        self.base, self.size, self.protection, self.watched = base, size, protection, watched
        self.touched: set[int] = set()
        self.copy = copy


class Pages:
    """The regions of one process."""

    def __init__(self) -> None:
        self._regions: dict[int, Region] = {}
        self._lock = threading.Lock()

    def find(self, address: int) -> Region | None:
        """The region that an address lies in."""
        for region in self._regions.values():
            if region.base <= address < region.base + region.size:
                return region
        return None

    def alloc(self, size: int, protection: int, watched: bool) -> int:
        """The base of new zeroed pages; ERROR_INVALID_PARAMETER, ERROR_NOT_ENOUGH_MEMORY."""
        if size <= 0 or protection not in PROTECTIONS:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        size = -(-size // PAGE) * PAGE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        if watched and size > MAX_WATCHED:
            raise WinsockError(c.ERROR_NOT_ENOUGH_MEMORY)  # it is compared with a copy
        base = _mmap(None, size, PROTECTIONS[protection], flags, -1, 0)
        if base is None or base == ctypes.c_void_p(-1).value:
            raise WinsockError(c.ERROR_NOT_ENOUGH_MEMORY)
        with self._lock:
            self._regions[base] = Region(
                base, size, [(0, size // PAGE - 1, protection)], watched, copy=bytes(size) if watched else b""
            )
        return int(base)

    def protect(self, address: int, size: int, protection: int) -> int:
        """Change pages' protection; what the first page's was."""
        region = self.find(address)
        if region is None or protection not in PROTECTIONS or address + size > region.base + region.size:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        first = (address - region.base) // PAGE
        last = (address + max(size, 1) - 1 - region.base) // PAGE
        old = next(p for start, end, p in reversed(region.protection) if start <= first <= end)
        if _mprotect(region.base + first * PAGE, (last - first + 1) * PAGE, PROTECTIONS[protection]) != 0:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        kept = [entry for entry in region.protection if not (first <= entry[0] and entry[1] <= last)]
        region.protection = [*kept, (first, last, protection)]
        return old

    def free(self, address: int) -> None:
        """Give a whole region back."""
        with self._lock:
            region = self._regions.pop(address, None)
        if region is None:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        _munmap(region.base, region.size)

    def touch(self, address: int, size: int) -> None:
        """A call takes this range as a receive buffer: its watched pages count as written from now on."""
        region = self.find(address)
        if region is not None and region.watched and size > 0:
            first = (address - region.base) // PAGE
            region.touched.update(range(first, (address + size - 1 - region.base) // PAGE + 1))

    def filled(self, address: int, size: int) -> None:
        """The call has written there: that is no news, as the pages count already."""
        region = self.find(address)
        if region is not None and region.watched and size > 0:
            at = address - region.base
            now = memory.read(address, size)
            region.copy = region.copy[:at] + now + region.copy[at + size :]

    def written(self, address: int, size: int, reset: bool) -> list[int]:
        """Addresses of the pages of a watched range that were written since the last reset."""
        region = self.find(address)
        if region is None or not region.watched or address + size > region.base + region.size:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        now = memory.read(region.base, region.size)
        first = (address - region.base) // PAGE
        last = (address + size - 1 - region.base) // PAGE
        found = [
            page
            for page in range(first, last + 1)
            if page in region.touched
            or now[page * PAGE : (page + 1) * PAGE] != region.copy[page * PAGE : (page + 1) * PAGE]
        ]
        if reset:
            region.copy = now
            region.touched.difference_update(range(first, last + 1))
        return [region.base + page * PAGE for page in found]

    @property
    def watching(self) -> bool:
        """Whether any region has a write watch: receives need not tell of their buffers otherwise."""
        return any(region.watched for region in self._regions.values())
