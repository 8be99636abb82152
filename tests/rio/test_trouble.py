"""Registered I/O: arguments of every kind, and any order of calls against a model of the queues."""

from __future__ import annotations

import ctypes
import os
import struct
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rio_kit import Rig

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

INET = 28
FAILURES = {"RegisterBuffer": c.RIO_INVALID_BUFFERID, "DequeueCompletion": c.RIO_CORRUPT_CQ}
CODES = {WSA.WSAEINVAL, WSA.WSAEFAULT, WSA.WSAENOBUFS, WSA.WSAETOOMANYREFS, WSA.WSAENOTSOCK, WSA.WSAEOPNOTSUPP}
NAMES = (
    "RegisterBuffer", "DeregisterBuffer", "CreateCompletionQueue", "ResizeCompletionQueue", "CloseCompletionQueue",
    "CreateRequestQueue", "ResizeRequestQueue", "Receive", "ReceiveEx", "Send", "SendEx", "DequeueCompletion",
    "Notify",
)  # fmt: skip


class Index:
    def __index__(self):
        raise ValueError("no number after all")


def hostile():
    wild = bytearray(b"\xff" * 64)
    return [
        None, 0, 1, -1, 3, 2**15, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**70, -(2**70), 1.5, "1", b"",
        b"\0" * 64, bytearray(1), bytearray(64), wild, memoryview(wild)[::2], [], {}, object(), print, Index(),
        ctypes.c_byte(7), bytearray(struct.pack("<QQ", 2**63, 2**63) * 4),
    ]  # fmt: skip


def right(rig, name):
    """Arguments that a call takes."""
    s = rig.udp()
    rig.ok(ws.connect(s, rig.name(s), 16))
    cq = rig.cq(16, rig.by_event(rig.event()))
    if name == "CreateRequestQueue":
        return [s, 1, 1, 1, 1, cq, cq, 5]
    rq = rig.rq(s, cq, most=(4, 4))
    data = rig.put(0, b"data")
    parts = [rig.buf(64, INET), rig.buf(128, INET), rig.buf(256, 64), rig.buf(320, 4)]
    rig.put(256, bytes(8))
    rig.put(128, rig.name(s) + bytes(12))
    return {
        "RegisterBuffer": [bytearray(64), 64],
        "DeregisterBuffer": [rig.register(bytearray(8), 8)],
        "CreateCompletionQueue": [8, rig.by_event(rig.event())],
        "ResizeCompletionQueue": [cq, 32],
        "CloseCompletionQueue": [cq],
        "ResizeRequestQueue": [rq, 2, 2],
        "Receive": [rq, data, 1, 0, 7],
        "ReceiveEx": [rq, data, 1, *parts, 0, 7],
        "Send": [rq, data, 1, 0, 7],
        "SendEx": [rq, data, 1, None, *parts[1:], 0, 7],
        "DequeueCompletion": [cq, bytearray(240), 10],
        "Notify": [cq],
    }[name]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_passed_raises_or_breaks(rig, name):
    call = getattr(rig, name)
    for i in range(len(right(rig, name))):
        for value in hostile():
            args = right(rig, name)
            args[i] = value
            ws.WSASetLastError(0)
            result, error = call(*args), ws.WSAGetLastError()
            shown = f"{name}({args}) = {result!r}, {error}"
            if name == "Notify":
                assert result in (0, WSA.WSAEINVAL, WSA.WSAEFAULT), shown
            elif result == FAILURES.get(name, 0) and error:
                assert error in CODES, shown
            else:
                assert error in (0, *CODES) if result is None else not error, shown
            for s in list(rig.process.sockets):
                ws.closesocket(s)
    rig.pool = rig.register(rig.memory, len(rig.memory))  # it may have been deregistered
    assert rig.receives(rig.udp())


# -- a model


STEP = st.one_of(
    st.tuples(st.just("receive"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("send"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("commit"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("dequeue"), st.integers(1, 9), st.none()),
    st.tuples(st.just("resize"), st.integers(0, 2), st.tuples(st.integers(0, 4), st.integers(0, 4))),
    st.tuples(st.just("resize all"), st.integers(1, 24), st.none()),
    st.tuples(st.just("close"), st.integers(0, 2), st.none()),
    st.tuples(st.just("open"), st.integers(0, 2), st.tuples(st.integers(0, 4), st.integers(0, 4))),
)


class Socket:
    """What a request queue should know."""

    def __init__(self, s, rq, limits):
        self.s, self.rq, self.limits = s, rq, list(limits)
        self.outstanding = [0, 0]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(size=st.integers(4, 20), steps=st.lists(STEP, max_size=40))
def test_any_order_of_calls(size, steps):
    """What is charged where, which calls fail with which code, and that every request ends once."""
    with winsock.Process().attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        rig = Rig(winsock.nt.current().process)
        try:
            play(rig, size, steps)
        finally:
            assert ws.WSACleanup() == 0
            rig.threads.shutdown()


def play(rig, size, steps):
    cq = rig.cq(size)
    sockets, owners, started, ended = {}, {}, Counter(), Counter()
    numbers = iter(range(1, 1 << 20))

    def charged():
        """Places taken: of open sockets their limits, of closed ones what was not dequeued."""
        live = set(sockets.values())
        return sum(map(sum, (x.limits for x in live))) + sum(x not in live for x, _ in owners.values())

    def dequeue(most):
        for result in rig.look(cq, most):
            owner, lane = owners.pop(result.request)
            owner.outstanding[lane] -= 1
            ended[result.request] += 1

    def expect(result, code):
        assert (result, ws.WSAGetLastError()) == ((1, 0) if not code else (0, code))

    for what, n, more in steps:
        known = sockets.get(n)
        if what == "dequeue":
            dequeue(n)
        elif what == "resize all":
            code = WSA.WSAETOOMANYREFS if n < charged() else 0
            expect(rig.ResizeCompletionQueue(cq, n), code)
            size = size if code else n
        elif what == "open":
            if known is None:
                s = rig.udp()
                rig.ok(ws.connect(s, rig.name(s), 16))
                rq = rig.CreateRequestQueue(s, more[0], 1, more[1], 1, cq, cq, n)
                code = WSA.WSAEINVAL if not any(more) else WSA.WSAENOBUFS if charged() + sum(more) > size else 0
                assert (rq == 0, ws.WSAGetLastError()) == (bool(code), code)
                if rq:
                    sockets[n] = Socket(s, rq, more)
        elif known is None:
            continue
        elif what == "close":
            rig.ok(ws.closesocket(known.s))
            del sockets[n]
        elif what == "resize":
            code = 0
            if not any(more):
                code = WSA.WSAEINVAL
            elif more[0] < known.outstanding[0] or more[1] < known.outstanding[1]:
                code = WSA.WSAETOOMANYREFS
            elif sum(more) > sum(known.limits) and charged() + sum(more) - sum(known.limits) > size:
                code = WSA.WSAENOBUFS
            expect(rig.ResizeRequestQueue(known.rq, *more), code)
            if not code:
                known.limits = list(more)
        elif what == "commit":
            call = rig.Send if more else rig.Receive
            expect(call(known.rq, None, 0, c.RIO_MSG_COMMIT_ONLY, None), 0)
        else:
            lane = int(what == "send")
            context = next(numbers)
            call = rig.Send if lane else rig.Receive
            full = known.outstanding[lane] >= known.limits[lane]
            flags = c.RIO_MSG_DEFER if more else 0
            expect(call(known.rq, rig.buf(0, 8), 1, flags, context), WSA.WSAENOBUFS if full else 0)
            if not full:
                known.outstanding[lane] += 1
                owners[context] = known, lane
                started[context] += 1
    for known in sockets.values():
        rig.ok(ws.closesocket(known.s))
    while owners:
        before = len(owners)
        dequeue(16)
        assert len(owners) < before, "a request never ended"
    assert ended == started
    assert rig.look(cq) == []


# -- fork


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_finds_its_requests_over(rig):
    s, cq = rig.udp(), rig.cq()
    rq = rig.rq(s, cq, context=3)
    rig.receive(rq, 0, 64, context=4)
    child = os.fork()
    if not child:
        ok = rig.look(cq) == [(WSA.WSA_OPERATION_ABORTED, 0, 3, 4)]
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    rig.ok(ws.sendto(s, b"x", 1, 0, rig.name(s), 16), 1)
    assert rig.results(cq, 1) == [(0, 1, 3, 4)]


def test_a_port_that_is_closed_meanwhile(rig):
    port, overlapped = rig.port(), bytearray(32)
    cq = rig.cq(8, rig.by_port(port, 1, ctypes.addressof(ctypes.c_char.from_buffer(overlapped))))
    s = rig.udp()
    rq = rig.rq(s, cq, most=(4, 4))
    assert rig.Notify(cq) == 0
    assert k32.CloseHandle(port)
    rig.ok(ws.connect(s, rig.name(s), 16))
    rig.transmit(rq, 0, b"x")
    assert [r.n for r in rig.results(cq, 1)] == [1]
