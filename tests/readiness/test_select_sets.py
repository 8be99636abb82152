"""select and its sets: how they are read and written, what is refused and leaves them alone."""

from __future__ import annotations

import ctypes
import mmap
import struct

import pytest
from fdsets import fd_set, members, timeval
from hypothesis import given
from hypothesis import strategies as st
from processes import started

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.api._select import read_set
from winsock.codes import WSA

NOW = timeval(0)


class FdSet(ctypes.Structure):
    _fields_ = (("fd_count", ctypes.c_uint32), ("fd_array", ctypes.c_uint64 * 64))


# ################ reading ################


@given(st.lists(st.integers(0, 2**64 - 1), max_size=300), st.integers(0, 5))
def test_reading_gives_the_counted_entries(handles, room):
    data = fd_set(*handles, room=room)
    held = (ctypes.c_char * len(data)).from_buffer(data)
    assert read_set(data) == read_set(bytes(data)) == read_set(ctypes.addressof(held)) == handles
    assert read_set(None) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_a_set_or_a_fault(data):
    with started():
        before = bytearray(data)
        assert ws.select(0, before, None, None, NOW) == -1
        (count,) = struct.unpack_from("<I", data) if len(data) >= 4 else (None,)
        if len(data) < 8 or (count and len(data) < 8 + 8 * count):
            expected = WSA.WSAEFAULT
        else:
            expected = WSA.WSAENOTSOCK if count else WSA.WSAEINVAL
        assert ws.WSAGetLastError() == expected
        assert before == data


def test_an_absurd_count_is_a_fault_and_costs_nothing(net):
    data = bytearray(struct.pack("<I4xQ", 0xFFFFFFFF, 64))
    net.fails(ws.select(0, data, None, None, NOW), WSA.WSAEFAULT)
    page = mmap.mmap(-1, mmap.PAGESIZE)
    page[:16] = data
    held = ctypes.c_char.from_buffer(page)
    net.fails(ws.select(0, ctypes.addressof(held), None, None, NOW), WSA.WSAEFAULT)
    del held


def test_only_counted_entries_are_touched(net):
    a, _ = net.pair()
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    held = ctypes.c_char.from_buffer(pages)
    end = ctypes.addressof(held) + mmap.PAGESIZE
    libc = ctypes.CDLL(None)
    protect = lambda how: libc.mprotect(ctypes.c_void_p(end), ctypes.c_size_t(mmap.PAGESIZE), how)  # noqa: E731
    ctypes.memmove(end - 16, bytes(fd_set(a)), 16)
    assert protect(0) == 0
    try:
        assert ws.select(0, None, end - 16, None, NOW) == 1
        assert ctypes.string_at(end - 16, 16) == fd_set(a)
        ctypes.memmove(end - 16, struct.pack("<I4xQ", 2, a), 16)
        net.fails(ws.select(0, None, end - 16, None, NOW), WSA.WSAEFAULT)
    finally:
        assert protect(3) == 0
    del held


# ################ what is refused ################


@pytest.mark.parametrize("sets", [(None, None, None), (fd_set(), None, None), (fd_set(), fd_set(), fd_set(room=3))])
def test_no_socket_at_all(net, sets):
    net.fails(ws.select(0, *sets, timeval(5)), WSA.WSAEINVAL)


@pytest.mark.parametrize("stranger", [0, 3, 0x7777_0000, c.INVALID_SOCKET])
@pytest.mark.parametrize("place", range(3))
def test_one_stranger_fails_all_and_the_sets_stay(net, stranger, place):
    a, b = net.pair()
    sets = [fd_set(a, b), fd_set(b), fd_set(a)]
    sets[place] = fd_set(a, stranger, b)
    before = [bytes(s) for s in sets]
    net.fails(ws.select(0, *sets, NOW), WSA.WSAENOTSOCK)
    assert sets == before


@pytest.mark.parametrize("bad", [0x10, b"", b"\1\0\0\0", bytearray(7), 2.5, "x"])
def test_a_bad_set(net, bad):
    a, _ = net.pair()
    other = fd_set(a)
    for sets in ((bad, None, other), (None, bad, other), (other, None, bad)):
        net.fails(ws.select(0, *sets, NOW), WSA.WSAEFAULT)
    assert other == fd_set(a)


def test_a_set_that_cannot_be_written(net):
    a, _ = net.pair()
    for timeout in (NOW, timeval(1)):
        net.fails(ws.select(0, bytes(fd_set(a)), None, None, timeout), WSA.WSAEFAULT)
        net.fails(ws.select(0, None, bytes(fd_set(a)), None, timeout), WSA.WSAEFAULT)
        net.fails(ws.select(0, None, None, bytes(fd_set(a)), timeout), WSA.WSAEFAULT)


@pytest.mark.parametrize(
    ("timeout", "code"),
    [
        (struct.pack("<ii", -1, 0), WSA.WSAEINVAL),
        (struct.pack("<ii", 0, -1), WSA.WSAEINVAL),
        (0x10, WSA.WSAEFAULT),
        (b"\0\0\0", WSA.WSAEFAULT),
    ],
)
def test_a_bad_timeout(net, timeout, code):
    a, _ = net.pair()
    net.fails(ws.select(0, fd_set(a), None, None, timeout), code)
    net.fails(ws.select(0, None, fd_set(a), None, timeout), code)  # though it would not have to wait


def test_before_the_start():
    with winsock.Process().attached():
        assert ws.select(0, None, None, None, None) == -1
        assert ws.WSAGetLastError() == WSA.WSANOTINITIALISED


def test_sockets_of_another_process_are_strangers(net):
    a, _ = net.pair()
    with started():
        net.fails(ws.select(0, None, fd_set(a), None, NOW), WSA.WSAENOTSOCK)


# ################ writing ################


def test_every_kind_of_pointer(net):
    a, b = net.pair()
    net.send(a, b"x")
    net.await_arrival(b)
    structure = FdSet(2, (ctypes.c_uint64 * 64)(a, b))
    assert ws.select(0, structure, None, None, NOW) == 1
    assert (structure.fd_count, structure.fd_array[0]) == (1, b)
    structure = FdSet(2, (ctypes.c_uint64 * 64)(a, b))
    assert ws.select(0, ctypes.byref(structure), None, None, NOW) == 1
    assert (structure.fd_count, structure.fd_array[0]) == (1, b)
    structure = FdSet(2, (ctypes.c_uint64 * 64)(a, b))
    assert ws.select(0, ctypes.addressof(structure), None, None, NOW) == 1
    assert (structure.fd_count, structure.fd_array[0]) == (1, b)
    view = memoryview(fd_set(a, b))
    assert ws.select(0, view, None, None, NOW) == 1
    assert members(view) == [b]


def test_what_is_not_ready_leaves_and_the_order_stays(net):
    sockets = [s for _ in range(5) for s in net.pair()]
    for s in sockets[1::4]:
        net.send(s, b"x")
        net.await_arrival(sockets[sockets.index(s) - 1])
    ready = sockets[::4]
    assert net.select(sockets) == (len(ready), ready, [], [])


@pytest.mark.parametrize("spare", [0, 70])
def test_duplicates_collapse(net, spare):
    a, b = net.pair()
    data = fd_set(a, b, a, a, b, room=spare)
    assert ws.select(0, None, data, None, NOW) == 2
    assert members(data) == [a, b]
    assert struct.unpack_from("<5Q", data, 8)[2:] == (a, a, b)


def test_one_set_passed_twice_is_the_union(net):
    a, b = net.pair()
    net.send(a, b"x")
    net.await_arrival(b)
    both = fd_set(a, b)
    assert ws.select(0, both, both, None, NOW) == 2
    assert sorted(members(both)) == sorted([a, b])
    everywhere = fd_set(b)
    assert ws.select(0, everywhere, everywhere, everywhere, NOW) == 1
    lone = fd_set(a, b)
    assert ws.select(0, lone, None, lone, NOW) == 1
    assert members(lone) == [b]
    structure = FdSet(1, (ctypes.c_uint64 * 64)(b))
    assert ws.select(0, ctypes.addressof(structure), ctypes.byref(structure), None, NOW) == 1


def test_more_sockets_than_fd_setsize(net):
    sockets = [net.udp() for _ in range(3 * c.FD_SETSIZE)]
    assert net.select(write=sockets) == (len(sockets), [], sockets, [])
    assert net.select(read=sockets) == (0, [], [], [])


def test_a_timeout_stays_as_it_is(net):
    a, _ = net.pair()
    timeout = bytearray(timeval(3))
    assert ws.select(0, fd_set(a), None, None, timeout) == 0
    assert timeout == timeval(3)


def test_the_first_argument_does_not_matter(net):
    a, _ = net.pair()
    for n in (0, -5, 1 << 40, None):
        assert ws.select(n, None, fd_set(a), None, NOW) == 1


# ################ __WSAFDIsSet ################


def test_membership(net):
    is_set = getattr(ws, "__WSAFDIsSet")
    data = fd_set(64, 68, room=1)
    struct.pack_into("<Q", data, 24, 72)
    assert [is_set(s, data) for s in (64, 68, 72, 0)] == [1, 1, 0, 0]
    assert is_set(-1, fd_set(c.INVALID_SOCKET)) == 1
    ws.WSASetLastError(5)
    assert [is_set(64, bad) for bad in (None, 0x10, b"", bytearray(struct.pack("<I4x", 9)))] == [0] * 4
    assert is_set("x", data) == 0
    assert ws.WSAGetLastError() == 5
