"""Control codes: every row of their table, and what the codes do."""

from __future__ import annotations

import ctypes
import socket as linux
import struct
import threading

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._controls import BY_CODE, CONTROLS, SOCKETS_ONLY
from winsock.abi._guids import WSAID
from winsock.abi._options import Fidelity
from winsock.afd import _connection
from winsock.codes import WSA

KINDS = [
    (c.AF_INET, c.SOCK_STREAM),
    (c.AF_INET, c.SOCK_DGRAM),
    (c.AF_INET6, c.SOCK_STREAM),
    (c.AF_INET6, c.SOCK_DGRAM),
    (c.AF_UNIX, c.SOCK_STREAM),
]
LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")
LOOPBACK6 = struct.pack("<H6x16s4x", c.AF_INET6, bytes(15) + b"\x01")
UNTOUCHED = 0xEEEEEEEE
EXTENSION = c.SIO_GET_EXTENSION_FUNCTION_POINTER
LIVING = [r for r in CONTROLS if not r.refusal]


def every(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda r: r.label)


def socket_for(lab, row) -> int:
    for family, kind in KINDS:
        if kind in row.types and family in row.families:
            return lab.socket(family, kind)
    raise AssertionError(f"no socket has {row.label}")


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def sin(host: str, port: int = 0) -> bytes:
    return struct.pack("<H", c.AF_INET) + struct.pack(">H", port) + linux.inet_aton(host) + bytes(8)


# -- the table


def test_every_code_stands_once():
    assert len(BY_CODE) == len(CONTROLS)


@every(CONTROLS)
def test_tags_say_what_they_must(row):
    assert (row.fidelity is Fidelity.REFUSED) == bool(row.refusal)
    assert row.note or row.fidelity is Fidelity.EXACT
    assert row.elsewhere in WSA.__members__
    assert not row.refusal or row.refusal in WSA.__members__


@every([r for r in CONTROLS if r.refusal])
def test_refused_codes(lab, row):
    for kind in (c.SOCK_STREAM, c.SOCK_DGRAM):
        result, _, count = lab.ioctl(lab.socket(c.AF_INET, kind), row.code, bytes(64), 64)
        lab.fails(result, WSA[row.refusal])
        assert count == 0


@every(LIVING)
def test_sockets_that_do_not_have_it(lab, row):
    for family, kind in KINDS:
        if kind not in row.types or family not in row.families:
            result, _, count = lab.ioctl(lab.socket(family, kind), row.code, bytes(64), 64)
            lab.fails(result, WSA[row.elsewhere])
            assert count == 0


@every([r for r in LIVING if r.takes])
def test_too_little_input(lab, row):
    s = socket_for(lab, row)
    room = row.gives or None
    for data in (None, b"", bytes(row.takes - 1)):
        result, _, count = lab.ioctl(s, row.code, data, room)
        lab.fails(result, WSA.WSAEFAULT)
        assert count == 0


@every([r for r in LIVING if r.gives])
def test_too_little_room(lab, row):
    s = socket_for(lab, row)
    for room in (None, 0, row.gives - 1):
        result, out, count = lab.ioctl(s, row.code, bytes(row.takes), room)
        lab.fails(result, WSA.WSAEFAULT)
        assert count == (UNTOUCHED if row.silent else 0)
        assert not any(out)


@every(CONTROLS)
def test_nowhere_to_put_the_count(lab, row):
    s = socket_for(lab, row)
    room = ctypes.create_string_buffer(64)
    lab.fails(ws.WSAIoctl(s, row.code, bytes(64), 64, room, 64, None, None, None), WSA.WSAEFAULT)
    lab.fails(ws.WSAIoctl(s, row.code, bytes(64), 64, room, 64, 1, None, None), WSA.WSAEFAULT)


@pytest.mark.parametrize("code", [0, 0x667E, 0xDEADBEEF, -1, 1 << 40])
def test_unknown_codes(lab, code):
    result, _, count = lab.ioctl(lab.socket(), code)
    lab.fails(result, WSA.WSAEOPNOTSUPP)
    assert count == 0


@every([r for r in CONTROLS if r.code not in SOCKETS_ONLY])
def test_ioctlsocket_has_three_commands_only(lab, row):
    lab.fails(ws.ioctlsocket(lab.socket(), row.code, ctypes.c_uint()), WSA.WSAEOPNOTSUPP)


@every([r for r in LIVING if r.fidelity is Fidelity.STORED])
def test_stored_codes_succeed(lab, row):
    assert lab.control(socket_for(lab, row), row.code, bytes(8)) == b""


# -- blocking mode, data that waits


def test_blocking_mode(lab):
    _, b = lab.pair()
    lab.ok(ws.ioctlsocket(b, c.FIONBIO, ctypes.c_uint(5)))
    lab.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)
    lab.control(b, c.FIONBIO, u32(0))
    assert not lab.endpoint(b).nonblocking
    lab.ok(ws.ioctlsocket(b, struct.unpack("<i", u32(c.FIONBIO))[0], bytearray(u32(1))))  # a signed long
    assert lab.endpoint(b).nonblocking


def test_bytes_that_wait(lab):
    a, b = lab.pair()
    n = ctypes.c_uint(99)
    lab.ok(ws.ioctlsocket(b, c.FIONREAD, n))
    assert n.value == 0
    lab.ok(ws.send(a, bytes(777), 777, 0), 777)
    lab.await_readable(b)
    lab.ok(ws.ioctlsocket(b, c.FIONREAD, n))
    assert n.value == 777
    assert lab.control(b, c.FIONREAD, None, 4) == u32(777)


def test_datagram_that_waits(lab):
    a, b = lab.bound(c.SOCK_DGRAM), lab.bound(c.SOCK_DGRAM)
    lab.ok(ws.sendto(a, bytes(33), 33, 0, lab.name(b), 16), 33)
    lab.await_readable(b)
    assert lab.control(b, c.FIONREAD, None, 4) == u32(33)


@pytest.mark.parametrize("make", ["socket", "bound", "listener"])
def test_nothing_waits_before_a_connection(lab, make):
    s = getattr(lab, make)()
    assert lab.control(s, c.FIONREAD, None, 4) == u32(0)
    assert lab.control(s, c.SIOCATMARK, None, 4) == u32(1)


def test_urgent_byte_waits_at_the_mark(lab):
    a, b = lab.pair()
    assert lab.control(b, c.SIOCATMARK, None, 4) == u32(1)
    lab.ok(ws.send(a, b"!", 1, c.MSG_OOB), 1)
    lab.ok(ws.recv(b, bytearray(1), 1, c.MSG_OOB | c.MSG_PEEK), 1)
    assert lab.control(b, c.SIOCATMARK, None, 4) == u32(0)


# -- TCP


def test_keepalive_values(lab):
    s = lab.socket()
    lab.control(s, c.SIO_KEEPALIVE_VALS, struct.pack("<3I", 1, 61_001, 2_000))
    assert lab.value(s, c.SOL_SOCKET, c.SO_KEEPALIVE) == 1
    assert lab.value(s, c.IPPROTO_TCP, c.TCP_KEEPIDLE) == 62
    assert lab.kernel(s, linux.IPPROTO_TCP, linux.TCP_KEEPINTVL) == 2
    lab.control(s, c.SIO_KEEPALIVE_VALS, bytes(12))
    assert lab.kernel(s, linux.SOL_SOCKET, linux.SO_KEEPALIVE) == 0


def test_ideal_backlog_needs_a_connection(lab):
    lab.fails(lab.ioctl(lab.bound(), c.SIO_IDEAL_SEND_BACKLOG_QUERY, None, 4)[0], WSA.WSAENOTCONN)
    assert lab.control(lab.pair()[0], c.SIO_IDEAL_SEND_BACKLOG_QUERY, None, 4) == u32(65536)


@pytest.mark.parametrize(("version", "size"), [(0, 88), (1, 136)])
def test_tcp_info(lab, version, size):
    a, b = lab.pair()
    lab.ok(ws.send(a, bytes(5000), 5000, 0), 5000)
    got = 0
    while got < 5000:
        lab.await_readable(b)
        got += ws.recv(b, bytearray(5000), 5000, 0)
    info = lab.control(a, c.SIO_TCP_INFO, u32(version), 200)
    assert len(info) == size
    state, mss, ms = struct.unpack_from("<IIQ", info)
    out, _ = struct.unpack_from("<QQ", info, 48)
    assert (state, out) == (4, 5000)  # TCPSTATE_ESTABLISHED
    assert mss > 500
    assert ms < 60_000
    assert struct.unpack_from("<Q", lab.control(b, c.SIO_TCP_INFO, u32(version), 200), 56) == (5000,)


def test_tcp_info_of_other_states(lab):
    assert lab.control(lab.socket(), c.SIO_TCP_INFO, u32(0), 88)[:4] == u32(0)
    assert lab.control(lab.listener(), c.SIO_TCP_INFO, u32(0), 88)[:4] == u32(1)


@pytest.mark.parametrize(
    ("data", "room", "code"),
    [
        (None, 88, WSA.WSAEMSGSIZE),
        (b"\0\0", 88, WSA.WSAEMSGSIZE),
        (bytes(8), 88, WSA.WSAEMSGSIZE),
        (u32(2), 200, WSA.WSAEINVAL),
        (u32(0), 87, WSA.WSAEFAULT),
        (u32(0), None, WSA.WSAEFAULT),
    ],
)
def test_tcp_info_refused(lab, data, room, code):
    lab.fails(lab.ioctl(lab.socket(), c.SIO_TCP_INFO, data, room)[0], code)


def test_initial_rto_comes_before_connecting(lab):
    lab.fails(lab.ioctl(lab.pair()[0], c.SIO_TCP_INITIAL_RTO, bytes(4))[0], WSA.WSAEINVAL)


RTO = [(3000, 2, 21_000), (0, 0, 21_000), (0xFFFF, 0xFF, 21_000), (500, 0xFF, 3500), (500, 1, 1500), (500, 0xFE, 500),
       (65534, 0xFD, 0x7FFFFFFF)]  # fmt: skip


@pytest.mark.parametrize(("rtt", "count", "ms"), RTO)
def test_initial_rto_says_how_long_a_connect_may_take(lab, rtt, count, ms):
    s = lab.socket()
    lab.control(s, c.SIO_TCP_INITIAL_RTO, struct.pack("<HBx", rtt, count))
    assert _connection.connect_timeout(lab.endpoint(s)) == ms


def test_initial_rto_ends_a_connect_that_nobody_answers(lab):
    with linux.socket() as full, linux.socket() as first, linux.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in first, second:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        s = lab.socket()
        lab.control(s, c.SIO_TCP_INITIAL_RTO, struct.pack("<HBx", 10, 1))
        code = lab.endpoint(s).transport.getsockopt(linux.IPPROTO_TCP, linux.TCP_SYNCNT)
        assert code == 1, "sockets that don't block give up when the kernel does"
        lab.fails(ws.connect(s, sin("127.0.0.1", full.getsockname()[1]), 16), WSA.WSAETIMEDOUT)


def test_the_ideal_backlog_never_changes(lab):
    lab.fails(lab.ioctl(lab.socket(), c.SIO_IDEAL_SEND_BACKLOG_CHANGE)[0], WSA.WSAENOTCONN)
    s, _ = lab.pair()
    waiting = Waiting(lab, s, c.SIO_IDEAL_SEND_BACKLOG_CHANGE, None)
    lab.ok(ws.closesocket(s))
    assert waiting.ended() == (-1, WSA.WSAEINTR)
    s, _ = lab.pair()
    lab.control(s, c.FIONBIO, u32(1))
    lab.fails(lab.ioctl(s, c.SIO_IDEAL_SEND_BACKLOG_CHANGE)[0], WSA.WSAEWOULDBLOCK)


def test_cpu_affinity_comes_before_bind(lab):
    lab.control(lab.socket(c.AF_INET, c.SOCK_DGRAM), c.SIO_CPU_AFFINITY, bytes(2))
    lab.fails(lab.ioctl(lab.bound(c.SOCK_DGRAM), c.SIO_CPU_AFFINITY, bytes(2))[0], WSA.WSAEINVAL)


# -- datagrams


@pytest.mark.parametrize("report", [True, False])
def test_unreachable_port_is_reported_unless_switched_off(lab, report):
    s, gone = lab.bound(c.SOCK_DGRAM), lab.bound(c.SOCK_DGRAM)
    nobody = lab.name(gone)
    lab.ok(ws.closesocket(gone))
    lab.control(s, c.SIO_UDP_CONNRESET, u32(report))
    lab.ok(ws.sendto(s, b"x", 1, 0, nobody, 16), 1)
    lab.ok(ws.sendto(s, b"self", 4, 0, lab.name(s), 16), 4)
    buf = bytearray(8)
    if report:
        lab.fails(ws.recv(s, buf, 8, 0), WSA.WSAECONNRESET)
    lab.ok(ws.recv(s, buf, 8, 0), 4)


@pytest.mark.parametrize("family", [c.AF_INET, c.AF_INET6])
def test_multicast_codes_are_options(lab, family):
    s = lab.socket(family, c.SOCK_DGRAM)
    level = c.IPPROTO_IP if family == c.AF_INET else c.IPPROTO_IPV6
    lab.control(s, c.SIO_MULTICAST_SCOPE, u32(5))
    assert lab.value(s, level, c.IP_MULTICAST_TTL) == 5
    lab.control(s, c.SIO_MULTIPOINT_LOOPBACK, u32(0))
    assert lab.value(s, level, c.IP_MULTICAST_LOOP) == 0
    lab.fails(lab.ioctl(s, c.SIO_MULTICAST_SCOPE, u32(256))[0], WSA.WSAEINVAL)


# -- handles, functions


@pytest.mark.parametrize(
    "code", [c.SIO_BASE_HANDLE, c.SIO_BSP_HANDLE, c.SIO_BSP_HANDLE_SELECT, c.SIO_BSP_HANDLE_POLL]
)
def test_base_handle(lab, code):
    s = lab.socket()
    assert lab.control(s, code, None, 8) == s.to_bytes(8, "little")


def pointer(lab, s: int, name: str) -> int:
    return int.from_bytes(lab.control(s, EXTENSION, WSAID[name].bytes_le, 8), "little")


def test_functions_that_work(lab):
    s = lab.socket(c.AF_INET, c.SOCK_DGRAM)
    for name in ("WSARecvMsg", "WSASendMsg", "WSAPoll"):
        address = pointer(lab, s, name)
        assert address == pointer(lab, lab.socket(), name)
        assert winsock.function(address).__name__ == name


def test_functions_refuse_what_is_no_socket(lab):
    ov, nobody = ctypes.create_string_buffer(32), (1 << 64) - 1
    calls = {
        "AcceptEx": (nobody, nobody, bytearray(64), 0, 32, 32, None, ov),
        "ConnectEx": (nobody, LOOPBACK, 16, None, 0, None, ov),
        "DisconnectEx": (nobody, ov, 0, 0),
        "TransmitFile": (nobody, 0, 0, 0, None, None, 0),
        "TransmitPackets": (nobody, None, 0, 0, None, 0),
    }
    for name, args in calls.items():
        lab.fails(winsock.function(pointer(lab, lab.socket(), name))(*args), WSA.WSAENOTSOCK, 0)


REFUSED = {
    "AcceptEx without OVERLAPPED": ("AcceptEx", "L S buf 0 32 32 n 0", c.ERROR_INVALID_PARAMETER),
    "AcceptEx on a socket that does not listen": ("AcceptEx", "B S buf 0 32 32 n ov", WSA.WSAEINVAL),
    "AcceptEx into a bound socket": ("AcceptEx", "L B buf 0 32 32 n ov", WSA.WSAEINVAL),
    "AcceptEx without buffer": ("AcceptEx", "L S 0 16 32 32 n ov", WSA.WSAEFAULT),
    "ConnectEx of an unbound socket": ("ConnectEx", "S to 16 0 0 0 ov", WSA.WSAEINVAL),
    "ConnectEx of a connected socket": ("ConnectEx", "C to 16 0 0 0 ov", WSA.WSAEISCONN),
    "ConnectEx with half an address": ("ConnectEx", "B to 8 0 0 0 ov", WSA.WSAEFAULT),
    "DisconnectEx of an unconnected socket": ("DisconnectEx", "B ov 0 0", WSA.WSAENOTCONN),
    "DisconnectEx with an unknown flag": ("DisconnectEx", "C ov 1 0", WSA.WSAEINVAL),
    "TransmitFile on an unconnected socket": ("TransmitFile", "B 0 0 0 0 0 0", WSA.WSAENOTCONN),
    "TransmitFile reusing without disconnecting": ("TransmitFile", "C 0 0 0 0 0 2", WSA.WSAEINVAL),
    "TransmitPackets on an unconnected socket": ("TransmitPackets", "B 0 0 0 0 0", WSA.WSAENOTCONN),
}


@pytest.mark.parametrize(("name", "arguments", "code"), REFUSED.values(), ids=REFUSED)
def test_functions_check_their_arguments(lab, name, arguments, code):
    things = {
        "L": lab.listener(),
        "S": lab.socket(),
        "B": lab.bound(),
        "C": lab.pair()[0],
        "buf": ctypes.create_string_buffer(256),
        "n": ctypes.c_uint(),
        "ov": ctypes.create_string_buffer(32),
        "to": LOOPBACK,
    }
    pointers = {"AcceptEx": (2, 7), "ConnectEx": (3, 5), "TransmitFile": (4, 5), "TransmitPackets": (1, 4)}
    args = [things.get(a, a) for a in arguments.split()]
    args = [int(a) if isinstance(a, str) else a for a in args]
    for i in pointers.get(name, ()):
        args[i] = None if args[i] == 0 and isinstance(args[i], int) else args[i]
    call = winsock.function(pointer(lab, things["S"], name))
    lab.fails(call(*args), code, 0)


def test_functions_that_there_are_none_for(lab):
    result, out, count = lab.ioctl(lab.socket(), EXTENSION, bytes(16), 8)
    lab.fails(result, WSA.WSAEINVAL)
    assert (out, count) == (bytes(8), UNTOUCHED)


# -- addresses and routes


def test_route_to_loopback(lab):
    s = lab.socket(c.AF_INET, c.SOCK_DGRAM)
    assert lab.control(s, c.SIO_ROUTING_INTERFACE_QUERY, sin("127.9.9.9", 80), 16) == LOOPBACK


@pytest.mark.ipv6
def test_route_to_loopback_of_ipv6(lab):
    s = lab.socket(c.AF_INET6, c.SOCK_DGRAM)
    assert lab.control(s, c.SIO_ROUTING_INTERFACE_QUERY, LOOPBACK6, 28) == LOOPBACK6


@pytest.mark.parametrize(
    ("data", "room", "code", "count"),
    [
        (sin("127.0.0.1"), 15, WSA.WSAEFAULT, 16),
        (sin("127.0.0.1"), None, WSA.WSAEFAULT, UNTOUCHED),
        (sin("127.0.0.1")[:15], 16, WSA.WSAEFAULT, 0),
        (None, 16, WSA.WSAEFAULT, 0),
        (LOOPBACK6, 28, WSA.WSAEAFNOSUPPORT, 0),
    ],
)
def test_route_refused(lab, data, room, code, count):
    result, _, got = lab.ioctl(lab.socket(), c.SIO_ROUTING_INTERFACE_QUERY, data, room)
    lab.fails(result, code)
    assert got == count


def addresses(out: ctypes.Array, size: int) -> list[bytes]:
    """The addresses of a SOCKET_ADDRESS_LIST, through its pointers; they lie behind the array."""
    (count,) = struct.unpack_from("<i", out.raw)
    found, at = [], ctypes.addressof(out) + 8 + 16 * count
    for i in range(count):
        where, n = struct.unpack_from("<Qi", out.raw, 8 + 16 * i)
        assert where == at
        at += n
        found.append(ctypes.string_at(where, n))
    assert at == ctypes.addressof(out) + size
    return found


@pytest.mark.parametrize("family", [c.AF_INET, pytest.param(c.AF_INET6, marks=pytest.mark.ipv6)])
def test_every_listed_address_can_be_bound(lab, family):
    s = lab.socket(family)
    out, count = ctypes.create_string_buffer(4096), ctypes.c_uint()
    lab.ok(ws.WSAIoctl(s, c.SIO_ADDRESS_LIST_QUERY, None, 0, out, 4096, count, None, None))
    found = addresses(out, count.value)
    assert found
    for address in found:
        lab.ok(ws.bind(lab.socket(family), address, len(address)))


def test_address_list_that_does_not_fit(lab):
    s = lab.socket()
    size = len(lab.control(s, c.SIO_ADDRESS_LIST_QUERY, None, 4096))
    for room, code, count in (
        (None, WSA.WSAEFAULT, size),
        (0, WSA.WSAEFAULT, size),
        (7, WSA.WSAEINVAL, 0),
        (8, WSA.WSAEFAULT, size),
        (size - 1, WSA.WSAEFAULT, size),
    ):
        result, out, got = lab.ioctl(s, c.SIO_ADDRESS_LIST_QUERY, None, room)
        lab.fails(result, code)
        assert got == count
        assert not any(out)


def sin6(text: str) -> bytes:
    return struct.pack("<H6x16s4x", c.AF_INET6, linux.inet_pton(linux.AF_INET6, text))


def test_addresses_are_sorted_in_place(lab):
    given = [sin6("fc00::1"), sin6("2001:db8::1"), sin6("::ffff:10.0.0.1"), sin6("::1"), sin6("2002::1")]
    parts = [ctypes.create_string_buffer(a, len(a)) for a in given]
    buf = ctypes.create_string_buffer(1024)
    struct.pack_into("<i", buf, 0, len(parts))
    for i, part in enumerate(parts):
        struct.pack_into("<Qi", buf, 8 + 16 * i, ctypes.addressof(part), len(part))
    count = ctypes.c_uint()
    s = lab.socket(c.AF_INET6)
    lab.ok(ws.WSAIoctl(s, c.SIO_ADDRESS_LIST_SORT, buf, 8 + 16 * len(parts), buf, 1024, count, None, None))
    assert addresses(buf, count.value) == [given[i] for i in (3, 1, 2, 4, 0)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, WSA.WSAEFAULT),
        (bytes(7), WSA.WSAEFAULT),
        (struct.pack("<i4x", 1), WSA.WSAEFAULT),
        (struct.pack("<i4x", -1), WSA.WSAEFAULT),
        (struct.pack("<i4xQi4x", 1, 1, 16), WSA.WSAEFAULT),
        (struct.pack("<i4xQi4x", 1, 1, 1 << 30), WSA.WSAEINVAL),
        (struct.pack("<i4xQi4x", 1, 0, 0), WSA.WSAEINVAL),
    ],
    ids=["NULL", "no header", "no entry", "negative", "bad pointer", "absurd length", "empty address"],
)
def test_nonsense_is_not_sorted(lab, data, code):
    lab.fails(lab.ioctl(lab.socket(), c.SIO_ADDRESS_LIST_SORT, data, 512)[0], code)


def test_interface_list_has_loopback(lab):
    data = lab.control(lab.socket(), c.SIO_GET_INTERFACE_LIST, None, 76 * 64)
    rows = {data[i + 4 : i + 20]: data[i : i + 76] for i in range(0, len(data), 76)}
    flags, _, broadcast, mask = struct.unpack("<I24s24s24s", rows[LOOPBACK])
    assert flags & (c.IFF_UP | c.IFF_LOOPBACK) == c.IFF_UP | c.IFF_LOOPBACK
    assert broadcast[:16] == sin("255.255.255.255")
    assert mask[:16] == sin("255.0.0.0")
    result, _, count = lab.ioctl(lab.socket(), c.SIO_GET_INTERFACE_LIST, None, 75)
    lab.fails(result, WSA.WSAEFAULT)
    assert count == 0


def test_broadcast_address(lab):
    assert lab.control(lab.socket(), c.SIO_GET_BROADCAST_ADDRESS, None, 16) == sin("255.255.255.255")


def test_no_receive_side_scaling(lab):
    assert lab.control(lab.socket(), c.SIO_QUERY_RSS_SCALABILITY_INFO, None, 1) == b"\0"
    lab.fails(lab.ioctl(lab.socket(), c.SIO_QUERY_RSS_SCALABILITY_INFO, None, None)[0], WSA.WSAEINVAL)


CHANGES = [(c.SIO_ADDRESS_LIST_CHANGE, None), (c.SIO_ROUTING_INTERFACE_CHANGE, LOOPBACK)]


@pytest.mark.parametrize(("code", "data"), CHANGES, ids=["addresses", "routes"])
def test_a_change_would_block(lab, code, data):
    s = lab.bound()
    lab.control(s, c.FIONBIO, u32(1))
    lab.fails(lab.ioctl(s, code, data)[0], WSA.WSAEWOULDBLOCK)


class Waiting(threading.Thread):
    """WSAIoctl on another thread of the process."""

    def __init__(self, lab, s: int, code: int, data: bytes | None) -> None:
        super().__init__()
        self.lab, self.args, self.outcome = lab, (s, code, data), None
        self.start()
        ep, pause = lab.endpoint(s), threading.Event()
        while not ep.waiters:
            pause.wait(0.001)

    def run(self):
        with self.lab.process.attached():
            self.outcome = self.lab.ioctl(*self.args)[0], ws.WSAGetLastError()

    def ended(self):
        self.join(60)
        return self.outcome


@pytest.mark.parametrize(("code", "data"), CHANGES, ids=["addresses", "routes"])
def test_closing_ends_the_wait_for_a_change(lab, code, data):
    s = lab.bound()
    waiting = Waiting(lab, s, code, data)
    lab.ok(ws.closesocket(s))
    assert waiting.ended() == (-1, WSA.WSAEINTR)


def test_a_change_ends_the_wait(lab, monkeypatch):
    here, there = linux.socketpair()
    s = lab.bound()
    network = lab.endpoint(s).network
    asked = []

    def changes(family, routes):
        asked.append((family, routes))
        return there

    monkeypatch.setattr(type(network), "changes", staticmethod(changes))
    with here:
        waiting = Waiting(lab, s, c.SIO_ADDRESS_LIST_CHANGE, None)
        here.send(b"x")
        assert waiting.ended() == (0, 0)
    assert asked == [(c.AF_INET, False)]
    assert there.fileno() == -1, "the watch is closed"


def test_the_kernel_can_be_asked_for_changes(lab):
    network = lab.endpoint(lab.socket()).network
    for family in (c.AF_INET, c.AF_INET6):
        for routes in (False, True):
            with network.changes(family, routes) as watch, pytest.raises(BlockingIOError):
                watch.recv(1)
