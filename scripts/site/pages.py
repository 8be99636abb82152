"""The pages of the reference of codes, as Markdown: one a code, and four indexes, in any of its languages."""

from __future__ import annotations

import html
import re
import tomllib
from pathlib import Path

from winsock.codes import Entry, about, codes_of, explain, facts_of, functions_of
from winsock.codes._matrix import Use
from winsock.codes._texts import table

LABELS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("labels.toml").read_text("utf-8"))

# Searching finds the codes' own pages before the indexes, which hold every word.
LAST = ["---", "search:", "  boost: 0.01", "---", ""]

INDEXES = (("index", "by_number"), ("names", "by_name"), ("functions", "by_function"), ("symptoms", "by_symptom"))

# What somebody is doing, by the functions that do it; the first that fits.
DOING = {
    "closing": r"shutdown|closesocket|DisconnectEx|WSASendDisconnect|WSARecvDisconnect|WSACleanup",
    "names": r"[Gg]et(addr|name)info|GetAddrInfo|GetNameInfo|[Gg]et(host|serv|proto)by|WSAAsyncGet|WSALookup"
    r"|WSASetService|Inet|inet_|WSAAddress|WSAString|WSA(Install|Remove|GetService|EnumName|NSP)|gethostname"
    r"|GetHostName|ByName|ByList|SetAddrInfo|WSANtoh|WSAHton",
    "connecting": r"connect|accept|Connect|Accept|WSAJoin",
    "binding": r"bind|listen|Port",
    "sending": r"send|Send|Transmit",
    "receiving": r"recv|Recv|Receive",
    "waiting": r"select|Select|Poll|Event|Wait|Overlapped|Completion|Cancel",
    "options": r"opt|[Ii]octl|Qos|QOS|QoS",
    "starting": r"Startup|^socket$|WSASocket|WSC|Provider|Protocol|Duplicate",
}
EVERYWHERE = 60  # a code that so many functions give tells nothing of what was being done


def names_of(number: int) -> str:
    """The file of a code's page."""
    return f"{number}.md"


def text(words: str) -> str:
    """Plain text as Markdown: nothing in it is markup but `code`."""
    pieces = words.split("`")
    return "".join(f"`{p}`" if n % 2 else _escaped(p) for n, p in enumerate(pieces))


def _escaped(words: str) -> str:
    return re.sub(r"([\\*_\[\]#|])", r"\\\1", html.escape(words, quote=False))


def code_page(entry: Entry, lang: str, languages: list[str]) -> str:
    """All about one code."""
    say, labels = LABELS[lang], table(lang, "labels")
    lines = [f"# {entry.number} {entry.name}".rstrip(), "", f"**{text(entry.title)}**", ""]
    if entry.message:
        lines += [f"> {text(entry.message)}", ""]
    lines += [text(entry.meaning), "", f"## {labels['causes']}", ""]
    lines += [f"- {text(cause)}" for cause in entry.causes]
    lines += ["", f"## {say['remedy']}", ""]
    for who in ("program", "user"):
        lines += [_labelled(labels[who], getattr(entry, f"remedy_{who}"), lang), ""]
    lines += _calls(entry, lang)
    lines += _elsewhere(entry, lang)
    lines += _more(entry, lang)
    others = [
        f'<a href="{_to(lang, other)}{entry.number}.html" hreflang="{other}" lang="{other}">'
        f"{LABELS[other]['language']}</a>"
        for other in languages
        if other != lang
    ]
    if others:
        lines += [f'<p class="languages">{say["languages"]}{say["colon"]}{" · ".join(others)}</p>', ""]
    return "\n".join(lines)


def _to(lang: str, other: str) -> str:
    """From a code's page in one language to the codes of another; English lies at the top."""
    up = "../" if lang == "en" else "../../"
    return f"{up}codes/" if other == "en" else f"{up}{other}/codes/"


def _calls(entry: Entry, lang: str) -> list[str]:
    say = LABELS[lang]
    uses, facts = functions_of(entry.number, lang), facts_of(entry.number, lang)
    lines = ["", f"## {say['calls']}", ""]
    if facts is not None and not uses:
        return [*lines, text(facts.returned_text), ""]
    lines += [f"| {say['function']} | {say['when']} |", "|---|---|"]
    lines += [f"| [`{use.function}`](functions.md#{anchor(use.function)}) | {_when(use, lang)} |" for use in uses]
    return [*lines, ""]


def _when(use: Use, lang: str) -> str:
    return LABELS[lang]["semicolon"].join(text(condition.text) for condition in use.conditions)


def _elsewhere(entry: Entry, lang: str) -> list[str]:
    labels = table(lang, "labels")
    rows = []
    if entry.exception:
        shown = f"`{entry.exception}`"
        if entry.exception != "socket.gaierror":
            shown += f", `errno` {entry.errno}"
        rows.append((labels["python"], shown))
    if entry.linux:
        number = f" ({entry.linux_errno})" if entry.linux_errno else ""
        rows.append((labels["linux"], f"`{entry.linux}`{number}"))
    rows += [(world, f"`{spelling}`") for world, spelling in entry.spellings]
    rows.append((labels["hresult"], f"`0x{entry.hresult:08X}` (`{entry.hresult - 2**32}`)"))
    if entry.aliases:
        rows.append((labels["aliases"], ", ".join(f"`{name}`" for name in entry.aliases)))
    return [f"## {LABELS[lang]['elsewhere']}", "", "| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows), ""]


def _labelled(label: str, words: str, lang: str) -> str:
    """A paragraph that begins with what it is about."""
    return f"**{label}{LABELS[lang]['after_label']}**{_space(lang)}{text(words)}"


def _space(lang: str) -> str:
    """What stands between a label and its text: nothing after the full-width marks of Chinese and Japanese."""
    return " " if LABELS[lang]["after_label"].isascii() else ""


def _more(entry: Entry, lang: str) -> list[str]:
    say = LABELS[lang]
    labels, facts = table(lang, "labels"), facts_of(entry.number, lang)
    lines = []
    for field in ("berkeley", "winsock11", "ce", "note"):
        if words := getattr(entry, field):
            lines += [_labelled(labels[field], words, lang), ""]
    if lines:
        lines = [f"## {LABELS[lang]['more']}", "", *lines]
    if facts is not None and facts.related:
        links = [f"[{number} {(explain(number, lang=lang)).name}]({names_of(number)})" for number in facts.related]
        lines += [f"**{labels['related']}{say['after_label']}**{_space(lang)}{say['comma'].join(links)}", ""]
    return lines


def anchor(function: str) -> str:
    """The heading's anchor on the page of functions."""
    return function.lower()


# -- indexes


def by_number(entries: list[Entry], lang: str) -> str:
    say, labels = LABELS[lang], table(lang, "labels")
    lines = [*LAST, f"# {say['codes']}", "", text(say["intro"]), ""]
    lines += [f"| {labels['code']} | {labels['name']} | {labels['title']} |", "|---|---|---|"]
    ours = [e for e in entries if e.name.startswith("WSA") or e.number == 0]
    rest = [e for e in entries if e not in ours]
    lines += [_row(e) for e in ours]
    lines += ["", f"## {say['other']}", ""]
    lines += [f"| {labels['code']} | {labels['name']} | {labels['title']} |", "|---|---|---|"]
    lines += [_row(e) for e in rest]
    return "\n".join(lines) + "\n"


def _row(entry: Entry) -> str:
    link = names_of(entry.number)
    return f"| [{entry.number}]({link}) | [`{entry.name or '-'}`]({link}) | {text(entry.title)} |"


def by_name(entries: list[Entry], lang: str) -> str:
    say, labels = LABELS[lang], table(lang, "labels")
    rows = set()
    for entry in entries:
        for name in (entry.name, *entry.aliases, entry.linux or ""):
            if name:
                rows.add((name.lower(), name, entry.number, entry.title))
    lines = [*LAST, f"# {say['by_name']}", "", text(say["intro_names"]), ""]
    lines += [f"| {labels['name']} | {labels['code']} | {labels['title']} |", "|---|---|---|"]
    for _, name, number, title in sorted(rows):
        lines.append(f"| `{name}` | [{number}]({names_of(number)}) | {text(title)} |")
    return "\n".join(lines) + "\n"


def by_function(functions: list[str], known: set[int], lang: str) -> str:
    say, labels = LABELS[lang], table(lang, "labels")
    lines = [*LAST, f"# {say['by_function']}", "", text(say["intro_functions"]), ""]
    for function in functions:
        uses = [use for use in codes_of(function, lang) if use.code in known]
        if not uses:
            continue
        what = about(function, lang)
        lines += [f"## {function} {{#{anchor(function)}}}", ""]
        place = what.module + (f"{say['comma']}{say['first_version']} {what.since}" if what.since else "")
        lines += [f"<small>{place}{''.join(f' · `{name}`' for name in what.spellings)}</small>", ""]
        lines += [f"| {labels['code']} | {say['when']} |", "|---|---|"]
        for use in uses:
            name = explain(use.code, lang=lang).name
            lines.append(f"| [{use.code}]({names_of(use.code)}) `{name}` | {_when(use, lang)} |")
        lines += ["", *(text(remark) for remark in what.remarks), ""]
    return "\n".join(lines) + "\n"


def by_symptom(entries: list[Entry], lang: str) -> str:
    say = LABELS[lang]
    groups: dict[str, list[Entry]] = {doing: [] for doing in (*DOING, "anywhere")}
    for entry in entries:
        if len(entry.functions) >= EVERYWHERE:
            groups["anywhere"].append(entry)
            continue
        for doing in dict.fromkeys(doing_of(function) for function in entry.functions):
            groups[doing].append(entry)
    order = ("starting", "binding", "connecting", "sending", "receiving", "waiting", "options", "closing", "names")
    lines = [*LAST, f"# {say['by_symptom']}", "", text(say["intro_symptoms"]), ""]
    for doing in (*order, "anywhere"):
        title = say[f"say_{doing}"]
        lines += [f"## {title[0].upper()}{title[1:]} {{#{doing}}}", ""]
        # Winsock's own codes first: the others are met in overlapped results, mostly.
        for e in sorted(groups[doing], key=lambda entry: (not entry.name.startswith("WSAE"), entry.number)):
            said = text(e.message) + say["stop"] if e.message else ""
            link = f"[{e.number} {e.name}]({names_of(e.number)})"
            lines.append(f"- {link}{say['colon']}**{text(e.title)}**{say['stop']}{said}{text(e.causes[0])}")
        lines.append("")
    return "\n".join(lines) + "\n"


def doing_of(function: str) -> str:
    """What somebody does who calls it."""
    return next((doing for doing, names in DOING.items() if re.search(names, function)), "anywhere")
