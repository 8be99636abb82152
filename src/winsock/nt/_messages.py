"""Windows and the message queues of threads.

A window is a number that messages are posted to; they wait in the queue of the thread that made it.  There is
nothing to see.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from winsock.abi import _constants as c
from winsock.codes import WinsockError
from winsock.nt._objects import Waitable
from winsock.nt._process import Process, ThreadState

FIRST_WINDOW: Final = 0x10010  # numbers of their own: no window is a handle
WINDOW_STEP: Final = 2
FIRST_ATOM: Final = 0xC000
MAX_WAITING: Final = 10_000  # posted messages that a queue takes, as on Windows (document)

Procedure = Callable[[int, int, int, int], int]


class Message(NamedTuple):
    """A posted message; hwnd 0 is the thread's own."""

    hwnd: int
    number: int
    wparam: int
    lparam: int
    time: int


class MessageQueue(Waitable):
    """The messages of one thread, the oldest first."""

    __slots__ = ("_lock", "_messages", "_seen", "quit_code")

    def __init__(self) -> None:
        super().__init__()
        self._messages: deque[Message] = deque()
        self._lock = threading.RLock()  # a finalizer may post at any time
        self._seen = True  # nothing has come since the thread looked last
        self.quit_code: int | None = None

    def post(self, hwnd: int, number: int, wparam: int, lparam: int) -> None:
        """Queue a message.  ERROR_NOT_ENOUGH_QUOTA when too many wait."""
        with self._lock:
            if len(self._messages) >= MAX_WAITING:
                raise WinsockError(c.ERROR_NOT_ENOUGH_QUOTA)
            stamp = int(time.monotonic() * 1e3) & c.MAXDWORD
            self._messages.append(Message(hwnd, number, wparam, lparam, stamp))
            self._seen = False
        self.wake()

    def quit(self, code: int) -> None:
        """WM_QUIT comes when no message waits any more."""
        with self._lock:
            self.quit_code = code
            self._seen = False
        self.wake()

    def look(self, hwnd: int | None, lowest: int, highest: int, remove: bool) -> Message | None:
        """The first message for this window (0: of the thread itself; None: any) in this range of numbers, or None.

        WM_QUIT comes whatever is asked for.
        """
        with self._lock:
            self._seen = True
            for i, message in enumerate(self._messages):
                if (hwnd is None or message.hwnd == hwnd) and lowest <= message.number <= highest:
                    if remove:
                        del self._messages[i]
                    return message
            if self.quit_code is None:
                return None
            message = Message(0, c.WM_QUIT, self.quit_code, 0, 0)
            if remove:
                self.quit_code = None
            return message

    def drop(self, hwnd: int) -> None:
        """A window is no more: its messages neither."""
        with self._lock:
            self._messages = deque(m for m in self._messages if m.hwnd != hwnd)

    def waiting(self) -> bool:
        """Whether any message waits, seen or not."""
        return bool(self._messages) or self.quit_code is not None

    def is_signaled(self, ts: ThreadState) -> bool:
        return not self._seen and self.waiting()


class WindowClass:
    """A registered class: what its windows' messages are dispatched to; None is the default procedure."""

    def __init__(self, name: str, atom: int, procedure: Procedure | None) -> None:
        self.name, self.atom, self.procedure = name, atom, procedure


class Window:
    """A window: class, thread and queue, the numbers that SetWindowLongPtr keeps."""

    def __init__(
        self, hwnd: int, kind: WindowClass, thread: ThreadState, queue: MessageQueue, procedure: Procedure | None
    ) -> None:
        self.hwnd, self.kind, self.thread, self.queue, self.procedure = hwnd, kind, thread, queue, procedure
        self.values: dict[int, int] = {}


class Desktop:
    """The windows, window classes and message queues of one process."""

    def __init__(self) -> None:
        self.windows: dict[int, Window] = {}
        self.classes: dict[str, WindowClass] = {}
        self.queues: WeakKeyDictionary[ThreadState, MessageQueue] = WeakKeyDictionary()
        self._next = FIRST_WINDOW
        self._atom = FIRST_ATOM
        self._lock = threading.RLock()

    @staticmethod
    def of(process: Process) -> Desktop:
        """The process' own."""
        return process.service("desktop", Desktop)

    def queue(self, ts: ThreadState) -> MessageQueue:
        """The thread's queue, made when first needed."""
        with self._lock:
            found = self.queues.get(ts)
            if found is None:
                found = self.queues[ts] = MessageQueue()
            return found

    def register(self, name: str, procedure: Procedure | None) -> WindowClass:
        """A new class.  ERROR_CLASS_ALREADY_EXISTS."""
        with self._lock:
            if name.lower() in self.classes:
                raise WinsockError(c.ERROR_CLASS_ALREADY_EXISTS)
            self._atom += 1
            kind = self.classes[name.lower()] = WindowClass(name, self._atom, procedure)
            return kind

    def unregister(self, name: str | int) -> None:
        """ERROR_CLASS_DOES_NOT_EXIST, ERROR_CLASS_HAS_WINDOWS."""
        with self._lock:
            try:
                kind = self.find_class(name)
            except WinsockError:
                raise WinsockError(c.ERROR_CLASS_DOES_NOT_EXIST) from None
            if kind.name.lower() not in self.classes:  # the system's
                raise WinsockError(c.ERROR_CLASS_DOES_NOT_EXIST)
            if any(window.kind is kind for window in self.windows.values()):
                raise WinsockError(c.ERROR_CLASS_HAS_WINDOWS)
            del self.classes[kind.name.lower()]

    def find_class(self, name: str | int) -> WindowClass:
        """A class by its name or atom.  ERROR_CANNOT_FIND_WND_CLASS."""
        if isinstance(name, int):
            found = next((kind for kind in list(self.classes.values()) if kind.atom == name), None)
        else:
            found = self.classes.get(name.lower()) or _SYSTEM.get(name.lower())
        if found is None:
            raise WinsockError(c.ERROR_CANNOT_FIND_WND_CLASS)
        return found

    def create(self, ts: ThreadState, kind: WindowClass) -> Window:
        """A new window of the thread."""
        with self._lock:
            hwnd, self._next = self._next, self._next + WINDOW_STEP
            window = self.windows[hwnd] = Window(hwnd, kind, ts, self.queue(ts), kind.procedure)
            return window

    def destroy(self, hwnd: int) -> None:
        """It is no more, and neither are its messages."""
        with self._lock:
            window = self.windows.pop(hwnd, None)
        if window is not None:
            window.queue.drop(hwnd)

    def find(self, hwnd: int) -> Window:
        """ERROR_INVALID_WINDOW_HANDLE."""
        try:
            return self.windows[hwnd]
        except KeyError:
            raise WinsockError(c.ERROR_INVALID_WINDOW_HANDLE) from None


# The classes that every program has; there is nothing to see of their windows here.
_SYSTEM: Final = {
    name.lower(): WindowClass(name, 0, None)
    for name in ("Static", "Button", "Edit", "ListBox", "ComboBox", "ScrollBar", "MDIClient", "Message")
}


def _after_fork() -> None:
    """In a forked child: whoever held a lock is gone."""
    for process in Process.all():
        desktop: Any = process.services.get("desktop")
        if desktop is not None:
            desktop._lock._at_fork_reinit()
            for queue in list(desktop.queues.values()):
                queue._lock._at_fork_reinit()


os.register_at_fork(after_in_child=_after_fork)
