"""WSAAddressToString and WSAStringToAddress, A and W; and that no argument makes a string function raise."""

import ctypes
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winsock import Process, ws2_32
from winsock.abi import _constants as c
from winsock.codes import WSA

WIDE = "utf-16-le"
UNMAPPED = [1, 0x10, 0xFFFF, (1 << 47) - 4096, (1 << 64) - 1, -1, 1 << 70]
TO_TEXT = pytest.mark.parametrize("name", ["WSAAddressToStringA", "WSAAddressToStringW"])
TO_ADDRESS = pytest.mark.parametrize("name", ["WSAStringToAddressA", "WSAStringToAddressW"])
NAMELESS_INFO = 372  # bytes of a WSAPROTOCOL_INFOA


def v4(octets=(192, 0, 2, 1), port=0, family=c.AF_INET):
    return struct.pack("<H", family) + struct.pack(">H", port) + bytes(octets) + bytes(8)


def v6(data=bytes(15) + b"\1", port=0, scope=0):
    return struct.pack("<H", c.AF_INET6) + struct.pack(">HI", port, 0) + data + struct.pack("<I", scope)


def info_of(family):
    info = bytearray(NAMELESS_INFO)
    struct.pack_into("<i", info, 76, family)
    return info


def decode(out, n, name):
    return bytes(out[: 2 * n]).decode(WIDE) if name.endswith("W") else bytes(out[:n]).decode()


@TO_TEXT
@pytest.mark.parametrize(
    ("address", "text"),
    [
        (v4(), "192.0.2.1"),
        (v4(port=80), "192.0.2.1:80"),
        (v6(), "::1"),
        (v6(port=443), "[::1]:443"),
        (v6(bytes.fromhex("fe80" + "00" * 13 + "01"), scope=7), "fe80::1%7"),
        (v6(bytes.fromhex("fe80" + "00" * 13 + "01"), port=1, scope=7), "[fe80::1%7]:1"),
        (v6() + b"more", "::1"),
    ],
)
def test_text(ws, name, address, text):
    out, n = bytearray(128), ctypes.c_uint32(64)
    assert getattr(ws, name)(address, len(address), None, out, n) == 0
    assert n.value == len(text) + 1
    assert decode(out, n.value, name) == text + "\0"


@TO_TEXT
def test_text_needs_room_for_the_nul(ws, name):
    out = bytearray(b"\xee" * 64)
    for room, code in ((9, WSA.WSAEFAULT), (10, 0)):
        n = ctypes.c_uint32(room)
        assert getattr(ws, name)(v4(), 16, None, out, n) == (-1 if code else 0)
        assert n.value == 10
        if code:
            assert ws.WSAGetLastError() == code
            assert out == b"\xee" * 64


@TO_TEXT
def test_text_refusals(ws, name):
    for args, code in [
        ((None, 16, None, bytearray(64)), WSA.WSAEFAULT),
        ((0x10, 16, None, bytearray(64)), WSA.WSAEFAULT),
        ((v4(), 15, None, bytearray(64)), WSA.WSAEFAULT),
        ((v4()[:12], 16, None, bytearray(64)), 0),  # nobody reads the zeroes at the end
        ((v4()[:7], 16, None, bytearray(64)), WSA.WSAEFAULT),
        ((v4(), 0, None, bytearray(64)), WSA.WSAEFAULT),
        ((v6(), 27, None, bytearray(64)), WSA.WSAEFAULT),
        ((v4(family=c.AF_UNSPEC), 16, None, bytearray(64)), WSA.WSAEINVAL),
        ((v4(family=c.AF_UNIX), 16, None, bytearray(64)), WSA.WSAEINVAL),
        ((v4(), 16, info_of(c.AF_INET6), bytearray(64)), WSA.WSAEINVAL),
        ((v4(), 16, info_of(c.AF_INET), bytearray(64)), 0),
        ((v4(), 16, 0x10, bytearray(64)), WSA.WSAEFAULT),
        ((v4(), 16, None, None), WSA.WSAEFAULT),
        ((v4(), 16, None, 0x10), WSA.WSAEFAULT),
        ((v4(), 16, None, bytearray(3)), WSA.WSAEFAULT),
    ]:
        assert getattr(ws, name)(*args, ctypes.c_uint32(64)) == (-1 if code else 0), args
        if code:
            assert ws.WSAGetLastError() == code, args
    assert getattr(ws, name)(v4(), 16, None, bytearray(64), None) == -1
    assert ws.WSAGetLastError() == WSA.WSAEFAULT


def from_text(ws, name, text, family, room=40):
    out, n = bytearray(b"\xee" * 40), ctypes.c_int32(room)
    ret = getattr(ws, name)(text, family, None, out, n)
    return ret, ws.WSAGetLastError() if ret else 0, bytes(out), n.value


@TO_ADDRESS
@pytest.mark.parametrize(
    ("text", "family", "address"),
    [
        ("192.0.2.1", c.AF_INET, v4()),
        ("192.0.2.1:80", c.AF_INET, v4(port=80)),
        ("192.0.513:0x50", c.AF_INET, v4(port=80)),
        ("192.0.2.1:0120", c.AF_INET, v4(port=80)),
        ("::1", c.AF_INET6, v6()),
        ("[::1]", c.AF_INET6, v6()),
        ("[::1%4294967295]:65535", c.AF_INET6, v6(port=65535, scope=0xFFFFFFFF)),
        ("::1%0", c.AF_INET6, v6()),
    ],
)
def test_address(ws, name, text, family, address):
    ret, _, out, n = from_text(ws, name, text, family)
    assert (ret, n, out) == (0, len(address), address + b"\xee" * (40 - len(address)))


@TO_ADDRESS
@pytest.mark.parametrize(
    ("text", "family", "parsed"),
    [
        ("192.0.2.1:", c.AF_INET, "c0000201"),
        ("192.0.2.1:0", c.AF_INET, "c0000201"),
        ("192.0.2.1:65536", c.AF_INET, "c0000201"),
        ("::1", c.AF_INET, "00000000"),
        ("[::1]:0", c.AF_INET6, "00" * 15 + "01"),
        ("[::1", c.AF_INET6, "00" * 15 + "01"),
        ("::1%01", c.AF_INET6, "00" * 15 + "01"),
        ("::1%4294967296", c.AF_INET6, "00" * 15 + "01"),
        ("fe80::1%eth0", c.AF_INET6, "fe80" + "00" * 13 + "01"),
        ("\ud800", c.AF_INET6, "00" * 16),
        ("1:2:", c.AF_INET6, "00010002" + "00" * 12),
    ],
)
def test_wrong_text_overwrites_and_keeps_the_length(ws, name, text, family, parsed):
    ret, code, out, n = from_text(ws, name, text, family)
    data = bytes.fromhex(parsed)
    expected = bytes(4) + data + bytes(8) if family == c.AF_INET else bytes(8) + data + bytes(4)
    assert (ret, code, n) == (-1, WSA.WSAEINVAL, 40)
    assert out == expected + b"\xee" * (40 - len(expected))


@TO_ADDRESS
def test_address_refusals(ws, name):
    assert from_text(ws, name, "x", c.AF_INET, 15)[1:] == (WSA.WSAEFAULT, b"\xee" * 40, 16)
    assert from_text(ws, name, "x", c.AF_INET6, -5)[1:] == (WSA.WSAEFAULT, b"\xee" * 40, 28)
    for family in (c.AF_UNSPEC, c.AF_UNIX, 10, -1):
        assert from_text(ws, name, "1.2.3.4", family, 0)[:2] == (-1, WSA.WSAEINVAL)
    call, n = getattr(ws, name), ctypes.c_int32(28)
    for args, code in [
        ((None, c.AF_INET, None, bytearray(28), n), WSA.WSAEINVAL),
        ((0, c.AF_INET, 0, bytearray(28), n), WSA.WSAEINVAL),
        (("1.2.3.4", c.AF_INET, None, None, n), WSA.WSAEFAULT),
        (("1.2.3.4", c.AF_INET, None, bytearray(28), None), WSA.WSAEFAULT),
        (("1.2.3.4", c.AF_INET, None, bytearray(15), n), WSA.WSAEFAULT),
        (("1.2.3.4", c.AF_INET, None, bytes(28), n), WSA.WSAEFAULT),
        (("1.2.3.4", c.AF_INET, info_of(c.AF_INET6), bytearray(28), n), WSA.WSAEINVAL),
        *(((p, c.AF_INET, None, bytearray(28), n), WSA.WSAEFAULT) for p in UNMAPPED),
        *((("1.2.3.4", c.AF_INET, None, p, n), WSA.WSAEFAULT) for p in UNMAPPED),
    ]:
        n.value = 28
        assert call(*args) == -1, args
        assert ws.WSAGetLastError() == code, args


@TO_TEXT
def test_startup_is_needed(name):
    with Process().attached():
        assert getattr(ws2_32, name)(v4(), 16, None, bytearray(64), ctypes.c_uint32(64)) == -1
        assert ws2_32.WSAGetLastError() == WSA.WSANOTINITIALISED


# -- whatever comes

anything = (
    st.none()
    | st.integers(-3, 70)
    | st.sampled_from(UNMAPPED)
    | st.binary(max_size=40)
    | st.binary(max_size=40).map(bytearray)
    | st.text(max_size=12)
    | st.sampled_from([v4(), v6(), c.AF_INET, c.AF_INET6, 1.5, object(), [], "\udc80\ud800", ctypes.c_uint32(64)])
)
ARITY = {
    "htonl": 1,
    "htons": 1,
    "WSAHtonl": 3,
    "inet_addr": 1,
    "inet_ntoa": 1,
    "inet_pton": 3,
    "InetPtonW": 3,
    "inet_ntop": 4,
    "InetNtopW": 4,
    "WSAAddressToStringA": 5,
    "WSAAddressToStringW": 5,
    "WSAStringToAddressA": 5,
    "WSAStringToAddressW": 5,
}


@given(
    st.sampled_from(sorted(ARITY)).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(anything, min_size=ARITY[n], max_size=ARITY[n]))
    )
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_argument_makes_it_raise(ws, call):
    name, args = call
    ret = getattr(ws, name)(*args)
    assert isinstance(ret, int)
    assert ws.WSAGetLastError() != WSA.WSASYSCALLFAILURE
