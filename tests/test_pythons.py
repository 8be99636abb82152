"""The script that tries other versions of Python: what it takes for one."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from winsock.cli._doctor import NEWEST_PYTHON, OLDEST_PYTHON

ROOT = Path(__file__).resolve().parents[1]
VERSION = "{}.{}".format(*sys.version_info)


def load(name):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return load("other_pythons")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """make(DIRECTORY, TEXT or None): an executable python of this version there; None: a link to this Python."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))

    def make(directory, text=None):
        path = tmp_path / directory / f"python{VERSION}"
        path.parent.mkdir(parents=True)
        if text is None:
            path.symlink_to(sys.executable)
        else:
            path.write_text(text)
            path.chmod(0o755)
        return str(path)

    return make


def test_what_is_supported_stands_in_the_classifiers(script):
    versions = script.supported()
    assert versions[0] == "3.11"
    assert VERSION in versions
    assert [tuple(map(int, v.split("."))) for v in (versions[0], versions[-1])] == [OLDEST_PYTHON, NEWEST_PYTHON]
    assert versions == sorted(versions, key=lambda v: int(v.split(".")[1]))


def test_an_interpreter_on_the_path_comes_first(script, place, tmp_path):
    there = place("path")
    place("kept/1")
    assert script.found(VERSION, [f"{tmp_path}/kept/*/python{VERSION}"]) == there


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 127\n", "#!/bin/sh\necho cpython 3.2\n", "no program"])
def test_what_does_not_run_is_passed_by(script, place, tmp_path, text):
    place("path", text)
    assert script.found(VERSION, []) is None
    kept = place("kept/1")
    assert script.found(VERSION, [f"{tmp_path}/kept/*/python{VERSION}"]) == kept


def test_what_cannot_be_run_is_passed_by(script, place):
    path = place("path", "#!/bin/sh\n")
    os.chmod(path, 0o644)
    assert script.found(VERSION, []) is None


def test_a_version_that_cannot_be_set_up_is_told(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.environment("3.99", "/bin/false", False) is None
    assert capsys.readouterr().out == "Python 3.99 cannot be set up: no word why\n"


def test_failures_of_cpythons_tests_are_known_by_version():
    script = load("cpython_tests")
    script.KNOWN = (("a.A.old", "gone", (3, 11), (3, 12)), ("a.A.new", "came", (3, 13), script.NEWEST))
    assert script.known_failures((3, 11)) == script.known_failures((3, 12)) == {"a.A.old": "gone"}
    assert script.known_failures((3, 13)) == script.known_failures((3, 99)) == {"a.A.new": "came"}


def test_known_failures_are_of_modules_that_run():
    script = load("cpython_tests")
    known = script.known_failures(sys.version_info[:2])
    assert [test for test in known if not test.startswith(tuple(f"{m}." for m in script.MODULES))] == []
    assert all(known.values())


def test_every_known_failure_is_in_the_documents():
    told = (ROOT / "docs" / "fidelity.md").read_text("utf-8")
    assert [test for test, *_ in load("cpython_tests").KNOWN if f"`{test}`" not in told] == []
