"""Windows' messages in twelve languages, as parts of text to look for.

The parts lie in data/messages.txt.  To look for some seven hundred of them in each line would be slow, so a part is
looked for only in a line that has one of its words, its key; Chinese and Japanese, which do not part words, only in
a line with their characters.
"""

from __future__ import annotations

import os
import re
from collections import namedtuple
from functools import cache

_FILE = os.path.join(os.path.dirname(__file__), "data", "messages.txt")
# Languages whose messages may lie in a line of ASCII alone; the others' always have an accent somewhere.
IN_ASCII = frozenset(("en", "posix", "de", "it", "es", "pl"))
WIDE = frozenset(("zh-Hans", "zh-Hant", "ja"))

WORDS = re.compile(r"[^\W\d_]+")
_WIDE_CHARACTER = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_PLAIN = str.maketrans({"\u2019": "'", "\u00a0": " ", "\u202f": " ", "\u3000": " "})

_Part = namedtuple("_Part", "text numbers lang unless")


class Part(_Part):
    """A part of a message that tells which message it is."""

    __slots__ = ()

    text: str
    numbers: tuple[int, ...]  # several where Windows has one text for them; the usual one first
    lang: str
    unless: re.Pattern[str] | None  # what must not come after it


@cache
def parts() -> tuple[Part, ...]:
    """All parts, in the order of the file."""
    found = []
    lang = ""
    with open(_FILE, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if line.startswith("["):
                lang = line[1:-1]
            elif line and not line.startswith("#"):
                numbers, _, rest = line.partition(" ")
                codes = tuple(map(int, numbers.split(",")))
                for text in rest.split(" | "):
                    text, _, unless = text.strip().partition(" ~ ")
                    # In this file a bar inside what must not follow has no spaces around it.
                    found.append(Part(text, codes, lang, re.compile(r"\s*(?:" + unless + ")") if unless else None))
    return tuple(found)


def _key(text: str) -> str:
    """The word of a part to find it by: not the first or last, which may be pieces of one, if there are others."""
    words: list[str] = WORDS.findall(text)
    inner = words[1:-1] or words[1:] or words
    return max(inner, key=len)


@cache
def _by_key(ascii_only: bool) -> dict[str, tuple[Part, ...]]:
    table: dict[str, tuple[Part, ...]] = {}
    for part in parts():
        if part.lang in WIDE or (ascii_only and not (part.lang in IN_ASCII and part.text.isascii())):
            continue
        key = _key(part.text)
        table[key] = (*table.get(key, ()), part)
    return table


@cache
def _keys(ascii_only: bool) -> frozenset[str]:
    return frozenset(_by_key(ascii_only))


@cache
def _wide() -> tuple[Part, ...]:
    return tuple(part for part in parts() if part.lang in WIDE)


def messages(text: str) -> list[tuple[int, int, Part]]:
    """Where messages stand in a line: (begin, end, part) of each."""
    found: list[tuple[int, int, Part]] = []
    if text.isascii():
        for key in _keys(True).intersection(WORDS.findall(text)):
            _look(text, _by_key(True)[key], found)
        return found
    plain = text.translate(_PLAIN)  # one character for one: places stay
    if _WIDE_CHARACTER.search(text) is not None:
        _look(plain, _wide(), found)
    for key in _keys(False).intersection(WORDS.findall(plain)):
        for part in _by_key(False)[key]:
            _look(text if part.text.isascii() and part.lang in IN_ASCII else plain, (part,), found)
    return found


def _look(text: str, wanted: tuple[Part, ...], found: list[tuple[int, int, Part]]) -> None:
    for part in wanted:
        begin = text.find(part.text)
        if begin >= 0:
            end = begin + len(part.text)
            if part.unless is None or part.unless.match(text, end) is None:
                found.append((begin, end, part))
