"""What nt knows of the rooms above it."""

from __future__ import annotations

from typing import Protocol


class SocketObject(Protocol):
    """What the handle table holds for a socket (afd.Endpoint)."""

    handle: int
    closed: bool
