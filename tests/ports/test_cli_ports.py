"""winsock ports list, reserve, lookup, delete, apply: the command line over the reservations."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from unicodedata import east_asian_width

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock import cli, ports
from winsock.cli import _ports, _ports_show
from winsock.ports import _listing

GENEROUS = 60
administrators_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may write the persistent reservations")


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """A store of the test's own, and a file in place of the kernel's list."""
    monkeypatch.setenv("WINSOCK_PORTS_STORE", str(tmp_path))
    sysctl = tmp_path / "sysctl"
    sysctl.write_text("\n")
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", str(sysctl))
    return tmp_path


@pytest.fixture
def holding():
    """`winsock ports reserve` in the background: holding(*arguments) -> (Popen, ports)."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "winsock", "ports", "reserve", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, [int(word) for word in process.stdout.readline().split()]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def winsock(*arguments):
    """The verb in this process; its exit status."""
    try:
        return cli.main(["ports", *map(str, arguments)])
    except SystemExit as exit_:
        return exit_.code


# -- blocks on the command line ----------------------------------------------------------------


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_a_block_in_either_form(start, size):
    last = start + size - 1
    for text in (f"{start}+{size}", f"{start}-{last}"):
        if last > 65535:
            with pytest.raises(_ports.argparse.ArgumentTypeError):
                _ports.block(text)
        else:
            assert _ports.block(text) == (start, size)


@given(st.text("0123456789+-, ", max_size=12))
def test_any_text_is_a_block_or_refused(text):
    try:
        start, size = _ports.block(text)
    except _ports.argparse.ArgumentTypeError:
        return
    assert 1 <= start <= start + size - 1 <= 65535


@given(st.lists(st.tuples(st.integers(1, 60000), st.integers(1, 50)), min_size=1, max_size=5))
def test_a_pool_has_each_port_once(parts):
    found = _ports.pool(",".join(f"{start}-{start + size - 1}" for start, size in parts))
    assert sorted(found) == sorted({p for start, size in parts for p in range(start, start + size)})


# -- persistent reservations -------------------------------------------------------------------


@administrators_only
def test_reserve_lookup_list_delete(lend, capsys):
    start = lend(4)
    assert winsock("reserve", "--persistent", f"{start}+4") == 0
    token = capsys.readouterr().out
    assert re.fullmatch(r"\d+\n", token)
    assert winsock("lookup", start, 4) == 0
    assert capsys.readouterr().out == token
    assert winsock("list", "--format", "json") == 0
    mine = [row for row in json.loads(capsys.readouterr().out) if row["persistent"]]
    assert mine == [
        {
            "protocol": "tcp",
            "start": start,
            "end": start + 3,
            "count": 4,
            "persistent": True,
            "pid": None,
            "user": None,
            "command": None,
            "token": int(token),
        }
    ]
    assert winsock("delete", f"{start}-{start + 3}") == 0
    assert winsock("lookup", start, 4) == 1
    assert "1168" in capsys.readouterr().err


@administrators_only
@pytest.mark.parametrize("verb", ["lookup", "delete"])
def test_a_block_that_is_not_exact_is_told_of_the_one_that_is(verb, lend, capsys):
    start = lend(4)
    winsock("reserve", "--persistent", f"{start}+4")
    assert winsock(verb, start + 1) == 1
    told = capsys.readouterr().err
    assert f"exactly port {start + 1}; there is one of ports {start}-{start + 3} [" in told
    assert winsock(verb, start, 5, "--protocol", "udp") == 1
    assert f"exactly ports {start}-{start + 4} [" in capsys.readouterr().err


@administrators_only
def test_protocols_are_apart(lend, capsys):
    start = lend(1)
    assert winsock("reserve", "--persistent", start, "--protocol", "udp") == 0
    assert winsock("lookup", start, "--protocol", "udp") == 0
    assert winsock("lookup", start) == 1
    assert winsock("delete", start) == 1


@administrators_only
def test_overlap_is_error_32(lend, capsys):
    start = lend(4)
    winsock("reserve", "--persistent", f"{start}+4")
    assert winsock("reserve", "--persistent", start + 3, 2) == 1
    assert "[WinError 32]" in capsys.readouterr().err


@administrators_only
def test_apply_writes_the_kernel_s_list(lend, store):
    start = lend(2)
    winsock("reserve", "--persistent", f"{start}+2")
    (store / "sysctl").write_text("\n")  # as after a restart
    assert winsock("apply") == 0
    assert (store / "sysctl").read_text().strip() == f"{start}-{start + 1}"


@administrators_only
def test_a_damaged_store_is_named(store, capsys):
    for name in os.listdir(store):
        if name != "sysctl":
            os.unlink(store / name)
    from winsock.ports import persistent

    with open(persistent.store_path(), "w", encoding="ascii") as file:
        file.write("no database" * 1000)
    assert winsock("list") == 1
    told = capsys.readouterr().err
    assert persistent.store_path() in told
    assert "Traceback" not in told


@administrators_only
def test_not_an_administrator():
    # The interpreter may lie where only root can read: what is needed is imported before the rights go.
    code = (
        "import os, sys, winsock.cli as cli; run = lambda *arguments: cli.main(['ports', *arguments]);"
        "run('reserve', '--persistent', '25000'); run('delete', '25000');"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "sys.exit(run('reserve', '--persistent', '25000'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=GENEROUS)
    assert (done.returncode, len(done.stdout.split())) == (1, 1)
    assert "[WinError 5]" in done.stderr
    assert "Traceback" not in done.stderr


# -- runtime reservations ----------------------------------------------------------------------


def test_reserve_holds_until_it_is_ended(holding, lend, capsys):
    start = lend(3)
    process, held = holding(f"{start}+3")
    assert held == [start, start + 1, start + 2]
    assert winsock("list", "--format", "json", "--protocol", "tcp") == 0
    (mine,) = [row for row in json.loads(capsys.readouterr().out) if row["start"] == start]
    assert (mine["pid"], mine["count"], mine["persistent"], mine["token"]) == (process.pid, 3, False, None)
    assert "ports reserve" in mine["command"]
    process.send_signal(signal.SIGINT)
    assert process.wait(GENEROUS) == 0
    with ports.reserve(3, start=start):
        pass


def test_reserve_for_a_process(holding, lend):
    start = lend(1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        process, held = holding(str(start), "--for", str(other.pid))
        assert held == [start]
        other.stdin.write(b"\n")
        other.stdin.close()
        other.wait()
    assert process.wait(GENEROUS) == 0


def test_processes_have_larger_numbers_than_ports(capsys):
    assert winsock("reserve", "--for", 1 << 22) == 1  # numbers end below that
    assert str(1 << 22) in capsys.readouterr().err
    assert winsock("reserve", "--for", (1 << 22) + 1) == 2
    assert "no process number" in capsys.readouterr().err


def test_the_system_chooses(holding):
    _, held = holding("--count", "5", "--protocol", "udp")
    assert held == list(range(held[0], held[0] + 5))


def test_reserve_for_nobody(capsys):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert winsock("reserve", "--for", gone.pid) == 1
    assert str(gone.pid) in capsys.readouterr().err
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_taken_block_is_refused(lend, capsys):
    with ports.reserve(2, start=lend(2)) as block:
        assert winsock("reserve", f"{block.start}+2") == 1
    told = capsys.readouterr()
    assert "[WinError 10048]" in told.err
    assert str(block.start) in told.err


# -- the table ---------------------------------------------------------------------------------


def test_netsh_s_table(lend, capsys):
    with ports.reserve(2, "udp", start=lend(2)) as block:
        assert winsock("list", "--format", "netsh", "--protocol", "udp") == 0
    lines = capsys.readouterr().out.split("\n")
    assert lines[:5] == [
        "",
        "Protocol udp Port Exclusion Ranges",
        "",
        "Start Port    End Port      ",
        "----------    --------      ",
    ]
    assert f"{block.start:10}{block.start + 1:12}" in lines
    assert lines[-3:] == ["", "* - Administered port exclusions.", ""]


@administrators_only
def test_administered_rows_have_a_star(lend, capsys):
    start = lend(1)
    winsock("reserve", "--persistent", start)
    capsys.readouterr()
    for form in ("netsh", "text"):
        assert winsock("list", "--format", form, "--protocol", "tcp") == 0
        assert f"{start:10}{start:12}     *" in capsys.readouterr().out.split("\n")


def test_the_owner_is_told(lend, capsys):
    with ports.reserve(start=lend(1)) as block:
        assert winsock("list") == 0
    (row,) = [line for line in capsys.readouterr().out.split("\n") if line.startswith(f"{block.start:10}")]
    assert row.split()[2] == str(os.getpid())
    assert len(row.split()) > 4


def test_lines_end_with_the_terminal(lend, capsys, monkeypatch):
    monkeypatch.setattr(_listing, "command", lambda pid: "python -c 'first\nsecond' " + "\x1b[31m\u65e5" * 500)
    with ports.reserve(start=lend(1)) as block:
        assert winsock("list", "--protocol", "tcp") == 0  # no terminal: all of it
        whole = capsys.readouterr().out
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert winsock("list", "--protocol", "tcp") == 0
        narrow = capsys.readouterr().out
    assert "\x1b" not in whole + narrow
    (long,) = [line for line in whole.split("\n") if line.startswith(f"{block.start:10}")]
    (short,) = [line for line in narrow.split("\n") if line.startswith(f"{block.start:10}")]
    assert long.count("\u65e5") == 500
    assert "'first second'" in short
    assert short.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert sum(2 if east_asian_width(c) in "WF" else 1 for c in short) <= 80
    assert long.startswith(short[:-1])


@given(st.text(max_size=30), st.integers(2, 40))
def test_cutting_keeps_the_beginning(text, width):
    short = _ports_show.cut(text, width)
    assert short == text or (short[-1] == "\N{HORIZONTAL ELLIPSIS}" and text.startswith(short[:-1]))
    assert len(text) > width or short == text or any(east_asian_width(c) in "WF" for c in text)


def test_rows_ascend(lend, capsys):
    start = lend(3)
    with ports.reserve(start=start + 1), ports.reserve(start=start), ports.reserve(start=start + 2):
        assert winsock("list", "--format", "json", "--protocol", "tcp") == 0
    starts = [row["start"] for row in json.loads(capsys.readouterr().out)]
    assert {start, start + 1, start + 2} <= set(starts)
    assert starts == sorted(starts)


def test_the_reader_may_go(store):
    line = f"{sys.executable} -m winsock ports list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=GENEROUS)
    assert (done.returncode, done.stderr) == (0, "")


# -- wrong command lines -----------------------------------------------------------------------

WRONG = {
    "no verb": [],
    "unknown verb": ["steal"],
    "no port": ["explain"],
    "port 0": ["explain", "0"],
    "too high": ["explain", "65536"],
    "no number": ["lookup", "http"],
    "backwards": ["delete", "50009-50000"],
    "past the end": ["reserve", "65530", "10"],
    "block and count": ["lookup", "50000-50009", "10"],
    "block and --count": ["reserve", "50000", "--count", "3"],
    "persistent without a block": ["reserve", "--persistent"],
    "persistent for a process": ["reserve", "--persistent", "50000", "--for", "1"],
    "language": ["explain", "80", "--lang", "tlh"],
    "protocol": ["list", "--protocol", "sctp"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_command_lines(arguments, capsys):
    assert winsock(*arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "winsock ports" in told.err


@pytest.mark.parametrize("verb", ["list", "explain", "run", "reserve", "apply", "lookup", "delete", "serve"])
def test_every_verb_has_help(verb, capsys):
    assert winsock(verb, "--help") == 0
    assert f"usage: winsock ports {verb}" in capsys.readouterr().out
    winsock("--help")
    assert f"    {verb} " in capsys.readouterr().out
