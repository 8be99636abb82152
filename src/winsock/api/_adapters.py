"""IP Helper: this machine's adapters, and the names and numbers of interfaces.

They need no WSAStartup; GetAdaptersAddresses returns a Win32 code and leaves the last error alone.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from typing import Any

from winsock import names
from winsock.abi import _constants as c
from winsock.api._call import dword, export, unexpected
from winsock.codes import WSA, WinsockError
from winsock.names import Interface
from winsock.names import InterfaceAddress as Address
from winsock.nt import ThreadState, memory

IF_MAX_STRING_SIZE = 256

# iptypes.h, ifdef.h, ipifcons.h, nldef.h
_SKIP_UNICAST, _SKIP_FRIENDLY_NAME = 0x1, 0x20
_INCLUDE_PREFIX, _INCLUDE_GATEWAYS, _INCLUDE_ALL_INTERFACES = 0x10, 0x80, 0x100
_IF_TYPE_OTHER, _IF_TYPE_ETHERNET, _IF_TYPE_SOFTWARE_LOOPBACK = 1, 6, 24
_STATUS_UP, _STATUS_DOWN, _STATUS_LOWER_LAYER_DOWN = 1, 2, 7
_FLAG_NO_MULTICAST, _FLAG_IPV4_ENABLED, _FLAG_IPV6_ENABLED = 0x10, 0x80, 0x100
_ORIGIN_OTHER, _ORIGIN_MANUAL, _ORIGIN_WELL_KNOWN, _ORIGIN_DHCP, _ORIGIN_ROUTER = 0, 1, 2, 3, 4
_SUFFIX_LINK_LAYER = 4
_DAD_TENTATIVE, _DAD_DUPLICATE, _DAD_DEPRECATED, _DAD_PREFERRED = 1, 2, 3, 4
_ADDRESS_DNS_ELIGIBLE = 1
_CONNECTION_DEDICATED = 1
_UNKNOWN_SPEED = memory.MAX_ADDRESS
_LUID_TYPE, _LUID_INDEX = 48, 24  # where they lie in a LUID

# 64-bit layouts
_ADAPTER = struct.Struct("<IIQQQQQQQQQ8sIIIIII64sQQQQQIIQQi4xI16sII4xQi4x130s2xII4xQ")
_UNICAST = struct.Struct("<IIQQi4xIIIIIIB7x")
_PREFIX = struct.Struct("<IIQQi4xI4x")
_GATEWAY = struct.Struct("<IIQQi4x")
# linux/if_addr.h
_TENTATIVE, _FAILED, _DEPRECATED, _PERMANENT = 0x40, 0x08, 0x20, 0x80
_IFF_MULTICAST = 0x1000
_OPER_UNKNOWN, _OPER_UP = 0, 6

_CODES: dict[int, int] = {
    WSA.WSAEFAULT: c.ERROR_NOACCESS,
    WSA.WSAENETDOWN: c.ERROR_NOT_ENOUGH_MEMORY,
}  # of the core, as Win32's

_NAMESPACE = uuid.UUID("8b5d1b52-2b0c-4c5b-9e54-5d6d8e1a1b10")  # of the GUIDs that we give to adapters


def adapter_guid(name: str) -> str:
    """The adapter's name on Windows: a GUID in braces, the same for an interface each time."""
    return "{" + str(uuid.uuid5(_NAMESPACE, name)).upper() + "}"


class _Arena:
    """What goes into the caller's buffer, for the address it will have."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.data = bytearray()

    def reserve(self, size: int) -> int:
        """The address of that many zero bytes, aligned."""
        at = self.base + len(self.data)
        self.data += bytes((size + 7) & ~7)
        return at

    def put(self, at: int, data: bytes) -> None:
        """Fill in what was reserved."""
        self.data[at - self.base : at - self.base + len(data)] = data

    def add(self, data: bytes) -> int:
        """The address of a copy."""
        at = self.reserve(len(data))
        self.put(at, data)
        return at

    def wide(self, text: str) -> int:
        """The address of a UTF-16 string."""
        return self.add((text + "\0").encode("utf-16-le", "surrogatepass"))

    def chain(self, layout: struct.Struct, entries: Sequence[tuple[Any, ...]]) -> int:
        """The address of a linked list, or 0; an entry is (flags, sockaddr, further members ...)."""
        nodes = [self.reserve(layout.size) for _ in entries]
        for at, following, (flags, sockaddr, *rest) in zip(nodes, [*nodes[1:], 0], entries):
            data = layout.pack(layout.size, flags, following, self.add(sockaddr), len(sockaddr), *rest)
            self.put(at, data)
        return nodes[0] if nodes else 0


def _sockaddr(family: int, data: bytes, scope: int = 0) -> bytes:
    if family == c.AF_INET:
        return struct.pack("<H2x4s8x", family, data)
    return struct.pack("<H6x16sI", family, data, scope)


def _dad_state(flags: int) -> int:
    """How far duplicate address detection is."""
    if flags & _FAILED:
        return _DAD_DUPLICATE
    if flags & _TENTATIVE:
        return _DAD_TENTATIVE
    return _DAD_DEPRECATED if flags & _DEPRECATED else _DAD_PREFERRED


def _unicast(a: Address, loopback: bool) -> tuple[Any, ...]:
    """The entry of an address: origins, state, lifetimes, prefix length."""
    if loopback or a.link_local:
        origin = _ORIGIN_WELL_KNOWN
    elif a.flags & _PERMANENT:
        origin = _ORIGIN_MANUAL
    else:
        origin = _ORIGIN_DHCP if a.family == c.AF_INET else _ORIGIN_ROUTER
    suffix = _SUFFIX_LINK_LAYER if a.link_local or origin == _ORIGIN_ROUTER else origin
    flags = 0 if loopback or a.link_local else _ADDRESS_DNS_ELIGIBLE
    lifetimes = a.valid, a.preferred, a.valid
    sockaddr = _sockaddr(a.family, a.data, a.scope)
    return flags, sockaddr, origin, suffix, _dad_state(a.flags), *lifetimes, a.prefix


def _network(a: Address) -> bytes:
    """The address without its host part."""
    rest = len(a.data) * 8 - a.prefix
    return (int.from_bytes(a.data, "big") >> rest << rest).to_bytes(len(a.data), "big")


def _kind(interface: Interface) -> int:
    if interface.loopback:
        return _IF_TYPE_SOFTWARE_LOOPBACK
    return _IF_TYPE_ETHERNET if len(interface.hardware) == 6 else _IF_TYPE_OTHER


def _status(interface: Interface) -> int:
    if not interface.up:
        return _STATUS_DOWN
    return _STATUS_UP if interface.state in (_OPER_UP, _OPER_UNKNOWN) else _STATUS_LOWER_LAYER_DOWN


def _adapter(arena: _Arena, interface: Interface, family: int, flags: int, following: int) -> bytes:
    """One adapter's structure; what it points to goes to the arena."""
    name, index, kind = interface.name, interface.ifindex, _kind(interface)
    mine = [a for a in interface.addresses if family in (c.AF_UNSPEC, a.family)]
    gateways = [g for g in interface.gateways if g[1] and family in (c.AF_UNSPEC, g[0])]
    has4, has6 = (any(a.family == f for a in interface.addresses) for f in (c.AF_INET, c.AF_INET6))
    bits = _FLAG_IPV4_ENABLED * has4 | _FLAG_IPV6_ENABLED * has6
    if not interface.flags & _IFF_MULTICAST and not interface.loopback:
        bits |= _FLAG_NO_MULTICAST
    hardware = b"" if interface.loopback else interface.hardware[:8]
    unicast = [] if flags & _SKIP_UNICAST else [_unicast(a, interface.loopback) for a in mine]
    prefixes = [(0, _sockaddr(a.family, _network(a)), a.prefix) for a in mine if flags & _INCLUDE_PREFIX]
    routers = [
        (0, _sockaddr(f, data, index if data[:2] == b"\xfe\x80" else 0))
        for f, data, _ in gateways
        if flags & _INCLUDE_GATEWAYS
    ]
    metric4, metric6 = (
        min((m for f, _, m in interface.gateways if f == wanted), default=0) for wanted in (c.AF_INET, c.AF_INET6)
    )
    return _ADAPTER.pack(
        _ADAPTER.size,
        index,
        following,
        arena.add(adapter_guid(name).encode() + b"\0"),
        arena.chain(_UNICAST, unicast),
        *(0, 0, 0),  # anycast, multicast, DNS servers: not told
        arena.wide(""),
        arena.wide("Software Loopback Interface" if interface.loopback else name),
        0 if flags & _SKIP_FRIENDLY_NAME else arena.wide(name),
        hardware,
        len(hardware),
        bits,
        interface.mtu,
        kind,
        _status(interface),
        index if has6 else 0,
        struct.pack("<16I", *([index] * 4 + [0] * 12)) if has6 else b"",  # zones: interface and link
        arena.chain(_PREFIX, prefixes),
        *(_UNKNOWN_SPEED, _UNKNOWN_SPEED, 0),
        arena.chain(_GATEWAY, routers),
        *(metric4, metric6),
        kind << _LUID_TYPE | index << _LUID_INDEX,
        *(0, 0, 1),  # no DHCP server told; compartment
        uuid.uuid5(_NAMESPACE, "network").bytes_le,
        *(_CONNECTION_DEDICATED, 0, 0, 0, b"", 0, 0, 0),
    )


def _build(shown: list[Interface], family: int, flags: int, base: int) -> bytearray:
    arena = _Arena(base)
    heads = [arena.reserve(_ADAPTER.size) for _ in shown]
    for interface, at, following in zip(shown, heads, [*heads[1:], 0]):
        arena.put(at, _adapter(arena, interface, family, flags, following))
    return arena.data


def GetAdaptersAddresses(Family: int, Flags: int, Reserved: Any, AdapterAddresses: Any, SizePointer: Any) -> int:
    """The adapters of this machine and their addresses, as a list of IP_ADAPTER_ADDRESSES in the caller's buffer.

    Family          AF_INET, AF_INET6, or AF_UNSPEC for both
    Flags           GAA_FLAG_*: no unicast addresses, no friendly names, prefixes and gateways are heeded
    SizePointer     in: room, out: what is needed; bytes

    Returns ERROR_SUCCESS, ERROR_BUFFER_OVERFLOW (too little room), ERROR_NO_DATA (no adapters),
    ERROR_INVALID_PARAMETER (family, Reserved, SizePointer), ERROR_NOACCESS (a bad pointer).
    Source: document.  Anycast and multicast addresses and DNS servers are not told.
    """
    try:
        return _adapters(dword(Family), dword(Flags), Reserved, AdapterAddresses, SizePointer)
    except WinsockError as e:
        return _CODES.get(e.code, e.code)
    except Exception as e:
        unexpected("GetAdaptersAddresses", e, (Family, Flags))
        return c.ERROR_INVALID_PARAMETER


def _adapters(family: int, flags: int, reserved: Any, out: Any, size_pointer: Any) -> int:
    if (
        family not in (c.AF_UNSPEC, c.AF_INET, c.AF_INET6)
        or not memory.is_null(reserved)
        or memory.is_null(size_pointer)
    ):
        return c.ERROR_INVALID_PARAMETER
    room = memory.read_u32(size_pointer)
    shown = [
        i
        for i in names.interfaces()
        if flags & _INCLUDE_ALL_INTERFACES or family == c.AF_UNSPEC or any(a.family == family for a in i.addresses)
    ]
    if not shown:
        return c.ERROR_NO_DATA
    size = len(_build(shown, family, flags, 0))
    if memory.is_null(out) or room < size:
        memory.write_u32(size_pointer, size)
        return c.ERROR_BUFFER_OVERFLOW
    memory.writable(out, size)
    memory.write(out, _build(shown, family, flags, memory.address(out)))
    return c.ERROR_SUCCESS


@export(0, startup=False, clears=False, during=True)
def if_nametoindex(ts: ThreadState, InterfaceName: Any) -> int:
    """The number of an interface of that name (this machine's own names: eth0, lo), or 0."""
    name = memory.cstring(InterfaceName).decode("utf-8", "surrogateescape")
    return next((i.ifindex for i in names.interfaces() if i.name == name), 0)


@export(0, startup=False, clears=False, during=True)
def if_indextoname(ts: ThreadState, InterfaceIndex: int, InterfaceName: Any) -> int:
    """The name of that interface into InterfaceName, of at least 257 bytes; its address, or NULL for no such one."""
    index = dword(InterfaceIndex)
    for interface in names.interfaces():
        if interface.ifindex == index:
            memory.write(InterfaceName, interface.name.encode()[:IF_MAX_STRING_SIZE] + b"\0")
            return memory.address(InterfaceName)
    return 0
