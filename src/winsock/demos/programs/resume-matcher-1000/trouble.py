"""A test suite with a guard."""

import asyncio
import socket


def guarded(self, address):
    raise RuntimeError(f"no network in tests: {address[0]}")


connect, socket.socket.connect = socket.socket.connect, guarded


async def test():
    print("the test ran")


try:
    asyncio.run(test())
except RuntimeError as e:
    print("no test ran:", e)
