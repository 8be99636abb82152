"""Try winsock with every other supported Python of this machine: a short choice of its tests, in its own environment.

    python scripts/other_pythons.py [--all] [--list] [PYTEST_ARGUMENT ...]

Supported is what pyproject.toml's classifiers name.  Looked for: python3.N on PATH, and where pyenv and uv keep
theirs; a shim that leads nowhere is no Python.  Environments lie in build/pythons.  Exit status 1 when tests fail;
what is not there, or cannot be set up, is told in a line.

    --all      the whole suite, with all its tools
    --list     only say what is there
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = Path.home()
KEPT = (  # {}: the version
    os.environ.get("PYENV_ROOT", f"{HOME}/.pyenv") + "/versions/{}.*/bin/python{}",
    f"{HOME}/.local/share/uv/python/cpython-{{}}.*/bin/python{{}}",
)
TOOLS = ("pytest>=8", "pytest-timeout", "pytest-xdist", "hypothesis")
# What depends on the version: the view, the modules in place of C's, what the runner makes.  Libraries are not here.
SHORT = (
    "tests/overlapped tests/python/test_numbers.py tests/python/test_oserror.py tests/python/test_socket_face.py "
    "tests/python/test_overlapped_module.py tests/python/test_versions.py tests/python/test_view.py "
    "tests/python/test_winapi.py "
    "tests/python/test_run.py::test_a_script_ends_as_under_python"
).split()
LIMIT = 180  # s for one version


def supported(pyproject: Path = ROOT / "pyproject.toml") -> list[str]:
    """["3.11", ...]"""
    classifiers = tomllib.loads(pyproject.read_text("utf-8"))["project"]["classifiers"]
    return [m[1] for line in classifiers if (m := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))]


def candidates(version: str, kept: Iterable[str] = KEPT) -> Iterator[str]:
    """Paths where that version may be, most wanted first."""
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        yield os.path.join(directory, f"python{version}")
    for pattern in kept:
        yield from sorted(glob.glob(pattern.format(version, version)), reverse=True)


def is_python(path: str, version: str) -> bool:
    """Whether it runs, is CPython of that version and can make environments."""
    code = "import sys, venv, ensurepip; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.split() == ["cpython", version]


def found(version: str, kept: Iterable[str] = KEPT) -> str | None:
    """The interpreter of that version."""
    tried = dict.fromkeys(path for path in candidates(version, kept) if os.access(path, os.X_OK))
    return next((path for path in tried if is_python(path, version)), None)


def environment(version: str, interpreter: str, everything: bool) -> str | None:
    """Its python; None, and why, if it cannot be set up."""
    directory = ROOT / "build" / "pythons" / version
    python = str(directory / "bin" / "python")
    what = [".[dev]"] if everything else [".", *TOOLS]
    for command in (
        [interpreter, "-m", "venv", "--clear", str(directory)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", *what],
    ):
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            print(f"Python {version} cannot be set up: {' '.join(command[:4])} takes too long", flush=True)
            return None
        if done.returncode:
            why = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
            print(f"Python {version} cannot be set up: {why[-1]}", flush=True)
            return None
    return python


def main() -> int:
    """The command."""
    arguments = sys.argv[1:]
    everything, only_list = (option in arguments for option in ("--all", "--list"))
    arguments = [a for a in arguments if a not in ("--all", "--list")]
    failed = 0
    for version in supported():
        if version == "{}.{}".format(*sys.version_info):
            continue
        interpreter = found(version)
        if interpreter is None or only_list:
            print(f"Python {version}: {interpreter or 'not on this machine'}", flush=True)
            continue
        python = environment(version, interpreter, everything)
        if python is None:
            continue
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"]
        command += arguments if everything else [*SHORT, *arguments]
        limit = None if everything else LIMIT
        print(f"Python {version}, {interpreter}", flush=True)
        try:
            failed |= subprocess.run(command, cwd=ROOT, timeout=limit, check=False).returncode
        except subprocess.TimeoutExpired:
            print(f"Python {version}: not done in {LIMIT} s", flush=True)
            failed = 1
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
