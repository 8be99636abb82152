"""Marks in the memory of programs that may give it back too early."""

from __future__ import annotations

from winsock.codes import WinsockError
from winsock.nt import memory

SIZE = 8
_MARKED = 0x5AC3_0000_0000_0103


class Mark:
    """The first bytes of a buffer, at an address that nobody vouches for, while a request pends that will fill it.

    Memory that was freed, or is somebody else's by now, does not hold it: nothing is to be stored there then.
    """

    __slots__ = ("address", "first", "mark")

    def __init__(self, address: int) -> None:
        """WSAEFAULT."""
        self.address = address
        self.first = memory.read(address, SIZE)
        self.mark = (id(self) ^ _MARKED).to_bytes(SIZE, "little")
        memory.write(address, self.mark)

    def lift(self) -> bool:
        """Put back what was there before; False if the buffer is gone."""
        try:
            if memory.read(self.address, SIZE) != self.mark:
                return False
            memory.write(self.address, self.first)
            return True
        except WinsockError:
            return False
