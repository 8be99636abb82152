"""Overlapped requests, their results, completion ports, events and APCs."""

from __future__ import annotations

import ctypes
import struct

import pytest
from arms import NO_SOCKET

from winsock.abi import _constants as c
from winsock.codes import WSA

LONG = 60_000
INVALID = (1 << 64) - 1
KEY = 77


def low(r):
    """A DWORD that a call returned."""
    return r.ret & 0xFFFFFFFF


class Request:
    """A receive's or send's memory."""

    def __init__(self, arm, size=16, event=0, data=None):
        self.arm = arm
        self.memory = arm.alloc(size if data is None else data)
        self.ov = arm.alloc(struct.pack("<QQQQ", 0, 0, 0, int(event)))
        self.array = struct.pack("<I4xQ", self.memory.size, self.memory.addr)
        self.n, self.flags = ctypes.c_uint32(0xAAAA), ctypes.c_uint32()

    def receive(self, s, routine=None):
        return self.arm.ws.WSARecv(s, self.array, 1, self.n, self.flags, self.ov, routine)

    def send(self, s):
        return self.arm.ws.WSASend(s, self.array, 1, self.n, 0, self.ov, None)

    def status(self):
        return struct.unpack_from("<QQ", self.ov.read())

    def data(self, n):
        return self.memory.read()[:n]


@pytest.fixture
def pend(arm):
    """A receive that waits."""

    def start(s, *args, routine=None, **more):
        request = Request(arm, *args, **more)
        r = request.receive(s, routine)
        assert (r.ret, r.error) == (-1, WSA.WSA_IO_PENDING)
        assert request.status()[0] == c.STATUS_PENDING
        return request

    return start


@pytest.fixture
def port(kernel):
    made = kernel.CreateIoCompletionPort(INVALID, None, 0, 0)
    assert made.ret
    yield made
    kernel.CloseHandle(made)


def result(kernel, s, request, wait=1):
    """Success, bytes, error."""
    n = ctypes.c_uint32(0xAAAA)
    r = kernel.GetOverlappedResult(s, request.ov, n, wait)
    return r.ret, n.value, 0 if r.ret else r.error


def wsa_error(ws, s, request):
    r = ws.WSAGetOverlappedResult(s, request.ov, ctypes.c_uint32(), 0, ctypes.c_uint32())
    return (r.ret, 0 if r.ret else r.error)


def packet(kernel, port, ms=LONG):
    """Success, bytes, key, OVERLAPPED, error."""
    n, key, ov = ctypes.c_uint32(0xAAAA), ctypes.c_uint64(0xAAAA), ctypes.c_uint64(0xAAAA)
    r = kernel.GetQueuedCompletionStatus(port, n, key, ov, ms)
    return r.ret, n.value, key.value, ov.value, 0 if r.ret else r.error


NONE = (0, 0xAAAA, 0xAAAA, 0, c.WAIT_TIMEOUT)


def test_by_event(ws, kernel, kit, pend):
    a, b = kit.pair()
    event = ws.WSACreateEvent()
    request = pend(b, event=event)
    assert result(kernel, b, request, 0) == (0, 0xAAAA, c.ERROR_IO_INCOMPLETE)
    assert wsa_error(ws, b, request) == (0, WSA.WSA_IO_INCOMPLETE)
    ws.send(a, b"data", 4, 0)
    assert low(kernel.WaitForSingleObject(event, LONG)) == c.WAIT_OBJECT_0
    assert request.status() == (0, 4)
    assert request.data(4) == b"data"
    assert result(kernel, b, request) == (1, 4, 0)
    ws.WSACloseEvent(event)


def test_a_request_takes_the_handles_signal_back(arm, ws, kernel, kit, pend):
    a, b = kit.pair()
    first = pend(b)
    ws.send(a, b"data", 4, 0)
    assert result(kernel, b, first) == (1, 4, 0)
    event = ws.WSACreateEvent()
    pend(b, event=event)
    assert low(kernel.WaitForSingleObject(b, 0)) == c.WAIT_TIMEOUT
    ws.send(a, b"data", 4, 0)
    assert low(kernel.WaitForSingleObject(event, LONG)) == c.WAIT_OBJECT_0
    assert low(kernel.WaitForSingleObject(b, 0)) == c.WAIT_TIMEOUT
    ws.WSACloseEvent(event)


def test_readfile_and_writefile_store_no_count_first(arm, ws, kernel, kit):
    a, b = kit.pair()
    request = Request(arm)
    r = kernel.ReadFile(b, request.memory, 16, request.n, request.ov)
    assert (r.ret, r.error, request.n.value) == (0, c.ERROR_IO_PENDING, 0)
    ws.shutdown(a, c.SD_SEND)
    sent = Request(arm, data=b"data")
    assert kernel.WriteFile(a, sent.memory, 4, sent.n, sent.ov).ret == 0
    assert sent.n.value == 0


def test_duplicates_are_shut_down_together(ws, kernel, kit):
    a, _ = kit.pair()
    info = bytearray(628)
    assert ws.WSADuplicateSocketW(a, kernel.GetCurrentProcessId(), info).ret == 0
    other = kit.keep(ws.WSASocketW(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, bytes(info), 0, c.WSA_FLAG_OVERLAPPED))
    assert ws.shutdown(a, c.SD_SEND).ret == 0
    r = ws.send(other, b"x", 1, 0)
    assert (r.ret, r.error) == (-1, WSA.WSAESHUTDOWN)
    assert ws.shutdown(other, c.SD_RECEIVE).ret == 0
    r = ws.recv(a, bytearray(1), 1, 0)
    assert (r.ret, r.error) == (-1, WSA.WSAESHUTDOWN)


def test_by_routine(arm, ws, kernel, kit, pend):
    a, b = kit.pair()
    routine = arm.callback("vvvv")
    request = pend(b, routine=routine)
    ws.send(a, b"data", 4, 0)
    assert low(kernel.SleepEx(LONG, 1)) == c.WAIT_IO_COMPLETION
    (called,) = routine.invocations
    assert [v & 0xFFFFFFFF for v in called[:2]] == [0, 4]
    assert called[2] == request.ov.addr


def test_by_port(kernel, ws, kit, pend, port):
    a, b = kit.pair()
    assert kernel.CreateIoCompletionPort(b, port, KEY, 0).ret
    request = pend(b)
    assert packet(kernel, port, 0) == NONE
    ws.send(a, b"data", 4, 0)
    assert packet(kernel, port) == (1, 4, KEY, request.ov.addr, 0)
    assert packet(kernel, port, 0) == NONE


def test_two_on_a_port_in_order(kernel, ws, kit, pend, port):
    a, b = kit.pair()
    kernel.CreateIoCompletionPort(b, port, KEY, 0)
    first, second = pend(b, 2), pend(b, 2)
    ws.send(a, b"abcd", 4, 0)
    assert [packet(kernel, port)[3] for _ in "ab"] == [first.ov.addr, second.ov.addr]
    assert (first.data(2), second.data(2)) == (b"ab", b"cd")


@pytest.mark.parametrize(
    "end",
    [
        "reset",
        "shutdown",
        "cancel",
        pytest.param("close", marks=pytest.mark.wine(differs="its own status for handles that are closed")),
    ],
)
def test_ends(arm, kernel, ws, kit, pend, port, end):
    a, b = kit.pair()
    kernel.CreateIoCompletionPort(b, port, KEY, 0)
    request = pend(b)
    if end == "reset":
        ws.setsockopt(a, c.SOL_SOCKET, c.SO_LINGER, struct.pack("<HH", 1, 0), 4)
        ws.closesocket(a)
        expected = (0, 0, KEY, request.ov.addr, c.ERROR_NETNAME_DELETED)
    elif end == "shutdown":
        ws.shutdown(a, c.SD_SEND)
        expected = (1, 0, KEY, request.ov.addr, 0)
    else:
        if end == "cancel":
            assert kernel.CancelIoEx(b, request.ov).ret == 1
        else:
            ws.closesocket(b)
        expected = (0, 0, KEY, request.ov.addr, c.ERROR_OPERATION_ABORTED)
    assert packet(kernel, port) == expected


@pytest.mark.wine(differs="finds something")
def test_cancelling_nothing(kernel, kit):
    _, b = kit.pair()
    r = kernel.CancelIoEx(b, None)
    assert (r.ret, r.error) == (0, c.ERROR_NOT_FOUND)
    assert kernel.CancelIo(b).ret == 1


def test_at_once(kernel, ws, kit, arm, port):
    a, b = kit.pair()
    kernel.CreateIoCompletionPort(b, port, KEY, 0)
    ws.send(a, b"data", 4, 0)
    assert ws.select(0, bytearray(struct.pack("<I4xQ", 1, int(b))), None, None, struct.pack("<ii", 9, 0)).ret == 1
    request = Request(arm)
    assert request.receive(b).ret == 0
    assert request.n.value == 4
    assert packet(kernel, port) == (1, 4, KEY, request.ov.addr, 0)


def test_skipping_the_port(kernel, ws, kit, arm, port):
    a, b = kit.pair()
    kernel.CreateIoCompletionPort(b, port, KEY, 0)
    assert kernel.SetFileCompletionNotificationModes(b, c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS).ret == 1
    ws.send(a, b"data", 4, 0)
    assert ws.select(0, bytearray(struct.pack("<I4xQ", 1, int(b))), None, None, struct.pack("<ii", 9, 0)).ret == 1
    assert Request(arm).receive(b).ret == 0
    assert packet(kernel, port, 0) == NONE


def test_a_routine_on_a_port(kernel, kit, arm, port):
    _, b = kit.pair()
    kernel.CreateIoCompletionPort(b, port, KEY, 0)
    r = Request(arm).receive(b, arm.callback("vvvv"))
    assert (r.ret, r.error) == (-1, WSA.WSAEINVAL)


def test_a_send(kernel, ws, kit, arm, port):
    a, _ = kit.pair()
    kernel.CreateIoCompletionPort(a, port, KEY, 0)
    request = Request(arm, data=b"data")
    assert request.send(a).ret == 0
    assert request.n.value == 4
    assert packet(kernel, port) == (1, 4, KEY, request.ov.addr, 0)


def test_a_truncated_datagram(kernel, ws, kit, pend, port):
    a, b = kit.bound(kit.udp()), kit.bound(kit.udp())
    kernel.CreateIoCompletionPort(b, port, KEY, 0)
    request = pend(b, 4)
    ws.sendto(a, b"too long", 8, 0, kit.name(b), 16)
    assert packet(kernel, port) == (0, 4, KEY, request.ov.addr, c.ERROR_MORE_DATA)
    assert wsa_error(ws, b, request) == (0, WSA.WSAEMSGSIZE)


def test_refusals_come_before_requests(kit, arm):
    s = kit.tcp()
    r = Request(arm).receive(s)
    assert (r.ret, r.error) == (-1, WSA.WSAENOTCONN)
    r = Request(arm).receive(NO_SOCKET)
    assert (r.ret, r.error) == (-1, WSA.WSAENOTSOCK)


def test_posted_packets(kernel, port):
    for i in range(3):
        assert kernel.PostQueuedCompletionStatus(port, i, i + 10, i + 100).ret == 1
    assert [packet(kernel, port) for _ in range(3)] == [(1, i, i + 10, i + 100, 0) for i in range(3)]
    assert packet(kernel, port, 0) == NONE


def test_packets_in_bulk(kernel, port):
    for i in range(3):
        kernel.PostQueuedCompletionStatus(port, i, i + 10, i + 100)
    room, n = bytearray(64), ctypes.c_uint32()
    assert kernel.GetQueuedCompletionStatusEx(port, room, 2, n, 0, 0).ret == 1
    assert (n.value, struct.unpack_from("<QQQI", room, 32)) == (2, (11, 101, 0, 1))
    assert kernel.GetQueuedCompletionStatusEx(port, room, 2, n, 0, 0).ret == 1
    assert n.value == 1
    r = kernel.GetQueuedCompletionStatusEx(port, room, 2, n, 0, 0)
    assert (r.ret, r.error) == (0, c.WAIT_TIMEOUT)


# -- events and waits


def test_waits_for_events(ws, kernel):
    manual, auto = kernel.CreateEventW(None, 1, 0, None), kernel.CreateEventW(None, 0, 1, None)
    both = struct.pack("<QQ", int(manual), int(auto))
    assert low(kernel.WaitForMultipleObjects(2, both, 1, 0)) == c.WAIT_TIMEOUT
    assert low(ws.WSAWaitForMultipleEvents(2, both, 0, 0, 0)) == c.WSA_WAIT_EVENT_0 + 1
    assert low(ws.WSAWaitForMultipleEvents(2, both, 0, 0, 0)) == c.WSA_WAIT_TIMEOUT
    kernel.SetEvent(manual)
    kernel.SetEvent(auto)
    assert low(kernel.WaitForMultipleObjects(2, both, 1, 0)) == c.WAIT_OBJECT_0
    assert low(kernel.WaitForSingleObject(manual, 0)) == c.WAIT_OBJECT_0
    assert low(kernel.WaitForSingleObject(auto, 0)) == c.WAIT_TIMEOUT
    for event in (manual, auto):
        assert kernel.CloseHandle(event).ret == 1


def test_bad_waits(ws, kernel):
    for count in (0, 65):
        r = ws.WSAWaitForMultipleEvents(count, bytes(8 * 65), 0, 0, 0)
        assert (low(r), r.error) == (c.WSA_WAIT_FAILED, WSA.WSA_INVALID_PARAMETER)
    r = ws.WSAWaitForMultipleEvents(1, struct.pack("<Q", NO_SOCKET), 0, 0, 0)
    assert (low(r), r.error) == (c.WSA_WAIT_FAILED, WSA.WSA_INVALID_HANDLE)
    r = ws.WSASetEvent(NO_SOCKET)
    assert (r.ret, r.error) == (0, WSA.WSA_INVALID_HANDLE)


@pytest.mark.wine(differs="waits")
def test_the_same_event_twice_in_a_wait_for_all(kernel):
    event = kernel.CreateEventW(None, 1, 1, None)
    r = kernel.WaitForMultipleObjects(2, struct.pack("<QQ", int(event), int(event)), 1, 0)
    assert (low(r), r.error) == (c.WAIT_FAILED, c.ERROR_INVALID_PARAMETER)
    kernel.CloseHandle(event)


@pytest.mark.parametrize("signalled", [True, False])
def test_apcs_and_signals(arm, kernel, signalled):
    event, called = kernel.CreateEventW(None, 1, int(signalled), None), arm.callback("v")
    assert kernel.QueueUserAPC(called, kernel.GetCurrentThread(), 5).ret
    expected = c.WAIT_OBJECT_0 if signalled else c.WAIT_IO_COMPLETION
    assert low(kernel.WaitForSingleObjectEx(event, LONG, 1)) == expected
    assert len(called.invocations) == (0 if signalled else 1)
    kernel.SleepEx(0, 1)
    assert [v[0] for v in called.invocations] == [5]
    kernel.CloseHandle(event)
