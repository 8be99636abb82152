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
_NOT_SOCKETS = {"WSA_WAIT_TIMEOUT", "WSA_INVALID_HANDLE", "WSA_NOT_ENOUGH_MEMORY", "WSA_INVALID_PARAMETER"}

_NAME = re.compile(
    r"(?<![A-Za-z])(?:"
    r"(?P<wsa>WSA_?[A-Z][A-Z_]{2,})"
    r"|(?:SE_|UV_)?(?P<c>E[A-Z]{2,3}_?[A-Z]{1,14})"
    r"|(?:Socket|Bind|Connect)Exception: (?P<text>Permission denied|Invalid argument|Too many open files)"
    r"|Socket(?:Error(?:Code)?|Exception)[\"' .:=(]{1,5}(?P<dotnet>[A-Z][a-z][A-Za-z]+)"
    r"|(?:kind: |ErrorKind::)(?P<rust>[A-Z][a-z][A-Za-z]+)"
    r"|(?P<java>UnknownHostException|NoRouteToHostException|PortUnreachableException)"
    r")(?![A-Za-z])"
)
_CALL_BEFORE = re.compile(rf"\b(?:{'|'.join(sorted(CALLS))}|WSA[A-Z][a-z]\w+)\b[^a-z]{{0,24}}$")

# ErrorKinds of Rust that other things than sockets give, too
_VAGUE_KINDS = {"NotFound", "PermissionDenied", "InvalidInput", "OutOfMemory", "BrokenPipe", "TimedOut", "WouldBlock"}
_JAVA = {
    "UnknownHostException": WSA.WSAHOST_NOT_FOUND,
    "NoRouteToHostException": WSA.WSAEHOSTUNREACH,
    "PortUnreachableException": WSA.WSAECONNRESET,
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
        if name.startswith("WSA") and name not in _NOT_SOCKETS
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
    found = []
    for match in _NAME.finditer(text):
        kind = match.lastgroup or ""
        word = match[kind]
        if kind == "wsa":
            number = winsock_names().get(word)
        elif kind == "c":
            number = c_names().get(word)
            if number is None and word in _DOUBTFUL:
                begin = match.start()
                if _CALL_BEFORE.search(text, max(0, begin - 48), begin) is not None:
                    number = _DOUBTFUL[word]
        elif kind in ("dotnet", "rust"):
            number = None if kind == "rust" and word in _VAGUE_KINDS else _kind(word)
        else:
            number = _JAVA[word]
        if number is not None:
            found.append((match.start(kind), match.end(kind), int(number)))
    return found
