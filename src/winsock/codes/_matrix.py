"""The matrix of functions and codes for callers: typed rows, both ways round, and what each code is besides.

Strings come from _functions and _texts; here they become objects.
"""

from __future__ import annotations

from collections import namedtuple

from winsock.codes._functions import (
    STEM,
    base_name,
    clause,
    fact_of,
    ids_of,
    refused,
    related_of,
    text_of,
    words_of,
)
from winsock.codes._texts import DEFAULT, content, language, table


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
    rows = table(STEM, str(int(code)))
    return tuple(Use(int(code), name, _conditions(ids, lang)) for name, ids in rows.items())


def codes_of(function: str, lang: str = DEFAULT) -> tuple[Use, ...]:
    """The codes that a function gives, in the order of the numbers.

    function    a function's name as function_name() takes it.  ValueError: no such function
    lang        as for functions_of()
    """
    lang, name = language(lang), base_name(function)
    line = f"\n{name} = ".encode()
    uses = []
    for chunk in content(STEM).split(b"\n["):
        head, _, body = chunk.partition(b"]")
        if head.isdigit() and (at := body.find(line)) >= 0:
            value = body[at + len(line) :].partition(b"\n")[0].decode()
            uses.append(Use(int(head), name, _conditions(value[1:-1], lang)))
    return tuple(uses)


def conditions(code: int, function: str, lang: str = DEFAULT) -> tuple[Condition, ...]:
    """When a function gives a code; empty when it is not known to give it.

    The parameters are those of functions_of() and codes_of().  ValueError: no such function or language
    """
    return _conditions(ids_of(code, function), language(lang))


def _conditions(ids: str | list[str], lang: str) -> tuple[Condition, ...]:
    assert isinstance(ids, str)
    return tuple(Condition(*clause(word, lang)) for word in ids.split())


def about(function: str, lang: str = DEFAULT) -> Function:
    """Module, age, other spellings and general remarks of a function; the parameters are those of codes_of()."""
    lang, name = language(lang), base_name(function)
    remarks = table(STEM, "general").get(name, "")
    module, since, *spellings = words_of(name)
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
    for number, condition, limits in refused(name, code):
        types = [text_of(limit, lang) for limit in limits if limit.startswith("type-")]
        states = tuple(text_of(limit, lang) for limit in limits if limit.startswith("state-"))
        found.append(Refusal(number, name, text_of(condition, lang), types[0] if types else None, states))
    return tuple(found)


# -- codes


def facts_of(code: int, lang: str = DEFAULT) -> Facts | None:
    """Who gives a code, since when there is one, and its relatives; None for a number that is no code known here."""
    lang = language(lang)
    if not (returned := fact_of(code, "returned")):
        return None
    text = text_of(returned, lang)
    return Facts(returned.removeprefix("returned-"), text, fact_of(code, "since") or None, related_of(code))
