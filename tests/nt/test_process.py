"""Processes, handles, threads' states, APCs."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import winsock
from winsock import kernel32
from winsock import ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.nt import HandleTable, current


@pytest.fixture
def process():
    process = winsock.Process()
    with process.attached():
        yield process


def test_handles_are_multiples_of_four_and_never_zero():
    table = HandleTable()
    handles = [table.add(object()) for _ in range(100)]
    assert all(h and h % 4 == 0 for h in handles)
    assert len(set(handles)) == 100


@given(st.lists(st.one_of(st.just("add"), st.integers(0, 50)), max_size=300))
def test_a_live_handle_always_leads_to_its_object(steps):
    table, live = HandleTable(), {}
    for step in steps:
        if step == "add":
            obj = object()
            handle = table.add(obj)
            assert handle not in live
            live[handle] = obj
        elif live:
            handle = sorted(live)[step % len(live)]
            assert table.remove(handle) is live.pop(handle)
            assert table.remove(handle) is None
        assert table.objects == live


def test_a_freed_handle_rests_before_it_is_given_again():
    table = HandleTable()
    first = table.add(object())
    table.remove(first)
    assert first not in [table.add(object()) for _ in range(10)]


def test_no_handle_left_is_emfile(monkeypatch):
    monkeypatch.setattr("winsock.nt._process.MAX_HANDLE", 0x40)
    table = HandleTable()
    table.add(object())
    with pytest.raises(WinsockError) as caught:
        table.add(object())
    assert caught.value.code == WSA.WSAEMFILE


def test_processes_share_nothing(process):
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    ws.WSASetLastError(77)
    with winsock.Process().attached():
        assert ws.WSAGetLastError() == 0
        assert ws.closesocket(s) == -1
        assert ws.WSAGetLastError() == WSA.WSANOTINITIALISED
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        assert ws.closesocket(s) == -1
        assert ws.WSAGetLastError() == WSA.WSAENOTSOCK
    assert ws.WSAGetLastError() == 77
    assert ws.closesocket(s) == 0
    assert ws.WSACleanup() == 0


def test_attached_restores_what_was_before(process):
    outer = current()
    with winsock.Process().attached() as inner:
        assert current().process is inner
    assert current() is outer


def test_each_thread_has_its_own_last_error(process):
    ws.WSASetLastError(5)
    seen = []

    def other():
        with process.attached():
            seen.append(ws.WSAGetLastError())
            ws.WSASetLastError(6)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert (seen, ws.WSAGetLastError()) == ([0], 5)


# -- APCs


def test_apcs_run_in_an_alertable_sleep_only_in_order(process):
    ran = []
    for i in range(3):
        assert kernel32.QueueUserAPC(ran.append, kernel32.GetCurrentThread(), i) == 1
    assert kernel32.SleepEx(0, 0) == 0
    assert ran == []
    assert kernel32.SleepEx(c.INFINITE, 1) == c.WAIT_IO_COMPLETION
    assert ran == [0, 1, 2]


def test_an_apc_ends_another_threads_endless_alertable_sleep(process):
    ids, ran, results = [], [], []
    known = threading.Event()

    def sleeper():
        with process.attached():
            ids.append(kernel32.GetCurrentThreadId())
            known.set()
            results.append(kernel32.SleepEx(c.INFINITE, 1))

    thread = threading.Thread(target=sleeper)
    thread.start()
    known.wait()
    handle = kernel32.OpenThread(0, 0, ids[0])
    assert handle
    assert kernel32.QueueUserAPC(lambda _: ran.append(kernel32.GetCurrentThreadId()), handle, 0) == 1
    thread.join(60)
    assert (results, ran) == ([c.WAIT_IO_COMPLETION], ids)
    assert kernel32.CloseHandle(handle) == 1
    assert kernel32.CloseHandle(handle) == 0
    assert kernel32.GetLastError() == c.ERROR_INVALID_HANDLE


@pytest.mark.parametrize("handle", [0, 0x40, "no", None])
def test_queueing_to_no_thread_fails(process, handle):
    assert kernel32.QueueUserAPC(print, handle, 0) == 0
    assert kernel32.GetLastError() != 0


def test_closehandle_closes_a_socket(process):
    ws.WSAStartup(0x0202, bytearray(408))
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert kernel32.CloseHandle(s) == 1
    assert ws.closesocket(s) == -1
    assert ws.WSAGetLastError() == WSA.WSAENOTSOCK
    ws.WSACleanup()


# -- who is told that a socket closes


def test_those_that_know_a_closing_socket_are_told_in_order_and_once(process):
    ws.WSAStartup(0x0202, bytearray(408))
    s, other = (ws.socket(c.AF_INET, c.SOCK_DGRAM, 0) for _ in range(2))
    ep = process.sockets[s]
    told = []

    def early(closing):
        told.append(("early", closing))

    def late(closing):
        told.append(("late", closing))

    def never(closing):
        told.append(("never", closing))

    process.on_close({ep}, late)
    process.on_close({ep}, early, first=True)
    process.on_close({ep: 1}, late)
    process.on_close({}, never)
    assert ws.closesocket(other) == 0
    assert told == []
    assert ws.closesocket(s) == 0
    assert told == [("early", ep), ("late", ep)]
    ws.WSACleanup()
