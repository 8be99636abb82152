"""A reserved port is closed to everybody but its block's sockets, whatever they try, at every stage.

Each stage is attacked with every address form and every combination of reuse options, by the same and by another
user, as root (who joins by device) and as an ordinary user (who joins by sharing).
"""

from __future__ import annotations

import itertools
import os
import pickle
import socket
from collections.abc import Callable

import pytest
from own_network import CAP_NET_RAW, NOBODY, ROOT, SOMEBODY, become, without

from winsock import ports
from winsock.ports import _placeholder

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
FORMS = (
    (socket.AF_INET, "0.0.0.0", 0),
    (socket.AF_INET, "127.0.0.1", 0),
    (socket.AF_INET, "127.0.0.2", 0),
    (socket.AF_INET6, "::", 0),
    (socket.AF_INET6, "::", 1),
    (socket.AF_INET6, "::1", 1),
)
OPTIONS = ((), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT))
HOSTS = ("127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "")


def thefts(kind: int, port: int) -> list[str]:
    """Every way in which a socket of another program gets at the port now."""
    won = []
    for (family, host, only), options in itertools.product(FORMS, OPTIONS):
        with socket.socket(family, kind) as s:
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            for option in options:
                s.setsockopt(socket.SOL_SOCKET, option, 1)
            try:
                s.bind((host, port))
            except OSError:
                continue
            won.append(f"{host} {options}")
    return won


def elsewhere(look: Callable[[], object], user: int | None = None) -> object:
    """What a program that is not ours sees, which may be another user's."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            if user is not None:
                become(user)
            os.write(write, pickle.dumps(look()))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)
    return pickle.loads(data)


def check(kind: int, port: int) -> None:
    """Nobody gets in."""
    assert thefts(kind, port) == []
    assert elsewhere(lambda: thefts(kind, port)) == []
    if ROOT and os.getuid() == 0:
        assert elsewhere(lambda: thefts(kind, port), SOMEBODY) == []


def ended_connection(listener: socket.socket) -> None:
    """A connection that the listener's side closes, so that its port has one in TIME_WAIT."""
    family = listener.family
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.getsockname()[0], listener.getsockname()[0])
    with socket.create_connection((host, listener.getsockname()[1])) as client:
        taken, _ = listener.accept()
        assert taken.family == family
        taken.close()
        assert client.recv(1) == b""


USERS = pytest.mark.parametrize("user", [None, NOBODY, "weak"], ids=["root", "nobody", "root without CAP_NET_RAW"])


@pytest.fixture
def isolated(isolated):
    """The same, with one more kind of user."""

    def run(function: Callable[[], None], user: object) -> None:
        def weak() -> None:
            without(CAP_NET_RAW)
            function()

        if user == "weak":
            isolated(weak)
        else:
            isolated(function, user)

    return run


@USERS
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_held_port_is_closed(isolated, user, protocol):
    def body() -> None:
        with ports.reserve(2, protocol) as block:
            for port in block:
                check(TCP if protocol == "tcp" else UDP, port)
        assert thefts(TCP if protocol == "tcp" else UDP, block.start)  # the attack can succeed

    isolated(body, user)


@USERS
@pytest.mark.parametrize("host", HOSTS)
def test_a_tcp_port_stays_closed_from_bind_to_the_last_connection(isolated, user, host):
    def body() -> None:
        with ports.reserve(1) as block:
            s = block.socket(host=host)
            check(TCP, block.start)
            s.listen()
            check(TCP, block.start)
            ended_connection(s)
            check(TCP, block.start)
            s.close()
            check(TCP, block.start)
            again = block.socket(host=host, listen=5)  # over what is in TIME_WAIT
            ended_connection(again)
            check(TCP, block.start)
            again.close()

    isolated(body, user)


@USERS
@pytest.mark.parametrize("host", HOSTS)
def test_a_udp_port_stays_closed(isolated, user, host):
    def body() -> None:
        with ports.reserve(1, "udp") as block:
            s = block.socket(host=host)
            check(UDP, block.start)
            s.settimeout(20)
            to = {"0.0.0.0": "127.0.0.1", "": "::1"}.get(host, host)
            with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, UDP) as sender:
                for i in range(40):  # all reach it, none what holds the port
                    sender.sendto(bytes([i]), (to, block.start))
                    assert s.recv(9) == bytes([i])
            s.close()
            check(UDP, block.start)

    isolated(body, user)


def test_kernels_before_5_7_join_by_sharing(isolated):
    def body() -> None:
        _placeholder.SO_BINDTOIFINDEX = 0x7FFF  # which no kernel knows
        with ports.reserve(1) as block, ports.reserve(1, "udp") as other:
            check(TCP, block.start)
            check(UDP, other.start)
            with block.socket(listen=5) as s, other.socket() as datagrams:
                ended_connection(s)
                check(UDP, other.start)
                with socket.socket(socket.AF_INET, UDP) as sender:
                    sender.sendto(b"x", datagrams.getsockname())
                datagrams.settimeout(20)
                assert datagrams.recv(9) == b"x"

    isolated(body, None)


def test_kernels_without_ipv6(isolated):
    def body() -> None:
        _placeholder.AF_INET6 = 99  # which no kernel knows
        for protocol, kind in ("tcp", TCP), ("udp", UDP):
            with ports.reserve(1, protocol) as block:
                four = [won for won in thefts(kind, block.start) if "." in won]
                assert not four
                with block.socket() as s:
                    assert s.getsockname() == ("127.0.0.1", block.start)

    isolated(body, None)
