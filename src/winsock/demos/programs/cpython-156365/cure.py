"""A server with a full house, for the first client only."""

import asyncio

refusals = iter([True])


class Guest(asyncio.Protocol):
    def connection_made(self, transport):
        if next(refusals, False):
            transport.close()
            return
        transport.write(b"welcome")
        transport.close()


async def visit(address):
    reader, writer = await asyncio.open_connection(*address)
    try:
        return (await asyncio.wait_for(reader.read(), 3)).decode()
    except TimeoutError:
        return "nothing"
    finally:
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("logged:", context.get("exception")))
    server = await loop.create_server(Guest, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    await visit(address)
    answer = await visit(address)
    print("second client got" + (": " if answer != "nothing" else " ") + answer)
    server.close()


asyncio.run(main())
