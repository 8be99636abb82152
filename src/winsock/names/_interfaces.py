"""The interfaces and addresses of this machine, as rtnetlink tells them."""

from __future__ import annotations

import _socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError

_FAMILIES = {_socket.AF_INET: c.AF_INET, _socket.AF_INET6: c.AF_INET6}

# linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if.h
_NETLINK_ROUTE = 0
_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR, _RTM_NEWROUTE, _RTM_GETROUTE = 16, 18, 20, 22, 24, 26
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE = 1, 3, 4, 16
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 6, 8
_RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 4, 5, 6
_MAIN_TABLE = 254
IFF_UP, IFF_LOOPBACK, IFF_MULTICAST = 0x1, 0x8, 0x1000
IFA_F_TENTATIVE, IFA_F_DADFAILED = 0x40, 0x08
FOREVER = 0xFFFFFFFF


class InterfaceAddress(NamedTuple):
    """An address of an interface."""

    family: int  # AF_INET or AF_INET6, Windows' numbers
    data: bytes  # 4 or 16, network order
    prefix: int  # bits
    scope: int  # the interface's index for a link-local IPv6 address, else 0
    flags: int  # IFA_F_*
    valid: int = FOREVER  # seconds
    preferred: int = FOREVER

    @property
    def link_local(self) -> bool:
        """Whether it means something on its link only."""
        if self.family == c.AF_INET:
            return self.data[:2] == b"\xa9\xfe"
        return self.data[0] == 0xFE and self.data[1] & 0xC0 == 0x80


class Interface(NamedTuple):
    """A network interface."""

    ifindex: int
    name: str
    flags: int  # IFF_*
    hardware: bytes
    mtu: int
    state: int  # IF_OPER_*
    addresses: list[InterfaceAddress]
    gateways: list[tuple[int, bytes, int]]  # default routes: family, gateway (empty: none), metric

    @property
    def loopback(self) -> bool:
        """Whether it leads back to this machine."""
        return bool(self.flags & IFF_LOOPBACK)

    @property
    def up(self) -> bool:
        """Whether it is switched on."""
        return bool(self.flags & IFF_UP)


def _attributes(data: bytes, at: int) -> dict[int, bytes]:
    """The attributes of a message, by type."""
    found = {}
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


def _dump(request: int) -> Iterator[tuple[int, bytes]]:
    """Ask the kernel for a table: its messages as (type, body)."""
    s = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    try:
        s.settimeout(5)
        s.sendto(struct.pack("=IHHIIB3x", 20, request, _NLM_F_REQUEST_DUMP, 1, 0, 0), (0, 0))
        while True:
            data = s.recv(1 << 18)
            at = 0
            while at + 16 <= len(data):
                size, kind = struct.unpack_from("=IH", data, at)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR or size < 16:
                    raise OSError("netlink refused")
                yield kind, data[at + 16 : at + size]
                at += (size + 3) & ~3
    finally:
        s.close()


def _links() -> dict[int, Interface]:
    found = {}
    for kind, body in _dump(_RTM_GETLINK):
        if kind != _RTM_NEWLINK:
            continue
        index, flags = struct.unpack_from("=4xiI", body)
        more = _attributes(body, 16)
        found[index] = Interface(
            index,
            more.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "replace"),
            flags,
            more.get(_IFLA_ADDRESS, b""),
            int.from_bytes(more.get(_IFLA_MTU, b""), "little"),
            int.from_bytes(more.get(_IFLA_OPERSTATE, b""), "little"),
            [],
            [],
        )
    return found


def _add_addresses(links: dict[int, Interface]) -> None:
    for kind, body in _dump(_RTM_GETADDR):
        if kind != _RTM_NEWADDR:
            continue
        family, prefix, flags, _, index = struct.unpack_from("=BBBBI", body)
        more = _attributes(body, 8)
        data = more.get(_IFA_LOCAL) or more.get(_IFA_ADDRESS)
        if family not in _FAMILIES or index not in links or data is None:
            continue
        if _IFA_FLAGS in more:
            flags = int.from_bytes(more[_IFA_FLAGS], "little")
        preferred, valid = struct.unpack_from("=II", more.get(_IFA_CACHEINFO, b"\xff" * 8))
        address = InterfaceAddress(_FAMILIES[family], data, prefix, 0, flags, valid, preferred)
        if address.family == c.AF_INET6 and address.link_local:
            address = address._replace(scope=index)
        links[index].addresses.append(address)


def _add_gateways(links: dict[int, Interface]) -> None:
    for kind, body in _dump(_RTM_GETROUTE):
        family, bits, _, _, table = struct.unpack_from("=BBBBB", body)
        more = _attributes(body, 12)
        index = int.from_bytes(more.get(_RTA_OIF, b""), "little")
        if kind == _RTM_NEWROUTE and bits == 0 and table == _MAIN_TABLE and index in links and family in _FAMILIES:
            metric = int.from_bytes(more.get(_RTA_PRIORITY, b""), "little")
            links[index].gateways.append((_FAMILIES[family], more.get(_RTA_GATEWAY, b""), metric))


def interfaces() -> list[Interface]:
    """All interfaces, the one with the best default route first, loopback last.

    WSAENETDOWN where the kernel does not tell.
    """
    try:
        links = _links()
        _add_addresses(links)
    except OSError:
        raise WinsockError(WSA.WSAENETDOWN) from None
    try:
        _add_gateways(links)
    except OSError:
        pass  # some sandboxes tell no routes; only the order suffers

    def rank(i: Interface) -> tuple[bool, bool, int, int]:
        return i.loopback, not i.gateways, min((g[2] for g in i.gateways), default=0), i.ifindex

    return sorted(links.values(), key=rank)


def local_addresses(family: int = c.AF_UNSPEC) -> list[InterfaceAddress]:
    """The addresses other machines could reach this one by: IPv6 before IPv4, link-local ones last.

    The loopback addresses where there are no others.
    """
    every = [(i, a) for i in interfaces() if i.up for a in i.addresses if family in (c.AF_UNSPEC, a.family)]
    usable = [
        a
        for i, a in every
        if not i.loopback and not a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) and a.data[0] != 0x7F
    ]
    if not usable:
        usable = [a for i, a in every if i.loopback]
    return sorted(usable, key=lambda a: (a.family == c.AF_INET, a.link_local))


def _inet6() -> list[list[str]]:
    """The lines of if_inet6 (address, index, prefix, scope, flags, name): cheaper than asking for everything."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii", errors="replace") as lines:
            return [fields for line in lines if len(fields := line.split()) == 6]
    except OSError:
        return []


def has_ipv6() -> bool:
    """Whether this machine has any IPv6 address."""
    return bool(_inet6())


def has_global_ipv6() -> bool:
    """Whether this machine could reach others by IPv6."""
    return any(fields[3] == "00" and fields[5] != "lo" for fields in _inet6())


def is_local(data: bytes) -> bool:
    """Whether the address is one of this machine's."""
    if (len(data) == 4 and data[0] == 0x7F) or data == bytes(15) + b"\1":
        return True
    return any(a.data == data for i in interfaces() for a in i.addresses)
