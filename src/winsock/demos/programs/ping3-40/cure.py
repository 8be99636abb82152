"""A reply that is longer than expected."""

import socket

BUFFER = 65535


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


with udp() as pinger, udp() as peer:
    pinger.bind(("127.0.0.1", 0))
    pinger.settimeout(5)
    peer.sendto(b"." * 200, pinger.getsockname())
    try:
        reply, _ = pinger.recvfrom(BUFFER)
        print("got", len(reply), "bytes")
    except OSError as e:
        print("the pinger fails:", e)
