"""sockaddr structures and the tuples that the core uses."""

from __future__ import annotations

import os
import socket as linux
import struct
from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.nt import memory
from winsock.transports import Address

SIZE_IN, SIZE_IN6, SIZE_UN = 16, 28, 110
SIZES = {c.AF_INET: SIZE_IN, c.AF_INET6: SIZE_IN6, c.AF_UNIX: 3}


@lru_cache(1024)
def unpack(data: bytes) -> Address:
    """A SOCKADDR_IN, SOCKADDR_IN6 or SOCKADDR_UN as a tuple or path."""
    (family,) = struct.unpack_from("<H", data)
    if family == c.AF_INET:
        return linux.inet_ntoa(data[4:8]), struct.unpack_from(">H", data, 2)[0]
    if family == c.AF_INET6:
        port, flow, host, scope = struct.unpack(">2xHI16s4s", data[:28])
        return linux.inet_ntop(linux.AF_INET6, host), port, flow, int.from_bytes(scope, "little")
    return data[2:].split(b"\0", 1)[0]


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


@lru_cache(1024)
def pack(family: int, address: Address) -> bytes:
    """The tuple as a structure."""
    if family == c.AF_INET:
        return struct.pack("<H", family) + struct.pack(">H", address[1]) + linux.inet_aton(address[0]) + bytes(8)
    if family == c.AF_INET6:
        host, port, flow, scope = (*address, 0, 0)[:4]
        return (
            struct.pack("<H", family)
            + struct.pack(">HI", port, flow)
            + linux.inet_pton(linux.AF_INET6, host.split("%")[0])
            + struct.pack("<I", scope)
        )
    path = os.fsencode(address or b"")
    return struct.pack("<H", family) + path.ljust(108, b"\0")[:108]


def write(family: int, address: Address, ptr: Any, length_ptr: Any, too_short: int = WSA.WSAEFAULT) -> None:
    """Store an address and its length where the caller has room; WSAEFAULT where it has not."""
    data = pack(family, address)
    room = memory.read_i32(length_ptr)
    if room < len(data):
        raise WinsockError(too_short)
    memory.write(ptr, data)
    memory.write_u32(length_ptr, len(data))
