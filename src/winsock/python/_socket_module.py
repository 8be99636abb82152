"""The `_socket` module itself: its functions, and the assembly of all its names."""

from __future__ import annotations

import _socket
from types import ModuleType

from winsock import spi
from winsock.python import _addresses, _endpoints
from winsock.python._oserror import face
from winsock.python._overlay import seal
from winsock.python._socket import socket
from winsock.python._socket_names import CONSTANTS
from winsock.python._socket_parts import settings
from winsock.python._socket_transfers import Transfers


@face
def close(fd: int, /) -> None:
    """close(descriptor): the end of a socket of which only the descriptor is known."""
    ep = _endpoints.endpoints.get(fd)
    if ep is None or ep.transport.fileno() != fd:
        ep = _endpoints.adopt(fd)
    else:
        _endpoints.endpoints.put(fd, None)
    spi.close(ep)


@face
def dup(fd: int, /) -> int:
    """dup(descriptor): another descriptor of the same socket."""
    ep = _endpoints.endpoints.get(fd) or _endpoints.adopt(fd)
    new = _endpoints.duplicate(ep)
    number = new.transport.fileno()
    _endpoints.offer(number, new)
    return number


def getdefaulttimeout() -> float | None:
    """getdefaulttimeout(): what new sockets' timeout is, in seconds."""
    return settings.timeout


def setdefaulttimeout(timeout: float | None, /) -> None:
    """setdefaulttimeout(seconds): the timeout of sockets made from now on."""
    before = _socket.getdefaulttimeout()
    try:
        _socket.setdefaulttimeout(timeout)  # it checks the value
        settings.timeout = _socket.getdefaulttimeout()
    finally:
        _socket.setdefaulttimeout(before)


PLAIN_FUNCTIONS = (
    "htonl htons if_indextoname if_nameindex if_nametoindex inet_aton inet_ntoa ntohl ntohs"
).split()


def make_module() -> ModuleType:
    """The module `_socket`."""
    module = ModuleType("_socket", "Implementation module for socket operations.")
    names = vars(module)
    names.update(CONSTANTS)
    names.update({name: getattr(_socket, name) for name in PLAIN_FUNCTIONS})
    names.update(
        CAPI=_socket.CAPI,
        SocketType=socket,
        close=close,
        dup=dup,
        error=OSError,
        gaierror=_socket.gaierror,
        getaddrinfo=_addresses.getaddrinfo,
        getdefaulttimeout=getdefaulttimeout,
        gethostbyaddr=_addresses.gethostbyaddr,
        gethostbyname=_addresses.gethostbyname,
        gethostbyname_ex=_addresses.gethostbyname_ex,
        gethostname=_addresses.gethostname,
        getnameinfo=_addresses.getnameinfo,
        getprotobyname=_addresses.getprotobyname,
        getservbyname=_addresses.getservbyname,
        getservbyport=_addresses.getservbyport,
        has_ipv6=_socket.has_ipv6,
        herror=_socket.herror,
        inet_ntop=_addresses.inet_ntop,
        inet_pton=_addresses.inet_pton,
        setdefaulttimeout=setdefaulttimeout,
        socket=socket,
        timeout=TimeoutError,
    )
    if socket.__module__ != "_socket":
        socket.__module__ = "_socket"
        seal(socket)
        seal(Transfers)
    return module
