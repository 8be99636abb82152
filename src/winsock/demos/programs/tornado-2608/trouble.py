"""A library that wants to be told when its socket is ready."""

import asyncio
import socket


async def main():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ready = loop.create_future()
    theirs.send(b"hello")
    try:
        loop.add_reader(ours, lambda: ready.done() or ready.set_result(ours.recv(100)))
        print((await ready).decode())
        loop.remove_reader(ours)
    except NotImplementedError as e:
        print("the library cannot start:", repr(e))
    ours.close()
    theirs.close()


asyncio.run(main())
