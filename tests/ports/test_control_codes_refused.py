"""What the reservation's control codes refuse, and in which words."""

from __future__ import annotations

import ctypes
import os
import struct

import pytest
from reservation_calls import (
    ACQUIRE,
    ASSOCIATE,
    FAILED,
    PROTOCOLS,
    RELEASE,
    acquire,
    associate,
    bind,
    code,
    control,
    new,
    release,
    request,
)

import winsock
import winsock.ws2_32 as ws
from winsock import ports
from winsock.abi import _constants as c
from winsock.codes import WSA

pytestmark = pytest.mark.usefixtures("quiet", "process")


# -- refusals


def test_the_sizes_of_the_buffers():
    s = new()
    there = struct.pack(">H", 0) + struct.pack("<H", 1)
    assert control(s, ACQUIRE, there, bytearray(15)) == (WSA.WSAEINVAL, 0)
    assert control(s, ACQUIRE, there, None) == (WSA.WSAEINVAL, 0)
    assert control(s, ACQUIRE, there[:3], bytearray(16)) == (WSA.WSAEINVAL, 0)
    assert control(s, ACQUIRE, there + b"more", bytearray(64)) == (0, 16)
    _, token = acquire(s, 1)
    for number in (ASSOCIATE, RELEASE):
        assert control(new(), number, struct.pack("<Q", token)[:7]) == (WSA.WSAEINVAL, 0)
        assert control(new(), number, struct.pack("<Q", token), bytearray(1)) == (WSA.WSAEINVAL, 0)


@pytest.mark.parametrize("number", [ACQUIRE, ASSOCIATE, RELEASE], ids=["acquire", "associate", "release"])
def test_bad_pointers(number):
    s = new()
    bad = 8
    data = bytes(8)
    count = bytearray(4)
    assert ws.WSAIoctl(s, number, bad, 8, bytearray(16), 16, count, None, None) == FAILED
    assert code() == WSA.WSAEFAULT
    assert ws.WSAIoctl(s, number, data, 8, None, 0, bad, None, None) == FAILED
    assert code() == WSA.WSAEFAULT
    assert ws.WSAIoctl(s, number, data, 8, None, 0, None, None, None) == FAILED
    assert code() == WSA.WSAEFAULT


def test_a_bad_output_pointer_reserves_nothing():
    s = new()
    count = bytearray(4)
    there = struct.pack(">H", 0) + struct.pack("<H", 1)
    before = len(ports.reservations(persistent=False))
    assert ws.WSAIoctl(s, ACQUIRE, there, 4, ctypes.c_void_p(8).value, 16, count, None, None) == FAILED
    assert code() == WSA.WSAEFAULT
    mine = [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]
    assert len(mine) <= before


@pytest.mark.parametrize("number", [ACQUIRE, ASSOCIATE, RELEASE], ids=["acquire", "associate", "release"])
def test_not_a_socket(number):
    assert control(4, number, bytes(8), bytearray(16))[0] == WSA.WSAENOTSOCK


@pytest.mark.parametrize("number", [ACQUIRE, ASSOCIATE, RELEASE], ids=["acquire", "associate", "release"])
def test_other_kinds_of_sockets(number):
    s = ws.socket(c.AF_UNIX, c.SOCK_STREAM, 0)
    assert control(s, number, bytes(8), bytearray(16))[0] == WSA.WSAEOPNOTSUPP


def test_a_socket_of_neither_protocol(isolated):
    def body() -> None:
        s = ws.socket(c.AF_INET, c.SOCK_RAW, c.IPPROTO_ICMP)
        for number in ACQUIRE, ASSOCIATE, RELEASE:
            assert control(s, number, bytes(8), bytearray(16)) == (WSA.WSAEOPNOTSUPP, 0)
            overlapped = bytearray(32)
            assert request(s, number, bytes(8), bytearray(16), overlapped, None) == WSA.WSA_IO_PENDING
            assert not ws.WSAGetOverlappedResult(s, overlapped, bytearray(4), True, bytearray(4))
            assert code() == WSA.WSAEOPNOTSUPP

    isolated(body)


def test_a_network_without_reservations(process, monkeypatch):
    first = new()
    _, token = acquire(first)
    monkeypatch.delattr(type(process.sockets[first].network), "ports")
    data = struct.pack(">H", 0) + struct.pack("<H", 1) + bytes(4)
    assert control(first, ACQUIRE, data, bytearray(16)) == (WSA.WSAEOPNOTSUPP, 0)
    for number in ASSOCIATE, RELEASE:
        assert control(first, number, struct.pack("<Q", token)) == (WSA.WSAEOPNOTSUPP, 0)
        persistent = struct.pack("<Q", 1 << 63)
        overlapped = bytearray(32)
        assert request(first, number, persistent, None, overlapped, None) == WSA.WSA_IO_PENDING
        assert not ws.WSAGetOverlappedResult(first, overlapped, bytearray(4), True, bytearray(4))
        assert code() == WSA.WSAEOPNOTSUPP


def test_an_unused_output_pointer_is_not_looked_at():
    _, token = acquire(new())
    s = new()
    data, count = struct.pack("<Q", token), bytearray(b"\xaa" * 4)
    for number, on in (ASSOCIATE, new()), (RELEASE, s):
        assert ws.WSAIoctl(on, number, data, 8, 8, 0, count, None, None) == 0
        assert count == bytes(4)  # there is no output, though the documents say that this is not zero


@pytest.mark.parametrize(("start", "count"), [(0, 0), (5000, 0), (65535, 2), (2, 65535)], ids=str)
def test_blocks_that_cannot_be(start, count):
    data = struct.pack(">H", start) + struct.pack("<H", count & 0xFFFF)
    assert control(new(), ACQUIRE, data, bytearray(16)) == (WSA.WSAEINVAL, 0)


def test_more_ports_than_the_system_chooses_from():
    assert control(new(), ACQUIRE, bytes(2) + b"\xff\xff", bytearray(16)) == (WSA.WSAENOBUFS, 0)


@PROTOCOLS
def test_a_block_with_a_port_in_use_is_refused_whole(protocol):
    first, _ = acquire(new(protocol), 1)
    for start in (first, first - 1, first - 2):
        data = struct.pack(">H", start) + struct.pack("<H", 3)
        assert control(new(protocol), ACQUIRE, data, bytearray(16)) == (WSA.WSAEADDRINUSE, 0)
    mine = [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]
    assert [(r.start, r.count) for r in mine] == [(first, 1)]


def test_unknown_tokens():
    s = new()
    _, token = acquire(s, 1)
    for wrong in (0, token ^ 1, 1 << 63, (1 << 64) - 1):
        assert associate(new(), wrong) == WSA.WSAEINVAL
        assert release(new(), wrong) == WSA.WSAEINVAL


def test_a_token_of_the_other_protocol():
    _, token = acquire(new("tcp"), 1)
    assert associate(new("udp"), token) == WSA.WSAEOPNOTSUPP
    assert release(new("udp"), token) == WSA.WSAEOPNOTSUPP


def test_associate_only_before_bind():
    _, token = acquire(new(), 1)
    s = new()
    assert bind(s) == 0
    assert associate(s, token) == WSA.WSAEINVAL


def test_without_startup():
    with winsock.Process().attached():
        assert control(4, ACQUIRE, bytes(4), bytearray(16))[0] == WSA.WSANOTINITIALISED
