"""The socket class and the functions of _socket, from a program's side."""

from __future__ import annotations

import pytest

PRELUDE = """
import errno, gc, os, select, socket, struct, sys, threading, warnings
LOOP = "127.0.0.1"
def pair(): return socket.socketpair()
def code(do, *args):
    try:
        do(*args)
    except OSError as e:
        return e.winerror or type(e).__name__
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return "fine"
"""

CASES: dict[str, tuple[str, str]] = {
    "numbers of a socket": (
        """
        for s in socket.socket(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 17):
            print(int(s.family), int(s.type), s.proto, s.timeout, s.getblocking())
            s.close()
            print(int(s.family), s.fileno(), repr(s)[:31])
        """,
        """\
        2 1 0 None True
        2 -1 <socket.socket [closed] fd=-1,
        23 2 17 None True
        23 -1 <socket.socket [closed] fd=-1, """,
    ),
    "options have Windows' formats": (
        """
        s = socket.socket()
        def opt(name, value=None, level=socket.SOL_SOCKET, size=0):
            if value is not None:
                s.setsockopt(level, getattr(socket, name), value)
            print(name, s.getsockopt(level, getattr(socket, name), *([size] if size else [])))
        opt("SO_TYPE")
        opt("SO_LINGER", struct.pack("HH", 1, 7), size=4)
        opt("SO_RCVTIMEO", 1500)
        opt("SO_SNDTIMEO", struct.pack("I", 2500), size=4)
        opt("SO_RCVBUF", 100000)
        opt("SO_KEEPALIVE", 1)
        opt("TCP_NODELAY", 1, socket.IPPROTO_TCP)
        opt("TCP_KEEPIDLE", 60, socket.IPPROTO_TCP)
        opt("IP_TTL", 9, socket.IPPROTO_IP)
        opt("SO_REUSEADDR")
        opt("SO_ACCEPTCONN")
        """,
        """\
        SO_TYPE 1
        SO_LINGER b'\\x01\\x00\\x07\\x00'
        SO_RCVTIMEO 1500
        SO_SNDTIMEO b'\\xc4\\t\\x00\\x00'
        SO_RCVBUF 100000
        SO_KEEPALIVE 1
        TCP_NODELAY 1
        TCP_KEEPIDLE 60
        IP_TTL 9
        SO_REUSEADDR 0
        SO_ACCEPTCONN 0""",
    ),
    "IPv6 sockets are for IPv6 alone": (
        """
        with socket.socket(socket.AF_INET6) as s, socket.socket() as t:
            print(s.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
            s.bind(("::", 0))
            t.bind(("0.0.0.0", s.getsockname()[1]))
            print(len(s.getsockname()))
        """,
        "1\n4",
    ),
    "arguments are checked as in C": (
        """
        s = socket.socket()
        print(code(s.bind, "x"))
        print(code(s.bind, (LOOP,)))
        print(code(s.bind, (LOOP, 70000)))
        print(code(s.bind, (LOOP, 1.5)))
        print(code(s.bind, (5, 1)))
        print(code(s.recv, -1))
        print(code(s.recv, "x"))
        print(code(s.send, "text"))
        print(code(s.listen, None))
        print(code(s.setsockopt, 1, 1 << 40, 2))
        print(code(s.getsockopt, 1, 2, 5000))
        print(code(lambda: socket.socket(fileno=-1)))
        print(code(lambda: socket.socket(fileno="x")))
        print(code(s.recv_into, b"readonly"))
        print(code(s.recv_into, bytearray(3), 4))
        print(code(s.settimeout, -1))
        print(code(s.ioctl, 5, 1), "|", code(s.ioctl, socket.SIO_RCVALL, "x"))
        """,
        """\
        TypeError: bind(): AF_INET address must be tuple, not str
        TypeError: bind(): AF_INET address must be a pair (host, port)
        OverflowError: bind(): port must be 0-65535.
        TypeError: 'float' object cannot be interpreted as an integer
        TypeError: str, bytes or bytearray expected, not int
        ValueError: negative buffersize in recv
        TypeError: 'str' object cannot be interpreted as an integer
        TypeError: a bytes-like object is required, not 'str'
        TypeError: 'NoneType' object cannot be interpreted as an integer
        OverflowError: signed integer is greater than maximum
        OSError
        ValueError: negative file descriptor
        TypeError: 'str' object cannot be interpreted as an integer
        TypeError: recv_into() argument 1 must be read-write bytes-like object, not bytes
        ValueError: buffer too small for requested bytes
        ValueError: Timeout value out of range
        ValueError: invalid ioctl command 5 | TypeError: 'str' object cannot be interpreted as an integer""",
    ),
    "ioctl": (
        """
        s = socket.socket()
        print(s.ioctl(socket.SIO_KEEPALIVE_VALS, (1, 30000, 1000)), s.ioctl(socket.SIO_LOOPBACK_FAST_PATH, True))
        """,
        "0 0",
    ),
    "detach, fromfd, dup": (
        """
        a, b = pair()
        c = a.dup()
        d = socket.fromfd(b.fileno(), b.family, b.type)
        e = socket.socket(fileno=a.detach())
        print(a.fileno(), int(e.family), e.getpeername() == b.getsockname(), c.getpeername() == e.getpeername())
        c.sendall(b"1"); e.sendall(b"2")
        print(d.recv(1), b.recv(1))
        c.close()
        e.sendall(b"3")
        print(b.recv(1))
        b.close(); d.close()
        print(e.recv(1))
        """,
        "-1 2 True True\nb'1' b'2'\nb'3'\nb''",
    ),
    "a detached number can be closed": (
        """
        s = socket.socket()
        n = s.detach()
        socket.close(n)
        print(code(socket.close, n), code(s.send, b"x"))
        """,
        "10038 10038",
    ),
    "a number used again is another socket": (
        """
        s = socket.socket()
        s.bind((LOOP, 0))
        n = s.detach()
        os.close(n)
        t = socket.socket()
        print(t.fileno() == n, code(t.getsockname))
        t.bind((LOOP, 0))
        t.listen()
        gc.collect()
        u = socket.create_connection(t.getsockname())
        print(code(u.send, b"x"))
        """,
        "True 10022\nfine",
    ),
    "sockets of other code": (
        """
        import subprocess, multiprocessing
        here, there = multiprocessing.Pipe()           # Linux' own sockets
        r, w, x = select.select([here.fileno()], [here.fileno()], [], 0)
        print(len(r), len(w))
        there.send(1)
        print(len(select.select([here.fileno()], [], [], 10)[0]), here.recv())
        """,
        "0 1\n1 1",
    ),
    "select's objects and answers": (
        """
        a, b = pair()
        class Wrapped:
            def fileno(self): return b.fileno()
        w = Wrapped()
        print(select.select([w], [], [], 0)[0])
        a.send(b"x")
        r, wr, x = select.select([a, w, b, b.fileno()], [a], [a, b], 5)
        print([o is p for o, p in zip(r, (w, b, b.fileno()))], wr == [a], x)
        print(code(select.select, [object()], [], []))
        print(code(select.select, [b], [], [], -1))
        print(code(select.select, [b], [], [], "x"))
        print(code(select.select, 5, [], []))
        print(code(select.select, [b] * 513, [], []))
        print(len(select.select(iter([b] * 512), (), set(), 0)[0]))
        b.close()
        print(code(select.select, [b], [], [], 0))
        """,
        """\
        []
        [True, True, True] True []
        TypeError: argument must be an int, or have a fileno() method.
        ValueError: timeout must be non-negative
        TypeError: timeout must be a float or None
        TypeError: arguments 1-3 must be sequences
        ValueError: too many file descriptors in select()
        512
        ValueError: file descriptor cannot be a negative integer (-1)""",
    ),
    "many descriptors": (
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        pairs = [pair() for _ in range(600)]
        for a, b in pairs[:500]:
            a.send(b"x")
        print(len(select.select([b for _, b in pairs[-500:]], [], [], 0)[0]), pairs[-1][1].fileno() > 1024)
        """,
        "400 True",
    ),
    "a non-blocking receive that found nothing": (
        """
        a, b = pair()
        b.setblocking(False)
        print([code(b.recv, 1) for _ in range(3)], code(b.recv_into, bytearray(1)))
        a.send(b"xy")
        select.select([b], [], [], 10)
        print(b.recv(1), b.recv(1), code(b.recv, 1))
        b.setblocking(True)
        a.send(b"z")
        print(b.recv(1))
        b.setblocking(False)
        print(code(b.recv, 1))
        a.close()
        select.select([b], [], [], 10)
        print(b.recv(1), b.recv(1))
        b.shutdown(socket.SHUT_RD)
        print(code(b.recv, 1))
        b.close()
        print(code(b.recv, 1))
        """,
        "[10035, 10035, 10035] 10035\nb'x' b'y' 10035\nb'z'\n10035\nb'' b''\n10058\n10038",
    ),
    "whole sends": (
        """
        a, b = pair()
        data = os.urandom(1 << 22)
        got = bytearray()
        def read():
            while part := b.recv(1 << 16): got.extend(part)
        t = threading.Thread(target=read)
        t.start()
        print(a.send(data) == len(data))               # a blocking send takes everything
        a.sendall(memoryview(data).cast("I"))
        a.shutdown(socket.SHUT_WR)
        t.join()
        print(got == data * 2)
        """,
        "True\nTrue",
    ),
    "flags": (
        """
        a, b = pair()
        a.send(b"abc")
        print(b.recv(2, socket.MSG_PEEK), b.recv(3, socket.MSG_WAITALL))
        print(code(b.recv, 1, 0x40000000))
        a.send(b"!", socket.MSG_OOB)
        r, w, x = select.select([], [], [b], 10)
        print(len(x), b.recv(1, socket.MSG_OOB))
        """,
        "b'ab' b'abc'\n10022\n1 b'!'",
    ),
    "datagrams": (
        """
        u, v = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
        print(code(u.recv, 1))
        u.bind((LOOP, 0))
        print(v.sendto(b"", u.getsockname()), u.recvfrom(5)[0])
        print(v.sendto(b"abc", 0, u.getsockname()), u.recvfrom_into(bytearray(5))[0])
        print(code(v.send, b"x"), code(v.sendto, b"x"), code(v.sendto, b"x", 1, 2, 3))
        v.connect(u.getsockname())
        v.send(b"z")
        print(u.recvfrom(9) == (b"z", v.getsockname()), v.getpeername() == u.getsockname())
        """,
        "10022\n0 b''\n3 3\n10057 TypeError: sendto() takes 2 or 3 arguments (1 given)"
        " TypeError: sendto() takes 2 or 3 arguments (4 given)\nTrue True",
    ),
    "names": (
        """
        print(socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))
        print([i[0] for i in socket.getaddrinfo("::1", "http")], socket.getaddrinfo("::1", "80")[0][4])
        print(socket.getnameinfo((LOOP, 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV))
        print(socket.gethostbyname("127.0.0.1"), socket.gethostbyname("localhost"), socket.gethostbyname(""))
        print(socket.getservbyname("http"), socket.getservbyport(443, "tcp"), socket.getprotobyname("udp"))
        print(code(socket.getservbyname, "no-such"), code(socket.getservbyport, 70000))
        print(socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "::1")))
        print("." not in socket.gethostname())
        """,
        """\
        [(<AddressFamily.AF_INET: 2>, <SocketKind.SOCK_STREAM: 1>, 0, '', ('127.0.0.1', 80))]
        [<AddressFamily.AF_INET6: 23>] ('::1', 80, 0, 0)
        ('127.0.0.1', '80')
        127.0.0.1 127.0.0.1 0.0.0.0
        80 https 17
        OSError OverflowError: getservbyport: port must be 0-65535.
        ::1
        True""",
    ),
    "default timeouts": (
        """
        socket.setdefaulttimeout(0.05)
        a, b = pair()
        print(a.gettimeout(), code(a.recv, 1))
        print(socket.getdefaulttimeout(), code(socket.setdefaulttimeout, -1), socket.getdefaulttimeout())
        socket.setdefaulttimeout(None)
        print(socket.socket().gettimeout())
        """,
        "0.05 TimeoutError\n0.05 ValueError: Timeout value out of range 0.05\nNone",
    ),
    "unclosed sockets are told of": (
        """
        warnings.simplefilter("always")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            s = socket.socket()
            text = repr(s)
            del s
            gc.collect()
        print(len(told), told[0].category.__name__, str(told[0].message) == f"unclosed {text}")
        """,
        "1 ResourceWarning True",
    ),
    "no reference cycles": (
        """
        import weakref
        gc.collect(); gc.disable()
        def use():
            a, b = pair()
            b.settimeout(0.001)
            code(b.recv, 1); a.send(b"x"); b.recv(1)
            code(a.bind, (LOOP, 0)); code(a.connect, (LOOP, 1))
            refs = [weakref.ref(a), weakref.ref(b)]
            a.close(); b.close()
            return refs
        print([r() for r in use()])
        """,
        "[None, None]",
    ),
    "subclasses": (
        """
        class Mine(socket.socket):
            def send(self, data, *args):
                return super().send(data.upper(), *args)
        l = socket.create_server((LOOP, 0))
        m = Mine()
        m.connect(l.getsockname())
        c, _ = l.accept()
        m.send(b"x")
        print(c.recv(1), isinstance(m, socket.SocketType), repr(m)[:14])
        """,
        "b'X' True <__main__.Mine",
    ),
    "files": (
        """
        a, b = pair()
        with a.makefile("rw") as f, b.makefile("rwb") as g:
            f.write("line\\n"); f.flush()
            print(g.readline())
            g.write(b"back\\n"); g.flush()
            print(f.readline())
        with a.makefile("rb") as f, open("data", "wb") as out:
            out.write(b"d" * 100000)
        with open("data", "rb") as f:
            t = threading.Thread(target=lambda: print(b.sendfile(f)))
            t.start()
            n = 0
            while n < 100000:
                n += len(a.recv(65536))
            t.join()
        """,
        "b'line\\n'\nback\n\n100000",
    ),
    "dual stack": (
        """
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as l:
            with socket.create_connection((LOOP, l.getsockname()[1])) as c:
                s, peer = l.accept()
                print(peer[0], len(peer))
                s.close()
        """,
        "::ffff:127.0.0.1 4",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_socket(program, name: str) -> None:
    import textwrap

    body, expected = CASES[name]
    got = program(PRELUDE + textwrap.dedent(body))
    assert [line.rstrip() for line in got.splitlines()] == [
        line.rstrip() for line in textwrap.dedent(expected).splitlines()
    ]


def test_share_with_another_process(program) -> None:
    out = program("""
        import os, socket, subprocess, sys
        CHILD = '''
        import socket, sys
        info = bytes.fromhex(sys.stdin.readline())
        s = socket.fromshare(info)
        c, _ = s.accept()
        c.sendall(b"from the child")
        c.close()
        '''.replace("\\n        ", "\\n")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            child = subprocess.Popen([sys.executable, "-m", "winsock", "run", "-c", CHILD], stdin=subprocess.PIPE)
            info = listener.share(child.pid)
        print(len(info))
        child.stdin.write(info.hex().encode() + b"\\n")
        child.stdin.close()
        with socket.create_connection(address) as c:
            print(c.recv(100))
        print(child.wait(30))
        try:
            socket.fromshare(info)
        except OSError as e:
            print(e.winerror)
        try:
            socket.fromshare(info[:-1])
        except ValueError as e:
            print("wrong size" in str(e))
    """)
    assert out == "628\nb'from the child'\n0\n10022\nTrue\n"


def test_tls_errors_speak_windows(program) -> None:
    out = program("""
        import socket, ssl, struct, threading
        listener = socket.create_server(("127.0.0.1", 0))
        def reset():
            s, _ = listener.accept()
            s.recv(100)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("HH", 1, 0))
            s.close()
        t = threading.Thread(target=reset)
        t.start()
        context = ssl.create_default_context()
        s = socket.create_connection(listener.getsockname())
        try:
            context.wrap_socket(s, server_hostname="localhost")
        except OSError as e:
            print(type(e).__name__, e.winerror)
        t.join()
    """)
    assert out == "ConnectionResetError 10054\n"


def test_sockets_closed_under_busy_threads(program) -> None:
    out = program("""
        import gc, os, random, socket, sys, threading
        sys.setswitchinterval(1e-5)
        KNOWN = {10004, 10022, 10035, 10038, 10053, 10054, 10057, 10058, None}
        strange = []
        def work(socks, started, stop):
            r = random.Random(1)
            started.set()
            while not stop.is_set():
                s = r.choice(socks)
                do = r.choice((
                    lambda: s.recv(10), lambda: s.recv_into(bytearray(5)), lambda: s.send(b"x"), s.getsockname,
                    lambda: s.setblocking(False), lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), s.fileno,
                    lambda: s.settimeout(0), s.getpeername, lambda: s.sendall(b"y"),
                ))
                try:
                    do()
                except OSError as e:
                    if e.winerror not in KNOWN:
                        strange.append(repr(e))
                except Exception as e:
                    strange.append(repr(e))
        def round():
            socks = []
            for _ in range(10):
                for s in socket.socketpair():
                    s.setblocking(False)
                    socks.append(s)
            stop = threading.Event()
            started = [threading.Event() for _ in range(4)]
            threads = [threading.Thread(target=work, args=(socks, e, stop)) for e in started]
            for t in threads: t.start()
            for e in started: e.wait()
            for s in socks: s.close()
            stop.set()
            for t in threads: t.join(20)
            return any(t.is_alive() for t in threads)
        round()
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        print([round() for _ in range(15)].count(True), sorted(set(strange)))
        gc.collect()
        print(len(os.listdir("/proc/self/fd")) - before)
    """)
    assert out == "0 []\n0\n"


def test_setsockopt_refuses_arguments_as_this_version_of_python_does(program) -> None:
    told = """
        import socket, sys
        s = socket.socket()
        for args in ((1, 2), (1, 2, 3, 4, 5), ("a", 2, 1), (1 << 99, 2, 1), (1, 1 << 99, 1), (1, 2, 1 << 99),
                     (1, 2, {}), (1, 2, None), (1, 2, 1, 2), (1, 2, 1.5)):
            try:
                s.setsockopt(*args)
            except (TypeError, OverflowError) as e:
                print(type(e).__name__, e)
    """
    here = program(told)
    assert here.count("\n") == 10
    assert here == program(told, plain=True)


def test_quick_acknowledgements(program) -> None:
    """CPython gives the control code as an option, since 3.14: python/cpython#123476."""
    assert program("""
        import socket, sys
        if sys.version_info < (3, 14):
            print("0 1 0 OSError 10022 OSError 10045", hasattr(socket, "TCP_QUICKACK"))
            sys.exit()
        s, u = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        def level(*value):
            return (s.setsockopt if value else s.getsockopt)(socket.IPPROTO_TCP, socket.TCP_QUICKACK, *value)
        told = [level()]
        for value in 1, 0:
            level(value)
            told.append(level())
        for sock, value in (s, 7), (u, 1):
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, value)
            except OSError as e:
                told += type(e).__name__, e.winerror
        print(*told, False)
    """) == "0 1 0 OSError 10022 OSError 10045 False\n"
