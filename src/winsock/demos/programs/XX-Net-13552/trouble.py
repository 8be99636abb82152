"""A server with a configured port."""

import socket
import sys

port = int(sys.argv[1])

server = socket.socket()
try:
    server.bind(("127.0.0.1", port))
    server.listen()
    print("serving on the configured port")
except OSError as e:
    print("no server:", e)
server.close()
