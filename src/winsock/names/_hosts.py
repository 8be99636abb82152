"""Names of machines to addresses and back, by Windows' rules, through this machine's resolver.

What Windows answers by itself is answered here: literals, localhost, this computer.  For other names the C
library is asked, which reads /etc/hosts and asks DNS.
"""

from __future__ import annotations

import _socket
from typing import NamedTuple

from winsock.abi import _addresses as text
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError, from_eai, from_h_errno
from winsock.names import _interfaces

_TO_HOST = {
    c.AF_UNSPEC: _socket.AF_UNSPEC,
    c.AF_INET: _socket.AF_INET,
    c.AF_INET6: _socket.AF_INET6,
}
_FROM_HOST = {_socket.AF_INET: c.AF_INET, _socket.AF_INET6: c.AF_INET6}

MAX_NAME = 255
LOCAL_NAMES = frozenset(("", "..localmachine"))
LOOPBACK_NAMES = frozenset(("localhost", "loopback"))
LOOPBACK4, LOOPBACK6 = b"\x7f\0\0\1", bytes(15) + b"\1"
MAPPED = bytes(10) + b"\xff\xff"


class Found(NamedTuple):
    """An address that a name has."""

    family: int  # AF_INET or AF_INET6, Windows' numbers
    data: bytes  # 4 or 16
    scope: int = 0


class Host(NamedTuple):
    """What gethostbyname and gethostbyaddr tell."""

    name: str
    aliases: tuple[str, ...]
    family: int
    addresses: tuple[bytes, ...]


def local_name() -> str:
    """This computer's name, without domain."""
    return _socket.gethostname().partition(".")[0]


def is_local_name(name: str) -> bool:
    """Whether the name means this computer: empty, or its own."""
    lower = name.lower()
    return lower in LOCAL_NAMES or lower in (local_name().lower(), _socket.gethostname().lower())


def is_loopback_name(name: str) -> bool:
    """Whether the name means the loopback addresses."""
    return name.lower() in LOOPBACK_NAMES


def literal(name: str) -> Found | None:
    """The address that a name spells out: IPv4 in any notation, IPv6 with scope and brackets or without."""
    v4 = text.ipv4(name, strict=False)
    if v4.ok and v4.end == len(name):
        return Found(c.AF_INET, v4.data)
    v6 = text.ipv6_endpoint(name)
    if v6.ok and not v6.port:
        return Found(c.AF_INET6, v6.data, v6.scope)
    return None


def own_addresses(family: int) -> list[Found]:
    """This computer's.  WSANO_DATA where it has none of that family."""
    found = [Found(a.family, a.data, a.scope) for a in _interfaces.local_addresses(family)]
    if not found:
        raise WinsockError(WSA.WSANO_DATA)
    return found


def loopback_addresses(family: int) -> list[Found]:
    """::1 and 127.0.0.1, in this order.  WSANO_DATA for IPv6 where there is none."""
    found = []
    if family != c.AF_INET and _interfaces.has_ipv6():
        found.append(Found(c.AF_INET6, LOOPBACK6))
    if family != c.AF_INET6:
        found.append(Found(c.AF_INET, LOOPBACK4))
    if not found:
        raise WinsockError(WSA.WSANO_DATA)
    return found


def _encode(name: str) -> bytes:
    """The name as DNS has it; WSAHOST_NOT_FOUND for what cannot be one."""
    try:
        data = name.encode("ascii") if name.isascii() else name.encode("idna")
    except UnicodeError:
        raise WinsockError(WSA.WSAHOST_NOT_FOUND) from None
    if not data or len(data) > MAX_NAME or b"\0" in data or b" " in data:
        raise WinsockError(WSA.WSAHOST_NOT_FOUND)
    return data


def resolve(name: str, family: int) -> tuple[list[Found], str]:
    """Ask the C library: addresses in its order, and the canonical name.

    WSAHOST_NOT_FOUND, WSANO_DATA, WSATRY_AGAIN, WSANO_RECOVERY.
    """
    data = _encode(name)
    try:
        answers = _socket.getaddrinfo(data, None, _TO_HOST[family], _socket.SOCK_STREAM, 0, _socket.AI_CANONNAME)
    except OSError as e:
        code = from_eai(e.args[0] if e.args else 0)
        if code == WSA.WSATRY_AGAIN and name.lower().rstrip(".").endswith(".invalid"):
            code = WSA.WSAHOST_NOT_FOUND  # no name server is needed to know that (RFC 6761)
        raise WinsockError(code) from None
    found: list[Found] = []
    for host_family, _, _, _, address in answers:
        if host_family not in _FROM_HOST:
            continue
        spelled = str(address[0]).partition("%")[0]
        scope = int(address[3]) if len(address) > 3 else 0
        entry = Found(_FROM_HOST[host_family], _socket.inet_pton(host_family, spelled), scope)
        if entry not in found:
            found.append(entry)
    if not found:
        raise WinsockError(WSA.WSANO_DATA)
    return found, next((str(a[3]) for a in answers if a[3]), name)


def addresses(name: str, family: int) -> tuple[list[Found], str]:
    """The addresses of a name that is no literal, and its canonical name."""
    if is_local_name(name):
        return own_addresses(family), local_name()
    if is_loopback_name(name):
        return loopback_addresses(family), name
    found, canonical = resolve(name, family)
    if family != c.AF_INET and any(f.family == c.AF_INET6 for f in found):
        # A machine that cannot reach the IPv6 Internet is told no addresses there.
        reachable = [f for f in found if f.family == c.AF_INET or f.data == LOOPBACK6]
        if len(reachable) < len(found) and not _interfaces.has_global_ipv6():
            found = reachable
        if not found:
            raise WinsockError(WSA.WSANO_DATA)
    return found, canonical


def host_by_name(name: str) -> Host:
    """gethostbyname: IPv4 only, the empty name is this computer.

    WSAHOST_NOT_FOUND; WSANO_DATA also for an IPv6 literal.  Source: document.
    """
    spelled = literal(name) if name else None
    if spelled is not None:
        if spelled.family != c.AF_INET:
            raise WinsockError(WSA.WSANO_DATA)
        return Host(name, (), c.AF_INET, (spelled.data,))
    found, canonical = addresses(name, c.AF_INET)
    aliases = () if canonical.lower() == name.lower() or is_local_name(name) else (name,)
    return Host(canonical, aliases, c.AF_INET, tuple(f.data for f in found))


def host_by_addr(data: bytes, family: int) -> Host:
    """gethostbyaddr: this computer's addresses, the loopback ones included, have its name.

    WSAHOST_NOT_FOUND, WSANO_DATA, WSATRY_AGAIN, WSANO_RECOVERY.
    """
    if _interfaces.is_local(data):
        return Host(local_name(), (), family, (data,))
    try:
        name, aliases, _ = _socket.gethostbyaddr(_socket.inet_ntop(_TO_HOST[family], data))
    except OSError as e:
        number = e.args[0] if e.args else 0
        raise WinsockError(from_h_errno(number) or WSA.WSAHOST_NOT_FOUND) from None
    return Host(name, tuple(aliases), family, (data,))
