"""This machine's kernel as the network."""

from __future__ import annotations

import os

from winsock.ports import _associate as _reservations
from winsock.transports._contract import TransportSocket
from winsock.transports.host import _interfaces, _wait
from winsock.transports.host._socket import HostSocket as HostSocket
from winsock.transports.host._watcher import HostWatcher


class HostTransport:
    """See transports.Transport."""

    wait = staticmethod(_wait.wait)
    prepare = staticmethod(_wait.prepare)
    now = staticmethod(_wait.now)
    looker = staticmethod(_wait.looker)
    interfaces = staticmethod(_interfaces.interfaces)
    route_to = staticmethod(_interfaces.route_to)
    changes = staticmethod(_interfaces.changes)
    ports = _reservations
    watcher = HostWatcher

    def socket(self, family: int, type: int, protocol: int) -> TransportSocket:
        return HostSocket(family, type, protocol)

    def adopt(self, family: int, type: int, protocol: int, fd: int) -> HostSocket:
        """The socket behind a descriptor that came from elsewhere; it owns the descriptor, which stays as it is."""
        new = HostSocket(family, type, protocol, fd)
        new.own_blocking = os.get_blocking(fd)
        return new


HOST = HostTransport()
