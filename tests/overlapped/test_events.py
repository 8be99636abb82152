"""Event objects and the waits for them."""

from __future__ import annotations

import struct
import threading

import pytest

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

LONG = 20_000


def array(*handles):
    return struct.pack(f"<{len(handles)}Q", *handles)


def waits_for(lab, handle):
    """Until a thread waits for it."""
    obj = lab.process.handles.objects[handle]
    lab.until(lambda: obj._waiters, "a wait")


def test_a_manual_event_stays_signalled(lab):
    e = lab.event()
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT
    assert k32.SetEvent(e)
    assert [lab.wait(e, 0) for _ in range(3)] == [c.WAIT_OBJECT_0] * 3
    assert k32.ResetEvent(e)
    assert lab.wait(e, 5) == c.WAIT_TIMEOUT


def test_an_auto_reset_event_lets_one_wait_through(lab):
    e = lab.event(manual=False)
    k32.SetEvent(e)
    k32.SetEvent(e)
    assert [lab.wait(e, 0), lab.wait(e, 0)] == [c.WAIT_OBJECT_0, c.WAIT_TIMEOUT]


def test_initial_state_and_flags(lab):
    assert lab.wait(k32.CreateEventW(None, 1, 1, None), 0) == c.WAIT_OBJECT_0
    assert lab.wait(k32.CreateEventExW(None, None, 2, 0), 0) == c.WAIT_OBJECT_0
    auto = k32.CreateEventExA(None, None, 2, 0)
    assert [lab.wait(auto, 0), lab.wait(auto, 0)] == [c.WAIT_OBJECT_0, c.WAIT_TIMEOUT]


def test_names_are_shared(lab):
    k32.SetLastError(7)
    a = k32.CreateEventW(None, 1, 0, "gate")
    assert k32.GetLastError() == 0
    b = k32.CreateEventA(None, 0, 0, b"gate")
    assert k32.GetLastError() == c.ERROR_ALREADY_EXISTS
    assert a != b
    k32.SetEvent(b)
    assert lab.wait(a, 0) == c.WAIT_OBJECT_0
    assert k32.CloseHandle(a)
    assert lab.wait(b, 0) == c.WAIT_OBJECT_0


def test_winsocks_own_names(lab):
    e = ws.WSACreateEvent()
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT
    assert ws.WSASetEvent(e)
    assert ws.WSAWaitForMultipleEvents(1, array(e), 0, 0, 0) == c.WSA_WAIT_EVENT_0
    assert ws.WSAResetEvent(e)
    assert ws.WSAWaitForMultipleEvents(1, array(e), 0, 0, 0) == c.WSA_WAIT_TIMEOUT
    assert ws.WSACloseEvent(e)
    for call in (ws.WSASetEvent, ws.WSAResetEvent, ws.WSACloseEvent):
        lab.fails(call(e), WSA.WSA_INVALID_HANDLE, 0)


def test_events_need_a_started_winsock(lab):
    lab.ok(ws.WSACleanup())
    lab.fails(ws.WSACreateEvent(), WSA.WSANOTINITIALISED, 0)
    lab.fails(ws.WSAWaitForMultipleEvents(1, array(4), 0, 0, 0), WSA.WSANOTINITIALISED, c.WAIT_FAILED)
    lab.ok(ws.WSAStartup(0x0202, bytearray(408)))


@pytest.mark.parametrize("count", [0, 65])
def test_as_many_as_can_be_waited_for(lab, count):
    e = lab.event()
    k32.SetEvent(e)
    many = array(*[e] * 65)
    assert ws.WSAWaitForMultipleEvents(64, many, 0, 0, 0) == c.WSA_WAIT_EVENT_0
    lab.fails(ws.WSAWaitForMultipleEvents(count, many, 0, 0, 0), WSA.WSA_INVALID_PARAMETER, c.WAIT_FAILED)
    lab.fails(k32.WaitForMultipleObjects(count, many, 0, 0), c.ERROR_INVALID_PARAMETER, c.WAIT_FAILED)


def test_bad_handles(lab):
    e = lab.event()
    for stale in (0, 3, 0xFFFFFC):
        lab.fails(lab.wait(stale, 0), c.ERROR_INVALID_HANDLE, c.WAIT_FAILED)
        lab.fails(k32.WaitForMultipleObjects(2, array(e, stale), 0, 0), c.ERROR_INVALID_HANDLE, c.WAIT_FAILED)
        lab.fails(k32.SetEvent(stale), c.ERROR_INVALID_HANDLE, 0)
    lab.fails(k32.SetEvent(lab.socket()), c.ERROR_INVALID_HANDLE, 0)


def test_low_bits_of_a_handle_do_not_count(lab):
    e = lab.event()
    assert k32.SetEvent(e | 1)
    assert lab.wait(e | 3, 0) == c.WAIT_OBJECT_0


def test_any_gives_the_first_index(lab):
    events = [lab.event() for _ in range(4)]
    k32.SetEvent(events[3])
    k32.SetEvent(events[1])
    assert k32.WaitForMultipleObjects(4, array(*events), 0, 0) == c.WAIT_OBJECT_0 + 1


def test_all_takes_them_together(lab):
    a, b = lab.event(manual=False), lab.event(manual=False)
    k32.SetEvent(a)
    assert k32.WaitForMultipleObjects(2, array(a, b), 1, 5) == c.WAIT_TIMEOUT
    assert lab.wait(a, 0) == c.WAIT_OBJECT_0, "the wait that was not over took a signal"
    k32.SetEvent(a)
    waiting = lab.run(k32.WaitForMultipleObjects, 2, array(a, b), 1, LONG)
    waits_for(lab, b)
    k32.SetEvent(b)
    assert waiting.result(30)[0] == c.WAIT_OBJECT_0
    assert [lab.wait(a, 0), lab.wait(b, 0)] == [c.WAIT_TIMEOUT] * 2


def test_all_does_not_wait_for_one_twice(lab):
    e = lab.event()
    lab.fails(k32.WaitForMultipleObjects(2, array(e, e), 1, 0), c.ERROR_INVALID_PARAMETER, c.WAIT_FAILED)


def test_an_auto_reset_event_wakes_one_of_many(lab):
    e, done = lab.event(manual=False), []
    obj = lab.process.handles.objects[e]

    def one():
        assert k32.WaitForSingleObject(e, LONG) == c.WAIT_OBJECT_0
        done.append(1)

    threads = [lab.run(one) for _ in range(4)]
    lab.until(lambda: len(obj._waiters) == 4)
    for n in range(1, 5):
        k32.SetEvent(e)
        lab.until(lambda n=n: len(done) == n)
        assert not obj.signaled
    for thread in threads:
        thread.result(30)


@pytest.mark.parametrize("manual", [True, False])
def test_a_pulse_releases_who_waits(lab, manual):
    e = lab.event(manual)
    obj = lab.process.handles.objects[e]
    threads = [lab.run(k32.WaitForSingleObject, e, LONG) for _ in range(2)]
    lab.until(lambda: len(obj._waiters) == 2)
    assert k32.PulseEvent(e)
    if not manual:
        lab.until(lambda: len(obj._waiters) == 1)
        assert k32.PulseEvent(e)
    assert [t.result(30)[0] for t in threads] == [c.WAIT_OBJECT_0] * 2
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT
    k32.PulseEvent(e)
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT


def test_closing_an_event_under_a_wait(lab):
    e = lab.event()
    waiting = lab.run(k32.WaitForSingleObject, e, LONG)
    waits_for(lab, e)
    other = bytearray(8)
    assert k32.DuplicateHandle(-1, e, -1, other, 0, 0, c.DUPLICATE_SAME_ACCESS)
    assert k32.CloseHandle(e)
    k32.SetEvent(int.from_bytes(other, "little"))
    assert waiting.result(30)[0] == c.WAIT_OBJECT_0


# -- alertable waits


def queue(seen, value=0):
    assert k32.QueueUserAPC(seen.append, k32.GetCurrentThread(), value)


@pytest.mark.parametrize("wait", ["SleepEx", "WaitForSingleObjectEx", "WSAWaitForMultipleEvents", "port"])
def test_apcs_end_an_alertable_wait(lab, wait):
    seen, e, port = [], lab.event(), lab.port()
    queue(seen, 1)
    queue(seen, 2)
    if wait == "SleepEx":
        assert k32.SleepEx(LONG, 1) == c.WAIT_IO_COMPLETION
    elif wait == "WaitForSingleObjectEx":
        assert k32.WaitForSingleObjectEx(e, LONG, 1) == c.WAIT_IO_COMPLETION
    elif wait == "port":
        r = k32.GetQueuedCompletionStatusEx(port, bytearray(64), 2, bytearray(4), LONG, 1)
        lab.fails(r, c.WAIT_IO_COMPLETION, 0)
    else:
        assert ws.WSAWaitForMultipleEvents(1, array(e), 0, LONG, 1) == c.WSA_WAIT_IO_COMPLETION
    assert seen == [1, 2]


def test_apcs_wait_for_an_alertable_wait(lab):
    seen, e = [], lab.event()
    queue(seen)
    assert k32.SleepEx(1, 0) == 0
    assert lab.wait(e, 1) == c.WAIT_TIMEOUT
    assert k32.GetQueuedCompletionStatusEx(lab.port(), bytearray(64), 2, bytearray(4), 0, 0) == 0
    assert seen == []
    assert k32.SleepEx(0, 1) == c.WAIT_IO_COMPLETION
    assert seen == [0]


def test_an_apc_from_another_thread_ends_the_wait(lab):
    seen, e = [], lab.event()
    thread = k32.OpenThread(0, 0, k32.GetCurrentThreadId())
    obj = lab.process.handles.objects[e]

    def other():
        lab.until(lambda: obj._waiters)
        assert k32.QueueUserAPC(seen.append, thread, 5)

    running = lab.run(other)
    assert k32.WaitForSingleObjectEx(e, LONG, 1) == c.WAIT_IO_COMPLETION
    assert seen == [5]
    running.result(30)


def test_a_signal_comes_before_apcs(lab):
    seen, e = [], lab.event()
    k32.SetEvent(e)
    queue(seen)
    assert k32.WaitForSingleObjectEx(e, LONG, 1) == c.WAIT_OBJECT_0
    assert seen == []
    assert k32.SleepEx(0, 1) == c.WAIT_IO_COMPLETION


def test_waits_nest_in_apcs(lab):
    seen, e = [], lab.event()

    def outer(_):
        queue(seen, 2)
        seen.append(k32.WaitForSingleObjectEx(e, LONG, 1))
        k32.SetEvent(e)

    assert k32.QueueUserAPC(outer, k32.GetCurrentThread(), 0)
    assert k32.SleepEx(LONG, 1) == c.WAIT_IO_COMPLETION
    assert seen == [2, c.WAIT_IO_COMPLETION]
    assert lab.wait(e, 0) == c.WAIT_OBJECT_0


def test_an_apc_that_raises(lab, routines_raise):
    seen = []

    def broken(_):
        raise RuntimeError("a program's own")

    k32.QueueUserAPC(broken, k32.GetCurrentThread(), 0)
    queue(seen, 3)
    assert k32.SleepEx(LONG, 1) == c.WAIT_IO_COMPLETION
    assert seen == [3]


# -- other handles


def test_duplicates_are_the_same_object(lab):
    e, copy = lab.event(), bytearray(8)
    assert k32.DuplicateHandle(-1, e, -1, copy, 0, 0, c.DUPLICATE_CLOSE_SOURCE | c.DUPLICATE_SAME_ACCESS)
    lab.fails(k32.SetEvent(e), c.ERROR_INVALID_HANDLE, 0)
    assert k32.SetEvent(int.from_bytes(copy, "little"))


def test_a_port_lives_as_long_as_its_last_handle(lab):
    port, copy = lab.port(), bytearray(8)
    assert k32.DuplicateHandle(-1, port, -1, copy, 0, 0, c.DUPLICATE_SAME_ACCESS)
    assert k32.CloseHandle(port)
    other = int.from_bytes(copy, "little")
    assert k32.PostQueuedCompletionStatus(other, 1, 2, 3)
    assert lab.packet(other) == (1, 1, 2, 3, 0)
    waiting = lab.run(lab.packet, other)
    lab.until(lambda: lab.process.handles.objects[other]._queue)
    assert k32.CloseHandle(other)
    assert waiting.result(30)[0] == (0, 0xAAAA, 0xAAAA, 0, c.ERROR_ABANDONED_WAIT_0)


def test_a_sockets_duplicate_keeps_the_connection_but_is_no_socket(lab):
    a, b = lab.pair()
    copy = bytearray(8)
    assert k32.DuplicateHandle(-1, a, -1, copy, 0, 0, c.DUPLICATE_SAME_ACCESS)
    other = int.from_bytes(copy, "little")
    lab.fails(ws.send(other, b"x", 1, 0), WSA.WSAENOTSOCK)
    lab.send(a, b"last")
    lab.ok(ws.closesocket(a))
    assert lab.recv(b) == b"last"
    lab.nonblocking(b)
    lab.fails(ws.recv(b, bytearray(1), 1, 0), WSA.WSAEWOULDBLOCK)
    assert k32.CloseHandle(other)
    lab.readable(b)
    assert lab.recv(b) == b""


# -- registered waits


def register(lab, event, callback, ms=LONG, flags=8):
    handle = bytearray(8)
    assert k32.RegisterWaitForSingleObject(handle, event, callback, 7, ms, flags) == 1
    return int.from_bytes(handle, "little")


def test_a_registered_wait_calls_when_the_event_is_signalled(lab):
    e, seen, called = lab.event(), [], threading.Event()
    wait = register(lab, e, lambda *args: (seen.append(args), called.set()))
    assert seen == []
    k32.SetEvent(e)
    assert called.wait(30)
    assert seen == [(7, 0)]
    assert k32.UnregisterWaitEx(wait, c.INVALID_HANDLE_VALUE) == 1
    lab.fails(k32.UnregisterWait(wait), c.ERROR_INVALID_HANDLE, 0)


def test_a_registered_wait_calls_when_the_time_is_up(lab):
    seen, called = [], threading.Event()
    wait = register(lab, lab.event(), lambda *args: (seen.append(args), called.set()), ms=1)
    assert called.wait(30)
    assert seen == [(7, 1)]
    assert k32.UnregisterWaitEx(wait, c.INVALID_HANDLE_VALUE) == 1


def test_a_registered_wait_calls_again(lab):
    e, seen = lab.event(manual=False), []
    wait = register(lab, e, lambda *args: seen.append(args), flags=0)
    for n in range(1, 4):
        k32.SetEvent(e)
        lab.until(lambda n=n: len(seen) == n)
    assert k32.UnregisterWaitEx(wait, c.INVALID_HANDLE_VALUE) == 1
    k32.SetEvent(e)
    assert lab.wait(e, 0) == c.WAIT_OBJECT_0, "nobody takes the signal any more"


def test_ending_a_registered_wait_under_its_call(lab):
    e, done = lab.event(), lab.event()
    entered, leave = threading.Event(), threading.Event()
    wait = register(lab, e, lambda *_: (entered.set(), leave.wait(30)))
    k32.SetEvent(e)
    assert entered.wait(30)
    lab.fails(k32.UnregisterWaitEx(wait, done), c.ERROR_IO_PENDING, 0)
    assert lab.wait(done, 0) == c.WAIT_TIMEOUT
    leave.set()
    assert lab.wait(done) == c.WAIT_OBJECT_0


def test_a_registered_wait_that_is_ended_calls_nothing(lab):
    e, seen = lab.event(), []
    assert k32.UnregisterWait(register(lab, e, seen.append)) == 1
    k32.SetEvent(e)
    assert k32.SleepEx(5, 0) == 0
    assert seen == []
