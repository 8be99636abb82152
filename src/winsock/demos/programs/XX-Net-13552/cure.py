"""A server with a configured port."""

import errno
import socket
import sys

port = int(sys.argv[1])

server = socket.socket()
try:
    try:
        server.bind(("127.0.0.1", port))
        where = "the configured port"
    except OSError as e:
        if e.errno not in (errno.EACCES, errno.EADDRINUSE):
            raise
        server.bind(("127.0.0.1", 0))
        where = "another port"
    server.listen()
    print("serving on", where)
except OSError as e:
    print("no server:", e)
server.close()
