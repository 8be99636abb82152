"""Sockets that a block did not make, and that may be another program's, bound and listening inside it."""

from __future__ import annotations

import socket as linux
from typing import TYPE_CHECKING

from winsock.ports._errors import python_shaped
from winsock.ports._placeholder import SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET, STREAM
from winsock.ports._runtime import POOL

if TYPE_CHECKING:
    from winsock.ports._block import Block

Address = tuple[str, int] | tuple[str, int, int, int]


@python_shaped
def bind(block: Block, sock: linux.socket, address: Address) -> None:
    """Bind any unbound socket to a port of the block.

    The socket keeps its options as they are, and the block no reference to it: whoever owns it decides when it
    closes.  OSError as the kernel says; PortError for a port that the block no longer holds.
    """
    shares = bool(sock.getsockopt(SOL_SOCKET, SO_REUSEPORT))
    block._reservation.bind(sock, address[1], lambda _: address, lambda _: sock.bind(address), shares)


@python_shaped
def listen(sock: linux.socket, backlog: int) -> None:
    """Let such a socket listen; it keeps its options.  OSError as the kernel says."""
    shares = bool(sock.getsockopt(SOL_SOCKET, SO_REUSEPORT))
    reuses = sock.getsockopt(SOL_SOCKET, SO_REUSEADDR)
    with POOL.lock:
        try:
            with POOL.beside(STREAM, sock.getsockname()[1], sock, None, shares):
                sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # as what is beside it has, where there is no other way
                sock.listen(backlog)
        finally:
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, reuses)
