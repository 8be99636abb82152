"""Processes that multiprocessing starts afresh: they see what the process sees that starts them.

One that it forks does so by itself.  A new interpreter is told on its command line: where multiprocessing runs code
of its own with -c, `winsock run` runs that code.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

STARTS = ("multiprocessing.spawn", "multiprocessing.forkserver")  # not its resource tracker, which runs no program


def start_under(module: ModuleType, options: Sequence[str]) -> None:
    """Let the module `multiprocessing.util` start processes under `winsock run` with these options."""
    do = module.spawnv_passfds

    def spawnv_passfds(path: Any, args: Sequence[Any], passfds: Any) -> int:
        pid: int = do(path, under_winsock(args, options), passfds)
        return pid

    module.spawnv_passfds = spawnv_passfds  # type: ignore[attr-defined]


def under_winsock(args: Sequence[Any], options: Sequence[str]) -> list[Any]:
    """The command line, with winsock in it if it starts a program's process."""
    found = list(args)
    for at, arg in enumerate(found[:-1]):
        if arg == "-c":
            if any(name in found[at + 1] for name in STARTS):
                found[at:at] = ["-m", "winsock", "run", "--quiet", *options]
            break
    return found


def sockets_for_children(module: ModuleType, host: ModuleType) -> None:
    """Sockets can be handed to processes: what multiprocessing pickles of one, by the module `reduction`.

    host    this machine's `socket`
    """

    def reduce(s: Any) -> tuple[Any, ...]:
        probe = host.socket(fileno=s.fileno())
        try:
            return rebuilt, (module.DupFd(probe.fileno()),)
        finally:
            probe.detach()

    module.register(importlib.import_module("socket").socket, reduce)


def rebuilt(duplicate: Any) -> Any:
    """The socket of a descriptor that came from another process."""
    return importlib.import_module("socket").socket(fileno=duplicate.detach())
