"""Every row of the table of options, on every kind of socket: what it promises is what the calls do."""

from __future__ import annotations

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._options import (
    ALIASES,
    BY_NUMBER,
    DATAGRAM,
    FOREIGN,
    LEVELS,
    OPTIONS,
    RAW,
    STREAM,
    Fidelity,
    Option,
    Short,
)
from winsock.codes import WSA

KINDS = [(f, t) for f in (c.AF_INET, c.AF_INET6) for t in (*STREAM, *DATAGRAM, *RAW)]
KINDS.append((c.AF_UNIX, c.SOCK_STREAM))
NAMES = {c.AF_INET: "v4", c.AF_INET6: "v6", c.AF_UNIX: "unix"}
ROOM = 1024


def every(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda r: f"{r.level_label}-{r.label}")


every_kind = pytest.mark.parametrize(
    ("family", "kind"), KINDS, ids=[f"{NAMES[f]}-{('', 'stream', 'datagram', 'raw')[t]}" for f, t in KINDS]
)

LIVING = [r for r in OPTIONS if not r.refusal]
MADE = {"SO_OPENTYPE"}  # not of sockets
NEEDS_STATE = {"IP_MTU", "IPV6_MTU", "IP_GET_IFLIST", "IPV6_GET_IFLIST", "SO_PROTOCOL_INFOA", "SO_PROTOCOL_INFOW"}
PLAIN = [r for r in LIVING if r.label not in MADE]
KEPT = [
    r
    for r in PLAIN
    if r.get and r.set and r.layout.size in (1, 4) and isinstance(r.default, int) and not r.label.endswith("_IF")
]


def sample(row: Option) -> int:
    """An allowed value that is not the default."""
    if row.boolean:
        return int(not row.default)
    for value in (row.high, row.low, 2):
        if value != row.default and row.low <= value <= row.high:
            return min(value, 3) if row.low <= 3 <= row.high and value != row.low else value
    raise AssertionError("there is only one value")


def socket_for(lab, row: Option) -> int:
    for family, kind in KINDS:
        if row.applies(family, kind):
            return lab.socket(family, kind)
    raise AssertionError(f"no socket has {row.label}")


# -- the table itself


def test_every_number_stands_once():
    assert len(BY_NUMBER) == len(OPTIONS)


def test_aliases_have_the_same_number():
    for alias, label in ALIASES.items():
        row = next(r for r in OPTIONS if r.label == label)
        assert getattr(c, alias, row.name) == row.name


@every(OPTIONS + FOREIGN)
def test_tags_say_what_they_must(row):
    assert (row.fidelity is Fidelity.REFUSED) == bool(row.refusal)
    assert row.note or row.fidelity is Fidelity.EXACT
    assert row.elsewhere in WSA.__members__
    assert not row.refusal or row.refusal in WSA.__members__
    assert row.level == LEVELS[row.level_label]


# -- reading


@every([r for r in PLAIN if r.label not in NEEDS_STATE])
@every_kind
def test_reading(lab, row, family, kind):
    s = lab.socket(family, kind)
    result, data, n = lab.query(s, row.level, row.name, ROOM)
    if not row.get:
        lab.fails(result, WSA.WSAENOPROTOOPT)
    elif not row.applies(family, kind):
        lab.fails(result, WSA[row.elsewhere])
        assert n == ROOM
        assert set(data) == {0xEE}
    else:
        lab.ok(result)
        default = row.default_for(kind)
        if isinstance(default, int):
            assert int.from_bytes(data[:n], "little") == default
        elif isinstance(default, bytes):
            assert data[:n] == default
        if row.layout.size and row.label != "SO_BSP_STATE":
            assert n == row.layout.size


@every([r for r in OPTIONS if r.refusal] + list(FOREIGN))
@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM], ids=["stream", "datagram"])
def test_refused_options_are_refused_both_ways(lab, row, kind):
    s = lab.socket(c.AF_INET, kind)
    lab.fails(lab.query(s, row.level, row.name)[0], WSA[row.refusal])
    lab.fails(lab.set(s, row.level, row.name, 1), WSA[row.refusal])


# -- setting


@every([r for r in KEPT if r.low < r.high])
def test_a_value_reads_back(lab, row):
    s = socket_for(lab, row)
    value = sample(row)
    lab.ok(lab.set(s, row.level, row.name, value))
    assert lab.value(s, row.level, row.name) == value


@every([r for r in KEPT if r.boolean])
def test_truth_is_made_1(lab, row):
    s = socket_for(lab, row)
    for given, kept in (2, 1), (0, 0), (0xFF, 1):
        lab.ok(lab.set(s, row.level, row.name, given))
        assert lab.value(s, row.level, row.name) == kept


@every([r for r in KEPT if not r.boolean and (r.low, r.high) != (0, 0xFFFFFFFF)])
def test_values_out_of_range_change_nothing(lab, row):
    s = socket_for(lab, row)
    before = lab.value(s, row.level, row.name)
    for value in (row.low - 1, row.high + 1):
        if 0 <= value <= 0xFFFFFFFF:
            lab.fails(lab.set(s, row.level, row.name, value), WSA.WSAEINVAL)
            assert lab.value(s, row.level, row.name) == before


@every([r for r in PLAIN if not r.set])
def test_what_cannot_be_set(lab, row):
    for family, kind in KINDS:
        if row.applies(family, kind):
            s = lab.socket(family, kind)
            code = WSA.WSAENOPROTOOPT if kind == c.SOCK_STREAM else WSA.WSAEINVAL
            lab.fails(lab.set(s, row.level, row.name, 1), code)


@every(PLAIN)
def test_setting_where_it_is_not(lab, row):
    for family, kind in KINDS:
        if not row.applies(family, kind):
            lab.fails(lab.set(lab.socket(family, kind), row.level, row.name, 1), WSA[row.elsewhere])
            return
    assert row.label.startswith("SO_"), "every other option is missing somewhere"


# -- lengths


@every([r for r in PLAIN if r.set and r.layout.least > 1])
def test_too_few_bytes_change_nothing(lab, row):
    s = socket_for(lab, row)
    for size in (0, 1, row.layout.least - 1):
        lab.fails(lab.set(s, row.level, row.name, 1, size), WSA.WSAEFAULT)


@every([r for r in KEPT if r.layout.least <= 1])
def test_one_byte_is_enough(lab, row):
    s = socket_for(lab, row)
    value = sample(row) & 0xFF
    lab.ok(lab.set(s, row.level, row.name, 0xFFFFFF00 | value, 1))
    assert lab.value(s, row.level, row.name) == value


@every(KEPT)
def test_negative_lengths(lab, row):
    s = socket_for(lab, row)
    result = lab.set(s, row.level, row.name, max(1, row.low), -1)
    if row.layout.negative:
        lab.ok(result)
    else:
        lab.fails(result, WSA.WSAENOBUFS)


@every([r for r in KEPT if r.layout.size == 4])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_buffers(lab, row, size):
    s = socket_for(lab, row)
    value = row.default_for(lab.endpoint(s).type)
    result, data, n = lab.query(s, row.level, row.name, size)
    raw = value.to_bytes(4, "little")
    rest = bytes([0xEE])
    short = row.layout.short
    if short in (Short.BYTE, Short.PADDED):
        lab.ok(result)
        assert n == 1
        assert data[:size] == (raw[:1] + rest * (size - 1) if short is Short.BYTE else raw[:size])
    else:
        lab.fails(result, WSA.WSAEFAULT)
        assert data[:size] == (bytes(size) if short is Short.BLANK else rest * size)
        assert n == (0 if short is Short.LENGTH else size)
    assert set(data[size:]) == {0xEE}


@every([r for r in PLAIN if r.get and r.layout.size and not r.label.endswith("_MTU")])
def test_no_room_at_all(lab, row):
    s = socket_for(lab, row)
    for size in (0, -1):
        lab.fails(lab.query(s, row.level, row.name, size)[0], WSA.WSAEFAULT)


# -- what is unknown


@pytest.mark.parametrize("level", sorted({r.level for r in OPTIONS}))
@pytest.mark.parametrize("name", [-1, 0x7654321])
def test_unknown_options_of_known_levels(lab, level, name):
    s = lab.socket()
    lab.fails(lab.query(s, level, name)[0], WSA.WSAENOPROTOOPT)
    lab.fails(lab.set(s, level, name, 1), WSA.WSAENOPROTOOPT)


@pytest.mark.parametrize("level", [1, 0x29 + 1000, -1, 0x7FFFFFFF, c.IPPROTO_RAW])
def test_unknown_levels(lab, level):
    s = lab.socket()
    lab.fails(lab.query(s, level, c.SO_TYPE)[0], WSA.WSAEINVAL)
    lab.fails(lab.set(s, level, c.SO_TYPE, 1), WSA.WSAEINVAL)


def test_linux_numbers_are_unknown(lab):
    """A program that has Linux' SOL_SOCKET (1) or SO_REUSEADDR (2) meets what it would meet on Windows."""
    s = lab.socket()
    lab.fails(ws.setsockopt(s, 1, 2, b"\1\0\0\0", 4), WSA.WSAEINVAL)
