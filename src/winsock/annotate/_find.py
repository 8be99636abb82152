"""find(): the socket errors in one line."""

from __future__ import annotations

from collections import namedtuple

from winsock.annotate._messages import messages
from winsock.annotate._names import names
from winsock.annotate._numbers import numbers
from winsock.codes._names import name_of

_Hit = namedtuple("_Hit", "number name begin end sign lang")


class Hit(_Hit):
    """A socket error in a line."""

    __slots__ = ()

    number: int
    name: str  # Winsock's name for it
    begin: int  # where it stands, in characters
    end: int
    sign: str  # what it was known by: "number", "name" or "message"
    lang: str  # of a message, "posix" for texts that are not Windows' own; empty otherwise


def find(text: str) -> list[Hit]:
    """The socket errors in a line of text, each number once, in the order of their first appearance.

    text    one line, of any length; a line end at its end does not matter

    Numbers count by what stands beside them: "WinError 10054" does, "port 10054" does not.
    """
    found = [(begin, end, number, "number", "") for begin, end, number in numbers(text)]
    found += [(begin, end, number, "name", "") for begin, end, number in names(text)]
    if texts := messages(text):
        known = {number for _, _, number, _, _ in found}
        for begin, end, part in texts:
            if known.isdisjoint(part.numbers):  # where Windows has one text for several, the number says which
                found.append((begin, end, part.numbers[0], "message", part.lang))
    if len(found) == 1:
        begin, end, number, sign, lang = found[0]
        return [Hit(number, name_of(number), begin, end, sign, lang)]
    first: dict[int, Hit] = {}
    for begin, end, number, sign, lang in sorted(found):
        if number not in first:
            first[number] = Hit(number, name_of(number), begin, end, sign, lang)
    return list(first.values())
