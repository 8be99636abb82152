"""Random calls on a few sockets: over IPv4 and IPv6, here and on Wine, they come out as they do here over IPv4.

Each step waits until what it sent has arrived; a look at what Wine learns by itself is repeated until it says what
is expected.  Steps that Wine is known to take otherwise are not taken (the other twins have them), so are those
whose outcome the loopback interface decides.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import time

import pytest
from arms import Here, Kit, fd_set, members, port_of, sin, sin6, timeval
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from winsock.abi import _constants as c

PATIENCE = 5.0  # seconds
ALL = c.POLLRDNORM | c.POLLRDBAND | c.POLLWRNORM
ENDED = c.POLLHUP | c.POLLERR
KINDS = 10  # of network events


class Sockets(Kit):
    """Non-blocking sockets by number, their event object, and what each waits for."""

    def __init__(self, arm, family):
        super().__init__(arm)
        self.family, self.expected = family, None
        self.at, self.names, self.waits = [], {}, {}
        self.event = self.ws.WSACreateEvent()

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.ws.WSACloseEvent(self.event)

    # -- making

    def loopback(self, port=0):
        return sin(port=port) if self.family == c.AF_INET else sin6(port=port)

    def add(self, kind, bound=True):
        s = self.keep(self.ws.socket(self.family, kind, 0))
        if bound:
            assert self.ws.bind(s, self.loopback(), len(self.loopback())).ret == 0
        return self.enter(s)

    def enter(self, s):
        self.nonblocking(s)
        self.at.append(s)
        self.names.setdefault(self.own_name(s), len(self.at) - 1)
        return s

    def own_name(self, s):
        room, n = bytearray(28), ctypes.c_int32(28)
        r = self.ws.getsockname(s, room, n)
        return bytes(room[: n.value]) if r.ret == 0 else None

    # -- looking

    def until(self, look, wanted):
        """Look until that is what is wanted; what was seen last."""
        end = time.monotonic() + PATIENCE
        while (seen := look()) != wanted and time.monotonic() < end:
            time.sleep(0.001)
        return seen

    def revents(self, i):
        fds = bytearray(struct.pack("<QhhI", int(self.at[i]), ALL, 0, 0))
        self.ws.WSAPoll(fds, 1, 0)
        got = struct.unpack_from("<h", fds, 10)[0]
        return got & ~c.POLLHUP if got & c.POLLRDNORM else got  # Wine tells of the end when all is read

    def readable(self, i):
        return self.ws.select(0, fd_set(self.at[i]), None, None, timeval()).ret == 1

    def count(self, i):
        n = ctypes.c_uint32()
        r = self.ws.ioctlsocket(self.at[i], c.FIONREAD, n)
        return (r.ret, r.error, n.value)

    # -- steps of all

    def look(self, i):
        s = self.at[i]
        sets = [fd_set(s) for _ in range(3)]
        self.ws.select(0, *sets, timeval())
        ready = "".join(letter for letter, left in zip("rwx", sets) if members(left))
        return ready, self.revents(i), self.option(s, c.SOL_SOCKET, c.SO_ERROR)[1]

    def select(self, i, mask):
        return self.outcome(self.ws.WSAEventSelect(self.at[i], self.event, mask))

    def network_events(self, i):
        """Fetched until all that is expected has come."""
        seen, end = {}, time.monotonic() + PATIENCE
        while True:
            room = bytearray(44)
            assert self.ws.WSAEnumNetworkEvents(self.at[i], self.event, room).ret == 0
            bits, *codes = struct.unpack(f"<i{KINDS}i", room)
            seen |= {1 << k: codes[k] for k in range(KINDS) if bits >> k & 1}
            if self.expected is None or seen == self.expected or time.monotonic() > end:
                return seen
            time.sleep(0.001)

    def name(self, s, call="getsockname"):
        room, n = bytearray(28), ctypes.c_int32(28)
        r = getattr(self.ws, call)(s, room, n)
        return self.names.get(bytes(room[: n.value]), "other") if r.ret == 0 else r.error

    def shutdown(self, i, how):
        return self.outcome(self.ws.shutdown(self.at[i], how))

    @staticmethod
    def outcome(r):
        return r.ret, r.error if r.ret == -1 else 0

    LOOKS = ("look", "count")

    def run(self, steps, expected=None):
        """What each step comes to.  expected: the same of the run that this one is compared with."""
        seen = []
        for k, (name, *args) in enumerate(steps):
            self.expected = expected[k] if expected else None
            step = getattr(self, name)
            if name in self.LOOKS and expected:
                seen.append(self.until(lambda step=step, args=args: step(*args), self.expected))
            else:
                seen.append(step(*args))
        return seen


class Streams(Sockets):
    """The two ends of a stream."""

    def __init__(self, arm, family):
        super().__init__(arm, family)
        listener = self.add(c.SOCK_STREAM)
        assert self.ws.listen(listener, 1).ret == 0
        client, name = self.keep(self.ws.socket(family, c.SOCK_STREAM, 0)), self.own_name(listener)
        assert self.ws.connect(client, name, len(name)).ret == 0
        self.until(lambda: self.readable(0), True)
        server = self.keep(self.ws.accept(listener, None, None))
        self.at.clear()
        self.enter(client), self.enter(server)
        self.waiting, self.sending, self.receiving = [0, 0], [True, True], [True, True]
        self.sent, self.selected = 0, [False, False]

    def send(self, i, n):
        if self.at[1 - i] is None or self.at[i] is None or not self.receiving[1 - i]:
            return None  # would be answered by a reset
        if self.waiting[1 - i] and self.selected[1 - i]:
            return None  # Wine tells of the first arrival alone
        self.sent += 1
        r = self.ws.send(self.at[i], bytes([self.sent % 256]) * n, n, 0)
        if r.ret > 0:
            self.waiting[1 - i] += n
            self.until(lambda: self.count(1 - i)[2], self.waiting[1 - i])
        return self.outcome(r)

    def recv(self, i, n, flags):
        if self.at[i] is None:
            return None
        room = bytearray(n)
        r = self.ws.recv(self.at[i], room, n, flags)
        if r.ret > 0 and not flags:
            self.waiting[i] -= r.ret
            self.arrived(i)
        return *self.outcome(r), bytes(room)

    def arrived(self, i):
        """Wait for the end of the stream, if it is on its way."""
        if not self.sending[1 - i] and self.receiving[i] and not self.waiting[i] and self.at[i] is not None:
            self.until(lambda: self.readable(i), True)

    def shutdown(self, i, how):
        if self.at[i] is None or self.waiting[1 - i] or (how != c.SD_SEND and self.waiting[i]):
            return None  # Wine has no FD_CLOSE before all is read
        if self.selected[i] and how != c.SD_RECEIVE:
            return None  # Wine has no FD_WRITE then
        got = super().shutdown(i, how)
        self.sending[i] &= how == c.SD_RECEIVE
        self.receiving[i] &= how == c.SD_SEND
        self.arrived(1 - i)
        return got

    def close(self, i):
        if self.at[i] is None or self.at[1 - i] is None or any(self.waiting):
            return None
        r = self.ws.closesocket(self.at[i])
        self.at[i], self.sending[i] = None, False
        self.arrived(1 - i)
        return self.outcome(r)

    def look(self, i):
        return super().look(i) if self.at[i] is not None else None

    def select(self, i, mask):
        if self.at[i] is None or not self.sending[i]:
            return None
        self.selected[i] = True
        return super().select(i, mask)

    def network_events(self, i):
        return super().network_events(i) if self.at[i] is not None else None


class Datagrams(Sockets):
    """Two sockets with a name, one that has none yet."""

    def __init__(self, arm, family):
        super().__init__(arm, family)
        for bound in (True, True, False):
            self.add(c.SOCK_DGRAM, bound)
        self.peers, self.queues, self.shut = [None] * 3, [[], [], []], [0, 0, 0]

    def address(self, i):
        return next((name for name, k in self.names.items() if name and k == i), None)

    def named(self, i):
        """It may have got a name by what it did."""
        if self.address(i) is None and (name := self.own_name(self.at[i])):
            self.names[name] = self.names[self.loopback(port_of(name))] = i

    def reaches(self, i, j):
        """Whether j takes what i sends: Linux answers for a socket that has another peer."""
        return self.address(j) and not self.shut[j] and self.peers[j] in (None, i)

    def sent(self, i, j, n):
        self.named(i)
        self.queues[j].append(n)
        self.until(lambda: self.readable(j), True)

    def sendto(self, i, j, n):
        if not self.reaches(i, j) or self.peers[i] is not None:
            return None
        to = self.loopback(port_of(self.address(j)))
        r = self.ws.sendto(self.at[i], bytes([65 + i]) * n, n, 0, to, len(to))
        if r.ret >= 0:
            self.sent(i, j, n)
        return self.outcome(r)

    def send(self, i, n):
        j = self.peers[i]
        if j is None or not self.reaches(i, j):
            return None
        r = self.ws.send(self.at[i], bytes([65 + i]) * n, n, 0)
        if r.ret >= 0:
            self.sent(i, j, n)
        return self.outcome(r)

    def connect(self, i, j):
        if self.address(j) is None or self.queues[i]:
            return None
        to = self.loopback(port_of(self.address(j)))
        r = self.ws.connect(self.at[i], to, len(to))
        self.peers[i] = j
        self.named(i)
        return self.outcome(r)

    def recvfrom(self, i, n, flags):
        if self.address(i) is None:
            return None
        room, name, size = bytearray(n), bytearray(28), ctypes.c_int32(28)
        r = self.ws.recvfrom(self.at[i], room, n, flags, name, size)
        if self.queues[i] and not flags and not self.shut[i] & 1:
            self.queues[i].pop(0)
        who = self.names.get(bytes(name[: size.value])) if self.queues[i] or r.ret >= 0 else None
        return *self.outcome(r), bytes(room), who

    def shutdown(self, i, how):
        if self.queues[i] or self.address(i) is None:
            return None
        self.shut[i] |= {c.SD_RECEIVE: 1, c.SD_SEND: 2, c.SD_BOTH: 3}[how]
        return super().shutdown(i, how)

    def who(self, i):
        return self.name(self.at[i]), self.name(self.at[i], "getpeername")


@functools.cache
def verdicts(arm):
    """Condition functions."""
    return {verdict: arm.callback("v" * 8, verdict) for verdict in (c.CF_ACCEPT, c.CF_DEFER)}


class Connections(Sockets):
    """A listener and who connects."""

    def __init__(self, arm, family):
        super().__init__(arm, family)
        self.listener = self.add(c.SOCK_STREAM)
        assert self.ws.listen(self.listener, 5).ret == 0
        self.queue, self.deferred = [], False
        self.verdicts = verdicts(arm)

    def begin(self, blocking):
        """One at a time: Wine tells of the first connection alone."""
        if self.queue or len(self.at) > 8:
            return None
        s, to = self.add(c.SOCK_STREAM, bound=False), self.own_name(self.listener)
        r = self.ws.connect(s, to, len(to))
        i = len(self.at) - 1
        self.names[self.own_name(s)] = i
        self.until(lambda: bool(self.revents(i) & c.POLLWRNORM), True)
        self.until(lambda: self.readable(0), True)
        self.queue.append(i)
        return self.outcome(r)

    def accept(self, how, room):
        if room is None:
            name = size = None
        else:
            name, size = bytearray(b"\xab" * 40), ctypes.c_int32(room)
        before = sum(len(cb.invocations) for cb in self.verdicts.values())
        if how is None:
            r = self.ws.accept(self.listener, name, size)
        else:
            r = self.ws.WSAAccept(self.listener, name, size, self.verdicts[how], 0)
        asked = sum(len(cb.invocations) for cb in self.verdicts.values()) - before
        if r.ret == -1:
            self.deferred = how == c.CF_DEFER and bool(self.queue)
            return r.error, asked
        self.deferred = False
        self.queue.clear()
        self.at.append(self.keep(r))
        return self.names.get(bytes(name[: size.value])) if name else None, asked

    def who(self, i):
        if i >= len(self.at):
            return None
        return self.name(self.at[i]), self.name(self.at[i], "getpeername")

    def look(self, i):
        if i >= len(self.at) or (self.deferred and i == 0):
            return None  # Wine has taken what it puts off from the kernel's queue
        return super().look(i)

    def select(self, i, mask):
        return super().select(0, mask) if not self.queue else None

    def network_events(self, i):
        if i >= len(self.at) or (self.deferred and i == 0):
            return None
        return super().network_events(i)


def calls(*steps, start=()):
    """Lists of such steps; every other one begins with these."""
    step = st.one_of(*(st.tuples(st.just(name), *args) for name, *args in steps))
    some = st.sampled_from([1, 3, 8, 16, 24]).flatmap(lambda n: st.lists(step, min_size=n, max_size=n))
    return some | some.map(lambda rest: [*start, *rest])


END, ONE = st.integers(0, 1), st.integers(0, 2)
SIZE, FLAGS = st.sampled_from([0, 1, 3, 9]), st.sampled_from([0, 0, c.MSG_PEEK])
ROOM = st.sampled_from([1, 2, 16])
HOW = st.sampled_from([c.SD_RECEIVE, c.SD_SEND, c.SD_SEND, c.SD_BOTH])
MASK = st.sampled_from([0, c.FD_READ, c.FD_WRITE, c.FD_CLOSE, c.FD_READ | c.FD_CLOSE, 0x3F, 0x3F])
FAMILIES = [
    pytest.param(c.AF_INET, id="ipv4"),
    pytest.param(c.AF_INET6, id="ipv6", marks=pytest.mark.ipv6),
]
SCENES = {
    Streams: calls(
        ("send", END, SIZE), ("send", END, SIZE), ("recv", END, ROOM, FLAGS), ("shutdown", END, HOW), ("close", END),
        ("look", END), ("select", END, MASK), ("network_events", END), ("network_events", END),
        start=[("select", 1, 0x3F), ("send", 0, 3), ("network_events", 1), ("recv", 1, 1, 0)],
    ),
    Datagrams: calls(
        ("sendto", ONE, ONE, SIZE), ("sendto", ONE, ONE, SIZE), ("send", ONE, SIZE), ("connect", ONE, ONE),
        ("recvfrom", ONE, ROOM, FLAGS), ("recvfrom", ONE, ROOM, FLAGS), ("shutdown", ONE, HOW),
        ("look", ONE), ("who", ONE), ("count", END),
    ),
    Connections: calls(
        ("begin", END), ("begin", END), ("accept", st.sampled_from([None, None, c.CF_ACCEPT, c.CF_DEFER]),
        st.sampled_from([None, 40])), ("look", st.integers(0, 5)), ("who", st.integers(0, 5)),
        ("select", END, st.sampled_from([0, c.FD_ACCEPT, 0x3F])), ("network_events", st.integers(0, 5)),
        start=[("select", 0, 0x3F)],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    with Here() as model:
        assert model.ws.WSAStartup(0x0202, bytearray(408)).ret == 0
        yield model


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__.lower())
def test_random_calls(arm, model, scene, family):
    phases = [Phase.generate] if arm.wine else list(Phase)  # to shrink what Wine waits for takes minutes

    @settings(max_examples=60, phases=phases, suppress_health_check=list(HealthCheck))
    @given(SCENES[scene])
    def check(steps):
        with scene(model, c.AF_INET) as sockets:
            expected = sockets.run(steps)
        with scene(arm, family) as sockets:
            assert list(zip(steps, sockets.run(steps, expected))) == list(zip(steps, expected))

    check()
