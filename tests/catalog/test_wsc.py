"""The installers' view of the catalog; codes come through the last argument."""

from __future__ import annotations

import ctypes
import uuid

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock import spi
from winsock.abi import _constants as c
from winsock.abi._structs import WSAPROTOCOL_INFOW
from winsock.codes import WSA

TCP_PROVIDER = uuid.UUID(spi.BASE_ENTRIES[0].provider).bytes_le
NOBODY = uuid.UUID("12345678-1234-1234-1234-123456789abc").bytes_le


@pytest.fixture(autouse=True)
def not_started():
    """None of this needs WSAStartup."""
    with winsock.Process().attached():
        yield


def test_the_hidden_are_listed():
    size, error = ctypes.c_uint32(0), ctypes.c_int32(77)
    assert ws.WSCEnumProtocols(None, None, size, error) == -1
    assert error.value == WSA.WSAENOBUFS
    data = bytearray(size.value)
    n = ws.WSCEnumProtocols(None, data, size, error)
    rows = [WSAPROTOCOL_INFOW.from_buffer_copy(data, 628 * i) for i in range(n)]
    assert [(r.iAddressFamily, r.iSocketType) for r in rows] == [(e.family, e.type) for e in spi.BASE_ENTRIES]
    assert c.SOCK_RAW in [r.iSocketType for r in rows]


def test_listing_some():
    size, error = ctypes.c_uint32(628 * 10), ctypes.c_int32()
    wanted = (ctypes.c_int32 * 2)(c.IPPROTO_UDP, 0)
    assert ws.WSCEnumProtocols(wanted, bytearray(6280), size, error) == 2
    assert ws.WSCEnumProtocols(wanted, bytearray(6280), None, error) == -1
    assert error.value == WSA.WSAEFAULT
    assert ws.WSCEnumProtocols(wanted, bytearray(6280), size, None) == -1


def path(provider, buffer, length):
    error = ctypes.c_int32(77)
    return ws.WSCGetProviderPath(provider, buffer, length, error), error.value


def test_the_path():
    buffer, length = bytearray(200), ctypes.c_int32(100)
    assert path(TCP_PROVIDER, buffer, length) == (0, 77)
    text = buffer[: 2 * length.value].decode("utf-16-le")
    assert text.endswith("\\mswsock.dll\0")
    assert text.count("\0") == 1
    exact = ctypes.c_int32(length.value)
    assert path(TCP_PROVIDER, bytearray(2 * length.value), exact)[0] == 0
    short = ctypes.c_int32(length.value - 1)
    assert path(TCP_PROVIDER, buffer, short) == (-1, WSA.WSAEFAULT)
    assert short.value == length.value


@pytest.mark.parametrize(
    ("provider", "buffer", "length", "code"),
    [
        (NOBODY, bytearray(200), 100, WSA.WSAEINVAL),
        (NOBODY, None, -1, WSA.WSAEINVAL),
        (TCP_PROVIDER, None, 100, WSA.WSAEFAULT),
        (None, bytearray(200), 100, WSA.WSAEFAULT),
        (0x10, bytearray(200), 100, WSA.WSAEFAULT),
        (bytes(5), bytearray(200), 100, WSA.WSAEFAULT),
    ],
)
def test_no_path(provider, buffer, length, code):
    n = ctypes.c_int32(length)
    assert path(provider, buffer, n) == (-1, code)
    assert n.value == length


def test_nothing_without_a_place_for_the_code():
    for error in (None, 0x10, bytes(4)):
        assert ws.WSCGetProviderPath(TCP_PROVIDER, bytearray(200), ctypes.c_int32(100), error) == -1
        assert ws.WSCGetProviderInfo(TCP_PROVIDER, 0, bytearray(4), ctypes.c_uint64(4), 0, error) == -1
        assert ws.WSCEnumProtocols(None, bytearray(6280), ctypes.c_uint32(6280), error) == -1


def test_no_path_without_its_pointers():
    assert path(TCP_PROVIDER, bytearray(200), None) == (-1, WSA.WSAEFAULT)
    assert ws.WSCGetProviderPath(NOBODY, bytearray(200), ctypes.c_int32(100), None) == -1


def info(provider, kind, buffer, size, flags=0):
    error = ctypes.c_int32(77)
    return ws.WSCGetProviderInfo(provider, kind, buffer, size, flags, error), error.value


def test_categories_of_a_base_provider():
    value, size = ctypes.c_uint32(5), ctypes.c_uint64(4)
    assert info(TCP_PROVIDER, 0, value, size) == (0, 77)
    assert (value.value, size.value) == (0, 4)
    small = ctypes.c_uint64(3)
    assert info(TCP_PROVIDER, 0, value, small) == (-1, WSA.WSAEFAULT)
    assert small.value == 4


@pytest.mark.parametrize(
    ("provider", "kind", "flags", "code"),
    [
        (NOBODY, 0, 0, WSA.WSANO_RECOVERY),
        (NOBODY, 99, 99, WSA.WSANO_RECOVERY),
        (TCP_PROVIDER, 1, 0, c.ERROR_CALL_NOT_IMPLEMENTED),
        (TCP_PROVIDER, 2, 0, WSA.WSAEINVAL),
        (TCP_PROVIDER, 0, 1, WSA.WSAEINVAL),
        (None, 0, 0, WSA.WSAEFAULT),
    ],
)
def test_no_info(provider, kind, flags, code):
    assert info(provider, kind, ctypes.c_uint32(), ctypes.c_uint64(4), flags) == (-1, code)
