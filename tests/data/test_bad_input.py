"""Whatever is passed: a return value and a code, never an exception, never a hang."""

from __future__ import annotations

import ctypes
import logging
import mmap
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import winsock.ws2_32 as ws
from winsock import mswsock
from winsock.api._wsadata import WSARecvMsg
from winsock.codes import WSA

# The one raw address that may be written: more than all that the sockets of a test can hold.
MAPPED = mmap.mmap(-1, 64 << 20)
MEMORY = ctypes.c_char.from_buffer(MAPPED)


class Liar:
    """Says it is a number, and is not."""

    def __index__(self):
        raise ValueError("no")


class Number:
    def __index__(self):
        return 5


def message():
    """A WSAMSG of plausible and absurd parts."""
    address = st.sampled_from([0, 16, ctypes.addressof(MEMORY), (1 << 64) - 1])
    length = st.sampled_from([0, 1, 16, 28, 1 << 31, (1 << 32) - 1])
    signed = st.sampled_from([0, 1, 16, 28, -1])
    return st.builds(
        lambda *parts: bytearray(struct.pack("<Qi4xQI4xI4xQI4x", *parts)),
        address, signed, address, length, length, address, st.sampled_from([0, 2, 1 << 31]),
    )  # fmt: skip


numbers = st.one_of(
    st.integers(-(1 << 70), 1 << 70),
    st.sampled_from([0, 1, 2, 4, 8, 16, 0x8000, 1 << 31, -1, (1 << 64) - 1]),
)
junk = st.sampled_from([None, 1.5, "text", b"", b"bytes", (), [1], {}, object(), Liar(), Number(), True, ...])
pointers = st.one_of(
    st.sampled_from([None, 0, 1, 16, 4095, -1, (1 << 64) - 1, 1 << 64, ctypes.addressof(MEMORY)]),
    st.builds(bytearray, st.binary(max_size=40)),
    st.binary(max_size=40),
    st.builds(ctypes.c_uint32, st.integers(0, 99)),
    st.builds(lambda n: ctypes.byref(ctypes.c_uint64(n)), st.integers(0, 99)),
    st.builds(lambda n: memoryview(bytearray(40))[:: n or 1], st.sampled_from([1, 2, -1])),
    st.sampled_from([16, 8, 0, 1 << 31]).map(lambda n: struct.pack("<I4xQ", n, ctypes.addressof(MEMORY))),
    message(),
    junk,
)
small = st.one_of(st.integers(-2, 60), numbers, junk)
sockets = st.sampled_from(["tcp", "peer", "udp", "listener", "new", "closed", "none"])

p, n = pointers, small
CALLS = {
    ws.recv: (p, n, n),
    ws.send: (p, n, n),
    ws.recvfrom: (p, n, n, p, p),
    ws.sendto: (p, n, n, p, n),
    mswsock.WSARecvEx: (p, n, p),
    ws.WSASend: (p, n, p, n, p, p),
    ws.WSASendTo: (p, n, p, n, p, n, p, p),
    ws.WSARecv: (p, n, p, p, p, p),
    ws.WSARecvFrom: (p, n, p, p, p, p, p, p),
    ws.WSASendMsg: (p, n, p, p, p),
    WSARecvMsg: (p, p, p, p),
}


@pytest.fixture
def opened(net):
    a, b = net.pair()
    udp, closed = net.udp(), net.udp()
    net.ok(ws.closesocket(closed))
    found = {"tcp": a, "peer": b, "udp": udp, "listener": net.listener(), "new": net.socket(), "closed": closed}
    for s in (a, b, udp):
        net.nonblocking(s)
    return {**found, "none": None}


@pytest.mark.parametrize("call", CALLS, ids=lambda f: f.__name__)
def test_anything(net, opened, call, caplog):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sockets, st.tuples(*CALLS[call]))
    def check(which, args):
        ws.WSASetLastError(0)
        result = call(opened[which], *args)
        assert type(result) is int
        if result == -1:
            assert ws.WSAGetLastError() in set(WSA)
            assert ws.WSAGetLastError() != WSA.WSASYSCALLFAILURE
        else:
            assert result >= 0
            assert ws.WSAGetLastError() == 0

    with caplog.at_level(logging.ERROR, "winsock"):
        check()
    assert not caplog.records  # no fault of winsock's own


@pytest.mark.parametrize("call", CALLS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("s", [None, "x", 1.5, (), object(), -1, (1 << 64) - 1, 1 << 80])
def test_no_socket(net, call, s):
    net.fails(call(s, *[None] * len(CALLS[call])), WSA.WSAENOTSOCK)
