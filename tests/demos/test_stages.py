"""What is set up around the programs of `winsock demo`: other hosts, and a tool that cuts connections."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from winsock.demos import STAGES, _apart, _peers, _running, find, hindrance, run_plain
from winsock.demos import demos as all_demos

PATIENCE = 300  # ms without acknowledgement


def client(port):
    """A connection that gives up soon."""
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE)
    try:
        s.connect((_peers.LOOPBACK, port))
    except OSError:
        s.close()
        raise
    s.settimeout(_peers.LIMIT)
    return s


def ask(s, line):
    s.sendall(line)
    with s.makefile("rb") as lines:
        return lines.readline()


def test_a_host_that_does_not_answer():
    with _peers.unanswering() as port, pytest.raises(TimeoutError) as caught:
        client(port)
    assert caught.value.errno == errno.ETIMEDOUT


def test_it_is_gone_afterwards():
    with _peers.unanswering() as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        client(port)


def test_a_server_that_falls_silent_once():
    with _peers.serving(_peers.falls_silent) as port:
        with client(port) as first:
            assert ask(first, b"hello\n") == b"welcome\n"
            first.sendall(b"ping\n")
            with pytest.raises(TimeoutError) as caught:
                first.recv(1)
            assert caught.value.errno == errno.ETIMEDOUT, "not the socket's own time-out"
        with client(port) as second:
            assert [ask(second, b"hello\n"), ask(second, b"ping\n")] == [b"welcome\n", b"pong\n"]


def test_clients_that_leave_do_not_end_the_server():
    with _peers.serving(_peers.falls_silent) as port:
        for _ in range(3):
            client(port).close()
        with client(port) as s:
            assert ask(s, b"hello\n") == b"welcome\n"


def apart(*command):
    return subprocess.run(
        [sys.executable, "-m", "winsock.demos._apart", *command], capture_output=True, text=True, timeout=60
    )


CUT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
    s.sendall(b"hello\\n")
    try:
        print(s.recv(100))
    except OSError as e:
        print(e.errno)
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
    s.sendall(b"hello\\n")
    print(s.recv(100))
sys.exit(3)
"""


def test_a_connection_that_is_cut():
    if reason := apart().stderr:
        pytest.skip(reason)
    done = apart(sys.executable, "-c", CUT)
    assert (done.stdout, done.stderr) == (f"{errno.ECONNABORTED}\nb'welcome\\n'\n", "")
    assert done.returncode == 3


def test_where_connections_cannot_be_cut(monkeypatch, capsys):
    def forbidden():
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(_apart, "own_network", forbidden)
    for command in ([], [sys.executable, "-c", "print('never')"]):
        assert _apart.main(command) == 1
        out, err = capsys.readouterr()
        assert (out, err) == ("", "connections cannot be cut on this machine: Operation not permitted\n")


def test_a_demo_that_cannot_be_set_up_says_why(monkeypatch):
    (demo,) = find("Nim-4098")
    refusing = [sys.executable, "-c", "raise SystemExit('not here')"]
    monkeypatch.setitem(STAGES, "cut", replace(STAGES["cut"], before=refusing))
    assert hindrance(demo) == "not here"
    assert not hindrance(find("trio-39")[0])


def test_a_program_that_does_not_end_is_stopped_with_all_that_it_started(tmp_path, monkeypatch):
    demo = all_demos()[0]
    program = tmp_path / "program.py"
    program.write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('begun', flush=True)\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(_running, "LIMIT", 2.0)
    outcome = run_plain(replace(demo, stage=""), program)
    assert outcome.status is None
    assert outcome.output.endswith("(stopped after 2 seconds)\n")
