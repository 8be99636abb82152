"""Random calls in random states: each ends with a code that it is known to give, receives what was sent to that
socket, and leaves nothing behind."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA, codes_of

NO_SOCKET = (1 << 64) - 1
PLACES = 4
LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")


class Player:
    """Sockets at a few places.  What a socket sends is made of its own byte."""

    def __init__(self):
        self.at = [NO_SOCKET] * PLACES
        self.kinds, self.bytes, self.heard = [0] * PLACES, [0] * PLACES, [set() for _ in range(PLACES)]
        self.made = 0

    def call(self, name, *args):
        got = getattr(ws, name)(*args)
        if got in (-1, NO_SOCKET):
            code = ws.WSAGetLastError()
            assert code in {use.code for use in codes_of(name)}, (name, WSA(code))
        return got

    def put(self, place, s, kind):
        if s == NO_SOCKET:
            return
        self.close(place, (0, 0))
        self.made += 1
        self.at[place], self.kinds[place], self.bytes[place], self.heard[place] = s, kind, self.made, set()
        self.call("ioctlsocket", s, c.FIONBIO, ctypes.c_uint32(1))

    def name(self, place):
        room, n = bytearray(16), ctypes.c_int32(16)
        return bytes(room) if self.call("getsockname", self.at[place], room, n) == 0 else LOOPBACK

    def socket(self, place, kind):
        self.put(place, self.call("socket", c.AF_INET, kind, 0), kind)
        self.call("bind", self.at[place], LOOPBACK, 16)

    def listen(self, place):
        self.call("listen", self.at[place], 5)

    def connect(self, place, other):
        self.call("connect", self.at[place], self.name(other), 16)

    def accept(self, place, other):
        self.put(other, self.call("accept", self.at[place], None, None), c.SOCK_STREAM)

    def send(self, place, n, flags):
        self.call("send", self.at[place], bytes([self.bytes[place]]) * n, n, flags)

    def sendto(self, place, other, n):
        self.call("sendto", self.at[place], bytes([self.bytes[place]]) * n, n, 0, self.name(other), 16)

    def recv(self, place, n, flags):
        room = bytearray(n)
        got = self.call("recv", self.at[place], room, n, flags)
        kept = max(got, 0) if ws.WSAGetLastError() != WSA.WSAEMSGSIZE else n
        assert got <= n
        assert not any(room[kept:])
        if self.kinds[place] == c.SOCK_DGRAM:
            self.heard[place].clear()
        self.heard[place].update(room[:kept])
        assert len(self.heard[place]) <= 1  # a stream has one peer, a datagram one sender

    def shutdown(self, place, how):
        self.call("shutdown", self.at[place], how)

    def close(self, place, linger):
        if linger is not None:
            self.call("setsockopt", self.at[place], c.SOL_SOCKET, c.SO_LINGER, struct.pack("<HH", *linger), 4)
        if self.call("closesocket", self.at[place]) == 0:
            self.at[place] = NO_SOCKET

    def inline(self, place, on):
        self.call("setsockopt", self.at[place], c.SOL_SOCKET, c.SO_OOBINLINE, ctypes.c_int32(on), 4)

    def select_events(self, place, mask):
        event = ws.WSACreateEvent()
        self.call("WSAEventSelect", self.at[place], event, mask)
        self.call("WSAEnumNetworkEvents", self.at[place], event, bytearray(44))
        ws.WSACloseEvent(event)

    def sets(self, s):
        sets = [bytearray(struct.pack("<I4xQ", 1, s)) for _ in range(3)]
        assert self.call("select", 0, *sets, bytes(8)) >= 0
        return [left[0] for left in sets]

    def look(self, place):
        """select and WSAPoll agree."""
        s = self.at[place]
        if s == NO_SOCKET:
            return
        before = self.sets(s)
        while True:
            fds = bytearray(struct.pack("<QhhI", s, c.POLLRDNORM | c.POLLRDBAND | c.POLLWRNORM, 0, 0))
            assert self.call("WSAPoll", fds, 1, 0) >= 0
            read, write, urgent = after = self.sets(s)
            if after == before:
                break
            before = after  # something has come meanwhile
        got = struct.unpack_from("<h", fds, 10)[0]
        if got & c.POLLERR and not read:  # a connect has failed
            assert (write, urgent) == (0, 1)
        else:
            assert read == bool(got & (c.POLLRDNORM | c.POLLHUP))
            assert write == bool(got & c.POLLWRNORM)
            assert urgent == bool(got & c.POLLRDBAND)


PLACE = st.integers(0, PLACES - 1)
SIZE, ROOM = st.sampled_from([0, 1, 5]), st.sampled_from([1, 3, 64])
STEPS = {
    "socket": (PLACE, st.sampled_from([c.SOCK_STREAM, c.SOCK_STREAM, c.SOCK_DGRAM])),
    "listen": (PLACE,),
    "connect": (PLACE, PLACE),
    "accept": (PLACE, PLACE),
    "send": (PLACE, SIZE, st.sampled_from([0, 0, c.MSG_OOB])),
    "sendto": (PLACE, PLACE, SIZE),
    "recv": (PLACE, ROOM, st.sampled_from([0, 0, c.MSG_PEEK, c.MSG_OOB])),
    "shutdown": (PLACE, st.integers(0, 3)),
    "close": (PLACE, st.sampled_from([None, None, (1, 0), (1, 1), (0, 0)])),
    "inline": (PLACE, st.integers(0, 1)),
    "select_events": (PLACE, st.sampled_from([0, c.FD_READ, c.FD_ACCEPT, 0x3F])),
    "look": (PLACE,),
}
# A listener, who connects to it, a connection that is accepted, and a datagram socket
BEGINNING = [
    ("socket", 0, c.SOCK_STREAM),
    ("listen", 0),
    ("socket", 1, c.SOCK_STREAM),
    ("connect", 1, 0),
    ("accept", 0, 2),
    ("socket", 3, c.SOCK_DGRAM),
]
STEP = st.one_of(*(st.tuples(st.just(name), *args) for name, args in STEPS.items()))
SEQUENCES = st.sampled_from([1, 4, 12, 30]).flatmap(lambda n: st.lists(STEP, min_size=n, max_size=n))


class Complaints(logging.Handler):
    """What winsock logs when something fails that should not."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(self.format(record))


@pytest.fixture
def complaints():
    handler, log = Complaints(), logging.getLogger("winsock")
    log.addHandler(handler)
    yield handler.said
    log.removeHandler(handler)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def play(steps):
    with winsock.Process().attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        player = Player()
        for name, *args in [*BEGINNING, *steps]:
            getattr(player, name)(*args)
            player.look(args[0])
        while ws.WSACleanup() == 0:
            pass


def test_random_sequences(complaints):
    play([])
    gc.collect()
    before = descriptors()

    @settings(max_examples=150)
    @given(SEQUENCES)
    def check(steps):
        play(steps)
        assert not complaints

    check()
    gc.collect()
    assert descriptors() <= before
