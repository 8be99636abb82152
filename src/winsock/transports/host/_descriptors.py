"""Closing descriptors that other threads may be about to use.

A thread that is inside a call has fetched the descriptor's number, and may reach the kernel only after another
thread has closed it and a third has opened something else, under the same number.  So the file behind the number is
replaced by a dead one, at which every call fails, and the number is given up when the last reference to the socket
object goes: each thread inside a call holds one.  A program of one thread needs none of that (nt._threads).
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from typing import Any

_close_fd = os.close  # a program may replace it in its module (gevent)
MANY = 128  # numbers waiting; from here on old ones are not spared
OLD = 5.0  # seconds: no call that never waits takes that long


class Grave:
    """A number whose file is gone; closed when nobody refers to this object any more.

    claim    see HostSocket.held
    """

    __slots__ = ("__weakref__", "claim", "fd", "since")

    use = None  # in which it differs from a Claim

    def __init__(self, fd: int) -> None:
        self.fd, self.since = fd, time.monotonic()
        self.claim: Any = None

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            _close(fd)

    __del__ = close


def _close(fd: int) -> None:
    try:
        _close_fd(fd)
    except OSError:
        pass


class _Dead:
    """The dead file, and how to know it again: a program may close every descriptor it finds."""

    def __init__(self) -> None:
        self.fd = -1
        self.identity = (0, 0)
        self._lock = threading.RLock()  # reentrant: the garbage collector may close sockets in between

    def number(self) -> int:
        with self._lock:
            if self.fd < 0 or self._look() != self.identity:
                self.fd = os.open("/", os.O_PATH | os.O_CLOEXEC)
                self.identity = self._look()
            return self.fd

    def after_fork(self) -> None:
        """Another thread may have held the lock."""
        self._lock = threading.RLock()

    def _look(self) -> tuple[int, int]:
        try:
            found = os.fstat(self.fd)
        except OSError:
            return 0, 0
        return found.st_dev, found.st_ino


_dead = _Dead()
os.register_at_fork(after_in_child=_dead.after_fork)
_dead.number()  # early, while there are descriptors
_graves: deque[weakref.ref[Grave]] = deque()


def retire(fd: int) -> Grave | None:
    """Close the file behind fd now.  The caller keeps what it gets for as long as the socket object lives."""
    try:
        os.dup2(_dead.number(), fd, inheritable=False)
    except OSError:
        _close(fd)
        return None
    grave = Grave(fd)
    _graves.append(weakref.ref(grave))
    _sweep()
    return grave


def _sweep() -> None:
    """Forget the numbers that are closed, and close old ones if there are many."""
    while _graves:
        grave = _graves[0]()
        if grave is not None and grave.fd >= 0:
            if len(_graves) < MANY or time.monotonic() - grave.since < OLD:
                return
            grave.close()
        try:
            _graves.popleft()
        except IndexError:  # another thread swept
            return
