"""Byte order: network order is big-endian, this machine's is little-endian."""

from __future__ import annotations

from typing import Any

from winsock.api._call import SOCKET_ERROR, dword, endpoint, export
from winsock.nt import ThreadState, memory


def _swap(value: int, size: int) -> int:
    return int.from_bytes((value & ((1 << 8 * size) - 1)).to_bytes(size, "little"), "big")


@export(0, startup=False, clears=False, during=True)
def htonl(ts: ThreadState, hostlong: int) -> int:
    """A u_long in network order.  Needs no WSAStartup and cannot fail."""
    return _swap(dword(hostlong), 4)


@export(0, startup=False, clears=False, during=True)
def htons(ts: ThreadState, hostshort: int) -> int:
    """A u_short in network order."""
    return _swap(dword(hostshort), 2)


@export(0, startup=False, clears=False, during=True)
def ntohl(ts: ThreadState, netlong: int) -> int:
    """A u_long in this machine's order."""
    return _swap(dword(netlong), 4)


@export(0, startup=False, clears=False, during=True)
def ntohs(ts: ThreadState, netshort: int) -> int:
    """A u_short in this machine's order."""
    return _swap(dword(netshort), 2)


def _convert(ts: ThreadState, s: int, value: int, size: int, out: Any) -> int:
    """The socket's provider names the order of its addresses; all of ours use network order."""
    endpoint(ts, s)
    memory.write(out, _swap(dword(value), size).to_bytes(size, "little"))
    return 0


@export(SOCKET_ERROR)
def WSAHtonl(ts: ThreadState, s: int, hostlong: int, lpnetlong: Any) -> int:
    """A u_long in the order of the socket's addresses, into lpnetlong.  WSAENOTSOCK, WSAEFAULT."""
    return _convert(ts, s, hostlong, 4, lpnetlong)


@export(SOCKET_ERROR)
def WSAHtons(ts: ThreadState, s: int, hostshort: int, lpnetshort: Any) -> int:
    """A u_short in the order of the socket's addresses, into lpnetshort.  WSAENOTSOCK, WSAEFAULT."""
    return _convert(ts, s, hostshort, 2, lpnetshort)


@export(SOCKET_ERROR)
def WSANtohl(ts: ThreadState, s: int, netlong: int, lphostlong: Any) -> int:
    """A u_long from the order of the socket's addresses, into lphostlong.  WSAENOTSOCK, WSAEFAULT."""
    return _convert(ts, s, netlong, 4, lphostlong)


@export(SOCKET_ERROR)
def WSANtohs(ts: ThreadState, s: int, netshort: int, lphostshort: Any) -> int:
    """A u_short from the order of the socket's addresses, into lphostshort.  WSAENOTSOCK, WSAEFAULT."""
    return _convert(ts, s, netshort, 2, lphostshort)
