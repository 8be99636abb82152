"""How `winsock annotate` reads its files and writes its output: errors, interruptions, progress, growing files."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from contextlib import closing

from winsock.annotate import Line, Scanner
from winsock.annotate._parallel import NoProcesses, Segment, segments, worth_it
from winsock.cli._annotate_forms import Form, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Self

BLOCK = 1 << 20
STDIN = "-"


class Output:
    """Standard output, unbuffered by anybody else: what was written is out, what could not be is told."""

    class Error(Exception):
        """Why the output could not be written."""

    class Gone(Exception):
        """The reader of the output has gone (`winsock annotate ... | head -1`)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._parts: list[bytes] = []
        self._size = 0

    def check(self) -> None:
        """Raises Error when there is no output at all: the next file opened would be taken for it."""
        try:
            os.fstat(self._fd)
        except OSError as error:
            raise Output.Error(error.strerror) from error

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= BLOCK:
            self.flush()

    def flush(self) -> None:
        data = memoryview(b"".join(self._parts))
        self._parts.clear()
        self._size = 0
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BrokenPipeError as error:
                raise Output.Gone from error
            except OSError as error:
                raise Output.Error(error.strerror) from error

    def give_up(self) -> None:
        """Nobody reads any more: what the interpreter flushes at its end must not fail."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._fd)
        os.close(null)


class Interrupts:
    """Ctrl-C as a flag, and as an exception only while we wait for input: no output is torn or doubled."""

    def __init__(self) -> None:
        self.came = False
        self.waiting = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.waiting or self.came:  # the second time somebody means it
            self.came = True
            raise KeyboardInterrupt
        self.came = True

    def read(self, fd: int) -> bytes:
        """What there is to read; b"" at the end, and when interrupted."""
        if self.came:
            return b""
        self.waiting = True
        try:
            return os.read(fd, BLOCK)
        except KeyboardInterrupt:
            return b""
        finally:
            self.waiting = False

    def sleep(self, seconds: float) -> None:
        if self.came:
            return
        self.waiting = True
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            pass
        finally:
            self.waiting = False


class Progress:
    """A bar on a terminal while a big file is read."""

    _BIG = 1 << 26
    _PAUSE = 0.1
    _CELLS = 30

    def __init__(self, wanted: bool) -> None:
        self._on = wanted and os.isatty(2)
        self._size = 0
        self._begin = self._next = 0.0
        self._shown = False

    def start(self, size: int) -> None:
        self._size = size if self._on else 0
        self._begin = time.monotonic()
        self._next = self._begin + self._PAUSE

    def at(self, done: int) -> None:
        if self._size < self._BIG or (now := time.monotonic()) < self._next:
            return
        self._next = now + self._PAUSE
        share = min(1.0, done / self._size)
        cells = int(share * self._CELLS)
        speed = done / (now - self._begin) / 1e6
        bar = "#" * cells + "." * (self._CELLS - cells)
        sys.stderr.write(f"\r[{bar}] {share:4.0%}  {speed:.0f} MB/s \x1b[K")
        sys.stderr.flush()
        self._shown = True

    def stop(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


class Log:
    """One file on its way through a scanner to the form."""

    def __init__(self, name: str, encoding: str | None, form: Form) -> None:
        self.name = name
        self.scanner = Scanner(encoding)
        self.encoding = encoding
        self._form = form
        self._told: set[str] = set()
        self._converter = Scanner()

    def feed(self, data: bytes) -> None:
        self._take(self.scanner.feed(data))

    def flush(self) -> None:
        """Nothing more comes for now."""
        self._take(self.scanner.flush())

    def close(self) -> None:
        self._take(self.scanner.close())
        self.scanner = Scanner(self.encoding)

    def _take(self, pieces: Iterable[tuple[bytes, Line | None]]) -> None:
        form, scanner = self._form, self.scanner
        for raw, line in pieces:
            if form.wants_bytes and raw:
                form.bytes(scanner.in_utf8(raw))
            if line is not None:
                form.line(self.name, line)
        self._notices(scanner)

    def pass_on(self, fd: int, begin: int, stop: int, segment: Segment, line: Line | None) -> None:
        """What another process has found in a stretch of the file."""
        if self._form.wants_bytes:
            self._converter.encoding = segment.encoding
            while begin < stop and (raw := os.pread(fd, min(BLOCK, stop - begin), begin)):
                if self._converter.encoding and len(raw) == BLOCK and b"\n" in raw:
                    raw = raw[: raw.rindex(b"\n") + 1]
                self._form.bytes(self._converter.in_utf8(raw))
                begin += len(raw)
        if line is not None:
            self._form.line(self.name, line)
        self._notices(segment)

    def _notices(self, scanner: Scanner | Segment) -> None:
        if scanner.cut:
            self._notice("has lines longer than 64 KB; they are looked at in parts, and shown in part")
        if scanner.guessed:
            self._notice(f"is not UTF-8; taken for {scanner.encoding} (--encoding says otherwise)")

    def _notice(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            say(self.name, text)


def say(name: str, text: str) -> None:
    """A word about a file, on standard error."""
    shown = "standard input" if name == STDIN else printable(name)
    print(f"winsock annotate: {shown}: {text}", file=sys.stderr, flush=True)


def open_log(name: str) -> int:
    """A descriptor to read from; OSError."""
    if name == STDIN:
        return os.dup(0)
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise IsADirectoryError(21, "is a directory; name the files in it")
    return fd


def _read_in_parallel(fd: int, size: int, jobs: int, log: Log, interrupts: Interrupts, progress: Progress) -> int:
    """Read a big file by several processes to its end; how much that was."""
    done = 0
    with closing(segments(fd, size, jobs, log.encoding)) as parts:
        for segment in parts:
            for stop, line in segment.found:
                log.pass_on(fd, done, stop, segment, line)
                done = stop
            log.pass_on(fd, done, segment.stop, segment, None)
            done = segment.stop
            progress.at(done)
            if interrupts.came:
                break
    return done


def is_output(fd: int) -> bool:
    """Whether a file is the one that standard output goes to: it would grow for ever."""
    ours = os.fstat(fd)
    try:
        theirs = os.fstat(1)
    except OSError:
        return False
    return stat.S_ISREG(ours.st_mode) and (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


def cores() -> int:
    """How many processes can work at once."""
    return len(os.sched_getaffinity(0))


def read_all(
    names: list[str],
    encoding: str | None,
    form: Form,
    output: Output,
    interrupts: Interrupts,
    progress: Progress,
    jobs: int,
) -> int:
    """Read the files one after the other; 1 when something of them could not be read."""
    status = 0
    for name in names:
        if interrupts.came:
            break
        log = Log(name, encoding, form)
        done = 0
        try:
            fd = open_log(name)
        except OSError as error:
            say(name, error.strerror or str(error))
            status = 1
            continue
        if is_output(fd):
            os.close(fd)
            say(name, "is also where the output goes; left out")
            status = 1
            continue
        try:
            size = os.fstat(fd).st_size
            progress.start(size)
            if worth_it(fd, size, jobs, encoding):
                try:
                    done = _read_in_parallel(fd, size, jobs, log, interrupts, progress)
                    continue
                except NoProcesses:  # the limit of processes is reached: by this one, then
                    pass
            while data := interrupts.read(fd):
                log.feed(data)
                done += len(data)
                progress.at(done)
                if len(data) < BLOCK:
                    log.flush()
                    output.flush()
        except OSError as error:
            progress.stop()
            say(name, f"reading stopped after {done} bytes: {error.strerror}")
            status = 1
        finally:
            os.close(fd)
            progress.stop()
        log.close()
    return status
