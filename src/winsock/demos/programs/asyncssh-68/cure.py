"""A client that waits with whatever there is."""

import selectors
import socket

ours, theirs = socket.socketpair()
theirs.send(b"!")
with selectors.DefaultSelector() as selector:
    selector.register(ours, selectors.EVENT_READ)
    print("waiting with", type(selector).__name__ + ":", len(selector.select(5)), "ready")
ours.close()
theirs.close()
