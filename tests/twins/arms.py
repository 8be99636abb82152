"""The two arms of a twin under one interface, and the kit of sockets that checks begin with."""

from __future__ import annotations

import ctypes
import importlib
import queue
import socket as linux
import struct
import threading
from typing import Any

from calls import Result

from winsock.abi import _constants as c

FAILED = -1  # SOCKET_ERROR; INVALID_SOCKET reads as -1 too
NO_SOCKET = 0x7FFFFFFC  # a handle that nobody has


class Call:
    """A call under way on a thread of the arm here."""

    def __init__(self, arm: Here, name: str) -> None:
        self.arm, self.name, self._done, self._outcome = arm, name, threading.Event(), None
        self.state: Any = None  # of the thread that it runs on

    def finish(self, outcome: Any) -> None:
        self._outcome = outcome
        self._done.set()

    def blocks(self) -> bool:
        """Wait until a socket knows that the call waits for it; False if the call ends instead."""
        while not self._done.wait(0.001):
            if any(self.state in ep.waiters for ep in list(self.arm.process.sockets.values())):
                return True
        return False

    def join(self, timeout: float = 60) -> Result:
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.name} still running after {timeout} s")
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class Thread:
    """A thread attached to the process under test; runs one call at a time."""

    def __init__(self, arm: Here, name: str) -> None:
        self.arm, self._calls = arm, queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def start(self, function: Function, *args: Any) -> Call:
        call = Call(self.arm, function.name)
        self._calls.put((call, function, args))
        return call

    def quit(self) -> None:
        self._calls.put(None)
        self._thread.join(2)

    def _run(self) -> None:
        ws = self.arm.module
        with self.arm.process.attached():
            while item := self._calls.get():
                call, function, args = item
                call.state = self.arm.process.thread()
                try:
                    if function.name != "WSAGetLastError":
                        ws.WSASetLastError(0)
                    value = function.call(*map(_argument, args))
                    value = 0 if value is None else int(value)
                    if value == c.INVALID_SOCKET:
                        value = FAILED
                    call.finish(Result(function.name, value, ws.WSAGetLastError()))
                except BaseException as e:  # a C-shaped call never raises: the check must hear of it
                    call.finish(e)


def _argument(value: Any) -> Any:
    if isinstance(value, Result):
        return value.ret
    return value.addr if isinstance(value, Memory) else value


class Function:
    def __init__(self, arm: Here, name: str, call: Any) -> None:
        self.arm, self.name, self.call = arm, name, call

    def __call__(self, *args: Any, thread: Thread | None = None, timeout: float = 60) -> Result:
        return (thread or self.arm.main).start(self, *args).join(timeout)


class Dll:
    def __init__(self, arm: Here, module: Any) -> None:
        self._arm, self._module = arm, module

    def __getattr__(self, name: str) -> Function:
        function = Function(self._arm, name, getattr(self._module, name))
        setattr(self, name, function)
        return function


class Memory:
    """Memory of this process; stands for its address in calls."""

    def __init__(self, what: int | bytes) -> None:
        data = bytes(what)
        self._held = ctypes.create_string_buffer(data, len(data))
        self.addr, self.size = ctypes.addressof(self._held), len(data)

    def read(self) -> bytes:
        return self._held.raw

    def __index__(self) -> int:
        return self.addr


class Callback:
    def __init__(self, ret: int) -> None:
        self.ret, self.invocations = ret, []

    def __call__(self, *args: Any) -> int:
        self.invocations.append([0 if a is None else int(a) for a in args])
        return self.ret


class Here:
    """A Windows process of winsock's, in this interpreter."""

    wine = False

    def __init__(self) -> None:
        import winsock

        self.module, self.process = importlib.import_module("winsock.ws2_32"), winsock.Process()
        self.ws = Dll(self, self.module)
        self.user = Dll(self, importlib.import_module("winsock.user32"))
        self.kernel = Dll(self, importlib.import_module("winsock.kernel32"))
        self.mswsock = Dll(self, importlib.import_module("winsock.mswsock"))
        self.nt = Dll(self, importlib.import_module("winsock.ntdll"))
        self._threads: list[Thread] = []
        self.main = self.thread("main")

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *exc: object) -> None:
        while self.ws.WSACleanup().ret == 0:
            pass
        for thread in self._threads:
            thread.quit()

    def thread(self, name: str) -> Thread:
        self._threads.append(Thread(self, name))
        return self._threads[-1]

    def callback(self, spec: str, ret: int = 0) -> Callback:
        return Callback(ret)

    def function(self, address: int, name: str) -> Function:
        """What a pointer leads to that a call handed out."""
        import winsock

        return Function(self, name, winsock.function(address))

    def alloc(self, what: int | bytes) -> Memory:
        return Memory(what)

    def read(self, addr: int, n: int) -> bytes:
        return ctypes.string_at(addr, n)


class OnWine:
    """A Windows process under Wine."""

    wine = True

    def __init__(self) -> None:
        from bridge import Wine

        self._wine = Wine()
        self.ws, self.user = self._wine.dll("ws2_32"), self._wine.dll("user32")
        self.kernel = self._wine.dll("kernel32")
        self.mswsock, self.nt = self._wine.dll("mswsock"), self._wine.dll("ntdll")
        self.thread, self.callback = self._wine.thread, self._wine.callback
        self.alloc, self.read = self._wine.alloc, self._wine.read

    def function(self, address: int, name: str) -> Any:
        from bridge import Function

        return Function(self._wine, address, name, "i32")

    def __enter__(self) -> OnWine:
        return self

    def __exit__(self, *exc: object) -> None:
        self._wine.close()


# -- what C programs write


def sin(host: str = "127.0.0.1", port: int = 0, family: int = c.AF_INET) -> bytes:
    """A sockaddr_in."""
    return struct.pack("<H", family) + struct.pack(">H", port) + linux.inet_aton(host) + bytes(8)


def sin6(host: str = "::1", port: int = 0) -> bytes:
    """A sockaddr_in6."""
    head = struct.pack("<H", c.AF_INET6) + struct.pack(">HI", port, 0)
    return head + linux.inet_pton(linux.AF_INET6, host) + bytes(4)


def port_of(name: bytes | bytearray) -> int:
    return int.from_bytes(name[2:4], "big")


def host_of(name: bytes | bytearray) -> str:
    return linux.inet_ntoa(bytes(name[4:8]))


def i32(value: int = 0) -> ctypes.c_int32:
    return ctypes.c_int32(value)


def fd_set(*sockets: Any) -> bytearray:
    values = [int(s) & (1 << 64) - 1 for s in sockets]
    return bytearray(struct.pack(f"<Ixxxx{len(values)}Q", len(values), *values).ljust(520, b"\0"))


def members(data: bytearray) -> list[int]:
    (n,) = struct.unpack_from("<I", data)
    return list(struct.unpack_from(f"<{n}Q", data, 8))


def timeval(seconds: float = 0.0) -> bytes:
    return struct.pack("<ii", int(seconds), int(seconds % 1 * 1_000_000))


class Kit:
    """Sockets in the states that checks begin with; all are closed at the end."""

    def __init__(self, arm: Here | OnWine) -> None:
        self.arm, self.ws = arm, arm.ws
        self._sockets: list[Result] = []

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *exc: object) -> None:
        for s in self._sockets:
            self.ws.closesocket(s)

    def keep(self, s: Any) -> Any:
        assert s.ret not in (FAILED, 0), s
        self._sockets.append(s)
        return s

    def tcp(self) -> Any:
        return self.keep(self.ws.socket(c.AF_INET, c.SOCK_STREAM, 0))

    def udp(self) -> Any:
        return self.keep(self.ws.socket(c.AF_INET, c.SOCK_DGRAM, 0))

    def name(self, s: Any) -> bytes:
        data, n = bytearray(16), i32(16)
        assert self.ws.getsockname(s, data, n).ret == 0
        return bytes(data)

    def bound(self, s: Any) -> Any:
        assert self.ws.bind(s, sin(), 16).ret == 0
        return s

    def listener(self) -> Any:
        s = self.bound(self.tcp())
        assert self.ws.listen(s, 5).ret == 0
        return s

    def pair(self) -> tuple[Any, Any]:
        """Two connected streams: the one that connected, the one that was accepted."""
        listener, client = self.listener(), self.tcp()
        assert self.ws.connect(client, self.name(listener), 16).ret == 0
        return client, self.keep(self.ws.accept(listener, None, None))

    def nonblocking(self, s: Any) -> Any:
        assert self.ws.ioctlsocket(s, c.FIONBIO, ctypes.c_uint32(1)).ret == 0
        return s

    def deaf_port(self) -> int:
        """A port that refuses connections: it is held, so that nobody else gets it, and nobody listens."""
        return port_of(self.name(self.bound(self.tcp())))

    def option(self, s: Any, level: int, name: int, size: int = 4) -> tuple[Any, int]:
        """getsockopt as an int: (result, value)."""
        data, n = bytearray(size), i32(size)
        r = self.ws.getsockopt(s, level, name, data, n)
        return r, int.from_bytes(data[: n.value], "little", signed=True)

    def set(self, s: Any, level: int, name: int, value: int) -> Any:
        return self.ws.setsockopt(s, level, name, i32(value), 4)
