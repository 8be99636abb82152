"""Byte order and the spellings of addresses."""

import ctypes
import struct

import pytest
from arms import FAILED, sin, sin6

from winsock.abi import _constants as c
from winsock.codes import WSA

U32_NONE = c.INADDR_NONE


def test_byte_order(ws):
    assert ws.htons(0x1234).ret == 0x3412
    assert ws.ntohs(0x3412).ret == 0x1234
    assert ws.htonl(0x12345678).ret & U32_NONE == 0x78563412


INET_ADDR = {
    "127.0.0.1": b"\x7f\0\0\x01",
    "127.1": b"\x7f\0\0\x01",
    "0x7f.1": b"\x7f\0\0\x01",
    "010.0.0.1": b"\x08\0\0\x01",
    "1.2.3": b"\1\2\0\3",
    "255.255.255.255": b"\xff\xff\xff\xff",
    "256.1.1.1": b"\xff\xff\xff\xff",
    "1.2.3.4.5": b"\xff\xff\xff\xff",
    "zebra": b"\xff\xff\xff\xff",
}


@pytest.mark.parametrize("text", INET_ADDR)
def test_inet_addr(ws, text):
    assert struct.pack("<I", ws.inet_addr(text).ret & U32_NONE) == INET_ADDR[text]


PTON = {
    (c.AF_INET, "10.1.2.3"): 1,
    (c.AF_INET, "10.1.2"): 0,
    (c.AF_INET, "10.1.2.256"): 0,
    (c.AF_INET6, "::1"): 1,
    (c.AF_INET6, "::ffff:10.1.2.3"): 1,
    (c.AF_INET6, "1:2"): 0,
    (c.AF_INET6, "[::1]"): 0,
    (99, "::1"): FAILED,
}


@pytest.mark.parametrize(("family", "text"), PTON)
def test_inet_pton(ws, family, text):
    r = ws.inet_pton(family, text, bytearray(16))
    assert r.ret == PTON[family, text]
    if r.ret == FAILED:
        assert r.error == WSA.WSAEAFNOSUPPORT


def test_inet_ntop_small_buffer(ws):
    r = ws.inet_ntop(c.AF_INET, b"\x7f\0\0\x01", bytearray(5), 5)
    assert r.ret == 0
    assert r.error


NAMES = {
    "127.0.0.1:80": (sin(port=80), 16),
    "127.0.0.1": (sin(), 16),
    "::1": (sin6(), 28),
    "[::1]:443": (sin6(port=443), 28),
}


@pytest.mark.parametrize("text", NAMES)
def test_address_to_string(ws, text):
    name, size = NAMES[text]
    n, out = ctypes.c_uint32(64), bytearray(64)
    assert ws.WSAAddressToStringA(name, size, None, out, n).ret == 0
    assert out.split(b"\0")[0].decode() == text
    assert n.value == len(text) + 1


def test_address_to_string_small_buffer(ws):
    n = ctypes.c_uint32(4)
    assert ws.WSAAddressToStringA(sin(port=80), 16, None, bytearray(4), n).error == WSA.WSAEFAULT
    assert n.value == len("127.0.0.1:80") + 1


@pytest.mark.parametrize("text", ["1.2.3.4:5", "1.2.3.4"])
def test_string_to_address(ws, text):
    out, n = bytearray(16), ctypes.c_int32(16)
    assert ws.WSAStringToAddressA(text, c.AF_INET, None, out, n).ret == 0
    assert bytes(out) == sin("1.2.3.4", 5 if ":" in text else 0)


def test_string_to_address_nonsense(ws):
    assert ws.WSAStringToAddressA("what", c.AF_INET, None, bytearray(16), ctypes.c_int32(16)).error == WSA.WSAEINVAL
