"""Thousands of sockets: they all work, and no call has more to do because there are others."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hostile_calls import TABLE
from test_sweep import MAKERS, outcome

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1
FEW, MANY = 20, 5000
HOST = struct.pack("<HHI8x", c.AF_INET, 0, 0x100007F)
NOW = bytes(8)


@pytest.fixture
def descriptors_enough():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"only {hard} descriptors for a process here")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_descriptors(spare: int = 0) -> Iterator[None]:
    """As if there were no more than those that are open, and so many spare ones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = [os.dup(0) for _ in range(spare + 1)]
    highest = max(probe)
    for fd in probe:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    filling = []
    try:
        while not spare:  # holes among the numbers
            filling.append(os.dup(0))
    except OSError:
        pass
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in filling:
            os.close(fd)


def ok(result: int) -> None:
    assert result == 0, WSA(ws.WSAGetLastError())


def udp() -> int:
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert s != NO_SOCKET, WSA(ws.WSAGetLastError())
    ok(ws.bind(s, HOST, 16))
    return s


def name(s: int) -> bytes:
    room = bytearray(16)
    ok(ws.getsockname(s, room, ctypes.c_int(16)))
    return bytes(room)


def fd_set(*sockets: int) -> bytearray:
    return bytearray(struct.pack(f"<I4x{len(sockets)}Q", len(sockets), *sockets))


def members(some: bytearray) -> list[int]:
    (n,) = struct.unpack_from("<I", some)
    return list(struct.unpack_from(f"<{n}Q", some, 8))


def lines(function: Callable[[], Any]) -> int:
    """How many lines of Python run in a call."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def jobs() -> dict[str, Callable[[], Any]]:
    """Calls that concern one or two sockets, each with new sockets where it needs them."""
    a, b = udp(), udp()
    to, room = name(b), bytearray(64)

    def exchange() -> None:
        assert ws.sendto(a, b"data", 4, 0, to, 16) == 4
        assert ws.select(0, fd_set(b), None, None, struct.pack("<ii", 60, 0)) == 1
        assert ws.recvfrom(b, room, 64, 0, bytearray(16), ctypes.c_int(16)) == 4

    def connection() -> None:
        listener, client = (ws.socket(c.AF_INET, c.SOCK_STREAM, 0) for _ in range(2))
        ok(ws.bind(listener, HOST, 16))
        ok(ws.listen(listener, 5))
        ok(ws.connect(client, name(listener), 16))
        server = ws.accept(listener, None, None)
        assert ws.send(client, b"data", 4, 0) == 4
        assert ws.recv(server, room, 64, 0) == 4
        ok(ws.shutdown(client, c.SD_SEND))
        for s in (server, client, listener):
            ok(ws.closesocket(s))

    def share() -> None:
        info = bytearray(628)
        ok(ws.WSADuplicateSocketW(a, pid, info))
        ok(ws.closesocket(ws.WSASocketW(-1, -1, -1, info, 0, 0)))

    from winsock.kernel32 import GetCurrentProcessId

    pid = GetCurrentProcessId()
    return {
        "bind": lambda: ok(ws.closesocket(udp())),
        "exchange": exchange,
        "connection": connection,
        "share": share,
        "options": lambda: ws.getsockopt(a, c.SOL_SOCKET, c.SO_TYPE, bytearray(4), ctypes.c_int(4)),
        "select nothing": lambda: ws.select(0, fd_set(a), None, None, NOW),
        "poll": lambda: ws.WSAPoll(bytearray(struct.pack("<Qhhi", a, c.POLLIN, 0, 0)), 1, 0),
        "no socket": lambda: ws.recv(3, room, 1, 0),
    }


def test_the_work_of_a_call_does_not_grow(process, descriptors_enough):
    """Counted in lines of Python, with few sockets open and with many."""
    work = jobs()
    for _ in range(2):
        for job in work.values():
            job()  # whatever is made when it is first needed
    few = {what: lines(job) for what, job in work.items()}
    others = [udp() for _ in range(MANY)]
    many = {what: lines(job) for what, job in work.items()}
    again = {what: lines(job) for what, job in work.items()}
    for what, n in few.items():
        # A wait may look once more, a port may be taken.
        assert min(many[what], again[what]) <= n * 1.5 + 40, f"{what}: {n} lines, then {many[what]} and {again[what]}"
    assert len(set(others)) == MANY
    for s in others:
        ok(ws.closesocket(s))


def test_each_of_many_works(process, descriptors_enough):
    sockets = [udp() for _ in range(MANY)]
    names = [name(s) for s in sockets]
    assert len(set(names)) == MANY
    room = bytearray(8)
    for i in range(0, MANY, 97):
        assert ws.sendto(sockets[i], i.to_bytes(4, "little"), 4, 0, names[i - 1], 16) == 4
        assert ws.select(0, fd_set(sockets[i - 1]), None, None, struct.pack("<ii", 60, 0)) == 1
        assert ws.recv(sockets[i - 1], room, 8, 0) == 4
        assert room[:4] == i.to_bytes(4, "little")
    for s in sockets[::2]:
        ok(ws.closesocket(s))
    for s, closed in zip(sockets[1::2], sockets[::2]):
        assert ws.getsockopt(closed, c.SOL_SOCKET, c.SO_TYPE, bytearray(4), ctypes.c_int(4)) == -1
        assert ws.getsockopt(s, c.SOL_SOCKET, c.SO_TYPE, bytearray(4), ctypes.c_int(4)) == 0
    for s in sockets[1::2]:
        ok(ws.closesocket(s))


@pytest.mark.parametrize("n", [512, 513, 2000, 4000])
def test_selecting_among_many(process, descriptors_enough, n):
    """Also with descriptors that Linux' own select has no room for."""
    sockets = [udp() for _ in range(n)]
    ready = sockets[:: n // 7]
    sender = udp()
    for s in ready:
        assert ws.sendto(sender, b"here", 4, 0, name(s), 16) == 4
    read, write, other = fd_set(*sockets), fd_set(*sockets), fd_set(*sockets)
    assert ws.select(0, read, write, other, NOW) == len(ready) + n
    assert members(read) == ready
    assert members(write) == sockets
    assert members(other) == []
    some = bytearray(b"".join(struct.pack("<Qhhi", s, c.POLLIN, 0, 0) for s in sockets))
    assert ws.WSAPoll(some, n, 0) == len(ready)


def test_selecting_costs_by_the_socket(process, descriptors_enough):
    """Twice the sockets, about twice the lines: nothing is compared with everything else."""
    sockets = [udp() for _ in range(2000)]

    def cost(n: int) -> int:
        return lines(lambda: ws.select(0, fd_set(*sockets[:n]), None, fd_set(*sockets[:n]), NOW))

    cost(1000), cost(2000)
    assert cost(2000) <= cost(1000) * 2.2 + 100


def test_no_descriptor_left(process):
    """WSAEMFILE, and what was open goes on; with descriptors again, so do new sockets."""
    a, b = udp(), udp()
    opened = []
    with no_descriptors(spare=20):
        while (s := ws.socket(c.AF_INET, c.SOCK_STREAM, 0)) != NO_SOCKET:
            opened.append(s)
        assert ws.WSAGetLastError() == WSA.WSAEMFILE
        assert ws.sendto(a, b"data", 4, 0, name(b), 16) == 4
        assert ws.select(0, fd_set(b), None, None, struct.pack("<ii", 60, 0)) == 1
        assert ws.recv(b, bytearray(9), 9, 0) == 4
        ok(ws.closesocket(opened.pop()))
        new = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        assert new != NO_SOCKET
        opened.append(new)
    for s in opened:
        ok(ws.closesocket(s))


def test_a_connection_without_a_descriptor_waits(process):
    """accept without a descriptor: WSAEMFILE, and the connection is taken later."""
    listener, client = (ws.socket(c.AF_INET, c.SOCK_STREAM, 0) for _ in range(2))
    ok(ws.bind(listener, HOST, 16))
    ok(ws.listen(listener, 5))
    ok(ws.connect(client, name(listener), 16))
    with no_descriptors():
        assert ws.accept(listener, None, None) == NO_SOCKET
        assert ws.WSAGetLastError() == WSA.WSAEMFILE
    server = ws.accept(listener, None, None)
    assert server != NO_SOCKET
    assert ws.send(client, b"late", 4, 0) == 4
    assert ws.recv(server, bytearray(9), 9, 0) == 4


# Of calls that need a descriptor for themselves
SHORTAGE = frozenset(
    ("EMFILE", "ENOBUFS", "TOO_MANY_OPEN_FILES", "NOT_ENOUGH_MEMORY", "NO_RECOVERY", "TRY_AGAIN", "ENETDOWN")
)
PLAIN = [name for name in TABLE if name not in ("WSACleanup", "WSAStartup", "CloseHandle")]


@pytest.mark.parametrize("what", PLAIN)
def test_every_call_without_descriptors(zoo, what):
    """A right call ends as ever, or with a code that says what is missing."""
    call = TABLE[what]
    for state in zoo.STATES if "s" in call.kinds else ["fresh"]:
        zoo.state = state
        args = call.args(zoo)
        with no_descriptors():
            failed, code, result = outcome(call, args)
        assert not failed or code in call.codes | SHORTAGE, (state, code)
        if what in MAKERS and not failed:
            ok(ws.closesocket(result))
        zoo.renew(state)


WAITS = {
    "recv": lambda s: ws.recv(s, bytearray(9), 9, 0),
    "WSAPoll": lambda s: ws.WSAPoll(bytearray(struct.pack("<Qhhi", s, c.POLLIN, 0, 0)), 1, 1),
    "select": lambda s: ws.select(0, fd_set(s), None, None, struct.pack("<ii", 0, 1000)),
}


@pytest.mark.parametrize("what", WAITS)
def test_a_new_thread_waits_without_descriptors(process, on_thread, what):
    s = udp()
    ok(ws.setsockopt(s, c.SOL_SOCKET, c.SO_RCVTIMEO, struct.pack("<I", 1), 4))

    def wait() -> tuple[int, int]:
        with no_descriptors():
            return WAITS[what](s), ws.WSAGetLastError()

    ((result, code),) = on_thread(wait)
    assert result == 0 or code in (WSA.WSAETIMEDOUT, WSA.WSAENOBUFS, WSA.WSAEMFILE)
