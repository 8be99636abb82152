"""A fresh Windows process for each test of overlapped I/O."""

from __future__ import annotations

import pytest
from overlapped_kit import Lab

import winsock
import winsock.ws2_32 as ws


@pytest.fixture
def lab():
    process = winsock.Process()
    with process.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        made = Lab(process)
        yield made
        assert ws.WSACleanup() == 0
    made.threads.shutdown()


@pytest.fixture(autouse=True)
def no_faults_of_our_own(caplog, request):
    """winsock logs what should never happen inside it."""
    yield
    if "routines_raise" not in request.fixturenames:
        assert not [r.getMessage() for r in caplog.records if r.name == "winsock"]


@pytest.fixture
def routines_raise():
    """The test's routines raise: that is logged."""
