"""The module `msvcrt`: handles of descriptors, modes of files, locks, and the console, which here is the terminal."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import sys
import time
from types import ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WinsockError
from winsock.python import _handles, _pipes
from winsock.python._oserror import face

LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)
TRIES = 10  # of LK_LOCK, a second apart (document)
_poll = select.poll


# -- handles


@face
def open_osfhandle(handle: int, flags: int, /) -> int:
    """open_osfhandle(handle, flags): a descriptor for a pipe's handle, which is closed with it; a file's is one."""
    if handle < _handles.FIRST:
        return int(get_osfhandle(handle))
    end = _handles.find(handle, _pipes.End)
    fd = os.dup(end.ep.transport.fileno())
    os.set_blocking(fd, True)
    _handles.close(handle)
    return fd


@face
def get_osfhandle(fd: int, /) -> int:
    """get_osfhandle(fd): the handle of a file, here the descriptor itself."""
    try:
        os.fstat(fd)
    except OSError:
        raise WinsockError(c.ERROR_INVALID_HANDLE) from None
    return fd


# -- files


def setmode(fd: int, mode: int, /) -> int:
    """setmode(fd, flags): the mode before, which is the same: files of this machine have no other than O_BINARY."""
    os.fstat(fd)
    return mode


def locking(fd: int, mode: int, nbytes: int, /) -> None:
    """locking(fd, mode, nbytes): lock these many bytes from where the file is, by LK_*, or unlock them.

    LK_LOCK and LK_RLCK try ten times, a second apart, and then raise OSError; LK_NBLCK and LK_NBRLCK try once.  Locks
    are this machine's advisory ones (fcntl), which keep out those who ask.
    """
    if mode not in range(5):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if mode == LK_UNLCK:
        fcntl.lockf(fd, fcntl.LOCK_UN, nbytes, 0, os.SEEK_CUR)
        return
    for left in reversed(range(TRIES if mode in (LK_LOCK, LK_RLCK) else 1)):
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, nbytes, 0, os.SEEK_CUR)
            return
        except (BlockingIOError, PermissionError):
            if not left:
                number = errno.EACCES if mode in (LK_NBLCK, LK_NBRLCK) else errno.EDEADLK
                raise OSError(number, os.strerror(number)) from None
            time.sleep(1)


# -- the console


class _Console:
    """What was put back by ungetch()."""

    def __init__(self) -> None:
        self.back = ""

    def take(self, echo: bool) -> str:
        """The next key, when it is pressed; Enter is a carriage return, as on a console."""
        back, self.back = self.back, ""
        if back:
            return back
        fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        if not os.isatty(fd):
            return _decoded(fd)
        import termios
        import tty

        before = termios.tcgetattr(fd)
        try:
            tty.setraw(fd, termios.TCSANOW)
            key = _decoded(fd)
        finally:
            termios.tcsetattr(fd, termios.TCSANOW, before)
        if key == "\n":
            key = "\r"  # pressed before anybody asked
        if echo:
            _put(key)
        return key

    def pressed(self) -> bool:
        if self.back:
            return True
        fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        poller = _poll()
        poller.register(fd, select.POLLIN)
        if not os.isatty(fd):
            return bool(poller.poll(0))
        import termios

        before = termios.tcgetattr(fd)
        mode = termios.tcgetattr(fd)
        mode[3] &= ~termios.ICANON  # a key counts before Enter
        try:
            termios.tcsetattr(fd, termios.TCSANOW, mode)
            return bool(poller.poll(0))
        finally:
            termios.tcsetattr(fd, termios.TCSANOW, before)


def _decoded(fd: int) -> str:
    data = os.read(fd, 1)
    while data and data[0] >= 0xC0 and len(data) < 4:
        try:
            return data.decode()
        except UnicodeDecodeError:
            data += os.read(fd, 1)
    return data.decode(errors="replace") if data else "\x1a"  # Ctrl-Z, the end


def _put(text: str) -> None:
    out: Any = sys.__stdout__
    if out is not None:
        out.write(text)
        out.flush()


_console = _Console()


def kbhit() -> bool:
    """kbhit(): whether a key waits to be read."""
    return _console.pressed()


def getch() -> bytes:
    """getch(): the next key, without showing it."""
    return _console.take(False).encode()


def getwch() -> str:
    """getwch(): likewise, a str."""
    return _console.take(False)


def getche() -> bytes:
    """getche(): the next key, which is shown."""
    return _console.take(True).encode()


def getwche() -> str:
    """getwche(): likewise, a str."""
    return _console.take(True)


def putch(char: bytes, /) -> None:
    """putch(char): show a byte."""
    _put(bytes(char).decode(errors="replace"))


def putwch(unicode_char: str, /) -> None:
    """putwch(char): show a character."""
    _put(unicode_char)


def ungetch(char: bytes, /) -> None:
    """ungetch(char): the next key read is this one; there may be one of them."""
    ungetwch(bytes(char).decode(errors="replace"))


def ungetwch(unicode_char: str, /) -> None:
    """ungetwch(char): likewise, a str."""
    if _console.back:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    _console.back = unicode_char


def heapmin() -> None:
    """heapmin(): give free memory back; this machine's library does so itself."""


FUNCTIONS = (
    getch, getche, get_osfhandle, getwch, getwche, heapmin, kbhit, locking, open_osfhandle, putch, putwch, setmode,
    ungetch, ungetwch,
)  # fmt: skip


def make_module() -> ModuleType:
    """A fresh `msvcrt`."""
    module = ModuleType("msvcrt", "Useful routines from Windows' C library.")
    names = vars(module)
    names.update({function.__name__: function for function in FUNCTIONS})
    names.update(LK_UNLCK=LK_UNLCK, LK_LOCK=LK_LOCK, LK_NBLCK=LK_NBLCK, LK_RLCK=LK_RLCK, LK_NBRLCK=LK_NBRLCK)
    return module
