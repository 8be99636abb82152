"""The short ways by which asyncio's proactor loop makes and ends connections, and where they end; each a program."""

from __future__ import annotations

START = """
import socket, struct, select, gc
import _overlapped as o
INVALID, LEVEL = o.INVALID_HANDLE_VALUE, socket.SOL_SOCKET
port = o.CreateIoCompletionPort(INVALID, 0, 0, 0)

def listen(backlog=5):
    s = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    o.CreateIoCompletionPort(s.fileno(), port, 1, 0)
    return s

def fresh(bound=True):
    s = socket.socket()
    s.setblocking(False)
    o.CreateIoCompletionPort(s.fileno(), port, 2, 0)
    if bound:
        o.BindLocal(s.fileno(), s.family)
    return s

def connect(s, address):
    ov = o.Overlapped(0)
    ov.ConnectEx(s.fileno(), address)
    return ov

def accept(listener):
    s, ov = socket.socket(), o.Overlapped(0)
    s.settimeout(0)
    ov.AcceptEx(listener.fileno(), s.fileno())
    return s, ov

def context(s, listener):
    s.setsockopt(LEVEL, o.SO_UPDATE_ACCEPT_CONTEXT, struct.pack("@P", listener.fileno()))

def get(ms=30_000):
    return o.GetQueuedCompletionStatus(port, ms)

def code(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return e.winerror
    except (TypeError, ValueError, OverflowError) as e:
        return type(e).__name__
"""


def test_a_connect_that_succeeds_tells_the_port_once_and_lacks_its_context_until_then(program) -> None:
    assert program(START + """
listener, s = listen(), fresh()
address = listener.getsockname()
ov = connect(s, address)
print(get() == (0, 0, 2, ov.address), get(0), ov.pending, ov.getresult())
print(code(s.getpeername), code(s.shutdown, 2), code(s.connect, address), s.getsockname()[0])
ov.cancel()                                 # too late: nothing happens
s.setsockopt(LEVEL, o.SO_UPDATE_CONNECT_CONTEXT, 0)
print(s.getpeername() == address, code(s.connect, address), get(0))
with listener.accept()[0] as other:
    print(other.getpeername() == s.getsockname())
    s.send(b"x"); print(other.recv(9))
print(s.shutdown(2), code(s.send, b""), code(s.setsockopt, LEVEL, o.SO_UPDATE_CONNECT_CONTEXT, 0))
s.close(); print(code(s.getpeername), code(s.getsockname))
fresh_one = fresh()
print(code(fresh_one.setsockopt, LEVEL, o.SO_UPDATE_CONNECT_CONTEXT, 0), code(fresh_one.getpeername))
""").splitlines() == [
        "True None False 0",
        "10057 10057 10022 127.0.0.1",
        "True 10056 None",
        "True",
        "b'x'",
        "None 10058 None",
        "10038 10038",
        "10057 10057",
    ]


def test_a_connect_that_is_refused_or_takes_its_time(program) -> None:
    assert program(START + """
listener = listen(backlog=0)
address = listener.getsockname()
with socket.socket() as nobody:
    nobody.bind(("127.0.0.1", 0))
    s = fresh()
    ov = connect(s, nobody.getsockname())
    err, n, key, at = get()
    print(err, n, key, at == ov.address, ov.pending, code(ov.getresult), code(s.getpeername))
# More than the listener takes: the kernel answers no more, and the request stays until it is cancelled.
kept = []
while True:
    s = fresh(); ov = connect(s, address); kept.append((s, ov))
    if get(0) is None:
        break
print(ov.pending, code(ov.getresult), code(connect, s, address))
ov.cancel(); err, _, _, at = get()
print(err, at == ov.address, ov.pending, code(ov.getresult))
other = listen()
again = connect(s, other.getsockname())     # it is bound still, and free
while again.pending:
    get()
print(again.getresult())
""").splitlines() == [
        "1225 0 2 True False 1225 10057",
        "True 996 10022",
        "995 True False 995",
        "0",
    ]


def test_what_a_connect_is_refused_for(program) -> None:
    assert program(START + """
listener = listen()
host, number = listener.getsockname()
print(code(connect, fresh(bound=False), (host, number)), code(connect, listener, (host, number)))
for bad in ("localhost", number), (host, -1), (host, 65536), (host, 0), ("0.0.0.0", number), (host, "80"), \\
        [host, number], (host,), (host, number, 0, 0), "127.0.0.1", (b"127.0.0.1", number), (host, 1.0), (host, None):
    print(bad if bad[1:2] != (number,) else bad[0], code(connect, fresh(), bad) if bad else "")
s = fresh(); connect(s, (host, number)); print(get()[0], code(connect, s, (host, number)))
""".replace("print(bad if bad[1:2] != (number,) else bad[0], ", "print(")).splitlines() == [
        "10022 10022",
        "10022",
        "OverflowError",
        "OverflowError",
        "10049",
        "10049",
        "TypeError",
        "TypeError",
        "ValueError",
        "ValueError",
        "TypeError",
        "10022",
        "TypeError",
        "TypeError",
        "0 10056",
    ]


def test_accepts_take_connections_that_came_before_and_after_them(program) -> None:
    assert program(START + """
listener = listen(20)
address = listener.getsockname()
def client():
    s = socket.create_connection(address); return s
early = [client() for _ in range(3)]
taken = []
for i in range(5):
    if i > 2:
        early.append(client())
    s, ov = accept(listener)
    err, n, key, at = get()
    print(err, n, key, at == ov.address, ov.pending, end=" ")
    print(code(s.getpeername), code(s.getsockname), code(s.send, b"x"), end=" ")
    context(s, listener)
    print(s.getpeername() == early[i].getsockname(), s.getsockname() == address)
    taken.append(s)
several = [accept(listener) for _ in range(3)]
print(code(o.Overlapped(0).AcceptEx, listener.fileno(), several[0][0].fileno()))    # one at a time
late = [client() for _ in range(3)]
print([get()[3] for _ in several] == [ov.address for _, ov in several], get(0))
for (s, _), peer in zip(several, late):
    context(s, listener); print(s.getpeername() == peer.getsockname(), end=" ")
s, ov = accept(listener); ov.cancel(); err, _, _, at = get()
print(err, at == ov.address)
with client() as last, listener.accept()[0] as other:      # nobody takes it away
    print(other.getpeername() == last.getsockname(), code(context, s, last))
s, ov = accept(listener); listener.close(); print(get()[0], code(ov.getresult))
""").splitlines() == [
        *["0 0 1 True False 10057 10022 1 True True"] * 5,
        "10022",
        "True None",
        "True True True 995 True",
        "True 10022",
        "995 995",
    ]


def test_the_first_receive_on_a_connection(program) -> None:
    assert program(START + """
listener = listen()
def pair():
    s, ov = accept(listener); client = fresh(); connect(client, listener.getsockname()); get(), get()
    context(s, listener); client.setsockopt(LEVEL, o.SO_UPDATE_CONNECT_CONTEXT, 0)
    o.CreateIoCompletionPort(s.fileno(), port, 3, 0)
    return s, client
def receive(s, size=10):
    ov = o.Overlapped(0); ov.WSARecv(s.fileno(), size); return ov
s, client = pair()
a, b = receive(s), receive(client)              # nothing is there
print(a.pending, b.pending, get(0))
client.send(b"abc"); print(get() == (0, 3, 3, a.address), a.getresult(), b.pending)
b.cancel(); print(get()[0], code(b.getresult), b.pending)
client.send(b"defg")
a = receive(s, 2); print(get() == (0, 2, 3, a.address), a.pending, a.getresult())
s.setblocking(False); print(s.recv(9), code(s.recv, 9))    # after it, and back again
a = receive(s); client.send(b"h"); get(); print(a.getresult())
a = receive(s); s.close(); print(get()[0], code(a.getresult))
s, client = pair()
client.shutdown(1); select.select([s], [], [], 30)
a = receive(s); print(a.pending, get() == (0, 0, 3, a.address), a.getresult())
s, client = pair()
client.setsockopt(LEVEL, socket.SO_LINGER, struct.pack("HH", 1, 0)); client.close()
try:
    a = receive(s); get(); a.getresult()
except OSError as e:
    print(e.winerror in (64, 10054))
""").splitlines() == [
        "True True None",
        "True b'abc' True",
        "995 995 False",
        "True False b'de'",
        "b'fg' 10035",
        "b'h'",
        "995 995",
        "True True b''",
        "True",
    ]


def test_a_descriptors_mode_is_the_sockets(program) -> None:
    """CPython's C code, ssl's say, relies on it."""
    assert program("""
import socket, posix
waits = lambda s: posix.get_blocking(s.fileno())
made = [socket.socket() for _ in range(2)]
made.append(socket.socket(type=socket.SOCK_DGRAM)); made.append(socket.socket(type=socket.SOCK_DGRAM))
print([waits(s) for s in made], [s.gettimeout() for s in made])
for timeout in 0, 3, None, 0.0, False, None:
    for s in made: s.settimeout(timeout)
    print({waits(s) for s in made}, {s.gettimeout() for s in made}, end=" ")
print()
made[0].bind(("127.0.0.1", 0)); made[0].listen(); print(waits(made[0]), made[0].gettimeout())
socket.setdefaulttimeout(2)
s = socket.socket(); print(waits(s), s.gettimeout())
socket.setdefaulttimeout(None)
s = socket.socket(); print(waits(s), s.gettimeout())
""").splitlines() == [
        "[True, True, True, True] [None, None, None, None]",
        "{False} {0.0} {False} {3.0} {True} {None} {False} {0.0} {False} {0.0} {True} {None} ",
        "False None",
        "False 2.0",
        "True None",
    ]


def test_options_by_the_short_way_are_those_of_the_long_one(program) -> None:
    """What has no short way, a bytes value, shows what the long one says."""
    assert program("""
import socket, struct
def code(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return e.winerror
values = 0, 1, 2, 255, 256, 0x7FFFFFFF
options = [(socket.SOL_SOCKET, n) for n in (socket.SO_KEEPALIVE, socket.SO_RCVBUF, socket.SO_REUSEADDR,
    socket.SO_BROADCAST, socket.SO_ERROR, socket.SO_TYPE, socket.SO_LINGER, 0x7011, 0x7010, 12345)]
options += [(socket.IPPROTO_TCP, n) for n in (socket.TCP_NODELAY, socket.TCP_KEEPIDLE, socket.TCP_MAXSEG, 999)]
options += [(socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), (77, 1)]
different = []
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    for level, name in options:
        for value in values:
            seen = []
            for given in value, struct.pack("<I", value):
                with socket.socket(type=kind) as s:
                    code(s.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)      # now the short way is known
                    seen.append((code(s.setsockopt, level, name, given), code(s.getsockopt, level, name)))
            if seen[0] != seen[1]:
                different.append((kind, level, name, value, seen))
print(different)
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 256); print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
s.close(); print(code(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
""").splitlines() == ["[]", "0", "10038"]
