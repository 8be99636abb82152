"""Which calls give which code, and under which conditions: data/functions.toml and data/codes.toml.

Both files are cut up like the languages' (see _texts): one code's rows are read alone.  The conditions are clauses
that many functions share; their texts are in each language's [conditions].

Sources: the errors that each function's reference lists, its remarks and those of the control codes, the older
documents where they differ, and the map of overlapped results.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cache

from winsock.codes._texts import DEFAULT, content, language, table

_STEM = "functions"
_FACTS = "codes"
CALL, MESSAGE, EVENT, OVERLAPPED = "call", "message", "event", "overlapped"
_TEMPLATES = {MESSAGE: "when-message", OVERLAPPED: "when-overlapped"}  # an event's condition names the event


class Condition(namedtuple("_Condition", "id how text")):
    """One condition under which a function gives a code."""

    __slots__ = ()

    id: str  # the same in every language
    how: str  # "call": the call fails with the code.  It comes later by "message", "event" or "overlapped" result
    text: str  # a clause, to be read beside the function's name


class Use(namedtuple("_Use", "code function conditions")):
    """One cell of the matrix: a code, a function that gives it, and when."""

    __slots__ = ()

    code: int
    function: str  # as Windows spells it, the W form where there are two
    conditions: tuple[Condition, ...]  # never empty; in the order in which they are worth looking at


class Function(namedtuple("_Function", "name module since spellings remarks")):
    """What the matrix knows of a function besides its codes."""

    __slots__ = ()

    name: str
    module: str  # ws2_32, mswsock, iphlpapi, fwpuclnt; ws2spi, nsp: what a provider supplies; winsock: 1.1 only
    since: str | None  # the first version of Winsock ("1.1", "2") or of Windows ("XP", "Vista", "8") that has it
    spellings: tuple[str, ...]  # the other forms that share its rows
    remarks: tuple[str, ...]  # what holds whatever the code, such as that any registry error can come too


class Refusal(namedtuple("_Refusal", "code function condition types states")):
    """One row of the table by which our own calls are refused: the code comes in these states of the socket."""

    __slots__ = ()

    code: int
    function: str
    condition: str
    types: str | None  # the kind of socket it is limited to; None: any
    states: tuple[str, ...]  # the states it is limited to; empty: any


class Facts(namedtuple("_Facts", "returned returned_text since related")):
    """What there is to say of a code besides its texts."""

    __slots__ = ()

    returned: str  # "yes", "never", "names", "overlapped" ...: whether calls give it, and which
    returned_text: str  # the same as a sentence's part
    since: str | None  # the first version of Winsock or Windows that has it; None for what is not Winsock's
    related: tuple[int, ...]  # codes that one meets instead of it, takes for it, or meets next


def functions_of(code: int, lang: str = DEFAULT) -> tuple[Use, ...]:
    """The functions that give a code, in alphabetical order; empty for a code that none gives.

    code    a Winsock or Win32 error number
    lang    as for explain(); a condition that it lacks comes in English.  ValueError: no such language
    """
    lang = language(lang)
    rows = table(_STEM, str(int(code)))
    return tuple(Use(int(code), name, _conditions(ids, lang)) for name, ids in rows.items())


def function_names_of(code: int) -> tuple[str, ...]:
    """The names alone of the functions that give a code, in alphabetical order."""
    return tuple(table(_STEM, str(int(code))))


def codes_of(function: str, lang: str = DEFAULT) -> tuple[Use, ...]:
    """The codes that a function gives, in the order of the numbers.

    function    a function's name as function_name() takes it.  ValueError: no such function
    lang        as for functions_of()
    """
    lang, name = language(lang), base_name(function)
    line = f"\n{name} = ".encode()
    uses = []
    for chunk in content(_STEM).split(b"\n["):
        head, _, body = chunk.partition(b"]")
        if head.isdigit() and (at := body.find(line)) >= 0:
            value = body[at + len(line) :].partition(b"\n")[0].decode()
            uses.append(Use(int(head), name, _conditions(value[1:-1], lang)))
    return tuple(uses)


def conditions(code: int, function: str, lang: str = DEFAULT) -> tuple[Condition, ...]:
    """When a function gives a code; empty when it is not known to give it.

    The parameters are those of functions_of() and codes_of().  ValueError: no such function or language
    """
    lang = language(lang)
    ids = table(_STEM, str(int(code))).get(base_name(function))
    return _conditions(ids, lang) if isinstance(ids, str) else ()


def _conditions(ids: str | list[str], lang: str) -> tuple[Condition, ...]:
    assert isinstance(ids, str)
    found = []
    for word in ids.split():
        how, _, key = word.rpartition(":")
        text = text_of(key, lang)
        if (template := _TEMPLATES.get(how)) is not None:
            text = text_of(template, lang).replace("{condition}", text)
        found.append(Condition(key, how or CALL, text))
    return tuple(found)


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
    for name, words in table(_STEM, "functions").items():
        assert isinstance(words, str)
        for spelling in (name, *words.split()[2:]):
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
    return next((spelling for spelling in about(name).spellings if spelling.lower() == wanted), name)


def about(function: str, lang: str = DEFAULT) -> Function:
    """Module, age, other spellings and general remarks of a function; the parameters are those of codes_of()."""
    lang, name = language(lang), base_name(function)
    words = table(_STEM, "functions")[name]
    remarks = table(_STEM, "general").get(name, "")
    assert isinstance(words, str)
    module, since, *spellings = words.split()
    texts = tuple(condition.text for condition in _conditions(remarks, lang))
    return Function(name, module, None if since == "?" else since, tuple(spellings), texts)


# -- states


def refusals_of(function: str, code: int | None = None, lang: str = DEFAULT) -> tuple[Refusal, ...]:
    """In which states of a socket our own call refuses with a code, in the order in which they are checked.

    function    as for codes_of(); for one that the refusal table does not have the answer is empty
    code        only the rows with this code; None: all
    lang        as for functions_of()

    A row applies when type and state fit and the condition holds: a datagram socket in any state whose receiving
    side was shut down, say.  The first that applies decides.
    """
    lang, name = language(lang), base_name(function)
    found = []
    for call, users in table(_STEM, "calls").items():
        assert isinstance(users, str)
        if name in users.split():
            for row in table(_STEM, f"refused-{call}").values():
                assert isinstance(row, str)
                number, condition, *limits = row.split()
                if code is None or int(number) == code:
                    types = [text_of(limit, lang) for limit in limits if limit.startswith("type-")]
                    states = tuple(text_of(limit, lang) for limit in limits if limit.startswith("state-"))
                    text = text_of(condition, lang)
                    found.append(Refusal(int(number), name, text, types[0] if types else None, states))
    return tuple(dict.fromkeys(found))


# -- codes


def facts_of(code: int, lang: str = DEFAULT) -> Facts | None:
    """Who gives a code, since when there is one, and its relatives; None for a number that is no code known here."""
    lang = language(lang)
    row = table(_FACTS, str(int(code)))
    if not row:
        return None
    returned, related, since = row["returned"], row["related"], row.get("since")
    assert isinstance(returned, str)
    assert isinstance(related, str)
    assert since is None or isinstance(since, str)
    numbers = tuple(map(int, related.split()))
    return Facts(returned.removeprefix("returned-"), text_of(returned, lang), since, numbers)
