"""A look-up that fails."""

import socket

NO_SUCH_HOST = socket.EAI_NONAME

try:
    socket.getaddrinfo("no such host", 80)
except socket.gaierror as e:
    if e.errno == NO_SUCH_HOST:
        print("no such host")
    else:
        print("the program ends:", e)
