"""Which number in a line is an error code, and which is a port, a process, a price.

A number counts for what stands beside it.  The word before it decides where it can ("WinError 10054", "port 10054");
a vague word ("code", "returned", "was") passes the question on to the word before; what is left is decided by the
line: a bracketed number after a failure of something that speaks of sockets counts, others do not.
"""

from __future__ import annotations

import re
from functools import cache

from winsock.annotate._words import (
    CALLS,
    CODE_GIVING,
    ERROR,
    ERROR_ENDS,
    FAILED,
    OTHER,
    OTHER_ERRORS,
    SKIPPED,
    SOCKETS,
    STRONG,
    TROUBLE,
    UNIT,
    VAGUE,
)
from winsock.codes import WSA, from_hresult
from winsock.codes._names import MISLISTED, known_numbers
from winsock.codes._win32 import WIN32

# Win32 codes that are about networks whoever gives them; of the others (2, 5, 32, ...) nobody can tell.
NETWORK = frozenset(
    code
    for code, name in WIN32.items()
    if 1225 <= code <= 1256
    or name.startswith(("ERROR_NET", "ERROR_BAD_NET", "ERROR_SEM_TIMEOUT", "ERROR_UNEXP_NET", "ERROR_REM_NOT_LIST"))
) | {995, 996}

# Other Win32 codes that Winsock has names for.
_WINSOCKS_OTHER = frozenset(int(code) for code in WSA if code < WSA.WSAEINTR)

_FIVE = re.compile(
    r"1(?:0(?:0(?:04|09|1[34]|2[24]|3[5-9]|[456]\d|7[01]|9[1-3])|1(?:0[1-9]|1[0-2]))|10(?:0[1-9]|[12]\d|3[0-3]))(?!\d)",
    re.A,
)
_SMALL = re.compile(r"(?:WinError|Win32Exception|SocketException)[ :=(\[\"']{1,4}(\d{1,4})(?!\d)", re.A)
_LAST_ERROR = re.compile(r"WSAGetLastError(?:\(\))?(?: returned| is| was)?[ :=(]{1,4}(\d{1,4})(?!\d)", re.A)
_HRESULT = re.compile(
    r"(?<![0-9A-Za-z])(0[xX])?8007[0-9a-fA-F]{4}(?![0-9A-Za-z])|(?<![0-9A-Za-z_.])-21470\d{5}(?!\d)",
    re.A,
)
_UNSIGNED = re.compile(r"(?<![0-9A-Za-z_.,])21479\d{5}(?![\d.,])", re.A)
_HRESULT_WORD = re.compile(r"hr|hresult|error|code|fail|exception", re.I)
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")

_CLOSES = re.compile(r"[\s.;)\]\"']*$")
_CLOSED = re.compile(r"\b(?:closed|terminated|dropped)\b", re.I)
_HEX_BEFORE = re.compile(r"0x0*[0-9a-fA-F]{4}/$")
_LOOK_BACK = 64
_MOST_WORDS = 6


@cache
def _socket_numbers() -> frozenset[int]:
    return frozenset(number for number in known_numbers() if number >= WSA.WSAEINTR and number != MISLISTED)


def numbers(text: str) -> list[tuple[int, int, int]]:
    """Where error codes stand in a line as numbers: (begin, end, number) of each."""
    found = []
    for match in _FIVE.finditer(text):
        begin, end = match.span()
        if _alone(text, begin, end) and _is_code(text, begin, end):
            found.append((begin, end, int(match[0])))
    if "WinError" in text or "Exception" in text:
        for match in _SMALL.finditer(text):
            number = int(match[1])
            if number in NETWORK:
                found.append((match.start(1), match.end(1), number))
    if "WSAGetLastError" in text:
        for match in _LAST_ERROR.finditer(text):
            number = int(match[1])
            if number in NETWORK or number in _WINSOCKS_OTHER:
                found.append((match.start(1), match.end(1), number))
    if "8007" in text or "-21470" in text:
        for match in _HRESULT.finditer(text):
            digits = match[0]
            value = int(digits) if digits[0] == "-" else int(digits, 16)
            if match[1] or digits[0] == "-" or _HRESULT_WORD.search(text, max(0, match.start() - 24), match.start()):
                _add_hresult(found, match, value)
    if "21479" in text:
        for match in _UNSIGNED.finditer(text):
            _add_hresult(found, match, int(match[0]))
    return found


def _add_hresult(found: list[tuple[int, int, int]], match: re.Match[str], value: int) -> None:
    number = from_hresult(value)
    if number is not None and (number in _socket_numbers() or number in NETWORK):
        found.append((match.start(), match.end(), number))


def _alone(text: str, begin: int, end: int) -> bool:
    """Whether the digits are a number of their own, no part of a larger number, a date, a path."""
    before = text[begin - 1] if begin else " "
    if (before.isalnum() and before.isascii()) or before in "_.$€£¥@&+":
        return False
    if before == "," and text[begin - 2 : begin - 1].isdigit():
        return False
    if before == "-" and begin > 1 and (text[begin - 2].isalnum() or text[begin - 2] == "-"):
        return False
    after = text[end : end + 2]
    if not after:
        return True
    if (after[0].isalnum() and after[0].isascii()) or after[0] in "_%$€":
        return False
    return not (after[0] in ".,-:/" and after[1:].isdigit())


def _is_code(text: str, begin: int, end: int) -> bool:
    before = text[max(0, begin - _LOOK_BACK) : begin]
    if before.endswith(("%%", "Os { code: ")):  # Windows' event log, Rust
        return True
    if before.endswith("/"):  # 0x00002746/10054
        return _HEX_BEFORE.search(before) is not None and int(before[-5:-1], 16) == int(text[begin:end])
    if UNIT.match(text, end) is not None:
        return False
    tokens = _TOKEN.findall(before)
    if not tokens:
        return False
    glued = not before[-1].isspace()
    return _judge(tokens, glued, text, begin, end)


def _judge(tokens: list[str], glued: bool, text: str, begin: int, end: int) -> bool:
    """The decision, from the words before the number backwards."""
    vague = False
    hash_sign = False
    closed = False  # the words before stand in brackets of their own, as [error] does
    called = False
    arrow = _after_arrow(tokens)
    words = 0
    at = len(tokens)
    while at and words < _MOST_WORDS:
        at -= 1
        token = tokens[at]
        if not token[0].isalnum():
            if token == "#":
                hash_sign = True
            elif token == "]":
                closed = True
            elif token in ";|" or (token in ".," and words):
                break
            continue
        words += 1
        word = token.lower()
        if word in STRONG:
            return True
        if word in ERROR or word.endswith(ERROR_ENDS):
            return not (closed or _spoiled(tokens, at))
        if word in OTHER and not (word in FAILED and glued and _in_brackets(text, begin, end)):
            return False
        if word.isdigit():
            break
        if hash_sign:
            return False
        if word in VAGUE:
            vague = True
            continue
        if word in SKIPPED:
            called = called or word in CALLS
            continue
        if word.startswith("wsa") or word in CODE_GIVING:
            return True
        if word in CALLS:
            called = True
            if arrow or (vague and TROUBLE.search(text) is not None):
                return True
            continue
        if word in FAILED:
            return SOCKETS.search(text) is not None
        break
    if glued and _in_brackets(text, begin, end) and not hash_sign:
        if SOCKETS.search(text) is None:
            return False
        return TROUBLE.search(text) is not None or (
            _CLOSES.match(text, end + 1) is not None and _CLOSED.search(text, 0, begin) is not None
        )
    if arrow and called:
        return True
    if glued:
        return False
    if vague:
        return SOCKETS.search(text) is not None and TROUBLE.search(text) is not None
    return (
        tokens[-1] == ":"
        and _CLOSES.match(text, end) is not None
        and SOCKETS.search(text, 0, begin) is not None
        and TROUBLE.search(text, 0, begin) is not None
    )


def _after_arrow(tokens: list[str]) -> bool:
    """Whether the number is what something gave: `recv() -> 10054`."""
    return len(tokens) > 1 and tokens[-1] == ">" and tokens[-2] in "-="


def _spoiled(tokens: list[str], at: int) -> bool:
    """Whether the error is one of something that surely is no socket: exit, HTTP, SQL."""
    return at > 0 and tokens[at - 1].lower() in OTHER_ERRORS


def _in_brackets(text: str, begin: int, end: int) -> bool:
    """Whether a number stands alone in brackets that belong to no word: (10054), but not sshd[10054]."""
    opening, closing = text[begin - 1 : begin], text[end : end + 1]
    if (opening, closing) not in (("(", ")"), ("[", "]")):
        return False
    before = text[begin - 2 : begin - 1]
    return not (before.isalnum() or before == "_")
