"""IP addresses as text, by the rules of Windows' runtime library (RtlIpv4StringToAddress and its kin).

Parsers do not simply accept or refuse: they stop somewhere and leave behind what they had written until then, and
callers can see both.  So each returns a Parsed.  Texts are str; for an ANSI function, one character a byte.

Source: the documents for the grammar; facts for what is left behind; observed on Wine for the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

_DECIMAL = frozenset("0123456789")
_DIGITS = {8: frozenset("01234567"), 10: _DECIMAL, 16: frozenset("0123456789abcdefABCDEF")}
_HEX = _DIGITS[16]

_MAX32 = 0xFFFFFFFF
_LONG_MAX = 0x7FFFFFFF
GROUPS = 8  # of an IPv6 address, 16 bits each


class Parsed(NamedTuple):
    """What a parser made of a text."""

    ok: bool  # there was an address at the beginning of the text
    data: bytes  # what was written, from the address' first byte on; nothing or a part if not ok
    end: int  # where the parser stopped


class Endpoint(NamedTuple):
    """An address with what may follow it; on failure what was parsed, port and scope 0."""

    ok: bool
    data: bytes
    port: int
    scope: int


def _span(text: str, at: int, allowed: frozenset[str]) -> int:
    """The end of the run of allowed characters."""
    end = len(text)
    while at < end and text[at] in allowed:
        at += 1
    return at


def _at(text: str, i: int) -> str:
    """The character there; NUL at the end."""
    return text[i] if i < len(text) else "\0"


def _wrapped(digits: str, base: int) -> int | None:
    """The value in 32 bits, where an overflow is noticed only if a digit makes the number smaller."""
    value = 0
    for digit in digits:
        longer = (value * base + int(digit, base)) & _MAX32
        if longer < value:
            return None
        value = longer
    return value


def _number(text: str, at: int, wrap: bool = False) -> tuple[int | None, int]:
    """A number of 32 bits in C's notation (octal after 0, hexadecimal after 0x) or None; and its end."""
    base = 10
    if _at(text, at) == "0":
        following = _at(text, at + 1)
        if following in "xX":
            base, at = 16, at + 2
        elif following in _DECIMAL:
            base, at = 8, at + 1
    end = _span(text, at, _DIGITS[base])
    if end == at:
        return None, end
    digits = text[at:end].lstrip("0") or "0"
    if wrap:
        return _wrapped(digits, base), end
    # Eleven octal digits are the longest that can fit.
    return (value if len(digits) <= 11 and (value := int(digits, base)) <= _MAX32 else None), end


def ipv4(text: str, strict: bool, wrap: bool = False) -> Parsed:
    """An IPv4 address at the beginning of a text: 4 bytes, or nothing.

    strict    four decimal parts without leading zeros; else one to four parts in C's notation, the last of which
              fills the rest of the address
    wrap      numbers above 32 bits lose their upper digits, mostly
    """
    parts: list[int] = []
    i = 0
    while True:
        if strict and _at(text, i) == "0" and _at(text, i + 1) in "xX0123456789":
            return Parsed(False, b"", i + 1)
        value, end = _number(text, i, wrap)
        if value is None:
            return Parsed(False, b"", i)
        i = end
        parts.append(value)
        if _at(text, i) != ".":
            break
        if len(parts) == 4:
            return Parsed(False, b"", i)
        i += 1
    *first, last = parts
    bits = 8 * (4 - len(first))
    if (strict and len(parts) != 4) or any(p > 0xFF for p in first) or last >> bits:
        return Parsed(False, b"", i)
    return Parsed(True, bytes(first) + last.to_bytes(bits // 8, "big"), i)


def _group(text: str, at: int, end: int) -> int:
    """The value of the last group.  The C library reads it, and that one takes a 0x with more digits behind."""
    if end == at + 1 and text[at] == "0" and _at(text, end) in "xX":
        digits = text[end + 1 : _span(text, end + 1, _HEX)]
        return min(int(digits or "0", 16), _LONG_MAX) & 0xFFFF
    return int(text[at:end], 16)


def ipv6(text: str) -> Parsed:
    """An IPv6 address at the beginning of a text, without scope: 16 bytes, or those before the mistake."""
    data = bytearray()
    gap: int | None = None  # where :: stands, in bytes
    i = 0

    def stop(at: int) -> Parsed:
        # A :: at the beginning has its first zeroes written at once.
        return Parsed(False, bytes(data.ljust(2, b"\0")) if gap == 0 else bytes(data), at)

    def done(at: int) -> Parsed:
        if gap is None:
            return Parsed(True, bytes(data), at)
        return Parsed(True, bytes(data[:gap]) + bytes(2 * GROUPS - len(data)) + bytes(data[gap:]), at)

    if text.startswith("::"):
        gap, i = 0, 2
    while True:
        limit = GROUPS if gap is None else GROUPS - 1
        n = len(data) // 2
        if n == limit:
            return done(i)
        end = _span(text, i, _HEX)
        following = _at(text, end)
        if end == i:
            return done(i) if gap == len(data) and text[i - 2 : i] == "::" else stop(i)
        if following == "." and n <= limit - 2 and _span(text, i, _DECIMAL) == end:
            return _dotted_tail(text, i, data, gap is None, stop, done)
        if end - i > 4:
            return stop(end)
        if following == ":" and n < limit - 1:
            data += int(text[i:end], 16).to_bytes(2, "big")
            if _at(text, end + 1) != ":":
                i = end + 1
            elif gap is None:
                gap, i = len(data), end + 2
            else:
                return done(end)
        elif gap is not None or n == limit - 1:
            data += _group(text, i, end).to_bytes(2, "big")
            return done(end)
        else:
            return stop(end)


def _dotted_tail(
    text: str, i: int, data: bytearray, full: bool, stop: Callable[[int], Parsed], done: Callable[[int], Parsed]
) -> Parsed:
    """The last four bytes in decimal."""
    for k in range(4):
        end = _span(text, i, _DECIMAL)
        if not 0 < end - i <= 3 or int(text[i:end]) > 0xFF:
            return stop(i)
        dot = _at(text, end) == "."
        too_early = k == 3 and full and len(data) != 15
        if not dot and (k < 3 or too_early):
            return stop(end)
        data.append(int(text[i:end]))
        i = end + (k < 3)
        if too_early:
            return stop(i)
    return done(i)


def _port(text: str, at: int) -> int:
    """The port that is the rest of a text; 0 if it is none."""
    value, end = _number(text, at)
    return value if value is not None and end == len(text) and value <= 0xFFFF else 0


def ipv4_endpoint(text: str, strict: bool) -> Endpoint:
    """An IPv4 address, and a port after a colon; the whole text."""
    ok, data, end = ipv4(text, strict, wrap=True)
    if ok and end == len(text):
        return Endpoint(True, data, 0, 0)
    if ok and text[end] == ":" and (port := _port(text, end + 1)):
        return Endpoint(True, data, port, 0)
    return Endpoint(False, data, 0, 0)


def ipv6_endpoint(text: str) -> Endpoint:
    """An IPv6 address, a scope after a percent sign; in brackets, a port after a colon; the whole text."""
    bracket = text.startswith("[")
    if bracket:
        text = text[1:]
    ok, data, i = ipv6(text)
    failed = Endpoint(False, data, 0, 0)
    if not ok:
        return failed
    scope = port = 0
    if _at(text, i) == "%":
        end = _span(text, i + 1, _DECIMAL)
        digits = text[i + 1 : end]
        if not digits or (digits[0] == "0" and digits != "0") or len(digits) > 10 or int(digits) > _MAX32:
            return failed
        scope, i = int(digits), end
    if bracket:
        if _at(text, i) != "]":
            return failed
        i += 1
        if _at(text, i) == ":":
            port = _port(text, i + 1)
            return Endpoint(True, data, port, scope) if port else failed
    return Endpoint(True, data, port, scope) if i == len(text) else failed


def ipv4_text(data: bytes) -> str:
    """Dotted decimal."""
    return ".".join(map(str, data[:4]))


def ipv6_text(data: bytes) -> str:
    """The shortest text, with a dotted tail where an IPv4 address is embedded."""
    groups = struct.unpack(">8H", data[:16])
    dotted = _embeds_ipv4(groups)
    n = 6 if dotted else GROUPS
    at, length = _longest_zeroes(groups[:n])
    tail = [ipv4_text(data[12:16])] if dotted else []
    if length < 2:
        return ":".join([f"{g:x}" for g in groups[:n]] + tail)
    head = ":".join(f"{g:x}" for g in groups[:at])
    return head + "::" + ":".join([f"{g:x}" for g in groups[at + length : n]] + tail)


def _embeds_ipv4(groups: tuple[int, ...]) -> bool:
    """Whether the last 32 bits are an IPv4 address: compatible, mapped, translated, ISATAP."""
    if groups[:4] == (0, 0, 0, 0) and groups[6] and groups[4:6] in ((0, 0), (0, 0xFFFF), (0xFFFF, 0)):
        return True
    return groups[5] == 0x5EFE and groups[4] & 0xFDFF == 0


def _longest_zeroes(groups: tuple[int, ...]) -> tuple[int, int]:
    """Where the first of the longest runs of zero groups begins, and its length."""
    best = (0, 0)
    i = 0
    while i < len(groups):
        j = i
        while j < len(groups) and groups[j] == 0:
            j += 1
        if j - i > best[1]:
            best = (i, j - i)
        i = j + 1
    return best


def ipv4_endpoint_text(data: bytes, port: int) -> str:
    """Dotted decimal, with the port (host order) unless that is 0."""
    return ipv4_text(data) + (f":{port}" if port else "")


def ipv6_endpoint_text(data: bytes, port: int, scope: int) -> str:
    """The text, with the scope unless that is 0; in brackets and with the port unless that is 0."""
    text = ipv6_text(data) + (f"%{scope}" if scope else "")
    return f"[{text}]:{port}" if port else text
