"""This machine's kernel as the network."""

from __future__ import annotations

import time

from winsock.ports import _associate as _reservations
from winsock.transports.host import _interfaces, _wait
from winsock.transports.host._socket import HostSocket as HostSocket
from winsock.transports.host._watcher import HostWatcher


class HostTransport:
    """See transports.Transport."""

    socket_class = HostSocket

    wait = staticmethod(_wait.wait)
    prepare = staticmethod(_wait.prepare)
    now = staticmethod(_wait.now)
    clock = staticmethod(time.monotonic)
    looker = staticmethod(_wait.looker)
    interfaces = staticmethod(_interfaces.interfaces)
    route_to = staticmethod(_interfaces.route_to)
    changes = staticmethod(_interfaces.changes)
    ports = _reservations
    watcher = HostWatcher


HOST = HostTransport()
