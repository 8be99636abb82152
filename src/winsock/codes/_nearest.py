"""The codes nearest to what lookup() does not understand."""

from __future__ import annotations

import errno

from winsock.codes._errno import from_errno
from winsock.codes._lookup import AROUND, number_of
from winsock.codes._names import known_numbers, name_of, numbers_by_name
from winsock.codes._search import similar

_NO_COUNTERPART = -1
_CLOSE, _NEAR = 0.8, 0.6  # of a misspelled name
_LONGEST = 60  # of a name that somebody may have meant


def suggest(text: str, count: int = 3) -> list[str]:
    """Codes close to a text that lookup() does not understand, the best first, each as "number name"."""
    text = text.strip().strip("[]()").strip()
    number = number_of(text)
    if number is not None:
        return _close_numbers(number, count)
    numbers = [found for word in text.split() if (found := number_of(word.strip(AROUND))) is not None]
    close = _close_numbers(numbers[0], count) if len(numbers) == 1 else []  # errno 104
    return (close or _close_texts(text, count))[:count]


def _close_texts(text: str, count: int) -> list[str]:
    texts = [_show(number) for number in similar(text)]
    close = _close_names(text, count, _CLOSE) + texts[:count] + _close_names(text, count, _NEAR)
    return list(dict.fromkeys(close))[:count]


def _close_names(text: str, count: int, cutoff: float) -> list[str]:
    from difflib import get_close_matches

    names = numbers_by_name()
    wanted = text[:_LONGEST].upper().replace("-", "_").replace(" ", "_")
    close = get_close_matches(wanted, names, count * 3, cutoff)
    if not wanted.startswith("WSA"):
        close += get_close_matches("WSA" + wanted, names, count * 3, cutoff)
    return [_show(number) for number in dict.fromkeys(names[name] for name in close)][:count]


def _close_numbers(number: int, count: int) -> list[str]:
    close = []
    code = from_errno(number, _NO_COUNTERPART)
    if code != _NO_COUNTERPART:  # a number from a log of Linux
        close.append(f"{_show(code)} ({number} is {errno.errorcode[number]} on Linux)")
    near = known_numbers().intersection(_one_slip_away(str(number)))
    close += [_show(n) for n in sorted(near, key=lambda n: (abs(n - number), n)) if n != code]
    return close[:count]


def _one_slip_away(digits: str) -> set[int]:
    """The numbers that a wrong, missing, doubled or swapped digit makes of this one; short ones have none."""
    if not 4 <= len(digits) <= 6 or not digits.isdigit():
        return set()
    cuts = [(digits[:i], digits[i:]) for i in range(len(digits) + 1)]
    slips = {head + tail[1:] for head, tail in cuts if tail}
    slips |= {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    for digit in "0123456789":
        slips |= {head + digit + tail[1:] for head, tail in cuts if tail}
        slips |= {head + digit + tail for head, tail in cuts}
    return {int(slip) for slip in slips}


def _show(number: int) -> str:
    return f"{number} {name_of(number)}".rstrip()
