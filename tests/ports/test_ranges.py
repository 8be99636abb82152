"""Sets of ports as ranges: parsing the kernel's list, adding and taking away."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.ports import _kernel_list
from winsock.ports._kernel_list import common, merged, parse, without

PORTS = st.integers(0, 60)
RANGES = st.lists(st.tuples(PORTS, PORTS).map(lambda ab: (min(ab), max(ab))), max_size=8)


def ports(ranges: list[tuple[int, int]]) -> set[int]:
    return {p for a, b in ranges for p in range(a, b + 1)}


def is_tidy(ranges: list[tuple[int, int]]) -> bool:
    return all(a <= b for a, b in ranges) and all(x[1] + 1 < y[0] for x, y in pairwise(ranges))


@given(RANGES, RANGES)
def test_they_are_sets(one, other):
    assert ports(merged(one)) == ports(one)
    assert ports(without(one, other)) == ports(one) - ports(other)
    assert ports(common(one, other)) == ports(one) & ports(other)
    assert is_tidy(merged(one))
    assert is_tidy(without(one, other))
    assert is_tidy(common(one, other))


@given(RANGES)
def test_what_is_written_is_read(ranges):
    assert parse(_kernel_list._text(ranges)) == merged(ranges)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"\n", []),
        (b"", []),
        (b"80\n", [(80, 80)]),
        (b"80,8080-8090,65535\n", [(80, 80), (8080, 8090), (65535, 65535)]),
        (b"5-9,1-4", [(1, 9)]),
    ],
)
def test_lists(text, found):
    assert parse(text) == found


@pytest.mark.parametrize("text", [b"a", b"5-3", b"1-70000", b"1-2-3", b"1;2", b"\xff", b"-5"])
def test_what_is_no_list(text):
    with pytest.raises(ValueError):
        parse(text)


@given(st.binary(max_size=40))
def test_any_bytes(data):
    try:
        found = parse(data)
    except ValueError:
        return
    assert is_tidy(found)


def test_a_file_in_place_of_the_kernels(tmp_path, monkeypatch):
    file = tmp_path / "list"
    file.write_text("5000-5100,7000\n")
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", str(file))
    _kernel_list.add([(5101, 5101), (1, 2)])
    assert file.read_text() == "1-2,5000-5101,7000\n"
    _kernel_list.replace([(9, 9)])
    assert file.read_text() == "9\n"
    _kernel_list.replace([])
    assert file.read_text() == "\n"
    assert _kernel_list.read() == []


def test_no_list_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", "")
    _kernel_list.add([(1, 2)])
    assert _kernel_list.read() == []
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", str(tmp_path / "missing"))
    assert _kernel_list.ranges() == []
    with pytest.raises(OSError):
        _kernel_list.read()
