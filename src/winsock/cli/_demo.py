"""winsock demo: real problems with sockets on Windows, run before your eyes, with their cures."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import sys
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from winsock.demos import STAGES, Demo, Outcome, demos, find, hindrance, run_plain, run_windows

if TYPE_CHECKING:
    from collections.abc import Iterable

NARROWEST, WIDEST = 60, 110
NOT_FOUND, WRONG = 1, 1
BOLD, FAINT, GREEN = "1", "2", "32"


def main(argv: list[str]) -> int:
    """The verb: 0, or 1 when there is no such problem or one did not go as its thread says."""
    parser = argparse.ArgumentParser(
        prog="winsock demo",
        description="Problems with sockets on Windows that people reported: each runs here, on Linux, with its cure.",
        epilog="WHICH is an id (cpython-91227), a thread (python/cpython#91227), a code (10022), or part of a title.",
    )
    parser.add_argument("which", nargs="*", metavar="WHICH", help="run these; without any, list all")
    parser.add_argument("--all", action="store_true", help="run every one")
    parser.add_argument("--source", action="store_true", help="show the programs, do not run them")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the list; default: text")
    args = parser.parse_args(argv)
    if not args.which and not args.all:
        return _list(demos(), args.format)
    chosen = demos() if args.all else []
    for word in args.which:
        found = find(word)
        if not found:
            near = difflib.get_close_matches(word, [demo.id for demo in demos()], 3)
            hint = f"; close to it: {', '.join(near)}" if near else ""
            print(f"winsock demo: nothing is known of {word!r}{hint}; `winsock demo` lists all", file=sys.stderr)
            return NOT_FOUND
        chosen += [demo for demo in found if demo not in chosen]
    if args.format == "json":
        return _list(chosen, "json")
    status = 0
    for number, demo in enumerate(chosen):
        if number:
            print("\n" + "=" * _width() + "\n")
        if args.source:
            _source(demo)
        elif not _show(demo):
            status = WRONG
    return status


def _list(chosen: list[Demo], form: str) -> int:
    if form == "json":
        rows = [
            {
                "id": d.id, "title": d.title, "thread": d.thread, "also": d.also, "url": d.url, "codes": d.codes,
                "story": d.story, "remedy": d.remedy, "trouble": str(d.trouble), "cure": str(d.cure),
            }
            for d in chosen
        ]  # fmt: skip
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    broad = max(len(d.id) for d in chosen)
    for d in chosen:
        codes = " ".join(map(str, d.codes))
        print(f"{d.id:{broad}}  {codes:11}  {d.title}")
    print(f"\n{len(chosen)} problems.  winsock demo {chosen[0].id} runs one and shows its cure.")
    return 0


def _show(demo: Demo) -> bool:
    """Run one and tell; False if it did not go as it should."""
    _head(demo)
    _text(demo.story)
    reason = hindrance(demo)
    if reason:
        _text(f"It is not run here: {reason}.")
        print(_style("the cure", BOLD))
        _text(demo.remedy)
        _difference(demo)
        return True
    stage = STAGES[demo.stage]
    arguments = f" {stage.arguments}" if stage.arguments else ""
    if stage.note:
        _text(f"({stage.arguments}: {stage.note}.)")
    command = f"python {demo.trouble.name}{arguments}"
    good = _act("on Linux, as it is", command, run_plain(demo, demo.trouble), demo.linux)
    options = "".join(f"{option} " for option in demo.options)
    command = f"winsock run {options}{demo.trouble.name}{arguments}"
    outcome = run_windows(demo, demo.trouble)
    expected = demo.windows if not demo.fixed_here else demo.cured
    good &= _act("with Windows' sockets", command, outcome, expected)
    if demo.fixed_here:
        _text(f"This Python has the fix, which came with {demo.fixed_in}; an older one shows the trouble.")
    _explain(demo.codes)
    print(_style("the cure", BOLD))
    _text(demo.remedy)
    _difference(demo)
    outcome = run_windows(demo, demo.cure)
    command = f"winsock run {options}{demo.cure.name}{arguments}"
    good &= _act("with Windows' sockets", command, outcome, demo.cured)
    here, folder = Path.cwd(), demo.trouble.parent
    print(_style(f"programs: {folder.relative_to(here) if folder.is_relative_to(here) else folder}", FAINT))
    return good


def _head(demo: Demo) -> None:
    print(_style(f"{demo.id}: {demo.title}", BOLD))
    print(_style(demo.url, FAINT))
    if demo.also:
        print(_style("also: " + ", ".join(demo.also), FAINT))
    print()


def _text(text: str) -> None:
    for paragraph in text.strip().split("\n\n"):
        print(*wrap(" ".join(paragraph.split()), _width()), sep="\n")
        print()


def _act(where: str, command: str, outcome: Outcome, expected: Iterable[str]) -> bool:
    """Show what a program printed; False, and say so, if that is not what it should be."""
    print(_style(f"{where}: $ {command}", BOLD))
    for line in outcome.output.rstrip("\n").splitlines():
        print(f"    {line}")
    if outcome.status:
        print(_style(f"    (exit status {outcome.status})", FAINT))
    missing = [text for text in expected if text not in outcome.output]
    for text in missing:
        print(f"    !! expected here: {text}")
    print()
    return not missing and outcome.status is not None


def _explain(codes: Iterable[int]) -> None:
    from winsock.codes import explain

    for code in codes:
        entry = explain(code)
        if entry is not None:
            lines = wrap(f"{code} {entry.name}: {entry.meaning}", _width() - 4)
            print(*(_style(f"    {line}", FAINT) for line in lines), sep="\n")
    print()


def _difference(demo: Demo) -> None:
    """What the cure changes, as diff -u has it."""
    before, after = (path.read_text("utf-8").splitlines() for path in (demo.trouble, demo.cure))
    for line in list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]:
        if not line.startswith("@@"):
            print("    " + (_style(line, GREEN) if line.startswith("+") else line))
    print()


def _source(demo: Demo) -> None:
    _head(demo)
    for path in (demo.trouble, demo.cure):
        print(_style(str(path), BOLD))
        print(path.read_text("utf-8"))


def _width() -> int:
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((100, 24)).columns - 1))


def _style(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
