"""Two servers for one port."""

import os
import socket


def server(port=0):
    s = socket.socket()
    if os.name == "nt":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen()
    return s


first = server()
try:
    server(first.getsockname()[1]).close()
    print("the second server has started, too")
except OSError as e:
    print("the second server is refused:", e)
first.close()
