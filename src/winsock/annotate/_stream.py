"""annotate() and scan(): logs as Python programs have them."""

from __future__ import annotations

from winsock.annotate._find import find
from winsock.annotate._scan import Line, Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

BLOCK = 1 << 20


def annotate(lines: Iterable[str]) -> Iterator[Line]:
    """The lines that hold socket errors, as they come.

    lines    texts of one line each, with or without their line ends: an open text file, say
    """
    for number, text in enumerate(lines, 1):
        text = text.rstrip("\r\n")
        if hits := find(text):
            yield Line(number, text, hits, False)


def scan(stream: BinaryIO, encoding: str | None = None) -> Iterator[Line]:
    """The lines of a log that hold socket errors.

    stream      where read() gives bytes; it is read to its end
    encoding    of the log, a codec's name; by default it is found out.  LookupError: no such codec

    Memory does not grow with the log, nor with its lines: of lines longer than 64 KB only a part is given.
    """
    scanner = Scanner(encoding)
    while data := stream.read(BLOCK):
        for _, line in scanner.feed(data):
            if line is not None:
                yield line
    for _, line in scanner.close():
        if line is not None:
            yield line
