"""A client that is patient for half a second at a time."""

import asyncio
import socket
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])


async def main():
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        for attempt in 1, 2, 3:
            try:
                await asyncio.wait_for(loop.sock_connect(client, ADDRESS), 0.5)
                print("connected")
                break
            except TimeoutError:
                print("attempt", attempt, "timed out")
            except OSError as e:
                print("attempt", attempt, "failed:", e)


asyncio.run(main())
