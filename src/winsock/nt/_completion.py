"""Completion ports: queues of finished work, which threads wait at.

The queue knows no network: who waits does so through its transport and is woken by ThreadState.interrupt.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from winsock.nt._process import ThreadState


class Packet(NamedTuple):
    """One completion: bytes transferred, the handle's key, the OVERLAPPED's address, a Win32 error."""

    transferred: int
    key: int
    overlapped: int
    error: int = 0


class CompletionPort:
    """A FIFO of packets."""

    def __init__(self) -> None:
        self.closed = False
        self._packets: deque[Packet] = deque()
        self._waiters: list[ThreadState] = []
        self._lock = threading.Lock()

    def post(self, packet: Packet) -> None:
        """Queue a packet and wake the thread that came last, as Windows prefers."""
        with self._lock:
            self._packets.append(packet)
            waiter = self._waiters[-1] if self._waiters else None
        if waiter is not None:
            waiter.interrupt()

    def take(self) -> Packet | None:
        """The oldest packet, if there is one."""
        try:
            return self._packets.popleft()
        except IndexError:
            return None

    def enter(self, ts: ThreadState) -> None:
        """From now on packets wake this thread."""
        with self._lock:
            self._waiters.append(ts)

    def leave(self, ts: ThreadState) -> None:
        """The thread waits no more; if a packet came for it all the same, the next one gets it."""
        with self._lock:
            self._waiters.remove(ts)
            heir = self._waiters[-1] if self._packets and self._waiters else None
        if heir is not None:
            heir.interrupt()

    def close(self) -> None:
        """Nobody will get a packet any more; who waits is told."""
        with self._lock:
            self.closed = True
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.interrupt()
