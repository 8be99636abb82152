"""A server that sends its results as they come, to a client that has heard enough."""

import socket
import time

with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
    connection, _ = server.accept()
    try:
        for number in range(100):
            connection.sendall(b"result %d\n" % number)
            time.sleep(0.02)
    except (BrokenPipeError, ConnectionResetError):
        print("the client has left, waiting for the next one")
    except OSError as e:
        print("the server ends:", e)
    connection.close()
