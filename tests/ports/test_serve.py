"""winsock ports serve: portpicker's protocol, who gets which port, and when it is free again."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.cli._ports_serve import Pool, Server, is_free

GENEROUS = 60


@pytest.fixture
def bystander():
    """Start processes that end when they are told: bystander() -> Popen; closing its stdin ends it."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def server(tmp_path):
    """Server on a socket in tmp_path: server(ports) -> Server; no thread, answer() is called directly."""
    made = []

    def make(ports, free=lambda port: True):
        made.append(Server(str(tmp_path / f"s{len(made)}"), Pool(ports, free)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def serving(tmp_path):
    """`winsock ports serve` as users start it: serving(*options) -> (Popen, address); ready when it returns."""
    started = []

    def start(*options, address=None):
        address = address or str(tmp_path / "server")
        command = [sys.executable, "-m", "winsock", "ports", "serve", "--address", address, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == f"PORTSERVER_ADDRESS={address}\n"
        return process, address

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ask(address, request):
    """What portpicker's client does; the answer's bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(GENEROUS)
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.sendall(request if isinstance(request, bytes) else b"%d\n" % request)
        try:
            return sock.recv(1024)
        except ConnectionResetError:  # closed before it had read all
            return b""


# -- the pool ----------------------------------------------------------------------------------


def test_ports_that_are_taken_are_passed_over():
    pool = Pool([1, 2, 3, 4], lambda port: port % 2 == 0)
    assert [pool.lend(9), pool.lend(9), pool.lend(9)] == [2, 4, 0]


def test_a_returned_port_rests_longest():
    pool = Pool([1, 2, 3], lambda port: True)
    assert pool.lend(7) == 1
    pool.give_back(7)
    assert [pool.lend(8) for _ in range(4)] == [2, 3, 1, 0]


@given(st.lists(st.tuples(st.integers(2, 6), st.booleans()), max_size=60), st.sets(st.integers(1, 20)))
def test_no_port_is_lent_twice(steps, taken):
    pool = Pool(range(1, 21), lambda port: port not in taken)
    lent = {}  # port -> pid
    for pid, asks in steps:
        if asks:
            port = pool.lend(pid)
            assert port not in {*lent, *taken}
            if port:
                lent[port] = pid
            else:
                assert len(lent) == 20 - len(taken)
        else:
            pool.give_back(pid)
            lent = {port: holder for port, holder in lent.items() if holder != pid}
    for pid in range(2, 7):
        pool.give_back(pid)
    assert len({pool.lend(9) for _ in range(20 - len(taken))}) == 20 - len(taken)
    assert pool.lend(9) == 0


HELD = {
    "tcp v4": (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    "tcp v6": (socket.AF_INET6, socket.SOCK_STREAM, "::"),
    "udp v4": (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    "udp v6": (socket.AF_INET6, socket.SOCK_DGRAM, "::"),
}


@pytest.mark.parametrize(("family", "kind", "host"), HELD.values(), ids=HELD)
def test_is_free_looks_at_both_families_and_protocols(family, kind, host):
    with socket.socket(family, kind) as sock:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, 0))
        assert not is_free(sock.getsockname()[1])


# -- requests ----------------------------------------------------------------------------------


def test_a_process_gets_different_ports(server):
    one = server([101, 102])
    pid = os.getpid()
    assert [one.answer(b"%d\n" % pid) for _ in range(3)] == [b"101\n", b"102\n", None]
    assert one.statistics() == {
        "client-request-errors": 0,
        "denied-allocations": 1,
        "num-ports-managed": 2,
        "num-ports-checked-for-last-request": 0,
        "total-allocations": 2,
    }


@given(st.binary(max_size=120))
def test_any_request_is_answered_or_refused(tmp_path_factory, request_):
    with closing(Server(str(tmp_path_factory.mktemp("any") / "s"), Pool([77], lambda port: True))) as one:
        answer = one.answer(request_)
        assert answer in (None, b"77\n")
        assert one.granted + one.denied + one.nonsense == 1
        assert (answer is not None) == bool(one.granted)


REFUSED = {
    "init": b"1\n",
    "zero": b"0\n",
    "negative": b"-5\n",
    "nobody's": b"4194304\n",  # the kernel's numbers end one below
    "beyond a C int": b"99999999999\n",
    "too long": b" " * 30 + b"2\n",
    "no number": b"port please\n",
    "nothing": b"",
    "not ASCII": b"\xff\xfe\n",
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
def test_refused_requests_cost_no_port(server, request_):
    one = server([55])
    assert one.answer(request_) is None
    assert one.answer(b"%d" % os.getpid()) == b"55\n"


def test_a_port_comes_back_when_its_process_ends(server, bystander):
    one, child = server([55]), bystander()
    assert one.answer(b"%d" % child.pid) == b"55\n"
    assert one.answer(b"%d" % os.getpid()) is None
    handle = os.pidfd_open(child.pid)
    child.kill()
    select.select([handle], [], [], GENEROUS)  # a zombie now, which is no process any more
    os.close(handle)
    assert one.answer(b"%d" % child.pid) is None
    assert one.answer(b"%d" % os.getpid()) == b"55\n"


# -- the socket --------------------------------------------------------------------------------


def test_a_dead_server_s_file_is_replaced(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with closing(Server(path, Pool([1]))):
        assert os.path.exists(path)
    assert not os.path.exists(path)


def test_a_living_server_is_left_alone(tmp_path):
    path = str(tmp_path / "s")
    with closing(Server(path, Pool([1]))):
        with pytest.raises(OSError, match="in use"):
            Server(path, Pool([1]))
        assert os.path.exists(path)


def test_a_file_is_not_overwritten(tmp_path):
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        Server(str(path), Pool([1]))
    assert path.read_text() == "mine"


# -- the command -------------------------------------------------------------------------------


@pytest.fixture
def pool(lend):
    """The --pool of 20 ports that nobody else has."""
    first = lend(20)
    return f"{first}-{first + 19}"


def test_lent_ports_differ_and_can_be_bound(serving, pool):
    _, address = serving("--pool", pool)
    ports = [int(ask(address, os.getpid())) for _ in range(20)]
    assert pool == f"{min(ports)}-{max(ports)}"
    assert len(set(ports)) == 20
    for port in ports:
        with socket.create_server(("127.0.0.1", port)), socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", port))


def test_the_port_of_a_dead_process_is_lent_again(serving, bystander, lend):
    first = lend(1)
    _, address = serving("--pool", str(first))
    child = bystander()
    assert int(ask(address, child.pid)) == first
    assert ask(address, os.getpid()) == b""
    child.kill()
    child.wait()
    # The server has both events by now, the end first: it accepts before it reads.
    assert int(ask(address, os.getpid())) == first


def test_abstract_address(serving, lend):
    first = lend(1)
    _, address = serving("--pool", str(first), address=f"@winsock-test-{os.getpid()}")
    assert int(ask(address, os.getpid())) == first


def test_silent_clients_keep_nobody_waiting(serving, pool):
    _, address = serving("--pool", pool)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for sock in silent:
            sock.connect(address)
        assert ask(address, os.getpid())
    finally:
        for sock in silent:
            sock.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda s: s.name)
def test_it_ends_when_told(serving, pool, number):
    process, address = serving("--pool", pool)
    process.send_signal(number)
    assert process.wait(GENEROUS) == 0
    assert not os.path.exists(address)


def test_statistics_on_sigusr1(serving, lend):
    first = lend(12)
    process, _ = serving("--pool", f"{first}-{first + 9},{first + 11}")
    process.send_signal(signal.SIGUSR1)
    lines = [process.stderr.readline() for _ in range(5)]
    assert "winsock ports serve: num-ports-managed 11\n" in lines
    assert "winsock ports serve: total-allocations 0\n" in lines


def serve_once(tmp_path, *command, options):
    line = [sys.executable, "-m", "winsock", "ports", "serve", "--address", str(tmp_path / "s"), *options, "--"]
    return subprocess.run([*line, *command], capture_output=True, text=True, timeout=GENEROUS)


def test_with_a_command(tmp_path, lend):
    first = lend(1)
    script = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(os.environ['PORTSERVER_ADDRESS']);"
        "s.sendall(b'%d\\n' % os.getpid()); print(s.recv(99).decode(), end=''); sys.exit(9)"
    )
    done = serve_once(tmp_path, sys.executable, "-c", script, options=("--pool", str(first)))
    assert (done.returncode, done.stderr) == (9, "")
    assert int(done.stdout) == first
    assert not (tmp_path / "s").exists()


def test_a_command_s_signal_is_told(tmp_path, pool):
    done = serve_once(tmp_path, "sh", "-c", "kill -TERM $$", options=("--pool", pool))
    assert done.returncode == 128 + signal.SIGTERM


def test_no_such_command(tmp_path, pool):
    done = serve_once(tmp_path, "winsock-no-such-command", options=("--pool", pool))
    assert done.returncode == 127
    assert "winsock-no-such-command" in done.stderr


def test_address_that_can_t_be_used(tmp_path, pool):
    (tmp_path / "s").mkdir()
    done = serve_once(tmp_path, "true", options=("--pool", pool))
    assert done.returncode == 125
    assert str(tmp_path / "s") in done.stderr


def test_pool_inside_the_kernel_s_range_is_remarked(tmp_path):
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low = int(file.read().split()[0])
    done = serve_once(tmp_path, "true", options=("--pool", f"{low}-{low + 9}"))
    assert done.returncode == 0
    assert "10 ports of the pool" in done.stderr


@pytest.mark.parametrize("text", ["", "a-b", "0-5", "5-4", "1-70000", "7+0"])
def test_bad_pool(tmp_path, text):
    assert serve_once(tmp_path, "true", options=("--pool", text)).returncode == 2
