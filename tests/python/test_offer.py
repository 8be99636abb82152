"""After a program has died of a socket error, a line leads to its explanation: to people at a terminal only."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from winsock.codes import languages
from winsock.python._runner import code_in

DIES = "import socket; socket.socket().getsockname()"
WRAPPED = f"""
class Trouble(Exception): pass
try:
    {DIES}
except OSError as e:
    raise Trouble('no address') from e
"""
LOOK_UP = "import socket; socket.getaddrinfo('no-such-host.invalid', 80)"


def at_terminal(*args, **environment):
    """What `winsock run` writes to a terminal as its standard error, and its exit status."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "winsock", "run", *args]
    env = {**os.environ, "LC_ALL": "C.UTF-8", **environment}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # Linux' way to say that nobody holds the other end any more
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    return shown.decode().replace("\r\n", "\n"), process.wait(60)


@pytest.mark.parametrize(
    ("code", "number", "name"),
    [(DIES, 10022, "WSAEINVAL"), (WRAPPED, 10022, "WSAEINVAL"), (LOOK_UP, 11001, "WSAHOST_NOT_FOUND")],
)
def test_the_last_line_offers_the_explanation(code, number, name):
    shown, status = at_terminal("-c", code)
    last = shown.rstrip("\n").splitlines()[-1]
    assert f"`winsock explain {number}`" in last
    assert name in last
    assert status == 1


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_not_when_quiet(option):
    shown, status = at_terminal(option, "-c", DIES)
    assert "WinError 10022" in shown.splitlines()[-1]
    assert "explain" not in shown
    assert status == 1


@pytest.mark.parametrize("code", ["1 / 0", "raise SystemExit(3)", "open('/no/such/file')", "print('done')"])
def test_not_after_other_ends(code):
    assert "winsock explain" not in at_terminal("-c", code)[0]


def test_not_into_a_file(tmp_path):
    done = subprocess.run([sys.executable, "-m", "winsock", "run", "-c", DIES], capture_output=True, text=True)
    assert "WinError 10022" in done.stderr
    assert "explain" not in done.stderr


@pytest.mark.parametrize("lang", languages())
def test_it_speaks_the_locale_s_language(lang):
    locale = {"en": "en_GB.UTF-8", "fr": "fr_CA.UTF-8", "ja": "ja_JP.UTF-8", "zh-Hant": "zh_TW.UTF-8"}[lang]
    shown, _ = at_terminal("-c", DIES, LC_ALL=locale, PYTHONUTF8="1")
    assert shown == at_terminal("--lang", lang, "-c", DIES, PYTHONUTF8="1")[0]
    option = "" if lang == "en" else f"--lang {lang} "
    assert f"winsock explain {option}10022" in shown


def test_the_code_of_an_error():
    plain = OSError(2, "no such file")
    assert code_in(plain) == 0
    assert code_in(None) == 0
    first, second = ValueError("a"), KeyError("b")
    first.__context__, second.__context__ = second, first  # a ring ends
    assert code_in(first) == 0
    refused = OSError(10061, "refused")
    first.__cause__ = refused
    assert code_in(first) == 10061
