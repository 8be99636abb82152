"""Who may bind and listen where: Windows' rules for addresses on Linux' ports.

The kernel is asked plainly first.  What Windows refuses and Linux would allow is refused from a table of what this
interpreter's sockets hold; what Windows allows and Linux refuses is allowed by setting SO_REUSEPORT (of UDP,
SO_REUSEADDR) on the holders and the newcomer for the moment of the call.  Only who asked for SO_REUSEADDR keeps it:
two of those may share on Windows too, whatever their processes.  So no port is ever open to others that Windows would
keep closed.

Three things rest on how Linux works:

* SO_REUSEADDR on a listener is harmless to it, for listeners conflict whatever they set; but its connections inherit
  it, and one that ends in TIME_WAIT with it does not block a later bind that has it set for the moment.
* Of several listeners on the very same address (SO_REUSEADDR on all), Linux would spread connections; a one-line
  filter gives them to the first, as Windows does.
* A holder in another process is known by the kernel's refusal alone.  That is WSAEADDRINUSE; WSAEACCES for a newcomer
  with SO_REUSEADDR, which every refusal of Windows is then.

A port that is reserved (winsock.ports) is WSAEACCES for all but the sockets that were associated with its block.
Those are let in beside what holds it, and meet one another by the same rules as anywhere.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket as linux
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.ports import _markers
from winsock.ports._runtime import POOL as POOL
from winsock.transports._contract import Address
from winsock.transports._sharing import CONFLICTS, Place, Use, place_of, relation
from winsock.transports.host import _errors, _interfaces
from winsock.transports.host._numbers import family_of

if TYPE_CHECKING:
    from winsock.transports.host._socket import HostSocket

AF_INET6 = int(linux.AF_INET6)
SO_ATTACH_REUSEPORT_CBPF = 51
TCP_REPAIR = 19
MIN_HINT, MAX_HINT = 200, 65535  # SOMAXCONN_HINT's range
BPF_RETURN = 6

# AF_UNIX: what Windows says where Linux' errors mean something else for sockets
_UNIX_CODES = {
    errno.ENOENT: WSA.WSAENETDOWN,  # seen on Windows: no such directory
    errno.ENOTDIR: WSA.WSAENETDOWN,
    errno.EROFS: WSA.WSAEACCES,
    errno.EADDRINUSE: WSA.WSAEADDRINUSE,
}


class Claim:
    """What one socket (with its duplicates) holds.

    address    as it was bound, with its port
    accepted   an accepted connection of an exclusive listener: it keeps out only who wants exclusive use
    """

    __slots__ = ("accepted", "address", "key", "place", "sockets", "use")

    def __init__(
        self, key: tuple[int, int], place: Place, use: Use, sock: HostSocket, accepted: bool = False
    ) -> None:
        self.key, self.place, self.use, self.accepted = key, place, use, accepted
        self.address: Address = ()
        self.sockets = [weakref.ref(sock)]

    def live(self) -> HostSocket | None:
        """A socket of it that is open."""
        for ref in self.sockets:
            sock = ref()
            if sock is not None and sock.fileno() >= 0:
                return sock
        return None


_claims: dict[tuple[int, int], list[Claim]] = {}  # by (type, port); a table of this machine's ports, hence global
_lock = POOL.lock  # one for claims and reservations: finalizers may end either in the middle of the other


# -- bind


def bind(sock: HostSocket, address: Address, reuse: bool, exclusive: bool) -> None:
    """Bind, or raise the code Windows gives; a refused socket can be bound again."""
    if sock.win_family == c.AF_UNIX:
        _bind_unix(sock, address, reuse)
        return
    address = _scoped(address)
    use = Use.EXCLUSIVE if exclusive else Use.REUSE if reuse else Use.DEFAULT
    if sock.win_type not in (c.SOCK_STREAM, c.SOCK_DGRAM):
        _plain(sock, address, use)
        return
    block = POOL.target(sock) if POOL.associated else None
    if block is not None:
        _bind_inside(sock, address, use, block)
        return
    port = address[1]
    if port and POOL.by_token and POOL.find(sock.win_type, port) is not None:
        raise WinsockError(WSA.WSAEACCES)  # fact: so is any reserved port, within and without its process
    try:
        _bind_at(sock, address, use)
    except WinsockError as e:
        if e.code == WSA.WSAEADDRINUSE and port and _markers.elsewhere(sock.win_type, port):
            raise WinsockError(WSA.WSAEACCES) from None
        raise


def _bind_inside(sock: HostSocket, address: Address, use: Use, block: Any) -> None:
    """Bind an associated socket: to a port of its block, the next free one for port 0."""

    def address_of(port: int) -> Address:
        return (address[0], port, *address[2:])

    keeps_sharing = use is Use.REUSE and sock.win_type == c.SOCK_STREAM
    block.bind(sock, address[1], address_of, lambda port: _bind_at(sock, address_of(port), use), keeps_sharing)
    POOL.dissociate(sock)


def _bind_at(sock: HostSocket, address: Address, use: Use) -> None:
    place = place_of(address, family_of(sock) == AF_INET6 and not _v6only(sock))
    with _lock:
        claim = Claim((sock.win_type, address[1]), place, use, sock)
        if address[1]:
            _bind_beside(sock, address, claim, _admit(claim))
        else:
            _plain(sock, address, use)  # nobody is there
        if use is Use.REUSE:
            _set(sock, _sharing_option(sock), 1)
        if sock.held is not None:
            _unclaim(sock)  # of the name that a connect lost under another thread's hands
        _enter(claim, address, address[1] or _port(sock))
        sock.bound = claim
    if sock.fileno() < 0:
        release(sock)  # another thread closed it before it had the claim


def _enter(claim: Claim, address: Address, port: int) -> None:
    claim.address = (address[0], port, *address[2:]) if port != address[1] else address
    claim.key = (claim.key[0], port)
    _claims.setdefault(claim.key, []).append(claim)


def _leave(claim: Claim) -> None:
    holders = _claims.get(claim.key, [])
    if claim in holders:
        holders.remove(claim)
    if not holders:
        _claims.pop(claim.key, None)


def restore(sock: HostSocket, name: Address | None) -> None:
    """Give the socket the name back that Linux took away with a connection that failed or was dissolved.

    name    the one it had then, which is all there is of a socket that connect had named
    """
    claim: Claim | None = sock.bound
    if claim is None:
        everywhere = ("::", 0, 0, 0) if sock.win_family == c.AF_INET6 else ("0.0.0.0", 0)
        try:
            bind(sock, (everywhere[0], name[1] if name else 0, *everywhere[2:]), False, False)
        except WinsockError:
            bind(sock, everywhere, False, False)
        return
    with _lock:
        if sock.bound is not claim:
            raise WinsockError(WSA.WSAENOTSOCK)  # closed meanwhile
        _leave(claim)
        port = claim.key[1]
        try:
            with POOL.beside(sock.win_type, port, sock, claim.address):
                _bind_beside(sock, claim.address, claim, _admit(claim))
        except WinsockError as e:
            if e.code != WSA.WSAEADDRNOTAVAIL:  # that says: it has its name still
                _plain(sock, (claim.address[0], 0, *claim.address[2:]), claim.use)
                port = _port(sock)
        _enter(claim, claim.address, port)


def _admit(claim: Claim) -> list[Claim]:
    """Who else is there that it meets; raises what refuses the newcomer."""
    neighbours = []
    for other in tuple(_claims.get(claim.key, ())):
        where = relation(other.place, claim.place)
        if where is None:
            continue
        if other.accepted:
            if claim.use is Use.EXCLUSIVE:
                raise WinsockError(WSA.WSAEADDRINUSE)
            continue
        code = CONFLICTS.get((where, other.use, claim.use))
        if code:
            raise WinsockError(code)
        neighbours.append(other)
    return neighbours


def _bind_beside(sock: HostSocket, address: Address, claim: Claim, neighbours: list[Claim]) -> None:
    if claim.use is Use.REUSE and address[1]:
        _set(sock, _sharing_option(sock), 1)
    try:
        _plain(sock, address, claim.use)
        return
    except WinsockError as e:
        if e.code not in (WSA.WSAEADDRINUSE, WSA.WSAEACCES) or not address[1]:
            raise
    with _shared(sock, claim, neighbours):
        _plain(sock, address, claim.use)


def _sharing_option(sock: HostSocket) -> int:
    """What opens an address to others that have it too, as SO_REUSEADDR does on Windows."""
    return linux.SO_REUSEPORT if sock.win_type == c.SOCK_STREAM else linux.SO_REUSEADDR


def _plain(sock: HostSocket, address: Address, use: Use) -> None:
    try:
        sock.bind(address)
    except OverflowError:
        raise WinsockError(WSA.WSAEINVAL) from None
    except OSError as e:
        if e.errno == errno.EADDRINUSE and use is Use.REUSE:
            raise WinsockError(WSA.WSAEACCES) from None
        if e.errno == errno.EINVAL or isinstance(e, linux.gaierror):
            raise WinsockError(WSA.WSAEADDRNOTAVAIL) from None
        raise _errors.translated(e) from None


@contextmanager
def _shared(sock: HostSocket, claim: Claim, others: list[Claim]) -> Iterator[None]:
    """While it lasts, the kernel lets the socket in beside these, and over connections that have ended."""
    stream = sock.win_type == c.SOCK_STREAM
    option = _sharing_option(sock)
    parties = [(sock, claim)]
    for other in others:
        holder = other.live()
        if holder is not None:
            parties.append((holder, other))
    if stream:
        _set(sock, linux.SO_REUSEADDR, 1)
    if others:
        for party, _ in parties:
            _set(party, option, 1)
    try:
        yield
    finally:
        if stream:
            _set(sock, linux.SO_REUSEADDR, 0)
        if others:
            for party, its in parties:
                if its.use is not Use.REUSE:
                    _set(party, option, 0)
            if stream:
                _close_behind(claim.key[1])


def _close_behind(port: int) -> None:
    """Let the kernel forget that the port was shared.

    It remembers whether all holders of a port share it, and asks them again only after one came that does not: let
    one come, of the family that is not in the way.  (Privileged, it may come anywhere.)
    """
    for family, host, v6only in (linux.AF_INET, "127.0.0.1", 0), (linux.AF_INET6, "::1", 1):
        try:
            with linux.socket(family, linux.SOCK_STREAM) as passing:
                if v6only:
                    passing.setsockopt(linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1)
                try:
                    passing.setsockopt(linux.IPPROTO_TCP, TCP_REPAIR, 1)
                except PermissionError:
                    pass
                passing.bind((host, port))
                return
        except OSError:
            pass


def _set(sock: HostSocket, name: int, value: int) -> None:
    try:
        sock.setsockopt(linux.SOL_SOCKET, name, value)
    except OSError:
        pass  # another thread closed it just now


def _v6only(sock: HostSocket) -> bool:
    try:
        return bool(sock.getsockopt(linux.IPPROTO_IPV6, linux.IPV6_V6ONLY))
    except OSError as e:
        raise _errors.translated(e) from None


def _port(sock: HostSocket) -> int:
    try:
        port: int = sock.getsockname()[1]
    except OSError as e:
        raise _errors.translated(e) from None
    return port


def _scoped(address: Address) -> Address:
    """An IPv6 address with a scope as Linux wants it: there for link-local addresses only.

    Windows fills in one that is missing and refuses one that does not belong to the address, even where none is
    needed.
    """
    if len(address) < 4:
        return address
    host, port, flow, scope = address
    host = host.split("%")[0]
    ip = ipaddress.ip_address(host)
    if not scope:
        if ip.is_link_local:
            scope = next((i.scope for i in _interfaces.interfaces() if i.address == host), 0)
        return host, port, flow, scope
    if ip.is_link_local:
        return address
    if ip.is_unspecified or all(i.number != scope or i.address != host for i in _interfaces.interfaces()):
        raise WinsockError(WSA.WSAEADDRNOTAVAIL)
    return host, port, flow, 0


def _bind_unix(sock: HostSocket, path: Address, reuse: bool) -> None:
    """AF_UNIX: no abstract names, no sharing, and a path that exists is in use, whatever it is."""
    if not path or path[:1] in (b"\0", "\0"):
        raise WinsockError(WSA.WSAEINVAL)
    if reuse:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    try:
        sock.bind(path)
    except OSError as e:
        if e.errno is None:  # longer than Linux' structure
            raise WinsockError(WSA.WSAEINVAL) from None
        raise WinsockError(_UNIX_CODES.get(e.errno) or _errors.code_of(e.errno)) from None


# -- listen


def listen(sock: HostSocket, backlog: int) -> None:
    """Listen; backlog 0 and SOMAXCONN_HINT as Windows takes them."""
    if backlog < 0:
        backlog = min(max(-backlog, MIN_HINT), MAX_HINT)
    claim: Claim | None = sock.bound
    if claim is None:  # another process has bound it, and its connections, too, must not block the port later
        _set(sock, linux.SO_REUSEADDR, 1)
        try:
            _listen(sock, backlog)
        except WinsockError:
            _set(sock, linux.SO_REUSEADDR, 0)
            raise
        return
    keeps_sharing = claim.use is Use.REUSE
    with _lock, POOL.beside(sock.win_type, claim.key[1], sock, None, keeps_sharing):
        others = [
            o
            for o in tuple(_claims.get(claim.key, ()))
            if o is not claim and not o.accepted and relation(o.place, claim.place)
        ]
        _set(sock, linux.SO_REUSEADDR, 1)
        try:
            _listen(sock, backlog)
        except WinsockError as e:
            if e.code != WSA.WSAEADDRINUSE or not others:
                _set(sock, linux.SO_REUSEADDR, 0)
                raise
            with _shared(sock, claim, others):
                _listen(sock, backlog)
            _set(sock, linux.SO_REUSEADDR, 1)
        if claim.use is Use.REUSE:
            _first_takes_all(sock)


def _listen(sock: HostSocket, backlog: int) -> None:
    try:
        sock.listen(backlog)
    except OSError as e:
        raise _errors.translated(e) from None


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.c_void_p))


def _first_takes_all(sock: HostSocket) -> None:
    """Of the listeners that share this address, the first gets every connection."""
    instruction = _Instruction(BPF_RETURN, 0, 0, 0)
    program = _Program(1, ctypes.addressof(instruction))
    try:
        sock.setsockopt(linux.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, bytes(program))
    except OSError:
        pass  # nobody shares it after all


# -- what follows from a bind


def accepted(listener: HostSocket, new: HostSocket) -> None:
    """A connection was accepted: an exclusive listener's keeps the port from other exclusive ones (document)."""
    claim: Claim | None = listener.bound
    if claim is None or claim.use is not Use.EXCLUSIVE:
        return
    with _lock:
        new.bound = Claim(claim.key, claim.place, claim.use, new, accepted=True)
        _claims.setdefault(claim.key, []).append(new.bound)


def connected(sock: HostSocket) -> None:
    """A bound stream got its connection: when that has ended, it must not block the port."""
    if sock.bound is not None:
        _set(sock, linux.SO_REUSEADDR, 1)


def duplicated(sock: HostSocket, new: HostSocket) -> None:
    """A duplicate holds what its source holds."""
    claim: Claim | None = sock.bound
    if claim is not None:
        with _lock:
            claim.sockets.append(weakref.ref(new))
            new.bound = claim
    POOL.shared(sock, new)


def moved(source: HostSocket, target: HostSocket) -> None:
    """What one holds is the other's from now on."""
    claim: Claim | None = source.bound
    if claim is not None:
        with _lock:
            claim.sockets = [weakref.ref(target) if ref() is source else ref for ref in claim.sockets]
            source.bound, target.bound = None, claim


def release(sock: HostSocket) -> None:
    """The socket closes."""
    if POOL.owners or POOL.associated:
        POOL.left(sock)
    _unclaim(sock)


def _unclaim(sock: HostSocket) -> None:
    claim: Claim | None = sock.bound
    if claim is None:
        return
    with _lock:
        sock.bound = None
        claim.sockets = [ref for ref in claim.sockets if ref() not in (None, sock)]
        if claim.sockets:
            return
        _leave(claim)
