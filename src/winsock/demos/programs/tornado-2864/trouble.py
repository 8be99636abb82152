"""Six hundred idle peers."""

import socket
from select import select

CALLS = 1

peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(600)]
for peer in peers:
    peer.bind(("127.0.0.1", 0))
share = len(peers) // CALLS
try:
    for start in range(0, len(peers), share):
        select(peers[start : start + share], [], [], 0)
    print("all", len(peers), "are watched")
except ValueError as e:
    print("the loop ends:", e)
for peer in peers:
    peer.close()
