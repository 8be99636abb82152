"""How other languages and their libraries spell the codes: data/spellings.toml.

Several codes may share one spelling; the way back gives the one that is met most.
"""

from __future__ import annotations

from functools import cache

from winsock.codes._names import known_numbers, name_of
from winsock.codes._texts import table
from winsock.codes._win32 import SAME_AS_WINSOCK
from winsock.codes._wsa import WSA

_STEM = "spellings"
# the file's key (none for Go, which needs no table), the world, what stands before a spelling
_WORLDS = (
    ("dotnet", ".NET", "SocketError."),
    ("rust", "Rust", "io::ErrorKind::"),
    ("", "Go", ""),
    ("node", "Node.js", ""),
    ("java", "Java", ""),
)
_IN_SYSCALL = frozenset((WSA.WSAEACCES, WSA.WSAECONNABORTED, WSA.WSAECONNRESET))


def spellings(code: int) -> tuple[tuple[str, str], ...]:
    """What a code is called in other worlds: pairs such as ("Rust", "io::ErrorKind::TimedOut")."""
    row = table(_STEM, str(int(code)))
    found = []
    for key, world, prefix in _WORLDS:
        spelling = f"{prefix}{row[key]}" if key in row else "" if key else _go(code)
        if spelling:
            found.append((world, spelling))
    return tuple(found)


def _go(code: int) -> str:
    """Windows' own name, in Go's package syscall or, for most, in golang.org/x/sys/windows."""
    name = SAME_AS_WINSOCK.get(code) or (name_of(code) if code else "")
    if not name:
        return ""
    return f"{'syscall' if code in _IN_SYSCALL else 'windows'}.{name}"


@cache
def _by_spelling() -> dict[str, int]:
    numbers: dict[str, int] = {}
    for key in ("dotnet", "rust", "node", "java", "more"):
        for code in sorted(known_numbers(), key=lambda code: (code < WSA.WSAEINTR, code)):
            text = table(_STEM, str(code)).get(key)
            if isinstance(text, str):
                for spelling in text.split() if key == "more" else [text.removeprefix("java.net.")]:
                    numbers.setdefault(_fold(spelling), code)
    return numbers


def from_spelling(text: str) -> int | None:
    """The code for a spelling of another world, with or without the names before it; None for no such spelling.

    text    "SocketError.ConnectionReset", "std::io::ErrorKind::TimedOut", "java.net.UnknownHostException",
            "ENOTFOUND", "ConnectionResetError", "connection_refused"
    """
    last = text.replace("::", ".").rpartition(".")[2]
    return _by_spelling().get(_fold(last))


def _fold(text: str) -> str:
    return "".join(c for c in text.lower() if c not in "_- ")
