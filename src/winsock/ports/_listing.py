"""The blocks that this machine knows of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from winsock.ports import _markers
from winsock.ports._markers import PROTOCOLS


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reserved block.

    protocol, start, count    which
    persistent                it outlives programs and restarts
    pid, uid, command         who holds a runtime block; None, "" where that cannot be known
    token                     of a persistent block
    """

    protocol: str
    start: int
    count: int
    persistent: bool
    pid: int | None = None
    uid: int | None = None
    command: str = ""
    token: int | None = None

    @property
    def end(self) -> int:
        """The last port."""
        return self.start + self.count - 1


def reservations(*, runtime: bool = True, persistent: bool = True) -> list[Reserved]:
    """Every block of this network namespace, whoever holds it: runtime ones, persistent ones, or both; by port.

    StoreError when the persistent ones cannot be read.
    """
    found = []
    if runtime:
        found += [
            Reserved(PROTOCOLS[m.kind], m.start, m.count, False, m.pid, *holder(m.pid)) for m in _markers.markers()
        ]
    if persistent:
        from winsock.ports import persistent as store

        found += store.list()
    return sorted(found, key=lambda r: (r.protocol, r.start, r.persistent))


def holder(pid: int | None) -> tuple[int | None, str]:
    """User and command line of a process, as far as they can be read."""
    if pid is None:
        return None, ""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None, ""
    return uid, command(pid)


def command(pid: int) -> str:
    """What a process was started as."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        text = b" ".join(words).decode("utf-8", "replace")
        if text:
            return text
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").rstrip("\n")
    except OSError:
        return ""
