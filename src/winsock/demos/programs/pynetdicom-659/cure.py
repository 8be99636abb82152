"""A client that waits a minute for its answer, and a server that needs a second."""

import socket
import threading
import time

TIMEOUT = 60


def serve():
    connection, _ = server.accept()
    with connection:
        connection.recv(100)
        time.sleep(1)
        connection.sendall(b"found it")


with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
    thread = threading.Thread(target=serve)
    thread.start()
    client.settimeout(TIMEOUT)
    client.connect(server.getsockname())
    client.sendall(b"find")
    try:
        print("answer:", client.recv(100).decode())
    except OSError as e:
        print(f"no answer within {TIMEOUT} seconds:", e)
    thread.join()
