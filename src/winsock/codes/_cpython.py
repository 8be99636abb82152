"""CPython's rule on Windows: which errno and which exception class a winerror gets.

OSError(errno, message, None, winerror) throws the given errno away, maps winerror to one of the C runtime,
and chooses the class by that.  Two things surprise: Winsock codes stay themselves (e.errno is 10054) except
the six that the C runtime has too; and what the map does not know becomes EINVAL (WinError 64 has errno 22).

Source: the rule as CPython documents it for OSError.winerror and as its PC/errmap.h tables it, restated.
"""

from __future__ import annotations

import sys

from winsock.codes._hresult import from_hresult

# errno.h of the Microsoft C runtime
_ENOENT, _E2BIG, _ENOEXEC, _EBADF, _ECHILD, _EAGAIN, _ENOMEM, _EACCES = 2, 7, 8, 9, 10, 11, 12, 13
_EEXIST, _EXDEV, _ENOTDIR, _EINVAL, _EMFILE, _ENOSPC, _EPIPE = 17, 18, 20, 22, 24, 28, 32
_ENOTEMPTY, _EILSEQ, _ETIMEDOUT = 41, 42, 138

_BY_ERRNO: dict[int, tuple[int, ...]] = {
    _ENOENT: (2, 3, 15, 18, 53, 67, 161, 206),
    _E2BIG: (10,),
    _ENOEXEC: (11, *range(188, 203)),
    _EBADF: (6, 114, 130),
    _ECHILD: (128, 129),
    _EAGAIN: (89, 164, 215),
    _ENOMEM: (7, 8, 9, 1816),
    _EACCES: (5, 16, *range(19, 37), 65, 82, 83, 108, 132, 158, 167),
    _EEXIST: (80, 183),
    _EXDEV: (17,),
    _ENOTDIR: (267,),
    _EMFILE: (4,),
    _ENOSPC: (112,),
    _EPIPE: (109, 232),
    _ENOTEMPTY: (145,),
    _EILSEQ: (1113,),
}
if sys.version_info >= (3, 13):
    _BY_ERRNO[_ETIMEDOUT] = (258,)  # WAIT_TIMEOUT: EINVAL before
_WIN32 = {winerror: number for number, winerrors in _BY_ERRNO.items() for winerror in winerrors}

_WINSOCK = range(10000, 12000)
_SHARED_WITH_THE_C_RUNTIME = frozenset(
    (10004, 10009, 10013, 10014, 10022, 10024)  # EINTR, EBADF, EACCES, EFAULT, EINVAL, EMFILE
)

_CLASSES: dict[int, type[OSError]] = {
    1: PermissionError,  # EPERM
    _ENOENT: FileNotFoundError,
    3: ProcessLookupError,  # ESRCH
    4: InterruptedError,  # EINTR
    _ECHILD: ChildProcessError,
    _EAGAIN: BlockingIOError,
    _EACCES: PermissionError,
    _EEXIST: FileExistsError,
    _ENOTDIR: NotADirectoryError,
    21: IsADirectoryError,  # EISDIR
    _EPIPE: BrokenPipeError,
    _ETIMEDOUT: TimeoutError,
    10035: BlockingIOError,  # WSAEWOULDBLOCK
    10036: BlockingIOError,  # WSAEINPROGRESS
    10037: BlockingIOError,  # WSAEALREADY
    10053: ConnectionAbortedError,  # WSAECONNABORTED
    10054: ConnectionResetError,  # WSAECONNRESET
    10058: BrokenPipeError,  # WSAESHUTDOWN
    10060: TimeoutError,  # WSAETIMEDOUT
    10061: ConnectionRefusedError,  # WSAECONNREFUSED
}


def winerror_to_errno(winerror: int) -> int:
    """The errno that OSError gets on Windows for this winerror: Windows' number, not Linux'.

    An HRESULT of facility WIN32 (signed or unsigned) counts as the code inside it.
    """
    inner = from_hresult(winerror)
    if inner is not None:
        winerror = inner
    if winerror in _WINSOCK:
        return winerror - _WINSOCK.start if winerror in _SHARED_WITH_THE_C_RUNTIME else int(winerror)
    return _WIN32.get(winerror, _EINVAL)


def errno_class(number: int) -> type[OSError]:
    """The class OSError(number, ...) makes on Windows; number is Windows' errno."""
    return _CLASSES.get(number, OSError)


def exception_class(winerror: int) -> type[OSError]:
    """The class of the exception that CPython raises on Windows for this winerror."""
    return errno_class(winerror_to_errno(winerror))
