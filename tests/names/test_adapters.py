"""iphlpapi: the adapters as linked structures in the caller's buffer, names and numbers of interfaces."""

import ctypes
import ipaddress
import socket as linux
import struct

import pytest
from calls import pointer, text, u32, wide

from winsock import iphlpapi, names
from winsock.abi import _constants as c

SKIP_UNICAST, INCLUDE_PREFIX, SKIP_FRIENDLY_NAME, INCLUDE_GATEWAYS = 0x1, 0x10, 0x20, 0x80
ADAPTER_SIZE = 448


def chain(at):
    """(structure, its sockaddr) for each entry of an address list."""
    found = []
    while at:
        size = ctypes.c_int32.from_address(at + 24).value
        found.append((at, ctypes.string_at(pointer(at + 16), size)))
        at = pointer(at + 8)
    return found


def spell(sockaddr):
    family = struct.unpack_from("<H", sockaddr)[0]
    if family == c.AF_INET:
        return str(ipaddress.ip_address(sockaddr[4:8]))
    assert (family, len(sockaddr)) == (c.AF_INET6, 28)
    return str(ipaddress.ip_address(sockaddr[8:24]))


class Adapters:
    """A call's answer."""

    def __init__(self, family=c.AF_UNSPEC, flags=0):
        n = ctypes.c_uint32(0)
        assert iphlpapi.GetAdaptersAddresses(family, flags, None, None, n) == c.ERROR_BUFFER_OVERFLOW
        self.memory = ctypes.create_string_buffer(n.value)
        assert iphlpapi.GetAdaptersAddresses(family, flags, None, self.memory, n) == 0
        self.at = []
        at = ctypes.addressof(self.memory)
        while at:
            assert ctypes.addressof(self.memory) <= at <= ctypes.addressof(self.memory) + n.value - ADAPTER_SIZE
            self.at.append(at)
            at = pointer(at + 8)


def test_every_interface_is_there():
    adapters = Adapters()
    assert {u32(at + 4): wide(pointer(at + 72)) for at in adapters.at} == dict(linux.if_nameindex())
    for at in adapters.at:
        interface = next(i for i in names.interfaces() if i.ifindex == u32(at + 4))
        assert u32(at) == ADAPTER_SIZE
        assert text(pointer(at + 16)).startswith("{")
        listed = chain(pointer(at + 24))
        assert [spell(a) for _, a in listed] == [str(ipaddress.ip_address(a.data)) for a in interface.addresses]
        bits = [ctypes.c_uint8.from_address(e + 56).value for e, _ in listed]
        assert bits == [a.prefix for a in interface.addresses]
        assert u32(at + 96) == interface.mtu
        assert (u32(at + 100) == 24) == interface.loopback
    assert len({text(pointer(at + 16)) for at in adapters.at}) == len(adapters.at)


def test_one_family():
    for at in Adapters(c.AF_INET).at:
        assert all(struct.unpack_from("<H", a)[0] == c.AF_INET for _, a in chain(pointer(at + 24)))


def test_flags():
    for at in Adapters(flags=SKIP_UNICAST | SKIP_FRIENDLY_NAME).at:
        assert (pointer(at + 24), pointer(at + 72), pointer(at + 176), pointer(at + 208)) == (0, 0, 0, 0)
    adapters = Adapters(flags=INCLUDE_PREFIX | INCLUDE_GATEWAYS)
    for at in adapters.at:
        unicast, prefixes = chain(pointer(at + 24)), chain(pointer(at + 176))
        assert len(unicast) == len(prefixes)
        for (entry, address), (prefix, network) in zip(unicast, prefixes):
            bits = ctypes.c_uint8.from_address(entry + 56).value
            assert u32(prefix + 32) == bits
            assert ipaddress.ip_address(spell(address)) in ipaddress.ip_network(f"{spell(network)}/{bits}")
        interface = next(i for i in names.interfaces() if i.ifindex == u32(at + 4))
        told = {spell(a) for _, a in chain(pointer(at + 208))}
        assert told == {str(ipaddress.ip_address(g)) for _, g, _ in interface.gateways if g}


def test_refusals():
    n = ctypes.c_uint32(0)
    call = iphlpapi.GetAdaptersAddresses
    assert call(99, 0, None, None, n) == c.ERROR_INVALID_PARAMETER
    assert call(c.AF_INET, 0, 1, None, n) == c.ERROR_INVALID_PARAMETER
    assert call(c.AF_INET, 0, None, None, None) == c.ERROR_INVALID_PARAMETER
    assert call("x", 0, None, None, n) == c.ERROR_INVALID_PARAMETER
    assert call(c.AF_INET, 0, None, None, 0x10) == c.ERROR_NOACCESS
    n.value = 1 << 16
    for bad in (0x10, -1, 1 << 70, (1 << 47) - 4096, bytes(1 << 16), bytearray(8)):
        assert call(c.AF_INET, 0, None, bad, n) == c.ERROR_NOACCESS


@pytest.mark.parametrize(("index", "name"), linux.if_nameindex())
def test_names_and_numbers(index, name):
    assert iphlpapi.if_nametoindex(name) == index
    out = ctypes.create_string_buffer(257)
    assert iphlpapi.if_indextoname(index, out) == ctypes.addressof(out)
    assert out.value.decode() == name


def test_unknown_names_and_numbers():
    out = bytearray(b"\xee" * 257)
    for nothing in ("no such interface", "", None, 0x10, 1.5):
        assert iphlpapi.if_nametoindex(nothing) == 0
    for number in (0, 0xFFFFFFF0, -1):
        assert iphlpapi.if_indextoname(number, out) == 0
    assert out == b"\xee" * 257
    assert iphlpapi.if_indextoname(linux.if_nameindex()[0][0], None) == 0
