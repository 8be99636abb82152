"""sockaddr structures and the tuples that the core uses."""

from __future__ import annotations

import struct
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address as pack
from winsock.abi._sockaddrs import unpack_address as unpack
from winsock.codes import WSA, WinsockError
from winsock.nt import memory
from winsock.transports import Address

SIZE_IN, SIZE_IN6, SIZE_UN = 16, 28, 110
SIZES = {c.AF_INET: SIZE_IN, c.AF_INET6: SIZE_IN6, c.AF_UNIX: 3}  # what a caller has to give at least
FULL_SIZES = {c.AF_INET: SIZE_IN, c.AF_INET6: SIZE_IN6, c.AF_UNIX: SIZE_UN}  # what a caller gets


def read(ptr: Any, length: int, family: int) -> Address:
    """The address at ptr for a socket of this family.

    WSAEFAULT for NULL or too short a length, WSAEAFNOSUPPORT for another family.
    """
    if length < SIZES[family] or ptr is None:
        raise WinsockError(WSA.WSAEFAULT)
    data = memory.read(ptr, min(length, SIZE_UN if family == c.AF_UNIX else SIZES[family]))
    if struct.unpack_from("<H", data)[0] != family:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    return unpack(data)


def write(family: int, address: Address, ptr: Any, length_ptr: Any, too_short: int = WSA.WSAEFAULT) -> None:
    """Store an address and its length where the caller has room; WSAEFAULT where it has not."""
    data = pack(family, address)
    room = memory.read_i32(length_ptr)
    if room < len(data):
        raise WinsockError(too_short)
    memory.write(ptr, data)
    memory.write_u32(length_ptr, len(data))
