"""A server of two clients; the first leaves before it is answered."""

import socket


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(5)
    return s


server, living, leaving = udp(), udp(), udp()
leaving.sendto(b"ping", server.getsockname())
_, gone = server.recvfrom(100)
leaving.close()
server.sendto(b"pong", gone)

living.sendto(b"ping", server.getsockname())
while True:
    try:
        _, client = server.recvfrom(100)
    except ConnectionResetError as e:
        print("somebody has gone:", e)
        continue
    except OSError as e:
        print("the server ends:", e)
        break
    server.sendto(b"pong", client)
    print("the living client got:", living.recv(100).decode())
    break

server.close()
living.close()
