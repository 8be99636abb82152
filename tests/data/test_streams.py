"""recv and send on streams: all the buffers a caller may pass, ends, resets, time-outs, flags."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import threading

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

UNMAPPED = 0x10  # an address where nothing ever is


@pytest.fixture(params=[c.AF_INET, pytest.param(c.AF_INET6, marks=pytest.mark.ipv6)], ids=["ipv4", "ipv6"])
def pair(request, net):
    return net.pair(request.param)


# -- what memory may be


def memories(data: bytes):
    keep = ctypes.create_string_buffer(data, len(data))
    return {
        "bytes": (data, None),
        "bytearray": (bytearray(data), None),
        "memoryview": (memoryview(bytearray(data)), None),
        "ctypes": (keep, None),
        "byref": (ctypes.byref(keep), keep),
        "address": (ctypes.addressof(keep), keep),
        "longer bytes": (data + b"more", None),
        "longer bytearray": (bytearray(data + b"more"), None),
    }


@pytest.mark.parametrize("kind", memories(b""))
@pytest.mark.parametrize("size", [0, 1, 64, 65536])
def test_send_takes_any_memory(net, kind, size):
    a, b = net.pair()
    data = os.urandom(size)
    buf, _keep = memories(data)[kind]
    net.ok(ws.send(a, buf, size, 0), size)
    net.ok(ws.send(a, b"!", 1, 0), 1)
    assert net.recv_all(b, size + 1) == data + b"!"


@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "ctypes", "byref", "address", "longer bytearray"])
def test_recv_fills_any_memory(net, kind):
    a, b = net.pair()
    net.send(a, b"hello")
    buf, keep = memories(bytes(8))[kind]
    net.ok(ws.recv(b, buf, 8, 0), 5)
    where = keep if keep is not None else buf
    assert bytes(memoryview(where).cast("B")[:8]) == b"hello\0\0\0"


@pytest.mark.parametrize("kind", ["bytearray", "address"])
def test_recv_takes_no_more_than_asked_for(net, kind):
    a, b = net.pair()
    net.send(a, b"hello")
    buf, keep = memories(bytes(8))[kind]
    net.ok(ws.recv(b, buf, 2, 0), 2)
    assert bytes(keep if keep is not None else buf)[:3] == b"he\0"
    assert net.recv(b) == b"llo"


BAD = {
    "NULL": None,
    "unmapped": UNMAPPED,
    "negative address": -1,
    "beyond the address space": 1 << 64,
    "too short": bytearray(3),
    "a float": 1.5,
    "an object": object(),
    "a list": [1, 2, 3, 4],
    "read-only": b"12345678",
}


@pytest.mark.parametrize("buf", BAD.values(), ids=BAD)
def test_bad_memory_for_recv_is_wsaefault_and_loses_nothing(net, buf):
    a, b = net.pair()
    net.send(a, b"hello")
    net.fails(ws.recv(b, buf, 8, 0), WSA.WSAEFAULT)
    assert net.recv(b) == b"hello"


@pytest.mark.parametrize("name", [n for n in BAD if n != "read-only"])
def test_bad_memory_for_send_is_wsaefault(net, name):
    a, _ = net.pair()
    net.fails(ws.send(a, BAD[name], 8, 0), WSA.WSAEFAULT)


@pytest.mark.parametrize("call", ["send", "sendto", "WSASend", "urgent"])
def test_memory_that_ends_too_early_sends_nothing(net, call):
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    where = libc.mmap(None, 1 << 20, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    libc.munmap(where + 40960, (1 << 20) - 40960)
    a, b = net.pair()
    n = 40961
    if call == "WSASend":
        array = n.to_bytes(8, "little") + where.to_bytes(8, "little")
        net.fails(ws.WSASend(a, array, 1, ctypes.c_uint32(), 0, None, None), WSA.WSAEFAULT)
    elif call == "sendto":
        net.fails(ws.sendto(a, where, n, 0, None, 0), WSA.WSAEFAULT)
    else:
        net.fails(ws.send(a, where, n, c.MSG_OOB if call == "urgent" else 0), WSA.WSAEFAULT)
    net.fails(ws.recv(net.nonblocking(b), bytearray(1), 1, 0), WSA.WSAEWOULDBLOCK)
    net.ok(ws.send(a, where, 40960, 0), 40960)
    libc.munmap(where, 40960)


@pytest.mark.parametrize("n", [-1, -(1 << 31), 1 << 31, (1 << 32) - 1])
def test_negative_length(net, n):
    a, b = net.pair()
    net.send(a, b"hello")
    net.fails(ws.recv(b, bytearray(8), n, 0), WSA.WSAEFAULT)
    net.fails(ws.send(a, bytearray(8), n, 0), WSA.WSAEFAULT)
    assert net.recv(b) == b"hello"


@pytest.mark.parametrize("args", [("x", 0), (None, 0), (1.5, 0), (8, "x"), (8, 0.5)])
def test_arguments_that_are_no_numbers_do_not_raise(net, args):
    a, b = net.pair()
    net.send(a, b"hello")
    assert ws.recv(b, bytearray(8), *args) == -1
    assert ws.WSAGetLastError() in (WSA.WSAEFAULT, WSA.WSAEINVAL)
    assert ws.send(a, bytes(8), *args) == -1
    assert net.recv(b) == b"hello"


@pytest.mark.parametrize("s", [0, 4, 3, -1, (1 << 64) - 1, 1 << 70, None, "s", 1.5, [], object()])
def test_no_socket(net, s):
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAENOTSOCK)
    net.fails(ws.send(s, bytes(8), 8, 0), WSA.WSAENOTSOCK)
    net.fails(ws.recvfrom(s, bytearray(8), 8, 0, None, None), WSA.WSAENOTSOCK)
    net.fails(ws.sendto(s, bytes(8), 8, 0, None, 0), WSA.WSAENOTSOCK)


def test_without_startup():
    import winsock

    with winsock.Process().attached():
        assert (ws.recv(64, bytearray(1), 1, 0), ws.WSAGetLastError()) == (-1, WSA.WSANOTINITIALISED)
        assert (ws.send(64, b"x", 1, 0), ws.WSAGetLastError()) == (-1, WSA.WSANOTINITIALISED)


def test_socket_of_another_process(net):
    import winsock

    a, b = net.pair()
    net.send(a, b"mine")
    other = winsock.Process()
    with other.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAENOTSOCK)
        ws.WSACleanup()
    assert net.recv(b) == b"mine"


# -- states


def test_unconnected(net):
    s = net.socket()
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAENOTCONN)
    net.fails(ws.send(s, bytes(8), 8, 0), WSA.WSAENOTCONN)
    net.fails(ws.sendto(s, bytes(8), 8, 0, net.LOOPBACK, 16), WSA.WSAENOTCONN)


def test_listener(net):
    s = net.listener()
    net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAENOTCONN)
    net.fails(ws.send(s, bytes(8), 8, 0), WSA.WSAENOTCONN)


def test_success_clears_the_last_error(pair, net):
    a, b = pair
    for call in (lambda: ws.send(a, b"x", 1, 0), lambda: ws.recv(b, bytearray(1), 1, 0)):
        ws.WSASetLastError(1234)
        net.ok(call(), 1)
        assert ws.WSAGetLastError() == 0


def test_end_of_stream_is_zero_again_and_again(pair, net):
    a, b = pair
    net.send(a, b"bye")
    net.ok(ws.closesocket(a))
    assert net.recv(b) == b"bye"
    assert [ws.recv(b, bytearray(8), 8, 0) for _ in range(3)] == [0, 0, 0]


def test_nonblocking_recv_with_nothing_there(pair, net):
    s = net.nonblocking(pair[1])
    for _ in range(2):
        net.fails(ws.recv(s, bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)
        net.fails(ws.recv(s, bytearray(8), 8, c.MSG_PEEK), WSA.WSAEWOULDBLOCK)
        net.fails(ws.recv(s, None, 0, 0), WSA.WSAEWOULDBLOCK)


def test_empty_recv_takes_nothing(pair, net):
    a, b = pair
    net.send(a, b"hello")
    net.ok(ws.recv(b, None, 0, 0), 0)
    assert net.recv(b) == b"hello"
    net.ok(ws.closesocket(a))
    net.ok(ws.recv(b, None, 0, 0), 0)


def test_blocking_send_takes_all(pair, net):
    a, b = pair
    data = os.urandom(6 << 20)
    sending = net.run(ws.send, a, data, len(data), 0)
    assert net.recv_all(b, len(data)) == data
    assert sending.result(20) == (len(data), 0)


@pytest.mark.parametrize("kind", ["address", "bytearray"])
def test_blocking_send_of_other_memory_takes_all(net, kind):
    a, b = net.pair()
    data = os.urandom(3 << 20)
    buf, _keep = memories(data)[kind]
    sending = net.run(ws.send, a, buf, len(data), 0)
    assert net.recv_all(b, len(data)) == data
    assert sending.result(20) == (len(data), 0)


def test_nonblocking_send_takes_what_there_is_room_for(pair, net):
    a, b = pair
    net.nonblocking(a)
    data = os.urandom(1 << 20)
    sent = 0
    while (n := ws.send(a, data, len(data), 0)) > 0:
        sent += n
    assert ws.WSAGetLastError() == WSA.WSAEWOULDBLOCK
    assert len(net.recv_all(b, sent)) == sent


# -- flags


def test_peek(pair, net):
    a, b = pair
    net.send(a, b"hello")
    assert [net.recv(b, 3, c.MSG_PEEK), net.recv(b, 9, c.MSG_PEEK), net.recv(b)] == [b"hel", b"hello", b"hello"]


def test_waitall_waits_for_all(pair, net):
    a, b = pair
    buf = bytearray(10)
    net.send(a, b"hello")
    receiving = net.run(ws.recv, b, buf, 10, c.MSG_WAITALL)
    net.blocked(b)
    net.send(a, b"world")
    assert receiving.result(60) == (10, 0)
    assert buf == b"helloworld"


def test_waitall_ends_with_the_stream(pair, net):
    a, b = pair
    buf = bytearray(10)
    net.send(a, b"hello")
    receiving = net.run(ws.recv, b, buf, 10, c.MSG_WAITALL)
    net.blocked(b)
    net.ok(ws.closesocket(a))
    assert receiving.result(60) == (5, 0)


def test_waitall_gives_what_came_before_the_reset(net):
    a, b = net.pair()
    buf = bytearray(10)
    net.send(a, b"hello")
    receiving = net.run(ws.recv, b, buf, 10, c.MSG_WAITALL)
    net.blocked(b)
    net.reset(a)
    assert receiving.result(60) == (5, 0)
    net.fails(ws.recv(b, buf, 10, 0), WSA.WSAECONNRESET)


@pytest.mark.parametrize("flags", [c.MSG_OOB, c.MSG_PEEK, c.MSG_PARTIAL])
def test_waitall_goes_with_no_other_flag(net, flags):
    _, b = net.pair()
    net.fails(ws.recv(b, bytearray(8), 8, c.MSG_WAITALL | flags), WSA.WSAEOPNOTSUPP)


def test_waitall_needs_a_blocking_stream(net):
    _, b = net.pair()
    net.fails(ws.recv(net.nonblocking(b), bytearray(8), 8, c.MSG_WAITALL), WSA.WSAEOPNOTSUPP)
    net.fails(ws.recv(net.udp(), bytearray(8), 8, c.MSG_WAITALL), WSA.WSAEOPNOTSUPP)


@pytest.mark.parametrize("flags", [0x10, 0x40, 0x100, 0x4000, 1 << 30, -1 << 31])
def test_unknown_flags(net, flags):
    a, b = net.pair()
    net.send(a, b"hello")
    net.fails(ws.recv(b, bytearray(8), 8, flags), WSA.WSAEINVAL)
    net.fails(ws.send(a, bytes(8), 8, flags), WSA.WSAEINVAL)
    assert net.recv(b) == b"hello"


def test_send_of_a_part_is_not_supported(net):
    a, _ = net.pair()
    net.fails(ws.send(a, bytes(8), 8, c.MSG_PARTIAL), WSA.WSAEOPNOTSUPP)


def test_dontroute_is_taken(pair, net):
    a, b = pair
    net.send(a, b"hello", c.MSG_DONTROUTE)
    assert net.recv(b) == b"hello"


# -- the end


def test_reset_is_told_again_and_again(pair, net):
    a, b = pair
    net.reset(a)
    net.await_end(b)
    for _ in range(3):
        net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)
        net.fails(ws.send(b, bytes(8), 8, 0), WSA.WSAECONNRESET)


def test_reset_is_told_to_send_first(pair, net):
    a, b = pair
    net.reset(a)
    net.await_end(b)
    for _ in range(3):
        net.fails(ws.send(b, bytes(8), 8, 0), WSA.WSAECONNRESET)
        net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)


@pytest.mark.parametrize("flags", [0, c.MSG_PEEK])
def test_reset_ends_a_blocking_recv(net, flags):
    a, b = net.pair()
    receiving = net.run(ws.recv, b, bytearray(8), 8, flags)
    net.blocked(b)
    net.reset(a)
    assert receiving.result(60) == (-1, WSA.WSAECONNRESET)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)


def test_send_to_a_peer_that_has_closed_is_aborted(net):
    """The peer's end came first, so its reset is this side giving up: 10053, not 10054."""
    a, b = net.pair()
    net.ok(ws.closesocket(a))
    net.await_end(b)
    net.ok(ws.send(b, b"x", 1, 0), 1)  # nobody can know yet
    for _ in range(500):
        if ws.send(b, b"x", 1, 0) == -1:
            break
        threading.Event().wait(0.001)
    assert ws.WSAGetLastError() == WSA.WSAECONNABORTED
    net.fails(ws.send(b, b"x", 1, 0), WSA.WSAECONNABORTED)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNABORTED)


def test_own_shutdown_comes_before_the_reset(net):
    a, b = net.pair()
    net.ok(ws.shutdown(b, c.SD_SEND))
    net.reset(a)
    net.await_end(b)
    net.fails(ws.send(b, b"x", 1, 0), WSA.WSAESHUTDOWN)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAECONNRESET)


# -- time


def test_recv_times_out(pair, net):
    a, b = pair
    net.option(b, c.SOL_SOCKET, c.SO_RCVTIMEO, 30)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAETIMEDOUT)
    net.send(a, b"late")
    assert net.recv(b) == b"late"


def test_waitall_times_out_after_the_whole_time(net):
    a, b = net.pair()
    net.option(b, c.SOL_SOCKET, c.SO_RCVTIMEO, 50)
    net.send(a, b"hello")
    net.fails(ws.recv(b, bytearray(8), 8, c.MSG_WAITALL), WSA.WSAETIMEDOUT)


def test_send_times_out(net):
    a, _ = net.pair()
    net.option(a, c.SOL_SOCKET, c.SO_SNDTIMEO, 30)
    net.fails(ws.send(a, bytes(32 << 20), 32 << 20, 0), WSA.WSAETIMEDOUT)


def test_timeouts_mean_nothing_to_a_nonblocking_socket(net):
    _, b = net.pair()
    net.option(b, c.SOL_SOCKET, c.SO_RCVTIMEO, 10_000)
    net.fails(ws.recv(net.nonblocking(b), bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)


# -- AF_UNIX


@pytest.fixture
def unix(net, tmp_path):
    name = b"\x01\0" + os.fsencode(tmp_path / "s").ljust(108, b"\0")
    listener = net.socket(c.AF_UNIX)
    net.ok(ws.bind(listener, name, 110))
    net.ok(ws.listen(listener, 5))
    a = net.socket(c.AF_UNIX)
    net.ok(ws.connect(a, name, 110))
    b = ws.accept(listener, None, None)
    return a, b


def test_unix_stream(unix, net):
    a, b = unix
    net.send(a, b"hello")
    assert net.recv(b, 2) == b"he"
    assert net.recv(b) == b"llo"
    net.fails(ws.recv(b, bytearray(1), 1, c.MSG_OOB), WSA.WSAEOPNOTSUPP)
    net.fails(ws.send(b, bytes(1), 1, c.MSG_OOB), WSA.WSAEOPNOTSUPP)
    net.ok(ws.closesocket(a))
    assert net.recv(b) == b""


def test_unix_peer_gone(unix, net):
    a, b = unix
    net.ok(ws.closesocket(a))
    net.fails(ws.send(b, bytes(8), 8, 0), WSA.WSAECONNRESET)


# -- with a program that is not ours


def test_foreign_peer(net):
    with socket.create_server(("127.0.0.1", 0)) as server:
        a = net.socket()
        port = server.getsockname()[1]
        to = net.LOOPBACK[:2] + port.to_bytes(2, "big") + net.LOOPBACK[4:]
        net.ok(ws.connect(a, to, 16))
        other, _ = server.accept()
        with other:
            other.sendall(b"hi")
            assert net.recv(a) == b"hi"
            net.send(a, b"ho")
            assert other.recv(8) == b"ho"
        assert net.recv(a) == b""


def test_the_default_timeout_of_pythons_sockets_means_nothing_here(net):
    socket.setdefaulttimeout(60)
    try:
        a, b = net.pair()
        s = net.udp()
    finally:
        socket.setdefaulttimeout(None)
    for each in (a, b, s):
        net.fails(ws.recv(net.nonblocking(each), bytearray(8), 8, 0), WSA.WSAEWOULDBLOCK)
        if each != b:  # nothing that is done with an accepted socket's descriptor could wait
            assert not os.get_blocking(net.endpoint(each).transport.fileno())
