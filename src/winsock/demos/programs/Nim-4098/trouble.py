"""A client that connects again when it has lost its connection."""

import asyncio
import errno
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])
DISCONNECTED = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE}


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
            if e.errno not in DISCONNECTED:
                raise
            print("connection lost, connecting again")


try:
    asyncio.run(main())
except OSError as e:
    print(f"the client ends with errno {e.errno}: {e}")
