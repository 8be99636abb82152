"""A client that waits until it is connected."""

import select
import socket
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])

with socket.socket() as client:
    client.setblocking(False)
    client.connect_ex(ADDRESS)
    if not any(select.select([], [client], [client], 1)):
        print("no answer within a second")
    elif (result := client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) == 0:
        print("connected")
    else:
        print("connect failed:", result)
