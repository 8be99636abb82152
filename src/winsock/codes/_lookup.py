"""From what people type or paste to the code they mean."""

from __future__ import annotations

import errno

from winsock.codes._errno import from_errno
from winsock.codes._hresult import from_hresult
from winsock.codes._names import known_numbers, name_of, numbers_by_name

_MARKS = ("winerror ", "socket error # ", "socket error ", "errno ", "error code ", "error ", "code ", "hresult ")
_NO_COUNTERPART = -1


def lookup(text: str) -> int | None:
    """The code that a text stands for, or None.

    Understood: numbers (10054, 0x2746), HRESULTs (0x80072746, -2147014842), NTSTATUS (0xC000020D), names with or
    without WSA and in any case (WSAECONNRESET, econnreset), Linux errno names, EAI_ and h_errno names, STATUS_
    and ERROR_ names, names from other documents; also inside a pasted message: "OSError: [WinError 10054] An ...".
    """
    text = _bare(text)
    number = _number(text)
    return _from_name(text) if number is None else _from_number(number)


def _bare(text: str) -> str:
    """The text, or of a pasted message the word after `[WinError`, `Error` and the like."""
    text = text.strip()
    folded = text.lower()
    if len(folded) != len(text):  # a few letters of the world grow in lower case
        folded = text
    for mark in _MARKS:
        start = folded.find(mark)
        if start == 0 or (start > 0 and not folded[start - 1].isalnum()):
            words = text[start + len(mark) :].split(None, 1)
            return words[0].strip("[](){}:;,.'\"") if words else ""
    return text.strip("[]()").strip()


def _number(text: str) -> int | None:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not digits.isascii():
        return None
    if digits.isdigit() and len(digits) <= 20:
        return sign * int(digits)
    if digits[:2] in ("0x", "0X") and 2 < len(digits) <= 18 and digits[2:].isalnum():
        try:
            return sign * int(digits[2:], 16)
        except ValueError:
            return None
    return None


def _from_number(number: int) -> int | None:
    inner = from_hresult(number)
    if inner is not None:
        number = inner
    if number in known_numbers():
        return number
    if -(2**31) <= number < 0 or 0x80000000 <= number < 2**32:
        return _from_status(number & 0xFFFFFFFF)
    return None


def _from_status(status: int) -> int | None:
    from winsock.codes._ntstatus import NTSTATUS, ntstatus_to_wsa

    return ntstatus_to_wsa(status) if status in NTSTATUS._value2member_map_ else None


def _from_name(text: str) -> int | None:
    name = text.upper().replace("-", "_").replace(" ", "_").removeprefix("WSA.").removeprefix("ERRNO.")
    names = numbers_by_name()
    for candidate in (name, "WSA" + name, "WSA_" + name, "ERROR_" + name):
        if (code := names.get(candidate)) is not None:
            return code
    if name.startswith("STATUS_"):
        from winsock.codes._ntstatus import NTSTATUS, ntstatus_to_wsa

        status = NTSTATUS.__members__.get(name)
        return None if status is None else ntstatus_to_wsa(status)
    number = getattr(errno, name, None) if name.startswith("E") else None
    if isinstance(number, int):
        code = from_errno(number, _NO_COUNTERPART)
        return None if code == _NO_COUNTERPART else code
    return None


def suggest(text: str, count: int = 3) -> list[str]:
    """Codes close to a text that lookup() does not understand, the best first, each as "number name"."""
    text = _bare(text)
    number = _number(text)
    return _close_names(text, count) if number is None else _close_numbers(number, count)


def _close_names(text: str, count: int) -> list[str]:
    from difflib import get_close_matches

    names = numbers_by_name()
    wanted = text.upper().replace("-", "_").replace(" ", "_")
    close = get_close_matches(wanted, names, count * 3, 0.6)
    if not wanted.startswith("WSA"):
        close += get_close_matches("WSA" + wanted, names, count * 3, 0.6)
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
