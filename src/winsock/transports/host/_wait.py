"""Waiting on this machine: the thread that waits polls, and an eventfd lets any thread end that."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence

from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState
from winsock.transports._contract import TransportSocket

_poll = select.poll  # a program may replace it in its module (gevent, eventlet)
LONGEST = 0x7FFFFFFF  # ms that poll takes, 24 days; who has to wait longer looks again then


class _Waker:
    """A thread's eventfd.

    signalled   somebody called it since clear(): spares a system call before most waits.  It is set before the
                eventfd is, so that a call during clear() costs one needless look, never a missed one
    """

    __slots__ = ("fd", "signalled")

    def __init__(self) -> None:
        self.signalled = False
        self.fd = -1
        try:
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError:
            raise WinsockError(WSA.WSAENOBUFS) from None  # no descriptor left to wait with

    def __call__(self) -> None:
        self.signalled = True
        try:
            os.eventfd_write(self.fd, 1)
        except (BlockingIOError, OSError):
            pass

    def clear(self) -> None:
        self.signalled = False
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            pass

    def __del__(self) -> None:
        if self.fd >= 0:
            try:
                os.close(self.fd)
            except OSError:
                pass


def wait(
    ts: ThreadState, entries: Sequence[tuple[TransportSocket, int]], timeout: float | None
) -> list[tuple[TransportSocket, int]]:
    """The entries that are ready with what they are; [] after timeout ms or when the thread was interrupted.

    A caller that can be interrupted sets ts.wake to prepare(ts) first and then checks whether it still has to wait.
    """
    poller = _poll()
    by_fd: dict[int, list[TransportSocket]] = {}
    asked: dict[int, int] = {}
    for sock, events in entries:
        fd = sock.fileno()
        if fd < 0:
            continue  # just closed: its waiters are told
        if fd in by_fd:
            by_fd[fd].append(sock)
            events |= asked[fd]
        else:
            by_fd[fd] = [sock]
        asked[fd] = events
        poller.register(fd, events)
    waker: _Waker | None = ts.buffers.get("waker")
    if waker is not None:
        poller.register(waker.fd, select.POLLIN)
    found: list[tuple[TransportSocket, int]] = []
    if timeout is not None and timeout > LONGEST:
        timeout = LONGEST
    for fd, events in poller.poll(timeout):
        if waker is not None and fd == waker.fd:
            waker.clear()
            continue
        found.extend((sock, events) for sock in by_fd[fd])
    return found


def looker(ts: ThreadState, wanted: dict[int, int]) -> Callable[[int], list[tuple[int, int]]]:
    """See Transport.looker."""
    poller = _poll()  # a new one always: a signal's handler may look while the thread is about to use the last
    for fd, events in wanted.items():
        poller.register(fd, events)
    ts.looker = wanted, poller.poll
    return poller.poll


def prepare(ts: ThreadState) -> _Waker:
    """The thread's waker, made when first needed, cleared."""
    waker: _Waker | None = ts.buffers.get("waker")
    if waker is None or ts.buffers.get("waker pid") != os.getpid():
        waker = ts.buffers["waker"] = _Waker()
        ts.buffers["waker pid"] = os.getpid()
    elif waker.signalled:
        waker.clear()
    return waker


def now() -> float:
    """Milliseconds of the monotonic clock."""
    return time.monotonic() * 1e3
