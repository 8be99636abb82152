"""Control messages that the network does not know: made from those that it does.

IP_RECVIF, IP_RECVDSTADDR, IP_PKTINFO_EX and IP_ORIGINAL_ARRIVAL_IF tell parts of what IP_PKTINFO tells, IP_ECN two
bits of what IP_RECVTOS tells.  The network is asked for the whole when any of them is on; each message that is wanted
is then made of it.  IPv6 likewise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

from winsock.abi import _constants as c
from winsock.afd._endpoint import Endpoint

Key = tuple[int, int]  # level, name
Entry = tuple[int, int, bytes]

ECN_BITS = 3
IP, IPV6 = c.IPPROTO_IP, c.IPPROTO_IPV6


def _ecn(data: bytes) -> bytes:
    return struct.pack("<i", data[0] & ECN_BITS)


def _interface(data: bytes) -> bytes:
    """The last member of IN_PKTINFO and IN6_PKTINFO."""
    return data[-4:]


def _address(data: bytes) -> bytes:
    """The first one."""
    return data[:-4]


def _with_zone(data: bytes) -> bytes:
    """IN_PKTINFO_EX, IN6_PKTINFO_EX: a scope identifier more, which a link-local address has."""
    link_local = len(data) > 8 and data[0] == 0xFE and data[1] & 0xC0 == 0x80
    return data + (data[-4:] if link_local else bytes(4))


_PARTS: Final = (
    (c.IP_RECVIF, _interface),
    (c.IP_RECVDSTADDR, _address),
    (c.IP_PKTINFO_EX, _with_zone),
    (c.IP_ORIGINAL_ARRIVAL_IF, _interface),
)

# What the network can be asked for: (level, option) -> (message it sends, what else is made of that)
WHOLE: Final[dict[Key, tuple[int, tuple[tuple[int, Callable[[bytes], bytes]], ...]]]] = {
    (IP, c.IP_PKTINFO): (c.IP_PKTINFO, _PARTS),
    (IPV6, c.IPV6_PKTINFO): (c.IPV6_PKTINFO, _PARTS),
    (IP, c.IP_RECVTOS): (c.IP_TOS, ((c.IP_ECN, _ecn),)),
    (IPV6, c.IPV6_RECVTCLASS): (c.IPV6_TCLASS, ((c.IPV6_ECN, _ecn),)),
}

# Option that is part of a whole, or is one -> the whole
WHOLE_OF: Final[dict[Key, Key]] = {
    (level, name): (level, whole)
    for (level, whole), (_, parts) in WHOLE.items()
    for name in (whole, *(part for part, _ in parts))
}
_BY_MESSAGE: Final = {(level, message): (level, whole) for (level, whole), (message, _) in WHOLE.items()}
_ANY_PART: Final = frozenset(WHOLE_OF) - frozenset(WHOLE)


def asked_for(ep: Endpoint, whole: Key) -> bool:
    """Whether any option is on that needs this whole."""
    return any(ep.options.get(key) for key, of in WHOLE_OF.items() if of == whole)


def wanted(ep: Endpoint, control: Sequence[Entry]) -> list[Entry]:
    """The network's control messages as the endpoint's options want them."""
    options = ep.options
    if _ANY_PART.isdisjoint(options):
        return list(control)
    found: list[Entry] = []
    for level, message, data in control:
        whole = _BY_MESSAGE.get((level, message))
        if whole is None:
            found.append((level, message, data))
            continue
        # A dual-mode socket tells of IPv4 datagrams at IPv4's level, whichever level's option is on.
        if options.get(whole) or (level == IP and ep.family == c.AF_INET6 and _six_is_on(ep, whole)):
            found.append((level, message, data))
        for part, make in WHOLE[whole][1]:
            if options.get((level, part)):
                found.append((level, part, make(data)))
    return found


def _six_is_on(ep: Endpoint, whole: Key) -> bool:
    return bool(ep.options.get((IPV6, c.IPV6_PKTINFO if whole[1] == c.IP_PKTINFO else c.IPV6_RECVTCLASS)))
