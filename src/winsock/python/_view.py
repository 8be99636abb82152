"""The Windows view: which modules see Windows, and how they are made to.

The unit is the module.  A module that is to see Windows gets its own dictionary of builtins, whose __import__
answers `import sys`, `from os import name`, `import _socket` ... with the modules of this package; no source is
rewritten and no other module notices.  Who sees what:

* the program, and third-party modules that import networking modules themselves: everything;
* networking modules of the standard library: likewise; they are executed anew so that Lib/socket.py, selectors,
  ssl, asyncio ... grow their Windows halves by themselves;
* urllib: the sockets, but this machine's os.name, because it makes paths of it;
* subprocess, multiprocessing and the like: nothing, and their `socket` and `selectors` are this machine's;
* everything else: untouched.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import opcode
import os
import sys
import sysconfig
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from winsock.python._children import sockets_for_children, start_under
from winsock.python._overlay import overlay
from winsock.python._processes import extend
from winsock.python._versions import IMPORT_NAME_SHIFT, SELECTOR_BY_DEFAULT

# Standard library modules that see Windows; a name covers its submodules.
WINDOWS = frozenset(
    {
        "asynchat", "asyncio", "asyncore", "ftplib", "http", "imaplib", "nntplib", "poplib", "selectors", "smtpd",
        "smtplib", "socket", "socketserver", "ssl", "telnetlib", "wsgiref", "xmlrpc", "logging.handlers",
        # CPython's own tests
        "test.support.socket_helper", "test.support.asyncore", "test.support.asynchat", "test.support.smtpd",
        "test.ssl_servers", "test.mock_socket",
    }
)  # fmt: skip
# These execute programs, which inherit their builtins.
CARRIERS = frozenset(
    {"bdb", "cProfile", "code", "doctest", "pdb", "profile", "runpy", "timeit", "trace"}
)
SOCKETS_ONLY = frozenset({"cgi", "gevent.monkey", "urllib"})
HOST = frozenset(
    {
        "multiprocessing", "pty", "subprocess", "winsock",
        "ifaddr", "paramiko.agent", "psutil", "scapy",  # they ask this machine for what lies below sockets, or beside
    }
)  # fmt: skip
# What of trio makes paths of os.name, or works with files.
TRIO_FILES = frozenset({"trio._file_io", "trio._path"})
# Third-party code that stands on this machine's own system calls, or decides far more than sockets by the platform.
OUTSIDE = frozenset(
    {
        "_pytest", "asyncssh.sftp", "cffi", "click", "colorama", "execnet", "numpy", "pip", "pkg_resources", "pluggy",
        "pytest", "rich", "setuptools", "uvloop", "xdist", "zmq",
    }
)  # fmt: skip
# Third-party modules in which a networking library asks once for the platform, or for nothing but error codes.
DECIDING = frozenset({"twisted.internet.iocpreactor", "twisted.python.runtime"})
# Importing one of these makes a third-party module networking code.
NETWORKING = frozenset(
    {
        "_socket", "asynchat", "asyncio", "asyncore", "ftplib", "http.client", "http.server", "imaplib", "nntplib",
        "poplib", "select", "selectors", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib.request",
        "wsgiref.simple_server", "xmlrpc.client", "xmlrpc.server",
    }
)  # fmt: skip
# Modules of Unix that networking code of the standard library must not find.
ABSENT = frozenset({"fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios"})
# What others look for and prefer where it is, and which is not for Windows.
NOT_FOR_WINDOWS = frozenset({"uvloop"})

# Of the replaced modules, those that have submodules of their own.
PACKAGES = frozenset({"importlib"})

_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]
_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]


def _under(name: str, names: frozenset[str]) -> bool:
    """Whether the name or a package it lies in is among the names."""
    while name:
        if name in names:
            return True
        name = name.rpartition(".")[0]
    return False


def imports(code: CodeType) -> Iterator[str]:
    """Names of absolute modules that a code object, or one inside it, imports."""
    raw, argument = code.co_code, 0
    for at in range(0, len(raw), 2):
        op, argument = raw[at], argument << 8 | raw[at + 1]
        if op == _EXTENDED_ARG:
            continue
        if op == _IMPORT_NAME:
            yield code.co_names[argument >> IMPORT_NAME_SHIFT]
        argument = 0
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from imports(constant)


def is_networking(code: CodeType) -> bool:
    """Whether the module with this code imports networking modules."""
    return any(name in NETWORKING or name.partition(".")[0] in NETWORKING for name in imports(code))


class View:
    """One view of one interpreter: the replaced modules, the dictionaries of builtins, the finder.

    windows     {name: module} in place of the real ones, for networking code
    sockets     the part of it that SOCKETS_ONLY modules see
    strict      what the standard library's modules see otherwise than the program: without what Windows lacks
    loop        asyncio's default event loop, "proactor" or "selector"
    options     of `winsock run`, by which other processes see the same
    command     the __main__ of that command, which the program's has replaced
    """

    loop = "proactor"
    options: list[str]
    command: ModuleType | None = None

    def __init__(
        self, windows: dict[str, ModuleType], sockets: Mapping[str, ModuleType], strict: dict[str, ModuleType]
    ) -> None:
        self.original_import = builtins.__import__
        self.options = []
        self.windows = windows
        self._strict = strict
        self.host: dict[str, ModuleType] = {}
        self.builtins: dict[str, dict[str, Any]] = {
            "windows": self._make_builtins(ChainMap(strict, windows), ABSENT),
            "program": self._make_builtins(windows, NOT_FOR_WINDOWS),
            "sockets": self._make_builtins(sockets, frozenset()),
            "host": self._make_builtins(self.host, frozenset()),
        }
        paths = sysconfig.get_paths()
        self._stdlib = (paths["stdlib"] + os.sep, paths["platstdlib"] + os.sep)
        self._site = tuple({paths["purelib"] + os.sep, paths["platlib"] + os.sep})

    # -- builtins

    def _make_builtins(self, replaced: Mapping[str, ModuleType], absent: frozenset[str]) -> dict[str, Any]:
        original = self.original_import

        def __import__(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            do = builtins.__import__  # a test may have put its own there
            try:
                if level == 0 and do is original:
                    module = replaced.get(name)
                    if module is not None:
                        if fromlist and name in PACKAGES:
                            original(name, globals, locals, fromlist, level)  # its submodules
                        return module
                    if name in absent:
                        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
                    top = name.partition(".")[0]
                    if top in replaced and not fromlist:
                        original(name, globals, locals, fromlist, level)
                        return replaced[top]
                return do(name, globals, locals, fromlist, level)
            except BaseException as e:
                # A bare raise adds no frame: what is left is the traceback of a plain import.
                e.__traceback__ = e.__traceback__ and e.__traceback__.tb_next
                raise

        namespace = dict(vars(builtins))
        namespace["__import__"] = __import__
        namespace["WindowsError"] = OSError
        return namespace

    def _join_builtins(self) -> None:
        """What is written into the module `builtins` reaches the views' dictionaries too."""
        dictionaries = list(self.builtins.values())

        class Builtins(ModuleType):
            def __setattr__(self, name: str, value: Any) -> None:
                super().__setattr__(name, value)
                if name != "__import__":
                    for d in dictionaries:
                        d[name] = value

            def __delattr__(self, name: str) -> None:
                super().__delattr__(name)
                for d in dictionaries:
                    d.pop(name, None)

        Builtins.__name__ = Builtins.__qualname__ = "module"
        builtins.__class__ = Builtins

    def add_importlib(self) -> None:
        """importlib.import_module answers a program like its import statement."""
        do, windows = importlib.import_module, self.windows

        def import_module(name: str, package: str | None = None) -> ModuleType:
            """Import a module."""
            return windows[name] if name in windows else do(name, package)

        windows["importlib"] = overlay(importlib, {"import_module": import_module})

        find = importlib.util.spec_from_file_location

        def spec_from_file_location(name: str, *args: Any, **named: Any) -> ModuleSpec | None:
            """Return a module spec based on a file location."""
            return self._dressed(name, find(name, *args, **named))

        # Who loads a file by this, whoever it is, loads a part of the program.
        importlib.util.spec_from_file_location = spec_from_file_location

    # -- who sees what

    def profile(self, name: str, origin: str | None) -> str | None:
        """windows, program, sockets, host, None (untouched) or "ask" (depends on what the module imports)."""
        if _under(name, HOST):
            return "host"
        top = name.partition(".")[0]
        if top == "trio" and origin is not None and self._is_trio(name, origin):
            return None if name in TRIO_FILES else "trio"
        if top in sys.stdlib_module_names or top == "test":
            if origin is not None and not self._in_stdlib(origin):
                return "program"  # a module of the program that has such a name
            if _under(name, WINDOWS) or name.startswith("test.test_"):
                return "windows"
            if _under(name, CARRIERS):
                return "program"
            return "sockets" if _under(name, SOCKETS_ONLY) else None
        if top in OUTSIDE or name in OUTSIDE:
            return None
        if _under(name, SOCKETS_ONLY):
            return "sockets"
        if origin is None:
            return None
        if _under(name, DECIDING):
            return "program"
        return "ask" if self._in_site(origin) else "program"

    def _is_trio(self, name: str, origin: str) -> bool:
        """Whether it is trio's, which sees Windows where there is cffi, by which it calls it; else this machine."""
        core = os.path.join(os.path.dirname(origin), "_core")
        if name == "trio" and "trio" not in self.builtins and os.path.isdir(core):
            from winsock.python._cffi import modules

            try:
                own = modules(os.path.exists(os.path.join(core, "_generated_windows_ffi.py")))
            except ImportError:
                self.builtins["trio"] = self.builtins["host"]
            else:
                self.builtins["trio"] = self._make_builtins(ChainMap(own, self._strict, self.windows), ABSENT)
        return "trio" in self.builtins

    def _in_stdlib(self, origin: str) -> bool:
        return origin.startswith(self._stdlib) and not self._in_site(origin)

    def _in_site(self, origin: str) -> bool:
        return origin.startswith(self._site) or "/site-packages/" in origin or "/dist-packages/" in origin

    # -- the finder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by the import system."""
        if name in sys.builtin_module_names:
            return None
        top = name.partition(".")[0]
        standard = top in sys.stdlib_module_names
        if standard and top != "test" and not self._listed(name):
            return None
        spec = None
        for finder in sys.meta_path:
            if finder is not self and not (standard and finder is importlib.machinery.FrozenImporter):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    break
        return self._dressed(name, spec)

    def _dressed(self, name: str, spec: ModuleSpec | None) -> ModuleSpec | None:
        """The spec, with a loader that gives the module its view if it is to have one."""
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return spec
        profile = self.profile(name, spec.origin)
        hook = AFTER_IMPORT.get(name)
        if profile is None and hook is None:
            return spec
        loader = (ViewLoader if hook is None else HookedLoader)(name, spec.loader.path)
        if hook is not None:
            loader.after = lambda module: hook(self, module)
        if profile is None:
            loader.namespace = vars(builtins)
        elif profile == "ask":
            loader.namespace_if_networking = self.builtins["program"]
        else:
            loader.namespace = self.builtins[profile]
        spec.loader = loader
        return spec

    def _listed(self, name: str) -> bool:
        return any(_under(name, names) for names in (WINDOWS, CARRIERS, SOCKETS_ONLY, HOST))

    # -- on

    def install(self) -> None:
        """Forget what was imported under this machine's own view, and look at all imports from now on."""
        for name in ("socket", "selectors"):
            self.host[name] = importlib.import_module(name)
        for name in list(sys.modules):
            if self._listed(name) and not _under(name, HOST):
                del sys.modules[name]
                parent, _, child = name.rpartition(".")
                if parent in sys.modules:
                    vars(sys.modules[parent]).pop(child, None)
        self._join_builtins()
        sys.meta_path.insert(0, self)
        for name, hook in AFTER_IMPORT.items():
            if name in sys.modules:
                hook(self, sys.modules[name])


class ViewLoader(SourceFileLoader):
    """Loads a module whose builtins are a view's.

    They are put into the new module before its code runs, so that loading goes through importlib's own functions
    and leaves no frame of ours in a traceback.
    """

    namespace: dict[str, Any] | None = None
    namespace_if_networking: dict[str, Any] | None = None
    after: Callable[[ModuleType], None] | None = None
    _code: CodeType | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        namespace = self.namespace
        if namespace is None:
            try:
                self._code = super().get_code(spec.name)
            except Exception:
                return None  # loading will tell
            if self._code is None or not is_networking(self._code):
                return None
            namespace = self.namespace_if_networking
        module = ModuleType(spec.name)
        vars(module)["__builtins__"] = namespace
        return module

    def get_code(self, fullname: str) -> CodeType | None:
        code, self._code = self._code, None
        return code if code is not None else super().get_code(fullname)


class HookedLoader(ViewLoader):
    """A ViewLoader that does something when the module is there."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if self.after is not None:
            self.after(module)


def _pytest_rewriting(view: View, module: ModuleType) -> None:
    """pytest loads test modules itself; they are part of the program, or of who else has his own view."""

    def create_module(self: Any, spec: ModuleSpec) -> ModuleType:
        profile = view.profile(spec.name, spec.origin)
        new = ModuleType(spec.name)
        vars(new)["__builtins__"] = view.builtins[profile if profile in ("host", "trio") else "program"]
        return new

    module.AssertionRewritingHook.create_module = create_module
    package = sys.modules["winsock"]
    package.__doc__ = f"{package.__doc__}\n\nPYTEST_DONT_REWRITE"  # else it is warned of: it is there already


def _ipython(view: View, module: ModuleType) -> None:
    """What is typed into IPython is the program."""
    shell = module.InteractiveShell
    prepare, add = shell.prepare_user_module, shell.init_builtins

    def prepare_user_module(self: Any, *args: Any, **named: Any) -> Any:
        main, names = prepare(self, *args, **named)
        names["__builtins__"] = view.builtins["program"]
        return main, names

    def init_builtins(self: Any) -> None:
        before = set(vars(builtins))
        add(self)
        for name in vars(builtins).keys() - before:
            view.builtins["program"][name] = vars(builtins)[name]

    shell.prepare_user_module, shell.init_builtins = prepare_user_module, init_builtins


def _coverage(view: View, module: ModuleType) -> None:
    """What coverage runs is the program."""

    class Main(ModuleType):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, view.builtins["program"] if name == "__builtins__" else value)

    Main.__name__ = Main.__qualname__ = "module"
    vars(module)["ModuleType"] = Main


def _process_handles(view: View, module: ModuleType) -> None:
    """A process is something to wait for: Popen has a handle, as on Windows."""
    from winsock.python._winapi import process_handle

    module.Popen._handle = property(process_handle)


def _sockets_for_children(view: View, module: ModuleType) -> None:
    """Sockets can be handed to processes that multiprocessing starts."""
    sockets_for_children(module, view.host["socket"])


def _children_see_windows(view: View, module: ModuleType) -> None:
    """So do the processes that multiprocessing starts."""
    start_under(module, view.options)


def _processes_see_windows(view: View, module: ModuleType) -> None:
    """So do those of this interpreter that the program starts otherwise."""
    extend(module)


def _trio_errors(view: View, module: ModuleType) -> None:
    """trio makes its OSErrors of Windows' codes."""
    from winsock.python._cffi import os_error

    vars(module)["OSError"] = os_error


def _twisted_support(view: View, module: ModuleType) -> None:
    """Twisted is there: what it asks Windows for is, too."""
    from winsock.python._twisted import make_modules

    view.windows.update(make_modules())


def _default_loop(view: View, module: ModuleType) -> None:
    """The default event loop is another one than Windows'."""
    if view.loop == "selector":
        for name, value in SELECTOR_BY_DEFAULT.items():
            if hasattr(module, name) and hasattr(module, value):
                setattr(module, name, getattr(module, value))


AFTER_IMPORT: dict[str, Callable[[View, ModuleType], None]] = {
    "IPython.core.interactiveshell": _ipython,
    "_pytest.assertion.rewrite": _pytest_rewriting,
    "coverage.execfile": _coverage,
    "asyncio.windows_events": _default_loop,
    "asyncio.windows_utils": _process_handles,
    "multiprocessing.reduction": _sockets_for_children,
    "multiprocessing.util": _children_see_windows,
    "subprocess": _processes_see_windows,
    "trio._core._windows_cffi": _trio_errors,
    "twisted.python.runtime": _twisted_support,
}
