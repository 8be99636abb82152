"""winsock explain: what a newcomer reads, and what a script parses."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from winsock import codes
from winsock.cli import main
from winsock.codes import WSA


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LC_ALL", "C")


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


def heads(page):
    return [line.split()[0] for line in page.splitlines() if line[:1].isdigit()]


def test_several_at_once_in_the_order_asked(capsys):
    assert explain("WSAEINVAL", "10054", "no such host") == 0
    assert heads(capsys.readouterr().out) == ["10022", "10054", "11001"]


def test_an_entry_is_printed_once_whatever_asks_for_it(capsys):
    assert explain("10054", "-2147014842", "econnreset", "forcibly closed", "ConnectionReset", "10061") == 0
    assert heads(capsys.readouterr().out) == ["10054", "10061"]


def test_a_message_of_two_codes_shows_both(capsys):
    assert explain("No more results can be returned by WSALookupServiceNext.") == 0
    assert heads(capsys.readouterr().out) == ["10102", "10110"]


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


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("远程主机强迫关闭了一个现有的连接。", 10054),
        ("由于目标计算机积极拒绝，无法连接。", 10061),
        ("Удаленный хост принудительно разорвал существующее подключение", 10054),
        ("Eine vorhandene Verbindung wurde vom Remotehost geschlossen", 10054),
        ("현재 연결은 원격 호스트에 의해 강제로 끊겼습니다", 10054),
    ],
)
def test_messages_of_languages_without_a_reference_are_understood(text, code, capsys):
    assert explain(text, "--lang", "fr") == 0
    assert capsys.readouterr().out.startswith(f"{code}  WSAECONN")


def test_the_known_ones_are_explained_all_the_same(capsys):
    assert explain("nonsense", "10061") == 1
    out, err = capsys.readouterr()
    assert out.startswith("10061  WSAECONNREFUSED")
    assert "'nonsense'" in err


def test_json(capsys):
    assert explain("--format", "json", "10054", "10061") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["number"], second["number"]) == (10054, 10061)
    entry = codes.explain(10054)
    for key, value in entry.asdict().items():
        expected = dict(value) if key == "spellings" else list(value) if isinstance(value, tuple) else value
        assert first[key] == expected, key
    assert first["remedies"] == [entry.remedy_program, entry.remedy_user]
    assert list(first["conditions"]) == first["functions"]
    assert first["conditions"]["recv"] == [condition.text for condition in codes.conditions(10054, "recv")]


def test_markdown(capsys):
    assert explain("10013", "--format=markdown") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "## 10013 WSAEACCES: Permission denied"
    assert "- **Causes**:" in lines
    nested = [line for line in lines if line.startswith("    - ")]
    assert len(nested) >= len(codes.explain(10013).causes)
    assert any("`netsh int ipv4 show excludedportrange tcp`" in line for line in lines)
    assert any("SO\\_EXCLUSIVEADDRUSE" in line for line in lines)


def test_markdown_of_every_code_is_headed_by_it(capsys):
    numbers = [str(int(code)) for code in WSA]
    assert explain("--format=markdown", *numbers) == 0
    found = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("## ")]
    assert found == numbers


# -- from a function


def test_a_function_tells_when_it_gives_the_code(capsys):
    assert explain("WSAEINVAL", "--function", "LISTEN()") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "From listen" in out
    for condition in codes.conditions(10022, "listen"):
        assert condition.text in out
    assert "the socket is neither bound nor connected" in out  # the state of the refusal table


def test_a_function_that_does_not_give_the_code(capsys):
    assert explain("10061", "--function=listen") == 0
    assert "listen is not documented to return WSAECONNREFUSED" in " ".join(capsys.readouterr().out.split())


def test_a_function_alone_lists_its_codes(capsys):
    assert explain("--function", "accept") == 0
    out = capsys.readouterr().out
    assert [int(line.split()[0]) for line in out.splitlines() if line[:5].strip().isdigit()] == [
        use.code for use in codes.codes_of("accept")
    ]


def test_a_function_alone_in_the_other_forms(capsys):
    assert explain("--function", "bind", "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert {entry["function"] for entry in shown} == {"bind"}
    assert all(entry["when"] for entry in shown)
    assert explain("--function", "bind", "--format", "markdown") == 0
    assert "- **10048 WSAEADDRINUSE**" in capsys.readouterr().out.splitlines()


def test_a_function_for_a_code_is_led_to_the_option(capsys):
    assert explain("10054", "recv()") == 1
    assert "nearest: --function recv" in capsys.readouterr().err


def test_an_unknown_function(capsys):
    assert explain("10054", "--function", "recvfron") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "'recvfron'" in err
    assert "recvfrom" in err.partition("nearest:")[2]


# -- languages


def test_the_language_of_the_locale(monkeypatch, capsys):
    for lang in codes.languages():
        monkeypatch.setenv("LC_ALL", {"zh-Hant": "zh_TW.UTF-8"}.get(lang, f"{lang}_XX.UTF-8"))
        assert explain("10054") == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines()[0].endswith(codes.explain(10054, lang=lang).title)
        assert codes.labels(lang)["meaning"] in out


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX", "de_DE.UTF-8", "xx", ".", "_", "en_GB@euro"])
def test_other_locales_are_served_in_english(locale, monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "")
    monkeypatch.setenv("LC_MESSAGES", "")
    monkeypatch.setenv("LANG", locale)
    assert explain("10054") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Connection reset by peer" in out


def test_the_option_comes_before_the_locale(monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert explain("--lang", "en-US", "10054") == 0
    assert "Connection reset by peer" in capsys.readouterr().out


def test_a_language_whose_texts_are_missing_is_said(monkeypatch, capsys):
    monkeypatch.setattr("winsock.codes._texts.languages", lambda: ("en",))
    assert explain("--lang", "fr", "10054") == 0
    out, err = capsys.readouterr()
    assert "Connection reset by peer" in out
    assert err == "winsock: no texts in fr yet; here they are in English\n"


@pytest.mark.parametrize("lang", codes.languages())
@pytest.mark.parametrize("columns", [40, 80])
def test_pages_fit_in_every_language(lang, columns, monkeypatch, capsys):
    from winsock.cli._explain_text import columns as measure
    from winsock.cli._explain_text import wrap

    monkeypatch.setenv("COLUMNS", str(columns))
    assert explain("--lang", lang, *(str(int(code)) for code in WSA)) == 0
    for line in capsys.readouterr().out.splitlines():
        if not line[:1].isdigit() and measure(line) > columns:
            text = line.rpartition("  ")[2].removeprefix("- ")  # without margin and label
            assert len(wrap(text, 1)) == 1, line  # one long word, which stays whole


def test_a_terminal_that_lacks_the_letters_gets_the_rest():
    command = [sys.executable, "-m", "winsock", "explain", "10054", "--lang", codes.languages()[-1]]
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, env=env, timeout=60)
    assert done.returncode == 0
    assert b"0x80072746" in done.stdout


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


def test_a_wrong_language_is_told_the_right_ones(capsys):
    with pytest.raises(SystemExit):
        explain("--lang", "tlh", "5")
    assert "no texts in 'tlh'; there are: en, fr, ja, zh-Hant" in capsys.readouterr().err


HEAVY = {
    "argparse",
    "asyncio",
    "collections",
    "ctypes",
    "dataclasses",
    "enum",
    "functools",
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
