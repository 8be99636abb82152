"""winsock explain: what a newcomer reads, and what a script parses."""

from __future__ import annotations

import errno
import json
import subprocess
import sys

import pytest

from winsock import codes
from winsock.cli import main
from winsock.codes import WSA


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def explain(*argv):
    return main(["explain", *argv])


def test_one_code(capsys):
    assert explain("10054") == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "10054  WSAECONNRESET  Connection reset by peer"
    for text in (
        "An existing connection was forcibly closed by the remote host",
        "ConnectionResetError: [WinError 10054], errno 10054",
        f"ECONNRESET (errno {errno.ECONNRESET})",
        "0x80072746 (-2147014842)",
        "In the program",
    ):
        assert text in out


@pytest.mark.parametrize("code", sorted({*map(int, WSA), 0, 64, 10094}))
def test_any_code_fits_the_page(code, capsys):
    assert explain(str(code)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == str(code)
    assert max(map(len, lines)) <= 80
    assert not any(line != line.rstrip() for line in lines)


def test_several_at_once_in_the_order_asked(capsys):
    assert explain("WSAEINVAL", "10054", "-2147014842") == 0
    out = capsys.readouterr().out
    heads = [line.split()[0] for line in out.splitlines() if line[:1].isdigit()]
    assert heads == ["10022", "10054", "10054"]


def test_resolver_code_names_gaierror(capsys):
    assert explain("11001") == 0
    assert "socket.gaierror: [Errno 11001]" in capsys.readouterr().out


def test_success_speaks_of_no_exception(capsys):
    assert explain("0") == 0
    out = capsys.readouterr().out
    assert "Python" not in out
    assert "HRESULT" not in out


def test_unknown_code_fails_and_tells_what_is_near(capsys):
    assert explain("WSAECONRESET") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "'WSAECONRESET'" in err
    assert "10054 WSAECONNRESET" in err


def test_nothing_near_is_said_plainly(capsys):
    assert explain("zzzzzzzz") == 1
    assert capsys.readouterr().err == "winsock explain: 'zzzzzzzz' is no code known here\n"


def test_the_known_ones_are_explained_all_the_same(capsys):
    assert explain("nonsense", "10061") == 1
    out, err = capsys.readouterr()
    assert out.startswith("10061  WSAECONNREFUSED")
    assert "'nonsense'" in err


def test_json(capsys):
    assert explain("--format", "json", "10054", "-2147014842") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == second
    entry = codes.explain(10054)._asdict()
    assert first == {key: list(value) if isinstance(value, tuple) else value for key, value in entry.items()}


def test_json_of_nothing_known_is_an_empty_list(capsys):
    assert explain("zzzzzzzz", "--format=json") == 1
    assert json.loads(capsys.readouterr().out) == []


def test_list_has_every_code_once(capsys):
    assert explain("--list") == 0
    numbers = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert numbers == sorted(set(numbers))
    assert set(map(int, WSA)) <= set(numbers)


@pytest.mark.parametrize(
    "argv", [[], ["--format", "xml", "5"], ["--lang", "tlh", "5"], ["--nonsense"], ["--format", "json"]]
)
def test_wrong_command_line(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        explain(*argv)
    assert ended.value.code == 2
    assert "usage: winsock explain" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["20", "0", "nonsense", "-3", "500", ""])
def test_any_terminal_width(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert explain("10013") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-m", "winsock", "explain", "--list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # before anything is written
        err = process.stderr.read()
        assert process.wait(30) == 0
    assert err == b""


HEAVY = {
    "argparse",
    "asyncio",
    "ctypes",
    "dataclasses",
    "importlib.resources",
    "inspect",
    "json",
    "re",
    "shutil",
    "socket",
    "_socket",
    "textwrap",
    "threading",
    "tomllib",
    "typing",
    "winsock.abi",
    "winsock.nt",
    "winsock.afd",
}


@pytest.mark.parametrize("code", ["10054", "WSAECONNRESET", "0x80072746"])
def test_it_imports_nothing_it_does_not_need(code):
    program = (
        "import sys; before = set(sys.modules); from winsock.cli import main; main(sys.argv[1:]); "
        "print(*set(sys.modules) - before, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "explain", code]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())
    assert "winsock.codes._catalogue" in loaded
    assert not loaded & HEAVY
