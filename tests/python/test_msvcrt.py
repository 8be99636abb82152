"""msvcrt, as programs for Windows use it: files' modes, locks, the keyboard."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT = 50


def test_files_have_one_mode(program) -> None:
    out = program("""
        import msvcrt, os, sys
        print(msvcrt.setmode(sys.stdout.fileno(), os.O_BINARY), os.O_TEXT)
        try:
            msvcrt.setmode(999, os.O_BINARY)
        except OSError as e:
            print(type(e).__name__)
        msvcrt.heapmin()
    """)
    assert out == "0 0\nOSError\n"


def test_locks_keep_other_processes_out(program, tmp_path: Path) -> None:
    (tmp_path / "held").write_bytes(bytes(10))
    out = program(f"""
        import msvcrt, os, subprocess, sys
        fd = os.open({str(tmp_path / "held")!r}, os.O_RDWR | os.O_BINARY)
        if len(sys.argv) > 1:
            for offset in (0, 4):
                os.lseek(fd, offset, os.SEEK_SET)
                try:
                    msvcrt.locking(fd, msvcrt.LK_NBLCK, 4)
                    print("locked", flush=True)
                except OSError as e:
                    print(type(e).__name__, flush=True)
        else:
            other = [sys.executable, __file__, "other"]
            msvcrt.locking(fd, msvcrt.LK_LOCK, 4)
            subprocess.run(other, check=True)
            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 4)
            subprocess.run(other, check=True)
            for wrong in (-1, 5):
                try:
                    msvcrt.locking(fd, wrong, 1)
                except OSError as e:
                    print(e.errno)
    """)
    assert out.split() == ["PermissionError", "locked", "locked", "locked", "22", "22"]


def test_a_lock_is_tried_ten_times(monkeypatch: pytest.MonkeyPatch) -> None:
    from winsock.python import _msvcrt

    waits: list[float] = []

    def lockf(*args: int) -> None:
        raise BlockingIOError

    monkeypatch.setattr("winsock.python._msvcrt.time.sleep", waits.append)
    monkeypatch.setattr("winsock.python._msvcrt.fcntl.lockf", lockf)
    with pytest.raises(OSError) as caught:
        _msvcrt.locking(0, _msvcrt.LK_LOCK, 1)
    assert waits == [1] * 9
    assert caught.value.errno == 35  # EDEADLOCK, here


KEYS = """
import msvcrt, sys
def waits_for_a_key():
    while not msvcrt.kbhit():
        pass
print("ready", flush=True)
waits_for_a_key()
print(msvcrt.getch(), msvcrt.getwch(), repr(msvcrt.getwch()), msvcrt.getch(), flush=True)
msvcrt.ungetch(b"u")
print(msvcrt.kbhit(), end=" ", flush=True)
try:
    msvcrt.ungetwch("v")
except OSError as e:
    print("one", end=" ")
print(msvcrt.getwch(), msvcrt.getche(), flush=True)
msvcrt.putch(b"p")
msvcrt.putwch("\\u20ac")
print(flush=True)
print(repr(input()))
"""


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """(the program's end, the user's end)"""
    user, inner = pty.openpty()
    yield inner, user
    os.close(user)


def test_keys_come_one_by_one(terminal: tuple[int, int], tmp_path: Path) -> None:
    inner, user = terminal
    (tmp_path / "keys.py").write_text(KEYS)
    command = [sys.executable, "-m", "winsock", "run", "keys.py"]
    with subprocess.Popen(command, stdin=inner, stdout=-1, text=True, encoding="utf-8", cwd=tmp_path) as process:
        os.close(inner)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.write(user, "aé\rbeline\n".encode())
        out, _ = process.communicate(timeout=LIMIT)
    assert out.splitlines() == ["b'a' é '\\r' b'b'", "True one eu b'e'", "p€", "'line'"]
    assert process.returncode == 0


def test_without_a_terminal_keys_are_read_from_the_input(run) -> None:
    source = "import msvcrt\nprint([msvcrt.getwch() for _ in range(3)], msvcrt.kbhit(), msvcrt.getch())"
    done = run("-c", source, input="xö\n")
    assert (done.stdout, done.stderr) == ("['x', 'ö', '\\n'] True b'\\x1a'\n", "")
