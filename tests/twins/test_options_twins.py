"""getsockopt, setsockopt, ioctlsocket, WSAIoctl."""

import struct

import pytest
from arms import FAILED, NO_SOCKET, i32, sin

from winsock.abi import _constants as c
from winsock.codes import WSA

SOL, IP, IPV6, TCP = c.SOL_SOCKET, c.IPPROTO_IP, c.IPPROTO_IPV6, c.IPPROTO_TCP
STREAM, DATAGRAM = c.SOCK_STREAM, c.SOCK_DGRAM
FAULT, NOBUFS, INVAL, NOPROTOOPT = WSA.WSAEFAULT, WSA.WSAENOBUFS, WSA.WSAEINVAL, WSA.WSAENOPROTOOPT


def opened(kit, kind):
    return kit.tcp() if kind == STREAM else kit.udp()


def put(ws, s, level, name, value, size=4):
    return ws.setsockopt(s, level, name, struct.pack("<Q", value), size).error


def get(ws, s, level, name, size=4):
    """Error, the buffer's first four bytes (0xdeadbeef before) as a number, the length."""
    data, n = bytearray(struct.pack("<I", 0xDEADBEEF) * 2), i32(size)
    r = ws.getsockopt(s, level, name, data, n)
    assert r.ret == (FAILED if r.error else 0)
    return r.error, struct.unpack_from("<I", data)[0], n.value


################ lengths ################

# The error for lengths 1, 0 and -1 when setting to 1.
SET = {
    "SO_BROADCAST": (SOL, c.SO_BROADCAST, DATAGRAM, 0, 0, 0),
    "SO_OOBINLINE": (SOL, c.SO_OOBINLINE, STREAM, 0, 0, 0),
    "SO_EXCLUSIVEADDRUSE": (SOL, c.SO_EXCLUSIVEADDRUSE, STREAM, 0, 0, 0),
    "SO_RCVBUF": (SOL, c.SO_RCVBUF, STREAM, FAULT, FAULT, 0),
    "SO_RCVTIMEO": (SOL, c.SO_RCVTIMEO, STREAM, FAULT, FAULT, 0),
    "SO_KEEPALIVE": (SOL, c.SO_KEEPALIVE, STREAM, 0, FAULT, NOBUFS),
    "TCP_NODELAY": (TCP, c.TCP_NODELAY, STREAM, 0, FAULT, NOBUFS),
    "IP_TTL": (IP, c.IP_TTL, DATAGRAM, 0, FAULT, NOBUFS),
    "IP_MULTICAST_LOOP": (IP, c.IP_MULTICAST_LOOP, DATAGRAM, 0, FAULT, NOBUFS),
    "IP_RECVTTL": (IP, c.IP_RECVTTL, DATAGRAM, FAULT, FAULT, NOBUFS),
}


@pytest.mark.parametrize(("level", "name", "kind", "one", "none", "negative"), SET.values(), ids=SET)
def test_lengths_when_setting(ws, kit, level, name, kind, one, none, negative):
    for size, error in (1, one), (0, none), (-1, negative), (4, 0), (8, 0):
        assert put(ws, opened(kit, kind), level, name, 1, size) == error


# What a buffer of two bytes gets when the option is 1, or at its default: error, buffer, length.
GET = {
    "SO_BROADCAST": (SOL, c.SO_BROADCAST, DATAGRAM, 0, 0xDEAD0001, 1),
    "SO_REUSEADDR": (SOL, c.SO_REUSEADDR, STREAM, 0, 0xDEAD0001, 1),
    "SO_SNDBUF": (SOL, c.SO_SNDBUF, STREAM, FAULT, 0xDEAD0000, 2),
    "SO_RCVTIMEO": (SOL, c.SO_RCVTIMEO, STREAM, FAULT, 0xDEADBEEF, 2),
    "SO_KEEPALIVE": (SOL, c.SO_KEEPALIVE, STREAM, 0, 0xDEADBE01, 1),
    "TCP_NODELAY": (TCP, c.TCP_NODELAY, STREAM, 0, 0xDEADBE01, 1),
    "IP_TTL": (IP, c.IP_TTL, DATAGRAM, 0, 0xDEADBE01, 1),
    "IP_RECVTTL": (IP, c.IP_RECVTTL, DATAGRAM, FAULT, 0xDEADBEEF, 0),
}


@pytest.mark.parametrize(("level", "name", "kind", "error", "value", "length"), GET.values(), ids=GET)
def test_small_buffers_when_reading(ws, kit, level, name, kind, error, value, length):
    s = opened(kit, kind)
    assert put(ws, s, level, name, 1) == 0
    assert get(ws, s, level, name, 2) == (error, value, length)
    assert get(ws, s, level, name, 0)[0] == FAULT


def test_one_byte_options(ws, kit):
    s = kit.tcp()
    assert put(ws, s, TCP, c.TCP_NODELAY, 0x100) == 0  # its first byte is 0
    assert get(ws, s, TCP, c.TCP_NODELAY) == (0, 0xDEADBE00, 1)
    assert get(ws, s, SOL, c.SO_KEEPALIVE, 8)[2] == 1


def test_flags_look_at_the_bytes_that_they_are_given(ws, kit):
    s = kit.tcp()
    for value, size, kept in ((0x100, 1, 0), (0x100, 2, 1), (0x10000, 4, 1), (1, 0, 0)):
        assert put(ws, s, SOL, c.SO_OOBINLINE, value, size) == 0
        assert get(ws, s, SOL, c.SO_OOBINLINE) == (0, kept, 4)


################ which option, which socket ################


def test_unknown_levels_and_options(ws, kit):
    s = kit.tcp()
    assert get(ws, s, 0x800, c.SO_TYPE)[0] == INVAL
    assert put(ws, s, 0x800, c.SO_TYPE, 1) == INVAL
    for level in SOL, IP, TCP:
        assert get(ws, s, level, -1)[0] == NOPROTOOPT


def test_read_only_options(ws, kit):
    s = kit.tcp()
    for name in (c.SO_TYPE, c.SO_ACCEPTCONN, c.SO_CONNECT_TIME, c.SO_MAX_MSG_SIZE, c.SO_BSP_STATE):
        assert put(ws, s, SOL, name, 1) == NOPROTOOPT


def test_datagram_sockets_do_not_linger(ws, kit):
    s = kit.udp()
    for name in (c.SO_LINGER, c.SO_DONTLINGER):
        assert get(ws, s, SOL, name)[0] == NOPROTOOPT


def test_streams_have_no_groups(ws, kit):
    s = kit.tcp()
    for name in (c.IP_MULTICAST_TTL, c.IP_MULTICAST_LOOP, c.IP_MULTICAST_IF, c.IP_PKTINFO, c.IP_RECVTTL):
        assert get(ws, s, IP, name)[0] == INVAL
        assert put(ws, s, IP, name, 1) == INVAL
    assert get(ws, s, IP, c.IP_ADD_MEMBERSHIP)[0] == NOPROTOOPT


def test_numbers_out_of_range(ws, kit):
    s = kit.udp()
    for name in (c.IP_TTL, c.IP_TOS, c.IP_MULTICAST_TTL):
        assert put(ws, s, IP, name, 0x100) == INVAL


def test_no_socket(ws, kit):
    assert get(ws, NO_SOCKET, SOL, c.SO_TYPE)[0] == WSA.WSAENOTSOCK
    assert put(ws, NO_SOCKET, SOL, c.SO_RCVBUF, 1) == WSA.WSAENOTSOCK


def test_null_pointers(ws, kit):
    s = kit.tcp()
    for name in (c.SO_LINGER, c.SO_RCVBUF, c.SO_OOBINLINE):
        assert ws.setsockopt(s, SOL, name, None, 4).error == FAULT


################ what they do ################


def test_reuse_and_exclusive_use(ws, kit):
    for first, second in (c.SO_REUSEADDR, c.SO_EXCLUSIVEADDRUSE), (c.SO_EXCLUSIVEADDRUSE, c.SO_REUSEADDR):
        s = kit.tcp()
        assert put(ws, s, SOL, first, 1) == 0
        assert put(ws, s, SOL, second, 1) == INVAL
        assert put(ws, s, SOL, first, 0) == 0
        assert put(ws, s, SOL, second, 1) == 0


def test_fragmenting_by_kind(ws, kit):
    assert get(ws, kit.tcp(), IP, c.IP_DONTFRAGMENT) == (0, 1, 4)
    s = kit.udp()
    assert get(ws, s, IP, c.IP_DONTFRAGMENT) == (0, 0, 4)
    assert put(ws, s, IP, c.IP_DONTFRAGMENT, 0xDEAD) == 0
    assert get(ws, s, IP, c.IP_DONTFRAGMENT) == (0, 1, 4)


def test_dontlinger_is_linger_reversed(ws, kit):
    s = kit.tcp()
    assert get(ws, s, SOL, c.SO_DONTLINGER) == (0, 1, 4)
    assert put(ws, s, SOL, c.SO_LINGER, 5 << 16 | 1) == 0
    assert get(ws, s, SOL, c.SO_DONTLINGER) == (0, 0, 4)
    assert put(ws, s, SOL, c.SO_DONTLINGER, 1) == 0
    assert get(ws, s, SOL, c.SO_LINGER)[1] & 0xFFFF == 0


def test_timeouts_are_kept_in_milliseconds(ws, kit):
    s = kit.tcp()
    for name in (c.SO_RCVTIMEO, c.SO_SNDTIMEO):
        assert get(ws, s, SOL, name) == (0, 0, 4)
        assert put(ws, s, SOL, name, 12345) == 0
        assert get(ws, s, SOL, name) == (0, 12345, 4)


def test_state_of_listening_and_connection(ws, kit):
    assert get(ws, kit.listener(), SOL, c.SO_ACCEPTCONN) == (0, 1, 4)
    a, b = kit.pair()
    assert get(ws, a, SOL, c.SO_ACCEPTCONN) == (0, 0, 4)
    assert get(ws, b, SOL, c.SO_CONNECT_TIME) == (0, 0, 4)
    assert get(ws, kit.tcp(), SOL, c.SO_CONNECT_TIME) == (0, 0xFFFFFFFF, 4)


@pytest.mark.wine(differs="SO_ERROR cannot be set")
def test_error_can_be_set(ws, kit):
    s = kit.tcp()
    assert put(ws, s, SOL, c.SO_ERROR, 1234) == 0
    assert get(ws, s, SOL, c.SO_ERROR) == (0, 1234, 4)


@pytest.mark.wine(differs="IPv6 options only on IPv6 sockets")
def test_v6only_of_an_ipv4_socket(ws, kit):
    s = kit.tcp()
    assert put(ws, s, IPV6, c.IPV6_V6ONLY, 0) == 0
    assert get(ws, s, IPV6, c.IPV6_V6ONLY) == (0, 0xDEADBE00, 1)


################ control codes ################


def control(ws, arm, s, code, data=None, room=None):
    """Error, output, byte count (0xdeadbeef before)."""
    out = arm.alloc(b"\xcc" * room) if room else None
    n = bytearray(struct.pack("<I", 0xDEADBEEF))
    r = ws.WSAIoctl(s, code, data, len(data or b""), out and out.addr, room or 0, n, None, None)
    return r.error, out.read() if out else b"", struct.unpack("<I", n)[0]


def test_unknown_code(ws, kit, arm):
    assert control(ws, arm, kit.tcp(), 0x667E) == (WSA.WSAEOPNOTSUPP, b"", 0)


def test_bytes_that_wait(ws, kit, arm):
    a, b = kit.pair()
    assert control(ws, arm, b, c.FIONREAD, None, 4) == (0, bytes(4), 4)
    assert ws.send(a, b"12345", 5, 0).ret == 5
    assert ws.recv(b, bytearray(5), 5, c.MSG_PEEK).ret > 0
    assert control(ws, arm, b, c.FIONREAD, None, 4) == (0, struct.pack("<I", 5), 4)
    assert control(ws, arm, b, c.SIOCATMARK, None, 4) == (0, struct.pack("<I", 1), 4)
    assert control(ws, arm, b, c.FIONREAD, None, 3) == (FAULT, b"\xcc" * 3, 0xDEADBEEF)


def test_blocking_mode(ws, kit, arm):
    _, b = kit.pair()
    assert control(ws, arm, b, c.FIONBIO, struct.pack("<I", 1)) == (0, b"", 0)
    assert ws.recv(b, bytearray(1), 1, 0).error == WSA.WSAEWOULDBLOCK
    assert control(ws, arm, b, c.FIONBIO, b"\1\0\0")[0] == FAULT


def test_keepalive_values(ws, kit, arm):
    s = kit.tcp()
    assert control(ws, arm, s, c.SIO_KEEPALIVE_VALS, struct.pack("<3I", 1, 30000, 1000)) == (0, b"", 0)
    assert get(ws, s, SOL, c.SO_KEEPALIVE)[1] & 0xFF == 1
    assert control(ws, arm, s, c.SIO_KEEPALIVE_VALS, bytes(11))[0] == FAULT


@pytest.mark.wine(differs="the address of another interface")
def test_route_to_loopback(ws, kit, arm):
    s = kit.udp()
    error, out, n = control(ws, arm, s, c.SIO_ROUTING_INTERFACE_QUERY, sin("127.0.0.1"), 16)
    assert (error, n) == (0, 16)
    assert out[:2] + out[4:8] == struct.pack("<H", c.AF_INET) + bytes([127, 0, 0, 1])


def test_interface_list(ws, kit, arm):
    error, out, n = control(ws, arm, kit.tcp(), c.SIO_GET_INTERFACE_LIST, None, 76 * 50)
    assert error == 0
    assert n % 76 == 0
    assert sin("127.0.0.1") in [out[i + 4 : i + 20] for i in range(0, n, 76)]


def test_handle_of_the_base_provider(ws, kit, arm):
    s = kit.udp()
    assert control(ws, arm, s, c.SIO_BASE_HANDLE, None, 8) == (0, int(s).to_bytes(8, "little"), 8)
