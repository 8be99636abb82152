"""cffi as trio's Windows backend uses it: C's types as Windows has them, and Windows' libraries.

trio declares Windows' structures and functions to cffi and opens kernel32.dll, ntdll.dll and ws2_32.dll.  cffi itself
does as well here, but for three things: a `long` has 32 bits, those libraries are winsock's, and there is
getwinerror().

Memory that ffi.new() made is used as it is, and kept alive as long as it is needed.  Where other pointers lead to is
looked at with care each time, as by the C-shaped face: it may be gone by then.
"""

from __future__ import annotations

import importlib
import operator
import re
import subprocess
from collections.abc import Callable
from types import MappingProxyType, ModuleType
from typing import Any

from winsock.nt import current
from winsock.python import _oserror
from winsock.python._libraries import LIBRARIES, core_handle
from winsock.python._overlay import overlay
from winsock.python._winapi import process_handle

# In the tables that cffi makes of declarations: an operation, and what it is about in the three bytes before.
PRIMITIVE = 1
LONG, ULONG, INT, UINT = 9, 10, 7, 8
SHORTER = MappingProxyType({LONG: INT, ULONG: UINT})
C_LIBRARY = "api-ms-win-crt-"  # how the names of its parts begin; trio raised signals by it
WINERROR = 3  # its place among the arguments of OSError
SHORTER_NAMES = MappingProxyType({"long": "int", "unsigned long": "unsigned int"})


# What cffi knows by itself on Windows, of what trio's declarations take for known.
COMMON = MappingProxyType(
    {
        "LPCSTR": "const char *",
        "LPDWORD": "unsigned long *",
        "LPSECURITY_ATTRIBUTES": "void *",
        "UCHAR": "unsigned char",
    }
)


def with_common_types(declarations: str) -> str:
    """Declarations, behind those of COMMON's that they use and do not make themselves."""
    words = {name for name in COMMON if re.search(rf"\b{name}\b", declarations)}
    own = {name for name in words if re.search(rf"\btypedef\b[^;]*\b{name}\s*;", declarations)}
    return "".join(f"typedef {COMMON[name]} {name};" for name in sorted(words - own)) + declarations


def windows_types(table: bytes) -> bytes:
    """A table of types in which a `long` is as long as on Windows."""
    changed = bytearray(table)
    for at in range(0, len(table) - 3, 4):
        if table[at + 3] == PRIMITIVE:
            what = int.from_bytes(table[at : at + 3], "big")
            changed[at : at + 3] = SHORTER.get(what, what).to_bytes(3, "big")
    return bytes(changed)


class Library:
    """What ffi.dlopen() gives for a library of Windows': its functions."""

    def __init__(self, ffi: Any, name: str, owner: type) -> None:
        self._of: tuple[Any, str, type] = ffi, name, owner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        ffi, library, owner = self._of
        entry = LIBRARIES[library].get(name)
        if entry is None:
            raise AttributeError(f"function/symbol {name!r} not found in library {library!r}")
        function = self.__dict__[name] = bind(ffi, owner, name, *entry)
        return function

    def __repr__(self) -> str:
        return f"<Lib object for {self._of[1]!r}>"


def bind(ffi: Any, owner: type, name: str, kinds: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for arguments of cffi's: see _libraries.Entry.

    owner    the class of cdata that has memory of its own
    """
    cdata, cast, buffer = ffi.CData, ffi.cast, ffi.buffer

    def integer(value: Any) -> int:
        return int(value) if isinstance(value, cdata) else operator.index(value)

    def address(value: Any) -> int:
        if not isinstance(value, cdata) or ffi.typeof(value).kind not in ("pointer", "array"):
            raise TypeError(f"initializer for ctype 'void *' must be a cdata pointer, not {type(value).__name__}")
        return int(cast("uintptr_t", value))

    def pointer(value: Any) -> Any:
        if type(value) is owner:
            return memoryview(buffer(value))
        return address(value) if isinstance(value, cdata) else value

    make = {"H": address, "C": lambda value: core_handle(address(value)), "P": pointer, "I": integer}
    result, converters = kinds[0], tuple(make[kind] for kind in kinds[1:])
    count = len(converters)

    def call(*args: Any) -> Any:
        if len(args) != count:
            raise TypeError(f"{name!r} expects {count} arguments, got {len(args)}")
        value = function(*[convert(arg) for convert, arg in zip(converters, args)])
        return cast("void *", value) if result == "H" else value

    call.__name__ = call.__qualname__ = name
    return call


# -- what trio finds


def getwinerror(code: int = -1) -> tuple[int, str]:
    """The code and its text; of the thread's last error by default."""
    if code == -1:
        code = current().last_error
    return code, _oserror.text_of(code) or f"Windows Error 0x{code:X}"


def os_error(*args: Any) -> OSError:
    """OSError as on Windows, where the fourth argument decides."""
    if len(args) > WINERROR and isinstance(args[WINERROR], int):
        return _oserror.with_winerror(*args)
    return OSError(*args)


def windows_ffi(base: Any, prepare: Callable[[dict[str, Any]], None], owner: type) -> type:
    """An FFI class for Windows' libraries.

    base       the class as it is for this machine's
    prepare    changes the named arguments for its construction
    """

    class FFI(base):  # type: ignore[misc]
        __doc__ = base.__doc__

        def __init__(self, *args: Any, **more: Any) -> None:
            prepare(more)
            super().__init__(*args, **more)

        def dlopen(self, name: Any, flags: int = 0) -> Any:
            """dlopen(name, flags=0): a library of Windows', by its name; else one of this machine's."""
            if isinstance(name, str):
                known = name.lower()
                if known in LIBRARIES:
                    return Library(self, known, owner)
                if known.startswith(C_LIBRARY):
                    name = None
            return super().dlopen(name, flags)

        @staticmethod
        def getwinerror(code: int = -1) -> tuple[int, str]:
            """getwinerror(code=-1): the code and its text; of the last error by default."""
            return getwinerror(code)

    return FFI


class _Backend:
    """cffi's backend, with Windows' `long`."""

    def __init__(self, backend: ModuleType) -> None:
        self.__dict__.update(vars(backend))
        make = backend.new_primitive_type
        self.new_primitive_type = lambda name: make(SHORTER_NAMES.get(name, name))


class _Popen(subprocess.Popen):  # type: ignore[type-arg]
    """A process is something to wait for, as on Windows."""

    _handle = property(process_handle)


_Popen.__name__ = _Popen.__qualname__ = "Popen"


def modules(generated: bool) -> dict[str, ModuleType]:
    """What trio's own modules are to find in place of this machine's; ImportError without cffi.

    generated    whether this trio brings its declarations in the form that needs no parser
    """
    backend: Any = importlib.import_module("_cffi_backend")
    owner = type(backend.FFI().new("char[1]"))

    def shorten(more: dict[str, Any]) -> None:
        if "_types" in more:
            more["_types"] = windows_types(more["_types"])

    def replace(more: dict[str, Any]) -> None:
        more.setdefault("backend", _Backend(backend))

    found = {
        "_cffi_backend": overlay(backend, {"FFI": windows_ffi(backend.FFI, shorten, owner)}),
        "subprocess": overlay(subprocess, {"Popen": _Popen}),
    }
    if not generated:
        cffi: Any = importlib.import_module("cffi")

        class Declaring(cffi.FFI):  # type: ignore[misc]
            __doc__ = cffi.FFI.__doc__
            CData, CType = backend._get_types()

            def cdef(self, csource: str, *args: Any, **more: Any) -> None:
                super().cdef(with_common_types(csource), *args, **more)

        changed = {"FFI": windows_ffi(Declaring, replace, owner)}
        found["cffi.api"] = overlay(cffi.api, changed)
        found["cffi"] = overlay(cffi, {**changed, "api": found["cffi.api"]})
    return found
