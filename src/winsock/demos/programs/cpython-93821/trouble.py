"""A server, a client that leaves at once, and one that comes later."""

import asyncio
import os
import socket
import struct

NOW = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


async def greet(reader, writer):
    writer.write(b"welcome")
    writer.close()


async def main():
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    await asyncio.sleep(0.1)
    with socket.create_connection(address) as hasty:
        hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
    await asyncio.sleep(0.2)
    try:
        reader, writer = await asyncio.open_connection(*address)
        print("a late client got:", (await reader.read()).decode())
        writer.close()
    except OSError as e:
        print("a late client got nothing:", e)
    server.close()


asyncio.run(main())
