"""WSAConnect and its kin, multipoint leaves, and the disconnects that carry data."""

from __future__ import annotations

import socket as linux
import struct
from collections.abc import Iterable
from typing import Any, Final

from winsock import afd
from winsock.abi import _constants as c
from winsock.api import _sockaddr
from winsock.api._buffers import WSABUF
from winsock.api._call import INVALID_SOCKET, SOCKET_ERROR, c_int, dword, endpoint, export
from winsock.api._sockets import given, remote
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory
from winsock.transports import Address

V6ONLY: Final = (c.IPPROTO_IPV6, c.IPV6_V6ONLY)
QOS_SIZE = 80  # two FLOWSPECs and a WSABUF
SOCKET_ADDRESS = struct.Struct("<Qi4x")
LIST_HEAD = 8  # iAddressCount, padding
MAX_LIST = 4096
_MULTIPOINT = c.WSA_FLAG_MULTIPOINT_C_LEAF | c.WSA_FLAG_MULTIPOINT_D_LEAF

# Of an address that cannot be reached the next one is tried; other errors are about the socket.
_NEXT: Final = frozenset(
    {
        WSA.WSAECONNREFUSED,
        WSA.WSAEHOSTUNREACH,
        WSA.WSAENETUNREACH,
        WSA.WSAETIMEDOUT,
        WSA.WSAEADDRNOTAVAIL,
        WSA.WSAEADDRINUSE,
        WSA.WSAEACCES,
        WSA.WSAEAFNOSUPPORT,
    }
)


# -- one address


@export(SOCKET_ERROR)
def WSAConnect(
    ts: ThreadState,
    s: int,
    name: Any,
    namelen: int,
    lpCallerData: Any,
    lpCalleeData: Any,
    lpSQOS: Any,
    lpGQOS: Any,
) -> int:
    """connect(), with what other protocols than these can send along.

    lpCallerData    a WSABUF; WSAEPROTONOSUPPORT if it has data on a stream, ignored on other sockets
    lpCalleeData    a WSABUF whose len becomes 0
    lpSQOS          a QOS structure; it is looked at by the quality of service of a later call only
    lpGQOS          reserved: WSAEINVAL unless NULL

    Source: document.
    """
    ep = endpoint(ts, s)
    address = remote(ep, name, namelen)
    _check_extras(ep, lpCallerData, lpCalleeData, lpSQOS, lpGQOS)
    ep.procs.connect(ep, address)
    return 0


def _check_extras(ep: afd.Endpoint, caller: Any, callee: Any, sqos: Any, gqos: Any) -> None:
    if given(gqos):
        raise WinsockError(WSA.WSAEINVAL)
    if given(sqos):
        memory.read(sqos, QOS_SIZE)
    if given(caller):
        length, _ = WSABUF.unpack(memory.read(caller, WSABUF.size))
        if length and ep.stream:
            raise WinsockError(WSA.WSAEPROTONOSUPPORT)
    if given(callee):
        memory.write_u32(callee, 0)


# -- several addresses


@export(0)
def WSAConnectByNameA(
    ts: ThreadState,
    s: int,
    nodename: Any,
    servicename: Any,
    LocalAddressLength: Any,
    LocalAddress: Any,
    RemoteAddressLength: Any,
    RemoteAddress: Any,
    timeout: Any,
    Reserved: Any,
) -> int:
    """See WSAConnectByNameW; the names in bytes."""
    if not (given(nodename) and given(servicename)):
        raise WinsockError(WSA.WSAEINVAL)
    node, service = (memory.cstring(text).decode("utf-8", "surrogateescape") for text in (nodename, servicename))
    local, peer = (LocalAddressLength, LocalAddress), (RemoteAddressLength, RemoteAddress)
    return _by_name(ts, s, node, service, local, peer, timeout, Reserved)


@export(0)
def WSAConnectByNameW(
    ts: ThreadState,
    s: int,
    nodename: Any,
    servicename: Any,
    LocalAddressLength: Any,
    LocalAddress: Any,
    RemoteAddressLength: Any,
    RemoteAddress: Any,
    timeout: Any,
    Reserved: Any,
) -> int:
    """Connect a stream to a host and service by name: TRUE, or FALSE (0).

    It waits for the outcome, whatever the socket's mode.  The addresses of the connection go where both a length (in
    and out) and room are given.  An IPv6 socket without IPV6_V6ONLY reaches hosts of either family.

    timeout     a timeval in all, looked at between attempts; NULL: none
    Reserved    NULL

    Order of the refusals: names that are NULL and Reserved (WSAEINVAL), the handle, room too small (WSAEFAULT), the
    socket's type and state, the names (WSATYPE_NOT_FOUND, WSAHOST_NOT_FOUND); then the last attempt's code.
    Source: document, facts.
    """
    if not (given(nodename) and given(servicename)):
        raise WinsockError(WSA.WSAEINVAL)
    node, service = memory.wstring(nodename), memory.wstring(servicename)
    local, peer = (LocalAddressLength, LocalAddress), (RemoteAddressLength, RemoteAddress)
    return _by_name(ts, s, node, service, local, peer, timeout, Reserved)


def _by_name(
    ts: ThreadState,
    s: Any,
    node: str,
    service: str,
    local: tuple[Any, Any],
    peer: tuple[Any, Any],
    timeout: Any,
    reserved: Any,
) -> int:
    if given(reserved):
        raise WinsockError(WSA.WSAEINVAL)
    ep = endpoint(ts, s)
    end = _deadline(ep, timeout)
    _check_attempts(ep, local, peer)
    _attempt(ep, _resolve(ep, node, service), end)
    return _tell(ep, local, peer)


def _resolve(ep: afd.Endpoint, node: str, service: str) -> list[Address]:
    """Where a stream of this socket's family can connect to."""
    dual = ep.family == c.AF_INET6 and ep.options.get(V6ONLY, 1) == 0
    family = linux.AF_INET if ep.family == c.AF_INET else linux.AF_INET6
    flags = linux.AI_V4MAPPED | linux.AI_ALL if dual else 0
    try:
        found = linux.getaddrinfo(node, service, family, linux.SOCK_STREAM, linux.IPPROTO_TCP, flags)
    except linux.gaierror as e:
        unknown = e.errno == linux.EAI_SERVICE
        raise WinsockError(WSA.WSATYPE_NOT_FOUND if unknown else WSA.WSAHOST_NOT_FOUND) from None
    except (UnicodeError, ValueError):
        raise WinsockError(WSA.WSAHOST_NOT_FOUND) from None
    except OSError:  # no descriptor for it
        raise WinsockError(WSA.WSAENOBUFS) from None
    return [entry[4] for entry in found]


@export(0)
def WSAConnectByList(
    ts: ThreadState,
    s: int,
    SocketAddressList: Any,
    LocalAddressLength: Any,
    LocalAddress: Any,
    RemoteAddressLength: Any,
    RemoteAddress: Any,
    timeout: Any,
    Reserved: Any,
) -> int:
    """Connect a stream to the first address of a SOCKET_ADDRESS_LIST that can be reached: TRUE, or FALSE (0).

    Addresses of another family than the socket's cannot.  WSAEINVAL for no list, an empty one, or Reserved; else as
    WSAConnectByNameW.  Source: document.
    """
    if given(Reserved) or not given(SocketAddressList):
        raise WinsockError(WSA.WSAEINVAL)
    ep = endpoint(ts, s)
    local, peer = (LocalAddressLength, LocalAddress), (RemoteAddressLength, RemoteAddress)
    end = _deadline(ep, timeout)
    pointers = _pointers(SocketAddressList)
    _check_attempts(ep, local, peer)
    addresses: list[Address] = []
    wrong = 0
    for pointer, length in pointers:
        try:
            addresses.append(_sockaddr.read(pointer or None, length, ep.family))
        except WinsockError as e:
            if e.code != WSA.WSAEAFNOSUPPORT:
                raise
            wrong = e.code
    if not addresses:
        raise WinsockError(wrong or WSA.WSAEINVAL)
    _attempt(ep, addresses, end)
    return _tell(ep, local, peer)


def _pointers(array: Any) -> list[tuple[int, int]]:
    """(address, length) of each SOCKADDR of a SOCKET_ADDRESS_LIST."""
    count = memory.read_i32(array) if isinstance(array, int) else memory.read_u32(array)
    if not 0 < count <= MAX_LIST:
        raise WinsockError(WSA.WSAEINVAL)
    data = memory.read(array, LIST_HEAD + count * SOCKET_ADDRESS.size)
    return list(SOCKET_ADDRESS.iter_unpack(data[LIST_HEAD:]))


def _check_attempts(ep: afd.Endpoint, *wanted: tuple[Any, Any]) -> None:
    """Refuse too little room, other sockets than streams, and those that have a name."""
    for length, room in wanted:
        if given(length) and given(room):
            if memory.read_u32(length) < _sockaddr.FULL_SIZES[ep.family]:
                raise WinsockError(WSA.WSAEFAULT)
            memory.writable(room, _sockaddr.FULL_SIZES[ep.family])
    if not ep.stream or ep.family == c.AF_UNIX:
        raise WinsockError(WSA.WSAEINVAL)
    afd.poll_connect(ep)
    afd.check(ep, "connect")


def _deadline(ep: afd.Endpoint, timeout: Any) -> float | None:
    if not given(timeout):
        return None
    seconds, microseconds = struct.unpack("<ii", memory.read(timeout, 8))
    now: float = ep.network.now()
    wait: float = seconds * 1e3 + microseconds / 1e3
    return now + wait


def _attempt(ep: afd.Endpoint, addresses: Iterable[Address], end: float | None) -> None:
    """Connect to the first of these that answers; the last one's code if none does."""
    code = WSA.WSAEHOSTUNREACH
    for address in addresses:
        if end is not None and ep.network.now() >= end:
            raise WinsockError(WSA.WSAETIMEDOUT)
        try:
            ep.procs.connect(ep, address, True)
            return
        except WinsockError as e:
            if e.code not in _NEXT:
                raise
            code = WSA(e.code)
    raise WinsockError(code)


def _tell(ep: afd.Endpoint, local: tuple[Any, Any], peer: tuple[Any, Any]) -> int:
    """Store the names of the connection; TRUE."""
    for (length, room), name in ((local, ep.procs.getsockname), (peer, ep.procs.getpeername)):
        if given(length) and given(room):
            _sockaddr.write(ep.family, name(ep), room, length)
    return 1


# -- leaves


@export(INVALID_SOCKET)
def WSAJoinLeaf(
    ts: ThreadState,
    s: int,
    name: Any,
    namelen: int,
    lpCallerData: Any,
    lpCalleeData: Any,
    lpSQOS: Any,
    lpGQOS: Any,
    dwFlags: int,
) -> int:
    """Join a multipoint session, for IP a multicast group; the socket itself is the leaf that comes back.

    dwFlags    JL_SENDER_ONLY (does not join), JL_RECEIVER_ONLY (gets no default peer) or JL_BOTH

    WSAEINVAL for a socket that was not made as a leaf (WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF), for
    flags that are none; WSAEADDRNOTAVAIL for an address that is no group.  Source: document.
    """
    ep = endpoint(ts, s)
    address = _sockaddr.read(name, c_int(namelen), ep.family)
    _check_extras(ep, lpCallerData, lpCalleeData, lpSQOS, lpGQOS)
    flags = dword(dwFlags)
    if ep.stream or ep.flags & _MULTIPOINT != _MULTIPOINT:
        raise WinsockError(WSA.WSAEINVAL)
    if flags not in (c.JL_SENDER_ONLY, c.JL_RECEIVER_ONLY, c.JL_BOTH):
        raise WinsockError(WSA.WSAEINVAL)
    if not afd.is_group(address):
        raise WinsockError(WSA.WSAEADDRNOTAVAIL)
    if flags != c.JL_SENDER_ONLY:
        if ep.family == c.AF_INET:
            group, level, option = linux.inet_aton(address[0]) + bytes(4), c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP
        else:
            group = linux.inet_pton(linux.AF_INET6, address[0]) + struct.pack("<I", address[3])
            level, option = c.IPPROTO_IPV6, c.IPV6_ADD_MEMBERSHIP
        ep.procs.setsockopt(ep, level, option, group)
    if flags != c.JL_RECEIVER_ONLY:
        ep.procs.connect(ep, address)
    return ep.handle


# -- disconnects


@export(SOCKET_ERROR)
def WSASendDisconnect(ts: ThreadState, s: int, lpOutboundDisconnectData: Any) -> int:
    """shutdown(s, SD_SEND).  WSAENOPROTOOPT for data to go along, which no protocol here takes (document)."""
    ep = endpoint(ts, s)
    if given(lpOutboundDisconnectData):
        length, _ = WSABUF.unpack(memory.read(lpOutboundDisconnectData, WSABUF.size))
        if length:
            raise WinsockError(WSA.WSAENOPROTOOPT)
    ep.procs.shutdown(ep, c.SD_SEND)
    return 0


@export(SOCKET_ERROR)
def WSARecvDisconnect(ts: ThreadState, s: int, lpInboundDisconnectData: Any) -> int:
    """shutdown(s, SD_RECEIVE).  A WSABUF for data that came along gets the length 0: none ever does."""
    ep = endpoint(ts, s)
    if given(lpInboundDisconnectData):
        memory.writable(lpInboundDisconnectData, WSABUF.size)
    ep.procs.shutdown(ep, c.SD_RECEIVE)
    if given(lpInboundDisconnectData):
        memory.write_u32(lpInboundDisconnectData, 0)
    return 0
