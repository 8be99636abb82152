"""A Windows process and its threads, as far as Winsock needs them.

A Process owns what Windows keeps per process: the handle table, the WSAStartup count, the sockets.  A ThreadState
owns what Windows keeps per thread and process: the last error, the blocking hook, buffers that functions hand out.
The only module-level mutable state of winsock is the default Process and each thread's current one.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from winsock.codes import WSA, WinsockError

if TYPE_CHECKING:
    from winsock.nt._interfaces import SocketObject

T = TypeVar("T")

FIRST_HANDLE = 0x40
MAX_HANDLE = 0xFFFFFC
HANDLE_STEP = 4
RESTING = 64  # numbers that were handles, before the first of them is one again


class HandleTable:
    """Handles of one process: multiples of 4, the lowest free one first, as Windows hands them out.

    objects   what they stand for; a socket's handle lies in `sockets` instead
    free      numbers that were handles; who takes a handle out puts its number there
    """

    def __init__(self) -> None:
        self.objects: dict[int, Any] = {}
        self.sockets: dict[int, Any] = {}
        self._next = FIRST_HANDLE
        self.free: deque[int] = deque()
        self._lock = threading.RLock()  # reentrant: a program's finalizers may close handles at any time

    def get(self, handle: int) -> Any | None:
        """What the handle stands for, a socket or anything else; None if it is none."""
        obj = self.objects.get(handle)
        return self.sockets.get(handle) if obj is None else obj

    def number(self) -> int:
        """A number that is no handle yet; WSAEMFILE when there are no more."""
        # A number rests until later ones were used, so that a stale handle is caught and not somebody else's.
        free = self.free
        if len(free) > RESTING:
            return free.popleft()
        with self._lock:
            if self._next <= MAX_HANDLE:
                handle = self._next
                self._next += HANDLE_STEP
                return handle
            if self.free:
                return self.free.popleft()
            raise WinsockError(WSA.WSAEMFILE)

    def add(self, obj: Any) -> int:
        """A new handle for the object; WSAEMFILE when there are no more."""
        handle = self.number()
        self.objects[handle] = obj
        return handle

    def add_socket(self, obj: SocketObject) -> int:
        """A new handle for a socket; WSAEMFILE when there are no more."""
        free = self.free
        handle = free.popleft() if len(free) > RESTING else self.number()
        self.sockets[handle] = obj
        return handle

    def free_lock(self) -> None:
        """In a forked child: whoever held it is gone."""
        self._lock._at_fork_reinit()  # type: ignore[attr-defined]

    def remove(self, handle: int) -> Any | None:
        """Take another handle than a socket's out; its object, or None if there is none."""
        obj = self.objects.pop(handle, None)
        if obj is not None:
            self.free.append(handle)
        return obj


class Process:
    """A fresh Windows process: no handles, Winsock not started.

    `with process.attached():` makes it the calling thread's current process.
    `transport` is the network it lives on; this machine's when not given.
    """

    _ids = itertools.count(0x1000, 4)
    _all: ClassVar[weakref.WeakValueDictionary[int, Process]] = weakref.WeakValueDictionary()

    def __init__(self, transport: Any = None, pid: int | None = None) -> None:
        self.pid = pid if pid is not None else next(Process._ids)
        Process._all[self.pid] = self
        self.handles = HandleTable()
        self.sockets = self.handles.sockets
        self.nameless: list[Iterable[SocketObject | None]] = []  # tables of sockets that may have no handle yet
        self.transport = transport
        self.startups = 0
        self.version = 0  # as negotiated by the first WSAStartup: 0x0202 is 2.2
        self.lock = threading.RLock()
        # What opens one more of the usual sockets, by what spi.open_socket was asked for: their handles
        self.openers: dict[tuple[int, int, int], Callable[[], int]] = {}
        self.services: dict[str, Any] = {}  # rooms keep their per-process things here, by room name
        self.closing: list[tuple[Container[Any], Callable[[Any], None]]] = []  # see on_close
        self._threads: weakref.WeakSet[ThreadState] = weakref.WeakSet()
        self._local = threading.local()

    def service(self, name: str, make: Callable[[], T]) -> T:
        """What `services` has under this name, made now if it is not there."""
        with self.lock:
            found: T | None = self.services.get(name)
            if found is None:
                found = self.services[name] = make()
            return found

    def on_close(self, known: Container[Any], hook: Callable[[Any], None], first: bool = False) -> None:
        """hook is told of every endpoint in `known` that closes, before its socket does; in that order.

        first    before those who asked earlier

        Who asks again is told once all the same.
        """
        if all(hook != there for _, there in self.closing):
            self.closing.insert(0 if first else len(self.closing), (known, hook))

    def all_sockets(self) -> list[SocketObject]:
        """Every socket, also those without a handle."""
        found = dict.fromkeys(list(self.sockets.values()))
        for table in self.nameless:
            found.update((sock, None) for sock in list(table) if sock is not None and sock.process is self)
        return list(found)

    def thread(self) -> ThreadState:
        """The calling thread's state in this process."""
        state: ThreadState | None = getattr(self._local, "state", None)
        if state is None:
            state = self._local.state = ThreadState(self)
            self._local.exit = _Exit(state)
            self._threads.add(state)
        return state

    @property
    def current_state(self) -> ThreadState | None:
        """The calling thread's state in this process, if it has been here."""
        return getattr(self._local, "state", None)

    @property
    def threads(self) -> list[ThreadState]:
        """States of the threads that have been in this process."""
        return list(self._threads)

    @contextmanager
    def attached(self) -> Iterator[Process]:
        """Make this the calling thread's current process."""
        before: ThreadState | None = getattr(_tls, "state", None)
        _tls.state = self.thread()
        try:
            yield self
        finally:
            if before is None:
                del _tls.state
            else:
                _tls.state = before

    @classmethod
    def find(cls, pid: int) -> Process | None:
        """The process of this interpreter with that id."""
        return cls._all.get(pid)

    @classmethod
    def all(cls) -> list[Process]:
        """Every process of this interpreter."""
        return list(cls._all.values())

    def __repr__(self) -> str:
        return f"<winsock.Process {self.pid} with {len(self.sockets)} sockets>"


def nobody() -> None:
    """A weak reference to nothing."""


class ThreadState:
    """What Windows keeps for a thread: last error, blocking hook, what it is waiting for."""

    __slots__ = (
        "__weakref__",
        "apcs",
        "blocking",
        "buffers",
        "cancelled",
        "hook",
        "in_callback",
        "last_error",
        "looker",
        "open_type",
        "pair",
        "process",
        "sockets",
        "tid",
        "wake",
    )

    def __init__(self, process: Process) -> None:
        self.process = process
        self.sockets = process.sockets  # the same dictionary, one look-up nearer
        self.last_error = 0
        self.tid = threading.get_native_id()
        self.buffers: dict[str, Any] = {}
        self.hook: Callable[..., Any] | None = None  # WSASetBlockingHook
        self.blocking = 0  # blocking calls under way (a hook can nest them)
        self.cancelled = 0  # the code that WSACancelBlockingCall or CancelSynchronousIo ends its call with
        self.in_callback = False
        self.open_type = 0  # SO_OPENTYPE
        self.apcs: list[Any] = []
        self.looker: Any = (None, None)  # what select looked at last, and how (Transport.looker)
        self.pair: Any = (nobody, nobody, None)  # the same for one to read and one to write: weak references, and how
        self.wake: Callable[[], None] | None = None  # ends the wait under way, from any thread

    def ended(self) -> None:
        """The thread is over: who waits for it learns that (see exit_event of api._events)."""
        self.buffers["ended"] = True
        event = self.buffers.get("exit")
        if event is not None:
            event.set()

    def interrupt(self) -> None:
        """End this thread's wait, if it is in one; callable from any thread."""
        wake = self.wake
        if wake is not None:
            wake()


class _Exit:
    """Lies among a thread's own variables; the interpreter drops it when the thread ends."""

    __slots__ = ("state",)

    def __init__(self, state: ThreadState) -> None:
        self.state = state

    def __del__(self) -> None:
        try:
            self.state.ended()
        except Exception:
            pass  # the interpreter is on its way out


class _Tls(threading.local):
    state: ThreadState


_tls = _Tls()
_default: Process | None = None
_default_lock = threading.Lock()


def default_process() -> Process:
    """The process of threads that are attached to none; it has this process' own id."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Process(pid=os.getpid())
        return _default


def current() -> ThreadState:
    """The calling thread's state in its current process."""
    try:
        return _tls.state
    except AttributeError:
        state = _tls.state = default_process().thread()
        return state


def _after_fork() -> None:
    """In a forked child: other threads are gone, whatever they held is free, and the process has another id."""
    _default_lock._at_fork_reinit()  # type: ignore[attr-defined]
    for process in Process.all():
        process.lock._at_fork_reinit()  # type: ignore[attr-defined]
        process.handles.free_lock()
        state = process.current_state
        process._threads = weakref.WeakSet(() if state is None else (state,))
        if state is not None:
            state.tid = threading.get_native_id()
    if _default is not None:
        Process._all.pop(_default.pid, None)
        _default.pid = os.getpid()
        Process._all[_default.pid] = _default


os.register_at_fork(after_in_child=_after_fork)
