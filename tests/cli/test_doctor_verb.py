"""winsock doctor: its three forms say the same, and what they say comes from the tags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from winsock.abi._controls import CONTROLS
from winsock.abi._options import FOREIGN, OPTIONS, Fidelity
from winsock.cli import _doctor, main

ROWS = (*OPTIONS, *FOREIGN, *CONTROLS)


def said(capsys, *args: str) -> str:
    assert main(["doctor", *args]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_json_has_every_row(capsys):
    rows = json.loads(said(capsys, "--format", "json"))["fidelity"]
    assert len(rows) == len(ROWS)
    by_name = {(row["level"], row["name"].split(" = ")[0]): row for row in rows}
    for row in ROWS:
        told = by_name[getattr(row, "level_label", ""), row.label]
        assert (told["fidelity"], told["note"], told["code"]) == (row.fidelity.value, row.note, row.refusal)


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_what_is_not_exact_is_named(capsys, form):
    text = said(capsys, "--format", form)
    everything = said(capsys, "--format", form, "--all")
    for row in ROWS:
        assert row.label in everything
        if row.fidelity is not Fidelity.EXACT:
            assert row.label in text
    assert "SO_DONTLINGER" not in text
    assert len(everything) > len(text)


def test_the_documentation_says_the_same(capsys):
    text = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text("utf-8")
    _, _, rest = text.partition("<!-- generated: winsock doctor --format markdown -->")
    told, _, _ = rest.partition("<!-- end -->")
    assert told.strip() == said(capsys, "--format", "markdown").strip()


def test_counts_add_up(capsys):
    lines = [line.split() for line in said(capsys).splitlines()]
    numbers = [int(words[1]) for words in lines if len(words) > 2 and words[0] in {f.value for f in Fidelity}]
    assert len(numbers) == 8
    assert sum(numbers) == len(ROWS)


def test_machine_is_described(capsys):
    report = json.loads(said(capsys, "--format", "json"))
    machine = {check["name"]: check["value"] for check in report["machine"]}
    assert machine["Python"].startswith(sys.version.split()[0])
    assert machine["kernel"].startswith("Linux")
    assert machine["IPv4 sockets"] == "yes"


def test_a_missing_necessity_fails(capsys, monkeypatch):
    monkeypatch.setattr(_doctor, "OLDEST_PYTHON", (9, 9))
    assert main(["doctor"]) == 1
    assert "3.11 or newer is needed" in capsys.readouterr().out


def test_what_may_be_missing_does_not_fail(capsys, monkeypatch):
    monkeypatch.setattr(_doctor, "_own_memory", lambda: "not permitted")
    assert "no: not permitted (pointers given as ints fail with WSAEFAULT)" in said(capsys)


def test_wrong_command_line(capsys):
    with pytest.raises(SystemExit) as e:
        main(["doctor", "--format", "html"])
    assert e.value.code == 2


def test_a_reader_that_stops_early():
    command = [sys.executable, "-m", "winsock", "doctor", "--format", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_a_python_newer_than_those_tried_is_told(monkeypatch, capsys):
    monkeypatch.setattr(_doctor, "NEWEST_PYTHON", (3, 10))
    assert main(["doctor"]) == 0
    assert "(CPython); tried with CPython up to 3.10\n" in capsys.readouterr().out
