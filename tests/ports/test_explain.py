"""explain_port: who has a port, and why a bind fails; each answer is put to the test by a bind."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from pathlib import Path

import pytest
from own_network import NOBODY, Worker, become, needs_root

import winsock.ws2_32 as ws
from winsock import ports
from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.ports import Finding, _diag, explain_port, persistent

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def bind_code(port: int, protocol: str = "tcp") -> int:
    """What a winsock program's bind of every address says."""
    assert ws.WSAStartup(0x0202, bytearray(512)) == 0
    s = ws.socket(c.AF_INET, KINDS[protocol], 0)
    try:
        name = struct.pack("<H", c.AF_INET) + port.to_bytes(2, "big") + bytes(12)
        return int(ws.WSAGetLastError()) if ws.bind(s, name, 16) else 0
    finally:
        ws.closesocket(s)
        ws.WSACleanup()


def explained(port: int, protocol: str = "tcp") -> list[Finding]:
    """The findings; the code is what bind really says."""
    report = explain_port(port, protocol)
    assert (report.port, report.protocol) == (port, protocol)
    assert report.code == bind_code(port, protocol)
    assert report.code == (report.findings[0].code if report.findings else 0)
    return report.findings


PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])


@PROTOCOLS
def test_a_free_port(isolated, protocol):
    def body() -> None:
        assert explained(7000, protocol) == []

    isolated(body)


@PROTOCOLS
def test_a_runtime_reservation(isolated, protocol):
    def body() -> None:
        with ports.reserve(5, protocol, start=7000) as block:
            (found,) = explained(7002, protocol)
            assert (found.kind, found.code, found.start, found.count) == (
                "runtime reservation",
                WSA.WSAEACCES,
                7000,
                5,
            )
            assert (found.pid, found.uid) == (os.getpid(), 0)
            assert Path(sys.executable).name.split(".")[0] in found.command
            with block.socket(7002):
                kinds = [f.kind for f in explained(7002, protocol)]
                assert kinds == ["runtime reservation", "bound"]
        assert explained(7002, protocol) == []

    isolated(body)


@needs_root
def test_a_reservation_of_another_user(isolated):
    def body() -> None:
        def hold(tell) -> None:
            with ports.reserve(2, start=7000):
                tell("held")
                os.read(stop_read, 1)

        stop_read, stop_write = os.pipe()
        w = Worker(hold)
        w.first_line()

        def look(tell) -> None:
            become(NOBODY)
            (found,) = explained(7001)
            assert (found.kind, found.code, found.pid) == ("runtime reservation", WSA.WSAEACCES, w.pid)
            assert found.uid == 0

        Worker(look).end(kill=False)
        os.write(stop_write, b"x")
        w.end(kill=False)

    isolated(body)


@PROTOCOLS
def test_a_persistent_reservation(isolated, protocol):
    def body() -> None:
        persistent.create(7000, 5, protocol)
        (found,) = explained(7004, protocol)
        assert found == Finding("persistent reservation", 0, "", 7000, 5)
        other = "udp" if protocol == "tcp" else "tcp"
        assert [f.kind for f in explained(7004, other)] == ["system reserved"]  # the kernel has one list for both

    isolated(body)


def test_a_listener_and_its_connections(isolated):
    def body() -> None:
        with socket.create_server(("127.0.0.1", 7000)) as s:
            clients = [socket.create_connection(("127.0.0.1", 7000)) for _ in range(3)]
            taken = [s.accept()[0] for _ in clients]
            found = explained(7000)
            assert [f.kind for f in found] == ["listener", "connection"]  # three of one server are one finding
            for f in found:
                assert (f.code, f.address, f.pid, f.uid) == (WSA.WSAEADDRINUSE, "127.0.0.1", os.getpid(), 0)
                assert "python" in f.command
            for x in (*taken, *clients):  # the server's side first
                x.close()
        found = explained(7000)
        assert [f.kind for f in found] == ["time-wait"]

    isolated(body)


@PROTOCOLS
def test_a_socket_that_only_is_bound(isolated, protocol):
    def body() -> None:
        with socket.socket(socket.AF_INET, KINDS[protocol]) as s:
            s.bind(("0.0.0.0", 7000))
            (found,) = explained(7000, protocol)
            assert (found.kind, found.code, found.address) == ("bound", WSA.WSAEADDRINUSE, "0.0.0.0")
            assert found.pid == os.getpid()

    isolated(body)


def test_addresses_that_do_not_meet(isolated):
    def body() -> None:
        with socket.create_server(("127.0.0.2", 7000)):
            assert explain_port(7000, host="127.0.0.1").code == 0
            assert [f.code for f in explain_port(7000, host="127.0.0.1").findings] == [0]
            assert explain_port(7000, host="127.0.0.2").code == WSA.WSAEADDRINUSE
            assert explain_port(7000, host="0.0.0.0").code == WSA.WSAEADDRINUSE
            assert explain_port(7000).code == WSA.WSAEADDRINUSE

    isolated(body)


def test_what_the_system_keeps_away_from_automatic_assignment(isolated):
    def body() -> None:
        Path("/proc/sys/net/ipv4/ip_local_reserved_ports").write_text("7000-7010")
        assert explained(7003) == [Finding("system reserved", 0, "", 7000, 11)]
        assert explained(7011) == []

    isolated(body)


def test_low_ports(isolated):
    def nobody() -> None:
        (found,) = explained(80)
        assert (found.kind, found.code, found.start, found.count) == ("privileged", WSA.WSAEACCES, 1, 1023)
        assert explained(1024) == []

    def root() -> None:
        (found,) = explained(80)
        assert (found.kind, found.code) == ("privileged", 0)
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("80")
        assert explained(80) == []

    isolated(nobody, NOBODY)
    isolated(root)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port(port):
    with pytest.raises(ValueError, match="port"):
        explain_port(port)
    with pytest.raises(ValueError, match="protocol"):
        explain_port(80, "sctp")
    with pytest.raises(TypeError):
        explain_port("80")


# -- what it looks at


def test_without_the_kernels_diagnosis_proc_tells(isolated, monkeypatch):
    def unavailable(*_: object) -> None:
        raise OSError(errno.ENOENT, "no such family")

    def body() -> None:
        with socket.create_server(("", 7000), family=socket.AF_INET6, dualstack_ipv6=True) as s:
            client = socket.create_connection(("127.0.0.1", 7000))
            taken, _ = s.accept()
            asked = sorted(_diag.sockets(socket.SOCK_STREAM, 7000))
            _diag._asked = unavailable
            listed = sorted(_diag.sockets(socket.SOCK_STREAM, 7000))
            assert asked == listed
            assert [x.state for x in listed] == [_diag.ESTABLISHED, _diag.LISTEN]
            taken.close()
            assert client.recv(1) == b""
            client.close()
        assert _diag.only_time_wait(7000)
        assert not _diag.only_time_wait(7001)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 7000))
            assert [x.host for x in _diag.sockets(socket.SOCK_DGRAM, 7000)] == ["::1"]

    isolated(body)


def test_owners():
    with socket.socket() as s:
        inode = os.fstat(s.fileno()).st_ino
        assert _diag.owners({inode, 0}) == {inode: os.getpid()}
    assert _diag.owners(set()) == _diag.owners({0}) == {}
