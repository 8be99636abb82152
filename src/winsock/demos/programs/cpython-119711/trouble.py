"""A reader that starts before the first send."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.setblocking(False)
    try:
        print(client.recvfrom(1500))
    except BlockingIOError:
        print("no datagram yet")
    except OSError as e:
        print("the reader dies:", e)
