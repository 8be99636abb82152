"""Windows' messages in twelve languages, as parts of text to look for.

The parts lie in data/messages.txt; the catalogue's own messages come in addition.  To look for some eight hundred of
them in each line would be slow, so a part is looked for only in a line that has one of its words, its key; Chinese
and Japanese, which do not part words, only in a line with their characters.
"""

from __future__ import annotations

import os
import re
from collections import namedtuple
from functools import cache

from winsock.annotate._numbers import NETWORK
from winsock.codes import WSA, languages
from winsock.codes._texts import content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = os.path.join(os.path.dirname(__file__), "data", "messages.txt")
WIDE = frozenset(("zh-Hans", "zh-Hant", "ja"))
# Messages that other things than sockets have, too.
_GENERAL = frozenset((
    WSA.WSAELOOP, WSA.WSAENAMETOOLONG, WSA.WSAENOTEMPTY, WSA.WSAEUSERS, WSA.WSAEDQUOT, WSA.WSAESTALE, WSA.WSAEREMOTE,
    WSA.WSA_QOS_NO_SENDERS, WSA.WSA_QOS_NO_RECEIVERS, WSA.WSA_QOS_REQUEST_CONFIRMED, WSA.WSA_QOS_GENERIC_ERROR,
))  # fmt: skip

WORDS = re.compile(r"[^\W\d_]+")
_WIDE_CHARACTER = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_CURLY, _STRAIGHT = "\u2019", "'"

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
    """All parts: those of the file, and the catalogue's messages that have none of them."""
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
    by_text: dict[tuple[str, str], list[int]] = {}
    for lang, number, text in _catalogue():
        if not any(part.lang == lang and number in part.numbers and part.text in text for part in found):
            by_text.setdefault((lang, text), []).append(number)
    found += [Part(text, tuple(codes), lang, None) for (lang, text), codes in by_text.items()]
    return tuple(found)


def _catalogue() -> Iterator[tuple[str, int, str]]:
    """(language, number, message) of the catalogue's messages about sockets and networks."""
    for lang in languages():
        number = -1
        for line in content(lang).decode().split("\n"):
            if line.startswith("["):
                number = int(line[1:-1]) if line[1:-1].isdigit() else -1
            elif (
                line.startswith("system = ")
                and lang != "en"  # the file has them
                and (number in NETWORK or (number >= WSA.WSAEINTR and number not in _GENERAL))
            ):
                yield lang, number, line.partition(" = ")[2].strip('"').replace(_CURLY, _STRAIGHT)


def spellings() -> list[str]:
    """All texts as they may stand in a log: an apostrophe may be straight or curly."""
    texts = dict.fromkeys(part.text for part in parts())
    return [*texts, *(text.replace(_STRAIGHT, _CURLY) for text in texts if _STRAIGHT in text)]


def _key(text: str) -> str:
    """The word of a part to find it by: not the first or last, which may be pieces of one, if there are others."""
    words: list[str] = WORDS.findall(text)
    inner = words[1:-1] or words[1:] or words
    return max(inner, key=len)


@cache
def _by_key(ascii_only: bool) -> dict[str, tuple[Part, ...]]:
    table: dict[str, tuple[Part, ...]] = {}
    for part in parts():
        if part.lang in WIDE or (ascii_only and not part.text.isascii()):
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
    """Where messages stand in a line: (begin, end, part) of each; of two over each other the longer."""
    found: list[tuple[int, int, Part]] = []
    ascii_only = text.isascii()
    if not ascii_only:
        text = text.replace(_CURLY, _STRAIGHT)  # one character for one: places stay
        if _WIDE_CHARACTER.search(text) is not None:
            _look(text, _wide(), found)
    for key in _keys(ascii_only).intersection(WORDS.findall(text)):
        _look(text, _by_key(ascii_only)[key], found)
    if len(found) > 1:
        found = [
            (begin, end, part)
            for begin, end, part in found
            if not any(b <= begin and end <= e and end - begin < e - b for b, e, _ in found)
        ]
    return found


def _look(text: str, wanted: tuple[Part, ...], found: list[tuple[int, int, Part]]) -> None:
    for part in wanted:
        begin = text.find(part.text)
        if begin >= 0:
            end = begin + len(part.text)
            if part.unless is None or part.unless.match(text, end) is None:
                found.append((begin, end, part))
