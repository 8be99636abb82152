"""The catalog of protocols: which providers there are, and what they make sockets of.

The rows are those of a Windows of today: TCP, UDP and raw sockets over IPv4 and IPv6, and AF_UNIX streams.  Their
order matters: the first entry that fits a request makes the socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from winsock.abi import _constants as c
from winsock.abi._structs import GUID, WSAPROTOCOL_INFOA, WSAPROTOCOL_INFOW
from winsock.codes import WSA, WinsockError

SIZE_A, SIZE_W = 372, 628

TCP_FLAGS: Final = (
    c.XP1_GUARANTEED_DELIVERY
    | c.XP1_GUARANTEED_ORDER
    | c.XP1_GRACEFUL_CLOSE
    | c.XP1_EXPEDITED_DATA
    | c.XP1_IFS_HANDLES
)
UDP_FLAGS: Final = (
    c.XP1_CONNECTIONLESS
    | c.XP1_MESSAGE_ORIENTED
    | c.XP1_SUPPORT_BROADCAST
    | c.XP1_SUPPORT_MULTIPOINT
    | c.XP1_IFS_HANDLES
)
UNIX_FLAGS: Final = c.XP1_GUARANTEED_DELIVERY | c.XP1_GUARANTEED_ORDER | c.XP1_GRACEFUL_CLOSE | c.XP1_IFS_HANDLES
RAW_PROTOCOLS: Final = 255  # iProtocolMaxOffset: one raw entry stands for every protocol number


class Entry(NamedTuple):
    """One row.

    max_offset       the entry takes the protocols protocol .. protocol + max_offset
    provider         the provider's GUID
    service_flags    XP1_*
    provider_flags   PFL_*
    """

    id: int
    name: str
    family: int
    type: int
    protocol: int
    provider: str
    service_flags: int
    max_address: int
    min_address: int
    message_size: int = 0
    max_offset: int = 0
    provider_flags: int = c.PFL_MATCHES_PROTOCOL_ZERO

    def takes(self, protocol: int) -> bool:
        """Whether it makes sockets of that protocol; 0 asks for the family's usual one."""
        if protocol == 0:
            return bool(self.provider_flags & c.PFL_MATCHES_PROTOCOL_ZERO)
        return self.protocol <= protocol <= self.protocol + self.max_offset


_V4: Final = "e70f1aa0-ab8b-11cf-8ca3-00805f48a192"
_V6: Final = "f9eab0c0-26d4-11d0-bbbf-00aa006c34e4"
_UNIX: Final = "a00943d9-9c2e-4633-9b59-0057a3160994"
_HIDDEN: Final = c.PFL_MATCHES_PROTOCOL_ZERO | c.PFL_HIDDEN
_RAW: Final = {"message_size": c.UDP_MAX_MESSAGE, "max_offset": RAW_PROTOCOLS, "provider_flags": _HIDDEN}


def _rows() -> tuple[Entry, ...]:
    rows: list[Entry] = []
    for family, provider, ip, size in (c.AF_INET, _V4, "IP", 16), (c.AF_INET6, _V6, "IPv6", 28):
        for what, kind, protocol, flags, more in (
            ("TCP", c.SOCK_STREAM, c.IPPROTO_TCP, TCP_FLAGS, {}),
            ("UDP", c.SOCK_DGRAM, c.IPPROTO_UDP, UDP_FLAGS, {"message_size": c.UDP_MAX_MESSAGE}),
            ("RAW", c.SOCK_RAW, 0, UDP_FLAGS, _RAW),
        ):
            name = f"MSAFD Tcpip [{what}/{ip}]"
            rows.append(
                Entry(1001 + len(rows), name, family, kind, protocol, provider, flags, size, size, **more)
            )
    rows.append(Entry(1001 + len(rows), "AF_UNIX", c.AF_UNIX, c.SOCK_STREAM, 0, _UNIX, UNIX_FLAGS, 110, 2))
    return tuple(rows)


BASE_ENTRIES: Final = _rows()


def resolve(
    family: int, kind: int, protocol: int, entries: Sequence[Entry] = BASE_ENTRIES
) -> tuple[Entry, int]:
    """The entry that makes such a socket, and the protocol it gets; a zero asks for whatever fits.

    In this order: WSAEINVAL without family and protocol, WSAESOCKTNOSUPPORT for a type that nobody has,
    WSAEAFNOSUPPORT for a family that nobody has (with that type), WSAEPROTONOSUPPORT when the protocol is not
    that of the rest.  Source: facts; the family of a type that it lacks: observed on Wine.
    """
    if not family and not protocol:
        raise WinsockError(WSA.WSAEINVAL)
    of_type = [e for e in entries if kind in (0, e.type)]
    if not of_type:
        raise WinsockError(WSA.WSAESOCKTNOSUPPORT)
    of_family = [e for e in of_type if family in (0, e.family)]
    if not of_family:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    for entry in of_family:
        if entry.takes(protocol):
            return entry, protocol or entry.protocol
    raise WinsockError(WSA.WSAEPROTONOSUPPORT)


def entry_of(ep: Any) -> Entry:
    """The catalog entry that an endpoint was made from."""
    return resolve(ep.family, ep.type, ep.protocol)[0]


@lru_cache(64)
def packed(entry: Entry, wide: bool) -> bytes:
    """The row as a WSAPROTOCOL_INFOW (628 bytes) or WSAPROTOCOL_INFOA (372 bytes)."""
    from uuid import UUID

    info = WSAPROTOCOL_INFOW() if wide else WSAPROTOCOL_INFOA()
    info.dwServiceFlags1 = entry.service_flags
    info.dwProviderFlags = entry.provider_flags
    info.ProviderId = GUID.from_buffer_copy(UUID(entry.provider).bytes_le)
    info.dwCatalogEntryId = entry.id
    info.ProtocolChain.ChainLen = c.BASE_PROTOCOL
    info.iVersion = 2
    info.iAddressFamily, info.iSocketType, info.iProtocol = entry.family, entry.type, entry.protocol
    info.iMaxSockAddr, info.iMinSockAddr = entry.max_address, entry.min_address
    info.iProtocolMaxOffset = entry.max_offset
    info.dwMessageSize = entry.message_size
    name = entry.name.encode("utf-16-le" if wide else "ascii")
    info.szProtocol[: len(name)] = name
    return bytes(info)


def info_of(ep: Any, wide: bool) -> bytes:
    """SO_PROTOCOL_INFOW or SO_PROTOCOL_INFOA of an endpoint.  A raw socket shows the generic entry: protocol 0."""
    return packed(entry_of(ep), wide)


def listed(protocols: Sequence[int] | None, entries: Sequence[Entry] = BASE_ENTRIES) -> list[Entry]:
    """What WSAEnumProtocols shows: all that is not hidden, or of that those with one of these protocols."""
    return [
        e
        for e in entries
        if not e.provider_flags & c.PFL_HIDDEN and (protocols is None or e.protocol in protocols)
    ]
