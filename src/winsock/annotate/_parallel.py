"""A big file by several processes, its lines in order.

The file is dealt out in segments to forked processes, each of which scans every n-th one and sends what it found
through a pipe; full pipes make it wait, so memory stays bounded.  A line belongs to the segment that it begins in.
Processes, because the searches hold the interpreter's lock; fork, because it takes a millisecond and this package
is single-threaded here.
"""

from __future__ import annotations

import errno
import marshal
import os
import signal
from collections import namedtuple

from winsock.annotate._encoding import is_wide, needs_transcoding, normal, sniff
from winsock.annotate._find import Hit
from winsock.annotate._scan import Line, Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SEGMENT = 1 << 22
SMALLEST = 1 << 25  # files that are worth it
_READ = 1 << 20
_PREFIX = 8

_Segment = namedtuple("_Segment", "stop found encoding guessed cut")


class Segment(_Segment):
    """What a segment of the file holds."""

    __slots__ = ()

    stop: int  # where its last line ends, in bytes
    found: list[tuple[int, Line]]  # lines with socket errors, and where each ends
    encoding: str
    guessed: bool
    cut: int


class NoProcesses(Exception):
    """Not one more process could be started."""


def worth_it(fd: int, size: int, jobs: int, encoding: str | None) -> bool:
    """Whether the file can be, and should be, read by several processes."""
    if jobs < 2 or size < SMALLEST:
        return False
    try:
        head = os.pread(fd, _READ, 0)
    except OSError:  # a pipe
        return False
    if encoding is not None:
        return not needs_transcoding(normal(encoding))
    return not is_wide(sniff(head)[0])


def segments(fd: int, size: int, jobs: int, encoding: str | None) -> Generator[Segment, None, None]:
    """The file's segments in order.

    Raises OSError when the file cannot be read to its end, and NoProcesses before the first segment.
    """
    page = normal(encoding) if encoding else _first_page(fd)
    count = max(1, -(-size // SEGMENT))
    workers: list[tuple[int, int]] = []
    try:
        for worker in range(min(jobs, count)):
            workers.append(_start(worker, min(jobs, count), count, fd, page, encoding is not None, workers))
        lines = at_least = 0
        for number in range(count):
            data = _receive(workers[number % len(workers)][0])
            reason, more, stop, found, *state = marshal.loads(data)
            if reason:
                raise OSError(reason, os.strerror(reason))
            rows = [
                (at, Line(lines + relative, text, [Hit(*hit) for hit in hits], cut))
                for at, (relative, text, hits, cut) in found
            ]
            yield Segment(max(at_least, stop), rows, *state)
            at_least = max(at_least, stop)
            lines += more
    finally:
        for pipe, _ in workers:
            os.close(pipe)  # who still works gets EPIPE
        for _, pid in workers:
            os.waitpid(pid, 0)


def _first_page(fd: int) -> str:
    """The code page that the beginning of the file shows, so that all processes start from the same."""
    scanner = Scanner()
    for _ in scanner.feed(os.pread(fd, SEGMENT, 0)):
        pass
    return scanner.encoding


def _start(
    worker: int, workers: int, count: int, fd: int, page: str, given: bool, others: list[tuple[int, int]]
) -> tuple[int, int]:
    ours, theirs = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(ours)
        os.close(theirs)
        raise NoProcesses from error
    if pid:
        os.close(theirs)
        return ours, pid
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for pipe in (ours, *(pipe for pipe, _ in others)):
            os.close(pipe)
        for number in range(worker, count, workers):
            end = None if number == count - 1 else (number + 1) * SEGMENT
            scanner = Scanner.in_the_middle(page, given)
            _send(theirs, _work(fd, number * SEGMENT, end, scanner))
            page = scanner.encoding
    finally:
        os._exit(0)


def _work(fd: int, begin: int, end: int | None, scanner: Scanner) -> bytes:
    """Scan the lines that begin in a segment; without an end, to that of the file."""
    found: list[tuple[int, tuple[object, ...]]] = []
    done = begin

    def take(pieces: Iterator[tuple[bytes, Line | None]]) -> None:
        nonlocal done
        for raw, line in pieces:
            done += len(raw)
            if line is not None:
                hits = [tuple(hit) for hit in line.hits]
                found.append((done, (line.number, line.text, hits, line.cut)))

    try:
        done = at = _line_start(fd, begin, end)
        while data := os.pread(fd, _READ, at) if at >= 0 else b"":
            at += len(data)
            if end is not None and at >= end and (stop := data.find(b"\n", max(0, end - 1 - at + len(data)))) >= 0:
                data = data[: stop + 1]
                at = -1  # the next line is another segment's
            take(scanner.feed(data))
        take(scanner.close())
    except OSError as error:
        return marshal.dumps((error.errno, 0, 0, (), "", False, 0))
    return marshal.dumps((0, scanner.lines, done, found, scanner.encoding, scanner.guessed, scanner.cut))


def _line_start(fd: int, begin: int, end: int | None) -> int:
    """Where the first line that begins in a segment does; -1 when none does."""
    if not begin:
        return 0
    at = begin - 1
    while end is None or at < end - 1:
        data = os.pread(fd, _READ, at)
        if not data:
            return -1
        stop = data.find(b"\n")
        if stop >= 0:
            at += stop + 1
            return at if end is None or at < end else -1
        at += len(data)
    return -1


def _send(pipe: int, data: bytes) -> None:
    rest = memoryview(len(data).to_bytes(_PREFIX, "little") + data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _receive(pipe: int) -> bytes:
    size = int.from_bytes(_read(pipe, _PREFIX), "little")
    return _read(pipe, size)


def _read(pipe: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = os.read(pipe, min(size - len(data), _READ))
        if not more:
            raise OSError(errno.ECHILD, "a helper process died")
        data += more
    return bytes(data)
