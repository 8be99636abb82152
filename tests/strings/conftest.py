"""Winsock's functions in a process of its own, where it is started."""

import pytest
from processes import started

from winsock import ws2_32


@pytest.fixture
def ws():
    with started():
        yield ws2_32
