"""All that is known about a code, gathered into one object."""

from __future__ import annotations

import errno

from winsock.codes._cpython import exception_class, winerror_to_errno
from winsock.codes._elsewhere import called, spellings
from winsock.codes._functions import clause, fact_of, function_name, function_names_of, ids_of, related_of, text_of
from winsock.codes._hresult import to_hresult
from winsock.codes._texts import DEFAULT, language, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from winsock.codes._texts import Table

_RESOLVER_CODES = range(11001, 11005)


class Entry:
    """All that is known about one code.  It does not change, and is equal to another of the same content.

    A plain class for its start-up time: `dataclasses` and `typing` cost more to import than all the rest of this.
    """

    number: int
    name: str  # as in winsock2.h or winerror.h; empty where no header names the number
    aliases: tuple[str, ...]  # the names other headers and documents use
    title: str
    meaning: str
    causes: tuple[str, ...]  # the most common first
    remedy_program: str  # what the program's author does
    remedy_user: str  # what somebody does who only runs the program
    berkeley: str  # what Berkeley sockets make of the name; like the next three, mostly empty
    winsock11: str  # where Winsock 1.1 differs
    ce: str  # where Windows CE differs
    note: str  # where documents disagree
    message: str | None  # what Windows itself shows, and Python after [WinError n]
    functions: tuple[str, ...]  # the functions that give it, in alphabetical order
    returned: str  # who gives it, as a clause: "calls of Winsock 2 return it"
    since: str | None  # the first version of Winsock ("1.1", "2") or of Windows ("8") that has it, if Winsock's
    function: str | None  # the function that was asked about, as Windows spells it
    when: tuple[str, ...]  # in which cases that function returns the code; empty when it is not documented to
    related: tuple[int, ...]  # codes that one meets instead of it, takes for it, or meets next
    spellings: tuple[tuple[str, str], ...]  # world and spelling: ("Rust", "io::ErrorKind::TimedOut")
    exception: str | None  # the class Python raises on Windows
    errno: int | None  # e.errno of that exception: Windows' number
    linux: str | None  # the counterpart on Linux: an errno or EAI_ name
    linux_errno: int | None  # its number on this machine, for an errno
    hresult: int  # unsigned
    lang: str  # the language of the texts

    __slots__ = tuple(__annotations__)

    def __init__(self, **fields: object) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, fields[name])

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an Entry does not change: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an Entry does not change: {name}")

    def __eq__(self, other: object) -> bool:
        return self.asdict() == other.asdict() if isinstance(other, Entry) else NotImplemented

    def __hash__(self) -> int:
        return hash((Entry, *self.asdict().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.asdict().items())
        return f"Entry({fields})"

    def __reduce__(self) -> tuple[object, tuple[dict[str, object]]]:
        return _made_of, (self.asdict(),)

    def asdict(self) -> dict[str, object]:
        """The fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def _made_of(fields: dict[str, object]) -> Entry:
    return Entry(**fields)


def explain(code: int, function: str | None = None, lang: str = DEFAULT) -> Entry | None:
    """All that is known about a code; None for a number that is no code socket programs meet.

    code        a Winsock or Win32 error number
    function    a function of Winsock in any case ("recv", "wsarecv"): `when` then says in which cases it returns the
                code.  ValueError: no such function
    lang        language of the texts, as "en" or "fr-CA"; what it lacks comes in English.  ValueError: no such
                language
    """
    code, lang = int(code), language(lang)
    fields = _fields(code, lang)
    if function is not None:
        function = function_name(function)
    if not fields:
        return None
    linux = called(code, "linux")
    if code in _RESOLVER_CODES:
        exception: str | None = "socket.gaierror"
    else:
        exception = exception_class(code).__name__ if code else None
    return Entry(
        number=code,
        name=called(code, "name"),
        aliases=tuple(called(code, "aliases").split()),
        title=fields["title"],
        meaning=fields["meaning"],
        causes=tuple(fields["causes"]),
        remedy_program=fields["remedy_program"],
        remedy_user=fields["remedy_user"],
        berkeley=fields.get("berkeley", ""),
        winsock11=fields.get("winsock11", ""),
        ce=fields.get("ce", ""),
        note=fields.get("note", ""),
        message=fields.get("system"),
        functions=function_names_of(code),
        returned=text_of(fact_of(code, "returned"), lang),
        since=fact_of(code, "since") or None,
        function=function,
        when=tuple(clause(word, lang)[2] for word in ids_of(code, function).split()) if function else (),
        related=related_of(code),
        spellings=spellings(code),
        exception=exception,
        errno=winerror_to_errno(code) if code else None,
        linux=linux or None,
        linux_errno=getattr(errno, linux, None) if linux else None,
        hresult=to_hresult(code),
        lang=lang,
    )


def _fields(code: int, lang: str) -> Table:
    """The entry's texts, those that the language lacks in English; empty for a code without an entry."""
    fields = table(lang, str(code))
    return fields if lang == DEFAULT else {**table(DEFAULT, str(code)), **fields}
