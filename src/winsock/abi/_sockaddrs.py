"""SOCKADDR_IN, SOCKADDR_IN6 and SOCKADDR_UN as bytes, and as the tuples and paths that the core uses."""

from __future__ import annotations

import os
import socket as linux
import struct
from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c

_IN = struct.Struct(">HH4s8x")
_IN_FAMILY = c.AF_INET << 8  # it alone is not in network order


@lru_cache(1024)
def unpack_address(data: bytes) -> Any:
    """A SOCKADDR_IN, SOCKADDR_IN6 or SOCKADDR_UN as a tuple or path."""
    (family,) = struct.unpack_from("<H", data)
    if family == c.AF_INET:
        return linux.inet_ntoa(data[4:8]), struct.unpack_from(">H", data, 2)[0]
    if family == c.AF_INET6:
        port, flow, host, scope = struct.unpack(">2xHI16s4s", data[:28])
        return linux.inet_ntop(linux.AF_INET6, host), port, flow, int.from_bytes(scope, "little")
    return data[2:].split(b"\0", 1)[0]


@lru_cache(1024)
def pack_address(family: int, address: Any) -> bytes:
    """The tuple or path as a structure."""
    if family == c.AF_INET:
        return _IN.pack(_IN_FAMILY, address[1], linux.inet_aton(address[0]))
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
