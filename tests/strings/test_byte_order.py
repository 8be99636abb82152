"""Byte order functions, the plain ones and those that take a socket."""

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock import Process, ws2_32
from winsock.abi import _constants as c
from winsock.codes import WSA

u32 = st.integers(0, 0xFFFFFFFF)


@given(u32)
def test_long_goes_there_and_back(value):
    assert ws2_32.htonl(value).to_bytes(4, "little") == value.to_bytes(4, "big")
    assert ws2_32.ntohl(ws2_32.htonl(value)) == value


@given(u32)
def test_short_takes_the_lower_half(value):
    assert ws2_32.htons(value).to_bytes(2, "little") == (value & 0xFFFF).to_bytes(2, "big")
    assert ws2_32.ntohs(ws2_32.htons(value)) == value & 0xFFFF


def test_negative_numbers_are_c_numbers():
    assert ws2_32.htonl(-2) == 0xFEFFFFFF
    assert ws2_32.htons(-2) == 0xFEFF


def test_plain_ones_need_no_startup_and_never_raise():
    with Process().attached():
        ws2_32.WSASetLastError(7)
        assert ws2_32.htonl(1) == 1 << 24
        assert ws2_32.WSAGetLastError() == 7
        assert ws2_32.htonl("1") == 0
        assert ws2_32.WSAGetLastError() == WSA.WSAEFAULT


LONG, SHORT = ["WSAHtonl", "WSANtohl"], ["WSAHtons", "WSANtohs"]


@pytest.fixture
def s(ws):
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    yield s
    ws.closesocket(s)


@pytest.mark.parametrize("name", LONG)
def test_long_of_a_socket(ws, s, name):
    out = ctypes.c_uint32()
    assert getattr(ws, name)(s, 0x01020304, out) == 0
    assert out.value == 0x04030201


@pytest.mark.parametrize("name", SHORT)
def test_short_of_a_socket(ws, s, name):
    out = bytearray(4)
    assert getattr(ws, name)(s, 0x0102, out) == 0
    assert out == b"\1\2\0\0"


@pytest.mark.parametrize("name", LONG + SHORT)
def test_refusals(ws, s, name):
    call, out = getattr(ws, name), ctypes.c_uint32()
    for args, code in [
        ((c.INVALID_SOCKET, 1, out), WSA.WSAENOTSOCK),
        ((None, 1, out), WSA.WSAENOTSOCK),
        ((s, 1, None), WSA.WSAEFAULT),
        ((s, 1, 0x10), WSA.WSAEFAULT),
        ((s, 1, bytes(4)), WSA.WSAEFAULT),
    ]:
        assert call(*args) == -1
        assert ws.WSAGetLastError() == code
    assert out.value == 0
    with Process().attached():
        assert call(s, 1, out) == -1
        assert ws.WSAGetLastError() == WSA.WSANOTINITIALISED
