"""A client and a server on one machine."""

import socket
import time

HOST = "localhost"

with socket.create_server(("127.0.0.1", 0)) as server:
    started = time.monotonic()
    with socket.create_connection((HOST, server.getsockname()[1])):
        late = time.monotonic() - started > 1.9
        print("connected after 2 seconds" if late else "connected at once")
