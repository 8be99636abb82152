"""The modules `_winapi` and `msvcrt`: waits, events and pipes, each test a program of its own."""

from __future__ import annotations

import sys

import pytest

from winsock.python import _winapi
from winsock.python._versions import WINAPI_NAMES

START = """
import sys, threading
import _winapi as w
NAME = r"\\\\.\\pipe\\LOCAL\\name"
FOREVER = w.NMPWAIT_WAIT_FOREVER

def code(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return type(e).__name__, e.winerror
    except (TypeError, ValueError) as e:
        return str(e)

def server(limit=1, wait=0, mode=w.PIPE_ACCESS_DUPLEX):
    return w.CreateNamedPipe(NAME, mode | w.FILE_FLAG_OVERLAPPED, 0, limit, 64, 64, wait, 0)

def client():
    return w.CreateFile(NAME, w.GENERIC_READ | w.GENERIC_WRITE, 0, 0, w.OPEN_EXISTING, w.FILE_FLAG_OVERLAPPED, 0)
"""
since_3_13 = pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13's names")


# -- names


def test_what_came_with_a_version_is_not_in_earlier_ones() -> None:
    module, later = _winapi.make_module(), WINAPI_NAMES[3, 13].split()
    assert {function.__name__ for function in _winapi.FUNCTIONS}.issuperset(later)
    assert {hasattr(module, name) for name in later} == {sys.version_info >= (3, 13)}


# -- waits


def test_a_wait_takes_63_handles(program) -> None:
    assert program(START + """
import _overlapped as o
events = [o.CreateEvent(None, True, i == 62, None) for i in range(64)]
print(w.WaitForMultipleObjects(events[:63], False, w.INFINITE))
print(code(w.WaitForMultipleObjects, events, False, 0))
print(code(w.WaitForMultipleObjects, {}, False, 0), code(w.WaitForMultipleObjects, 1, False, 0), sep="; ")
""").splitlines() == [
        "62",
        "need at most 63 handles, got a sequence of length 64",
        "sequence type expected, got 'dict'; sequence type expected, got 'int'",
    ]


@since_3_13
def test_a_batched_wait_for_one_of_many(program) -> None:
    assert program(START + """
events = [w.CreateEventW(0, False, False, None) for _ in range(63 * 63)]
wait = w.BatchedWaitForMultipleObjects
print(code(wait, events, False, 0), wait([], False), wait([], True))
w.SetEvent(events[3968])
print(wait(events, False, w.INFINITE), code(wait, events, False, 0))
for i in (5, 6, 64, 200):
    w.SetEvent(events[i])
print(wait(handle_seq=events, wait_all=False), wait(events, False, 0), code(wait, events, False, 0))
print(code(wait, [*events, events[0]], False, 0))
w.SetEvent(events[0])
print(code(wait, [*events[:70], 4], False, 0), wait(events[:70], False, 0))  # a refused wait has taken nothing
""").splitlines() == [
        "('TimeoutError', 258) [] None",
        "[3968] ('TimeoutError', 258)",
        "[5, 64, 200] [6] ('TimeoutError', 258)",
        "need at most 3969 handles, got a sequence of length 3970",
        "('OSError', 6) [0]",
    ]


@since_3_13
def test_a_batched_wait_is_woken_by_another_thread(program) -> None:
    assert program(START + """
events = [w.CreateEventW(0, True, False, None) for _ in range(100)]
waiting, found = threading.Event(), []

def wait(together):
    waiting.set()
    found.append(w.BatchedWaitForMultipleObjects(events, together))

for together, some in (False, events[80:81]), (True, events):
    waiting.clear()
    thread = threading.Thread(target=wait, args=(together,))
    thread.start()
    waiting.wait()
    for event in some:
        w.SetEvent(event)
    thread.join()
print(found)
w.ResetEvent(events[50])
print(code(w.BatchedWaitForMultipleObjects, events, True, 0))
""").splitlines() == ["[[80], None]", "('TimeoutError', 258)"]


@since_3_13
def test_named_events(program) -> None:
    assert program(START + """
import _overlapped as o
a = w.CreateEventW(0, False, False, "one")
b = w.CreateEventW(security_attributes=0, manual_reset=True, initial_state=True, name="one")
c = w.OpenEventW(2, False, "one")
print(len({a, b, c}), w.WaitForSingleObject(b, 0) == w.WAIT_TIMEOUT)
w.SetEvent(c)
print(w.WaitForSingleObject(a, 0), w.WaitForSingleObject(b, 0) == w.WAIT_TIMEOUT)
o.SetEvent(a); w.ResetEvent(c); print(w.WaitForSingleObject(b, 0) == w.WAIT_TIMEOUT)
w.CloseHandle(a); w.CloseHandle(b)
w.SetEvent(w.OpenEventW(2, False, "one")); print(w.WaitForSingleObject(c, 0))
print(code(w.OpenEventW, 2, False, "two"), code(w.SetEvent, a), code(w.ResetEvent, 0))
""").splitlines() == [
        "3 True",
        "0 True",
        "True",
        "0",
        "('FileNotFoundError', 2) ('OSError', 6) ('OSError', 6)",
    ]


# -- pipes


def test_peek_leaves_what_is_there(program) -> None:
    assert program(START + """
s = server()
print(code(w.PeekNamedPipe, s))
c = client()
w.ConnectNamedPipe(s)
print(w.PeekNamedPipe(s), w.PeekNamedPipe(s, 8))
w.WriteFile(c, b"hello")
print(w.PeekNamedPipe(s), w.PeekNamedPipe(s, 3), w.PeekNamedPipe(s, 8), code(w.PeekNamedPipe, s, -1))
w.CloseHandle(c)
print(w.PeekNamedPipe(s, 3), w.ReadFile(s, 4), w.PeekNamedPipe(s, 3), w.ReadFile(s, 4))
print(code(w.PeekNamedPipe, s), code(w.PeekNamedPipe, c))
""").splitlines() == [
        "('OSError', 230)",
        "(0, 0) (b'', 0, 0)",
        "(5, 0) (b'hel', 5, 0) (b'hello', 5, 0) negative size",
        "(b'hel', 5, 0) (b'hell', 0) (b'o', 1, 0) (b'o', 0)",
        "('BrokenPipeError', 109) ('OSError', 6)",
    ]


def test_a_read_of_nothing_ends_when_something_is_there(program) -> None:
    # as multiprocessing.connection.wait() asks pipes
    assert program(START + """
s = server()
c = client()
ov, error = w.ReadFile(s, 0, overlapped=True)
print(error == w.ERROR_IO_PENDING, w.WaitForSingleObject(ov.event, 0) == w.WAIT_TIMEOUT)
w.WriteFile(c, b"x")
print(w.WaitForMultipleObjects([ov.event], False, w.INFINITE), ov.GetOverlappedResult(False), w.PeekNamedPipe(s))
ov, error = w.ReadFile(s, 0, overlapped=True)
print(error, ov.GetOverlappedResult(True), ov.getbuffer(), w.ReadFile(s, 9))
ov, error = w.ReadFile(s, 0, overlapped=True)
ov.cancel()
print(ov.GetOverlappedResult(True)[1] == w.ERROR_OPERATION_ABORTED)
w.CloseHandle(c)
print(code(w.ReadFile, s, 0, True))
""").splitlines() == ["True True", "0 (0, 0) (1, 0)", "0 (0, 0) b'' (b'x', 0)", "True", "('BrokenPipeError', 109)"]


def test_waiting_for_a_vacant_pipe(program) -> None:
    assert program(START + """
print(code(w.WaitNamedPipe, NAME, 0), code(w.WaitNamedPipe, "name", 0))
a = server(3)
print(w.WaitNamedPipe(NAME, 0), w.WaitNamedPipe(NAME.upper(), 1))
c = client()
print(code(w.WaitNamedPipe, NAME, 0), code(w.WaitNamedPipe, NAME, 1), code(client))

found, waiting = [], threading.Event()
def wait():
    waiting.set()
    found.append(code(w.WaitNamedPipe, NAME, FOREVER))

def during(do):
    waiting.clear()
    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    result = do()
    thread.join()
    return result

b = during(lambda: server(3))
d = client()
w.CloseHandle(b)
during(lambda: w.CloseHandle(a))
print(found)
""").splitlines() == [
        "('FileNotFoundError', 2) ('OSError', 123)",
        "None None",
        "('OSError', 121) ('OSError', 121) ('OSError', 231)",
        "[None, ('FileNotFoundError', 2)]",
    ]


def test_the_pipe_says_how_long_to_wait(program) -> None:
    assert program(START + """
a, c, done = server(2, FOREVER), client(), threading.Event()
def wait():
    w.WaitNamedPipe(NAME, 0)
    done.set()
thread = threading.Thread(target=wait)
thread.start()
print(done.wait(0.2))
b = server(2, FOREVER)
thread.join()
print(done.is_set())
""").splitlines() == ["False", "True"]


def test_a_pipe_of_bytes_stays_one(program) -> None:
    assert program(START + """
s = server()
print(w.SetNamedPipeHandleState(s, w.PIPE_WAIT, None, None), w.SetNamedPipeHandleState(s, None, 1, 1))
for mode in w.PIPE_READMODE_MESSAGE, 1, 16:
    print(code(w.SetNamedPipeHandleState, s, mode, None, None))
print(code(w.SetNamedPipeHandleState, 4, 0, None, None))
""").splitlines() == [
        "None None",
        "('OSError', 87)",
        "('OSError', 50)",
        "('OSError', 87)",
        "('OSError', 6)",
    ]
