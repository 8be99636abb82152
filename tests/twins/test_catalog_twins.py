"""The catalog, sockets made from its entries, duplicates, and what select and WSAPoll say in more states."""

import struct
import time

import pytest
from arms import FAILED, NO_SOCKET, fd_set, i32, members, sin, timeval

from winsock.abi import _constants as c
from winsock.codes import WSA

SIZE = {"A": 372, "W": 628}
ENCODINGS = pytest.mark.parametrize("encoding", ["A", "W"])
ALL = c.POLLRDNORM | c.POLLRDBAND | c.POLLWRNORM


def call(ws, name, encoding, *args):
    return getattr(ws, name + encoding)(*args)


def rows(ws, encoding, protocols):
    size = i32(0)
    r = call(ws, "WSAEnumProtocols", encoding, protocols, None, size)
    assert (r.ret, r.error) == (FAILED, WSA.WSAENOBUFS)
    data = bytearray(size.value)
    n = call(ws, "WSAEnumProtocols", encoding, protocols, data, size)
    assert n.ret * SIZE[encoding] == len(data)
    return [bytearray(data[i : i + SIZE[encoding]]) for i in range(0, len(data), SIZE[encoding])]


def triple(row):
    return struct.unpack_from("<i8xii", row, 76)


TCP_OR_UDP = struct.pack("<3i", c.IPPROTO_TCP, c.IPPROTO_UDP, 0)
V4 = {(c.AF_INET, c.SOCK_STREAM, c.IPPROTO_TCP), (c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_UDP)}


@ENCODINGS
def test_rows_of_the_internet_protocols(ws, encoding):
    found = {triple(row): row for row in rows(ws, encoding, TCP_OR_UDP)}
    assert set(found) >= V4
    for kind in V4:
        flags, provider_flags = struct.unpack_from("<I12xI", found[kind])
        stream = kind[1] == c.SOCK_STREAM
        assert flags & ~c.XP1_QOS_SUPPORTED == (0x20066 if stream else 0x20609)
        assert provider_flags == c.PFL_MATCHES_PROTOCOL_ZERO
        assert struct.unpack_from("<ii", found[kind], 80) == (16, 16)


@ENCODINGS
def test_sockets_of_rows(ws, kit, encoding):
    for row in rows(ws, encoding, TCP_OR_UDP):
        s = call(ws, "WSASocket", encoding, -1, -1, -1, row, 0, c.WSA_FLAG_OVERLAPPED)
        assert s.error == 0
        kit.keep(s)
        assert kit.option(s, c.SOL_SOCKET, c.SO_TYPE)[1] == triple(row)[1]


def test_arguments_win_over_the_row(ws, kit):
    row = next(r for r in rows(ws, "W", TCP_OR_UDP) if triple(r)[1] == c.SOCK_STREAM)
    s = kit.keep(ws.WSASocketW(c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_UDP, row, 0, 0))
    assert kit.option(s, c.SOL_SOCKET, c.SO_TYPE)[1] == c.SOCK_DGRAM


def test_an_empty_row_says_nothing(ws):
    assert ws.WSASocketW(0, 0, 0, bytearray(628), 0, 0).error == WSA.WSAEINVAL


def test_no_row_of_such_a_protocol(ws):
    asked = struct.pack("<2i", 99, 0)
    assert ws.WSAEnumProtocolsW(asked, bytearray(1), i32(0)).ret == 0
    assert ws.WSAEnumProtocolsW(asked, None, i32(0)).error == WSA.WSAENOBUFS


def test_duplicate_of_what_is_no_socket(ws):
    assert ws.WSADuplicateSocketW(NO_SOCKET, 0, None).error == WSA.WSAENOTSOCK


def test_duplicate_for_nobody(ws, kit):
    assert ws.WSADuplicateSocketW(kit.tcp(), 0, bytearray(628)).error == WSA.WSAEINVAL


################ readiness ################


def sets_of(ws, s):
    """The sets, of r, w, x, that a socket is in now."""
    sets = [fd_set(s) for _ in range(3)]
    assert ws.select(0, *sets, timeval()).ret >= 0
    return "".join(letter for letter, left in zip("rwx", sets) if members(left))


def revents(ws, s, events=ALL):
    entry = bytearray(struct.pack("<QHHI", int(s), events, 0, 0))
    assert ws.WSAPoll(entry, 1, 0).ret >= 0
    return struct.unpack_from("<H", entry, 10)[0]


def settled(ws, s, what):
    """Wait until the socket is in these sets."""
    end = time.monotonic() + 60
    while (found := sets_of(ws, s)) != what and time.monotonic() < end:
        time.sleep(0.005)
    return found


def test_streams_without_connection(ws, kit):
    s = kit.tcp()
    assert (sets_of(ws, s), revents(ws, s)) == ("", 0)
    kit.bound(s)
    assert (sets_of(ws, s), revents(ws, s)) == ("", 0)


def test_a_connection_to_accept(ws, kit):
    listener, client = kit.listener(), kit.tcp()
    assert sets_of(ws, listener) == ""
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    assert settled(ws, listener, "r") == "r"
    assert revents(ws, listener) == c.POLLRDNORM


def test_a_blocking_connect_that_was_refused(ws, kit):
    s = kit.tcp()
    assert ws.connect(s, sin(port=kit.deaf_port()), 16).error == WSA.WSAECONNREFUSED
    assert sets_of(ws, s) == "x"


def test_the_end_of_a_stream(ws, kit):
    a, b = kit.pair()
    assert ws.closesocket(a).ret == 0
    assert settled(ws, b, "rw") == "rw"
    assert revents(ws, b) == c.POLLWRNORM | c.POLLHUP
    assert revents(ws, b, 0) == c.POLLHUP


def test_own_shutdown(ws, kit):
    a, _ = kit.pair()
    assert ws.shutdown(a, c.SD_BOTH).ret == 0
    assert (sets_of(ws, a), revents(ws, a)) == ("w", c.POLLWRNORM)


def test_urgent_data(ws, kit):
    a, b = kit.pair()
    assert ws.send(a, b"u", 1, c.MSG_OOB).ret == 1
    assert settled(ws, b, "wx") == "wx"
    assert revents(ws, b) == c.POLLRDBAND | c.POLLWRNORM


def test_one_socket_twice_in_a_set(ws, kit):
    a, b = kit.pair()
    both = fd_set(a, b, a)
    assert ws.select(0, None, both, None, timeval()).ret == 2
    assert members(both) == [int(a), int(b)]


def test_closing_under_a_select_that_reads(arm, ws, kit):
    s = kit.bound(kit.udp())
    waiting = arm.thread("selecting").start(ws.select, 0, fd_set(s), None, None, timeval(10))
    assert waiting.blocks()
    assert ws.closesocket(s).ret == 0
    assert waiting.join().ret == 1


def test_closing_under_a_select_for_exceptions(arm, ws, kit):
    s = kit.bound(kit.udp())
    waiting = arm.thread("selecting").start(ws.select, 0, None, None, fd_set(s), timeval(10))
    assert waiting.blocks()
    assert ws.closesocket(s).ret == 0
    assert waiting.join().error == WSA.WSAENOTSOCK


@pytest.mark.wine(differs="it accepts any event")
def test_an_event_that_cannot_be_polled(ws, kit):
    entry = bytearray(struct.pack("<QHHI", int(kit.tcp()), c.POLLPRI, 0, 0))
    assert ws.WSAPoll(entry, 1, 0).error == WSA.WSAEINVAL


def test_strangers_in_a_poll(ws, kit):
    entries = bytearray(b"".join(struct.pack("<QHHI", int(s), ALL, 0, 0) for s in (NO_SOCKET, kit.udp())))
    assert ws.WSAPoll(entries, 2, 0).ret == 1
    assert [struct.unpack_from("<H", entries, at)[0] for at in (10, 26)] == [c.POLLNVAL, c.POLLWRNORM]
    entry = bytearray(struct.pack("<QHHI", NO_SOCKET, ALL, 0, 0))
    assert ws.WSAPoll(entry, 1, 0).error == WSA.WSAENOTSOCK
