"""Which endpoint of the core a descriptor belongs to.

Programs hand descriptors about: detach() and socket(fileno=...), accept's inner half, fromfd, dup, select on numbers.
The endpoint, which knows the socket's state, has to be found again behind each.
"""

from __future__ import annotations

import _socket
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any

from winsock import spi
from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._making import waiting_maker
from winsock.codes import WSA, WinsockError
from winsock.nt import Process, current
from winsock.python import _addresses
from winsock.python._socket_parts import OFFERED

_fileno: Any = _socket.socket.fileno
_settimeout: Any = _socket.socket.settimeout

SIZE_OF_PROTOCOL_INFO = 628  # WSAPROTOCOL_INFOW


class Table:
    """The endpoints of descriptors that sockets of this interpreter have, or had before detach().

    On a list, for descriptors are small numbers, and a dictionary takes several times the room.
    """

    __slots__ = ("_all",)

    def __init__(self, all: list[Endpoint | None]) -> None:
        self._all = all

    def get(self, fd: int) -> Endpoint | None:
        """The descriptor's endpoint, if it has one."""
        try:
            return self._all[fd] if fd >= 0 else None
        except IndexError:
            return None

    def put(self, fd: int, ep: Endpoint | None) -> None:
        """This is the descriptor's endpoint from now on; None for none any more."""
        while fd >= len(self._all):
            self._all.append(None)
        self._all[fd] = ep

    def __iter__(self) -> Iterator[Endpoint | None]:
        return iter(self._all)


_endpoints: list[Endpoint | None] = []  # by descriptor
endpoints = Table(_endpoints)


_FAMILIES = {**_addresses.FAMILIES_BACK, int(_socket.AF_UNIX): c.AF_UNIX}


def remember(fd: int, ep: Endpoint) -> None:
    """This is the descriptor's endpoint from now on."""
    try:
        old = _endpoints[fd]
    except IndexError:
        old = None
        endpoints.put(fd, None)
    if old is not None and old is not ep:
        # Its descriptor was closed behind its back, and the number is somebody else's now.
        forget(old)
    _endpoints[fd] = ep
    process = ep.shape.process
    if not process.nameless:
        process.nameless.append(endpoints)


def closing(ep: Endpoint) -> None:
    """The endpoint's descriptor is about to be closed."""
    fd = _fileno(ep)
    if 0 <= fd < len(_endpoints) and _endpoints[fd] is ep:
        _endpoints[fd] = None


MAKERS = "makers"  # in Process.services: {what a socket was asked for: what makes one more}


def fresh(family: int, type: int, protocol: int) -> Endpoint:
    """The endpoint of a new socket, whose descriptor waits."""
    process = current().process
    asked = family, type, protocol
    try:
        ep: Endpoint = process.services[MAKERS][asked]()
    except (LookupError, OSError) as e:
        # The first of its kind, or something is wrong, which is found out by the long way.
        if isinstance(e, OSError) and e.errno is None:
            raise  # a signal's handler did
        ep = spi.open_socket(process, *asked, c.WSA_FLAG_OVERLAPPED, named=False)
        _settimeout(ep, None)
        process.services.setdefault(MAKERS, {})[asked] = waiting_maker(ep, protocol)
    remember(_fileno(ep), ep)
    return ep


def offer(fd: int, ep: Endpoint) -> None:
    """This is the descriptor's endpoint, and no socket object has it yet."""
    remember(fd, ep)
    ep.own_rest().face = OFFERED


def _process() -> Process:
    return current().process


def adopt(fd: int) -> Endpoint:
    """An endpoint for a descriptor that came from elsewhere: inherited, or made by other code."""
    try:
        is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
    except (OSError, OverflowError):
        is_socket = False
    if not is_socket:
        raise WinsockError(WSA.WSAENOTSOCK)
    probe = _socket.socket(fileno=fd)
    try:
        family = _FAMILIES.get(probe.family)
        kind, protocol = probe.type, probe.proto
        listening = probe.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN)
        name = probe.getsockname()
        try:
            peer = probe.getpeername()
        except OSError:
            peer = None
    finally:
        probe.detach()
    if family is None:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    ep = spi.adopt(_process(), fd, family, kind, protocol)
    if name[1] if isinstance(name, tuple) else name:
        ep.became_bound()
    if listening:
        ep.became_listening()
    elif peer is not None:
        ep.became_connected(peer)
    ep.nonblocking = not os.get_blocking(fd)
    return ep


def forget(ep: Endpoint) -> None:
    """The end of an endpoint whose descriptor is not its own to close."""
    sock: Any = ep
    sock.detach()
    spi.close(ep)


def duplicate(ep: Endpoint) -> Endpoint:
    """Another handle of the same socket, with all that is known of the first."""
    new = spi.adopt(ep.process, ep.transport.duplicate(), ep.family, ep.type, ep.protocol, ep.flags)
    new.restore(ep.snapshot())
    return new


close = spi.close  # closesocket


def handle_of(descriptor: bytes) -> int:
    """The core's handle of the socket whose descriptor a program has packed as a SOCKET."""
    ep = endpoints.get(int.from_bytes(descriptor, sys.byteorder))
    if ep is None:
        raise WinsockError(WSA.WSAENOTSOCK)
    return ep.handle


def from_share(info: bytes) -> int:
    """The descriptor of a socket that share() wrote down for this process."""
    if len(info) != SIZE_OF_PROTOCOL_INFO:
        raise ValueError(f"socket descriptor string has wrong size, should be {SIZE_OF_PROTOCOL_INFO} bytes.")
    ep = spi.open_ticket(_process(), info, c.WSA_FLAG_OVERLAPPED)
    if ep is None:
        raise WinsockError(WSA.WSAEINVAL)
    fd = ep.fileno()
    offer(fd, ep)
    return fd
