"""A client whose server is not there."""

import select
import socket

with socket.socket() as reserved:
    reserved.bind(("127.0.0.1", 0))
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(reserved.getsockname())
        _, writable, failed = select.select([], [client], [], 0.5)
        if writable or failed:
            print("refused at once:", client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        else:
            print("nothing for the whole timeout")
