"""Overlapped requests at the C-shaped face: how a call starts one, and what becomes of it later."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._device import Device
from winsock.afd._request import Request
from winsock.afd._requests import cancel_all
from winsock.afd._structures import FLAGS_AT, HANDLE_AT, OVERFLOW, OVERLAPPED_SIZE, PENDING
from winsock.api._call import endpoint, export
from winsock.api._events import milliseconds, reactor, waitable
from winsock.api._kernel import ThreadObject, handle_object, kernel
from winsock.api._pointers import function
from winsock.codes import WSA, WinsockError, ntstatus_to_win32, ntstatus_to_wsa
from winsock.nt import ThreadState, memory, run_apcs
from winsock.nt._objects import Waitable

FAILED = 0x80000000  # NT_SUCCESS is false from here on
_APC = object()


def as_routine(value: Any) -> Callable[..., Any] | None:
    """A completion routine, or None for NULL; WSAEFAULT for what cannot be called."""
    if value is None or (isinstance(value, int) and value == 0):
        return None
    if not callable(value):
        try:
            value = function(operator.index(value))
        except (KeyError, TypeError):
            raise memory.fault() from None
    result: Callable[..., Any] = value
    return result


def start(request: Request, count: Any, flags: Any = None) -> int:
    """Start it: 0 when it has ended at once, with the byte count (and flags) stored, else WSA_IO_PENDING.

    On a socket without WSA_FLAG_OVERLAPPED the call waits for the end (fact).
    """
    if not request.ep.procs.start(request):
        if request.ep.flags & c.WSA_FLAG_OVERLAPPED:
            raise WinsockError(WSA.WSA_IO_PENDING)
        _await(request)
    store(request, count, flags)
    if request.status:
        raise WinsockError(ntstatus_to_wsa(request.status))
    return 0


def perform(request: Request) -> None:
    """Start it: what has no OVERLAPPED is waited for, what has one is WSA_IO_PENDING."""
    if not request.ep.procs.start(request):
        if request.overlapped is not None and request.ep.flags & c.WSA_FLAG_OVERLAPPED:
            raise WinsockError(WSA.WSA_IO_PENDING)
        _await(request)
    if request.status:
        raise WinsockError(ntstatus_to_wsa(request.status))


def store(request: Request, count: Any, flags: Any = None) -> None:
    """Bytes and flags of a request that has ended, where the call was told to put them."""
    if request.status and request.status != OVERFLOW:
        return
    if not memory.is_null(count):
        memory.write_u32(count, request.transferred)
    if flags is not None:
        memory.write_u32(flags, request.told)


def _await(request: Request) -> None:
    ts = request.ts
    obj: Waitable = request.event or request.requests.signal
    obj.enter(ts)
    try:
        reactor(ts.process).wait(ts, lambda: True if request.status != PENDING else None, None)
    finally:
        obj.leave(ts)


# -- results


def _read(overlapped: Any) -> tuple[int, int, int, int]:
    """Internal, InternalHigh, the flags, hEvent."""
    data = memory.read(overlapped, OVERLAPPED_SIZE)
    number = int.from_bytes
    return (
        number(data[:8], "little"),
        number(data[8:16], "little"),
        number(data[FLAGS_AT : FLAGS_AT + 4], "little"),
        number(data[HANDLE_AT:], "little"),
    )


def _result(
    ts: ThreadState, handle: Any, overlapped: Any, timeout: float | None, alertable: bool = False
) -> tuple[int, int, int]:
    """Status, bytes and flags, after a wait of at most timeout milliseconds; PENDING then.

    The wait is for hEvent or, without one, for the handle.
    """
    found = _read(overlapped)
    if found[0] == PENDING:
        pump = reactor(ts.process)
        obj: Waitable | None = None
        if timeout != 0:
            obj = waitable(ts, found[3] if found[3] & ~3 else handle)

        def over() -> Any:
            if memory.read_u64(overlapped) != PENDING or (obj is not None and obj.is_signaled(ts)):
                return True
            return _APC if alertable and ts.apcs else None

        if obj is None:
            pump.wait(ts, over, 0)
        else:
            obj.enter(ts)
            try:
                ended = pump.wait(ts, over, timeout)
            finally:
                obj.leave(ts)
            if ended is _APC:
                run_apcs(ts)
                raise WinsockError(c.WAIT_IO_COMPLETION)
            if ended is None:
                raise WinsockError(c.WAIT_TIMEOUT)
        found = _read(overlapped)
    return found[:3]


def _win32_result(ts: ThreadState, handle: Any, overlapped: Any, count: Any, result: tuple[int, int, int]) -> int:
    status, transferred, _ = result
    if status == PENDING:
        raise WinsockError(c.ERROR_IO_INCOMPLETE)
    memory.write_u32(count, transferred)
    if status & 0xFFFFFFFF >= FAILED:
        raise WinsockError(ntstatus_to_win32(status))
    return 1


@kernel(0)
def GetOverlappedResult(
    ts: ThreadState, hFile: int, lpOverlapped: Any, lpNumberOfBytesTransferred: Any, bWait: int
) -> int:
    """How an overlapped request ended: the bytes it moved; 0 with the Win32 error it failed with.

    bWait    wait for its end: for OVERLAPPED.hEvent or, without one, for the handle

    ERROR_IO_INCOMPLETE while it is pending.  A reset is ERROR_NETNAME_DELETED, a cancelled request
    ERROR_OPERATION_ABORTED.  Source: document, facts.
    """
    memory.writable(lpNumberOfBytesTransferred, 4)
    result = _result(ts, hFile, lpOverlapped, None if bWait else 0)
    return _win32_result(ts, hFile, lpOverlapped, lpNumberOfBytesTransferred, result)


@kernel(0)
def GetOverlappedResultEx(
    ts: ThreadState,
    hFile: int,
    lpOverlapped: Any,
    lpNumberOfBytesTransferred: Any,
    dwMilliseconds: int,
    bAlertable: int,
) -> int:
    """GetOverlappedResult with a limit: WAIT_TIMEOUT after it, WAIT_IO_COMPLETION when APCs ran before the end."""
    memory.writable(lpNumberOfBytesTransferred, 4)
    result = _result(ts, hFile, lpOverlapped, milliseconds(dwMilliseconds), bool(bAlertable))
    return _win32_result(ts, hFile, lpOverlapped, lpNumberOfBytesTransferred, result)


@export(0, clears=False)
def WSAGetOverlappedResult(
    ts: ThreadState, s: int, lpOverlapped: Any, lpcbTransfer: Any, fWait: int, lpdwFlags: Any
) -> int:
    """How a request ended: bytes and flags (as WSARecv's lpFlags); 0 with the Winsock code it failed with.

    fWait    wait for its end

    Bytes are told of a failure, too; flags are not (fact; Wine tells them).

    WSA_IO_INCOMPLETE while it is pending, WSAENOTSOCK, WSAEFAULT.  Success sets the last error, too: to what the
    status reads as (fact).  Source: document, facts.
    """
    endpoint(ts, s)
    memory.writable(lpcbTransfer, 4)
    status, transferred, flags = _result(ts, s, lpOverlapped, None if fWait else 0)
    error = ntstatus_to_wsa(status)
    if status == PENDING:
        raise WinsockError(error)
    memory.write_u32(lpcbTransfer, transferred)
    if status & 0xFFFFFFFF >= FAILED:
        raise WinsockError(error)
    memory.write_u32(lpdwFlags, flags)
    ts.last_error = error
    return 1


# -- cancelling


@kernel(0)
def CancelIo(ts: ThreadState, hFile: int) -> int:
    """End the requests that the calling thread has pending on a handle: they end with ERROR_OPERATION_ABORTED."""
    target = handle_object(ts, hFile)
    if isinstance(target, (Endpoint, Device)):
        cancel_all(target, ts)
    return 1


@kernel(0)
def CancelIoEx(ts: ThreadState, hFile: int, lpOverlapped: Any) -> int:
    """End the requests that any thread has pending on a handle: the one with this OVERLAPPED, or, for NULL, all.

    0 with ERROR_NOT_FOUND when there is none.
    """
    target = handle_object(ts, hFile)
    address = 0 if memory.is_null(lpOverlapped) else memory.address(lpOverlapped)
    if not isinstance(target, (Endpoint, Device)) or not cancel_all(target, None, address):
        raise WinsockError(c.ERROR_NOT_FOUND)
    return 1


@kernel(0)
def CancelSynchronousIo(ts: ThreadState, hThread: int) -> int:
    """End the blocking call that a thread is in, with ERROR_OPERATION_ABORTED; 0 with ERROR_NOT_FOUND if in none."""
    target = handle_object(ts, hThread)
    if not isinstance(target, ThreadObject):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    state = target.state
    if not state.blocking:
        raise WinsockError(c.ERROR_NOT_FOUND)
    state.cancelled = c.ERROR_OPERATION_ABORTED
    state.interrupt()
    return 1
