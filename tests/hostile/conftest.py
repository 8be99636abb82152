"""A process full of sockets in different states, and the watch that nothing is left behind or reported as a fault."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import socket as linux
import struct
import threading
from typing import Any

import pytest
from processes import descriptors

import winsock
import winsock.ws2_32 as ws
from winsock import kernel32 as k32
from winsock import ports, user32
from winsock.abi import _constants as c
from winsock.api._kernel import ThreadObject
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1
PAGE = 4096


def left_open() -> set[str]:
    """What is open.

    Threads' wake-up descriptors do not count, they live as long as their threads, nor does what a process watches its
    sockets with (one descriptor, as long as the process); neither do numbers that rest after
    their socket was closed under threads (a dead file, "/"): winsock keeps few of them, and not for long.
    """
    return descriptors(lambda target: "eventfd" not in target and "eventpoll" not in target and target != "/")


@pytest.fixture(autouse=True)
def no_faults_of_our_own(caplog):
    """winsock logs what should never happen inside it; nothing of that is tolerated here."""
    caplog.set_level(logging.WARNING, "winsock")
    yield
    logged = [r.getMessage() + "\n" + (r.exc_text or "") for r in caplog.records if r.name == "winsock"]
    assert not logged, logged


@pytest.fixture
def nothing_left():
    """No descriptor is left open."""
    before = left_open()
    yield
    rest = threading.Event()
    for _ in range(500):  # a thread that has ended may still be letting go of its last socket
        if not (left := left_open() - before):
            return
        gc.collect()
        rest.wait(0.01)
    assert not left


@pytest.fixture(autouse=True)
def no_name_server(monkeypatch):
    """Names that are not this machine's are asked of nobody."""
    import _socket

    real = _socket.getaddrinfo

    def lookup(host: Any, *args: Any, **more: Any) -> Any:
        try:
            return real(host, *args[:4], (args[4] if len(args) > 4 else 0) | _socket.AI_NUMERICHOST)
        except _socket.gaierror:
            raise _socket.gaierror(_socket.EAI_NONAME, "no such name") from None

    def reverse(address: Any) -> Any:
        raise _socket.herror(1, "no such address")

    for module in (_socket, linux):
        monkeypatch.setattr(module, "getaddrinfo", lookup)
        monkeypatch.setattr(module, "gethostbyaddr", reverse)


def sin(port: int = 0, host: str = "127.0.0.1") -> bytes:
    return struct.pack("<H", c.AF_INET) + struct.pack(">H", port) + linux.inet_aton(host) + bytes(8)


def sin6(port: int = 0, host: str = "::1") -> bytes:
    return (
        struct.pack("<H", c.AF_INET6) + struct.pack(">HI", port, 0) + linux.inet_pton(linux.AF_INET6, host) + bytes(4)
    )


class Zoo:
    """Sockets of a process by the state they are in; all are non-blocking, so that no call waits."""

    STATES = ("fresh", "fresh udp", "fresh v6", "bound", "udp", "udp peer", "listening", "connected", "ended", "unix")

    def __init__(self, process: winsock.Process) -> None:
        self.process = process
        self.tid = k32.GetCurrentThreadId()
        self.state = "fresh"
        self.known: dict[str, int] = {}
        self.spares: list[int] = []
        self.foreign = 0  # a socket of another process
        self.port = 61000  # the last that was tried
        self.other: winsock.Process | None = None  # that process
        self.keep: list[Any] = []
        self.thread = k32.OpenThread(0, 0, self.tid)
        self.listening = self.make("listening")
        self.port = self.port_of(self.listening)
        self.target4 = sin(self.port)
        self.memory()
        self.event = ws.WSACreateEvent()

    # -- events, windows

    @property
    def window(self) -> int:
        """A window; a new one if the old one is gone."""
        if not user32.IsWindow(self.known.get("window", 0)):
            self.known["window"] = user32.CreateWindowExW(0, "static", None, 0, 0, 0, 0, 0, -3, None, None, None)
        return self.known["window"]

    def window_class(self, extended: bool) -> bytes:
        """A WNDCLASS or WNDCLASSEX whose name nobody has used."""
        name = self.held(f"class {len(self.keep)}\0".encode("utf-16-le"))
        fields = (0, 0, 0, 0, 0, 0, 0, 0, 0, name)
        return struct.pack("<IIQiiQQQQQQQ", 80, *fields, 0) if extended else struct.pack("<I4xQiiQQQQQQ", *fields)

    @staticmethod
    def quit(value: Any) -> Any:
        """So that a call that waits for a message has one, whichever it wants."""
        user32.PostQuitMessage(0)
        return value

    @staticmethod
    def task() -> int:
        """The handle of a look-up; it may be done by now."""
        return ws.WSAAsyncGetProtoByNumber(None, 0, 6, None, 0)

    # -- requests

    @staticmethod
    def new_event() -> int:
        return ws.WSACreateEvent()

    def pending(self) -> int:
        """A socket with a receive that waits."""
        s = self.socket(c.AF_INET, c.SOCK_DGRAM)
        self.spares.append(s)
        self.ok(ws.bind(s, sin(), 16))
        overlapped, flags = bytearray(32), ctypes.c_uint32()
        self.keep.append(overlapped)
        assert ws.WSARecv(s, self.buffers, 2, None, flags, overlapped, None) == -1
        assert ws.WSAGetLastError() == WSA.WSA_IO_PENDING
        return s

    def waiting_thread(self) -> int:
        """A thread that looks as if it were in a blocking call."""
        state = self.process.thread()
        state = type(state)(self.process)
        state.blocking = 1
        self.keep.append(state)
        return self.process.handles.add(ThreadObject(state))

    def registered(self) -> int:
        """A registered wait for an event that nobody signals."""
        handle = bytearray(8)
        assert k32.RegisterWaitForSingleObject(handle, ws.WSACreateEvent(), print, 0, 0xFFFFFFFF, 8)
        return int.from_bytes(handle, "little")

    def afd(self) -> bytes:
        """OBJECT_ATTRIBUTES of the driver."""
        path = r"\Device\Afd\hostile".encode("utf-16-le")
        name = struct.pack("<HH4xQ", len(path), len(path), self.held(path))
        return struct.pack("<I4xQQI4xQQ", 48, 0, self.held(name), 0, 0, 0)

    def full_port(self) -> int:
        """The completion port, with a packet."""
        k32.PostQueuedCompletionStatus(self.port_handle, 1, 2, None)
        return self.port_handle

    # -- sockets

    @staticmethod
    def socket(family: int = c.AF_INET, kind: int = c.SOCK_STREAM) -> int:
        s = ws.socket(family, kind, 0)
        assert s != NO_SOCKET, WSA(ws.WSAGetLastError())
        assert ws.ioctlsocket(s, c.FIONBIO, b"\1\0\0\0") == 0
        return s

    @staticmethod
    def ok(result: int) -> None:
        assert result == 0, WSA(ws.WSAGetLastError())

    def port_of(self, s: int) -> int:
        name = bytearray(128)
        self.ok(ws.getsockname(s, name, ctypes.c_int(128)))
        return int.from_bytes(name[2:4], "big")

    def drain(self) -> None:
        """Take and close the connections that nobody took."""
        while (s := ws.accept(self.listening, None, None)) != NO_SOCKET:
            ws.closesocket(s)

    def connected(self) -> int:
        self.drain()
        s = self.socket()
        ws.connect(s, self.target4, 16)
        write = bytearray(struct.pack("<I4xQ", 1, s))
        assert ws.select(0, None, write, None, struct.pack("<ii", 60, 0)) == 1
        read = bytearray(struct.pack("<I4xQ", 1, self.listening))
        assert ws.select(0, read, None, None, struct.pack("<ii", 60, 0)) == 1
        peer = ws.accept(self.listening, None, None)
        assert peer != NO_SOCKET
        assert ws.send(peer, b"waiting", 7, 0) == 7
        read = bytearray(struct.pack("<I4xQ", 1, s))
        assert ws.select(0, read, None, None, struct.pack("<ii", 60, 0)) == 1
        self.spares.append(peer)
        return s

    def make(self, state: str) -> int:
        family = {"fresh v6": c.AF_INET6, "unix": c.AF_UNIX}.get(state, c.AF_INET)
        if state in ("connected", "ended"):
            s = self.connected()
            if state == "ended":
                self.ok(ws.shutdown(s, c.SD_BOTH))
            return s
        s = self.socket(family, c.SOCK_DGRAM if "udp" in state else c.SOCK_STREAM)
        if state in ("bound", "listening", "udp", "udp peer"):
            self.ok(ws.bind(s, sin(), 16))
        if state == "listening":
            self.ok(ws.listen(s, 50))
        if state == "udp peer":
            self.ok(ws.connect(s, sin(self.port_of(s)), 16))
            assert ws.send(s, b"waiting", 7, 0) == 7
        return s

    def at(self, state: str) -> int:
        """The socket of that state, a new one if the old one is gone."""
        if self.known.get(state) not in self.process.sockets:
            self.known[state] = self.make(state)
        return self.known[state]

    def renew(self, state: str) -> None:
        """The last call changed it."""
        old = self.known.pop(state, None)
        if old in self.process.sockets:
            ws.ioctlsocket(old, c.FIONBIO, bytes(4))
            ws.closesocket(old)
        for spare in self.spares:
            ws.closesocket(spare)
        self.spares.clear()
        self.drain()

    @property
    def s(self) -> int:
        return self.at(self.state)

    def spare(self) -> int:
        """A socket to be closed."""
        s = self.socket()
        self.spares.append(s)
        return s

    def closed(self) -> int:
        """The handle of a socket that is no more."""
        s = self.socket()
        self.ok(ws.closesocket(s))
        return s

    def unused_port(self) -> int:
        """A port that nobody has, in network order."""
        while True:
            with ports.reserve(1, "tcp") as block:
                port = block.ports[0]
                try:
                    ports.reserve(1, "udp", start=port).close()
                except ports.PortError:
                    continue
            return linux.htons(port)

    def reserved_port(self, protocol: str) -> int:
        """The port of a persistent reservation, in network order."""
        if os.getuid():
            pytest.skip("only root may write the persistent reservations")
        port = self.unused_port()
        ports.persistent.create(linux.ntohs(port), 1, protocol.lower())
        return port

    @property
    def v6(self) -> bool:
        return self.state == "fresh v6"

    @property
    def target(self) -> bytes:
        return sin6(self.port) if self.v6 else self.target4

    @property
    def any(self) -> bytes:
        return sin6() if self.v6 else sin()

    @property
    def group(self) -> bytes:
        return sin6(7777, "ff02::7") if self.v6 else sin(7777, "239.1.2.3")

    def look(self) -> Any:
        """All that an endpoint knows of itself, and what the network knows."""
        ep: Any = self.process.sockets.get(self.known.get(self.state, 0))
        if ep is None:
            return None
        try:
            name = ep.transport.local_name()
            waiting = ep.transport.pending() if ep.state.name not in ("LISTENING", "OPEN") else 0
        except winsock.codes.WinsockError as e:
            name = waiting = e.code
        return ep.snapshot(), ep.handle, ep.closed, name, waiting

    # -- memory

    def held(self, data: bytes) -> int:
        """The address of a copy that lives as long as this."""
        buffer = ctypes.create_string_buffer(data, len(data))
        self.keep.append(buffer)
        return ctypes.addressof(buffer)

    def region(self, pages: int = 1, protection: int = c.PAGE_READWRITE) -> int:
        # With a page behind that nobody may touch: what the kernel maps there is not ours to know.
        base = k32.VirtualAlloc(None, (pages + 1) * PAGE, c.MEM_COMMIT | c.MEM_RESERVE, protection)
        assert base
        self.regions.append(base)
        assert k32.VirtualProtect(base + pages * PAGE, PAGE, c.PAGE_NOACCESS, ctypes.c_uint32(0))
        return base

    def memory(self) -> None:
        self.regions: list[int] = []
        self.pages = self.region()
        self.watched = k32.VirtualAlloc(
            None, PAGE, c.MEM_COMMIT | c.MEM_RESERVE | c.MEM_WRITE_WATCH, c.PAGE_READWRITE
        )
        self.regions.append(self.watched)
        base = self.region(2)
        assert k32.VirtualProtect(base + PAGE, PAGE, c.PAGE_NOACCESS, ctypes.c_uint32(0))
        self.edge, self.nowhere = base + PAGE, base + PAGE + 64
        self.readonly = self.region(1, c.PAGE_READONLY)
        self.buffers = b"".join(struct.pack("<I4xQ", 8, self.held(b"scatter!")) for _ in range(2))
        self.address_list = struct.pack("<i4xQi4x", 1, self.held(self.target4), 16)
        info, n = bytearray(8192), ctypes.c_int(8192)
        assert ws.WSAEnumProtocolsW(None, info, n) > 0
        self.provider = bytes(info[20:36])
        self.folder = os.getcwd()
        self.file_name = os.path.join(self.folder, "file")
        with open(self.file_name, "wb") as file:
            file.write(b"bytes" * 100)
        self.file = k32.CreateFileW(self.file_name, c.GENERIC_READ | c.GENERIC_WRITE, 0, None, 3, 0, None)
        self.port_handle = k32.CreateIoCompletionPort(-1, 0, 0, 0)
        assert self.file != NO_SOCKET
        assert self.port_handle

    def message(self, name: bytes | None = None) -> bytearray:
        """A WSAMSG with an address and two buffers."""
        where = self.held(name if name is not None else bytes(28))
        head = struct.pack("<Qi4xQI4x", where, len(name or bytes(28)), self.held(self.buffers), 2)
        return bytearray(head + bytes(24))

    # -- callbacks

    @staticmethod
    def condition(*args: Any) -> int:
        return c.CF_ACCEPT

    @staticmethod
    def apc(data: Any) -> None:
        pass

    def close(self) -> None:
        for base in self.regions:
            k32.VirtualFree(base, 0, c.MEM_RELEASE)
        for handle in list(self.process.handles.objects):
            k32.CloseHandle(handle)


@pytest.fixture
def process(nothing_left):
    """A process where Winsock is started."""
    process = winsock.Process()
    with process.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        yield process
        while process.startups:
            ws.WSACleanup()


@pytest.fixture
def zoo(process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where files that are made without a folder go
    monkeypatch.setenv("WINSOCK_PORTS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", "")
    zoo = Zoo(process)
    other = winsock.Process()
    with other.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        for _ in range(2000):
            other.handles.add(object())  # so that its numbers are none of ours
        zoo.foreign = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    zoo.other = other
    yield zoo
    zoo.close()
    with other.attached():
        ws.WSACleanup()


@pytest.fixture
def on_thread(process):
    """Run functions on threads of the process; their results in order."""

    def run(*functions: Any) -> list[Any]:
        results: list[Any] = [None] * len(functions)

        def work(i: int) -> None:
            with process.attached():
                results[i] = functions[i]()

        threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(functions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "still running"
        return results

    return run
