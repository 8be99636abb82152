"""The least that worker_c.py's work can cost on this machine: CPython's own socket calls, with nothing around them.

As worker.py, on request.  The same data goes over the same kind of sockets, and each pause that Winsock would make is
one look of the kernel's own poll; there are no handles, states, codes or checks.
"""

import _socket
import gc
import select
import struct
import sys
import time

SMALL, LARGE = b"x" * 64, b"x" * 65536
STREAM, QUIET = _socket.SOCK_STREAM, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK
SEND_FLAGS, DONTWAIT = _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL, _socket.MSG_DONTWAIT
RESET = struct.pack("=ii", 1, 0)  # leaves no connection in TIME_WAIT
new = _socket.socket

listener = new(_socket.AF_INET, STREAM)
listener.bind(("127.0.0.1", 0))
listener.listen(5)
name = listener.getsockname()


def take():
    fd, _ = listener._accept()
    return new(_socket.AF_INET, STREAM, 0, fd)


a = new(_socket.AF_INET, STREAM)
a.connect(name)
b = take()
buffer = bytearray(65536)


def small(times):
    send, recv = a.send, b.recv_into
    for _ in range(times):
        send(SMALL, SEND_FLAGS)
        recv(buffer, 64, DONTWAIT)


def large(times):
    send, recv = a.send, b.recv_into
    for _ in range(times):
        send(LARGE, SEND_FLAGS)
        left = 65536
        while left:
            left -= recv(buffer, left, DONTWAIT)


def make(times):
    for _ in range(times):
        new(_socket.AF_INET, QUIET).close()


def accept(times):
    for _ in range(times):
        client = new(_socket.AF_INET, QUIET)
        client.connect_ex(name)
        server = take()
        client.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, RESET)
        client.close()
        server.close()


def accept_ex(times):
    watcher = select.epoll()
    watcher.register(listener.fileno(), select.EPOLLIN | select.EPOLLET)
    for _ in range(times):
        client, beforehand = new(_socket.AF_INET, QUIET), new(_socket.AF_INET, QUIET)
        client.connect_ex(name)
        watcher.poll()
        server = take()
        client.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, RESET)
        client.close()
        server.close()
        beforehand.close()
    watcher.close()


def overlapped(times):
    watcher = select.epoll()
    watcher.register(b.fileno(), select.EPOLLIN | select.EPOLLET)
    send, recv, poll = a.send, b.recv_into, watcher.poll
    for _ in range(times):
        send(SMALL, SEND_FLAGS)
        poll()
        recv(buffer, 64, DONTWAIT)
    watcher.close()


def serve():
    gc.disable()
    for line in sys.stdin:
        work, times = line.split()
        function, times = globals()[work], int(times)
        begin = time.perf_counter()
        function(times)
        print(time.perf_counter() - begin, flush=True)


serve()
