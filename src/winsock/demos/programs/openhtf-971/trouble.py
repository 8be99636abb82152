"""A listener to a multicast group."""

import socket
import struct

GROUP = "239.1.2.3"

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
    try:
        listener.bind((GROUP, 0))
        joined = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        print("listening to the group")
    except OSError as e:
        print("no listener:", e)
