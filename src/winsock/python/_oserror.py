"""OSError as on Windows: `winerror`, `[WinError n] text`, errno and class by CPython's own rule.

Linux' OSError knows no winerror.  Three things make it know one:

* a property on OSError itself, so that every instance answers (None when it has none);
* its str(), which begins with [WinError n] where there is one;
* the Winsock numbers in the table by which OSError(errno, text) chooses its subclass, so that
  OSError(10061, ...) is a ConnectionRefusedError as it is on Windows.  Linux has no errno in that range.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import gc
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar, cast

from winsock.codes import WSA, WinsockError, errno_class, exception_class, winerror_to_errno

F = TypeVar("F", bound=Callable[..., Any])

_KEY = "winerror"
_WINERROR_INDEX = 3  # OSError(errno, text, filename, winerror, filename2)


# -- the property


def _get_winerror(self: OSError) -> Any:
    value = self.__dict__.get(_KEY)
    if value is None:
        args = self.args
        if len(args) > _WINERROR_INDEX and isinstance(args[_WINERROR_INDEX], int):
            return args[_WINERROR_INDEX]
    return value


def _set_winerror(self: OSError, value: Any) -> None:
    self.__dict__[_KEY] = value


def _del_winerror(self: OSError) -> None:
    self.__dict__.pop(_KEY, None)


def _namespace() -> dict[str, Any]:
    """OSError's own dictionary."""
    return next(d for d in gc.get_referents(OSError.__dict__) if isinstance(d, dict))


def _install_property() -> None:
    """Put `winerror` into OSError, whose dictionary Python code can't write to in the ordinary way."""
    if "winerror" in OSError.__dict__:
        return
    _namespace()["winerror"] = property(_get_winerror, _set_winerror, _del_winerror, "Win32 exception code")
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(OSError))


# -- its text

_plain_str = OSError.__str__


def _str(self: OSError) -> str:
    code = _get_winerror(self)
    if code is None:
        return _plain_str(self)
    text = f"[WinError {code}] {self.strerror}"
    if self.filename is None:
        return text
    if self.filename2 is None:
        return f"{text}: {self.filename!r}"
    return f"{text}: {self.filename!r} -> {self.filename2!r}"


# PyTypeObject's tp_str: behind the head of a variable-size object and 14 words.
_STR_OFFSET = object.__basicsize__ + 15 * ctypes.sizeof(ctypes.c_void_p)


def _slot(cls: type) -> ctypes.c_void_p:
    return ctypes.c_void_p.from_address(id(cls) + _STR_OFFSET)


class _ByMethod(Exception):
    def __str__(self) -> str:
        return ""


class _ByAnother(Exception):
    def __str__(self) -> str:
        return ""


def _with_subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = type.__subclasses__(cls)
    for sub in subclasses:
        yield from _with_subclasses(sub)


def _install_str() -> None:
    """Do what OSError.__str__ = _str does for a class made in Python: the method, and the slot that looks it up.

    Nothing is done in an interpreter whose classes are laid out otherwise; errors then begin with [Errno n].
    """
    if OSError.__dict__["__str__"] is _str or not _is_slot_of_str():
        return
    before, by_method = _slot(OSError).value, _slot(_ByMethod).value
    _namespace()["__str__"] = _str
    for cls in _with_subclasses(OSError):
        if _slot(cls).value == before:
            _slot(cls).value = by_method
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(OSError))


def _is_slot_of_str() -> bool:
    """Whether classes show at that place whose __str__ they have."""
    plain, of_exceptions = _slot(OSError).value, _slot(Exception).value
    size: Any = type.__basicsize__
    return (
        size > _STR_OFFSET + ctypes.sizeof(ctypes.c_void_p)
        and _slot(_ByMethod).value == _slot(_ByAnother).value not in (plain, of_exceptions)
        and _slot(RuntimeError).value == of_exceptions != plain
        and _slot(ConnectionResetError).value == plain
    )


# -- the table of OSError(errno, text)


def _read_own_memory(address: int, size: int) -> bytes:
    """As many of these bytes of this process as can be read."""
    try:
        fd = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.pread(fd, size, address)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _errno_table() -> dict[int, type[OSError]] | None:
    """The interpreter's own dictionary from errno to subclass; None if this build keeps it elsewhere.

    It lies in the interpreter's state, two pointers and an int before the one to ExceptionGroup.  Nothing is
    dereferenced before it has proved to be a dictionary.
    """
    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    state = api.PyInterpreterState_Get()
    word = ctypes.sizeof(ctypes.c_void_p)
    dict_type = id(dict).to_bytes(word, "little")
    type_offset = object.__basicsize__ - word
    step = 1 << 16
    memory = b"".join(_read_own_memory(state + at, step) for at in range(0, 1 << 20, step))
    at = memory.find(id(ExceptionGroup).to_bytes(word, "little"))
    while at >= 0:
        for distance in (3, 2, 4):
            where = at - distance * word
            candidate = int.from_bytes(memory[where : where + word], "little") if where >= 0 else 0
            if candidate and candidate % word == 0:
                if _read_own_memory(candidate + type_offset, word) != dict_type:
                    continue
                table: dict[int, type[OSError]] = ctypes.cast(candidate, ctypes.py_object).value
                if table.get(errno.EAGAIN) is BlockingIOError:
                    return table
        at = memory.find(id(ExceptionGroup).to_bytes(word, "little"), at + 1)
    return None


def _install_numbers() -> None:
    table = _errno_table()
    if table is None:
        return
    for number in WSA:
        cls = errno_class(number)
        if cls is not OSError:
            table[int(number)] = cls


# -- making and raising

_language: str | None = None
_made: dict[int, tuple[type[OSError], tuple[Any, ...]]] = {}


def set_language(language: str | None) -> None:
    """Language of the texts: "en", "fr", "ja", "zh-TW"; None is the default."""
    global _language
    _language = language
    _made.clear()


def text_of(code: int) -> str | None:
    """Windows' text for the code; None for a code that has none."""
    from winsock.codes import message

    return message(code) if _language is None else message(code, _language)


def _prepare(code: int) -> tuple[type[OSError], tuple[Any, ...]]:
    code = int(code)
    text = text_of(code)
    cls = exception_class(code)
    made = _made[code] = (cls, (winerror_to_errno(code), text, None, code, None))
    return made


def winsock_error(code: int, base: type[OSError] | None = None) -> OSError:
    """The OSError that CPython on Windows makes of this code; of another class than its own rule gives if asked."""
    cls, args = _made.get(code) or _prepare(code)
    return (cls if base is None else base)(*args)


def with_winerror(number: int, text: Any, filename: Any, code: int, filename2: Any = None) -> OSError:
    """OSError(errno, text, filename, winerror, filename2), where on Windows the code decides errno and class."""
    cls = exception_class(code)
    error = cls(winerror_to_errno(code), text, filename, code, filename2)
    error.winerror = code  # type: ignore[attr-defined]  # Linux drops it where there is a file's name
    return error


def is_windows(error: OSError) -> bool:
    """Whether it already speaks Windows."""
    return _get_winerror(error) is not None


gaierror = _socket.gaierror
herror = _socket.herror


def name_error(code: int) -> OSError:
    """getaddrinfo's failure; CPython on Windows has one text for all of its codes."""
    return gaierror(int(code), "getaddrinfo failed")


def host_error(code: int) -> OSError:
    """gethostbyaddr's failure."""
    return herror(int(code), "host not found")


KEEP_FRAMES = bool(os.environ.get("WINSOCK_DEBUG"))


def keep(exc: BaseException) -> TracebackType | None:
    """What of a traceback the program is to see: nothing of ours, unless WINSOCK_DEBUG is set."""
    return exc.__traceback__ if KEEP_FRAMES else None


def face(function: F, translated: Callable[[BaseException], BaseException] | None = None) -> F:
    """Make a function of the Python-shaped face: WinsockError becomes OSError, and tracebacks end at the caller.

    translated    what other exceptions become; themselves if None

    A bare raise adds no frame, so that clearing the traceback just before it leaves the caller's frame the last.
    """

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except WinsockError as e:
            exc: BaseException = winsock_error(e.code)
            if KEEP_FRAMES:
                raise exc from e
        except BaseException as e:
            exc = e if translated is None else translated(e)
            if KEEP_FRAMES:
                if exc is e:
                    raise
                raise exc from e
        try:
            raise exc
        except BaseException as e:
            e.__traceback__ = None
            raise
        finally:
            del exc

    wrapper.__name__ = function.__name__
    wrapper.__qualname__ = function.__qualname__
    wrapper.__doc__ = function.__doc__
    wrapper.__module__ = "_socket"
    wrapper.__wrapped__ = function  # type: ignore[attr-defined]
    return cast(F, wrapper)


def install() -> None:
    """Make this interpreter's OSError Windows-like.  Harmless to do twice."""
    _install_property()
    _install_str()
    _install_numbers()
