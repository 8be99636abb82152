"""Socket addresses as the `_socket` module takes them, and its functions about names.

What names mean is the core's (winsock.names); here are CPython's types, its checks and its texts.
"""

from __future__ import annotations

import _socket
from functools import lru_cache
from typing import Any

from winsock import names
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.python._oserror import face, host_error, name_error, winsock_error

FAMILIES = {c.AF_UNSPEC: 0, c.AF_INET: _socket.AF_INET, c.AF_INET6: _socket.AF_INET6}
FAMILIES_BACK = {linux: windows for windows, linux in FAMILIES.items()}
ANY = {c.AF_INET: "0.0.0.0", c.AF_INET6: "::"}
BROADCAST = "255.255.255.255"
MAX_PORT, MAX_FLOWINFO = 0xFFFF, 0xFFFFF
LONGEST_LABEL = 63


def family_to_host(family: int) -> int:
    """This machine's number of a family; WSAEAFNOSUPPORT for one that is not of addresses."""
    try:
        return FAMILIES[family]
    except KeyError:
        raise winsock_error(WSA.WSAEAFNOSUPPORT) from None


def _host_text(host: Any) -> str:
    """A host as text of ASCII: str by IDNA's rules, bytes as they are."""
    if isinstance(host, bytes | bytearray):
        return bytes(host).decode("latin-1")
    if host.isascii() and all(0 < len(label) <= LONGEST_LABEL for label in host.removesuffix(".").split(".")):
        return str(host)
    return str(host.encode("idna").decode("ascii"))


def _lookup(
    host: str | None, service: str | None, family: int, type: int, proto: int, flags: int
) -> list[names.Info]:
    """getaddrinfo, whose failures are CPython's gaierror."""
    try:
        return names.lookup(host, service, family, type, proto, flags)
    except WinsockError as e:
        raise name_error(e.code) from None


def resolve_host(host: str, family: int) -> str:
    """A numeric address for a host: '' is any, '<broadcast>' everybody; gaierror when there is none."""
    if not host:
        return ANY[family]
    if host in ("<broadcast>", BROADCAST):
        if family != c.AF_INET:
            raise OSError("address family mismatched")
        return BROADCAST
    found = _lookup(_host_text(host), None, family, c.SOCK_DGRAM, 0, 0)[0]
    return _with_scope(found.address)


def _with_scope(address: tuple[Any, ...]) -> str:
    return f"{address[0]}%{address[3]}" if len(address) > 3 and address[3] else str(address[0])


def parse(family: int, address: Any, caller: str) -> Any:
    """The address that was given to bind(), connect() ..., checked as CPython checks it, with a numeric host."""
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
    host, port = address[0], _index(address[1])
    if not isinstance(host, str | bytes | bytearray):
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    if isinstance(host, bytes | bytearray):
        host = _host_text(host)
    if "\0" in host:
        raise TypeError("host name must not contain null character")
    if not 0 <= port <= MAX_PORT:
        raise OverflowError(f"{caller}(): port must be 0-65535.")
    if not six:
        return (host if _is_dotted(host) else resolve_host(host, family)), port
    flowinfo = _index(address[2]) if len(address) > 2 else 0
    scope = _index(address[3]) if len(address) > 3 else 0
    if not 0 <= flowinfo <= MAX_FLOWINFO:
        raise OverflowError(f"{caller}(): flowinfo must be 0-1048575.")
    numeric, _, zone = resolve_host(host, family).partition("%")
    return numeric, port, flowinfo, int(zone) if zone and not scope else scope


def _index(value: Any) -> int:
    if isinstance(value, float) or not hasattr(value, "__index__"):
        raise TypeError(f"{type(value).__name__!r} object cannot be interpreted as an integer")
    return int(value.__index__())


@lru_cache(1024)
def _is_dotted(host: str) -> bool:
    """Four plain decimal numbers, which need no look-up."""
    parts = host.split(".")
    return len(parts) == 4 and all(
        p.isdecimal() and p.isascii() and (p[0] != "0" or p == "0") and int(p) < 256 for p in parts
    )


def is_numeric(family: int, address: Any) -> bool:
    """Whether an address, which is a tuple, names its host by number."""
    host = address[0]
    return isinstance(host, str) and (_is_dotted(host) if family == c.AF_INET else ":" in host and "%" not in host)


@lru_cache(1024)
def numeric_pair(family: int, address: tuple[Any, ...]) -> tuple[str, int]:
    """An IPv4 host's number and a port; LookupError if it is something else."""
    if family != c.AF_INET or len(address) != 2 or not isinstance(address[0], str) or not _is_dotted(address[0]):
        raise LookupError
    if not 0 <= address[1] <= MAX_PORT:
        raise LookupError
    return address[0], address[1]


# -- the module's functions


@face
def getaddrinfo(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[tuple[Any, ...]]:
    """getaddrinfo(host, port[, family, type, proto, flags]): [(family, type, proto, name, address)]."""
    if host is not None:
        if not isinstance(host, str | bytes):
            raise TypeError("getaddrinfo() argument 1 must be string or None")
        host = _host_text(host) if host else ""
    if isinstance(port, int):
        port = str(int(port))
        if len(port) > 20:
            raise OverflowError("Python int too large to convert to C long")
    elif isinstance(port, bytes):
        port = port.decode()
    elif isinstance(port, str):
        port.encode()  # UnicodeEncodeError for what is no text
    elif port is not None:
        raise OSError("Int or String expected")
    found = _lookup(host, port, int(family), int(type), int(proto), int(flags))
    return [(info.family, info.type, info.protocol, info.canonname or "", info.address) for info in found]


@face
def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """getnameinfo(address, flags): (host, service)."""
    if not isinstance(sockaddr, tuple):
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    if not 2 <= len(sockaddr) <= 4 or not isinstance(sockaddr[0], str):
        raise TypeError("getnameinfo() illegal sockaddr argument")
    host, port = sockaddr[0], _index(sockaddr[1])
    flowinfo, scope = (*map(_index, sockaddr[2:]), 0, 0)[:2]
    if not 0 <= flowinfo <= MAX_FLOWINFO:
        raise OverflowError("getnameinfo(): flowinfo must be 0-1048575.")
    found = _lookup(host, str(port), c.AF_UNSPEC, c.SOCK_DGRAM, 0, c.AI_NUMERICHOST)
    info = found[0]
    if info.family == c.AF_INET and len(sockaddr) != 2:
        raise OSError("IPv4 sockaddr must be 2 tuple")
    try:
        return names.reverse(info.data, info.family, port & MAX_PORT, flags, scope)
    except WinsockError as e:
        raise name_error(e.code) from None


@face
def gethostbyname(hostname: Any, /) -> str:
    """gethostbyname(host): an IPv4 address."""
    return resolve_host(_name(hostname, "gethostbyname"), c.AF_INET)


@face
def gethostbyname_ex(hostname: Any, /) -> tuple[str, list[str], list[str]]:
    """gethostbyname_ex(host): (name, aliases, IPv4 addresses)."""
    name = _name(hostname, "gethostbyname_ex")
    resolve_host(name, c.AF_INET)
    try:
        return _triple(names.host_by_name(name))
    except WinsockError as e:
        raise host_error(e.code) from None


@face
def gethostbyaddr(ip_address: Any, /) -> tuple[str, list[str], list[str]]:
    """gethostbyaddr(host): (name, aliases, addresses)."""
    name = _name(ip_address, "gethostbyaddr")
    info = _lookup(name, None, c.AF_UNSPEC, c.SOCK_DGRAM, 0, 0)[0]
    try:
        return _triple(names.host_by_addr(info.data, info.family))
    except WinsockError as e:
        raise host_error(e.code) from None


def _name(host: Any, caller: str) -> str:
    if not isinstance(host, str | bytes | bytearray):
        raise TypeError(f"{caller}() argument 1 must be str, bytes or bytearray, not {type(host).__name__}")
    return _host_text(host) if host else ""


def _triple(host: names.Host) -> tuple[str, list[str], list[str]]:
    family = FAMILIES[host.family]
    return host.name, list(host.aliases), [_socket.inet_ntop(family, data) for data in host.addresses]


@face
def gethostname() -> str:
    """gethostname(): this computer's name."""
    return names.local_name()


@face
def getservbyname(servicename: str, protocolname: str | None = None, /) -> int:
    """getservbyname(name[, protocol]): a service's port."""
    try:
        return names.service_by_name(servicename, protocolname).port
    except WinsockError:
        raise OSError("service/proto not found") from None


@face
def getservbyport(port: int, protocolname: str | None = None, /) -> str:
    """getservbyport(port[, protocol]): a service's name."""
    if not 0 <= port <= MAX_PORT:
        raise OverflowError("getservbyport: port must be 0-65535.")
    try:
        return names.service_by_port(port, protocolname).name
    except WinsockError:
        raise OSError("port/proto not found") from None


@face
def getprotobyname(name: str, /) -> int:
    """getprotobyname(name): a protocol's number."""
    try:
        return names.protocol_by_name(name).number
    except WinsockError:
        raise OSError("protocol not found") from None


@face
def inet_pton(family: int, ip_string: str, /) -> bytes:
    """inet_pton(family, text): an address as bytes."""
    return _socket.inet_pton(family_to_host(family), ip_string)


@face
def inet_ntop(family: int, packed_ip: Any, /) -> str:
    """inet_ntop(family, bytes): an address as text."""
    if family not in ANY:
        raise ValueError(f"unknown address family {family}")
    return _socket.inet_ntop(FAMILIES[family], packed_ip)
