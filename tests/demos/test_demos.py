"""Every problem of `winsock demo`: it happens under Windows' rules, does not on Linux, and its cure holds on both."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from winsock.codes import WSA
from winsock.demos import STAGES, demos, find, hindrance, run_plain, run_windows

ALL = demos()
each = pytest.mark.parametrize("demo", ALL, ids=[demo.id for demo in ALL])
RUN = [pytest.param(demo, id=demo.id, marks=[pytest.mark.ipv6] if demo.ipv6 else []) for demo in ALL]


@pytest.mark.parametrize("demo", RUN)
def test_it_happens_and_the_cure_holds(demo):
    if demo.stage and (reason := hindrance(demo)):
        pytest.skip(reason)
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(run_plain, demo, demo.trouble),
            pool.submit(run_windows, demo, demo.trouble),
            pool.submit(run_windows, demo, demo.cure),
            pool.submit(run_plain, demo, demo.cure),
        ]
    plain, trouble, cure, plain_cure = (run.result() for run in runs)
    assert all(text in plain.output for text in demo.linux), plain.output
    if demo.fixed_here:
        assert all(text in trouble.output for text in demo.cured), trouble.output
        return
    assert all(text in trouble.output for text in demo.windows), trouble.output
    assert all(text in cure.output for text in demo.cured), cure.output
    assert plain_cure.status == cure.status == 0
    assert not all(text in trouble.output for text in demo.cured), "the trouble looks like the cure"
    assert not all(text in plain.output for text in demo.windows), "Linux has the trouble, too"


@each
def test_its_texts(demo):
    project, _, number = demo.id.rpartition("-")
    repository, _, thread = demo.thread.partition("#")
    assert demo.thread.lower().endswith(f"{project}#{number}".lower())
    assert demo.url.startswith(f"https://github.com/{repository}/")
    assert demo.url.endswith(f"/{thread}")
    assert demo.linux
    assert demo.windows
    assert demo.cured
    assert demo.stage in STAGES
    assert all(code in [*WSA] or code < WSA.WSAEINTR for code in demo.codes)
    for text in (demo.trouble.read_text("utf-8"), demo.cure.read_text("utf-8")):
        assert "winsock" not in text, "the programs are ordinary ones"


def winsock(*args):
    command = [sys.executable, "-m", "winsock", "demo", *args]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=100)


def test_the_list():
    done = winsock()
    assert done.returncode == 0
    assert all(demo.id in done.stdout and demo.title in done.stdout for demo in ALL)
    rows = json.loads(winsock("--format", "json").stdout)
    assert [row["id"] for row in rows] == [demo.id for demo in ALL]


def test_one_is_shown():
    done = winsock("cpython-80907")
    assert done.returncode == 0
    for part in ("on Linux", "[WinError 10022]", "WSAEINVAL", "+    if readers or writers:", "python/cpython/issues"):
        assert part in done.stdout
    assert "!!" not in done.stdout


def test_what_a_program_finds_around_it_is_told():
    shown = winsock("XX-Net-13552").stdout
    assert "(PORT: a port that is reserved" in shown
    assert "$ winsock run trouble.py PORT" in shown


def test_the_source_is_shown():
    done = winsock("--source", "cpython-80907")
    assert done.returncode == 0
    assert done.stdout.count("import select") == 2


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("cpython-119711", "cpython-119711"),
        ("python/cpython#119711", "cpython-119711"),
        ("Ybalrid/kissnet#57", "cpython-119711"),
        ("119711", "cpython-119711"),
        ("https://github.com/python/cpython/issues/119711", "cpython-119711"),
        ("10040", "ping3-40"),
        ("1236", "Nim-4098"),
        ("10036", "materials-119"),
        ("three empty LISTS", "cpython-80907"),
    ],
)
def test_ways_to_name_one(word, found):
    assert [demo.id for demo in find(word)] == [found]


def test_unknown():
    done = winsock("cpython-80908")
    assert done.returncode == 1
    assert "cpython-80907" in done.stderr
    assert not done.stdout
    assert find("") == []
