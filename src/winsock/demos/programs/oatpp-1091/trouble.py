"""A client that asks again and again whether it is connected."""

import errno
import socket
import sys
import time

ADDRESS = sys.argv[1], int(sys.argv[2])
UNDER_WAY = {errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK}

with socket.socket() as client:
    client.setblocking(False)
    client.connect_ex(ADDRESS)
    end = time.monotonic() + 1
    while True:
        time.sleep(0.1)
        result = client.connect_ex(ADDRESS)
        if result not in UNDER_WAY or time.monotonic() > end:
            break
    if result in UNDER_WAY:
        print("no answer within a second")
    elif result in (0, errno.EISCONN):
        print("connected")
    else:
        print("connect failed:", result)
