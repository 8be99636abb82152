"""Watching many sockets at the cost of those that something happens to: epoll, edge-triggered."""

from __future__ import annotations

import os
import select
from typing import Any

from winsock.codes import WSA, WinsockError
from winsock.transports._contract import TransportSocket

EVERYTHING = select.EPOLLIN | select.EPOLLOUT | select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLET
AT_ONCE = 64  # events of one look: what a loop does with them is then still at hand in the processor's caches
_write = os.eventfd_write
_new_epoll = select.epoll  # a program may replace it in its module (gevent, eventlet)


class HostWatcher:
    """See transports.Watcher."""

    __slots__ = ("_epoll", "_kick", "_poll", "tokens")

    def __init__(self) -> None:
        self._kick = -1
        self.tokens: dict[int, Any] = {}
        try:
            self._epoll = _new_epoll()
            self._poll = self._epoll.poll
            self._kick = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            # Edge-triggered, so that nobody has to read it: each write wakes.
            self._epoll.register(self._kick, select.EPOLLIN | select.EPOLLET)
        except OSError:
            raise WinsockError(WSA.WSAENOBUFS) from None

    def fileno(self) -> int:
        return self._epoll.fileno()

    def add(self, sock: TransportSocket, token: Any) -> None:
        fd = sock.fileno()
        self.tokens[fd] = token
        try:
            self._epoll.register(fd, EVERYTHING)
        except FileExistsError:
            self._epoll.modify(fd, EVERYTHING)
        except (OSError, ValueError):
            self.tokens.pop(fd, None)
            raise WinsockError(WSA.WSAENOBUFS if fd >= 0 else WSA.WSAENOTSOCK) from None

    def again(self, sock: TransportSocket) -> None:
        try:
            self._epoll.modify(sock.fileno(), EVERYTHING)
        except (OSError, ValueError):
            pass  # closed meanwhile: whoever closed it has told

    def remove(self, sock: TransportSocket) -> None:
        fd = sock.fileno()
        self.tokens.pop(fd, None)
        try:
            self._epoll.unregister(fd)
        except (OSError, ValueError):
            pass

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        # epoll counts in whole milliseconds; CPython rounds up
        return self._poll(-1 if timeout is None else timeout / 1e3, AT_ONCE)

    def kick(self) -> None:
        try:
            _write(self._kick, 1)
        except OSError:
            pass  # closed: nobody polls any more

    def close(self) -> None:
        self._epoll.close()
        kick, self._kick = self._kick, -1
        if kick >= 0:
            os.close(kick)

    def __del__(self) -> None:
        if self._kick >= 0:
            self.close()
