"""A big file read by several processes gives what one process finds, whatever stands at the borders."""

from __future__ import annotations

import errno
import os
import random
import signal

import pytest

from winsock.annotate import Scanner, _parallel
from winsock.annotate._parallel import NoProcesses, segments, worth_it

# xdist's workers have threads; the command has none.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

SIGN = b"recv failed: [WinError 10054] \xc3\xa9\n"


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(_parallel, "SEGMENT", 4096)
    monkeypatch.setattr(_parallel, "SMALLEST", 1)


@pytest.fixture
def file(tmp_path):
    """file(data) -> descriptor of a file with these bytes."""
    open_files = []

    def write(data):
        path = tmp_path / f"{len(open_files)}.log"
        path.write_bytes(data)
        open_files.append(os.open(path, os.O_RDONLY))
        return open_files[-1]

    yield write
    for fd in open_files:
        os.close(fd)


def alone(data, encoding=None):
    """(line, text, codes, where it ends) as one scanner finds them, and how many bytes there were."""
    scanner = Scanner(encoding)
    found = []
    at = 0
    for raw, line in (*scanner.feed(data), *scanner.close()):
        at += len(raw)
        if line is not None:
            found.append((line.number, line.text, [h.number for h in line.hits], at))
    return found, at


def together(fd, size, jobs, encoding=None):
    found = []
    stop = 0
    for segment in segments(fd, size, jobs, encoding):
        for at, line in segment.found:
            assert stop <= at
            stop = at
            found.append((line.number, line.text, [h.number for h in line.hits], at))
        assert segment.stop >= stop
        stop = segment.stop
    return found, stop


def log(seed, size):
    """Lines of all lengths, some longer than a segment, and some codes."""
    rng = random.Random(seed)
    parts = []
    done = 0
    while done < size:
        line = rng.choice([
            SIGN, b"\n", b"\r\n", b"x" * rng.choice([1, 60, 4095, 4096, 4097, 9000]) + b"\n",
            b"y WSAENOTCONN\r\n", b"port 10054\n", b"z" * 100 + b"\rWSAENOTSOCK\r",
        ])  # fmt: skip
        parts.append(line)
        done += len(line)
    return b"".join(parts)


@pytest.mark.parametrize("jobs", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_lines_in_the_same_order(file, seed, jobs):
    data = log(seed, 100_000)
    assert together(file(data), len(data), jobs) == alone(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n" * 20_000,
        b"x" * 50_000,
        b"x" * 50_000 + b"\n" + SIGN,
        SIGN * 1000,
        b"x" * 4095 + b"\n" + SIGN,
        b"x" * 4096 + b"\n" + SIGN,
        b"x" * (4096 - len(SIGN)) + b"\n" + SIGN + SIGN,
        b"a\n" * 5000 + b"WSAENOTCONN without an end",
    ],
    ids=["empty", "newlines", "one line", "then a code", "codes", "border", "border+1", "over", "no end"],
)
def test_borders(file, data):
    assert together(file(data), len(data), 2) == alone(data)


def test_a_code_page_is_the_same_for_all(file):
    text = "日本語の行 2026\n" * 500 + "既存の接続はリモート ホストに強制的に切断されました。\n" * 3
    data = (text * 3).encode("cp932")
    assert together(file(data), len(data), 2) == alone(data)
    assert together(file(data), len(data), 2, "cp932") == alone(data, "cp932")


def test_a_file_that_has_grown_is_read_to_its_end(file, tmp_path):
    data = SIGN * 1000
    fd = file(data)
    assert together(fd, len(data) // 2, 2) == alone(data)


def test_a_file_that_has_shrunk_is_read_to_its_end(file):
    data = SIGN * 1000
    found, stop = together(file(data), len(data) * 3, 2)
    assert (found, stop) == alone(data)


def test_what_is_worth_it(file, tmp_path, monkeypatch):
    fd = file(SIGN)
    assert worth_it(fd, 100, 2, None)
    assert not worth_it(fd, 100, 1, None)
    assert not worth_it(file("\ufeffx\n".encode("utf-16-le")), 100, 2, None)
    assert not worth_it(fd, 100, 2, "utf-16")
    assert worth_it(fd, 100, 2, "cp932")
    monkeypatch.setattr(_parallel, "SMALLEST", 101)
    assert not worth_it(fd, 100, 2, None)
    ours, theirs = os.pipe()
    assert not worth_it(ours, 1000, 2, None)
    os.close(ours)
    os.close(theirs)


def test_stopping_early_leaves_no_process(file):
    data = SIGN * 5000
    parts = segments(file(data), len(data), 2, None)
    next(parts)
    parts.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_file_that_cannot_be_read(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            list(segments(fd, 10_000, 2, "utf-8"))
    finally:
        os.close(fd)


def test_a_helper_that_dies_is_an_error(file, monkeypatch):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(_parallel, "_work", die)
    data = SIGN * 1000
    with pytest.raises(OSError, match="helper"):
        list(segments(file(data), len(data), 2, None))


def test_no_process_can_be_started(file, monkeypatch):
    def refuse():
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    data = SIGN * 1000
    with pytest.raises(NoProcesses):
        list(segments(file(data), len(data), 2, None))
