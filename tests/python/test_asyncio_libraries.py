"""Unmodified libraries on Windows' event loop, each with its own client and server."""

from __future__ import annotations

import importlib.util
import sys

import pytest

PACKAGES = {"test_a_dns_client": "dns"}  # of other names than their tests


@pytest.fixture(autouse=True)
def library(request: pytest.FixtureRequest) -> None:
    """Skip the test of a library that is not installed."""
    name = PACKAGES.get(request.node.name, request.node.name.removeprefix("test_"))
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}")


def test_aiohttp(program) -> None:
    assert program("""
        import asyncio, aiohttp
        from aiohttp import web
        async def hello(request):
            return web.Response(text="hello " + request.match_info["name"])
        async def talk(request):
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            async for message in ws:
                await ws.send_str(message.data.upper())
            return ws
        async def main():
            app = web.Application()
            app.add_routes([web.get("/hello/{name}", hello), web.get("/talk", talk)])
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            address = "http://%s:%d" % runner.addresses[0]
            async with aiohttp.ClientSession() as session:
                async def get(i):
                    async with session.get(f"{address}/hello/{i}") as answer:
                        return await answer.text()
                print((await asyncio.gather(*map(get, range(50))))[-1], type(asyncio.get_running_loop()).__name__)
                async with session.ws_connect(address + "/talk") as ws:
                    await ws.send_str("abc")
                    print((await ws.receive()).data)
                await runner.cleanup()
                try:
                    await session.get(address)
                except aiohttp.ClientConnectorError as e:
                    print(e.os_error.winerror)
        asyncio.run(main())
    """) == "hello 49 ProactorEventLoop\nABC\n1225\n"


def test_uvicorn(program) -> None:
    assert program("""
        import asyncio, uvicorn
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hi " + scope["path"].encode()})
        async def main():
            config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
            writer.write(b"GET /x HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
            print(b"hi /x" in await reader.read(), type(asyncio.get_running_loop()).__name__)
            writer.close()
            server.should_exit = True
            await serving
        asyncio.run(main())
    """) == "True ProactorEventLoop\n"


def test_websockets(program) -> None:
    assert program("""
        import asyncio, websockets
        async def serve(ws):
            async for message in ws:
                await ws.send(message[::-1])
        async def main():
            async with websockets.serve(serve, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                async with websockets.connect(f"ws://127.0.0.1:{port}") as ws:
                    for size in 3, 3_000, 300_000:
                        await ws.send("abc" * size)
                        print(await ws.recv() == "cba" * size)
        asyncio.run(main())
    """) == "True\n" * 3


def test_tornado(program) -> None:
    assert program("""
        import asyncio, tornado.web, tornado.httpclient, tornado.httpserver, tornado.netutil
        class Handler(tornado.web.RequestHandler):
            def get(self):
                self.write("tornado " + self.request.path)
        async def main():
            sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
            server = tornado.httpserver.HTTPServer(tornado.web.Application([("/.*", Handler)]))
            server.add_sockets(sockets)
            url = "http://127.0.0.1:%d/x" % sockets[0].getsockname()[1]
            answer = await tornado.httpclient.AsyncHTTPClient().fetch(url)
            print(answer.body, type(asyncio.get_running_loop()).__name__)
            server.stop()
        asyncio.run(main())
    """) == "b'tornado /x' ProactorEventLoop\n"


# In 3.13.0 to 3.13.5 a datagram transport never tells a paused writer to go on, here as on Windows: cpython 135444.
PAUSED_FOR_EVER = (3, 13) <= sys.version_info < (3, 13, 6)


def test_anyio(program) -> None:
    source = """
        import anyio, anyio.abc, sys
        async def serve(stream):
            async with stream:
                async for data in stream:
                    await stream.send(data.upper())
        async def main():
            local = anyio.abc.SocketAttribute
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, serve)
                async with await anyio.connect_tcp("127.0.0.1", listener.extra(local.local_port)) as stream:
                    await stream.send(b"hello")
                    print(await stream.receive())
                print((await anyio.run_process(["echo", "x"])).stdout)
                if "udp" in sys.argv:
                    async with await anyio.create_udp_socket(local_host="127.0.0.1") as sock:
                        await sock.sendto(b"z", *sock.extra(local.local_address))
                        print((await sock.receive())[0])
                group.cancel_scope.cancel()
        anyio.run(main)
    """
    assert program(source) == "b'HELLO'\nb'x\\n'\n"
    if not PAUSED_FOR_EVER:
        assert program(source, "udp") == "b'HELLO'\nb'x\\n'\nb'z'\n"


def test_a_dns_client(program) -> None:
    assert program("""
        import asyncio, dns.asyncquery, dns.message, dns.rrset
        class Server(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport
            def datagram_received(self, data, client):
                question = dns.message.from_wire(data)
                answer = dns.message.make_response(question)
                answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "A", "192.0.2.7"))
                self.transport.sendto(answer.to_wire(), client)
        async def main():
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
            host, port = transport.get_extra_info("sockname")
            answer = await dns.asyncquery.udp(dns.message.make_query("x.example", "A"), host, port=port, timeout=30)
            print(answer.answer[0][0])
            transport.close()
        asyncio.run(main())
    """) == "192.0.2.7\n"
