"""fd_sets and timevals as bytes."""

from __future__ import annotations

import struct


def fd_set(*sockets: int, room: int = 0) -> bytearray:
    return bytearray(struct.pack(f"<I4x{len(sockets)}Q", len(sockets), *sockets) + bytes(8 * room))


def members(data) -> list[int]:
    (count,) = struct.unpack_from("<I", data)
    return list(struct.unpack_from(f"<{count}Q", data, 8))


def timeval(ms: float) -> bytes:
    us = round(ms * 1000)
    return struct.pack("<ii", us // 1_000_000, us % 1_000_000)
