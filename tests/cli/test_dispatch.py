"""The `winsock` command itself: help, version, verbs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import winsock
from winsock import cli


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"winsock {winsock.__version__}\n"


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["help"], ["help", "nonsense"]])
def test_help_names_every_verb(argv, capsys):
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    for verb, (_, line) in cli.VERBS.items():
        assert f"  {verb} " in out
        assert line in out


def test_help_fits_a_terminal():
    assert max(len(line) for line in cli.usage().splitlines()) <= 80


def test_no_verb_is_a_usage_error(capsys):
    assert cli.main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage" in captured.err


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["explian", "5"], "did you mean explain?"),
        (["10054"], "winsock explain 10054"),
        (["WSAEINVAL"], "winsock explain WSAEINVAL"),
        (["server.py"], "winsock run server.py"),
        (["--nonsense"], "winsock --help"),
    ],
)
def test_unknown_verb_is_refused_with_a_hint(argv, hint, capsys):
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert hint in captured.err


def test_help_of_a_verb(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["help", "explain"])
    assert ended.value.code == 0
    assert "usage: winsock explain" in capsys.readouterr().out


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verb_has_its_module(verb):
    assert importlib.util.find_spec(cli.VERBS[verb][0]) is not None


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "winsock", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"winsock {winsock.__version__}\n"


def test_exit_status_reaches_the_shell():
    done = subprocess.run([sys.executable, "-m", "winsock", "nonsense"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
