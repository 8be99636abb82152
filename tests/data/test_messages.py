"""Datagrams and raw packets: truncation, addresses, implicit names, ICMP errors."""

from __future__ import annotations

import ctypes
import socket
import struct

import pytest

import winsock.ws2_32 as ws
from winsock import mswsock
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.transports.host import HostSocket

UNMAPPED = 0x10


def address(name: bytes) -> tuple[str, int]:
    return socket.inet_ntoa(name[4:8]), int.from_bytes(name[2:4], "big")


@pytest.fixture
def pair(net):
    """A sender and a receiver, without peers."""
    return net.udp(), net.udp()


def sendto(net, s, data, name):
    net.ok(ws.sendto(s, data, len(data), 0, name, len(name)), len(data))


# -- receiving


@pytest.mark.parametrize("memory", ["bytearray", "ctypes", "address"])
@pytest.mark.parametrize("name_memory", ["bytearray", "ctypes", "address"])
def test_recvfrom_into_any_memory(net, pair, memory, name_memory):
    a, b = pair
    sendto(net, a, b"hello", net.name(b))
    kinds = {"bytearray": bytearray, "ctypes": ctypes.create_string_buffer}
    keep, keep_name = ctypes.create_string_buffer(8), ctypes.create_string_buffer(20)
    buf = kinds[memory](8) if memory in kinds else ctypes.addressof(keep)
    name = kinds[name_memory](20) if name_memory in kinds else ctypes.addressof(keep_name)
    n = ctypes.c_int32(20)
    net.ok(ws.recvfrom(b, buf, 8, 0, name, n), 5)
    assert bytes(keep if memory == "address" else buf) == b"hello\0\0\0"
    assert bytes(keep_name if name_memory == "address" else name) == net.name(a) + bytes(4)
    assert n.value == 16


def test_recvfrom_length_may_be_any_memory(net, pair):
    a, b = pair
    for n in (bytearray(b"\x10\0\0\0"), ctypes.create_string_buffer(b"\x10\0\0\0", 4), ctypes.c_uint32(16)):
        sendto(net, a, b"hello", net.name(b))
        name = bytearray(16)
        net.ok(ws.recvfrom(b, bytearray(8), 8, 0, name, n), 5)
        assert address(name) == address(net.name(a))


@pytest.mark.parametrize("names", [(None, None), (None, ctypes.c_int32(16)), (bytearray(16), None)])
def test_recvfrom_without_room_for_a_name(net, pair, names):
    a, b = pair
    sendto(net, a, b"hello", net.name(b))
    net.ok(ws.recvfrom(b, bytearray(8), 8, 0, *names), 5)


@pytest.mark.parametrize(
    "names",
    [
        (bytearray(16), ctypes.c_int32(15)),
        (bytearray(16), ctypes.c_int32(-1)),
        (bytearray(15), ctypes.c_int32(16)),
        (UNMAPPED, ctypes.c_int32(16)),
        (bytearray(16), UNMAPPED),
        (bytes(16), ctypes.c_int32(16)),
        (bytearray(16), b"\x10\0\0\0"),
        ("name", ctypes.c_int32(16)),
        (object(), object()),
    ],
)
@pytest.mark.parametrize("n", [8, 2])
def test_bad_room_for_a_name_loses_no_datagram(net, pair, names, n):
    a, b = pair
    sendto(net, a, b"hello", net.name(b))
    net.fails(ws.recvfrom(b, bytearray(8), n, 0, *names), WSA.WSAEFAULT)
    assert net.recv(b) == b"hello"


@pytest.mark.parametrize("buf", [None, UNMAPPED, -1, bytearray(3), bytes(8), 1.5, object()])
@pytest.mark.parametrize("call", ["recv", "recvfrom", "WSARecvEx"])
def test_bad_memory_loses_no_datagram(net, pair, buf, call):
    a, b = pair
    sendto(net, a, b"hello", net.name(b))
    if call == "recv":
        result = ws.recv(b, buf, 8, 0)
    elif call == "recvfrom":
        result = ws.recvfrom(b, buf, 8, 0, bytearray(16), ctypes.c_int32(16))
    else:
        result = mswsock.WSARecvEx(b, buf, 8, ctypes.c_int32(0))
    net.fails(result, WSA.WSAEFAULT)
    assert net.recv(b) == b"hello"


def test_memory_that_may_not_be_written_loses_no_datagram(net, pair):
    import mmap

    a, b = pair
    sendto(net, a, b"hello", net.name(b))
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    where = libc.mmap(None, 8192, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    net.fails(ws.recv(b, where, 8, 0), WSA.WSAEFAULT)
    assert net.recv(b) == b"hello"


@pytest.mark.parametrize("memory", ["bytearray", "address"])
@pytest.mark.parametrize("call", ["recv", "recvfrom"])
@pytest.mark.parametrize("flags", [0, c.MSG_PEEK])
def test_truncation_fills_the_buffer_and_fails(net, pair, memory, call, flags):
    a, b = pair
    sendto(net, a, b"hello world", net.name(b))
    sendto(net, a, b"next", net.name(b))
    keep = (ctypes.c_char * 8)()
    buf = bytearray(8) if memory == "bytearray" else ctypes.addressof(keep)
    name, n = bytearray(16), ctypes.c_int32(16)
    if call == "recv":
        net.fails(ws.recv(b, buf, 5, flags), WSA.WSAEMSGSIZE)
    else:
        net.fails(ws.recvfrom(b, buf, 5, flags, name, n), WSA.WSAEMSGSIZE)
        assert (address(name), n.value) == (address(net.name(a)), 16)
    assert bytes(keep if memory == "address" else buf) == b"hello\0\0\0"
    assert net.recv(b) == (b"hello world" if flags else b"next")


def test_no_room_at_all_truncates(net, pair):
    a, b = pair
    sendto(net, a, b"hello", net.name(b))
    net.fails(ws.recv(b, None, 0, 0), WSA.WSAEMSGSIZE)
    sendto(net, a, b"", net.name(b))
    net.ok(ws.recv(b, None, 0, 0), 0)
    net.fails(ws.recv(net.nonblocking(b), None, 0, 0), WSA.WSAEWOULDBLOCK)


def test_wsarecvex_tells_of_truncation_by_a_flag(net, pair):
    a, b = pair
    for data, expected in ((b"hello world", c.MSG_PARTIAL), (b"hello", 0)):
        sendto(net, a, data, net.name(b))
        flags, buf = ctypes.c_int32(0), bytearray(5)
        net.ok(mswsock.WSARecvEx(b, buf, 5, flags), 5)
        assert (buf, flags.value) == (b"hello", expected)


def test_wsarecvex_on_a_stream(net):
    a, b = net.pair()
    net.send(a, b"hello")
    flags = ctypes.c_int32(c.MSG_PEEK)
    net.ok(mswsock.WSARecvEx(b, bytearray(3), 3, flags), 3)
    assert flags.value == 0
    assert net.recv(b) == b"hello"
    net.fails(mswsock.WSARecvEx(b, bytearray(3), 3, None), WSA.WSAEFAULT)
    net.fails(mswsock.WSARecvEx(b, bytearray(3), 3, UNMAPPED), WSA.WSAEFAULT)


def test_a_socket_without_a_name_cannot_receive(net):
    s = net.socket(kind=c.SOCK_DGRAM)
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAEINVAL)
    net.fails(ws.recvfrom(s, bytearray(8), 8, 0, bytearray(16), ctypes.c_int32(16)), WSA.WSAEINVAL)


def test_nothing_there(net):
    s = net.nonblocking(net.udp())
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)
    net.fails(ws.recvfrom(s, bytearray(8), 8, 0, bytearray(16), ctypes.c_int32(16)), WSA.WSAEWOULDBLOCK)


def test_time_out(net):
    s = net.udp()
    net.option(s, c.SOL_SOCKET, c.SO_RCVTIMEO, 30)
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAETIMEDOUT)
    net.fails(ws.recvfrom(s, bytearray(8), 8, 0, bytearray(16), ctypes.c_int32(16)), WSA.WSAETIMEDOUT)


def test_oob_is_for_streams(net):
    a, b = net.udp_pair()
    net.fails(ws.send(a, bytes(8), 8, c.MSG_OOB), WSA.WSAEOPNOTSUPP)
    net.fails(ws.recv(b, bytearray(8), 8, c.MSG_OOB), WSA.WSAEOPNOTSUPP)


def test_shut_down(net):
    a, b = net.udp_pair()
    net.ok(ws.shutdown(a, c.SD_SEND))
    net.ok(ws.shutdown(b, c.SD_RECEIVE))
    net.fails(ws.send(a, bytes(8), 8, 0), WSA.WSAESHUTDOWN)
    net.fails(ws.sendto(a, bytes(8), 8, 0, net.name(b), 16), WSA.WSAESHUTDOWN)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAESHUTDOWN)


# -- sending


@pytest.mark.parametrize("name_memory", [bytes, bytearray, ctypes.create_string_buffer, "address", "long"])
def test_sendto_takes_any_memory(net, name_memory):
    a, b = net.udp(), net.udp()
    raw = net.name(b)
    keep = ctypes.create_string_buffer(raw, 16)
    if name_memory == "address":
        to, n = ctypes.addressof(keep), 16
    elif name_memory == "long":
        to, n = bytearray(raw + bytes(12)), 28
    elif name_memory is ctypes.create_string_buffer:
        to, n = keep, 16
    else:
        to, n = name_memory(raw), 16
    net.ok(ws.sendto(a, b"hello", 5, 0, to, n), 5)
    assert net.recv(b) == b"hello"


@pytest.mark.ipv6
def test_ipv6(net):
    a, b = net.udp(c.AF_INET6), net.udp(c.AF_INET6)
    to = net.name(b)
    net.ok(ws.sendto(a, b"hello", 5, 0, to, len(to)), 5)
    name, n = bytearray(28), ctypes.c_int32(28)
    net.ok(ws.recvfrom(b, bytearray(8), 8, 0, name, n), 5)
    assert (n.value, bytes(name)) == (28, net.name(a))
    net.fails(ws.recvfrom(b, bytearray(8), 8, 0, bytearray(28), ctypes.c_int32(16)), WSA.WSAEFAULT)


def test_sendto_gives_a_name(net):
    b = net.udp()
    a = net.socket(kind=c.SOCK_DGRAM)
    net.fails(ws.getsockname(a, bytearray(16), ctypes.c_int32(16)), WSA.WSAEINVAL)
    sendto(net, a, b"hello", net.name(b))
    assert address(net.name(a))[1] != 0
    name = bytearray(16)
    net.ok(ws.recvfrom(b, bytearray(8), 8, 0, name, ctypes.c_int32(16)), 5)
    assert address(name)[1] == address(net.name(a))[1]


def test_send_needs_a_peer(net):
    for s in (net.udp(), net.socket(kind=c.SOCK_DGRAM)):
        net.fails(ws.send(s, b"hello", 5, 0), WSA.WSAENOTCONN)
        net.fails(ws.sendto(s, b"hello", 5, 0, None, 0), WSA.WSAENOTCONN)


def test_sendto_overrides_the_peer_once(net):
    a, b = net.udp_pair()
    other = net.udp()
    sendto(net, a, b"aside", net.name(other))
    net.send(a, b"hello")
    assert (net.recv(other), net.recv(b)) == (b"aside", b"hello")


def test_empty_datagram(net):
    a, b = net.udp_pair()
    net.ok(ws.send(a, None, 0, 0), 0)
    net.ok(ws.recv(b, bytearray(8), 8, 0), 0)


def test_oversized(net):
    a, b = net.udp_pair()
    net.fails(ws.send(a, bytes(65508), 65508, 0), WSA.WSAEMSGSIZE)
    net.fails(ws.sendto(a, bytes(1 << 20), 1 << 20, 0, net.name(b), 16), WSA.WSAEMSGSIZE)
    net.send(a, b"fits")
    assert net.recv(b) == b"fits"


BAD_NAMES = {
    "any host": (struct.pack("<H", c.AF_INET) + b"\0\x50" + bytes(12), 16, WSA.WSAEADDRNOTAVAIL),
    "port 0": (struct.pack("<H", c.AF_INET) + b"\0\0\x7f\0\0\1" + bytes(8), 16, WSA.WSAEADDRNOTAVAIL),
    "another family": (struct.pack("<H", c.AF_INET6) + bytes(26), 28, WSA.WSAEAFNOSUPPORT),
    "no family": (bytes(16), 16, WSA.WSAEAFNOSUPPORT),
    "short": (struct.pack("<H", c.AF_INET) + bytes(13), 15, WSA.WSAEFAULT),
    "negative": (bytes(16), -1, WSA.WSAEFAULT),
    "unmapped": (UNMAPPED, 16, WSA.WSAEFAULT),
    "short memory": (b"\2\0\0\1", 16, WSA.WSAEFAULT),
}


@pytest.mark.parametrize(("to", "n", "code"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_bad_names(net, to, n, code):
    net.fails(ws.sendto(net.udp(), b"hello", 5, 0, to, n), code)


def test_broadcast_needs_the_option(net):
    s = net.socket(kind=c.SOCK_DGRAM)
    to = struct.pack("<H", c.AF_INET) + b"\x23\x28" + b"\xff" * 4 + bytes(8)
    net.fails(ws.sendto(s, b"hello", 5, 0, to, 16), WSA.WSAEACCES)


# -- ICMP errors


def unreachable(net, s, to):
    """Send to a port where nobody is, and wait until the answer has come."""
    sendto(net, s, b"hello", to)
    ep = net.endpoint(s)
    from winsock.nt import current

    assert ep.network.wait(current(), [(ep.transport, 0)], 5000)


@pytest.mark.parametrize("family", [c.AF_INET, pytest.param(c.AF_INET6, marks=pytest.mark.ipv6)])
@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("call", ["recv", "recvfrom"])
def test_unreachable_port_is_told_to_the_next_receive(net, family, connected, call):
    s, other = net.udp(family), net.udp(family)
    to = net.name(other)
    net.ok(ws.closesocket(other))
    if connected:
        net.ok(ws.connect(s, to, len(to)))
    unreachable(net, s, to)
    net.nonblocking(s)
    name, n = bytearray(28), ctypes.c_int32(28)
    for code in (WSA.WSAECONNRESET, WSA.WSAEWOULDBLOCK):
        if call == "recv":
            net.fails(ws.recv(s, bytearray(8), 8, 0), code)
        else:
            net.fails(ws.recvfrom(s, bytearray(8), 8, 0, name, n), code)


def test_unreachable_port_of_ipv4_on_a_dual_stack_socket(net):
    s = net.socket(c.AF_INET6, c.SOCK_DGRAM)
    net.option(s, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0)
    net.ok(ws.bind(s, struct.pack("<H26x", c.AF_INET6), 28))
    mapped = struct.pack("<H", c.AF_INET6) + net.closed_port()[2:4] + bytes(14) + b"\xff\xff\x7f\0\0\1" + bytes(4)
    unreachable(net, s, mapped)
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAECONNRESET)


def test_each_unreachable_port_is_told(net):
    s, to = net.udp(), net.closed_port()
    for _ in range(3):
        unreachable(net, s, to)
    net.nonblocking(s)
    for _ in range(3):
        net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAECONNRESET)
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)


def test_sends_never_tell_of_earlier_datagrams(net):
    s, to, b = net.udp(), net.closed_port(), net.udp()
    unreachable(net, s, to)
    sendto(net, s, b"hello", net.name(b))
    assert net.recv(b) == b"hello"
    net.ok(ws.connect(s, to, 16))
    for _ in range(3):
        net.send(s, b"hello")
    net.fails(ws.recv(net.nonblocking(s), bytearray(8), 8, 0), WSA.WSAECONNRESET)


def test_unreachable_port_ends_a_blocking_receive(net):
    s, to = net.udp(), net.closed_port()
    receiving = net.run(ws.recv, s, bytearray(8), 8, 0)
    net.blocked(s)
    sendto(net, s, b"hello", to)
    assert receiving.result(60) == (-1, WSA.WSAECONNRESET)


def test_the_socket_works_on(net):
    s, to, b = net.udp(), net.closed_port(), net.udp()
    unreachable(net, s, to)
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAECONNRESET)
    sendto(net, b, b"hello", net.name(s))
    assert net.recv(s) == b"hello"


@pytest.mark.parametrize("blocking", [True, False])
def test_sio_udp_connreset_off(net, blocking):
    s, to, b = net.udp(), net.closed_port(), net.udp()
    net.ok(ws.WSAIoctl(s, c.SIO_UDP_CONNRESET, ctypes.c_uint32(0), 4, None, 0, ctypes.c_uint32(), None, None))
    unreachable(net, s, to)
    if not blocking:
        net.fails(ws.recv(net.nonblocking(s), bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)
    sendto(net, b, b"hello", net.name(s))
    assert net.recv(s) == b"hello"


@pytest.mark.parametrize(
    ("family", "origin", "kind", "code", "expected"),
    [
        (c.AF_INET, 2, 11, 0, WSA.WSAENETRESET),  # time to live exceeded
        (c.AF_INET6, 3, 3, 0, WSA.WSAENETRESET),
        (c.AF_INET, 2, 3, 2, WSA.WSAECONNRESET),  # protocol unreachable
        (c.AF_INET, 2, 3, 1, None),  # host unreachable: nothing that Windows tells
    ],
)
def test_other_icmp_errors(net, family, origin, kind, code, expected):
    """No router is at hand, so the kernel's note about its answer is written by hand."""
    note = struct.pack("=I4B2I", 113, origin, kind, code, 0, 0, 0)

    class Noted(HostSocket):
        __slots__ = ("errors_waiting", "notes")

        def recvmsg(self, *args):
            return 0, [(0, 11, self.notes.pop())], 0, None

    noted = Noted.create(family, c.SOCK_DGRAM, 0)
    noted.notes = [note]
    if expected is None:
        with pytest.raises(IndexError):  # it looks for the next note
            noted.receive_failed(OSError(113, "no route"))
    else:
        with pytest.raises(WinsockError) as raised:
            noted.receive_failed(OSError(113, "no route"))
        assert raised.value.code == expected
    noted.close()


# -- raw sockets


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_raw_icmp_comes_with_its_ip_header(net):
    s = ws.socket(c.AF_INET, c.SOCK_RAW, c.IPPROTO_ICMP)
    if s >= 1 << 32:
        assert ws.WSAGetLastError() == WSA.WSAEACCES
        pytest.skip("raw sockets are not permitted here")
    echo = struct.pack(">BBHHH", 8, 0, 0, 0x1234, 1) + b"data"
    echo = echo[:2] + struct.pack(">H", checksum(echo)) + echo[4:]
    net.ok(ws.sendto(s, echo, len(echo), 0, net.LOOPBACK, 16), len(echo))
    while True:
        packet = net.recv(s, 256)
        if packet[20] == 0 and packet[24:26] == b"\x12\x34":
            break
    assert (packet[0], packet[9], packet[28:]) == (0x45, c.IPPROTO_ICMP, b"data")
    net.ok(ws.sendto(s, echo, len(echo), 0, net.LOOPBACK, 16), len(echo))
    net.fails(ws.recv(s, bytearray(31), 31, 0), WSA.WSAEMSGSIZE)
