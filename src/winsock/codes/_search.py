"""From the text of an error, in any of the catalogue's languages and also in part, to its code.

People paste what they see: the message of a localized Windows, the end of a line of a log, a few words of it, or what
another system calls the same error.
"""

from __future__ import annotations

import os

from winsock.codes import _texts
from winsock.codes._elsewhere import FIRST_WINSOCK
from winsock.codes._memo import cache
from winsock.codes._phrases import PHRASES
from winsock.codes._texts import content, languages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_AFTER_LATIN = "\u0250"
_FEWEST = 2  # characters of Chinese or Japanese that are worth looking for
_LETTERS = 5  # ... of other scripts
_ENOUGH = 0.5  # of the words of a text, to be a suggestion


def plain(text: str) -> str:
    """A text without case, accents, punctuation and differences of width; Chinese and Japanese without spaces."""
    if text.isascii():
        return " ".join(text.lower().translate(_folds()).split())
    from unicodedata import normalize

    folded = normalize("NFKC", text).casefold()
    return ("" if is_wide(folded) else " ").join(folded.translate(_folds()).split())


class _Folds(dict[int, str]):
    """What plain() makes of each character, found out when it is met first."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if "\x7f" < char < _AFTER_LATIN:
            from unicodedata import normalize

            char = normalize("NFD", char)[0]
        self[code] = char if char.isalnum() else " "
        return self[code]


@cache
def _folds() -> _Folds:
    return _Folds()


def is_wide(text: str) -> bool:
    """Whether a text is Chinese or Japanese."""
    return not text.isascii() and any("\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" for c in text)


@cache
def phrases() -> dict[str, int]:
    """The texts, plain, under which codes are known besides Windows' messages."""
    return {plain(phrase): number for number, line in PHRASES.items() for phrase in line.split("|")}


@cache
def corpus(wide: bool) -> tuple[tuple[int, bool, str], ...]:
    """The texts that stand for codes: number, whether it is Windows' own message, and the text, plain.

    wide    those in Chinese and Japanese, or all others: no text of the one kind is part of one of the other

    From data/search.txt, because folding them all takes longer than everything else that `winsock explain` does.
    """
    try:
        with open(os.path.join(_texts.DATA, "search.txt"), encoding="utf-8") as file:
            lines = file.read().partition("\n\n")[2 if wide else 0].split("\n")
    except FileNotFoundError:
        return folded(wide)
    found = []
    for line in lines:
        text, _, number = line.partition("\t")
        if number:
            found.append((int(number.rstrip("!")), number.endswith("!"), text))
    return tuple(found)


def folded(wide: bool) -> tuple[tuple[int, bool, str], ...]:
    """The same from the files of the languages."""
    found: dict[tuple[int, bool, str], None] = {}
    for lang in languages():
        number = -1
        for line in content(lang).decode().split("\n"):
            if line.startswith("["):
                number = int(line[1:-1]) if line[1:-1].isdigit() else -1
            elif number >= 0 and line.startswith(("title = ", "system = ")) and is_wide(line) == wide:
                key, _, value = line.partition(" = ")
                found[number, key == "system", plain(value.strip('"'))] = None
    for phrase, number in phrases().items():
        if is_wide(phrase) == wide:
            found[number, False, phrase] = None
    return tuple(entry for entry in found if entry[2])


@cache
def of_the_c_library() -> dict[str, int]:
    """The texts, plain, of this machine's C library for the errors that sockets know."""
    from winsock.codes._errno import ERRNO_TO_WSA

    return {plain(os.strerror(number)): int(code) for number, code in ERRNO_TO_WSA.items()}


def search(text: str) -> tuple[int, ...]:
    """The codes that a text stands for, in the order of the numbers; empty for none, or for too many to tell.

    Several codes come when Windows itself has one text for them: 10102 and 10110, say.
    """
    wanted = plain(text)
    wide = is_wide(wanted)
    found = _search(wanted, wide)
    if not found and wide:  # a line in Japanese that ends with a message in English, say
        from unicodedata import normalize

        rest = "".join(" " if is_wide(char) else char for char in normalize("NFKC", text))
        found = _search(plain(rest), False)
    return found


def _search(wanted: str, wide: bool) -> tuple[int, ...]:
    if len(wanted) < (_FEWEST if wide else _LETTERS):
        return ()
    if messages := _messages(wanted, wide):
        return messages
    texts = corpus(wide)
    if whole := [number for number, _, known in texts if known == wanted]:
        return tuple(_winsocks(whole))
    if inside := [known for number, shown, known in texts if _holds(wanted, known, wide) and _tells(known, shown)]:
        longest = max(inside, key=len)
        return tuple(_winsocks(number for number, _, known in texts if known == longest))
    around = _winsocks(number for number, _, known in texts if _holds(known, wanted, wide))
    if not around and not wide:
        words = set(wanted.split())
        if len(words) > 1:
            around = _winsocks(number for number, _, known in texts if words <= set(known.split()))
    if around:
        return tuple(around) if len(around) == 1 else ()
    inside = [known for known in of_the_c_library() if _holds(wanted, known, wide) and _tells(known, False)]
    return (of_the_c_library()[max(inside, key=len)],) if inside else ()


def numbers_of_message(text: str) -> tuple[int, ...]:
    """The codes for which Windows shows this text and no more, in one of the catalogue's languages."""
    wanted = plain(text)
    return _messages(wanted, is_wide(wanted)) if wanted else ()


def _messages(wanted: str, wide: bool) -> tuple[int, ...]:
    found = {number for number, shown, known in corpus(wide) if known == wanted and shown}
    if found and wanted in phrases():  # one code's message may be another's name in older documents
        found.add(phrases()[wanted])
    return tuple(sorted(found))


def _holds(text: str, part: str, wide: bool) -> bool:
    return part in text if wide else f" {part} " in f" {text} "


def _tells(known: str, shown: bool) -> bool:
    """Whether a text inside a longer one is no accident."""
    if is_wide(known):
        return shown or len(known) > _FEWEST + 1
    return " " in known and len(known) > 2 * _LETTERS


def _winsocks(numbers: Iterable[int]) -> list[int]:
    """The numbers once each, in order; those of Winsock alone where there are such."""
    found = sorted(set(numbers))
    return [n for n in found if n >= FIRST_WINSOCK] or found


def similar(text: str) -> list[int]:
    """Codes with texts that share words with a text, the nearest first."""
    wanted = plain(text)
    wide = is_wide(wanted)
    parts = _pieces(wanted, wide)
    if not parts:
        return []
    best: dict[int, tuple[float, int]] = {}
    for number, _, known in corpus(wide):
        share = len(parts & _pieces(known, wide)) / len(parts)
        if share >= _ENOUGH:
            rank = (-share, 0 if number >= FIRST_WINSOCK else 1)
            best[number] = min(best.get(number, rank), rank)
    return sorted(best, key=lambda number: (best[number], number))


def _pieces(text: str, wide: bool) -> set[str]:
    """What two texts can have in common: words of some length, or pairs of characters."""
    if wide:
        return {text[i : i + 2] for i in range(len(text) - 1)}
    return {word for word in text.split() if len(word) > 3}
