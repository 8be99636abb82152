"""AF_UNIX streams: paths, what exists already, names, and what Windows does not have."""

from __future__ import annotations

import ctypes
import os
import struct

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1


@pytest.fixture
def local(net):
    return net.socket(c.AF_UNIX)


def test_connection_over_a_path(net, local, tmp_path):
    name = net.sun(tmp_path / "s")
    net.ok(net.bind(local, name))
    net.ok(ws.listen(local, 5))
    client = net.socket(c.AF_UNIX)
    net.ok(net.connect(client, name))
    addr, n = bytearray(110), ctypes.c_int(110)
    server = ws.accept(local, addr, n)
    assert (n.value, addr[:3]) == (110, struct.pack("<H", c.AF_UNIX) + b"\0")
    assert net.name(server).rstrip(b"\0") == net.name(local).rstrip(b"\0") == net.peer(client).rstrip(b"\0")
    assert net.name(local)[2:].rstrip(b"\0") == os.fsencode(tmp_path / "s")
    assert ws.send(client, b"hello", 5, 0) == 5
    assert ws.recv(server, bytearray(9), 9, 0) == 5


def test_the_path_stays_and_is_in_use(net, local, tmp_path):
    name = net.sun(tmp_path / "s")
    net.ok(net.bind(local, name))
    net.ok(ws.closesocket(local))
    assert (tmp_path / "s").exists()
    s = net.socket(c.AF_UNIX)
    net.fails(net.bind(s, name), WSA.WSAEADDRINUSE)
    net.fails(net.connect(s, name), WSA.WSAECONNREFUSED)
    os.unlink(tmp_path / "s")
    net.ok(net.bind(s, name))


def test_a_file_is_in_the_way(net, local, tmp_path):
    (tmp_path / "s").write_text("mine")
    net.fails(net.bind(local, net.sun(tmp_path / "s")), WSA.WSAEADDRINUSE)
    net.fails(net.connect(local, net.sun(tmp_path / "s")), WSA.WSAECONNREFUSED)
    assert (tmp_path / "s").read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "code"),
    [(b"", WSA.WSAEINVAL), (b"\0abstract", WSA.WSAEINVAL), (b"no-such-directory/s", WSA.WSAENETDOWN)],
)
def test_paths_that_cannot_be_bound(net, local, tmp_path, path, code, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net.fails(net.bind(local, net.sun(path)), code)
    net.fails(ws.getsockname(local, bytearray(110), ctypes.c_int(110)), WSA.WSAEINVAL)
    net.ok(net.bind(local, net.sun(b"here")))


def test_nobody_at_the_path(net, local, tmp_path):
    net.fails(net.connect(local, net.sun(tmp_path / "none")), WSA.WSAECONNREFUSED)


def test_bad_structures(net, local):
    for name, length, code in (
        (None, 110, WSA.WSAEFAULT),
        (net.sun("x"), 2, WSA.WSAEFAULT),
        (net.sin(), 16, WSA.WSAEAFNOSUPPORT),
    ):
        net.fails(ws.bind(local, name, length), code)
        net.fails(ws.connect(local, name, length), code)


def test_longest_path(net, local, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net.fails(net.bind(local, net.sun("x" * 108)), WSA.WSAEINVAL)  # no room for the NUL
    net.ok(net.bind(local, net.sun("x" * 107)))
    assert net.name(local)[2:] == b"x" * 107 + b"\0"


def test_no_sharing(net, local, tmp_path):
    net.set(local, c.SO_REUSEADDR)
    net.fails(net.bind(local, net.sun(tmp_path / "s")), WSA.WSAEOPNOTSUPP)


def test_full_queue_refuses(net, local, tmp_path):
    name = net.sun(tmp_path / "s")
    net.ok(net.bind(local, name))
    net.ok(ws.listen(local, 0))
    for _ in range(10):
        s = net.socket(c.AF_UNIX)
        if net.connect(s, name) != 0:
            break
    net.fails(net.connect(s, name), WSA.WSAECONNREFUSED)


def test_accept_wakes(net, local, tmp_path):
    net.ok(net.bind(local, net.sun(tmp_path / "s")))
    net.ok(ws.listen(local, 1))
    call = net.background(ws.accept, local, None, None)
    call.waits()
    net.ok(ws.closesocket(local))
    assert call.join() == (NO_SOCKET, WSA.WSAEINTR)


def test_closing_lingers_for_nothing(net, local, tmp_path):
    net.ok(net.bind(local, net.sun(tmp_path / "s")))
    net.ok(ws.listen(local, 1))
    client = net.socket(c.AF_UNIX)
    net.ok(net.connect(client, net.sun(tmp_path / "s")))
    server = ws.accept(local, None, None)
    net.nonblocking(client)
    assert ws.send(client, b"hello", 5, 0) == 5
    net.set(client, c.SO_LINGER, 1 | 5 << 16)
    net.ok(ws.closesocket(client))
    assert ws.recv(server, bytearray(9), 9, 0) == 5
