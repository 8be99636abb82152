"""A client that waits with poll."""

import select
import socket

ours, theirs = socket.socketpair()
theirs.send(b"!")
try:
    poller = select.poll()
    poller.register(ours, select.POLLIN)
    print("waiting with poll:", len(poller.poll(5000)), "ready")
except AttributeError as e:
    print("AttributeError:", e)
ours.close()
theirs.close()
