"""Lines to build logs from."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "winsock", "annotate"]


@pytest.fixture
def annotate(tmp_path, monkeypatch):
    """Run the verb: annotate(*argv, stdin=b"") -> CompletedProcess with bytes."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    environment |= {"LC_ALL": "C.UTF-8", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)

    def run(*argv, stdin=b"", **more):
        return subprocess.run(
            [*COMMAND, *map(str, argv)],
            input=stdin,
            capture_output=True,
            env=environment,
            cwd=tmp_path,
            timeout=100,
            check=False,
            **more,
        )

    return run
