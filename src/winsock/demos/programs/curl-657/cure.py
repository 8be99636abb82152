"""A client that sends more than the server likes."""

import socket
import threading

server = socket.create_server(("127.0.0.1", 0))
sent = threading.Event()


def serve():
    connection, _ = server.accept()
    connection.recv(1000)
    sent.wait()
    connection.sendall(b"HTTP/1.1 413 Too Large\r\n\r\n")
    while connection.recv(65536):
        pass
    connection.close()


with socket.create_connection(server.getsockname()) as client:
    thread = threading.Thread(target=serve)
    thread.start()
    client.sendall(b"x" * 10_000)
    client.shutdown(socket.SHUT_WR)
    sent.set()
    thread.join()
    try:
        print("answer:", client.recv(100).decode().split("\r")[0])
    except OSError as e:
        print("no answer:", e)
server.close()
