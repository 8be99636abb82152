"""reserve() and Block: blocks for Python programs that know nothing else of winsock."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
import resource
import socket
import socketserver
import subprocess
import sys
import threading

import pytest
from own_network import NOBODY
from reservation_calls import PROTOCOLS, held

from winsock import ports
from winsock.codes import WSA
from winsock.ports import _markers

pytestmark = pytest.mark.usefixtures("quiet")

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# -- reserving


@PROTOCOLS
@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_block_is_held_until_it_is_closed(protocol, count):
    before = descriptors()
    with ports.reserve(count, protocol) as block:
        assert len(block) == count == block.count
        assert list(block) == list(block.ports) == list(range(block.start, block.start + count))
        assert block.protocol == protocol
        assert block[0] == block.start
        assert block[-1] in block
        assert block.start - 1 not in block
        assert not block.closed
        assert all(held(port, protocol) for port in block)
        assert 49152 <= block.start <= block[-1] <= 65535
    assert block.closed
    assert not any(held(port, protocol) for port in block)
    assert descriptors() == before
    block.close()


def test_an_explicit_block_and_a_range(isolated):
    def body() -> None:
        with ports.reserve(3, start=20000) as block:
            assert list(block) == [20000, 20001, 20002]
            assert repr(block) == "<Block tcp 20000-20002>"
            with pytest.raises(ports.PortError) as e:
                ports.reserve(2, start=20002)
            assert (e.value.code, e.value.errno) == (WSA.WSAEADDRINUSE, errno.EADDRINUSE)
            with ports.reserve(3, "udp", start=20000):
                pass
        with ports.reserve(5, within=(21000, 21004)) as block:
            assert block.start == 21000
            with pytest.raises(ports.PortError) as e:
                ports.reserve(1, within=(21000, 21004))
            assert e.value.code == WSA.WSAENOBUFS
            assert "21000" in str(e.value)
        assert repr(block) == "<Block tcp 21000-21004 closed>"

    isolated(body)


def test_the_system_finds_the_one_gap(isolated):
    def body() -> None:
        with ports.reserve(10, start=22000), ports.reserve(10, start=22013):
            for _ in range(5):
                with ports.reserve(3, within=(22000, 22022)) as block:
                    assert block.start == 22010
            with pytest.raises(ports.PortError):
                ports.reserve(4, within=(22000, 22022))

    isolated(body)


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": 0},
        {"count": -1},
        {"count": 65536, "start": 1},
        {"protocol": "sctp"},
        {"protocol": None},
        {"start": 0},
        {"start": -5},
        {"start": 65536},
        {"start": 65535, "count": 2},
        {"within": (5, 4)},
        {"within": (0, 100)},
        {"within": (1, 65536)},
        {"within": (1,)},
    ],
    ids=str,
)
def test_what_makes_no_sense(arguments):
    with pytest.raises(ValueError):
        ports.reserve(**arguments)


@pytest.mark.parametrize("arguments", [{"count": "2"}, {"count": 1.5}, {"start": "x"}, {"within": 5}], ids=str)
def test_what_is_no_number(arguments):
    with pytest.raises(TypeError):
        ports.reserve(**arguments)


def test_more_ports_than_there_are():
    with pytest.raises(ports.PortError) as e:
        ports.reserve(20000)
    assert e.value.code == WSA.WSAENOBUFS
    with pytest.raises(ports.PortError):
        ports.reserve(1 << 40)


def test_ports_below_1024_need_the_right_to_them(isolated):
    def body() -> None:
        with pytest.raises(ports.PortError) as e:
            ports.reserve(2, start=1022)
        assert e.value.code == WSA.WSAEACCES
        with ports.reserve(1, start=1024):
            pass

    isolated(body, NOBODY)


def test_descriptors_lie_beyond_the_programs_own(isolated):
    def body() -> None:
        # Whoever runs the tests may have some open already.
        soft = max(map(int, os.listdir("/proc/self/fd"))) + 60
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, 2000))
        with ports.reserve(500) as block:
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, 2000)
            mine = [os.dup(0) for _ in range(40)]  # there is as much room as before
            assert max(mine) < soft
            for fd in mine:
                os.close(fd)
            s = block.socket(listen=1)
            assert s.fileno() < soft
            s.close()
        with ports.reserve(1), pytest.raises(ports.PortError) as e:
            ports.reserve(2500)
        assert e.value.code == WSA.WSAEMFILE
        assert "descriptors" in str(e.value)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, 2000)

    isolated(body, NOBODY)


def test_without_descriptors_nothing_stays_held(isolated):
    def body() -> None:
        before = descriptors()
        resource.setrlimit(resource.RLIMIT_NOFILE, (1100, 1100))
        with pytest.raises(ports.PortError) as e:
            ports.reserve(200, start=20000)
        assert e.value.code == WSA.WSAEMFILE
        assert descriptors() == before
        assert not any(held(port) for port in range(20000, 20200))

    isolated(body, NOBODY)


def test_large_blocks(isolated):
    def body() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if 0 <= hard < 12000:
            pytest.skip(f"only {hard} descriptors")
        with ports.reserve(10000, within=(1024, 65535)) as block:
            for port in (block[0], block[5000], block[-1]):
                assert held(port)
            s = block.socket(block[-1], listen=1)
            assert s.getsockname()[1] == block[-1]
            s.close()
        assert not held(block[0])

    isolated(body)


# -- sockets


@PROTOCOLS
def test_sockets_get_the_ports_one_by_one(protocol):
    with ports.reserve(3, protocol) as block:
        sockets = [block.socket() for _ in range(3)]
        assert [s.getsockname()[1] for s in sockets] == list(block)
        assert all(isinstance(s, socket.socket) and s.type == KINDS[protocol] for s in sockets)
        assert not any(s.get_inheritable() for s in sockets)
        with pytest.raises(ports.PortError) as e:
            block.socket()
        assert e.value.code == WSA.WSAENOBUFS
        sockets[1].close()
        with block.socket() as again:
            assert again.getsockname()[1] == block[1]
        for s in sockets:
            s.close()


@PROTOCOLS
@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "::1"),
        ("", "::"),
        ("::", "::"),
        ("127.3.2.1",) * 2,
    ],
)
def test_the_hosts_of_sockets(protocol, host, name):
    with ports.reserve(1, protocol) as block, block.socket(block.start, host=host) as s:
        assert s.getsockname()[:2] == (name, block.start)
        with pytest.raises(ports.PortError) as e:
            block.socket(block.start, host=host)
        assert e.value.code == WSA.WSAEADDRINUSE


def test_the_hosts_of_an_ordinary_users_sockets(isolated):
    def body() -> None:
        for protocol in KINDS:
            for host, name in ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"), ("", "::"):
                test_the_hosts_of_sockets(protocol, host, name)

    isolated(body, NOBODY)


def test_a_port_for_both_loopback_addresses():
    with ports.reserve(1) as block:
        four = block.socket(block.start, host="127.0.0.1", listen=5)
        six = block.socket(block.start, host="::1", listen=5)
        for s, host in (four, "127.0.0.1"), (six, "::1"):
            with socket.create_connection((host, block.start)):
                s.accept()[0].close()
            s.close()


def test_refused_sockets_leave_nothing():
    with ports.reserve(2) as block:
        before = descriptors()
        for host in ("192.0.2.1", "2001:db8::1", "nonsense", "::ffff:192.0.2.1"):
            with pytest.raises(ports.PortError) as e:
                block.socket(block.start, host=host)
            assert e.value.code == WSA.WSAEADDRNOTAVAIL
        for wrong in (block.start - 1, block.start + 2, 0, "x"):
            with pytest.raises(ValueError, match="port"):
                block.socket(wrong)
        assert descriptors() == before
        block.socket(block.start).close()
    with pytest.raises(ValueError, match="closed"):
        block.socket()
    with ports.reserve(1, "udp") as block, pytest.raises(ValueError, match="TCP"):
        block.socket(listen=1)


def test_listening_later_and_serving_again():
    with ports.reserve(1) as block:
        for _ in range(3):  # over connections in TIME_WAIT
            s = block.socket()
            s.listen()
            with socket.create_connection(s.getsockname()) as client:
                taken, _ = s.accept()
                taken.close()
                assert client.recv(1) == b""
            s.close()
        assert held(block.start)


def test_a_duplicate_listens_too():
    with ports.reserve(1) as block:
        s = block.socket()
        twin = s.dup()
        s.close()
        assert held(block.start)
        twin.listen()
        socket.create_connection(twin.getsockname()).close()
        twin.close()


def test_connecting_from_a_reserved_port():
    with socket.create_server(("127.0.0.1", 0)) as server, ports.reserve(1) as block:
        for _ in range(2):
            s = block.socket()
            if _ == 0:
                s.connect(server.getsockname())
            else:
                assert s.connect_ex(server.getsockname()) == 0
            taken, who = server.accept()
            assert who == ("127.0.0.1", block.start)
            taken.close()  # the other side has the TIME_WAIT
            assert s.recv(1) == b""
            s.close()


def test_asyncio_and_socketserver():
    async def serve(s: socket.socket) -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(answer, sock=s)
        async with server:
            reader, writer = await asyncio.open_connection(*s.getsockname())
            writer.write(b"hello\n")
            line = await reader.read()
            writer.close()
            await writer.wait_closed()
            return line

    with ports.reserve(2) as block:
        assert asyncio.run(serve(block.socket())) == b"hello\n"

        class Server(socketserver.TCPServer):
            def server_bind(self) -> None:
                self.socket.close()
                self.socket = block.socket()
                self.server_address = self.socket.getsockname()

        with Server(("", 0), socketserver.BaseRequestHandler) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            socket.create_connection(server.server_address).close()
            thread.join()


def test_threads_get_different_ports():
    with ports.reserve(40) as block:
        found: list[int] = []
        kept: list[socket.socket] = []
        start = threading.Barrier(4)

        def take() -> None:
            start.wait()
            for _ in range(10):
                s = block.socket(listen=1)
                kept.append(s)
                found.append(s.getsockname()[1])

        threads = [threading.Thread(target=take) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(found) == list(block)
        for s in kept:
            s.close()


# -- giving ports away


def test_hand_over_gives_the_very_socket_that_held_the_port():
    with ports.reserve(2) as block:
        s = block.hand_over()
        assert type(s) is socket.socket
        assert s.getsockname()[:2] == ("::", block[0])
        assert held(block[0])
        s.listen()
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, block[0])).close()
        with pytest.raises(ValueError, match="not in"):
            block.hand_over(block[0])
        with pytest.raises(ports.PortError):
            block.socket(block[0])
        other = block.hand_over(block[1])
        with pytest.raises(ports.PortError) as e:
            block.hand_over()
        assert e.value.code == WSA.WSAENOBUFS
        block.close()
        assert held(block[0])
        assert held(block[1])
        s.close()
        other.close()
        assert not held(block[0])


def test_a_program_that_knows_nothing_listens_on_it():
    code = """
import socket, sys
s = socket.socket(fileno=int(sys.argv[1]))
if sys.argv[2] == "listen":
    s.listen()
print("ready", flush=True)
s.accept()[0].sendall(b"hello")
"""
    with ports.reserve(2) as block:
        for s, what in (block.hand_over(), "listen"), (block.socket(listen=1), ""):
            child = subprocess.Popen(
                [sys.executable, "-c", code, str(s.fileno()), what],
                pass_fds=[s.fileno()],
                stdout=subprocess.PIPE,
            )
            s.close()
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            port = block[0] if what else block[1]
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert client.recv(9) == b"hello"
            assert child.wait() == 0
            child.stdout.close()


def test_handing_udp_over(isolated):
    def root() -> None:
        with ports.reserve(1, "udp") as block:
            s = block.hand_over()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", ("127.0.0.1", block.start))
            s.settimeout(20)
            assert s.recv(9) == b"x"
            s.close()

    def nobody() -> None:
        with ports.reserve(1, "udp") as block:
            with pytest.raises(ports.PortError) as e:
                block.hand_over()
            assert e.value.code == WSA.WSAEACCES
            assert held(block.start, "udp")
            block.socket().close()

    isolated(root)
    isolated(nobody, NOBODY)


def test_giving_a_port_up():
    with ports.reserve(3) as block:
        block.give_up(block[1])
        assert [held(port) for port in block] == [True, False, True]
        with socket.create_server(("127.0.0.1", block[1])):
            pass
        for wrong in (block[1], block.start - 1):
            with pytest.raises(ValueError, match="not in"):
                block.give_up(wrong)
        with block.socket() as one, block.socket() as other:
            assert [s.getsockname()[1] for s in (one, other)] == [block[0], block[2]]
    assert block.closed


# -- lists


def test_blocks_are_listed_with_their_holders():
    with ports.reserve(3) as tcp, ports.reserve(2, "udp") as udp:
        found = [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]
        assert [(r.protocol, r.start, r.count, r.end, r.persistent) for r in found] == [
            ("tcp", tcp.start, 3, tcp[-1], False),
            ("udp", udp.start, 2, udp[-1], False),
        ]
        assert all(r.uid == os.getuid() and "python" in r.command for r in found)
    assert not [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]


@pytest.mark.parametrize(
    "name",
    [
        "winsock-ports/1/tcp/5000/10/1/{here}/x",
        "winsock-ports/1/sctp/5000/10/1/{here}/x",
        "winsock-ports/1/tcp/0/10/1/{here}/x",
        "winsock-ports/1/tcp/65530/10/1/{here}/x",
        "winsock-ports/1/tcp/5000/0/1/{here}/x",
        "winsock-ports/1/tcp/-5/10/1/{here}/x",
        "winsock-ports/1/tcp/\u0665/10/1/{here}/x",
        "winsock-ports/1/tcp",
        "winsock-ports/1/",
        "winsock-ports/1/tcp/5000/10/1/12345/x",
        "winsock-ports/1/tcp/5000/10/999999999/{here}/x",
    ],
)
def test_names_that_others_made(name):
    here = os.stat("/proc/self/ns/pid").st_ino
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind("\0" + name.format(here=here))
        found = [m for m in _markers.markers() if m.start == 5000]
        assert all(m.count == 10 and m.pid in (1, None, 999999999) for m in found)
        assert bool(found) == ("tcp/5000/10" in name)
        for r in ports.reservations(persistent=False):
            assert r.start > 0
        if name.endswith(("12345/x", "999999999/{here}/x")):
            (r,) = [r for r in ports.reservations(persistent=False) if r.start == 5000]
            assert r.command == ""
            assert r.uid is None


def test_errors_can_be_sent():
    with ports.reserve(1) as block, pytest.raises(ports.PortError) as e:
        ports.reserve(1, start=block.start)
    copy = pickle.loads(pickle.dumps(e.value))
    assert (copy.code, copy.errno, str(copy)) == (e.value.code, e.value.errno, str(e.value))


def test_importing_is_cheap():
    code = "import sys, winsock.ports; print('sqlite3' in sys.modules, 'socket' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False False\n"
    assert sorted(ports.__all__) == ports.__all__
    assert all(getattr(ports, name) for name in ports.__all__)
    with pytest.raises(AttributeError):
        ports.nothing_of_the_kind  # noqa: B018
