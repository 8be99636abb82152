"""What a Winsock 1.1 program is told otherwise."""

from __future__ import annotations

import ctypes
import struct

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA


@pytest.mark.parametrize(
    ("version", "code"), [(0x0101, WSA.WSAEINVAL), (0x0001, WSA.WSAEINVAL), (0x0002, WSA.WSAEALREADY)]
)
@pytest.mark.parametrize("call", ["connect", "WSAConnect"])
def test_a_second_connect_while_one_is_under_way(silent, version, code, call):
    with winsock.Process().attached():
        assert ws.WSAStartup(version, bytearray(408)) == 0
        s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        assert ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint32(1)) == 0
        told = []
        for _ in range(3):
            if call == "connect":
                assert ws.connect(s, silent, len(silent)) == -1
            else:
                assert ws.WSAConnect(s, silent, len(silent), None, None, None, None) == -1
            told.append(ws.WSAGetLastError())
        assert told == [WSA.WSAEWOULDBLOCK, code, code]
        assert ws.WSACleanup() == 0


def test_other_refusals_are_the_same():
    with winsock.Process().attached():
        assert ws.WSAStartup(0x0101, bytearray(408)) == 0
        listener, s = (ws.socket(c.AF_INET, c.SOCK_STREAM, 0) for _ in range(2))
        name = bytearray(struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\1"))
        assert ws.bind(listener, name, 16) == ws.listen(listener, 1) == 0
        assert ws.getsockname(listener, name, ctypes.c_int32(16)) == 0
        assert ws.connect(s, name, 16) == 0
        assert (ws.connect(s, name, 16), ws.WSAGetLastError()) == (-1, WSA.WSAEISCONN)
        assert (ws.connect(listener, name, 16), ws.WSAGetLastError()) == (-1, WSA.WSAEINVAL)
        assert ws.WSACleanup() == 0
