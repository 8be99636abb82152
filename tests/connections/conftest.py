"""Sockets for the checks of bind, listen, accept, connect and closing; every check leaves no descriptor behind."""

from __future__ import annotations

import ctypes
import gc
import os
import socket as linux
import struct
import threading
from typing import Any

import pytest
from calls import Calls
from processes import descriptors, started

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

FAILED, NO_SOCKET = -1, (1 << 64) - 1


def left_open() -> set[str]:
    """What is open; threads' wake-up descriptors do not count, they live as long as their threads."""
    return descriptors(lambda target: "eventfd" not in target)


class Background:
    """A call on a thread of its own, attached to the process; a wait for it to have begun to wait."""

    def __init__(self, net: Net, call: Any, *args: Any) -> None:
        self.result: tuple[int, int] | None = None
        self.process = net.process
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(call, args), daemon=True)
        self.thread.start()

    def _run(self, call: Any, args: tuple[Any, ...]) -> None:
        with self.process.attached():
            self.state = self.process.thread()
            self.started.set()
            ret = call(*args)
            self.result = ret, ws.WSAGetLastError()

    def waits(self) -> None:
        """Until the call is in a wait, and a socket knows of it: it is told when that closes."""
        assert self.started.wait(60)
        pause = threading.Event()
        while self.result is None and not self._known():
            pause.wait(0.001)
        assert self.result is None, f"it returned {self.result}"

    def _known(self) -> bool:
        return any(self.state in ep.waiters for ep in list(self.process.sockets.values()))

    def join(self) -> tuple[int, int]:
        self.thread.join(60)
        assert self.result is not None, "still running"
        return self.result


class Net(Calls):
    """A process, and short names for what C programs write."""

    # -- addresses

    @staticmethod
    def sin(host: str = "127.0.0.1", port: int = 0, family: int = c.AF_INET) -> bytes:
        return struct.pack("<H", family) + struct.pack(">H", port) + linux.inet_aton(host) + bytes(8)

    @staticmethod
    def sin6(host: str = "::1", port: int = 0, scope: int = 0) -> bytes:
        head = struct.pack("<H", c.AF_INET6) + struct.pack(">HI", port, 0)
        return head + linux.inet_pton(linux.AF_INET6, host) + struct.pack("<I", scope)

    def at(self, host: str, port: int = 0) -> bytes:
        return self.sin6(host, port) if ":" in host else self.sin(host, port)

    @staticmethod
    def sun(path: str | bytes) -> bytes:
        return struct.pack("<H", c.AF_UNIX) + os.fsencode(path).ljust(108, b"\0")

    # -- sockets

    def socket(self, family: int = c.AF_INET, kind: int = c.SOCK_STREAM, protocol: int = 0) -> int:
        s = ws.socket(family, kind, protocol)
        assert s != NO_SOCKET, ws.WSAGetLastError()
        return s

    def tcp(self) -> int:
        return self.socket()

    def udp(self) -> int:
        return self.socket(kind=c.SOCK_DGRAM)

    def set(self, s: int, option: int, value: int = 1, level: int = c.SOL_SOCKET) -> int:
        self.ok(ws.setsockopt(s, level, option, ctypes.c_uint32(value), 4))
        return s

    def get(self, s: int, option: int, level: int = c.SOL_SOCKET) -> int:
        value = ctypes.c_int(0)
        self.ok(ws.getsockopt(s, level, option, value, ctypes.c_int(4)))
        return value.value

    def bound(self, host: str = "127.0.0.1", kind: int = c.SOCK_STREAM) -> int:
        s = self.socket(c.AF_INET6 if ":" in host else c.AF_INET, kind)
        self.ok(self.bind(s, self.at(host)))
        return s

    def listener(self, host: str = "127.0.0.1", backlog: int = 5) -> int:
        s = self.bound(host)
        self.ok(ws.listen(s, backlog))
        return s

    def pair(self) -> tuple[int, int]:
        """The connecting and the accepted side."""
        lst = self.listener()
        client = self.tcp()
        self.ok(self.connect(client, self.name(lst)))
        server = self.accept(lst)
        self.ok(ws.closesocket(lst))
        return client, server

    # -- calls

    def bind(self, s: int, name: bytes) -> int:
        return ws.bind(s, name, len(name))

    def connect(self, s: int, name: bytes) -> int:
        return ws.connect(s, name, len(name))

    def accept(self, s: int) -> int:
        new = ws.accept(s, None, None)
        assert new != NO_SOCKET, ws.WSAGetLastError()
        return new

    def peer(self, s: int) -> bytes:
        return self.name(s, ws.getpeername)

    def port(self, s: int) -> int:
        return int.from_bytes(self.name(s)[2:4], "big")

    def ready(self, s: int, which: str = "read", seconds: int = 5) -> bool:
        sets = [
            bytearray(struct.pack("<Ixxxx64Q", 1, s, *[0] * 63)) if w == which else None
            for w in ("read", "write", "except")
        ]
        n = ws.select(0, *sets, struct.pack("<ii", seconds, 0))
        assert n >= 0, ws.WSAGetLastError()
        return n == 1

    def background(self, call: Any, *args: Any) -> Background:
        return Background(self, call, *args)

    # -- outcomes

    @staticmethod
    def fails(ret: int, code: int) -> None:
        """The call failed with this code."""
        assert ret in (FAILED, NO_SOCKET), f"returned {ret}"
        assert WSA(ws.WSAGetLastError()) == code


@pytest.fixture
def net():
    before = left_open()
    with started() as process:
        yield Net(process)
    left = left_open() - before
    if left:  # a traceback may have been in a cycle with what it is about
        gc.collect()
        left = left_open() - before
    assert not left, "descriptors were left open"


@pytest.fixture
def refused(net):
    """An address that refuses connections: bound, and nobody listens."""
    return net.name(net.bound())


@pytest.fixture
def silent():
    """An address that never answers: a full queue of somebody else's."""
    lst = linux.socket()
    lst.bind(("127.0.0.1", 0))
    lst.listen(0)
    clients = []
    for _ in range(4):
        client = linux.socket()
        client.setblocking(False)
        client.connect_ex(lst.getsockname())
        clients.append(client)
    yield Net.sin(port=lst.getsockname()[1])
    for s in (lst, *clients):
        s.close()
