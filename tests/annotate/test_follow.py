"""`winsock annotate --follow`: real files that grow, are rotated, cut off, removed; each step waits for output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

SIGN = "[WinError 10054] x"


class Following:
    """A running `winsock annotate --follow`."""

    def __init__(self, *argv, stdin=subprocess.DEVNULL):
        short = [] if "--summary" in argv else ["--short"]
        command = [sys.executable, "-m", "winsock", "annotate", "--follow", *short, *map(str, argv)]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def told(self):
        return self.process.stderr.readline().rstrip("\n")

    def stop(self):
        """Ctrl-C; the rest of the output, and the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.stdout.read(), self.process.wait(60)


@pytest.fixture
def follow():
    running = []

    def start(*argv, **more):
        running.append(Following(*argv, **more))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.process.stdout.close()
        one.process.stderr.close()


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("")
    return path


def add(path, text):
    with open(path, "a") as file:
        file.write(text)


def expect(one, *lines):
    for line in lines:
        assert one.line() == line


EXPLAINED = "    ^ 10054 WSAECONNRESET  Connection reset by peer"


def test_it_grows(follow, log):
    add(log, f"old {SIGN}\n")
    one = follow("--only", log)
    expect(one, f"1: old {SIGN}", EXPLAINED)
    add(log, f"plain\nnew {SIGN}\n")
    expect(one, f"3: new {SIGN}", EXPLAINED)
    add(log, "half ")
    add(log, "[WinError ")
    add(log, f"10054] whole\nport 10054\nlast {SIGN}")
    expect(one, "4: half [WinError 10054] whole", EXPLAINED)
    rest, status = one.stop()
    assert rest == f"6: last {SIGN}\n{EXPLAINED}\n"  # a line without its end is looked at in the end
    assert status == 130


def test_the_log_goes_through(follow, log):
    one = follow(log)
    add(log, f"a\n{SIGN}\n")
    expect(one, "a", SIGN, EXPLAINED)
    add(log, "b\n")
    expect(one, "b")
    assert one.stop() == ("", 130)


def test_rotation_by_renaming(follow, log, tmp_path):
    add(log, f"one {SIGN}\n")
    one = follow("--only", log)
    expect(one, f"1: one {SIGN}", EXPLAINED)
    log.rename(tmp_path / "app.log.1")
    add(tmp_path / "app.log.1", f"two, after renaming {SIGN}\nrest {SIGN}")
    log.write_text(f"three, new file {SIGN}\n")
    expect(one, f"2: two, after renaming {SIGN}", EXPLAINED)
    expect(one, f"3: rest {SIGN}", EXPLAINED)
    expect(one, f"1: three, new file {SIGN}", EXPLAINED)
    add(log, f"four {SIGN}\n")
    expect(one, f"2: four {SIGN}", EXPLAINED)


def test_rotation_by_copying(follow, log):
    add(log, f"a long line that is there before {SIGN}\n")
    one = follow("--only", log)
    expect(one, f"1: a long line that is there before {SIGN}", EXPLAINED)
    os.truncate(log, 0)
    assert one.told() == f"winsock annotate: {log}: has become shorter; from its beginning again"
    add(log, f"new {SIGN}\n")
    expect(one, f"1: new {SIGN}", EXPLAINED)


def test_a_file_that_comes_later_and_goes_and_comes(follow, log, tmp_path):
    log.unlink()
    one = follow("--only", log)
    assert one.told() == f"winsock annotate: {log}: No such file or directory; waiting for it"
    (tmp_path / "new").write_text(f"here {SIGN}\n")
    (tmp_path / "new").rename(log)
    expect(one, f"1: here {SIGN}", EXPLAINED)
    log.unlink()
    assert one.told() == f"winsock annotate: {log}: No such file or directory; waiting for it"
    (tmp_path / "new").write_text(f"again {SIGN}\n")
    (tmp_path / "new").rename(log)
    expect(one, f"1: again {SIGN}", EXPLAINED)


def test_from_the_end(follow, log):
    add(log, f"old {SIGN}\n" * 3 + "half of a ")
    one = follow("--only", "--from-end", log, log.with_name("later"))
    assert "waiting" in one.told()  # by then the first file has been looked at
    add(log, f"line {SIGN}\n")
    expect(one, f"{log}:4: half of a line {SIGN}", EXPLAINED)
    log.with_name("new").write_text(f"all of it {SIGN}\n")
    log.with_name("new").rename(log.with_name("later"))
    expect(one, f"{log.with_name('later')}:1: all of it {SIGN}", EXPLAINED)


def test_several_files(follow, log):
    other = log.with_name("other.log")
    other.write_text("")
    one = follow("--only", log, other)
    for turn in range(1, 4):
        add(log, f"{SIGN}\n")
        expect(one, f"{log}:{turn}: {SIGN}", EXPLAINED)
        add(other, f"{SIGN}\n")
        expect(one, f"{other}:{turn}: {SIGN}", EXPLAINED)


def test_many_writers_at_once_lose_nothing(follow, log):
    one = follow("--only", log)

    def write(name):
        for number in range(200):
            with open(log, "ab", buffering=0) as file:  # one write a line, at the end
                file.write(f"{name}-{number} {SIGN}\n".encode())

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    seen = []
    for _ in range(600):
        seen.append(one.line().split()[1])
        assert one.line() == EXPLAINED
    for writer in writers:
        writer.join()
    assert sorted(seen) == sorted(f"{name}-{number}" for name in "abc" for number in range(200))
    for name in "abc":
        assert [s for s in seen if s[0] == name] == [f"{name}-{number}" for number in range(200)]


def test_utf_16_while_it_is_written(follow, log):
    with open(log, "ab", buffering=0) as file:
        file.write("\ufeffone\r\n".encode("utf-16-le"))
        one = follow(log)
        expect(one, "one")
        data = f"é {SIGN}\r\n".encode("utf-16-le")
        file.write(data[:7])  # within a character
        file.write(data[7:])
        expect(one, f"é {SIGN}", EXPLAINED)


def test_a_directory_cannot_be_followed(follow, tmp_path):
    one = follow(tmp_path)
    assert one.process.wait(60) == 1
    assert one.told() == f"winsock annotate: {tmp_path}: is a directory; name the files in it"


def test_standard_input_ends(follow):
    ours, theirs = os.pipe()
    one = follow("--only", "-", stdin=ours)
    os.close(ours)
    os.write(theirs, f"{SIGN}\n".encode())
    expect(one, f"1: {SIGN}", EXPLAINED)
    os.close(theirs)
    assert one.line() == ""
    assert one.process.wait(60) == 0


def test_the_summary_comes_with_ctrl_c(follow, log):
    add(log, f"{SIGN}\n{SIGN}\n")
    later = log.with_name("later")
    one = follow("--summary", log, later)
    assert "waiting" in one.told()  # by then the first file has been looked at
    out, status = one.stop()
    assert out.splitlines()[1].split()[:2] == ["2", f"{log}:1"]
    assert status == 130
