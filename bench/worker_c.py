"""The same work as worker.py, C-shaped: winsock.ws2_32."""

import gc
import sys
import time
import tracemalloc
from ctypes import Structure, addressof, c_int32, c_uint32, c_uint64, create_string_buffer
from struct import pack

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock import mswsock
from winsock.abi import _constants as c

SMALL, LARGE = b"x" * 64, b"x" * 65536
NOW = bytes(8)  # a timeval
RESET = pack("<HH", 1, 0)  # leaves no connection in TIME_WAIT


def check(value):
    assert value not in (c.SOCKET_ERROR, c.INVALID_SOCKET), ws.WSAGetLastError()
    return value


def bind_local(s):
    name = bytearray(pack("<HH", c.AF_INET, 0) + b"\x7f\0\0\1" + bytes(8))
    check(ws.bind(s, name, 16))
    check(ws.getsockname(s, name, c_int32(16)))
    return name


def make_pair():
    a = check(ws.socket(c.AF_INET, c.SOCK_STREAM, 0))
    check(ws.connect(a, name, 16))
    b = check(ws.accept(listener, None, None))
    return a, b


check(ws.WSAStartup(0x0202, bytearray(408)))
listener, udp = check(ws.socket(c.AF_INET, c.SOCK_STREAM, 0)), check(ws.socket(c.AF_INET, c.SOCK_DGRAM, 0))
ex_listener = check(ws.socket(c.AF_INET, c.SOCK_STREAM, 0))
name, udp_name, ex_name = bind_local(listener), bind_local(udp), bind_local(ex_listener)
check(ws.listen(listener, 5))
check(ws.listen(ex_listener, 5))
ex_port = k32.CreateIoCompletionPort(ex_listener, None, 0, 0)
a, b = make_pair()
_, quiet = make_pair()
check(ws.ioctlsocket(quiet, c.FIONBIO, c_uint32(1)))
buffer = bytearray(65536)


class WSABUF(Structure):
    _fields_ = (("len", c_uint32), ("buf", c_uint64))


class OVERLAPPED(Structure):
    _fields_ = (
        ("Internal", c_uint64),
        ("InternalHigh", c_uint64),
        ("Offset", c_uint32),
        ("OffsetHigh", c_uint32),
        ("hEvent", c_uint64),
    )


over_a, over_b = make_pair()
port = k32.CreateIoCompletionPort(over_b, None, 0, 0)
event = ws.WSACreateEvent()


def small(times):
    send, recv = ws.send, ws.recv
    for _ in range(times):
        send(a, SMALL, 64, 0)
        recv(b, buffer, 64, 0)


def large(times):
    send, recv = ws.send, ws.recv
    for _ in range(times):
        check(send(a, LARGE, 65536, 0))
        left = 65536
        while left:
            left -= check(recv(b, buffer, left, 0))


def would_block(times):
    recv = ws.recv
    for _ in range(times):
        recv(quiet, buffer, 64, 0)


def getsockopt(times):
    get, level, option = ws.getsockopt, c.SOL_SOCKET, c.SO_RCVBUF
    value, length = bytearray(4), c_int32(4)
    for _ in range(times):
        get(a, level, option, value, length)


def select_two(times):
    select, reading, writing = ws.select, pack("<QQ", 1, b), pack("<QQ", 1, a)
    for _ in range(times):
        select(0, bytearray(reading), bytearray(writing), None, NOW)


def datagram(times):
    sendto, recvfrom = ws.sendto, ws.recvfrom
    sender, length = bytearray(16), c_int32(16)
    for _ in range(times):
        sendto(udp, SMALL, 64, 0, udp_name, 16)
        recvfrom(udp, buffer, 64, 0, sender, length)


def make(times):
    socket, closesocket = ws.socket, ws.closesocket
    for _ in range(times):
        closesocket(socket(c.AF_INET, c.SOCK_STREAM, 0))


def accept(times):
    for _ in range(times):
        client = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        check(ws.connect(client, name, 16))
        server = check(ws.accept(listener, None, None))
        ws.setsockopt(client, c.SOL_SOCKET, c.SO_LINGER, RESET, 4)
        ws.closesocket(client)
        ws.closesocket(server)


def accept_ex(times):
    accept, get = mswsock.AcceptEx, k32.GetQueuedCompletionStatus
    n, key, done = c_uint32(), c_uint64(), c_uint64()
    names, request, context = create_string_buffer(64), OVERLAPPED(), pack("<Q", ex_listener)
    for _ in range(times):
        client = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        server = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        accept(ex_listener, server, names, 0, 32, 32, n, request)
        assert ws.WSAGetLastError() == c.ERROR_IO_PENDING
        check(ws.connect(client, ex_name, 16))
        assert get(ex_port, n, key, done, c.INFINITE)
        check(ws.setsockopt(server, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, context, 8))
        ws.setsockopt(client, c.SOL_SOCKET, c.SO_LINGER, RESET, 4)
        ws.closesocket(client)
        ws.closesocket(server)


def packets(times):
    post, get = k32.PostQueuedCompletionStatus, k32.GetQueuedCompletionStatus
    n, key, done = c_uint32(), c_uint64(), c_uint64()
    for _ in range(times):
        post(port, 1, 2, 0)
        get(port, n, key, done, c.INFINITE)


def overlapped(times):
    receive, send, get = ws.WSARecv, ws.send, k32.GetQueuedCompletionStatus
    n, key, done = c_uint32(), c_uint64(), c_uint64()
    memory = create_string_buffer(64)
    room, flags, request = WSABUF(64, addressof(memory)), c_uint32(), OVERLAPPED()
    for _ in range(times):
        receive(over_b, room, 1, None, flags, request, None)
        send(over_a, SMALL, 64, 0)
        get(port, n, key, done, c.INFINITE)


def events(times):
    signal, wait, reset = ws.WSASetEvent, ws.WSAWaitForMultipleEvents, ws.WSAResetEvent
    array = pack("<Q", event)
    for _ in range(times):
        signal(event)
        wait(1, array, 0, c.INFINITE, 0)
        reset(event)


crowd = []  # what pends on idle connections


def pend(times):
    """A receive on each of so many connections that nothing ever comes over; bytes for each."""
    _, idle = zip(*(make_pair() for _ in range(times)))
    crowd.append(_)
    memory = create_string_buffer(64)
    room, flags = WSABUF(64, addressof(memory)), c_uint32()
    requests = [OVERLAPPED() for _ in idle]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for s, request in zip(idle, requests):
        k32.CreateIoCompletionPort(s, port, 0, 0)
        ws.WSARecv(s, room, 1, None, flags, request, None)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    crowd.append((idle, memory, room, requests))
    overlapped(10)  # their registration is news, once
    return used / times


def memory(times):
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made = [ws.socket(c.AF_INET, c.SOCK_STREAM, 0) for _ in range(times)]
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    for s in made:
        check(ws.closesocket(s))
    return used / times


def serve():
    gc.disable()
    for line in sys.stdin:
        work, times = line.split()
        if work in ("memory", "pend"):
            print(globals()[work](int(times)), flush=True)
            continue
        function, times = globals()[work], int(times)
        begin = time.perf_counter()
        function(times)
        print(time.perf_counter() - begin, flush=True)


serve()
