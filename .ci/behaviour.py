#!/usr/bin/env python3
"""Run a folder of behaviour checks against winsock and hold what was reached before.

    behaviour.py FOLDER                     fails when a behaviour of the baseline no longer holds
    behaviour.py FOLDER --update-baseline   adds what holds now to the baseline
    behaviour.py FOLDER -k startup          only some files (by a part of their names); the rest is not judged

Each file of the folder runs in a process of its own, some at a time, with a limit for each test and for the file.
A process that dies or hangs loses the test it was in and goes on behind it.  Behaviours of the baseline that fail
are tried once more, alone, before they count as lost.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "facts-baseline.json"
WORST_FIRST = ("failed", "skipped", "passed")
TEST_LIMIT = 20  # seconds for a test
FILE_LIMIT = 150  # seconds for a file
RESTARTS = 4  # times that a file goes on behind a test that ended the process


class Outcome:
    """Results by test and by behaviour."""

    def __init__(self) -> None:
        self.tests: dict[str, str] = {}
        self.idents: dict[str, list[str]] = {}  # test -> its behaviours
        self.reasons: dict[str, str] = {}

    def merge(self, other: Outcome) -> None:
        self.tests.update(other.tests)
        self.idents.update(other.idents)
        self.reasons.update(other.reasons)

    def facts(self) -> dict[str, str]:
        """Each behaviour with the worst result of its tests."""
        facts: dict[str, str] = {}
        for test, result in self.tests.items():
            for ident in self.idents.get(test, ()):
                facts[ident] = min(result, facts.get(ident, "passed"), key=WORST_FIRST.index)
        return dict(sorted(facts.items()))

    def tests_of(self, idents: set[str]) -> list[str]:
        return [test for test, own in self.idents.items() if idents & set(own)]


def run_pytest(arguments: list[str], limit: float, test_limit: float = TEST_LIMIT) -> tuple[Outcome, bool]:
    """One pytest process; what it got done, and whether it came to its end."""
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "log")
        environment = {
            **os.environ,
            "BACKEND": os.environ.get("BACKEND", "winsock"),
            "FACTS_LOG": str(log),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [
            sys.executable, "-m", "pytest", "-q", "--tb=no", "--no-header",
            "-p", "no:cacheprovider", "-p", "facts_log", f"--timeout={test_limit}", *arguments,
        ]  # fmt: skip
        with Path(place, "output").open("w+") as output:
            process = subprocess.Popen(
                command,
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(max(1, limit))
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
        outcome, began = Outcome(), None
        for line in log.read_text().splitlines() if log.exists() else []:
            word, test, value = json.loads(line)
            if word == "idents":
                outcome.idents[test] = value
            elif word == "begin":
                began = test
            else:
                outcome.tests[test], outcome.reasons[test] = value
                began = None if began == test else began
        if began is not None:
            outcome.tests[began] = "failed"
            outcome.reasons[began] = f"the process hung or died in it ({status})"
        finished = status in (0, 1)
        if not finished and not outcome.idents:
            sys.stderr.write(text)  # not collected: an import error, a wrong option
        return outcome, finished


def run_file(path: Path, end: float, test_limit: float) -> Outcome:
    """A file, gone on with behind each test that ended the process."""
    whole = Outcome()
    limit = min(time.monotonic() + FILE_LIMIT, end)
    for _ in range(RESTARTS):
        skip = [f"--deselect={test}" for test in whole.tests]
        part, finished = run_pytest(
            [str(path), f"--rootdir={path.parent}", *skip], limit - time.monotonic(), test_limit
        )
        whole.merge(part)
        if finished or not part.tests or time.monotonic() > limit:
            break
    for test in whole.idents:
        if test not in whole.tests:
            whole.tests[test], whole.reasons[test] = "failed", "not reached in time"
    return whole


def run_folder(files: list[Path], jobs: int, end: float, test_limit: float) -> Outcome:
    whole = Outcome()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        # the longest first, so that none is left over at the end
        futures = {
            pool.submit(run_file, f, end, test_limit): f for f in sorted(files, key=lambda f: -f.stat().st_size)
        }
        for future in concurrent.futures.as_completed(futures):
            part = future.result()
            whole.merge(part)
            count = Counter(part.facts().values())
            numbers = "  ".join(f"{count[r]:4} {r}" for r in ("passed", "failed", "skipped"))
            print(f"  {futures[future].name:40}{numbers}", flush=True)
    return whole


def try_again(outcome: Outcome, tests: list[str], folder: Path, end: float, test_limit: float) -> None:
    """Run single tests once more, with nothing else going on."""
    print(f"trying {len(tests)} once more, alone")
    for first in range(0, len(tests), 50):
        some = [str(folder / t) for t in tests[first : first + 50]]
        part, _ = run_pytest([*some, f"--rootdir={folder}"], end - time.monotonic(), test_limit)
        outcome.merge(part)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("-k", dest="only", default="", help="files whose name has this in it (a regular expression)")
    p.add_argument("-v", "--verbose", action="store_true", help="list what fails, with the reason")
    p.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    p.add_argument("--limit", type=float, default=420, help="seconds for everything")
    p.add_argument("--test-limit", type=float, default=TEST_LIMIT, help="seconds for one test")
    p.add_argument("--baseline", type=Path, default=BASELINE)
    p.add_argument("--facts-out", type=Path)
    p.add_argument("--update-baseline", action="store_true")
    a = p.parse_args()

    folder = a.folder.resolve()
    files = [f for f in sorted(folder.glob("test_*.py")) if re.search(a.only, f.name)]
    if not files:
        p.error(f"no test files in {folder}")
    begin = time.monotonic()
    end = begin + a.limit
    baseline = json.loads(a.baseline.read_text()) if a.baseline.exists() else {}
    outcome = run_folder(files, a.jobs, end, a.test_limit)
    facts = outcome.facts()

    def lost() -> set[str]:
        # A skipped check cannot run on this machine and says so.  One that is gone is lost, but for -k.
        absent = "skipped" if a.only else "gone"
        return {i for i in baseline if facts.get(i, absent) not in ("passed", "skipped")}

    missing = lost()
    if missing and (tests := outcome.tests_of(missing)):
        try_again(outcome, tests, folder, time.monotonic() + 120, a.test_limit)
        facts = outcome.facts()
        missing = lost()

    if a.verbose:
        for test, result in outcome.tests.items():
            if result == "failed":
                print(f"  {test} {','.join(outcome.idents.get(test, []))}: {outcome.reasons[test]}")
    held = sum(r == "passed" for r in facts.values())
    seconds = time.monotonic() - begin
    print(f"{held} of {len(facts)} behaviours hold; the baseline has {len(baseline)}; {seconds:.0f} s")
    if a.facts_out:
        a.facts_out.write_text(json.dumps(facts, indent=0))
    if a.update_baseline:
        grown = dict(sorted({**baseline, **{i: "passed" for i, r in facts.items() if r == "passed"}}.items()))
        a.baseline.write_text(json.dumps(grown, indent=0) + "\n")
        print(f"baseline: {len(baseline)} -> {len(grown)}")
    if missing:
        print(f"{len(missing)} of the baseline no longer hold:")
        for ident in sorted(missing):
            reasons = {outcome.reasons[t] for t in outcome.tests_of({ident}) if outcome.tests[t] == "failed"}
            print(f"  {ident}: {'; '.join(sorted(reasons)) or 'no such check any more'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
