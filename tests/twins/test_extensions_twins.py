"""Microsoft's extensions: AcceptEx, TransmitFile, and AFD asked directly."""

from __future__ import annotations

import ctypes
import struct
import time

import pytest
from arms import port_of

from winsock.abi import _constants as c
from winsock.codes import NTSTATUS as S
from winsock.codes import WSA

LONG = 9000
AREA = 32


@pytest.fixture
def overlapped(arm, kernel):
    """OVERLAPPEDs with an event each: (memory, event)."""
    events = []

    def make():
        events.append(kernel.CreateEventW(None, 1, 0, None))
        return arm.alloc(struct.pack("<QQQQ", 0, 0, 0, int(events[-1]))), events[-1]

    yield make
    for event in events:
        kernel.CloseHandle(event)


@pytest.fixture
def accepting(arm, kit, overlapped):
    """An AcceptEx that waits: listener, accept socket, buffer, OVERLAPPED, event."""

    def start(data=0):
        listener, s = kit.listener(), kit.tcp()
        room, (ov, event) = arm.alloc(data + 2 * AREA), overlapped()
        r = arm.mswsock.AcceptEx(listener, s, room, data, AREA, AREA, ctypes.c_uint32(), ov)
        assert (r.ret, r.error) == (0, WSA.WSA_IO_PENDING)
        return listener, s, room, ov, event

    return start


def ended(kernel, s, ov, event):
    """GetOverlappedResult: return value, bytes, error if it failed."""
    assert kernel.WaitForSingleObject(event, LONG).ret == 0
    n = ctypes.c_uint32()
    r = kernel.GetOverlappedResult(s, ov, n, 0)
    return r.ret, n.value, 0 if r.ret else r.error


def test_connection_and_its_addresses(arm, kit, ws, kernel, accepting):
    listener, _, room, ov, event = accepting(4)
    client = kit.tcp()
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    assert ws.send(client, b"data", 4, 0).ret == 4
    assert ended(kernel, listener, ov, event) == (1, 4, 0)
    assert room.read()[:4] == b"data"
    local, remote = ctypes.c_uint64(), ctypes.c_uint64()
    sizes = ctypes.c_int32(), ctypes.c_int32()
    arm.mswsock.GetAcceptExSockaddrs(room, 4, AREA, AREA, local, sizes[0], remote, sizes[1])
    assert [n.value for n in sizes] == [16, 16]
    found = [arm.read(p.value, 16) for p in (local, remote)]
    assert [port_of(name) for name in found] == [port_of(kit.name(listener)), port_of(kit.name(client))]


@pytest.mark.parametrize("which", [0, 1], ids=["listener", "accept socket"])
def test_closing_either_end_aborts(ws, kernel, accepting, kit, which):
    listener, s, _, ov, event = accepting()
    other = kit.listener()
    assert ws.closesocket((listener, s)[which]).ret == 0
    assert ended(kernel, other, ov, event) == (0, 0, c.ERROR_OPERATION_ABORTED)


def test_an_accept_socket_takes_one_request(arm, accepting, overlapped):
    listener, s, _, _, _ = accepting()
    r = arm.mswsock.AcceptEx(listener, s, arm.alloc(64), 0, AREA, AREA, ctypes.c_uint32(), overlapped()[0])
    assert (r.ret, r.error) == (0, WSA.WSAEINVAL)


def test_an_accept_socket_connects_nowhere(ws, accepting, kit):
    listener, s, _, _, _ = accepting()
    r = ws.connect(s, kit.name(listener), 16)
    assert (r.ret, r.error) == (-1, WSA.WSAEINVAL)


def test_first_data_come_before_other_receives(arm, kit, ws, kernel, accepting, overlapped):
    listener, s, room, ov, event = accepting(4)
    client = kit.tcp()
    assert ws.connect(client, kit.name(listener), 16).ret == 0
    data, (other, received) = arm.alloc(4), overlapped()
    array, deadline = struct.pack("<I4xQ", 4, int(data)), time.monotonic() + 60
    while (r := ws.WSARecv(s, array, 1, None, ctypes.c_uint32(), other, None)).error == WSA.WSAENOTCONN:
        kernel.WaitForSingleObject(event, 1)
        assert time.monotonic() < deadline
    assert (r.ret, r.error) == (-1, WSA.WSA_IO_PENDING)
    assert ws.send(client, b"firstand", 8, 0).ret == 8
    assert ended(kernel, listener, ov, event) == (1, 4, 0)
    assert ended(kernel, s, other, received) == (1, 4, 0)
    assert (room.read()[:4], data.read()) == (b"firs", b"tand")


def test_head_and_tail_without_a_file(arm, kit, ws):
    a, b = kit.pair()
    head, tail = arm.alloc(b"head"), arm.alloc(b"tail!")
    ends = arm.alloc(struct.pack("<QI4xQI4x", int(head), 4, int(tail), 5))
    assert arm.mswsock.TransmitFile(a, None, 0, 0, None, ends, 0).ret == 1
    room, got = bytearray(16), b""
    while len(got) < 9:
        n = ws.recv(b, room, 16, 0).ret
        assert n > 0
        got += bytes(room[:n])
    assert got == b"headtail!"


def test_the_end_of_the_stream_comes_after_what_waits(arm, kit, ws, kernel, overlapped):
    a, b = kit.pair()
    size = 1 << 23  # more than the network takes
    head, (ov, event) = arm.alloc(size), overlapped()
    ends = arm.alloc(struct.pack("<QI4xQI4x", int(head), size, int(head), 0))
    r = arm.mswsock.TransmitFile(a, None, 0, 0, ov, ends, 0)
    assert (r.ret, r.error) == (0, WSA.WSA_IO_PENDING)
    assert ws.shutdown(a, c.SD_SEND).ret == 0
    got, room = 0, bytearray(1 << 18)
    while n := ws.recv(b, room, len(room), 0).ret:
        assert n > 0
        got += n
    assert got == size
    assert ended(kernel, a, ov, event) == (1, size, 0)


def test_transmit_refusals(arm, kit):
    r = arm.mswsock.TransmitFile(kit.tcp(), None, 0, 0, None, None, 0)
    assert (r.ret, r.error) == (0, WSA.WSAENOTCONN)
    r = arm.mswsock.TransmitFile(kit.udp(), None, 0, 0, None, None, 0)
    assert (r.ret, r.error) == (0, WSA.WSAENOTCONN)


def test_polls(arm, kit, ws, kernel):
    a, b = kit.pair()
    event, block = kernel.CreateEventW(None, 1, 0, None), arm.alloc(16)
    data = arm.alloc(struct.pack("<qIB3xQII", -LONG * 10_000, 1, 0, int(b), c.AFD_POLL_RECEIVE, 0))
    args = b, event, None, None, block, c.IOCTL_AFD_POLL, data, 32, data, 32
    assert arm.nt.NtDeviceIoControlFile(*args).ret & 0xFFFFFFFF == S.STATUS_PENDING
    assert ws.send(a, b"x", 1, 0).ret == 1
    assert kernel.WaitForSingleObject(event, LONG).ret == 0
    assert struct.unpack("<I4xQ", block.read()) == (0, 32)
    assert struct.unpack_from("<IxxxxQII", data.read(), 8) == (1, int(b), c.AFD_POLL_RECEIVE, 0)
    assert arm.nt.NtDeviceIoControlFile(*args).ret == 0
    kernel.CloseHandle(event)
