"""What `winsock ports list` and `winsock ports explain` print."""

from __future__ import annotations

import json
import pwd
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from winsock.cli._ports_text import Texts
    from winsock.ports import Finding, PortReport, Reserved, StoreError

PROTOCOLS = ("tcp", "udp")
NARROW, WIDE = 40, 100
CLOSING = "、。，；：）」)!?"  # never begin a line
OVERHANG = 4  # columns: two of them
LEAST = 60  # columns of the table: the owner, and a little of the command


def in_a_line(command: str | None) -> str:
    """A command line without what would break the table, or steer the terminal: other users choose their own."""
    text = " ".join(("" if command is None else command).split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def cut(line: str, width: int) -> str:
    """Its beginning, in that many columns."""
    from unicodedata import category, east_asian_width

    columns = room = 0  # room: how much of it leaves a column for the mark
    for at, c in enumerate(line):
        columns += 0 if category(c) in ("Mn", "Me", "Cf") else 2 if east_asian_width(c) in "WF" else 1
        if columns > width:
            return line[:room] + "\N{HORIZONTAL ELLIPSIS}"
        if columns < width:
            room = at + 1
    return line


def user(uid: int | None) -> str:
    """A user's name, or the number where there is none."""
    if uid is None:
        return "?"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# -- list -----------------------------------------------------------------------------------------


def listing(protocol: str | None, form: str) -> int:
    """Print the reservations; 1 if the persistent ones cannot be read."""
    from winsock.ports import StoreError, reservations

    status = 0
    try:
        found = reservations()
    except StoreError as error:
        status = _blamed("list", error)
        found = reservations(persistent=False)
    rows = sorted(
        (row for row in found if protocol in (None, row.protocol)),
        key=lambda row: (row.protocol, row.start, row.count),
    )
    if form == "json":
        print(json.dumps([_as_object(row) for row in rows], indent=1))
        return status
    tables = (protocol,) if protocol else PROTOCOLS
    lines = (line for name in tables for line in _table(name, rows, form == "text"))
    if form == "text" and sys.stdout.isatty():
        width = max(LEAST, shutil.get_terminal_size().columns)
        lines = (cut(line, width) for line in lines)
    print("\n".join(lines))
    return status


def _blamed(verb: str, error: StoreError) -> int:
    """Tell of a store that cannot be read; the rest is printed all the same."""
    print(f"winsock ports {verb}: {error.strerror} [WinError {error.code}]", file=sys.stderr)
    return 1


def _as_object(row: Reserved) -> dict[str, object]:
    return {
        "protocol": row.protocol,
        "start": row.start,
        "end": row.start + row.count - 1,
        "count": row.count,
        "persistent": row.persistent,
        "pid": row.pid,
        "user": None if row.uid is None else user(row.uid),
        "command": row.command or None,
        "token": row.token,
    }


def _table(protocol: str, rows: Iterable[Reserved], owners: bool) -> Iterator[str]:
    """netsh's table; ours has the owner after it."""
    head = "         PID  User      Command" if owners else ""
    yield ""
    yield f"Protocol {protocol} Port Exclusion Ranges"
    yield ""
    yield f"Start Port    End Port      {head}".rstrip() if owners else "Start Port    End Port      "
    yield f"----------    --------      {'         ---  ----      -------' if owners else ''}"
    for row in rows:
        if row.protocol != protocol:
            continue
        line = f"{row.start:10}{row.start + row.count - 1:12}"
        if row.persistent:
            line += "     *"
        if owners and row.pid is not None:
            line = f"{line:28}{row.pid:12}  {user(row.uid):8}  {in_a_line(row.command)}"
        yield line
    yield ""
    yield "* - Administered port exclusions."


# -- explain --------------------------------------------------------------------------------------


def explanation(ports: list[int], protocols: Iterable[str], host: str, form: str, language: str) -> int:
    """Print who holds the ports, and why a bind would fail; 0 if all could be bound, else 1."""
    from winsock.ports import StoreError, explain_port

    asked = [(port, protocol, host) for port in ports for protocol in protocols]
    status = 0
    try:
        reports = [explain_port(*each) for each in asked]
    except StoreError as error:
        status = _blamed("explain", error)
        reports = [explain_port(*each, persistent=False) for each in asked]
    if form == "json":
        print(json.dumps([_report(report, host) for report in reports], indent=1, ensure_ascii=False))
    else:
        from winsock.cli._ports_text import load

        texts = load(language)
        width = max(NARROW, min(shutil.get_terminal_size().columns, WIDE))
        print("\n\n".join("\n".join(_told(report, host, texts, width)) for report in reports))
    return status or int(any(report.code for report in reports))


def _report(report: PortReport, host: str) -> dict[str, object]:
    return {
        "port": report.port,
        "protocol": report.protocol,
        "host": host,
        "code": report.code,
        "name": _name(report.code),
        "findings": [
            {**asdict(finding), "user": None if finding.uid is None else user(finding.uid)}
            for finding in report.findings
        ],
        "automatic_range": _automatic(report.port),
    }


def _name(code: int) -> str:
    from winsock.codes import explain

    entry = explain(code) if code else None
    return entry.name if entry is not None else ""


def _automatic(port: int) -> list[int] | None:
    """The range from which the kernel chooses, if the port is in it."""
    from winsock.cli._ports_serve import automatic_range

    low, high = automatic_range()
    return [low, high] if low <= port <= high else None


def _told(report: PortReport, host: str, texts: Texts, width: int) -> Iterator[str]:
    verdict = texts["verdict"]["fails" if report.code else "works"]
    line = verdict.format(port=report.port, protocol=report.protocol, code=report.code, name=_name(report.code))
    yield f"{line} {texts['verdict']['host'].format(host=host)}" if host else line
    yield ""
    why, advice = _reasons(report, texts)
    yield from _list(texts["label"]["why"], why, width)
    if advice:
        yield from _list(texts["label"]["advice"], advice, width)


def _reasons(report: PortReport, texts: Texts) -> tuple[list[str], list[str]]:
    """(findings, advice): sentences, each once."""
    why: dict[str, None] = {}
    advice: dict[str, None] = {}
    kept = False  # from automatic assignment
    hidden = False
    for finding in report.findings:
        kind = finding.kind.replace(" ", "-")
        values = _values(finding, report, texts)
        why[texts["finding"][kind].format(**values)] = None
        if kind in texts["advice"] and (finding.code or kind == "persistent-reservation"):
            advice[texts["advice"][kind].format(**values)] = None
        kept = kept or kind in ("persistent-reservation", "system-reserved", "runtime-reservation")
        hidden = hidden or (finding.pid is None and kind in ("listener", "bound", "connection"))
    if hidden:
        advice[texts["advice"]["hidden"]] = None
    if not report.findings:
        why[texts["finding"]["nobody"]] = None
    if not kept and (found := _automatic(report.port)):
        values = {"port": report.port, "protocol": report.protocol, "start": found[0], "end": found[1]}
        why[texts["finding"]["ephemeral"].format(**values)] = None
        advice[texts["advice"]["ephemeral"].format(**values)] = None
    return list(why), list(advice)


def _values(finding: Finding, report: PortReport, texts: Texts) -> dict[str, object]:
    key = (
        "known" if finding.pid is not None and finding.command
        else "no_command" if finding.pid is not None
        else "no_process" if finding.uid is not None
        else "unknown"
    )  # fmt: skip
    owner = texts["owner"][key].format(pid=finding.pid, command=in_a_line(finding.command), user=user(finding.uid))
    return {
        "owner": owner,
        "address": finding.address or "*",
        "start": finding.start,
        "end": finding.start + finding.count - 1,
        "pid": finding.pid,
        "port": report.port,
        "protocol": report.protocol,
        "first": _first_unprivileged(),
    }


def _first_unprivileged() -> int:
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024


def _list(label: str, sentences: list[str], width: int) -> Iterator[str]:
    yield f"  {label}"
    for sentence in sentences:
        yield from _wrapped(sentence[:1].upper() + sentence[1:], width)


def _wrapped(sentence: str, width: int) -> Iterator[str]:
    """Lines of at most `width` columns; characters of East Asian scripts take two and may be parted anywhere."""
    from unicodedata import east_asian_width

    if not any(east_asian_width(c) in "WF" for c in sentence):
        first, rest = "  - ", "    "
        yield from textwrap.wrap(
            sentence, width, initial_indent=first, subsequent_indent=rest, break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
        return
    line, columns = "  - ", 4
    for piece in _pieces(sentence):
        size = sum(2 if east_asian_width(c) in "WF" else 1 for c in piece)
        if columns + size > width - OVERHANG and piece not in CLOSING:
            yield line.rstrip()
            line, columns = "    ", 4
            piece = piece.lstrip()
        line += piece
        columns += size
    yield line.rstrip()


def _pieces(sentence: str) -> Iterator[str]:
    """What may not be parted: single wide characters, words of others with the space before them."""
    from unicodedata import east_asian_width

    word = ""
    for c in sentence:
        if east_asian_width(c) in "WF":
            if word:
                yield word
            word = ""
            yield c
        elif c == " " and word.strip():
            yield word
            word = c
        else:
            word += c
    if word:
        yield word
