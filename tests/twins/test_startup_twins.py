"""WSAStartup, WSACleanup, and the socket triple."""

import struct

import pytest
from arms import FAILED, Here, OnWine

from winsock.abi import _constants as c
from winsock.codes import WSA


@pytest.fixture
def fresh(arm):
    """ws2_32 of a process of its own, Winsock not started."""
    with type(arm)() as other:
        assert isinstance(other, Here | OnWine)
        yield other.ws


################ before WSAStartup ################


def test_socket_before_startup(fresh):
    r = fresh.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert (r.ret, r.error) == (FAILED, WSA.WSANOTINITIALISED)


def test_cleanup_before_startup(fresh):
    r = fresh.WSACleanup()
    assert (r.ret, r.error) == (FAILED, WSA.WSANOTINITIALISED)


def test_socket_after_the_last_cleanup(fresh):
    assert fresh.WSAStartup(0x0202, bytearray(408)).ret == 0
    assert fresh.WSACleanup().ret == 0
    assert fresh.socket(c.AF_INET, c.SOCK_STREAM, 0).error == WSA.WSANOTINITIALISED


def test_startups_are_counted(fresh):
    for _ in range(2):
        assert fresh.WSAStartup(0x0202, bytearray(408)).ret == 0
    assert fresh.WSACleanup().ret == 0
    s = fresh.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert s.ret > 0
    assert fresh.closesocket(s).ret == 0


@pytest.mark.parametrize(
    ("asked", "given"),
    [(0x0000, None), (0x0001, 0x0001), (0x0101, 0x0101), (0x0002, 0x0002), (0x0202, 0x0202), (0x0303, 0x0202)],
)
def test_version_negotiation(fresh, asked, given):
    data = bytearray(408)
    r = fresh.WSAStartup(asked, data)
    version, highest = struct.unpack_from("<HH", data)
    if given is None:
        assert r.ret == WSA.WSAVERNOTSUPPORTED
    else:
        assert (r.ret, version) == (0, given)
    assert highest == 0x0202


################ socket ################

TRIPLES = {
    "tcp": (c.AF_INET, c.SOCK_STREAM, c.IPPROTO_TCP, 0),
    "udp": (c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_UDP, 0),
    "tcp6": (c.AF_INET6, c.SOCK_STREAM, 0, 0),
    "stream over udp": (c.AF_INET, c.SOCK_STREAM, c.IPPROTO_UDP, WSA.WSAEPROTONOSUPPORT),
    "datagram over tcp": (c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_TCP, WSA.WSAEPROTONOSUPPORT),
    "no such family": (77, c.SOCK_STREAM, 0, WSA.WSAEAFNOSUPPORT),
    "no such type": (c.AF_INET, 99, 0, WSA.WSAESOCKTNOSUPPORT),
    "no such protocol": (c.AF_INET, c.SOCK_STREAM, 250, WSA.WSAEPROTONOSUPPORT),
    "nothing at all": (0, 0, 0, WSA.WSAEINVAL),
}


@pytest.mark.parametrize("triple", TRIPLES.values(), ids=TRIPLES)
def test_triple(ws, triple):
    *args, code = triple
    s = ws.socket(*args)
    assert s.error == code
    assert (s.ret == FAILED) == bool(code)
    if not code:
        assert s.ret % 4 == 0
        assert ws.closesocket(s).ret == 0


@pytest.mark.parametrize("handle", [0, 1, 0x7FFFFFFC, FAILED])
def test_closing_what_is_no_socket(ws, handle):
    r = ws.closesocket(handle)
    assert (r.ret, r.error) == (FAILED, WSA.WSAENOTSOCK)


def test_closing_twice(ws, kit):
    s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert ws.closesocket(s).ret == 0
    assert ws.closesocket(s).error == WSA.WSAENOTSOCK
