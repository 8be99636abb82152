"""What programs should not do, and what becomes of it: nothing lost, nothing told twice, no crash, no deadlock."""

from __future__ import annotations

import ctypes
import gc
import random
import resource
import struct
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from overlapped_kit import OVERLAPPED, WSABUF, Operation, environment

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.afd._stand_in import StandIn
from winsock.codes import NTSTATUS, WSA

PAGE = 4096


# -- memory


def test_an_overlapped_object_is_kept(lab):
    a, b = lab.pair()
    port, op = lab.port(b), lab.pend_recv(b)
    address = op.ov.address
    op.ov = None
    gc.collect()
    lab.send(a, b"data")
    assert lab.packet(port) == (1, 4, 1, address, 0)


def test_an_overlapped_whose_memory_is_gone(lab):
    """Nothing is written there; the request goes on and tells its port."""
    a, b = lab.pair()
    port = lab.port(b)
    pages = k32.VirtualAlloc(None, PAGE, c.MEM_COMMIT | c.MEM_RESERVE, c.PAGE_READWRITE)
    room, flags = ctypes.create_string_buffer(16), ctypes.c_uint32()
    array = WSABUF(16, ctypes.addressof(room))
    lab.fails(ws.WSARecv(b, array, 1, None, flags, pages, None), WSA.WSA_IO_PENDING)
    assert k32.VirtualFree(pages, 0, c.MEM_RELEASE)
    lab.send(a, b"data")
    assert lab.packet(port) == (1, 4, 1, pages, 0)
    assert room.raw == bytes(16), "the buffers may be gone with it"


def test_memory_under_requests_serves_others_again_and_again(lab):
    """Raw addresses of memory that holds something else by the time that data come, or the socket closes."""
    chosen, each = random.Random(3), 1024
    arena = ctypes.create_string_buffer(3 * each)
    start, listener = ctypes.addressof(arena), lab.listener()
    for turn in range(200):
        a, b = lab.pair(listener)
        port = lab.port(b) if turn % 2 else 0
        count = chosen.randrange(1, 4)
        ctypes.memset(start, 0, len(arena))
        for at in range(start, start + count * each, each):
            array = WSABUF(chosen.choice((1, 16, 400)), at + each // 2)
            lab.fails(ws.WSARecv(b, array, 1, None, ctypes.c_uint32(), at, None), WSA.WSA_IO_PENDING)
        litter = chosen.randbytes(len(arena))
        ctypes.memmove(start, litter, len(litter))
        if turn % 3:
            lab.send(a, b"data")
        lab.ok(ws.closesocket(b))
        lab.ok(ws.closesocket(a))
        if port:
            for _ in range(count):
                assert lab.packet(port)[3]
            lab.no_packet(port)
        assert arena.raw == litter


def test_an_overlapped_whose_memory_is_used_for_something_else(lab):
    a, b = lab.pair()
    port, ov = lab.port(b), OVERLAPPED()
    room, flags = ctypes.create_string_buffer(16), ctypes.c_uint32()
    array = WSABUF(16, ctypes.addressof(room))
    lab.fails(ws.WSARecv(b, array, 1, None, flags, ov.address, None), WSA.WSA_IO_PENDING)
    ctypes.memmove(ov.address, b"no OVERLAPPED any more, but text", 32)
    lab.send(a, b"data")
    assert lab.packet(port) == (1, 4, 1, ov.address, 0)
    assert bytes(ov) == b"no OVERLAPPED any more, but text"


@pytest.mark.parametrize("raw", [True, False])
def test_an_overlapped_used_twice(lab, raw):
    """Each request is told of; the structure holds what ended last."""
    a, b = lab.pair()
    port, ov = lab.port(b), OVERLAPPED()
    rooms = [ctypes.create_string_buffer(n) for n in (2, 3)]
    for room in rooms:
        array = WSABUF(len(room), ctypes.addressof(room))
        pointer = ov.address if raw else ov
        lab.fails(ws.WSARecv(b, array, 1, None, ctypes.c_uint32(), pointer, None), WSA.WSA_IO_PENDING)
    lab.send(a, b"abcde")
    assert [lab.packet(port)[1:4] for _ in rooms] == [(2, 1, ov.address), (3, 1, ov.address)]
    assert (rooms[0].raw, rooms[1].raw, ov.Internal, ov.InternalHigh) == (b"ab", b"cde", 0, 3)


def test_a_buffer_whose_memory_is_gone(lab):
    """The receive ends with an error; what came is still there."""
    a, b = lab.pair()
    port, op = lab.port(b), Operation()
    pages = k32.VirtualAlloc(None, PAGE, c.MEM_COMMIT | c.MEM_RESERVE, c.PAGE_READWRITE)
    op.array[0] = WSABUF(PAGE, pages)
    lab.start_recv(b, op)
    assert k32.VirtualFree(pages, 0, c.MEM_RELEASE)
    lab.send(a, b"data")
    assert lab.packet(port)[:4] == (0, 0, 1, op.ov.address)
    assert op.ov.Internal == NTSTATUS.STATUS_ACCESS_VIOLATION
    assert lab.recv(b) == b"data"


def test_a_bytearray_cannot_shrink_under_a_request(lab):
    a, b = lab.pair()
    ov = bytearray(32)
    op = Operation()
    lab.fails(ws.WSARecv(b, op.array, 1, None, op.flags, ov, None), WSA.WSA_IO_PENDING)
    with pytest.raises(BufferError):
        del ov[16:]
    lab.send(a, b"data")
    lab.until(lambda: int.from_bytes(ov[:8], "little") == 0)
    gc.collect()
    del ov[16:]


def test_pointers_that_cannot_hold_a_request(lab):
    _, b = lab.pair()
    op = Operation()
    for bad in (bytes(32), bytearray(31), 16, 1 << 63, "text", object()):
        r = ws.WSARecv(b, op.array, 1, None, op.flags, bad, None)
        lab.fails(r, WSA.WSAEFAULT)
    lab.fails(ws.WSARecv(b, op.array, 1, None, op.flags, op.ov, 12345), WSA.WSAEFAULT)
    assert not lab.requests(b).pending


# -- handles, routines


def test_the_event_closed_under_a_request(lab):
    a, b = lab.pair()
    e = lab.event()
    op = lab.pend_recv(b, event=e)
    assert k32.CloseHandle(e)
    lab.send(a, b"data")
    lab.until(lambda: not op.pending)
    assert op.ov.InternalHigh == 4


def test_a_routine_that_raises(lab, routines_raise):
    a, b = lab.pair()
    seen = []

    def broken(*args):
        seen.append(args[1])
        raise RuntimeError("a program's own")

    first, second = lab.pend_recv(b, 2, routine=broken), lab.pend_recv(b, 2, routine=broken)
    lab.send(a, b"abcd")
    lab.until(lambda: not (first.pending or second.pending))
    assert k32.SleepEx(20_000, 1) == c.WAIT_IO_COMPLETION
    assert seen == [2, 2]


def test_a_routine_that_goes_on(lab):
    """Each starts the next receive, as programs do."""
    a, b = lab.pair()
    seen, op = [], Operation((1,))

    def routine(error, n, *_):
        seen.append((error, op.data[:n]))
        if len(seen) < 50:
            lab.start_recv(b, op, routine)

    lab.start_recv(b, op, routine)
    lab.send(a, bytes(range(50)))
    while len(seen) < 50:
        assert k32.SleepEx(20_000, 1) == c.WAIT_IO_COMPLETION
    assert seen == [(0, bytes([i])) for i in range(50)]


def test_closing_the_socket_in_its_routine(lab):
    a, b = lab.pair()
    seen = []

    def routine(error, *_):
        seen.append(error)
        if len(seen) == 1:
            lab.ok(ws.closesocket(b))

    lab.pend_recv(b, 4, routine=routine)
    lab.pend_recv(b, 4, routine=routine)
    lab.send(a, b"data")
    while len(seen) < 2:
        assert k32.SleepEx(20_000, 1) == c.WAIT_IO_COMPLETION
    assert seen == [0, WSA.WSA_OPERATION_ABORTED]


# -- races


def test_cancellations_race_completions(lab):
    """Each request is told of once: with its data, or cancelled; no byte gets lost or doubled."""
    a, b = lab.pair()
    port = lab.port(b)
    made: dict[int, Operation] = {}
    stop = threading.Event()

    def cancel():
        chosen = random.Random(7)
        while not stop.is_set():
            ops = list(made.values())
            if ops:
                k32.CancelIoEx(b, chosen.choice(ops[-8:]).ov)

    def take(ms):
        nonlocal received, cancelled
        r, n, _, address, error = lab.packet(port, ms)
        if not address:
            return
        op = made.pop(address)
        if r:
            received += op.data[:n]
        else:
            assert (n, error, op.ov.Internal) == (0, c.ERROR_OPERATION_ABORTED, NTSTATUS.STATUS_CANCELLED)
            cancelled += 1

    cancelling = lab.run(cancel)
    received, cancelled, sent = b"", 0, 0
    data = random.Random(1).randbytes(4 * 2500)
    while len(received) < len(data):
        while len(made) < 16:
            op = Operation((4,))
            made[op.ov.address] = op
            assert lab.start_recv(b, op).error in (0, WSA.WSA_IO_PENDING)
        if sent < len(data) and sent < len(received) + 32:
            lab.send(a, data[sent : sent + 4])
            sent += 4
        take(0)
        assert data.startswith(received)
    stop.set()
    cancelling.result(60)
    k32.CancelIoEx(b, None)
    while made:
        take(20_000)
    lab.no_packet(port)
    assert received == data
    assert not lab.requests(b).pending


def test_closing_races_everything(lab):
    listener = lab.listener()
    port = lab.port()
    for turn in range(60):
        a, b = lab.pair(listener)
        assert k32.CreateIoCompletionPort(b, port, turn, 0) == port
        ops = [lab.pend_recv(b, 4) for _ in range(4)]
        gate = threading.Barrier(3)

        def send(a=a, gate=gate):
            gate.wait(30)
            ws.send(a, b"12345678", 8, 0)

        def close(b=b, gate=gate):
            gate.wait(30)
            assert ws.closesocket(b) == 0

        running = [lab.run(send), lab.run(close)]
        gate.wait(30)
        told = [lab.packet(port)[3] for _ in ops]
        assert sorted(told) == sorted(op.ov.address for op in ops)
        for r in running:
            r.result(30)
        lab.no_packet(port)
        assert not any(op.pending for op in ops)
        lab.ok(ws.closesocket(a))


# -- requests while threads wait for something else


@pytest.mark.parametrize("wait", ["recv", "select", "WSAPoll"])
def test_a_thread_in_a_blocking_call_serves_requests(lab, wait):
    a, b = lab.pair()
    quiet, other = lab.pair()
    op, reactor = lab.pend_recv(b), lab.process.services["reactor"]
    calls = {
        "recv": lambda: lab.recv(other),
        "select": lambda: lab.readable(other),
        "WSAPoll": lambda: ws.WSAPoll(bytearray(struct.pack("<QhhI", other, c.POLLRDNORM, 0, 0)), 1, 20_000),
    }
    waiting = lab.run(calls[wait])
    endpoint = lab.process.sockets[other]
    lab.until(lambda: endpoint.waiters and reactor._leader is endpoint.waiters[0], "the waiting thread leads")
    lab.send(a, b"data")
    lab.until(lambda: not op.pending)
    assert op.ov.InternalHigh == 4
    assert not waiting.done()
    lab.send(quiet, b"x")
    waiting.result(30)


def test_who_comes_while_the_stand_in_takes_the_lead_leads(lab, monkeypatch):
    taken, go, enter = threading.Event(), threading.Event(), StandIn._enter

    def late(stand_in, state):
        if state == "leading":  # nobody sees that yet
            taken.set()
            assert go.wait(30)
        enter(stand_in, state)

    monkeypatch.setattr(StandIn, "_enter", late)
    a, b = lab.pair()
    quiet, other = lab.pair()
    op, reactor = lab.pend_recv(b), lab.process.services["reactor"]
    assert taken.wait(30)
    waiting = lab.run(lab.recv, other)
    lab.until(lambda: reactor._followers, "the thread waits for another that leads")
    go.set()
    ts = lab.process.sockets[other].waiters[0]
    lab.until(lambda: reactor._leader is ts, "the waiting thread leads")
    lab.send(a, b"data")
    lab.until(lambda: not op.pending)
    lab.send(quiet, b"x")
    assert waiting.result(30)[0] == b"x"


def test_who_is_to_lead_and_goes_instead_passes_it_on(lab, monkeypatch):
    a, b = lab.pair()
    leads, leader = lab.pair()
    goes, other = lab.pair()
    op, reactor = lab.pend_recv(b), lab.process.services["reactor"]
    waiting = lab.run(lab.recv, leader)
    lab.until(lambda: not reactor.attended, "the stand-in has seen that somebody leads")
    stays = lab.run(lab.result, b, op)
    lab.until(lambda: len(reactor._followers) == 1)
    real, asked, sent = reactor.network.wait, threading.Event(), threading.Event()

    def wait(ts, entries, timeout):
        found = real(ts, entries, timeout)
        if entries and not found:  # it was asked to lead, and its own data comes just now
            asked.set()
            assert sent.wait(30)
            found = real(ts, entries, 30_000)
        return found

    monkeypatch.setattr(reactor.network, "wait", wait)
    going = lab.run(lab.recv, other)
    lab.until(lambda: len(reactor._followers) == 2)
    lab.send(leads, b"x")
    assert waiting.result(30)[0] == b"x"
    assert asked.wait(30)
    lab.send(goes, b"y")
    sent.set()
    assert going.result(30)[0] == b"y"
    lab.send(a, b"data")
    assert stays.result(30)[0] == (1, 4, 0)


def test_a_signal_that_raises_loses_nothing():
    out = run("""
        import signal, time
        import winsock, winsock.ws2_32 as ws, winsock.kernel32 as k32
        from overlapped_kit import Lab
        process = winsock.Process()
        with process.attached():
            ws.WSAStartup(0x0202, bytearray(408))
            lab = Lab(process)
            a, b = lab.pair()
            port = lab.port(b)
            done = interrupted = 0

            class Alarm(Exception): pass

            def handler(*_):
                lab.send(a, b"x")
                raise KeyboardInterrupt

            signal.signal(signal.SIGALRM, handler)
            for turn in range(40):
                op = lab.pend_recv(b, 1)
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.001)
                    lab.packet(port)
                    done += 1
                except KeyboardInterrupt:
                    interrupted += 1
                    assert lab.packet(port)[:2] == (1, 1)
                    done += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert done == 40 and interrupted, (done, interrupted)
            print("all")
    """)
    assert out == "all\n"


# -- idle programs, forks, ends


def test_an_idle_program_uses_no_processor(lab):
    """Neither while somebody waits nor while nobody does."""
    a, b = lab.pair()
    op = lab.pend_recv(b)
    lab.until(lambda: lab.process.services["reactor"]._stand_in._state == "leading")
    gc.collect()  # not meanwhile

    def used():
        times = resource.getrusage(resource.RUSAGE_SELF)
        return times.ru_utime + times.ru_stime

    before = used()
    time.sleep(0.3)
    nobody = used() - before
    before = used()
    assert lab.wait(b, 300) == c.WAIT_TIMEOUT
    somebody = used() - before
    assert nobody < 0.2  # of 0.3: spinning would take all of them
    assert somebody < 0.2
    lab.send(a, b"x")
    lab.until(lambda: not op.pending)


def test_the_stand_in_ends_when_there_is_nothing_to_do(lab):
    a, b = lab.pair()
    op = lab.pend_recv(b)
    stand_in = lab.process.services["reactor"]._stand_in
    threads = threading.enumerate()
    lab.until(lambda: stand_in._state != "absent")
    assert threading.enumerate() == threads  # it is none of the program's
    lab.send(a, b"x")
    lab.until(lambda: not op.pending)
    lab.until(lambda: stand_in._state == "absent")


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_child_has_requests_of_its_own():
    """The parent's go on in the parent; the child's copies are over."""
    out = run("""
        import os
        import winsock, winsock.ws2_32 as ws
        from overlapped_kit import Lab
        process = winsock.Process()
        with process.attached():
            ws.WSAStartup(0x0202, bytearray(408))
            lab = Lab(process)
            a, b = lab.pair()
            port = lab.port(b)
            op = lab.pend_recv(b)
            lab.packet(port, 30)
            pid = os.fork()
            if pid == 0:
                r = lab.packet(port)
                assert (r[0], r[4]) == (0, 995), r
                c, d = lab.pair()
                other = lab.port(d)
                mine = lab.pend_recv(d)
                lab.send(c, b"child")
                assert lab.packet(other)[:2] == (1, 5)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            lab.send(a, b"parent")
            assert lab.packet(port)[:2] == (1, 6)
            print("both", flush=True)
    """)
    assert out == "both\n"


def test_pending_requests_do_not_keep_the_program():
    out = run("""
        import winsock.ws2_32 as ws
        import winsock
        from overlapped_kit import Lab
        from winsock.nt import current
        ws.WSAStartup(0x0202, bytearray(408))
        lab = Lab(current().process)
        a, b = lab.pair()
        op = lab.pend_recv(b)
        lab.until(lambda: current().process.services["reactor"]._stand_in._state == "leading")
        print("ends")
    """)
    assert out == "ends\n"


def test_waits_do_not_grow_with_idle_connections(lab):
    """What a wait asks the network is one question, whatever the number of sockets with requests."""
    listener = lab.listener()
    pairs = [lab.pair(listener) for _ in range(100)]
    port = lab.port(*(b for _, b in pairs))
    ops = [lab.pend_recv(b, 8) for _, b in pairs]
    for _ in range(5):
        lab.no_packet(port)  # what is new about each of them is told once, some at a time
    watcher = lab.process.services["reactor"]._watcher
    asked = []
    real = watcher.poll

    class Counting:
        def __getattr__(self, name):
            return getattr(watcher, name)

        def poll(self, timeout):
            found = real(timeout)
            asked.append(len(found))
            return found

    lab.process.services["reactor"]._watcher = Counting()
    try:
        for a, _ in pairs[::10]:
            lab.send(a, b"x")
            assert lab.packet(port)[0] == 1
    finally:
        lab.process.services["reactor"]._watcher = watcher
    assert sum(op.pending for op in ops) == 90
    assert sum(asked) <= 40
