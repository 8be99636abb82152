"""winsock ports run without its trap and on a terminal; signals, exit statuses, wrong command lines."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from textwrap import dedent

import pytest
from run_calls import GENEROUS, WINSOCK, bind, run

from winsock.cli import _ports_trap

# -- without the trap --------------------------------------------------------------------------


def test_without_the_trap_sockets_work_and_numbers_don_t():
    done = run(
        "--no-trap",
        "--",
        script="""
        import errno, os, socket
        port = int(os.environ["PORT"])
        try:
            socket.create_server(("127.0.0.1", port))
        except OSError as error:
            print(errno.errorcode[error.errno])
        s = socket.socket(fileno=3)
        s.listen()
        socket.create_connection(("127.0.0.1", port))
        print(s.accept()[1][1] > 0)
        print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("Seccomp:")))
        """,
    )
    with open("/proc/self/status", encoding="ascii") as file:
        before = next(line.split()[1] for line in file if line.startswith("Seccomp:"))
    assert (done.stdout.split(), done.stderr) == (["EADDRINUSE", "True", before], "")


FORBIDDING = """
    import ctypes, os, struct, sys
    from winsock.cli import _ports_trap as trap
    number, words = int(sys.argv[1]), sys.argv[2:]
    machine = trap.machine()
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    text = b"".join(struct.pack("=HBBI", *line) for line in lines)
    code = ctypes.create_string_buffer(text, len(text))
    fprog = struct.pack("@HP", len(lines), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(trap.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    assert libc.syscall(machine.seccomp, 1, 0, ctypes.create_string_buffer(fprog, len(fprog))) == 0
    os.execv(sys.executable, [sys.executable, "-m", "winsock", "ports", "run", *words])
"""


@pytest.mark.parametrize("call", ["seccomp", "pidfd_getfd"])
def test_a_container_that_forbids_the_trap(call):
    number = getattr(_ports_trap.machine(), call, _ports_trap.SYS_PIDFD_GETFD)

    def attempt(*words):
        command = [sys.executable, "-c", dedent(FORBIDDING), str(number), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS)

    done = attempt("--", "echo", "ran")
    assert (done.returncode, done.stdout) == (125, "")
    assert call in done.stderr
    assert "--no-trap" in done.stderr
    done = attempt("--no-trap", "--", "echo", "ran")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


def test_one_inside_another():
    done = run("--", *WINSOCK, "--", "true")
    assert done.returncode == 125
    assert "another winsock ports run" in done.stderr
    assert run("--", *WINSOCK, "--no-trap", "--", "true").returncode == 0


# -- a terminal --------------------------------------------------------------------------------

COUNTING = """
    import os, signal
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    print("ready", flush=True)
    print("INT", int(signal.sigwait([signal.SIGINT])), flush=True)
    # The end: were there a second SIGINT, passed on, it would come before this, which is sent later.
    print("then", int(signal.sigwait([signal.SIGINT, signal.SIGTERM])), flush=True)
"""


def test_a_terminal_s_interrupt_arrives_once():
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*WINSOCK, "--", sys.executable, "-c", dedent(COUNTING)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    with process, open(ours, "r+b", buffering=0) as screen:
        assert b"ready" in _line(screen)
        screen.write(b"\x03")
        assert b"INT 2" in _line(screen)
        process.send_signal(signal.SIGTERM)
        assert b"then 15" in _line(screen)
        assert process.wait(GENEROUS) == 0


def _line(screen):
    """A line of a terminal, whose end is an error."""
    text = b""
    try:
        while not text.endswith(b"\n"):
            text += screen.read(1)
    except OSError:
        pass
    return text


# -- ends --------------------------------------------------------------------------------------

ENDS = {
    "0": (["true"], 0),
    "1": (["false"], 1),
    "own": (["sh", "-c", "exit 77"], 77),
    "KILL": (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
    "TERM": (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
    "no such file": (["winsock-no-such-command"], 127),
    "a directory": (["/"], 126),
    "not a program": (["/dev/null"], 126),
}


@pytest.mark.parametrize(("command", "status"), ENDS.values(), ids=ENDS)
def test_exit_status(command, status):
    done = run("--", *command)
    assert done.returncode == status
    assert bool(done.stderr) == (status in (126, 127))


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], ids=lambda s: s.name
)
def test_signals_are_passed_on(running, number):
    process = running(
        script="""
        import signal, sys
        numbers = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        print("ready")
        print(int(signal.sigwait(numbers)))
        sys.exit(5)
        """
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == f"{int(number)}\n"
    assert process.wait(GENEROUS) == 5


def test_the_command_starts_with_ordinary_signals():
    with open("/proc/self/status", encoding="ascii") as file:
        before = {line.split()[0]: line.split()[1] for line in file if line.startswith("SigBlk")}
    done = run("--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    found = dict(line.split() for line in done.stdout.splitlines())
    assert found["SigBlk:"] == before["SigBlk:"]
    assert not int(found["SigIgn:"], 16) & 1 << (signal.SIGPIPE - 1)


def test_a_killed_winsock_leaves_nothing(running, lend):
    process = running(
        "--tcp",
        f"{lend(1)}+1",
        script="""
        import os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        os.close(3)
        print(os.environ["PORT"])
        signal.sigwait([signal.SIGTERM])
        print("told")
        """,
    )
    port = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert process.stdout.readline() == "told\n"
    assert bind(port) == 0


def test_what_the_command_leaves_behind_can_bind_on(tmp_path, lend):
    # The ports are free again by then: an ordinary bind, which must not fail for the trap's sake.
    answer = tmp_path / "answer"
    os.mkfifo(answer)
    done = run(
        "--tcp",
        f"{lend(1)}+1",
        "--",
        script=f"""
        import os, socket, sys
        sys.stdin.close()
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(writing)
            os.close(3)
            os.closerange(0, 3)
            os.read(reading, 1)  # until the command has gone
            try:
                port = socket.create_server(("127.0.0.1", int(os.environ["PORT"]))).getsockname()[1]
            except OSError as error:
                port = error
            with open({str(answer)!r}, "w") as file:
                file.write(str(port))
            os._exit(0)
        print(os.environ["PORT"], flush=True)
        os._exit(4)
        """,
    )
    with open(answer, encoding="utf-8") as file:  # waits for the writer
        assert file.read() == done.stdout.strip()
    assert done.returncode == 4


WRONG = {
    "no command": (["--tcp", "2"], 2, "no command"),
    "none": (["--tcp", "0", "--", "true"], 2, "--tcp"),
    "past the end": (["--tcp", "65535+2", "--", "true"], 2, "65535+2"),
    "both and one": (["--both", "1", "--udp", "1", "--", "true"], 2, "--both"),
    "no way in": (["--no-trap", "--no-sockets", "--", "true"], 2, "no way"),
    "unknown name": (["--tcp", "1", "--set", "X=tcp2", "--", "true"], 2, "tcp2"),
    "bad name": (["--set", "X=port", "--", "true"], 2, "X=port"),
    "bad host": (["--host", "192.0.2.1", "--", "true"], 125, "assign requested address"),
}


@pytest.mark.parametrize(("arguments", "status", "words"), WRONG.values(), ids=WRONG)
def test_wrong_command_lines(arguments, status, words):
    done = run(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--tcp", f"{port}-{port}", "--", "true")
    assert done.returncode == 125
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
