"""Control data of datagrams between Windows' numbers and layouts and Linux'."""

from __future__ import annotations

import socket as linux
import struct
from collections.abc import Callable, Sequence

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError

Entry = tuple[int, int, bytes]

# Linux' own numbers that the socket module does not name everywhere.
IP_TOS, IP_TTL, IP_PKTINFO = 1, 2, 8
IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS = 50, 52, 67
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104

_MAPPED = bytes(10) + b"\xff\xff"
_INT = struct.Struct("<i")


def _int(data: bytes) -> bytes:
    """A number of whatever width as a C int."""
    return _INT.pack(int.from_bytes(data[:4], "little"))


def _pktinfo(data: bytes) -> Entry:
    index, _, address = struct.unpack("<I4s4s", data[:12])
    return c.IPPROTO_IP, c.IP_PKTINFO, address + struct.pack("<I", index)


def _pktinfo6(data: bytes) -> Entry:
    if data[:12] == _MAPPED:  # an IPv4 datagram on a dual-stack socket: IN_PKTINFO, as for IPv4
        return c.IPPROTO_IP, c.IP_PKTINFO, data[12:20]
    return c.IPPROTO_IPV6, c.IPV6_PKTINFO, data[:20]


_FROM_HOST: dict[tuple[int, int], Callable[[bytes], Entry]] = {
    (linux.IPPROTO_IP, IP_PKTINFO): _pktinfo,
    (linux.IPPROTO_IP, IP_TOS): lambda data: (c.IPPROTO_IP, c.IP_TOS, _int(data)),
    (linux.IPPROTO_IP, IP_TTL): lambda data: (c.IPPROTO_IP, c.IP_TTL, _int(data)),
    (linux.IPPROTO_IPV6, IPV6_PKTINFO): _pktinfo6,
    (linux.IPPROTO_IPV6, IPV6_HOPLIMIT): lambda data: (c.IPPROTO_IPV6, c.IPV6_HOPLIMIT, _int(data)),
    (linux.IPPROTO_IPV6, IPV6_TCLASS): lambda data: (c.IPPROTO_IPV6, c.IPV6_TCLASS, _int(data)),
    (SOL_UDP, UDP_GRO): lambda data: (c.IPPROTO_UDP, c.UDP_RECV_MAX_COALESCED_SIZE, _int(data)),
}


def control_from_host(ancillary: Sequence[Entry]) -> list[Entry]:
    """Control data as Windows gives it; what Windows has not is left out."""
    found = []
    for level, kind, data in ancillary:
        convert = _FROM_HOST.get((level, kind))
        if convert is not None:
            found.append(convert(data))
    return found


def cast_of(ancillary: Sequence[Entry]) -> int:
    """MSG_MCAST or MSG_BCAST if the packet information tells that the datagram was one, else 0."""
    for level, kind, data in ancillary:
        if (level, kind) == (linux.IPPROTO_IP, IP_PKTINFO):
            if data[8] >> 4 == 14:
                return c.MSG_MCAST
            if data[8:12] == b"\xff\xff\xff\xff":
                return c.MSG_BCAST
        elif (level, kind) == (linux.IPPROTO_IPV6, IPV6_PKTINFO) and data[0] == 255:
            return c.MSG_MCAST
    return 0


def _sized(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise WinsockError(WSA.WSAEINVAL)
    return data[:size]


def _to_pktinfo(data: bytes) -> Entry:
    address, index = struct.unpack("<4sI", _sized(data, 8))
    return linux.IPPROTO_IP, IP_PKTINFO, struct.pack("<I4s4x", index, address)


_TO_HOST: dict[tuple[int, int], Callable[[bytes], Entry]] = {
    (c.IPPROTO_IP, c.IP_PKTINFO): _to_pktinfo,
    (c.IPPROTO_IP, c.IP_TOS): lambda data: (linux.IPPROTO_IP, IP_TOS, _sized(data, 4)),
    (c.IPPROTO_IP, c.IP_ECN): lambda data: (linux.IPPROTO_IP, IP_TOS, _sized(data, 4)),
    (c.IPPROTO_IP, c.IP_TTL): lambda data: (linux.IPPROTO_IP, IP_TTL, _sized(data, 4)),
    (c.IPPROTO_IPV6, c.IPV6_PKTINFO): lambda data: (linux.IPPROTO_IPV6, IPV6_PKTINFO, _sized(data, 20)),
    (c.IPPROTO_IPV6, c.IPV6_HOPLIMIT): lambda data: (linux.IPPROTO_IPV6, IPV6_HOPLIMIT, _sized(data, 4)),
    (c.IPPROTO_IPV6, c.IPV6_TCLASS): lambda data: (linux.IPPROTO_IPV6, IPV6_TCLASS, _sized(data, 4)),
    (c.IPPROTO_IPV6, c.IPV6_ECN): lambda data: (linux.IPPROTO_IPV6, IPV6_TCLASS, _sized(data, 4)),
    (c.IPPROTO_UDP, c.UDP_SEND_MSG_SIZE): lambda data: (SOL_UDP, UDP_SEGMENT, _sized(data, 4)[:2]),
}


def control_to_host(control: Sequence[Entry]) -> list[Entry]:
    """Control data as Linux takes it; WSAEINVAL for what cannot be sent along."""
    ours = []
    for level, kind, data in control:
        convert = _TO_HOST.get((level, kind))
        if convert is None:
            raise WinsockError(WSA.WSAEINVAL)
        ours.append(convert(data))
    return ours
