"""Persistent reservations: the IP Helper's functions, their store, and the kernel's list of reserved ports."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from own_network import NOBODY, Worker, in_child, needs_root
from persistent_calls import CREATE, LOOKUP, create, delete, lookup

import winsock
import winsock.ws2_32 as ws
from winsock import ports
from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.ports import _kernel_list, _store, persistent

LIST = "/proc/sys/net/ipv4/ip_local_reserved_ports"
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])


def listed() -> str:
    return Path(LIST).read_text().strip()


def associate(token: int, protocol: str = "tcp") -> tuple[int, int]:
    """(socket, 0 or the code) in a process that is started."""
    s = ws.socket(c.AF_INET, KINDS[protocol], 0)
    data, count = struct.pack("<Q", token), bytearray(4)
    result = ws.WSAIoctl(s, c.SIO_ASSOCIATE_PORT_RESERVATION, data, 8, None, 0, count, None, None)
    return s, (int(ws.WSAGetLastError()) if result else 0)


def bind(s: int, port: int = 0) -> int:
    name = struct.pack("<H", c.AF_INET) + port.to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
    return int(ws.WSAGetLastError()) if ws.bind(s, name, 16) else 0


def port_of(s: int) -> int:
    name, size = bytearray(16), bytearray(struct.pack("<i", 16))
    assert ws.getsockname(s, name, size) == 0
    return int.from_bytes(name[2:4], "big")


def start_winsock() -> None:
    assert ws.WSAStartup(0x0202, bytearray(512)) == 0


# -- the functions


@PROTOCOLS
def test_create_lookup_delete(isolated, protocol):
    def body() -> None:
        token = bytearray(8)
        assert CREATE[protocol](socket.htons(7000), 10, token) == c.ERROR_SUCCESS
        made = int.from_bytes(token, "little")
        assert made >> 63
        assert lookup(7000, 10, protocol) == (0, made)
        assert persistent.list() == [ports.Reserved(protocol, 7000, 10, True, token=made)]
        assert delete(7000, 10, protocol) == c.ERROR_SUCCESS
        assert lookup(7000, 10, protocol) == (c.ERROR_NOT_FOUND, 0)
        assert persistent.list() == []

    isolated(body)


def test_a_block_is_found_by_exactly_its_ports(isolated):
    def body() -> None:
        assert create(7000, 10) == 0
        for start, count in (7000, 9), (7001, 9), (7000, 11), (6999, 11), (7010, 1), (1, 65535):
            assert lookup(start, count)[0] == c.ERROR_NOT_FOUND
            assert delete(start, count) == c.ERROR_NOT_FOUND
        assert lookup(7000, 10, "udp")[0] == c.ERROR_NOT_FOUND
        assert lookup(7000, 10)[0] == 0

    isolated(body)


def test_blocks_that_overlap_are_refused(isolated):
    def body() -> None:
        assert create(7000, 10) == 0
        for start, count in (7000, 10), (7009, 1), (6990, 11), (6000, 5000), (7003, 2):
            assert create(start, count) == c.ERROR_SHARING_VIOLATION
        assert create(7010, 1) == 0  # beside it
        assert create(6999, 1) == 0
        assert create(7000, 10, "udp") == 0  # of the other protocol
        assert [(r.protocol, r.start, r.count) for r in persistent.list()] == [
            ("tcp", 6999, 1),
            ("tcp", 7000, 10),
            ("tcp", 7010, 1),
            ("udp", 7000, 10),
        ]
        assert len({r.token for r in persistent.list()}) == 4

    isolated(body)


@pytest.mark.parametrize(("start", "count"), [(0, 1), (0, 0), (7000, 0), (65535, 2), (2, 65535), (65000, 1000)])
def test_blocks_that_cannot_be(isolated, start, count):
    def body() -> None:
        assert create(start, count) == c.ERROR_INVALID_PARAMETER
        assert lookup(start, count)[0] == (c.ERROR_NOT_FOUND if start and count else c.ERROR_INVALID_PARAMETER)
        assert delete(start, count) == (c.ERROR_NOT_FOUND if start and count else c.ERROR_INVALID_PARAMETER)
        assert persistent.list() == []

    isolated(body)


def test_the_first_and_the_last_port(isolated):
    def body() -> None:
        assert create(65535, 1) == 0
        assert create(1, 1) == 0
        assert listed() == "1,65535"

    isolated(body)


def test_bad_arguments(isolated):
    def body() -> None:
        for function in (*CREATE.values(), *LOOKUP.values()):
            assert function(socket.htons(7000), 1, None) == c.ERROR_INVALID_PARAMETER
            assert function(socket.htons(7000), 1, 8) == c.ERROR_NOACCESS
            assert function(socket.htons(7000), 1, bytearray(7)) == c.ERROR_NOACCESS
            assert function("7000", 1, bytearray(8)) == c.ERROR_INVALID_PARAMETER
        assert persistent.list() == []  # nothing was made that nobody can be told of

    isolated(body)


@PROTOCOLS
def test_a_port_in_use_refuses_the_block(isolated, protocol):
    def body() -> None:
        with socket.socket(socket.AF_INET, KINDS[protocol]) as s:
            s.bind(("127.0.0.1", 7005))
            assert create(7000, 10, protocol) == c.ERROR_SHARING_VIOLATION
            assert create(7006, 10, protocol) == 0
        assert create(7005, 1, protocol) == 0
        with ports.reserve(2, protocol, start=8000):
            assert create(8001, 1, protocol) == c.ERROR_SHARING_VIOLATION
        assert create(8001, 1, protocol) == 0

    isolated(body)


def test_a_connection_that_has_ended_is_no_use(isolated):
    def body() -> None:
        with socket.create_server(("127.0.0.1", 7000)) as s:
            client = socket.create_connection(("127.0.0.1", 7000))
            taken, _ = s.accept()
            taken.close()
            assert client.recv(1) == b""
            client.close()
        assert create(7000, 1) == 0

    isolated(body)


def test_the_errors_of_the_python_functions(isolated):
    def body() -> None:
        assert persistent.create(7000, 2) == persistent.lookup(7000, 2)
        for call, code in (
            (lambda: persistent.create(7001, 1), c.ERROR_SHARING_VIOLATION),
            (lambda: persistent.create(0, 1), c.ERROR_INVALID_PARAMETER),
            (lambda: persistent.delete(7000, 1), c.ERROR_NOT_FOUND),
            (lambda: persistent.lookup(7000, 2, "udp"), c.ERROR_NOT_FOUND),
        ):
            with pytest.raises(ports.PortError) as e:
                call()
            assert e.value.code == code
            assert str(e.value)
        with pytest.raises(ValueError, match="protocol"):
            persistent.create(7000, 1, "sctp")
        persistent.delete(7000, 2)
        assert persistent.store_path() == str(Path(os.environ["WINSOCK_PORTS_STORE"], "port-reservations.db"))

    isolated(body)


def test_without_startup_and_last_error_untouched(isolated):
    def body() -> None:
        with winsock.Process().attached():
            ws.WSASetLastError(77)
            assert create(7000, 1) == 0
            assert create(7000, 1) == c.ERROR_SHARING_VIOLATION
            assert ws.WSAGetLastError() == 77

    isolated(body)


# -- administrators and others


@needs_root
def test_ordinary_users_may_look_up_only(isolated):
    def make() -> None:
        assert create(7000, 3) == 0

    def body() -> None:
        assert not persistent.administrator()
        assert create(8000, 1) == c.ERROR_ACCESS_DENIED
        assert delete(7000, 3) == c.ERROR_ACCESS_DENIED
        code, token = lookup(7000, 3)
        assert code == 0
        assert [r.start for r in persistent.list()] == [7000]
        with pytest.raises(ports.PortError, match="administrators") as e:
            persistent.apply()
        assert e.value.code == c.ERROR_ACCESS_DENIED
        start_winsock()
        s, refused = associate(token)
        assert refused == WSA.WSAEACCES
        assert bind(s) == 0  # it is not associated
        assert not 7000 <= port_of(s) < 7003
        with ports.reserve(3) as block:  # runtime blocks are for everybody
            assert block.socket(listen=1)

    isolated(make)
    isolated(body, NOBODY)


def test_ordinary_users_without_a_store(isolated):
    def body() -> None:
        assert create(8000, 1) == c.ERROR_ACCESS_DENIED
        assert delete(8000, 1) == c.ERROR_ACCESS_DENIED
        assert lookup(8000, 1) == (c.ERROR_NOT_FOUND, 0)
        assert persistent.list() == []

    isolated(body, NOBODY)


@needs_root
def test_whoever_may_write_the_store_is_an_administrator(isolated):
    def make() -> None:
        assert create(7000, 1) == 0
        folder = Path(os.environ["WINSOCK_PORTS_STORE"])
        for path in (folder, *folder.iterdir()):
            os.chown(path, 0, NOBODY)
            path.chmod(0o2775 if path == folder else 0o664)

    def body() -> None:
        assert persistent.administrator()
        assert create(7001, 1) == 0
        assert delete(7000, 1) == 0
        start_winsock()
        s, code = associate(lookup(7001, 1)[1])
        assert code == 0
        assert bind(s) == 0
        assert port_of(s) == 7001

    def after() -> None:
        assert [r.start for r in persistent.list()] == [7001]
        assert persistent.apply()
        assert listed() == "7001"

    isolated(make)
    isolated(body, NOBODY)
    isolated(after)


# -- using a block


@PROTOCOLS
def test_associated_sockets_take_the_ports_of_the_block(isolated, protocol):
    def body() -> None:
        start_winsock()
        assert create(7000, 2, protocol) == 0
        token = lookup(7000, 2, protocol)[1]
        taken = []
        for _ in range(2):
            s, code = associate(token, protocol)
            assert code == 0
            assert bind(s) == 0
            taken.append(port_of(s))
        assert sorted(taken) == [7000, 7001]
        s, code = associate(token, protocol)
        assert code == 0
        assert bind(s) == WSA.WSAENOBUFS
        assert bind(s, 7002) == WSA.WSAEADDRNOTAVAIL
        assert bind(s, 7000) == WSA.WSAEADDRINUSE
        assert delete(7000, 2, protocol) == 0  # bound sockets keep their ports
        assert associate(token, protocol)[1] == WSA.WSAEINVAL
        assert ws.WSACleanup() == 0

    isolated(body)


def test_another_process_of_an_administrator_may_use_it(isolated):
    def body() -> None:
        assert create(7000, 1) == 0
        token = lookup(7000, 1)[1]

        def other() -> None:
            start_winsock()
            s, code = associate(token)
            assert code == 0
            assert bind(s) == 0

        assert in_child(other) == ("ok", "")

    isolated(body)


@PROTOCOLS
def test_processes_at_once_share_a_block_without_meeting(isolated, protocol):
    processes, each = 4, 5

    def body() -> None:
        assert create(7000, processes * each, protocol) == 0
        token = lookup(7000, processes * each, protocol)[1]

        def work(say: Callable[[str], None]) -> None:
            start_winsock()
            kept = []
            for _ in range(each):
                s, code = associate(token, protocol)
                assert code == 0
                assert bind(s) == 0
                kept.append(s)
                say(str(port_of(s)))
            say("all")
            os.read(go, 1)  # nobody leaves before all have theirs

        go, end = os.pipe()
        workers = [Worker(work) for _ in range(processes)]
        for w in workers:
            while b"all" not in w.text:
                w.first_line()
        start_winsock()
        s, code = associate(token, protocol)
        assert code == 0
        assert bind(s) == WSA.WSAENOBUFS
        os.write(end, b"x" * processes)
        got = [int(line) for w in workers for line in w.end(kill=False)[:-1]]
        assert sorted(got) == list(range(7000, 7000 + processes * each))

    isolated(body)


def test_tokens_of_the_wrong_kind(isolated):
    def body() -> None:
        start_winsock()
        assert create(7000, 1) == 0
        token = lookup(7000, 1)[1]
        assert associate(token, "udp")[1] == WSA.WSAEOPNOTSUPP
        assert associate(token ^ 2)[1] == WSA.WSAEINVAL
        s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        release = c.SIO_RELEASE_PORT_RESERVATION  # runtime blocks only
        assert ws.WSAIoctl(s, release, struct.pack("<Q", token), 8, None, 0, bytearray(4), None, None) == -1
        assert ws.WSAGetLastError() == WSA.WSAEINVAL
        assert lookup(7000, 1)[0] == 0

    isolated(body)


def test_a_bind_by_number_works_for_everybody(isolated):
    def body() -> None:
        assert create(7000, 2) == 0
        with socket.create_server(("127.0.0.1", 7000)):
            start_winsock()
            s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
            assert bind(s, 7001) == 0

    isolated(body)


@PROTOCOLS
def test_automatic_assignment_stays_away(isolated, protocol):
    def body() -> None:
        Path(RANGE).write_text("40000 40099")
        assert create(40000, 90, protocol) == 0
        kind = KINDS[protocol]
        found = []
        for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
            for _ in range(10):
                with socket.socket(family, kind) as s:
                    s.bind((host, 0))
                    found.append(s.getsockname()[1])
        with socket.create_server(("127.0.0.1", 7000)) as listener:
            for _ in range(10 if protocol == "tcp" else 0):
                with socket.create_connection(listener.getsockname()) as client:
                    found.append(client.getsockname()[1])
        assert min(found) >= 40090

    isolated(body)


@PROTOCOLS
def test_runtime_blocks_stay_away(isolated, protocol):
    def body() -> None:
        assert create(7005, 10, protocol) == 0
        for start in (7005, 7014, 7000):
            with pytest.raises(ports.PortError, match="7005-7014") as e:
                ports.reserve(10, protocol, start=start)
            assert e.value.code == WSA.WSAEADDRINUSE
        with ports.reserve(5, protocol, start=7000), ports.reserve(5, protocol, start=7015):
            pass
        for _ in range(20):
            with ports.reserve(4, protocol, within=(7000, 7025)) as block:
                assert not set(block) & set(range(7005, 7015))
        with pytest.raises(ports.PortError) as e:
            ports.reserve(12, protocol, within=(7000, 7025))
        assert e.value.code == WSA.WSAENOBUFS

    isolated(body)


# -- restarts


def restart(body: Callable[[], None]) -> Callable[[], None]:
    """The same as after the machine started again, with an empty kernel list."""

    def restarted() -> None:
        _store._boot = lambda: "another boot"
        body()

    return restarted


def test_reservations_survive_a_restart_with_other_tokens(isolated, tmp_path):
    def before() -> None:
        assert create(7000, 3) == 0
        assert create(7000, 3, "udp") == 0
        (tmp_path / "token").write_text(str(lookup(7000, 3)[1]))

    def after() -> None:
        assert listed() == ""
        code, token = lookup(7000, 3)  # the first administrator to ask completes the kernel's list
        assert code == 0
        assert token >> 63
        assert token != int((tmp_path / "token").read_text())
        assert listed() == "7000-7002"
        assert lookup(7000, 3) == (0, token)
        start_winsock()
        assert associate(int((tmp_path / "token").read_text()))[1] == WSA.WSAEINVAL
        assert associate(token)[1] == 0
        assert delete(7000, 3) == 0
        assert listed() == "7000-7002"  # of UDP
        assert delete(7000, 3, "udp") == 0
        assert listed() == ""

    isolated(before)
    isolated(restart(after))


@pytest.mark.parametrize("way", ["apply", "associate", "create"])
def test_what_completes_the_kernels_list_after_a_restart(isolated, way):
    def before() -> None:
        assert create(7000, 3) == 0

    def after() -> None:
        if way == "apply":
            assert persistent.apply()
        elif way == "create":
            assert create(9000, 1) == 0
            assert delete(9000, 1) == 0
        else:
            start_winsock()
            assert associate(persistent.list()[0].token or 0)[1] == 0
        assert listed() == "7000-7002"

    isolated(before)
    isolated(restart(after))


# -- the kernel's list


def test_ports_that_others_put_there_stay(isolated):
    def body() -> None:
        Path(LIST).write_text("5000-5005,7002-7003,9000\n")
        assert create(7000, 5) == 0
        assert listed() == "5000-5005,7000-7004,9000"
        assert create(5000, 3) == 0
        assert create(5000, 1, "udp") == 0
        assert listed() == "5000-5005,7000-7004,9000"
        assert delete(7000, 5) == 0
        assert listed() == "5000-5005,7002-7003,9000"
        assert delete(5000, 3) == 0
        assert delete(5000, 1, "udp") == 0
        assert listed() == "5000-5005,7002-7003,9000"

    isolated(body)


def test_ports_of_both_protocols_go_when_both_have_gone(isolated):
    def body() -> None:
        assert create(7000, 4) == 0
        assert create(7002, 4, "udp") == 0
        assert listed() == "7000-7005"
        assert delete(7000, 4) == 0
        assert listed() == "7002-7005"
        assert delete(7002, 4, "udp") == 0
        assert listed() == ""

    isolated(body)


def test_a_list_that_others_replaced_is_completed(isolated):
    def body() -> None:
        assert create(7000, 2) == 0
        Path(LIST).write_text("5000\n")
        assert persistent.apply()
        assert listed() == "5000,7000-7001"
        assert delete(7000, 2) == 0
        assert listed() == "5000"

    isolated(body)


def test_longer_lists_than_one_write_takes(isolated):
    def body() -> None:
        everything = [(port, port) for port in range(10000, 14000, 2)]
        _kernel_list.replace(everything)
        assert _kernel_list.read() == everything
        assert create(20000, 2) == 0
        assert _kernel_list.read() == [*everything, (20000, 20001)]
        assert delete(20000, 2) == 0
        assert _kernel_list.read() == everything
        _kernel_list.replace([])
        assert _kernel_list.read() == []
        _kernel_list.add(everything)
        assert _kernel_list.read() == everything

    isolated(body)


def test_without_the_right_to_the_kernels_list_the_reservation_holds(isolated, tmp_path, caplog):
    def body() -> None:
        os.environ["WINSOCK_PORTS_SYSCTL"] = str(tmp_path / "none" / "list")
        assert create(7000, 2) == 0
        assert not persistent.apply()
        assert lookup(7000, 2)[0] == 0
        with pytest.raises(ports.PortError):
            ports.reserve(1, start=7001)
        assert delete(7000, 2) == 0

    isolated(body)
