"""Nonsense in, a documented code out: no exception, no other socket's data."""

from __future__ import annotations

import ctypes
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._controls import CONTROLS
from winsock.abi._options import OPTIONS
from winsock.codes import WSA

CODES = {int(code) for code in WSA}
WRONG_TYPES = [object(), 1.5, "text", [4], {}, b"", lambda: 0]
BAD_POINTERS = [1, 0x10, (1 << 64) - 8, 1 << 70, -1]


@pytest.mark.parametrize("s", [0, 4, 0x44, (1 << 64) - 1, -1, None, "s", 1.5, object(), [], 1 << 200])
def test_no_socket(lab, s):
    n = ctypes.c_int(4)
    for call in (
        lambda: ws.getsockopt(s, c.SOL_SOCKET, c.SO_TYPE, ctypes.c_int(), n),
        lambda: ws.setsockopt(s, c.SOL_SOCKET, c.SO_DEBUG, ctypes.c_int(), 4),
        lambda: ws.ioctlsocket(s, c.FIONREAD, ctypes.c_uint()),
        lambda: ws.WSAIoctl(s, c.FIONREAD, None, 0, bytearray(4), 4, ctypes.c_uint(), None, None),
    ):
        lab.fails(call(), WSA.WSAENOTSOCK)


def test_closed_socket(lab):
    s = lab.socket()
    value, n = ctypes.c_int(77), ctypes.c_int(4)
    lab.ok(ws.getsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, value, n))
    lab.ok(ws.closesocket(s))
    value.value = 77
    lab.fails(ws.getsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, value, n), WSA.WSAENOTSOCK)
    assert value.value == 77
    lab.fails(ws.setsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, value, 4), WSA.WSAENOTSOCK)
    lab.fails(ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint(1)), WSA.WSAENOTSOCK)


def test_before_startup():
    with winsock.Process().attached():
        n = ctypes.c_int(4)
        for call in (
            lambda: ws.getsockopt(4, c.SOL_SOCKET, c.SO_TYPE, n, n),
            lambda: ws.setsockopt(4, c.SOL_SOCKET, c.SO_DEBUG, n, 4),
            lambda: ws.ioctlsocket(4, c.FIONBIO, n),
            lambda: ws.WSAIoctl(4, c.FIONBIO, n, 4, None, 0, n, None, None),
        ):
            assert (call(), ws.WSAGetLastError()) == (-1, WSA.WSANOTINITIALISED)
            ws.WSASetLastError(0)


def shown(bad):
    """The same in each run."""
    return repr(bad).split(" at 0x")[0]


@pytest.mark.parametrize("bad", [None, *BAD_POINTERS, *WRONG_TYPES[:2], b"const"], ids=shown)
def test_bad_pointers(lab, bad):
    s = lab.socket()
    for level, name in (
        (c.SOL_SOCKET, c.SO_RCVBUF),
        (c.SOL_SOCKET, c.SO_PROTOCOL_INFOW),
        (c.IPPROTO_TCP, c.TCP_NODELAY),
    ):
        size = ctypes.c_int(628)
        lab.fails(ws.getsockopt(s, level, name, bad, size), WSA.WSAEFAULT)
        assert size.value == 628
        result = ws.getsockopt(s, level, name, bytearray(628), bad)
        if bad != b"const":  # can be read: 1852797795 bytes, but not written
            lab.fails(result, WSA.WSAEFAULT)
    if bad != b"const":
        lab.fails(ws.setsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, bad, 4), WSA.WSAEFAULT)
        lab.fails(ws.ioctlsocket(s, c.FIONBIO, bad), WSA.WSAEFAULT)
    lab.fails(ws.ioctlsocket(s, c.FIONREAD, bad), WSA.WSAEFAULT)


def test_length_that_is_longer_than_the_memory(lab):
    s = lab.socket()
    lab.fails(ws.setsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, b"\1\2", 4), WSA.WSAEFAULT)
    lab.fails(ws.getsockopt(s, c.SOL_SOCKET, c.SO_PROTOCOL_INFOA, bytearray(100), ctypes.c_int(372)), WSA.WSAEFAULT)
    small = bytearray(2)
    lab.fails(ws.getsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, small, ctypes.c_int(4)), WSA.WSAEFAULT)
    assert small == bytes(2)


POINTERS = st.one_of(
    st.none(),
    st.binary(max_size=64),
    st.binary(max_size=64).map(bytearray),
    st.sampled_from(BAD_POINTERS),
    st.sampled_from(WRONG_TYPES),
    st.integers(-(1 << 31), 1 << 31).map(ctypes.c_int),
    st.integers(1, 700).map(ctypes.create_string_buffer),
)
NUMBERS = st.one_of(
    st.integers(-70000, 70000), st.integers(-(1 << 70), 1 << 70), st.none(), st.floats(), st.just("4")
)
LEVELS = st.one_of(st.sampled_from([row.level for row in OPTIONS]), NUMBERS)
NAMES = st.one_of(st.sampled_from([row.name for row in OPTIONS]), NUMBERS)
KINDS = st.sampled_from(
    [(c.AF_INET, c.SOCK_STREAM), (c.AF_INET, c.SOCK_DGRAM), (c.AF_INET6, c.SOCK_DGRAM), (c.AF_UNIX, c.SOCK_STREAM)]
)
MANY = settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def answers(result: int) -> None:
    code = ws.WSAGetLastError()
    assert result == (-1 if code else 0)
    assert code in CODES or code == 0
    assert code != WSA.WSASYSCALLFAILURE


@given(kind=KINDS, level=LEVELS, name=NAMES, value=POINTERS, size=st.one_of(NUMBERS, st.integers(0, 64)))
@MANY
def test_setsockopt_never_raises(lab, kind, level, name, value, size):
    s = ws.socket(*kind, 0)
    answers(ws.setsockopt(s, level, name, value, size))
    lab.ok(ws.closesocket(s))


@given(kind=KINDS, level=LEVELS, name=NAMES, value=POINTERS, size=POINTERS)
@MANY
def test_getsockopt_never_raises(lab, kind, level, name, value, size):
    s = ws.socket(*kind, 0)
    answers(ws.getsockopt(s, level, name, value, size))
    lab.ok(ws.closesocket(s))


# Codes that wait when they are right: tested elsewhere, with somebody to end the wait.
ENDLESS = {c.SIO_ADDRESS_LIST_CHANGE, c.SIO_ROUTING_INTERFACE_CHANGE}
CONTROL_CODES = st.one_of(
    st.sampled_from([row.code for row in CONTROLS if row.code not in ENDLESS]),
    NUMBERS.filter(lambda n: not isinstance(n, int) or n & 0xFFFFFFFF not in ENDLESS),
)


@given(
    kind=KINDS,
    code=CONTROL_CODES,
    data=POINTERS,
    data_size=st.one_of(NUMBERS, st.integers(0, 64)),
    out=POINTERS,
    room=st.one_of(NUMBERS, st.integers(0, 64)),
    count=POINTERS,
    routine=st.one_of(st.none(), POINTERS),
)
@MANY
def test_wsaioctl_never_raises(lab, kind, code, data, data_size, out, room, count, routine):
    s = ws.socket(*kind, 0)
    answers(ws.WSAIoctl(s, code, data, data_size, out, room, count, None, routine))
    answers(ws.ioctlsocket(s, code, out))
    lab.ok(ws.closesocket(s))


def test_other_sockets_are_untouched(lab):
    """Options belong to one socket."""
    a, b = lab.socket(), lab.socket()
    for row in OPTIONS:
        if row.applies(c.AF_INET, c.SOCK_STREAM) and row.set and row.boolean:
            ws.setsockopt(a, row.level, row.name, b"\1\0\0\0", 4)
    for row in OPTIONS:
        if row.applies(c.AF_INET, c.SOCK_STREAM) and row.get and isinstance(row.default_for(c.SOCK_STREAM), int):
            assert lab.value(b, row.level, row.name) == row.default_for(c.SOCK_STREAM), row.label


def test_sockets_that_are_closed_meanwhile(lab):
    """Options and control codes of handles that other threads close: success, or WSAENOTSOCK."""
    handles = [lab.socket() for _ in range(300)]
    start, closed = threading.Barrier(4), threading.Event()
    seen, late = set(), set()

    def work(call):
        with lab.process.attached():
            start.wait()
            for s in handles:
                for _ in range(5):
                    result = call(s)
                    code = ws.WSAGetLastError()
                    seen.add((result, code))
            closed.wait()
            late.add((call(handles[0]), ws.WSAGetLastError()))

    value, room = ctypes.c_int(1), bytearray(4096)
    calls = [
        lambda s: ws.setsockopt(s, c.IPPROTO_TCP, c.TCP_NODELAY, value, 4),
        lambda s: ws.getsockopt(s, c.IPPROTO_TCP, c.TCP_MAXSEG, bytearray(4), ctypes.c_int(4)),
        lambda s: ws.WSAIoctl(s, c.SIO_TCP_INFO, bytes(4), 4, room, 4096, ctypes.c_uint(), None, None),
    ]
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    start.wait()
    for s in handles:
        ws.closesocket(s)
    closed.set()
    for thread in threads:
        thread.join()
    assert seen
    assert seen <= {(0, 0), (-1, WSA.WSAENOTSOCK)}
    assert late == {(-1, WSA.WSAENOTSOCK)}
