"""CPython's rule from winerror to errno and exception class, against tables written out by hand."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.codes import WSA, errno_class, exception_class, to_hresult, winerror_to_errno

# errno of the C runtime, and every Win32 error with that errno
C_RUNTIME = """
    ENOENT 2:     2 3 15 18 53 67 161 206
    E2BIG 7:      10
    ENOEXEC 8:    11 188 189 190 191 192 193 194 195 196 197 198 199 200 201 202
    EBADF 9:      6 114 130
    ECHILD 10:    128 129
    EAGAIN 11:    89 164 215
    ENOMEM 12:    7 8 9 1816
    EACCES 13:    5 16 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 65 82 83 108 132 158 167
    EEXIST 17:    80 183
    EXDEV 18:     17
    ENOTDIR 20:   267
    EMFILE 24:    4
    ENOSPC 28:    112
    EPIPE 32:     109 232
    ENOTEMPTY 41: 145
    EILSEQ 42:    1113
"""
BY_WINERROR = {
    int(winerror): int(line.split()[1].rstrip(":"))
    for line in C_RUNTIME.strip().splitlines()
    for winerror in line.split(":")[1].split()
}
if sys.version_info >= (3, 13):
    BY_WINERROR[258] = 138  # WAIT_TIMEOUT is ETIMEDOUT since then

WINSOCK_WITH_C_ERRNO = {10004: 4, 10009: 9, 10013: 13, 10014: 14, 10022: 22, 10024: 24}

CLASSES = {
    2: FileNotFoundError,
    5: PermissionError,
    32: PermissionError,
    80: FileExistsError,
    89: BlockingIOError,
    109: BrokenPipeError,
    128: ChildProcessError,
    232: BrokenPipeError,
    267: NotADirectoryError,
    10004: InterruptedError,
    10013: PermissionError,
    10035: BlockingIOError,
    10036: BlockingIOError,
    10037: BlockingIOError,
    10053: ConnectionAbortedError,
    10054: ConnectionResetError,
    10058: BrokenPipeError,
    10060: TimeoutError,
    10061: ConnectionRefusedError,
}


def test_errno_of_every_win32_error():
    assert {n: winerror_to_errno(n) for n in range(10000)} == {n: BY_WINERROR.get(n, 22) for n in range(10000)}


def test_winsock_codes_are_their_own_errno_but_for_six():
    others = {n: winerror_to_errno(n) for n in range(10000, 12000) if winerror_to_errno(n) != n}
    assert others == WINSOCK_WITH_C_ERRNO


@pytest.mark.parametrize("code", WSA, ids=lambda code: code.name)
def test_class_of_every_winsock_code(code):
    assert exception_class(code) is CLASSES.get(code, OSError)


@pytest.mark.parametrize("winerror", [n for n in CLASSES if n < 10000])
def test_class_of_win32_errors(winerror):
    assert exception_class(winerror) is CLASSES[winerror]


@pytest.mark.parametrize("winerror", [64, 121, 995, 1225, 1236, 231, 234, 11999, 12000, 0])
def test_plain_oserror(winerror):
    assert exception_class(winerror) is OSError


@given(st.integers(1, 0xFFFF))
def test_hresult_counts_as_the_code_inside(code):
    hresult = to_hresult(code)
    for form in (hresult, hresult - 2**32):
        assert winerror_to_errno(form) == winerror_to_errno(code)
        assert exception_class(form) is exception_class(code)


@given(st.integers(-(2**40), 2**40))
def test_any_number_gets_an_errno_and_a_class(number):
    assert winerror_to_errno(number) > 0
    assert issubclass(exception_class(number), OSError)


def test_a_wait_that_timed_out_is_a_timeout_error_since_3_13():
    assert exception_class(258) is (TimeoutError if sys.version_info >= (3, 13) else OSError)


def test_class_by_windows_errno_is_not_linux_errno():
    assert errno_class(11) is BlockingIOError
    assert errno_class(104) is OSError  # Linux' ECONNRESET
    assert errno_class(10054) is ConnectionResetError
