"""The knowledge about the codes, read from data/<language>.toml entry by entry.

A whole file is a hundred entries and more; who asks about one code should not pay for parsing the rest, so an entry
is cut out of the text and read alone.  Its lines are nearly all `key = "text"`, which needs no parser; an entry
with anything else in it goes through tomllib.  A test holds that both ways read the same.
"""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from functools import cache, lru_cache

from winsock.codes._cpython import exception_class, winerror_to_errno
from winsock.codes._errno import to_errno
from winsock.codes._hresult import from_hresult, to_hresult
from winsock.codes._names import aliases_of, name_of
from winsock.codes._resolver import H_ERRNO, WINDOWS_EAI
from winsock.codes._wsa import WSA

_DATA = os.path.join(os.path.dirname(__file__), "data")
_DEFAULT = "en"
_RESOLVER_CODES = frozenset(int(code) for _, code in H_ERRNO.values())


_Fields = namedtuple(
    "_Fields",
    "number name aliases title meaning cause remedy note message exception errno linux linux_errno hresult lang",
)


class Entry(_Fields):
    """All that is known about one code.

    A named tuple for its start-up time: `dataclasses` and `typing` cost more to import than all the rest of this.
    """

    __slots__ = ()

    number: int
    name: str  # as in winsock2.h or winerror.h; empty where no header names the number
    aliases: tuple[str, ...]  # the names other headers and documents use
    title: str
    meaning: str
    cause: str
    remedy: str
    note: str  # what readers of other documents should know; mostly empty
    message: str | None  # what Windows itself shows, and Python after [WinError n]
    exception: str | None  # the class Python raises on Windows
    errno: int | None  # e.errno of that exception: Windows' number
    linux: str | None  # the counterpart on Linux: an errno or EAI_ name
    linux_errno: int | None  # its number on this machine, for an errno
    hresult: int  # unsigned
    lang: str  # the language of the texts


@cache
def _text(lang: str) -> str:
    with open(os.path.join(_DATA, f"{lang}.toml"), encoding="utf-8") as file:
        return "\n" + file.read()


@cache
def languages() -> tuple[str, ...]:
    """The languages there are texts in, as explain() and message() take them."""
    return tuple(sorted(name[:-5] for name in os.listdir(_DATA) if name.endswith(".toml")))


@cache
def _language(lang: str) -> str:
    wanted = lang.split(".", maxsplit=1)[0].replace("_", "-")
    by_folded_name = {name.lower(): name for name in languages()}
    while wanted:
        if (found := by_folded_name.get(wanted.lower())) is not None:
            return found
        wanted = wanted.rpartition("-")[0]
    raise ValueError(f"no texts in language {lang!r}; there are: {', '.join(languages())}")


@lru_cache(512)
def _fields(code: int, lang: str) -> dict[str, str]:
    """The entry's texts in that language alone; empty when the file has no such entry."""
    text = _text(lang)
    start = text.find(f"\n[{code}]\n")
    if start < 0:
        return {}
    start = text.index("\n", start + 1) + 1
    end = text.find("\n[", start - 1)
    return read_table(text[start:] if end < 0 else text[start:end])


def read_table(lines: str) -> dict[str, str]:
    """The key/value lines of one TOML table whose values are strings."""
    fields: dict[str, str] = {}
    for line in lines.splitlines():
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition(" = ")
        inside = value[1:-1]
        plain = len(value) >= 2 and value[0] == value[-1] == '"' and not ('"' in inside or "\\" in inside)
        if not (plain and key.isidentifier()):
            import tomllib

            return tomllib.loads(lines)
        fields[key] = inside
    return fields


def explain(code: int, lang: str = _DEFAULT) -> Entry | None:
    """All that is known about a code; None for a number that is no code socket programs meet.

    code    a Winsock or Win32 error number
    lang    language of the texts, as "en" or "fr-CA"; what it lacks comes in English.  ValueError: no such language
    """
    lang = _language(lang)
    fields = _fields(code, lang)
    if lang != _DEFAULT:
        fields = {**_fields(code, _DEFAULT), **fields}
    if not fields:
        return None
    linux_errno = to_errno(code)
    linux = errno.errorcode[linux_errno] if linux_errno is not None else _eai_name(code)
    if code in _RESOLVER_CODES:
        exception: str | None = "socket.gaierror"
    else:
        exception = exception_class(code).__name__ if code else None
    return Entry(
        number=int(code),
        name=name_of(code),
        aliases=aliases_of(code),
        title=fields["title"],
        meaning=fields["meaning"],
        cause=fields["cause"],
        remedy=fields["remedy"],
        note=fields.get("note", ""),
        message=fields.get("system"),
        exception=exception,
        errno=winerror_to_errno(code) if code else None,
        linux=linux,
        linux_errno=linux_errno,
        hresult=to_hresult(code),
        lang=lang,
    )


def _eai_name(code: int) -> str | None:
    if code == WSA.WSANO_DATA:
        return "EAI_NODATA"
    return next((name for name, wsa in WINDOWS_EAI.items() if wsa == code), None)


def message(code: int, lang: str = _DEFAULT) -> str | None:
    """Windows' own message for a code, as FormatMessage gives it and CPython shows it: without the closing dot.

    code    a Winsock or Win32 error number, or an HRESULT of facility WIN32
    lang    as for explain()

    None for a code Windows has no message for, or that this catalogue does not have; see error_text().
    """
    lang = _language(lang)
    inner = from_hresult(code)
    if inner is not None:
        code = inner
    text = _fields(code, lang).get("system")
    if text is None and lang != _DEFAULT:
        text = _fields(code, _DEFAULT).get("system")
    return text


def error_text(code: int, lang: str = _DEFAULT) -> str:
    """The text of Python's `[WinError n] text`: the message, or what CPython writes where there is none."""
    return message(code, lang) or f"Windows Error 0x{code & 0xFFFFFFFF:x}"
