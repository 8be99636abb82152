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

from winsock.annotate._messages import spellings
from winsock.annotate._names import c_names

# Rare in logs; every message in ASCII has one of them, or is sought by itself.
_LETTERS = b"bfCHpkh"
# What those share that have none.
_SHARED = b"ddress"
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
    texts = [text.encode() for text in spellings() if text.isascii()]
    texts.append(b"kind: ")
    return tuple(re.compile(p) for p in (_DIGITS, _HRESULT, _W, e, *_by_letter(texts, _LETTERS)))


def _tree(words: list[bytes]) -> bytes:
    """An expression for any of the words that looks at few of them in turn."""
    by_first: dict[bytes, list[bytes]] = {}
    for word in words:
        by_first.setdefault(word[:1], []).append(word[1:])
    branches = ((first, b"|".join(map(re.escape, rests))) for first, rests in by_first.items())
    return b"|".join(re.escape(first) + b"(?:" + rests + b")" for first, rests in branches)


def _anchor(text: bytes, letters: bytes) -> int:
    """Where in a text to begin: at a rare letter that rarely stands before what comes next."""
    for followers in (_SELDOM, _ANY):
        for letter in letters:
            for at in range(len(text) - 1):
                if text[at] == letter and text[at + 1] in followers:
                    return at
    if text[-1] in letters:
        return len(text) - 1
    return -1


def _by_letter(texts: list[bytes], letters: bytes) -> list[bytes]:
    """Expressions that each begin with one letter and together find all texts."""
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    alone = []
    for text in dict.fromkeys(texts):
        at = _anchor(text, letters)
        if at < 0:
            alone.append(text)
        else:
            found.setdefault(text[at], []).append((text[: at + 1], text[at + 1 :]))
    patterns = []
    for letter, pieces in found.items():
        begin = re.escape(bytes((letter,)))
        longer = [(head, tail) for head, tail in pieces if tail]
        # A class of what may come next fails at once, which alternatives would not.
        by_third: dict[bytes, list[bytes]] = {}
        for head, tail in longer:
            rest = re.escape(tail[2:]) + b"(?<=" + re.escape(head + tail) + b")"
            by_third.setdefault(tail[1:2], []).append(rest)
        branches = [re.escape(third) + b"(?:" + b"|".join(rests) + b")" for third, rests in by_third.items()]
        following = b"".join(re.escape(bytes((byte,))) for byte in sorted({tail[0] for _, tail in longer}))
        if longer:
            patterns.append(begin + b"[" + following + b"](?:" + b"|".join(branches) + b")")
        patterns += [re.escape(head) for head, tail in pieces if not tail]
    shared = [text for text in alone if _SHARED in text]
    if shared:
        ends = (re.escape(text.partition(_SHARED)[2]) + b"(?<=" + re.escape(text) + b")" for text in shared)
        patterns.append(_SHARED + b"(?:" + b"|".join(ends) + b")")
    return patterns + [re.escape(text) for text in alone if text not in shared]


# -- texts outside ASCII ---------------------------------------------------------------------------

# Ranges of the first characters outside ASCII: texts of one script are sought where that script is.
_SCRIPTS = ("\u0080\u024f\u2000\u206f", "\u0400\u04ff", "\u3040\u9fff", "\uac00\ud7a3")
_FREQUENT_BYTES = b" aeinorstldcumpg"


@cache
def _foreign(encoding: str) -> tuple[tuple[bytes, tuple[re.Pattern[bytes], ...]], ...]:
    """For each script the bytes that one of its texts must have one of, and the expressions for its texts."""
    groups = []
    for script in _SCRIPTS:
        gate = set()
        texts = []
        for text in spellings():
            first = next((c for c in text if c > "\x7f"), "")
            if first and any(low <= first <= high for low, high in zip(script[::2], script[1::2])):
                try:
                    texts.append(text.encode(encoding))
                    gate.add(first.encode(encoding)[0])
                except UnicodeEncodeError:
                    continue  # such a text cannot be in a log of that encoding
        if texts:
            patterns = _by_letter(texts, _rare_bytes(texts, encoding))
            groups.append((bytes(sorted(gate)), tuple(map(re.compile, patterns))))
    return tuple(groups)


def _rare_bytes(texts: list[bytes], encoding: str) -> bytes:
    """A few bytes such that each text has one of them, none that is frequent in any text of its kind."""
    useless = _FREQUENT_BYTES + (bytes(range(0xC2, 0xF5)) if encoding == "utf-8" else b"")
    chosen = bytearray()
    left = set(texts)
    while left:
        counts: dict[int, int] = {}
        for text in left:
            for byte in set(text):
                counts[byte] = counts.get(byte, 0) + (1 if byte in useless else 100)
        best = max(counts, key=lambda byte: (counts[byte], byte))
        chosen.append(best)
        left = {text for text in left if best not in text}
    return bytes(chosen)


def every_line(data: bytes, first: int, last: int) -> list[tuple[int, int]]:
    """All lines of a block that are not empty, as candidates() gives them: for blocks not worth more trouble."""
    found = []
    begin = first
    for line in data[first:last].split(_NEWLINE):
        if line:
            found.append((begin, begin + len(line)))
        begin += len(line) + 1
    return found


def candidates(data: bytes, first: int, last: int, encodings: tuple[str, ...]) -> list[tuple[int, int]]:
    """The lines of a block that may hold a socket error: (begin, end) of each, in order, line ends left out.

    data, first, last    the block, which is whole lines, ended by newlines, and where in the data it lies
    encodings            those that its bytes outside ASCII may be in; empty when it has none
    """
    begins: dict[int, int] = {}
    patterns = _patterns()
    for encoding in encodings:
        for gate, foreign in _foreign(encoding):
            if any(byte in data for byte in gate):
                patterns += foreign
    for pattern in patterns:
        search = pattern.search
        match = search(data, first, last)
        while match is not None:
            at = match.start()
            begin = data.rfind(_NEWLINE, first, at) + 1 or first
            end = begins.get(begin, -1)
            if end < 0:
                end = data.find(_NEWLINE, at, last)
                if end < 0:
                    end = last
                begins[begin] = end
            match = search(data, end, last)
    return sorted(begins.items())
