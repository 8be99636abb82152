"""Run CPython's own network tests under the Windows view, each module in a process of its own.

    cpython_tests.py MODULE ...         test_socket, test_select, ...
    cpython_tests.py --plain MODULE ... without winsock, to compare

Prints run / passed / failed / skipped by module and the names of what failed.  The tests are those that lie in this
interpreter (Debian: apt-get install libpython3-testsuite).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

RAN = re.compile(r"^Ran (\d+) tests? in", re.M)
SUMMARY = re.compile(r"^(?:OK|FAILED) \((.*)\)$", re.M)
BAD = re.compile(r"^(?:ERROR|FAIL): (\S+) \(([\w.]+)\)", re.M)


def run(module: str, plain: bool, limit: float) -> tuple[Counter[str], list[str], float]:
    """Counts by result, names of what failed, seconds."""
    winsock = [] if plain else ["-m", "winsock", "run"]
    command = [
        sys.executable,
        *winsock,
        "-m",
        "test",
        "-v",
        "-u",
        "network,urlfetch",
        f"--timeout={limit / 3:.0f}",
        module,
    ]
    begin = time.monotonic()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        tempfile.TemporaryDirectory() as place,
    ):
        process = subprocess.Popen(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        output.seek(0)
        text = output.read()
    counts: Counter[str] = Counter()
    counts["run"] = sum(map(int, RAN.findall(text)))
    for summary in SUMMARY.findall(text):
        for part in summary.split(", "):
            name, _, number = part.partition("=")
            counts[{"failures": "failed", "errors": "failed"}.get(name, name)] += int(number)
    counts["passed"] = counts["run"] - counts["failed"] - counts["skipped"] - counts["expected failures"]
    failed = [f"{where}.{name}" if name not in where else where for name, where in BAD.findall(text)]
    if not RAN.search(text):
        # skipped as a whole, or it never came to its end
        reason = next((line for line in text.splitlines() if "skipped" in line), None)
        if reason is not None and status == 0:
            failed.append(f"skipped: {reason}")
        else:
            counts["failed"] += 1
            failed.append(
                "did not finish" if status is None else f"exit status {status}: {(text.splitlines() or [''])[-1]}"
            )
    return counts, list(dict.fromkeys(failed)), time.monotonic() - begin


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("module", nargs="+")
    p.add_argument("--plain", action="store_true", help="without winsock")
    p.add_argument("--limit", type=float, default=600, help="seconds for a module (600)")
    a = p.parse_args()
    if importlib.util.find_spec("test.libregrtest") is None:
        print("this Python comes without its tests; on Debian: apt-get install libpython3-testsuite", file=sys.stderr)
        return 1
    print(f"Python {sys.version.split()[0]}, {'plain' if a.plain else 'under the Windows view'}\n")
    print(f"{'module':26}{'run':>6}{'passed':>8}{'failed':>8}{'skipped':>9}{'s':>6}")
    total: Counter[str] = Counter()
    bad: list[str] = []
    for module in a.module:
        counts, failed, seconds = run(module, a.plain, a.limit)
        total.update(counts)
        bad += [f"{module}: {name}" for name in failed]
        print(row(module, counts, seconds), flush=True)
    print(row("together", total, None))
    if bad:
        print("\nnot passed:", *bad, sep="\n  ")
    return int(total["failed"] > 0)


def row(name: str, counts: Counter[str], seconds: float | None) -> str:
    numbers = f"{counts['run']:6}{counts['passed']:8}{counts['failed']:8}{counts['skipped']:9}"
    return f"{name:26}{numbers}" + (f"{seconds:6.0f}" if seconds is not None else "")


if __name__ == "__main__":
    sys.exit(main())
