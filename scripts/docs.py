"""Run the `winsock` commands that the documents show and put what they print beneath them; renew generated parts.

    docs.py             rewrite README.md and docs/*.md where they differ
    docs.py --check     say where they differ, exit status 1; addresses' port numbers do not count

A shown command is a line "    $ winsock ..." or "    $ python -c ..." of an indented block; what follows it in the
block is its output.  A command longer than a line goes on after a backslash.  A generated part stands between
<!-- generated: COMMAND --> and <!-- end -->.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "    $ "
SHOWN = (PROMPT + "winsock ", PROMPT + "python -c ")
WIDTH = "80"
GENERATED = re.compile(r"(<!-- generated: (winsock [^>]*?) -->\n).*?(<!-- end -->)", re.S)
CODE_SHOWN = re.compile(r'(  File "<string>", line .*\n)(?: {4}.*\n)+')  # what tracebacks show of -c, since 3.13
PORT = re.compile(r"(127\.0\.0\.1|\[::1?\]|0\.0\.0\.0):\d+|'127\.0\.0\.1', \d+")


def output(command: str) -> str:
    """What a command prints, errors included; the same under every version of Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": WIDTH, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return CODE_SHOWN.sub(r"\1", done.stdout)


def refreshed(text: str) -> str:
    """The document with every shown command's output as it is now."""
    text = GENERATED.sub(lambda m: f"{m[1]}\n{output(m[2]).strip()}\n\n{m[3]}", text)
    lines, result = text.split("\n"), []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        result.append(line)
        if not line.startswith(SHOWN):
            continue
        command = line.removeprefix(PROMPT)
        while command.endswith("\\"):
            result.append(lines[at])
            command = f"{command}\n{lines[at].strip()}"
            at += 1
        rest: list[str] = []  # of the block: the old output
        while (
            at < len(lines) and not lines[at].startswith(PROMPT) and (lines[at].startswith("    ") or not lines[at])
        ):
            rest.append(lines[at])
            at += 1
        while rest and not rest[-1]:  # blank lines that belong to what comes next
            rest.pop()
            at -= 1
        result += [f"    {printed}".rstrip() for printed in output(command).rstrip("\n").split("\n")]
    return "\n".join(result)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def differing() -> list[tuple[Path, str]]:
    """Documents whose outputs are not what the commands print now, with the new text."""
    found = []
    for path in documents():
        old = path.read_text("utf-8")
        new = refreshed(old)
        if PORT.sub("PORT", old) != PORT.sub("PORT", new):
            found.append((path, new))
    return found


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    changed = differing()
    for path, new in changed:
        print(f"{path.relative_to(ROOT)}: {'differs' if a.check else 'renewed'}")
        if not a.check:
            path.write_text(new, "utf-8")
    if not changed:
        print("the documents show what the commands print")
    return int(a.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
