"""A reader whose socket another task closes."""

import asyncio
import socket


async def main():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader = asyncio.ensure_future(loop.sock_recv(ours, 100))
    await asyncio.sleep(0.1)
    ours.close()
    try:
        await asyncio.wait_for(asyncio.shield(reader), 0.5)
    except TimeoutError:
        print("the reader waits for ever")
        reader.cancel()
    except OSError as e:
        print("the reader fails:", e)
    theirs.close()


asyncio.run(main())
