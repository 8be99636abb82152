"""Completion ports under several threads, in bulk, closed under waiters, and in odd orders."""

from __future__ import annotations

import ctypes
import struct
import threading

import pytest
from overlapped_kit import Operation

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.afd._requests import ALL
from winsock.codes import NTSTATUS, WSA

ENTRY = struct.Struct("<QQQI4x")


def several(port, count, ms=0, alertable=0):
    """GetQueuedCompletionStatusEx: return value, [(key, OVERLAPPED, status, bytes)]."""
    room, n = bytearray(ENTRY.size * count), ctypes.c_uint32(0xAAAA)
    r = k32.GetQueuedCompletionStatusEx(port, room, count, n, ms, alertable)
    return r, [ENTRY.unpack_from(room, ENTRY.size * i) for i in range(n.value if r else 0)]


def test_packets_in_bulk(lab):
    port = lab.port()
    for i in range(5):
        assert k32.PostQueuedCompletionStatus(port, i, i + 10, i + 100)
    assert several(port, 3) == (1, [(i + 10, i + 100, 0, i) for i in range(3)])
    assert several(port, 64) == (1, [(i + 10, i + 100, 0, i) for i in (3, 4)])
    lab.fails(several(port, 1)[0], c.WAIT_TIMEOUT, 0)


def test_a_failed_request_in_bulk_is_a_success_with_its_status(lab):
    a, b = lab.pair()
    port, op = lab.port(b), lab.pend_recv(b)
    lab.reset(a)
    assert several(port, 4, 20_000) == (1, [(1, op.ov.address, NTSTATUS.STATUS_CONNECTION_RESET, 0)])


def test_bulk_needs_room(lab):
    port = lab.port()
    k32.PostQueuedCompletionStatus(port, 1, 2, 3)
    lab.fails(
        k32.GetQueuedCompletionStatusEx(port, bytearray(32), 0, bytearray(4), 0, 0), c.ERROR_INVALID_PARAMETER, 0
    )
    lab.fails(k32.GetQueuedCompletionStatusEx(port, bytearray(8), 1, bytearray(4), 0, 0), WSA.WSAEFAULT, 0)
    lab.fails(k32.GetQueuedCompletionStatusEx(port, bytearray(32), 1, None, 0, 0), WSA.WSAEFAULT, 0)
    assert lab.packet(port) == (1, 1, 2, 3, 0)


@pytest.mark.parametrize("values", [(0, 0, 0), (0xFFFFFFFF, (1 << 64) - 1, (1 << 64) - 1), (1, 0x12345678, 0x10)])
def test_posted_values_come_back_whatever_they_are(lab, values):
    port = lab.port()
    assert k32.PostQueuedCompletionStatus(port, *values)
    assert lab.packet(port) == (1, *values, 0)


def test_an_overlapped_given_as_an_object_comes_back_as_its_address(lab):
    port, op = lab.port(), Operation()
    assert k32.PostQueuedCompletionStatus(port, 1, 2, op.ov)
    assert lab.packet(port)[3] == op.ov.address


def test_bad_ports(lab):
    for bad in (0, 0xFFFFFC, lab.event(), lab.socket()):
        lab.fails(k32.PostQueuedCompletionStatus(bad, 0, 0, 0), c.ERROR_INVALID_HANDLE, 0)
        assert lab.packet(bad, 0)[4] == c.ERROR_INVALID_HANDLE


def test_bad_pointers_take_no_packet(lab):
    port = lab.port()
    k32.PostQueuedCompletionStatus(port, 1, 2, 3)
    n, key, ov = ctypes.c_uint32(), ctypes.c_uint64(), ctypes.c_uint64()
    for bad in ((None, key, ov), (n, None, ov), (n, key, None), (n, bytes(8), ov), (n, key, 16)):
        lab.fails(k32.GetQueuedCompletionStatus(port, *bad, 0), WSA.WSAEFAULT, 0)
    assert lab.packet(port) == (1, 1, 2, 3, 0)


def test_a_socket_has_one_port(lab):
    _, b = lab.pair()
    lab.port(b)
    other = lab.port()
    lab.fails(k32.CreateIoCompletionPort(b, other, 0, 0), c.ERROR_INVALID_PARAMETER, 0)


def test_closing_a_port_ends_every_wait(lab):
    port = lab.port()
    obj = lab.process.handles.objects[port]
    waiting = [lab.run(lab.packet, port) for _ in range(3)]
    lab.until(lambda: len(obj._queue) == 3)
    assert k32.CloseHandle(port)
    assert {w.result(30)[0] for w in waiting} == {(0, 0xAAAA, 0xAAAA, 0, c.ERROR_ABANDONED_WAIT_0)}


def test_requests_go_on_without_their_port(lab):
    a, b = lab.pair()
    port = lab.port(b)
    op = lab.pend_recv(b)
    assert k32.CloseHandle(port)
    lab.send(a, b"data")
    lab.until(lambda: not op.pending)
    assert (op.ov.InternalHigh, op.data[:4]) == (4, b"data")


def test_a_port_can_be_waited_for(lab):
    port = lab.port()
    assert lab.wait(port, 0) == c.WAIT_TIMEOUT
    waiting = lab.run(k32.WaitForSingleObject, port, 20_000)
    lab.until(lambda: lab.process.handles.objects[port]._waiters)
    k32.PostQueuedCompletionStatus(port, 1, 2, 3)
    assert waiting.result(30)[0] == c.WAIT_OBJECT_0
    assert lab.packet(port) == (1, 1, 2, 3, 0)


def test_every_packet_reaches_one_of_many_threads(lab):
    port, got, lock = lab.port(), [], threading.Lock()

    def worker():
        while True:
            _, n, key, _, _ = lab.packet(port)
            if key == 0:
                return
            with lock:
                got.append(n)

    threads = [lab.run(worker) for _ in range(4)]
    for i in range(2000):
        assert k32.PostQueuedCompletionStatus(port, i, 1, 0)
    for _ in threads:
        k32.PostQueuedCompletionStatus(port, 0, 0, 0)
    for thread in threads:
        thread.result(60)
    assert sorted(got) == list(range(2000))


def test_requests_of_many_sockets_reach_many_threads(lab):
    """Each thread that waits may have to run the reactor for the others."""
    listener, count, rounds = lab.listener(), 8, 25
    pairs = [lab.pair(listener) for _ in range(count)]
    port = lab.port(*(b for _, b in pairs))
    ops = {key: lab.pend_recv(b, 16) for key, (_, b) in enumerate(pairs, 1)}
    echoed, lock = [0], threading.Lock()

    def server():
        while True:
            r, n, key, _, _ = lab.packet(port)
            if key == 0:
                return
            assert r == 1
            _, b = pairs[key - 1]
            lab.send(b, ops[key].data[:n])
            lab.start_recv(b, ops[key])
            with lock:
                echoed[0] += 1

    servers = [lab.run(server) for _ in range(3)]
    for i in range(rounds):
        for j, (a, _) in enumerate(pairs):
            lab.send(a, b"%4d %4d" % (i, j))
        for j, (a, _) in enumerate(pairs):
            assert lab.recv_all(a, 9) == b"%4d %4d" % (i, j)
    for _ in servers:
        k32.PostQueuedCompletionStatus(port, 0, 0, 0)
    for s in servers:
        s.result(60)


def duplicate(lab, s):
    info = bytearray(628)
    lab.ok(ws.WSADuplicateSocketW(s, lab.process.pid, info))
    return ws.WSASocketW(-1, -1, -1, info, 0, c.WSA_FLAG_OVERLAPPED)


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
@pytest.mark.parametrize("first", [0, 1], ids=["original first", "duplicate first"])
def test_duplicates_are_shut_down_together(lab, kind, first):
    s = lab.pair()[0] if kind == c.SOCK_STREAM else lab.udp()
    to = lab.name(lab.udp())
    both = [s, duplicate(lab, s)]
    lab.ok(ws.shutdown(both[first], c.SD_SEND))
    for handle in both:
        lab.fails(ws.sendto(handle, b"x", 1, 0, to, 16), WSA.WSAESHUTDOWN)
        assert lab.start_send(handle, b"x").error in (WSA.WSAESHUTDOWN, WSA.WSAENOTCONN)
    lab.ok(ws.shutdown(both[not first], c.SD_RECEIVE))
    for handle in both:
        op = lab.start_recv(handle, Operation())
        assert (op.result, op.error) == (-1, WSA.WSAESHUTDOWN)


@pytest.mark.parametrize("first", [0, 1], ids=["original first", "duplicate first"])
def test_a_plain_receive_comes_after_requests_of_a_duplicate(lab, first):
    a, b = lab.pair()
    both = [a, duplicate(lab, a)]
    for _ in range(2):
        op = lab.pend_recv(both[first], 4)
        lab.send(b, b"firstand")
        assert lab.recv(both[not first], 4) == b"tand"
        assert lab.result(both[first], op) == (1, 4, 0)
        assert op.data == b"firs"
        first = not first
    op = lab.pend_recv(a, 4)
    later = duplicate(lab, a)
    lab.send(b, b"firstand")
    assert lab.recv(later, 4) == b"tand"
    assert lab.result(a, op) == (1, 4, 0)


@pytest.mark.parametrize("first", [0, 1], ids=["original first", "duplicate first"])
def test_a_reset_is_every_duplicates(lab, first):
    a, b = lab.pair()
    both = [a, duplicate(lab, a)]
    op = lab.pend_recv(both[first])
    lab.reset(b)
    assert lab.result(both[first], op) == (0, 0, c.ERROR_NETNAME_DELETED)
    for handle in both:
        op = lab.start_recv(handle, Operation())
        assert (op.result, op.error) == (-1, WSA.WSAECONNRESET)
        lab.fails(ws.send(handle, b"x", 1, 0), WSA.WSAECONNRESET)


def test_duplicates_share_port_and_requests(lab):
    a, b = lab.pair()
    port, other = lab.port(b), duplicate(lab, b)
    first, second = lab.pend_recv(b, 4), lab.pend_recv(other, 4)
    lab.ok(ws.closesocket(b))
    lab.no_packet(port)
    lab.send(a, b"firs")
    assert lab.packet(port) == (1, 4, 1, first.ov.address, 0)
    lab.ok(ws.closesocket(other))
    assert lab.packet(port) == (0, 0, 1, second.ov.address, c.ERROR_OPERATION_ABORTED)
    lab.no_packet(port)


def test_two_processes_of_one_interpreter(lab):
    """Requests of the one end while a thread of the other waits."""
    a, b = lab.pair()
    e = lab.event()
    op = lab.pend_recv(b, event=e)
    other = winsock.Process()
    with other.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        gate = k32.CreateEventW(None, 1, 0, None)
    watch = threading.Thread(target=lambda: (lab.until(lambda: not op.pending), other.handles.objects[gate].set()))
    watch.start()
    lab.send(a, b"data")
    with other.attached():
        assert k32.WaitForSingleObject(gate, 20_000) == c.WAIT_OBJECT_0
        assert ws.WSACleanup() == 0
    watch.join(30)
    assert lab.wait(e, 0) == c.WAIT_OBJECT_0


def test_nothing_is_kept_of_sockets_that_are_closed(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b)
    lab.port(a)
    known = lab.process.services[ALL]
    before = set(known)
    twin = duplicate(lab, b)
    assert lab.requests(twin) is lab.requests(b)
    lab.ok(ws.closesocket(b))
    assert lab.requests(twin) in known
    assert op.pending
    lab.ok(ws.closesocket(twin))
    assert op.ov.Internal == NTSTATUS.STATUS_CANCELLED
    lab.ok(ws.closesocket(a))
    assert len(before - known) == 2
    for _ in range(20):
        s = lab.socket()
        lab.port(s)
        lab.ok(ws.closesocket(s))
    assert known <= before
