"""winsock explain CODE ...: what a code means, what leads to it, what to do, and what it is elsewhere.

This is the verb that editors and scripts call often: what it does not need it does not import, argparse included.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from winsock.codes import Entry

_WIDEST = 100
_LABEL = 14


def main(argv: list[str]) -> int:
    """The verb; 0 when every code was understood, 1 when one was not, 2 for a wrong command line."""
    codes, form, lang = argv, "text", "en"
    if not argv or any(_is_option(arg) for arg in argv):
        args = _parse(argv)
        codes, form, lang = args.code, args.format, args.lang
        if args.list:
            return _print(_listing(lang))
    entries, unknown = _find(codes, lang)
    status = _print(_as_json(entries) if form == "json" else _as_text(entries)) if entries or form == "json" else 0
    for text in unknown:
        print(_not_found(text), file=sys.stderr)
    return 1 if unknown else status


def _is_option(arg: str) -> bool:
    return arg.startswith("-") and not arg[1:].isdigit()


def _parse(argv: list[str]) -> Namespace:
    import argparse

    from winsock.codes import languages

    parser = argparse.ArgumentParser(
        prog="winsock explain",
        description="Say what Winsock error codes mean, what usually leads to them and what to do.",
        epilog="A code is a number (10054, 0x2746), an HRESULT (0x80072746, -2147014842), or a name "
        "(WSAECONNRESET, ECONNRESET, EAI_NONAME, STATUS_CONNECTION_RESET).",
    )
    parser.add_argument("code", nargs="*", help="number or name of an error")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("--lang", choices=languages(), default="en", help="language of the texts, default: en")
    parser.add_argument("--list", action="store_true", help="list all codes, one a line")
    args = parser.parse_args(argv)
    if not args.code and not args.list:
        parser.error("which code?")
    return args


def _find(codes: list[str], lang: str) -> tuple[list[Entry], list[str]]:
    from winsock.codes import explain, lookup

    entries: list[Entry] = []
    unknown: list[str] = []
    for text in codes:
        number = lookup(text)
        entry = None if number is None else explain(number, lang=lang)
        if entry is None:
            unknown.append(text)
        else:
            entries.append(entry)
    return entries, unknown


def _not_found(text: str) -> str:
    from winsock.codes import suggest

    line = f"winsock explain: {text!r} is no code known here"
    if close := suggest(text):
        line += "; nearest: " + ", ".join(close)
    return line


def _as_text(entries: list[Entry]) -> str:
    width = _width()
    return "\n\n".join("\n".join(_lines(entry, width)) for entry in entries)


def _lines(entry: Entry, width: int) -> Iterator[str]:
    yield "  ".join(filter(None, (str(entry.number), entry.name, entry.title)))
    yield ""
    rows = [
        ("Meaning", entry.meaning),
        *(("Causes" if i == 0 else "", text) for i, text in enumerate(entry.causes)),
        ("In the program", entry.remedy_program),
        ("As its user", entry.remedy_user),
        ("Berkeley", entry.berkeley),
        ("Winsock 1.1", entry.winsock11),
        ("Windows CE", entry.ce),
        ("Note", entry.note),
        ("Windows says", entry.message or ""),
        ("Python", _python(entry)),
        ("Linux", _linux(entry)),
        ("HRESULT", _hresult(entry)),
        ("Also called", ", ".join(entry.aliases)),
    ]
    for label, text in rows:
        if text:
            first, *others = _wrap(text, width - _LABEL - 4)
            yield f"  {label:{_LABEL}}  {first}"
            yield from (" " * (_LABEL + 4) + line for line in others)


def _python(entry: Entry) -> str:
    if entry.exception is None:
        return ""
    if entry.exception == "socket.gaierror":
        return f"socket.gaierror: [Errno {entry.number}], or socket.herror from gethostbyaddr"
    return f"{entry.exception}: [WinError {entry.number}], errno {entry.errno}"


def _linux(entry: Entry) -> str:
    if entry.linux is None:
        return "no counterpart" if entry.number else ""
    return entry.linux if entry.linux_errno is None else f"{entry.linux} (errno {entry.linux_errno})"


def _hresult(entry: Entry) -> str:
    if not entry.number:
        return ""
    return f"0x{entry.hresult:08X} ({entry.hresult - 2**32})"


def _as_json(entries: list[Entry]) -> str:
    import json

    return json.dumps([entry._asdict() for entry in entries], ensure_ascii=False, indent=2)


def _listing(lang: str) -> str:
    from winsock.codes import explain
    from winsock.codes._names import known_numbers

    entries = (explain(number, lang=lang) for number in sorted(known_numbers()))
    return "\n".join(f"{e.number:5}  {e.name:34}  {e.title}" for e in entries if e is not None)


def _width() -> int:
    try:
        columns = int(os.environ.get("COLUMNS", "")) or os.get_terminal_size(sys.stdout.fileno()).columns
    except (ValueError, OSError):
        columns = 80
    return max(40, min(columns, _WIDEST))


def _wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters, broken between words (textwrap costs an import of re)."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return lines


def _print(text: str) -> int:
    """Write the text to standard output; quiet when the reader has gone (`winsock explain ... | head -1`)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The interpreter flushes once more at exit, and must not fail then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
