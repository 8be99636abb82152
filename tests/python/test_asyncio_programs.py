"""Bigger programs of asyncio's libraries, and Twisted's: they print what they print without `winsock run`."""

from __future__ import annotations

import importlib.util
import textwrap

import pytest

PROGRAMS = {
    "aiohttp": (
        ("aiohttp",),
        """
        import asyncio, io, aiohttp
        from aiohttp import web
        async def count(request):
            return web.json_response({"n": len(await request.read()), "q": dict(request.query)})
        async def stream(request):
            r = web.StreamResponse()
            await r.prepare(request)
            for i in range(20):
                await r.write(b"%d," % i * 2000)
            await r.write_eof()
            return r
        async def file(request):
            return web.FileResponse(__file__)
        async def main():
            app = web.Application(client_max_size=1 << 24)
            app.add_routes([web.post("/c", count), web.get("/s", stream), web.get("/f", file)])
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            base = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as s:
                async with s.post(base + "/c?a=1", data=io.BytesIO(bytes(2_000_000))) as r:
                    print(r.status, await r.json())
                for path in "/s", "/f":
                    async with s.get(base + path) as r:
                        print(len(await r.read()))
                await runner.cleanup()
                try:
                    await s.get(base)
                except aiohttp.ClientConnectorError as e:
                    print(isinstance(e.os_error, ConnectionRefusedError))
        asyncio.run(main())
        """,
    ),
    "uvicorn in a thread": (
        ("uvicorn",),
        """
        import threading, urllib.request, uvicorn
        seen = []
        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                while True:
                    kind = (await receive())["type"]
                    seen.append(kind)
                    await send({"type": kind + ".complete"})
                    if kind.endswith("shutdown"):
                        return
            body, more = b"", True
            while more:
                m = await receive()
                body, more = body + m.get("body", b""), m.get("more_body")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["path"].encode() + b" %d" % len(body)})
        class Server(uvicorn.Server):
            async def startup(self, sockets=None):
                await super().startup(sockets)
                ready.set()
        for loop in "auto", "asyncio":
            ready = threading.Event()
            server = Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", loop=loop))
            thread = threading.Thread(target=server.run)
            thread.start()
            ready.wait()
            port = server.servers[0].sockets[0].getsockname()[1]
            for data in None, bytes(300000), bytes(70000):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/p", data) as r:
                    print(r.status, r.read())
            server.should_exit = True
            thread.join()
        print(seen)
        """,
    ),
    "websockets": (
        ("websockets",),
        """
        import asyncio, threading, websockets
        from websockets.asyncio.client import connect
        from websockets.asyncio.server import serve
        from websockets.sync import client, server as threads
        async def handler(w):
            try:
                async for m in w:
                    await w.send(m[::-1])
            except websockets.ConnectionClosedError:
                gone.set()
        async def main():
            global gone
            gone = asyncio.Event()
            async with serve(handler, "127.0.0.1", 0, max_size=None) as server:
                url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                async def one(i):
                    async with connect(url, max_size=None) as w:
                        await w.send(bytes(1_000_000 + i))
                        n = len(await w.recv())
                        await (await w.ping())
                        return n
                print(await asyncio.gather(*(one(i) for i in range(4))))
                w = await connect(url)
                w.transport.abort()
                try:
                    await w.recv()
                except websockets.ConnectionClosedError as e:
                    print("closed", e.rcvd)
                await gone.wait()
            try:
                await connect(url)
            except ConnectionRefusedError:
                print("refused")
        asyncio.run(main())
        def echo(w):
            for m in w:
                w.send(m + "!")
        with threads.serve(echo, "127.0.0.1", 0) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            with client.connect("ws://127.0.0.1:%d" % server.socket.getsockname()[1]) as w:
                w.send("a")
                print(w.recv())
            server.shutdown()
            thread.join()
        """,
    ),
    "dnspython's resolver": (
        ("dns",),
        """
        import asyncio, struct, dns.asyncresolver, dns.flags, dns.message, dns.rcode, dns.resolver, dns.rrset
        def answer(wire, stream):
            question = dns.message.from_wire(wire)
            r = dns.message.make_response(question)
            name = question.question[0].name
            first = name.labels[0]
            if first == b"no":
                r.set_rcode(dns.rcode.NXDOMAIN)
            elif first == b"big" and not stream:
                r.flags |= dns.flags.TC
            else:
                all = ["10.0.%d.%d" % divmod(i, 256) for i in range(1000 if first == b"big" else 1)]
                r.answer.append(dns.rrset.from_text(name, 60, "IN", "A", *all))
            return r.to_wire(max_size=65535)
        class Messages(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport
            def datagram_received(self, data, address):
                self.transport.sendto(answer(data, False), address)
        async def stream(r, w):
            size, = struct.unpack("!H", await r.readexactly(2))
            a = answer(await r.readexactly(size), True)
            w.write(struct.pack("!H", len(a)) + a)
            w.close()
            await w.wait_closed()
            done.set()
        async def main():
            global done
            done = asyncio.Event()
            loop = asyncio.get_running_loop()
            host = "127.53.53.53"  # where the port is free for both, for nobody else is there
            server = await asyncio.start_server(stream, host, 0)
            port = server.sockets[0].getsockname()[1]
            transport, _ = await loop.create_datagram_endpoint(Messages, (host, port))
            resolver = dns.asyncresolver.Resolver(configure=False)
            resolver.nameservers, resolver.port, resolver.cache = [host], port, None
            async def ask(name):
                return [a.address for a in await resolver.resolve(name, "A")]
            print(await asyncio.gather(*(ask(f"h{i}.test") for i in range(20))))
            print(len(await ask("big.test")))
            await done.wait()
            try:
                await ask("no.test")
            except dns.resolver.NXDOMAIN:
                print("NXDOMAIN")
            transport.close()
            server.close()
        asyncio.run(main())
        """,
    ),
    "tornado over streams": (
        ("tornado",),
        """
        import asyncio
        from tornado import httpclient, iostream, netutil, tcpclient, tcpserver
        class Echo(tcpserver.TCPServer):
            async def handle_stream(self, stream, address):
                try:
                    while True:
                        await stream.write(await stream.read_until(b"\\n"))
                except iostream.StreamClosedError:
                    pass
        async def main():
            echo = Echo()
            [sock] = netutil.bind_sockets(0, "127.0.0.1")
            port = sock.getsockname()[1]
            echo.add_sockets([sock])
            async def one():
                stream = await tcpclient.TCPClient().connect("127.0.0.1", port)
                await stream.write(b"x" * 300000 + b"\\n")
                n = len(await stream.read_until(b"\\n"))
                stream.close()
                return n
            print(await asyncio.gather(*(one() for _ in range(5))))
            echo.stop()
            try:
                await httpclient.AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")
            except ConnectionRefusedError:
                print("refused")
        asyncio.run(main())
        """,
    ),
    "httpx": (
        ("httpx", "aiohttp"),
        """
        import asyncio, httpx
        from aiohttp import web
        async def count(request):
            return web.Response(text=request.path + " %d" % len(await request.read()))
        async def main():
            app = web.Application()
            app.add_routes([web.post("/{name}", count)])
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            async with httpx.AsyncClient(trust_env=False) as client:
                all = await asyncio.gather(*(client.post(f"{base}{i}", content=bytes(200000)) for i in range(10)))
                print([r.text for r in all])
                await runner.cleanup()
                try:
                    await client.get(base)
                except httpx.ConnectError:
                    print("refused")
        asyncio.run(main())
        """,
    ),
}

TWISTED = """
    import sys
    if "iocp" in sys.argv:
        from twisted.internet.iocpreactor import reactor
        reactor.install()
    from twisted.internet import error, protocol, reactor, task, threads
    from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
    from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
    from twisted.protocols.basic import LineReceiver
    class Line(LineReceiver):
        MAX_LENGTH = 1 << 24
    class Echo(Line):
        def lineReceived(self, line):
            self.sendLine(line[::-1])
    class Client(Line):
        def __init__(self, i):
            self.i, self.got = i, Deferred()
        def connectionMade(self):
            self.sendLine(b"%02d" % self.i * 50000)
        def lineReceived(self, line):
            self.line = line
            self.transport.loseConnection()
        def connectionLost(self, reason):
            self.got.callback((len(self.line), reason.type.__name__))
    class Upper(protocol.DatagramProtocol):
        def datagramReceived(self, data, address):
            self.transport.write(data.upper(), address)
    class Asker(protocol.DatagramProtocol):
        def __init__(self, port):
            self.port, self.got = port, Deferred()
        def startProtocol(self):
            self.transport.write(b"word", ("127.0.0.1", self.port))
        def datagramReceived(self, data, address):
            self.got.callback((data, address[0], address[1] == self.port))
    @inlineCallbacks
    def main(reactor):
        factory = protocol.ServerFactory()
        factory.protocol = Echo
        for host in sys.argv[1].split():
            endpoint = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
            listening = reactor.listenTCP(0, factory, interface=host)
            to = endpoint(reactor, host, listening.getHost().port)
            clients = yield gatherResults([connectProtocol(to, Client(i)) for i in range(10)])
            print((yield gatherResults([c.got for c in clients])), type(listening.getHost()).__name__)
            yield listening.stopListening()
        try:
            yield connectProtocol(to, protocol.Protocol())
        except error.ConnectionRefusedError:
            print("refused")
        upper = reactor.listenUDP(0, Upper(), interface="127.0.0.1")
        asker = Asker(upper.getHost().port)
        asking = reactor.listenUDP(0, asker, interface="127.0.0.1")
        print((yield asker.got))
        yield upper.stopListening()
        yield asking.stopListening()
        print((yield threads.deferToThread(sum, [1, 2])))
        print(type(reactor).__name__, file=sys.stderr)
    task.react(main)
"""


def need(*modules: str) -> None:
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_library(program, name: str) -> None:
    modules, source = PROGRAMS[name]
    need(*modules)
    here = program(source)
    assert here == program(source, plain=True)
    assert here


@pytest.mark.parametrize(("arguments", "reactor"), [((), "SelectReactor"), (("iocp",), "IOCPReactor")])
def test_twisted(run, tmp_path, loopback_hosts: list[str], arguments: tuple[str, ...], reactor: str) -> None:
    need("twisted")
    (tmp_path / "program.py").write_text(textwrap.dedent(TWISTED))
    quiet = {"PYTHONWARNINGS": "ignore"}  # that pyOpenSSL is missing
    hosts = " ".join(loopback_hosts)
    here, there = run("program.py", hosts, *arguments, **quiet), run("program.py", hosts, plain=True, **quiet)
    assert (here.returncode, here.stderr.split()) == (0, [reactor])
    assert here.stdout == there.stdout
    assert here.stdout


def test_what_twisted_cannot_do_is_refused(run) -> None:
    need("twisted")
    source = """
from twisted.internet.iocpreactor.reactor import IOCPReactor
r = IOCPReactor()
for refused in lambda: r.spawnProcess(None, "true"), lambda: r.addEvent(None, None, ""):
    try:
        refused()
    except NotImplementedError as e:
        print(e)
"""
    done = run("-c", source, PYTHONWARNINGS="ignore")
    assert done.stdout.count("pywin32") == 2, done.stderr


def test_a_loop_in_a_thread_beside_waiting_calls(program) -> None:
    """What arrives while one thread looks may be told to the other, which waits in a call of its own."""
    source = """
        import asyncio, socket, threading
        ready, found = threading.Event(), {}
        async def serve(r, w):
            while data := await r.read(1000):
                w.write(data)
            w.close()
        async def main():
            found["loop"], found["stop"] = asyncio.get_running_loop(), asyncio.Event()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            found["address"] = server.sockets[0].getsockname()
            ready.set()
            await found["stop"].wait()
            server.close()
        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        ready.wait()
        total = 0
        for _ in range(20):
            with socket.create_connection(found["address"]) as s:
                for size in 1, 500, 999, 1000, 1001, 5000, 60000:
                    s.sendall(bytes(size))
                    left = size
                    while left:
                        left -= len(s.recv(left))
                    total += size
                s.shutdown(socket.SHUT_WR)
                assert not s.recv(1)
        found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join()
        print(total)
    """
    assert program(source).split() == [str(20 * 68501)]


def test_a_socket_goes_to_a_process_started_afresh(program) -> None:
    """As uvicorn's --workers are."""
    source = """
        import multiprocessing, socket
        def serve(listener):
            s, _ = listener.accept()
            s.sendall(s.recv(9).upper())
            s.close()
        if __name__ == "__main__":
            with socket.create_server(("127.0.0.1", 0)) as listener:
                process = multiprocessing.get_context("spawn").Process(target=serve, args=(listener,))
                process.start()
                with socket.create_connection(listener.getsockname()) as s:
                    s.sendall(b"word")
                    print(s.recv(9))
                process.join()
                print(process.exitcode)
    """
    assert program(source) == program(source, plain=True) == "b'WORD'\n0\n"


def test_news_between_a_look_and_the_wait_is_not_lost(program) -> None:
    """A signal's handler runs the reactor, and that hears of data, just when a receive has found none."""
    source = """
        import _overlapped as o, socket
        from winsock.python import _operation
        a, b = socket.socketpair()
        port = o.CreateIoCompletionPort(o.INVALID_HANDLE_VALUE, 0, 0, 0)
        o.CreateIoCompletionPort(a.fileno(), port, 0, 0)
        first = o.Overlapped(0)
        first.WSARecv(a.fileno(), 1)
        b.send(b"1")
        while o.GetQueuedCompletionStatus(port, 1000) is None:
            pass
        real = _operation._recv
        def recv(*args):
            try:
                return real(*args)
            finally:
                _operation._recv = real
                b.send(b"late")
                heard.append(o.GetQueuedCompletionStatus(port, 1))  # as a handler's wait would
        _operation._recv, heard = recv, []
        late = o.Overlapped(0)
        late.WSARecv(a.fileno(), 9)
        print(heard, (o.GetQueuedCompletionStatus(port, 20000) or [None])[0], late.getresult())
    """
    assert program(source) == "[None] 0 b'late'\n"
