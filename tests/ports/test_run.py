"""winsock ports run: what a command finds, that it can use its ports in any way, and that nobody else can."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from textwrap import dedent

import pytest
from own_network import NOBODY

from winsock import cli
from winsock.cli import _ports_trap

GENEROUS = 60
WINSOCK = [sys.executable, "-m", "winsock", "ports", "run"]
IN_USE = errno.EADDRINUSE


def run(*arguments, script=None, **more):
    """Run a command to its end; `script` is Python for `python -c`."""
    command = [sys.executable, "-c", dedent(script)] if script else []
    return subprocess.run([*WINSOCK, *arguments, *command], capture_output=True, text=True, timeout=GENEROUS, **more)


def printed(done):
    """The one JSON value that a script has printed."""
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture
def running():
    """A command that goes on until its stdin ends: running(*options, script=...) -> Popen."""
    started = []

    def start(*options, script):
        command = [*WINSOCK, *options, "--", sys.executable, "-uc", dedent(script)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the command too, whatever winsock has made of it
        process.communicate()


def bind(port, host="127.0.0.1", kind=socket.SOCK_STREAM, *options):
    """Try to bind in this process: 0 or the errno."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            return error.errno
    return 0


# -- what the command finds --------------------------------------------------------------------

SHOW = """
    import json, os, socket
    names = ("PORT", "WINSOCK_TCP_PORT", "WINSOCK_TCP_PORTS", "WINSOCK_UDP_PORT", "WINSOCK_UDP_PORTS",
             "LISTEN_FDS", "LISTEN_FDNAMES", "EXTRA")
    found = {name: os.environ.get(name) for name in names}
    found["mine"] = os.environ.get("LISTEN_PID") == str(os.getpid())
    found["sockets"] = []
    for fd in range(3, 3 + int(os.environ.get("LISTEN_FDS", 0))):
        sock = socket.socket(fileno=fd)
        listening = sock.type == socket.SOCK_STREAM and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        found["sockets"].append([sock.type == socket.SOCK_STREAM, sock.getsockname()[1], listening])
    print(json.dumps(found))
"""


def test_numbers_and_sockets():
    found = printed(run("--tcp", "2", "--udp", "1", "--set", "EXTRA=tcp2", "--", script=SHOW))
    tcp = [int(word) for word in found["WINSOCK_TCP_PORTS"].split()]
    udp = int(found["WINSOCK_UDP_PORTS"])
    assert tcp == [tcp[0], tcp[0] + 1]
    assert found == {
        "PORT": None,
        "WINSOCK_TCP_PORT": str(tcp[0]),
        "WINSOCK_TCP_PORTS": f"{tcp[0]} {tcp[1]}",
        "WINSOCK_UDP_PORT": str(udp),
        "WINSOCK_UDP_PORTS": str(udp),
        "LISTEN_FDS": "3",
        "LISTEN_FDNAMES": "tcp1:tcp2:udp1",
        "EXTRA": str(tcp[1]),
        "mine": True,
        "sockets": [[True, tcp[0], False], [True, tcp[1], False], [False, udp, False]],
    }


def test_one_tcp_port_by_default():
    found = printed(run("--", script=SHOW))
    assert found["PORT"] == found["WINSOCK_TCP_PORTS"]
    assert found["WINSOCK_UDP_PORTS"] is None
    assert found["LISTEN_FDS"] == "1"


def test_listening_sockets():
    found = printed(run("--tcp", "1", "--udp", "1", "--listen", "--", script=SHOW))
    assert [listening for _, _, listening in found["sockets"]] == [True, False]


def test_numbers_alone():
    found = printed(run("--no-sockets", "--", script=SHOW))
    assert (found["LISTEN_FDS"], found["LISTEN_FDNAMES"], found["mine"]) == (None, None, False)


def test_same_numbers_for_both_protocols():
    found = printed(run("--both", "3", "--", script=SHOW))
    assert found["WINSOCK_TCP_PORTS"] == found["WINSOCK_UDP_PORTS"]
    assert len(found["WINSOCK_TCP_PORTS"].split()) == 3
    assert found["LISTEN_FDS"] == "6"


def test_a_block_by_its_numbers(lend):
    start = lend(2)
    for block in (f"{start}-{start + 1}", f"{start}+2"):
        found = printed(run("--tcp", block, "--", script=SHOW))
        assert found["WINSOCK_TCP_PORTS"] == f"{start} {start + 1}"


# -- using the ports ---------------------------------------------------------------------------

needs_ipv6 = pytest.mark.ipv6
V4 = ["127.0.0.1", "0.0.0.0"]
HOSTS = [*V4, pytest.param("::1", marks=needs_ipv6), pytest.param("::", marks=needs_ipv6)]
REUSE = {"plain": [], "SO_REUSEADDR": [socket.SO_REUSEADDR], "SO_REUSEPORT": [socket.SO_REUSEPORT]}

SERVE = """
    import os, socket, sys
    host, options = {host!r}, {options!r}
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family)
    for option in options:
        s.setsockopt(socket.SOL_SOCKET, option, 1)
    s.bind((host, int(os.environ["PORT"])))
    s.listen()
    print(s.getsockname()[1])
    c, _ = s.accept()
    c.sendall(b"served")
    c.close()
    input()
"""


WAYS = [("plain", ("--listen",)), *((name, ()) for name in REUSE)]
TARGETS = {"127.0.0.1": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::1": "::1", "::": "::1"}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("name", "listen"), WAYS, ids=[" ".join([name, *listen]) for name, listen in WAYS])
def test_binding_by_number(running, host, name, listen):
    process = running(*listen, script=SERVE.format(host=host, options=[int(o) for o in REUSE[name]]))
    port = int(process.stdout.readline() or 0)
    assert port, process.stderr.read()
    with socket.create_connection((TARGETS[host], port), GENEROUS) as client:
        assert client.recv(99) == b"served"
    assert process.communicate("\n", GENEROUS) == ("", "")
    assert process.returncode == 0


def test_a_wildcard_of_both_families_serves_ipv4(running):
    process = running(script=SERVE.format(host="::", options=[]))
    with socket.create_connection(("127.0.0.1", int(process.stdout.readline() or 0)), GENEROUS) as client:
        assert client.recv(99) == b"served"
    assert process.communicate("\n", GENEROUS) == ("", "")


@pytest.mark.parametrize("host", ["2001:db8::1", "203.0.113.1"])
def test_an_address_of_another_machine(host):
    done = run(
        script=f"""
        import errno, os, socket
        with socket.socket(socket.{"AF_INET6" if ":" in host else "AF_INET"}) as s:
            try:
                s.bind(("{host}", int(os.environ["PORT"])))
            except OSError as error:
                print(errno.errorcode[error.errno])
        """
    )
    assert (done.stdout, done.stderr) == ("EADDRNOTAVAIL\n", "")


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_else_gets_in(running, lend, host):
    process = running("--tcp", f"{lend(1)}+1", script="import os; print(os.environ['PORT']); input()")
    port = int(process.stdout.readline())
    for options in REUSE.values():
        assert bind(port, host, socket.SOCK_STREAM, *options) == IN_USE
    process.communicate("\n", GENEROUS)
    assert bind(port) == 0


def test_the_reservation_outlives_the_command_s_sockets(running):
    process = running(
        script="""
        import os, socket
        port = int(os.environ["PORT"])
        os.close(3)
        for _ in range(3):
            socket.create_server(("127.0.0.1", port)).close()
        print(port)
        input()
        """
    )
    port = int(process.stdout.readline() or 0)
    assert bind(port) == bind(port, "::") == IN_USE


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_passed_sockets_serve(host):
    done = run(
        "--tcp",
        "2",
        "--",
        script=f"""
        import os, socket
        for fd in (3, 4):
            s = socket.socket(fileno=fd)
            s.listen()
            c = socket.create_connection(("{host}", s.getsockname()[1]))
            a, _ = s.accept()
            a.sendall(b"!")
            print(c.recv(9).decode(), end="")
        """,
    )
    assert (done.stdout, done.stderr) == ("!!", "")


DATAGRAM = """
    import os, socket
    port = int(os.environ["WINSOCK_UDP_PORT"])
    s = {sock}
    c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(20):
        c.sendto(b"%d" % n, ("127.0.0.1", port))
    s.settimeout(50)
    print(*(s.recv(9).decode() for _ in range(20)))
"""
DATAGRAM_SOCKETS = {
    "passed": "socket.socket(fileno=3)",
    "by number": "socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1', port))",
    "by number, all": "socket.socket(type=socket.SOCK_DGRAM); s.bind(('', port))",
}


@pytest.mark.parametrize("sock", DATAGRAM_SOCKETS.values(), ids=DATAGRAM_SOCKETS)
def test_datagrams_arrive_at_the_one_socket(sock):
    done = run("--udp", "1", "--", script=DATAGRAM.format(sock=sock))
    assert (done.stdout.split(), done.stderr) == ([str(n) for n in range(20)], "")


def test_its_own_second_bind_is_refused_as_ever():
    done = run(
        script="""
        import errno, os, socket
        first = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
        try:
            socket.socket().bind(first.getsockname())
        except OSError as error:
            print(errno.errorcode[error.errno])
        """
    )
    assert (done.stdout, done.stderr) == ("EADDRINUSE\n", "")


def test_several_listeners_share_a_port_if_all_say_so():
    done = run(
        script="""
        import os, socket
        port = int(os.environ["PORT"])
        sockets = [socket.create_server(("127.0.0.1", port), reuse_port=True) for _ in range(3)]
        print(len({s.getsockname() for s in sockets}))
        """
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_other_binds_are_the_kernel_s():
    done = run(
        script="""
        import errno, os, socket, ctypes
        print(socket.create_server(("127.0.0.1", 0)).getsockname()[1] != int(os.environ["PORT"]))
        s = socket.socket()
        for address in ("192.0.2.1", int(os.environ["PORT"])), ("192.0.2.1", 0):
            try:
                s.bind(address)
            except OSError as error:
                print(errno.errorcode[error.errno])
        libc = ctypes.CDLL(None, use_errno=True)
        for fd, address, size in ((s.fileno(), 8, 16), (s.fileno(), 0, 0), (999, 0, 0), (0, 0, 0)):
            assert libc.bind(fd, ctypes.c_void_p(address), size) == -1
            print(errno.errorcode[ctypes.get_errno()])
        unix = socket.socket(socket.AF_UNIX)
        unix.bind("")
        unix.listen()
        """,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout.split() == ["True", "EADDRNOTAVAIL", "EADDRNOTAVAIL", "EFAULT", "EINVAL", "EBADF", "ENOTSOCK"]
    assert done.stderr == ""


def test_threads_and_children_bind():
    done = run(
        "--tcp",
        "3",
        "--",
        script="""
        import os, socket, subprocess, sys, threading
        ports = [int(word) for word in os.environ["WINSOCK_TCP_PORTS"].split()]
        def bind(port):
            print(socket.create_server(("", port)).getsockname()[1], flush=True)
        thread = threading.Thread(target=bind, args=ports[:1])
        thread.start()
        thread.join()
        if os.fork() == 0:
            if os.fork() == 0:
                bind(ports[1])
                os._exit(0)
            os.wait()
            os._exit(0)
        os.wait()
        code = "import os, socket, sys; print(socket.create_server(('', int(sys.argv[1]))).getsockname()[1])"
        subprocess.run([sys.executable, "-c", code, str(ports[2])], check=True)
        print(*ports)
        """,
    )
    assert done.stderr == ""
    words = done.stdout.split()
    assert len(words) == 6
    assert words[:3] == words[3:]


PERL = """
    use Socket qw(:all);
    my ($host, $target) = @ARGV;
    my $six = $host =~ /:/;
    sub at {
        my $host = shift;
        return pack_sockaddr_in6($ENV{PORT}, inet_pton(AF_INET6, $host)) if $six;
        return pack_sockaddr_in($ENV{PORT}, inet_aton($host));
    }
    my $family = $six ? AF_INET6 : AF_INET;
    socket(my $s, $family, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, pack("i", 0)) if $six;
    bind($s, at($host)) or die "bind: $!";
    listen($s, 5) or die "listen: $!";
    socket(my $c, $family, SOCK_STREAM, 0) or die "socket: $!";
    connect($c, at($target)) or die "connect: $!";
    accept(my $a, $s) or die "accept: $!";
    syswrite($a, "served");
    sysread($c, my $got, 99);
    die "got $got" unless $got eq "served";
"""


@pytest.mark.skipif(not os.access("/usr/bin/perl", os.X_OK), reason="no perl here, which stands for other languages")
@pytest.mark.parametrize("user", [None, NOBODY], ids=["this user", "ordinary user"])
@pytest.mark.parametrize("host", HOSTS)
def test_another_language(isolated, host, user):
    def body():
        assert cli.main(["ports", "run", "--", "/usr/bin/perl", "-e", dedent(PERL), host, TARGETS[host]]) == 0

    isolated(body, user)


def test_two_commands_at_once_have_different_ports(running):
    script = "import os; print(os.environ['WINSOCK_TCP_PORTS']); input()"
    lines = [running("--tcp", "4", script=script).stdout.readline().split() for _ in range(4)]
    assert len({port for line in lines for port in line}) == 16


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
