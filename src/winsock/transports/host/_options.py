"""Socket options between Windows' numbers and formats and Linux'."""

from __future__ import annotations

import fcntl
import socket as linux
import struct
import termios
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.transports.host import _errors, _interfaces
from winsock.transports.host._numbers import family_of

if TYPE_CHECKING:
    from winsock.transports.host._socket import HostSocket

INT_MAX = 0x7FFFFFFF
MAX_KEEPALIVE, MAX_PROBES = 32767, 127  # the kernel's limits
FASTOPEN_QUEUE = 16
TCP_INFO_SIZE = 248

# Linux numbers that CPython's socket module does not name
_IP_MTU_DISCOVER, _IP_MTU, _IP_RECVTOS, _IP_UNICAST_IF = 10, 14, 13, 50
_IP_RECVTTL, _IP_PKTINFO, _IP_HDRINCL, _IP_OPTIONS = 12, 8, 3, 4
_IP_UNBLOCK_SOURCE, _IP_BLOCK_SOURCE, _IP_ADD_SOURCE, _IP_DROP_SOURCE = 37, 38, 39, 40
_IPV6_MTU_DISCOVER, _IPV6_MTU, _IPV6_UNICAST_IF, _IPV6_HDRINCL = 23, 24, 76, 36
_IPV6_ADD_MEMBERSHIP, _IPV6_DROP_MEMBERSHIP = 20, 21
_SO_NO_CHECK, _UDP_SEGMENT, _UDP_GRO = 11, 103, 104

_PMTU: Final = {c.IP_PMTUDISC_DO: 2, c.IP_PMTUDISC_DONT: 0, c.IP_PMTUDISC_PROBE: 3}

DEFAULT_TTL = 128  # Windows'; Linux has 64
_TTLS = (linux.IPPROTO_IP, linux.IP_TTL, DEFAULT_TTL), (linux.IPPROTO_IPV6, linux.IPV6_UNICAST_HOPS, DEFAULT_TTL)
_V6ONLY = (linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1)

# What the kernel is told of every new socket, by family and type, so that it starts as on Windows
FRESH: Final[dict[tuple[int, int], tuple[tuple[int, int, int], ...]]] = {
    **{(linux.AF_INET, kind): _TTLS[:1] for kind in (linux.SOCK_DGRAM, linux.SOCK_RAW)},
    (linux.AF_INET6, linux.SOCK_STREAM): (_V6ONLY,),
    (linux.AF_INET6, linux.SOCK_DGRAM): (_V6ONLY, *_TTLS),
    (linux.AF_INET6, linux.SOCK_RAW): _TTLS[1:],
}
# What it is told of a stream before its first packet, unless the program has set that: Windows' numbers, the kernel's
DEPARTING: Final = (
    ((c.IPPROTO_IP, c.IP_TTL), (linux.AF_INET, linux.AF_INET6), _TTLS[0]),
    ((c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS), (linux.AF_INET6,), _TTLS[1]),
)

# Options whose value the kernel takes as it is: (Windows level, name) -> (Linux level, name)
_SAME: Final[dict[tuple[int, int], tuple[int, int]]] = {
    (c.SOL_SOCKET, c.SO_KEEPALIVE): (linux.SOL_SOCKET, linux.SO_KEEPALIVE),
    (c.SOL_SOCKET, c.SO_BROADCAST): (linux.SOL_SOCKET, linux.SO_BROADCAST),
    (c.SOL_SOCKET, c.SO_SNDBUF): (linux.SOL_SOCKET, linux.SO_SNDBUF),
    (c.SOL_SOCKET, c.SO_RCVBUF): (linux.SOL_SOCKET, linux.SO_RCVBUF),
    (c.SOL_SOCKET, c.SO_OOBINLINE): (linux.SOL_SOCKET, linux.SO_OOBINLINE),
    (c.IPPROTO_IP, c.IP_TTL): (linux.IPPROTO_IP, linux.IP_TTL),
    (c.IPPROTO_IP, c.IP_MULTICAST_TTL): (linux.IPPROTO_IP, linux.IP_MULTICAST_TTL),
    (c.IPPROTO_IP, c.IP_MULTICAST_LOOP): (linux.IPPROTO_IP, linux.IP_MULTICAST_LOOP),
    (c.IPPROTO_IP, c.IP_PKTINFO): (linux.IPPROTO_IP, _IP_PKTINFO),
    (c.IPPROTO_IP, c.IP_RECVTTL): (linux.IPPROTO_IP, _IP_RECVTTL),
    (c.IPPROTO_IP, c.IP_RECVTOS): (linux.IPPROTO_IP, _IP_RECVTOS),
    (c.IPPROTO_IP, c.IP_HDRINCL): (linux.IPPROTO_IP, _IP_HDRINCL),
    (c.IPPROTO_IP, c.IP_OPTIONS): (linux.IPPROTO_IP, _IP_OPTIONS),
    (c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS): (linux.IPPROTO_IPV6, linux.IPV6_UNICAST_HOPS),
    (c.IPPROTO_IPV6, c.IPV6_MULTICAST_HOPS): (linux.IPPROTO_IPV6, linux.IPV6_MULTICAST_HOPS),
    (c.IPPROTO_IPV6, c.IPV6_MULTICAST_LOOP): (linux.IPPROTO_IPV6, linux.IPV6_MULTICAST_LOOP),
    (c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF): (linux.IPPROTO_IPV6, linux.IPV6_MULTICAST_IF),
    (c.IPPROTO_IPV6, c.IPV6_PKTINFO): (linux.IPPROTO_IPV6, linux.IPV6_RECVPKTINFO),
    (c.IPPROTO_IPV6, c.IPV6_HOPLIMIT): (linux.IPPROTO_IPV6, linux.IPV6_RECVHOPLIMIT),
    (c.IPPROTO_IPV6, c.IPV6_RECVTCLASS): (linux.IPPROTO_IPV6, linux.IPV6_RECVTCLASS),
    (c.IPPROTO_IPV6, c.IPV6_V6ONLY): (linux.IPPROTO_IPV6, linux.IPV6_V6ONLY),
    (c.IPPROTO_IPV6, c.IPV6_HDRINCL): (linux.IPPROTO_IPV6, _IPV6_HDRINCL),
    (c.IPPROTO_IPV6, c.IPV6_ADD_MEMBERSHIP): (linux.IPPROTO_IPV6, _IPV6_ADD_MEMBERSHIP),
    (c.IPPROTO_IPV6, c.IPV6_DROP_MEMBERSHIP): (linux.IPPROTO_IPV6, _IPV6_DROP_MEMBERSHIP),
    (c.IPPROTO_TCP, c.TCP_NODELAY): (linux.IPPROTO_TCP, linux.TCP_NODELAY),
    (c.IPPROTO_TCP, c.TCP_MAXSEG): (linux.IPPROTO_TCP, linux.TCP_MAXSEG),
    (c.IPPROTO_UDP, c.UDP_NOCHECKSUM): (linux.SOL_SOCKET, _SO_NO_CHECK),
    (c.IPPROTO_UDP, c.UDP_SEND_MSG_SIZE): (linux.IPPROTO_UDP, _UDP_SEGMENT),
}
_MEMBERSHIPS: Final = {
    (c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP): linux.IP_ADD_MEMBERSHIP,
    (c.IPPROTO_IP, c.IP_DROP_MEMBERSHIP): linux.IP_DROP_MEMBERSHIP,
}

# What can be asked: the same, and what cannot be set
_ASKED: Final = _SAME | {
    (c.IPPROTO_IP, c.IP_MTU): (linux.IPPROTO_IP, _IP_MTU),
    (c.IPPROTO_IPV6, c.IPV6_MTU): (linux.IPPROTO_IPV6, _IPV6_MTU),
}

@lru_cache(16)
def _linger(value: int) -> bytes:
    """Two 16-bit numbers become two ints."""
    return struct.pack("=ii", bool(value & 0xFFFF), value >> 16)


def _at_most(limit: int) -> Callable[[int], int]:
    return lambda value: min(value, limit)


def _patience(value: int) -> int:
    """TCP_MAXRT: seconds, all bits set for ever; Linux counts milliseconds, 0 for its default."""
    return 0 if value == 0xFFFFFFFF else min(value * 1000, INT_MAX)


def _syn_count(data: bytes) -> int | None:
    """TCP_INITIAL_RTO_PARAMETERS.MaxSynRetransmissions; the kernel makes one at least, and the times are its own."""
    count = data[2]
    if count in (0, 0xFF):  # the default, unspecified
        return None
    return 1 if count == 0xFE else min(count, MAX_PROBES)


def _fragment(value: int) -> int:
    return _PMTU[c.IP_PMTUDISC_DO if value else c.IP_PMTUDISC_DONT]


_discover: Final = _PMTU.__getitem__
_unicast_if: Final = struct.Struct("!I").pack


def _source(data: bytes) -> bytes:
    """ip_mreq_source: Windows has group, source, interface; Linux group, interface, source."""
    return data[:4] + _interface_address(data[8:12]) + data[4:8]


def _interface_address(data: bytes) -> bytes:
    """An interface's address; Windows also takes its index, as 0.x.x.x."""
    index = int.from_bytes(data, "big")
    if not 0 < index < 1 << 24:
        return data
    for interface in _interfaces.interfaces():
        if interface.number == index and interface.family == c.AF_INET:
            return linux.inet_aton(interface.address)
    raise WinsockError(WSA.WSAEADDRNOTAVAIL)


# Options that the kernel takes otherwise: its level and name, and what it takes (None: it is not told)
_OTHER: Final[dict[tuple[int, int], tuple[int, int, Callable[[Any], int | bytes | None]]]] = {
    (c.SOL_SOCKET, c.SO_LINGER): (linux.SOL_SOCKET, linux.SO_LINGER, _linger),
    (c.IPPROTO_IP, c.IP_DONTFRAGMENT): (linux.IPPROTO_IP, _IP_MTU_DISCOVER, _fragment),
    (c.IPPROTO_IP, c.IP_MTU_DISCOVER): (linux.IPPROTO_IP, _IP_MTU_DISCOVER, _discover),
    (c.IPPROTO_IP, c.IP_UNICAST_IF): (linux.IPPROTO_IP, _IP_UNICAST_IF, _unicast_if),
    (c.IPPROTO_IP, c.IP_MULTICAST_IF): (linux.IPPROTO_IP, linux.IP_MULTICAST_IF, struct.Struct("=8xi").pack),
    (c.IPPROTO_IP, c.IP_ADD_SOURCE_MEMBERSHIP): (linux.IPPROTO_IP, _IP_ADD_SOURCE, _source),
    (c.IPPROTO_IP, c.IP_DROP_SOURCE_MEMBERSHIP): (linux.IPPROTO_IP, _IP_DROP_SOURCE, _source),
    (c.IPPROTO_IP, c.IP_BLOCK_SOURCE): (linux.IPPROTO_IP, _IP_BLOCK_SOURCE, _source),
    (c.IPPROTO_IP, c.IP_UNBLOCK_SOURCE): (linux.IPPROTO_IP, _IP_UNBLOCK_SOURCE, _source),
    (c.IPPROTO_IPV6, c.IPV6_DONTFRAG): (linux.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _fragment),
    (c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER): (linux.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _discover),
    (c.IPPROTO_IPV6, c.IPV6_UNICAST_IF): (linux.IPPROTO_IPV6, _IPV6_UNICAST_IF, _unicast_if),
    (c.IPPROTO_TCP, c.TCP_KEEPIDLE): (linux.IPPROTO_TCP, linux.TCP_KEEPIDLE, _at_most(MAX_KEEPALIVE)),
    (c.IPPROTO_TCP, c.TCP_KEEPINTVL): (linux.IPPROTO_TCP, linux.TCP_KEEPINTVL, _at_most(MAX_KEEPALIVE)),
    (c.IPPROTO_TCP, c.TCP_KEEPCNT): (linux.IPPROTO_TCP, linux.TCP_KEEPCNT, _at_most(MAX_PROBES)),
    (c.IPPROTO_TCP, c.TCP_MAXRT): (linux.IPPROTO_TCP, linux.TCP_USER_TIMEOUT, _patience),
    (0, c.SIO_TCP_INITIAL_RTO): (linux.IPPROTO_TCP, linux.TCP_SYNCNT, _syn_count),
    (c.IPPROTO_UDP, c.UDP_RECV_MAX_COALESCED_SIZE): (linux.IPPROTO_UDP, _UDP_GRO, lambda size: int(size > 0)),
    (c.IPPROTO_TCP, c.TCP_FASTOPEN): (
        linux.IPPROTO_TCP, linux.TCP_FASTOPEN, lambda on: FASTOPEN_QUEUE if on else 0
    ),
}  # fmt: skip


@lru_cache(128)
def teller(level: int, name: int) -> Callable[[HostSocket, Any], None]:
    """What tells the kernel of a socket an option's value; WSAENOPROTOOPT for one that the kernel does not have."""
    key = (level, name)
    if key in _SAME:
        return _teller(*_SAME[key], _in_range)
    if key in _OTHER:
        return _teller(*_OTHER[key])
    if key in _MEMBERSHIPS:
        return partial(_membership, _MEMBERSHIPS[key])
    raise WinsockError(WSA.WSAENOPROTOOPT)


def _teller(
    level: int, name: int, convert: Callable[[Any], int | bytes | None]
) -> Callable[[HostSocket, Any], None]:
    level, name = int(level), int(name)

    def tell(sock: HostSocket, value: Any) -> None:
        data = convert(value)
        if data is not None:
            try:
                sock.setsockopt(level, name, data)
            except OSError as e:
                raise _errors.translated(e) from None

    return tell


def _in_range(value: int | bytes) -> int | bytes:
    return value if isinstance(value, bytes) or value < INT_MAX else INT_MAX


def _membership(name: int, sock: HostSocket, data: bytes) -> None:
    """Join or leave a group.  Without a route to groups Windows still finds an interface, so look for one."""
    join = _teller(linux.IPPROTO_IP, name, _in_range)
    group, address = data[:4], data[4:8]
    index = int.from_bytes(address, "big")
    if 0 < index < 1 << 24:
        address = bytes(4)
    else:
        index = 0
    try:
        join(sock, group + address + struct.pack("=i", index))
    except WinsockError:
        if any(address) or index or (index := _any_multicast_interface()) == 0:
            raise
        join(sock, group + bytes(4) + struct.pack("=i", index))


def _any_multicast_interface() -> int:
    """An interface that is up, for groups; the loopback one when there is no other."""
    up = [i for i in _interfaces.interfaces() if i.family == c.AF_INET and i.flags & c.IFF_UP]
    return min(up, key=lambda i: (i.flags & c.IFF_LOOPBACK, i.number)).number if up else 0


def get_option(sock: HostSocket, level: int, name: int, size: int) -> int | bytes:
    """Ask the kernel; a number when size is 4 or less."""
    asked = _ASKED.get((level, name))
    if asked is None:
        raise WinsockError(WSA.WSAENOPROTOOPT)
    try:
        return sock.getsockopt(*asked) if size <= 4 else sock.getsockopt(*asked, size)
    except OSError as e:
        raise _errors.translated(e) from None


def pending(sock: HostSocket) -> int:
    """FIONREAD: bytes of a stream that can be read; of a datagram socket, the first datagram's."""
    data = bytearray(4)
    try:
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, data)
    except OSError as e:
        raise _errors.translated(e) from None
    return int.from_bytes(data, "little")


_SO_MEMINFO, _MEMINFO_SIZE = 55, 36  # its first number: bytes of the receive queue
_TCPI_UNACKED = 24  # where struct tcp_info has it: of a listener, the connections that wait


def waiting(sock: HostSocket, listens: bool) -> int:
    """See TransportSocket.waiting."""
    try:
        if listens:
            if family_of(sock) == linux.AF_UNIX:
                return 0
            raw = sock.getsockopt(linux.IPPROTO_TCP, linux.TCP_INFO, _TCPI_UNACKED + 4)
            return int.from_bytes(raw[_TCPI_UNACKED:], "little")
        if sock.type == c.SOCK_STREAM:
            return pending(sock)
        return int.from_bytes(sock.getsockopt(linux.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_SIZE)[:4], "little")
    except (OSError, WinsockError):
        return 0


# Linux' states of a TCP connection and TCPSTATE_* of Windows
_TCP_STATES: Final = {1: 4, 2: 2, 3: 3, 4: 5, 5: 6, 6: 10, 7: 0, 8: 7, 9: 9, 10: 1, 11: 8, 12: 3}

# Where struct tcp_info has what: (offset, bytes)
_TCP_INFO: Final = {
    "Mss": (16, 4),
    "RttUs": (68, 4),
    "MinRttUs": (148, 4),
    "RcvWnd": (232, 4),
    "SndWnd": (228, 4),
    "RcvBuf": (96, 4),
    "BytesOut": (200, 8),
    "BytesIn": (128, 8),
    "BytesRetrans": (208, 8),
    "DupAcksIn": (216, 4),
    "TimeoutEpisodes": (2, 1),
    "SndLimTimeRwin": (176, 8),
    "SndLimTimeSnd": (184, 8),
}


def statistics(sock: HostSocket) -> dict[str, int]:
    """TCP_INFO's fields that this kernel knows, under Windows' names."""
    try:
        raw = sock.getsockopt(linux.IPPROTO_TCP, linux.TCP_INFO, TCP_INFO_SIZE).ljust(TCP_INFO_SIZE, b"\0")
    except OSError as e:
        raise _errors.translated(e) from None

    def number(offset: int, size: int) -> int:
        return int.from_bytes(raw[offset : offset + size], "little")

    found = {name: number(*where) for name, where in _TCP_INFO.items()}
    mss, options = number(16, 4), raw[5]
    found |= {
        "State": _TCP_STATES.get(raw[0], 0),
        "TimestampsEnabled": options & 1,
        "BytesInFlight": number(24, 4) * mss,
        "Cwnd": number(80, 4) * mss,
        "SynRetrans": min(raw[2], 255) if raw[0] == 2 else 0,  # counts only while connecting
        "SndLimTimeRwin": found["SndLimTimeRwin"] // 1000,
        "SndLimTimeSnd": found["SndLimTimeSnd"] // 1000,
    }
    return found
