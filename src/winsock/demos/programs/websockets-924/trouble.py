"""A client that listens to a server, asks now and then whether it is there, and connects again if it is not."""

import asyncio
import socket
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])
PATIENCE = 1  # second without acknowledgement; otherwise Windows takes about 20, and Linux a quarter of an hour


async def connect():
    sock = socket.create_connection(ADDRESS)
    if sys.platform == "win32":
        sock.setsockopt(socket.IPPROTO_TCP, 5, PATIENCE)  # TCP_MAXRT
    else:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE * 1000)
    return await asyncio.open_connection(sock=sock)


async def session():
    reader, writer = await connect()
    writer.write(b"hello\n")
    await reader.readline()
    writer.write(b"ping\n")
    answer = await reader.readline()
    writer.close()
    return answer.decode().strip()


async def main():
    while True:
        try:
            print("the server says:", await session())
            return
        except (ConnectionError, TimeoutError):
            print("connection lost, connecting again")


try:
    asyncio.run(main())
except OSError as e:
    print(f"the client ends with {type(e).__name__}: {e}")
