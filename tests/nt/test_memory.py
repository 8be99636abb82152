"""Pointers: what each kind of argument stands for, and that no bad one ever crashes or writes elsewhere."""

import ctypes
import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.codes import WSA, WinsockError
from winsock.nt import memory
from winsock.nt._virtual import PAGE, Pages

PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE = 1, 2, 4
UNMAPPED = [1, 0x10, 0xFFFF, (1 << 47) - 4096, (1 << 64) - 1, -1, 1 << 70]


def faults(function, *args):
    with pytest.raises(WinsockError) as caught:
        function(*args)
    assert caught.value.code == WSA.WSAEFAULT


@pytest.fixture
def region():
    """Two pages, of which the second cannot be touched."""
    pages = Pages()
    base = pages.alloc(2 * PAGE, PAGE_READWRITE, watched=False)
    pages.protect(base + PAGE, PAGE, PAGE_NOACCESS)
    yield base
    pages.free(base)


def every_kind(data: bytes):
    """The same bytes in memory of each kind, writable ones only."""
    array = (ctypes.c_char * len(data)).from_buffer_copy(data)
    yield "bytearray", bytearray(data)
    yield "memoryview", memoryview(bytearray(data))
    yield "array", array
    yield "byref", ctypes.byref(array)
    yield "address", ctypes.addressof(array)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_write_then_read(data, choose):
    n = choose.draw(st.integers(1, len(data)))
    for kind, ptr in every_kind(bytes(len(data))):
        memory.write(ptr, data[:n])
        assert memory.read(ptr, len(data)) == data[:n] + bytes(len(data) - n), kind


@pytest.mark.parametrize("ptr", [None, *UNMAPPED])
def test_bad_addresses_fault(ptr):
    faults(memory.read, ptr, 4)
    faults(memory.write, ptr, b"data")
    faults(memory.cstring, ptr)
    faults(memory.wstring, ptr)


@pytest.mark.parametrize("ptr", [1.5, object(), [], {}, print])
def test_things_that_are_no_pointers_fault(ptr):
    faults(memory.read, ptr, 4)
    faults(memory.write, ptr, b"data")
    faults(memory.view, ptr, 4)


def test_too_small_is_a_fault_and_writes_nothing():
    data = bytearray(b"abc")
    faults(memory.write, data, b"1234")
    faults(memory.read, data, 4)
    assert data == b"abc"


def test_bytes_cannot_be_written():
    faults(memory.write, b"abcd", b"1234")
    faults(memory.view, b"abcd", 4, True)


def test_write_across_a_forbidden_page_is_a_fault(region):
    faults(memory.write, region + PAGE - 2, b"1234")
    faults(memory.read, region + PAGE - 2, 4)
    memory.write(region + PAGE - 4, b"1234")
    assert memory.read(region + PAGE - 4, 4) == b"1234"


def test_read_only_page_can_be_read_but_not_written():
    pages = Pages()
    base = pages.alloc(PAGE, PAGE_READWRITE, watched=False)
    memory.write(base, b"kept")
    pages.protect(base, PAGE, PAGE_READONLY)
    assert memory.read(base, 4) == b"kept"
    faults(memory.write, base, b"lost")
    faults(memory.writable, base, 4)
    assert memory.read(base, 4) == b"kept"
    pages.free(base)


def test_string_up_to_the_end_of_readable_memory(region):
    memory.write(region + PAGE - 4, b"abc\0")
    assert memory.cstring(region + PAGE - 4) == b"abc"
    memory.write(region + PAGE - 4, b"abcd")
    faults(memory.cstring, region + PAGE - 4)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=50))
def test_wide_strings(text):
    data = (text + "\0").encode("utf-16-le")
    for kind, ptr in every_kind(data):
        assert memory.wstring(ptr) == text, kind
    assert memory.wstring(text) == text


@pytest.mark.parametrize("make", [ctypes.c_uint32, ctypes.c_int32])
def test_numbers_are_written_in_place(make):
    number = make(7)
    memory.write_u32(number, 12)
    assert (number.value, memory.read_u32(number)) == (12, 12)
    other = bytearray(4)
    memory.write_u32(other, 0x01020304)
    assert other == b"\4\3\2\1"


def test_address_of_a_bytearray_is_where_its_bytes_are():
    data = bytearray(b"here")
    assert ctypes.string_at(memory.address(data), 4) == b"here"
    assert memory.address(None) == 0


# -- write watches


@pytest.fixture
def watched():
    pages = Pages()
    base = pages.alloc(4 * PAGE, PAGE_READWRITE, watched=True)
    yield pages, base
    pages.free(base)


def test_only_written_pages_are_reported_until_reset(watched):
    pages, base = watched
    assert pages.written(base, 4 * PAGE, reset=False) == []
    memory.write(base + PAGE + 5, b"x")
    assert pages.written(base, 4 * PAGE, reset=False) == [base + PAGE]
    assert pages.written(base, 4 * PAGE, reset=True) == [base + PAGE]
    assert pages.written(base, 4 * PAGE, reset=False) == []


def test_a_receive_buffer_counts_as_written_before_data_and_not_again_after(watched):
    pages, base = watched
    pages.touch(base + PAGE - 1, 2)
    assert pages.written(base, 4 * PAGE, reset=True) == [base, base + PAGE]
    memory.write(base + PAGE - 1, b"xy")
    pages.filled(base + PAGE - 1, 2)
    assert pages.written(base, 4 * PAGE, reset=False) == []


def test_unwatched_memory_has_no_written_pages():
    pages = Pages()
    base = pages.alloc(mmap.PAGESIZE, PAGE_READWRITE, watched=False)
    with pytest.raises(WinsockError):
        pages.written(base, PAGE, reset=False)
    pages.free(base)
    with pytest.raises(WinsockError):
        pages.free(base)
