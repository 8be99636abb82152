"""Who may bind where: Windows' rules for shared and exclusive addresses on Linux' ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winsock.transports._contract import Address
from winsock.transports.host import _errors

if TYPE_CHECKING:
    from winsock.transports.host._socket import HostSocket


def bind(sock: HostSocket, address: Address, reuse: bool, exclusive: bool) -> None:
    """Bind, or raise the code Windows gives."""
    try:
        sock.bind(address)
    except OSError as e:
        raise _errors.translated(e) from None


def release(sock: HostSocket) -> None:
    """The socket closes."""
