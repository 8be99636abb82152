"""A UDP server, a client that has gone, and a client that has not."""

import asyncio


class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(b"pong", address)

    def error_received(self, error):
        print("told of an error:", error)


class Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        self.answer.set_result(data)


async def main():
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    leaving, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    nobody = leaving.get_extra_info("sockname")
    leaving.abort()
    await asyncio.sleep(0.1)
    server.sendto(b"news", nobody)
    await asyncio.sleep(0.1)

    address = server.get_extra_info("sockname")
    transport, client = await loop.create_datagram_endpoint(Client, remote_addr=address)
    transport.sendto(b"ping")
    try:
        print("client got:", (await asyncio.wait_for(client.answer, 5)).decode())
    except TimeoutError:
        print("client got no answer")
    transport.close()
    server.close()


asyncio.run(main())
