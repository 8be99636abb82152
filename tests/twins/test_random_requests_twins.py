"""A model of overlapped requests: what it says of random sequences of calls is what comes of them, here and on Wine.

A step is (name, *arguments).  The model says what the call returns and which requests have ended after it; the run
waits for that, however long it takes, and nothing else may have happened.  What is not settled by documents, or known
to differ on Wine (see docs/fidelity.md), is left out when the steps are chosen.
"""

from __future__ import annotations

import ctypes
import random
import struct
import time
from dataclasses import dataclass, field

import pytest

from winsock.abi import _constants as c
from winsock.abi._guids import WSAID
from winsock.codes import NTSTATUS, WSA

SEEDS = 60
STEPS = 25
LIMIT = 60  # s: nothing but a fault reaches it
AREA = 32
MASK = 0xFFFFFFFF
PENDING, CANCELLED = int(NTSTATUS.STATUS_PENDING), int(NTSTATUS.STATUS_CANCELLED)
OVERFLOW = int(NTSTATUS.STATUS_BUFFER_OVERFLOW)
NOTHING = (0, 0xAAAA, 0xAAAA, 0, c.WAIT_TIMEOUT)


# -- the model


@dataclass(eq=False)
class Request:
    number: int
    socket: Socket
    how: str  # it ends: "event", "routine", "quiet" (an event, and no packet), "" (a packet at most)
    size: int = 0
    peek: bool = False
    into: Socket | None = None  # AcceptEx's
    status: int = PENDING
    count: int = 0
    data: bytes = b""
    signalled: bool = False


@dataclass(eq=False)
class Socket:
    name: str
    stream: bool = True
    peer: Socket | None = None
    received: list[bytes] = field(default_factory=list)  # messages; of a stream, what has not been taken
    lane: list[Request] = field(default_factory=list)
    backlog: list[Socket] = field(default_factory=list)
    port: str = ""
    key: int = 0
    skips: bool = False
    ended: bool = False  # the peer sends no more
    no_sends: bool = False
    no_receives: bool = False
    fresh: bool = True

    @property
    def ready(self) -> bool:
        return bool(self.received) or self.ended


class Model:
    """What happens; `expected` is what the last step's call returns."""

    def __init__(self) -> None:
        names = "a b u v L f g x y".split()
        self.sockets = {name: Socket(name, name not in "uv") for name in names}
        a, b = self.sockets["a"], self.sockets["b"]
        a.peer, b.peer = b, a
        self.requests: list[Request] = []
        self.ports: dict[str, list[tuple]] = {"p": [], "q": []}
        self.apcs: list[tuple] = []
        self.sent = 0

    def content(self, start: int) -> bytes:
        """What was sent from there on."""
        return bytes(i % 251 + 1 for i in range(start, self.sent))

    def new(self, n: int) -> bytes:
        self.sent += n
        return self.content(self.sent - n)

    def request(self, socket: Socket, how: str, **more) -> Request:
        self.requests.append(Request(len(self.requests), socket, how, **more))
        return self.requests[-1]

    def end(self, request: Request, status: int, data: bytes = b"", count: int | None = None, at_once=False) -> None:
        request.status, request.data = status, data
        request.count = len(data) if count is None else count
        request.signalled = request.how in ("event", "quiet")
        socket = request.socket
        if request.how == "routine":
            error = {0: 0, CANCELLED: WSA.WSA_OPERATION_ABORTED, OVERFLOW: WSA.WSAEMSGSIZE}[status]
            self.apcs.append((request.number, error, request.count))
        elif socket.port and request.how != "quiet" and not (at_once and socket.skips and not status):
            self.ports[socket.port].append((request.count, socket.key, request, status))

    def serve(self, socket: Socket, at_once: Request | None = None) -> None:
        """What came goes to who waits."""
        while socket.lane and socket.ready:
            request = socket.lane.pop(0)
            status = 0
            data = b"".join(socket.received) if socket.stream else (socket.received or [b""])[0]
            left = data[request.size :]
            if not socket.stream:
                if left and request.size < len(data):
                    status = OVERFLOW
                if not request.peek:
                    del socket.received[:1]
            elif not request.peek:
                socket.received = [left] if left else []
            self.end(request, status, data[: request.size], at_once=request is at_once)

    def arrive(self, socket: Socket, data: bytes) -> None:
        if data or not socket.stream:
            socket.received.append(data)
        self.serve(socket)

    def join(self) -> None:
        """Connections go to who waits for them."""
        listener = self.sockets["L"]
        while listener.backlog and listener.lane:
            accept, client = listener.lane.pop(0), listener.backlog.pop(0)
            into = accept.into
            into.peer, client.peer = client, into
            into.received, client.received = client.received, []  # where what it sent first had been kept
            if accept.size:
                into.lane.append(accept)
            else:
                self.end(accept, 0)
            self.serve(into)

    # -- steps: what the call returns, or None when it is not to be made in this state

    def receive(self, name, size, peek, how):
        socket = self.sockets[name]
        if socket.stream and (socket.peer is None or (socket.ready and not size and socket.lane)):
            return None
        if how == "routine" and socket.port:
            return None if socket.no_receives else (-1, WSA.WSAEINVAL)
        if socket.no_receives:
            return -1, WSA.WSAESHUTDOWN
        at_once = socket.ready and not socket.lane
        if at_once and socket.port and not socket.stream and size < len(socket.received[0]):
            return None  # Wine tells the port of no failure at once, not of a message cut short either
        request = self.request(socket, how, size=size, peek=peek)
        socket.lane.append(request)
        self.serve(socket, request)
        if not at_once:
            return -1, WSA.WSA_IO_PENDING
        return (0, 0) if not request.status else (-1, WSA.WSAEMSGSIZE)

    def send(self, name, to, size, how):
        """Overlapped, or plain for how None; datagrams go to `to`."""
        socket = self.sockets[name]
        target = socket.peer if socket.stream else self.sockets[to]
        if target is None or target is socket or (how == "routine" and socket.port):
            return None
        if socket.no_sends:
            return -1, WSA.WSAESHUTDOWN
        data = self.new(size)
        if how is not None:
            self.end(self.request(socket, how), 0, count=size, at_once=True)
        self.arrive(target, data)
        return (size if how is None else 0), 0

    def shutdown(self, name, how):
        socket = self.sockets[name]
        if name not in "ab":
            return None
        socket.no_receives |= how != c.SD_SEND
        if how != c.SD_RECEIVE:
            socket.no_sends = socket.peer.ended = True
            self.serve(socket.peer)
        return 0, 0

    def accept(self, name, size, how):
        listener, into = self.sockets["L"], self.sockets[name]
        if name not in "fg" or not into.fresh:
            return None
        into.fresh = False
        listener.lane.append(self.request(listener, how, size=size, into=into))
        self.join()
        return 0, WSA.WSA_IO_PENDING

    def connect(self, name, size, how):
        socket = self.sockets[name]
        if name not in "xy" or not socket.fresh:
            return None
        socket.fresh = False
        data = self.new(size)
        socket.received = [data] if data else []
        self.end(self.request(socket, how), 0, count=size)
        self.sockets["L"].backlog.append(socket)
        self.join()
        return 0, WSA.WSA_IO_PENDING

    def cancel(self, number):
        if number >= len(self.requests):
            return None
        request = self.requests[number]
        if request.status != PENDING:
            return 0, c.ERROR_NOT_FOUND
        lane = (request.into or request.socket).lane
        (lane if request in lane else request.socket.lane).remove(request)
        if request.into is not None and request.into.peer is None:
            request.into.fresh = True
        self.end(request, CANCELLED)
        if request.into is not None:
            self.serve(request.into)
        return 1, 0

    def cancelio(self, name):
        pending = [r for r in self.requests if r.socket is self.sockets[name] and r.status == PENDING]
        if len(pending) > 1:  # in which order is not documented
            return None
        for request in pending:
            self.cancel(request.number)
        return 1, 0

    def result(self, number, winsocks):
        if number >= len(self.requests):
            return None
        request = self.requests[number]
        if request.status == 0:
            return 1, 0, request.count
        incomplete = 0, c.ERROR_IO_INCOMPLETE, 0xAAAA
        codes = {OVERFLOW: WSA.WSAEMSGSIZE if winsocks else c.ERROR_MORE_DATA, CANCELLED: c.ERROR_OPERATION_ABORTED}
        return incomplete if request.status == PENDING else (0, codes[request.status], request.count)

    def associate(self, name, key):
        socket, port = self.sockets[name], "p" if name in "auL" else "q"  # packets of peers have no order
        if name in "xy" or any(
            r.how == "routine" and r.socket is socket and r.status == PENDING for r in self.requests
        ):
            return None
        if socket.port:
            return 0, c.ERROR_INVALID_PARAMETER
        socket.port, socket.key = port, key
        return 1, 0

    def skip(self, name):
        self.sockets[name].skips = True
        return 1, 0

    def post(self, port, n, key):
        self.ports[port].append((n, key, None, 0))
        return 1, 0

    def packet(self, port):
        if not self.ports[port]:
            return NOTHING
        n, key, request, status = self.ports[port].pop(0)
        error = {0: 0, OVERFLOW: c.ERROR_MORE_DATA, CANCELLED: c.ERROR_OPERATION_ABORTED}[status]
        return int(not error), n, key, "posted" if request is None else request.number, error

    def packets(self, port, room):
        taken, self.ports[port][:room] = self.ports[port][:room], []
        if not taken:
            return 0, c.WAIT_TIMEOUT, []
        return 1, 0, [(key, "posted" if r is None else r.number, status, n) for n, key, r, status in taken]

    def apc(self, value):
        self.apcs.append((value,))
        return True

    def sleep(self):
        called, self.apcs = self.apcs, []
        routines, apcs = [x for x in called if len(x) > 1], [x[0] for x in called if len(x) == 1]
        return bool(called), self.sorted(routines), apcs

    def sorted(self, routines):
        """Those of one socket keep their order, those of peers have none."""
        return sorted(routines, key=lambda x: self.requests[x[0]].socket.name)

    def unsignal(self, number):
        if number >= len(self.requests) or self.requests[number].how not in ("event", "quiet"):
            return None
        self.requests[number].signalled = False
        return 1


def steps(seed):
    """Random ones that the model knows an answer to: (step, expected)."""
    rng = random.Random(f"requests {seed}")
    model, chosen = Model(), []
    hows = rng.sample(["event", "routine", "quiet", ""], rng.randint(1, 4))
    sockets = rng.choice(["ab", "uv", "abuv", "Lfgxy", "Lfgxyab"])
    any_of, how = (lambda: rng.choice(sockets)), (lambda: rng.choice(hows))
    size = lambda: rng.choice([0, 1, 1, 2, 3, 4, 8])  # noqa: E731
    known = lambda: rng.randrange(max(1, len(model.requests)))  # noqa: E731
    kinds = {
        "receive": (8, lambda: (any_of(), size(), rng.random() < 0.15, how())),
        "send": (8, lambda: (any_of(), rng.choice("uv"), size() or 1, rng.choice([None, None, how()]))),
        "shutdown": (1, lambda: (any_of(), rng.randrange(3))),
        "accept": (5, lambda: (any_of(), rng.choice([0, 0, 3]), rng.choice(["event", ""]))),
        "connect": (5, lambda: (any_of(), rng.choice([0, 0, 4]), rng.choice(["event", ""]))),
        "cancel": (2, lambda: (known(),)),
        "cancelio": (1, lambda: (any_of(),)),
        "result": (2, lambda: (known(), rng.random() < 0.5)),
        "associate": (2, lambda: (any_of(), rng.randint(1, 9))),
        "skip": (1, lambda: (any_of(),)),
        "post": (1, lambda: (rng.choice("pq"), rng.randrange(9), rng.randint(1, 9))),
        "packet": (2, lambda: (rng.choice("pq"),)),
        "packets": (1, lambda: (rng.choice("pq"), rng.randint(1, 3))),
        "apc": (1, lambda: (rng.randint(1, 99),)),
        "sleep": (2, tuple),
        "unsignal": (1, lambda: (known(),)),
    }
    while len(chosen) < STEPS:
        (name,) = rng.choices(list(kinds), [weight for weight, _ in kinds.values()])
        arguments = kinds[name][1]()
        if getattr(model, name)(*arguments) is not None:
            chosen.append((name, *arguments))
    return chosen + [("sleep",)] + [("packets", port, 99) for port in "pq"]


# -- the run


@pytest.fixture(scope="module")
def made(arm):
    """What is made once: a routine and an APC that tell of their calls, ConnectEx."""
    pointer, s = ctypes.c_uint64(), arm.ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    guid, code = WSAID["ConnectEx"].bytes_le, c.SIO_GET_EXTENSION_FUNCTION_POINTER
    assert arm.ws.WSAIoctl(s, code, guid, 16, pointer, 8, ctypes.c_uint32(), None, None).ret == 0
    assert arm.ws.closesocket(s).ret == 0
    return arm.callback("vvvv"), arm.callback("v"), arm.function(pointer.value, "ConnectEx")


class Memory:
    """What a request needs that may outlive its call."""

    def __init__(self, arm, request: Request | None, data: bytes) -> None:
        self.request, handle, self.event = request, 0, None
        if request is not None and request.how in ("event", "quiet"):
            self.event = arm.kernel.CreateEventW(None, 1, 1, None)  # which a start resets
            handle = int(self.event) | (request.how == "quiet")
        size = request.size if request is not None else 0
        self.ov = arm.alloc(struct.pack("<QQQQ", 0, 0, 0, handle))
        self.room = arm.alloc(data or size + 2 * AREA)
        self.array = struct.pack("<I4xQ", len(data) or size, int(self.room))


class Run:
    """Makes the calls, next to a model."""

    def __init__(self, arm, kit, made):
        self.arm, self.ws, self.kernel = arm, arm.ws, arm.kernel
        self.called, self.apcs_called, self.connect_ex = made
        self.model, self.memory = Model(), []
        a, b = kit.pair()
        self.sockets = {"a": a, "b": b, "u": kit.bound(kit.udp()), "v": kit.bound(kit.udp()), "L": kit.listener()}
        self.sockets |= {name: kit.tcp() for name in "fg"} | {name: kit.bound(kit.tcp()) for name in "xy"}
        for name in set(self.sockets) - {"u", "v"}:  # else two small sends may come as one
            assert kit.set(self.sockets[name], c.IPPROTO_TCP, c.TCP_NODELAY, 1).ret == 0
        self.names = {name: kit.name(self.sockets[name]) for name in "uvL"}
        self.ports = {name: self.kernel.CreateIoCompletionPort((1 << 64) - 1, None, 0, 0) for name in "pq"}
        self.idle = self.kernel.CreateEventW(None, 1, 0, None)
        self.kernel.SleepEx(0, 1)

    def close(self):
        """All that waits ends; how, depends on what the peer had not received."""
        for s in self.sockets.values():
            assert self.ws.closesocket(s).ret == 0
        self.until(lambda: all(struct.unpack("<Q", m.ov.read()[:8])[0] != PENDING for m in self.memory))
        self.kernel.SleepEx(0, 1)
        for handle in (*self.ports.values(), self.idle, *(m.event for m in self.memory if m.event)):
            assert self.kernel.CloseHandle(handle).ret == 1

    def step(self, name, *arguments):
        if name == "receive":
            socket = self.model.sockets[arguments[0]]
            if socket.ready and not socket.lane:  # it is on its way at least
                self.until(lambda: self.readable(socket.name))
                self.until(lambda: not socket.stream or self.waiting(socket.name) == len(b"".join(socket.received)))
        sent, known = self.model.sent, len(self.model.requests)
        expected = getattr(self.model, name)(*arguments)
        self.data = self.model.content(sent)
        request = self.model.requests[known] if len(self.model.requests) > known else None
        self.given = Memory(self.arm, request, self.data)
        if request is not None:
            self.memory.append(self.given)
        self.expected = expected
        assert getattr(self, name)(*arguments) == expected
        self.settle()

    def settle(self):
        """Wait for what has to come of it."""
        self.until(lambda: all(self.connected(name) for name in "fg" if self.model.sockets[name].peer))
        self.until(lambda: not self.differences())

    def until(self, done):
        deadline = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < deadline, self.differences()
            self.kernel.WaitForSingleObject(self.idle, 1)

    def waiting(self, name):
        n = ctypes.c_uint32()
        assert self.ws.ioctlsocket(self.sockets[name], c.FIONREAD, n).ret == 0
        return n.value

    def connected(self, name):
        seconds = ctypes.c_uint32()
        r = self.ws.getsockopt(self.sockets[name], c.SOL_SOCKET, c.SO_CONNECT_TIME, seconds, ctypes.c_int32(4))
        return r.ret == 0 and seconds.value < MASK

    def readable(self, name):
        sockets = bytearray(struct.pack("<I4xQ", 1, int(self.sockets[name])))
        return self.ws.select(0, sockets, None, None, struct.pack("<ii", 0, 0)).ret == 1

    def differences(self):
        """What of requests is not as the model has it: (number, what is, what the model says)."""
        wrong = []
        for number, memory in enumerate(self.memory):
            request = memory.request
            status, count = struct.unpack("<I4xQ", memory.ov.read()[:16])
            signalled = bool(memory.event and self.kernel.WaitForSingleObject(memory.event, 0).ret == c.WAIT_OBJECT_0)
            found = status, 0 if status == PENDING else count, signalled, memory.room.read()[: len(request.data)]
            wanted = request.status, request.count, request.signalled, request.data
            if found != wanted:
                wrong.append((number, found, wanted))
        return wrong

    def number(self, address):
        return {int(m.ov): i for i, m in enumerate(self.memory)}.get(address, "posted")

    @staticmethod
    def outcome(r, failure):
        return r.ret, r.error if r.ret == failure else 0

    # -- steps, as the model's

    def receive(self, name, size, peek, how):
        flags, routine = ctypes.c_uint32(c.MSG_PEEK if peek else 0), self.called if how == "routine" else None
        r = self.ws.WSARecv(self.sockets[name], self.given.array, 1, None, flags, self.given.ov, routine)
        return self.outcome(r, -1)

    def send(self, name, to, size, how):
        s, array, data = self.sockets[name], self.given.array, self.data or bytes(size)
        routine = self.called if how == "routine" else None
        address, n = (None, 0) if self.model.sockets[name].stream else (self.names[to], 16)
        if how is None:
            return self.outcome(self.ws.sendto(s, data, size, 0, address, n), -1)
        return self.outcome(self.ws.WSASendTo(s, array, 1, None, 0, address, n, self.given.ov, routine), -1)

    def shutdown(self, name, how):
        return self.outcome(self.ws.shutdown(self.sockets[name], how), -1)

    def accept(self, name, size, how):
        s, room, ov = self.sockets[name], self.given.room, self.given.ov
        r = self.arm.mswsock.AcceptEx(self.sockets["L"], s, room, size, AREA, AREA, ctypes.c_uint32(), ov)
        return self.outcome(r, 0)

    def connect(self, name, size, how):
        data = self.given.room if size else None
        s, ov = self.sockets[name], self.given.ov
        return self.outcome(self.connect_ex(s, self.names["L"], 16, data, size, ctypes.c_uint32(), ov), 0)

    def cancel(self, number):
        memory = self.memory[number]
        return self.outcome(self.kernel.CancelIoEx(self.sockets[memory.request.socket.name], memory.ov), 0)

    def cancelio(self, name):
        return self.outcome(self.kernel.CancelIo(self.sockets[name]), 0)

    def result(self, number, winsocks):
        memory, n = self.memory[number], ctypes.c_uint32(0xAAAA)
        s = self.sockets[memory.request.socket.name]
        if winsocks:
            r = self.ws.WSAGetOverlappedResult(s, memory.ov, n, 0, ctypes.c_uint32())
        else:
            r = self.kernel.GetOverlappedResult(s, memory.ov, n, 0)
        return *self.outcome(r, 0), n.value

    def associate(self, name, key):
        port = self.ports["p" if name in "auL" else "q"]
        r = self.kernel.CreateIoCompletionPort(self.sockets[name], port, key, 0)
        return int(r.ret == port.ret), r.error if not r.ret else 0

    def skip(self, name):
        mode = c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS
        return self.outcome(self.kernel.SetFileCompletionNotificationModes(self.sockets[name], mode), 0)

    def post(self, port, n, key):
        return self.outcome(self.kernel.PostQueuedCompletionStatus(self.ports[port], n, key, 4), 0)

    def packet(self, port):
        n, key, ov = ctypes.c_uint32(0xAAAA), ctypes.c_uint64(0xAAAA), ctypes.c_uint64(0xAAAA)
        ms = 0 if self.expected == NOTHING else 1000 * LIMIT
        r = self.kernel.GetQueuedCompletionStatus(self.ports[port], n, key, ov, ms)
        number = self.number(ov.value) if ov.value else 0
        return r.ret, n.value, key.value, number, r.error if not r.ret else 0

    def packets(self, port, room):
        entries, n = bytearray(32 * room), ctypes.c_uint32()
        r = self.kernel.GetQueuedCompletionStatusEx(self.ports[port], entries, room, n, 0, 0)
        found = struct.iter_unpack("<QQQI4x", entries[: 32 * n.value] if r.ret else b"")
        return *self.outcome(r, 0), [(key, self.number(ov), status, count) for key, ov, status, count in found]

    def apc(self, value):
        return self.kernel.QueueUserAPC(self.apcs_called, self.kernel.GetCurrentThread(), value).ret != 0

    def sleep(self):
        known, apcs = len(self.called.invocations), len(self.apcs_called.invocations)
        called = self.kernel.SleepEx(0, 1).ret == c.WAIT_IO_COMPLETION
        wanted = known + len(self.expected[1])
        while len(self.called.invocations) < wanted and self.kernel.SleepEx(1000 * LIMIT, 1).ret:
            called = True
        found = [(self.number(ov), e & MASK, n & MASK) for e, n, ov, _ in self.called.invocations[known:]]
        return called, self.model.sorted(found), [value for (value,) in self.apcs_called.invocations[apcs:]]

    def unsignal(self, number):
        return self.ws.WSAResetEvent(self.memory[number].event).ret


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_requests(arm, kit, made, seed):
    run = Run(arm, kit, made)
    for step in steps(seed):
        run.step(*step)
    run.close()
