"""The pages that `winsock explain` writes on a terminal."""

from __future__ import annotations

from winsock.codes._elsewhere import called
from winsock.codes._functions import fact_of, refused, text_of
from winsock.codes._texts import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from winsock.codes import Entry

    Row = tuple[str, str | tuple[str, ...]]

_FUNCTIONS_SHOWN = 12
_GLUE = "\0"  # a space that stays inside its line
_PLAIN = ("returned-yes", "returned-win32")
_NO_LINE_START = "、。，．：；！？）〕］｝〉》」』】’”ーぁぃぅぇぉっゃゅょァィゥェォッャュョ・％"
_NO_LINE_END = "（〔［｛〈《「『【‘“"


def as_text(entries: list[Entry], lang: str, width: int) -> str:
    """One page an entry, in lines of at most `width` columns."""
    return "\n\n".join("\n".join(_page(entry, lang, width)) for entry in entries)


def _page(entry: Entry, lang: str, width: int) -> Iterator[str]:
    yield "  ".join(filter(None, (str(entry.number), entry.name, entry.title)))
    yield ""
    rows = list(rows_of(entry, lang))
    margin = max(columns(label) for label, _ in rows) + 4
    for label, value in rows:
        head = "  " + label + " " * (margin - columns(label) - 2)
        bullets = not isinstance(value, str) and len(value) > 1
        for text in (value,) if isinstance(value, str) else value:
            lines = wrap(text, width - margin - (2 if bullets else 0))
            for i, line in enumerate(lines):
                yield head + (("- " if i == 0 else "  ") if bullets else "") + line
                head = " " * margin


def rows_of(entry: Entry, lang: str) -> Iterator[Row]:
    """What there is to say of an entry: pairs of a label and a text or several."""
    words = labels(lang)
    rows: list[Row] = [
        (words["meaning"], entry.meaning),
        (words["function"].replace("{function}", entry.function or ""), when(entry, lang)),
        (words["causes"], entry.causes),
        (words["program"], entry.remedy_program),
        (words["user"], entry.remedy_user),
        (words["functions"], () if entry.function else _functions(entry, words)),
        (words["berkeley"], entry.berkeley),
        (words["winsock11"], entry.winsock11),
        (words["ce"], entry.ce),
        (words["note"], entry.note),
        (words["message"], entry.message or ""),
        (words["python"], _python(entry, words)),
        (words["linux"], _linux(entry, words)),
        (words["elsewhere"], tuple(f"{world}: {spelling}" for world, spelling in entry.spellings)),
        (words["hresult"], f"0x{entry.hresult:08X} ({entry.hresult - 2**32})" if entry.number else ""),
        (words["aliases"], ", ".join(entry.aliases)),
        (words["related"], ", ".join(f"{n} {called(n, 'name')}".rstrip() for n in entry.related)),
    ]
    return (row for row in rows if row[1])


def when(entry: Entry, lang: str) -> tuple[str, ...]:
    """In which cases the function asked about gives the code, in which states of the socket, and that it does not."""
    if entry.function is None:
        return ()
    if not entry.when:
        words = {"function": entry.function, "name": entry.name or str(entry.number)}
        text = labels(lang)["function_unknown"]
        for key, word in words.items():
            text = text.replace(f"{{{key}}}", word)
        return (text,)
    clauses = list(entry.when)
    for _, condition, limits in refused(entry.function, entry.number):
        text = text_of(condition, lang)
        kinds = [text_of(limit, lang) for limit in limits if limit.startswith("type-")]
        states = " / ".join(text_of(limit, lang) for limit in limits if limit.startswith("state-"))
        detailed = f"{text} ({', '.join(filter(None, (*kinds, states)))})" if limits else text
        if text in clauses:
            clauses[clauses.index(text)] = detailed
        else:
            clauses.append(detailed)
    return tuple(clauses)


def _functions(entry: Entry, words: dict[str, str]) -> tuple[str, ...]:
    """Who gives the code, in words where that says more than the names, and by name."""
    names = ", ".join(entry.functions[:_FUNCTIONS_SHOWN])
    if (more := len(entry.functions) - _FUNCTIONS_SHOWN) > 0:
        names += " " + words["more"].replace("{count}", str(more))
    if not names:
        return (entry.returned,)
    return (names,) if fact_of(entry.number, "returned") in _PLAIN else (entry.returned, names)


def _python(entry: Entry, words: dict[str, str]) -> str:
    if entry.exception is None:
        return ""
    if entry.exception == "socket.gaierror":
        return words["python_resolver"].replace("{number}", str(entry.number))
    return f"{entry.exception}: [WinError {entry.number}], errno {entry.errno}"


def _linux(entry: Entry, words: dict[str, str]) -> str:
    if entry.linux is None:
        return words["linux_none"] if entry.number else ""
    return entry.linux if entry.linux_errno is None else f"{entry.linux} (errno {entry.linux_errno})"


# -- lines


def columns(text: str) -> int:
    """How many columns a terminal gives the text."""
    return len(text) if text.isascii() else sum(2 if is_wide(c) else 1 for c in text)


def is_wide(char: str) -> bool:
    """Whether a terminal gives the character two columns: Chinese, Japanese, Korean and full-width forms."""
    return (
        "\u1100" <= char <= "\u115f"
        or "\u2e80" <= char <= "\ua4cf"
        or "\uac00" <= char <= "\ud7a3"
        or "\uf900" <= char <= "\ufaff"
        or "\ufe30" <= char <= "\ufe6f"
        or "\uff00" <= char <= "\uff60"
        or "\uffe0" <= char <= "\uffe6"
    )


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns (textwrap costs an import of re, and counts characters).

    Lines break between words, and between any two Chinese or Japanese characters but before closing and after
    opening punctuation, and not inside a command in backquotes.  A word that is longer than a line stays whole.
    """
    lines, used = [""], 0
    for word in _words(text, width):
        for i, piece in enumerate(_pieces(word)):
            space = 1 if i == 0 and used else 0
            size = columns(piece)
            if used and used + space + size > width:
                lines.append(piece)
                used = size
            else:
                lines[-1] += " " * space + piece
                used += space + size
    return [line.replace(_GLUE, " ") for line in lines]


def _words(text: str, width: int) -> list[str]:
    """The text at its spaces, but for no-break ones and those of a command in backquotes that fits on a line."""
    parts = text.split("`")
    for i in range(1, len(parts) - 1, 2):
        if columns(parts[i]) + 4 <= width:
            parts[i] = parts[i].replace(" ", _GLUE)
    return "`".join(parts).split(" ")


def _pieces(word: str) -> list[str]:
    """The parts of a word between which a line may break."""
    if word.isascii():
        return [word]
    pieces: list[str] = []
    for char in word:
        if pieces:
            last = pieces[-1][-1]
            glued = char in _NO_LINE_START or last in _NO_LINE_END or not (is_wide(char) or is_wide(last))
            if glued:
                pieces[-1] += char
                continue
        pieces.append(char)
    return pieces
