"""Winsock's functions in a process of its own, where it is started."""

import pytest

from winsock import Process, ws2_32


@pytest.fixture
def ws():
    with Process().attached():
        assert ws2_32.WSAStartup(0x0202, bytearray(408)) == 0
        yield ws2_32
        ws2_32.WSACleanup()
