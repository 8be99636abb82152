"""Calls that wait while their socket is closed, and many threads at once."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import threading

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA


def big_send(s):
    return ws.send(s, bytes(64 << 20), 64 << 20, 0)


def recvfrom(s):
    return ws.recvfrom(s, bytearray(8), 8, 0, bytearray(16), ctypes.c_int32(16))


def wsarecv(s):
    mem = ctypes.create_string_buffer(8)
    array = (8).to_bytes(8, "little") + ctypes.addressof(mem).to_bytes(8, "little")
    return ws.WSARecv(s, array, 1, ctypes.c_uint32(), ctypes.c_uint32(), None, None)


CALLS = {
    "recv": lambda s: ws.recv(s, bytearray(8), 8, 0),
    "peek": lambda s: ws.recv(s, bytearray(8), 8, c.MSG_PEEK),
    "waitall": lambda s: ws.recv(s, bytearray(8), 8, c.MSG_WAITALL),
    "urgent": lambda s: ws.recv(s, bytearray(8), 8, c.MSG_OOB),
    "send": big_send,
    "WSARecv": wsarecv,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_closing_ends_a_wait_on_a_stream(net, call):
    _, b = net.pair()
    waiting = net.run(call, b)
    net.blocked(b)
    net.ok(ws.closesocket(b))
    assert waiting.result(60) == (-1, WSA.WSAECONNABORTED)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAENOTSOCK)


@pytest.mark.parametrize("call", [CALLS["recv"], recvfrom, wsarecv])
def test_closing_ends_a_wait_for_a_datagram(net, call):
    s = net.udp()
    waiting = net.run(call, s)
    net.blocked(s)
    net.ok(ws.closesocket(s))
    assert waiting.result(60) == (-1, WSA.WSAEINTR)


def test_cleanup_ends_all_waits(net):
    sockets = [net.udp() for _ in range(4)]
    waiting = [net.run(CALLS["recv"], s) for s in sockets]
    for s in sockets:
        net.blocked(s)
    net.ok(ws.WSACleanup())
    assert [w.result(60) for w in waiting] == [(-1, WSA.WSAEINTR)] * 4


def test_many_receivers_of_one_stream(net):
    """Every byte goes to exactly one of them."""
    a, b = net.pair()

    def take():
        total, mine = 0, bytearray(97)
        while (n := ws.recv(b, mine, 97, 0)) > 0:
            total += sum(mine[:n])
        assert n == 0
        return total

    takers = [net.run(take) for _ in range(6)]
    data = os.urandom(200_000)
    net.send(a, data)
    net.ok(ws.shutdown(a, c.SD_SEND))
    assert sum(t.result(20)[0] for t in takers) == sum(data)


def test_many_conversations(net):
    def talk(seed):
        a, b = net.pair()
        data = hashlib.sha256(bytes([seed])).digest() * 4000
        sending = threading.Thread(target=run, args=(a, data))
        sending.start()
        got = net.recv_all(b, len(data))
        sending.join()
        return got == data

    def run(s, data):
        with net.process.attached():
            assert ws.send(s, data, len(data), 0) == len(data)

    assert all(net.run(talk, i).result(20)[0] for i in range(4))


@pytest.fixture
def no_collector():
    """What is freed must be freed without the garbage collector's help."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", ["pair", "udp_pair"])
def test_sockets_closed_under_many_threads(net, kind, no_collector):
    """No traceback, no other socket's data, no descriptor left, nor anything that would keep one."""
    stop = threading.Event()
    current = [0, 0]
    seen: set[int] = set()

    def use(which):
        buf = bytearray(64)
        while not stop.is_set():
            s = current[which]
            n = ws.recv(s, buf, 64, 0) if which else ws.send(s, b"A" * 64, 64, 0)
            if n < 0:
                seen.add(ws.WSAGetLastError())
            elif which and n:
                assert bytes(buf[:n]) == b"A" * n

    before = len(os.listdir("/proc/self/fd"))
    users = [net.run(use, i % 2) for i in range(6)]
    for _ in range(15):  # so few that no handle's number comes again
        a, b = getattr(net, kind)()
        net.nonblocking(a)
        current[:] = [a, b]
        other = net.pair()
        net.send(other[0], b"B" * 64)
        net.ok(ws.closesocket(b))
        net.ok(ws.closesocket(a))
        assert net.recv_all(other[1], 64) == b"B" * 64
        for s in other:
            net.ok(ws.closesocket(s))
    stop.set()
    for user in users:
        user.result(20)
    allowed = {WSA.WSAENOTSOCK, WSA.WSAECONNABORTED, WSA.WSAECONNRESET, WSA.WSAEINTR, WSA.WSAEWOULDBLOCK}
    assert seen <= allowed, seen - allowed
    assert len(os.listdir("/proc/self/fd")) <= before + len(users)  # each thread has its waker


def test_winsock_1_program_in_its_hook(net_1_1):
    net = net_1_1
    b = net.pair()[1]
    inner = []

    def hook():
        if not inner:
            inner.append((ws.recv(b, bytearray(1), 1, 0), ws.WSAGetLastError()))
            inner.append((ws.WSACancelBlockingCall(), ws.WSAGetLastError()))
        return 0

    assert ws.WSASetBlockingHook(hook)
    net.fails(ws.recv(b, bytearray(8), 8, 0), WSA.WSAEINTR)
    assert inner[0] == (-1, WSA.WSAEINPROGRESS)
    assert inner[1][0] == 0
