"""Windows, their procedures, and the message queues of threads."""

from __future__ import annotations

import ctypes
import struct
import threading

import pytest

import winsock.kernel32 as k32
import winsock.user32 as user
import winsock.ws2_32 as ws
from winsock.abi import _constants as c

WINDOW_PROCEDURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64)
FIRST = c.WM_USER
PATIENCE = 60_000


def register(lab, name, procedure, wide=True):
    """A class whose windows call a Python function, as a ctypes program registers it."""
    call = WINDOW_PROCEDURE(procedure)
    text = ctypes.create_string_buffer((name + "\0").encode("utf-16-le" if wide else "ascii"))
    lab.kept = [*getattr(lab, "kept", []), call, text]
    address = ctypes.cast(call, ctypes.c_void_p).value
    fields = (0, address, 0, 0, 0, 0, 0, 0, 0, ctypes.addressof(text))
    data = struct.pack("<I4xQiiQQQQQQ", *fields)
    atom = (user.RegisterClassW if wide else user.RegisterClassA)(data)
    assert atom, ws.WSAGetLastError()
    return atom


def numbers(found):
    return [number for _, number, _, _ in found]


# -- queues


def test_messages_come_in_their_order_and_once(lab):
    hwnd = lab.window()
    for i in range(5):
        assert user.PostMessageW(hwnd, FIRST + i, i, -i)
    assert lab.messages() == [(hwnd, FIRST + i, i, -i & (1 << 64) - 1) for i in range(5)]
    assert lab.messages() == []


def test_looking_without_taking(lab):
    hwnd, msg = lab.window(), bytearray(48)
    assert user.PeekMessageW(msg, None, 0, 0, c.PM_NOREMOVE) == 0
    user.PostMessageW(hwnd, FIRST, 0, 0)
    for _ in range(2):
        assert user.PeekMessageW(msg, None, 0, 0, c.PM_NOREMOVE) == 1
    assert numbers(lab.messages()) == [FIRST]


def test_filters(lab):
    here, there = lab.window(), lab.window()
    user.PostMessageW(here, FIRST, 0, 0)
    user.PostMessageW(there, FIRST + 1, 0, 0)
    user.PostMessageW(None, FIRST + 2, 0, 0)
    msg = bytearray(48)
    for hwnd, low, high, expected in (
        (there, 0, 0, FIRST + 1),
        (-1, 0, 0, FIRST + 2),
        (None, FIRST + 1, FIRST + 1, FIRST + 1),
        (here, FIRST + 1, FIRST + 9, None),
    ):
        found = user.PeekMessageW(msg, hwnd, low, high, c.PM_NOREMOVE)
        assert (int.from_bytes(msg[8:12], "little") if found else None) == expected
    assert numbers(lab.messages()) == [FIRST, FIRST + 1, FIRST + 2]


def test_everybody_gets_a_broadcast(lab):
    windows = [lab.window() for _ in range(3)]
    assert user.PostMessageW(c.HWND_BROADCAST, FIRST, 7, 0)
    assert lab.messages() == [(hwnd, FIRST, 7, 0) for hwnd in windows]


def test_refusals(lab):
    hwnd, msg = lab.window(), bytearray(48)
    stranger = hwnd + 1
    for call, failure in (
        (lambda: user.PostMessageW(stranger, FIRST, 0, 0), 0),
        (lambda: user.PeekMessageW(msg, stranger, 0, 0, 1), 0),
        (lambda: user.GetMessageW(msg, stranger, 0, 0), -1),
        (lambda: user.DestroyWindow(stranger), 0),
        (lambda: user.SendMessageW(stranger, FIRST, 0, 0), 0),
        (lambda: user.DefWindowProcW(stranger, FIRST, 0, 0), 0),
        (lambda: user.GetWindowLongPtrW(stranger, -21), 0),
        (lambda: user.SetWindowLongPtrW(stranger, -21, 1), 0),
    ):
        lab.fails(call(), c.ERROR_INVALID_WINDOW_HANDLE, failure)
    assert not user.IsWindow(stranger)
    assert not user.IsWindow(None)
    lab.fails(user.PostThreadMessageW(0xFFFFFF, FIRST, 0, 0), c.ERROR_INVALID_THREAD_ID, 0)
    user.PostMessageW(hwnd, FIRST, 0, 0)
    assert user.PeekMessageW(None, None, 0, 0, 1) == 0
    assert user.PeekMessageW(bytearray(8), None, 0, 0, 1) == 0
    assert numbers(lab.messages()) == [FIRST], "it waits still"


def test_too_many_messages(lab):
    from winsock.nt._messages import MAX_WAITING

    hwnd = lab.window()
    for i in range(MAX_WAITING):
        assert user.PostMessageW(hwnd, FIRST, i, 0)
    lab.fails(user.PostMessageW(hwnd, FIRST, 0, 0), c.ERROR_NOT_ENOUGH_QUOTA, 0)
    assert len(lab.messages()) == MAX_WAITING
    assert user.PostMessageW(hwnd, FIRST, 0, 0)


def test_quitting_comes_last(lab):
    hwnd, msg = lab.window(), bytearray(48)
    user.PostQuitMessage(42)
    user.PostMessageW(hwnd, FIRST, 0, 0)
    assert user.GetMessageW(msg, None, 0, 0) == 1
    assert user.GetMessageW(msg, hwnd, FIRST, FIRST) == 0
    assert struct.unpack_from("<I4xQ", msg, 8) == (c.WM_QUIT, 42)
    assert lab.messages() == []


# -- threads


def in_thread(lab, function):
    """Run it in another thread of the process; the thread, and what it returned."""
    result = []

    def run():
        with lab.process.attached():
            result.append(function())

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def test_waiting_for_a_message_of_another_thread(lab):
    hwnd, msg = lab.window(), bytearray(48)
    thread, _ = in_thread(lab, lambda: user.PostMessageW(hwnd, FIRST, 1, 2))
    assert user.GetMessageW(msg, None, 0, 0) == 1
    assert struct.unpack_from("<QI4xQq", msg) == (hwnd, FIRST, 1, 2)
    thread.join(60)


def test_messages_to_a_thread(lab):
    begun, tid = threading.Event(), []

    def loop():
        msg = bytearray(48)
        user.PeekMessageW(msg, None, 0, 0, c.PM_NOREMOVE)  # from now on it has a queue
        tid.append(k32.GetCurrentThreadId())
        begun.set()
        seen = []
        while user.GetMessageW(msg, None, 0, 0):
            seen.append(int.from_bytes(msg[8:12], "little"))
        return seen

    thread, result = in_thread(lab, loop)
    assert begun.wait(60)
    for number in (FIRST, FIRST + 1, c.WM_QUIT):
        assert user.PostThreadMessageW(tid[0], number, 0, 0)
    thread.join(60)
    assert result == [[FIRST, FIRST + 1]]


def test_a_window_belongs_to_its_thread(lab):
    hwnd = lab.thread(lab.window)
    assert user.IsWindow(hwnd)
    user.PostMessageW(hwnd, FIRST, 0, 0)
    assert lab.messages() == []
    lab.fails(user.DestroyWindow(hwnd), c.ERROR_ACCESS_DENIED, 0)
    lab.fails(user.SendMessageW(hwnd, FIRST, 0, 0), c.ERROR_CALL_NOT_IMPLEMENTED, 0)


def test_many_threads_post_and_nothing_is_lost(lab):
    hwnd, msg, each = lab.window(), bytearray(48), 200

    def post(base):
        return [user.PostMessageW(hwnd, FIRST, base + i, 0) for i in range(each)]

    threads = [in_thread(lab, lambda n=n: post(n * each))[0] for n in range(4)]
    seen = []
    while len(seen) < 4 * each:
        assert user.GetMessageW(msg, None, 0, 0) == 1
        seen.append(int.from_bytes(msg[16:24], "little"))
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == list(range(4 * each))
    for n in range(4):
        own = [i for i in seen if i // each == n]
        assert own == sorted(own), "those of one thread keep their order"


# -- waiting for objects and messages


def test_waiting_for_objects_and_messages(lab):
    hwnd, event = lab.window(), ws.WSACreateEvent()
    handles = struct.pack("<Q", event)

    def wait(ms=0, flags=0, mask=c.QS_ALLINPUT):
        return user.MsgWaitForMultipleObjectsEx(1, handles, ms, mask, flags)

    assert wait() == c.WAIT_TIMEOUT
    ws.WSASetEvent(event)
    assert wait() == c.WAIT_OBJECT_0
    ws.WSAResetEvent(event)
    user.PostMessageW(hwnd, FIRST, 0, 0)
    assert wait(mask=0) == c.WAIT_TIMEOUT
    assert wait(PATIENCE) == c.WAIT_OBJECT_0 + 1
    assert wait(flags=c.MWMO_WAITALL) == c.WAIT_TIMEOUT
    ws.WSASetEvent(event)
    assert wait(flags=c.MWMO_WAITALL) == c.WAIT_OBJECT_0
    ws.WSAResetEvent(event)
    user.PeekMessageW(bytearray(48), None, 0, 0, c.PM_NOREMOVE)
    assert wait() == c.WAIT_TIMEOUT, "it has been looked at"
    assert wait(flags=c.MWMO_INPUTAVAILABLE) == c.WAIT_OBJECT_0 + 1
    lab.fails(wait(), 0, c.WAIT_TIMEOUT)
    too_many = user.MsgWaitForMultipleObjects(64, bytes(512), 0, 0, c.QS_ALLINPUT)
    lab.fails(too_many, c.ERROR_INVALID_PARAMETER, c.WAIT_FAILED)
    lab.fails(user.MsgWaitForMultipleObjects(1, bytes(8), 0, 0, c.QS_ALLINPUT), c.ERROR_INVALID_HANDLE, c.WAIT_FAILED)


def test_a_message_ends_the_wait_of_another_thread(lab):
    begun, hwnd = threading.Event(), []

    def wait():
        hwnd.append(lab.window())
        begun.set()
        return user.MsgWaitForMultipleObjects(0, None, 0, PATIENCE, c.QS_POSTMESSAGE), user.WaitMessage()

    thread, result = in_thread(lab, wait)
    assert begun.wait(60)
    user.PostMessageW(hwnd[0], FIRST, 0, 0)
    thread.join(20)
    assert result == [(c.WAIT_OBJECT_0, 1)]


# -- procedures


def test_dispatching(lab):
    seen = []

    def procedure(hwnd, number, wparam, lparam):
        if number >= FIRST:
            seen.append((hwnd, number, wparam, lparam))
            return 99
        return user.DefWindowProcW(hwnd, number, wparam, lparam)

    atom = register(lab, "Listens", procedure)
    for name in ("Listens", "listens", atom):
        hwnd, msg = lab.window(name), bytearray(48)
        user.PostMessageW(hwnd, FIRST, 5, -6)
        assert user.GetMessageW(msg, None, 0, 0) == 1
        assert user.TranslateMessage(msg) == 0
        assert user.DispatchMessageW(msg) == 99
        assert seen.pop() == (hwnd, FIRST, 5, -6)
        assert user.SendMessageW(hwnd, FIRST + 1, 0, 0) == 99
        assert seen.pop() == (hwnd, FIRST + 1, 0, 0)


def test_a_window_is_born_and_dies(lab):
    seen = []

    def procedure(hwnd, number, wparam, lparam):
        parameter = ctypes.c_uint64.from_address(lparam).value if number in (c.WM_NCCREATE, c.WM_CREATE) else None
        seen.append((number, parameter))
        return user.DefWindowProcW(hwnd, number, wparam, lparam)

    register(lab, "Lives", procedure, wide=False)
    hwnd = user.CreateWindowExA(0, b"Lives", b"x", 0, 1, 2, 3, 4, None, None, None, 0x1234)
    assert seen == [(c.WM_NCCREATE, 0x1234), (c.WM_CREATE, 0x1234)]
    user.PostMessageW(hwnd, FIRST, 0, 0)
    del seen[:]
    assert user.SendMessageW(hwnd, c.WM_CLOSE, 0, 0) == 0
    assert [number for number, _ in seen] == [c.WM_CLOSE, c.WM_DESTROY, c.WM_NCDESTROY]
    assert not user.IsWindow(hwnd)
    assert lab.messages() == []


@pytest.mark.parametrize(("number", "answer"), [(c.WM_NCCREATE, 0), (c.WM_CREATE, -1)], ids=["nc", "create"])
def test_a_procedure_may_refuse_its_window(lab, number, answer):
    register(lab, "Refuses", lambda hwnd, n, w, p: answer if n == number else int(n == c.WM_NCCREATE))
    assert user.CreateWindowExW(0, "Refuses", None, 0, 0, 0, 0, 0, None, None, None, None) == 0


def test_classes(lab):
    lab.fails(
        user.CreateWindowExW(0, "Unheard", None, 0, 0, 0, 0, 0, None, None, None, None),
        c.ERROR_CANNOT_FIND_WND_CLASS,
        0,
    )
    register(lab, "Once", lambda *args: 1)
    twice = ctypes.create_string_buffer("once\0".encode("utf-16-le"))
    data = struct.pack("<I4xQiiQQQQQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, ctypes.addressof(twice))
    lab.fails(user.RegisterClassW(data), c.ERROR_CLASS_ALREADY_EXISTS, 0)
    hwnd = lab.window("Once")
    lab.fails(user.UnregisterClassW("Once", None), c.ERROR_CLASS_HAS_WINDOWS, 0)
    assert user.DestroyWindow(hwnd)
    assert user.UnregisterClassW("Once", None)
    lab.fails(user.UnregisterClassW("Once", None), c.ERROR_CLASS_DOES_NOT_EXIST, 0)
    lab.fails(user.UnregisterClassA(b"static\0", None), c.ERROR_CLASS_DOES_NOT_EXIST, 0)
    wrong_size = struct.pack("<IIQiiQQQQQQQ", 79, *[0] * 9, ctypes.addressof(twice), 0)
    lab.fails(user.RegisterClassExW(wrong_size), c.ERROR_INVALID_PARAMETER, 0)
    assert user.RegisterClassExW(struct.pack("<IIQiiQQQQQQQ", 80, *[0] * 9, ctypes.addressof(twice), 0))
    assert lab.window("ONCE")


def test_a_procedure_that_is_no_code_is_refused(lab):
    name = ctypes.create_string_buffer("Data\0".encode("utf-16-le"))
    for address in (8, ctypes.addressof(name)):
        data = struct.pack("<I4xQiiQQQQQQ", 0, address, 0, 0, 0, 0, 0, 0, 0, ctypes.addressof(name))
        assert user.RegisterClassW(data) == 0
    assert user.RegisterClassW(None) == 0
    assert user.RegisterClassW(bytes(16)) == 0


def test_a_window_keeps_numbers_and_changes_its_procedure(lab):
    hwnd = lab.window()
    assert user.SetWindowLongPtrW(hwnd, -21, 77) == 0
    assert user.SetWindowLongPtrW(hwnd, -21, 78) == 77
    assert user.GetWindowLongPtrW(hwnd, -21) == 78
    assert user.SetWindowLongPtrW(hwnd, -4, lambda *args: 5) == 0
    assert user.SendMessageW(hwnd, FIRST, 0, 0) == 5
    first = user.GetWindowLongPtrW(hwnd, -4)
    assert user.SetWindowLongPtrW(hwnd, -4, lambda *args: 6) == first
    assert user.SetWindowLongPtrW(hwnd, -4, first)
    assert user.SendMessageW(hwnd, FIRST, 0, 0) == 5


def test_a_procedure_that_raises_is_like_one_that_returns_nothing(lab, caplog):
    def procedure(*args):
        raise ValueError("no")

    hwnd = lab.window()
    user.SetWindowLongPtrW(hwnd, -4, procedure)
    assert user.SendMessageW(hwnd, FIRST, 0, 0) == 0
    assert "no" in caplog.text
