"""Overlapped sends: what is accepted at once, what waits, and where it goes when the socket closes."""

from __future__ import annotations

import ctypes
import os
import socket as linux
import subprocess
import sys
import textwrap
import threading

import pytest
from overlapped_kit import LOOPBACK, WSABUF, Operation, environment

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import NTSTATUS, WSA

MEGABYTES = 16  # more than the kernel takes for one connection on loopback
BIG = os.urandom(1 << 20) * MEGABYTES


def take(lab, s, n):
    """Receive so much in another thread."""
    return lab.run(lab.recv_all, s, n)


def stuck(lab):
    """A pair whose connecting end has accepted more than the network takes."""
    a, b = lab.pair()
    op = lab.start_send(a, BIG)
    assert (op.result, op.count.value) == (0, len(BIG))
    assert lab.requests(a).sends is not None
    return a, b


def test_a_send_ends_at_once_and_is_told_all_the_same(lab):
    a, b = lab.pair()
    port = lab.port(a)
    op = lab.start_send(a, b"data")
    assert (op.result, op.count.value, op.ov.Internal) == (0, 4, 0)
    assert lab.packet(port) == (1, 4, 1, op.ov.address, 0)
    assert lab.recv(b) == b"data"


def test_gathered_buffers(lab):
    a, b = lab.pair()
    op = Operation((2, 3))
    op.memory[0].raw, op.memory[1].raw = b"ab", b"cde"
    lab.ok(ws.WSASend(a, op.array, 2, op.count, 0, op.ov, None))
    assert (op.count.value, lab.recv(b)) == (5, b"abcde")


def test_nothing_to_send(lab):
    a, _ = lab.pair()
    op = lab.start_send(a, b"")
    assert (op.result, op.count.value) == (0, 0)


def test_a_send_is_accepted_whole(lab):
    """Whatever its size, while less than SO_SNDBUF is outstanding."""
    a, b = stuck(lab)
    got = take(lab, b, len(BIG))
    assert got.result(60)[0] == BIG
    lab.until(lambda: lab.requests(a).sends is None)
    assert lab.process.sockets[a].fast_send


def test_more_than_the_limit_outstanding_waits(lab):
    a, b = stuck(lab)
    port = lab.port(a)
    second, third = lab.start_send(a, b"second" * 1000), lab.start_send(a, b"third")
    assert (second.error, third.error) == (WSA.WSA_IO_PENDING, WSA.WSA_IO_PENDING)
    lab.no_packet(port)
    second.memory[0].raw = bytes(6000)  # Windows wants it untouched; here a copy goes
    got = take(lab, b, len(BIG) + 6005)
    assert lab.packet(port) == (1, 6000, 1, second.ov.address, 0)
    assert lab.packet(port) == (1, 5, 1, third.ov.address, 0)
    assert got.result(60)[0] == BIG + b"second" * 1000 + b"third"


def test_without_a_send_buffer_it_waits_for_the_network(lab):
    a, b = lab.pair()
    lab.option(a, c.SO_SNDBUF, 0)
    data = BIG[: 1 << 20]  # the network has a small buffer now
    op = lab.start_send(a, data)
    assert op.error == WSA.WSA_IO_PENDING
    got = take(lab, b, len(data))
    assert lab.result(a, op) == (1, len(data), 0)
    assert got.result(60)[0] == data


def kernel_room(lab, s):
    return lab.process.sockets[s].transport.getsockopt(linux.SOL_SOCKET, linux.SO_SNDBUF)


@pytest.mark.parametrize("ends", ["received", "cancelled", "closed by the peer", "another buffer"])
def test_without_a_send_buffer_the_kernel_has_room_while_much_is_left(lab, ends):
    """Else it would take one segment for each acknowledgement, with which the receiver takes its time."""
    a, b = lab.pair()
    lab.option(a, c.SO_SNDBUF, 0)
    little = kernel_room(lab, a)
    op = lab.start_send(a, BIG)
    assert op.error == WSA.WSA_IO_PENDING
    assert kernel_room(lab, a) > 4 * little
    wanted = (1, 0)
    if ends == "cancelled":
        assert k32.CancelIoEx(a, op.ov) == 1
        wanted = (0, c.ERROR_OPERATION_ABORTED)
    elif ends == "closed by the peer":
        lab.reset(b)
        wanted = (0, c.ERROR_NETNAME_DELETED)
    elif ends == "another buffer":
        lab.option(a, c.SO_SNDBUF, 1 << 17)
        little = kernel_room(lab, a)
    got = take(lab, b, len(BIG)) if wanted[0] else None
    assert lab.result(a, op)[::2] == wanted
    assert kernel_room(lab, a) == little
    if got:
        assert got.result(60)[0] == BIG


def test_without_a_send_buffer_the_end_waits_until_the_rest_has_arrived(lab):
    a, b = lab.pair()
    lab.option(a, c.SO_SNDBUF, 0)
    lab.option(b, c.SO_RCVBUF, 0x10000)  # so that half of it cannot have arrived unread
    op = lab.start_send(a, BIG[: 1 << 20])
    data = take(lab, b, 1 << 19).result(60)[0]
    assert op.pending
    data += take(lab, b, 1 << 19).result(60)[0]
    assert (lab.result(a, op), data) == ((1, 1 << 20, 0), BIG[: 1 << 20])


def comes_last(lab, a, b):
    """A plain send over a comes after BIG, which was there before."""
    lab.nonblocking(a)
    lab.fails(ws.send(a, b"x", 1, 0), WSA.WSAEWOULDBLOCK)
    lab.ok(ws.ioctlsocket(a, c.FIONBIO, ctypes.c_uint32(0)))
    sending = lab.run(ws.send, a, b"at last", 7, 0)
    assert take(lab, b, len(BIG) + 7).result(60)[0] == BIG + b"at last"
    assert sending.result(30)[0] == 7


def test_a_plain_send_comes_after_what_was_accepted(lab):
    a, b = stuck(lab)
    comes_last(lab, a, b)


def test_the_end_of_the_stream_comes_after_what_was_accepted(lab):
    a, b = stuck(lab)
    lab.ok(ws.shutdown(a, c.SD_SEND))
    refused = lab.start_send(a, b"x")
    assert refused.error == WSA.WSAESHUTDOWN
    got = take(lab, b, len(BIG) + 1)
    assert got.result(60)[0] == BIG


@pytest.mark.parametrize("room", [None, 0], ids=["a buffer", "no buffer"])
@pytest.mark.parametrize("how", [c.SD_SEND, c.SD_BOTH])
def test_the_end_of_the_stream_comes_after_requests_that_wait(lab, how, room):
    a, b = lab.pair()
    if room is not None:
        lab.option(a, c.SO_SNDBUF, room)
    parts = [lab.start_send(a, part) for part in (BIG, b"second", b"third")]
    waiting = [op for op in parts if op.error]
    assert waiting
    lab.ok(ws.shutdown(a, how))
    assert all(op.pending for op in waiting)
    assert take(lab, b, len(BIG) + 12).result(60)[0] == BIG + b"secondthird"
    assert [lab.result(a, op)[::2] for op in parts] == [(1, 0)] * 3


def test_the_end_of_the_stream_does_not_wait_for_what_is_cancelled(lab):
    a, b = stuck(lab)
    op = lab.start_send(a, b"more")
    assert op.error == WSA.WSA_IO_PENDING
    lab.ok(ws.shutdown(a, c.SD_SEND))
    assert k32.CancelIoEx(a, op.ov) == 1
    assert take(lab, b, len(BIG) + 1).result(60)[0] == BIG
    a, b = lab.pair()
    lab.option(a, c.SO_SNDBUF, 0)
    op = lab.start_send(a, BIG)
    lab.ok(ws.shutdown(a, c.SD_SEND))
    assert k32.CancelIoEx(a, op.ov) == 1
    got = take(lab, b, len(BIG)).result(60)[0]
    assert len(got) < len(BIG)
    assert BIG.startswith(got)


def test_a_plain_send_comes_after_requests_that_wait(lab):
    a, b = lab.pair()
    lab.option(a, c.SO_SNDBUF, 0)
    op = lab.start_send(a, BIG)
    assert op.error == WSA.WSA_IO_PENDING
    comes_last(lab, a, b)
    lab.send(a, b"and soon")  # the short way again
    assert lab.process.sockets[a].extra == {}


def test_closing_sends_what_was_accepted_first(lab):
    a, b = stuck(lab)
    pending = lab.start_send(a, b"not accepted")
    assert pending.error == WSA.WSA_IO_PENDING
    lab.ok(ws.closesocket(a))
    assert pending.ov.Internal == NTSTATUS.STATUS_CANCELLED
    assert take(lab, b, len(BIG) + 1).result(60)[0] == BIG


def test_an_abortive_close_sends_nothing_more(lab):
    a, b = stuck(lab)
    lab.reset(a)
    with pytest.raises(AssertionError):  # the kit's: a receive fails
        take(lab, b, len(BIG)).result(60)
    lab.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)


def test_a_reset_ends_what_waits(lab):
    a, b = stuck(lab)
    port, op = lab.port(a), lab.start_send(a, b"more")
    assert op.error == WSA.WSA_IO_PENDING
    lab.reset(b)
    r, n, key, ov, error = lab.packet(port)
    assert (r, n, key, ov) == (0, 0, 1, op.ov.address)
    assert error in (c.ERROR_NETNAME_DELETED, c.ERROR_CONNECTION_ABORTED)
    after = lab.start_send(a, b"x")
    assert after.result == -1
    assert after.error in (WSA.WSAECONNRESET, WSA.WSAECONNABORTED)


def test_cancelling_a_send_that_waits(lab):
    a, b = stuck(lab)
    op = lab.start_send(a, b"never")
    assert k32.CancelIoEx(a, op.ov) == 1
    assert lab.result(a, op) == (0, 0, c.ERROR_OPERATION_ABORTED)
    after = lab.start_send(a, b"!")
    got = take(lab, b, len(BIG) + 1)
    assert lab.result(a, after)[0] == 1
    assert got.result(60)[0] == BIG + b"!"


@pytest.mark.parametrize("connected", [True, False])
def test_datagrams(lab, connected):
    a, b = lab.udp(), lab.udp()
    port, op = lab.port(a), Operation(data=b"data")
    if connected:
        lab.ok(ws.connect(a, lab.name(b), 16))
        lab.ok(ws.WSASend(a, op.array, 1, op.count, 0, op.ov, None))
    else:
        lab.ok(ws.WSASendTo(a, op.array, 1, op.count, 0, lab.name(b), 16, op.ov, None))
    assert lab.packet(port) == (1, 4, 1, op.ov.address, 0)
    assert lab.recv(b) == b"data"


def test_a_datagram_from_a_fresh_socket_gets_it_a_name(lab):
    a, b = lab.socket(c.SOCK_DGRAM), lab.udp()
    op = Operation(data=b"data")
    lab.ok(ws.WSASendTo(a, op.array, 1, op.count, 0, lab.name(b), 16, op.ov, None))
    assert lab.name(a)[2:4] != bytes(2)


def test_refusals_come_at_once(lab):
    s, e = lab.socket(), lab.event()
    port = lab.port(s)
    op = lab.start_send(s, b"x", event=e)
    assert (op.result, op.error, op.count.value) == (-1, WSA.WSAENOTCONN, 0xAAAA)
    lab.no_packet(port)
    assert lab.wait(e, 0) == c.WAIT_TIMEOUT


def test_memory_that_is_not_all_there(lab):
    """The copy of what has to wait would touch it."""
    page = 4096
    base = k32.VirtualAlloc(None, 1024 * page, c.MEM_COMMIT | c.MEM_RESERVE, c.PAGE_READWRITE)
    assert k32.VirtualProtect(base + 512 * page, page, c.PAGE_NOACCESS, ctypes.c_uint32())
    a, _ = stuck(lab)
    op = Operation()
    op.array[0] = WSABUF(1024 * page, base)
    lab.fails(ws.WSASend(a, op.array, 1, op.count, 0, op.ov, None), WSA.WSAEFAULT)
    assert not lab.requests(a).pending
    assert k32.VirtualFree(base, 0, c.MEM_RELEASE)


def test_urgent_bytes_after_the_others(lab):
    a, b = lab.pair()
    op = Operation(data=b"data!")
    lab.ok(ws.WSASend(a, op.array, 1, op.count, c.MSG_OOB, op.ov, None))
    assert op.count.value == 5
    assert lab.recv(b) == b"data"
    room = bytearray(4)
    lab.ok(ws.recv(b, room, 4, c.MSG_OOB), 1)
    assert room[:1] == b"!"


def test_a_program_that_ends_sends_what_was_accepted():
    """To a reader outside the interpreter that wrote."""
    listener = linux.create_server(("127.0.0.1", 0))
    program = f"""
        import ctypes, struct
        import winsock.ws2_32 as ws
        from overlapped_kit import Operation
        ws.WSAStartup(0x0202, bytearray(408))
        s = ws.socket(2, 1, 0)
        name = struct.pack("<H", 2) + struct.pack(">H", {listener.getsockname()[1]}) + b"\\x7f\\0\\0\\1" + bytes(8)
        assert ws.connect(s, name, 16) == 0
        op = Operation(data=b"0123456789abcdef" * {len(BIG) // 16})
        assert ws.WSASend(s, op.array, 1, op.count, 0, op.ov, None) == 0
    """
    env = environment()
    got = []

    def read():
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(1 << 20):
                got.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=env, check=True, timeout=60)
    reader.join(60)
    listener.close()
    assert sum(got) == len(BIG)


def test_addresses_are_checked_first(lab):
    a = lab.udp()
    op = Operation(data=b"x")
    lab.fails(ws.WSASendTo(a, op.array, 1, op.count, 0, LOOPBACK, 16, op.ov, None), WSA.WSAEADDRNOTAVAIL)
    assert not lab.requests(a).pending


def test_a_datagram_that_is_too_long_fails_after_the_call(lab):
    """As CPython's tests for python/cpython#156920 have it; a call that is not overlapped is told at once."""
    a, b = lab.udp(), lab.udp()
    to = lab.name(b)
    port = lab.port(a)
    lab.fails(ws.sendto(a, bytes(70_000), 70_000, 0, to, len(to)), WSA.WSAEMSGSIZE)
    op = Operation(data=bytes(70_000), event=lab.event())
    lab.fails(ws.WSASendTo(a, op.array, 1, op.count, 0, to, len(to), op.ov, None), WSA.WSA_IO_PENDING)
    assert lab.wait(op.ov.hEvent) == 0
    assert lab.wsa_result(a, op)[:2] + lab.wsa_result(a, op)[3:] == (0, 0, WSA.WSAEMSGSIZE)
    assert op.ov.Internal == NTSTATUS.STATUS_INVALID_BUFFER_SIZE
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_INVALID_USER_BUFFER)
    lab.no_packet(port)
    again = Operation(data=b"short")
    lab.ok(ws.WSASendTo(a, again.array, 1, again.count, 0, to, len(to), again.ov, None))
    assert lab.recv(b) == b"short"


def test_a_routine_hears_of_a_datagram_that_is_too_long(lab):
    a, b = lab.udp(), lab.udp()
    to, told = lab.name(b), []
    op = Operation(data=bytes(70_000))

    def routine(error, n, address, flags):
        told.append((error, n))

    lab.fails(ws.WSASendTo(a, op.array, 1, op.count, 0, to, len(to), op.ov, routine), WSA.WSA_IO_PENDING)
    assert told == []
    assert k32.SleepEx(60_000, True) == c.WAIT_IO_COMPLETION
    assert told == [(WSA.WSAEMSGSIZE, 0)]
