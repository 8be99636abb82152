"""Run a program as it is and under `winsock run`, and show both outputs side by side with each error explained.

    side_by_side.py [PROGRAM [ARGUMENT ...]]        default: troubles.py beside this file

The program separates what belongs together by blank lines; its first line is taken as the title.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import wrap

from winsock.codes import explain

HERE = Path(__file__).resolve().parent
SEPARATOR = " | "
NARROWEST, WIDEST = 60, 160
# as a message has it, or a bare number out of Winsock's range
CODE = re.compile(r"\[WinError (\d+)\]|\b(1[01]\d{3})\b")


def blocks(text: str) -> list[list[str]]:
    """The output's paragraphs, each a list of lines."""
    return [part.splitlines() for part in re.split(r"\n\s*\n", text.strip("\n")) if part]


def columns(left: list[str], right: list[str], width: int) -> list[str]:
    """Two texts beside each other."""
    half = (width - len(SEPARATOR)) // 2
    sides = [[piece for line in lines for piece in (wrap(line, half) or [""])] for lines in (left, right)]
    height = max(map(len, sides))
    rows = zip(*(side + [""] * (height - len(side)) for side in sides))
    return [f"{a:{half}}{SEPARATOR}{b}".rstrip() for a, b in rows]


def explanations(lines: list[str], width: int) -> list[str]:
    """A sentence for each code in the lines."""
    found = dict.fromkeys(int(a or b) for a, b in CODE.findall("\n".join(lines)))
    shown = []
    for code in found:
        if (entry := explain(code)) and entry.name:
            text = f"{code} {entry.name}: {entry.meaning}"
            shown += wrap(text, width, initial_indent="   ", subsequent_indent="      ")
    return shown


def style(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def main(argv: list[str]) -> int:
    program = argv or [os.path.relpath(HERE / "troubles.py")]
    commands = [[sys.executable, *program], [sys.executable, "-m", "winsock", "run", *program]]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        for command in commands
    ]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    plain, windows = map(blocks, outputs)

    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((100, 24)).columns - 1))
    heads = columns([f"$ python {' '.join(program)}"], [f"$ winsock run {' '.join(program)}"], width)
    print(*(style(line, "1") for line in heads), sep="\n")
    for number in range(max(len(plain), len(windows))):
        left, right = (side[number] if number < len(side) else [] for side in (plain, windows))
        print()
        if left and right and left[0] == right[0]:
            print(*(style(line, "1") for line in wrap(left[0], width)), sep="\n")
            left, right = left[1:], right[1:]
        print(*columns([line.strip() for line in left], [line.strip() for line in right], width), sep="\n")
        for line in explanations(right, width):
            print(style(line, "2"))
    for process, command in zip(running, commands):
        if process.returncode:
            print(f"\n{' '.join(command[1:])}: exit status {process.returncode}", file=sys.stderr)
    return int(any(process.returncode for process in running))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
