"""What each code is called, by Windows and by other systems and languages: data/names.toml."""

from __future__ import annotations

from winsock.codes._memo import cache
from winsock.codes._texts import content, table

_STEM = "names"
# the file's key (none for Go, which needs no line), the world, what stands before a spelling
_WORLDS = (
    ("dotnet", ".NET", "SocketError."),
    ("rust", "Rust", "io::ErrorKind::"),
    ("", "Go", ""),
    ("node", "Node.js", ""),
    ("java", "Java", ""),
)
_RANKS = ("dotnet", "rust", "node", "java", "more")  # whose meaning of a spelling counts first
FIRST_WINSOCK = 10_004
_IN_SYSCALL = ("WSAEACCES", "WSAECONNABORTED", "WSAECONNRESET")  # of Go; all are in golang.org/x/sys/windows


def is_known(code: int) -> bool:
    """Whether the catalogue has an entry for the number."""
    return f"\n[{int(code)}]\n".encode() in content(_STEM)


def called(code: int, key: str) -> str:
    """One of the file's strings for a code: "name", "aliases", "linux", "java" ...; empty where it has none."""
    text = table(_STEM, str(int(code))).get(key, "")
    assert isinstance(text, str)
    return text


def number_of_name(name: str) -> int | None:
    """The code that Windows' headers call so, in just this spelling."""
    data = content(_STEM)
    at = data.find(f'\nname = "{name}"\n'.encode())
    if at < 0:
        return None
    head = data.rindex(b"\n[", 0, at) + 2
    return int(data[head : data.index(b"]", head)])


@cache
def numbers_of_names() -> dict[str, int]:
    """Every name that Windows' headers, other documents and resolvers have for a code, and its number."""
    found: dict[str, int] = {}
    number = 0
    for line in content(_STEM).decode().split("\n"):
        key, _, text = line.partition(" = ")
        if line.startswith("["):
            number = int(line[1:-1])
        elif key in ("name", "aliases"):
            found.update(dict.fromkeys(text[1:-1].split(), number))
    return found


def spellings(code: int) -> tuple[tuple[str, str], ...]:
    """What a code is called in other worlds: pairs such as ("Rust", "io::ErrorKind::TimedOut").

    Several codes may share one spelling; the way back, from_spelling(), gives the one that is met most.
    """
    found = []
    for key, world, prefix in _WORLDS:
        if spelling := called(code, key) if key else _go(code):
            found.append((world, prefix + spelling))
    return tuple(found)


def _go(code: int) -> str:
    """Windows' own name, in Go's package syscall or, for most, in golang.org/x/sys/windows."""
    name = called(code, "name")
    if not code or not name:
        return ""
    names = [name, *called(code, "aliases").split()]
    if code < FIRST_WINSOCK:  # Winsock's second names for errors of Windows are not there
        name = next(alias for alias in names if not alias.startswith("WSA_"))
    return f"{'syscall' if name in _IN_SYSCALL else 'windows'}.{name}"


@cache
def _by_spelling() -> dict[str, int]:
    found: list[tuple[int, bool, int, str]] = []
    number = 0
    for line in content(_STEM).decode().split("\n"):
        key, _, text = line.partition(" = ")
        if line.startswith("["):
            number = int(line[1:-1])
        elif key in _RANKS:
            for spelling in text[1:-1].split() if key == "more" else [text[1:-1].removeprefix("java.net.")]:
                found.append((_RANKS.index(key), number < FIRST_WINSOCK, number, _fold(spelling)))
    return {spelling: number for _, _, number, spelling in sorted(found, reverse=True)}


def from_spelling(text: str) -> int | None:
    """The code for a spelling of another world, with or without the names before it; None for no such spelling.

    text    "SocketError.ConnectionReset", "std::io::ErrorKind::TimedOut", "java.net.UnknownHostException",
            "ENOTFOUND", "ConnectionResetError", "connection_refused"
    """
    last = text.replace("::", ".").rpartition(".")[2]
    return _by_spelling().get(_fold(last))


def _fold(text: str) -> str:
    return "".join(c for c in text.lower() if c not in "_- ")
