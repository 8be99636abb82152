"""The C-shaped name functions: structures in memory, codes, buffers."""

import ctypes
import socket as linux
import struct
import threading

import pytest
from calls import text, wide
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winsock import Process, ws2_32
from winsock.abi import _constants as c
from winsock.codes import WSA

UNMAPPED = [1, 0x10, 0xFFFF, (1 << 47) - 4096, (1 << 64) - 1, -1, 1 << 70]
OWN_NAME = linux.gethostname().partition(".")[0]
GARBAGE = 0xDEAD


class AddrInfo(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_int) for n in ("flags", "family", "socktype", "protocol")),
        *((n, ctypes.c_uint64) for n in ("addrlen", "canonname", "addr", "next")),
    )


class AddrInfoEx(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_int) for n in ("flags", "family", "socktype", "protocol")),
        *((n, ctypes.c_uint64) for n in ("addrlen", "canonname", "addr", "blob", "bloblen", "provider", "next")),
    )


def pointers(at):
    """The NULL-terminated array there."""
    found = []
    while p := ctypes.c_uint64.from_address(at + 8 * len(found)).value:
        found.append(p)
    return found


# -- hostent, servent, protoent


def hostent(at):
    name, aliases, family, length, addresses = struct.unpack("<QQhh4xQ", ctypes.string_at(at, 32))
    return (
        text(name),
        [text(p) for p in pointers(aliases)],
        family,
        [ctypes.string_at(p, length) for p in pointers(addresses)],
    )


def test_gethostbyname(ws):
    assert hostent(ws.gethostbyname("localhost")) == ("localhost", [], c.AF_INET, [b"\x7f\0\0\1"])
    assert hostent(ws.gethostbyname(b"127.2\0")) == ("127.2", [], c.AF_INET, [b"\x7f\0\0\2"])
    for this in ("", None, OWN_NAME):
        name, _, family, addresses = hostent(ws.gethostbyname(this))
        assert (name, family, bool(addresses)) == (OWN_NAME, c.AF_INET, True)


def test_hostent_is_the_thread_s(ws):
    mine = ws.gethostbyname("127.0.0.1")
    process, theirs = Process(), []

    def other():
        with process.attached():
            ws2_32.WSAStartup(0x0202, bytearray(408))
            theirs.append(hostent(ws2_32.gethostbyname("127.0.0.9"))[3])
            ws2_32.WSACleanup()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert theirs == [[b"\x7f\0\0\x09"]]
    assert hostent(mine)[3] == [b"\x7f\0\0\1"]
    assert ws.gethostbyaddr(b"\x7f\0\0\1", 4, c.AF_INET) == mine
    assert hostent(mine)[0] == OWN_NAME


def test_gethostbyaddr_refusals(ws):
    v4, v6 = b"\x7f\0\0\1", bytes(15) + b"\1"
    for args, code in [
        ((v4, 4, 99), WSA.WSAEAFNOSUPPORT),
        ((v4, 3, c.AF_INET), WSA.WSAEFAULT),
        ((v4, -1, c.AF_INET), WSA.WSAEFAULT),
        ((None, 4, c.AF_INET), WSA.WSAEFAULT),
        ((v4[:3], 4, c.AF_INET), WSA.WSAEFAULT),
        ((v6, 15, c.AF_INET6), WSA.WSAEINVAL),
        ((v6, 17, c.AF_INET6), WSA.WSAEINVAL),
        *(((p, 4, c.AF_INET), WSA.WSAEFAULT) for p in UNMAPPED),
    ]:
        assert ws.gethostbyaddr(*args) == 0
        assert ws.WSAGetLastError() == code
    assert hostent(ws.gethostbyaddr(v6, 16, c.AF_INET6))[2:] == (c.AF_INET6, [v6])


def servent(at):
    name, aliases, protocol, port = struct.unpack("<QQQ2s", ctypes.string_at(at, 26))
    return text(name), [text(p) for p in pointers(aliases)], text(protocol), int.from_bytes(port, "big")


def test_servent(ws):
    first = ws.getservbyname("http", "tcp")
    assert servent(first) == ("http", ["www", "www-http"], "tcp", 80)
    assert ws.getservbyport(ws.htons(53), b"udp\0") == first
    assert servent(first)[2:] == ("udp", 53)
    assert ws.getservbyname("http", "udp") == 0
    assert ws.WSAGetLastError() == WSA.WSANO_DATA
    for args in ((None, None), *((p, None) for p in UNMAPPED), *(("http", p) for p in UNMAPPED)):
        assert ws.getservbyname(*args) == 0
        assert ws.WSAGetLastError() == WSA.WSAEFAULT


def test_protoent(ws):
    name, aliases, number = struct.unpack("<QQh", ctypes.string_at(ws.getprotobyname("UDP"), 18))
    assert (text(name), [text(p) for p in pointers(aliases)], number) == ("udp", ["UDP"], 17)
    assert ws.getprotobynumber(17) == ws.getprotobyname("tcp") != 0
    assert ws.getprotobynumber(2) == ws.getprotobyname("nonesuch") == 0
    assert ws.WSAGetLastError() == WSA.WSANO_DATA


# -- getaddrinfo


def entries(at, kind=AddrInfo, read=text):
    found = []
    while at:
        e = kind.from_buffer_copy(ctypes.string_at(at, ctypes.sizeof(kind)))
        found.append((e, ctypes.string_at(e.addr, e.addrlen), read(e.canonname) if e.canonname else None))
        at = e.next
    return found


NARROW_AND_WIDE = pytest.mark.parametrize(
    ("find", "free", "read"), [("getaddrinfo", "freeaddrinfo", text), ("GetAddrInfoW", "FreeAddrInfoW", wide)]
)


@NARROW_AND_WIDE
def test_getaddrinfo(ws, find, free, read):
    result = ctypes.c_uint64(GARBAGE)
    hints = AddrInfo(c.AI_CANONNAME, c.AF_INET, c.SOCK_STREAM, 6)
    assert getattr(ws, find)("localhost", "http", hints, result) == 0
    ((entry, sockaddr, name),) = entries(result.value, read=read)
    assert (entry.flags, entry.family, entry.socktype, entry.protocol) == (0, c.AF_INET, c.SOCK_STREAM, 6)
    assert sockaddr == b"\2\0\0\x50\x7f\0\0\1" + bytes(8)
    assert name == "localhost"
    assert getattr(ws, free)(result.value) is None


@NARROW_AND_WIDE
def test_a_list_of_both_families(ws, find, free, read):
    result = bytearray(8)
    for null in (None, 0):
        assert getattr(ws, find)(null, "443", null, result) == 0
        getattr(ws, free)(int.from_bytes(result, "little"))
    assert getattr(ws, find)(None, "443", AddrInfo(), result) == 0
    at = int.from_bytes(result, "little")
    for entry, sockaddr, name in entries(at, read=read):
        assert len(sockaddr) == {c.AF_INET: 16, c.AF_INET6: 28}[entry.family]
        assert sockaddr[:4] == struct.pack("<H", entry.family) + b"\1\xbb"
        assert name is None
    getattr(ws, free)(at)


def test_lists_live_until_freed(ws):
    first, second = ctypes.c_uint64(), ctypes.c_uint64()
    ws.getaddrinfo("127.0.0.1", "1", None, first)
    ws.getaddrinfo("127.0.0.2", "2", None, second)
    assert entries(first.value)[0][1][4:8] == b"\x7f\0\0\1"
    ws.freeaddrinfo(second.value)
    for nothing in (second.value, None, 0, 0x10, "x", 1.5):
        ws.freeaddrinfo(nothing)
    assert entries(first.value)[0][1][4:8] == b"\x7f\0\0\1"
    ws.freeaddrinfo(first)  # not the list but the variable that points to it: no effect
    assert entries(first.value)[0][1][4:8] == b"\x7f\0\0\1"
    ws.freeaddrinfo(first.value)


@NARROW_AND_WIDE
def test_getaddrinfo_refusals(ws, find, free, read):
    call = getattr(ws, find)
    stray = AddrInfo()
    stray.next = 8
    for args, code in [
        ((None, None, None), WSA.WSAHOST_NOT_FOUND),
        (("127.0.0.1", "1", stray), WSA.WSANO_RECOVERY),
        (("127.0.0.1", "1", AddrInfo(socktype=999)), WSA.WSAESOCKTNOSUPPORT),
        (("127.0.0.1", "1", AddrInfo(family=1)), WSA.WSAEAFNOSUPPORT),
        (("127.0.0.1", "nonesuch", None), WSA.WSATYPE_NOT_FOUND),
        (("\ud800", "1", None), WSA.WSAHOST_NOT_FOUND),
        (("127.0.0.1", "\ud800", None), WSA.WSATYPE_NOT_FOUND),
        (("127.0.0.1", "1", bytes(47)), WSA.WSAEFAULT),
        *(((p, "1", None), WSA.WSAEFAULT) for p in UNMAPPED),
        *((("127.0.0.1", p, None), WSA.WSAEFAULT) for p in UNMAPPED),
        *((("127.0.0.1", "1", p), WSA.WSAEFAULT) for p in UNMAPPED),
    ]:
        result = ctypes.c_uint64(GARBAGE)
        assert (call(*args, result), result.value) == (code, 0), args
        assert ws.WSAGetLastError() == code
    for result in (None, bytes(8), bytearray(7), *UNMAPPED):
        assert call("127.0.0.1", "1", None, result) == WSA.WSAEFAULT
    with Process().attached():
        assert call("127.0.0.1", "1", None, bytearray(8)) == WSA.WSANOTINITIALISED


def test_extended(ws):
    result = ctypes.c_uint64(GARBAGE)
    hints = AddrInfoEx(c.AI_CANONNAME, c.AF_INET, c.SOCK_DGRAM, 17)
    nothing = (None,) * 4
    assert ws.GetAddrInfoExW("127.0.0.1", "53", c.NS_DNS, None, hints, result, *nothing) == 0
    ((entry, sockaddr, name),) = entries(result.value, AddrInfoEx, wide)
    assert (entry.socktype, entry.protocol, entry.blob, entry.bloblen, entry.provider) == (c.SOCK_DGRAM, 17, 0, 0, 0)
    assert (sockaddr[:8], name) == (b"\2\0\0\x35\x7f\0\0\1", "127.0.0.1")
    ws.FreeAddrInfoExW(result.value)
    assert ws.GetAddrInfoExA("127.0.0.1", "53", c.NS_ALL, None, None, result, *nothing) == 0
    assert entries(result.value, AddrInfoEx)[0][1][:8] == b"\2\0\0\x35\x7f\0\0\1"
    ws.FreeAddrInfoEx(result.value)
    assert ws.GetAddrInfoExW("127.0.0.1", "53", 99, None, None, result, *nothing) == WSA.WSASERVICE_NOT_FOUND
    assert ws.GetAddrInfoExW(None, None, c.NS_DNS, None, None, result, *nothing) == WSA.WSAHOST_NOT_FOUND
    assert result.value == 0


# -- getnameinfo


def v4(host=(127, 0, 0, 1), port=80):
    return struct.pack("<H", c.AF_INET) + struct.pack(">H", port) + bytes(host) + bytes(8)


V6 = (
    struct.pack("<H", c.AF_INET6)
    + struct.pack(">HI", 443, 0)
    + b"\xfe\x80"
    + bytes(13)
    + b"\1"
    + struct.pack("<I", 9)
)
NUMERIC = c.NI_NUMERICHOST | c.NI_NUMERICSERV


@pytest.mark.parametrize(("name", "unit"), [("getnameinfo", 1), ("GetNameInfoW", 2)])
def test_getnameinfo(ws, name, unit):
    def ask(address, host_room=64, service_room=64, flags=0):
        host, service = bytearray(64 * unit), bytearray(64 * unit)
        assert getattr(ws, name)(address, len(address), host, host_room, service, service_room, flags) == 0
        encoding = "utf-16-le" if unit == 2 else "utf-8"
        return tuple(b.decode(encoding).partition("\0")[0] for b in (host, service))

    assert ask(v4()) == (OWN_NAME, "http")
    assert ask(v4(), 10, 3, NUMERIC) == ("127.0.0.1", "80")
    assert ask(V6, flags=NUMERIC) == ("fe80::1%9", "443")
    assert ask(v4(port=69), flags=c.NI_DGRAM)[1] == "tftp"
    assert ask(v4(port=69))[1] in ("69", "tftp")  # this machine's file may know a tcp one
    service = bytearray(64)
    for null in (None, 0):
        assert getattr(ws, name)(v4(), 16, null, 0, service, 3, NUMERIC) == 0


def test_getnameinfo_refusals(ws):
    host, service = bytearray(64), bytearray(64)
    for args, code in [
        ((None, 16, host, 64, service, 64, 0), WSA.WSAEFAULT),
        ((0x10, 16, host, 64, service, 64, 0), WSA.WSAEFAULT),
        ((v4(), 15, host, 64, service, 64, 0), WSA.WSAEFAULT),
        ((v4()[:10], 16, host, 64, service, 64, 0), WSA.WSAEFAULT),
        ((V6, 27, host, 64, service, 64, 0), WSA.WSAEFAULT),
        ((b"\x01\0" + v4()[2:], 16, host, 64, service, 64, 0), WSA.WSAEAFNOSUPPORT),
        ((v4(), 16, None, 64, None, 64, 0), WSA.WSAHOST_NOT_FOUND),
        ((v4(), 16, host, 0, service, 64, 0), WSA.WSAEINVAL),
        ((v4(), 16, host, 64, service, 0, 0), WSA.WSAEINVAL),
        ((v4(), 16, host, 9, service, 64, NUMERIC), WSA.WSAEFAULT),
        ((v4(), 16, None, 0, service, 2, NUMERIC), WSA.WSAEFAULT),
        ((v4(), 16, bytearray(3), 64, service, 64, NUMERIC), WSA.WSAEFAULT),
        ((v4(), 16, 0x10, 64, service, 64, NUMERIC), WSA.WSAEFAULT),
    ]:
        assert ws.getnameinfo(*args) == code, args
        assert ws.WSAGetLastError() == code


# -- gethostname


@pytest.mark.parametrize(("name", "unit"), [("gethostname", 1), ("GetHostNameW", 2)])
def test_gethostname(ws, name, unit):
    n = len(OWN_NAME) + 1
    out = bytearray(b"\xee" * (n * unit + 4))
    for room in (-1, 0, n - 1):
        assert getattr(ws, name)(out, room) == -1
        assert ws.WSAGetLastError() == WSA.WSAEFAULT
        assert out == b"\xee" * len(out)
    assert getattr(ws, name)(out, n) == 0
    assert out.decode("utf-16-le" if unit == 2 else "latin-1", "replace").startswith(OWN_NAME + "\0")
    for bad in (None, bytes(64), bytearray(1), *UNMAPPED):
        assert getattr(ws, name)(bad, 256) == -1
        assert ws.WSAGetLastError() == WSA.WSAEFAULT


# -- name-space providers


@pytest.mark.parametrize(
    ("name", "size", "read"),
    [
        ("WSAEnumNameSpaceProvidersA", 40, text),
        ("WSAEnumNameSpaceProvidersW", 40, wide),
        ("WSAEnumNameSpaceProvidersExA", 56, text),
        ("WSAEnumNameSpaceProvidersExW", 56, wide),
    ],
)
def test_name_spaces(ws, name, size, read):
    call, n = getattr(ws, name), ctypes.c_uint32(0)
    assert call(n, None) == -1
    assert ws.WSAGetLastError() == WSA.WSAEFAULT
    out = ctypes.create_string_buffer(n.value)
    count = call(n, out)
    found = [struct.unpack_from("<16sIII4xQ", out.raw, size * i) for i in range(count)]
    assert (c.NS_DNS, 1) in [(namespace, active) for _, namespace, active, _, _ in found]
    for *_, name_at in found:
        assert ctypes.addressof(out) < name_at < ctypes.addressof(out) + n.value
        assert read(name_at)
    n.value -= 1
    assert call(n, out) == -1
    assert n.value == len(out)
    assert call(None, out) == -1
    assert ws.WSAGetLastError() == WSA.WSAEFAULT
    for bad in (bytes(n.value), bytearray(n.value - 1), *UNMAPPED):
        assert call(n, bad) == -1
        assert ws.WSAGetLastError() == WSA.WSAEFAULT


# -- whatever comes

anything = (
    st.none()
    | st.integers(-3, 70)
    | st.sampled_from(UNMAPPED)
    | st.binary(max_size=60)
    | st.binary(max_size=60).map(bytearray)
    | st.sampled_from(
        [v4(), V6, "localhost", "127.0.0.1", "", "http", "tcp", "80", "\ud800", 1.5, object(), [], AddrInfo()]
    )
)
ARITY = {
    "gethostbyaddr": 3,
    "getservbyname": 2,
    "getservbyport": 2,
    "getprotobyname": 1,
    "getprotobynumber": 1,
    "gethostname": 2,
    "GetHostNameW": 2,
    "getnameinfo": 7,
    "GetNameInfoW": 7,
    "freeaddrinfo": 1,
    "FreeAddrInfoW": 1,
    "WSAEnumNameSpaceProvidersW": 2,
}


@pytest.fixture
def offline(monkeypatch):
    """Nobody is asked for names that winsock does not know by itself."""

    def unknown(*args):
        raise linux.gaierror(linux.EAI_NONAME, "not asked")

    monkeypatch.setattr("_socket.getaddrinfo", unknown)
    monkeypatch.setattr("_socket.gethostbyaddr", unknown)


@st.composite
def calls(draw):
    name = draw(st.sampled_from(sorted(ARITY)))
    return name, [draw(anything) for _ in range(ARITY[name])]


@given(calls())
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_argument_makes_it_raise(ws, offline, call):
    name, args = call
    getattr(ws, name)(*args)
    assert ws.WSAGetLastError() != WSA.WSASYSCALLFAILURE


@given(st.lists(anything, min_size=3, max_size=3))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_argument_makes_getaddrinfo_raise(ws, offline, args):
    result = ctypes.c_uint64(GARBAGE)
    code = ws.getaddrinfo(*args, result)
    assert code != WSA.WSASYSCALLFAILURE
    assert (code == 0) == (result.value not in (0, GARBAGE))
    ws.freeaddrinfo(result.value)
