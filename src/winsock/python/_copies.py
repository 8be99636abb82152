"""Windows' event loops for a program that itself sees this machine.

The modules of asyncio that have to do with sockets, and `socket` and `selectors`, are executed once more under a view
of their own, beside the program's; futures, tasks, streams, transports, protocols and ssl are shared with it.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import ModuleType, SimpleNamespace
from typing import Any

from winsock.python import _oserror
from winsock.python._overlay import strict_signal_view
from winsock.python._replaced import replaced
from winsock.python._view import ABSENT
from winsock.python._winapi import process_handle

COPIED = frozenset(
    {
        "asyncio.base_events", "asyncio.base_subprocess", "asyncio.proactor_events", "asyncio.selector_events",
        "asyncio.trsock", "asyncio.windows_events", "asyncio.windows_utils", "selectors", "socket",
    }
)  # fmt: skip
NAMES = {"socket": "winsock.asyncio.socket"}  # enum looks a module's constants up by its name


class Copies:
    """One set of copies."""

    def __init__(self) -> None:
        _oserror.install()
        self._replaced = {**replaced()[0], "signal": strict_signal_view()}
        self._replaced.pop("_ssl", None)  # the program's own contexts are used
        self._copies: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import, "WindowsError": OSError}

    def get(self, name: str) -> ModuleType:
        """The copy of a module."""
        known = self._copies.get(name)
        if known is not None:
            return known
        spec = importlib.util.find_spec(name)
        assert spec is not None
        loader: Any = spec.loader
        module = ModuleType(NAMES.get(name, name))
        vars(module).update(__builtins__=self._builtins, __file__=spec.origin, __package__=spec.parent)
        self._copies[name] = module
        if name in NAMES:
            sys.modules[NAMES[name]] = module
        exec(loader.get_code(name), vars(module))
        if name == "asyncio.windows_utils":
            vars(module)["Popen"]._handle = property(process_handle)
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        full = name
        if level and globals is not None:
            full = importlib.util.resolve_name("." * level + name, globals["__package__"])
        if full in self._replaced:
            return self._replaced[full]
        if full in COPIED:
            return self.get(full)
        if full in ABSENT:
            raise ModuleNotFoundError(f"No module named {full!r}", name=full)
        if full == "asyncio" and fromlist:
            return SimpleNamespace(**{part: self._part(part) for part in fromlist})
        return builtins.__import__(name, globals, locals, fromlist or (), level)

    def _part(self, name: str) -> Any:
        """What `from asyncio import name` gives."""
        full = f"asyncio.{name}"
        return self.get(full) if full in COPIED else importlib.import_module(full)


@lru_cache(1)
def copies() -> Copies:
    """This interpreter's, made when they are first needed."""
    return Copies()
