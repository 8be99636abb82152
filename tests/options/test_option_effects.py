"""What options do: to the connection, to the kernel, to each other."""

from __future__ import annotations

import ctypes
import socket as linux
import struct
import threading
import time
from pathlib import Path

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._guids import WSAID
from winsock.codes import WSA

ANY6 = struct.pack("<H26x", c.AF_INET6)
GROUP, LO = bytes([239, 255, 77, 3]), bytes([127, 0, 0, 1])
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, SO_NO_CHECK = 10, 23, 11


def address(host: bytes, port: bytes) -> bytes:
    return struct.pack("<H", c.AF_INET) + port + host + bytes(8)


def received(lab, s: int) -> bytes:
    lab.await_readable(s)
    buf = bytearray(2048)
    n = ws.recv(s, buf, len(buf), 0)
    assert n >= 0, ws.WSAGetLastError()
    return bytes(buf[:n])


# -- closing


def test_linger_0_resets_the_peer(lab):
    a, b = lab.pair()
    lab.ok(lab.set(a, c.SOL_SOCKET, c.SO_LINGER, struct.pack("<HH", 1, 0)))
    lab.ok(ws.closesocket(a))
    lab.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)


def test_without_lingering_the_stream_ends_in_order(lab):
    a, b = lab.pair()
    lab.ok(ws.send(a, b"last words", 10, 0), 10)
    lab.ok(ws.closesocket(a))
    assert received(lab, b) == b"last words"
    lab.ok(ws.recv(b, bytearray(8), 8, 0), 0)


def test_linger_and_dontlinger_are_two_views(lab):
    s = lab.socket()
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_LINGER, struct.pack("<HH", 3, 9)))
    assert lab.value(s, c.SOL_SOCKET, c.SO_DONTLINGER) == 0
    assert lab.kernel(s, linux.SOL_SOCKET, linux.SO_LINGER, 8) == struct.pack("=ii", 1, 9)
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_DONTLINGER, 1))
    assert lab.get(s, c.SOL_SOCKET, c.SO_LINGER) == struct.pack("<HH", 0, 9)
    assert lab.kernel(s, linux.SOL_SOCKET, linux.SO_LINGER, 8) == struct.pack("=ii", 0, 9)
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_DONTLINGER, 0))
    assert lab.get(s, c.SOL_SOCKET, c.SO_LINGER) == struct.pack("<HH", 1, 9)


# -- what the kernel is told


def test_keepalive_brings_windows_times_along(lab):
    s = lab.socket()
    lab.ok(lab.set(s, c.IPPROTO_TCP, c.TCP_KEEPINTVL, 7))
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_KEEPALIVE, 1))
    assert lab.kernel(s, linux.SOL_SOCKET, linux.SO_KEEPALIVE) == 1
    names = (linux.TCP_KEEPIDLE, linux.TCP_KEEPINTVL, linux.TCP_KEEPCNT)
    assert [lab.kernel(s, linux.IPPROTO_TCP, name) for name in names] == [7200, 7, 10]


TOLD = {
    "TCP_NODELAY": (c.IPPROTO_TCP, c.TCP_NODELAY, 1, linux.IPPROTO_TCP, linux.TCP_NODELAY, 1, c.SOCK_STREAM),
    "TCP_KEEPIDLE": (c.IPPROTO_TCP, c.TCP_KEEPIDLE, 61, linux.IPPROTO_TCP, linux.TCP_KEEPIDLE, 61, c.SOCK_STREAM),
    "long idle time": (
        c.IPPROTO_TCP, c.TCP_KEEPIDLE, 99999, linux.IPPROTO_TCP, linux.TCP_KEEPIDLE, 32767, c.SOCK_STREAM
    ),
    "TCP_MAXRT": (c.IPPROTO_TCP, c.TCP_MAXRT, 5, linux.IPPROTO_TCP, linux.TCP_USER_TIMEOUT, 5000, c.SOCK_STREAM),
    "no TCP_MAXRT": (
        c.IPPROTO_TCP, c.TCP_MAXRT, 0xFFFFFFFF, linux.IPPROTO_TCP, linux.TCP_USER_TIMEOUT, 0, c.SOCK_STREAM
    ),
    "IP_TTL": (c.IPPROTO_IP, c.IP_TTL, 9, linux.IPPROTO_IP, linux.IP_TTL, 9, c.SOCK_STREAM),
    "group's TTL": (c.IPPROTO_IP, c.IP_MULTICAST_TTL, 3, linux.IPPROTO_IP, linux.IP_MULTICAST_TTL, 3, c.SOCK_DGRAM),
    "SO_BROADCAST": (c.SOL_SOCKET, c.SO_BROADCAST, 1, linux.SOL_SOCKET, linux.SO_BROADCAST, 1, c.SOCK_DGRAM),
    "UDP_NOCHECKSUM": (c.IPPROTO_UDP, c.UDP_NOCHECKSUM, 1, linux.SOL_SOCKET, SO_NO_CHECK, 1, c.SOCK_DGRAM),
    "IP_DONTFRAGMENT": (c.IPPROTO_IP, c.IP_DONTFRAGMENT, 1, linux.IPPROTO_IP, IP_MTU_DISCOVER, 2, c.SOCK_DGRAM),
    "TCP_FASTOPEN": (c.IPPROTO_TCP, c.TCP_FASTOPEN, 1, linux.IPPROTO_TCP, linux.TCP_FASTOPEN, 16, c.SOCK_STREAM),
    "coalescing": (c.IPPROTO_UDP, c.UDP_RECV_MAX_COALESCED_SIZE, 9000, linux.IPPROTO_UDP, 104, 1, c.SOCK_DGRAM),
    "fragmenting": (c.IPPROTO_IP, c.IP_DONTFRAGMENT, 0, linux.IPPROTO_IP, IP_MTU_DISCOVER, 0, c.SOCK_STREAM),
    "IP_MTU_DISCOVER": (
        c.IPPROTO_IP, c.IP_MTU_DISCOVER, c.IP_PMTUDISC_PROBE, linux.IPPROTO_IP, IP_MTU_DISCOVER, 3, c.SOCK_DGRAM
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("level", "name", "value", "host_level", "host_name", "host_value", "kind"), TOLD.values(), ids=TOLD
)
def test_the_kernel_is_told(lab, level, name, value, host_level, host_name, host_value, kind):
    s = lab.socket(c.AF_INET, kind)
    lab.ok(lab.set(s, level, name, value))
    assert lab.kernel(s, host_level, host_name) == host_value


@pytest.mark.parametrize("own", [None, 9], ids=["default", "set"])
def test_time_to_live_of_what_a_listener_accepts(lab, own):
    listener, client = lab.bound(), lab.socket()
    if own:
        lab.ok(lab.set(listener, c.IPPROTO_IP, c.IP_TTL, own))
    lab.ok(ws.listen(listener, 8))
    lab.ok(ws.connect(client, lab.name(listener), 16))
    for s in listener, ws.accept(listener, None, None):
        assert lab.kernel(s, linux.IPPROTO_IP, linux.IP_TTL) == (own or 128)


@pytest.mark.ipv6
@pytest.mark.parametrize("own", [None, 9], ids=["default", "set"])
def test_time_to_live_of_what_may_leave_the_machine(lab, own):
    """A mapped address is not looked into."""
    s, to = lab.socket(c.AF_INET6), lab.name(lab.listener())
    lab.ok(lab.set(s, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0))
    if own:
        lab.ok(lab.set(s, c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, own))
    mapped = struct.pack("<H2s4x10s2s4s4x", c.AF_INET6, to[2:4], b"", b"\xff\xff", to[4:8])
    lab.ok(ws.connect(s, mapped, 28))
    assert lab.kernel(s, linux.IPPROTO_IP, linux.IP_TTL) == 128
    assert lab.kernel(s, linux.IPPROTO_IPV6, linux.IPV6_UNICAST_HOPS) == (own or 128)


@pytest.mark.parametrize("name", [c.SO_SNDBUF, c.SO_RCVBUF])
def test_buffer_sizes_read_back_as_set(lab, name):
    s = lab.socket()
    for value in (0, 1, 100_000, 0xFFFFFFFF):
        lab.ok(lab.set(s, c.SOL_SOCKET, name, value))
        assert lab.value(s, c.SOL_SOCKET, name) == value


def test_larger_buffer_takes_more_datagrams(lab):
    counts = []
    for size in (4096, 262_144):
        receiver, sender = lab.bound(c.SOCK_DGRAM), lab.bound(c.SOCK_DGRAM)
        lab.ok(lab.set(receiver, c.SOL_SOCKET, c.SO_RCVBUF, size))
        for _ in range(200):
            lab.ok(ws.sendto(sender, bytes(1000), 1000, 0, lab.name(receiver), 16), 1000)
        lab.ok(ws.ioctlsocket(receiver, c.FIONBIO, ctypes.c_uint(1)))
        n = 0
        while ws.recv(receiver, bytearray(1000), 1000, 0) == 1000:
            n += 1
        counts.append(n)
    assert 0 < counts[0] < counts[1]


# -- sending and receiving


def test_receive_timeout(lab):
    a, _ = lab.pair()
    lab.ok(lab.set(a, c.SOL_SOCKET, c.SO_RCVTIMEO, 60))
    begin = time.monotonic()
    lab.fails(ws.recv(a, bytearray(8), 8, 0), WSA.WSAETIMEDOUT)
    assert time.monotonic() - begin >= 0.055


def test_broadcast_needs_its_option(lab):
    sender = lab.bound(c.SOCK_DGRAM)
    to = address(bytes([127, 255, 255, 255]), b"\x00\x09")
    lab.fails(ws.sendto(sender, b"x", 1, 0, to, 16), WSA.WSAEACCES)
    lab.ok(lab.set(sender, c.SOL_SOCKET, c.SO_BROADCAST, 1))
    lab.ok(ws.sendto(sender, b"x", 1, 0, to, 16), 1)


def told(lab, s: int) -> dict[tuple[int, int], bytes]:
    """The control messages of the next datagram, by WSARecvMsg."""
    lab.await_readable(s)
    guid = WSAID["WSARecvMsg"].bytes_le
    pointer = int.from_bytes(lab.control(s, c.SIO_GET_EXTENSION_FUNCTION_POINTER, guid, 8), "little")
    data, room = ctypes.create_string_buffer(8), ctypes.create_string_buffer(512)
    bufs = ctypes.create_string_buffer(struct.pack("<I4xQ", 8, ctypes.addressof(data)))
    msg = bytearray(struct.pack("<QI4xQI4xI4xQI4x", 0, 0, ctypes.addressof(bufs), 1, 512, ctypes.addressof(room), 0))
    lab.ok(winsock.function(pointer)(s, msg, ctypes.c_uint(), None, None))
    (length,) = struct.unpack_from("<I", msg, 32)
    found, at = {}, 0
    while at < length:
        size, level, kind = struct.unpack_from("<Qii", room.raw, at)
        found[level, kind] = room.raw[at + 16 : at + size]
        at += (size + 7) & ~7
    return found


def test_ttl_arrives_in_control_data(lab):
    sender, receiver = lab.bound(c.SOCK_DGRAM), lab.bound(c.SOCK_DGRAM)
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_RECVTTL, 1))
    for ttl in (128, 33):  # 128 is Windows' default
        lab.ok(ws.sendto(sender, b"x", 1, 0, lab.name(receiver), 16), 1)
        assert told(lab, receiver) == {(c.IPPROTO_IP, c.IP_TTL): struct.pack("<i", ttl)}
        lab.ok(lab.set(sender, c.IPPROTO_IP, c.IP_TTL, 33))


LOOPBACK6 = bytes(15) + b"\1"
MESSAGES = {
    "interface": (c.IP_RECVIF, {c.IP_RECVIF: "{index}"}),
    "arrival interface": (c.IP_ORIGINAL_ARRIVAL_IF, {c.IP_ORIGINAL_ARRIVAL_IF: "{index}"}),
    "destination": (c.IP_RECVDSTADDR, {c.IP_RECVDSTADDR: "{to}"}),
    "both": (c.IP_PKTINFO, {c.IP_PKTINFO: "{to}{index}"}),
    "with scope": (c.IP_PKTINFO_EX, {c.IP_PKTINFO_EX: "{to}{index}{zero}"}),
}


@pytest.mark.parametrize("family", [c.AF_INET, pytest.param(c.AF_INET6, marks=pytest.mark.ipv6)], ids=["v4", "v6"])
@pytest.mark.parametrize(("option", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_where_a_datagram_came_in(lab, family, option, expected):
    level = c.IPPROTO_IP if family == c.AF_INET else c.IPPROTO_IPV6
    sender, receiver = lab.bound(c.SOCK_DGRAM, family), lab.bound(c.SOCK_DGRAM, family)
    name = lab.name(receiver)
    lab.ok(lab.set(receiver, level, option, 1))
    lab.ok(ws.sendto(sender, b"x", 1, 0, name, len(name)), 1)
    parts = {
        "to": (LO if family == c.AF_INET else LOOPBACK6).hex(),
        "index": struct.pack("<I", linux.if_nametoindex("lo")).hex(),
        "zero": bytes(4).hex(),
    }
    wanted = {(level, kind): bytes.fromhex(form.format(**parts)) for kind, form in expected.items()}
    assert told(lab, receiver) == wanted
    lab.ok(lab.set(receiver, level, option, 0))
    lab.ok(ws.sendto(sender, b"x", 1, 0, name, len(name)), 1)
    assert told(lab, receiver) == {}


@pytest.mark.parametrize("family", [c.AF_INET, pytest.param(c.AF_INET6, marks=pytest.mark.ipv6)], ids=["v4", "v6"])
def test_congestion_bits(lab, family):
    level, host = (c.IPPROTO_IP, linux.IPPROTO_IP) if family == c.AF_INET else (c.IPPROTO_IPV6, linux.IPPROTO_IPV6)
    option, message = (c.IP_RECVTOS, c.IP_TOS) if family == c.AF_INET else (c.IPV6_RECVTCLASS, c.IPV6_TCLASS)
    sender, receiver = lab.bound(c.SOCK_DGRAM, family), lab.bound(c.SOCK_DGRAM, family)
    name = lab.name(receiver)
    host_option = linux.IP_TOS if family == c.AF_INET else linux.IPV6_TCLASS
    lab.endpoint(sender).transport.setsockopt(host, host_option, 0xB9)  # DSCP 46, ECT(1)
    lab.ok(lab.set(receiver, level, c.IP_ECN, 1))
    lab.ok(ws.sendto(sender, b"x", 1, 0, name, len(name)), 1)
    assert told(lab, receiver) == {(level, c.IP_ECN): struct.pack("<i", 1)}
    lab.ok(lab.set(receiver, level, option, 1))
    lab.ok(ws.sendto(sender, b"x", 1, 0, name, len(name)), 1)
    assert told(lab, receiver) == {
        (level, c.IP_ECN): struct.pack("<i", 1),
        (level, message): struct.pack("<i", 0xB9),
    }
    lab.ok(lab.set(receiver, level, c.IP_ECN, 0))
    lab.ok(ws.sendto(sender, b"x", 1, 0, name, len(name)), 1)
    assert told(lab, receiver) == {(level, message): struct.pack("<i", 0xB9)}


def test_segments_of_a_send(lab):
    sender, receiver = lab.bound(c.SOCK_DGRAM), lab.bound(c.SOCK_DGRAM)
    lab.ok(lab.set(sender, c.IPPROTO_UDP, c.UDP_SEND_MSG_SIZE, 4))
    lab.ok(ws.sendto(sender, b"abcdefghij", 10, 0, lab.name(receiver), 16), 10)
    assert [received(lab, receiver) for _ in range(3)] == [b"abcd", b"efgh", b"ij"]


# -- groups


def member(lab) -> tuple[int, bytes]:
    """A datagram socket on all addresses, and its port."""
    s = lab.socket(c.AF_INET, c.SOCK_DGRAM)
    lab.ok(ws.bind(s, address(bytes(4), b"\0\0"), 16))
    return s, lab.name(s)[2:4]


def test_membership_brings_a_groups_datagrams(lab):
    receiver, port = member(lab)
    sender = lab.bound(c.SOCK_DGRAM)
    lab.ok(lab.set(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF, LO))
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, GROUP + LO))
    lab.ok(ws.sendto(sender, b"in", 2, 0, address(GROUP, port), 16), 2)
    assert received(lab, receiver) == b"in"
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_DROP_MEMBERSHIP, GROUP + LO))
    lab.ok(ws.sendto(sender, b"out", 3, 0, address(GROUP, port), 16), 3)
    lab.ok(ws.sendto(sender, b"direct", 6, 0, address(LO, port), 16), 6)
    assert received(lab, receiver) == b"direct"
    lab.fails(lab.set(receiver, c.IPPROTO_IP, c.IP_DROP_MEMBERSHIP, GROUP + LO), WSA.WSAEADDRNOTAVAIL)


@pytest.mark.parametrize("by", ["index", "address"])
def test_membership_by_index_or_address(lab, by):
    number = linux.if_nametoindex("lo")
    interface, told = (LO, LO) if by == "address" else (struct.pack(">I", number), struct.pack("<I", number))
    receiver, port = member(lab)
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, GROUP + interface))
    sender = lab.bound(c.SOCK_DGRAM)
    lab.ok(lab.set(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF, interface))
    assert lab.get(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF) == told
    lab.ok(ws.sendto(sender, b"in", 2, 0, address(GROUP, port), 16), 2)
    assert received(lab, receiver) == b"in"
    lab.ok(lab.set(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF, bytes(4)))
    assert lab.get(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF) == bytes(4)


def test_membership_on_any_interface(lab):
    s, _ = member(lab)
    lab.ok(lab.set(s, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, GROUP + bytes(4)))


def test_blocked_source_is_not_heard(lab):
    receiver, port = member(lab)
    sender = lab.bound(c.SOCK_DGRAM)
    lab.ok(lab.set(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF, LO))
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, GROUP + LO))
    source = GROUP + LO + LO  # group, source, interface
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_BLOCK_SOURCE, source))
    lab.ok(ws.sendto(sender, b"blocked", 7, 0, address(GROUP, port), 16), 7)
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_UNBLOCK_SOURCE, source))
    lab.ok(ws.sendto(sender, b"heard", 5, 0, address(GROUP, port), 16), 5)
    assert received(lab, receiver) == b"heard"


def test_source_membership_hears_its_source_only(lab):
    receiver, port = member(lab)
    other = struct.pack("BBBB", 127, 0, 0, 2)
    lab.ok(lab.set(receiver, c.IPPROTO_IP, c.IP_ADD_SOURCE_MEMBERSHIP, GROUP + other + LO))
    for host in (LO, other):
        sender = lab.socket(c.AF_INET, c.SOCK_DGRAM)
        lab.ok(ws.bind(sender, address(host, b"\0\0"), 16))
        lab.ok(lab.set(sender, c.IPPROTO_IP, c.IP_MULTICAST_IF, LO))
        lab.ok(ws.sendto(sender, host, 4, 0, address(GROUP, port), 16), 4)
    assert received(lab, receiver) == other


def test_ipv6_group(lab):
    """The kernel's own list of memberships: many machines have no route to groups by the loopback interface."""
    lo = linux.if_nametoindex("lo")
    group = linux.inet_pton(linux.AF_INET6, "ff01::77:3")
    s = lab.socket(c.AF_INET6, c.SOCK_DGRAM)

    def joined() -> bool:
        return group.hex() in Path("/proc/net/igmp6").read_text()

    for name, after in (c.IPV6_ADD_MEMBERSHIP, True), (c.IPV6_DROP_MEMBERSHIP, False):
        lab.ok(lab.set(s, c.IPPROTO_IPV6, name, group + struct.pack("<I", lo)))
        assert joined() is after
    lab.ok(lab.set(s, c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF, lo))
    assert lab.value(s, c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF) == lo


@pytest.mark.parametrize(
    ("family", "level", "order"), [(c.AF_INET, c.IPPROTO_IP, ">I"), (c.AF_INET6, c.IPPROTO_IPV6, "<I")]
)
def test_interface_to_send_by(lab, family, level, order):
    """IPv4 takes the index in network order, and gives it in the host's."""
    s, lo = lab.socket(family, c.SOCK_DGRAM), linux.if_nametoindex("lo")
    lab.ok(lab.set(s, level, c.IP_UNICAST_IF, struct.pack(order, lo)))
    assert lab.value(s, level, c.IP_UNICAST_IF) == lo
    host_level, host_name = (linux.IPPROTO_IP, 50) if family == c.AF_INET else (linux.IPPROTO_IPV6, 76)
    assert lab.kernel(s, host_level, host_name, 4) == struct.pack("!I", lo)


def test_unknown_interface(lab):
    s, _ = member(lab)
    lab.fails(lab.set(s, c.IPPROTO_IP, c.IP_MULTICAST_IF, bytes([203, 0, 113, 9])), WSA.WSAEADDRNOTAVAIL)
    lab.fails(lab.set(s, c.IPPROTO_IP, c.IP_UNICAST_IF, struct.pack(">I", 99999)), WSA.WSAEINVAL)
    lab.fails(lab.set(s, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, GROUP + struct.pack(">I", 99999)), WSA.WSAEADDRNOTAVAIL)


def test_no_group(lab):
    s, _ = member(lab)
    lab.fails(lab.set(s, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, LO + LO), WSA.WSAEINVAL)


# -- addresses


@pytest.mark.parametrize("v6only", [0, 1])
def test_v6only_decides_about_ipv4_clients(lab, v6only):
    listener = lab.socket(c.AF_INET6)
    lab.ok(lab.set(listener, c.IPPROTO_IPV6, c.IPV6_V6ONLY, v6only))
    lab.ok(ws.bind(listener, ANY6, 28))
    lab.ok(ws.listen(listener, 1))
    result = ws.connect(lab.socket(), address(LO, lab.name(listener)[2:4]), 16)
    if v6only:
        lab.fails(result, WSA.WSAECONNREFUSED)
    else:
        lab.ok(result)


def test_v6only_is_fixed_by_bind(lab):
    s = lab.socket(c.AF_INET6)
    lab.ok(ws.bind(s, ANY6, len(ANY6)))
    lab.fails(lab.set(s, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0), WSA.WSAEINVAL)
    assert lab.value(s, c.IPPROTO_IPV6, c.IPV6_V6ONLY) == 1


def test_reuse_and_exclusive_use_exclude_each_other(lab):
    for first, second in (c.SO_REUSEADDR, c.SO_EXCLUSIVEADDRUSE), (c.SO_EXCLUSIVEADDRUSE, c.SO_REUSEADDR):
        s = lab.socket()
        lab.ok(lab.set(s, c.SOL_SOCKET, first, 1))
        lab.fails(lab.set(s, c.SOL_SOCKET, second, 1), WSA.WSAEINVAL)
        lab.ok(lab.set(s, c.SOL_SOCKET, second, 0))
        lab.ok(lab.set(s, c.SOL_SOCKET, first, 0))
        lab.ok(lab.set(s, c.SOL_SOCKET, second, 1))


def test_after_bind_it_is_too_late_for_exclusive_use(lab):
    s = lab.bound()
    lab.fails(lab.set(s, c.SOL_SOCKET, c.SO_EXCLUSIVEADDRUSE, 1), WSA.WSAEINVAL)
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_REUSEADDR, 1))


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
def test_mtu_needs_a_peer(lab, kind):
    s = lab.bound(kind)
    lab.fails(lab.query(s, c.IPPROTO_IP, c.IP_MTU)[0], WSA.WSAENOTCONN)
    peer = lab.listener() if kind == c.SOCK_STREAM else lab.bound(kind)
    lab.ok(ws.connect(s, lab.name(peer), 16))
    assert lab.value(s, c.IPPROTO_IP, c.IP_MTU) >= 1280


# -- state


def test_error_of_a_refused_connect(lab):
    s = lab.socket()
    lab.ok(ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint(1)))
    lab.fails(ws.connect(s, lab.name(lab.bound()), 16), WSA.WSAEWOULDBLOCK)
    lab.await_readable(s)
    for _ in range(2):  # reading does not clear it
        assert lab.value(s, c.SOL_SOCKET, c.SO_ERROR) == WSA.WSAECONNREFUSED
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_ERROR, 0))
    assert lab.value(s, c.SOL_SOCKET, c.SO_ERROR) == 0


def test_connect_time_counts_seconds(lab):
    begun = time.monotonic()
    a, b = lab.pair()
    now = lab.value(a, c.SOL_SOCKET, c.SO_CONNECT_TIME)
    lab.endpoint(b).connect_time -= 5000
    earlier = lab.value(b, c.SOL_SOCKET, c.SO_CONNECT_TIME)
    passed = int(time.monotonic() - begun) + 1  # no more, however busy the machine
    assert 0 <= now <= passed
    assert 5 <= earlier <= 5 + passed
    assert lab.value(lab.bound(), c.SOL_SOCKET, c.SO_CONNECT_TIME) == 0xFFFFFFFF


def test_acceptconn(lab):
    assert lab.value(lab.bound(), c.SOL_SOCKET, c.SO_ACCEPTCONN) == 0
    assert lab.value(lab.listener(), c.SOL_SOCKET, c.SO_ACCEPTCONN) == 1


@pytest.mark.parametrize(
    ("family", "kind", "size"),
    [
        (c.AF_INET, c.SOCK_DGRAM, 65507),
        (c.AF_INET6, c.SOCK_DGRAM, 65527),
        (c.AF_INET, c.SOCK_STREAM, 0),
        (c.AF_INET, c.SOCK_RAW, 32768),
    ],
)
def test_largest_message(lab, family, kind, size):
    assert lab.value(lab.socket(family, kind), c.SOL_SOCKET, c.SO_MAX_MSG_SIZE) == size


@pytest.mark.parametrize(("name", "size"), [(c.SO_PROTOCOL_INFOA, 372), (c.SO_PROTOCOL_INFOW, 628)])
def test_protocol_info(lab, name, size):
    s = lab.socket(c.AF_INET6, c.SOCK_DGRAM)
    lab.fails(lab.query(s, c.SOL_SOCKET, name, size - 1)[0], WSA.WSAEFAULT)
    result, data, n = lab.query(s, c.SOL_SOCKET, name, size + 50)
    lab.ok(result)
    assert n == size + 50, "the length stays"
    assert struct.unpack_from("<i8xii", data, 76) == (c.AF_INET6, c.SOCK_DGRAM, c.IPPROTO_UDP)
    assert set(data[size:]) == {0xEE}


def test_bsp_state_points_into_the_callers_buffer(lab):
    a, b = lab.pair()
    data, n = ctypes.create_string_buffer(128), ctypes.c_int(128)
    lab.ok(ws.getsockopt(a, c.SOL_SOCKET, c.SO_BSP_STATE, data, n))
    local, local_n, remote, remote_n, kind, protocol = struct.unpack_from("<Qi4xQi4xii", data.raw)
    assert (ctypes.string_at(local, local_n), ctypes.string_at(remote, remote_n)) == (lab.name(a), lab.name(b))
    assert (kind, protocol) == (c.SOCK_STREAM, c.IPPROTO_TCP)
    n.value = 60
    lab.fails(ws.getsockopt(a, c.SOL_SOCKET, c.SO_BSP_STATE, data, n), WSA.WSAEFAULT)


def test_opentype_belongs_to_the_thread(lab):
    nobody = (1 << 64) - 1
    lab.ok(lab.set(nobody, c.SOL_SOCKET, c.SO_OPENTYPE, c.SO_SYNCHRONOUS_NONALERT))
    assert lab.value(nobody, c.SOL_SOCKET, c.SO_OPENTYPE) == c.SO_SYNCHRONOUS_NONALERT
    assert not lab.endpoint(lab.socket()).flags & c.WSA_FLAG_OVERLAPPED
    seen = []

    def other():
        with lab.process.attached():
            seen.append(lab.value(nobody, c.SOL_SOCKET, c.SO_OPENTYPE))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [0]


def test_accepted_socket_inherits(lab):
    listener = lab.bound()
    wanted = {(c.SOL_SOCKET, c.SO_KEEPALIVE): 1, (c.SOL_SOCKET, c.SO_RCVTIMEO): 7, (c.IPPROTO_TCP, c.TCP_NODELAY): 1}
    for (level, name), value in wanted.items():
        lab.ok(lab.set(listener, level, name, value))
    lab.ok(ws.listen(listener, 1))
    lab.ok(ws.connect(lab.socket(), lab.name(listener), 16))
    s = ws.accept(listener, None, None)
    assert {key: lab.value(s, *key) for key in wanted} == wanted
    assert lab.kernel(s, linux.IPPROTO_TCP, linux.TCP_NODELAY) == 1


def test_conditional_accept_before_listening_only(lab):
    s = lab.listener()
    lab.fails(lab.set(s, c.SOL_SOCKET, c.SO_CONDITIONAL_ACCEPT, 1), WSA.WSAEINVAL)
    lab.ok(lab.set(lab.bound(), c.SOL_SOCKET, c.SO_CONDITIONAL_ACCEPT, 1))


def test_accept_context_takes_the_listeners_options(lab):
    listener, s = lab.listener(), lab.socket()
    lab.ok(lab.set(listener, c.SOL_SOCKET, c.SO_DEBUG, 1))
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, listener.to_bytes(8, "little")))
    assert lab.value(s, c.SOL_SOCKET, c.SO_DEBUG) == 1
    for handle, code in (s, WSA.WSAEINVAL), (0x7FFC, WSA.WSAENOTSOCK):
        data = handle.to_bytes(8, "little")
        lab.fails(lab.set(s, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, data), code)


def test_connect_context(lab):
    a, _ = lab.pair()
    lab.ok(ws.setsockopt(a, c.SOL_SOCKET, c.SO_UPDATE_CONNECT_CONTEXT, None, 0))
    s = lab.socket()
    lab.fails(ws.setsockopt(s, c.SOL_SOCKET, c.SO_UPDATE_CONNECT_CONTEXT, None, 0), WSA.WSAENOTCONN)


@pytest.mark.parametrize("level", [c.IPPROTO_IP, c.IPPROTO_IPV6])
def test_interface_list(lab, level):
    s = lab.socket(c.AF_INET if level == c.IPPROTO_IP else c.AF_INET6, c.SOCK_DGRAM)
    lab.fails(lab.query(s, level, c.IP_GET_IFLIST, 64)[0], WSA.WSAEINVAL)
    lab.fails(lab.set(s, level, c.IP_ADD_IFLIST, 5), WSA.WSAEINVAL)
    lab.ok(lab.set(s, level, c.IP_IFLIST, 1))
    for number in (5, 6, 5):
        lab.ok(lab.set(s, level, c.IP_ADD_IFLIST, number))
    assert lab.get(s, level, c.IP_GET_IFLIST, 64) == struct.pack("<II", 5, 6)
    lab.fails(lab.query(s, level, c.IP_GET_IFLIST, 7)[0], WSA.WSAEFAULT)
    lab.ok(lab.set(s, level, c.IP_DEL_IFLIST, 5))
    assert lab.get(s, level, c.IP_GET_IFLIST, 64) == struct.pack("<I", 6)
    lab.ok(lab.set(s, level, c.IP_IFLIST, 0))
    lab.fails(lab.query(s, level, c.IP_GET_IFLIST, 64)[0], WSA.WSAEINVAL)


def test_urgent_switch_has_two_names(lab):
    s = lab.socket()
    lab.ok(lab.set(s, c.IPPROTO_TCP, c.TCP_EXPEDITED_1122, 1))
    assert lab.value(s, c.IPPROTO_TCP, c.TCP_BSDURGENT) == 0


def test_options_of_bytes_are_kept_whole(lab):
    s = lab.socket(c.AF_INET6)
    lab.ok(lab.set(s, c.IPPROTO_IPV6, c.IPV6_RTHDR, b"routing header of any length"))
    assert lab.get(s, c.IPPROTO_IPV6, c.IPV6_RTHDR, 64) == b"routing header of any length"
    lab.fails(lab.query(s, c.IPPROTO_IPV6, c.IPV6_RTHDR, 5)[0], WSA.WSAEFAULT)


# -- pointers of every sort get the same answer


def test_every_kind_of_pointer(lab):
    s = lab.socket()
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_RCVBUF, 12345))
    number, array, raw = ctypes.c_int(), bytearray(8), ctypes.create_string_buffer(8)
    length = ctypes.c_int(4)
    results = []
    for pointer in (number, ctypes.byref(number), array, memoryview(array), raw, ctypes.addressof(raw)):
        for size in (length, ctypes.byref(length), bytearray(b"\4\0\0\0"), ctypes.addressof(length)):
            number.value, array[:], raw.raw, length.value = 0, bytes(8), bytes(8), 4
            lab.ok(ws.getsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, pointer, size))
            results.append(number.value + int.from_bytes(array, "little") + int.from_bytes(raw.raw, "little"))
    assert results == [12345] * 24


def test_short_cut_and_long_way_agree(lab):
    """The first query goes the long way, the later ones may be answered from memory."""
    s = lab.socket()
    for level, name in ((c.SOL_SOCKET, c.SO_RCVBUF), (c.SOL_SOCKET, c.SO_TYPE), (c.IPPROTO_TCP, c.TCP_NODELAY)):
        lab.endpoint(s).shape.quick = None
        first = [lab.query(s, level, name, 8) for _ in range(3)]
        fresh, length = ctypes.c_int(-1), ctypes.c_int(8)
        lab.ok(ws.getsockopt(s, level, name, fresh, length))
        assert first[0] == first[1] == first[2]
        assert (struct.pack("<i", fresh.value), length.value) == (
            first[0][1][: first[0][2]].ljust(4, b"\xff"),
            first[0][2],
        )


@pytest.mark.parametrize("value", [0, 1, 2, 255, 256, 257, 0xFFFFFF00, 0xFFFFFFFF])
def test_an_option_of_one_byte_looks_at_the_first_of_four(lab, value):
    """By the short way, too, which is known from the second time on."""
    for _ in range(3):
        s = lab.socket(c.AF_INET, c.SOCK_STREAM)
        lab.ok(ws.setsockopt(s, c.IPPROTO_TCP, c.TCP_NODELAY, struct.pack("<I", value), 4))
        assert lab.kernel(s, linux.IPPROTO_TCP, linux.TCP_NODELAY) == int(value & 0xFF != 0)
        room, length = bytearray(1), ctypes.c_int32(1)
        lab.ok(ws.getsockopt(s, c.IPPROTO_TCP, c.TCP_NODELAY, room, length))
        assert room[0] == int(value & 0xFF != 0)
