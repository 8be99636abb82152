"""Asynchronous GetAddrInfoEx: each query in a thread of its own, which also calls the completion routine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from winsock.afd._structures import PENDING, Overlapped
from winsock.api import _name_structs as structs
from winsock.api._call import export
from winsock.api._overlapped import as_routine
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._objects import Event

_log = logging.getLogger("winsock")

POINTER_AT = 16  # OVERLAPPED.Pointer: at the end it is where the caller wanted the list
Find = Callable[[], int]  # makes the list: its address


class Query:
    """A query under way.

    find    looks up; its WinsockError is what the query ends with
    res     where the list's address goes
    """

    def __init__(self, ts: ThreadState, find: Find, res: Any, overlapped: Any, routine: Any) -> None:
        self.process, self.find, self.res = ts.process, find, res
        self.overlapped = Overlapped(overlapped, ts.process)
        self.routine = as_routine(routine)
        self.event: Event | None = None
        self.over = False
        self.handle = 0
        self.lock = threading.RLock()
        handle = self.overlapped.event & ~3
        if handle and self.routine is not None:
            raise WinsockError(WSA.WSAEINVAL)
        if handle:
            event = ts.process.handles.objects.get(handle)
            if not isinstance(event, Event):
                raise WinsockError(WSA.WSA_INVALID_HANDLE)
            self.event = event

    def start(self) -> None:
        """WSAENOBUFS without a thread to do it."""
        if self.event is not None:
            self.event.reset()
        self.overlapped.begin()
        try:
            threading.Thread(target=self._run, name="winsock look-up", daemon=True).start()
        except RuntimeError:
            self.overlapped.end(WSA.WSAENOBUFS, 0, 0, False)
            raise WinsockError(WSA.WSAENOBUFS) from None

    def _run(self) -> None:
        with self.process.attached():
            code = found = 0
            try:
                found = self.find()
            except WinsockError as e:
                code = e.code
            except Exception:
                _log.exception("winsock: a look-up failed inside; please report this")
                code = WSA.WSANO_RECOVERY
            if not self.end(code, found) and found:
                structs.free_addrinfo(self.process, found)  # cancelled meanwhile: nobody gets it

    def end(self, code: int, found: int = 0) -> bool:
        """It has ended, once; False if it had already."""
        with self.lock:
            if self.over:
                return False
            self.over = True
            self.process.handles.remove(self.handle)
            where = memory.address(self.res)
            if self.overlapped.intact():
                try:
                    memory.write_u64(self.res, found)
                    memory.write_u64(self.overlapped.address + POINTER_AT, where)
                except WinsockError:
                    pass  # it is gone
            self.overlapped.end(code, 0, where & 0xFFFFFFFF, False)  # which leaves the pointer as it is
        if self.event is not None:
            self.event.set()
        if self.routine is not None:
            try:
                self.routine(code, 0, self.overlapped.address)
            except Exception:  # C code could not raise either
                _log.exception("the completion routine of a look-up failed: %r", self.routine)
        return True


def begin(ts: ThreadState, find: Find, res: Any, overlapped: Any, routine: Any, handle: Any) -> None:
    """Start a query; always WSA_IO_PENDING (fact), or what keeps it from starting."""
    query = Query(ts, find, res, overlapped, routine)
    if not memory.is_null(handle):
        memory.writable(handle, 8)
        query.handle = ts.process.handles.add(query)
        memory.write_u64(handle, query.handle)
    query.start()
    raise WinsockError(WSA.WSA_IO_PENDING)


@export(int(WSA.WSAEFAULT), startup=False, clears=False)
def GetAddrInfoExOverlappedResult(ts: ThreadState, lpOverlapped: Any) -> int:
    """What a query ended with: 0 or its code; WSAEINPROGRESS while it is under way, WSAEINVAL for NULL."""
    if memory.is_null(lpOverlapped):
        return int(WSA.WSAEINVAL)
    status = memory.read_u64(lpOverlapped)
    return int(WSA.WSAEINPROGRESS) if status == PENDING else status & 0xFFFFFFFF


@export(int(WSA.WSA_INVALID_HANDLE), startup=False, clears=False)
def GetAddrInfoExCancel(ts: ThreadState, lpHandle: Any) -> int:
    """End a query with WSA_E_CANCELLED: 0, or WSA_INVALID_HANDLE if there is none such any more.

    lpHandle    where GetAddrInfoExW stored the query's handle
    """
    query = ts.process.handles.objects.get(memory.read_u64(lpHandle))
    if not isinstance(query, Query) or not query.end(WSA.WSA_E_CANCELLED):
        return int(WSA.WSA_INVALID_HANDLE)
    return 0
