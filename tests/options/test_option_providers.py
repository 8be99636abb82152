"""A layered provider sees every option and control code, its own included."""

from __future__ import annotations

import ctypes

import pytest

import winsock.ws2_32 as ws
from winsock import spi
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError

OWN_LEVEL, OWN_NAME, OWN_CODE = 0x4321, 7, 0x98000ABC


@pytest.fixture
def layered(lab):
    """A socket of a provider that notes calls, answers its own option and code, and hands on the rest."""
    seen: list[tuple] = []
    base = spi.BASE

    def getsockopt(ep, level, name, size):
        seen.append(("get", level, name, size))
        return b"mine" if level == OWN_LEVEL else base.getsockopt(ep, level, name, size)

    def setsockopt(ep, level, name, data):
        seen.append(("set", level, name, data))
        if level != OWN_LEVEL:
            base.setsockopt(ep, level, name, data)

    def ioctl(ep, code, data, room):
        seen.append(("ioctl", code, data, room))
        return data[::-1] if code == OWN_CODE else base.ioctl(ep, code, data, room)

    s = lab.socket()
    lab.endpoint(s).procs = base._replace(plain=False, getsockopt=getsockopt, setsockopt=setsockopt, ioctl=ioctl)
    return s, seen


def test_known_options_pass_through(lab, layered):
    s, seen = layered
    lab.ok(lab.set(s, c.SOL_SOCKET, c.SO_RCVBUF, 4321))
    for _ in range(2):  # the second query is not answered from memory either
        assert lab.value(s, c.SOL_SOCKET, c.SO_RCVBUF) == 4321
    value, size = ctypes.c_int(), ctypes.c_int(4)
    lab.ok(ws.getsockopt(s, c.SOL_SOCKET, c.SO_RCVBUF, value, size))
    assert value.value == 4321
    query = ("get", c.SOL_SOCKET, c.SO_RCVBUF, 4)
    assert seen == [("set", c.SOL_SOCKET, c.SO_RCVBUF, (4321).to_bytes(4, "little")), *[query] * 3]


def test_its_own_option(lab, layered):
    s, seen = layered
    lab.ok(lab.set(s, OWN_LEVEL, OWN_NAME, b"anything"))
    assert lab.get(s, OWN_LEVEL, OWN_NAME, 16) == b"mine"
    assert seen == [("set", OWN_LEVEL, OWN_NAME, b"anything"), ("get", OWN_LEVEL, OWN_NAME, 16)]
    lab.fails(ws.setsockopt(s, OWN_LEVEL, OWN_NAME, None, 4), WSA.WSAEFAULT)


def test_control_codes(lab, layered):
    s, seen = layered
    assert lab.control(s, OWN_CODE, b"abc", 8) == b"cba"
    lab.ok(ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint(1)))
    assert lab.endpoint(s).nonblocking
    assert seen == [("ioctl", OWN_CODE, b"abc", 8), ("ioctl", c.FIONBIO, b"\1\0\0\0", None)]


def test_its_refusals_reach_the_caller(lab, layered):
    s, _ = layered

    def refuse(*args):
        raise WinsockError(WSA.WSAENETDOWN)

    ep = lab.endpoint(s)
    ep.procs = ep.procs._replace(getsockopt=refuse, setsockopt=refuse, ioctl=refuse)
    lab.fails(lab.set(s, c.SOL_SOCKET, c.SO_DEBUG, 1), WSA.WSAENETDOWN)
    lab.fails(lab.query(s, c.SOL_SOCKET, c.SO_DEBUG)[0], WSA.WSAENETDOWN)
    lab.fails(lab.ioctl(s, c.FIONREAD, None, 4)[0], WSA.WSAENETDOWN)
