"""Running a problem's programs: as they are, and under `winsock run`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT = 60.0  # seconds; every program ends by itself long before


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: what it printed, errors included, and its exit status (None: it was stopped)."""

    output: str
    status: int | None


def run_plain(program: Path) -> Outcome:
    """Run it with this interpreter."""
    return _run([sys.executable, "-X", "utf8", program.name], program.parent)


def run_windows(program: Path, options: Sequence[str] = ()) -> Outcome:
    """Run it with Windows' socket behaviour; options of `winsock run`."""
    command = [sys.executable, "-X", "utf8", "-m", "winsock", "run", *options, program.name]
    return _run(command, program.parent)


def _run(command: list[str], folder: Path) -> Outcome:
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    try:
        output, _ = process.communicate(timeout=LIMIT)
        return Outcome(output, process.returncode)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return Outcome(f"{output}\n(stopped after {LIMIT:.0f} seconds)\n", None)
    except BaseException:
        process.kill()
        process.wait()
        raise
