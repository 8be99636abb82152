"""A reader whose socket another task closes."""

import asyncio
import socket


async def main():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader = asyncio.ensure_future(loop.sock_recv(ours, 100))
    await asyncio.sleep(0.1)
    reader.cancel()
    try:
        await reader
    except asyncio.CancelledError:
        print("the reader was cancelled")
    ours.close()
    theirs.close()


asyncio.run(main())
