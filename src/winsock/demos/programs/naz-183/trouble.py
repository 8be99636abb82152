"""A client that tries again when the server does not answer."""

import asyncio
import errno
import socket
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])
PATIENCE = 1  # second; otherwise Windows tries for 21, and Linux for two minutes


def impatient_socket():
    sock = socket.socket()
    sock.setblocking(False)
    if sys.platform == "win32":
        sock.setsockopt(socket.IPPROTO_TCP, 5, PATIENCE)  # TCP_MAXRT
    else:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE * 1000)
    return sock


async def connect():
    loop = asyncio.get_running_loop()
    for attempt in 1, 2:
        with impatient_socket() as sock:
            try:
                await loop.sock_connect(sock, ADDRESS)
                print("connected")
                return
            except OSError as e:
                if e.errno != errno.ETIMEDOUT:
                    raise
                print("attempt", attempt, "timed out")
    print("the server is away")


try:
    asyncio.run(connect())
except OSError as e:
    print(f"the client ends with errno {e.errno}: {e}")
