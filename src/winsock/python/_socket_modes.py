"""What of a socket is this face's own: its timeout, what it shows, how it waits."""

from __future__ import annotations

import _socket
import os
import time
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint, State
from winsock.afd._shape import known_change
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.python._socket_parts import OFFERED, Mode

_C = _socket.socket
_fileno, _gettimeout, _settimeout = _C.fileno, _C.gettimeout, _C.settimeout
_setsockopt = _C.setsockopt

IP = (c.AF_INET, c.AF_INET6)
MAX_INT = 0x7FFFFFFF
_LISTENING = State.LISTENING
_WAITING, _NOT_WAITING = known_change(nonblocking=False), known_change(nonblocking=True)
SYN_RETRIES = 2.0  # s that Windows spends before it believes a refusal: three more SYNs, half a second apart


def readiness_wait(ep: Endpoint, events: int, seconds: float | None) -> bool:
    return wait_ready(ep, events, None if seconds is None else seconds * 1e3, WSA.WSAENOTSOCK)


def timeout_of(ep: Any) -> float | None:
    """What settimeout() said."""
    if not ep.shape.nonblocking:
        return None
    mode: Mode | None = ep.rest.face
    return 0.0 if mode is None else mode.timeout


def mode_of(ep: Any) -> Mode:
    """What only some sockets have of this face's, to be written to."""
    rest = ep.own_rest()
    if rest.face is None or rest.face is OFFERED:
        rest.face = Mode()
    mode: Mode = rest.face
    return mode


def shown_of(ep: Any) -> tuple[int, int]:
    """The family and type that the object shows."""
    mode: Mode | None = ep.rest.face
    return (ep.family, ep.type) if mode is None or mode.shown is None else mode.shown


def checked(timeout: Any) -> float | None:
    """A timeout as CPython rounds it; its own errors for what is none."""
    scratch = _C.__new__(_C)
    try:
        _settimeout(scratch, timeout)
    except OSError:
        pass  # it has no descriptor
    return _gettimeout(scratch)


def check_option(args: tuple[Any, ...]) -> None:
    """Arguments that setsockopt cannot take: CPython's own errors, which differ between versions."""
    if len(args) == 3 and all(arg.__class__ is int and 0 <= arg <= MAX_INT for arg in args):
        return
    scratch = _C.__new__(_C)
    try:
        _setsockopt(scratch, *args)
    except OSError:
        pass  # it has no descriptor


def set_quickack(ep: Any, value: int) -> None:
    """TCP_QUICKACK, which stands for a control code of Windows; this kernel may leave that mode again."""
    if not ep.stream or ep.family not in IP:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if value not in (0, 1):
        raise WinsockError(WSA.WSAEINVAL)
    _setsockopt(ep, _socket.IPPROTO_TCP, _socket.TCP_QUICKACK, value)
    mode_of(ep).quickack = value


def set_timeout(ep: Any, timeout: float | None) -> None:
    """A timeout for the endpoint; the descriptor's O_NONBLOCK is what CPython would have made it."""
    if timeout is None:
        _settimeout(ep, None)
        if ep.shape.state is _LISTENING:
            os.set_blocking(_fileno(ep), False)  # accept must never wait in the kernel
        if ep.shape.nonblocking:
            ep.turn(_WAITING)
    else:
        _settimeout(ep, 0.0)
        if not ep.shape.nonblocking:
            ep.turn(_NOT_WAITING)
        if timeout:
            mode_of(ep).timeout = timeout
    mode = ep.rest.face
    if mode is not None and mode is not OFFERED:
        mode.timeout = timeout or 0.0
        mode.dry = None
        if mode.twin is not None:
            mode.twin.settimeout(timeout)


def retry_syn(ep: Endpoint, start: float, timeout: float | None) -> None:
    """The time that Windows takes to give up; a shorter timeout is over first."""
    left = start + SYN_RETRIES - time.monotonic()
    if timeout is not None and start + timeout - time.monotonic() < left:
        time.sleep(max(0.0, start + timeout - time.monotonic()))
        raise TimeoutError("timed out")
    time.sleep(max(0.0, left))
