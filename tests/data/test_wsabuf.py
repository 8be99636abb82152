"""WSASend, WSARecv and their like: WSABUF arrays, counts and flags, and what is refused."""

from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

UNMAPPED = 0x10
SENTINEL = 0xDEADBEEF

slow_fixture = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
pieces = st.lists(st.binary(max_size=70), min_size=1, max_size=12)
sizes = st.lists(st.integers(0, 90), min_size=1, max_size=12)


def wsasend(s, array, count, n=None, flags=0, ov=None, routine=None):
    return ws.WSASend(s, array, count, n, flags, ov, routine)


def wsarecv(s, array, count, n=None, flags=None, ov=None, routine=None):
    return ws.WSARecv(s, array, count, n, flags if flags is not None else ctypes.c_uint32(), ov, routine)


def scattered(data: bytes, room: list[int]) -> list[bytes]:
    """What buffers of these sizes hold after a receive of data."""
    out = []
    for size in room:
        out.append(data[:size].ljust(size, b"\0"))
        data = data[size:]
    return out


@slow_fixture
@given(pieces, sizes)
def test_gather_and_scatter_a_stream(net, sent, room):
    a, b = net.pair()
    data, n = b"".join(sent), ctypes.c_uint32(SENTINEL)
    net.ok(wsasend(a, net.wsabuf(*map(net.alloc, sent)), len(sent), n))
    assert n.value == len(data)
    net.ok(ws.shutdown(a, c.SD_SEND))
    got, left = b"", sum(room)
    if not left:
        return
    while True:
        mem = [net.alloc(size) for size in room]
        net.ok(wsarecv(b, net.wsabuf(*mem), len(mem), n))
        held = [m.mem.raw for m in mem]
        assert held == scattered(b"".join(held)[: n.value], room)
        got += b"".join(held)[: n.value]
        if not n.value:
            break
    assert got == data


@slow_fixture
@given(pieces, sizes)
def test_gather_and_scatter_a_datagram(net, sent, room):
    a, b = net.udp_pair()
    data, n, flags = b"".join(sent), ctypes.c_uint32(SENTINEL), ctypes.c_uint32()
    net.ok(wsasend(a, net.wsabuf(*map(net.alloc, sent)), len(sent), n))
    assert n.value == len(data)
    mem = [net.alloc(size) for size in room]
    result = wsarecv(b, net.wsabuf(*mem), len(mem), n, flags)
    if len(data) > sum(room):
        net.fails(result, WSA.WSAEMSGSIZE)
        assert flags.value == c.MSG_PARTIAL
    else:
        net.ok(result)
        assert flags.value == 0
    assert n.value == min(len(data), sum(room))
    assert [m.mem.raw for m in mem] == scattered(data, room)


def test_more_buffers_than_linux_takes_at_once(net):
    mem = [net.alloc(bytes([i % 256])) for i in range(3000)]
    a, b = net.pair()
    n = ctypes.c_uint32()
    net.ok(wsasend(a, net.wsabuf(*mem), 3000, n))
    assert n.value == 3000
    into = [net.alloc(1) for _ in range(3000)]
    net.ok(wsarecv(b, net.wsabuf(*into), 3000, n, ctypes.c_uint32(c.MSG_WAITALL)))
    assert b"".join(m.mem.raw for m in into) == b"".join(m.mem.raw for m in mem)
    a, b = net.udp_pair()
    net.ok(wsasend(a, net.wsabuf(*mem), 3000, n))
    net.ok(wsarecv(b, net.wsabuf(*into), 3000, n))
    assert n.value == 3000
    assert b"".join(m.mem.raw for m in into) == b"".join(m.mem.raw for m in mem)


def test_more_buffers_of_memory_that_is_not_there(net):
    for kind in ("pair", "udp_pair"):
        a, _ = getattr(net, kind)()
        array = struct.pack("<I4xQ", 8, UNMAPPED) * 3000
        net.fails(wsasend(a, array, 3000, ctypes.c_uint32()), WSA.WSAEFAULT)
    huge = struct.pack("<I4xQ", 1 << 16, net.alloc(1 << 16).addr) * 3000
    net.fails(wsasend(a, huge, 3000, ctypes.c_uint32()), WSA.WSAEMSGSIZE)


def test_blocking_send_of_much(net):
    a, b = net.pair()
    mem = [net.alloc(bytes([i]) * 700_000) for i in range(5)]
    n = ctypes.c_uint32()
    sending = net.run(wsasend, a, net.wsabuf(*mem), 5, n)
    assert net.recv_all(b, 3_500_000) == b"".join(m.mem.raw for m in mem)
    assert sending.result(20) == (0, 0)
    assert n.value == 3_500_000


@pytest.mark.parametrize("count", [0, 1 << 31, (1 << 32) - 1])
def test_number_of_buffers(net, count):
    a, b = net.pair()
    net.send(a, b"hello")
    mem = net.alloc(16)
    for array in (net.wsabuf(mem), None):
        net.fails(wsarecv(b, array, count, ctypes.c_uint32()), WSA.WSAEINVAL)
        net.fails(wsasend(a, array, count, ctypes.c_uint32()), WSA.WSAEINVAL)
    assert net.recv(b) == b"hello"


BAD_ARRAYS = {
    "NULL": None,
    "address 0": 0,
    "unmapped": UNMAPPED,
    "short": bytes(15),
    "a buffer at NULL": struct.pack("<I4xQ", 8, 0),
    "a buffer nowhere": struct.pack("<I4xQ", 8, UNMAPPED),
    "a buffer beyond": struct.pack("<I4xQ", 8, (1 << 64) - 4),
    "not memory": object(),
}


@pytest.mark.parametrize("array", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
@pytest.mark.parametrize("kind", ["pair", "udp_pair"])
def test_bad_arrays_lose_nothing(net, array, kind):
    a, b = getattr(net, kind)()
    net.send(a, b"hello")
    n, flags = ctypes.c_uint32(SENTINEL), ctypes.c_uint32()
    net.fails(wsarecv(b, array, 1, n, flags), WSA.WSAEFAULT)
    net.fails(ws.WSARecvFrom(b, array, 1, n, flags, None, None, None, None), WSA.WSAEFAULT)
    net.fails(wsasend(a, array, 1, n), WSA.WSAEFAULT)
    assert n.value == SENTINEL
    assert net.recv(b) == b"hello"


@pytest.mark.parametrize("bad", [None, 0, UNMAPPED, bytes(4), bytearray(3), "n", 1.5])
def test_bad_outputs_lose_nothing(net, bad):
    a, b = net.udp_pair()
    net.send(a, b"hello")
    mem, good = net.alloc(16), ctypes.c_uint32()
    array = net.wsabuf(mem)
    net.fails(wsarecv(b, array, 1, bad, good), WSA.WSAEFAULT)
    net.fails(ws.WSARecv(b, array, 1, good, bad, None, None), WSA.WSAEFAULT)
    net.fails(wsasend(a, array, 1, bad), WSA.WSAEFAULT)
    net.fails(ws.WSASendTo(a, array, 1, bad, 0, net.name(b), 16, None, None), WSA.WSAEFAULT)
    if bad not in (None, 0):
        net.fails(ws.WSARecvFrom(b, array, 1, good, good, bad, ctypes.c_int32(16), None, None), WSA.WSAEFAULT)
        net.fails(ws.WSARecvFrom(b, array, 1, good, good, bytearray(16), bad, None, None), WSA.WSAEFAULT)
    good.value = 0
    assert net.recv(b) == b"hello"
    net.fails(ws.recv(net.nonblocking(b), bytearray(1), 1, 0), WSA.WSAEWOULDBLOCK)


def test_failure_leaves_the_count(net):
    _, b = net.pair()
    n = ctypes.c_uint32(SENTINEL)
    net.fails(wsarecv(net.nonblocking(b), net.wsabuf(net.alloc(8)), 1, n), WSA.WSAEWOULDBLOCK)
    assert n.value == SENTINEL


def test_flags_go_in_and_out(net):
    a, b = net.pair()
    net.send(a, b"hello")
    flags, n, mem = ctypes.c_uint32(c.MSG_PEEK), ctypes.c_uint32(), net.alloc(8)
    net.ok(wsarecv(b, net.wsabuf(mem), 1, n, flags))
    assert (flags.value, mem.mem.raw) == (0, b"hello\0\0\0")
    assert net.recv(b) == b"hello"
    flags.value = 0x40
    net.fails(wsarecv(b, net.wsabuf(mem), 1, n, flags), WSA.WSAEINVAL)


def test_addresses(net):
    a, b = net.udp(), net.udp()
    n, mem = ctypes.c_uint32(), net.alloc(b"hello")
    net.ok(ws.WSASendTo(a, net.wsabuf(mem), 1, n, 0, net.name(b), 16, None, None))
    name, size, flags = bytearray(16), ctypes.c_int32(16), ctypes.c_uint32()
    net.fails(
        ws.WSARecvFrom(b, net.wsabuf(net.alloc(2)), 1, n, flags, name, size, None, None), WSA.WSAEMSGSIZE
    )
    assert (name, n.value, flags.value) == (net.name(a), 2, c.MSG_PARTIAL)
    net.ok(ws.WSASendTo(a, net.wsabuf(mem), 1, n, 0, net.name(b), 16, None, None))
    name, flags.value = bytearray(16), 0
    net.ok(ws.WSARecvFrom(b, net.wsabuf(mem), 1, n, flags, name, size, None, None))
    assert (name, n.value) == (net.name(a), 5)
    net.fails(ws.WSASendTo(a, net.wsabuf(mem), 1, n, 0, bytes(16), 16, None, None), WSA.WSAEAFNOSUPPORT)


def test_addresses_mean_nothing_on_a_stream(net):
    a, b = net.pair()
    n, mem = ctypes.c_uint32(), net.alloc(b"hello")
    net.ok(ws.WSASendTo(a, net.wsabuf(mem), 1, n, 0, bytes(4), 4, None, None))
    name, size = bytearray(b"x" * 4), ctypes.c_int32(4)
    net.ok(ws.WSARecvFrom(b, net.wsabuf(mem), 1, n, ctypes.c_uint32(), name, size, None, None))
    assert (name, size.value) == (b"xxxx", 4)


def test_overlapped_is_refused_after_what_the_state_refuses(net):
    a, b = net.pair()
    net.send(a, b"hello")
    array, ov, n = net.wsabuf(net.alloc(8)), bytearray(32), ctypes.c_uint32()
    net.fails(wsarecv(b, array, 0, None, None, ov), WSA.WSAEINVAL)
    net.ok(ws.shutdown(b, c.SD_BOTH))
    net.fails(wsarecv(b, array, 1, n, None, ov), WSA.WSAESHUTDOWN)
    net.fails(wsasend(b, array, 1, n, 0, ov), WSA.WSAESHUTDOWN)
    net.fails(wsarecv((1 << 64) - 1, array, 1, n, None, ov), WSA.WSAENOTSOCK)


@pytest.mark.parametrize("graceful", [False, True])
def test_overlapped_on_a_lost_connection(net, graceful):
    a, b = net.pair()
    net.ok(ws.closesocket(a)) if graceful else net.reset(a)
    net.await_end(b)
    array, ov, n = net.wsabuf(net.alloc(8)), bytearray(32), ctypes.c_uint32(SENTINEL)
    for _ in range(2):
        if graceful:
            net.ok(wsarecv(b, array, 1, n, None, ov))
            assert n.value == 0
        else:
            net.fails(wsarecv(b, array, 1, n, None, ov), WSA.WSAECONNRESET)
            net.fails(wsasend(b, array, 1, n, 0, ov), WSA.WSAECONNRESET)
    if graceful:
        assert net.recv(b) == b""
    else:
        assert n.value == SENTINEL
        net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)
