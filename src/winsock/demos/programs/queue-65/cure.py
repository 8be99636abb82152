"""A worker and the pair of sockets that wakes it."""

import select
import socket

reader, writer = socket.socketpair()
try:
    writer.send(b"!")
    ready, _, _ = select.select([reader], [], [], 5)
    print("woken" if ready else "not woken")
except OSError as e:
    print("the worker ends:", e)
finally:
    reader.close()
    writer.close()
