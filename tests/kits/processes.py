"""What tests of every room need: a Windows process that has started Winsock, and what it leaves open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import winsock
import winsock.ws2_32 as ws

WINSOCK_2_2 = 0x0202


@contextmanager
def started(version: int = WINSOCK_2_2) -> Iterator[winsock.Process]:
    """A fresh process, attached, that has started Winsock; it is stopped as often as it was started."""
    with winsock.Process().attached() as process:
        assert ws.WSAStartup(version, bytearray(512)) == 0
        yield process
        while ws.WSACleanup() == 0:
            pass


def descriptors(counts: Callable[[str], bool]) -> set[str]:
    """Descriptors of this process that are open, with what they are, if that counts."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the directory's own
            continue
        if counts(target):
            found.add(f"{fd} {target}")
    return found


def sockets() -> set[str]:
    """Descriptors of sockets that are open."""
    return descriptors(lambda target: target.startswith("socket:"))
