"""Names of codes in logs: Winsock's own, C's, .NET's, Rust's, Java's."""

from __future__ import annotations

import re
from functools import cache

from winsock.annotate._words import CALLS
from winsock.codes import WSA, from_spelling
from winsock.codes._names import numbers_by_name
from winsock.codes._resolver import WINDOWS_EAI

# C's names that also mean other things than sockets: they count beside a socket call only.
_DOUBTFUL = {
    "EINTR": WSA.WSAEINTR,
    "EBADF": WSA.WSAEBADF,
    "EACCES": WSA.WSAEACCES,
    "EFAULT": WSA.WSAEFAULT,
    "EINVAL": WSA.WSAEINVAL,
    "EMFILE": WSA.WSAEMFILE,
}
# Names that no socket error is meant by, or that socket calls hardly give.
_OTHERS = {"ELOOP", "ENAMETOOLONG", "ENOTEMPTY", "EPROCLIM", "EUSERS", "EDQUOT", "ESTALE", "EREMOTE", "EDISCON"}
_NOT_ERRORS = {"WSA_WAIT_TIMEOUT"}

# Each begins with a letter that few lines have, so that most are done with at a glance.
_WSA_NAME = re.compile(r"WSA_?[A-Z][A-Z_]{2,}(?![A-Za-z])")
_C_NAME = re.compile(r"E[A-Z]{2,3}_?[A-Z]{1,14}(?![A-Za-z])")
_DOTNET_NAME = re.compile(r"SocketE(?:rror(?:Code)?|xception)[\"' .:=(]{1,5}([A-Z][a-z][A-Za-z]+)")
_RUST_NAME = re.compile(r"(?:kind: |ErrorKind::)([A-Z][a-z][A-Za-z]+)")
_JAVA_NAME = re.compile(
    r"(UnknownHost|NoRouteToHost|PortUnreachable)Exception(?![A-Za-z])"
    r"|(?:Socket|Bind|Connect)Exception: (Permission denied|Invalid argument|Too many open files)"
)
_CALL_BEFORE = re.compile(rf"\b(?:{'|'.join(sorted(CALLS))}|WSA[A-Z][a-z]\w+)\b[^a-z]{{0,24}}$")

# ErrorKinds of Rust that other things than sockets give, too
_VAGUE_KINDS = {"NotFound", "PermissionDenied", "InvalidInput", "OutOfMemory", "BrokenPipe", "TimedOut", "WouldBlock"}
_JAVA = {
    "UnknownHost": WSA.WSAHOST_NOT_FOUND,
    "NoRouteToHost": WSA.WSAEHOSTUNREACH,
    "PortUnreachable": WSA.WSAECONNRESET,
    "Permission denied": WSA.WSAEACCES,
    "Invalid argument": WSA.WSAEINVAL,
    "Too many open files": WSA.WSAEMFILE,
}


@cache
def winsock_names() -> dict[str, int]:
    """Winsock's names, those of older documents included, that always mean a socket error."""
    return {
        name: number
        for name, number in numbers_by_name().items()
        if name.startswith("WSA") and name not in _NOT_ERRORS
    }


@cache
def c_names() -> dict[str, int]:
    """C's and the resolver's names, as Node and others show them, that always mean a socket error."""
    table = {
        name.removeprefix("WSA"): int(code)
        for name, code in WSA.__members__.items()
        if name.startswith("WSAE") and code < WSA.WSASYSNOTREADY
    }
    for name in (*_DOUBTFUL, *_OTHERS):
        table.pop(name, None)
    table |= {name: int(code) for name, code in WINDOWS_EAI.items()}
    table["ENOTFOUND"] = int(WSA.WSAHOST_NOT_FOUND)
    return table


@cache
def _kind(word: str) -> int | None:
    number = from_spelling(word)
    return number if number is not None and (number >= WSA.WSAEINTR or word == "OperationAborted") else None


def names(text: str) -> list[tuple[int, int, int]]:
    """Where names of codes stand in a line: (begin, end, number) of each."""
    found: list[tuple[int, int, int]] = []
    if "WSA" in text:
        for match in _WSA_NAME.finditer(text):
            number = winsock_names().get(match[0])
            if number is not None and not _joined(text, match.start()):
                found.append((*match.span(), number))
    for match in _C_NAME.finditer(text):
        word = match[0]
        number = c_names().get(word)
        if number is None and word in _DOUBTFUL:
            begin = match.start()
            if _CALL_BEFORE.search(text, max(0, begin - 48), begin) is not None:
                number = int(_DOUBTFUL[word])
        if number is not None and not _joined(text, match.start()):
            found.append((*match.span(), number))
    if "Exception" in text:
        for match in _JAVA_NAME.finditer(text):
            group = 1 if match[1] else 2
            if group == 2 or not _joined(text, match.start()):
                found.append((*match.span(group), int(_JAVA[match[group]])))
    if "SocketE" in text:
        for match in _DOTNET_NAME.finditer(text):
            if (number := _kind(match[1])) is not None:
                found.append((*match.span(1), number))
    if "kind: " in text or "ErrorKind::" in text:
        for match in _RUST_NAME.finditer(text):
            if match[1] not in _VAGUE_KINDS and (number := _kind(match[1])) is not None:
                found.append((*match.span(1), number))
    return found


def _joined(text: str, begin: int) -> bool:
    """Whether a name is the end of a longer word; after an underscore it is one of its own (SE_, UV_)."""
    return begin > 0 and text[begin - 1].isascii() and text[begin - 1].isalpha()
