"""The parsers against models of their grammar, and what they leave behind when a text is wrong."""

import ipaddress
import re
import socket as linux

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from winsock.abi import _addresses as a

NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")

v4_texts = st.text("0123456789.xXaf ", max_size=20) | st.lists(
    st.sampled_from(["0", "1", "255", "256", "65535", "65536", "0x7f", "0377", "08", "00", "", "4294967296"]),
    min_size=1,
    max_size=5,
).map(".".join)
v6_texts = st.text("0123456789abcdefg:.%[]x", max_size=45) | st.lists(
    st.sampled_from(["0", "1", "ffff", "12345", "", "abc", "1.2.3.4", "255.0.0.01", "256.1.1.1", "0x1", "g"]),
    min_size=1,
    max_size=9,
).map(":".join)


def c_number(part: str) -> int | None:
    if not NUMBER.fullmatch(part):
        return None
    if part[:2] in ("0x", "0X"):
        return int(part, 16)
    return int(part, 8 if part[0] == "0" else 10)


def loose(text: str) -> bytes | None:
    """inet_aton's grammar, from its description."""
    values = [c_number(p) for p in text.split(".")]
    if len(values) > 4 or None in values:
        return None
    *first, last = values
    room = 4 - len(first)
    if any(v > 255 for v in first) or last >= 256**room:
        return None
    return bytes(first) + last.to_bytes(room, "big")


def host_v6(text: str) -> bytes | None:
    """What this machine's C library says, which refuses leading zeros in a dotted tail."""
    head, colon, tail = text.rpartition(":")
    if tail.count(".") == 3 and all(p.isascii() and p.isdigit() and len(p) <= 3 for p in tail.split(".")):
        text = head + colon + ".".join(str(int(p)) for p in tail.split("."))
    try:
        return linux.inet_pton(linux.AF_INET6, text)
    except OSError:
        return None


def complete(parsed: a.Parsed, text: str) -> bytes | None:
    return parsed.data if parsed.ok and parsed.end == len(text) else None


@given(v4_texts)
def test_loose_ipv4(text):
    assert complete(a.ipv4(text, strict=False), text) == loose(text)


@given(v4_texts)
def test_strict_ipv4(text):
    try:
        expected = linux.inet_pton(linux.AF_INET, text)
    except OSError:
        expected = None
    assert complete(a.ipv4(text, strict=True), text) == expected


@given(v6_texts)
@example("1:2:3:4:5:6:7::")
@example("::1.002.3.4")
def test_ipv6(text):
    assert complete(a.ipv6(text), text) == host_v6(text)


@given(v6_texts | v4_texts | st.text(max_size=10))
def test_a_parser_writes_no_more_than_an_address_and_stops_inside_the_text(text):
    for parsed, size in (
        (a.ipv4(text, strict=True), 4),
        (a.ipv4(text, strict=False), 4),
        (a.ipv4(text, strict=False, wrap=True), 4),
        (a.ipv6(text), 16),
    ):
        assert len(parsed.data) <= size
        assert 0 <= parsed.end <= len(text) + 1
        if parsed.ok:
            assert len(parsed.data) == size


@given(v6_texts)
def test_what_follows_the_address_does_not_change_it(text):
    parsed = a.ipv6(text)
    again = a.ipv6(text + " trailing")
    if complete(parsed, text) is not None:
        assert again == parsed


# Spellings of one address: every way to write it must give its bytes.


@st.composite
def spellings(draw):
    data = b"".join(
        draw(st.lists(st.sampled_from([b"\0\0", b"\0\1", b"\xff\xff", b"\x0a\xbc"]), min_size=8, max_size=8))
    )
    groups = [data[i : i + 2].hex() for i in range(0, 16, 2)]
    groups = [g.lstrip("0").rjust(draw(st.integers(1, 4)), "0") for g in groups]
    groups = [g.upper() if draw(st.booleans()) else g for g in groups]
    if draw(st.booleans()):
        groups[6:] = [".".join(str(b) for b in data[12:])]
    runs = [
        (i, j)
        for i in range(len(groups))
        for j in range(i + 1, len(groups) + 1)
        if all("." not in g and int(g, 16) == 0 for g in groups[i:j])
    ]
    if runs and draw(st.booleans()):
        i, j = draw(st.sampled_from(runs))
        return data, ":".join(groups[:i]) + "::" + ":".join(groups[j:])
    return data, ":".join(groups)


@given(spellings())
def test_every_spelling_of_an_address(spelling):
    data, text = spelling
    assert complete(a.ipv6(text), text) == data


groups = st.lists(st.sampled_from([0, 0, 0, 1, 0x5EFE, 0xFFFF, 0x200, 0xABCD]), min_size=8, max_size=8)


@given(groups)
def test_text_of_an_address_reads_back_and_is_short(values):
    data = b"".join(v.to_bytes(2, "big") for v in values)
    text = a.ipv6_text(data)
    assert complete(a.ipv6(text), text) == data
    assert int(ipaddress.IPv6Address(text)) == int.from_bytes(data, "big")
    assert len(text) <= len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
    assert text == text.lower()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("00000000000000000000000000000000", "::"),
        ("00000000000000000000000000000001", "::1"),
        ("0000000000000000000000000a000001", "::10.0.0.1"),
        ("00000000000000000000ffff0a000001", "::ffff:10.0.0.1"),
        ("0000000000000000ffff00000a000001", "::ffff:0:10.0.0.1"),
        ("fe8000000000000000005efe0a000001", "fe80::5efe:10.0.0.1"),
        ("fe8000000000000002005efe0a000001", "fe80::200:5efe:10.0.0.1"),
        ("00010000000200000000000300000004", "1:0:2::3:0:4"),
        ("00010002000300040005000600070000", "1:2:3:4:5:6:7:0"),
    ],
)
def test_known_texts(data, text):
    assert a.ipv6_text(bytes.fromhex(data)) == text


@pytest.mark.parametrize("octets", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
def test_ipv4_text(octets):
    assert a.ipv4_text(octets) == linux.inet_ntoa(octets)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_endpoints_read_back(data, port, scope):
    text = a.ipv6_endpoint_text(data, port, scope)
    assert a.ipv6_endpoint(text) == (True, data, port, scope)
    text = a.ipv4_endpoint_text(data[:4], port)
    assert a.ipv4_endpoint(text, strict=True) == (True, data[:4], port, 0)


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("0x123456789", 0x23456789),  # the leading digit is lost
        ("0xfffffffff", 0xFFFFFFFF),
        ("6234623455", 6234623455 - (1 << 32)),
        ("0x100000000", None),  # a digit that makes the number smaller is noticed
        ("4294967296", None),
        ("99999999999", None),
    ],
)
def test_numbers_above_32_bits(digits, value):
    """A text with a port wraps, one without does not."""
    got = a.ipv4_endpoint(digits, strict=False)
    assert got == ((value is not None), b"" if value is None else value.to_bytes(4, "big"), 0, 0)
    assert not a.ipv4(digits, strict=False).ok


@pytest.mark.parametrize("size", [10_000, 200_000])
def test_absurd_lengths(size):
    for text in (
        "1" * size,
        "0" * size,
        "0x" + "f" * size,
        ":" * size,
        "1:" * size,
        "." * size,
        "1." * size,
        "%" * size,
    ):
        assert not a.ipv4_endpoint(text + "x", strict=False).ok
        assert not a.ipv6_endpoint(text + "x").ok
        assert not a.ipv6_endpoint("[" + text).ok
        assert not a.ipv6_endpoint("::1%" + text + "x").ok
