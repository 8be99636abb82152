"""The control codes of WSAIoctl, as far as they are done at once.

Input and output are the bytes that Windows' callers see; a pointer inside them is an offset from their beginning,
which the C-shaped face moves.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import Final

from winsock.abi import _constants as c
from winsock.abi import _controls as table
from winsock.abi._controls import Control
from winsock.abi._options import BY_NUMBER
from winsock.abi._sockaddrs import pack_address, unpack_address
from winsock.afd import _connection, _options, _ports, _selection, _urgent
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._wait import Wait
from winsock.codes import WSA, WinsockError
from winsock.nt import current
from winsock.transports import READ, Address, Interface

IDEAL_BACKLOG = 0x10000
LIST_HEADER, LIST_ENTRY = 8, 16  # of a SOCKET_ADDRESS_LIST: count, then pointer and length each
ADDRESS_SIZES: Final = {c.AF_INET: 16, c.AF_INET6: 28}
INTERFACE_INFO = struct.Struct("<I24s24s24s")
EVERYBODY = "255.255.255.255"

# TCP_INFO_v0, and what TCP_INFO_v1 adds
_INFO_0: Final = (
    ("State", "I"), ("Mss", "I"), ("ConnectionTimeMs", "Q"), ("TimestampsEnabled", "B3x"), ("RttUs", "I"),
    ("MinRttUs", "I"), ("BytesInFlight", "I"), ("Cwnd", "I"), ("SndWnd", "I"), ("RcvWnd", "I"), ("RcvBuf", "I"),
    ("BytesOut", "Q"), ("BytesIn", "Q"), ("BytesReordered", "I"), ("BytesRetrans", "I"), ("FastRetrans", "I"),
    ("DupAcksIn", "I"), ("TimeoutEpisodes", "I"), ("SynRetrans", "B3x"),
)  # fmt: skip
_INFO_1: Final = (
    *_INFO_0, ("SndLimTransRwin", "I"), ("SndLimTimeRwin", "I"), ("SndLimBytesRwin", "Q"), ("SndLimTransCwnd", "I"),
    ("SndLimTimeCwnd", "I"), ("SndLimBytesCwnd", "Q"), ("SndLimTransSnd", "I"), ("SndLimTimeSnd", "I"),
    ("SndLimBytesSnd", "Q"),
)  # fmt: skip
TCP_INFO: Final = (_INFO_0, _INFO_1)


class ControlError(WinsockError):
    """A refused control code, and what becomes of the caller's byte count.

    count    what is stored there; None leaves it alone
    """

    __slots__ = ("count",)

    def __init__(self, code: int, count: int | None = 0) -> None:
        super().__init__(code)
        self.count = count


def ioctl(ep: Endpoint, code: int, data: bytes | None, room: int | None) -> bytes:
    """Do what a control code asks for; its output.

    data    input; None is a NULL pointer
    room    bytes that the caller has room for; None is a NULL pointer

    WSAEOPNOTSUPP for an unknown code, WSAEFAULT for too little input or room, WSAEINVAL, WSAENOPROTOOPT or
    WSAEOPNOTSUPP for a socket that it is not for.
    """
    if ep.closed:
        raise WinsockError(WSA.WSAENOTSOCK)
    row = table.BY_CODE.get(code)
    if row is None:
        raise ControlError(WSA.WSAEOPNOTSUPP)
    if row.refusal:
        raise ControlError(WSA[row.refusal])
    if ep.type not in row.types or ep.family not in row.families:
        raise ControlError(WSA[row.elsewhere])
    if len(data or b"") < row.takes:
        raise ControlError(WSA.WSAEFAULT)
    if (room or 0) < row.gives:
        raise ControlError(WSA.WSAEFAULT, None if row.silent else 0)
    return _HANDLERS.get(row.label, _kept)(ep, row, data or b"", room)


def _number(data: bytes) -> int:
    return int.from_bytes(data[:4], "little")


def _u32(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def _kept(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Remember the input."""
    ep.set_option((0, row.code), data)
    return b""


def _switch(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """SIO_UDP_CONNRESET, SIO_UDP_NETRESET: receiving looks at them."""
    ep.set_option((0, row.code), int(_number(data) != 0))
    return b""


# -- blocking mode, data that waits


def _fionbio(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    nonblocking = _number(data) != 0
    if not nonblocking and _selection.selected(ep):
        raise ControlError(WSA.WSAEINVAL)
    ep.nonblocking = nonblocking
    ep.refresh()
    return b""


def _fionread(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    _connection.poll_connect(ep)
    if ep.state in (State.OPEN, State.LISTENING, State.CONNECTING):
        return _u32(0)
    return _u32(ep.transport.pending() + _urgent.joined(ep))


def _siocatmark(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    return _u32(int(not ep.stream or ep.state is not State.CONNECTED or _urgent.at_mark(ep)))


# -- TCP


def _keepalive_vals(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """tcp_keepalive: on, idle time and interval in milliseconds; SO_KEEPALIVE and its times follow."""
    on, idle, interval = struct.unpack_from("<3I", data)
    if on:
        for name, ms in (c.TCP_KEEPIDLE, idle), (c.TCP_KEEPINTVL, interval):
            _options.keep(ep, BY_NUMBER[c.IPPROTO_TCP, name], max(1, -(-ms // 1000)))
    _options.setsockopt(ep, c.SOL_SOCKET, c.SO_KEEPALIVE, _u32(int(on != 0)))
    return b""


def _ideal_backlog(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    if ep.state is not State.CONNECTED:
        raise ControlError(WSA.WSAENOTCONN)
    return _u32(IDEAL_BACKLOG)


def check_backlog_change(ep: Endpoint) -> None:
    """WSAENOTCONN without a connection."""
    if ep.state is not State.CONNECTED:
        raise ControlError(WSA.WSAENOTCONN)


def _backlog_change(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Wait for what never happens here."""
    check_backlog_change(ep)
    if ep.nonblocking:
        raise ControlError(WSA.WSAEWOULDBLOCK)
    ts = current()
    with Wait(ts, ep.network, None) as wait, wait:
        if not wait.join(ep):
            raise ControlError(WSA.WSAENOTSOCK)
        while wait.goes_on() and not ep.closed:
            ep.network.wait(ts, (), wait.left())
    raise ControlError(WSA.WSAEINTR)


def _tcp_info(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """The input is the version, 0 or 1."""
    if len(data) != 4:
        raise ControlError(WSA.WSAEMSGSIZE)
    version = _number(data)
    if version >= len(TCP_INFO) or ep.family == c.AF_UNIX:
        raise ControlError(WSA.WSAEINVAL)
    found = ep.transport.statistics()
    if ep.state is State.CONNECTED and ep.connect_time is not None:
        found["ConnectionTimeMs"] = int(ep.network.now() - ep.connect_time)
    parts = []
    for name, form in TCP_INFO[version]:
        limit = {"B": 0xFF, "I": 0xFFFFFFFF, "Q": (1 << 64) - 1}[form[0]]
        parts.append(struct.pack("<" + form, min(found.get(name, 0), limit)))
    info = b"".join(parts)
    if (room or 0) < len(info):
        raise ControlError(WSA.WSAEFAULT)
    return info


def _initial_rto(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Before connecting only."""
    if ep.state not in (State.OPEN, State.BOUND):
        raise ControlError(WSA.WSAEINVAL)
    if ep.family != c.AF_UNIX:
        ep.transport.tell_option(*_connection.INITIAL_RTO, data)
    return _kept(ep, row, data, room)


def _cpu_affinity(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Before bind only."""
    if ep.state is not State.OPEN:
        raise ControlError(WSA.WSAEINVAL)
    return _kept(ep, row, data, room)


# -- multicast


def _multipoint_loopback(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    return _as_option(ep, c.IP_MULTICAST_LOOP, _u32(int(_number(data) != 0)))


def _multicast_scope(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    return _as_option(ep, c.IP_MULTICAST_TTL, data[:4])


def _as_option(ep: Endpoint, name: int, data: bytes) -> bytes:
    """Both families have these options under the same numbers."""
    _options.setsockopt(ep, c.IPPROTO_IPV6 if ep.family == c.AF_INET6 else c.IPPROTO_IP, name, data)
    return b""


# -- handles


def _handle(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    return ep.handle.to_bytes(8, "little")


def _rss_scalability(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    if not room:
        raise ControlError(WSA.WSAEINVAL)
    return b"\0"


# -- addresses, interfaces, routes


def _destination(ep: Endpoint, data: bytes) -> Address:
    if len(data) < ADDRESS_SIZES[ep.family]:
        raise ControlError(WSA.WSAEFAULT)
    if int.from_bytes(data[:2], "little") != ep.family:
        raise ControlError(WSA.WSAEAFNOSUPPORT)
    return unpack_address(data[: ADDRESS_SIZES[ep.family]])


def _route(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """From which local address one gets there; the port is 0.  A short buffer learns the size, a missing one not."""
    to = _destination(ep, data)
    size = ADDRESS_SIZES[ep.family]
    if room is None or room < size:
        raise ControlError(WSA.WSAEFAULT, None if room is None else size)
    local = ep.network.route_to(ep.family, to)
    return pack_address(ep.family, (local[0], 0, *local[2:]))


def _find_route(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    ep.network.route_to(ep.family, _destination(ep, data))
    return b""


def _change(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """Wait until the local addresses, or the routes, change; a non-blocking socket is told of it by an event only."""
    routes = row.code == c.SIO_ROUTING_INTERFACE_CHANGE
    if routes:
        _destination(ep, data)
    if ep.nonblocking:
        event = c.FD_ROUTING_INTERFACE_CHANGE if routes else c.FD_ADDRESS_LIST_CHANGE
        _selection.expect_change(ep, event)
        raise ControlError(WSA.WSAEWOULDBLOCK)
    ts = current()
    with ep.network.changes(ep.family, routes) as changes, Wait(ts, ep.network, None) as wait, wait:
        if not wait.join(ep):
            raise ControlError(WSA.WSAENOTSOCK)
        while wait.goes_on():
            if ep.closed:
                raise ControlError(WSA.WSAEINTR)
            if ep.network.wait(ts, [(changes, READ)], wait.left()):
                break
    return b""


def _local(ep: Endpoint) -> list[Interface]:
    """Addresses of this family that are up: without the loopback ones, unless there are no others."""
    up = [i for i in ep.network.interfaces() if i.family == ep.family and i.flags & c.IFF_UP]
    return [i for i in up if not i.flags & c.IFF_LOOPBACK] or up


def address_list(addresses: list[bytes]) -> bytes:
    """A SOCKET_ADDRESS_LIST with the addresses behind the array; its pointers are offsets."""
    at = LIST_HEADER + LIST_ENTRY * len(addresses)
    entries = b""
    for address in addresses:
        entries += struct.pack("<Qi4x", at, len(address))
        at += len(address)
    return struct.pack("<i4x", len(addresses)) + entries + b"".join(addresses)


def listed_addresses(data: bytes) -> list[bytes]:
    """The addresses of such a list; WSAEFAULT for one that is cut off."""
    if len(data) < LIST_HEADER:
        raise ControlError(WSA.WSAEFAULT)
    (count,) = struct.unpack_from("<i", data)
    if count < 0 or len(data) < LIST_HEADER + LIST_ENTRY * count:
        raise ControlError(WSA.WSAEFAULT)
    found = []
    for i in range(count):
        at, size = struct.unpack_from("<Qi", data, LIST_HEADER + LIST_ENTRY * i)
        if size < 0 or at + size > len(data):
            raise ControlError(WSA.WSAEFAULT)
        found.append(data[at : at + size])
    return found


def _fitting(data: bytes, room: int | None) -> bytes:
    """The list, if there is room: WSAEINVAL for less than its header, WSAEFAULT and its size for less than all."""
    if room and room < LIST_HEADER:
        raise ControlError(WSA.WSAEINVAL)
    if (room or 0) < len(data):
        raise ControlError(WSA.WSAEFAULT, len(data))
    return data


def _address_list_query(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    found = [
        pack_address(ep.family, (i.address, 0, 0, i.scope)[: 2 if ep.family == c.AF_INET else 4]) for i in _local(ep)
    ]
    return _fitting(address_list(found), room)


# RFC 6724's default policy: (prefix, precedence), the longest prefix first
_PRECEDENCE: Final = (
    (ipaddress.IPv6Network("::1/128"), 50),
    (ipaddress.IPv6Network("::ffff:0:0/96"), 35),
    (ipaddress.IPv6Network("::/96"), 1),
    (ipaddress.IPv6Network("2001::/32"), 5),
    (ipaddress.IPv6Network("2002::/16"), 30),
    (ipaddress.IPv6Network("3ffe::/16"), 1),
    (ipaddress.IPv6Network("fec0::/10"), 1),
    (ipaddress.IPv6Network("fc00::/7"), 3),
    (ipaddress.IPv6Network("::/0"), 40),
)


def _precedence(packed: bytes) -> int:
    if int.from_bytes(packed[:2], "little") == c.AF_INET:
        address = ipaddress.IPv6Address(bytes(10) + b"\xff\xff" + packed[4:8])
    else:
        address = ipaddress.IPv6Address(packed[8:24])
    return next(value for network, value in _PRECEDENCE if address in network)


def _address_list_sort(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    """The best destinations first."""
    addresses = listed_addresses(data)
    for address in addresses:
        family = int.from_bytes(address[:2], "little")
        if family not in ADDRESS_SIZES or len(address) < ADDRESS_SIZES[family]:
            raise ControlError(WSA.WSAEINVAL)
    return _fitting(address_list(sorted(addresses, key=_precedence, reverse=True)), room)


def _interface_list(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    found = [i for i in ep.network.interfaces() if i.family == c.AF_INET]
    if (room or 0) < INTERFACE_INFO.size * len(found):
        raise ControlError(WSA.WSAEFAULT)
    return b"".join(
        INTERFACE_INFO.pack(i.flags, *(pack_address(c.AF_INET, (a, 0)) for a in (i.address, EVERYBODY, i.netmask)))
        for i in found
    )


def _broadcast_address(ep: Endpoint, row: Control, data: bytes, room: int | None) -> bytes:
    return pack_address(c.AF_INET, (EVERYBODY, 0))


_Handler = Callable[[Endpoint, Control, bytes, int | None], bytes]
_HANDLERS: Final[dict[str, _Handler]] = {
    "FIONBIO": _fionbio,
    "FIONREAD": _fionread,
    "SIOCATMARK": _siocatmark,
    "SIO_KEEPALIVE_VALS": _keepalive_vals,
    "SIO_UDP_CONNRESET": _switch,
    "SIO_UDP_NETRESET": _switch,
    "SIO_BASE_HANDLE": _handle,
    "SIO_BSP_HANDLE": _handle,
    "SIO_BSP_HANDLE_SELECT": _handle,
    "SIO_BSP_HANDLE_POLL": _handle,
    "SIO_QUERY_TARGET_PNP_HANDLE": _handle,
    "SIO_ROUTING_INTERFACE_QUERY": _route,
    "SIO_ROUTING_INTERFACE_CHANGE": _change,
    "SIO_FIND_ROUTE": _find_route,
    "SIO_ADDRESS_LIST_QUERY": _address_list_query,
    "SIO_ADDRESS_LIST_CHANGE": _change,
    "SIO_ADDRESS_LIST_SORT": _address_list_sort,
    "SIO_GET_INTERFACE_LIST": _interface_list,
    "SIO_GET_BROADCAST_ADDRESS": _broadcast_address,
    "SIO_MULTIPOINT_LOOPBACK": _multipoint_loopback,
    "SIO_MULTICAST_SCOPE": _multicast_scope,
    "SIO_IDEAL_SEND_BACKLOG_QUERY": _ideal_backlog,
    "SIO_IDEAL_SEND_BACKLOG_CHANGE": _backlog_change,
    "SIO_TCP_INFO": _tcp_info,
    "SIO_TCP_INITIAL_RTO": _initial_rto,
    "SIO_CPU_AFFINITY": _cpu_affinity,
    "SIO_QUERY_RSS_SCALABILITY_INFO": _rss_scalability,
    "SIO_ACQUIRE_PORT_RESERVATION": _ports.acquire,
    "SIO_ASSOCIATE_PORT_RESERVATION": _ports.associate,
    "SIO_RELEASE_PORT_RESERVATION": _ports.release,
}
