"""Registered I/O: the table of functions, buffers, queues, their limits and refusals."""

from __future__ import annotations

import ctypes
import struct

import pytest

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._guids import WSAID, WSAID_MULTIPLE_RIO
from winsock.api._extension import RIO_FUNCTIONS, RIO_TABLE
from winsock.codes import WSA

GUID = WSAID_MULTIPLE_RIO.bytes_le


# -- the table


def test_the_table_tells_its_size_and_has_a_function_for_each_pointer(rig):
    assert rig.size == RIO_TABLE.size == 8 + 8 * 13
    assert {f.__name__ for f in rig.functions.values()} == set(RIO_FUNCTIONS)


@pytest.mark.parametrize(
    ("guid", "room", "code"),
    [
        (GUID, RIO_TABLE.size - 1, WSA.WSAEFAULT),
        (GUID[:15], RIO_TABLE.size, WSA.WSAEFAULT),
        (WSAID["ConnectEx"].bytes_le, RIO_TABLE.size, WSA.WSAEINVAL),
        (bytes(16), RIO_TABLE.size, WSA.WSAEINVAL),
    ],
    ids=["little room", "short guid", "another guid", "no guid"],
)
def test_the_table_is_refused(rig, guid, room, code):
    out, n = bytearray(b"\xaa" * RIO_TABLE.size), ctypes.c_uint32(7)
    rig.fails(rig.table(rig.socket(), guid, out, room, n), code)
    assert out == b"\xaa" * RIO_TABLE.size


def test_a_pointer_of_the_table_is_none_of_the_single_ones(rig):
    code = c.SIO_GET_EXTENSION_FUNCTION_POINTER
    rig.fails(
        ws.WSAIoctl(rig.socket(), code, GUID, 16, bytearray(112), 112, ctypes.c_uint32(), None, None), WSA.WSAEINVAL
    )


# -- buffers


@pytest.mark.parametrize(
    ("memory", "size", "code"),
    [
        (bytearray(8), 0, WSA.WSAEINVAL),
        (None, 8, WSA.WSAEFAULT),
        (bytearray(8), 9, WSA.WSAEFAULT),
        (b"constant", 8, WSA.WSAEFAULT),
        (16, 8, WSA.WSAEFAULT),
        (1 << 63, 1 << 20, WSA.WSAEFAULT),
        (object(), 8, WSA.WSAEFAULT),
    ],
    ids=["empty", "NULL", "short", "constant", "unmapped", "absurd", "no memory"],
)
def test_no_buffer(rig, memory, size, code):
    rig.no(rig.RegisterBuffer(memory, size), code, c.RIO_INVALID_BUFFERID)


def test_memory_stays_as_large_as_it_was_registered(rig):
    memory = bytearray(100)
    number = rig.register(memory, 100)
    with pytest.raises(BufferError):
        memory.clear()
    rig.DeregisterBuffer(number)
    memory.clear()


def test_all_of_a_raw_buffer_has_to_be_there(rig):
    page = k32.VirtualAlloc(None, 1 << 18, 0x3000, 4)
    assert page
    rig.register(page, 1 << 18)
    assert k32.VirtualFree(page, 0, 0x8000)
    rig.no(rig.RegisterBuffer(page, 1 << 18), WSA.WSAEFAULT, c.RIO_INVALID_BUFFERID)


@pytest.mark.parametrize("number", [0, 1, c.RIO_INVALID_BUFFERID, None, 2**64 - 1, -1, 2**70])
def test_numbers_that_are_none_are_ignored(rig, number):
    rig.DeregisterBuffer(number)
    rig.CloseCompletionQueue(number)
    assert rig.receives(rig.udp())


# -- completion queues


@pytest.mark.parametrize("size", [0, c.RIO_MAX_CQ_SIZE + 1, 2**32])
def test_sizes_of_completion_queues(rig, size):
    rig.no(rig.CreateCompletionQueue(size, None), WSA.WSAEINVAL)
    rig.no(rig.ResizeCompletionQueue(rig.cq(), size), WSA.WSAEINVAL)


def test_the_largest_completion_queue(rig):
    assert rig.cq(c.RIO_MAX_CQ_SIZE) != rig.cq(1)


@pytest.mark.parametrize("how", ["event is no handle", "port is an event", "type", "no overlapped", "short"])
def test_notifications_that_cannot_be(rig, how):
    event, port = rig.event(), rig.port()
    given = {
        "event is no handle": rig.by_event(0x4444),
        "port is an event": rig.by_port(event, 1, 1),
        "type": struct.pack("<i4xQQQ", 3, event, 0, 0),
        "no overlapped": rig.by_port(port, 1, 0),
        "short": bytes(8),
    }[how]
    rig.no(rig.CreateCompletionQueue(4, given), WSA.WSAEFAULT if how == "short" else WSA.WSAEINVAL)


def test_a_completion_queue_has_to_be_large_enough_for_its_request_queues(rig):
    cq = rig.cq(8)
    first = rig.rq(rig.udp(), cq, most=(3, 2))
    late = rig.udp()
    rig.no(rig.CreateRequestQueue(late, 2, 1, 2, 1, cq, cq, 0), WSA.WSAENOBUFS)
    rig.no(rig.ResizeCompletionQueue(cq, 4), WSA.WSAETOOMANYREFS)
    assert rig.ResizeCompletionQueue(cq, 9) == 1
    rig.yes(rig.CreateRequestQueue(late, 2, 1, 2, 1, cq, cq, 0))
    rig.no(rig.ResizeRequestQueue(first, 3, 3), WSA.WSAENOBUFS)
    assert rig.ResizeRequestQueue(first, 4, 1) == 1
    assert rig.ResizeRequestQueue(first, 1, 1) == 1
    assert rig.ResizeCompletionQueue(cq, 6) == 1
    rig.no(rig.ResizeCompletionQueue(cq, 5), WSA.WSAETOOMANYREFS)


def test_two_completion_queues_are_charged_apart(rig):
    receiving, sending = rig.cq(3), rig.cq(2)
    s = rig.udp()
    rig.no(rig.CreateRequestQueue(s, 3, 1, 3, 1, receiving, sending, 0), WSA.WSAENOBUFS)
    rq = rig.rq(s, receiving, sending, (3, 2))
    rig.no(rig.ResizeRequestQueue(rq, 3, 3), WSA.WSAENOBUFS)
    rig.no(rig.ResizeCompletionQueue(receiving, 2), WSA.WSAETOOMANYREFS)


def test_a_closed_socket_gives_its_places_back_when_its_completions_are_dequeued(rig):
    cq = rig.cq(4)
    s = rig.udp()
    rq = rig.rq(s, cq, most=(2, 2))
    rig.receive(rq, 0, 64)
    rig.ok(ws.closesocket(s))
    rig.no(rig.CreateRequestQueue(rig.udp(), 2, 1, 2, 1, cq, cq, 0), WSA.WSAENOBUFS)
    assert [r.status for r in rig.look(cq)] == [WSA.WSA_OPERATION_ABORTED]
    rig.rq(rig.udp(), cq, most=(2, 2))


# -- request queues


@pytest.mark.parametrize(
    ("kind", "flags"),
    [(c.SOCK_DGRAM, c.WSA_FLAG_OVERLAPPED), (c.SOCK_STREAM, 0)],
    ids=["overlapped alone", "no flag"],
)
def test_only_sockets_made_for_it_have_request_queues(rig, kind, flags):
    cq = rig.cq()
    rig.no(rig.CreateRequestQueue(rig.open(kind, flags=flags), 1, 1, 1, 1, cq, cq, 0), WSA.WSAEOPNOTSUPP)


def test_local_sockets_have_none(rig):
    cq = rig.cq()
    rig.no(rig.CreateRequestQueue(rig.open(c.SOCK_STREAM, c.AF_UNIX), 1, 1, 1, 1, cq, cq, 0), WSA.WSAEOPNOTSUPP)


def test_request_queues_that_cannot_be(rig):
    s, cq = rig.udp(), rig.cq()
    rig.no(rig.CreateRequestQueue(0x4444, 1, 1, 1, 1, cq, cq, 0), WSA.WSAENOTSOCK)
    for args in [
        (0, 1, 0, 1, cq, cq), (1, 0, 1, 1, cq, cq), (1, 1, 1, 2, cq, cq),
        (1, 1, 1, 1, c.RIO_INVALID_CQ, cq), (1, 1, 1, 1, cq, c.RIO_INVALID_CQ), (1, 1, 1, 1, rig.pool, cq),
    ]:  # fmt: skip
        rig.no(rig.CreateRequestQueue(s, *args, 0), WSA.WSAEINVAL)
    rq = rig.rq(s, cq)
    rig.no(rig.CreateRequestQueue(s, 1, 1, 1, 1, cq, cq, 0), WSA.WSAEINVAL)
    rig.no(rig.ResizeRequestQueue(rq, 0, 0), WSA.WSAEINVAL)
    rig.no(rig.ResizeRequestQueue(cq, 1, 1), WSA.WSAEINVAL)


def test_more_requests_than_may_be_outstanding(rig):
    s, cq = rig.udp(), rig.cq()
    rq = rig.rq(s, cq, most=(1, 0))
    rig.no(rig.Send(rq, rig.put(0, b"x"), 1, 0, 0), WSA.WSAENOBUFS)
    rig.receive(rq, 0, 64)
    rig.no(rig.Receive(rq, rig.buf(64, 64), 1, c.RIO_MSG_DEFER, 0), WSA.WSAENOBUFS)
    rig.no(rig.ResizeRequestQueue(rq, 0, 1), WSA.WSAETOOMANYREFS)
    assert rig.ResizeRequestQueue(rq, 2, 1) == 1
    rig.receive(rq, 64, 64)


def test_a_completion_counts_until_it_is_dequeued(rig):
    s, cq = rig.udp(), rig.cq()
    rq = rig.rq(s, cq, most=(1, 1))
    rig.ok(ws.connect(s, rig.name(s), 16))
    rig.transmit(rq, 0, b"one")
    rig.no(rig.Send(rq, rig.put(8, b"two"), 1, 0, 0), WSA.WSAENOBUFS)
    assert rig.results(cq, 1)[0].n == 3
    rig.transmit(rq, 8, b"two")


@pytest.mark.parametrize("number", [0, 1, None, 2**64 - 1])
def test_queues_that_are_none(rig, number):
    array = bytearray(b"\xaa" * 24)
    rig.no(rig.Receive(number, rig.buf(0, 4), 1, 0, 0), WSA.WSAEINVAL)
    rig.no(rig.Send(number, rig.buf(0, 4), 1, 0, 0), WSA.WSAEINVAL)
    rig.no(rig.ResizeRequestQueue(number, 1, 1), WSA.WSAEINVAL)
    rig.no(rig.ResizeCompletionQueue(number, 1), WSA.WSAEINVAL)
    rig.no(rig.DequeueCompletion(number, array, 1), WSA.WSAEINVAL, c.RIO_CORRUPT_CQ)
    assert rig.Notify(number) == WSA.WSAEINVAL
    assert array == b"\xaa" * 24


def test_requests_without_their_completion_queue(rig):
    s, receiving, sending = rig.udp(), rig.cq(), rig.cq()
    rq = rig.rq(s, receiving, sending)
    rig.receive(rq, 0, 16)
    rig.CloseCompletionQueue(receiving)
    rig.no(rig.Receive(rq, rig.buf(16, 16), 1, 0, 0), WSA.WSAEINVAL)
    rig.no(rig.DequeueCompletion(receiving, bytearray(24), 1), WSA.WSAEINVAL, c.RIO_CORRUPT_CQ)
    rig.ok(ws.connect(s, rig.name(s), 16))
    rig.transmit(rq, 32, b"to itself")
    assert rig.results(sending, 1)[0].n == 9
    rig.until(lambda: not rig.look(sending) and rig.memory.startswith(b"to itself"))  # dropped, but received


def test_nothing_works_before_startup(rig):
    cq = rig.cq()
    with winsock.Process().attached():
        rig.no(rig.CreateCompletionQueue(1, None), WSA.WSANOTINITIALISED)
        rig.no(rig.RegisterBuffer(bytearray(8), 8), WSA.WSANOTINITIALISED, c.RIO_INVALID_BUFFERID)
        rig.no(rig.DequeueCompletion(cq, bytearray(24), 1), WSA.WSANOTINITIALISED, c.RIO_CORRUPT_CQ)
        assert rig.Notify(cq) == WSA.WSANOTINITIALISED


# -- dequeuing


def test_a_bad_array_loses_nothing(rig):
    s, cq = rig.udp(), rig.cq()
    rq = rig.rq(s, cq)
    rig.ok(ws.connect(s, rig.name(s), 16))
    rig.transmit(rq, 0, b"abc", context=5)
    rig.until(lambda: rig.DequeueCompletion(cq, bytes(24), 1) == c.RIO_CORRUPT_CQ)
    for bad in (None, 16, bytearray(23)):
        rig.no(rig.DequeueCompletion(cq, bad, 1), WSA.WSAEFAULT, c.RIO_CORRUPT_CQ)
    assert rig.DequeueCompletion(cq, None, 0) == 0
    assert rig.look(cq) == [(0, 3, 0, 5)]


def test_completions_come_in_parts_as_the_array_has_room(rig):
    s, cq = rig.udp(), rig.cq()
    rq = rig.rq(s, cq)
    rig.ok(ws.connect(s, rig.name(s), 16))
    for i in range(5):
        rig.transmit(rq, 8 * i, b"x" * i, context=i)
    got = []
    rig.until(lambda: got.extend(rig.look(cq, 2)) or len(got) == 5)
    assert [(r.n, r.request) for r in got] == [(i, i) for i in range(5)]
    assert rig.look(cq) == []
