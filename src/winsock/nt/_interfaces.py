"""What nt knows of the rooms above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from winsock.nt._process import Process


class SocketObject(Protocol):
    """What the handle table holds for a socket (afd.Endpoint)."""

    closed: bool
    process: Process

    @property
    def handle(self) -> int: ...
