"""Does socket work on request and says how long it took: ordinary Python, run plain and under `winsock run`.

A request is a line "WORK TIMES", the answer the seconds for all of it.  "memory N" answers the bytes for an idle
socket instead, of N.
"""

import gc
import select
import socket
import sys
import time
import tracemalloc

SMALL, LARGE = b"x" * 64, b"x" * 65536


def make_pair():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        a = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        a.connect(listener.getsockname())
        b, _ = listener.accept()
    return a, b


a, b = make_pair()
_, quiet = keep = make_pair()
quiet.setblocking(False)


def small(times):
    send, recv = a.send, b.recv
    for _ in range(times):
        send(SMALL)
        recv(64)


def large(times):
    sendall, recv = a.sendall, b.recv
    for _ in range(times):
        sendall(LARGE)
        left = 65536
        while left:
            left -= len(recv(left))


def would_block(times):
    recv = quiet.recv
    for _ in range(times):
        try:
            recv(64)
        except BlockingIOError:
            pass


def getsockopt(times):
    get, level, option = a.getsockopt, socket.SOL_SOCKET, socket.SO_RCVBUF
    for _ in range(times):
        get(level, option)


def select_two(times):
    for _ in range(times):
        select.select([b], [a], [], 0)


def memory(times):
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(times)]
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    for s in made:
        s.close()
    return used / times


def serve():
    gc.disable()
    for line in sys.stdin:
        work, times = line.split()
        if work == "memory":
            print(memory(int(times)), flush=True)
            continue
        function, times = globals()[work], int(times)
        begin = time.perf_counter()
        function(times)
        print(time.perf_counter() - begin, flush=True)


serve()
