"""Every verb's output on a full disk, to a reader that goes, and to nobody: one line or silence, and a status."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from winsock.cli import VERBS

COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "help of a verb": ["help", "ports"],
    "explain": ["explain", "10054"],
    "explain's list": ["explain", "--list"],
    "explain as JSON": ["explain", "10054", "--format", "json"],
    "explain a function": ["explain", "--function", "recv"],
    "codes": ["codes"],
    "codes as JSON": ["codes", "--format", "json"],
    "demo": ["demo"],
    "demo's source": ["demo", "--source", "cpython-80907"],
    "demo's run": ["demo", "cpython-80907"],
    "probe": ["probe", "socket(2, 1, 0)"],
    "probe's list": ["probe", "--list", "sock"],
    "ports' list": ["ports", "list"],
    "ports' list as JSON": ["ports", "list", "--format", "json"],
    "ports explain": ["ports", "explain", "1"],
    "ports reserve": ["ports", "reserve", "1"],
    "doctor": ["doctor"],
    "doctor as Markdown": ["doctor", "--format", "markdown"],
    "annotate": ["annotate", "/dev/stdin"],
    **{f"help of {verb}": [verb, "--help"] for verb in VERBS},
}
UNBUFFERED = ["version", "explain", "demo", "probe", "ports explain", "doctor", "annotate"]
each = pytest.mark.parametrize(
    ("words", "options"),
    [(words, ()) for words in COMMANDS.values()] + [(COMMANDS[name], ("-u",)) for name in UNBUFFERED],
    ids=[*COMMANDS, *(f"{name}, unbuffered" for name in UNBUFFERED)],
)
LOG = b"connect failed: 10061\n"


def command(words, options=(), **streams):
    return subprocess.Popen(
        [sys.executable, *options, "-m", "winsock", *words],
        stdin=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        **streams,
    )


def name_of(words):
    return f"winsock {words[0]}" if words[0] in VERBS else "winsock"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@each
def test_a_full_disk(words, options):
    with open("/dev/full", "wb") as full:
        process = command(words, options, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(LOG, 60)
    assert err.decode() == f"{name_of(words)}: cannot write the output: No space left on device\n"
    assert process.returncode == 1


@each
def test_a_reader_that_goes(words, options):
    reading, writing = os.pipe()
    os.close(reading)  # before anything is written
    try:
        process = command(words, options, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    _, err = process.communicate(LOG, 60)
    assert (err, process.returncode) == (b"", 0)


@pytest.mark.parametrize("words", [["codes"], ["explain", "--list"], ["doctor", "--all"]], ids="-".join)
def test_a_reader_of_one_line(words):
    """It goes in the middle: there is more than a pipe takes."""
    with command(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("words", [["explain", "10054"], ["--help"], ["demo"], ["annotate", "-"]], ids=" ".join)
def test_no_output_at_all(words):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "winsock", *words],
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.stderr.decode() == f"{name_of(words)}: cannot write the output: Bad file descriptor\n"
    assert done.returncode == 1


def test_ports_need_no_output():
    words = ["ports", "run", "--", "sh", "-c", "exit 7"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "winsock", *words],
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == (b"", 7)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_no_room_for_the_complaint_either():
    with open("/dev/full", "wb") as full:
        process = command(["explain", "10054"], stdout=full, stderr=full)
        process.communicate(b"", 60)
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_program_s_output_is_its_own():
    """winsock run adds nothing to what Python does with it."""
    code = "import sys\ntry:\n    print('x', flush=True)\nexcept OSError as e:\n    sys.exit(e.errno)"
    statuses = []
    for under in (["-m", "winsock", "run"], []):
        line = [sys.executable, *under, "-c", code]
        with open("/dev/full", "wb") as full:
            done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, timeout=60)
        statuses.append((done.returncode, done.stderr))
    assert statuses[0] == statuses[1]
