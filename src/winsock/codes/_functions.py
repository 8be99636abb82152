"""The rows of data/functions.toml, and the texts they point to: which functions give which code, and when.

The file is cut up like the languages' (see _texts): one code's rows are read alone.  The conditions are clauses
that many functions share; their texts are in each language's [conditions].  What is made of it for callers is in
_matrix: these are strings only, for the command that must start fast.

Sources: the errors that each function's reference lists, its remarks and those of the control codes, the older
documents where they differ, and the map of overlapped results.
"""

from __future__ import annotations

from winsock.codes._memo import cache
from winsock.codes._texts import DEFAULT, content, table

STEM, FACTS = "functions", "codes"
CALL, MESSAGE, EVENT, OVERLAPPED = "call", "message", "event", "overlapped"
TEMPLATES = {MESSAGE: "when-message", OVERLAPPED: "when-overlapped"}  # an event's condition names the event


def function_names_of(code: int) -> tuple[str, ...]:
    """The names alone of the functions that give a code, in alphabetical order."""
    return tuple(table(STEM, str(int(code))))


def ids_of(code: int, function: str) -> str:
    """The conditions under which a function gives a code, as the file has them: "not-bound overlapped:flushed".

    function    as base_name() takes it.  Empty where the function is not known to give the code
    """
    ids = table(STEM, str(int(code))).get(base_name(function), "")
    assert isinstance(ids, str)
    return ids


def clause(word: str, lang: str) -> tuple[str, str, str]:
    """Id, way and text of one condition of a row."""
    how, _, key = word.rpartition(":")
    text = text_of(key, lang)
    if (template := TEMPLATES.get(how)) is not None:
        text = text_of(template, lang).replace("{condition}", text)
    return key, how or CALL, text


def text_of(key: str, lang: str = DEFAULT) -> str:
    """The text of a condition or another id of [conditions], in a language or else in English.

    Raises KeyError for an id without a text.
    """
    for stem in (lang, DEFAULT):
        data, line = content(stem), f'\n{key} = "'.encode()
        at = data.find(line, max(0, data.find(b"\n[conditions]\n")))
        if at >= 0:
            at += len(line)
            return data[at : data.index(b'"', at)].decode()
    raise KeyError(key)


# -- functions


@cache
def function_names() -> dict[str, str]:
    """Every spelling of every function, by its lower case, and the name that its rows stand under."""
    names = {}
    for name in table(STEM, "functions"):
        for spelling in (name, *words_of(name)[2:]):
            names[spelling.lower()] = name
    return names


def base_name(function: str) -> str:
    """The name under which a function's rows stand: WSASocketW for "wsasocketa()".

    A name may be in any case, with brackets or a module before it, and without the A or W at its end.
    Raises ValueError for a function that is not known here, naming the nearest.
    """
    names = function_names()
    wanted = function.strip().removesuffix("()").rpartition(".")[2].lower()
    for candidate in (wanted, wanted + "w", wanted + "a", wanted[:-1]):
        if candidate in names:
            return names[candidate]
    from difflib import get_close_matches

    near = ", ".join(names[name] for name in get_close_matches(wanted, names, 3))
    raise ValueError(f"no function {function!r} is known here" + (f"; nearest: {near}" if near else ""))


def function_name(function: str) -> str:
    """A function's name as Windows spells it, for one in any form that base_name() takes: WSASocketA stays."""
    name = base_name(function)
    wanted = function.strip().removesuffix("()").rpartition(".")[2].lower()
    return next((spelling for spelling in words_of(name)[2:] if spelling.lower() == wanted), name)


def words_of(name: str) -> list[str]:
    """Module, first version and other spellings of a function, named as its rows are."""
    words = table(STEM, "functions")[name]
    assert isinstance(words, str)
    return words.split()


# -- states


def refused(function: str, code: int | None = None) -> list[tuple[int, str, tuple[str, ...]]]:
    """The rows by which winsock's own call is refused, in their order: code, id of the condition, ids of limits.

    function    as base_name() takes it; empty for one that the refusal table does not have
    code        only the rows with this code; None: all

    The limits are the types ("type-") and states ("state-") that the row is for; none means any.
    """
    name = base_name(function)
    rows: dict[str, None] = {}
    for call, users in table(STEM, "calls").items():
        if isinstance(users, str) and name in users.split():
            rows.update(dict.fromkeys(str(row) for row in table(STEM, f"refused-{call}").values()))
    found = []
    for row in rows:
        number, condition, *limits = row.split()
        if code is None or int(number) == code:
            found.append((int(number), condition, tuple(limits)))
    return found


# -- codes


def fact_of(code: int, key: str) -> str:
    """One of data/codes.toml's strings for a code: "returned", "since" or "related"; empty where it has none."""
    value = table(FACTS, str(int(code))).get(key, "")
    assert isinstance(value, str)
    return value


def related_of(code: int) -> tuple[int, ...]:
    """Codes that one meets instead of this one, takes for it, or meets next; the nearest first."""
    return tuple(map(int, fact_of(code, "related").split()))
