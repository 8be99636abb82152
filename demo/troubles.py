"""Twelve situations that network programs get into.  Plain sockets; says of each what became of it.

It knows nothing of any operating system but what the socket module offers: run it anywhere.
"""

import os
import select
import socket

SITUATIONS = []


def situation(title):
    def add(function):
        SITUATIONS.append((title, function))
        return function

    return add


def tcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def udp(bind=True):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    if bind:
        s.bind(("127.0.0.1", 0))
    return s


def listener():
    s = tcp()
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s


def deserted():
    """An address where somebody was and nobody is."""
    with udp() as s:
        return s.getsockname()


@situation("a UDP server answers a client that has gone, then serves on")
def gone():
    with udp() as server:
        server.sendto(b"your answer", deserted())
        server.recvfrom(100)


@situation("a datagram is larger than the buffer for it")
def truncated():
    with udp() as receiver, udp() as sender:
        sender.sendto(b"x" * 1000, receiver.getsockname())
        data, _ = receiver.recvfrom(100)
        return f"{len(data)} of 1000 bytes, and no word about the rest"


@situation("a UDP socket receives before it was ever bound")
def unbound():
    with udp(bind=False) as s:
        s.setblocking(False)
        s.recvfrom(100)


@situation("a second server wants the port of the first")
def taken():
    with listener() as first, tcp() as second:
        second.bind(first.getsockname())


@situation("a thief with SO_REUSEADDR wants a port kept by SO_EXCLUSIVEADDRUSE")
def stolen():
    with udp(bind=False) as owner, udp(bind=False) as thief:
        protect = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        owner.setsockopt(socket.SOL_SOCKET, protect, 1)
        owner.bind(("127.0.0.1", 0))
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(owner.getsockname())
        return "both have it now"


@situation("select with nothing to wait for, as a way to sleep")
def nothing():
    return select.select([], [], [], 0.05)


@situation("select on a pipe, to be woken by another thread")
def pipe():
    reading, writing = os.pipe()
    try:
        return f"ready: {len(select.select([reading], [], [], 0)[0])}"
    finally:
        os.close(reading)
        os.close(writing)


@situation("a connection is refused: which set of select tells?")
def refused():
    with tcp() as s:
        s.setblocking(False)
        with listener() as short_lived:
            address = short_lived.getsockname()
        code = s.connect_ex(address)
        sets = select.select([s], [s], [s], 5)
        told = [name for name, ready in zip(("readable", "writable", "exceptional"), sets) if ready]
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return f"connect_ex {code}; {' and '.join(told)}; SO_ERROR {error}"


@situation("connect to 0.0.0.0, the address that servers print")
def wildcard():
    with listener() as server, tcp() as s:
        s.connect(("0.0.0.0", server.getsockname()[1]))
        return "connected"


@situation("shut a listening socket down at Ctrl-C")
def shut():
    with listener() as s:
        s.shutdown(socket.SHUT_RDWR)
        return "done"


@situation("ask a new socket for its name")
def nameless():
    with tcp() as s:
        return s.getsockname()


@situation("go on with a connection that another thread has closed")
def closed():
    with listener() as server:
        s = socket.create_connection(server.getsockname())
        s.close()
        s.send(b"hello?")


for number, (title, function) in enumerate(SITUATIONS, 1):
    print(f"{number}. {title}")
    try:
        print(f"   {function()}")
    except OSError as e:
        print(f"   {type(e).__name__}: {e}")
    print(flush=True)
