"""This machine's kernel as the network."""

from __future__ import annotations

from winsock.transports._contract import TransportSocket
from winsock.transports.host import _wait
from winsock.transports.host._socket import HostSocket as HostSocket


class HostTransport:
    """See transports.Transport."""

    wait = staticmethod(_wait.wait)
    prepare = staticmethod(_wait.prepare)
    now = staticmethod(_wait.now)

    def socket(self, family: int, type: int, protocol: int) -> TransportSocket:
        return HostSocket(family, type, protocol)


HOST = HostTransport()
