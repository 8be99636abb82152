"""Running a problem's programs: as they are, and under `winsock run`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from winsock.demos._catalogue import Demo

LIMIT = 60.0  # seconds; every program ends by itself long before


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: what it printed, errors included, and its exit status (None: it was stopped)."""

    output: str
    status: int | None


def run_plain(demo: Demo, program: Path) -> Outcome:
    """Run one of its programs with this interpreter."""
    return _run([], demo, program, ["0"] if demo.reserves else [])


def run_windows(demo: Demo, program: Path) -> Outcome:
    """Run one of its programs with Windows' socket behaviour."""
    winsock = ["-m", "winsock", "run", *demo.options]
    if not demo.reserves:
        return _run(winsock, demo, program, [])
    from winsock import ports

    with ports.reserve(1) as block:  # as Hyper-V and others do on Windows
        return _run(winsock, demo, program, [str(block.ports[0])])


def _run(winsock: Sequence[str], demo: Demo, program: Path, arguments: Sequence[str]) -> Outcome:
    command = [sys.executable, "-X", "utf8", *winsock, program.name, *arguments]
    folder = program.parent
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
