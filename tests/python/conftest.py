"""Running programs under the Windows view, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

LIMIT = 60.0  # seconds: a program that takes longer hangs

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """run(*ARGUMENTS_OF_WINSOCK_RUN, plain=False): a finished process; plain leaves winsock out."""

    def do(*args: str, plain: bool = False, input: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        under = [] if plain else ["-m", "winsock", "run"]
        return subprocess.run(
            [sys.executable, *under, *args],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            cwd=tmp_path,
            input=input,
            env={**os.environ, **env},
            check=False,
        )

    return do


@pytest.fixture
def program(run: Run, tmp_path: Path) -> Callable[..., str]:
    """program(SOURCE, *ARGS): what the program prints; it must end well and say nothing on stderr."""

    def do(source: str, *args: str, plain: bool = False) -> str:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        done = run(str(path), *args, plain=plain)
        assert done.stderr == ""
        assert done.returncode == 0
        return done.stdout

    return do
