"""asyncio programs on Windows' own event loop, each in a process of its own."""

from __future__ import annotations

import pytest

START = """
import asyncio, os, signal, socket, ssl, struct, subprocess, sys, tempfile, threading, time

def same_number():
    return len(os.listdir("/proc/self/fd"))

async def serve(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
    except ConnectionError as e:
        print("server:", type(e).__name__, e.winerror)
    finally:
        writer.close()

async def unused():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
"""


def test_many_connections_and_nothing_left_behind(program) -> None:
    assert program(START + """
from winsock.nt import current
async def one(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for i in range(3):
        writer.write(b"hello%d\\n" % i)
        assert await reader.readline() == b"HELLO%d\\n" % i
    writer.close()
    await writer.wait_closed()
async def main(n):
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=200)
    async with server:
        await asyncio.gather(*(one(server.sockets[0].getsockname()[1]) for _ in range(n)))
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.01)
asyncio.run(main(3))
before = same_number(), len(current().process.handles.objects)
asyncio.run(main(150))
after = same_number(), len(current().process.handles.objects)
print(before == after or (before, after), threading.enumerate() == [threading.main_thread()])
""") == "True True\n"


def test_errors_have_the_numbers_of_overlapped_calls(program) -> None:
    assert program(START + """
def said(e):
    return type(e).__name__, e.winerror
async def main():
    loop = asyncio.get_running_loop()
    try:
        await asyncio.open_connection("127.0.0.1", await unused())
    except OSError as e:
        print(said(e))
    for call in loop.add_reader, loop.add_writer:
        try:
            call(0, print)
        except NotImplementedError:
            print("NotImplementedError")
    a, b = socket.socketpair(); a.setblocking(False); b.setblocking(False)
    waiting = loop.create_task(loop.sock_recv(b, 10))
    await asyncio.sleep(0)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("HH", 1, 0)); a.close()
    try:
        await waiting
    except OSError as e:
        print(said(e))
    try:
        await loop.sock_recv(b, 10)
    except OSError as e:
        print(said(e))
    a, b = socket.socketpair(); a.setblocking(False); b.setblocking(False)
    waiting = loop.create_task(loop.sock_recv(b, 10))
    await asyncio.sleep(0)
    waiting.cancel()
    try:
        await waiting
    except asyncio.CancelledError:
        print("cancelled")
    await loop.sock_sendall(a, b"x"); print(await loop.sock_recv(b, 10))
    try:
        await asyncio.wait_for(loop.sock_recv(b, 10), 0.02)
    except TimeoutError:
        print("timed out")
    waiting = loop.create_task(loop.sock_recv(b, 10))
    await asyncio.sleep(0); b.close()
    try:
        await waiting
    except OSError as e:
        print(said(e))
asyncio.run(main())
""").splitlines() == [
        "('ConnectionRefusedError', 1225)",
        "NotImplementedError",
        "NotImplementedError",
        "('ConnectionResetError', 64)",
        "('ConnectionResetError', 10054)",
        "cancelled",
        "b'x'",
        "timed out",
        "('ConnectionResetError', 995)",
    ]


def test_a_datagram_endpoint_hears_of_closed_ports(program) -> None:
    out = program(START + """
class Protocol(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport, self.got = transport, asyncio.Queue()
    def datagram_received(self, data, sender): self.got.put_nowait(data)
    def error_received(self, e): self.got.put_nowait(e.winerror)
async def main():
    loop = asyncio.get_running_loop()
    make = lambda: loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
    (ta, a), (tb, b) = await make(), await make()
    ta.sendto(b"hello", tb.get_extra_info("sockname")); print(await b.got.get())
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0)); nobody = s.getsockname()
    ta.sendto(b"x", nobody)
    print(await a.got.get())
    ta.close(); tb.close()
asyncio.run(main())
""").splitlines()
    assert out[0] == "b'hello'"
    assert out[1] in ("1234", "10054")  # by how early the answer came: the receive was waiting, or was yet to start


def test_tls_sendfile_and_large_data(program, tmp_path) -> None:
    import trustme

    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert program(START + """
async def main():
    loop = asyncio.get_running_loop()
    theirs, ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context(cafile="ca.pem")
    theirs.load_cert_chain("server.pem")
    with open("data", "wb") as f: f.write(os.urandom(3_000_000))
    for context in theirs, None:
        async def send(reader, writer):
            with open("data", "rb") as f:
                await reader.readexactly(3)
                print(await loop.sendfile(writer.transport, f, 7))
            writer.close()
        async with await asyncio.start_server(send, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=ours if context else None, server_hostname="localhost" if context else None)
            writer.write(b"get")
            data = await reader.read()
            print(data == open("data", "rb").read()[7:])
            writer.close()
asyncio.run(main())
""") == "2999993\nTrue\n" * 2


def test_subprocesses_and_pipes(program) -> None:
    assert program(START + r"""
async def main():
    loop = asyncio.get_running_loop()
    p = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(await p.communicate(b"x" * 300_000) == (b"x" * 300_000, None), p.returncode)
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    p = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 3", **both)
    print(await p.communicate(), p.returncode)
    p = await asyncio.create_subprocess_exec("sleep", "100")
    p.kill(); print(await p.wait())
    class Pipe(asyncio.Protocol):
        def connection_made(self, transport): self.transport = transport
        def data_received(self, data): self.transport.write(data.upper())
    name = r"\\.\pipe\winsock-test"
    [server] = await loop.start_serving_pipe(Pipe, name)
    reader = asyncio.StreamReader()
    transport, _ = await loop.create_pipe_connection(lambda: asyncio.StreamReaderProtocol(reader), name)
    transport.write(b"hello\n"); print(await reader.readline())
    transport.close(); server.close()
    try:
        await loop.create_pipe_connection(Pipe, name)
    except OSError as e:
        print(type(e).__name__, e.winerror)
asyncio.run(main())
""").splitlines() == ["True 0", "(b'out\\n', b'err\\n') 3", "-9", "b'HELLO\\n'", "FileNotFoundError 2"]


def test_a_keyboard_interrupt_ends_a_loop_that_waits(program) -> None:
    assert program(START + """
async def main():
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(3600)
    finally:
        print("ends")
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("KeyboardInterrupt")
""") == "ends\nKeyboardInterrupt\n"


def test_an_idle_loop_uses_no_time(program) -> None:
    """A second with open connections costs a few milliseconds, of which most is the way there."""
    assert program(START + """
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        await asyncio.sleep(0.3)
        before = time.process_time()
        await asyncio.sleep(1)
        print(time.process_time() - before < 0.2)
        for _, writer in pairs: writer.close()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.01)
asyncio.run(main())
""") == "True\n"


@pytest.mark.parametrize(
    ("loop", "shown"), [("proactor", "ProactorEventLoop 22"), ("selector", "_WindowsSelectorEventLoop 10061")]
)
def test_the_default_loop_can_be_chosen(run, loop: str, shown: str) -> None:
    source = START + """
async def main():
    try:
        await asyncio.open_connection("127.0.0.1", await unused())
    except OSError as e:
        print(type(asyncio.get_running_loop()).__name__, e.errno)
asyncio.run(main())
"""
    done = run("--loop", loop, "-c", source)
    assert (done.stdout, done.stderr) == (shown + "\n", "")


def test_an_unknown_loop_is_refused(run) -> None:
    done = run("--loop", "uv", "-c", "")
    assert done.returncode == 2
    assert "proactor, selector" in done.stderr


def test_the_loops_work_in_a_program_that_sees_linux(program) -> None:
    """winsock.asyncio: the program's own streams, contexts and processes over Windows' sockets."""
    assert program(START + """
import winsock.asyncio
async def main():
    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\\n"); print(await reader.readline(), type(loop).__name__, sys.platform)
        writer.close()
    try:
        await asyncio.open_connection("127.0.0.1", await unused())
    except OSError as e:
        print(type(e).__name__, e.winerror or e.errno)
    wsocket = winsock.asyncio.socket
    print(wsocket.AF_INET6, socket.AF_INET6 == 23, hasattr(wsocket, "SO_REUSEPORT"), hasattr(socket, "SO_REUSEPORT"))
    a, b = wsocket.socketpair(); a.setblocking(False); b.setblocking(False)
    if hasattr(loop, "_proactor"):
        p = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        print(await p.communicate(b"x"))
    await loop.sock_sendall(a, b"hi"); print(await loop.sock_recv(b, 9))
    a.close(); b.close()
for factory in winsock.asyncio.ProactorEventLoop, winsock.asyncio.SelectorEventLoop:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
async def plain(): print(type(asyncio.get_running_loop()).__name__)
asyncio.run(plain())
""", plain=True).splitlines() == [
        "b'HELLO\\n' ProactorEventLoop linux",
        "ConnectionRefusedError 1225",
        "23 False False True",
        "(b'x', None)",
        "b'hi'",
        "b'HELLO\\n' _WindowsSelectorEventLoop linux",
        "ConnectionRefusedError 10061",
        "23 False False True",
        "b'hi'",
        "_UnixSelectorEventLoop",
    ]
