"""What a request tells its end by: the caller's OVERLAPPED, or the IO_STATUS_BLOCK of ntdll's calls.

Both begin with a status, which says that the operation is under way until it has ended.
"""

from __future__ import annotations

import struct
from ctypes import Structure, addressof, sizeof
from typing import Any

from winsock.codes import NTSTATUS as S
from winsock.codes import WinsockError
from winsock.nt import Process, memory

SUCCESS, PENDING, CANCELLED = int(S.STATUS_SUCCESS), int(S.STATUS_PENDING), int(S.STATUS_CANCELLED)
OVERFLOW = int(S.STATUS_BUFFER_OVERFLOW)

OVERLAPPED_SIZE = 32
_BEGIN = _NUMBER = struct.Struct("<Q")
_END = struct.Struct("<QQI")
_BLOCK = struct.Struct("<QQ")  # IO_STATUS_BLOCK
HANDLE_AT = 24
FLAGS_AT = 16  # WSAOVERLAPPED.Offset is the provider's: what WSAGetOverlappedResult tells as flags

RAW = "overlapped"  # in Process.services: {raw address of an OVERLAPPED: [requests that use it, Internal]}


class Overlapped:
    """The caller's OVERLAPPED.

    An object is kept alive.  Where a raw address leads to may be gone, or somebody else's, when the request ends: it
    is written to only while Internal there is what was written last.
    """

    __slots__ = ("_table", "_view", "address")

    def __init__(self, ptr: Any, process: Process) -> None:
        self._view: Any = None
        self._table: dict[int, list[int]] | None = None
        if isinstance(ptr, Structure) and sizeof(ptr) >= OVERLAPPED_SIZE:
            self.address, self._view = addressof(ptr), ptr
            return
        self.address = memory.address(ptr)
        if type(ptr) is not int:
            self._view = memory.view(ptr, OVERLAPPED_SIZE, writable=True)
        else:
            self._table = process.services.setdefault(RAW, {})

    @property
    def event(self) -> int:
        """hEvent."""
        if self._view is not None:
            number: int = _NUMBER.unpack_from(self._view, HANDLE_AT)[0]
            return number
        return memory.read_u64(self.address + HANDLE_AT)

    def failed(self) -> None:
        """The call failed at once: Internal stays what it was while it tried (seen on Windows)."""
        if self._view is not None:
            _BEGIN.pack_into(self._view, 0, PENDING)
        else:
            memory.write(self.address, _BEGIN.pack(PENDING))

    def begin(self) -> None:
        """The request is under way."""
        if self._view is not None:
            _BEGIN.pack_into(self._view, 0, PENDING)
            return
        memory.write(self.address, _BEGIN.pack(PENDING))
        table = self._table
        assert table is not None
        uses = table.setdefault(self.address, [0, PENDING])
        uses[0] += 1
        uses[1] = PENDING

    def intact(self) -> bool:
        """Whether the request that is under way still has its structure."""
        if self._view is not None or not self._table:
            return True
        try:
            return memory.read_u64(self.address) == self._table[self.address][1]
        except (WinsockError, KeyError):
            return False

    def end(self, status: int, transferred: int, flags: int, at_once: bool) -> None:
        """What it ended with."""
        if self._view is not None:
            _END.pack_into(self._view, 0, status, transferred, flags)
            return
        if not at_once:
            intact = self.intact()
            table = self._table
            uses = table.get(self.address) if table else None
            if table is not None and uses is not None:
                uses[0] -= 1
                uses[1] = status
                if not uses[0]:
                    del table[self.address]
            if not intact:
                return
        try:
            memory.write(self.address, _END.pack(status, transferred, flags))
        except WinsockError:
            pass

    @property
    def token(self) -> int:
        """What a completion port gets of it."""
        return self.address


class StatusBlock(Overlapped):
    """An IO_STATUS_BLOCK in the place of an OVERLAPPED, as ntdll's calls have it.  A call that fails leaves it alone.

    context    what the completion port gets
    """

    __slots__ = ("context", "mark")

    event = 0  # it has none

    def __init__(self, ptr: Any, process: Process, context: int = 0) -> None:
        self.address = memory.address(ptr)
        self._view = None if type(ptr) is int else memory.view(ptr, _BLOCK.size, writable=True)
        self.context = context
        # Its own, in the half that is not the status: another request may have the memory by then.
        self.mark = PENDING | (id(self) & 0xFFFFFFFF) << 32

    def failed(self) -> None:
        pass

    def begin(self) -> None:
        if self._view is None:
            memory.write(self.address, _BEGIN.pack(self.mark))

    def intact(self) -> bool:
        if self._view is not None:
            return True
        try:
            return memory.read_u64(self.address) == self.mark
        except WinsockError:
            return False

    def end(self, status: int, transferred: int, flags: int, at_once: bool) -> None:
        if self._view is not None:
            _BLOCK.pack_into(self._view, 0, status, transferred)
        elif at_once or self.intact():
            memory.write(self.address, _BLOCK.pack(status, transferred))

    @property
    def token(self) -> int:
        return self.context
