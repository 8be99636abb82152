"""winsock ports run: what a command finds, that it can use its ports in any way, and that nobody else can."""

from __future__ import annotations

import os
import socket
import subprocess
from textwrap import dedent

import pytest
from own_network import NOBODY
from run_calls import GENEROUS, IN_USE, bind, printed, run

from winsock import cli

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
