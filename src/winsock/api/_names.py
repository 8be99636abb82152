"""Names of hosts, services and protocols: the calls of Winsock 1.1, and this computer's name."""

from __future__ import annotations

from typing import Any

from winsock import names
from winsock.abi import _constants as c
from winsock.api import _name_structs as structs
from winsock.api._call import SOCKET_ERROR, c_int, dword, export
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory


def ansi(ptr: Any) -> str:
    """The text for an ANSI function.  WSAEFAULT."""
    return memory.cstring(ptr).decode("utf-8", "surrogateescape")


def optional(ptr: Any) -> str | None:
    """The same for a pointer that may be NULL."""
    return None if memory.is_null(ptr) else ansi(ptr)


# -- hosts


@export(0)
def gethostbyname(ts: ThreadState, name: Any) -> int:
    """A pointer to the thread's hostent for a name, of IPv4 addresses; NULL on failure.

    name    a name or an IPv4 address in any notation; NULL or empty for this computer

    WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA (no IPv4 address, or an IPv6 literal), WSAEFAULT.
    Source: document, facts.
    """
    return structs.hostent(ts, names.host_by_name(optional(name) or ""))


@export(0)
def gethostbyaddr(ts: ThreadState, addr: Any, len: int, type: int) -> int:
    """A pointer to the thread's hostent for an address (4 or 16 bytes, network order); NULL on failure.

    WSAEFAULT: addr is bad or len too small; WSAEINVAL: IPv6 with another len than 16; WSAEAFNOSUPPORT: type.
    Source: document.
    """
    return structs.hostent(ts, names.host_by_addr(*address(addr, len, type)))


def address(addr: Any, len: Any, type: Any) -> tuple[bytes, int]:
    """gethostbyaddr's arguments: the address' bytes and its family."""
    family, n = c_int(type), c_int(len)
    if family not in (c.AF_INET, c.AF_INET6):
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    size = 4 if family == c.AF_INET else 16
    if size == 16 and n != size:
        raise WinsockError(WSA.WSAEINVAL)
    if n < size:
        raise WinsockError(WSA.WSAEFAULT)
    return memory.read(addr, size), family


def _own_name(out: Any, namelen: int, wide: bool) -> int:
    data = (names.local_name() + "\0").encode("utf-16-le" if wide else "utf-8", "surrogateescape")
    if memory.is_null(out) or c_int(namelen) < (len(data) // 2 if wide else len(data)):
        raise WinsockError(WSA.WSAEFAULT)
    memory.write(out, data)
    return 0


@export(SOCKET_ERROR)
def gethostname(ts: ThreadState, name: Any, namelen: int) -> int:
    """This computer's name into name, of namelen bytes.  WSAEFAULT: too little room; nothing is written then."""
    return _own_name(name, namelen, False)


@export(SOCKET_ERROR)
def GetHostNameW(ts: ThreadState, name: Any, namelen: int) -> int:
    """gethostname for UTF-16, namelen in characters."""
    return _own_name(name, namelen, True)


# -- services and protocols: not found is WSANO_DATA, whatever the reason


@export(0)
def getservbyname(ts: ThreadState, name: Any, proto: Any) -> int:
    """A pointer to the thread's servent for a service's name or alias; proto NULL for any protocol.

    WSANO_DATA, WSAEFAULT.
    """
    return structs.servent(ts, names.service_by_name(ansi(name), optional(proto)))


@export(0)
def getservbyport(ts: ThreadState, port: int, proto: Any) -> int:
    """A pointer to the thread's servent for a port (network order).  WSANO_DATA, WSAEFAULT."""
    number = int.from_bytes((dword(port) & 0xFFFF).to_bytes(2, "little"), "big")
    return structs.servent(ts, names.service_by_port(number, optional(proto)))


@export(0)
def getprotobyname(ts: ThreadState, name: Any) -> int:
    """A pointer to the thread's protoent for a protocol's name.  WSANO_DATA, WSAEFAULT."""
    return structs.protoent(ts, names.protocol_by_name(ansi(name)))


@export(0)
def getprotobynumber(ts: ThreadState, number: int) -> int:
    """A pointer to the thread's protoent for a protocol's number.  WSANO_DATA."""
    return structs.protoent(ts, names.protocol_by_number(c_int(number)))
