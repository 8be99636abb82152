"""The first look at a log: which lines may hold a socket error, at the speed of memory.

Python looks at a line in microseconds, and a gigabyte has ten million lines.  So whole blocks of bytes are searched
for signs that every socket error has at least one of, and only the lines around a sign are looked at closely.  The
searches are those that CPython does fast: bytes.find for a string, and regular expressions that begin with one
literal byte, which are a plain loop over the bytes until that byte comes.  The texts of messages are therefore
sought from a rare letter within them, forwards and backwards.

A test holds that whatever find() finds passes here.
"""

from __future__ import annotations

import re
from functools import cache

from winsock.annotate._messages import IN_ASCII, parts
from winsock.annotate._names import c_names

# Rare in logs; every message in ASCII has one of them, or is sought by itself.
_LETTERS = b"bfhvyqCHk"
_SELDOM = b"acdfgjklmnpqruvwxyz"
_ANY = bytes(range(256))
_NEWLINE = b"\n"

# Each begins with the one byte it is sought by.
_DIGITS = (
    rb"1(?:0(?:0(?:04|09|1[34]|2[24]|3[5-9]|[456]\d|7[01]|9[1-3])|1(?:0[1-9]|1[0-2]))(?!\d)(?<!\d\d{5})"
    rb"|10(?:0[1-9]|[12]\d|3[0-3])(?!\d)(?<!\d\d{5})|47(?:01|02|95))"
)
_HRESULT = rb"8007[0-9a-fA-F]{4}"
_W = rb"W(?:SA|inError|in32Exception)"


@cache
def _patterns() -> tuple[re.Pattern[bytes], ...]:
    """The expressions for any block that is some kind of ASCII."""
    names = sorted({name[1:] for name in c_names()} | {"INTR", "BADF", "ACCES", "FAULT", "INVAL", "MFILE"})
    e = rb"E(?:" + _tree([name.encode() for name in names]) + rb"|rrorKind|rror(?<=SocketError)"
    for exception in (b"Socket", b"Bind", b"Connect", b"Host", b"Unreachable"):
        e += rb"|xception(?<=" + exception + rb"Exception)"
    e += rb")"
    texts = [part.text.encode() for part in parts() if part.lang in IN_ASCII and part.text.isascii()]
    texts.append(b"kind: ")
    return tuple(re.compile(p) for p in (_DIGITS, _HRESULT, _W, e, *_by_letter(texts)))


def _tree(words: list[bytes]) -> bytes:
    """An expression for any of the words that looks at few of them in turn."""
    by_first: dict[bytes, list[bytes]] = {}
    for word in words:
        by_first.setdefault(word[:1], []).append(word[1:])
    branches = ((first, b"|".join(map(re.escape, rests))) for first, rests in by_first.items())
    return b"|".join(re.escape(first) + b"(?:" + rests + b")" for first, rests in branches)


def _anchor(text: bytes) -> int:
    """Where in a text to begin: at a rare letter that rarely stands before what comes next."""
    for followers in (_SELDOM, _ANY):
        for letter in _LETTERS:
            for at in range(len(text) - 1):
                if text[at] == letter and text[at + 1] in followers:
                    return at
    if text[-1] in _LETTERS:
        return len(text) - 1
    return -1


def _by_letter(texts: list[bytes]) -> list[bytes]:
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    alone = []
    for text in dict.fromkeys(texts):
        at = _anchor(text)
        if at < 0:
            alone.append(text)
        else:
            found.setdefault(text[at], []).append((text[: at + 1], text[at + 1 :]))
    patterns = []
    for letter, pieces in found.items():
        by_next: dict[bytes, list[bytes]] = {}
        for head, tail in pieces:
            rest = re.escape(tail[2:]) + b"(?<=" + re.escape(head + tail) + b")"
            by_next.setdefault(tail[:2], []).append(rest)
        branches = (re.escape(next_) + b"(?:" + b"|".join(rests) + b")" for next_, rests in by_next.items())
        patterns.append(re.escape(bytes((letter,))) + b"(?:" + b"|".join(branches) + b")")
    return patterns + [re.escape(text) for text in alone]


# -- texts outside ASCII ---------------------------------------------------------------------------


# An apostrophe may be a typographic one, a space one that does not break; in any encoding.
_APOSTROPHE = b".{1,3}"
_SPACE = b"(?: |\xc2?\xa0|\xe2\x80\xaf|\xe3\x80\x80|\x81@|\xa1[@\xa1])"


@cache
def _foreign(encoding: str) -> tuple[re.Pattern[bytes], ...]:
    """The expressions for texts outside ASCII as they look in an encoding."""
    found: dict[bytes, None] = {}
    for lang in dict.fromkeys(part.lang for part in parts()):
        texts = []
        for part in parts():
            if part.lang == lang and not (part.text.isascii() and lang in IN_ASCII):
                try:
                    texts.append(part.text.encode(encoding))
                except UnicodeEncodeError:
                    continue  # such a text cannot be in a log of that encoding
        found |= dict.fromkeys(_anchors(texts, 9 if encoding == "utf-8" else 6))
    loose = {re.escape(a).replace(b"'", _APOSTROPHE).replace(b"\\ ", _SPACE) for a in found}
    return tuple(re.compile(a, re.S) for a in sorted(loose))


def _anchors(texts: list[bytes], width: int) -> list[bytes]:
    """A few short strings such that each text has one of them."""
    chosen = []
    left = {text for text in texts if text}
    while left:
        counts: dict[bytes, int] = {}
        for text in left:
            for anchor in {text[i : i + width] for i in range(max(1, len(text) - width + 1))}:
                counts[anchor] = counts.get(anchor, 0) + 1
        best = max(counts, key=lambda anchor: (counts[anchor], anchor))
        chosen.append(best)
        left = {text for text in left if best not in text}
    return chosen


def candidates(block: bytes, encodings: tuple[str, ...]) -> list[tuple[int, int]]:
    """The lines of a block that may hold a socket error: (begin, end) of each, in order, line ends left out.

    block       whole lines, ended by newlines
    encodings   those that its bytes outside ASCII may be in; empty when it has none
    """
    begins: dict[int, int] = {}
    patterns = _patterns()
    for encoding in encodings:
        patterns += _foreign(encoding)
    size = len(block)
    for pattern in patterns:
        search = pattern.search
        match = search(block)
        while match is not None:
            at = match.start()
            begin = block.rfind(_NEWLINE, 0, at) + 1
            end = begins.get(begin, -1)
            if end < 0:
                end = block.find(_NEWLINE, at)
                if end < 0:
                    end = size
                begins[begin] = end
            match = search(block, end)
    return sorted(begins.items())
