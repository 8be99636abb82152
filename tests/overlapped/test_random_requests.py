"""Random sequences of calls, with handles that are duplicated, reset and closed at any time: whatever comes of them,
every request that was started ends and is told of once, no data is lost on the way, twice there or out of order, and
nothing is left behind.
"""

from __future__ import annotations

import ctypes
import os
import random
import struct
from collections import Counter
from contextlib import suppress

import pytest
from overlapped_kit import Operation

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock import mswsock
from winsock.abi import _constants as c
from winsock.codes import WSA

SEEDS, STEPS = 60, 80
AREA = 32
ENDED = (WSA.WSA_IO_PENDING, WSA.WSAEMSGSIZE)  # errors of calls that were started all the same


class End:
    """An open socket: its handles, what was sent there and what was received."""

    def __init__(self, lab, s, port, key):
        self.handles, self.port, self.peer = [lab.nonblocking(s)], port, None
        self.stream = lab.process.sockets[s].stream
        self.sent, self.received, self.operations, self.skips = [], [], [], False
        if port:
            assert k32.CreateIoCompletionPort(s, port, key, 0) == port


class Chaos:
    def __init__(self, lab, seed):
        self.lab, self.rng = lab, random.Random(f"chaos {seed}")
        self.port = lab.port()
        self.told: Counter[int] = Counter()
        self.operations: list[tuple[Operation, End, int]] = []  # how often its end is told
        self.ends: list[End] = []
        for pair in (lab.pair(), lab.pair(), (lab.udp(), lab.udp())):
            ports = [self.port if self.rng.random() < 0.5 else 0 for _ in pair]
            ends = [End(lab, s, port, 1) for s, port in zip(pair, ports, strict=True)]
            for end, peer in zip(ends, reversed(ends), strict=True):
                end.peer = peer
            self.ends += ends
        self.names = {end: lab.name(end.handles[0]) for end in self.ends if not end.stream}
        self.listener = End(lab, lab.listener(), self.port, 2)
        self.listener_name = lab.name(self.listener.handles[0])
        self.counter = 0

    def data(self, n):
        self.counter += n
        return bytes(i % 251 for i in range(self.counter - n, self.counter))

    def end(self):
        """One that has a handle yet."""
        ends = [end for end in self.ends if end.handles]
        return self.rng.choice(ends) if ends else None

    def routine(self, error, n, address, flags):
        self.told[address] += 1

    def began(self, op, end, how, failure=-1):
        op.error = ws.WSAGetLastError() if op.result == failure else 0
        if op.error and op.error not in ENDED:
            return False
        packet = end.port and how in ("event", "") and not (end.skips and not op.error)
        self.operations.append((op, end, 1 if packet or how == "routine" else 0))
        return True

    def operation(self, *args, **more):
        how = self.rng.choice(["event", "quiet", "routine", ""])
        op = Operation(*args, **more)
        if how in ("event", "quiet"):
            op.ov.hEvent = self.lab.event() | (how == "quiet")
        return op, how, self.routine if how == "routine" else None

    # -- steps

    def receive(self, end):
        sizes = tuple(self.rng.choice([0, 1, 2, 5, 40]) for _ in range(self.rng.choice([1, 1, 2])))
        op, how, routine = self.operation(sizes)
        s = self.rng.choice(end.handles)
        op.result = ws.WSARecv(s, op.array, len(sizes), op.count, op.flags, op.ov, routine)
        if self.began(op, end, how):
            end.received.append(op)

    def plain_receive(self, end):
        room = bytearray(self.rng.choice([1, 3, 30]))
        n = ws.recv(self.rng.choice(end.handles), room, len(room), 0)
        if n >= 0:
            end.received.append(bytes(room[:n]))

    def send(self, end):
        data = self.data(self.rng.choice([0, 1, 4, 9]) if end.stream else self.rng.choice([1, 4, 9]))
        op, how, routine = self.operation(data=data)
        s, name = self.rng.choice(end.handles), self.names.get(end.peer)
        op.result = ws.WSASendTo(s, op.array, 1, op.count, 0, name, 16 if name else 0, op.ov, routine)
        if self.began(op, end, how):
            end.sent.append(op)

    def plain_send(self, end):
        data, name = self.data(self.rng.choice([1, 6])), self.names.get(end.peer)
        if ws.sendto(self.rng.choice(end.handles), data, len(data), 0, name, 16 if name else 0) > 0:
            end.sent.append(data)

    def transmit(self, end):
        data = self.data(7)
        op, how, _ = self.operation(data=data)
        ends = struct.pack("<QI4xQI4x", ctypes.addressof(op.memory[0]), 7, 0, 0)
        flags = self.rng.choice([0, 0, 0, c.TF_DISCONNECT])
        op.result = mswsock.TransmitFile(self.rng.choice(end.handles), None, 0, 0, op.ov, ends, flags)
        if self.began(op, end, how if how != "routine" else "", 0):
            end.sent.append(op)

    def accept(self, end):
        op, how, _ = self.operation((2 * AREA + 4,))
        s, size = self.lab.socket(), self.rng.choice([0, 4])
        op.result = mswsock.AcceptEx(self.listener.handles[0], s, op.memory[0], size, AREA, AREA, op.count, op.ov)
        assert self.began(op, self.listener, how if how != "routine" else "", 0)
        self.ends.append(End(self.lab, s, 0, 0))

    def connect(self, end):
        s = self.lab.socket()
        self.lab.ok(ws.connect(s, self.listener_name, 16))
        self.ends.append(End(self.lab, s, 0, 0))

    def duplicate(self, end):
        info = bytearray(628)
        self.lab.ok(ws.WSADuplicateSocketW(end.handles[0], self.lab.process.pid, info))
        end.handles.append(self.lab.nonblocking(ws.WSASocketW(-1, -1, -1, info, 0, c.WSA_FLAG_OVERLAPPED)))

    def shut_down(self, end):
        ws.shutdown(self.rng.choice(end.handles), self.rng.randrange(3))

    def skip(self, end):
        end.skips = True
        assert k32.SetFileCompletionNotificationModes(end.handles[0], c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS)

    def cancel(self, end):
        if self.operations:
            op, its, _ = self.rng.choice(self.operations)
            if its.handles:
                k32.CancelIoEx(self.rng.choice(its.handles), op.ov)

    def cancel_all(self, end):
        self.rng.choice([k32.CancelIo, lambda s: k32.CancelIoEx(s, None)])(end.handles[0])

    def close(self, end):
        s = end.handles.pop(self.rng.randrange(len(end.handles)))
        if self.rng.random() < 0.3 and end.stream:
            self.lab.reset(s)
        else:
            self.lab.ok(ws.closesocket(s))

    def look(self, end):
        k32.SleepEx(0, 1)
        self.take_packets()

    def take_packets(self):
        while True:
            ok, _, key, address, error = self.lab.packet(self.port, 0)
            if not address:
                assert (ok, error) == (0, c.WAIT_TIMEOUT)
                return
            assert key in (1, 2)
            self.told[address] += 1

    def run(self):
        often = (self.receive, 10), (self.send, 8), (self.plain_send, 5), (self.plain_receive, 3)
        sometimes = self.transmit, self.accept, self.connect, self.cancel, self.look
        seldom = self.duplicate, self.shut_down, self.cancel_all, self.skip, self.close
        weights = dict(often) | dict.fromkeys(sometimes, 2) | dict.fromkeys(seldom, 0.8)
        for step in self.rng.choices(list(weights), list(weights.values()), k=STEPS):
            if end := self.end():
                step(end)

    def finish(self):
        """All handles close; everything that was started has ended."""
        for end in (*self.ends, self.listener):
            while end.handles:
                self.lab.ok(ws.closesocket(end.handles.pop()))
        self.lab.until(lambda: not any(op.pending for op, *_ in self.operations), "the end of all requests")
        self.look(None)
        assert not k32.SleepEx(0, 1)

    def check(self):
        for op, _, times in self.operations:
            assert self.told[op.ov.address] == times
            if op.ov.hEvent:
                assert self.lab.wait(op.ov.hEvent & ~3, 0) == c.WAIT_OBJECT_0
                k32.CloseHandle(op.ov.hEvent & ~3)
        for end in self.ends:
            if end.peer is not None:
                self.check_data(end)

    def check_data(self, end):
        got = [x if isinstance(x, bytes) else taken(x) for x in end.received]
        sent = [x if isinstance(x, bytes) else x.data[: x.ov.InternalHigh] for x in end.peer.sent]
        if end.stream:
            assert b"".join(sent).startswith(b"".join(x for x in got if x))
            return
        left = iter(sent)
        for message in got:
            if message is not None:
                assert any(one.startswith(message) for one in left)


def taken(op):
    """What a receive has brought; None for one that failed."""
    if op.ov.Internal & 0xFFFFFFFF not in (0, 0x80000005):
        return None
    return b"".join(m.raw[: size.len] for m, size in zip(op.memory, op.array, strict=True))[: op.ov.InternalHigh]


def open_sockets():
    """How many descriptors of sockets are open."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the listing's own
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sum(link.startswith("socket:") for link in links)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_requests(lab, seed):
    before = open_sockets()
    chaos = Chaos(lab, seed)
    chaos.run()
    chaos.finish()
    chaos.check()
    k32.CloseHandle(chaos.port)
    lab.until(lambda: open_sockets() <= before, "the end of the descriptors")
