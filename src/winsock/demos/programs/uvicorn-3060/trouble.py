"""A server for everybody, and a client that comes by IPv4."""

import socket

with socket.socket(socket.AF_INET6) as server:
    server.bind(("::", 0))
    server.listen()
    try:
        with socket.create_connection(("127.0.0.1", server.getsockname()[1]), timeout=5):
            print("connected")
    except OSError as e:
        print("no connection:", e)
