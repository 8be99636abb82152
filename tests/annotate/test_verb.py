"""`winsock annotate` from the outside: what it prints, what it says when something is wrong, its exit statuses."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from winsock.cli import main

SIGN = "recv failed: [WinError 10054] An existing connection was forcibly closed by the remote host"
LOG = f"start\n{SIGN}\nport 10054 open\r\nconnect: WSAECONNREFUSED, then WSAETIMEDOUT\n{SIGN}\nend"
UI = ("en", "fr", "ja", "zh-Hant")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text(LOG, newline="")
    return path


# -- text


def test_the_log_goes_through_with_explanations(annotate, log):
    done = annotate(log)
    out = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    added = [row for row in out.split("\n") if row.startswith("    ")]
    assert "\n".join(row for row in out.split("\n") if not row.startswith("    ")) == LOG
    assert [row for row in added if row.startswith("    ^ ")] == [
        "    ^ 10054 WSAECONNRESET  Connection reset by peer",
        "    ^ 10061 WSAECONNREFUSED  Connection refused",
        "    ^ 10060 WSAETIMEDOUT  Connection timed out",
        "    ^ 10054 WSAECONNRESET  Connection reset by peer",
    ]
    assert len(added) > 8  # meanings and remedies, the first time
    assert max(map(len, added)) <= 80
    assert out.index("    ^ 10054") > out.index(SIGN)
    full = out[: out.index("port 10054")]
    assert full.count("\n      ") >= 2
    assert "\n      " not in out[out.rindex("    ^ 10054") :]


def test_short_and_only(annotate, log):
    assert annotate("--only", "--short", log).stdout.decode().splitlines() == [
        f"2: {SIGN}",
        "    ^ 10054 WSAECONNRESET  Connection reset by peer",
        "4: connect: WSAECONNREFUSED, then WSAETIMEDOUT",
        "    ^ 10061 WSAECONNREFUSED  Connection refused",
        "    ^ 10060 WSAETIMEDOUT  Connection timed out",
        f"5: {SIGN}",
        "    ^ 10054 WSAECONNRESET  Connection reset by peer",
    ]
    assert annotate("--only", "--short", log, log).stdout.decode().startswith(f"{log}:2: {SIGN}\n")


def test_a_last_line_without_its_end(annotate):
    assert annotate("--short", "-", stdin=b"a WSAENOTCONN").stdout == (
        b"a WSAENOTCONN\n    ^ 10057 WSAENOTCONN  Not connected\n"
    )


@pytest.mark.parametrize("data", [b"", b"\n", b"nothing\r\nhere \xff\xfe\0\n", bytes(range(256)) * 50])
def test_a_log_without_codes_passes_byte_for_byte(annotate, data):
    done = annotate("-", stdin=data)
    assert (done.returncode, done.stdout) == (0, data)


def test_colour_on_a_terminal_only(annotate, log):
    assert b"\x1b" not in annotate(log).stdout
    assert b"\x1b[1;33m10054 WSAECONNRESET\x1b[0m" in annotate("--color", "always", log).stdout
    assert b"\x1b" not in annotate("--color", "never", log).stdout


@pytest.mark.parametrize("no_color", [None, "1"])
def test_a_terminal(log, no_color):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    if no_color:
        environment["NO_COLOR"] = no_color
    process = subprocess.Popen(
        [sys.executable, "-m", "winsock", "annotate", "--only", "--short", log], stdout=theirs, env=environment
    )
    os.close(theirs)
    out = b""
    try:
        while data := os.read(ours, 4096):
            out += data
    except OSError:  # EIO: the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert (b"\x1b[1;33m10054" in out) is (no_color is None)


@pytest.mark.parametrize("lang", UI)
def test_languages(annotate, log, lang):
    done = annotate("--lang", lang, "--format", "json", log)
    rows = [json.loads(row) for row in done.stdout.decode().splitlines()]
    assert [row["line"] for row in rows] == [2, 4, 5]
    from winsock.codes import explain, languages

    known = lang if lang in languages() else "en"
    assert rows[0]["codes"][0]["title"] == explain(10054, lang=known).title
    assert (done.stderr == b"") is (known == lang)  # else it says that texts are missing


def test_the_locale_s_language(log):
    environment = {**os.environ, "LC_ALL": "fr_FR.UTF-8"}
    command = [sys.executable, "-m", "winsock", "annotate", "--summary", "-"]
    done = subprocess.run(command, input="nothing\n", text=True, capture_output=True, env=environment, check=True)
    from winsock.codes import languages

    assert done.stdout == ("Aucune erreur de socket.\n" if "fr" in languages() else "No socket errors found.\n")


def test_words_are_the_same_in_all_languages():
    from winsock.cli._annotate_forms import words

    english = words("en")
    for lang in UI:
        other = words(lang)
        assert other.keys() == english.keys()
        for key, text in english.items():
            assert re.findall(r"{\w+}", other[key]) == re.findall(r"{\w+}", text) or set(
                re.findall(r"{\w+}", other[key])
            ) == set(re.findall(r"{\w+}", text))


# -- JSON


def test_json_lines(annotate, log):
    rows = [json.loads(row) for row in annotate("--format", "json", log, "-", stdin=LOG.encode()).stdout.splitlines()]
    assert rows[:3] == [
        {
            "file": str(log),
            "line": 2,
            "text": SIGN,
            "codes": [{"number": 10054, "name": "WSAECONNRESET", "title": "Connection reset by peer"}],
        },
        {
            "file": str(log),
            "line": 4,
            "text": "connect: WSAECONNREFUSED, then WSAETIMEDOUT",
            "codes": [
                {"number": 10061, "name": "WSAECONNREFUSED", "title": "Connection refused"},
                {"number": 10060, "name": "WSAETIMEDOUT", "title": "Connection timed out"},
            ],
        },
        rows[0] | {"line": 5},
    ]
    assert [row["file"] for row in rows[3:]] == ["-"] * 3


def test_json_of_a_line_that_was_cut(annotate):
    done = annotate("--format", "json", "-", stdin=b"x" * 200_000 + b" WSAENOTCONN " + b"y" * 200_000)
    (row,) = map(json.loads, done.stdout.splitlines())
    assert row["cut"] is True
    assert " WSAENOTCONN " in row["text"]
    assert len(row["text"]) < 5000
    assert b"longer than 64 KB" in done.stderr


def test_names_that_are_no_unicode(annotate, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\xe9.log"
    with open(path, "wb") as file:
        file.write(b"WSAENOTCONN\n")
    command = [sys.executable, "-m", "winsock", "annotate", "--format", "json", path]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["file"].endswith("/\\xff\\xe9.log")
    assert subprocess.run([*command[:4], "--format", "html", path], capture_output=True, check=True).stdout


# -- the summary


def test_summary(annotate, log):
    rows = [row.split() for row in annotate("--summary", log).stdout.decode().splitlines()]
    assert rows[0] == ["Lines", "First", "Last", "Code"]
    assert [row[:5] for row in rows[1:]] == [
        ["2", "2", "5", "10054", "WSAECONNRESET"],
        ["1", "4", "4", "10060", "WSAETIMEDOUT"],
        ["1", "4", "4", "10061", "WSAECONNREFUSED"],
    ]
    several = annotate("--summary", log, log, "-", stdin=b"x WSAECONNRESET\n").stdout.decode().splitlines()
    assert several[1].split()[:3] == ["5", f"{log}:2", "-:1"]


def test_summary_in_json(annotate, log):
    rows = [json.loads(row) for row in annotate("--summary", "--format", "json", log).stdout.splitlines()]
    assert rows[0] == {
        "number": 10054, "name": "WSAECONNRESET", "title": "Connection reset by peer", "count": 2,
        "first": {"file": str(log), "line": 2}, "last": {"file": str(log), "line": 5},
    }  # fmt: skip
    assert [row["count"] for row in rows] == [2, 1, 1]


def test_summary_of_nothing(annotate):
    assert annotate("--summary", "-").stdout == b"No socket errors found.\n"
    assert annotate("--summary", "--format", "json", "-").stdout == b""


# -- HTML


class Page(HTMLParser):
    """Checks that tags close, collects what is of interest."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.ids, self.links, self.text = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.seen.append((tag, attrs))
        if tag not in self.EMPTY:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if attrs.get("href", "").startswith("#"):
            self.links.append(attrs["href"][1:])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("lang", UI)
def test_html(annotate, log, lang):
    from winsock.codes import languages

    lang_shown = lang if lang in languages() else "en"
    page = Page(annotate("--format", "html", "--lang", lang, log).stdout.decode())
    assert ("html", {"lang": lang_shown}) in page.seen
    assert any(tag == "meta" and attrs.get("charset") == "utf-8" for tag, attrs in page.seen)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    for text in ("app.log", SIGN[:11], "WSAECONNREFUSED", "10060"):
        assert text in page.text
    for tag, attrs in page.seen:  # nothing is fetched from anywhere
        assert not attrs.get("src"), tag
        assert tag != "link"
        assert attrs.get("href", "#").startswith("#")


def test_html_shows_markup_as_text(annotate, tmp_path):
    evil = tmp_path / "<b>&\"'.log"
    evil.write_bytes(b"<script>alert(1)</script> & \x00\x1b[31m WSAENOTCONN \xff</pre>\n")
    out = annotate("--format", "html", evil).stdout.decode()
    assert "<script>alert" not in out
    assert "</pre>\n" not in out.replace("</pre><span", "")
    page = Page(out)
    assert "<script>alert(1)</script> &" in page.text
    assert "<b>&\"'.log" in page.text
    assert "\x1b" not in out
    assert "\x00" not in out


def test_html_is_bounded(annotate):
    from winsock.cli._annotate_html import SHOWN

    out = annotate("--format", "html", "-", stdin=b"WSAENOTCONN\n" * (SHOWN + 500)).stdout.decode()
    page = Page(out)
    assert sum(tag == "li" and "data-codes" in attrs for tag, attrs in page.seen) == SHOWN
    assert f"Only the first {SHOWN} of {SHOWN + 500} lines" in page.text
    assert set(page.links) <= set(page.ids)


def test_html_of_nothing(annotate):
    assert "No socket errors found." in Page(annotate("--format", "html", "-").stdout.decode()).text


# -- encodings


def test_a_code_page_is_shown_in_utf_8_and_told(annotate):
    text = "既存の接続はリモート ホストに強制的に切断されました。\n日本語\n"
    done = annotate("--short", "-", stdin=text.encode("cp932"))
    assert done.stdout.decode() == text.replace("\n", "\n    ^ 10054 WSAECONNRESET  Connection reset by peer\n", 1)
    assert b"taken for cp932" in done.stderr
    assert annotate("--short", "--encoding", "shift_jis", "-", stdin=text.encode("cp932")).stderr == b""


def test_utf_16(annotate, tmp_path):
    path = tmp_path / "event.log"
    path.write_bytes("Événement\r\n[WinError 10061] x\r\n".encode("utf-16"))
    out = annotate("--short", path).stdout.decode()
    assert out == "Événement\r\n[WinError 10061] x\r\n    ^ 10061 WSAECONNREFUSED  Connection refused\n"


# -- what can go wrong


def test_files_that_cannot_be_read(annotate, log, tmp_path):
    done = annotate("--only", "--short", tmp_path, tmp_path / "none", log)
    assert done.returncode == 1
    assert done.stdout.decode().count("10054 WSAECONNRESET") == 2  # the others are done
    told = done.stderr.decode().splitlines()
    assert told == [
        f"winsock annotate: {tmp_path}: is a directory; name the files in it",
        f"winsock annotate: {tmp_path / 'none'}: No such file or directory",
    ]


def test_permission_denied(log, capsys):
    main(["annotate", os.devnull])  # imports what it needs while it may
    log.chmod(0)
    root = os.geteuid() == 0  # who may read everything
    if root:
        os.seteuid(65534)
    try:
        assert main(["annotate", str(log)]) == 1
    finally:
        if root:
            os.seteuid(0)
    assert capsys.readouterr().err == f"winsock annotate: {log}: Permission denied\n"


def test_a_file_that_cannot_be_read_on(annotate):
    done = annotate("/proc/self/mem")
    assert done.returncode == 1
    assert done.stderr == b"winsock annotate: /proc/self/mem: reading stopped after 0 bytes: Input/output error\n"


@pytest.mark.parametrize("form", [[], ["--format", "json"], ["--format", "html"], ["--summary"], ["--only"]], ids=str)
def test_a_full_disk(log, form):
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "winsock", "annotate", *form, log]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"winsock annotate: cannot write the output: No space left on device\n"


def test_a_log_that_is_the_output(log):
    before = log.read_bytes()
    with open(log, "ab") as out:
        done = subprocess.run([sys.executable, "-m", "winsock", "annotate", log], stdout=out, stderr=-1, check=False)
    assert done.returncode == 1
    assert b"is also where the output goes" in done.stderr
    assert log.read_bytes() == before


@pytest.mark.parametrize(("redirection", "told"), [("<&-", "standard input"), (">&-", "cannot write the output")])
def test_closed_streams(redirection, told, log):
    command = f'"{sys.executable}" -m winsock annotate "{log if redirection == ">&-" else "-"}" {redirection}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_amid_several_processes(tmp_path):
    path = tmp_path / "big.log"
    with open(path, "w") as file:
        for _ in range(40):
            file.write(f"{SIGN}\n" * 10_000)
    command = [sys.executable, "-m", "winsock", "annotate", "--short", "--jobs", "2", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == f"{SIGN}\n".encode()
        process.send_signal(signal.SIGINT)  # it cannot be done: nobody reads what it writes
        rest = process.stdout.read()
        assert process.wait(60) == 130
        assert process.stderr.read() == b""
    assert rest.endswith(b"    ^ 10054 WSAECONNRESET  Connection reset by peer\n")


def test_a_reader_that_goes_away(tmp_path):
    path = tmp_path / "big.log"
    path.write_text(f"{SIGN}\n" * 50_000)
    command = [sys.executable, "-m", "winsock", "annotate", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--nonsense", "x"],
        ["--format", "xml", "x"],
        ["--lang", "tlh", "x"],
        ["--encoding", "utf-7000", "x"],
        ["--from-end", "x"],
        ["--summary", "--format", "html", "x"],
        ["--only", "--format", "json", "x"],
        ["--jobs", "-1", "x"],
    ],
    ids=str,
)
def test_wrong_command_lines(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["annotate", *argv])
    assert ended.value.code == 2
    assert "winsock annotate: error: " in capsys.readouterr().err


def test_the_exit_statuses_are_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["annotate", "--help"])
    out = capsys.readouterr().out
    assert "exit status:" in out
    for status in ("0 ", "1 ", "2 ", "130"):
        assert f"\n  {status}" in out


def test_ctrl_c_writes_what_was_read(tmp_path):
    """While it waits for more of a pipe; the summary comes, too."""
    command = [sys.executable, "-m", "winsock", "annotate", "--short", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b"one WSAENOTCONN\nhalf of a WSAENOTSOCK")
        process.stdin.flush()
        assert process.stdout.readline() == b"one WSAENOTCONN\n"
        assert b"10057" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"half of a WSAENOTSOCK\n    ^ 10038 WSAENOTSOCK  Not a socket\n"
        assert process.wait(60) == 130
        assert process.stderr.read() == b""


def test_it_imports_nothing_it_does_not_need(log):
    program = (
        "import argparse, sys; argparse.ArgumentParser().add_argument('x'); "  # it loads dataclasses since 3.14
        "before = set(sys.modules); from winsock.cli import main; main(sys.argv[1:]); "
        "print(*set(sys.modules) - before, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "annotate", "--only", str(log)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())
    assert "winsock.annotate._scan" in loaded
    heavy = {"asyncio", "html", "json", "multiprocessing", "socket", "threading", "tomllib", "typing", "dataclasses"}
    assert not loaded & {*heavy, "winsock.abi", "winsock.nt", "winsock.cli._annotate_html"}


# -- the progress bar


def test_progress_on_a_terminal(monkeypatch, capsys):
    from winsock.cli._annotate_read import Progress

    monkeypatch.setattr(Progress, "_BIG", 100)
    monkeypatch.setattr(Progress, "_PAUSE", 0.0)
    monkeypatch.setattr(os, "isatty", lambda fd: fd == 2)
    progress = Progress(True)
    progress.start(1000)
    progress.at(500)
    assert re.fullmatch(r"\r\[#{15}\.{15}\]  50%  \d+ MB/s \x1b\[K", capsys.readouterr().err)
    progress.at(2000)  # the file has grown
    assert "100%" in capsys.readouterr().err
    progress.stop()
    assert capsys.readouterr().err == "\r\x1b[K"
    progress.stop()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("wanted", "terminal", "size"), [(True, False, 1000), (False, True, 1000), (True, True, 99)])
def test_no_progress(monkeypatch, capsys, wanted, terminal, size):
    from winsock.cli._annotate_read import Progress

    monkeypatch.setattr(Progress, "_BIG", 100)
    monkeypatch.setattr(Progress, "_PAUSE", 0.0)
    monkeypatch.setattr(os, "isatty", lambda fd: terminal)
    progress = Progress(wanted)
    progress.start(size)
    progress.at(size // 2)
    progress.stop()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("form", [[], ["--format", "json"], ["--summary"]], ids=str)
def test_a_big_file(annotate, tmp_path, form, jobs):
    """Large enough for several processes; what comes out is the same."""
    block = (f"{SIGN}\n" + "plain line of a log, nothing to see\n" * 2000) * 15
    path = tmp_path / "big.log"
    with open(path, "w") as file:
        for _ in range(34):
            file.write(block)
    assert path.stat().st_size > 1 << 25
    done = annotate("--jobs", jobs, *form, path)
    assert (done.returncode, done.stderr) == (0, b"")
    if form == []:
        explained = b"    ^ 10054 WSAECONNRESET  Connection reset by peer\n"
        assert done.stdout.count(explained) == 34 * 15
        assert len(done.stdout.replace(explained, b"")) > path.stat().st_size
    elif form == ["--summary"]:
        assert done.stdout.split(b"\n")[1].split()[:3] == [b"510", b"1", str(1 + 509 * 2001).encode()]
    else:
        lines = [json.loads(row)["line"] for row in done.stdout.splitlines()]
        assert lines == [1 + n * 2001 for n in range(510)]
