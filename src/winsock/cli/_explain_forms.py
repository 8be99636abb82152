"""The other forms of what `winsock explain` writes: Markdown and JSON."""

from __future__ import annotations

from winsock.cli._explain_text import rows_of, when

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from winsock.codes import Entry


def as_markdown(entries: list[Entry], lang: str) -> str:
    """One section an entry, for an issue or a wiki."""
    return "\n\n".join("\n".join(_section(entry, lang)) for entry in entries)


def _section(entry: Entry, lang: str) -> Iterator[str]:
    name = f" {entry.name}" if entry.name else ""
    yield f"## {entry.number}{name}: {_escaped(entry.title)}"
    yield ""
    for label, value in rows_of(entry, lang):
        if isinstance(value, str):
            yield f"- **{label}**: {_escaped(value)}"
        else:
            yield f"- **{label}**:"
            yield from (f"    - {_escaped(text)}" for text in value)


def _escaped(text: str) -> str:
    """The text with what Markdown would take for markup kept as it is; backquoted parts are left alone."""
    parts = text.split("`")
    for i in range(0, len(parts), 2):
        for char in "\\*_[]<>":
            parts[i] = parts[i].replace(char, "\\" + char)
    return "`".join(parts)


def as_json(entries: list[Entry]) -> str:
    """A list with one object an entry."""
    import json

    return json.dumps([as_object(entry) for entry in entries], ensure_ascii=False, indent=2)


def as_object(entry: Entry) -> dict[str, object]:
    """An entry as JSON has it: all fields, both remedies as a list too, and every function's conditions."""
    from winsock.codes._functions import clause, ids_of

    shown = entry.asdict()
    shown["remedies"] = [entry.remedy_program, entry.remedy_user]
    shown["spellings"] = dict(entry.spellings)
    shown["conditions"] = {
        name: [clause(word, entry.lang)[2] for word in ids_of(entry.number, name).split()] for name in entry.functions
    }
    if entry.function is not None:
        shown["when"] = when(entry, entry.lang) if entry.when else ()
    return {key: list(value) if isinstance(value, tuple) else value for key, value in shown.items()}
