"""A fresh Windows process for each test of registered I/O."""

from __future__ import annotations

import pytest
from rio_kit import Rig

import winsock
import winsock.ws2_32 as ws


@pytest.fixture
def rig():
    process = winsock.Process()
    with process.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        made = Rig(process)
        yield made
        assert ws.WSACleanup() == 0
    made.threads.shutdown()


@pytest.fixture(autouse=True)
def no_faults_of_our_own(caplog):
    """winsock logs what should never happen inside it."""
    yield
    assert not [r.getMessage() for r in caplog.records if r.name == "winsock"]
