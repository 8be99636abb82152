"""WSPIoctl, C-shaped: the reservation codes at the provider's door; codes come by lpErrno."""

from __future__ import annotations

import ctypes
import struct

import pytest
from processes import started

from winsock import ws2_32 as ws
from winsock import ws2spi
from winsock.abi import _constants as c
from winsock.codes import WSA

RANGE = struct.Struct("<HH")  # StartPort, NumberOfPorts
INSTANCE = 16  # INET_PORT_RESERVATION_INSTANCE: start, count, token
UNTOUCHED = 4711


@pytest.fixture
def process():
    with started() as process:
        yield process


def ask(s, code, data, out, error, count=None):
    count = ctypes.c_uint32() if count is None else count
    ws.WSASetLastError(UNTOUCHED)
    result = ws2spi.WSPIoctl(
        s, code, data, len(data) if data else 0, out, len(out) if out else 0, count, None, None, None, error
    )
    assert ws.WSAGetLastError() == UNTOUCHED
    return result, count.value


def test_a_block_is_reserved_used_and_given_back(process):
    s, other, error = ws.socket(2, 1, 6), ws.socket(2, 1, 6), ctypes.c_int(UNTOUCHED)
    out = bytearray(INSTANCE)
    assert ask(s, c.SIO_ACQUIRE_PORT_RESERVATION, RANGE.pack(0, 2), out, error) == (0, INSTANCE)
    token = bytes(out[8:])
    assert ask(other, c.SIO_ASSOCIATE_PORT_RESERVATION, token, None, error)[0] == 0
    name = bytearray(struct.pack("<HH4s8x", 2, 0, b"\x7f\0\0\1"))
    assert ws.bind(other, bytes(name), 16) == 0
    assert ws.getsockname(other, name, ctypes.c_int(16)) == 0
    first = int.from_bytes(out[:2], "big")
    assert int.from_bytes(name[2:4], "big") in (first, first + 1)
    assert ws.closesocket(other) == 0
    assert ask(s, c.SIO_RELEASE_PORT_RESERVATION, token, None, error)[0] == 0
    assert error.value == UNTOUCHED


@pytest.mark.parametrize(
    ("code", "data", "room", "refusal"),
    [
        (c.SIO_ACQUIRE_PORT_RESERVATION, RANGE.pack(0, 0), INSTANCE, WSA.WSAEINVAL),
        (c.SIO_ACQUIRE_PORT_RESERVATION, None, INSTANCE, WSA.WSAEINVAL),
        (c.SIO_ACQUIRE_PORT_RESERVATION, RANGE.pack(0, 1), 3, WSA.WSAEINVAL),
        (c.SIO_ASSOCIATE_PORT_RESERVATION, bytes(8), 0, WSA.WSAEINVAL),
        (c.SIO_RELEASE_PORT_RESERVATION, bytes(8), 0, WSA.WSAEINVAL),
        (0x12345678, None, 0, WSA.WSAEOPNOTSUPP),
    ],
    ids=["no ports", "no input", "little room", "unknown token", "release of nothing", "unknown code"],
)
def test_refusals_come_by_lperrno(process, code, data, room, refusal):
    s, error = ws.socket(2, 1, 6), ctypes.c_int(UNTOUCHED)
    assert ask(s, code, data, bytearray(room) if room else None, error)[0] == -1
    assert error.value == refusal
    error.value = UNTOUCHED
    ws.closesocket(s)
    assert ask(s, code, data, bytearray(room) if room else None, error)[0] == -1
    assert error.value == WSA.WSAENOTSOCK


@pytest.mark.parametrize("error", [None, 16, b"", "text", object()], ids=["null", "wild", "short", "text", "object"])
def test_without_a_place_for_the_code_it_fails(process, error):
    s = ws.socket(2, 1, 6)
    assert ask(s, c.SIO_ACQUIRE_PORT_RESERVATION, RANGE.pack(0, 1), bytearray(INSTANCE), error)[0] == -1


def test_a_thread_id_has_to_be_readable(process):
    s, error = ws.socket(2, 1, 6), ctypes.c_int()
    count = ctypes.c_uint32()
    assert ws2spi.WSPIoctl(s, c.FIONREAD, None, 0, bytearray(4), 4, count, None, None, 16, error) == -1
    assert error.value == WSA.WSAEFAULT
    assert ws2spi.WSPIoctl(s, c.FIONREAD, None, 0, bytearray(4), 4, count, None, None, bytes(16), error) == 0
