"""The parsers of addresses are models: what they say of random texts is what the functions do, here and on Wine."""

import ctypes
import random
import struct

import pytest

from winsock.abi import _addresses as a
from winsock.abi import _constants as c

SEEDS = {
    c.AF_INET: "1.2.3.4 127.0.0.1:80 0x7f.1 010.2.3 1.2 12345 255.255.255.255:65535 0xffffffff 1.2.3.08 4294967295",
    c.AF_INET6: ":: ::1 1:2:3:4:5:6:7:8 fe80::1%4 [::1]:80 ::ffff:1.2.3.4 1:2:3:4:5:6:1.2.3.4 1:2:3:4:5:6:7:: "
    "::2:3:4:5:6:7:8 1111:2222::3333:4444:0x55 [1::2%5]:0x50",
}
LETTERS = {c.AF_INET: "0123456789.:xXa ]+-%", c.AF_INET6: "0123456789abfFgxX:.%[] "}
EMPTY = b"\xab"


def mutated(rng, family):
    """A text near one that is right."""
    text = list(rng.choice(SEEDS[family].split()))
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        at = rng.randrange(len(text) + 1)
        text[at : at + rng.choice([0, 1])] = rng.choice(["", *LETTERS[family]])
    return "".join(text)


def texts(family, count=400):
    rng = random.Random(f"twins {family}")
    return [mutated(rng, family) for _ in range(count)]


@pytest.mark.parametrize("function", ["inet_pton", "InetPtonW"])
@pytest.mark.parametrize(("family", "size"), [(c.AF_INET, 4), (c.AF_INET6, 16)])
def test_pton(ws, function, family, size):
    for text in texts(family):
        parsed = a.ipv4(text, strict=True) if size == 4 else a.ipv6(text)
        out = bytearray(EMPTY * size)
        ret = getattr(ws, function)(family, text, out).ret
        assert (ret, bytes(out)) == (parsed.ok and parsed.end == len(text), parsed.data.ljust(size, EMPTY)), text


@pytest.mark.parametrize("function", ["WSAStringToAddressA", "WSAStringToAddressW"])
@pytest.mark.parametrize("family", [c.AF_INET, c.AF_INET6])
def test_string_to_address(ws, function, family):
    for text in texts(family):
        if family == c.AF_INET:
            found = a.ipv4_endpoint(text, strict=False)
            rest = found.data.ljust(4, b"\0") + bytes(8)
        else:
            found = a.ipv6_endpoint(text)
            rest = bytes(4) + found.data.ljust(16, b"\0") + struct.pack("<I", found.scope)
        expected = struct.pack("<H", family * found.ok) + struct.pack(">H", found.port) + rest
        out, n = bytearray(EMPTY * len(expected)), ctypes.c_int32(len(expected))
        ret = getattr(ws, function)(text, family, None, out, n).ret
        assert (ret, out) == (0 if found.ok else -1, expected), text


def test_inet_addr(ws):
    for text in texts(c.AF_INET):
        ok, data, end = a.ipv4(text, strict=False)
        whole = ok and (end == len(text) or text[end] == " ")
        expected = data if whole else bytes(4 * (text == " ")) or b"\xff" * 4
        assert struct.pack("<I", ws.inet_addr(text).ret & c.INADDR_NONE) == expected, text


def test_ntop(ws):
    rng = random.Random("ntop")
    groups = [b"\0\0", b"\0\0", b"\0\1", b"\xff\xff", b"\x5e\xfe", b"\2\0", b"\xab\xcd"]
    for _ in range(400):
        data = b"".join(rng.choices(groups, k=8))
        out = bytearray(64)
        assert ws.inet_ntop(c.AF_INET6, data, out, 64).ret
        assert out.partition(b"\0")[0].decode() == a.ipv6_text(data)
