"""Modules of the standard library as a program on Windows finds them: the real ones with some names changed.

An overlay answers its own names itself and everything else from the real module, and forwards writes, so that
sys.stdout = x or mock.patch work as ever.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import sysconfig
from collections import namedtuple
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

from winsock.python import _processes, _versions

MACHINE = "AMD64"
BUILD = (10, 0, 19045)  # Windows 10 22H2


def overlay(real: ModuleType, changed: Mapping[str, Any], absent: Collection[str] = ()) -> ModuleType:
    """A module that shows `changed` in front of `real` and hides `absent`."""
    hidden = frozenset(absent)

    def fallback(name: str) -> Any:
        if name in hidden:
            raise AttributeError(f"module {real.__name__!r} has no attribute {name!r}")
        return getattr(real, name)

    class Overlay(ModuleType):
        def __setattr__(self, name: str, value: Any) -> None:
            if name in own:
                own[name] = value
            else:
                setattr(real, name, value)

        def __delattr__(self, name: str) -> None:
            if name in own:
                del own[name]
            else:
                delattr(real, name)

        def __dir__(self) -> list[str]:
            return sorted(merged())

        __dict__ = property(lambda self: merged())

        def __repr__(self) -> str:
            return repr(real)

    def merged() -> dict[str, Any]:
        both = {k: v for k, v in vars(real).items() if k not in hidden}
        both.update({k: v for k, v in own.items() if k != "__getattr__"})
        return both

    module = Overlay(real.__name__, real.__doc__)
    own = _dict_of(module)
    own.update(changed)
    own["__getattr__"] = fallback
    for name in ("__spec__", "__loader__", "__package__", "__file__"):
        if hasattr(real, name):
            own[name] = getattr(real, name)
    exported = getattr(real, "__all__", None)
    if exported is not None:
        own["__all__"] = [n for n in exported if n not in hidden] + [n for n in changed if n not in exported]
    return module


def _dict_of(module: ModuleType) -> dict[str, Any]:
    """The module's true dictionary, whatever its class says of __dict__."""
    attributes: Any = type.__getattribute__(ModuleType, "__dict__")
    found: dict[str, Any] = attributes["__dict__"].__get__(module)
    return found


# PyTypeObject's tp_flags: behind the head of a variable-size object and 18 words
_FLAGS_OFFSET = object.__basicsize__ + 19 * ctypes.sizeof(ctypes.c_void_p)
_IMMUTABLE = 1 << 8


def seal(cls: type) -> None:
    """Make a class immutable, as one made in C is; its subclasses are not.  Where that can't be done, nothing."""
    flags = ctypes.c_ulong.from_address(id(cls) + _FLAGS_OFFSET)
    if flags.value == cls.__flags__:
        flags.value |= _IMMUTABLE


# -- sys


_WindowsVersion = namedtuple("_WindowsVersion", ["major", "minor", "build", "platform", "service_pack"])


class WindowsVersion(_WindowsVersion):
    """sys.getwindowsversion()'s answer: five items, and more attributes."""

    __slots__ = ()
    service_pack_major = 0
    service_pack_minor = 0
    suite_mask = 256
    product_type = 1
    platform_version = BUILD

    def __repr__(self) -> str:
        return f"sys.getwindowsversion({_WindowsVersion.__repr__(self).partition('(')[2]}"


def getwindowsversion() -> WindowsVersion:
    """The version of Windows that the view shows."""
    return WindowsVersion(*BUILD, 2, "")


def sys_view() -> ModuleType:
    """`sys` for networking code."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return overlay(
        sys,
        {"platform": "win32", "getwindowsversion": getwindowsversion, "winver": version, "dllhandle": 0},
        {"abiflags"},
    )


# -- os

# What networking code asks for by hasattr() to decide how to serve, and Windows lacks.
_NO_OS = (
    "fork", "forkpty", "sendfile", "register_at_fork", "posix_spawn", "posix_spawnp", "getuid", "geteuid", "getgid",
    "getegid", "uname", "killpg", "setsid", "getpgid", "pidfd_open",
)  # fmt: skip


def strerror(code: int, /) -> str:
    """The text of an errno; Windows' C library has none for Winsock's."""
    text = os.strerror(code)
    return "Unknown error" if text.startswith("Unknown error") else text


strerror.__module__ = "nt"


def os_view() -> ModuleType:
    """`os` for networking code.  Paths stay as they are: this machine's."""
    return overlay(
        os,
        {
            "name": "nt",
            "get_handle_inheritable": os.get_inheritable,
            "set_handle_inheritable": os.set_inheritable,
            "strerror": strerror,
            "O_BINARY": 0,
            "O_TEXT": 0,
            "O_NOINHERIT": os.O_CLOEXEC,
            **_processes.OS_NAMES,
        },
        {*_NO_OS, *_versions.later(_versions.OS_NAMES)},
    )


# -- signal


def signal_view() -> ModuleType:
    """`signal`, which has all of this machine's signals and Windows' names besides."""
    return overlay(signal, _signal_changes())


def _signal_changes() -> dict[str, Any]:
    events = {"CTRL_C_EVENT": 0, "CTRL_BREAK_EVENT": 1, "SIGBREAK": _processes.SIGBREAK}
    return {"set_wakeup_fd": set_wakeup_fd, **{name: _signal_named(name, value) for name, value in events.items()}}


def _signal_named(name: str, value: int) -> signal.Signals:
    """A signal that only Windows has: of the class of the others, though not in its list."""
    member = int.__new__(signal.Signals, value)
    member._name_, member._value_ = name, value
    return member


def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """set_wakeup_fd(fd, *, warn_on_full_buffer=True): Windows takes sockets that block, too."""
    try:
        blocks = os.get_blocking(fd)
    except (OSError, TypeError, OverflowError):
        blocks = False  # the real one will tell
    if blocks:
        os.set_blocking(fd, False)
    try:
        return signal.set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)
    finally:
        if blocks:
            os.set_blocking(fd, True)


set_wakeup_fd.__module__ = "signal"


# What Windows has of what `signal` offers here.
_SIGNALS = frozenset({"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"})
_NO_SIGNAL = frozenset(
    {
        "ITIMER_PROF", "ITIMER_REAL", "ITIMER_VIRTUAL", "ItimerError", "alarm", "getitimer", "pause",
        "pidfd_send_signal", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt", "sigpending",
        "sigtimedwait", "sigwait", "sigwaitinfo", "struct_siginfo",
    }
)  # fmt: skip


def strict_signal_view() -> ModuleType:
    """`signal` for the standard library, which chooses by what is there: Windows' signals alone."""
    absent = {name for name in dir(signal) if name.startswith("SIG") and name not in _SIGNALS} | _NO_SIGNAL
    return overlay(signal, _signal_changes(), absent)


# -- platform


def platform_view() -> ModuleType:
    """`platform`."""
    release, version = str(BUILD[0]), ".".join(map(str, BUILD))
    uname = platform.uname_result("Windows", platform.node(), release, version, MACHINE)
    constants: dict[str, Callable[..., Any]] = {
        "system": lambda: "Windows",
        "release": lambda: release,
        "version": lambda: version,
        "machine": lambda: MACHINE,
        "uname": lambda: uname,
        "platform": lambda aliased=False, terse=False: f"Windows-{release}" + ("" if terse else f"-{version}-SP0"),
        "win32_ver": lambda *defaults: (release, version, "SP0", "Multiprocessor Free"),
        "win32_edition": lambda: "Professional",
        "win32_is_iot": lambda: False,
        "libc_ver": lambda *defaults, **more: ("", ""),
    }
    return overlay(platform, constants)


def sysconfig_view() -> ModuleType:
    """`sysconfig`."""
    return overlay(sysconfig, {"get_platform": lambda: "win-amd64"})
