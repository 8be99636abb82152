"""Which threads may be inside a call on a socket: all but those of winsock's own that are at rest.

A thread at rest is in no such call, and says so before it begins one.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_resting: set[int] = set()  # threads that are at rest
_lock = threading.RLock()  # who holds it keeps them at rest; reentrant: the garbage collector may close sockets
_me = _thread.get_ident

# Threads that there are besides the first: while there is none, nobody else can be inside of anything.
others = _thread._count


def rest() -> None:
    """The calling thread is at rest from now on."""
    with _lock:
        _resting.add(_me())


def work() -> None:
    """It is not any more."""
    with _lock:
        _resting.discard(_me())


def alone(do: Callable[[T], R], argument: T) -> tuple[R, bool]:
    """What do(argument) gives, and whether no other thread was inside a call meanwhile.

    Not by sys._current_frames(), which holds a lock of the interpreter's while it allocates: a finalizer that runs
    just then and closes a socket would wait for it for ever.
    """
    count = others()
    if not count:
        return do(argument), True
    if count != len(_resting):
        return do(argument), False
    with _lock:
        # A thread at rest may run finalizers; to it, the others are not.
        quiet = others() == len(_resting) and _me() not in _resting
        return do(argument), quiet


def _after_fork() -> None:
    _lock._at_fork_reinit()  # type: ignore[attr-defined]
    _resting.clear()


os.register_at_fork(after_in_child=_after_fork)
