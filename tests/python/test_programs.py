"""Programs of others, unmodified: what they do is what they do without winsock."""

from __future__ import annotations

import importlib.util

import pytest

PROGRAMS = {
    "http.server and urllib": """
        import http.server, threading, urllib.error, urllib.request
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                if self.path == "/missing":
                    return self.send_error(404)
                body = self.path.encode() * 10000
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[::-1])
            def log_message(self, *args): pass
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever).start()
            base = f"http://127.0.0.1:{server.server_port}"
            for path in "/", "/some/path":
                with urllib.request.urlopen(base + path) as answer:
                    print(answer.status, len(answer.read()))
            with urllib.request.urlopen(base + "/", data=b"0123456789" * 100000) as answer:
                print(answer.read()[:10])
            try:
                urllib.request.urlopen(base + "/missing")
            except urllib.error.HTTPError as e:
                print(e.code)
                e.close()
            server.shutdown()
    """,
    "socketserver": """
        import socket, socketserver, threading
        class Echo(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    self.wfile.write(line.upper())
        class Answer(socketserver.BaseRequestHandler):
            def handle(self):
                data, s = self.request
                s.sendto(data[::-1], self.client_address)
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as tcp, \\
             socketserver.UDPServer(("127.0.0.1", 0), Answer) as udp:
            for s in tcp, udp:
                threading.Thread(target=s.serve_forever, args=(0.05,)).start()
            clients = [socket.create_connection(tcp.server_address) for _ in range(5)]
            for i, c in enumerate(clients):
                c.sendall(f"line {i}\\n".encode() * 100)
                c.shutdown(socket.SHUT_WR)
            for c in clients:
                with c, c.makefile() as f:
                    lines = f.readlines()
                    print(len(lines), lines[0].strip())
            with socket.socket(type=socket.SOCK_DGRAM) as u:
                u.settimeout(10)
                u.sendto(b"abc", udp.server_address)
                print(u.recv(10))
            for s in tcp, udp:
                s.shutdown()
    """,
    "xmlrpc": """
        import threading, xmlrpc.client, xmlrpc.server
        with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as server:
            server.register_function(lambda x, y: x + y, "add")
            server.register_introspection_functions()
            threading.Thread(target=server.serve_forever).start()
            with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{server.server_address[1]}") as proxy:
                print(proxy.add(2, 3), proxy.add("a", "b"), proxy.system.listMethods())
                try:
                    proxy.nothing()
                except xmlrpc.client.Fault as e:
                    print("Fault", e.faultCode)
            server.shutdown()
    """,
    "smtplib against a server of its own": """
        import smtplib, socketserver, threading
        from email.message import EmailMessage
        received = []
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                say = lambda text: self.wfile.write(text.encode() + b"\\r\\n")
                say("220 here")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        say("354 go on")
                        while (line := self.rfile.readline()) != b".\\r\\n":
                            received.append(line)
                        say("250 taken")
                    elif verb == b"QUIT":
                        return say("221 bye")
                    else:
                        say("250 fine")
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever).start()
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "words"
            message.set_content("body\\n" * 2000)
            with smtplib.SMTP(*server.server_address, local_hostname="localhost") as smtp:
                smtp.send_message(message)
            print(sum(1 for line in received if line == b"body\\r\\n"))
            server.shutdown()
    """,
    "a server on selectors": """
        import selectors, socket, threading
        ready, ports = threading.Event(), []
        def serve():
            with selectors.DefaultSelector() as sel, socket.create_server(("127.0.0.1", 0)) as listener:
                ports.append(listener.getsockname()[1])
                listener.setblocking(False)
                sel.register(listener, selectors.EVENT_READ)
                ready.set()
                left = 20
                while left:
                    for key, mask in sel.select():
                        if key.fileobj is listener:
                            c, _ = listener.accept()
                            c.setblocking(False)
                            sel.register(c, selectors.EVENT_READ, bytearray())
                        elif mask & selectors.EVENT_READ:
                            data = key.fileobj.recv(4096)
                            if data:
                                key.data.extend(data)
                            else:
                                sel.modify(key.fileobj, selectors.EVENT_WRITE, key.data)
                        else:
                            n = key.fileobj.send(key.data)
                            del key.data[:n]
                            if not key.data:
                                sel.unregister(key.fileobj)
                                key.fileobj.close()
                                left -= 1
        t = threading.Thread(target=serve)
        t.start()
        ready.wait()
        total = 0
        clients = [socket.create_connection(("127.0.0.1", ports[0])) for _ in range(20)]
        for i, c in enumerate(clients):
            c.sendall(bytes([i]) * 5000)
            c.shutdown(socket.SHUT_WR)
        for i, c in enumerate(clients):
            data = b""
            while part := c.recv(1 << 16):
                data += part
            total += data == bytes([i]) * 5000
            c.close()
        t.join()
        print(total)
    """,
    "asyncio": """
        import asyncio
        async def handle(r, w):
            async for line in r:
                w.write(line[::-1])
                await w.drain()
            w.close()
        async def client(port, i):
            r, w = await asyncio.open_connection("127.0.0.1", port)
            w.write(b"%d\\n" % i * 1000)
            w.write_eof()
            data = await r.read()
            w.close()
            return len(data)
        async def main():
            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                print(sum(await asyncio.gather(*(client(port, i) for i in range(30)))))
                print(await asyncio.to_thread(sum, [1, 2]))
                try:
                    await asyncio.wait_for(asyncio.Event().wait(), 0.01)
                except TimeoutError:
                    print("late")
        asyncio.run(main())
    """,
}

TLS = """
    import http.server, ssl, threading, trustme
    ca = trustme.CA()
    cert = ca.issue_cert("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            body = b"x" * 200000
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *args): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://localhost:{server.server_port}/"
    ca.cert_pem.write_to_path("ca.pem")
"""

WITH_LIBRARIES = {
    "urllib over TLS": (
        ("trustme",),
        TLS
        + """
    import urllib.request, urllib.error
    context = ssl.create_default_context(cafile="ca.pem")
    with urllib.request.urlopen(url, context=context) as answer:
        print(answer.status, len(answer.read()))
    try:
        urllib.request.urlopen(url)
    except urllib.error.URLError as e:
        print(type(e.reason).__name__)
    """,
    ),
    "requests": (
        ("requests", "trustme"),
        TLS
        + """
    import requests
    with requests.Session() as session:
        session.verify, session.trust_env = "ca.pem", False
        for _ in range(3):
            print(session.get(url).status_code, len(session.get(url).content))
        session.verify = True
        try:
            session.get(url, timeout=10)
        except requests.exceptions.SSLError:
            print("not trusted")
    """,
    ),
    "urllib3": (
        ("urllib3", "trustme"),
        TLS
        + """
    import urllib3
    with urllib3.PoolManager(ca_certs="ca.pem") as pool:
        print(pool.request("GET", url).status)
    """,
    ),
    "paramiko": (
        ("paramiko",),
        """
    import paramiko, socket, threading
    key = paramiko.ECDSAKey.generate()
    class Server(paramiko.ServerInterface):
        def check_auth_password(self, name, word):
            return paramiko.AUTH_SUCCESSFUL if (name, word) == ("me", "secret") else paramiko.AUTH_FAILED
        def check_channel_request(self, kind, id):
            return paramiko.OPEN_SUCCEEDED
        def get_allowed_auths(self, name):
            return "password"
    listener = socket.create_server(("127.0.0.1", 0))
    def serve():
        for _ in range(2):
            threading.Thread(target=session, args=listener.accept()[:1], daemon=True).start()
    def session(s):
        t = paramiko.Transport(s)
        t.add_server_key(key)
        try:
            t.start_server(server=Server())
        except (EOFError, paramiko.SSHException):
            pass
        channel = t.accept(30)  # all of it, if the client has left already
        if channel is not None:
            channel.sendall(channel.recv(10) * 5000)
            channel.send_exit_status(7)
            channel.close()
    threading.Thread(target=serve, daemon=True).start()
    for word in "wrong", "secret":
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            try:
                client.connect("127.0.0.1", listener.getsockname()[1], "me", word, look_for_keys=False)
            except paramiko.AuthenticationException:
                print("refused")
                continue
            channel = client.get_transport().open_session()
            channel.sendall(b"run")
            print(len(channel.makefile().read()), channel.recv_exit_status())
    """,
    ),
    "aiosmtpd": (
        ("aiosmtpd",),
        """
    import asyncio, smtplib, socket
    from aiosmtpd.smtp import SMTP
    class Handler:
        async def handle_DATA(self, server, session, envelope):
            print(envelope.mail_from, envelope.rcpt_tos, len(envelope.content))
            return "250 taken"
    def send(port):
        with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
            smtp.sendmail("a@example.org", ["b@example.org"], "Subject: x\\r\\n\\r\\n" + "y\\r\\n" * 999)
    async def main():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Handler(), hostname="localhost"), "127.0.0.1", 0)
        await asyncio.to_thread(send, server.sockets[0].getsockname()[1])
        server.close()
        await server.wait_closed()
    asyncio.run(main())
    """,
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_standard_library(program, name: str) -> None:
    here, there = program(PROGRAMS[name]), program(PROGRAMS[name], plain=True)
    assert here == there
    assert here


@pytest.mark.parametrize("name", WITH_LIBRARIES)
def test_libraries(program, run, tmp_path, name: str) -> None:
    import textwrap

    modules, source = WITH_LIBRARIES[name]
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    (tmp_path / "program.py").write_text(textwrap.dedent(source))
    here, there = run("program.py"), run("program.py", plain=True)
    assert here.returncode == there.returncode == 0, here.stderr
    assert here.stdout == there.stdout
    assert here.stdout


def test_a_program_may_take_the_systems_calls_away(program) -> None:
    """As gevent and eventlet do: what winsock itself needs it has already."""
    out = program("""
        import os, sys, socket, threading, asyncio
        def close(fd):
            raise AssertionError("not the program's")
        for name in ("poll", "epoll", "select"):
            delattr(sys.modules["select"], name)
        os.close, before = close, os.close
        a, b = socket.socketpair()
        a.setblocking(False)
        for call in (lambda: a.recv(9), lambda: a.recv(9)):
            try:
                call()
            except BlockingIOError as e:
                print(e.winerror)
        a.settimeout(50)
        threading.Timer(0.01, b.sendall, [b"word"]).start()
        print(a.recv(9))
        gate = threading.Event()
        waits = threading.Thread(target=gate.wait)
        waits.start()
        b.close()  # while another thread is there
        gate.set()
        waits.join()
        print(a.recv(9))
        a.close()
        os.close = before
        async def main():
            server = await asyncio.start_server(lambda r, w: (w.write(b"hello"), w.close()), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            print(await reader.read())
            writer.close()
            await writer.wait_closed()
            server.close()
        asyncio.run(main())
    """)
    assert out.splitlines() == ["10035", "10035", "b'word'", "b''", "b'hello'"]
