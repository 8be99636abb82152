"""From what people type or paste to the code they mean."""

from __future__ import annotations

from winsock.codes._elsewhere import is_known, number_of_name
from winsock.codes._hresult import from_hresult

_MARKS = ("winerror", "error", "errno", "code", "hresult", "socketexception", "エラー", "錯誤", "erreur")
AROUND = "[](){}<>:;,.'\"#!?、。「」（）：，"


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
    number = number_of(bare)
    if number is not None:
        return _one(_from_number(number))
    words = text.split()
    if len(words) == 1:
        found = from_name(bare)
    else:
        found = _from_marked_number(words)
        if found is None:
            from winsock.codes._search import numbers_of_message

            if messages := numbers_of_message(text):
                return messages
            found = from_name(bare)
    if found is not None:
        return (found,)
    from winsock.codes._guess import code_of_line

    return code_of_line(text, words)


def _one(code: int | None) -> tuple[int, ...]:
    return () if code is None else (code,)


def _from_marked_number(words: list[str]) -> int | None:
    """The number after a word like `[WinError` or `Error`, also with `#` or `code` between, or glued to it."""
    marked = False
    for word in words:
        bare = word.strip(AROUND).lower()
        if marked and (number := number_of(bare)) is not None and (code := _from_number(number)) is not None:
            return code
        if bare:
            marked = bare.endswith(_MARKS)
    return None


def number_of(text: str) -> int | None:
    """The number that a text is, decimal or hexadecimal; None for another text."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if digits.isdecimal() and len(digits) <= 20:  # in full width too, as Japanese keyboards give them
        return sign * int(digits)
    if not digits.isascii():
        return None
    if digits[:1].isdigit() and digits[-1] in "uUlL":  # 10054L: as in the headers of C
        return number_of(text.rstrip("uUlL"))
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
    if is_known(number):
        return number
    if -(2**31) <= number < 0 or 0x80000000 <= number < 2**32:
        return _from_status(number & 0xFFFFFFFF)
    return None


def _from_status(status: int) -> int | None:
    from winsock.codes._ntstatus import NTSTATUS, ntstatus_to_wsa

    return ntstatus_to_wsa(status) if status in NTSTATUS._value2member_map_ else None


def from_name(text: str) -> int | None:
    """The code of a name in any case, of this system or another, with or without what stands before it."""
    text = text.replace("::", ".").rpartition(".")[2]  # syscall.WSAECONNRESET, Errno::ECONNRESET
    name = text.upper().replace("-", "_").replace(" ", "_")
    if name.isascii() and name.startswith("WSA") and (code := number_of_name(name)) is not None:
        return code
    from winsock.codes._guess import code_of_name

    return code_of_name(text, name)
