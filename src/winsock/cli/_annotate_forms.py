"""What `winsock annotate` writes: the log with explanations, JSON lines, the summary."""

from __future__ import annotations

import os
from collections import namedtuple
from functools import cache

from winsock.cli._explain_text import wrap
from winsock.codes import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from winsock.annotate import Line
    from winsock.codes import Entry

    Write = Callable[[bytes], None]

_INDENT = "    "


@cache
def words(lang: str) -> dict[str, str]:
    """The words of the output, in a language."""
    from winsock.codes._texts import read_table

    path = os.path.join(os.path.dirname(__file__), "data", f"annotate.{lang}.toml")
    with open(path, encoding="utf-8") as file:
        table = read_table(file.read().partition("[label]\n")[2])
    return {key: text for key, text in table.items() if isinstance(text, str)}


@cache
def entry(number: int, lang: str) -> Entry:
    """All that is known about a code that was found."""
    known = explain(number, lang=lang)
    assert known is not None  # only codes of the catalogue are found
    return known


def printable(text: str) -> str:
    """A text as it can be written out, surrogates of odd file names included."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


# -- counting --------------------------------------------------------------------------------------

_Place = namedtuple("_Place", "file line")


class Place(_Place):
    """A line of a file."""

    __slots__ = ()

    file: str
    line: int


_Count = namedtuple("_Count", "number lines first last")


class Counts:
    """How often each code came, and where first and last."""

    def __init__(self) -> None:
        self.lines = 0  # that hold codes
        self._by_number: dict[int, list[Any]] = {}  # count, file and line of the first, of the last

    def add(self, file: str, line: Line) -> None:
        self.lines += 1
        for hit in line.hits:
            count = self._by_number.get(hit.number)
            if count is None:
                self._by_number[hit.number] = [1, file, line.number, file, line.number]
            else:
                count[0] += 1
                count[3:] = file, line.number

    def rows(self) -> list[_Count]:
        """The most frequent first."""
        rows = [
            _Count(number, count, Place(*places[:2]), Place(*places[2:]))
            for number, (count, *places) in self._by_number.items()
        ]
        return sorted(rows, key=lambda row: (-row.lines, row.number))


# -- forms -----------------------------------------------------------------------------------------


class Form:
    """What is done with each piece of a log."""

    wants_bytes = False  # the log itself is written, too

    def __init__(self, write: Write, lang: str) -> None:
        self.write = write
        self.lang = lang
        self.counts = Counts()

    def bytes(self, raw: bytes) -> None:
        """A stretch of the log."""

    def line(self, file: str, line: Line) -> None:
        """A line that holds codes; its bytes have been given before."""
        self.counts.add(file, line)

    def begin(self, files: list[str]) -> None:
        """Before everything."""

    def end(self) -> None:
        """After everything, also when it was interrupted."""

    def say(self, text: str) -> None:
        self.write(text.encode("utf-8", "backslashreplace"))


class Style:
    """Colours, or none."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, *codes: int) -> str:
        return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if self._on and text else text


class TextForm(Form):
    """The log, and under each line with codes what they mean: in full the first time, by title later."""

    def __init__(
        self, write: Write, lang: str, style: Style, width: int, only: bool, short: bool, many: bool
    ) -> None:
        super().__init__(write, lang)
        self.wants_bytes = not only
        self._style = style
        self._width = width
        self._only = only
        self._short = short
        self._many = many
        self._told: set[int] = set()
        self._midline = False

    def bytes(self, raw: bytes) -> None:
        self.write(raw)
        self._midline = not raw.endswith((b"\n", b"\r"))

    def line(self, file: str, line: Line) -> None:
        super().line(file, line)
        if self._only:
            place = f"{printable(file)}:{line.number}:" if self._many else f"{line.number}:"
            self.say(f"{self._style(place, 36)} {line.text}\n")
        elif self._midline:  # the log ended without a line end
            self.say("\n")
            self._midline = False
        for hit in line.hits:
            self._explain(hit.number)

    def _explain(self, number: int) -> None:
        known = entry(number, self.lang)
        head = self._style(f"{number} {known.name}", 1, 33)
        self.say(f"{_INDENT}^ {head}  {known.title}\n")
        if number in self._told or self._short:
            return
        self._told.add(number)
        for text in (known.meaning, known.remedy_user):
            for row in wrap(text, self._width - len(_INDENT) - 2):
                self.say(f"{_INDENT}  {self._style(row, 2)}\n")


class JsonForm(Form):
    """One JSON object a line that holds codes."""

    def __init__(self, write: Write, lang: str) -> None:
        super().__init__(write, lang)
        from json.encoder import encode_basestring

        self._quoted = encode_basestring
        self._codes: dict[tuple[int, ...], str] = {}  # as they are written, for the combinations seen

    def line(self, file: str, line: Line) -> None:
        super().line(file, line)
        numbers = tuple([hit.number for hit in line.hits])
        codes = self._codes.get(numbers)
        if codes is None:
            codes = self._codes[numbers] = self._written(numbers)
        cut = ', "cut": true' if line.cut else ""
        file, text = self._quoted(printable(file)), self._quoted(line.text)
        self.say(f'{{"file": {file}, "line": {line.number}, "text": {text}, "codes": {codes}{cut}}}\n')

    def _written(self, numbers: tuple[int, ...]) -> str:
        known = [entry(number, self.lang) for number in numbers]
        names = [{"number": one.number, "name": one.name, "title": one.title} for one in known]
        from json import dumps

        return dumps(names, ensure_ascii=False)


class SummaryForm(Form):
    """The codes with their counts, after everything."""

    def __init__(self, write: Write, lang: str, style: Style, json: bool, many: bool) -> None:
        super().__init__(write, lang)
        self._style = style
        self._json = json
        self._many = many

    def end(self) -> None:
        rows = self.counts.rows()
        if self._json:
            from json import dumps

            for row in rows:
                known = entry(row.number, self.lang)
                found = {
                    "number": row.number, "name": known.name, "title": known.title, "count": row.lines,
                    "first": {"file": printable(row.first.file), "line": row.first.line},
                    "last": {"file": printable(row.last.file), "line": row.last.line},
                }  # fmt: skip
                self.say(dumps(found, ensure_ascii=False) + "\n")
            return
        word = words(self.lang)
        if not rows:
            self.say(word["none"] + "\n")
            return
        head = (word["count"], word["first"], word["last"], word["code"], "")
        table = [head]
        for row in rows:
            known = entry(row.number, self.lang)
            code = f"{row.number} {known.name}"
            table.append((str(row.lines), self._place(row.first), self._place(row.last), code, known.title))
        widths = [max(columns(cell) for cell in column) for column in zip(*table)]
        for number, cells in enumerate(table):
            shown = [pad(cell, width, right=at < 3) for at, (cell, width) in enumerate(zip(cells, widths))]
            shown[3] = self._style(shown[3], 1, 33) if number else shown[3]
            line = "  ".join(shown).rstrip()
            self.say((self._style(line, 4) if not number else line) + "\n")

    def _place(self, place: Place) -> str:
        return f"{printable(place.file)}:{place.line}" if self._many else str(place.line)


# -- columns ---------------------------------------------------------------------------------------


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int, right: bool = False) -> str:
    space = " " * (width - columns(text))
    return space + text if right else text + space
