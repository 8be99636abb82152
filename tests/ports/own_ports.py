"""Free ports that no other test has, of this run or of another on the machine, and that the kernel assigns to nobody.

A test that has a port has the abstract AF_UNIX name of the same number bound: those names are, like ports, of one
network, and free again when their process ends, however that happens.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from winsock import ports

AUTOMATIC = Path("/proc/sys/net/ipv4/ip_local_port_range")


def quiet_range() -> tuple[int, int]:
    """The first and last port of the greater part that is never assigned automatically."""
    low, high = map(int, AUTOMATIC.read_text("ascii").split())
    return max((10_000, low - 1), (high + 1, 65_535), key=lambda part: part[1] - part[0])


@contextmanager
def lent(count: int) -> Iterator[int]:
    """The first of so many ports in a row, for TCP and UDP."""
    first, last = quiet_range()
    for start in random.sample(range(first, last - count + 2), last - count + 2 - first):
        with ExitStack() as names:
            try:
                for port in range(start, start + count):
                    name = names.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                    name.bind(f"\0winsock tests' port {port}")
                with ports.reserve(count, start=start), ports.reserve(count, "udp", start=start):
                    pass
            except OSError:  # another test has it, or another program
                continue
            yield start
            return
    raise AssertionError(f"no {count} free ports in a row between {first} and {last}")
