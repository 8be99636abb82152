"""CI's runner of behaviour checks: it survives what checks can do, and notices what is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[1] / ".ci" / "behaviour.py"
CHECKS = """
import ctypes, os, pytest, threading

fact = pytest.mark.fact

@fact("holds")
def test_holds(): pass

@fact("fails")
def test_fails(): assert 0, "as ever"

@fact("kills")
def test_kills(): os._exit(7)

@fact("crashes")
def test_crashes(): ctypes.string_at(0)

@fact("hangs")
def test_hangs(): threading.Event().wait()

@fact("half")
@pytest.mark.parametrize("x", [1, 2])
def test_half(x): assert x == 1

@fact("skips")
def test_skips(): pytest.skip("not here")

@fact("recovers")
def test_recovers():
    try:
        open("FLAG", "x").close()
    except FileExistsError:
        return
    assert 0, "the first time"
"""


@pytest.fixture
def run(tmp_path):
    """Run the checks against a baseline; the finished process."""
    folder, baseline = tmp_path / "checks", tmp_path / "baseline.json"
    folder.mkdir()
    mark = 'config.addinivalue_line("markers", "fact(id): x")'
    (folder / "conftest.py").write_text(f"def pytest_configure(config):\n    {mark}\n")
    (folder / "test_a.py").write_text(CHECKS.replace("FLAG", str(tmp_path / "flag")))
    (folder / "test_b.py").write_text('import pytest\n@pytest.mark.fact("other")\ndef test_other(): pass\n')

    def start(*known, options=()):
        if known:
            baseline.write_text(json.dumps(dict.fromkeys(known, "passed")))
        command = [sys.executable, RUNNER, folder, "--baseline", baseline, "--test-limit=1", "--jobs=2", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        return done, json.loads(baseline.read_text()) if baseline.exists() else None

    return start


def test_without_a_baseline_nothing_is_lost(run):
    done, baseline = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 9 behaviours hold; the baseline has 0" in done.stdout
    assert baseline is None


def test_what_held_still_holds(run):
    done, _ = run("holds", "other", "skips")
    assert done.returncode == 0


def test_what_is_lost_is_named(run):
    done, _ = run("holds", "half", "kills", "hangs", "gone")
    assert done.returncode == 1
    assert "4 of the baseline no longer hold" in done.stdout
    for line in (
        "half: assert 2 == 1",
        "kills: the process hung or died",
        "hangs: Failed: Timeout",
        "gone: no such check",
    ):
        assert f"  {line}" in done.stdout


def test_a_second_try_is_given(run):
    done, _ = run("recovers")
    assert done.returncode == 0, done.stdout
    assert "trying 1 once more" in done.stdout


def test_the_baseline_only_grows(run):
    done, baseline = run("elsewhere", options=["--update-baseline"])
    assert done.returncode == 1  # it still says that one is gone
    assert baseline == dict.fromkeys(["elsewhere", "holds", "other"], "passed")


def test_some_files_only(run):
    done, _ = run("holds", "gone", options=["-k", "_b"])
    assert done.returncode == 0
    assert "1 of 1 behaviours hold" in done.stdout
