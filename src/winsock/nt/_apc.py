"""Asynchronous procedure calls: functions that a thread runs when it waits alertably."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from winsock.nt._process import ThreadState

_log = logging.getLogger("winsock")


def queue_apc(ts: ThreadState, function: Callable[..., Any], *args: Any) -> None:
    """Queue function(*args) to a thread and end its wait, if it is in one; from any thread."""
    ts.apcs.append((function, args))
    ts.interrupt()


def run_apcs(ts: ThreadState) -> int:
    """Run what is queued to the calling thread, in order, also what gets queued meanwhile; how many ran."""
    ran = 0
    while ts.apcs:
        function, args = ts.apcs.pop(0)
        ran += 1
        try:
            function(*args)
        except Exception:  # C code could not raise through the kernel either
            _log.exception("an asynchronous procedure call failed: %r", function)
    return ran
