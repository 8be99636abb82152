"""The runtime reservations of this interpreter, and what a bind has to ask them.

One lock serves them all, and transports/host/_bind.py uses it too: the garbage collector may close sockets, and so
end reservations, in the middle of anything.
"""

from __future__ import annotations

import _socket
import errno
import os
import threading
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any, Final

from winsock.codes import WSA, WinsockError
from winsock.ports import _kernel_list, _markers, _placeholder, _places
from winsock.ports._errors import Refused
from winsock.ports._placeholder import DGRAM, STREAM, Busy

LAST_PORT: Final = 0xFFFF
DYNAMIC: Final = (49152, LAST_PORT)  # where the system chooses, as on Windows
TURNS: Final = 3  # through the range, while others search too
PERSISTENT_TOKEN: Final = 1 << 63  # set in the tokens of persistent blocks alone

_CODES: Final[dict[int, tuple[WSA, str]]] = {
    errno.EADDRINUSE: (WSA.WSAEADDRINUSE, "port {0} is in use"),
    errno.EACCES: (WSA.WSAEACCES, "port {0} may not be bound by this user"),
    errno.EPERM: (WSA.WSAEACCES, "port {0} may not be bound by this user"),
    errno.EMFILE: (WSA.WSAEMFILE, "there are not enough descriptors: each reserved port takes one (see ulimit -n)"),
    errno.ENFILE: (WSA.WSAEMFILE, "the machine has no free descriptors"),
    errno.EAFNOSUPPORT: (WSA.WSAENETDOWN, "this kernel has neither IPv6 nor IPv4"),
}

Range = tuple[int, int]  # first and last port


class Reservation:
    """A runtime block.

    kind      SOCK_STREAM or SOCK_DGRAM
    token     64 bits, the top one clear
    owner     pid of the winsock process that it belongs to; None is any of this interpreter
    held      descriptors of the placeholders; -1 where the block has given the port up
    """

    __slots__ = (
        "__weakref__",
        "_next",
        "closed",
        "count",
        "held",
        "kind",
        "marker",
        "owner",
        "start",
        "token",
        "users",
    )

    def __init__(self, kind: int, start: int, held: array[int], owner: int | None) -> None:
        self.kind, self.start, self.count, self.owner = kind, start, len(held), owner
        self.held = held
        self.token = 0
        self.marker = -1
        self.closed = False
        self.users: dict[int, list[weakref.ref[_socket.socket]]] = {}
        self._next = start

    @property
    def last(self) -> int:
        return self.start + self.count - 1

    def placeholder(self, port: int) -> int:
        """The descriptor that holds the port; -1 if none does."""
        return self.held[port - self.start] if self.start <= port <= self.last and not self.closed else -1

    def in_use(self, port: int) -> bool:
        """Whether an open socket of ours is bound there."""
        refs = self.users.get(port)
        if not refs:
            return False
        left = [ref for ref in refs if (s := ref()) is not None and s.fileno() >= 0]
        if left:
            self.users[port] = left
        else:
            self.users.pop(port, None)
        return bool(left)

    def bind(
        self,
        newcomer: _socket.socket,
        port: int,
        address_of: Callable[[int], Any],
        attempt: Callable[[int], None],
        keeps_sharing: bool = False,
    ) -> int:
        """Bind a socket inside the block; the port it got.

        port         0 for the next that no socket of ours uses
        address_of   the address that goes with a port
        attempt      binds to a port: what it raises for an explicit one goes to the caller

        WSAENOBUFS when no port is left, WSAEADDRNOTAVAIL for one outside the block or given up.
        """
        with POOL.lock:
            if port:
                self._bind_at(newcomer, port, address_of, attempt, keeps_sharing)
                return port
            for chosen in self._unused():
                try:
                    self._bind_at(newcomer, chosen, address_of, attempt, keeps_sharing)
                except WinsockError as e:
                    if e.code not in (WSA.WSAEADDRINUSE, WSA.WSAEACCES):
                        raise
                    continue
                self._next = chosen + 1
                return chosen
        raise Refused(WSA.WSAENOBUFS, f"no port of {self} is left")

    def _bind_at(
        self,
        newcomer: _socket.socket,
        port: int,
        address_of: Callable[[int], Any],
        attempt: Callable[[int], None],
        keeps_sharing: bool,
    ) -> None:
        held = self.placeholder(port)
        if held < 0:
            raise Refused(WSA.WSAEADDRNOTAVAIL, f"port {port} does not belong to {self}")
        with _placeholder.beside(held, self.kind, newcomer, address_of(port), keeps_sharing):
            attempt(port)
        self.in_use(port)  # forgets who has gone
        self.users.setdefault(port, []).append(weakref.ref(newcomer))

    def _unused(self) -> Iterator[int]:
        """Ports without a socket, the one after the last that was given first."""
        first = self._next if self.start <= self._next <= self.last else self.start
        for port in chain(range(first, self.last + 1), range(self.start, first)):
            if self.placeholder(port) >= 0 and not self.in_use(port):
                yield port

    def part_with(self, port: int) -> int:
        """The descriptor that holds a port, which the block gives up."""
        with POOL.lock:
            held = self.placeholder(port)
            if held < 0:
                raise Refused(WSA.WSAEADDRNOTAVAIL, f"port {port} does not belong to {self}")
            self.held[port - self.start] = -1
            return held

    def __str__(self) -> str:
        name = _markers.PROTOCOLS[self.kind].upper()
        return f"the {name} block {self.start}-{self.last}" if self.count > 1 else f"the {name} block {self.start}"


def _persistent(kind: int) -> list[Range]:
    """The ports of persistent blocks."""
    if not os.path.exists(_places.path()):
        return []
    from winsock.ports import _store

    return _store.excluded(_markers.PROTOCOLS[kind])


class Pool:
    """Every runtime reservation of this interpreter.

    associated    sockets that were associated with a block before their bind: what _bind.py asks first of all
    owners        sockets that acquired blocks, which end with them
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.by_token: dict[int, Reservation] = {}
        # (start, token) of each block; replaced and never changed, for a finalizer may come while one is looked at.
        self.sorted: dict[int, tuple[tuple[int, int], ...]] = {STREAM: (), DGRAM: ()}
        self.dying: list[array[int]] = []  # descriptors that are being closed
        # By id: the garbage collector empties weak dictionaries before a socket's own finalizer could look there; and
        # every bind and close asks whether these are empty, which takes weak ones a while.
        self.associated: dict[int, tuple[weakref.ref[_socket.socket], Any]] = {}
        self.owners: dict[int, tuple[weakref.ref[_socket.socket], tuple[Reservation, ...]]] = {}

    # -- making and ending

    def acquire(
        self, kind: int, start: int, count: int, owner: int | None = None, within: Range | None = None
    ) -> Reservation:
        """A new block.

        start     its first port; 0 lets the system choose
        within    where it chooses: first and last port

        WSAEINVAL for a block that cannot be, WSAEADDRINUSE when a port of it is taken or reserved, WSAENOBUFS when
        the system finds none, WSAEMFILE without descriptors, WSAEACCES without the right to low ports.
        """
        if count < 1 or start < 0 or start + count - 1 > LAST_PORT:
            raise Refused(WSA.WSAEINVAL, f"no block of {count} ports starts at {start}")
        excluded = [] if start else _persistent(kind) + _kernel_list.ranges()
        with _placeholder.HOLDING:
            if start:
                held = self._hold_there(kind, start, count)
            else:
                start, held = self._search(kind, count, within or DYNAMIC, excluded)
            block = Reservation(kind, start, held, owner)
            try:
                block.marker = _markers.mark(kind, start, count)
                with self.lock:
                    while not block.token or block.token in self.by_token:
                        block.token = int.from_bytes(os.urandom(8), "little") >> 1
                    self.by_token[block.token] = block
                    blocks = self.sorted[kind]
                    at = bisect_right(blocks, (start, block.token))
                    self.sorted[kind] = (*blocks[:at], (start, block.token), *blocks[at:])
            except BaseException:
                self.release(block)
                raise
        try:
            # Not before: one that is made while we take the ports finds them taken, or is found here.
            self._not_persistent(kind, start, count)
        except BaseException:
            self.release(block)
            raise
        return block

    def _hold_there(self, kind: int, start: int, count: int) -> array[int]:
        from winsock.ports._diag import only_time_wait

        try:
            return _placeholder.hold_run(kind, start, count, only_time_wait if kind == STREAM else None)
        except Busy as e:
            code, text = _CODES.get(e.number, (WSA.WSAENOBUFS, os.strerror(e.number)))
            raise Refused(code, text.format(e.port)) from None

    def _search(self, kind: int, count: int, within: Range, excluded: list[Range]) -> tuple[int, array[int]]:
        """Hold the first run of free ports behind a random place."""
        low, high = within
        latest = high - count + 1
        for _ in range(TURNS if latest >= low else 0):
            first = low + int.from_bytes(os.urandom(4), "little") % (latest - low + 1)
            for port, end in (first, latest), (low, first - 1):
                while port <= end:
                    after = self._known(kind, port, count, excluded)
                    if after:
                        port = after
                        continue
                    try:
                        return port, _placeholder.hold_run(kind, port, count)
                    except Busy as e:
                        if e.number not in (errno.EADDRINUSE, errno.EACCES):
                            code, text = _CODES.get(e.number, (WSA.WSAENOBUFS, os.strerror(e.number)))
                            raise Refused(code, text.format(e.port)) from None
                        port = e.port + 1
        raise Refused(WSA.WSAENOBUFS, f"no {count} consecutive ports are free between {low} and {high}")

    def _known(self, kind: int, port: int, count: int, excluded: list[Range]) -> int:
        """Where to go on, if we know that this run is not free; 0 if we do not."""
        last = port + count - 1
        for start, end in excluded:
            if start <= last and port <= end:
                return end + 1
        block = self._before(kind, last)
        return block.last + 1 if block is not None and block.last >= port else 0

    @staticmethod
    def _not_persistent(kind: int, start: int, count: int) -> None:
        for first, last in _persistent(kind):
            if first <= start + count - 1 and start <= last:
                raise Refused(WSA.WSAEADDRINUSE, f"ports {first}-{last} are reserved persistently")

    def release(self, block: Reservation) -> None:
        """End it: sockets that are bound keep their ports, the rest is anybody's.  A second time does nothing."""
        with self.lock:
            if block.closed:
                return
            block.closed = True
            held = block.held
            self.dying.append(held)  # first: at no time is it unknown to a fork
            self.by_token.pop(block.token, None)
            blocks, entry = self.sorted[block.kind], (block.start, block.token)
            at = bisect_right(blocks, entry)
            if at and blocks[at - 1] == entry:
                self.sorted[block.kind] = blocks[: at - 1] + blocks[at:]
            block.users = {}
            block.held = array("i")
            marker, block.marker = block.marker, -1
        self.let_go(held)
        _placeholder.let_go(array("i", (marker,)))

    def let_go(self, held: array[int]) -> None:
        """Close the descriptors of placeholders, in a way that a fork meanwhile can complete."""
        with self.lock:
            self.dying.append(held)
        _placeholder.let_go(held)
        with self.lock:
            self.dying = [other for other in self.dying if other is not held]

    # -- of sockets

    def own(self, sock: _socket.socket, *blocks: Reservation) -> None:
        """The blocks end when this socket, and all its duplicates, are closed or forgotten."""
        key = id(sock)
        with self.lock:
            _, already = self.owners.get(key, (None, ()))
            self.owners[key] = weakref.ref(sock, lambda _: self._gone(key)), (*already, *blocks)

    def shared(self, sock: _socket.socket, duplicate: _socket.socket) -> None:
        """A duplicate owns what its source owns, and is associated with the same block."""
        with self.lock:
            if id(sock) in self.owners:
                self.own(duplicate, *self.owners[id(sock)][1])
            target = self.target(sock)
            if target is not None:
                self.associate(duplicate, target)

    def left(self, sock: _socket.socket) -> None:
        """A socket is closed."""
        self.dissociate(sock)
        self._gone(id(sock))

    def associate(self, sock: _socket.socket, target: Any) -> None:
        """The socket's bind is to take a port of this block."""
        key = id(sock)
        with self.lock:
            self.associated[key] = weakref.ref(sock, lambda _: self._dissociate(key)), target

    def target(self, sock: _socket.socket) -> Any:
        """The block of an associated socket; None for others."""
        return self.associated.get(id(sock), (None, None))[1]

    def dissociate(self, sock: _socket.socket) -> None:
        """It has its port, or is closed."""
        self._dissociate(id(sock))

    def _dissociate(self, key: int) -> None:
        with self.lock:
            self.associated.pop(key, None)

    def _gone(self, key: int) -> None:
        with self.lock:
            _, mine = self.owners.pop(key, (None, ()))
            others = {block for _, blocks in list(self.owners.values()) for block in blocks} if mine else ()
        for block in mine:
            if block not in others:
                self.release(block)

    def find(self, kind: int, port: int) -> Reservation | None:
        """The block that holds a port."""
        block = self._before(kind, port)
        return block if block is not None and block.placeholder(port) >= 0 else None

    def _before(self, kind: int, port: int) -> Reservation | None:
        """The last block that begins at this port or before it."""
        blocks = self.sorted[kind]
        at = bisect_right(blocks, (port, PERSISTENT_TOKEN))
        while at:
            at -= 1
            block = self.by_token.get(blocks[at][1])
            if block is not None:
                return block
        return None

    def by(self, token: int, owner: int | None) -> Reservation | None:
        """The block of a token, if that process may use it."""
        block = self.by_token.get(token)
        return block if block is not None and block.owner in (None, owner) else None

    def beside(
        self, kind: int, port: int, newcomer: _socket.socket, address: Any, keeps_sharing: bool = False
    ) -> AbstractContextManager[None]:
        """What lets a socket of a block bind to its port again, or listen; nothing for other ports."""
        block = self.find(kind, port) if self.by_token else None
        if block is None:
            return nullcontext()
        return _placeholder.beside(block.placeholder(port), kind, newcomer, address, keeps_sharing)

    def after_fork(self) -> None:
        """In a forked child: the blocks are the parent's, and must end when it ends."""
        self.lock._at_fork_reinit()  # type: ignore[attr-defined]
        blocks = list(self.by_token.values())
        self.by_token, self.sorted = {}, {STREAM: (), DGRAM: ()}
        self.associated, self.owners = {}, {}
        dying, self.dying = self.dying, []
        for held in dying:
            _placeholder.let_go_what_is_left(held)
        for block in blocks:
            block.closed = True
            _placeholder.let_go(block.held)
            _placeholder.let_go(array("i", (block.marker,)))
            block.marker = -1


POOL = Pool()
os.register_at_fork(after_in_child=POOL.after_fork)
