"""How a server stops."""

import socket

listener = socket.create_server(("127.0.0.1", 0))
try:
    listener.close()
    print("server stopped")
except OSError as e:
    print("the stop fails:", e)
finally:
    listener.close()
