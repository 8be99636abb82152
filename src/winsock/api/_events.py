"""Event objects and waits: kernel32's, and Winsock's names for them."""

from __future__ import annotations

import operator
from typing import Any
from weakref import WeakValueDictionary

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._device import Device
from winsock.afd._reactor import Reactor, reactor_of
from winsock.afd._requests import requests_of
from winsock.api._call import dword, export
from winsock.api._kernel import MASK, ThreadObject, handle_object, kernel
from winsock.codes import WinsockError
from winsock.nt import Process, ThreadState, memory, queue_apc
from winsock.nt._objects import Event, Waitable
from winsock.nt._registered import RegisteredWait
from winsock.nt._waits import sleep, wait_for
from winsock.transports.host import HOST

NAMES = "named events"  # in Process.services
HANDLE_SIZE = 8
CREATE_EVENT_MANUAL_RESET, CREATE_EVENT_INITIAL_SET = 1, 2
WT_EXECUTEONLYONCE = 8


def reactor(process: Process) -> Reactor:
    """Where the process' threads wait."""
    return reactor_of(process, process.transport or HOST)


def milliseconds(value: Any) -> float | None:
    """A DWORD of milliseconds; None for INFINITE."""
    ms = dword(value)
    return None if ms == c.INFINITE else float(ms)


def event_object(ts: ThreadState, handle: Any) -> Event:
    """The event behind a handle, whose two low bits count for nothing; ERROR_INVALID_HANDLE."""
    found = ts.process.handles.get(operator.index(handle) & MASK & ~3)
    if not isinstance(found, Event):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    return found


def waitable(ts: ThreadState, handle: Any) -> Waitable:
    """What a wait for this handle waits for; ERROR_INVALID_HANDLE."""
    found = ts.process.handles.get(operator.index(handle) & MASK & ~3)
    if isinstance(found, Waitable):
        return found
    if isinstance(found, (Endpoint, Device)):
        return requests_of(found).signal
    if isinstance(found, ThreadObject):
        return exit_event(found.state)
    raise WinsockError(c.ERROR_INVALID_HANDLE)


def exit_event(state: ThreadState) -> Event:
    """What is signalled when a thread has ended."""
    with state.process.lock:
        event: Event = state.buffers.setdefault("exit", Event())
        if "ended" in state.buffers:
            event.set()
    return event


# -- events


def _create(ts: ThreadState, name: str, manual: bool, signaled: bool) -> int:
    """The last error tells whether there was one of that name already: it is this one then."""
    process = ts.process
    with process.lock:
        names = process.services.setdefault(NAMES, WeakValueDictionary())
        event = names.get(name) if name else None
        error = c.ERROR_ALREADY_EXISTS if event is not None else 0
        if event is None:
            event = Event(manual, signaled, name)
            if name:
                names[name] = event
        handle = process.handles.add(event)
    ts.last_error = error
    return handle


def named_event(process: Process, name: str) -> Event:
    """The process' event of that name; ERROR_FILE_NOT_FOUND."""
    with process.lock:
        event: Event | None = process.services.get(NAMES, {}).get(name)
    if event is None:
        raise WinsockError(c.ERROR_FILE_NOT_FOUND)
    return event


@kernel(0)
def CreateEventW(ts: ThreadState, lpEventAttributes: Any, bManualReset: int, bInitialState: int, lpName: Any) -> int:
    """A new event's handle, or the handle of the process' event of that name (ERROR_ALREADY_EXISTS then).

    Names are the process' own.  Source: document.
    """
    name = "" if memory.is_null(lpName) else memory.wstring(lpName)
    return _create(ts, name, bool(bManualReset), bool(bInitialState))


@kernel(0)
def CreateEventA(ts: ThreadState, lpEventAttributes: Any, bManualReset: int, bInitialState: int, lpName: Any) -> int:
    """The same with an ANSI name."""
    name = "" if memory.is_null(lpName) else memory.cstring(lpName).decode("utf-8", "surrogateescape")
    return _create(ts, name, bool(bManualReset), bool(bInitialState))


@kernel(0)
def CreateEventExW(ts: ThreadState, lpEventAttributes: Any, lpName: Any, dwFlags: int, dwDesiredAccess: int) -> int:
    """The same with CREATE_EVENT_* flags."""
    name = "" if memory.is_null(lpName) else memory.wstring(lpName)
    flags = dword(dwFlags)
    return _create(ts, name, bool(flags & CREATE_EVENT_MANUAL_RESET), bool(flags & CREATE_EVENT_INITIAL_SET))


@kernel(0)
def CreateEventExA(ts: ThreadState, lpEventAttributes: Any, lpName: Any, dwFlags: int, dwDesiredAccess: int) -> int:
    """The same with an ANSI name."""
    name = "" if memory.is_null(lpName) else memory.cstring(lpName).decode("utf-8", "surrogateescape")
    flags = dword(dwFlags)
    return _create(ts, name, bool(flags & CREATE_EVENT_MANUAL_RESET), bool(flags & CREATE_EVENT_INITIAL_SET))


@kernel(0)
def SetEvent(ts: ThreadState, hEvent: int) -> int:
    """Signal an event."""
    event_object(ts, hEvent).set()
    return 1


@kernel(0)
def ResetEvent(ts: ThreadState, hEvent: int) -> int:
    """Take the signal back."""
    event_object(ts, hEvent).reset()
    return 1


@kernel(0)
def PulseEvent(ts: ThreadState, hEvent: int) -> int:
    """Release who waits now (of an auto-reset event: one thread), and leave the event without a signal."""
    event_object(ts, hEvent).pulse()
    return 1


@export(0, clears=False)
def WSACreateEvent(ts: ThreadState) -> int:
    """A new event, to be reset by hand, not signalled; 0 (WSA_INVALID_EVENT) with WSANOTINITIALISED."""
    return ts.process.handles.add(Event())


@export(0, clears=False)
def WSACloseEvent(ts: ThreadState, hEvent: int) -> int:
    """Close an event's handle; 0 with WSA_INVALID_HANDLE for another handle.  Who waits for it goes on waiting."""
    event_object(ts, hEvent)
    ts.process.handles.remove(operator.index(hEvent) & MASK & ~3)
    return 1


@export(0, clears=False)
def WSASetEvent(ts: ThreadState, hEvent: int) -> int:
    """Signal an event; 0 with WSA_INVALID_HANDLE."""
    event_object(ts, hEvent).set()
    return 1


@export(0, clears=False)
def WSAResetEvent(ts: ThreadState, hEvent: int) -> int:
    """Take an event's signal back; 0 with WSA_INVALID_HANDLE."""
    event_object(ts, hEvent).reset()
    return 1


# -- waits


@kernel(c.WAIT_FAILED)
def WaitForSingleObjectEx(ts: ThreadState, hHandle: int, dwMilliseconds: int, bAlertable: int) -> int:
    """Wait for an object: WAIT_OBJECT_0, WAIT_TIMEOUT, or WAIT_IO_COMPLETION when APCs ran.

    WAIT_FAILED with ERROR_INVALID_HANDLE.  A socket is signalled while no request without an event has been started
    since the last one ended.
    """
    return wait_for(
        ts,
        reactor(ts.process),
        (waitable(ts, hHandle),),
        False,
        milliseconds(dwMilliseconds),
        bool(bAlertable),
    )


@kernel(c.WAIT_FAILED)
def WaitForSingleObject(ts: ThreadState, hHandle: int, dwMilliseconds: int) -> int:
    """WaitForSingleObjectEx, not alertable."""
    target = (waitable(ts, hHandle),)
    return wait_for(ts, reactor(ts.process), target, False, milliseconds(dwMilliseconds), False)


def _wait_for_many(ts: ThreadState, count: Any, handles: Any, together: Any, ms: Any, alertable: Any) -> int:
    n = dword(count)
    if not 0 < n <= c.WSA_MAXIMUM_WAIT_EVENTS:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    data = memory.read(handles, n * HANDLE_SIZE)
    numbers = [int.from_bytes(data[at : at + HANDLE_SIZE], "little") for at in range(0, len(data), HANDLE_SIZE)]
    objects = [waitable(ts, number) for number in numbers]
    if together and len(set(objects)) < n:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    return wait_for(ts, reactor(ts.process), objects, bool(together), milliseconds(ms), bool(alertable))


@kernel(c.WAIT_FAILED)
def WaitForMultipleObjectsEx(
    ts: ThreadState, nCount: int, lpHandles: Any, bWaitAll: int, dwMilliseconds: int, bAlertable: int
) -> int:
    """Wait for one of up to 64 objects (WAIT_OBJECT_0 and its index), or for all of them together.

    WAIT_FAILED with ERROR_INVALID_PARAMETER for none or too many, or the same one twice in a wait for all,
    ERROR_INVALID_HANDLE.  See WaitForSingleObjectEx.
    """
    return _wait_for_many(ts, nCount, lpHandles, bWaitAll, dwMilliseconds, bAlertable)


@kernel(c.WAIT_FAILED)
def WaitForMultipleObjects(ts: ThreadState, nCount: int, lpHandles: Any, bWaitAll: int, dwMilliseconds: int) -> int:
    """WaitForMultipleObjectsEx, not alertable."""
    return _wait_for_many(ts, nCount, lpHandles, bWaitAll, dwMilliseconds, 0)


@export(c.WSA_WAIT_FAILED, clears=False)
def WSAWaitForMultipleEvents(
    ts: ThreadState, cEvents: int, lphEvents: Any, fWaitAll: int, dwTimeout: int, fAlertable: int
) -> int:
    """WaitForMultipleObjectsEx under Winsock's name: WSA_WAIT_EVENT_0 and the index, WSA_WAIT_TIMEOUT, ...

    WSA_WAIT_FAILED with WSANOTINITIALISED, WSA_INVALID_PARAMETER, WSA_INVALID_HANDLE.  Source: document.
    """
    return _wait_for_many(ts, cEvents, lphEvents, fWaitAll, dwTimeout, fAlertable)


# -- threads


@kernel(0)
def SleepEx(ts: ThreadState, dwMilliseconds: int, bAlertable: int) -> int:
    """Wait so many milliseconds, or, if alertable, until APCs have run: WAIT_IO_COMPLETION then, else 0."""
    return sleep(ts, reactor(ts.process), milliseconds(dwMilliseconds), bool(bAlertable))


def Sleep(dwMilliseconds: int) -> None:
    """Wait so many milliseconds."""
    SleepEx(dwMilliseconds, 0)


@kernel(0)
def QueueUserAPC(ts: ThreadState, pfnAPC: Any, hThread: int, dwData: int) -> int:
    """Have a thread call pfnAPC(dwData) when it next waits alertably; 0 with ERROR_INVALID_HANDLE."""
    obj = handle_object(ts, hThread)
    if not isinstance(obj, ThreadObject) or not callable(pfnAPC):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    queue_apc(obj.state, pfnAPC, 0 if dwData is None else operator.index(dwData) & MASK)
    return 1


# -- registered waits


def _registered(ts: ThreadState, handle: Any) -> RegisteredWait:
    found = ts.process.handles.objects.get(operator.index(handle) & MASK)
    if not isinstance(found, RegisteredWait):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    return found


@kernel(0)
def RegisterWaitForSingleObject(
    ts: ThreadState,
    phNewWaitObject: Any,
    hObject: int,
    Callback: Any,
    Context: Any,
    dwMilliseconds: int,
    dwFlags: int,
) -> int:
    """Have Callback(Context, timed out) called in another thread when an object is signalled or the time is up.

    phNewWaitObject    gets what UnregisterWait takes
    dwFlags            WT_EXECUTEONLYONCE; the others, which choose a thread, count for nothing

    Without WT_EXECUTEONLYONCE it is called again and again, as long as a manual-reset event stays signalled.
    ERROR_INVALID_HANDLE.  Source: document.
    """
    obj, pump = waitable(ts, hObject), reactor(ts.process)
    if not callable(Callback):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    memory.writable(phNewWaitObject, HANDLE_SIZE)
    timeout, once = milliseconds(dwMilliseconds), bool(dword(dwFlags) & WT_EXECUTEONLYONCE)
    context = memory.address(Context)
    wait = RegisteredWait(
        ts.process, obj, lambda late: Callback(context, int(late)), timeout, once, pump.now, pump.call_at
    )
    handle = ts.process.handles.add(wait)
    memory.write_u64(phNewWaitObject, handle)
    return 1


@kernel(0)
def UnregisterWaitEx(ts: ThreadState, WaitHandle: int, CompletionEvent: int | None) -> int:
    """End a registered wait.

    CompletionEvent    is signalled when no call is under way any more; INVALID_HANDLE_VALUE waits for that itself

    0 with ERROR_IO_PENDING while a call is under way, ERROR_INVALID_HANDLE.
    """
    wait = _registered(ts, WaitHandle)
    given = 0 if CompletionEvent is None else operator.index(CompletionEvent) & MASK
    done = event_object(ts, given) if given not in (0, c.INVALID_HANDLE_VALUE) else None
    ts.process.handles.remove(operator.index(WaitHandle) & MASK)
    if not wait.end(done, given == c.INVALID_HANDLE_VALUE):
        raise WinsockError(c.ERROR_IO_PENDING)
    return 1


@kernel(0)
def UnregisterWait(ts: ThreadState, WaitHandle: int) -> int:
    """UnregisterWaitEx without an event."""
    wait = _registered(ts, WaitHandle)
    ts.process.handles.remove(operator.index(WaitHandle) & MASK)
    if not wait.end():
        raise WinsockError(c.ERROR_IO_PENDING)
    return 1
