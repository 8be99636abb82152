"""Telling the machine which blocks a process holds: names of abstract Unix sockets.

A runtime block has one, and everybody who shares the network namespace sees it in /proc/net/unix.  It goes when the
process goes, however that ends; nothing is written anywhere, so nothing is left behind.

A name is a claim, not a proof: any program may bind one.  It only chooses between WSAEACCES and WSAEADDRINUSE for a
port that the kernel refuses anyway, and fills lists for people.
"""

from __future__ import annotations

import os
import socket as linux

from winsock.ports._placeholder import DGRAM, FD_SETSIZE, STREAM

PREFIX = "winsock-ports/1/"
PROTOCOLS: dict[int, str] = {STREAM: "tcp", DGRAM: "udp"}
KINDS: dict[str, int] = {name: kind for kind, name in PROTOCOLS.items()}
NAMES = "/proc/net/unix"
LAST_PORT = 0xFFFF


class Marker:
    """What a name says: a block, and the process that holds it; None if that is in another pid namespace."""

    __slots__ = ("count", "kind", "pid", "start")

    def __init__(self, kind: int, start: int, count: int, pid: int | None) -> None:
        self.kind, self.start, self.count, self.pid = kind, start, count, pid


def mark(kind: int, start: int, count: int) -> int:
    """The descriptor of a name for this process' block; -1 if there is none to be had."""
    name = f"\0{PREFIX}{PROTOCOLS[kind]}/{start}/{count}/{os.getpid()}/{_pid_namespace()}/{os.urandom(6).hex()}"
    try:
        with linux.socket(linux.AF_UNIX, linux.SOCK_DGRAM) as s:
            s.bind(name)
            return _high(s)
    except OSError:
        return -1  # the block is held without it


def _high(s: linux.socket) -> int:
    import fcntl

    try:
        return fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, FD_SETSIZE)
    except OSError:
        return s.detach()


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def markers() -> list[Marker]:
    """Every name there is, in this network namespace."""
    needle = b"@" + PREFIX.encode()
    try:
        with open(NAMES, "rb") as f:
            lines = [line for line in f if needle in line]
    except OSError:
        return []
    found = []
    here = _pid_namespace()
    for line in lines:
        marker = _parsed(line.partition(needle)[2].decode("ascii", "replace").strip(), here)
        if marker is not None:
            found.append(marker)
    return found


def _parsed(text: str, here: int) -> Marker | None:
    """The part of a name behind the prefix; None for what we never wrote."""
    parts = text.split("/")
    if len(parts) < 5 or parts[0] not in KINDS or not all(p.isascii() and p.isdigit() for p in parts[1:5]):
        return None
    start, count, pid, space = map(int, parts[1:5])
    if not 1 <= start <= start + count - 1 <= LAST_PORT:
        return None
    return Marker(KINDS[parts[0]], start, count, pid if space == here else None)


def elsewhere(kind: int, port: int) -> Marker | None:
    """Whose block this port lies in, if a name says so."""
    return next((m for m in markers() if m.kind == kind and m.start <= port < m.start + m.count), None)
