"""A server whose client resets the connection."""

import asyncio
import os
import socket
import struct

NOW = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
logged = []


def log(loop, context):
    logged.append(f"{context['message'].split('(')[0]}: {context.get('exception')}")


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log)
    done = loop.create_future()

    async def serve(reader, writer):
        await reader.read(100)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
        client.close()  # a reset, on its way while the server closes
        writer.close()
        done.set_result(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.sendall(b"hello")
        await done
    await asyncio.sleep(0.1)
    print("\n".join(f"logged: {line}" for line in logged) or "no errors logged")
    server.close()


asyncio.run(main())
