"""Programs meet the errors that they would meet on Windows."""

from __future__ import annotations

import pytest

PRELUDE = """
import errno, select, socket, sys, threading
LOOP = "127.0.0.1"

def tell(do, *args):
    try:
        do(*args)
    except OSError as e:
        print(type(e).__name__, e.errno, e.winerror)
    else:
        print("no error")

def server(family=socket.AF_INET, host=LOOP):
    s = socket.socket(family)
    s.bind((host, 0))
    s.listen()
    return s

def free_port():
    with socket.socket() as s:
        s.bind((LOOP, 0))
        return s.getsockname()[1]

def pair():
    return socket.socketpair()

def udp():
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind((LOOP, 0))
    return s
"""

CASES = {
    "a datagram to a closed port comes back as a reset": (
        """
        u = udp()
        u.settimeout(10)
        u.sendto(b"x", (LOOP, free_port()))
        tell(u.recvfrom, 10)
        """,
        "ConnectionResetError 10054 10054",
    ),
    "and the next one is received": (
        """
        u, v = udp(), udp()
        u.settimeout(10)
        u.sendto(b"x", (LOOP, free_port()))
        tell(u.recvfrom, 10)
        v.sendto(b"hello", u.getsockname())
        print(u.recvfrom(10)[0])
        """,
        "ConnectionResetError 10054 10054\nb'hello'",
    ),
    "a datagram that is too long": (
        """
        u, v = udp(), udp()
        v.sendto(b"0123456789", u.getsockname())
        tell(u.recvfrom, 4)
        v.sendto(b"next", u.getsockname())
        print(u.recv(10))
        """,
        "OSError 10040 10040\nb'next'",
    ),
    "nobody listens": (
        "tell(socket.socket().connect, (LOOP, free_port()))",
        "ConnectionRefusedError 10061 10061",
    ),
    "connect_ex": (
        "print(socket.socket().connect_ex((LOOP, free_port())))",
        "10061",
    ),
    "an address in use": (
        "s = server(); tell(socket.socket().bind, s.getsockname())",
        "OSError 10048 10048",
    ),
    "an exclusive address": (
        """
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        s.bind((LOOP, 0))
        t = socket.socket()
        t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tell(t.bind, s.getsockname())
        """,
        "PermissionError 13 10013",
    ),
    "SO_REUSEADDR takes a port that is in use": (
        """
        s, t = socket.socket(), socket.socket()
        for one in s, t:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((LOOP, 0))
        s.listen()
        tell(t.bind, s.getsockname())
        """,
        "no error",
    ),
    "nothing to select": (
        "tell(select.select, [], [], [], 0)",
        "OSError 22 10022",
    ),
    "select of what is no socket": (
        "import os; r, w = os.pipe(); tell(select.select, [r], [], [], 0)",
        "OSError 10038 10038",
    ),
    "a failed connect shows in the third set only": (
        """
        s = socket.socket()
        s.setblocking(False)
        print(s.connect_ex((LOOP, free_port())))
        r, w, x = select.select([s], [s], [s], 30)
        print(len(r), len(w), len(x), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        """,
        "10035\n0 0 1 10061",
    ),
    "a successful one in the second": (
        """
        l = server()
        s = socket.socket()
        s.setblocking(False)
        print(s.connect_ex(l.getsockname()))
        r, w, x = select.select([], [s], [s], 30)
        print(len(w), len(x), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        """,
        "10035\n1 0 0",
    ),
    "nothing there yet": (
        "a, b = pair(); a.setblocking(False); tell(a.recv, 1); tell(a.recv_into, bytearray(1))",
        "BlockingIOError 10035 10035\nBlockingIOError 10035 10035",
    ),
    "time-outs have no number": (
        "a, b = pair(); a.settimeout(0.01); tell(a.recv, 1)",
        "TimeoutError None None",
    ),
    "SO_RCVTIMEO's do": (
        """
        a, b = pair()
        a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 20)
        tell(a.recv, 1)
        """,
        "TimeoutError 10060 10060",
    ),
    "a closed socket": (
        """
        s = socket.socket()
        s.close()
        for do in (lambda: s.recv(1), lambda: s.send(b"x"), s.listen, s.getsockname, lambda: s.connect((LOOP, 1))):
            tell(do)
        """,
        "\n".join(["OSError 10038 10038"] * 5),
    ),
    "no connection": (
        "s = socket.socket(); tell(s.recv, 1); tell(s.send, b'x'); tell(s.getpeername)",
        "\n".join(["OSError 10057 10057"] * 3),
    ),
    "no name": (
        "s = socket.socket(); tell(s.getsockname); tell(s.listen); tell(s.accept)",
        "\n".join(["OSError 22 10022"] * 3),
    ),
    "a second name": (
        "s = server(); tell(s.bind, (LOOP, 0))",
        "OSError 22 10022",
    ),
    "a second connection": (
        "l = server(); s = socket.socket(); s.connect(l.getsockname()); tell(s.connect, l.getsockname())",
        "OSError 10056 10056",
    ),
    "after shutdown": (
        """
        a, b = pair()
        a.shutdown(socket.SHUT_WR)
        tell(a.send, b"x")
        a.shutdown(socket.SHUT_RD)
        tell(a.recv, 1)
        """,
        "BrokenPipeError 10058 10058\nBrokenPipeError 10058 10058",
    ),
    "the peer resets": (
        """
        a, b = pair()
        import struct
        b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh", 1, 0))
        b.close()
        tell(a.recv, 1)
        tell(a.recv, 1)
        tell(a.send, b"x")
        """,
        "\n".join(["ConnectionResetError 10054 10054"] * 3),
    ),
    "closing would linger": (
        """
        import struct
        for timeout in 0, 60:
            a, b = pair()
            a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh", 1, 1))
            a.setblocking(False)
            try:
                while a.send(bytes(1 << 16)):
                    pass
            except BlockingIOError:
                pass
            a.settimeout(timeout)
            tell(a.close)
            tell(a.send, b"x")  # the object is closed, as CPython's is
            assert b.recv(1)  # the connection is not
            a.close()
        """,
        "\n".join(["BlockingIOError 10035 10035", "OSError 10038 10038"] * 2),
    ),
    "no such name": (
        """
        tell(socket.getaddrinfo, "no-such-host.invalid", 80)
        tell(socket.gethostbyname, "no-such-host.invalid")
        tell(socket.socket().connect, ("no-such-host.invalid", 80))
        tell(lambda: socket.getaddrinfo(None, "no-such-service"))
        """,
        "\n".join(["gaierror 11001 None"] * 3 + ["gaierror 10109 None"]),
    ),
    "families and types that are not there": (
        """
        tell(socket.socket, 12345)
        tell(lambda: socket.socket(socket.AF_INET, 77))
        tell(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP))
        tell(lambda: socket.socket(socket.AF_IRDA))
        """,
        "OSError 10047 10047\nOSError 10044 10044\nOSError 10043 10043\nOSError 10047 10047",
    ),
    "options that are not there": (
        """
        s = socket.socket()
        tell(s.getsockopt, socket.SOL_SOCKET, 0x7777)
        tell(s.setsockopt, socket.IPPROTO_TCP, 0x7777, 1)
        tell(lambda: s.getsockopt(0x1234, 1))
        tell(lambda: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"x"))
        """,
        "OSError 10042 10042\nOSError 10042 10042\nOSError 22 10022\nOSError 14 10014",
    ),
    "an address of another machine": (
        "tell(socket.socket().bind, ('192.0.2.1', 0))",
        "OSError 10049 10049",
    ),
    "port 0": (
        "tell(socket.socket().connect, (LOOP, 0))",
        "OSError 10049 10049",
    ),
    "nowhere to send to": (
        "u = udp(); tell(u.sendto, b'x', ('0.0.0.0', 9)); tell(u.sendto, b'x', (LOOP, 0)); tell(u.send, b'x')",
        "OSError 10049 10049\nOSError 10049 10049\nOSError 10057 10057",
    ),
    "a connected datagram socket": (
        """
        u, v = udp(), udp()
        u.connect(v.getsockname())
        v.sendto(b"0123456789", u.getsockname())
        tell(u.recv, 4)
        v.sendto(b"ab", u.getsockname())
        print(u.recv(10))
        u.connect((LOOP, free_port()))
        u.settimeout(10)
        print(u.send(b"x"))
        tell(u.recv, 10)
        """,
        "OSError 10040 10040\nb'ab'\n1\nConnectionResetError 10054 10054",
    ),
    "broadcast without permission": (
        "tell(udp().sendto, b'x', ('255.255.255.255', 9))",
        "PermissionError 13 10013",
    ),
    "a descriptor that is no socket": (
        "tell(lambda: socket.socket(fileno=0)); tell(lambda: socket.socket(fileno=12345)); tell(socket.close, 12345)",
        "\n".join(["OSError 10038 10038"] * 3),
    ),
    "listening, and nobody comes": (
        "s = server(); s.setblocking(False); tell(s.accept); s.settimeout(0.01); tell(s.accept)",
        "BlockingIOError 10035 10035\nTimeoutError None None",
    ),
    "a connect under way": (
        """
        s = socket.socket()
        s.setblocking(False)
        tell(s.connect, ("127.0.0.1", free_port()))
        """,
        "BlockingIOError 10035 10035",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_error(program, tmp_path, name: str) -> None:
    import textwrap

    body, expected = CASES[name]
    assert program(PRELUDE + textwrap.dedent(body)) == expected + "\n"


def test_close_ends_a_blocking_call_of_another_thread(program) -> None:
    """On Windows; on Linux the call would go on waiting."""
    out = program(
        PRELUDE
        + """
results = []
def wait(ready, do):
    ready.set()
    try:
        do()
    except OSError as e:
        results.append((type(e).__name__, e.winerror))

def closes(s, do):
    ready = threading.Event()
    t = threading.Thread(target=wait, args=(ready, do))
    t.start()
    ready.wait()
    while not s._ep.waiters and t.is_alive():
        threading.Event().wait(0.001)
    s.close()
    t.join(20)
    print(t.is_alive(), results.pop() if results else "no error")

l = server()
closes(l, l.accept)
a, b = pair()
closes(a, lambda: a.recv(1))
u = udp()
closes(u, lambda: u.recvfrom(1))
c, d = pair()
c.settimeout(30)
closes(c, lambda: c.recv(1))
"""
    )
    lines = out.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("False (") for line in lines), out


def test_a_program_may_look_at_numbers_as_on_windows(program) -> None:
    out = program(
        PRELUDE
        + """
s = socket.socket()
s.setblocking(False)
try:
    s.connect((LOOP, free_port()))
except BlockingIOError as e:
    print(e.errno == errno.EWOULDBLOCK, e.errno == errno.WSAEWOULDBLOCK, e.errno == errno.EAGAIN)
print(str(OSError(errno.ECONNREFUSED, "x")), type(OSError(errno.ECONNREFUSED, "x")) is ConnectionRefusedError)
print(socket.socket(socket.AF_INET6).family, int(socket.AF_INET6))
"""
    )
    assert out.splitlines() == ["True True False", "[Errno 10061] x True", "23 23"]
