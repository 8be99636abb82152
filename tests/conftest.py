"""What holds for all tests.

Hypothesis tries the same examples everywhere, however slow the machine is.

`make test PYTEST_ARGS=--hypothesis-profile=explore` tries others each time.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, configuration, settings

os.environ.pop("PYTHONUNBUFFERED", None)  # programs that tests start buffer their output, as a user's do

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's `&`; programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Not in the working directory, which may be somebody else's.
user = os.stat("/proc/self").st_uid  # Windows, which `winsock run -m pytest` shows, has no getuid
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir(), f"winsock-hypothesis-{user}"))

slow = [HealthCheck.too_slow]
settings.register_profile("same", deadline=None, derandomize=True, database=None, suppress_health_check=slow)
settings.register_profile("explore", deadline=None, database=None, suppress_health_check=slow)
settings.load_profile("same")


def lacks(family: int, host: str) -> bool:
    """Whether this machine's loopback interface has no such address."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.bind((host, 0))
            s.sendto(b"", s.getsockname())
    except OSError:
        return True
    return False


def pytest_sessionstart() -> None:
    if lacks(socket.AF_INET, "127.0.0.1"):
        pytest.exit("the loopback interface is down, and every test needs it", returncode=1)


@pytest.fixture(scope="session")
def loopback_hosts() -> list[str]:
    """127.0.0.1, and ::1 where there is IPv6."""
    return ["127.0.0.1"] if lacks(socket.AF_INET6, "::1") else ["127.0.0.1", "::1"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if lacks(socket.AF_INET6, "::1"):
        for item in items:
            if item.get_closest_marker("ipv6"):
                item.add_marker(pytest.mark.skip(reason="no IPv6 here"))
