"""Who may bind beside whom: Windows' rules for shared and exclusive addresses, whatever network carries them.

An address stands to another of the same port in one of three relations: they are the same, the newcomer's is part of
the holder's (127.0.0.1 under 0.0.0.0), or covers it.  A dual-stack [::] covers 0.0.0.0 as that covers 127.0.0.1; a
v4-mapped address is the IPv4 address.  The relation and what each of the two has set decide; the rest never meet.

Source: document (Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE, same user account), facts.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from winsock.codes import WSA
from winsock.transports._contract import Address


class Use(Enum):
    """What a socket had set when it was bound."""

    DEFAULT = "nothing"
    REUSE = "SO_REUSEADDR"
    EXCLUSIVE = "SO_EXCLUSIVEADDRUSE"


class Relation(Enum):
    """Where a newcomer's address stands to the holder's."""

    SAME = "the same address"
    UNDER = "part of the holder's wildcard"
    OVER = "a wildcard that covers the holder's"


_D, _R, _E = Use.DEFAULT, Use.REUSE, Use.EXCLUSIVE
_INUSE, _ACCESS = WSA.WSAEADDRINUSE, WSA.WSAEACCES

# (relation, holder's use, newcomer's use) -> what the newcomer's bind fails with; what is absent succeeds.
CONFLICTS: Final[dict[tuple[Relation, Use, Use], WSA]] = {
    (Relation.SAME, _D, _D): _INUSE,
    (Relation.SAME, _D, _R): _ACCESS,
    (Relation.SAME, _D, _E): _INUSE,
    (Relation.SAME, _R, _D): _INUSE,
    (Relation.SAME, _R, _E): _INUSE,
    (Relation.SAME, _E, _D): _INUSE,
    (Relation.SAME, _E, _R): _ACCESS,
    (Relation.SAME, _E, _E): _INUSE,
    (Relation.UNDER, _E, _D): _ACCESS,
    (Relation.UNDER, _E, _R): _ACCESS,
    (Relation.UNDER, _E, _E): _ACCESS,
    (Relation.OVER, _D, _E): _INUSE,
    (Relation.OVER, _R, _E): _INUSE,
    (Relation.OVER, _E, _E): _INUSE,
}

# Where an address lies: (4 or 6, None for the wildcard or the address).
Place = tuple[int, Any]
DUAL: Final[Place] = (0, None)  # [::] of a dual-stack socket
ANY4: Final[Place] = (4, None)
ANY6: Final[Place] = (6, None)


def place_of(address: Address, dual: bool) -> Place:
    """Where a tuple address lies; dual: of an IPv6 socket with IPV6_V6ONLY off."""
    return _place(address[0], address[3] if len(address) > 3 else 0, dual)


@lru_cache(512)
def _place(host: str, scope: int, dual: bool) -> Place:
    ip = ipaddress.ip_address(host.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ANY4 if ip.is_unspecified else (4, ip)
    if ip.is_unspecified:
        return DUAL if dual else ANY6
    if ip.ipv4_mapped is not None:
        return ANY4 if ip.ipv4_mapped.is_unspecified else (4, ip.ipv4_mapped)
    return 6, (ip, scope if ip.is_link_local else 0)


def relation(holder: Place, newcomer: Place) -> Relation | None:
    """Where the newcomer stands to the holder; None if they never meet."""
    if holder == newcomer or {holder, newcomer} == {DUAL, ANY6}:
        return Relation.SAME
    if _covers(holder, newcomer):
        return Relation.UNDER
    if _covers(newcomer, holder):
        return Relation.OVER
    return None


def _covers(wide: Place, narrow: Place) -> bool:
    return wide == DUAL or (wide[1] is None and wide[0] == narrow[0])
