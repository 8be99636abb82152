"""Many threads at the same handles while others close them and open new ones."""

from __future__ import annotations

import ctypes
import random
import struct
import subprocess
import sys
import threading
from collections import defaultdict
from typing import Any

import pytest
from hostile_calls import TABLE
from test_sweep import code_name, outcome

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c

NO_SOCKET = (1 << 64) - 1
THREADS, STEPS, OPEN = 6, 250, 24
HOST = struct.pack("<HHI8x", c.AF_INET, 0, 0x100007F)


class NeverAgain(list[int]):
    """Free handles that stay so."""

    def append(self, handle: int) -> None:
        pass


class Crowd:
    """Threads of one process that share handles.

    Each pair of sockets has a tag, and sends nothing but that.  Numbers of handles are not used again here, so that a
    stale one is never somebody else's; those of descriptors are.
    """

    def __init__(self, process: winsock.Process, seed: int) -> None:
        self.process, self.seed = process, seed
        process.handles.free = NeverAgain()
        self.handles: list[int] = []
        self.tags: dict[int, set[bytes]] = defaultdict(set)
        self.lock = threading.Lock()
        self.next_tag = 0
        self.problems: list[str] = []
        self.working = THREADS
        self.received = 0

    # -- pairs

    def tag(self, *sockets: int) -> None:
        with self.lock:
            self.next_tag += 1
            tag = struct.pack("<H", self.next_tag)
            for s in sockets:
                self.tags[s].add(tag)
            self.handles += sockets

    def call(self, name: str, *args: Any) -> Any:
        """A call that may fail, but only with its codes; its result, None if it failed."""
        failed, code, result = outcome(TABLE[name], list(args))
        if failed and code not in TABLE[name].codes:
            self.problems.append(f"{name}{args!r:.80}: {code}")
        return None if failed else result

    def name(self, s: int) -> bytes:
        name = bytearray(16)
        return bytes(name) if self.call("getsockname", s, name, ctypes.c_int(16)) == 0 else b""

    def pair(self, rng: random.Random) -> None:
        """A new pair, of streams or of datagram sockets; some wait when there is nothing to do."""
        if rng.random() < 0.5:
            both = [self.call("socket", c.AF_INET, c.SOCK_DGRAM, 0) for _ in range(2)]
            for s in both:
                self.call("bind", s, HOST, 16)
            for s, other in (both, both[::-1]):
                self.call("connect", s, self.name(other), 16)
        else:
            listener = self.call("socket", c.AF_INET, c.SOCK_STREAM, 0)
            self.call("bind", listener, HOST, 16)
            self.call("listen", listener, 1)
            client = self.call("socket", c.AF_INET, c.SOCK_STREAM, 0)
            self.call("connect", client, self.name(listener), 16)
            both = [client, self.call("accept", listener, None, None)]
            self.call("closesocket", listener)
        for s in both:
            self.call("ioctlsocket", s, c.FIONBIO, b"\1\0\0\0")
            # A port that was another pair's: what came for that before this one was connected.
            while self.call("recv", s, bytearray(4096), 4096, 0) is not None:
                pass
        if rng.random() < 0.4:
            for s in both:
                self.call("ioctlsocket", s, c.FIONBIO, bytes(4))
        self.tag(*both)

    # -- what threads do

    def pick(self, rng: random.Random) -> int:
        with self.lock:
            return rng.choice(self.handles) if self.handles else 0

    def forget(self, s: int) -> None:
        with self.lock:
            if s in self.handles:
                self.handles.remove(s)

    def check(self, s: int, data: bytes) -> None:
        tags = self.tags[s]
        odd = {data[i : i + 2] for i in range(0, len(data) & ~1, 2)} - tags
        # A short read or write of a stream may shift the pairs of bytes.
        shifted = {data[i : i + 2] for i in range(1, len(data) - 1, 2)} - tags
        if odd and shifted:
            self.problems.append(f"{s} received {odd}, not {tags}")
        self.received += len(data)

    def send(self, s: int, rng: random.Random) -> None:
        with self.lock:
            tags = sorted(self.tags[s])
        if tags:
            data = tags[-1] * rng.choice((1, 50, 2000))
            if rng.random() < 0.5:
                self.call("send", s, data, len(data), 0)
            else:
                room = ctypes.create_string_buffer(data, len(data))
                some = struct.pack("<I4xQ", len(data), ctypes.addressof(room))
                self.call("WSASend", s, some, 1, ctypes.c_int(0), 0, None, None)

    def receive(self, s: int, rng: random.Random) -> None:
        room = bytearray(4096)
        if rng.random() < 0.5:
            n = self.call("recv", s, room, len(room), 0)
        else:
            n = self.call("recvfrom", s, room, len(room), 0, None, None)
        if n:
            self.check(s, bytes(room[:n]))

    def look(self, s: int, rng: random.Random) -> None:
        some = [s, self.pick(rng), self.pick(rng)]
        sets = [bytearray(struct.pack("<I4x3Q", 3, *some)) for _ in range(3)]
        self.call("select", 0, *sets, bytes(8))
        self.call("WSAPoll", bytearray(b"".join(struct.pack("<Qhhi", h, c.POLLIN, 0, 0) for h in some)), 3, 1)

    def misuse(self, s: int, rng: random.Random) -> None:
        """What makes no sense for a connected socket, and questions."""
        name = rng.choice(("bind", "connect", "listen", "accept", "getpeername", "getsockopt", "setsockopt"))
        args = {
            "bind": (s, HOST, 16),
            "connect": (s, HOST, 16),
            "listen": (s, 1),
            "accept": (s, None, None),
            "getpeername": (s, bytearray(16), ctypes.c_int(16)),
            "getsockopt": (s, c.SOL_SOCKET, c.SO_ERROR, bytearray(4), ctypes.c_int(4)),
            "setsockopt": (s, c.SOL_SOCKET, c.SO_KEEPALIVE, b"\1\0\0\0", 4),
        }[name]
        self.call(name, *args)

    def end(self, s: int, rng: random.Random) -> None:
        if rng.random() < 0.3:
            self.call("shutdown", s, rng.choice((c.SD_RECEIVE, c.SD_SEND, c.SD_BOTH)))
        else:
            self.close(s)

    def close(self, s: int) -> None:
        self.forget(s)
        self.call("closesocket", s)

    def share(self, s: int, rng: random.Random) -> None:
        """One more handle of the same socket, if it lives that long."""
        info = bytearray(628)
        if self.call("WSADuplicateSocketW", s, self.process.pid, info) == 0:
            with self.lock:
                tags = set(self.tags[s])
            new = self.call("WSASocketW", -1, -1, -1, info, 0, 0)
            if new is not None:
                with self.lock:
                    self.tags[new] |= tags | self.tags[s]
                    self.handles.append(new)

    def work(self, number: int) -> None:
        rng = random.Random(self.seed * 100 + number)
        steps = [self.send] * 5 + [self.receive] * 5 + [self.look] * 2 + [self.misuse] * 2 + [self.end, self.share]
        with self.process.attached():
            try:
                for _ in range(STEPS):
                    if len(self.handles) < OPEN:
                        self.pair(rng)
                    else:
                        rng.choice(steps)(self.pick(rng), rng)
            except Exception as e:
                self.problems.append(repr(e))
            finally:
                with self.lock:
                    self.working -= 1

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        rng = random.Random(self.seed)
        resting = threading.Event()
        while self.working:  # whoever waits is woken at last
            resting.wait(0.002)
            self.close(self.pick(rng))
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        for s in list(self.handles):
            self.close(s)


@pytest.mark.parametrize("seed", range(4))
def test_nobody_gets_another_pairs_bytes(process, seed):
    crowd = Crowd(process, seed)
    crowd.run()
    assert not crowd.problems, "\n".join(crowd.problems[:20])
    assert crowd.received
    assert not process.sockets


BLOCKING = {
    "recv": lambda s: ws.recv(s, bytearray(9), 9, 0),
    "WSARecv": lambda s: ws.WSARecv(s, BUFFER, 1, ctypes.c_int(0), ctypes.c_int(0), None, None),
    "recvfrom": lambda s: ws.recvfrom(s, bytearray(9), 9, 0, None, None),
    "select": lambda s: ws.select(0, bytearray(struct.pack("<I4xQ", 1, s)), None, None, None),
    "WSAPoll": lambda s: ws.WSAPoll(bytearray(struct.pack("<Qhhi", s, c.POLLIN, 0, 0)), 1, -1),
    "accept": lambda s: ws.accept(s, None, None),
}
ROOM = ctypes.create_string_buffer(9)
BUFFER = struct.pack("<I4xQ", 9, ctypes.addressof(ROOM))


def waiters(process: winsock.Process) -> int:
    return sum(ts.blocking for ts in process.threads)


def until(condition: Any) -> None:
    rest = threading.Event()
    while not condition():
        rest.wait(0.001)


@pytest.mark.parametrize("call", BLOCKING)
@pytest.mark.parametrize("end", ["closesocket", "WSACleanup"])
def test_threads_that_wait_when_all_is_over(process, call, end):
    """They return, with a code of their call, and the handle can be used again at once."""
    s = ws.socket(c.AF_INET, c.SOCK_STREAM if call == "accept" else c.SOCK_DGRAM, 0)
    assert ws.bind(s, HOST, 16) == 0
    if call == "accept":
        assert ws.listen(s, 5) == 0
    results: list[tuple[int, str]] = []

    def wait() -> None:
        with process.attached():
            result = BLOCKING[call](s)
            results.append((result, code_name(ws.WSAGetLastError()) if result in (-1, NO_SOCKET) else ""))

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: waiters(process) == 5)
    assert (ws.closesocket(s) if end == "closesocket" else ws.WSACleanup()) == 0
    for thread in threads:
        thread.join(30)
    assert len(results) == 5
    assert all(code in TABLE[call].codes for result, code in results if code)
    assert waiters(process) == 0


FORKS = """
import os, random, struct, sys, threading, warnings
import winsock.ws2_32 as ws
warnings.simplefilter("ignore")
host = struct.pack("<HHI8x", 2, 0, 0x100007F)

def start():
    assert ws.WSAStartup(0x202, bytearray(408)) == 0

def udp():
    s = ws.socket(2, 2, 0)
    assert s < 1 << 32 and ws.bind(s, host, 16) == 0
    return s

def name(s):
    data = bytearray(16)
    assert ws.getsockname(s, data, bytearray(struct.pack("<i", 16))) == 0
    return bytes(data)

def exchange():
    a, b = udp(), udp()
    assert ws.sendto(a, b"fork", 4, 0, name(b), 16) == 4
    assert ws.select(0, bytearray(struct.pack("<I4xQ", 1, b)), None, None, struct.pack("<ii", 30, 0)) == 1
    got = bytearray(9)
    assert ws.recv(b, got, 9, 0) == 4 and got[:4] == b"fork"
    assert ws.closesocket(a) == 0 and ws.closesocket(b) == 0

def sockets():
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink("/proc/self/fd/" + fd))
        except OSError:
            pass
    return {name for name in found if name.startswith("socket:")}

start()
over = False
def restless():
    while not over:
        exchange()
waiting, got = udp(), []
def waiter():
    room = bytearray(9)
    got.append((ws.recv(waiting, room, 9, 0), bytes(room[:4])))
threads = [threading.Thread(target=restless, daemon=True) for _ in range(3)]
last = threading.Thread(target=waiter, daemon=True)
for t in threads + [last]:
    t.start()
exchange()
for i in range(40):
    pid = os.fork()
    if pid == 0:
        try:
            exchange()
            before = sockets()
            assert ws.closesocket(waiting) == 0
            assert len(before - sockets()) == 1, "still open in the child"
            exchange()
            while ws.WSACleanup() == 0:
                pass
            os._exit(0)
        except BaseException as e:
            print(repr(e), file=sys.stderr)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0, i
    exchange()
over = True
for t in threads:
    t.join()
assert last.is_alive() and not got
s = udp()
assert ws.sendto(s, b"done", 4, 0, name(waiting), 16) == 4
last.join()
assert got == [(4, b"done")], got
"""


def test_forks_while_threads_wait_and_work():
    """A child has its own life; the threads of its parent know nothing of it."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", FORKS], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_sockets_that_are_made_during_the_last_cleanup(process):
    """Each is closed, or was never made."""
    assert ws.WSACleanup() == 0
    for _ in range(30):
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0

        def make(number: int) -> None:
            with process.attached():
                listener = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
                ws.bind(listener, HOST, 16)
                ws.listen(listener, 50)
                ws.ioctlsocket(listener, c.FIONBIO, b"\1\0\0\0")
                name, info = bytearray(16), bytearray(628)
                ws.getsockname(listener, name, ctypes.c_int(16))
                while number < 2 and ws.socket(c.AF_INET, c.SOCK_DGRAM, 0) != NO_SOCKET:
                    pass
                while number == 2 and ws.WSADuplicateSocketW(listener, process.pid, info) == 0:
                    ws.WSASocketW(-1, -1, -1, info, 0, 0)
                    ws.WSADuplicateSocketW(listener, process.pid, info)
                while number == 3:
                    client = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
                    ws.connect(client, name, 16)
                    ws.accept(listener, None, None)
                    if client == NO_SOCKET:
                        break

        threads = [threading.Thread(target=make, args=(i,), daemon=True) for i in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(process.sockets) > 20)
        assert ws.WSACleanup() == 0
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert not process.sockets
        assert not process.handles.objects
