"""winsock explain CODE ...: what a code means, what leads to it, what to do, and what it is elsewhere.

This is the verb that editors and scripts call often: what it does not need it does not import, argparse included.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from winsock.codes import Entry

    Options = dict[str, str]

FORMATS = ("text", "json", "markdown")


def main(argv: list[str]) -> int:
    """The verb; 0 when every code was understood, 1 when one was not, 2 for a wrong command line."""
    options: Options = {}
    texts = _quickly(argv, options)
    if texts is None:
        from winsock.cli._explain_options import parse

        texts = parse(argv, options)
    lang = chosen_language(options.get("lang"))
    function, form = options.get("function"), options.get("format", "text")
    if options.get("list"):
        from winsock.cli._codes import listing

        return write(listing(lang))
    if function is not None and (function := _function(function)) is None:
        return 1
    if not texts:
        from winsock.cli._codes import of_function

        assert function is not None
        return write(of_function(function, form, lang, width()))
    entries, unknown = _find(texts, function, lang)
    status = 0
    if entries or form == "json":
        status = write(_shown(entries, form, lang))
    for text in unknown:
        print(_not_found(text, lang), file=sys.stderr)
    return 1 if unknown else status


def _quickly(argv: list[str], options: Options) -> list[str] | None:
    """The codes of a command line without mistakes, and its options; None for one that argparse has to look at."""
    texts, rest = [], iter(argv)
    for arg in rest:
        if not arg.startswith("-") or arg[1:].isdigit():
            texts.append(arg)
            continue
        key, _, value = arg.partition("=")
        value = value or next(rest, "")
        if key not in ("--lang", "--format", "--function") or not value or value.startswith("-"):
            return None
        if (key == "--format" and value not in FORMATS) or (key == "--lang" and planned_language(value) is None):
            return None
        options[key[2:]] = value
    return texts if texts or "function" in options else None


def _function(name: str) -> str | None:
    from winsock.codes._functions import function_name

    try:
        return function_name(name)
    except ValueError as error:
        print(f"winsock explain: {error}", file=sys.stderr)
        return None


def _find(texts: list[str], function: str | None, lang: str) -> tuple[list[Entry], list[str]]:
    from winsock.codes import explain, lookup_all

    found: dict[int, Entry] = {}
    unknown: list[str] = []
    for text in texts:
        numbers = lookup_all(text) or _as_in_a_log(text)
        for number in numbers:
            entry = None if number in found else explain(number, function, lang)
            if entry is not None:
                found[number] = entry
        if not numbers and text not in unknown:
            unknown.append(text)
    return list(found.values()), unknown


def _as_in_a_log(text: str) -> tuple[int, ...]:
    """The codes of a line of a log: also by the messages of languages that the reference is not written in."""
    from winsock.annotate import find

    return tuple(dict.fromkeys(hit.number for hit in find(text)))


def _not_found(text: str, lang: str) -> str:
    from winsock.codes import suggest
    from winsock.codes._functions import function_names
    from winsock.codes._texts import labels

    words = labels(lang)
    shown = " ".join(text.split())
    line = "winsock explain: " + words["unknown"].replace("{text}", shown)
    close = suggest(text)
    if (name := function_names().get(shown.removesuffix("()").lower())) is not None:
        close.insert(0, f"--function {name}")
    if close:
        line += " (" + words["nearest"].replace("{codes}", ", ".join(close)) + ")"
    return line


def _shown(entries: list[Entry], form: str, lang: str) -> str:
    if form == "text":
        from winsock.cli._explain_text import as_text

        return as_text(entries, lang, width())
    from winsock.cli._explain_forms import as_json, as_markdown

    return as_json(entries) if form == "json" else as_markdown(entries, lang)


# -- what the verbs about codes share


def planned_language(lang: str) -> str | None:
    """The language of the reference that somebody means; None for one that it does not have."""
    from winsock.codes._texts import LANGUAGES, languages, match

    return match(lang, languages()) or match(lang, LANGUAGES)


def chosen_language(lang: str | None) -> str:
    """The language to write in: that asked for or the locale's; English, with a notice, where texts are missing."""
    from winsock.codes._texts import DEFAULT, labels, languages, locale_name

    planned = planned_language(lang or locale_name())
    if planned is None or planned in languages():
        return planned or DEFAULT
    print("winsock: " + labels(DEFAULT)["fallback"].replace("{lang}", planned), file=sys.stderr)
    return DEFAULT


def width() -> int:
    """How many columns the page may have."""
    try:
        columns = int(os.environ.get("COLUMNS", "")) or os.get_terminal_size(sys.stdout.fileno()).columns
    except (ValueError, OSError):
        columns = 80
    return max(40, min(columns, 100))


def write(text: str) -> int:
    """Write the text to standard output."""
    try:
        print(text)
    except UnicodeEncodeError:  # an old locale that lacks some of the letters
        encoding = sys.stdout.encoding
        print(text.encode(encoding, "replace").decode(encoding))
    return 0
