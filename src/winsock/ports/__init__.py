"""Port reservations: blocks of TCP or UDP ports that nobody else can take.

    with winsock.ports.reserve(count=4) as block:
        listener = block.socket(listen=64)

reserve             a runtime block of this process, held until it is closed; no privilege needed
persistent          blocks that outlive programs and restarts; for administrators
reservations        all blocks that this machine knows of, and who holds them
explain_port        who has a port, and why a bind to it would fail

The same blocks as SIO_ACQUIRE_PORT_RESERVATION's and CreatePersistentTcpPortReservation's: a token from here serves
there.  Nothing here needs WSAStartup.  Parts load when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from winsock.ports import persistent as persistent
    from winsock.ports._block import Block as Block
    from winsock.ports._block import reserve as reserve
    from winsock.ports._errors import PortError as PortError
    from winsock.ports._errors import StoreError as StoreError
    from winsock.ports._explain import Finding as Finding
    from winsock.ports._explain import PortReport as PortReport
    from winsock.ports._explain import explain_port as explain_port
    from winsock.ports._listing import Reserved as Reserved
    from winsock.ports._listing import reservations as reservations

_PARTS = {
    "Block": "_block",
    "Finding": "_explain",
    "PortError": "_errors",
    "PortReport": "_explain",
    "Reserved": "_listing",
    "StoreError": "_errors",
    "explain_port": "_explain",
    "reservations": "_listing",
    "reserve": "_block",
}
__all__ = [
    "Block",
    "Finding",
    "PortError",
    "PortReport",
    "Reserved",
    "StoreError",
    "explain_port",
    "persistent",
    "reservations",
    "reserve",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "persistent":
        return import_module("winsock.ports.persistent")
    if name in _PARTS:
        value: object = getattr(import_module(f"winsock.ports.{_PARTS[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'winsock.ports' has no attribute {name!r}")
