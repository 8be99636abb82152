"""winsock codes: all codes that the reference knows, one a line or as JSON."""

from __future__ import annotations

from winsock.cli._explain import chosen_language, write
from winsock.codes import explain
from winsock.codes._names import known_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from winsock.codes import Entry


def main(argv: list[str]) -> int:
    """The verb; 0, or 2 for a wrong command line."""
    import argparse

    from winsock.cli._explain_options import add_language

    parser = argparse.ArgumentParser(
        prog="winsock codes",
        description="List every code that the reference knows: Winsock's, and those of Windows that sockets give.",
        epilog="`winsock explain CODE` tells all about one, `winsock explain --function NAME` which a call gives.",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    add_language(parser)
    args = parser.parse_args(argv)
    lang = chosen_language(args.lang)
    if args.format == "text":
        return write(listing(lang))
    from winsock.cli._explain_forms import as_json

    return write(as_json(list(all_entries(lang))))


def all_entries(lang: str) -> Iterator[Entry]:
    """Every entry, in the order of the numbers."""
    for number in sorted(known_numbers()):
        entry = explain(number, lang=lang)
        assert entry is not None
        yield entry


def listing(lang: str) -> str:
    """Number, name and title of every code, one a line."""
    return "\n".join(f"{e.number:5}  {e.name:34}  {e.title}" for e in all_entries(lang))


def of_function(function: str, form: str, lang: str, width: int) -> str:
    """The codes that a function gives, and when."""
    from winsock.cli._explain_forms import as_json
    from winsock.cli._explain_text import when, wrap
    from winsock.codes import about, codes_of

    uses = codes_of(function, lang)
    entries = [entry for use in uses if (entry := explain(use.code, function, lang)) is not None]
    if form == "json":
        return as_json(entries)
    rows = [(f"{entry.number:5}  {entry.name}", when(entry, lang)) for entry in entries]
    rows += [("", about(function, lang).remarks)]
    lines: list[str] = []
    for head, clauses in rows:
        if form == "markdown":
            lines += [f"- **{' '.join(head.split())}**"] if head else []
            lines += [f"    - {clause}" for clause in clauses]
            continue
        lines += [head] if head else []
        for clause in clauses:
            first, *others = wrap(clause, width - 9)
            lines += [f"       - {first}", *(f"         {line}" for line in others)]
    return "\n".join(lines)
