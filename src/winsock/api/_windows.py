"""user32's windows and message queues, as far as Winsock programs need them: there is nothing to see."""

from __future__ import annotations

import ctypes
import logging
import operator
import struct
from collections.abc import Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.api._call import c_int, dword
from winsock.api._events import milliseconds, reactor, waitable
from winsock.api._kernel import MASK, kernel
from winsock.api._pointers import address_of, function
from winsock.codes import WinsockError
from winsock.nt import ThreadState, memory
from winsock.nt._messages import Desktop, Message, MessageQueue, Procedure, Window
from winsock.nt._objects import Waitable
from winsock.nt._waits import wait_for

_log = logging.getLogger("winsock")

MSG = struct.Struct("<QI4xQqIii4x")  # hwnd, message, wParam, lParam, time, point
WNDCLASS = struct.Struct("<I4xQiiQQQQQQ")  # style, procedure, extra bytes, ..., class name
WNDCLASSEX = struct.Struct("<IIQiiQQQQQQQ")  # the same between its size and a small icon
CREATESTRUCT = struct.Struct("<QQQQiiiiI4xQQI4x")
MAX_ATOM = 0xFFFF
GWLP_WNDPROC, GWLP_USERDATA = -4, -21
HANDLE_SIZE = 8

_Native = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64)


def _number(value: Any) -> int:
    """A handle or WPARAM."""
    return 0 if value is None else operator.index(value) & MASK


def _signed(value: Any) -> int:
    """An LPARAM: a number, or a pointer."""
    n = memory.address(value) & MASK
    return n - (1 << 64) if n >> 63 else n


def _text(ptr: Any, wide: bool) -> str:
    if wide:
        return memory.wstring(ptr)
    return memory.cstring(ptr).decode("utf-8", "surrogateescape")


def _class_name(ptr: Any, wide: bool) -> str | int:
    """A class is named by a text or by its atom."""
    if isinstance(ptr, int) and 0 < ptr <= MAX_ATOM:
        return ptr
    return _text(ptr, wide)


def _procedure(address: int) -> Procedure | None:
    """The window procedure at an address: one that winsock handed out, or machine code.  WSAEFAULT if neither."""
    if not address:
        return None
    try:
        return function(address)
    except KeyError:
        pass
    with open("/proc/self/maps") as maps:
        for line in maps:
            limits, rights = line.split()[:2]
            first, _, last = limits.partition("-")
            if "x" in rights and int(first, 16) <= address < int(last, 16):
                return _Native(address)
    raise memory.fault()


def _call(window: Window, number: int, wparam: int, lparam: int) -> int:
    """Have the window procedure handle a message; what it raises stays here, as in C."""
    procedure = window.procedure
    if procedure is None:
        return _default(window, number)
    try:
        result = procedure(window.hwnd, number, wparam, lparam)
    except Exception:
        _log.exception("a window procedure failed: %r", procedure)
        return 0
    return 0 if result is None else operator.index(result)


def _default(window: Window, number: int) -> int:
    if number == c.WM_CLOSE:
        _destroy(window)
    return int(number == c.WM_NCCREATE)


def _destroy(window: Window) -> None:
    _call(window, c.WM_DESTROY, 0, 0)
    _call(window, c.WM_NCDESTROY, 0, 0)
    Desktop.of(window.thread.process).destroy(window.hwnd)


# -- classes


def _register(ts: ThreadState, name: int, procedure: int, wide: bool) -> int:
    return Desktop.of(ts.process).register(_text(name, wide), _procedure(procedure)).atom


@kernel(0)
def RegisterClassW(ts: ThreadState, lpWndClass: Any) -> int:
    """Register a window class (WNDCLASSW): its atom.

    Name and procedure matter alone.  0 with ERROR_CLASS_ALREADY_EXISTS, WSAEFAULT.
    """
    fields = WNDCLASS.unpack(memory.read(lpWndClass, WNDCLASS.size))
    return _register(ts, fields[-1], fields[1], True)


@kernel(0)
def RegisterClassA(ts: ThreadState, lpWndClass: Any) -> int:
    """The same with an ANSI name."""
    fields = WNDCLASS.unpack(memory.read(lpWndClass, WNDCLASS.size))
    return _register(ts, fields[-1], fields[1], False)


@kernel(0)
def RegisterClassExW(ts: ThreadState, lpwcx: Any) -> int:
    """The same with a WNDCLASSEXW; ERROR_INVALID_PARAMETER for a wrong size in it."""
    return _register_ex(ts, lpwcx, True)


@kernel(0)
def RegisterClassExA(ts: ThreadState, lpwcx: Any) -> int:
    """The same with an ANSI name."""
    return _register_ex(ts, lpwcx, False)


def _register_ex(ts: ThreadState, lpwcx: Any, wide: bool) -> int:
    fields = WNDCLASSEX.unpack(memory.read(lpwcx, WNDCLASSEX.size))
    if fields[0] != WNDCLASSEX.size:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    return _register(ts, fields[-2], fields[2], wide)


@kernel(0)
def UnregisterClassW(ts: ThreadState, lpClassName: Any, hInstance: Any) -> int:
    """Forget a class, by name or atom.  ERROR_CLASS_HAS_WINDOWS, ERROR_CLASS_DOES_NOT_EXIST."""
    Desktop.of(ts.process).unregister(_class_name(lpClassName, True))
    return 1


@kernel(0)
def UnregisterClassA(ts: ThreadState, lpClassName: Any, hInstance: Any) -> int:
    """The same with an ANSI name."""
    Desktop.of(ts.process).unregister(_class_name(lpClassName, False))
    return 1


# -- windows


@kernel(0)
def CreateWindowExW(
    ts: ThreadState,
    dwExStyle: int,
    lpClassName: Any,
    lpWindowName: Any,
    dwStyle: int,
    X: int,
    Y: int,
    nWidth: int,
    nHeight: int,
    hWndParent: Any,
    hMenu: Any,
    hInstance: Any,
    lpParam: Any,
) -> int:
    """A window of the calling thread, which its messages wait for; it cannot be seen.

    lpClassName   a registered class' name or atom, or a system class such as "STATIC"
    lpParam       reaches the window procedure with WM_NCCREATE and WM_CREATE, in a CREATESTRUCT

    0 with ERROR_CANNOT_FIND_WND_CLASS, or when the procedure refuses.
    """
    geometry = (nHeight, nWidth, Y, X)
    links = (lpParam, hInstance, hMenu, hWndParent)
    return _create(ts, _class_name(lpClassName, True), lpWindowName, dwStyle, dwExStyle, geometry, links)


@kernel(0)
def CreateWindowExA(
    ts: ThreadState,
    dwExStyle: int,
    lpClassName: Any,
    lpWindowName: Any,
    dwStyle: int,
    X: int,
    Y: int,
    nWidth: int,
    nHeight: int,
    hWndParent: Any,
    hMenu: Any,
    hInstance: Any,
    lpParam: Any,
) -> int:
    """The same with ANSI names."""
    geometry = (nHeight, nWidth, Y, X)
    links = (lpParam, hInstance, hMenu, hWndParent)
    return _create(ts, _class_name(lpClassName, False), lpWindowName, dwStyle, dwExStyle, geometry, links)


def _create(
    ts: ThreadState,
    name: str | int,
    title: Any,
    style: Any,
    extended: Any,
    geometry: Sequence[Any],
    links: Sequence[Any],
) -> int:
    desktop = Desktop.of(ts.process)
    titled = title if isinstance(title, int) else 0
    data = CREATESTRUCT.pack(
        memory.address(links[0]) & MASK,
        *map(_number, links[1:]),
        *map(c_int, geometry),
        dword(style),
        titled & MASK,
        name if isinstance(name, int) else 0,
        dword(extended),
    )
    window = desktop.create(ts, desktop.find_class(name))
    if window.procedure is not None:
        made = ctypes.create_string_buffer(data)
        if not _call(window, c.WM_NCCREATE, 0, ctypes.addressof(made)):
            desktop.destroy(window.hwnd)
            return 0
        if c_int(_call(window, c.WM_CREATE, 0, ctypes.addressof(made))) == -1:
            _destroy(window)
            return 0
    return window.hwnd


@kernel(0)
def DestroyWindow(ts: ThreadState, hWnd: int) -> int:
    """Destroy a window of the calling thread, and its messages.

    ERROR_INVALID_WINDOW_HANDLE, ERROR_ACCESS_DENIED for another thread's window.
    """
    window = Desktop.of(ts.process).find(_number(hWnd))
    if window.thread is not ts:
        raise WinsockError(c.ERROR_ACCESS_DENIED)
    _destroy(window)
    return 1


@kernel(0)
def IsWindow(ts: ThreadState, hWnd: Any) -> int:
    """Whether there is such a window."""
    return int(_number(hWnd) in Desktop.of(ts.process).windows)


@kernel(0)
def DefWindowProcW(ts: ThreadState, hWnd: int, Msg: int, wParam: int, lParam: Any) -> int:
    """What a window procedure does with messages it does not know: WM_CLOSE destroys the window."""
    return _default(Desktop.of(ts.process).find(_number(hWnd)), dword(Msg))


DefWindowProcA = DefWindowProcW


@kernel(0)
def GetWindowLongPtrW(ts: ThreadState, hWnd: int, nIndex: int) -> int:
    """GWLP_USERDATA and offsets into the window's extra memory: what was set; GWLP_WNDPROC: the procedure."""
    window = Desktop.of(ts.process).find(_number(hWnd))
    index = c_int(nIndex)
    if index == GWLP_WNDPROC:
        return 0 if window.procedure is None else _address(window.procedure)
    return window.values.get(index, 0)


GetWindowLongPtrA = GetWindowLongPtrW


@kernel(0)
def SetWindowLongPtrW(ts: ThreadState, hWnd: int, nIndex: int, dwNewLong: Any) -> int:
    """Set what GetWindowLongPtr tells; what it was before.  A Python callable will do for a procedure."""
    window = Desktop.of(ts.process).find(_number(hWnd))
    index = c_int(nIndex)
    if index == GWLP_WNDPROC:
        before = 0 if window.procedure is None else _address(window.procedure)
        new = dwNewLong
        window.procedure = new if callable(new) else _procedure(_number(new))
        return before
    before = window.values.get(index, 0)
    window.values[index] = _number(dwNewLong)
    return before


SetWindowLongPtrA = SetWindowLongPtrW


def _address(procedure: Procedure) -> int:
    if isinstance(procedure, _Native):
        return ctypes.cast(procedure, ctypes.c_void_p).value or 0
    return address_of(procedure)


# -- messages


@kernel(0)
def PostMessageW(ts: ThreadState, hWnd: Any, Msg: int, wParam: Any, lParam: Any) -> int:
    """Queue a message to a window's thread, whichever that is.

    hWnd   NULL for the calling thread itself, HWND_BROADCAST for every window

    ERROR_INVALID_WINDOW_HANDLE, ERROR_NOT_ENOUGH_QUOTA when 10,000 wait.
    """
    desktop = Desktop.of(ts.process)
    hwnd, number, wparam, lparam = _number(hWnd), dword(Msg), _number(wParam), _signed(lParam)
    if hwnd == c.HWND_BROADCAST:
        for window in list(desktop.windows.values()):
            window.queue.post(window.hwnd, number, wparam, lparam)
    else:
        queue = desktop.find(hwnd).queue if hwnd else desktop.queue(ts)
        queue.post(hwnd, number, wparam, lparam)
    return 1


PostMessageA = PostMessageW


@kernel(0)
def PostThreadMessageW(ts: ThreadState, idThread: int, Msg: int, wParam: Any, lParam: Any) -> int:
    """Queue a message to a thread that has asked for messages before, or has made a window.

    ERROR_INVALID_THREAD_ID, ERROR_NOT_ENOUGH_QUOTA.
    """
    desktop, tid = Desktop.of(ts.process), dword(idThread)
    for state in ts.process.threads:
        if state.tid == tid and (queue := desktop.queues.get(state)) is not None:
            queue.post(0, dword(Msg), _number(wParam), _signed(lParam))
            return 1
    raise WinsockError(c.ERROR_INVALID_THREAD_ID)


PostThreadMessageA = PostThreadMessageW


@kernel(0)
def PostQuitMessage(ts: ThreadState, nExitCode: int) -> int:
    """GetMessage returns 0 when the messages that wait are done."""
    Desktop.of(ts.process).queue(ts).quit(c_int(nExitCode) & c.MAXDWORD)
    return 0


def _filter(ts: ThreadState, hwnd: Any, lowest: Any, highest: Any) -> tuple[int | None, int, int]:
    """What to look for; ERROR_INVALID_WINDOW_HANDLE."""
    low, high = dword(lowest), dword(highest)
    if not low and not high:
        high = c.MAXDWORD
    number = _number(hwnd)
    if number in (MASK, c.MAXDWORD):
        return 0, low, high  # -1: the thread's own
    if not number:
        return None, low, high
    return Desktop.of(ts.process).find(number).hwnd, low, high


def _store(lpMsg: Any, message: Message) -> None:
    lparam = message.lparam
    memory.write(lpMsg, MSG.pack(message.hwnd, message.number, message.wparam, lparam, message.time, 0, 0))


@kernel(0)
def PeekMessageW(
    ts: ThreadState, lpMsg: Any, hWnd: Any, wMsgFilterMin: int, wMsgFilterMax: int, wRemoveMsg: int
) -> int:
    """The calling thread's next message into a MSG, if there is one; it does not wait.

    hWnd            messages for this window only; NULL for all, -1 for the thread's own
    wMsgFilterMin   numbers from ... to; 0 and 0 for all
    wRemoveMsg      PM_REMOVE takes it from the queue

    0 without a message, or with ERROR_INVALID_WINDOW_HANDLE, WSAEFAULT.
    """
    wanted = _filter(ts, hWnd, wMsgFilterMin, wMsgFilterMax)
    memory.writable(lpMsg, MSG.size)
    remove = bool(dword(wRemoveMsg) & c.PM_REMOVE)
    queue = Desktop.of(ts.process).queue(ts)
    message = reactor(ts.process).wait(ts, lambda: queue.look(*wanted, remove), 0)
    if message is None:
        return 0
    _store(lpMsg, message)
    return 1


PeekMessageA = PeekMessageW


@kernel(-1)
def GetMessageW(ts: ThreadState, lpMsg: Any, hWnd: Any, wMsgFilterMin: int, wMsgFilterMax: int) -> int:
    """Wait for the calling thread's next message: 0 for WM_QUIT, else 1; -1 on failure.  See PeekMessageW."""
    wanted = _filter(ts, hWnd, wMsgFilterMin, wMsgFilterMax)
    memory.writable(lpMsg, MSG.size)
    queue = Desktop.of(ts.process).queue(ts)
    queue.enter(ts)
    try:
        message: Message = reactor(ts.process).wait(ts, lambda: queue.look(*wanted, True), None)
    finally:
        queue.leave(ts)
    _store(lpMsg, message)
    return int(message.number != c.WM_QUIT)


GetMessageA = GetMessageW


@kernel(0)
def WaitMessage(ts: ThreadState) -> int:
    """Wait until a message comes that no call has looked at."""
    wait_for(ts, reactor(ts.process), (Desktop.of(ts.process).queue(ts),), False, None, False)
    return 1


@kernel(0)
def TranslateMessage(ts: ThreadState, lpMsg: Any) -> int:
    """There is no keyboard: 0, nothing translated."""
    memory.read(lpMsg, MSG.size)
    return 0


@kernel(0)
def DispatchMessageW(ts: ThreadState, lpMsg: Any) -> int:
    """Have the window procedure handle a message; what it returns."""
    hwnd, number, wparam, lparam, *_ = MSG.unpack(memory.read(lpMsg, MSG.size))
    if not hwnd:
        return 0
    return _call(Desktop.of(ts.process).find(hwnd), number, wparam, lparam)


DispatchMessageA = DispatchMessageW


@kernel(0)
def SendMessageW(ts: ThreadState, hWnd: int, Msg: int, wParam: Any, lParam: Any) -> int:
    """Have a window of the calling thread handle a message at once; what its procedure returns.

    ERROR_INVALID_WINDOW_HANDLE; ERROR_CALL_NOT_IMPLEMENTED for another thread's window.
    """
    window = Desktop.of(ts.process).find(_number(hWnd))
    if window.thread is not ts:
        raise WinsockError(c.ERROR_CALL_NOT_IMPLEMENTED)
    return _call(window, dword(Msg), _number(wParam), _signed(lParam))


SendMessageA = SendMessageW


# -- waiting for objects and messages


class _Input(Waitable):
    """A queue for MWMO_INPUTAVAILABLE: messages count that were looked at, too."""

    __slots__ = ("queue",)

    def __init__(self, queue: MessageQueue) -> None:
        super().__init__()
        self.queue = queue

    def is_signaled(self, ts: ThreadState) -> bool:
        return self.queue.waiting()

    def enter(self, ts: ThreadState) -> None:
        self.queue.enter(ts)

    def leave(self, ts: ThreadState) -> None:
        self.queue.leave(ts)


@kernel(c.WAIT_FAILED)
def MsgWaitForMultipleObjectsEx(
    ts: ThreadState, nCount: int, pHandles: Any, dwMilliseconds: int, dwWakeMask: int, dwFlags: int
) -> int:
    """Wait for objects, of which there may be none, or a message: WAIT_OBJECT_0 and nCount for a message.

    dwWakeMask   QS_*: without QS_POSTMESSAGE and QS_ALLPOSTMESSAGE messages do not count
    dwFlags      MWMO_WAITALL (all objects and a message), MWMO_ALERTABLE, MWMO_INPUTAVAILABLE (messages that a call
                 has looked at and left count too)

    WAIT_TIMEOUT, WAIT_IO_COMPLETION; WAIT_FAILED with ERROR_INVALID_PARAMETER, ERROR_INVALID_HANDLE.
    """
    return _msg_wait(ts, nCount, pHandles, dwMilliseconds, dwWakeMask, dword(dwFlags))


@kernel(c.WAIT_FAILED)
def MsgWaitForMultipleObjects(
    ts: ThreadState, nCount: int, pHandles: Any, fWaitAll: int, dwMilliseconds: int, dwWakeMask: int
) -> int:
    """MsgWaitForMultipleObjectsEx, not alertable."""
    return _msg_wait(ts, nCount, pHandles, dwMilliseconds, dwWakeMask, c.MWMO_WAITALL if fWaitAll else 0)


def _msg_wait(ts: ThreadState, count: Any, handles: Any, ms: Any, wake: Any, flags: int) -> int:
    n = dword(count)
    if n >= c.WSA_MAXIMUM_WAIT_EVENTS:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    data = memory.read(handles, n * HANDLE_SIZE) if n else b""
    objects: list[Waitable] = []
    for at in range(0, len(data), HANDLE_SIZE):
        objects.append(waitable(ts, int.from_bytes(data[at : at + HANDLE_SIZE], "little")))
    if dword(wake) & (c.QS_POSTMESSAGE | c.QS_ALLPOSTMESSAGE):
        queue = Desktop.of(ts.process).queue(ts)
        objects.append(_Input(queue) if flags & c.MWMO_INPUTAVAILABLE else queue)
    together = bool(flags & c.MWMO_WAITALL)
    if together and len(set(objects)) < len(objects):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    pump = reactor(ts.process)
    return wait_for(ts, pump, objects, together, milliseconds(ms), bool(flags & c.MWMO_ALERTABLE))
