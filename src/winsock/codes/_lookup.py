"""From what people type or paste to the code they mean."""

from __future__ import annotations

import errno

from winsock.codes._errno import from_errno
from winsock.codes._hresult import from_hresult
from winsock.codes._names import known_numbers, name_of, numbers_by_name
from winsock.codes._wsa import WSA

_MARKS = ("winerror", "error", "errno", "code", "hresult", "socketexception", "エラー", "錯誤", "erreur")
_AROUND = "[](){}<>:;,.'\"#!?、。「」（）：，"
_NO_COUNTERPART = -1
_CLOSE, _NEAR = 0.8, 0.6  # of a misspelled name
_LONGEST = 60  # of a name that somebody may have meant


def lookup(text: str) -> int | None:
    """The code that a text stands for, or None; the first of them where lookup_all() finds several."""
    return next(iter(lookup_all(text)), None)


def lookup_all(text: str) -> tuple[int, ...]:
    """The codes that a text stands for: mostly one; empty for a text that is not understood.

    Understood: numbers (10054, 0x2746), HRESULTs (0x80072746, -2147014842), NTSTATUS (0xC000020D), names with or
    without WSA and in any case (WSAECONNRESET, econnreset), Linux errno names, EAI_ and h_errno names, STATUS_
    and ERROR_ names, names from other documents and from other languages' libraries (SocketError.HostNotFound,
    io::ErrorKind::TimedOut, ENOTFOUND, java.net.UnknownHostException); the messages of Windows in the languages of
    the catalogue, and parts of them that no other code has; also inside a pasted line: "OSError: [WinError 10054] An
    ...".  Several come for a message that Windows has for several codes.
    """
    bare = text.strip().strip("[]()").strip()
    number = _number(bare)
    if number is not None:
        return _one(_from_number(number))
    words = text.split()
    if len(words) == 1:
        found = _from_name(bare)
    else:
        found = _from_marked_number(words)
        if found is None:
            found = _from_name(bare)
    return _from_line(text, words) if found is None else (found,)


def _one(code: int | None) -> tuple[int, ...]:
    return () if code is None else (code,)


def _from_marked_number(words: list[str]) -> int | None:
    """The number after a word like `[WinError` or `Error`, also with `#` or `code` between, or glued to it."""
    marked = False
    for word in words:
        bare = word.strip(_AROUND).lower()
        if marked and (number := _number(bare)) is not None and (code := _from_number(number)) is not None:
            return code
        if bare:
            marked = bare.endswith(_MARKS)
    return None


def _from_line(text: str, words: list[str]) -> tuple[int, ...]:
    """The code of a line that holds one in some way, the surest way first."""
    from winsock.codes._elsewhere import from_spelling
    from winsock.codes._search import search

    bare = [word.strip(_AROUND) for word in words]
    if len(words) > 1:
        for word in bare:
            if word.isupper() and len(word) > 3:
                code = _from_name(word)
                if code is not None or (code := from_spelling(word)) is not None:
                    return (code,)
    if (code := from_spelling(text.strip().strip("[]()"))) is not None:
        return (code,)
    if found := search(text):
        return found
    for word in bare:
        if word.isascii() and word.endswith(("Error", "Exception")) and (code := from_spelling(word)) is not None:
            return (code,)
    if len(words) > 1:
        numbers = {int(word) for word in bare if word.isascii() and word.isdigit() and len(word) == 5}
        numbers &= {n for n in known_numbers() if n >= WSA.WSAEINTR}
        if len(numbers) == 1:
            return tuple(numbers)
    return ()


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
    text = text.replace("::", ".").rpartition(".")[2]  # syscall.WSAECONNRESET, Errno::ECONNRESET
    name = text.upper().replace("-", "_").replace(" ", "_")
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
    text = text.strip().strip("[]()").strip()
    number = _number(text)
    return _close_texts(text, count) if number is None else _close_numbers(number, count)


def _close_texts(text: str, count: int) -> list[str]:
    from winsock.codes._search import similar

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
