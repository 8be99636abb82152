"""The texts of each language, read from data/<language>.toml one table at a time.

A whole file is a hundred and fifty entries; who asks about one code should not pay for parsing, or even decoding,
the rest, so a table is cut out of the bytes and read alone.  Its lines are `key = "text"` and lists of one text a
line, which need no parser; a table with anything else in it goes through tomllib.  A test holds that both ways read
the same.
"""

from __future__ import annotations

import os

from winsock.codes._memo import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    Table = dict[str, str | list[str]]

DATA = os.path.join(os.path.dirname(__file__), "data")
DEFAULT = "en"
LANGUAGES = ("en", "fr", "ja", "zh-Hant")  # those of the reference, whether the file is there or not
_NOT_TEXTS = ("codes", "functions", "names")  # files of facts that lie beside the languages
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
    if (found := match(lang, languages())) is None:
        raise ValueError(f"no texts in language {lang!r}; there are: {', '.join(languages())}")
    return found


def match(lang: str, names: tuple[str, ...]) -> str | None:
    """That of some names of languages which a language means, as people and locales write it; None for none."""
    wanted = lang.split(".", maxsplit=1)[0].partition("@")[0].replace("_", "-").lower()
    wanted = _CHINESE.get(wanted, wanted)
    by_folded_name = {name.lower(): name for name in names}
    while wanted:
        if (found := by_folded_name.get(wanted.lower())) is not None:
            return found
        wanted = wanted.rpartition("-")[0]
    return None


def locale_name() -> str:
    """The locale of this process's messages, as in the environment: "ja_JP.UTF-8"; empty where none is set."""
    variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((value for value in variables if value), "")


@cache
def content(stem: str) -> bytes:
    """A data file, with a line break before its first line; empty where there is none."""
    try:
        with open(os.path.join(DATA, f"{stem}.toml"), "rb") as file:
            return b"\n" + file.read().replace(b"\r\n", b"\n")
    except FileNotFoundError:
        return b""


@cache
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
