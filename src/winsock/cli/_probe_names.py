"""What the calls of winsock probe can name, and how what they return is shown."""

from __future__ import annotations

import ctypes
import importlib
import inspect
import ipaddress
import socket as linux
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import winsock
from winsock import codes
from winsock.abi import _constants as c

FACES = ("ws2_32", "mswsock", "iphlpapi", "kernel32", "user32", "ntdll")
LARGEST_BUFFER = 1 << 26
MICROSECONDS = 1_000_000
# Functions whose -1 is a value like any other.
_PLAIN = {"htonl", "ntohl", "inet_addr", "WSAGetLastError", "GetLastError"}
_HANDLES = {"socket", "WSASocketA", "WSASocketW", "accept", "WSAAccept", "WSAJoinLeaf"}
_READ_THE_ERROR = {"WSAGetLastError", "GetLastError", "WSASetLastError", "SetLastError"}


class BadInput(Exception):
    """A call that makes no sense; the text says why."""


class FdSet(bytearray):
    """An fd_set."""

    def sockets(self) -> list[int]:
        (n,) = struct.unpack_from("<I", self)
        return list(struct.unpack_from(f"<{n}Q", self, 8))


class PollFds(bytearray):
    """WSAPOLLFD[]."""

    def entries(self) -> list[tuple[int, int, int]]:
        return list(struct.iter_unpack("<Qhh4x", self))


def described(value: Any) -> str:
    """A value as a reader wants it."""
    if isinstance(value, FdSet):
        return f"sockets {value.sockets()}"
    if isinstance(value, PollFds):
        return ", ".join(f"{s}: revents {_poll_flags(r & 0xFFFF)}" for s, _, r in value.entries())
    if isinstance(value, bytes | bytearray):
        return _bytes(bytes(value))
    if isinstance(value, ctypes._SimpleCData):
        return str(value.value)
    if isinstance(value, int) and value > 0xFFFFFF:
        return f"{value:#x}"
    return str(value) if isinstance(value, str) else repr(value)


def _bytes(data: bytes) -> str:
    if (text := _name(data)) is not None:
        return text
    shown = data.rstrip(b"\0")
    tail = f" ({len(data)} bytes)" if len(shown) < len(data) else ""
    return (f"{shown[:64]!r}..." if len(shown) > 64 else repr(shown)) + tail


def _poll_flags(value: int) -> str:
    names = ("POLLRDNORM", "POLLRDBAND", "POLLWRNORM", "POLLERR", "POLLHUP", "POLLNVAL", "POLLPRI")
    return "|".join(n for n in names if value & getattr(c, n)) or "0"


def _name(data: bytes) -> str | None:
    """host:port of a sockaddr; None if it is none."""
    if len(data) >= 28 and data[:2] == b"\x17\0":
        return f"[{ipaddress.IPv6Address(data[8:24])}]:{int.from_bytes(data[2:4], 'big')}"
    if len(data) >= 16 and data[:2] == b"\2\0" and data[8:16] == bytes(8):
        return f"{ipaddress.IPv4Address(data[4:8])}:{int.from_bytes(data[2:4], 'big')}"
    return None


# -- helpers that calls can use


def buf(what: int | bytes) -> bytearray:
    """A buffer: a size, or what is in it."""
    if isinstance(what, int) and not 0 <= what <= LARGEST_BUFFER:
        raise BadInput(f"buf({what}): from 0 to {LARGEST_BUFFER} bytes")
    return bytearray(what)


def sin(host: str = "127.0.0.1", port: int = 0, family: int = c.AF_INET) -> bytearray:
    """A sockaddr_in."""
    return bytearray(
        struct.pack("<H", family) + struct.pack(">H", port) + ipaddress.IPv4Address(host).packed + bytes(8)
    )


def sin6(host: str = "::1", port: int = 0, flowinfo: int = 0, scope: int = 0) -> bytearray:
    """A sockaddr_in6."""
    address = linux.inet_pton(linux.AF_INET6, host)
    return bytearray(
        struct.pack("<H", c.AF_INET6) + struct.pack(">HI", port, flowinfo) + address + struct.pack("<I", scope)
    )


def name(data: bytes | bytearray) -> str:
    """What a sockaddr in a buffer says."""
    return _name(bytes(data)) or "no address"


def fd_set(*sockets: int) -> FdSet:
    """An fd_set with these sockets."""
    mask = (1 << 64) - 1
    return FdSet(struct.pack(f"<Ixxxx{len(sockets)}Q", len(sockets), *(s & mask for s in sockets)).ljust(520, b"\0"))


def timeval(seconds: float) -> bytes:
    """A timeval."""
    return struct.pack("<ii", int(seconds), round(seconds % 1 * MICROSECONDS))


def pollfd(*pairs: int) -> PollFds:
    """WSAPOLLFD[] of (socket, events, socket, events, ...)."""
    if len(pairs) % 2:
        raise BadInput("pollfd takes pairs: socket, events, ...")
    return PollFds(b"".join(struct.pack("<Qhhxxxx", s, e, 0) for s, e in zip(pairs[::2], pairs[1::2])))


def linger(on: int, seconds: int) -> bytes:
    """A LINGER structure."""
    return struct.pack("<HH", on, seconds)


HELPERS: dict[str, Any] = {
    "buf": buf, "sin": sin, "sin6": sin6, "name": name, "fd_set": fd_set, "timeval": timeval, "pollfd": pollfd,
    "linger": linger, "i32": ctypes.c_int32, "u32": ctypes.c_uint32, "u64": ctypes.c_uint64, "len": len, "hex": hex,
    "NULL": None, "TRUE": 1, "FALSE": 0, "INADDR_ANY": 0,
}  # fmt: skip


# -- calls


class Function:
    """A function of the C-shaped API whose calls are recorded on the thread that makes them."""

    def __init__(self, names: Names, name: str, call: Callable[..., Any]) -> None:
        self.names, self.name, self.call = names, name, call
        own = getattr(call, "__winsock__", None)
        try:
            parameters = list(inspect.signature(own or call).parameters.values())
            self.signature: inspect.Signature | None = inspect.Signature(parameters[1:] if own else parameters)
        except (TypeError, ValueError):
            self.signature = None

    def __call__(self, *args: Any) -> Any:
        if self.signature is not None:
            try:
                self.signature.bind(*args)
            except TypeError as e:
                raise BadInput(f"{self.name}({', '.join(self.signature.parameters)}): {e}") from None
        record = Record(self.name, args)
        if self.name not in _READ_THE_ERROR:
            self.names.ws.WSASetLastError(0)
        record.value = self.call(*args)
        record.error = self.names.ws.WSAGetLastError()
        work = getattr(self.names.current, "work", None)
        if work is not None:
            work.calls.append(record)
        return record.value


class Record:
    """A call that was made."""

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name, self.args = name, args
        self.before = [_snapshot(a) for a in args]
        self.value: Any = None
        self.error = 0

    def lines(self, names: Names, with_name: bool) -> Iterator[str]:
        """What to print of it."""
        prefix = f"{self.name} " if with_name else ""
        yield f"{prefix}-> {self._value()}"
        if self.error and self.name not in _READ_THE_ERROR:
            yield names.error_line(self.error)
        elif self.name in ("WSAGetLastError", "GetLastError") and self.value:
            yield names.error_line(self.value)
        for number, (arg, before) in enumerate(zip(self.args, self.before), 1):
            if before is not None and _snapshot(arg) != before:
                yield f"argument {number}: {described(arg)}"

    def _value(self) -> str:
        if self.value == c.INVALID_SOCKET and self.name in _HANDLES:
            return "INVALID_SOCKET"
        if self.value == c.SOCKET_ERROR and self.name not in _PLAIN:
            return "SOCKET_ERROR (-1)"
        return described(self.value)


def _snapshot(value: Any) -> bytes | None:
    return bytes(value) if isinstance(value, bytearray | ctypes._SimpleCData | ctypes.Structure) else None


class Work:
    """An expression under way on a thread of its own."""

    def __init__(self, names: Names, code: Any) -> None:
        self.calls: list[Record] = []
        self.value: Any = None
        self.error: BaseException | None = None
        self._done = threading.Event()
        self._names, self._code = names, code

    def run(self) -> None:
        self._names.current.work = self
        try:
            self.value = eval(self._code, {"__builtins__": {}}, self._names)
        except Exception as e:
            self.error = e
        self._done.set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(seconds)


class Thread:
    """A thread of the Windows process; makes one expression's calls at a time."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._ready, self._work = threading.Semaphore(0), None
        self.busy: Work | None = None
        threading.Thread(target=self._main, daemon=True).start()

    def start(self, code: Any) -> Work:
        self.busy = self._next = Work(self._names, code)
        self._ready.release()
        return self.busy

    def _main(self) -> None:
        with self._names.process.attached():
            while True:
                self._ready.acquire()
                self._next.run()


class Names(dict[str, Any]):
    """The namespace of the calls: constants, codes, helpers, functions, and the user's variables."""

    def __init__(self, lang: str) -> None:
        codes.message(int(codes.WSA.WSAEINVAL), lang)  # ValueError for a language that is not there
        super().__init__({k: v for k, v in vars(c).items() if k.isupper() or k[:1].isupper()})
        self.update((code.name, int(code)) for code in codes.WSA)
        self.lang, self.process = lang, winsock.Process()
        self.current = threading.local()  # .work: the expression that a thread is at
        self.ws = importlib.import_module("winsock.ws2_32")
        for face in FACES:
            try:
                module = importlib.import_module(f"winsock.{face}")
            except ImportError:
                continue
            for name, value in vars(module).items():
                if not name.startswith("_") and callable(value) and not isinstance(value, type):
                    self[name] = Function(self, name, value)
        self.update(HELPERS)
        self._threads: list[Thread] = []

    def start(self) -> None:
        """WSAStartup(2.2)."""
        with self.process.attached():
            self.ws.WSAStartup(0x0202, bytearray(408))

    def thread(self) -> Thread:
        """A thread that is not in a call; the same one as long as none waits."""
        for thread in self._threads:
            if thread.busy is None or thread.busy.wait(0):
                return thread
        self._threads.append(Thread(self))
        return self._threads[-1]

    def matching(self, part: str) -> list[str]:
        """Functions with their parameters, and constants with their values, that have the part in their names."""
        shown = []
        for name in sorted(self, key=str.lower):
            if part.lower() in name.lower():
                value = self[name]
                if isinstance(value, Function):
                    parameters = value.signature.parameters if value.signature else ["..."]
                    shown.append(f"{name}({', '.join(parameters)})")
                elif isinstance(value, int):
                    shown.append(f"{name} = {value}" + (f" ({value:#x})" if value > 9 else ""))
        return shown

    def error_line(self, code: int) -> str:
        """A code with its name and what it means."""
        entry = codes.explain(code, lang=self.lang)
        if entry is None:
            return f"last error {code}"
        return f"last error {code} {entry.name}: {entry.meaning}"
