"""The reservation's control codes beside other things: duplicates, forks, threads, overlapped calls, providers."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import resource
import socket as linux
import struct
import subprocess
import sys
import threading

import pytest
from own_network import NOBODY
from reservation_calls import (
    ACQUIRE,
    ASSOCIATE,
    FAILED,
    RELEASE,
    acquire,
    associate,
    associated,
    bind,
    control,
    held,
    new,
    port_of,
    release,
    request,
)

import winsock
import winsock.ws2_32 as ws
from winsock import kernel32, ports, spi
from winsock.abi import _constants as c
from winsock.abi._structs import INET_PORT_RANGE, INET_PORT_RESERVATION_INSTANCE, INET_PORT_RESERVATION_TOKEN
from winsock.afd import Endpoint
from winsock.codes import WSA, WinsockError
from winsock.ports import _placeholder
from winsock.ports._runtime import POOL

pytestmark = pytest.mark.usefixtures("quiet", "process")


def test_a_duplicate_keeps_the_block():
    s = new()
    first, token = acquire(s, 1)
    info = bytearray(628)
    assert ws.WSADuplicateSocketW(s, winsock.Process.find(_pid()).pid, info) == 0
    twin = ws.WSASocketW(0, 0, 0, bytes(info), 0, 0)
    assert twin != (1 << 64) - 1
    assert ws.closesocket(s) == 0
    assert held(first)
    user = associated(token)
    assert bind(user) == 0
    assert ws.closesocket(user) == 0
    assert ws.closesocket(twin) == 0
    assert not held(first)


def _pid() -> int:
    from winsock.nt import current

    return current().process.pid


def test_a_process_that_is_forgotten_leaves_nothing_held():
    def body() -> int:
        with winsock.Process().attached():
            assert ws.WSAStartup(0x0202, bytearray(512)) == 0
            return acquire(new(), 1)[0]

    first = body()
    gc.collect()
    assert not held(first)


def test_a_forked_child_does_not_have_the_block():
    s = new()
    first, token = acquire(s, 2)
    read, write = os.pipe()
    release_read, release_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            other = new()
            if associate(other, token) == WSA.WSAEINVAL and release(other, token) == WSA.WSAEINVAL:
                ws.closesocket(s)
                status = 0 if held(first) else 2
            os.write(write, b"x")
            os.read(release_read, 1)  # stays alive while the parent frees the block
        finally:
            os._exit(status)
    os.close(write)
    assert os.read(read, 1) == b"x"
    assert held(first)
    assert ws.closesocket(s) == 0
    assert not held(first)
    os.write(release_write, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for fd in (read, release_read, release_write):
        os.close(fd)


def test_the_structures_of_the_headers():
    sizes = (INET_PORT_RANGE, 4), (INET_PORT_RESERVATION_TOKEN, 8), (INET_PORT_RESERVATION_INSTANCE, 16)
    assert [ctypes.sizeof(layout) for layout, _ in sizes] == [size for _, size in sizes]
    wanted, got, count = INET_PORT_RANGE(0, 2), INET_PORT_RESERVATION_INSTANCE(), ctypes.c_uint32()
    assert ws.WSAIoctl(new(), ACQUIRE, wanted, 4, got, 16, ctypes.byref(count), None, None) == 0
    assert (count.value, got.NumberOfPorts) == (16, 2)
    s = new()
    token = INET_PORT_RESERVATION_TOKEN(got.Token)
    assert ws.WSAIoctl(s, ASSOCIATE, ctypes.byref(token), 8, None, 0, ctypes.byref(count), None, None) == 0
    assert bind(s) == 0
    assert port_of(s) == linux.ntohs(got.StartPort)


def test_threads_that_acquire_associate_and_close_at_once(process):
    allowed = {0, WSA.WSAEINVAL, WSA.WSAENOBUFS, WSA.WSAENOTSOCK, WSA.WSAEADDRNOTAVAIL, WSA.WSAEADDRINUSE}
    owner = [0, 0]  # a socket that acquired, and its token: whoever comes takes it away
    faults: list[object] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        choose = random.Random(seed)
        with process.attached():
            start.wait()
            for _ in range(60):
                s = new()
                what = choose.randrange(3)
                if what == 0:
                    owner[:] = s, acquire(s, 2)[1]
                    continue
                code_ = associate(s, owner[1])
                bound = bind(s)
                if bound == 0:
                    ws.listen(s, 1)
                if not {code_, bound} <= allowed:
                    faults.append((code_, bound))
                ws.closesocket(s)
                if what == 1:
                    ws.closesocket(owner[0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults
    for s in list(process.sockets):
        ws.closesocket(s)
    assert not POOL.by_token
    assert not POOL.owners
    assert not POOL.associated
    assert not POOL.dying


# -- overlapped


def test_overlapped_with_an_event():
    s = new()
    event = ws.WSACreateEvent()
    overlapped = bytearray(struct.pack("<24xQ", event))
    out = bytearray(16)
    assert request(s, ACQUIRE, bytes(2) + b"\2\0", out, overlapped, None) in (0, WSA.WSA_IO_PENDING)
    assert ws.WSAWaitForMultipleEvents(1, struct.pack("<Q", event), True, 60000, False) == 0
    count, flags = bytearray(4), bytearray(4)
    assert ws.WSAGetOverlappedResult(s, overlapped, count, True, flags)
    first, (token,) = int.from_bytes(out[:2], "big"), struct.unpack_from("<Q", out, 8)
    for number, other in (ASSOCIATE, new()), (RELEASE, s):
        assert request(other, number, struct.pack("<Q", token), None, overlapped, None) in (0, WSA.WSA_IO_PENDING)
        assert ws.WSAGetOverlappedResult(other, overlapped, count, True, flags)
        if number == ASSOCIATE:
            assert bind(other) == 0
            assert port_of(other) == first
    ws.WSACloseEvent(event)
    assert not held(first + 1)


def test_overlapped_with_a_completion_routine():
    told: list[tuple[int, int]] = []
    s = new()
    out, overlapped = bytearray(16), bytearray(32)

    def done(error: int, count: int, overlapped: int, flags: int) -> None:
        told.append((error, overlapped))

    assert request(s, ACQUIRE, bytes(2) + b"\1\0", out, overlapped, done) in (0, WSA.WSA_IO_PENDING)
    assert not told  # only a thread that waits so is told
    assert kernel32.SleepEx(60000, True) == c.WAIT_IO_COMPLETION
    assert [error for error, _ in told] == [0]
    assert held(int.from_bytes(out[:2], "big"))


@pytest.mark.parametrize("number", [ASSOCIATE, RELEASE], ids=["associate", "release"])
def test_overlapped_and_refused(number):
    s = new()
    overlapped = bytearray(32)
    assert request(s, number, bytes(8), None, overlapped, None) == WSA.WSAEINVAL
    assert request(s, ACQUIRE, bytes(4), bytearray(16), overlapped, None) == WSA.WSAEINVAL
    assert request(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16), 8, None) == WSA.WSAEFAULT  # type: ignore[arg-type]
    assert not [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]


def test_an_overlapped_pointer_means_nothing_to_other_sockets():
    s = ws.WSASocketW(c.AF_INET, c.SOCK_STREAM, 0, None, 0, 0)  # without WSA_FLAG_OVERLAPPED
    overlapped, out = bytearray(b"\xee" * 32), bytearray(16)
    assert request(s, ACQUIRE, bytes(2) + b"\1\0", out, overlapped, None) == 0
    assert held(int.from_bytes(out[:2], "big"))


def test_without_any_network(isolated):
    def body() -> None:
        s = new()
        _placeholder.AF_INET6 = _placeholder.AF_INET = 99  # which no kernel knows
        assert control(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16)) == (WSA.WSAENETDOWN, 0)

    isolated(body)


def test_ports_below_1024_need_the_right_to_them(isolated):
    def body() -> None:
        assert control(new(), ACQUIRE, b"\0\x50\1\0", bytearray(16)) == (WSA.WSAEACCES, 0)

    isolated(body, NOBODY)


def test_without_descriptors(isolated):
    def body() -> None:
        s = new()
        resource.setrlimit(resource.RLIMIT_NOFILE, (1200, 1200))
        assert control(s, ACQUIRE, bytes(2) + b"\0\2", bytearray(16)) == (WSA.WSAEMFILE, 0)
        assert ports.reservations(persistent=False) == []
        acquire(s, 100)

    isolated(body)


def test_a_bad_completion_routine():
    s = new()
    assert request(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16), bytearray(32), 8) == WSA.WSAEFAULT
    assert not [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]


def test_inside_a_callback_of_winsock_1():
    with winsock.Process().attached():
        assert ws.WSAStartup(0x0101, bytearray(512)) == 0
        s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
        assert bind(s) == 0
        codes: list[int] = []

        def hook() -> int:
            for number in (ACQUIRE, ASSOCIATE, RELEASE):
                codes.append(control(s, number, bytes(8), bytearray(16))[0])
            ws.WSACancelBlockingCall()
            return 0

        ws.WSASetBlockingHook(hook)
        assert ws.recv(s, bytearray(8), 8, 0) == FAILED
        assert codes[:3] == [WSA.WSAEINPROGRESS] * 3
        assert ws.closesocket(s) == 0
        ws.WSACleanup()


def test_a_layered_provider_sees_them_and_may_refuse(process):
    """WSPIoctl: a provider's own entry, below WSAIoctl."""
    seen: list[int] = []

    def ioctl(ep: Endpoint, number: int, data: bytes | None, room: int | None) -> bytes:
        seen.append(number)
        if refusing:
            raise WinsockError(WSA.WSAEINTR)
        return spi.BASE.ioctl(ep, number, data, room)

    refusing = False
    s, other = new(), new()
    for handle in (s, other):
        ep = process.sockets[handle]
        ep.procs = spi.BASE._replace(ioctl=ioctl, plain=False)
    first, token = acquire(s, 2)
    assert associate(other, token) == 0
    assert bind(other) == 0
    assert port_of(other) == first
    assert release(s, token) == 0
    assert seen == [ACQUIRE, ASSOCIATE, RELEASE]
    refusing = True
    assert control(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16))[0] == WSA.WSAEINTR
    assert associate(new(), token) == WSA.WSAEINVAL
    # and without a socket call above it
    ep = process.sockets[s]
    output = spi.BASE.ioctl(ep, ACQUIRE, bytes(2) + b"\1\0", 16)
    assert len(output) == 16
    with pytest.raises(WinsockError) as e:
        spi.BASE.ioctl(ep, ASSOCIATE, bytes(7), None)
    assert e.value.code == WSA.WSAEINVAL


def test_programs_under_winsock_run(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import socket, sys\n"
        "with socket.socket() as s:\n"
        "    try:\n"
        "        s.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "    except PermissionError as e:\n"
        "        print(e.winerror)\n"
    )
    first, _ = acquire(new(), 1)
    command = [sys.executable, "-m", "winsock", "run", str(program), str(first)]
    assert subprocess.check_output(command) == b"10013\n"
