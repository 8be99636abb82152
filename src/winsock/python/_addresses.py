"""Socket addresses and names as the `_socket` module takes and gives them, with Windows' numbers and errors."""

from __future__ import annotations

import _socket
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WSA, from_eai
from winsock.python._oserror import face, gaierror, host_error, name_error, winsock_error

FAMILIES = {c.AF_UNSPEC: 0, c.AF_INET: _socket.AF_INET, c.AF_INET6: _socket.AF_INET6}
FAMILIES_BACK = {linux: windows for windows, linux in FAMILIES.items()}
ANY = {c.AF_INET: "0.0.0.0", c.AF_INET6: "::"}
MAX_PORT, MAX_FLOWINFO = 0xFFFF, 0xFFFFF

_AI = {
    c.AI_PASSIVE: _socket.AI_PASSIVE,
    c.AI_CANONNAME: _socket.AI_CANONNAME,
    c.AI_NUMERICHOST: _socket.AI_NUMERICHOST,
    c.AI_NUMERICSERV: _socket.AI_NUMERICSERV,
    c.AI_ALL: _socket.AI_ALL,
    c.AI_ADDRCONFIG: _socket.AI_ADDRCONFIG,
    c.AI_V4MAPPED: _socket.AI_V4MAPPED,
    c.AI_FQDN: _socket.AI_CANONNAME,
    c.AI_FILESERVER: 0,
}
_NI = {
    c.NI_NOFQDN: _socket.NI_NOFQDN,
    c.NI_NUMERICHOST: _socket.NI_NUMERICHOST,
    c.NI_NAMEREQD: _socket.NI_NAMEREQD,
    c.NI_NUMERICSERV: _socket.NI_NUMERICSERV,
    c.NI_DGRAM: _socket.NI_DGRAM,
}


def _flags(flags: int, table: dict[int, int]) -> int:
    ours = 0
    for theirs, linux in table.items():
        if flags & theirs:
            ours |= linux
            flags &= ~theirs
    if flags:
        raise name_error(c.EAI_BADFLAGS)
    return ours


def _translated(e: OSError) -> OSError:
    """A gaierror with Windows' number."""
    return name_error(from_eai(e.errno or 0))


def family_to_host(family: int) -> int:
    """This machine's number of a family; WSAEAFNOSUPPORT for one that it doesn't have."""
    try:
        return FAMILIES[family]
    except KeyError:
        raise winsock_error(WSA.WSAEAFNOSUPPORT) from None


def resolve_host(host: Any, family: int, caller: str = "") -> str:
    """A numeric address for a host name: '' is any, '<broadcast>' everybody; gaierror when there is none."""
    if not host:
        return ANY[family]
    if host == "<broadcast>" and family == c.AF_INET:
        return "255.255.255.255"
    try:
        found = _socket.getaddrinfo(host, None, FAMILIES[family], _socket.SOCK_DGRAM, 0, 0)
    except gaierror as e:
        raise _translated(e) from None
    numeric: str = found[0][4][0]  # type: ignore[assignment]
    return numeric


def parse(family: int, address: Any, caller: str) -> Any:
    """The address tuple that was given to bind(), connect() ..., checked like CPython does, with a numeric host."""
    if family not in ANY:
        raise OSError(f"{caller}(): bad family")
    six = family == c.AF_INET6
    kind = "AF_INET6" if six else "AF_INET"
    if not isinstance(address, tuple):
        raise TypeError(f"{caller}(): {kind} address must be tuple, not {type(address).__name__}")
    if six:
        if not 2 <= len(address) <= 4:
            raise TypeError(f"{caller}(): AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])")
    elif len(address) != 2:
        raise TypeError(f"{caller}(): AF_INET address must be a pair (host, port)")
    host, port = address[0], address[1]
    if not isinstance(host, str | bytes | bytearray):
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    if isinstance(port, float) or not hasattr(port, "__index__"):
        raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
    port = port.__index__()
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("latin-1")
    elif "\0" in host:
        raise TypeError("host name must not contain null character")
    if not 0 <= port <= MAX_PORT:
        raise OverflowError(f"{caller}(): port must be 0-65535.")
    if not six:
        return (host if _numeric4(host) else resolve_host(host, family)), port
    flowinfo = address[2] if len(address) > 2 else 0
    scope = address[3] if len(address) > 3 else 0
    if not 0 <= flowinfo <= MAX_FLOWINFO:
        raise OverflowError(f"{caller}(): flowinfo must be 0-1048575.")
    numeric = host if ":" in host else resolve_host(host, family)
    if "%" in numeric:
        numeric, scope = _with_scope(numeric, scope)
    return numeric, port, flowinfo, scope


def _numeric4(host: str) -> bool:
    return host.count(".") == 3 and host.replace(".", "").isdecimal() and host.isascii()


def _with_scope(host: str, scope: int) -> tuple[str, int]:
    numeric, _, zone = host.partition("%")
    if zone.isdecimal():
        return numeric, int(zone)
    try:
        return numeric, _socket.if_nametoindex(zone)
    except OSError:
        raise name_error(c.EAI_NONAME) from None


# -- the module's functions


@face
def getaddrinfo(
    host: str | bytes | None, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[tuple[Any, ...]]:
    """getaddrinfo(host, port [, family, type, proto, flags]) -> list of (family, type, proto, canonname, sockaddr)

    Resolve host and port into addrinfo struct.
    """
    flags = int(flags)
    if family not in FAMILIES:
        raise name_error(c.EAI_FAMILY)
    ours = _flags(flags, _AI)
    if isinstance(port, int):
        port = str(port)
    try:
        found = _socket.getaddrinfo(host, port or None, FAMILIES[family], type, proto, ours)
    except gaierror as e:
        if host == "" or (host is None and not port):
            return getaddrinfo(_socket.gethostname(), port, family, type, proto, flags) if host == "" else _fail(e)
        raise _translated(e) from None
    result: list[tuple[Any, ...]] = []
    for entry_family, kind, protocol, name, address in found:
        # Windows repeats what was asked for; it doesn't list every type of socket.
        entry = (
            FAMILIES_BACK.get(entry_family, entry_family),
            type and kind,
            proto and protocol,
            name,
            address,
        )
        if entry not in result:
            result.append(entry)
    return result


def _fail(e: OSError) -> list[tuple[Any, ...]]:
    raise _translated(e) from None


@face
def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """getnameinfo(sockaddr, flags) --> (host, port)

    Get host and port for a sockaddr.
    """
    try:
        return _socket.getnameinfo(sockaddr, _flags(flags, _NI))
    except gaierror as e:
        raise _translated(e) from None


@face
def gethostbyname(hostname: str) -> str:
    """gethostbyname(host) -> address

    Return the IP address (a string of the form '255.255.255.255') for a host.
    """
    try:
        return _socket.gethostbyname(hostname)
    except gaierror as e:
        raise _translated(e) from None


@face
def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """gethostbyname_ex(host) -> (name, aliaslist, addresslist)

    Return the true host name, a list of aliases, and a list of IP addresses for a host.
    """
    try:
        return _socket.gethostbyname_ex(hostname)
    except gaierror as e:
        raise _translated(e) from None
    except _socket.herror:
        raise host_error(WSA.WSAHOST_NOT_FOUND) from None


@face
def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """gethostbyaddr(host) -> (name, aliaslist, addresslist)

    Return the true host name, a list of aliases, and a list of IP addresses for a host.
    """
    try:
        return _socket.gethostbyaddr(ip_address)
    except gaierror as e:
        raise _translated(e) from None
    except _socket.herror:
        raise host_error(WSA.WSANO_DATA) from None


@face
def inet_pton(family: int, ip_string: str) -> bytes:
    """inet_pton(af, ip) -> packed IP address string

    Convert an IP address from string format to a packed string suitable for use with low-level network functions.
    """
    return _socket.inet_pton(family_to_host(family), ip_string)


@face
def inet_ntop(family: int, packed_ip: bytes) -> str:
    """inet_ntop(af, packed_ip) -> string formatted IP address

    Convert a packed IP address of the given family to string format.
    """
    if family not in (c.AF_INET, c.AF_INET6):
        raise ValueError(f"unknown address family {family}")
    return _socket.inet_ntop(FAMILIES[family], packed_ip)
