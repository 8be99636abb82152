"""The reservation's control codes in few words, for tests: what WSAIoctl says, a block's ports, who is kept out."""

from __future__ import annotations

import socket as linux
import struct

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c

FAILED = -1
ACQUIRE, ASSOCIATE, RELEASE = (
    c.SIO_ACQUIRE_PORT_RESERVATION,
    c.SIO_ASSOCIATE_PORT_RESERVATION,
    c.SIO_RELEASE_PORT_RESERVATION,
)
KINDS = {"tcp": (c.SOCK_STREAM, c.IPPROTO_TCP), "udp": (c.SOCK_DGRAM, c.IPPROTO_UDP)}
LOCAL = {c.AF_INET: bytes((127, 0, 0, 1)), c.AF_INET6: bytes(15) + b"\1"}
ANYWHERE = {c.AF_INET: bytes(4), c.AF_INET6: bytes(16)}


def new(protocol: str = "tcp", family: int = c.AF_INET) -> int:
    s = ws.socket(family, *KINDS[protocol])
    assert s != (1 << 64) - 1
    return s


def code() -> int:
    return int(ws.WSAGetLastError())


def control(s: int, number: int, data: object, out: object = None, size: int | None = None) -> tuple[int, int]:
    """(return value or code, byte count); the count is 0xAA... where nothing was stored."""
    count = bytearray(b"\xaa" * 4)
    in_size = len(data) if isinstance(data, bytes) else 0
    out_size = size if size is not None else len(out) if isinstance(out, bytearray) else 0
    result = ws.WSAIoctl(s, number, data, in_size, out, out_size, count, None, None)
    return (code() if result == FAILED else result), int.from_bytes(count, "little")


def request(s: int, number: int, data: bytes, out: bytearray | None, overlapped: bytearray, routine: object) -> int:
    """0 or the code."""
    size = len(out) if out is not None else 0
    result = ws.WSAIoctl(s, number, data, len(data), out, size, bytearray(4), overlapped, routine)
    return code() if result == FAILED else 0


def acquire(s: int, count: int = 1, start: int = 0) -> tuple[int, int]:
    """(first port, token)."""
    out = bytearray(16)
    assert control(s, ACQUIRE, struct.pack(">H", start) + struct.pack("<H", count), out) == (0, 16)
    first = int.from_bytes(out[:2], "big")
    number, token = struct.unpack("<2xH4xQ", out)
    assert number == count
    assert start in (0, first)
    assert 0 < token < 1 << 63
    return first, token


def associate(s: int, token: int) -> int:
    return control(s, ASSOCIATE, struct.pack("<Q", token))[0]


def release(s: int, token: int) -> int:
    return control(s, RELEASE, struct.pack("<Q", token))[0]


def address(port: int, family: int = c.AF_INET, host: bytes | None = None) -> bytes:
    host = LOCAL[family] if host is None else host
    if family == c.AF_INET:
        return struct.pack("<H", family) + port.to_bytes(2, "big") + host + bytes(8)
    return struct.pack("<H", family) + port.to_bytes(2, "big") + bytes(4) + host + bytes(4)


def bind(s: int, port: int = 0, family: int = c.AF_INET, host: bytes | None = None) -> int:
    """0 or the code."""
    name = address(port, family, host)
    return code() if ws.bind(s, name, len(name)) else 0


def port_of(s: int) -> int:
    name, size = bytearray(28), bytearray(struct.pack("<i", 28))
    assert ws.getsockname(s, name, size) == 0
    return int.from_bytes(name[2:4], "big")


def associated(token: int, protocol: str = "tcp", family: int = c.AF_INET) -> int:
    s = new(protocol, family)
    assert associate(s, token) == 0
    return s


def option(s: int, name: int) -> None:
    assert ws.setsockopt(s, c.SOL_SOCKET, name, struct.pack("<i", 1), 4) == 0


def held(port: int, protocol: str = "tcp") -> bool:
    """Whether a program without winsock is refused the port."""
    kind = linux.SOCK_STREAM if protocol == "tcp" else linux.SOCK_DGRAM
    with linux.socket(linux.AF_INET, kind) as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])
FAMILIES = pytest.mark.parametrize("family", [c.AF_INET, c.AF_INET6], ids=["v4", "v6"])
