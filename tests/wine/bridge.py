"""Call Windows API functions, as Wine has them, from a test on Linux.

    with Wine() as w:
        ws = w.dll("ws2_32")
        ws.WSAStartup(0x0202, bytearray(408))
        print(ws.socket(AF_INET, SOCK_STREAM, IPPROTO_UDP))      # <socket -> -1, 10043>

caller.exe (from caller.c; the protocol is described there) runs under Wine and makes the calls, each on a thread
that the test names, so that one that blocks can be watched and interrupted.  The last error is 0 before each call:
what is left of an earlier one cannot pass for news.

Wine is evidence, not Windows: where it is known to differ, a twin says so (tests/twins/conftest.py).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import subprocess
import threading
from typing import Any

from calls import Result
from environment import CALLER, environment, wine

# Functions of ws2_32 whose result is not an int.
RETURNS = {
    "socket WSASocketA WSASocketW accept WSAAccept WSAJoinLeaf WSACreateEvent": "i64",
    "gethostbyname gethostbyaddr getservbyname getservbyport getprotobyname getprotobynumber "
    "inet_ntoa inet_ntop InetNtopW": "u64",
    "htonl ntohl inet_addr WSAWaitForMultipleEvents": "u32",
    "htons ntohs": "u16",
}
KINDS = {name: kind for names, kind in RETURNS.items() for name in names.split()}


class WineError(Exception):
    """Wine refused a request, crashed in a call, or died."""


def convert(raw: int, kind: str) -> int:
    """A register as a C type: i32, u64, ..."""
    bits = int(kind[1:])
    raw &= (1 << bits) - 1
    return raw - (1 << bits) if kind[0] == "i" and raw >> (bits - 1) else raw


class Memory:
    """Memory of the Windows process, zero at first; stands for its address in calls."""

    def __init__(self, owner: Wine, addr: int, size: int) -> None:
        self.owner, self.addr, self.size = owner, addr, size

    def read(self) -> bytes:
        return self.owner.read(self.addr, self.size)

    def __index__(self) -> int:
        return self.addr


class Call:
    """A call under way."""

    def __init__(self, wine: Wine, function: Function | None, outs: list[Any]) -> None:
        self.wine, self.function, self._outs = wine, function, outs
        self._done, self._reply = threading.Event(), ""

    def answer(self, reply: str) -> None:
        self._reply = reply
        self._done.set()

    def blocks(self, seconds: float = 0.2) -> bool:
        """Give it time to get going; whether it is still running then."""
        return not self._done.wait(seconds)

    def words(self, timeout: float) -> list[str]:
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.function and self.function.name} still running after {timeout} s")
        status, _, rest = self._reply.partition(" ")
        if status != "ok":
            raise WineError(rest or self.wine.dead)
        return rest.split()

    def join(self, timeout: float = 10) -> Result:
        assert self.function is not None
        raw, last, _, _, fault, *copies = self.words(timeout)
        for copy_back, data in zip(self._outs, copies):
            copy_back(bytes.fromhex(data))
        if not fault.startswith("0:"):
            raise WineError(f"{self.function.name} crashed: {fault}")
        return Result(self.function.name, convert(int(raw, 16), self.function.kind), int(last, 16))


class Function:
    """A function of a DLL.

    Arguments: int, None, Result, Memory, Callback; bytes (copied in); str (copied in, NUL-terminated, UTF-16 where
    the name ends in W); bytearray and ctypes objects (copied in, and back out after the call).
    """

    def __init__(self, wine: Wine, addr: int, name: str, kind: str) -> None:
        self.wine, self.addr, self.name, self.kind = wine, addr, name, kind

    def __call__(self, *args: Any, thread: Thread | None = None, timeout: float = 5) -> Result:
        thread = thread or self.wine.main
        try:
            return thread.start(self, *args).join(timeout)
        except TimeoutError:
            if thread is self.wine.main:  # which stays in the call
                self.wine.main = self.wine.thread(f"main{id(args):x}")
            raise

    def encode(self, args: tuple[Any, ...]) -> tuple[list[str], list[Any]]:
        """Words of the protocol for the arguments, and who takes the bytes that come back."""
        words, outs = [], []
        for a in args:
            if a is None:
                words.append("u0")
            elif isinstance(a, str):
                words.append("r" + (a + "\0").encode("utf-16-le" if self.name.endswith("W") else "utf-8").hex())
            elif isinstance(a, bytes):
                words.append("r" + a.hex())
            elif isinstance(a, bytearray):
                words.append("w" + a.hex())
                outs.append(lambda data, a=a: a.__setitem__(slice(0, len(data)), data))
            elif isinstance(a, (ctypes.Structure, ctypes.Array, ctypes._SimpleCData)):
                words.append("w" + bytes(a).hex())
                outs.append(lambda data, a=a: ctypes.memmove(ctypes.addressof(a), data, len(data)))
            else:
                words.append(f"u{a.__index__() & (1 << 64) - 1:x}")
        return words, outs


class Dll:
    """A loaded DLL; its exports are attributes."""

    def __init__(self, wine: Wine, name: str) -> None:
        self._wine, self._name = wine, name
        (self._handle,) = wine.request("lib", name)

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            (addr,) = self._wine.request("sym", self._handle, name)
        except WineError:
            raise AttributeError(f"{self._name} has no export {name}") from None
        function = Function(self._wine, int(addr, 16), name, KINDS.get(name, "i32"))
        setattr(self, name, function)
        return function


class Thread:
    """A thread of the Windows process; runs one call at a time."""

    def __init__(self, wine: Wine, name: str) -> None:
        self.wine, self.name = wine, name
        wine.request("thread", name)

    def start(self, function: Function, *args: Any) -> Call:
        """Begin a call and come back at once."""
        words, outs = function.encode(args)
        call = Call(self.wine, function, outs)
        preset = "-" if function.name in ("GetLastError", "WSAGetLastError") else "0"
        self.wine.send(call, "call", self.name, preset, f"{function.addr:x}", *words)
        return call


class Callback:
    """A function for Windows to call with up to 8 arguments; returns `ret` and records them."""

    def __init__(self, wine: Wine, slot: int, spec: str, ret: int) -> None:
        self.invocations: list[list[int]] = []
        self.addr = int(wine.request("callback", f"{slot:x}", "log", f"{ret & (1 << 64) - 1:x}", spec)[0], 16)

    def __index__(self) -> int:
        return self.addr


class Wine:
    """A Windows process under Wine."""

    def __init__(self) -> None:
        self.dead = ""
        self._calls: dict[str, Call] = {}
        self._callbacks: list[Callback | None] = []
        self._lock = threading.Lock()
        self._next = 0
        self._process = subprocess.Popen(
            [wine(), str(CALLER)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        atexit.register(self.close)
        self._hello = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._hello.wait(120) or self.dead:
            self.close()
            raise WineError("caller.exe did not start")
        self.main = self.thread("main")

    def __enter__(self) -> Wine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever its threads are doing."""
        atexit.unregister(self.close)
        assert self._process.stdin
        try:
            self._process.stdin.close()
            self._process.wait(3)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._reader.join(3)
        assert self._process.stdout
        self._process.stdout.close()

    def dll(self, name: str) -> Dll:
        return Dll(self, name)

    def thread(self, name: str) -> Thread:
        return Thread(self, name)

    def callback(self, spec: str, ret: int = 0) -> Callback:
        """spec has a letter per argument: v a value, b a WSABUF*."""
        self._callbacks.append(None)
        slot = len(self._callbacks) - 1
        self._callbacks[slot] = callback = Callback(self, slot, spec, ret)
        return callback

    def alloc(self, what: int | bytes) -> Memory:
        """Memory that outlives a call: a size, or its contents."""
        size = what if isinstance(what, int) else len(what)
        memory = Memory(self, int(self.request("alloc", f"{size:x}")[0], 16), size)
        if not isinstance(what, int):
            self.request("write", f"{memory.addr:x}", what.hex())
        return memory

    def read(self, addr: int, n: int) -> bytes:
        words = self.request("read", f"{addr:x}", f"{n:x}")
        return bytes.fromhex(words[0]) if words else b""

    # -- the pipe to caller.exe

    def request(self, *words: str) -> list[str]:
        call = Call(self, None, [])
        self.send(call, *words)
        return call.words(20)

    def send(self, call: Call, *words: str) -> None:
        assert self._process.stdin
        with self._lock:
            if self.dead:
                raise WineError(self.dead)
            self._next += 1
            self._calls[f"{self._next:x}"] = call
            line = memoryview(f"{self._next:x} {' '.join(words)}\n".encode())
            while line:
                line = line[os.write(self._process.stdin.fileno(), line) :]

    def _read(self) -> None:
        assert self._process.stdout
        fd, pending = self._process.stdout.fileno(), b""
        while chunk := os.read(fd, 1 << 16):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._take(line.decode())
        with self._lock:
            self.dead = "the Windows process has ended"
            calls, self._calls = self._calls, {}
        for call in calls.values():  # nobody waits for the dead
            call.answer("")
        self._hello.set()

    def _take(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if first == "caller":
            self._hello.set()
        elif first == "*":
            slot, _, _, *values = rest.split()
            if callback := self._callbacks[int(slot, 16)]:
                callback.invocations.append([int(v.partition(":")[0], 16) for v in values])
        else:
            with self._lock:
                call = self._calls.pop(first)
            call.answer(rest)
