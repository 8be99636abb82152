"""winsock codes: the whole reference, for people and for scripts."""

from __future__ import annotations

import json

import pytest

from winsock import codes
from winsock.cli import main
from winsock.codes import WSA
from winsock.codes._names import known_numbers


@pytest.fixture(autouse=True)
def plain_locale(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")


def test_text_has_every_code_once(capsys):
    assert main(["codes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == sorted(known_numbers())
    assert "10054  WSAECONNRESET                       Connection reset by peer" in lines


def test_explain_lists_the_same(capsys):
    assert main(["codes"]) == main(["explain", "--list"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[: len(out) // 2] == out[len(out) // 2 :]


@pytest.mark.parametrize("lang", codes.languages())
def test_json_has_all_there_is_to_say(lang, capsys):
    assert main(["codes", "--format", "json", "--lang", lang]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["number"] for entry in entries] == sorted(known_numbers())
    for entry in entries:
        assert {"number", "name", "aliases", "title", "meaning", "causes", "remedies", "functions"} <= entry.keys()
        assert entry["lang"] == lang
        assert all(isinstance(entry[key], str) and entry[key] for key in ("title", "meaning", "returned"))
        assert all(entry["causes"])
        assert len(entry["remedies"]) == 2
        assert all(entry["remedies"])
        assert entry["conditions"].keys() == set(entry["functions"])
        assert all(entry["conditions"].values())
    numbers = {entry["number"] for entry in entries}
    assert numbers >= {0, 10094, *map(int, WSA)}
    assert all(set(entry["related"]) <= numbers - {entry["number"]} for entry in entries)


def test_the_locale_decides_the_language(monkeypatch, capsys):
    for lang in codes.languages():
        monkeypatch.setenv("LC_ALL", f"{lang.replace('-Hant', '_TW')}.UTF-8")
        assert main(["codes"]) == 0
        assert codes.explain(10061, lang=lang).title in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--format", "xml"], ["--lang", "tlh"], ["10054"], ["--nonsense"]])
def test_wrong_command_line(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["codes", *argv])
    assert ended.value.code == 2
    assert "usage: winsock codes" in capsys.readouterr().err
