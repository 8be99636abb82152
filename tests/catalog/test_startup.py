"""WSAStartup and WSACleanup: the version, the structure, the count, and many threads at once."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA


@pytest.fixture
def process():
    """A process where Winsock is not started."""
    process = winsock.Process()
    with process.attached():
        yield process
        while ws.WSACleanup() == 0:
            pass


@given(st.integers(0, 0xFFFF))
def test_any_version_gets_the_nearest_one_that_there_is(asked):
    with winsock.Process().attached():
        data = bytearray(b"\xee" * 408)
        code = ws.WSAStartup(asked, data)
        version, highest, sockets, datagram = struct.unpack_from("<4H", data)
        major, minor = asked & 0xFF, asked >> 8
        assert highest == 0x0202
        assert code == (WSA.WSAVERNOTSUPPORTED if major == 0 else 0)
        assert (version & 0xFF, version >> 8) <= (2, 2)
        if major in (1, 2):
            assert (version & 0xFF, version >> 8) == (major, min(minor, major))
        assert (sockets > 0, datagram > 0) == (major == 1, major == 1)
        assert data[8:16] == b"\xee" * 8  # lpVendorInfo
        assert data[16:].startswith(b"WinSock 2.0\0")
        assert (ws.WSACleanup() == 0) == (code == 0)


@pytest.mark.parametrize("data", [None, 0x10, bytes(408), bytearray(401), 2.5])
@pytest.mark.parametrize("version", [0x0101, 0x0202])
def test_nowhere_to_write(process, version, data):
    assert ws.WSAStartup(version, data) == WSA.WSAEFAULT
    assert ws.WSACleanup() == -1
    assert ws.WSAGetLastError() == WSA.WSANOTINITIALISED


def test_a_refused_version_needs_no_structure(process):
    assert ws.WSAStartup(0x0100, None) == WSA.WSAVERNOTSUPPORTED


def test_the_last_error_is_left_alone(process):
    ws.WSASetLastError(1234)
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    assert ws.WSAStartup(0x0202, None) == WSA.WSAEFAULT
    assert ws.WSAGetLastError() == 1234


def test_the_first_start_decides_the_version(process):
    assert ws.WSAStartup(0x0101, bytearray(408)) == 0
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    assert ws.WSAIsBlocking() == 0
    assert ws.WSAGetLastError() == 0
    assert ws.WSACleanup() == ws.WSACleanup() == 0
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    ws.WSAIsBlocking()
    assert ws.WSAGetLastError() == WSA.WSAEOPNOTSUPP


def test_handles_after_a_new_start_are_not_the_old_sockets(process):
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    old = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert ws.WSACleanup() == 0
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    assert ws.socket(c.AF_INET, c.SOCK_DGRAM, 0) != old
    assert ws.closesocket(old) == -1
    assert ws.WSAGetLastError() == WSA.WSAENOTSOCK


def test_as_many_cleanups_as_starts_succeed_on_many_threads(process):
    threads, starts = 8, 20
    for _ in range(starts):
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    begin = Barrier(threads)

    def clean():
        with process.attached():
            begin.wait(60)
            return [(ws.WSACleanup(), ws.WSAGetLastError()) for _ in range(starts)]

    with ThreadPoolExecutor(threads) as pool:
        results = [r for f in [pool.submit(clean) for _ in range(threads)] for r in f.result(30)]
    assert results.count((0, 0)) == starts
    assert results.count((-1, WSA.WSANOTINITIALISED)) == len(results) - starts
    assert process.startups == 0
