"""make demo: the program knows nothing of winsock, and each of its troubles is shown, named and explained."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[1] / "demo"
EXPECTED = {
    1: (10054, "ConnectionResetError"),
    2: (10040, "OSError"),
    3: (10022, "OSError"),
    4: (10048, "OSError"),
    5: (10013, "PermissionError"),
    6: (10022, "OSError"),
    7: (10038, "OSError"),
    8: (10061, "connect_ex 10035; exceptional"),
    9: (10049, "OSError"),
    10: (10057, "OSError"),
    11: (10022, "OSError"),
    12: (10038, "OSError"),
}


def run(*command, width=200):
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "COLUMNS": str(width), "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def windows():
    return run("-m", "winsock", "run", str(DEMO / "troubles.py")).strip().split("\n\n")


@pytest.fixture(scope="module")
def shown():
    return run(str(DEMO / "side_by_side.py"))


def test_the_program_is_an_ordinary_one():
    tree = ast.parse((DEMO / "troubles.py").read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"os", "select", "socket"}
    assert "winsock" not in ast.unparse(tree).lower()


@pytest.mark.parametrize("number", EXPECTED)
def test_each_trouble_under_windows_rules(windows, number):
    code, how = EXPECTED[number]
    text = windows[number - 1]
    assert text.startswith(f"{number}. ")
    assert str(code) in text
    assert how in text


def test_no_trouble_has_a_windows_code_without(windows):
    plain = run(str(DEMO / "troubles.py")).strip().split("\n\n")
    assert len(plain) == len(windows) == len(EXPECTED)
    assert not re.search(r"WinError|\b10\d{3}\b", "\n".join(plain))
    assert [text.splitlines()[0] for text in plain] == [text.splitlines()[0] for text in windows]


def test_each_code_is_named_and_explained(shown):
    for code, _ in EXPECTED.values():
        assert re.search(rf"^   {code} WSAE\w+: \S", shown, re.M)


@pytest.mark.parametrize("width", [80, 120, 160])
def test_it_keeps_to_the_width(width):
    lines = run(str(DEMO / "side_by_side.py"), width=width).splitlines()
    assert max(map(len, lines)) < width
    assert sum(" | " in line for line in lines) > len(EXPECTED)


def test_a_program_that_fails(tmp_path):
    (tmp_path / "bad.py").write_text("print('begun')\nraise SystemExit(3)\n")
    done = subprocess.run(
        [sys.executable, DEMO / "side_by_side.py", tmp_path / "bad.py"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "exit status 3" in done.stderr
    assert "begun" in done.stdout


def test_columns_keep_every_word():
    spec = importlib.util.spec_from_file_location("side_by_side", DEMO / "side_by_side.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = module.columns(["one two three four"], ["five"], 23)
    assert [row.split(" |")[0].strip() for row in rows] == ["one two", "three four"]
    assert rows[0].endswith("five")
