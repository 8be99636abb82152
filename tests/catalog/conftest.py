"""A fresh Windows process with Winsock 2.2 started."""

from __future__ import annotations

import os

import pytest
from calls import Calls
from processes import started

import winsock.ws2_32 as ws
from winsock.codes import WSA

INVALID = (1 << 64) - 1


class Net(Calls):
    """Calls, and what they did."""

    INVALID = INVALID

    def good(self, s: int) -> int:
        assert s != INVALID, WSA(ws.WSAGetLastError())
        assert ws.WSAGetLastError() == 0
        return s

    def refused(self, result: int, code: int) -> None:
        assert (result, ws.WSAGetLastError()) in ((-1, code), (INVALID, code))

    @staticmethod
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def net():
    with started() as process:
        yield Net(process)
