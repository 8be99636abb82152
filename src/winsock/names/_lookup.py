"""getaddrinfo and getnameinfo by Windows' rules, with Python's types."""

from __future__ import annotations

from typing import NamedTuple

from winsock.abi import _addresses as text
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.names import _hosts
from winsock.names._hosts import Found
from winsock.names._services import service_by_name, service_by_port

# What is not here is refused.
_AI_KNOWN = (
    c.AI_PASSIVE | c.AI_CANONNAME | c.AI_NUMERICHOST | c.AI_NUMERICSERV | c.AI_DNS_ONLY | c.AI_FORCE_CLEAR_TEXT
    | c.AI_BYPASS_DNS_CACHE | c.AI_RETURN_TTL | c.AI_ALL | c.AI_ADDRCONFIG | c.AI_V4MAPPED | c.AI_NON_AUTHORITATIVE
    | c.AI_SECURE | c.AI_RETURN_PREFERRED_NAMES | c.AI_FQDN | c.AI_FILESERVER | c.AI_DISABLE_IDN_ENCODING
    | c.AI_SECURE_WITH_FALLBACK | c.AI_EXCLUSIVE_CUSTOM_SERVERS | c.AI_REQUIRE_SECURE | c.AI_RESOLUTION_HANDLE
    | c.AI_EXTENDED
)  # fmt: skip
_TYPES = (0, c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW)
_PROTOCOL_OF_TYPE = {0: None, c.SOCK_STREAM: "tcp", c.SOCK_DGRAM: "udp"}
_ULONG_MAX = 0xFFFFFFFF

Address = tuple[str, int] | tuple[str, int, int, int]


class Info(NamedTuple):
    """An answer of getaddrinfo; all numbers are Windows'."""

    flags: int
    family: int
    type: int
    protocol: int
    canonname: str | None
    address: Address
    data: bytes  # the address' 4 or 16 bytes


def _port(service: str | None, type: int, flags: int) -> int:
    """The port that a service names.  WSATYPE_NOT_FOUND, WSAHOST_NOT_FOUND with AI_NUMERICSERV."""
    if not service:
        return 0
    digits = service.lstrip(" \t\n\v\f\r")
    if digits.isascii() and digits.isdecimal():
        # As strtoul reads it, and then only 16 bits count.
        return min(int(digits[-20:]) if len(digits.lstrip("0")) <= 10 else _ULONG_MAX, _ULONG_MAX) & 0xFFFF
    if flags & c.AI_NUMERICSERV:
        raise WinsockError(WSA.WSAHOST_NOT_FOUND)
    if type not in _PROTOCOL_OF_TYPE:
        raise WinsockError(WSA.WSATYPE_NOT_FOUND)
    try:
        return service_by_name(service, _PROTOCOL_OF_TYPE[type]).port
    except WinsockError:
        raise WinsockError(WSA.WSATYPE_NOT_FOUND) from None


def _check(host: str | None, service: str | None, family: int, type: int, flags: int) -> None:
    """What is refused before anything is looked up, in this order."""
    if host is None and service is None:
        raise WinsockError(WSA.WSAHOST_NOT_FOUND)
    both = c.AI_CANONNAME | c.AI_FQDN
    if flags & ~_AI_KNOWN or flags & both == both or (flags & both and not host):
        raise WinsockError(WSA.WSAEINVAL)
    if type not in _TYPES:
        raise WinsockError(WSA.WSAESOCKTNOSUPPORT)
    if family not in (c.AF_UNSPEC, c.AF_INET, c.AF_INET6):
        raise WinsockError(WSA.WSAEAFNOSUPPORT)


def _mapped(found: list[Found]) -> list[Found]:
    return [f if f.family == c.AF_INET6 else Found(c.AF_INET6, _hosts.MAPPED + f.data) for f in found]


def _anybody(family: int, passive: bool) -> list[Found]:
    """The addresses for no name: to bind to, or to connect to."""
    if not passive:
        return _hosts.loopback_addresses(family)
    return [Found(f.family, bytes(len(f.data))) for f in _hosts.loopback_addresses(family)]


def _named(host: str, family: int, flags: int) -> tuple[list[Found], str]:
    """The addresses of a name, with IPv4 ones as IPv6 where the flags want that."""
    if family != c.AF_INET6 or not flags & c.AI_V4MAPPED:
        return _hosts.addresses(host, family)
    wanted = c.AF_UNSPEC if flags & c.AI_ALL else family
    try:
        found, canonical = _hosts.addresses(host, wanted)
    except WinsockError:
        found, canonical = _hosts.addresses(host, c.AF_INET)
    return _mapped(found), canonical


def lookup(
    host: str | None,
    service: str | None,
    family: int = c.AF_UNSPEC,
    type: int = 0,
    protocol: int = 0,
    flags: int = 0,
) -> list[Info]:
    """getaddrinfo: socket addresses for a host and a service.

    host        a name, a literal, "" for this computer, None for anybody (AI_PASSIVE) or the loopback address
    service     a name, a number in decimal, "" or None for port 0
    type        and protocol come back in each answer, whether or not they make sense

    WSAHOST_NOT_FOUND (no host and no service; no such host; AI_NUMERICHOST and no literal), WSATYPE_NOT_FOUND (no
    such service), WSAEINVAL (flags), WSAESOCKTNOSUPPORT, WSAEAFNOSUPPORT, WSANO_DATA (no address of that family),
    WSATRY_AGAIN, WSANO_RECOVERY.  Source: document, facts; the order of answers for no name is Windows 10's.
    """
    _check(host, service, family, type, flags)
    port = _port(service, type, flags)
    canonical: str | None = None
    answer_flags = 0
    if host is None:
        found = _anybody(family, bool(flags & c.AI_PASSIVE))
    elif (spelled := _hosts.literal(host) if host else None) is not None:
        found, canonical, answer_flags = [spelled], host, c.AI_NUMERICHOST
        if family == c.AF_INET6 and flags & c.AI_V4MAPPED:
            found = _mapped(found)
        if family not in (c.AF_UNSPEC, found[0].family):
            raise WinsockError(WSA.WSAHOST_NOT_FOUND)
    elif flags & c.AI_NUMERICHOST:
        raise WinsockError(WSA.WSAHOST_NOT_FOUND)
    else:
        found, canonical = _named(host, family, flags)
    if not flags & (c.AI_CANONNAME | c.AI_FQDN):
        canonical = None
    return [
        Info(answer_flags, f.family, type, protocol, None if i else canonical, _tuple(f, port), f.data)
        for i, f in enumerate(found)
    ]


def _tuple(found: Found, port: int) -> Address:
    if found.family == c.AF_INET:
        return text.ipv4_text(found.data), port
    return text.ipv6_text(found.data), port, 0, found.scope


def reverse(data: bytes, family: int, port: int, flags: int = 0, scope: int = 0) -> tuple[str, str]:
    """getnameinfo: the names of an address (4 or 16 bytes) and a port (host order), or their numbers.

    WSAHOST_NOT_FOUND with NI_NAMEREQD, WSAEAFNOSUPPORT.  Source: document.
    """
    return host_text(data, family, flags, scope), service_text(port, flags)


def host_text(data: bytes, family: int, flags: int = 0, scope: int = 0) -> str:
    """The host's part of getnameinfo."""
    if family not in (c.AF_INET, c.AF_INET6):
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    if not flags & c.NI_NUMERICHOST:
        try:
            name = _hosts.host_by_addr(data, family).name
        except WinsockError:
            if flags & c.NI_NAMEREQD:
                raise WinsockError(WSA.WSAHOST_NOT_FOUND) from None
        else:
            return name.partition(".")[0] if flags & c.NI_NOFQDN and _hosts.is_local_name(name) else name
    return text.ipv4_text(data) if family == c.AF_INET else text.ipv6_endpoint_text(data, 0, scope)


def service_text(port: int, flags: int = 0) -> str:
    """The service's part of getnameinfo."""
    if not flags & c.NI_NUMERICSERV and port:
        try:
            return service_by_port(port, "udp" if flags & c.NI_DGRAM else "tcp").name
        except WinsockError:
            pass
    return str(port)
