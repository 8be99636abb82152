"""A client that asks until it is told."""

import select
import socket

with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    select.select([], [client], [], 5)
    answers = 0
    result = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if result == 0:
        print("connected after", answers + 1, "answers")
    else:
        print("never connected:", result)
