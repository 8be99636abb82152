"""Completion ports: queues of finished work, which threads wait at.

The queue knows no network: who waits does so at its process' pump and is woken by ThreadState.interrupt.  Nothing
here takes a lock: each step on a deque or list is one of the interpreter's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from winsock.nt._objects import Waitable
from winsock.nt._process import ThreadState

# One completion: an NTSTATUS, bytes transferred, the handle's key, the OVERLAPPED's address.
Packet = tuple[int, int, int, int]


class CompletionPort(Waitable):
    """A FIFO of packets.

    concurrency    how many threads are to run at once; kept, not enforced: see docs/fidelity.md
    drained        the last who asked was given the last packet of a look at everything; for the face that asks
    """

    __slots__ = ("_queue", "closed", "concurrency", "drained", "handles", "packets")

    def __init__(self, concurrency: int = 0) -> None:
        super().__init__()
        self.closed = False
        self.handles = 1
        self.drained = False
        self.concurrency = concurrency
        self.packets: deque[Packet] = deque()
        self._queue: list[ThreadState] = []  # who waits for packets; the last one came last

    def post(self, packet: Packet) -> None:
        """Queue a packet and wake the thread that came last, as Windows prefers."""
        self.packets.append(packet)
        if self._queue or self._waiters:
            self.tell()

    def tell(self) -> None:
        """A packet was queued: wake who waits for one."""
        if self._queue:
            self._call()
        if self._waiters:
            self.wake()

    def _call(self) -> None:
        queue = self._queue
        for ts in queue:
            if ts.wake is None:
                return  # it runs the reactor just now, and looks when it has done so
        try:
            wake = queue[-1].wake
        except IndexError:
            return  # the last one left just now
        if wake is not None:
            wake()

    def get(self, ts: ThreadState, pump: Any, timeout: float | None, ready: Callable[[], Any]) -> Any:
        """Wait for what ready() gives, at most timeout ms; None when there was nothing."""
        queue = self._queue
        queue.append(ts)
        try:
            return pump.wait(ts, ready, timeout)
        finally:
            queue.remove(ts)
            if self.packets and queue:
                self._call()  # one may have come for this thread all the same

    def is_signaled(self, ts: ThreadState) -> bool:
        """Whether packets wait."""
        return bool(self.packets)

    def close(self) -> None:
        """A handle closes; with the last one nobody will get a packet any more, and who waits is told."""
        self.handles -= 1
        if self.handles > 0:
            return
        self.closed = True
        for ts in list(self._queue):
            ts.interrupt()
