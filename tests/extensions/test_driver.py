"""AFD by its own requests: ntdll's calls, DeviceIoControl, and polls as event loops make them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock import ntdll
from winsock.abi import _constants as c
from winsock.codes import NTSTATUS as S

READABLE = c.AFD_POLL_RECEIVE | c.AFD_POLL_ACCEPT | c.AFD_POLL_DISCONNECT | c.AFD_POLL_ABORT | c.AFD_POLL_LOCAL_CLOSE
ALL = 0xFFFFFFFF
NEVER = 2**63 - 1


def device() -> int:
    """As trio opens it."""
    handle = k32.CreateFileW(r"\\.\GLOBALROOT\Device\Afd\Test", 0x100000, 3, None, c.OPEN_EXISTING, 0x40000000, None)
    assert handle != c.INVALID_HANDLE_VALUE
    return handle


class Poll:
    """A poll: its buffer, both in and out, and its OVERLAPPED."""

    def __init__(self, lab, handle, *entries, timeout=NEVER, exclusive=0, event=True):
        self.lab, self.handle = lab, handle
        self.data = bytearray(struct.pack("<qIBxxx", timeout, len(entries), exclusive))
        for s, flags in entries:
            self.data += struct.pack("<QII", s, flags, 0)
        self.ov = lab.overlapped()
        if not event:
            self.ov.hEvent = 0
        self.n = ctypes.c_uint32(0xAAAA)
        size = len(self.data)
        self.result = k32.DeviceIoControl(handle, c.IOCTL_AFD_POLL, self.data, size, self.data, size, self.n, self.ov)
        self.error = 0 if self.result else k32.GetLastError()

    @property
    def found(self):
        (count,) = struct.unpack_from("<I", self.data, 8)
        return [struct.unpack_from("<QI", self.data, 16 + 16 * i) for i in range(count)]

    def pends(self):
        assert (self.result, self.error, self.ov.Internal) == (0, c.ERROR_IO_PENDING, c.STATUS_PENDING)
        return self

    def ends(self, *found, status=0):
        assert self.lab.wait(self.ov.hEvent) == 0
        assert (self.ov.Internal, self.found) == (status, list(found))
        assert self.ov.InternalHigh == 16 + 16 * len(found)


def test_poll_of_what_is_ready(lab):
    a, b = lab.pair()
    poll = Poll(lab, device(), (a, c.AFD_POLL_SEND), (b, c.AFD_POLL_SEND | c.AFD_POLL_RECEIVE))
    assert (poll.result, poll.n.value) == (1, 48)
    poll.ends((a, c.AFD_POLL_SEND), (b, c.AFD_POLL_SEND))


def test_poll_waits_for_data_and_for_the_end(lab):
    a, b = lab.pair()
    handle = device()
    poll = Poll(lab, handle, (b, READABLE)).pends()
    lab.send(a, b"x")
    poll.ends((b, c.AFD_POLL_RECEIVE))
    assert lab.recv(b) == b"x"
    poll = Poll(lab, handle, (b, READABLE)).pends()
    lab.ok(ws.shutdown(a, c.SD_SEND))
    poll.ends((b, c.AFD_POLL_DISCONNECT))
    assert k32.CloseHandle(handle)


def test_polls_by_a_port_as_trio_makes_them(lab):
    a, b = lab.pair()
    handle = device()
    port = lab.port(handle)
    first = Poll(lab, handle, (b, READABLE), event=False).pends()
    second = Poll(lab, handle, (a, c.AFD_POLL_SEND), event=False)
    assert second.result == 1  # and its packet comes all the same
    assert lab.packet(port) == (1, 32, 1, second.ov.address, 0)
    lab.send(a, b"x")
    assert lab.packet(port) == (1, 32, 1, first.ov.address, 0)
    third = Poll(lab, handle, (a, READABLE), event=False).pends()
    assert k32.CancelIoEx(handle, third.ov)
    assert lab.packet(port) == (0, 0, 1, third.ov.address, c.ERROR_OPERATION_ABORTED)
    lab.no_packet(port)


def test_socket_that_closes_ends_its_polls(lab):
    a, b = lab.pair()
    handle = device()
    one, two = Poll(lab, handle, (b, READABLE)).pends(), Poll(lab, handle, (b, READABLE), (a, READABLE)).pends()
    lab.ok(ws.closesocket(b))
    one.ends((b, c.AFD_POLL_LOCAL_CLOSE))
    two.ends((b, c.AFD_POLL_LOCAL_CLOSE))
    assert Poll(lab, handle, (b, READABLE)).error == c.ERROR_INVALID_HANDLE


def test_device_that_closes_ends_its_polls(lab):
    a, _ = lab.pair()
    handle = device()
    poll = Poll(lab, handle, (a, READABLE)).pends()
    assert ntdll.NtClose(handle) == 0
    assert lab.wait(poll.ov.hEvent) == 0
    assert poll.ov.Internal == S.STATUS_CANCELLED
    assert ntdll.NtClose(handle) == S.STATUS_INVALID_HANDLE


def test_poll_on_a_socket_outlives_that_handle(lab):
    a, b = lab.pair()
    poll = Poll(lab, lab.udp(), (b, c.AFD_POLL_RECEIVE)).pends()
    lab.ok(ws.closesocket(poll.handle))
    lab.send(a, b"x")
    poll.ends((b, c.AFD_POLL_RECEIVE))


@pytest.mark.parametrize("timeout", [-1, 1, 116_444_736_000_000_000])
def test_time_is_up(lab, timeout):
    a, _ = lab.pair()
    poll = Poll(lab, device(), (a, READABLE), timeout=timeout)
    assert (poll.result, poll.error) == (0, c.ERROR_IO_PENDING)  # and may be over by now
    poll.ends(status=S.STATUS_TIMEOUT)


def test_exclusive_poll_takes_anothers_place(lab):
    a, _ = lab.pair()
    handle = device()
    first = Poll(lab, handle, (a, READABLE), exclusive=1).pends()
    second = Poll(lab, handle, (a, READABLE), exclusive=1).pends()
    first.ends()
    assert second.ov.Internal == c.STATUS_PENDING


def test_datagram_sockets_connect_is_seen(lab):
    s, other = lab.udp(), lab.udp()
    poll = Poll(lab, device(), (s, c.AFD_POLL_CONNECT)).pends()
    lab.ok(ws.connect(s, lab.name(other), 16))
    poll.ends((s, c.AFD_POLL_CONNECT))


def test_listener_and_connect(lab):
    listener, s, handle = lab.listener(), lab.nonblocking(lab.socket()), device()
    accept = Poll(lab, handle, (listener, READABLE)).pends()
    assert ws.connect(s, lab.name(listener), 16) == -1
    connect = Poll(lab, handle, (s, c.AFD_POLL_SEND | c.AFD_POLL_CONNECT_FAIL))
    accept.ends((listener, c.AFD_POLL_ACCEPT))
    connect.ends((s, c.AFD_POLL_SEND))


def test_many_polls_from_many_threads(lab):
    """Each ends once, with what it waited for."""
    handle = device()
    pairs = [lab.pair() for _ in range(40)]
    port = lab.port(handle)
    polls = [Poll(lab, handle, (b, READABLE), event=False).pends() for _, b in pairs]
    senders = [lab.run(lab.send, a, b"x") for a, _ in pairs]
    packets = [lab.packet(port) for _ in polls]
    assert {p[3] for p in packets} == {poll.ov.address for poll in polls}
    assert all(poll.found == [(b, c.AFD_POLL_RECEIVE)] for poll, (_, b) in zip(polls, pairs, strict=True))
    lab.no_packet(port)
    for sender in senders:
        sender.result()


def test_ends_that_race(lab):
    """Data, cancelling, the socket's end and another exclusive poll at once: each poll ends once."""
    handle = device()
    port = lab.port(handle)
    known = {}
    for i in range(60):
        a, b = lab.pair()
        polls = [Poll(lab, handle, (b, READABLE), event=False, exclusive=i % 2).pends() for _ in range(2)]
        known.update({poll.ov.address: poll for poll in polls})
        racing = [
            lab.run(lab.send, a, b"x"),
            lab.run(k32.CancelIoEx, handle, polls[i % 2].ov),
            lab.run(ws.closesocket, b),
        ]
        for future in racing:
            future.result()
        lab.ok(ws.closesocket(a))
    seen = [lab.packet(port)[3] for _ in known]
    assert sorted(seen) == sorted(known)
    lab.no_packet(port)
    assert all(poll.ov.Internal in (0, S.STATUS_CANCELLED) for poll in known.values())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_polls_in_a_forked_child(lab):
    a, b = lab.pair()
    handle = device()
    poll = Poll(lab, handle, (b, READABLE)).pends()
    child = os.fork()
    if not child:
        try:
            os._exit(int(poll.ov.Internal != S.STATUS_CANCELLED))
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lab.send(a, b"x")
    poll.ends((b, c.AFD_POLL_RECEIVE))


def test_thread_that_ends_takes_its_polls_along(lab):
    a, _ = lab.pair()
    polls, go = [], threading.Event()

    def body():
        with lab.process.attached():
            polls.append((Poll(lab, device(), (a, READABLE)), k32.GetCurrentThreadId()))
            go.wait(60)

    thread = threading.Thread(target=body)
    thread.start()
    lab.until(lambda: polls, "the poll")
    poll, tid = polls[0]
    handle = k32.OpenThread(0x100000, 0, tid)
    assert lab.wait(handle, 0) == c.WAIT_TIMEOUT
    go.set()
    assert lab.wait(handle) == 0
    thread.join()
    assert lab.wait(poll.ov.hEvent) == 0
    assert poll.ov.Internal == S.STATUS_CANCELLED


def test_thread_that_is_terminated(lab):
    """Often: the thread that stands in for it may begin just then, and is another."""
    a, _ = lab.pair()
    for _ in range(30):
        polls, rest = [], threading.Event()

        def body(polls=polls, rest=rest):
            with contextlib.suppress(SystemExit), lab.process.attached():
                polls.append((Poll(lab, device(), (a, READABLE)), k32.GetCurrentThreadId()))
                while not rest.wait(0.01):
                    pass

        thread = threading.Thread(target=body)
        thread.start()
        lab.until(lambda polls=polls: polls, "the poll")
        poll, tid = polls[0]
        handle = k32.OpenThread(1, 0, tid)
        assert k32.TerminateThread(handle, 0) == 1
        assert (lab.wait(handle), lab.wait(poll.ov.hEvent)) == (0, 0)
        thread.join(60)
        assert not thread.is_alive()
        assert k32.CloseHandle(handle) == 1


def test_own_thread_is_not_terminated(lab):
    assert not k32.TerminateThread(k32.OpenThread(1, 0, k32.GetCurrentThreadId()), 0)
    assert k32.GetLastError() == c.ERROR_ACCESS_DENIED


# -- ntdll


def native(handle, code, data=b"", size=64, event=0, context=None, apc=None):
    """NtDeviceIoControlFile: status, status block, output."""
    block, out = bytearray(16), bytearray(size)
    status = ntdll.NtDeviceIoControlFile(handle, event, apc, context, block, code, data, len(data), out, size)
    return status, struct.unpack("<IxxxxQ", block), out


def test_names_and_listening(lab):
    s, event = lab.socket(), lab.event()
    name = struct.pack("<I", 0) + struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")
    assert native(s, c.IOCTL_AFD_GETSOCKNAME)[0] == S.STATUS_INVALID_PARAMETER
    status, block, out = native(s, c.IOCTL_AFD_BIND, name, 16, event)
    assert (status, block, lab.wait(event)) == (S.STATUS_PENDING, (0, 16), 0)
    assert native(s, c.IOCTL_AFD_GETSOCKNAME, b"", 16) == (0, (0, 16), out)
    assert native(s, c.IOCTL_AFD_BIND, name, 16)[0] == S.STATUS_ADDRESS_ALREADY_ASSOCIATED
    assert native(s, c.IOCTL_AFD_LISTEN, struct.pack("<III", 0, 5, 0))[0] == 0
    lab.ok(ws.connect(lab.socket(), bytes(out), 16))


def test_receive_and_send(lab):
    a, b = lab.pair()
    memory = [ctypes.create_string_buffer(n) for n in (2, 4)]
    array = b"".join(struct.pack("<I4xQ", len(m), ctypes.addressof(m)) for m in memory)
    held = ctypes.create_string_buffer(array, len(array))
    into = struct.pack("<QIIII", ctypes.addressof(held), 2, 0, c.TDI_RECEIVE_NORMAL, 0)
    event, block = lab.event(), bytearray(16)
    args = event, None, None, block, c.IOCTL_AFD_RECV, into, len(into), None, 0
    assert ntdll.NtDeviceIoControlFile(b, *args) == S.STATUS_PENDING
    data = ctypes.create_string_buffer(b"hello", 5)
    wsabuf = ctypes.create_string_buffer(struct.pack("<I4xQ", 5, ctypes.addressof(data)), 16)
    source = struct.pack("<QIIII", ctypes.addressof(wsabuf), 1, 0, 0, 0)
    assert native(a, c.IOCTL_AFD_SEND, source)[:2] == (0, (0, 5))
    assert lab.wait(event) == 0
    assert (struct.unpack("<QQ", block), [m.raw for m in memory]) == ((0, 5), [b"he", b"llo\0"])


def test_apc_and_packet(lab):
    a, _ = lab.pair()
    calls = []
    poll = struct.pack("<qIBxxxQII", 0, 1, 0, a, c.AFD_POLL_SEND, 0)
    status, _, _ = native(a, c.IOCTL_AFD_POLL, poll, 32, context=7, apc=lambda *args: calls.append(args))
    assert (status, calls) == (0, [])
    assert k32.SleepEx(0, 1) == c.WAIT_IO_COMPLETION
    assert calls[0][0] == 7
    port = lab.port(a)
    assert native(a, c.IOCTL_AFD_POLL, poll, 32, context=9)[0] == 0
    assert lab.packet(port) == (1, 32, 1, 9, 0)
    assert native(a, c.IOCTL_AFD_POLL, poll, 32)[0] == 0
    lab.no_packet(port)


def test_read_and_write(lab):
    a, b = lab.pair()
    block, room = bytearray(16), bytearray(8)
    event = lab.event()
    assert ntdll.NtReadFile(b, event, None, None, block, room, 8, bytes(8), None) == S.STATUS_PENDING
    assert ntdll.NtWriteFile(a, 0, None, None, bytearray(16), b"data", 4, bytes(8), None) == 0
    assert (lab.wait(event), struct.unpack("<QQ", block), room[:4]) == (0, (0, 4), b"data")
    assert ntdll.NtWriteFile(a, 0, None, None, block, b"x", 1, None, None) == S.STATUS_INVALID_PARAMETER


def test_cancelling(lab):
    a, _ = lab.pair()
    block, answer = bytearray(16), bytearray(16)
    args = 0, None, None, block, bytearray(8), 8, bytes(8), None
    assert ntdll.NtReadFile(a, *args) == S.STATUS_PENDING
    assert ntdll.NtCancelIoFileEx(a, bytearray(16), answer) == S.STATUS_NOT_FOUND
    assert ntdll.NtCancelIoFileEx(a, None, answer) == 0
    assert struct.unpack_from("<I", block) == (S.STATUS_CANCELLED,)


def test_codes_that_are_none(lab):
    a, _ = lab.pair()
    assert native(a, 0x12345)[0] == S.STATUS_INVALID_DEVICE_REQUEST
    assert native(lab.event(), c.IOCTL_AFD_POLL)[0] == S.STATUS_INVALID_DEVICE_REQUEST
    assert native(0x7FFC, c.IOCTL_AFD_POLL)[0] == S.STATUS_INVALID_HANDLE
    assert native(device(), c.IOCTL_AFD_GETSOCKNAME)[0] == S.STATUS_INVALID_HANDLE
    assert ntdll.RtlNtStatusToDosError(S.STATUS_CONNECTION_RESET) == 64


CODES = [v for k, v in vars(c).items() if k.startswith("IOCTL_AFD")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(code=st.sampled_from(CODES), data=st.binary(max_size=80), size=st.integers(0, 80))
def test_any_input_is_answered(lab, code, data, size):
    s = lab.socket()
    status, _, _ = native(s, code, data, size)
    assert 0 <= status <= 0xFFFFFFFF
    lab.ok(ws.closesocket(s))
