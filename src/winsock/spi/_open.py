"""Making and closing socket handles: the catalog chooses a provider, the handle table gives the number."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint, first_shape, new_endpoint, opener, started
from winsock.codes import WSA, WinsockError
from winsock.nt import Process
from winsock.spi._catalog import resolve
from winsock.spi._table import BASE
from winsock.transports.host import HOST

_C_ROLES = c.WSA_FLAG_MULTIPOINT_C_ROOT | c.WSA_FLAG_MULTIPOINT_C_LEAF
_D_ROLES = c.WSA_FLAG_MULTIPOINT_D_ROOT | c.WSA_FLAG_MULTIPOINT_D_LEAF
KNOWN_FLAGS = (
    c.WSA_FLAG_OVERLAPPED
    | _C_ROLES
    | _D_ROLES
    | c.WSA_FLAG_ACCESS_SYSTEM_SECURITY
    | c.WSA_FLAG_NO_HANDLE_INHERIT
    | c.WSA_FLAG_REGISTERED_IO
)
GROUP_ID = (c.SOL_SOCKET, c.SO_GROUP_ID)
FIRST_GROUP = 0x1000  # the groups that WSASocket makes are numbered from here

_resolved = lru_cache(64)(resolve)


def open_socket(
    process: Process, family: int, kind: int, protocol: int, flags: int, group: int = 0, named: bool = True
) -> Endpoint:
    """A new endpoint with a handle.

    family, kind, protocol   what is 0 is filled in from the catalog; see spi.resolve for the refusals
    flags                    WSA_FLAG_*
    group                    0, SG_*, or the number of a group that exists
    named                    whether it gets its handle now; else the first who asks for it makes it

    WSAEINVAL for flags or a group that do not exist or do not fit, WSAEACCES for raw sockets without the right to
    them, WSAEMFILE without a free descriptor or handle.
    """
    asked = family, kind, protocol
    entry, protocol = _resolved(family, kind, protocol)
    if flags & ~c.WSA_FLAG_OVERLAPPED:
        _check_flags(flags, entry.service_flags)
    number = _group(process, group, entry.service_flags) if group else 0
    network: Any = process.transport or HOST
    ep = new_endpoint(process, network, entry.family, entry.type, protocol, flags, BASE, None, asked[2])
    if number:
        ep.set_option(GROUP_ID, number)
    elif flags == c.WSA_FLAG_OVERLAPPED:
        process.openers[asked] = opener(ep, asked[2])
    return register(process, ep) if named else ep


def _check_flags(flags: int, service_flags: int) -> None:
    if flags & ~KNOWN_FLAGS:
        raise WinsockError(WSA.WSAEINVAL)
    if flags & c.WSA_FLAG_ACCESS_SYSTEM_SECURITY and os.geteuid() != 0:
        raise WinsockError(WSA.WSAEACCES)  # an administrator's privilege
    control, data = flags & _C_ROLES, flags & _D_ROLES
    if control or data:
        # One role for each plane; none of these protocols knows a root.
        rooted = c.WSA_FLAG_MULTIPOINT_C_ROOT | c.WSA_FLAG_MULTIPOINT_D_ROOT
        if not (control and data) or flags & rooted or not service_flags & c.XP1_SUPPORT_MULTIPOINT:
            raise WinsockError(WSA.WSAEINVAL)


def _group(process: Process, group: int, service_flags: int) -> int:
    """The number of the socket's group, a new one for SG_*."""
    with process.lock:
        groups: dict[int, int] = process.services.setdefault("groups", {})
        if group in (c.SG_UNCONSTRAINED_GROUP, c.SG_CONSTRAINED_GROUP):
            number = FIRST_GROUP + len(groups)
            groups[number] = group
        else:
            number = group
        kind = groups.get(number)
    if kind is None or (kind == c.SG_CONSTRAINED_GROUP and service_flags & c.XP1_CONNECTIONLESS):
        raise WinsockError(WSA.WSAEINVAL)
    return number


def adopt(
    process: Process,
    source: Any,
    family: int,
    kind: int,
    protocol: int,
    flags: int = c.WSA_FLAG_OVERLAPPED,
) -> Endpoint:
    """An endpoint, without a handle as yet, for a socket that exists already.

    source    an endpoint's duplicate(), or what stands for a socket on the network (Transport.socket_class)
    """
    network: Any = process.transport or HOST
    if not isinstance(source, Endpoint):
        return new_endpoint(process, network, family, kind, protocol, flags, BASE, source)
    source.begin(first_shape(process, network, family, kind, protocol, flags, BASE))
    return source


def register(process: Process, ep: Endpoint) -> Endpoint:
    """Give the endpoint a handle; without a free one it is closed again."""
    try:
        ep._handle = process.handles.add_socket(ep)
    except WinsockError:
        ep.finish()
        raise
    if ep.rest.extra:
        begun(ep)
    return ep


def begun(ep: Endpoint) -> None:
    """A new endpoint, with or without a handle, is the program's now: what it inherited takes effect."""
    ep.refresh()
    started(ep)


def close(ep: Endpoint) -> None:
    """closesocket, for whoever has the endpoint itself."""
    ep.close()


def close_socket(process: Process, handle: int) -> None:
    """closesocket, for whoever has the handle."""
    ep = process.sockets.get(handle)
    if ep is None:
        raise WinsockError(WSA.WSAENOTSOCK)
    ep.close()
