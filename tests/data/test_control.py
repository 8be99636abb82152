"""WSASendMsg, WSARecvMsg and the control data that goes along."""

from __future__ import annotations

import ctypes
import socket
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.api._buffers import pack_control, unpack_control
from winsock.codes import WSA, WinsockError

RECVMSG = uuid.UUID("f689d7c8-6f1f-436b-8a53-e54fe351c322").bytes_le
LOOPBACK = socket.inet_aton("127.0.0.1")
LOOPBACK6 = bytes(15) + b"\x01"
HEADER = struct.Struct("<Qii")


@pytest.fixture
def recvmsg(net):
    """WSARecvMsg, as a program gets it."""
    pointer, n = ctypes.c_uint64(), ctypes.c_uint32()
    s = net.socket(kind=c.SOCK_DGRAM)
    net.ok(ws.WSAIoctl(s, c.SIO_GET_EXTENSION_FUNCTION_POINTER, RECVMSG, 16, pointer, 8, n, None, None))
    return winsock.function(pointer.value)


class Msg:
    """A WSAMSG with its buffers."""

    def __init__(self, net, name=28, data=64, control=256, flags=0):
        self.name, self.data = net.alloc(name), net.alloc(data)
        self.control = net.alloc(control)
        n, d, k = self.name.size, self.data.size, self.control.size
        self.array = net.alloc(struct.pack("<I4xQ", d, self.data.addr))
        self.mem = net.alloc(
            struct.pack(
                "<Qi4xQI4xI4xQI4x",
                self.name.addr if n else 0,
                n,
                self.array.addr,
                1,
                k,
                self.control.addr if k else 0,
                flags,
            )
        )

    @property
    def addr(self):
        return self.mem.addr

    @property
    def namelen(self):
        return struct.unpack_from("<i", self.mem.mem.raw, 8)[0]

    @property
    def control_len(self):
        return struct.unpack_from("<I", self.mem.mem.raw, 32)[0]

    @property
    def flags(self):
        return struct.unpack_from("<I", self.mem.mem.raw, 48)[0]

    def headers(self):
        raw, at, found = self.control.mem.raw[: self.control_len], 0, []
        while at + 16 <= len(raw):
            length, level, kind = HEADER.unpack_from(raw, at)
            found.append((level, kind, raw[at + 16 : at + length]))
            at += (length + 7) & ~7
        assert at == len(raw)
        return found


def cmsg(level, kind, data):
    return HEADER.pack(16 + len(data), level, kind) + data + bytes(-len(data) % 8)


# -- layout


numbers = st.integers(-(1 << 31), (1 << 31) - 1)
entries = st.lists(st.tuples(numbers, numbers, st.binary(max_size=40)), max_size=6)


@given(entries)
def test_control_data_survives_packing(control):
    packed, cut = pack_control(control, 4096)
    assert not cut
    assert len(packed) % 8 == 0
    assert unpack_control(packed) == control


@given(entries, st.integers(0, 300))
def test_what_does_not_fit_is_left_out_whole(control, room):
    packed, cut = pack_control(control, room)
    assert len(packed) <= room
    fit = unpack_control(packed)
    assert fit == control[: len(fit)]
    assert cut == (len(fit) < len(control))


@given(st.binary(max_size=64))
def test_any_bytes_are_taken_or_refused(data):
    lengths, at = [], 0
    while at + 16 <= len(data):
        lengths.append(int.from_bytes(data[at : at + 8], "little"))
        if not 16 <= lengths[-1] <= len(data) - at:
            with pytest.raises(WinsockError) as refused:
                unpack_control(data)
            assert refused.value.code == WSA.WSAEINVAL
            return
        at += (lengths[-1] + 7) & ~7
    assert [16 + len(d) for _, _, d in unpack_control(data)] == lengths


# -- receiving


IPV4 = {
    "IP_PKTINFO": (c.IP_PKTINFO, c.IP_PKTINFO, LOOPBACK + struct.pack("<I", socket.if_nametoindex("lo"))),
    "IP_RECVTOS": (c.IP_RECVTOS, c.IP_TOS, bytes(4)),
    "IP_RECVTTL": (c.IP_RECVTTL, c.IP_TTL, struct.pack("<i", 64)),
}


@pytest.mark.parametrize(("option", "kind", "data"), IPV4.values(), ids=IPV4)
def test_ipv4(net, recvmsg, option, kind, data):
    a, b = net.udp_pair()
    net.option(a, c.IPPROTO_IP, c.IP_TTL, 64)
    net.option(b, c.IPPROTO_IP, option)
    net.send(a, b"hello")
    msg, n = Msg(net), ctypes.c_uint32()
    net.ok(recvmsg(b, msg.addr, n, None, None))
    assert (n.value, msg.data.mem[:5], msg.flags) == (5, b"hello", 0)
    assert msg.headers() == [(c.IPPROTO_IP, kind, data)]
    assert msg.name.mem[: msg.namelen] == net.name(a)


@pytest.mark.ipv6
def test_ipv6(net, recvmsg):
    a, b = net.udp_pair(c.AF_INET6)
    for option in (c.IPV6_PKTINFO, c.IPV6_HOPLIMIT, c.IPV6_RECVTCLASS):
        net.option(b, c.IPPROTO_IPV6, option)
    net.send(a, b"hello")
    msg, n = Msg(net), ctypes.c_uint32()
    net.ok(recvmsg(b, msg.addr, n, None, None))
    found = {kind: data for level, kind, data in msg.headers() if level == c.IPPROTO_IPV6}
    assert found[c.IPV6_PKTINFO] == LOOPBACK6 + struct.pack("<I", socket.if_nametoindex("lo"))
    assert struct.unpack("<i", found[c.IPV6_HOPLIMIT])[0] >= 32
    assert found[c.IPV6_TCLASS] == bytes(4)
    assert (msg.namelen, msg.name.mem.raw) == (28, net.name(a))


def test_ipv4_on_a_dual_stack_socket(net, recvmsg):
    b = net.socket(c.AF_INET6, c.SOCK_DGRAM)
    net.option(b, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0)
    net.ok(ws.bind(b, struct.pack("<H26x", c.AF_INET6), 28))
    net.option(b, c.IPPROTO_IPV6, c.IPV6_PKTINFO)
    net.option(b, c.IPPROTO_IP, c.IP_PKTINFO)
    a, name = net.udp(), net.name(b)
    net.ok(ws.sendto(a, b"hello", 5, 0, b"\2\0" + name[2:4] + LOOPBACK + bytes(8), 16), 5)
    msg, n = Msg(net), ctypes.c_uint32()
    net.ok(recvmsg(b, msg.addr, n, None, None))
    assert (c.IPPROTO_IP, c.IP_PKTINFO) in [h[:2] for h in msg.headers()]
    assert msg.name.mem.raw[8:24] == bytes(10) + b"\xff\xff" + LOOPBACK


def test_the_longer_datagram(net, recvmsg):
    a, b = net.udp_pair()
    net.option(b, c.IPPROTO_IP, c.IP_PKTINFO)
    net.send(a, b"hello world")
    msg, n = Msg(net, data=5), ctypes.c_uint32()
    net.fails(recvmsg(b, msg.addr, n, None, None), WSA.WSAEMSGSIZE)
    assert (n.value, msg.data.mem.raw, msg.flags, msg.control_len) == (5, b"hello", c.MSG_TRUNC, 24)


@pytest.mark.parametrize("room", [0, 1, 15, 16, 23])
def test_control_data_that_does_not_fit(net, recvmsg, room):
    a, b = net.udp_pair()
    net.option(b, c.IPPROTO_IP, c.IP_PKTINFO)
    net.send(a, b"hello")
    msg, n = Msg(net, control=room), ctypes.c_uint32()
    net.fails(recvmsg(b, msg.addr, n, None, None), WSA.WSAEMSGSIZE)
    assert (n.value, msg.data.mem[:5], msg.flags, msg.control_len) == (5, b"hello", c.MSG_CTRUNC, 0)


def test_peek(net, recvmsg):
    a, b = net.udp_pair()
    net.send(a, b"hello")
    n = ctypes.c_uint32()
    net.ok(recvmsg(b, Msg(net, flags=c.MSG_PEEK).addr, n, None, None))
    net.ok(recvmsg(b, Msg(net).addr, n, None, None))
    net.fails(recvmsg(net.nonblocking(b), Msg(net).addr, n, None, None), WSA.WSAEWOULDBLOCK)
    net.fails(recvmsg(b, Msg(net, flags=c.MSG_OOB).addr, n, None, None), WSA.WSAEOPNOTSUPP)


def test_multicast_is_marked(net, recvmsg):
    group, loop = socket.inet_aton("239.1.2.3"), LOOPBACK
    a, b = net.udp(), net.socket(kind=c.SOCK_DGRAM)
    net.ok(ws.bind(b, b"\2\0" + bytes(14), 16))
    net.ok(ws.setsockopt(b, c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP, group + loop, 8))
    net.ok(ws.setsockopt(a, c.IPPROTO_IP, c.IP_MULTICAST_IF, loop, 4))
    net.option(b, c.IPPROTO_IP, c.IP_PKTINFO)
    net.ok(ws.sendto(a, b"hello", 5, 0, b"\2\0" + net.name(b)[2:4] + group + bytes(8), 16), 5)
    net.option(b, c.SOL_SOCKET, c.SO_RCVTIMEO, 5000)
    msg, n = Msg(net), ctypes.c_uint32()
    net.ok(recvmsg(b, msg.addr, n, None, None))
    assert (msg.flags, msg.headers()[0][2][:4]) == (c.MSG_MCAST, group)


def test_message_in_other_memory(net, recvmsg):
    a, b = net.udp_pair()
    net.send(a, b"hello")
    msg, n = Msg(net), ctypes.c_uint32()
    mine = bytearray(msg.mem.mem.raw)
    net.ok(recvmsg(b, mine, n, None, None))
    assert struct.unpack_from("<i", mine, 8)[0] == 16


def test_bad_messages_lose_nothing(net, recvmsg):
    a, b = net.udp_pair()
    net.send(a, b"hello")
    n, msg = ctypes.c_uint32(), Msg(net)
    good = msg.mem.mem.raw
    bad = {
        "name": good[:0] + struct.pack("<Q", 0) + good[8:],
        "name nowhere": struct.pack("<Q", 16) + good[8:],
        "short name": good[:8] + struct.pack("<i", 8) + good[12:],
        "control": good[:40] + bytes(8) + good[48:],
        "control nowhere": good[:40] + struct.pack("<Q", 16) + good[48:],
        "buffers": good[:16] + bytes(8) + good[24:],
    }
    for raw in bad.values():
        net.fails(recvmsg(b, bytearray(raw), n, None, None), WSA.WSAEFAULT)
    for ptr in (None, 0, 16, bytearray(55), bytes(good), object()):
        net.fails(recvmsg(b, ptr, n, None, None), WSA.WSAEFAULT)
    net.fails(recvmsg(b, msg.addr, None, None, None), WSA.WSAEFAULT)
    net.fails(recvmsg(b, msg.addr, 16, None, None), WSA.WSAEFAULT)
    net.fails(recvmsg(b, bytearray(good[:24] + bytes(4) + good[28:]), n, None, None), WSA.WSAEINVAL)
    assert net.recv(b) == b"hello"


def test_streams_are_refused(net, recvmsg):
    _, b = net.pair()
    net.fails(recvmsg(b, Msg(net).addr, ctypes.c_uint32(), None, None), WSA.WSAEINVAL)
    net.fails(ws.WSASendMsg(b, Msg(net).addr, 0, ctypes.c_uint32(), None, None), WSA.WSAEINVAL)


# -- sending


def outgoing(net, to, data=b"hello", control=b""):
    msg = Msg(net, data=len(data), name=len(to), control=len(control))
    msg.data.mem.raw = data
    if to:
        msg.name.mem.raw = to
    if control:
        msg.control.mem.raw = control
    return msg


def test_send(net):
    a, b = net.udp(), net.udp()
    n = ctypes.c_uint32()
    net.ok(ws.WSASendMsg(a, outgoing(net, net.name(b)).addr, 0, n, None, None))
    assert (n.value, net.recv(b)) == (5, b"hello")
    net.fails(ws.WSASendMsg(a, outgoing(net, b"").addr, 0, n, None, None), WSA.WSAENOTCONN)


def test_control_data_is_sent(net, recvmsg):
    a = net.socket(kind=c.SOCK_DGRAM)
    b = net.udp()
    net.option(b, c.IPPROTO_IP, c.IP_RECVTOS)
    net.option(b, c.IPPROTO_IP, c.IP_RECVTTL)
    elsewhere = socket.inet_aton("127.0.0.9")
    control = (
        cmsg(c.IPPROTO_IP, c.IP_PKTINFO, elsewhere + bytes(4))
        + cmsg(c.IPPROTO_IP, c.IP_TOS, struct.pack("<i", 2))
        + cmsg(c.IPPROTO_IP, c.IP_TTL, struct.pack("<i", 9))
    )
    net.ok(ws.WSASendMsg(a, outgoing(net, net.name(b), control=control).addr, 0, ctypes.c_uint32(), None, None))
    msg = Msg(net)
    net.ok(recvmsg(b, msg.addr, ctypes.c_uint32(), None, None))
    assert msg.name.mem.raw[4:8] == elsewhere
    assert {k: struct.unpack("<i", d)[0] for _, k, d in msg.headers()} == {c.IP_TOS: 2, c.IP_TTL: 9}


BAD_CONTROL = {
    "too long a length": HEADER.pack(64, c.IPPROTO_IP, c.IP_PKTINFO) + bytes(8),
    "too short a length": HEADER.pack(8, c.IPPROTO_IP, c.IP_PKTINFO) + bytes(8),
    "absurd length": HEADER.pack((1 << 64) - 1, c.IPPROTO_IP, c.IP_PKTINFO) + bytes(8),
    "unknown": cmsg(99, 99, bytes(8)),
    "short data": cmsg(c.IPPROTO_IP, c.IP_PKTINFO, bytes(4)),
}


@pytest.mark.parametrize("control", BAD_CONTROL.values(), ids=BAD_CONTROL)
def test_bad_control_data(net, control):
    a, b = net.udp(), net.udp()
    msg = outgoing(net, net.name(b), control=control)
    net.fails(ws.WSASendMsg(a, msg.addr, 0, ctypes.c_uint32(), None, None), WSA.WSAEINVAL)


def test_bad_messages_to_send(net):
    a, b = net.udp(), net.udp()
    n = ctypes.c_uint32()
    for ptr in (None, 0, 16, bytes(55), object()):
        net.fails(ws.WSASendMsg(a, ptr, 0, n, None, None), WSA.WSAEFAULT)
    net.fails(ws.WSASendMsg(a, outgoing(net, net.name(b)).addr, 0, None, None, None), WSA.WSAEFAULT)
    net.fails(ws.WSASendMsg(a, outgoing(net, net.name(b)).addr, 0x40, n, None, None), WSA.WSAEOPNOTSUPP)
