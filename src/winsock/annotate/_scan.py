"""A log, block by block: bytes in, pieces out, each piece ending with a line that holds a socket error or with none.

Memory does not grow with the log, nor with its lines: of a line longer than LONGEST bytes parts are looked at one
after the other, each overlapping the one before by OVERLAP, and reported as one line that was cut.
"""

from __future__ import annotations

import codecs
from collections import namedtuple

from winsock.annotate._encoding import guess, is_wide, needs_transcoding, normal, sniff
from winsock.annotate._find import Hit, find
from winsock.annotate._prefilter import candidates, every_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

LONGEST = 65536
OVERLAP = 1024
SMALL = 8192  # blocks for which it is quicker to look at every line
SHOWN = 2048  # of a line that was cut, characters around the first hit
_HEAD = 4096  # bytes to know an encoding by
_LEAST = 4  # ... if no more are there

_Line = namedtuple("_Line", "number text hits cut")


class Line(_Line):
    """A line of a log that holds socket errors."""

    __slots__ = ()

    number: int  # counted from 1; LF, CR LF and a lone CR end a line
    text: str  # without its end; bytes that mean nothing as \\xNN
    hits: list[Hit]  # places within the text; in a cut line 0
    cut: bool  # the text is a part of a longer line


class Scanner:
    """Finds the lines with socket errors in a stream of bytes.

    encoding    a codec's name; by default it is found out
    """

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding or ""  # as far as known; "" is ASCII so far, or nothing recognized
        self.guessed = False  # the encoding is a guess
        self.cut = 0  # lines that were too long
        self.lines = 0  # ended so far
        self._given = encoding is not None
        self._known = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = b""
        self._long: _LongLine | None = None
        self.looking = True  # off: lines are only counted

    @classmethod
    def in_the_middle(cls, encoding: str, given: bool) -> Self:
        """A scanner for a part of a log whose beginning has been looked at; encoding as at the end of that."""
        scanner = cls(encoding)
        scanner._given = given
        scanner._known = True
        return scanner

    def feed(self, data: bytes) -> Iterator[tuple[bytes, Line | None]]:
        """The pieces that more bytes complete: their bytes, UTF-16 as UTF-8, and the line they end with."""
        if not self._known:
            data = self._begin(data, final=False)
        elif self._decoder is not None:
            data = self._decoder.decode(data).encode("utf-8", "surrogatepass")
        if data:
            yield from self._pieces(data, final=False)

    def close(self) -> Iterator[tuple[bytes, Line | None]]:
        """The pieces that are left when the stream has ended: a last line without an end."""
        data = b""
        if not self._known:
            data = self._begin(b"", final=True)
        elif self._decoder is not None:
            data = self._decoder.decode(b"", True).encode("utf-8", "surrogatepass")
        yield from self._pieces(data, final=True)

    def flush(self) -> Iterator[tuple[bytes, Line | None]]:
        """The pieces that are whole, though little has come yet to know the encoding by; for streams that pause."""
        if not self._known and len(self._rest) >= _LEAST:
            data, self._rest = self._rest, b""
            data = self._begin(data, final=False, now=True)
            yield from self._pieces(data, final=False)

    # -- the encoding

    def _begin(self, data: bytes, final: bool, now: bool = False) -> bytes:
        data = self._rest + data
        if len(data) < _HEAD and not (final or now):
            self._rest = data
            return b""
        self._rest = b""
        self._known = True
        encoding, mark = sniff(data[:_HEAD])
        if self._given:
            shown, encoding = encoding, normal(self.encoding)
            if shown == encoding[:6] + "-be" and self.encoding.lower() in ("utf-16", "utf-32", "utf16", "utf32"):
                encoding = shown  # asked for without a byte order
            mark = mark if shown == encoding else 0
        self.encoding = encoding
        if is_wide(encoding) or (self._given and needs_transcoding(encoding)):
            self._decoder = codecs.getincrementaldecoder(encoding)("replace")
            return self._decoder.decode(data[mark:], final).encode("utf-8", "surrogatepass")
        return data

    def _encodings(self, block: bytes) -> tuple[str, ...]:
        """The encodings that the block's bytes may be in."""
        if block.isascii():
            return ()
        if self._decoder is not None:
            return ("utf-8",)
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:
            known = self._given or self.encoding not in ("", "utf-8")
            if not known and (page := guess(_not_utf8(block))):
                self.encoding = page
                self.guessed = True
            if self.encoding and self.encoding != "utf-8":
                return ("utf-8", self.encoding)
        return ("utf-8",) if not self._given or self.encoding == "utf-8" else ("utf-8", self.encoding)

    def text_of(self, raw: bytes) -> str:
        """A line's text."""
        if raw.isascii():
            return raw.decode("ascii")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            page = self.encoding
            if self._decoder is None and page and page != "utf-8":
                return raw.decode(page, "backslashreplace")
            return raw.decode("utf-8", "backslashreplace")

    def in_utf8(self, raw: bytes) -> bytes:
        """Bytes of the log for a reader of UTF-8: the same bytes, but for lines in a code page that is known."""
        page = self.encoding
        if not page or page == "utf-8" or self._decoder is not None or raw.isascii():
            return raw
        try:
            raw.decode("utf-8")
            return raw
        except UnicodeDecodeError:
            lines = raw.splitlines(keepends=True)
            return b"".join(self.text_of(line).encode("utf-8", "surrogatepass") for line in lines)

    # -- lines

    def _pieces(self, data: bytes, final: bool) -> Iterator[tuple[bytes, Line | None]]:
        """The pieces that follow from more bytes, after those in self._rest."""
        first = 0
        if self._long is not None:
            first = _line_end(data, final)
            if first < 0:
                yield from self._go_on(data, final)
                return
            yield from self._go_on(data[:first], final=True)
        elif self._rest:
            first = data.find(b"\n") + 1
            if first and len(self._rest) + first <= LONGEST:
                # The line that began before, by itself: to put it before the data would copy all the data.
                line, self._rest = self._rest + data[:first], b""
                yield from self._block(line, 0, len(line))
            else:
                data, self._rest, first = self._rest + data, b"", 0
        last = len(data)
        if not final:
            last = data.rfind(b"\n", first) + 1
            if not last:  # a lone CR may be half of a line end when it comes last
                last = data.rfind(b"\r", first, len(data) - 1) + 1
            last = last or first
        if first < last:
            yield from self._block(data, first, last)
        rest = data[last:]
        if len(rest) > LONGEST:
            self._long = _LongLine()
            yield from self._go_on(rest, final=False)
        else:
            self._rest = rest

    def _block(self, data: bytes, first: int, last: int) -> Iterator[tuple[bytes, Line | None]]:
        """The pieces of whole lines, which lie somewhere in the data."""
        lines = data
        if data.find(b"\r", first, last) >= 0 and data.count(b"\r", first, last) != data.count(b"\r\n", first, last):
            # The same length with newlines alone.
            data = data[first:last]
            lines = data.replace(b"\r\n", b" \n").replace(b"\r", b"\n")
            first, last = 0, len(data)
        done = counted = first
        for begin, end in self._candidates(lines, first, last) if self.looking else ():
            self.lines += lines.count(b"\n", counted, begin)
            counted = begin
            if end - begin > LONGEST:
                line = self._long_line(data[begin:end])
            else:
                text = self.text_of(data[begin:end].rstrip(b"\r\n"))
                if not self.lines:
                    text = text.removeprefix("\ufeff")
                hits = find(text)
                line = Line(self.lines + 1, text, hits, False) if hits else None
            if line is not None:
                stop = min(end + 1, last)
                if data[end : end + 2] == b"\r\n":
                    stop = end + 2
                yield data[done:stop], line
                done = stop
        self.lines += lines.count(b"\n", counted, last)
        if done < last:
            yield data[done:last], None

    def _candidates(self, lines: bytes, first: int, last: int) -> list[tuple[int, int]]:
        if last - first <= SMALL:
            self._encodings(lines[first:last])  # which may find the encoding out
            return every_line(lines, first, last)
        return candidates(lines, first, last, self._encodings(lines))

    def _long_line(self, raw: bytes) -> Line | None:
        long = _LongLine()
        long.add(raw, True, self)
        self.cut += 1
        return long.line(self.lines + 1)

    def _go_on(self, data: bytes, final: bool) -> Iterator[tuple[bytes, Line | None]]:
        """More of a long line; with its end when final."""
        assert self._long is not None
        self._long.add(data.rstrip(b"\r\n") if final else data, final, self)
        line = None
        if final:
            line = self._long.line(self.lines + 1)
            self._long = None
            self.cut += 1
            self.lines += 1
        if data or line is not None:
            yield data, line


class _LongLine:
    """A line that comes in parts: what was found so far, and the bytes of the part to come."""

    def __init__(self) -> None:
        self._rest = b""
        self._hits: dict[int, Hit] = {}
        self._text = ""

    def add(self, data: bytes, final: bool, scanner: Scanner) -> None:
        """More bytes.  Parts are counted from the line's beginning, so that it does not matter how they come."""
        data = self._rest + data
        at = 0
        while len(data) - at > LONGEST:
            self._look(data[at : at + LONGEST], scanner)
            at += LONGEST - OVERLAP
        self._rest = data[at:]
        if final:
            self._look(self._rest, scanner)

    def _look(self, part: bytes, scanner: Scanner) -> None:
        part = part.replace(b"\n", b" ").replace(b"\r", b" ")
        if not (scanner.looking and candidates(part, 0, len(part), scanner._encodings(part))):
            return
        text = scanner.text_of(part)
        for hit in find(text):
            if not self._hits:
                begin = max(0, hit.begin - SHOWN // 2)
                self._text = text[begin : begin + SHOWN].strip()
            self._hits.setdefault(hit.number, hit._replace(begin=0, end=0))

    def line(self, number: int) -> Line | None:
        return Line(number, self._text, list(self._hits.values()), True) if self._hits else None


def _line_end(data: bytes, final: bool) -> int:
    """Where the first line of the bytes ends; -1 when it does not yet."""
    ends = [at for at in (data.find(b"\n"), data.find(b"\r")) if at >= 0]
    if not ends:
        return -1
    at = min(ends)
    if data[at : at + 1] == b"\r":
        if at + 1 == len(data) and not final:
            return -1
        return at + 2 if data[at + 1 : at + 2] == b"\n" else at + 1
    return at + 1


def _not_utf8(block: bytes) -> bytes:
    """The lines of a block that are no UTF-8."""
    found = []
    size = 0
    for line in block.split(b"\n"):
        if not line.isascii():
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                found.append(line)
                size += len(line)
                if size > LONGEST:
                    break
    return b"\n".join(found)
