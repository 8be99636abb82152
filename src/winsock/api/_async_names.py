"""WSAAsyncGetXByY: the look-ups of Winsock 1.1 that end with a message to a window.

Each start gives a task handle at once, whatever the arguments are worth.  A thread of the process does the tasks in
their order, fills the caller's buffer and posts the message: wParam is the handle, lParam's high word the error, its
low word the size of what is in the buffer or, with WSAENOBUFS, would have been.
"""

from __future__ import annotations

import operator
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from winsock import names
from winsock.api import _name_structs as structs
from winsock.api._call import INVALID_SOCKET, SOCKET_ERROR, c_int, dword, export, unexpected
from winsock.api._names import address, ansi, optional
from winsock.codes import WSA, WinsockError
from winsock.nt import Process, ThreadState, memory
from winsock.nt._messages import Desktop

FIRST_TASK = 0xC001
TASKS = "asynchronous look-ups"  # in Process.services
REST = 0.2  # seconds without a task, after which the thread ends
MAX_SIZE = 0xFFFF  # what a low word can tell

Pack = Callable[[int], bytes]  # the result as it will lie at an address


class _Task:
    """One look-up; the caller's objects stay alive while it is under way."""

    __slots__ = ("buffer", "handle", "hwnd", "number", "search", "size")

    def __init__(
        self, hwnd: Any, number: Any, search: Callable[[], Pack] | WinsockError, buffer: Any, size: Any
    ) -> None:
        self.hwnd = 0 if hwnd is None else operator.index(hwnd) & INVALID_SOCKET
        self.number, self.search, self.buffer, self.size = dword(number), search, buffer, c_int(size)
        self.handle = 0

    def run(self) -> tuple[int, int]:
        """Error and size."""
        needed = 0
        try:
            if isinstance(self.search, WinsockError):
                raise self.search
            pack = self.search()
            needed = len(pack(0))
            if needed > self.size:
                raise WinsockError(WSA.WSAENOBUFS)
            memory.writable(self.buffer, needed)
            memory.write(self.buffer, pack(memory.address(self.buffer)))
        except WinsockError as e:
            return e.code, min(needed, MAX_SIZE)
        except Exception as e:
            return unexpected("a look-up", e, (self.buffer, self.size)), 0
        return 0, min(needed, MAX_SIZE)


class Tasks:
    """The look-ups of one process."""

    def __init__(self, process: Process) -> None:
        self._desktop = Desktop.of(process)
        self._lock = threading.Condition()
        self._waiting: deque[_Task] = deque()
        self._open: set[int] = set()  # handles of tasks whose message is not posted yet
        self._last = FIRST_TASK - 1
        self._worker: threading.Thread | None = None

    def start(self, task: _Task) -> int:
        """Its handle.  WSAEWOULDBLOCK when no thread can be started."""
        with self._lock:
            self._last += 1
            task.handle = self._last
            worker = self._worker
            if worker is None or not worker.is_alive():
                worker = threading.Thread(target=self._run, name="winsock look-ups", daemon=True)
                try:
                    worker.start()
                except RuntimeError:
                    raise WinsockError(WSA.WSAEWOULDBLOCK) from None
                self._worker = worker
            self._waiting.append(task)
            self._open.add(task.handle)
            self._lock.notify()
        return task.handle

    def cancel(self, handle: int) -> None:
        """No message for this one.  WSAEALREADY: it is done or was cancelled; WSAEINVAL: there was none."""
        with self._lock:
            if handle in self._open:
                self._open.remove(handle)
            elif FIRST_TASK <= handle <= self._last:
                raise WinsockError(WSA.WSAEALREADY)
            else:
                raise WinsockError(WSA.WSAEINVAL)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting and not self._lock.wait_for(lambda: self._waiting, REST):
                    self._worker = None
                    return
                task = self._waiting.popleft()
                wanted = task.handle in self._open
            if not wanted:
                continue
            error, size = task.run()
            with self._lock:
                if task.handle not in self._open:
                    continue
                self._open.remove(task.handle)
                try:
                    window = self._desktop.find(task.hwnd)
                    window.queue.post(task.hwnd, task.number, task.handle, error << 16 | size)
                except WinsockError:
                    pass  # nobody to tell


def _tasks(ts: ThreadState) -> Tasks:
    process = ts.process
    return process.service(TASKS, lambda: Tasks(process))


def _begin(ts: ThreadState, hwnd: Any, number: Any, read: Callable[[], Callable[[], Pack]], buf: Any, n: Any) -> int:
    """Start a task; the arguments are read now, and what is wrong with them is told by the message."""
    try:
        search: Callable[[], Pack] | WinsockError = read()
    except WinsockError as e:
        search = e
    return _tasks(ts).start(_Task(hwnd, number, search, buf, n))


@export(0)
def WSAAsyncGetHostByName(ts: ThreadState, hWnd: Any, wMsg: int, name: Any, buf: Any, buflen: int) -> int:
    """gethostbyname that ends with the message wMsg to a window: the task's handle.

    buf   room for the hostent and all that it points to: MAXGETHOSTSTRUCT bytes are plenty

    The message tells WSAENOBUFS, WSAEFAULT, WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA; the call
    itself fails with WSANOTINITIALISED, WSAEWOULDBLOCK only.  Source: document, facts.
    """

    def read() -> Callable[[], Pack]:
        text = optional(name) or ""

        def search() -> Pack:
            host = names.host_by_name(text)
            return lambda base: structs.pack_hostent(host, base)

        return search

    return _begin(ts, hWnd, wMsg, read, buf, buflen)


@export(0)
def WSAAsyncGetHostByAddr(
    ts: ThreadState, hWnd: Any, wMsg: int, addr: Any, len: int, type: int, buf: Any, buflen: int
) -> int:
    """gethostbyaddr likewise; see WSAAsyncGetHostByName."""

    def read() -> Callable[[], Pack]:
        data, family = address(addr, len, type)

        def search() -> Pack:
            host = names.host_by_addr(data, family)
            return lambda base: structs.pack_hostent(host, base)

        return search

    return _begin(ts, hWnd, wMsg, read, buf, buflen)


@export(0)
def WSAAsyncGetServByName(ts: ThreadState, hWnd: Any, wMsg: int, name: Any, proto: Any, buf: Any, buflen: int) -> int:
    """getservbyname likewise; see WSAAsyncGetHostByName."""

    def read() -> Callable[[], Pack]:
        text, protocol = ansi(name), optional(proto)

        def search() -> Pack:
            service = names.service_by_name(text, protocol)
            return lambda base: structs.pack_servent(service, base)

        return search

    return _begin(ts, hWnd, wMsg, read, buf, buflen)


@export(0)
def WSAAsyncGetServByPort(ts: ThreadState, hWnd: Any, wMsg: int, port: int, proto: Any, buf: Any, buflen: int) -> int:
    """getservbyport likewise (port in network order); see WSAAsyncGetHostByName."""

    def read() -> Callable[[], Pack]:
        number = int.from_bytes((dword(port) & 0xFFFF).to_bytes(2, "little"), "big")
        protocol = optional(proto)

        def search() -> Pack:
            service = names.service_by_port(number, protocol)
            return lambda base: structs.pack_servent(service, base)

        return search

    return _begin(ts, hWnd, wMsg, read, buf, buflen)


@export(0)
def WSAAsyncGetProtoByName(ts: ThreadState, hWnd: Any, wMsg: int, name: Any, buf: Any, buflen: int) -> int:
    """getprotobyname likewise; see WSAAsyncGetHostByName."""

    def read() -> Callable[[], Pack]:
        text = ansi(name)

        def search() -> Pack:
            protocol = names.protocol_by_name(text)
            return lambda base: structs.pack_protoent(protocol, base)

        return search

    return _begin(ts, hWnd, wMsg, read, buf, buflen)


@export(0)
def WSAAsyncGetProtoByNumber(ts: ThreadState, hWnd: Any, wMsg: int, number: int, buf: Any, buflen: int) -> int:
    """getprotobynumber likewise; see WSAAsyncGetHostByName."""

    def read() -> Callable[[], Pack]:
        wanted = c_int(number)

        def search() -> Pack:
            protocol = names.protocol_by_number(wanted)
            return lambda base: structs.pack_protoent(protocol, base)

        return search

    return _begin(ts, hWnd, wMsg, read, buf, buflen)


@export(SOCKET_ERROR)
def WSACancelAsyncRequest(ts: ThreadState, hAsyncTaskHandle: int) -> int:
    """Have a look-up post no message.

    WSAEALREADY (it has posted it, or was cancelled before), WSAEINVAL (no such handle).  Source: document.
    """
    handle = 0 if hAsyncTaskHandle is None else operator.index(hAsyncTaskHandle) & INVALID_SOCKET
    _tasks(ts).cancel(handle)
    return 0


def _after_fork() -> None:
    """In a forked child: the thread, and what it was to do, are the parent's."""
    for process in Process.all():
        process.services.pop(TASKS, None)


os.register_at_fork(after_in_child=_after_fork)
