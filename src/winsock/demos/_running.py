"""Running a problem's programs: as they are, and under `winsock run`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from winsock.demos._catalogue import Demo
from winsock.demos._stages import STAGES

LIMIT = 60.0  # seconds; every program ends by itself long before


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: what it printed, errors included, and its exit status (None: it was stopped)."""

    output: str
    status: int | None


def run_plain(demo: Demo, program: Path) -> Outcome:
    """Run one of its programs with this interpreter."""
    with STAGES[demo.stage].set_up(False) as arguments:
        return _run(demo, program, [], arguments)


def run_windows(demo: Demo, program: Path) -> Outcome:
    """Run one of its programs with Windows' socket behaviour."""
    with STAGES[demo.stage].set_up(True) as arguments:
        return _run(demo, program, ["-m", "winsock", "run", *demo.options], arguments)


def _run(demo: Demo, program: Path, winsock: Sequence[str], arguments: Sequence[str]) -> Outcome:
    command = [*STAGES[demo.stage].before, sys.executable, "-X", "utf8", *winsock, program.name, *arguments]
    process = subprocess.Popen(
        command,
        cwd=program.parent,
        start_new_session=True,
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
        _kill(process)
        output, _ = process.communicate()
        return Outcome(f"{output}\n(stopped after {LIMIT:.0f} seconds)\n", None)
    except BaseException:
        _kill(process)
        process.wait()
        raise


def _kill(process: subprocess.Popen[str]) -> None:
    """End it and what it has started."""
    os.killpg(process.pid, signal.SIGKILL)
