"""A non-blocking client."""

import errno
import select
import socket

UNDER_WAY = {0, errno.EINPROGRESS}

with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
    client.setblocking(False)
    result = client.connect_ex(server.getsockname())
    if result in UNDER_WAY:
        select.select([], [client], [], 5)
        print("connected to", client.getpeername()[0])
    else:
        print("connect failed:", result)
