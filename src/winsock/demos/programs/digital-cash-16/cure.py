"""A node and its client on one machine."""

import socket

HOST = "0.0.0.0"

with socket.create_server((HOST, 0)) as node:
    port = node.getsockname()[1]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            print("connected")
    except OSError as e:
        print("no connection:", e)
