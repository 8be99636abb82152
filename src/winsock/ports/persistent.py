"""Persistent reservations: blocks of ports that outlive programs and restarts.

They keep automatic assignment (bind to port 0, connect) and other reservations away from the block; a program that
binds one of its ports by number still can, as on Windows.  Only administrators make, delete and use them: root, who
has CAP_NET_ADMIN, and whom the machine's administrator lets write the store's directory.

The store is /var/lib/winsock/port-reservations.db, or lies in the directory that WINSOCK_PORTS_STORE names.  The
kernel's list of ports to stay away from, net.ipv4.ip_local_reserved_ports, follows it (WINSOCK_PORTS_SYSCTL names
another file, or none).  It forgets with each restart: apply() fills it again, and so does the first administrator's
call that asks for a block.
"""

from __future__ import annotations

import builtins
import operator

from winsock.ports import _places, _rights, _store
from winsock.ports._errors import python_shaped
from winsock.ports._listing import Reserved


@python_shaped
def create(start: int, count: int, protocol: str = "tcp") -> int:
    """Reserve a block: its token, which changes with each restart.

    PortError, by its code: ERROR_ACCESS_DENIED (5), ERROR_SHARING_VIOLATION (32: a port of it is in use, or reserved
    persistently), ERROR_INVALID_PARAMETER (87: no such block).  StoreError when the store cannot be used.
    """
    return _store.create(protocol, operator.index(start), operator.index(count))


@python_shaped
def delete(start: int, count: int, protocol: str = "tcp") -> None:
    """Free exactly this block.

    PortError: ERROR_ACCESS_DENIED (5), ERROR_INVALID_PARAMETER (87), ERROR_NOT_FOUND (1168).  StoreError.
    """
    _store.delete(protocol, operator.index(start), operator.index(count))


@python_shaped
def lookup(start: int, count: int, protocol: str = "tcp") -> int:
    """The token of exactly this block, until the machine restarts; anybody may ask.

    PortError: ERROR_INVALID_PARAMETER (87), ERROR_NOT_FOUND (1168).  StoreError.
    """
    return _store.lookup(protocol, operator.index(start), operator.index(count))


@python_shaped
def list(protocol: str | None = None) -> builtins.list[Reserved]:
    """Every persistent block, of one protocol or both, by port.  StoreError."""
    return [
        Reserved(row.protocol, row.start, row.count, True, token=row.token)
        for row in _store.rows()
        if protocol in (None, row.protocol)
    ]


@python_shaped
def apply() -> bool:
    """Bring the kernel's list of reserved ports into agreement with the store; False if it may not be written.

    For system start, and after other programs replaced the list.  PortError: ERROR_ACCESS_DENIED (5).  StoreError.
    """
    return _store.apply()


def administrator() -> bool:
    """Whether this process may make, delete and use persistent reservations."""
    return _rights.administrator(_places.directory())


def store_path() -> str:
    """The file that keeps them."""
    return _places.path()
