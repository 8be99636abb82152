"""Registered I/O: sends and receives, deferring, addresses, control data, notification, what ends requests."""

from __future__ import annotations

import ctypes
import struct

import pytest
from overlapped_kit import LOOPBACK, OVERLAPPED

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._guids import WSAID
from winsock.codes import WSA

INET = 28
BASE = c.RIO_CMSG_BASE_SIZE
HEADER = 16  # of a WSACMSGHDR
ABORTED = WSA.WSA_OPERATION_ABORTED


def self_connected(rig, **more):
    """A datagram socket that sends to itself, its request queue and completion queue."""
    s, cq = rig.udp(), rig.cq(**more)
    rig.ok(ws.connect(s, rig.name(s), 16))
    return s, rig.rq(s, cq, context=0x50C), cq


# -- streams


def test_a_stream_both_ways(rig):
    a, b = rig.pair()
    cq = rig.cq()
    left, right = rig.rq(a, cq, context=1), rig.rq(b, cq, context=2)
    rig.receive(right, 0, 64, context=20)
    rig.transmit(left, 100, b"there", context=10)
    assert sorted(rig.results(cq, 2)) == [(0, 5, 1, 10), (0, 5, 2, 20)]
    rig.receive(left, 200, 64, context=11)
    rig.transmit(right, 300, b"and back", context=21)
    assert sorted(rig.results(cq, 2)) == [(0, 8, 1, 11), (0, 8, 2, 21)]
    assert (rig.memory[:5], rig.memory[200:208]) == (b"there", b"and back")


def test_receives_of_a_stream_end_in_their_order(rig):
    a, b = rig.pair()
    receiving, sending = rig.cq(), rig.cq()
    rq = rig.rq(b, receiving, sending)
    for i in range(4):
        rig.receive(rq, 4 * i, 4, context=i)
    rig.send(a, b"abcdefghijklmnop")
    assert [r.request for r in rig.results(receiving, 4)] == [0, 1, 2, 3]
    assert rig.memory[:16] == b"abcdefghijklmnop"
    assert rig.look(sending) == []


def test_the_end_of_a_stream_is_a_receive_of_nothing(rig):
    a, b = rig.pair()
    cq = rig.cq()
    rig.receive(rig.rq(b, cq), 0, 64)
    rig.ok(ws.shutdown(a, c.SD_SEND))
    assert rig.results(cq, 1) == [(0, 0, 0, 0)]


def test_a_reset_is_told_by_winsocks_code(rig):
    a, b = rig.pair()
    cq = rig.cq()
    rig.receive(rig.rq(b, cq), 0, 64)
    rig.reset(a)
    assert [r.status for r in rig.results(cq, 1)] == [WSA.WSAECONNRESET]


def test_wait_for_all(rig):
    a, b = rig.pair()
    cq = rig.cq()
    rq = rig.rq(b, cq)
    rig.receive(rq, 0, 8, c.RIO_MSG_WAITALL)
    rig.send(a, b"1234")
    (request,) = rig.requests(b).pending
    rig.until(lambda: not rig.look(cq) and request.total == 4)
    rig.send(a, b"5678")
    assert rig.results(cq, 1)[0].n == 8
    rig.receive(rq, 0, 8, c.RIO_MSG_WAITALL)
    rig.send(a, b"end")
    rig.ok(ws.shutdown(a, c.SD_SEND))
    assert rig.results(cq, 1)[0].n == 3


def test_what_the_network_refuses_is_a_completion(rig):
    cq = rig.cq()
    rq = rig.rq(rig.open(c.SOCK_STREAM), cq)
    rig.receive(rq, 0, 8, context=1)
    rig.transmit(rq, 8, b"x", context=2)
    assert rig.look(cq) == [(WSA.WSAENOTCONN, 0, 0, 1), (WSA.WSAENOTCONN, 0, 0, 2)]
    rq = rig.rq(rig.open(), cq)
    rig.receive(rq, 0, 8, context=3)
    assert rig.look(cq) == [(WSA.WSAEINVAL, 0, 0, 3)]


def test_a_stream_tells_its_ends(rig):
    a, b = rig.pair()
    cq = rig.cq()
    rq = rig.rq(b, cq)
    rig.memory[:] = b"\xaa" * len(rig.memory)
    bufs = [rig.buf(at, INET) for at in (100, 200, 300, 400)]
    rig.yes(rig.ReceiveEx(rq, rig.buf(0, 8), 1, *bufs, 0, 0))
    rig.send(a, b"x")
    rig.results(cq, 1)
    assert rig.memory[100:116] == rig.name(b)
    assert rig.memory[200:216] == rig.name(a)
    assert struct.unpack_from("<I", rig.memory, 300)[0] == BASE
    assert struct.unpack_from("<I", rig.memory, 400)[0] == 0


def test_a_long_send_waits_for_room_and_is_whole(rig):
    a, b = rig.pair()
    cq = rig.cq()
    data = bytes(range(256)) * (1 << 10)
    number = rig.register(bytearray(data), len(data))
    rig.option(a, c.SO_SNDBUF, 0)
    rq = rig.rq(a, cq)
    for context in (1, 2):
        rig.yes(rig.Send(rq, rig.buf(0, len(data), number), 1, 0, context))
    assert rig.recv_all(b, 2 * len(data)) == data + data
    assert rig.results(cq, 2) == [(0, len(data), 0, 1), (0, len(data), 0, 2)]


def test_a_server_that_accepts_ahead(rig):
    """AcceptEx into sockets for registered I/O, whose request queues are there before the connections."""
    guid, pointer = WSAID["AcceptEx"].bytes_le, ctypes.c_uint64()
    at = rig.listener()
    code = c.SIO_GET_EXTENSION_FUNCTION_POINTER
    rig.ok(ws.WSAIoctl(at, code, guid, 16, pointer, 8, ctypes.c_uint32(), None, None))
    event, told = rig.event(), rig.event()
    cq = rig.cq(16, rig.by_event(told, True))
    s, overlapped = rig.open(c.SOCK_STREAM), OVERLAPPED(hEvent=event)
    rq = rig.rq(s, cq, context=s)
    accept = winsock.function(pointer.value)
    rig.fails(accept(at, s, bytearray(64), 0, 32, 32, None, overlapped), WSA.WSA_IO_PENDING, 0)
    client = rig.socket()
    rig.ok(ws.connect(client, rig.name(at), 16))
    rig.comes(event)
    rig.ok(ws.setsockopt(s, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, struct.pack("<Q", at), 8))
    rig.receive(rq, 0, 64, context=1)
    assert rig.Notify(cq) == 0
    rig.send(client, b"ping")
    rig.comes(told)
    assert rig.look(cq) == [(0, 4, s, 1)]
    rig.transmit(rq, 64, b"pong", context=2)
    assert rig.recv(client) == b"pong"
    assert rig.results(cq, 1) == [(0, 4, s, 2)]


def test_a_connection_made_ahead(rig):
    """ConnectEx on a socket for registered I/O."""
    guid, pointer = WSAID["ConnectEx"].bytes_le, ctypes.c_uint64()
    at, s = rig.listener(), rig.open(c.SOCK_STREAM)
    code = c.SIO_GET_EXTENSION_FUNCTION_POINTER
    rig.ok(ws.WSAIoctl(s, code, guid, 16, pointer, 8, ctypes.c_uint32(), None, None))
    rig.ok(ws.bind(s, LOOPBACK, 16))
    cq, event = rig.cq(), rig.event()
    overlapped = OVERLAPPED(hEvent=event)
    rq = rig.rq(s, cq)
    winsock.function(pointer.value)(s, rig.name(at), 16, None, 0, None, overlapped)
    rig.comes(event)
    rig.ok(ws.setsockopt(s, c.SOL_SOCKET, c.SO_UPDATE_CONNECT_CONTEXT, None, 0))
    peer = ws.accept(at, None, None)
    rig.transmit(rq, 0, b"hello")
    assert rig.recv(peer) == b"hello"
    assert rig.results(cq, 1)[0].n == 5


# -- datagrams


def test_datagrams_with_their_addresses(rig):
    s, t = rig.udp(), rig.udp()
    cq = rig.cq()
    sending, receiving = rig.rq(s, cq, context=1), rig.rq(t, cq, context=2)
    rig.yes(
        rig.ReceiveEx(
            receiving, rig.buf(0, 64), 1, rig.buf(64, INET), rig.buf(100, INET), None, rig.buf(140, 4), 0, 7
        )
    )
    target = rig.put(200, rig.name(t) + bytes(12))
    rig.memory[240:244] = b"\xaa" * 4
    rig.yes(rig.SendEx(sending, rig.put(300, b"hello"), 1, None, target, None, rig.buf(240, 4), 0, 8))
    assert sorted(rig.results(cq, 2)) == [(0, 5, 1, 8), (0, 5, 2, 7)]
    assert rig.memory[:5] == b"hello"
    assert rig.memory[64:80] == rig.name(t)
    assert rig.memory[100:116] == rig.name(s)
    assert rig.memory[140:144] == rig.memory[240:244] == bytes(4)


def test_the_local_address_is_the_one_that_was_written_to(rig):
    cq = rig.cq()
    t, s = rig.open(), rig.udp()
    rig.ok(ws.bind(t, struct.pack("<H14x", c.AF_INET), 16))
    port = rig.name(t)[2:4]
    rig.yes(rig.ReceiveEx(rig.rq(t, cq), rig.buf(0, 64), 1, rig.buf(64, INET), None, rig.buf(100, 64), None, 0, 0))
    to = struct.pack("<H2s4s8x", c.AF_INET, port, bytes((127, 0, 0, 5)))
    rig.ok(ws.sendto(s, b"x", 1, 0, to, 16), 1)
    rig.results(cq, 1)
    assert rig.memory[64:80] == to
    assert rig.memory[100:104] == struct.pack("<I", BASE)  # nobody asked for control data


@pytest.mark.parametrize("v6only", [0, pytest.param(1, marks=pytest.mark.ipv6)])
def test_local_addresses_of_ipv6(rig, v6only):
    cq, t = rig.cq(), rig.open(family=c.AF_INET6)
    rig.ok(ws.setsockopt(t, c.IPPROTO_IPV6, c.IPV6_V6ONLY, ctypes.c_int32(v6only), 4))
    rig.ok(ws.bind(t, struct.pack("<H26x", c.AF_INET6), INET))
    name, n = bytearray(INET), ctypes.c_int32(INET)
    rig.ok(ws.getsockname(t, name, n))
    rig.yes(rig.ReceiveEx(rig.rq(t, cq), rig.buf(0, 64), 1, rig.buf(64, INET), rig.buf(100, INET), None, None, 0, 0))
    if v6only:
        s = rig.open(family=c.AF_INET6)
        host = bytes(15) + b"\1"
        to = struct.pack("<H2s4x16s4x", c.AF_INET6, bytes(name[2:4]), host)
    else:
        s = rig.open()
        host = bytes(10) + b"\xff\xff\x7f\0\0\x09"
        to = struct.pack("<H2s4s8x", c.AF_INET, bytes(name[2:4]), host[12:])
    rig.ok(ws.sendto(s, b"x", 1, 0, to, len(to)), 1)
    rig.results(cq, 1)
    assert rig.memory[64 : 64 + INET] == struct.pack("<H2s4x16s4x", c.AF_INET6, bytes(name[2:4]), host)
    assert rig.memory[100:102] == struct.pack("<H", c.AF_INET6)


def test_control_data_in_and_out(rig):
    s, rq, cq = self_connected(rig)
    rig.ok(ws.setsockopt(s, c.IPPROTO_IP, c.IP_PKTINFO, ctypes.c_int32(1), 4))
    rig.yes(rig.ReceiveEx(rq, rig.buf(0, 64), 1, None, None, rig.buf(64, 64), rig.buf(128, 4), 0, 1))
    info = bytes((127, 0, 0, 1)) + bytes(4)
    entry = struct.pack("<Qii8s", HEADER + 8, c.IPPROTO_IP, c.IP_PKTINFO, info)
    control = rig.put(200, struct.pack("<I4x", BASE + len(entry)) + entry)
    rig.yes(rig.SendEx(rq, rig.put(300, b"x"), 1, None, None, control, None, 0, 2))
    assert sorted(r.request for r in rig.results(cq, 2)) == [1, 2]
    assert struct.unpack_from("<I", rig.memory, 64)[0] == BASE + len(entry)
    assert rig.memory[72 : 72 + HEADER + 4] == entry[: HEADER + 4]


def test_control_data_without_room(rig):
    s, rq, cq = self_connected(rig)
    rig.ok(ws.setsockopt(s, c.IPPROTO_IP, c.IP_PKTINFO, ctypes.c_int32(1), 4))
    rig.yes(rig.ReceiveEx(rq, rig.buf(0, 64), 1, None, None, rig.buf(64, BASE), rig.buf(128, 4), 0, 1))
    rig.transmit(rq, 200, b"x", context=2)
    assert sorted(rig.results(cq, 2)) == [(0, 1, 0x50C, 2), (WSA.WSAEMSGSIZE, 1, 0x50C, 1)]
    assert struct.unpack_from("<I", rig.memory, 128)[0] & c.MSG_CTRUNC


@pytest.mark.parametrize(
    "control", [struct.pack("<I4xQii", 24, 99, 0, 0), struct.pack("<I4x", 65)], ids=["entry", "total"]
)
def test_control_data_that_is_none(rig, control):
    _, rq, cq = self_connected(rig)
    rig.put(64, control)
    rig.yes(rig.SendEx(rq, rig.put(0, b"x"), 1, None, None, rig.buf(64, 64), None, 0, 2))
    assert rig.results(cq, 1)[0].status == WSA.WSAEINVAL


def test_a_datagram_that_is_too_long(rig):
    _, rq, cq = self_connected(rig)
    rig.yes(rig.ReceiveEx(rq, rig.buf(0, 4), 1, None, None, None, rig.buf(8, 4), 0, 1))
    rig.transmit(rq, 64, b"too long", context=2)
    assert sorted(rig.results(cq, 2)) == [(0, 8, 0x50C, 2), (WSA.WSAEMSGSIZE, 4, 0x50C, 1)]
    assert struct.unpack_from("<I", rig.memory, 8)[0] & c.MSG_TRUNC
    assert rig.memory[:8] == b"too " + bytes(4)


def test_a_datagram_whose_data_nobody_wants(rig):
    s, rq, cq = self_connected(rig)
    rig.yes(rig.ReceiveEx(rq, None, 0, None, rig.buf(64, INET), None, None, 0, 1))
    rig.yes(rig.Send(rq, None, 0, 0, 2))
    assert sorted(rig.results(cq, 2)) == [(0, 0, 0x50C, 1), (0, 0, 0x50C, 2)]
    rig.yes(rig.Receive(rq, None, 0, 0, 3))
    rig.transmit(rq, 0, b"data", context=4)
    assert sorted(rig.results(cq, 2)) == [(0, 0, 0x50C, 3), (0, 4, 0x50C, 4)]
    assert rig.memory[64:80] == rig.name(s)


def test_a_destination_of_another_family(rig):
    s, cq = rig.udp(), rig.cq()
    rq = rig.rq(s, cq)
    target = rig.put(64, struct.pack("<HH4x16s4x", c.AF_INET6, 0x5000, bytes(15) + b"\1"))
    rig.yes(rig.SendEx(rq, rig.put(0, b"x"), 1, None, target, None, None, 0, 0))
    assert rig.look(cq) == [(WSA.WSAEAFNOSUPPORT, 0, 0, 0)]


# -- arguments


def test_flags_that_do_not_belong(rig):
    _, rq, cq = self_connected(rig)
    a, _ = rig.pair()
    stream = rig.rq(a, cq)
    data = rig.buf(0, 8)
    rig.no(rig.Receive(rq, data, 1, c.RIO_MSG_WAITALL, 0), WSA.WSAEINVAL)
    rig.no(rig.Send(stream, data, 1, c.RIO_MSG_WAITALL, 0), WSA.WSAEINVAL)
    rig.no(rig.Receive(stream, data, 1, 0x10, 0), WSA.WSAEINVAL)
    for args in [
        (data, 1, c.RIO_MSG_COMMIT_ONLY, 0), (None, 1, c.RIO_MSG_COMMIT_ONLY, 0), (None, 0, c.RIO_MSG_COMMIT_ONLY, 9),
        (None, 0, c.RIO_MSG_COMMIT_ONLY | c.RIO_MSG_DEFER, 0),
    ]:  # fmt: skip
        rig.no(rig.Receive(rq, *args), WSA.WSAEINVAL)
        rig.no(rig.Send(rq, *args), WSA.WSAEINVAL)
    rig.no(rig.SendEx(rq, None, 0, None, data, None, None, c.RIO_MSG_COMMIT_ONLY, 0), WSA.WSAEINVAL)
    rig.no(rig.SendEx(rq, data, 1, rig.buf(64, INET), None, None, None, 0, 0), WSA.WSAEINVAL)
    assert rig.look(cq) == []


def test_parts_of_buffers_that_are_none(rig):
    _, rq, cq = self_connected(rig)
    a, _ = rig.pair()
    stream = rig.rq(a, cq)
    good, end = rig.buf(0, 8), len(rig.memory)
    for data, count, code in [
        (rig.buf(end - 7, 8), 1, WSA.WSAEINVAL), (rig.buf(0, end + 1), 1, WSA.WSAEINVAL),
        (rig.buf(0xFFFFFFFF, 0xFFFFFFFF), 1, WSA.WSAEINVAL), (rig.buf(0, 8, rig.pool + 1), 1, WSA.WSAEFAULT),
        (rig.buf(0, 8, c.RIO_INVALID_BUFFERID), 1, WSA.WSAEFAULT), (good[:15], 1, WSA.WSAEFAULT),
        (16, 1, WSA.WSAEFAULT), (good, 0, WSA.WSAEINVAL), (good, 2, WSA.WSAEINVAL), (None, 1, WSA.WSAEINVAL),
    ]:  # fmt: skip
        rig.no(rig.Receive(rq, data, count, 0, 0), code)
        rig.no(rig.Send(rq, data, count, 0, 0), code)
    rig.no(rig.Send(stream, None, 0, 0, 0), WSA.WSAEINVAL)
    for at in range(4):
        parts = [None] * 4
        parts[at] = rig.buf(64, (27, 27, 7, 3)[at])
        rig.no(rig.ReceiveEx(rq, good, 1, *parts, 0, 0), WSA.WSAEINVAL)
    assert rig.look(cq) == []
    rig.receive(rq, end - 8, 8)  # nothing was charged


# -- deferring


def test_deferred_requests_wait_for_a_commit(rig):
    s, rq, cq = self_connected(rig)
    for i in range(3):
        rig.transmit(rq, 8 * i, bytes((i,)), c.RIO_MSG_DEFER, i)
    assert rig.look(cq) == []
    rig.yes(rig.Receive(rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None))
    assert rig.look(cq) == []  # that was for receives
    rig.yes(rig.Send(rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None))
    assert [r.request for r in rig.results(cq, 3)] == [0, 1, 2]
    assert [rig.recv(s) for _ in range(3)] == [b"\0", b"\1", b"\2"]


def test_a_request_that_is_not_deferred_starts_those_before_it(rig):
    _, rq, cq = self_connected(rig)
    rig.receive(rq, 0, 8, c.RIO_MSG_DEFER, 1)
    rig.transmit(rq, 64, b"a")
    rig.transmit(rq, 72, b"b")
    assert len(rig.results(cq, 2)) == 2
    rig.yes(rig.ReceiveEx(rq, rig.buf(8, 8), 1, None, None, None, None, 0, 2))
    assert [r.request for r in rig.results(cq, 2)] == [1, 2]
    assert (rig.memory[0], rig.memory[8]) == (ord("a"), ord("b"))


def test_what_is_sent_is_what_lies_there_at_the_commit(rig):
    s, rq, cq = self_connected(rig)
    rig.transmit(rq, 0, b"old", c.RIO_MSG_DEFER)
    rig.memory[:3] = b"new"
    rig.yes(rig.SendEx(rq, None, 0, None, None, None, None, c.RIO_MSG_COMMIT_ONLY, None))
    rig.results(cq, 1)
    assert rig.recv(s) == b"new"


def test_commits_of_many_threads_keep_the_order(rig):
    a, b = rig.pair()
    cq = rig.cq(600)
    rq = rig.rq(a, cq, most=(0, 500))
    for i in range(500):
        rig.yes(rig.Send(rq, rig.put(4 * i, struct.pack("<I", i)), 1, c.RIO_MSG_DEFER, i))
    jobs = [rig.run(rig.Send, rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None) for _ in range(6)]
    assert [job.result()[0] for job in jobs] == [1] * 6
    assert [r.request for r in rig.results(cq, 500)] == list(range(500))
    assert struct.unpack("<500I", rig.recv_all(b, 2000)) == tuple(range(500))


# -- notification


def test_an_event_for_each_notification(rig):
    event = rig.event()
    s, rq, cq = self_connected(rig, how=rig.by_event(event))
    assert rig.Notify(cq) == 0
    assert rig.Notify(cq) == WSA.WSAEALREADY
    assert not rig.signaled(event)
    rig.receive(rq, 0, 8)
    rig.send(s, b"x")
    rig.comes(event)
    assert rig.look(cq) == [(0, 1, 0x50C, 0)]
    k32.ResetEvent(event)
    rig.transmit(rq, 8, b"y")
    assert not rig.signaled(event)  # nobody asked again
    assert rig.Notify(cq) == 0
    rig.comes(event)


def test_notify_resets_the_event_if_told_so(rig):
    for reset in (True, False):
        event = rig.event()
        cq = rig.cq(how=rig.by_event(event, reset))
        k32.SetEvent(event)
        assert rig.Notify(cq) == 0
        assert rig.signaled(event) is not reset


def test_a_packet_for_each_notification(rig):
    port, overlapped = rig.port(), bytearray(32)
    address = ctypes.addressof(ctypes.c_char.from_buffer(overlapped))
    s, rq, cq = self_connected(rig, how=rig.by_port(port, 77, address))
    rig.receive(rq, 0, 8)
    rig.send(s, b"x")
    assert rig.Notify(cq) == 0
    assert rig.packet(port) == (1, 0, 77, address, 0)
    rig.no_packet(port)
    assert rig.Notify(cq) == 0  # it lies there yet
    assert rig.packet(port) == (1, 0, 77, address, 0)
    assert [r.n for r in rig.look(cq)] == [1]
    assert rig.Notify(cq) == 0
    rig.no_packet(port)
    assert overlapped == bytes(32)


def test_requests_that_are_not_to_notify(rig):
    event = rig.event()
    _, rq, cq = self_connected(rig, how=rig.by_event(event))
    rig.transmit(rq, 0, b"quiet", c.RIO_MSG_DONT_NOTIFY, 1)
    assert rig.Notify(cq) == 0
    rig.transmit(rq, 8, b"quiet", c.RIO_MSG_DONT_NOTIFY, 2)
    assert not rig.signaled(event)
    rig.transmit(rq, 16, b"loud", 0, 3)
    rig.comes(event)
    assert [r.request for r in rig.look(cq)] == [1, 2, 3]


def test_a_polled_queue_notifies_nobody(rig):
    assert rig.Notify(rig.cq()) == WSA.WSAEINVAL


def test_what_goes_to_a_completion_queue_goes_nowhere_else(rig):
    s = rig.udp()
    port = rig.port(s)
    cq = rig.cq()
    rq = rig.rq(s, cq)
    rig.ok(ws.connect(s, rig.name(s), 16))
    rig.receive(rq, 0, 8)
    rig.transmit(rq, 8, b"x")
    assert len(rig.results(cq, 2)) == 2
    rig.no_packet(port)


# -- what ends requests


def test_closing_ends_all_that_is_outstanding(rig):
    s, rq, cq = self_connected(rig)
    rig.receive(rq, 0, 8, context=1)
    rig.receive(rq, 8, 8, c.RIO_MSG_DEFER, context=2)
    rig.transmit(rq, 16, b"x", c.RIO_MSG_DEFER, context=3)
    rig.ok(ws.closesocket(s))
    assert sorted(rig.look(cq)) == [(ABORTED, 0, 0x50C, i) for i in (1, 2, 3)]
    rig.no(rig.Receive(rq, rig.buf(0, 8), 1, 0, 0), WSA.WSAEINVAL)


def test_cleanup_ends_them_too(rig):
    _, rq, cq = self_connected(rig)
    rig.receive(rq, 0, 8, context=1)
    rig.ok(ws.WSACleanup())
    rig.no(rig.DequeueCompletion(cq, bytearray(24), 1), WSA.WSANOTINITIALISED, c.RIO_CORRUPT_CQ)
    rig.ok(ws.WSAStartup(0x0202, bytearray(408)))
    assert rig.look(cq) == [(ABORTED, 0, 0x50C, 1)]


def test_a_duplicate_keeps_the_request_queue(rig):
    s, rq, cq = self_connected(rig)
    info = bytearray(628)
    rig.ok(ws.WSADuplicateSocketW(s, rig.process.pid, info))
    other = ws.WSASocketW(-1, -1, -1, info, 0, c.WSA_FLAG_OVERLAPPED | c.WSA_FLAG_REGISTERED_IO)
    assert other < 1 << 32
    rig.no(rig.CreateRequestQueue(other, 1, 1, 1, 1, cq, cq, 0), WSA.WSAEINVAL)
    rig.receive(rq, 0, 8, context=1)
    rig.ok(ws.closesocket(s))
    rig.transmit(rq, 8, b"still", context=2)
    assert sorted(rig.results(cq, 2)) == [(0, 5, 0x50C, 1), (0, 5, 0x50C, 2)]
    rig.receive(rq, 0, 8, context=3)
    rig.ok(ws.closesocket(other))
    assert rig.look(cq) == [(ABORTED, 0, 0x50C, 3)]


def test_a_buffer_deregistered_before_the_commit(rig):
    _, rq, cq = self_connected(rig)
    memory = bytearray(64)
    number = rig.register(memory, 64)
    rig.yes(rig.Send(rq, rig.buf(0, 8, number), 1, c.RIO_MSG_DEFER, 1))
    rig.yes(rig.Receive(rq, rig.buf(8, 8, number), 1, c.RIO_MSG_DEFER, 2))
    rig.DeregisterBuffer(number)
    rig.no(rig.Send(rq, rig.buf(0, 8, number), 1, 0, 3), WSA.WSAEFAULT)
    rig.yes(rig.Send(rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None))
    rig.yes(rig.Receive(rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None))
    assert rig.look(cq) == [(WSA.WSAEFAULT, 0, 0x50C, 1), (WSA.WSAEFAULT, 0, 0x50C, 2)]


def test_a_buffer_deregistered_while_a_receive_waits_is_left_alone(rig):
    a, b = rig.pair()
    cq = rig.cq()
    memory = bytearray(64)
    number = rig.register(memory, 64)
    rig.yes(rig.ReceiveEx(rig.rq(b, cq), rig.buf(0, 8, number), 1, None, rig.buf(8, INET, number), None, None, 0, 1))
    rig.DeregisterBuffer(number)
    rig.send(a, b"nowhere")
    assert rig.results(cq, 1) == [(0, 7, 0, 1)]
    assert memory == bytes(64)


def test_raw_memory_that_was_taken_back(rig):
    s, rq, cq = self_connected(rig)
    page = k32.VirtualAlloc(None, 8192, 0x3000, 4)
    number = rig.register(page, 8192)
    rig.yes(rig.Receive(rq, rig.buf(4096, 64, number), 1, 0, 1))
    rig.send(s, b"there")
    assert rig.results(cq, 1) == [(0, 5, 0x50C, 1)]
    assert ctypes.string_at(page + 4096, 5) == b"there"
    rig.yes(rig.Receive(rq, rig.buf(4096, 64, number), 1, 0, 2))
    assert k32.VirtualFree(page, 0, 0x8000)
    rig.no(rig.Send(rq, rig.buf(0, 64, number), 1, 0, 3), WSA.WSAEFAULT)
    rig.send(s, b"gone")
    assert rig.results(cq, 1) == [(WSA.WSAEFAULT, 0, 0x50C, 2)]


def test_an_unreachable_port(rig):
    s, t = rig.udp(), rig.udp()
    cq = rig.cq()
    rq = rig.rq(s, cq)
    rig.ok(ws.connect(s, rig.name(t), 16))
    rig.ok(ws.closesocket(t))
    rig.receive(rq, 0, 8, context=1)
    rig.transmit(rq, 8, b"x", context=2)
    found = {r.request: r.status for r in rig.results(cq, 2)}
    assert found == {1: WSA.WSAECONNRESET, 2: 0}


def test_many_threads_lose_nothing(rig):
    """Threads that send to themselves, share one queue and take what comes; sockets close among them."""
    event = rig.event()
    cq = rig.cq(4 * 64, rig.by_event(event, True))

    def work(k):
        s = rig.udp()
        rq = rig.rq(s, cq, most=(32, 32), context=k)
        rig.ok(ws.connect(s, rig.name(s), 16))
        for i in range(32):
            rig.yes(rig.Receive(rq, rig.buf(64 * k, 8), 1, c.RIO_MSG_DEFER if i % 3 else 0, i))
        rig.yes(rig.Receive(rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None))
        for i in range(16):
            rig.yes(rig.Send(rq, rig.buf(64 * k + 8, 8), 1, 0, 100 + i))
        rig.ok(ws.closesocket(s))

    jobs = [rig.run(work, k) for k in range(4)]
    found = []
    while len(found) < 4 * 48:
        assert rig.Notify(cq) == 0
        rig.comes(event)
        found += rig.look(cq, 7)
    for job in jobs:
        job.result()
    assert rig.look(cq) == []
    assert len({(r.socket, r.request) for r in found}) == len(found) == 4 * 48
    assert {r.status for r in found} <= {0, ABORTED}
