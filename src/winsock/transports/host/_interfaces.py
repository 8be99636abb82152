"""This machine's network interfaces and routes."""

from __future__ import annotations

import ctypes
import socket as linux
from typing import Any

from winsock.abi import _constants as c
from winsock.transports._contract import Address, Interface
from winsock.transports.host import _errors
from winsock.transports.host._numbers import FAMILIES, FAMILIES_BACK

_IFF = ((0x1, c.IFF_UP), (0x2, c.IFF_BROADCAST), (0x8, c.IFF_LOOPBACK), (0x10, c.IFF_POINTTOPOINT))
_IFF_MULTICAST = 0x1000


class _IfAddrs(ctypes.Structure):
    pass


_First = ctypes.POINTER(_IfAddrs)  # once: CPython's test runner empties ctypes' cache of such types
_IfAddrs._fields_ = (
    ("next", _First),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
    ("broadcast", ctypes.c_void_p),
    ("data", ctypes.c_void_p),
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.getifaddrs.argtypes = (ctypes.POINTER(_First),)
_libc.freeifaddrs.argtypes = (_First,)


def _address(pointer: int | None) -> tuple[int, str, int]:
    """(host family, text, scope) of the sockaddr there; the family is 0 when there is none of a known family."""
    if not pointer:
        return 0, "", 0
    family = ctypes.c_ushort.from_address(pointer).value
    if family == linux.AF_INET:
        return family, linux.inet_ntoa(ctypes.string_at(pointer + 4, 4)), 0
    if family == linux.AF_INET6:
        text = linux.inet_ntop(linux.AF_INET6, ctypes.string_at(pointer + 8, 16))
        return family, text, ctypes.c_uint32.from_address(pointer + 24).value
    return 0, "", 0


def _flags(host: int) -> int:
    """Windows' IFF_* for Linux'."""
    flags = sum(theirs for ours, theirs in _IFF if host & ours)
    return flags | (c.IFF_MULTICAST if host & _IFF_MULTICAST else 0)


def interfaces() -> list[Interface]:
    """Every IPv4 and IPv6 address of every interface, in the kernel's order."""
    head = _First()
    if _libc.getifaddrs(ctypes.byref(head)) != 0:
        raise _errors.translated(OSError(ctypes.get_errno(), "getifaddrs"))
    found: list[Interface] = []
    try:
        entry: Any = head
        while entry:
            now = entry.contents
            family, text, scope = _address(now.address)
            if family:
                broadcast = _address(now.broadcast)[1] if now.flags & 0x2 and family == linux.AF_INET else ""
                found.append(
                    Interface(
                        _index(now.name),
                        now.name.decode("utf-8", "surrogateescape"),
                        _flags(now.flags),
                        FAMILIES_BACK[family],
                        text,
                        scope,
                        _address(now.netmask)[1],
                        broadcast,
                    )
                )
            entry = now.next
    finally:
        _libc.freeifaddrs(head)
    return found


def _index(name: bytes) -> int:
    try:
        return linux.if_nametoindex(name.split(b":")[0].decode("utf-8", "surrogateescape"))
    except OSError:
        return 0  # it has gone meanwhile


def route_to(family: int, address: Address) -> Address:
    """The local address from which datagrams to that address leave; WSAENETUNREACH and the like without a route."""
    try:
        with linux.socket(FAMILIES[family], linux.SOCK_DGRAM) as probe:
            probe.setsockopt(linux.SOL_SOCKET, linux.SO_BROADCAST, 1)
            probe.connect((address[0], address[1] or 9, *address[2:]))
            return probe.getsockname()
    except OSError as e:
        raise _errors.translated(e) from None


# rtnetlink's groups: (addresses, routes) of a family
_GROUPS = {c.AF_INET: (0x10, 0x40), c.AF_INET6: (0x100, 0x400)}


def changes(family: int, routes: bool) -> linux.socket:
    """A netlink socket that becomes readable when a local address, or a route, of that family changes."""
    try:
        watch = linux.socket(linux.AF_NETLINK, linux.SOCK_RAW | linux.SOCK_NONBLOCK, linux.NETLINK_ROUTE)
        watch.bind((0, _GROUPS[family][routes]))
    except OSError as e:
        raise _errors.translated(e) from None
    return watch
