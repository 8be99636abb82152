"""The texts of each language, read from data/<language>.toml one table at a time.

A whole file is a hundred and fifty entries; who asks about one code should not pay for parsing, or even decoding,
the rest, so a table is cut out of the bytes and read alone.  Its lines are `key = "text"` and lists of one text a
line, which need no parser; a table with anything else in it goes through tomllib.  A test holds that both ways read
the same.
"""

from __future__ import annotations

import os
from functools import cache, lru_cache

from winsock.codes._hresult import from_hresult

TYPE_CHECKING = False
if TYPE_CHECKING:
    Table = dict[str, str | list[str]]

DATA = os.path.join(os.path.dirname(__file__), "data")
DEFAULT = "en"
_NOT_TEXTS = ("codes", "functions")  # files of facts that lie beside the languages
_CHINESE = {"zh": "zh-Hant", "zh-tw": "zh-Hant", "zh-hk": "zh-Hant", "zh-mo": "zh-Hant"}


@cache
def languages() -> tuple[str, ...]:
    """The languages there are texts in, as explain() and message() take them."""
    stems = (name[:-5] for name in os.listdir(DATA) if name.endswith(".toml"))
    return tuple(sorted(stem for stem in stems if stem not in _NOT_TEXTS))


@cache
def language(lang: str) -> str:
    """The file's name for a language as people and locales write it: "fr_CA.UTF-8", "zh-TW".

    Raises ValueError for a language without texts.
    """
    wanted = lang.split(".", maxsplit=1)[0].partition("@")[0].replace("_", "-").lower()
    wanted = _CHINESE.get(wanted, wanted)
    by_folded_name = {name.lower(): name for name in languages()}
    while wanted:
        if (found := by_folded_name.get(wanted.lower())) is not None:
            return found
        wanted = wanted.rpartition("-")[0]
    raise ValueError(f"no texts in language {lang!r}; there are: {', '.join(languages())}")


def locale_language() -> str:
    """The language of this process's locale (LC_ALL, LC_MESSAGES, LANG), if there are texts in it; else English."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if chosen := os.environ.get(variable):
            try:
                return language(chosen)
            except ValueError:
                break
    return DEFAULT


@cache
def content(stem: str) -> bytes:
    """A data file, with a line break before its first line; empty where there is none."""
    try:
        with open(os.path.join(DATA, f"{stem}.toml"), "rb") as file:
            return b"\n" + file.read().replace(b"\r\n", b"\n")
    except FileNotFoundError:
        return b""


@lru_cache(512)
def table(stem: str, name: str) -> Table:
    """One table of a data file; empty when the file has no such table."""
    data = content(stem)
    start = data.find(f"\n[{name}]\n".encode())
    if start < 0:
        return {}
    start = data.index(b"\n", start + 1) + 1
    end = data.find(b"\n[", start - 1)
    return read_table((data[start:] if end < 0 else data[start:end]).decode())


def read_table(lines: str) -> Table:
    """The lines of one TOML table whose values are strings and lists of strings."""
    fields: Table = {}
    items: list[str] | None = None  # of the list that is open
    for line in lines.split("\n"):
        if items is not None:
            if line == "]":
                items = None
                continue
            text, plain = line[5:-2], line.startswith('    "') and line.endswith('",') and len(line) >= 7
            if plain and '"' not in text and "\\" not in text:
                items.append(text)
                continue
        elif not line or line[0] == "#":
            continue
        else:
            key, _, value = line.partition(" = ")
            if value == "[" and _is_bare(key) and key not in fields:
                items = fields[key] = []
                continue
            text, plain = value[1:-1], len(value) >= 2 and value[0] == value[-1] == '"'
            if plain and '"' not in text and "\\" not in text and _is_bare(key) and key not in fields:
                fields[key] = text
                continue
        import tomllib

        return tomllib.loads(lines)
    if items is not None:
        import tomllib

        return tomllib.loads(lines)  # which says where the list is open
    return fields


def _is_bare(key: str) -> bool:
    return key.isascii() and key.replace("-", "_").replace("_", "a").isalnum()


@cache
def labels(lang: str) -> dict[str, str]:
    """The headings and phrases of the output, those that a language lacks in English."""
    found = {**table(DEFAULT, "labels"), **table(lang, "labels")}
    return {key: text for key, text in found.items() if isinstance(text, str)}


def message(code: int, lang: str = DEFAULT) -> str | None:
    """Windows' own message for a code, as FormatMessage gives it and CPython shows it: without the closing dot.

    code    a Winsock or Win32 error number, or an HRESULT of facility WIN32
    lang    "en" or another of languages(), also as "fr-CA" or "fr_CA.UTF-8"; a message that it lacks comes in
            English.  ValueError: no such language

    None for a code Windows has no message for, or that this catalogue does not have; see error_text().
    """
    lang = language(lang)
    inner = from_hresult(code)
    if inner is not None:
        code = inner
    text = table(lang, str(int(code))).get("system")
    if text is None and lang != DEFAULT:
        text = table(DEFAULT, str(int(code))).get("system")
    return text if isinstance(text, str) else None


def error_text(code: int, lang: str = DEFAULT) -> str:
    """The text of Python's `[WinError n] text`: the message, or what CPython writes where there is none."""
    return message(code, lang) or f"Windows Error 0x{code & 0xFFFFFFFF:x}"
