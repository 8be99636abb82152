"""Blocks as Python programs use them: a context manager, and sockets that are bound already."""

from __future__ import annotations

import errno
import operator
import os
import socket as linux
from array import array
from collections.abc import Iterator
from typing import Any

from winsock.codes import WSA
from winsock.ports import _placeholder
from winsock.ports._errors import Refused, python_shaped
from winsock.ports._markers import KINDS
from winsock.ports._placeholder import STREAM
from winsock.ports._runtime import LAST_PORT, POOL, Reservation


def reserve(
    count: int = 1,
    protocol: str = "tcp",
    *,
    start: int | None = None,
    within: tuple[int, int] | None = None,
) -> Block:
    """Reserve consecutive ports for this process: nobody else can bind them, and no automatic assignment takes them.

    count      how many
    protocol   "tcp" or "udp"; IPv4 and IPv6 both
    start      the first port; by default the system chooses
    within     where it chooses: first and last port, 49152 and 65535 by default

    PortError, by its code: WSAEADDRINUSE (a port of the block is taken or reserved), WSAENOBUFS (no such run of free
    ports), WSAEMFILE (each port takes a descriptor), WSAEACCES (ports below 1024 without the right to them);
    StoreError when the machine's persistent reservations cannot be read.  ValueError for what makes no sense.
    """
    kind = kind_of(protocol)
    count = operator.index(count)
    if count < 1:
        raise ValueError("count must be at least 1")
    first = 0 if start is None else operator.index(start)
    if start is not None and not 1 <= first <= LAST_PORT - count + 1:
        raise ValueError(f"no block of {count} ports starts at {first}")
    if within is not None:
        low, high = map(operator.index, within)
        if not 1 <= low <= high <= LAST_PORT:
            raise ValueError(f"no range of ports: {within!r}")
        within = low, high
    return Block(_acquire(kind, first, count, within))


@python_shaped
def _acquire(kind: int, start: int, count: int, within: tuple[int, int] | None) -> Reservation:
    if count > LAST_PORT:
        raise Refused(WSA.WSAENOBUFS, f"there are no {count} ports")
    return POOL.acquire(kind, start, count, None, within)


def kind_of(protocol: str) -> int:
    """SOCK_STREAM or SOCK_DGRAM; ValueError for other protocols."""
    try:
        return KINDS[protocol]
    except (KeyError, TypeError):
        raise ValueError(f"protocol must be 'tcp' or 'udp', not {protocol!r}") from None


class Block:
    """A reserved block of ports; reserve() makes one.

    start, count, ports    which
    protocol               "tcp" or "udp"
    token                  what SIO_ASSOCIATE_PORT_RESERVATION takes, in this process
    closed                 it was freed

    It is free again when it is closed, or nothing refers to it or to a socket of it any more, or the process ends in
    whatever way.  A forked child does not have it.
    """

    def __init__(self, reservation: Reservation) -> None:
        self._reservation = reservation
        self._pid = os.getpid()
        self.start, self.count, self.token = reservation.start, reservation.count, reservation.token
        self.protocol = "tcp" if reservation.kind == STREAM else "udp"
        self.ports = range(self.start, self.start + self.count)

    @property
    def closed(self) -> bool:
        return self._reservation.closed

    def socket(self, port: int | None = None, *, host: str = "127.0.0.1", listen: int | None = None) -> linux.socket:
        """A new socket, bound inside the block; other programs' sockets cannot take its place.

        port      one of the block; by default the next that no socket of it uses
        host      an IPv4 or IPv6 address of this machine; "" and "::" are every address of both families
        listen    backlog of a TCP socket that is to listen at once

        It is an ordinary socket whose listen() knows of the reservation.  A TCP socket that is given to another
        program must listen already, for the kernel lets nobody else listen there.

        PortError: WSAENOBUFS when all ports of the block are used, WSAEADDRINUSE for a port that another socket has,
        WSAEADDRNOTAVAIL for an address that is not this machine's, or a port that was given up.
        """
        if port is not None and port not in self.ports:
            raise ValueError(f"port {port!r} is not in {self}")
        if listen is not None and self.protocol != "tcp":
            raise ValueError("only TCP sockets listen")
        if self.closed:
            raise ValueError(f"{self} is closed")
        kind = self._reservation.kind
        family = linux.AF_INET6 if ":" in host or not host else linux.AF_INET
        try:
            s = BlockSocket(family, kind)
        except OSError as e:
            if host or e.errno != errno.EAFNOSUPPORT:
                raise
            s = BlockSocket(linux.AF_INET, kind)
        try:
            s._block = self
            if s.family == linux.AF_INET6:
                s.setsockopt(linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 0 if host in ("", "::") else 1)
            self._bind(s, host or ("::" if s.family == linux.AF_INET6 else "0.0.0.0"), port or 0)
            if listen is not None:
                s.listen(listen)
        except BaseException:
            s.close()
            raise
        return s

    @python_shaped
    def _bind(self, s: linux.socket, host: str, port: int) -> None:
        tail = _scope(s.family, host)

        def attempt(chosen: int) -> None:
            if s.type == linux.SOCK_STREAM:
                s.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1)  # over connections that have ended
            try:
                s.bind((host, chosen, *tail))
            except linux.gaierror:
                raise Refused(WSA.WSAEADDRNOTAVAIL, f"{host!r} is no address") from None
            except OSError as e:
                codes = {errno.EADDRINUSE: WSA.WSAEADDRINUSE, errno.EACCES: WSA.WSAEACCES}
                code = codes.get(e.errno or 0, WSA.WSAEADDRNOTAVAIL)
                raise Refused(code, f"{host} port {chosen}: {e.strerror}") from None
            finally:
                if s.type == linux.SOCK_STREAM:
                    s.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 0)

        self._reservation.bind(s, port, lambda chosen: (host, chosen, *tail), attempt)

    def hand_over(self, port: int | None = None) -> linux.socket:
        """The socket that has held a port all the time, as the caller's own: it leaves the block.

        It is bound to every address of both families, and a program that knows nothing of winsock may listen or
        connect with it.  The port stays held for as long as that socket lives.  By default the next unused port.

        PortError: WSAENOBUFS when no port is left; WSAEACCES for UDP (and for TCP ports that had sockets) without
        CAP_NET_RAW.
        """
        return self._hand_over(0 if port is None else self._own(port))

    @python_shaped
    def _hand_over(self, port: int) -> linux.socket:
        block = self._reservation
        with POOL.lock:
            if not port:
                port = next(block._unused(), 0)
                if not port:
                    raise Refused(WSA.WSAENOBUFS, f"no port of {block} is left")
            s = _placeholder.handed_over(block.placeholder(port))
            block.part_with(port)
        return s

    def give_up(self, port: int) -> None:
        """Stop holding this port: any program may bind it."""
        self._give_up(self._own(port))

    @python_shaped
    def _give_up(self, port: int) -> None:
        POOL.let_go(array("i", (self._reservation.part_with(port),)))

    def _own(self, port: int) -> int:
        if port not in self.ports or self._reservation.placeholder(port) < 0:
            raise ValueError(f"port {port!r} is not in {self}")
        return port

    def close(self) -> None:
        """Free the block.  Sockets that are bound keep their ports."""
        if os.getpid() == self._pid:
            POOL.release(self._reservation)

    def __enter__(self) -> Block:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_reservation"):
            self.close()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(self.ports)

    def __contains__(self, port: object) -> bool:
        return port in self.ports

    def __getitem__(self, index: int) -> int:
        return self.ports[index]

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<Block {self.protocol} {self.start}-{self.start + self.count - 1}{state}>"


class BlockSocket(linux.socket):
    """A socket of a block.  It keeps its block, and listens beside what holds the port."""

    _block: Block | None = None

    def listen(self, backlog: int | None = None, /) -> None:
        """Take connections; see socket.socket.listen."""
        arguments = () if backlog is None else (backlog,)
        if self.type != linux.SOCK_STREAM or self._block is None:
            super().listen(*arguments)
            return
        with POOL.lock, POOL.beside(STREAM, self.getsockname()[1], self, None):
            # A listener lets nobody in by it, and its connections, once ended, let the next socket in.
            self.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1)
            super().listen(*arguments)

    def connect(self, address: Any, /) -> None:
        """Connect; see socket.socket.connect."""
        self._over_ended()
        super().connect(address)

    def connect_ex(self, address: Any, /) -> int:
        """Connect; see socket.socket.connect_ex."""
        self._over_ended()
        return super().connect_ex(address)

    def _over_ended(self) -> None:
        """The connection, once ended, lets the next socket in."""
        if self.type == linux.SOCK_STREAM:
            self.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1)

    def dup(self) -> BlockSocket:
        """A duplicate; see socket.socket.dup."""
        other = super().dup()
        other._block = self._block
        return other


def _scope(family: int, host: str) -> tuple[int, ...]:
    """What follows the port in a link-local IPv6 address."""
    if family != linux.AF_INET6 or "%" not in host:
        return ()
    try:
        return 0, linux.if_nametoindex(host.partition("%")[2])
    except OSError:
        return ()
