"""A forked child with a network namespace of its own, as root of it or as an ordinary user.

What is reserved there troubles nobody, and the kernel's settings are its own.
"""

from __future__ import annotations

import ctypes
import encodings.ascii
import encodings.idna
import fcntl
import hashlib
import os
import pickle
import select
import signal
import socket
import sqlite3
import struct
import sys
import threading
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# In here, because an ordinary user may not be allowed to read the interpreter's own directory later.
from winsock.ports import _associate, _diag, _explain, _listing, _store, persistent

MODULES = (
    encodings.ascii,
    encodings.idna,
    hashlib,
    sqlite3,
    urllib.parse,
    _associate,
    _diag,
    _explain,
    _listing,
    _store,
    persistent,
)

ROOT = os.getuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")
NOBODY = 65534
SOMEBODY = 65533
PR_SET_DUMPABLE = 4
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def own_network() -> None:
    """Go into a network namespace of one's own, with a loopback interface; OSError where that is not allowed."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _unshare(CLONE_NEWNET)
    else:
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(s, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


@contextmanager
def visit() -> Iterator[bool]:
    """Take this thread into a fresh network and back again; it stays where it is if that is not allowed."""
    if os.getuid() != 0 or threading.get_ident() != threading.main_thread().ident:
        yield False
        return
    with open("/proc/self/ns/net", "rb") as home:
        try:
            own_network()
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            if _libc.setns(home.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "no way back from the test's network")


def _unshare(flags: int) -> None:
    if _libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become(user: int) -> None:
    """Give every privilege up."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _libc.prctl(PR_SET_DUMPABLE, 1)  # as a process that always was this user's: its /proc is its own


CAP_NET_RAW = 13


def without(capability: int) -> None:
    """Give one privilege up."""
    header = struct.pack("<Ii", 0x20080522, 0)
    data = bytearray(24)
    buffer = (ctypes.c_char * 24).from_buffer(data)
    assert _libc.capget(header, buffer) == 0
    words = list(struct.unpack("<6I", data))
    for i in range(3):
        words[i] &= ~(1 << capability)
    assert _libc.capset(header, struct.pack("<6I", *words)) == 0


def in_child(body: Callable[[], object]) -> tuple[str, str]:
    """Run it in a forked child: ("ok", "") or ("failed" or "skipped", text)."""
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        result = "ok", ""
        try:
            os.close(read)
            body()
        except pytest.skip.Exception as e:
            result = "skipped", str(e)
        except BaseException:
            result = "failed", traceback.format_exc()
        finally:
            with os.fdopen(write, "wb") as f:
                f.write(pickle.dumps(result))
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as f:
        data = f.read()
    _, status = os.waitpid(pid, 0)
    return pickle.loads(data) if data else ("failed", f"the child died: status {status:#x}")


class Worker:
    """A forked process that writes one line for each thing that it was told has happened."""

    def __init__(self, work: Callable[[Callable[[str], None]], None]) -> None:
        self.read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.read)
                told = os.fdopen(write, "w")
                work(lambda line: print(line, file=told, flush=True))
                status = 0
            finally:
                os._exit(status)
        os.close(write)
        self.text = b""

    def first_line(self) -> None:
        """Wait for a sign of life."""
        assert select.select([self.read], [], [], 60)[0]
        self.text += os.read(self.read, 1 << 16)
        assert self.text

    def end(self, kill: bool) -> list[str]:
        """What it wrote, complete lines only."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        while data := os.read(self.read, 1 << 16):
            self.text += data
        os.close(self.read)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        assert status == (-signal.SIGKILL if kill else 0) or (kill and status == 0)
        lines = self.text.decode().split("\n")
        return lines[:-1]
