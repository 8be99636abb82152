"""Windows' asyncio event loops, for programs and tests that run on Linux.

    import asyncio
    import winsock.asyncio

    asyncio.run(main(), loop_factory=winsock.asyncio.ProactorEventLoop)        # Python 3.12 and newer
    with asyncio.Runner(loop_factory=winsock.asyncio.ProactorEventLoop) as r:  # 3.11
        r.run(main())

The loops are CPython's own windows_events.py over sockets that behave as Windows' do.  The rest of the program sees
this machine, and keeps its tasks, futures, streams and ssl contexts.  Numbers that a loop is given are Windows', and
so are those in its errors: address families, options and flags come from `winsock.asyncio.socket`, and so do sockets
for loop.sock_recv() and the like.  (Under `winsock run` all this is what plain asyncio does.)

To use it is to give OSError of this interpreter its attribute `winerror`.
"""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

__all__ = ["ProactorEventLoop", "SelectorEventLoop", "socket"]  # noqa: F822


def ProactorEventLoop() -> asyncio.AbstractEventLoop:
    """A new proactor event loop, Windows' default: I/O completion ports, subprocesses, pipes; no add_reader()."""
    return _new("ProactorEventLoop")


def SelectorEventLoop() -> asyncio.AbstractEventLoop:
    """A new selector event loop as on Windows: select() with its limit of 512 sockets; no subprocesses."""
    return _new("SelectorEventLoop")


def _new(name: str) -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = getattr(_module("asyncio.windows_events"), name)()
    return loop


def _module(name: str) -> ModuleType:
    import sys

    if vars(sys.modules["socket"]).get("errorTab"):  # `winsock run`: the program's own are Windows'
        import importlib

        return importlib.import_module(name)
    from winsock.python._copies import copies

    return copies().get(name)


def __getattr__(name: str) -> Any:
    """`socket`: the module whose sockets, numbers and errors the loops understand."""
    if name == "socket":
        return _module("socket")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
