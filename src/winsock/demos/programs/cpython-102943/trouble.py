"""A test of what a client says when nobody is there."""

import socket

with socket.socket() as reserved, socket.socket() as client:
    reserved.bind(("127.0.0.1", 0))
    try:
        client.connect(reserved.getsockname())
    except OSError as e:
        print("test passed" if "Connection refused" in str(e) else f"test failed: {e}")
