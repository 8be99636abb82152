"""Socket options and control data between Windows' and Linux' numbers and formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from winsock.codes import WSA, WinsockError

if TYPE_CHECKING:
    from winsock.transports.host._socket import HostSocket


def set_option(sock: HostSocket, level: int, name: int, value: int | bytes) -> None:
    """Set an option that Linux has."""
    raise WinsockError(WSA.WSAENOPROTOOPT)


def get_option(sock: HostSocket, level: int, name: int, size: int) -> int | bytes:
    """Ask for an option that Linux has."""
    raise WinsockError(WSA.WSAENOPROTOOPT)


def control_from_host(ancillary: Sequence[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Control data as Windows gives it."""
    return []


def control_to_host(control: Sequence[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Control data as Linux takes it."""
    return []
