"""A client that connects again when it has lost its connection."""

import asyncio
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])


async def session():
    reader, writer = await asyncio.open_connection(*ADDRESS)
    writer.write(b"hello\n")
    answer = await reader.readline()
    writer.close()
    return answer.decode().strip()


async def main():
    while True:
        try:
            print("the server says:", await session())
            return
        except OSError as e:
            if not isinstance(e, ConnectionError):
                raise
            print("connection lost, connecting again")


try:
    asyncio.run(main())
except OSError as e:
    print(f"the client ends with errno {e.errno}: {e}")
