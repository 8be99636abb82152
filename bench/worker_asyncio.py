"""The asyncio side of bench.py: works on request, one line `WORK TIMES` each; answers with seconds.

    python worker_asyncio.py [uvloop]           winsock run worker_asyncio.py

echo_N: N connections within this process; each time every one of them sends 1 KB and gets it back.
visit_1: each time a connection is made, and ended on both sides.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

DATA = b"x" * 1024


class Server(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Client(asyncio.Protocol):
    """Sends the next when the last has come back, as often as it is to."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.left, self.got = crowd, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def start(self, times: int) -> None:
        self.left = times
        self.transport.write(DATA)

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got < len(DATA):
            return
        self.got -= len(DATA)
        self.left -= 1
        if self.left:
            self.transport.write(DATA)
        else:
            self.crowd.one_done()


class Crowd:
    """So many connections."""

    def __init__(self, count: int) -> None:
        self.count, self.clients, self.at_it = count, [], 0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(Server, "127.0.0.1", 0, backlog=200)
        address = self.server.sockets[0].getsockname()
        for _ in range(self.count):
            self.clients.append((await loop.create_connection(lambda: Client(self), *address))[1])

    def one_done(self) -> None:
        self.at_it -= 1
        if not self.at_it:
            self.done.set_result(None)

    async def echo(self, times: int) -> float:
        self.done = asyncio.get_running_loop().create_future()
        self.at_it = self.count
        begin = time.perf_counter()
        for client in self.clients:
            client.start(times)
        await self.done
        return time.perf_counter() - begin


class Visit(asyncio.Protocol):
    """One end of a connection that is made to be ended; `made` gets its transport, `lost` says that it is over."""

    def __init__(self, made: asyncio.Future[asyncio.BaseTransport], lost: asyncio.Future[None]) -> None:
        self.made, self.lost = made, lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made.set_result(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(None)


class Visits:
    """Connections, one after the other."""

    def __init__(self, count: int) -> None:
        self.ends: list[asyncio.Future] = []  # made and lost of the server's end, then of the client's

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Visit(*self.ends[:2]), "127.0.0.1", 0, backlog=200)
        self.address = self.server.sockets[0].getsockname()

    async def echo(self, times: int) -> float:
        loop = asyncio.get_running_loop()
        begin = time.perf_counter()
        for _ in range(times):
            self.ends = [loop.create_future() for _ in range(4)]
            await loop.create_connection(lambda: Visit(*self.ends[2:]), *self.address)
            for made in self.ends[::2]:
                (await made).close()
            for lost in self.ends[1::2]:
                await lost
        return time.perf_counter() - begin


def answer(loop: asyncio.AbstractEventLoop, kind: type[Crowd]) -> None:
    """Do what standard input asks for, until it ends."""
    crowds: dict[str, Crowd | Visits] = {}
    for line in sys.stdin:
        work, times = line.split()
        if work not in crowds:
            name, _, count = work.rpartition("_")
            crowds[work] = Visits(int(count)) if name == "visit" else kind(int(count))
            loop.run_until_complete(crowds[work].connect())
        print(loop.run_until_complete(crowds[work].echo(int(times))), flush=True)
    os._exit(0)  # as it is: with open connections


def main() -> None:
    if sys.argv[1:] == ["uvloop"]:
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    answer(loop, Crowd)


if __name__ == "__main__":
    main()
