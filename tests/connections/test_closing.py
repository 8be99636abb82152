"""closesocket and shutdown: waking, SO_LINGER, and handles closed under threads that use them."""

from __future__ import annotations

import gc
import os
import random
import struct
import sys
import threading

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock import kernel32
from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.codes import WSA, WinsockError

NO_SOCKET = (1 << 64) - 1
FD_SET_SIZE = 8 + 64 * 8


def linger(net, s, seconds):
    net.set(s, c.SO_LINGER, 1 | seconds << 16)


# -- closing


def test_a_closed_handle_is_no_socket(net):
    s = net.tcp()
    net.ok(ws.closesocket(s))
    net.fails(ws.closesocket(s), WSA.WSAENOTSOCK)
    net.fails(ws.listen(s, 1), WSA.WSAENOTSOCK)


def test_closing_says_goodbye(net):
    client, server = net.pair()
    assert ws.send(client, b"bye", 3, 0) == 3
    net.ok(ws.closesocket(client))
    assert ws.recv(server, bytearray(8), 8, 0) == 3
    assert ws.recv(server, bytearray(8), 8, 0) == 0


def test_closing_with_linger_0_resets(net):
    client, server = net.pair()
    linger(net, client, 0)
    net.ok(ws.closesocket(client))
    net.fails(ws.recv(server, bytearray(8), 8, 0), WSA.WSAECONNRESET)


def fill(net, s):
    net.nonblocking(s)
    while ws.send(s, bytes(1 << 16), 1 << 16, 0) > 0:
        pass
    assert ws.WSAGetLastError() == WSA.WSAEWOULDBLOCK


def test_nonblocking_socket_does_not_linger(net):
    client, server = net.pair()
    linger(net, client, 5)
    fill(net, client)
    net.fails(ws.closesocket(client), WSA.WSAEWOULDBLOCK)
    assert net.peer(client) == net.name(server)  # it is open
    linger(net, client, 0)
    net.ok(ws.closesocket(client))


def test_blocking_socket_lingers_until_all_is_there(net):
    client, server = net.pair()
    linger(net, client, 30)
    fill(net, client)
    net.nonblocking(client, 0)
    call = net.background(ws.closesocket, client)
    room = bytearray(1 << 20)
    while (n := ws.recv(server, room, len(room), 0)) > 0:
        pass
    assert n == 0
    assert call.join() == (0, 0)


def test_cleanup_closes_everything(net):
    client, server = net.pair()
    lst = net.listener()
    call = net.background(ws.accept, lst, None, None)
    call.waits()
    net.ok(ws.WSACleanup())
    assert call.join()[0] == NO_SOCKET
    net.fails(ws.recv(client, bytearray(1), 1, 0), WSA.WSANOTINITIALISED)
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    net.fails(ws.recv(server, bytearray(1), 1, 0), WSA.WSAENOTSOCK)


def test_a_process_that_is_dropped_leaves_nothing(net):
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    other = winsock.Process()
    with other.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        s = net.tcp()
        net.ok(net.bind(s, net.sin()))
        name = net.name(s)
        net.tcp()
    del other
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    net.ok(net.bind(net.tcp(), name))


# -- who waits


def test_every_waiting_call_ends(net):
    client, _ = net.pair()
    udp = net.bound(kind=c.SOCK_DGRAM)
    for s, call, args, code in (
        (client, ws.recv, (bytearray(1), 1, 0), WSA.WSAECONNABORTED),
        (udp, ws.recv, (bytearray(1), 1, 0), WSA.WSAEINTR),
        (net.listener(), ws.accept, (None, None), WSA.WSAEINTR),
    ):
        waiting = [net.background(call, s, *args) for _ in range(3)]
        for w in waiting:
            w.waits()
        net.ok(ws.closesocket(s))
        for w in waiting:
            assert w.join()[1] == code


def accepting(s):
    return ws.accept, (s, None, None)


def selecting(s):
    return ws.select, (0, bytearray(struct.pack("<I4xQ", 1, s).ljust(FD_SET_SIZE, b"\0")), None, None, None)


@pytest.mark.parametrize(("wait", "answer"), [(accepting, NO_SOCKET), (selecting, 1)], ids=["accept", "select"])
def test_a_closed_listener_takes_nobody_although_threads_waited_on_it(net, wait, answer):
    for _ in range(5):
        s = net.listener()
        name = net.name(s)
        call, args = wait(s)
        waiting = [net.background(call, *args) for _ in range(2)]
        for w in waiting:
            w.waits()
        net.ok(ws.closesocket(s))
        net.fails(net.connect(net.tcp(), name), WSA.WSAECONNREFUSED)
        net.ok(net.bind(net.tcp(), name))
        for w in waiting:
            assert w.join()[0] == answer


def test_an_address_is_free_although_a_thread_waited_there(net):
    for _ in range(5):
        s = net.bound(kind=c.SOCK_DGRAM)
        name = net.name(s)
        call = net.background(ws.recv, s, bytearray(1), 1, 0)
        call.waits()
        net.ok(ws.closesocket(s))
        net.ok(net.bind(net.udp(), name))
        assert call.join()[1] == WSA.WSAEINTR


def test_who_waits_may_close_what_it_waits_for(net):
    s = net.bound(kind=c.SOCK_DGRAM)
    name = net.name(s)
    told = []

    def routine(*_):
        told.append(ws.closesocket(s))
        return 0

    def receive():
        assert kernel32.QueueUserAPC(routine, kernel32.GetCurrentThread(), 0)
        return ws.recv(s, bytearray(1), 1, 0)

    assert net.background(receive).join()[1] == WSA.WSAEINTR
    assert told == [0]
    net.ok(net.bind(net.udp(), name))


# -- shutdown


@pytest.mark.parametrize("how", [3, -1, 0xDEADBEEF])
def test_no_such_half(net, how):
    client, server = net.pair()
    net.fails(ws.shutdown(client, how), WSA.WSAEINVAL)
    assert ws.send(client, b"x", 1, 0) == 1
    assert ws.recv(server, bytearray(1), 1, 0) == 1


def test_disconnects_are_shutdowns(net):
    client, server = net.pair()
    data = struct.pack("<I4xQ", 5, 8)
    net.fails(ws.WSASendDisconnect(client, data), WSA.WSAENOPROTOOPT)
    net.fails(ws.WSASendDisconnect(client, bytes(3)), WSA.WSAEFAULT)
    assert ws.send(client, b"x", 1, 0) == 1
    net.ok(ws.WSASendDisconnect(client, bytes(16)))
    net.fails(ws.send(client, b"x", 1, 0), WSA.WSAESHUTDOWN)
    assert ws.recv(server, bytearray(1), 1, 0) == 1
    assert ws.recv(server, bytearray(1), 1, 0) == 0
    room = bytearray(data)
    net.fails(ws.WSARecvDisconnect(server, bytes(16)), WSA.WSAEFAULT)
    net.ok(ws.WSARecvDisconnect(server, room))
    assert room == bytes(4) + data[4:]
    net.fails(ws.recv(server, bytearray(1), 1, 0), WSA.WSAESHUTDOWN)
    for call in (ws.WSASendDisconnect, ws.WSARecvDisconnect):
        net.fails(call(net.tcp(), None), WSA.WSAENOTCONN)
        net.ok(call(net.udp(), None))


# -- handles closed while others use them


@pytest.fixture
def restless():
    """Threads are switched as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run_all(net, *bodies):
    errors = []

    def attached(body):
        try:
            with net.process.attached():
                body()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=attached, args=(body,)) for body in bodies]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    if errors:
        raise errors[0]


def test_nobody_gets_another_sockets_data(net, restless):
    """Connections come and go under threads that send and receive on them; each carries bytes of its own."""
    slots = [None] * 3
    done = threading.Event()
    foreign = []

    def receiver(k):
        data = bytearray(64)
        while not done.is_set():
            if (now := slots[k]) and (n := ws.recv(now[1], data, 64, 0)) > 0 and set(data[:n]) != {now[2][0]}:
                foreign.append(bytes(data[:n]))

    def sender(k):
        while not done.is_set():
            if now := slots[k]:
                ws.send(now[0], now[2], len(now[2]), 0)

    def churner():
        try:
            for i in range(240):
                k = i % len(slots)
                old, slots[k] = slots[k], (*net.pair(), bytes([i % 251]) * 32)
                os.close(os.open("/dev/null", os.O_RDONLY))
                for s in old[:2] if old else ():
                    net.ok(ws.closesocket(s))
        finally:
            done.set()
            for slot in slots:
                for s in slot[:2] if slot else ():
                    ws.closesocket(s)

    run_all(net, churner, *(lambda k=k: receiver(k) for k in range(3)), *(lambda k=k: sender(k) for k in range(3)))
    assert foreign == []


def test_one_thread_of_many_closes_a_socket(net, restless):
    for _ in range(40):
        s, start, results = net.listener(), threading.Barrier(6), []

        def body(s=s, start=start, results=results):
            start.wait()
            results.append((ws.closesocket(s), ws.WSAGetLastError()))

        run_all(net, *[body] * 6)
        assert sorted(results) == [(-1, WSA.WSAENOTSOCK)] * 5 + [(0, 0)]


def test_random_calls_on_handles_that_come_and_go(net, restless):
    """Nothing raises, nothing hangs, nothing is left (the fixture looks)."""
    handles = [net.tcp() for _ in range(6)]
    address = net.name(net.listener())
    known = set(WSA)

    def body(seed):
        rng = random.Random(seed)
        for _ in range(250):
            k = rng.randrange(len(handles))
            s = handles[k]
            ret = rng.choice(
                [
                    lambda s, k: net_bind(s),
                    lambda s, k: ws.listen(s, 1),
                    lambda s, k: ws.ioctlsocket(s, c.FIONBIO, b"\1\0\0\0") or ws.accept(s, None, None),
                    lambda s, k: ws.ioctlsocket(s, c.FIONBIO, b"\1\0\0\0") or ws.connect(s, address, 16),
                    lambda s, k: ws.shutdown(s, c.SD_BOTH),
                    lambda s, k: ws.getsockname(s, bytearray(16), b"\x10\0\0\0"),
                    lambda s, k: ws.send(s, b"x", 1, 0),
                    replace,
                ]
            )(s, k)
            if ret == -1:
                assert ws.WSAGetLastError() in known
                assert ws.WSAGetLastError() != WSA.WSASYSCALLFAILURE

    def net_bind(s):
        return ws.bind(s, net.sin(), 16)

    def replace(s, k):
        handles[k] = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        return ws.closesocket(s)

    run_all(net, *(lambda seed=seed: body(seed) for seed in range(6)))


def test_descriptor_numbers_are_given_back(net):
    """Under other threads a number rests while somebody may use it, and no longer."""
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(300):
            net.ok(ws.closesocket(net.tcp()))
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        done.set()
        other.join()


def test_number_rests_while_its_socket_is_in_use(net):
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        s = net.tcp()
        inside = net.process.sockets[s].transport  # as a thread holds it that is inside a call
        number = inside.fileno()
        net.ok(ws.closesocket(s))
        assert inside.fileno() == -1
        with pytest.raises(OSError, match="Bad file"):
            os.read(number, 1)
        assert number not in {net.process.sockets[net.tcp()].transport.fileno() for _ in range(20)}
        del inside
        assert not os.path.exists(f"/proc/self/fd/{number}")
    finally:
        done.set()
        other.join()


def test_who_begins_to_wait_while_it_closes_does_not_wait(net, monkeypatch):
    """The closing thread comes between the look whether it is closed and the entry among those that wait."""
    ep = net.process.sockets[net.tcp()]
    ts = net.process.thread()
    closing = threading.Thread(target=ep.close)
    store = Endpoint.waiters.fset

    def enter(self, waiters):
        store(self, waiters)
        if waiters:
            closing.start()
            while not ep.closed:
                pass

    monkeypatch.setattr(Endpoint, "waiters", property(Endpoint.waiters.fget, enter))
    with pytest.raises(WinsockError) as raised:
        ep.enter_wait(ts)
    closing.join(60)
    assert raised.value.code == WSA.WSAENOTSOCK
    assert (ep.waiters, ep.fileno()) == ((), -1)


@pytest.mark.parametrize("kept", [False, True])
def test_who_leaves_while_it_closes(net, kept):
    """It finds the endpoint closed and nobody else inside, and so does the closing thread: one of them frees it."""
    ep = net.process.sockets[net.tcp()]
    ts = net.process.thread()
    ep.enter_wait(ts)
    if kept:  # what was accepted for sending is still on its way
        ep.note("kept", True)
    net.process.on_close({ep}, lambda closing: closing.leave_wait(ts))
    ep.close()
    assert (ep.waiters, ep.fileno() >= 0) == ((), kept)
    ep.finish()
    net.process.closing.clear()  # it holds the endpoint, and so perhaps the descriptor's number


def test_an_endpoint_that_was_never_open_leaves_no_handle(net):
    """So is a duplicate of what closed while it was made."""
    s, closed = net.tcp(), net.tcp()
    source = net.process.sockets[closed]
    net.ok(ws.closesocket(closed))
    net.process.sockets[s].restore(source.snapshot())
    net.fails(ws.closesocket(s), WSA.WSAENOTSOCK)
    assert s not in net.process.sockets


def test_of_two_threads_one_closes(net):
    for _ in range(200):
        s = net.tcp()
        both = [net.background(ws.closesocket, s) for _ in range(2)]
        assert sorted(b.join() for b in both) == [(-1, WSA.WSAENOTSOCK), (0, 0)]
        assert s not in net.process.sockets


def test_finalizers_close_sockets_at_any_moment(net):
    """The collector runs inside closesocket and socket too, and may call them again."""

    class Owner:
        def __init__(self):
            self.s, self.me = net.tcp(), self

        def __del__(self):
            with net.process.attached():
                ws.closesocket(self.s)

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:

        def body():
            for _ in range(60):
                Owner()
                s = net.bound()
                net.ok(ws.listen(s, 1))
                net.ok(ws.closesocket(s))

        run_all(net, body, body)
    finally:
        gc.set_threshold(*before)
    gc.collect()
