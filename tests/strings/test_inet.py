"""inet_addr, inet_ntoa, inet_pton, inet_ntop and their wide forms."""

import ctypes
import threading

import pytest

from winsock import Process, ws2_32
from winsock.abi import _constants as c
from winsock.codes import NTSTATUS, WSA

MARK = 0x12345
UNMAPPED = [1, 0x10, 0xFFFF, (1 << 47) - 4096, (1 << 64) - 1, -1, 1 << 70]
WIDE = "utf-16-le"


@pytest.fixture(autouse=True)
def marked():
    """The last error is one that nobody sets.  These functions need no WSAStartup."""
    with Process().attached():
        ws2_32.WSASetLastError(MARK)
        yield


def error():
    return ws2_32.WSAGetLastError()


# -- inet_addr, inet_ntoa


@pytest.mark.parametrize("text", ["10.1", "10.0.0.1", "0xa.0.1", "012.1", "167772161"])
def test_inet_addr_reads_every_notation(text):
    for kind in (
        text,
        text.encode() + b"\0",
        bytearray(text.encode() + b"\0"),
        ctypes.create_string_buffer(text.encode()),
    ):
        assert ws2_32.inet_addr(kind) == 0x0100000A
    assert error() == MARK


def test_inet_addr_reads_from_an_address():
    text = ctypes.create_string_buffer(b"127.0.0.1")
    assert ws2_32.inet_addr(ctypes.addressof(text)) == 0x0100007F


def test_inet_addr_takes_a_space_for_zero_and_nothing_for_none():
    assert ws2_32.inet_addr(" ") == 0
    assert ws2_32.inet_addr("") == ws2_32.inet_addr("  ") == c.INADDR_NONE
    assert error() == MARK


@pytest.mark.parametrize("pointer", [None, *UNMAPPED])
def test_inet_addr_of_nothing(pointer):
    assert ws2_32.inet_addr(pointer) == c.INADDR_NONE
    assert error() == WSA.WSAEFAULT


def read(pointer):
    return ctypes.string_at(pointer)


def test_inet_ntoa_has_one_text_per_thread():
    first = ws2_32.inet_ntoa(0x0100007F)
    theirs = []

    def other():
        theirs.append(read(ws2_32.inet_ntoa(0x04030201)))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert (read(first), theirs) == (b"127.0.0.1", [b"1.2.3.4"])
    assert ws2_32.inet_ntoa(0xFFFFFFFF) == first
    assert read(first) == b"255.255.255.255"


def test_inet_ntoa_takes_the_structure():
    assert read(ws2_32.inet_ntoa(bytes([192, 0, 2, 1]))) == b"192.0.2.1"
    assert read(ws2_32.inet_ntoa((ctypes.c_ubyte * 4)(10, 0, 0, 1))) == b"10.0.0.1"


# -- inet_pton


def pton(function, family, text, size=16):
    out = bytearray(b"\xee" * size)
    return function(family, text, out), bytes(out)


BOTH = pytest.mark.parametrize("function", [ws2_32.inet_pton, ws2_32.InetPtonW], ids=["A", "W"])


@BOTH
def test_pton(function):
    assert pton(function, c.AF_INET, "192.0.2.1", 4) == (1, bytes([192, 0, 2, 1]))
    assert pton(function, c.AF_INET6, "2001:db8::1") == (1, bytes.fromhex("20010db8" + "00" * 11 + "01"))
    assert error() == MARK


def test_pton_reads_either_width():
    assert pton(ws2_32.inet_pton, c.AF_INET6, b"::1\0")[0] == 1
    assert pton(ws2_32.InetPtonW, c.AF_INET6, "::1\0".encode(WIDE))[0] == 1
    assert pton(ws2_32.InetPtonW, c.AF_INET6, b"::1\0")[0] == 0


@pytest.mark.parametrize("text", ["192.0.2", "192.0.2.256", "192.0.2.01", "0x1.2.3.4", "", "\ud800", "１.2.3.4", "x"])
def test_pton_refuses(text):
    assert pton(ws2_32.inet_pton, c.AF_INET, text, 4) == (0, b"\xee" * 4)
    assert error() == MARK
    assert pton(ws2_32.InetPtonW, c.AF_INET, text, 4) == (0, b"\xee" * 4)
    assert error() == WSA.WSAEINVAL


@BOTH
def test_pton_leaves_what_it_parsed(function):
    assert pton(function, c.AF_INET, "192.0.2.1 ", 4) == (0, bytes([192, 0, 2, 1]))
    assert pton(function, c.AF_INET6, "1:2:zzz") == (0, b"\0\1\0\2" + b"\xee" * 12)


@BOTH
def test_pton_refuses_pointers_before_families(function):
    out = bytearray(16)
    for text, target in ((None, out), ("::1", None), *((p, out) for p in UNMAPPED), *(("::1", p) for p in UNMAPPED)):
        assert function(c.AF_INET6, text, target) == -1
        assert error() == WSA.WSAEFAULT
    assert function(c.AF_UNSPEC, None, out) == -1
    assert error() == WSA.WSAEFAULT
    for family in (c.AF_UNSPEC, c.AF_UNIX, 10, -2, 1 << 40):
        assert function(family, "::1", out) == -1
        assert error() == WSA.WSAEAFNOSUPPORT


@BOTH
@pytest.mark.parametrize(
    "out", [bytes(16), bytearray(15), memoryview(bytes(16)), [0] * 16, 1.5], ids=lambda out: type(out).__name__
)
def test_pton_needs_room(function, out):
    assert function(c.AF_INET6, "::1", out) == -1
    assert error() == WSA.WSAEFAULT


def test_pton_writes_to_an_address():
    out = (ctypes.c_ubyte * 4)()
    assert ws2_32.inet_pton(c.AF_INET, "1.2.3.4", ctypes.addressof(out)) == 1
    assert bytes(out) == bytes([1, 2, 3, 4])


# -- inet_ntop


def test_ntop():
    out = bytearray(b"\xee" * 20)
    pointer = ws2_32.inet_ntop(c.AF_INET, bytes([192, 0, 2, 1]), out, 20)
    assert pointer == ctypes.addressof(ctypes.c_char.from_buffer(out))
    assert bytes(out[:10]) == b"192.0.2.1\0"
    assert bytes(out[10:]) == b"\xee" * 10
    assert error() == MARK


def test_ntop_wide():
    out = (ctypes.c_ubyte * 64)()
    assert ws2_32.InetNtopW(c.AF_INET6, bytes(15) + b"\1", ctypes.addressof(out), 4) == ctypes.addressof(out)
    assert bytes(out[:8]).decode(WIDE) == "::1\0"


@pytest.mark.parametrize(
    ("function", "refusal"),
    [(ws2_32.inet_ntop, NTSTATUS.STATUS_INVALID_PARAMETER), (ws2_32.InetNtopW, c.ERROR_INVALID_PARAMETER)],
    ids=["A", "W"],
)
def test_ntop_refuses(function, refusal):
    out = bytearray(b"\xee" * 64)
    address = bytes([192, 0, 2, 1])
    for args, code in [
        ((c.AF_INET, address, out, 9), refusal),  # one short of the NUL
        ((c.AF_INET, address, out, 0), refusal),
        ((c.AF_INET, address, None, 16), refusal),
        ((c.AF_INET, address, 0, 16), refusal),
        ((c.AF_INET, None, out, 16), refusal),
        ((c.AF_UNIX, address, out, 16), WSA.WSAEAFNOSUPPORT),
        ((c.AF_INET, 0x10, out, 16), WSA.WSAEFAULT),
        ((c.AF_INET, address, 0x10, 16), WSA.WSAEFAULT),
        ((c.AF_INET, address[:3], out, 16), WSA.WSAEFAULT),
        ((c.AF_INET, address, bytes(16), 16), WSA.WSAEFAULT),
    ]:
        assert function(*args) == 0
        assert error() == code
    assert out == b"\xee" * 64
