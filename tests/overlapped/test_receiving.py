"""Overlapped receives: when they wait, how their end is told, what they end with."""

from __future__ import annotations

import ctypes
import random
import struct

import pytest
from overlapped_kit import WSABUF, Operation

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.afd._receiving import Receive
from winsock.codes import NTSTATUS, WSA

PENDING = WSA.WSA_IO_PENDING


def test_the_end_is_told_by_an_event(lab):
    a, b = lab.pair()
    e = lab.event()
    k32.SetEvent(e)
    op = lab.pend_recv(b, 16, event=e)
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT, "starting the request resets its event"
    assert lab.result(b, op, wait=False) == (0, 0xAAAA, c.ERROR_IO_INCOMPLETE)
    lab.send(a, b"data")
    assert lab.wait(e) == c.WAIT_OBJECT_0
    assert (op.ov.Internal, op.ov.InternalHigh, op.data[:4]) == (0, 4, b"data")
    assert lab.result(b, op) == (1, 4, 0)
    assert lab.wsa_result(b, op) == (1, 4, 0, 0)


def test_the_end_is_told_by_a_routine(lab):
    a, b = lab.pair()
    e, seen = lab.event(), []
    op = lab.pend_recv(b, 16, event=e, routine=lambda *args: seen.append(args))
    lab.send(a, b"data")
    assert k32.SleepEx(20_000, 1) == c.WAIT_IO_COMPLETION
    assert seen == [(0, 4, op.ov.address, 0)]
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT


def test_the_end_is_told_by_a_port(lab):
    a, b = lab.pair()
    port = lab.port(a, b)
    op = lab.pend_recv(b, 16)
    lab.no_packet(port)
    lab.send(a, b"data")
    assert lab.packet(port) == (1, 4, 2, op.ov.address, 0)
    lab.no_packet(port)


def test_the_end_is_seen_by_polling(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b, 16)
    lab.send(a, b"data")
    lab.until(lambda: not op.pending, "the request goes on while nobody waits")
    assert (op.ov.InternalHigh, op.data[:4]) == (4, b"data")


def test_the_handle_itself_is_signalled(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b)
    assert lab.wait(b, 0) == c.WAIT_TIMEOUT
    lab.send(a, b"data")
    assert lab.wait(b) == c.WAIT_OBJECT_0
    assert lab.result(b, op) == (1, 4, 0)


def test_a_request_takes_the_handles_signal_back(lab):
    a, b = lab.pair()
    first = lab.pend_recv(b)
    lab.send(a, b"data")
    assert lab.wait(b) == c.WAIT_OBJECT_0
    assert lab.result(b, first) == (1, 4, 0)
    second = lab.pend_recv(b, event=lab.event())
    assert lab.wait(b, 0) == c.WAIT_TIMEOUT
    lab.send(a, b"data")
    assert lab.wait(second.ov.hEvent) == c.WAIT_OBJECT_0
    assert lab.wait(b, 0) == c.WAIT_TIMEOUT


def test_getoverlappedresult_waits(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b)
    waiting = lab.run(lab.result, b, op)
    lab.until(lambda: lab.requests(b).signal._waiters)
    lab.send(a, b"data")
    assert waiting.result(30)[0] == (1, 4, 0)


def test_a_wait_with_a_limit(lab):
    _, b = lab.pair()
    op, n = lab.pend_recv(b), ctypes.c_uint32()
    assert k32.GetOverlappedResultEx(b, op.ov, n, 5, 0) == 0
    assert k32.GetLastError() == c.WAIT_TIMEOUT
    assert k32.GetOverlappedResultEx(b, op.ov, n, 0, 0) == 0
    assert k32.GetLastError() == c.ERROR_IO_INCOMPLETE
    k32.QueueUserAPC(lambda _: None, k32.GetCurrentThread(), 0)
    assert k32.GetOverlappedResultEx(b, op.ov, n, 20_000, 1) == 0
    assert k32.GetLastError() == c.WAIT_IO_COMPLETION


def test_what_is_there_comes_at_once_and_is_told_all_the_same(lab):
    a, b = lab.pair()
    port, e = lab.port(b), lab.event()
    lab.send(a, b"data")
    lab.readable(b)
    op = lab.start_recv(b, Operation((16,), e))
    assert (op.result, op.count.value, op.ov.Internal, op.ov.InternalHigh) == (0, 4, 0, 4)
    assert lab.wait(e, 0) == c.WAIT_OBJECT_0
    assert lab.packet(port) == (1, 4, 1, op.ov.address, 0)


def test_a_routine_runs_for_what_came_at_once(lab):
    a, b = lab.pair()
    seen = []
    lab.send(a, b"data")
    lab.readable(b)
    op = lab.start_recv(b, Operation((16,)), lambda *args: seen.append(args))
    assert (op.result, seen) == (0, [])
    assert k32.SleepEx(0, 1) == c.WAIT_IO_COMPLETION
    assert seen == [(0, 4, op.ov.address, 0)]


def test_low_bit_of_the_event_keeps_the_port_out_of_it(lab):
    a, b = lab.pair()
    port, e = lab.port(b), lab.event()
    op = lab.pend_recv(b, 16, event=e | 1)
    lab.send(a, b"data")
    assert lab.wait(e) == c.WAIT_OBJECT_0
    assert lab.result(b, op) == (1, 4, 0)
    lab.no_packet(port)


def test_skipping_the_port_on_success(lab):
    a, b = lab.pair()
    port = lab.port(b)
    assert k32.SetFileCompletionNotificationModes(b, c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) == 1
    lab.send(a, b"data")
    lab.readable(b)
    assert lab.start_recv(b, Operation((4,))).result == 0
    lab.no_packet(port)
    op = lab.pend_recv(b)
    lab.send(a, b"more")
    assert lab.packet(port) == (1, 4, 1, op.ov.address, 0)
    assert k32.SetFileCompletionNotificationModes(b, 4) == 0
    assert k32.GetLastError() == c.ERROR_INVALID_PARAMETER


def test_not_setting_the_handle(lab):
    a, b = lab.pair()
    assert k32.SetFileCompletionNotificationModes(b, c.FILE_SKIP_SET_EVENT_ON_HANDLE)
    op = lab.pend_recv(b)
    lab.send(a, b"data")
    lab.until(lambda: not op.pending)
    assert lab.wait(b, 0) == c.WAIT_TIMEOUT


def test_a_routine_and_a_port_do_not_go_together(lab):
    _, b = lab.pair()
    port = lab.port(b)
    op = lab.start_recv(b, Operation(), lambda *_: None)
    assert (op.result, op.error) == (-1, WSA.WSAEINVAL)
    lab.no_packet(port)


@pytest.mark.parametrize("bad", [0xFFFFFC, "socket", "port"])
def test_an_event_that_is_none(lab, bad):
    _, b = lab.pair()
    handle = {"socket": b, "port": lab.port()}.get(bad, bad)
    op = lab.start_recv(b, Operation((16,), handle))
    assert (op.result, op.error) == (-1, WSA.WSA_INVALID_HANDLE)
    assert not lab.requests(b).pending


def test_requests_are_served_in_order(lab):
    a, b = lab.pair()
    port = lab.port(b)
    ops = [lab.pend_recv(b, 4) for _ in range(5)]
    lab.send(a, b"0000111122223333")
    lab.send(a, b"44")
    got = [lab.packet(port) for _ in ops]
    assert [g[3] for g in got] == [op.ov.address for op in ops]
    assert b"".join(op.data[: g[1]] for op, g in zip(ops, got)) == b"000011112222333344"


def test_scattered_buffers(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b, 2, 4, 8)
    lab.send(a, b"abcdefghi")
    assert lab.result(b, op) == (1, 9, 0)
    assert [m.raw for m in op.memory] == [b"ab", b"cdef", b"ghi" + bytes(5)]


def test_waiting_for_all(lab):
    a, b = lab.pair()
    op = Operation((3, 3))
    op.flags.value = c.MSG_WAITALL
    lab.start_recv(b, op)
    assert op.error == PENDING
    lab.send(a, b"abcd")
    assert k32.SleepEx(0, 1) == 0
    lab.until(lambda: next(iter(lab.requests(b).pending)).total == 4)
    assert op.pending
    lab.send(a, b"efgh")
    assert lab.result(b, op) == (1, 6, 0)
    assert op.memory[0].raw + op.memory[1].raw == b"abcdef"
    assert lab.recv(b) == b"gh"


def test_peeking(lab):
    a, b = lab.pair()
    op = Operation((8,))
    op.flags.value = c.MSG_PEEK
    lab.start_recv(b, op)
    lab.send(a, b"data")
    assert lab.result(b, op) == (1, 4, 0)
    assert lab.recv(b) == b"data"


def test_no_room_is_a_question_for_data(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b, 0)
    lab.send(a, b"data")
    assert lab.result(b, op) == (1, 0, 0)
    again = lab.start_recv(b, Operation((0,)))
    assert (again.result, again.count.value) == (0, 0)
    assert lab.recv(b) == b"data"


def test_urgent_data(lab):
    a, b = lab.pair()
    op = Operation((8,))
    op.flags.value = c.MSG_OOB
    lab.start_recv(b, op)
    assert op.error == PENDING
    lab.ok(ws.send(a, b"!", 1, c.MSG_OOB), 1)
    lab.until(lambda: not op.pending)
    assert (op.ov.InternalHigh, op.data[:1]) == (1, b"!")


# -- ends


def test_the_end_of_the_stream_is_a_success(lab):
    a, b = lab.pair()
    port = lab.port(b)
    op = lab.pend_recv(b)
    lab.ok(ws.shutdown(a, c.SD_SEND))
    assert lab.packet(port) == (1, 0, 1, op.ov.address, 0)
    again = lab.start_recv(b, Operation())
    assert (again.result, again.count.value) == (0, 0)
    assert lab.packet(port)[:3] == (1, 0, 1)


def test_a_reset(lab):
    a, b = lab.pair()
    port, seen = lab.port(b), []
    op = lab.pend_recv(b)
    lab.reset(a)
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_NETNAME_DELETED)
    assert op.ov.Internal == NTSTATUS.STATUS_CONNECTION_RESET
    assert lab.result(b, op) == (0, 0, c.ERROR_NETNAME_DELETED)
    assert lab.wsa_result(b, op)[3] == WSA.WSAECONNRESET
    failed = lab.start_recv(b, Operation())
    assert (failed.result, failed.error, failed.count.value) == (-1, WSA.WSAECONNRESET, 0xAAAA)
    lab.no_packet(port)
    assert seen == []


def test_a_reset_told_to_a_routine_is_winsocks_code(lab):
    a, b = lab.pair()
    seen = []
    lab.pend_recv(b, routine=lambda *args: seen.append(args[:2]))
    lab.reset(a)
    assert k32.SleepEx(20_000, 1) == c.WAIT_IO_COMPLETION
    assert seen == [(WSA.WSAECONNRESET, 0)]


def test_shutdown_leaves_what_is_pending(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b)
    lab.ok(ws.shutdown(b, c.SD_RECEIVE))
    refused = lab.start_recv(b, Operation())
    assert (refused.result, refused.error) == (-1, WSA.WSAESHUTDOWN)
    assert op.pending
    lab.send(a, b"data")
    assert lab.result(b, op) == (1, 4, 0)


@pytest.mark.parametrize(
    ("close", "error"),
    [(ws.closesocket, c.ERROR_OPERATION_ABORTED), (k32.CloseHandle, c.ERROR_CONNECTION_ABORTED)],
)
def test_closing_ends_all_requests(lab, close, error):
    _, b = lab.pair()
    port = lab.port(b)
    ops = [lab.pend_recv(b) for _ in range(3)]
    close(b)
    assert [lab.packet(port) for _ in ops] == [(0, 0, 1, op.ov.address, error) for op in ops]
    lab.no_packet(port)


def test_cleanup_ends_requests(lab):
    _, b = lab.pair()
    e = lab.event()
    op = lab.pend_recv(b, event=e)
    lab.ok(ws.WSACleanup())
    assert lab.wait(e, 0) == c.WAIT_OBJECT_0
    assert op.ov.Internal == NTSTATUS.STATUS_CANCELLED
    lab.ok(ws.WSAStartup(0x0202, bytearray(408)))


# -- cancelling


def test_cancelling_one(lab):
    a, b = lab.pair()
    port = lab.port(b)
    first, second = lab.pend_recv(b), lab.pend_recv(b)
    assert k32.CancelIoEx(b, first.ov) == 1
    assert lab.packet(port) == (0, 0, 1, first.ov.address, c.ERROR_OPERATION_ABORTED)
    assert k32.CancelIoEx(b, first.ov) == 0
    assert k32.GetLastError() == c.ERROR_NOT_FOUND
    lab.send(a, b"data")
    assert lab.packet(port) == (1, 4, 1, second.ov.address, 0)


def test_cancelling_all_of_a_handle(lab):
    a, b = lab.pair()
    port = lab.port(a, b)
    ops, other = [lab.pend_recv(b) for _ in range(3)], lab.pend_recv(a)
    assert k32.CancelIoEx(b, None) == 1
    assert [lab.packet(port)[3] for _ in ops] == [op.ov.address for op in ops]
    lab.no_packet(port)
    assert other.pending


def test_cancelio_is_for_the_threads_own(lab):
    _, b = lab.pair()
    port = lab.port(b)
    mine = lab.pend_recv(b)
    theirs = lab.run(lab.pend_recv, b).result(30)[0]
    assert k32.CancelIo(b) == 1
    assert lab.packet(port)[3] == mine.ov.address
    assert theirs.pending
    assert k32.CancelIo(b) == 1
    lab.no_packet(port)


def test_a_threads_requests_end_with_it(lab):
    """What only a port is told of outlives its thread."""
    import threading

    _, b = lab.pair()
    _, d = lab.pair()
    lab.port(d)
    e, made = lab.event(), []

    def body():
        with lab.process.attached():
            made.append(lab.pend_recv(b, event=e))
            made.append(lab.pend_recv(d))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(30)
    assert lab.wait(e) == c.WAIT_OBJECT_0
    assert made[0].ov.Internal == NTSTATUS.STATUS_CANCELLED
    assert made[1].pending


def test_cancelling_a_blocking_call(lab):
    _, b = lab.pair()
    waiting = lab.run(ws.recv, b, bytearray(8), 8, 0)
    endpoint = lab.process.sockets[b]
    lab.until(lambda: endpoint.waiters)
    thread = k32.OpenThread(0, 0, endpoint.waiters[0].tid)
    assert k32.CancelSynchronousIo(thread) == 1
    assert waiting.result(30) == (-1, c.ERROR_OPERATION_ABORTED)
    assert k32.CancelSynchronousIo(thread) == 0
    assert k32.GetLastError() == c.ERROR_NOT_FOUND


# -- receives of both kinds


def test_recv_comes_after_requests(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b, 4)
    lab.nonblocking(b)
    lab.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)
    lab.send(a, b"firstly")
    lab.readable(b)
    assert lab.recv(b) == b"tly"
    assert lab.result(b, op) == (1, 4, 0)
    assert op.data == b"firs"


def test_a_blocking_recv_comes_after_requests(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b, 4)
    waiting = lab.run(lab.recv, b)
    endpoint = lab.process.sockets[b]
    lab.until(lambda: endpoint.waiters)
    lab.send(a, b"firs")
    assert lab.result(b, op) == (1, 4, 0)
    lab.send(a, b"tly")
    assert waiting.result(30)[0] == b"tly"


def test_the_short_cut_comes_back(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b)
    endpoint = lab.process.sockets[b]
    assert not endpoint.fast_recv
    lab.send(a, b"x")
    assert lab.result(b, op) == (1, 1, 0)
    lab.send(a, b"y")
    assert lab.recv(b) == b"y"
    assert endpoint.fast_recv


def test_a_socket_without_the_overlapped_flag_waits(lab):
    listener = lab.listener()
    a = ws.WSASocketW(c.AF_INET, c.SOCK_STREAM, 0, None, 0, 0)
    lab.ok(ws.connect(a, lab.name(listener), 16))
    b = ws.accept(listener, None, None)
    lab.nonblocking(a)
    waiting = lab.run(lab.start_recv, a, Operation((16,)))
    lab.until(lambda: lab.requests(a).signal._waiters)
    lab.send(b, b"data")
    op = waiting.result(30)[0]
    assert (op.result, op.count.value, op.data[:4]) == (0, 4, b"data")


# -- messages


def test_a_datagram_with_its_sender(lab):
    a, b = lab.udp(), lab.udp()
    port, op = lab.port(b), Operation((16,))
    name, size = ctypes.create_string_buffer(16), ctypes.c_int32(16)
    r = ws.WSARecvFrom(b, op.array, 1, None, op.flags, name, size, op.ov, None)
    assert (r, ws.WSAGetLastError()) == (-1, PENDING)
    lab.ok(ws.sendto(a, b"data", 4, 0, lab.name(b), 16), 4)
    assert lab.packet(port) == (1, 4, 1, op.ov.address, 0)
    assert (name.raw, size.value, op.data[:4]) == (lab.name(a), 16, b"data")


@pytest.mark.parametrize("waits", [True, False])
def test_a_datagram_that_is_too_long(lab, waits):
    a, b = lab.udp(), lab.udp()
    port, op = lab.port(b), Operation((4,))
    if waits:
        lab.start_recv(b, op)
        assert op.error == PENDING
    lab.ok(ws.sendto(a, b"too long", 8, 0, lab.name(b), 16), 8)
    if not waits:
        lab.readable(b)
        lab.start_recv(b, op)
        assert (op.result, op.error, op.count.value) == (-1, WSA.WSAEMSGSIZE, 4)
    assert lab.packet(port) == (0, 4, 1, op.ov.address, c.ERROR_MORE_DATA)
    assert op.ov.Internal == NTSTATUS.STATUS_BUFFER_OVERFLOW
    assert op.data == b"too "
    assert lab.wsa_result(b, op) == (0, 4, 0xAAAA, WSA.WSAEMSGSIZE)  # the flags are as they were


def test_an_unreachable_port(lab):
    b = lab.udp()
    other = lab.udp()
    gone = lab.name(other)
    lab.ok(ws.closesocket(other))
    port, op = lab.port(b), lab.pend_recv(b)
    lab.ok(ws.sendto(b, b"x", 1, 0, gone, 16), 1)
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_PORT_UNREACHABLE)
    assert lab.wsa_result(b, op)[3] == WSA.WSAECONNRESET
    assert lab.start_recv(b, Operation()).error == PENDING


def test_unreachable_ports_that_nobody_wants_to_know_of(lab):
    a, b = lab.udp(), lab.udp()
    off, n = ctypes.c_uint32(0), ctypes.c_uint32()
    lab.ok(ws.WSAIoctl(b, c.SIO_UDP_CONNRESET, off, 4, None, 0, n, None, None))
    other = lab.udp()
    gone = lab.name(other)
    lab.ok(ws.closesocket(other))
    op = lab.pend_recv(b)
    lab.ok(ws.sendto(b, b"x", 1, 0, gone, 16), 1)
    lab.ok(ws.sendto(a, b"data", 4, 0, lab.name(b), 16), 4)
    assert lab.result(b, op) == (1, 4, 0)


def test_readfile_on_a_socket(lab):
    a, b = lab.pair()
    op, n = Operation(), ctypes.c_uint32(0xAAAA)
    room = ctypes.create_string_buffer(16)
    assert k32.ReadFile(b, room, 16, n, op.ov) == 0
    assert (k32.GetLastError(), n.value) == (c.ERROR_IO_PENDING, 0)
    sent = Operation(data=b"data")
    assert k32.WriteFile(a, sent.memory[0], 4, n, sent.ov) == 1
    assert n.value == 4
    assert lab.result(b, op) == (1, 4, 0)
    assert room.raw[:4] == b"data"
    assert k32.ReadFile(b, room, 16, n, None) == 0
    assert k32.GetLastError() == c.ERROR_INVALID_PARAMETER
    lab.ok(ws.shutdown(a, c.SD_BOTH))
    assert k32.WriteFile(a, sent.memory[0], 4, n, sent.ov) == 0
    assert k32.GetLastError() == 233


# -- control codes


def test_an_overlapped_control_code(lab):
    s = lab.udp()
    port, op, n = lab.port(s), Operation(), ctypes.c_uint32(0xAAAA)
    value = ctypes.c_uint32(7)
    lab.ok(ws.WSAIoctl(s, c.FIONREAD, None, 0, value, 4, n, op.ov, None))
    assert (n.value, value.value) == (4, 0)
    assert lab.packet(port) == (1, 0, 1, op.ov.address, 0)


def test_an_unknown_control_code_fails_later(lab):
    s = lab.socket()
    port, op, n = lab.port(s), Operation(), ctypes.c_uint32(0xAAAA)
    lab.fails(ws.WSAIoctl(s, 0xDEADBEEF, None, 0, None, 0, n, op.ov, None), PENDING)
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_NOT_SUPPORTED)
    assert n.value == 0xAAAA


def test_a_change_of_addresses_is_waited_for(lab):
    s = lab.bound()
    port, op, n = lab.port(s), Operation(), ctypes.c_uint32()
    lab.fails(ws.WSAIoctl(s, c.SIO_ADDRESS_LIST_CHANGE, None, 0, None, 0, n, op.ov, None), PENDING)
    assert k32.CancelIoEx(s, op.ov) == 1
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_OPERATION_ABORTED)


def test_messages_with_control_data(lab):
    a, b = lab.udp(), lab.udp()
    lab.ok(ws.setsockopt(b, c.IPPROTO_IP, c.IP_PKTINFO, ctypes.c_int32(1), 4))
    op, control = Operation((16,)), ctypes.create_string_buffer(64)
    name = ctypes.create_string_buffer(16)
    msg = bytearray(
        struct.pack(
            "<Qi4xQI4xI4xQI4x",
            ctypes.addressof(name), 16, ctypes.addressof(op.array), 1, 64, ctypes.addressof(control), 0,
        )
    )  # fmt: skip
    from winsock.api import _wsadata

    r = _wsadata.WSARecvMsg(b, msg, None, op.ov, None)
    assert (r, ws.WSAGetLastError()) == (-1, PENDING)
    lab.ok(ws.sendto(a, b"data", 4, 0, lab.name(b), 16), 4)
    assert lab.result(b, op) == (1, 4, 0)
    assert name.raw == lab.name(a)
    (_, size, _, _, length, _, _) = struct.unpack("<Qi4xQI4xI4xQI4x", msg)
    assert (size, length) == (16, 24)
    assert struct.unpack_from("<Qii", control.raw) == (24, c.IPPROTO_IP, c.IP_PKTINFO)


# -- requests that need not try at once


@pytest.mark.parametrize("seed", range(6))
def test_lazy_receives_miss_nothing(lab, seed):
    """They wait for news when the last one found all there was; neither data nor the end may get lost so."""

    class Lazy(Receive):
        lazy = True

    a, b = lab.pair()
    port, chosen, ep = lab.port(b), random.Random(seed), lab.process.sockets[b]
    total = got = 0

    def start():
        Lazy(lab.process.thread(), ep, [memoryview(bytearray(chosen.choice((1, 7, 64))))]).begin()

    for _ in range(200):
        action = chosen.randrange(3)
        if action == 0:
            n = chosen.randrange(1, 40)
            lab.send(a, bytes(n))
            total += n
        elif action == 1:
            start()
        else:
            r, n, *_ = lab.packet(port, 0)
            got += n if r else 0
    lab.ok(ws.shutdown(a, c.SD_SEND))
    while True:
        start()
        r, n, *_ = lab.packet(port)
        assert r == 1
        got += n
        if not n:
            break
    assert got == total


# -- receives that are told by a port alone, which take a shorter way


AS_A_PROGRAM_MAY = {
    "objects": lambda op: (op.array, op.flags, op.ov),
    "by-reference": lambda op: (ctypes.byref(op.array), ctypes.byref(op.flags), ctypes.byref(op.ov)),
    "addresses": lambda op: tuple(map(ctypes.addressof, (op.array, op.flags, op.ov))),
}


@pytest.mark.parametrize("given", AS_A_PROGRAM_MAY.values(), ids=AS_A_PROGRAM_MAY)
@pytest.mark.parametrize("count", [True, False], ids=["count", "no-count"])
def test_pointers_of_every_kind(lab, given, count):
    a, b = lab.pair()
    port = lab.port(b)
    for data in b"first", b"second":
        op = Operation((16,))
        array, flags, ov = given(op)
        lab.fails(ws.WSARecv(b, array, 1, op.count if count else None, flags, ov, None), PENDING)
        assert (op.ov.Internal, op.count.value) == (c.STATUS_PENDING, 0xAAAA)
        lab.send(a, data)
        assert lab.packet(port, c.INFINITE) == (1, len(data), 1, op.ov.address, 0)
        assert (op.ov.Internal, op.ov.InternalHigh, op.data.rstrip(b"\0")) == (0, len(data), data)
    lab.send(a, b"there already")
    lab.readable(b)
    op = Operation((5,))
    array, flags, ov = given(op)
    lab.ok(ws.WSARecv(b, array, 1, op.count if count else None, flags, ov, None))
    assert (op.count.value, op.data, ws.WSAGetLastError()) == (5 if count else 0xAAAA, b"there", 0)
    assert lab.packet(port) == (1, 5, 1, op.ov.address, 0)
    assert lab.recv(b) == b" already"


def test_refusals_on_a_port(lab):
    _, b = lab.pair()
    port, op, short = lab.port(b), Operation(), (ctypes.c_char * 31)()
    nowhere = WSABUF(16, 8)
    for code, arguments in (
        (WSA.WSAEFAULT, (nowhere, 1, None, op.flags, op.ov, None)),
        (WSA.WSAEFAULT, (None, 1, None, op.flags, op.ov, None)),
        (WSA.WSAEFAULT, (op.array, 1, None, None, op.ov, None)),
        (WSA.WSAEFAULT, (op.array, 1, None, op.flags, short, None)),
        (WSA.WSAEINVAL, (op.array, 0, None, op.flags, op.ov, None)),
        (WSA.WSAEINVAL, (op.array, 1, None, op.flags, op.ov, lambda *_: None)),
    ):
        lab.fails(ws.WSARecv(b, *arguments), code)
    lab.ok(ws.shutdown(b, c.SD_RECEIVE))
    assert (lab.start_recv(b, op).result, op.error) == (-1, WSA.WSAESHUTDOWN)
    lab.no_packet(port)


@pytest.mark.parametrize("modes", [0, c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS], ids=["told", "not-told"])
def test_ends_on_a_port(lab, modes):
    """The end of the stream, a reset before and after it was asked for, a cancellation, the end of the handle."""
    a, b = lab.pair()
    port = lab.port(b)
    assert k32.SetFileCompletionNotificationModes(b, modes)
    op = lab.pend_recv(b)
    lab.ok(ws.shutdown(a, c.SD_SEND))
    assert lab.packet(port) == (1, 0, 1, op.ov.address, 0)
    op = lab.start_recv(b, Operation())
    assert (op.result, op.count.value, op.ov.Internal) == (0, 0, 0)
    if not modes:
        assert lab.packet(port) == (1, 0, 1, op.ov.address, 0)
    lab.no_packet(port)

    a, b = lab.pair()
    assert k32.CreateIoCompletionPort(b, port, 2, 0) == port
    assert k32.SetFileCompletionNotificationModes(b, modes)
    op = lab.pend_recv(b)
    assert k32.CancelIoEx(b, op.ov)
    assert lab.packet(port) == (0, 0, 2, op.ov.address, c.ERROR_OPERATION_ABORTED)
    op = lab.pend_recv(b)
    lab.reset(a)
    assert lab.packet(port) == (0, 0, 2, op.ov.address, c.ERROR_NETNAME_DELETED)
    op = lab.start_recv(b, Operation())
    assert (op.result, op.error) == (-1, WSA.WSAECONNRESET)
    lab.no_packet(port)

    a, b = lab.pair()
    assert k32.CreateIoCompletionPort(b, port, 3, 0) == port
    ops = [lab.pend_recv(b), lab.pend_recv(b)]
    lab.ok(ws.closesocket(b))
    for op in ops:
        assert lab.packet(port) == (0, 0, 3, op.ov.address, c.ERROR_OPERATION_ABORTED)


def test_receives_of_a_port_end_in_order(lab):
    a, b = lab.pair()
    port = lab.port(b)
    ops = [lab.pend_recv(b, 4) for _ in range(5)]
    plain = lab.run(lab.recv, b, 4)
    lab.send(a, b"0000111122223333444455556666")
    for i, op in enumerate(ops):
        assert lab.packet(port) == (1, 4, 1, op.ov.address, 0)
        assert op.data == b"%d" % i * 4
    assert plain.result(30)[0] == b"5555"
    op = lab.start_recv(b, Operation((4,)))
    assert (op.result, op.data) == (0, b"6666")
