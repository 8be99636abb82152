"""net.ipv4.ip_local_reserved_ports: the ports that this kernel never assigns by itself.

One list for TCP and UDP, both families, per network namespace.  Adding to it loses nothing.  Who takes something out
has to write the whole list anew: winsock does that under the store's lock, and other programs are asked nothing, so
what one of them adds in those microseconds is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

SYSCTL = "/proc/sys/net/ipv4/ip_local_reserved_ports"
VARIABLE = "WINSOCK_PORTS_SYSCTL"  # another file; empty for none
LAST_PORT = 0xFFFF
LONGEST_WRITE = 4000  # the kernel takes a page at a time
USUAL_LIST, LONGEST_LIST = 1 << 12, 1 << 18

Range = tuple[int, int]  # first and last port


def path() -> str | None:
    """The file with the kernel's list; None when it is to be left alone."""
    return os.environ.get(VARIABLE, SYSCTL) or None


def ranges() -> list[Range]:
    """What the list has now; nothing where there is no such list, or it cannot be read."""
    try:
        return read()
    except (OSError, ValueError):
        return []


def read() -> list[Range]:
    """What the list has now; OSError, ValueError."""
    name = path()
    if name is None:
        return []
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Each read starts anew: going on would start in the middle of a number.
        text = os.read(fd, USUAL_LIST)
        return parse(text if len(text) < USUAL_LIST else os.pread(fd, LONGEST_LIST, 0))
    finally:
        os.close(fd)


def parse(text: bytes) -> list[Range]:
    """The ranges of a list as the kernel shows it; ValueError for anything else."""
    found = []
    for part in text.decode("ascii").split(","):
        part = part.strip()
        if not part:
            continue
        first, _, last = part.partition("-")
        found.append((int(first), int(last or first)))
        if not 0 <= found[-1][0] <= found[-1][1] <= LAST_PORT:
            raise ValueError(f"no range of ports: {part!r}")
    return merged(found)


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same ports in as few ranges as possible, ascending."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return result


def without(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """The ports of the first that are in none of the others."""
    left = merged(ranges)
    for first, last in merged(others):
        cut = []
        for a, b in left:
            if b < first or a > last:
                cut.append((a, b))
                continue
            if a < first:
                cut.append((a, first - 1))
            if b > last:
                cut.append((last + 1, b))
        left = cut
    return left


def common(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """The ports that are in both."""
    return without(ranges, without(ranges, others))


def add(ranges: Iterable[Range]) -> None:
    """Add these ports to the list, and keep whatever else is in it; OSError without the right to.

    The kernel adds what is written behind the beginning, so nobody's concurrent change is lost.
    """
    name = path()
    if name is not None:
        if name.startswith("/proc/"):
            _write(name, ranges, 1)
        else:  # a stand-in for it
            _fill(name, [*read(), *ranges])


def replace(ranges: Iterable[Range]) -> None:
    """Make this the whole list; OSError without the right to."""
    name = path()
    if name is not None:
        if name.startswith("/proc/"):
            _write(name, ranges, 0)
        else:
            _fill(name, ranges)


def _fill(name: str, ranges: Iterable[Range]) -> None:
    with open(name, "r+b") as f:
        f.write(_text(ranges))
        f.truncate()


def _text(ranges: Iterable[Range]) -> bytes:
    return ",".join(f"{a}-{b}" if a != b else f"{a}" for a, b in merged(ranges)).encode() + b"\n"


def _write(name: str, ranges: Iterable[Range], at: int) -> None:
    """Write a list in as many pieces as it takes; the first, written at 0, replaces what was there."""
    parts = _text(ranges).rstrip(b"\n").split(b",")
    fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
    try:
        while True:
            size = taken = 0
            while taken < len(parts) and size + len(parts[taken]) + 1 <= LONGEST_WRITE:
                size += len(parts[taken]) + 1
                taken += 1
            os.pwrite(fd, b",".join(parts[:taken]) + b"\n", at)
            parts, at = parts[taken:], 1
            if not parts:
                return
    finally:
        os.close(fd)
