"""The least that worker_asyncio.py's echo can cost on CPython's proactor loop: its windows_events, unmodified, over
an `_overlapped` that knows nothing but plain receives and sends which succeed.

No closing, no errors, no threads, one port: what is left is asyncio's own work and the
kernel's.  Answers as worker_asyncio.py does.
"""

from __future__ import annotations

import asyncio
import collections
import os
import select
import socket
import subprocess
import sys
from types import ModuleType
from typing import Any

PORT, INFINITE, AT_ONCE = 1, 0xFFFFFFFF, 64
_epoll = select.epoll()
_packets: collections.deque[tuple[int, int, int, int]] = collections.deque()
_waiting: dict[int, Overlapped] = {}
_drained = False


class Overlapped:
    __slots__ = ("address", "buffer", "error", "event", "pending", "value")

    def __init__(self, event: int = 0) -> None:
        self.address = id(self)
        self.pending = False
        self.error = self.event = 0

    def WSARecvInto(self, fd: int, buffer: Any, flags: int = 0) -> None:
        self.buffer = buffer
        self.pending = True
        _waiting[fd] = self

    def WSARecv(self, fd: int, size: int, flags: int = 0) -> None:
        self.WSARecvInto(fd, bytearray(size))  # the loop's own pipe, which nobody writes to here

    def cancel(self) -> None:
        self.pending = False  # the same, when the loop stops

    def WSASend(self, fd: int, data: bytes, flags: int = 0) -> None:
        self.value = os.write(fd, data)
        _packets.append((0, self.value, 0, self.address))

    def getresult(self, wait: bool = False) -> int:
        return self.value


def GetQueuedCompletionStatus(port: int, ms: int) -> tuple[int, int, int, int] | None:
    global _drained
    if _packets:
        return _packets.popleft()
    if _drained and not ms:
        _drained = False
        return None
    for fd, _ in _epoll.poll(-1 if ms == INFINITE else ms / 1e3, AT_ONCE):
        ov = _waiting.pop(fd, None)
        if ov is not None:
            ov.value = os.readv(fd, [ov.buffer])
            ov.pending = False
            _packets.append((0, ov.value, 0, ov.address))
    _drained = bool(_packets)
    return _packets.popleft() if _packets else None


def CreateIoCompletionPort(handle: int, port: int, key: int, concurrency: int) -> int:
    if port:
        _epoll.register(handle, select.EPOLLIN | select.EPOLLET)
    return PORT


def install() -> Any:
    """windows_events, as on Windows but for what it stands on."""
    known: dict[str, dict[str, Any]] = {
        "_overlapped": {
            "Overlapped": Overlapped,
            "GetQueuedCompletionStatus": GetQueuedCompletionStatus,
            "CreateIoCompletionPort": CreateIoCompletionPort,
        },
        "_winapi": {"INFINITE": INFINITE},
        "msvcrt": {},
    }
    for name, names in known.items():
        module = sys.modules[name] = ModuleType(name)
        module.__dict__.update({"__getattr__": lambda name: 0, **names})  # the rest is not called
    subprocess.STARTUPINFO = None  # type: ignore[attr-defined]
    linux, sys.platform = sys.platform, "win32"
    try:
        import asyncio.windows_events as events
    finally:
        sys.platform = linux
    return events


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
    client.setblocking(False)
    server.setblocking(False)
    return client, server


def main() -> None:
    from worker_asyncio import Client, Crowd, Server, answer

    loop = install().ProactorEventLoop()
    asyncio.set_event_loop(loop)

    class Joined(Crowd):
        async def connect(self) -> None:
            for _ in range(self.count):
                client, server = pair()
                loop._make_socket_transport(server, Server())
                protocol = Client(self)
                loop._make_socket_transport(client, protocol)
                self.clients.append(protocol)
            await asyncio.sleep(0)

    answer(loop, Joined)


if __name__ == "__main__":
    main()
