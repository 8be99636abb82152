"""A client that asks until it is told."""

import errno
import select
import socket

with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    select.select([], [client], [], 5)
    answers = 0
    result = client.connect_ex(server.getsockname())
    while result not in (0, errno.EISCONN) and answers < 3:
        answers += 1
        result = client.connect_ex(server.getsockname())
    if result == 0:
        print("connected after", answers + 1, "answers")
    else:
        print("never connected:", result)
