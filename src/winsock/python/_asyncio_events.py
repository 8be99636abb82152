"""asyncio.windows_events for the time being: event loops on select() over the emulated sockets.

The true ProactorEventLoop needs completion ports, which this version doesn't have.  Programs that ask for one get a
selector loop under that name, which serves sockets, and neither pipes nor processes.
"""

from __future__ import annotations

from asyncio import events, selector_events
from typing import Any

__all__ = (
    "DefaultEventLoopPolicy",
    "IocpProactor",
    "ProactorEventLoop",
    "SelectorEventLoop",
    "WindowsProactorEventLoopPolicy",
    "WindowsSelectorEventLoopPolicy",
)

_MISSING = "winsock has no completion ports yet"


class _WindowsSelectorEventLoop(selector_events.BaseSelectorEventLoop):
    """Windows version of selector event loop."""


class ProactorEventLoop(_WindowsSelectorEventLoop):
    """Windows version of proactor event loop: a selector loop for now."""

    def __init__(self, proactor: Any = None) -> None:
        if proactor is not None:
            raise NotImplementedError(_MISSING)
        super().__init__()


class IocpProactor:
    """Proactor implementation using IOCP: refused for now."""

    def __init__(self, concurrency: int = 0xFFFFFFFF) -> None:
        raise NotImplementedError(_MISSING)


SelectorEventLoop = _WindowsSelectorEventLoop


class WindowsSelectorEventLoopPolicy(events.BaseDefaultEventLoopPolicy):
    """Policy whose loops are SelectorEventLoop."""

    _loop_factory = SelectorEventLoop


class WindowsProactorEventLoopPolicy(events.BaseDefaultEventLoopPolicy):
    """Policy whose loops are ProactorEventLoop."""

    _loop_factory = ProactorEventLoop


DefaultEventLoopPolicy = WindowsSelectorEventLoopPolicy
EventLoop = SelectorEventLoop  # 3.13
