"""What the control codes do to a transport's sockets: acquire, associate, release."""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from winsock.codes import WSA, WinsockError
from winsock.ports._errors import Refused
from winsock.ports._runtime import PERSISTENT_TOKEN, POOL, Reservation

if TYPE_CHECKING:
    from winsock.ports._store import Row


class PersistentBlock:
    """A persistent block that a socket is associated with; the kernel knows which of its ports are in use."""

    __slots__ = ("row",)

    def __init__(self, row: Row) -> None:
        self.row = row

    def bind(
        self,
        newcomer: _socket.socket,
        port: int,
        address_of: Callable[[int], Any],
        attempt: Callable[[int], None],
        keeps_sharing: bool = False,
    ) -> int:
        """Bind a socket inside the block; see Reservation.bind."""
        first, last = self.row.range
        if port:
            if not first <= port <= last:
                raise Refused(WSA.WSAEADDRNOTAVAIL, f"port {port} is not in the block {first}-{last}")
            attempt(port)
            return port
        for chosen in range(first, last + 1):
            try:
                attempt(chosen)
                return chosen
            except WinsockError as e:
                if e.code not in (WSA.WSAEADDRINUSE, WSA.WSAEACCES):
                    raise
        raise Refused(WSA.WSAENOBUFS, f"no port of the block {first}-{last} is left")


Target = Reservation | PersistentBlock


def acquire(sock: Any, kind: int, start: int, count: int, owner: int) -> tuple[int, int]:
    """Reserve a block that lives as long as the socket: its first port and its token; see Pool.acquire."""
    block = POOL.acquire(kind, start, count, owner)
    POOL.own(sock, block)
    if sock.fileno() < 0:  # another thread closed it meanwhile
        POOL.left(sock)
        raise WinsockError(WSA.WSAENOTSOCK)
    return block.start, block.token


def waits(token: int) -> bool:
    """Whether find() may have to wait: a persistent block is in a file, which others may keep locked."""
    return bool(token & PERSISTENT_TOKEN)


def find(kind: int, token: int, owner: int) -> Target:
    """The block of a token.

    WSAEINVAL for a token that is none of this process', WSAEOPNOTSUPP for one of another protocol, WSAEACCES for a
    persistent one without the right to it.
    """
    if waits(token):
        from winsock.ports import _store

        return PersistentBlock(_store.associated(token, kind))
    block = POOL.by(token, owner)
    if block is None:
        raise Refused(WSA.WSAEINVAL, "no reservation of this process has this token")
    if block.kind != kind:
        raise Refused(WSA.WSAEOPNOTSUPP, f"{block} is not of the socket's protocol")
    return block


def associate(sock: Any, target: Target) -> None:
    """Let the socket's bind take a port of this block; a second time replaces the first."""
    POOL.associate(sock, target)


def release(kind: int, token: int, owner: int) -> None:
    """End a runtime block of this process; WSAEINVAL for other tokens, WSAEOPNOTSUPP for another protocol's."""
    block = POOL.by(token, owner)
    if block is None:
        raise Refused(WSA.WSAEINVAL, "no runtime reservation of this process has this token")
    if block.kind != kind:
        raise Refused(WSA.WSAEOPNOTSUPP, f"{block} is not of the socket's protocol")
    POOL.release(block)
