"""Unmodified trio programs on trio's own Windows backend: AFD's polls at a completion port."""

from __future__ import annotations

import importlib.util
import signal

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("trio") is None or importlib.util.find_spec("_cffi_backend") is None,
    reason="needs trio and cffi",
)

PROGRAMS = {  # name: what it prints, here and on Linux; the program
    "many clients of an echo server": (
        "True",
        """
        import functools, trio
        async def echo(stream):
            async for data in stream:
                await stream.send_all(data)
        async def client(port, i, done):
            async with await trio.open_tcp_stream("127.0.0.1", port) as s:
                message = b"%04d" % i * 3000
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(s.send_all, message)
                    got = b""
                    while len(got) < len(message):
                        got += await s.receive_some()
                assert got == message
                await s.send_eof()
                assert await s.receive_some() == b""
                done.append(i)
        async def main():
            done = []
            async with trio.open_nursery() as nursery:
                [listener] = await nursery.start(functools.partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
                port = listener.socket.getsockname()[1]
                async with trio.open_nursery() as clients:
                    for i in range(60):
                        clients.start_soon(client, port, i, done)
                print(sorted(done) == list(range(60)))
                nursery.cancel_scope.cancel()
        trio.run(main)
        """,
    ),
    "time limits and cancelling": (
        "True\ntoo slow\nTrue",
        """
        import functools, trio
        async def silent(stream):
            await trio.sleep_forever()
        async def wait(port, ended):
            async with await trio.open_tcp_stream("127.0.0.1", port) as s:
                try:
                    await s.receive_some()
                except trio.Cancelled:
                    ended.append("cancelled")
                    raise
        async def main():
            async with trio.open_nursery() as nursery:
                [listener] = await nursery.start(functools.partial(trio.serve_tcp, silent, 0, host="127.0.0.1"))
                port = listener.socket.getsockname()[1]
                s = await trio.open_tcp_stream("127.0.0.1", port)
                with trio.move_on_after(0.05) as scope:
                    await s.receive_some()
                print(scope.cancelled_caught)
                try:
                    with trio.fail_after(0.05):
                        await s.receive_some()
                except trio.TooSlowError:
                    print("too slow")
                ended = []
                async with trio.open_nursery() as waiting:
                    for _ in range(40):
                        waiting.start_soon(wait, port, ended)
                    await trio.testing.wait_all_tasks_blocked()
                    waiting.cancel_scope.cancel()
                print(ended == ["cancelled"] * 40)
                nursery.cancel_scope.cancel()
        import trio.testing
        trio.run(main)
        """,
    ),
    "datagrams": (
        "b'ONE'\nb'TWO'",
        """
        import trio
        async def serve(s):
            while True:
                data, address = await s.recvfrom(100)
                await s.sendto(data.upper(), address)
        async def main():
            with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server:
                await server.bind(("127.0.0.1", 0))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(serve, server)
                    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as s:
                        for word in b"one", b"two":
                            await s.sendto(word, server.getsockname())
                            print((await s.recvfrom(100))[0])
                    nursery.cancel_scope.cancel()
        trio.run(main)
        """,
    ),
    "threads": (
        "True\nwoken",
        """
        import threading, trio
        def work(i):
            trio.from_thread.run(trio.sleep, 0)
            return i * trio.from_thread.run_sync(int, "2")
        async def main():
            results = {}
            async def one(i):
                results[i] = await trio.to_thread.run_sync(work, i)
            async with trio.open_nursery() as nursery:
                for i in range(30):
                    nursery.start_soon(one, i)
            print(results == {i: 2 * i for i in range(30)})
            token, woken = trio.lowlevel.current_trio_token(), trio.Event()
            thread = threading.Thread(target=lambda: token.run_sync_soon(woken.set))
            thread.start()
            await woken.wait()
            print("woken")
            thread.join()
        trio.run(main)
        """,
    ),
    "closing under who waits": (
        "BusyResourceError\nClosedResourceError\nClosedResourceError\nClosedResourceError",
        """
        import trio, trio.testing
        async def expect(error, wait, *args):
            try:
                await wait(*args)
            except error as e:
                print(type(e).__name__)
        async def main():
            a, b = trio.socket.socketpair()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(expect, trio.ClosedResourceError, trio.lowlevel.wait_readable, a)
                await trio.testing.wait_all_tasks_blocked()
                await expect(trio.BusyResourceError, trio.lowlevel.wait_readable, a)
                await trio.lowlevel.wait_writable(a)
                trio.lowlevel.notify_closing(a)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(expect, trio.ClosedResourceError, trio.SocketStream(b).receive_some)
                await trio.testing.wait_all_tasks_blocked()
                b.close()
            await expect(trio.ClosedResourceError, trio.SocketStream(b).receive_some)
            a.close()
        trio.run(main)
        """,
    ),
    "signals": (
        "True\ninterrupted",
        """
        import os, signal, trio
        async def main():
            with trio.open_signal_receiver(signal.SIGTERM) as signals:
                os.kill(os.getpid(), signal.SIGTERM)
                async for number in signals:
                    print(number == signal.SIGTERM)
                    break
            try:
                signal.raise_signal(signal.SIGINT)
                await trio.sleep_forever()
            except KeyboardInterrupt:
                print("interrupted")
        trio.run(main)
        """,
    ),
    "TLS": (
        "200000",
        """
        import functools, ssl, trio, trustme
        ca = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("server.example").configure_cert(context)
        async def echo(stream):
            async for data in stream:
                await stream.send_all(data[::-1])
        async def main():
            client = ssl.create_default_context()
            ca.configure_trust(client)
            async with trio.open_nursery() as nursery:
                serve = functools.partial(trio.serve_ssl_over_tcp, echo, 0, context, host="127.0.0.1")
                [listener] = await nursery.start(serve)
                raw = await trio.open_tcp_stream("127.0.0.1", listener.transport_listener.socket.getsockname()[1])
                s = trio.SSLStream(raw, client, server_hostname="server.example")
                await s.send_all(b"word" * 50_000)
                got = 0
                while got < 200_000:
                    got += len(await s.receive_some())
                print(got)
                await s.aclose()
                nursery.cancel_scope.cancel()
        trio.run(main)
        """,
    ),
    "processes": (
        "b'ABC\\n' 3\n3\nNone\n0\n1000000",
        """
        import subprocess, sys, trio
        async def main():
            code = "import sys; data = sys.stdin.read(); print(data.upper()); sys.exit(len(data))"
            done = await trio.run_process(
                [sys.executable, "-c", code], stdin=b"abc", capture_stdout=True, check=False
            )
            print(done.stdout, done.returncode)
            try:
                await trio.run_process([sys.executable, "-c", "raise SystemExit(3)"])
            except subprocess.CalledProcessError as e:
                print(e.returncode)
            async with trio.open_nursery() as nursery:
                start = functools.partial(trio.run_process, [sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
                process = await nursery.start(start)
                with trio.move_on_after(0.05):
                    await process.wait()
                print(process.poll())
                await process.stdin.send_all(b"go\\n")
                print(await process.wait())
            big = await trio.run_process(
                [sys.executable, "-c", "print('x' * 1000000, end='')"], capture_stdout=True
            )
            print(len(big.stdout))
        import functools
        trio.run(main)
        """,
    ),
    "files and paths": (
        "words note.txt 5",
        """
        import trio
        async def main():
            path = trio.Path(__file__).parent / "note.txt"
            await path.write_text("words")
            async with await path.open() as file:
                print(await file.read(), path.name, (await path.stat()).st_size)
        trio.run(main)
        """,
    ),
    "anyio": (
        "b'abc'\nb'datagram'\nb'5\\n'\n7\nTrue",
        """
        import sys, anyio
        async def main():
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            async def echo(stream):
                async with stream:
                    async for data in stream:
                        await stream.send(data)
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                async with await anyio.connect_tcp("127.0.0.1", port) as s:
                    await s.send(b"abc")
                    print(await s.receive())
                async with await anyio.create_udp_socket(local_host="127.0.0.1") as udp:
                    port = udp.extra(anyio.abc.SocketAttribute.local_port)
                    await udp.sendto(b"datagram", "127.0.0.1", port)
                    print((await udp.receive())[0])
                print((await anyio.run_process([sys.executable, "-c", "print(5)"])).stdout)
                print(await anyio.to_thread.run_sync(str, 7))
                with anyio.move_on_after(0.05) as scope:
                    await anyio.sleep_forever()
                print(scope.cancelled_caught)
                group.cancel_scope.cancel()
            await listener.aclose()
        anyio.run(main, backend="trio")
        """,
    ),
    "httpx": (
        "2000\n3000",
        """
        import functools, httpx, trio
        async def answer(stream):
            got = b""
            while b"\\r\\n\\r\\n" not in got:
                got += await stream.receive_some()
            head, body = b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n", got.split()[1] * 1000
            await stream.send_all(head + b"Content-Length: %d\\r\\n\\r\\n" % len(body))
            await stream.send_all(body)
            await stream.aclose()
        async def main():
            async with trio.open_nursery() as nursery:
                [listener] = await nursery.start(functools.partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
                base = "http://127.0.0.1:%d/" % listener.socket.getsockname()[1]
                async with httpx.AsyncClient(trust_env=False) as client:
                    for word in "a", "bc":
                        print(len((await client.get(base + word)).content))
                nursery.cancel_scope.cancel()
        trio.run(main)
        """,
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_prints_what_it_prints_on_linux(program, name: str) -> None:
    printed, source = PROGRAMS[name]
    for package in ("anyio", "httpx", "trustme"):
        if f" {package}" in source and importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    assert program(source) == printed + "\n"


def test_its_errors_are_windows(program) -> None:
    source = """
        import socket, struct, trio
        async def met(wait, *args):
            try:
                await wait(*args)
            except OSError as e:
                print(type(e).__name__, e.errno, e.winerror)
            except trio.BrokenResourceError as e:
                print("broken", type(e.__cause__).__name__, e.__cause__.winerror)
        async def main():
            print(trio.lowlevel.current_statistics().io_statistics.backend)
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                address = listener.getsockname()  # where nobody listens
                with trio.socket.socket() as s:
                    await met(s.connect, address)
                await met(trio.open_tcp_stream, *address)
                listener.listen()
                s = await trio.open_tcp_stream(*address)
                peer, _ = listener.accept()
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh", 1, 0))
                peer.close()
                await met(s.receive_some)
                await met(s.send_all, b"x")
                await s.aclose()
            with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as s, socket.socket(type=socket.SOCK_DGRAM) as gone:
                await s.bind(("127.0.0.1", 0))
                gone.bind(("127.0.0.1", 0))
                address = gone.getsockname()
                gone.close()
                await s.sendto(b"to nobody", address)
                await met(s.recvfrom, 10)
                await s.sendto(b"more than ten bytes", s.getsockname())
                await met(s.recvfrom, 10)
            await met(trio.lowlevel.wait_readable, 0)
        trio.run(main)
    """
    assert program(source).splitlines() == [
        "windows",
        "ConnectionRefusedError 10061 None",  # made of SO_ERROR by trio itself
        "OSError None None",  # all attempts have failed
        "broken ConnectionResetError 10054",
        "broken ConnectionResetError 10054",
        "ConnectionResetError 10054 10054",
        "OSError 10040 10040",
        "OSError 10038 10038",
    ]


def test_a_named_pipe(program) -> None:
    """As its subprocesses have: reads and writes of a handle, by the completion port."""
    source = """
        import trio, trio.testing
        from asyncio.windows_utils import pipe
        from trio._windows_pipes import PipeReceiveStream, PipeSendStream
        async def main():
            r, w = pipe(overlapped=(True, True))
            r, w = PipeReceiveStream(r), PipeSendStream(w)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(w.send_all, b"x" * 1_000_000)
                n = 0
                while n < 1_000_000:
                    n += len(await r.receive_some())
            print(n)
            with trio.move_on_after(0.05):
                await r.receive_some()
            async with trio.open_nursery() as nursery:
                async def receive():
                    try:
                        await r.receive_some()
                    except trio.ClosedResourceError:
                        print("closed")
                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                await r.aclose()
            try:
                await w.send_all(b"to nobody")
            except trio.BrokenResourceError as e:
                print(type(e.__cause__).__name__, e.__cause__.winerror)
            r, w = pipe(overlapped=(True, True))
            r, w = PipeReceiveStream(r), PipeSendStream(w)
            await w.aclose()
            print(await r.receive_some())
        trio.run(main)
    """
    assert program(source).splitlines() == ["1000000", "closed", "BrokenPipeError 232", "b''"]


def test_an_interrupted_program_ends_as_python_does(run, tmp_path) -> None:
    (tmp_path / "program.py").write_text(
        "import signal, trio\n"
        "async def main():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    here, there = run("program.py"), run("program.py", plain=True)
    assert here.returncode == there.returncode == -signal.SIGINT
    assert here.stderr.splitlines()[-1].startswith("KeyboardInterrupt")


def test_nothing_is_done_while_nothing_happens(program) -> None:
    source = """
        import functools, time, trio
        async def echo(stream):
            async for data in stream:
                await stream.send_all(data)
        async def main():
            async with trio.open_nursery() as nursery:
                [listener] = await nursery.start(functools.partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
                for _ in range(20):
                    s = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
                    await s.send_all(b"x")
                    await s.receive_some()
                    nursery.start_soon(s.receive_some)
                await trio.sleep(0.3)
                before = time.process_time()
                await trio.sleep(1.5)
                used = time.process_time() - before
                print("idle" if used < 0.3 else used)
                nursery.cancel_scope.cancel()
        trio.run(main)
    """
    assert program(source) == "idle\n"


def test_without_cffi_it_sees_this_machine(program) -> None:
    source = (
        PROGRAMS["many clients of an echo server"][1]
        + """
        async def tell():
            print(trio.lowlevel.current_statistics().io_statistics.backend)
        trio.run(tell)
    """
    )
    hidden = "\n        import sys; sys.modules['_cffi_backend'] = None" + source
    assert program(hidden) == "True\nepoll\n"
    assert program(source) == "True\nwindows\n"


def test_its_own_tests_of_the_backend_pass(run) -> None:
    own = ("trio._core._tests.test_io", "trio._core._tests.test_windows", "trio._tests.test_windows_pipes")
    options = ("-q", "-p", "trio._tests.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = run("-m", "pytest", *options, "--pyargs", *own)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
