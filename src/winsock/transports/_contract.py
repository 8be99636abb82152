"""What a transport gives the endpoints: the one contract of the host and of the simulated network.

Families, types, protocols, levels, options and flags are Windows' numbers, addresses are tuples as CPython uses
them (bytes or str for AF_UNIX).  Nothing here ever waits but Transport.wait; a call that would wait raises
WinsockError(WSAEWOULDBLOCK).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from winsock.codes import WinsockError
from winsock.nt import ThreadState

Address = Any

READ, WRITE, URGENT = 1, 4, 2  # what to wait for; ERROR and HANGUP are always told
ERROR, HANGUP, RDHUP = 8, 16, 0x2000


class Message(NamedTuple):
    """A datagram as it came: bytes stored, whole size, sender, control entries (level, type, data), flags."""

    stored: int
    size: int
    address: Address
    control: list[tuple[int, int, bytes]]
    flags: int


class Interface(NamedTuple):
    """One address of one network interface.

    number, name   of the interface
    flags          IFF_*
    family         AF_INET or AF_INET6; the addresses are texts, "" where there is none
    scope          of an IPv6 address
    """

    number: int
    name: str
    flags: int
    family: int
    address: str
    scope: int
    netmask: str
    broadcast: str


class TransportSocket(Protocol):
    """One socket of the network.

    An endpoint is one object with it (afd.endpoint_class), so its class has __slots__, "__weakref__" among them, and
    leaves the names of afd.Endpoint alone; new ones that it makes of itself are of its own type(self).
    """

    type: int  # SOCK_*
    # What the program has set, in Windows' numbers; the endpoint keeps it.
    options: Mapping[tuple[int, int], Any]

    # The hot path: the platform's own calls, with its own flags.  They raise OSError, which failure() or
    # receive_failed() explains.

    def raw_receive(self, buffer: Any, n: int, flags: int, /) -> int: ...

    def raw_receive_from(self, buffer: Any, n: int, flags: int, /) -> tuple[int, Address]: ...

    def raw_send(self, data: Any, flags: int, /) -> int: ...

    def raw_send_to(self, data: Any, flags: int, address: Address, /) -> int: ...

    def failure(self, e: OSError) -> WinsockError:
        """What a failed send of the hot path means."""

    def receive_failed(self, e: OSError) -> None:
        """Raise what a failed receive of the hot path means; returns if Windows would know of no error."""

    def broken(self) -> int:
        """The code of what ended a connection; it may be asked for once.  0 while nothing did."""

    # An error that a receive has to report may lie in a queue: no hot path now.  The socket sets it; the endpoint,
    # which keeps it, may too.
    errors_waiting: bool

    def fileno(self) -> int: ...

    def receive(self, views: Sequence[Any], flags: int) -> int:
        """Bytes of a stream; 0 is its end."""

    def receive_now(self, buffer: Any, n: int) -> int:
        """receive() into one buffer, but -1 while there is nothing."""

    def transmit_now(self, data: Any) -> int:
        """transmit() of one buffer, but -1 while there is no room."""

    def receive_from(self, view: Any, flags: int) -> tuple[int, Address]:
        """A message: its whole size, even if the view was too small for it, and the sender."""

    def receive_message(self, views: Sequence[Any], control: bool, flags: int) -> Message:
        """A message with its control data, if that is asked for."""

    def transmit(self, views: Sequence[Any], flags: int) -> int:
        """Bytes of a stream: how many went."""

    def transmit_message(
        self, views: Sequence[Any], control: Sequence[tuple[int, int, bytes]], flags: int, address: Address | None
    ) -> int: ...

    def look_key(self) -> Any:
        """What stands for the socket for Transport.looker."""

    def readiness(self) -> int:
        """READ, WRITE, ... that hold now."""

    def bind_to(self, address: Address, reuse: bool, exclusive: bool) -> None: ...

    def listen_with(self, backlog: int) -> None: ...

    def accept_one(self) -> tuple[TransportSocket, Address]: ...

    def connect_begin(self, address: Address) -> bool:
        """Start to connect a stream; True when that is done at once."""

    def set_peer(self, address: Address) -> None:
        """Connect a socket of messages."""

    def connect_error(self) -> int:
        """After a connect that was under way has ended: 0, or its code."""

    def accept_into(self, target: Any) -> Address:
        """accept_one(), but the connection takes the place of what the target is on the network; the peer's address.

        The target keeps its own descriptor.  After WSAECONNRESET it is as new: see renew().
        """

    def take_over(self, other: Any) -> None:
        """Become the other one's connection, keeping the own descriptor; the other is gone."""

    def renew(self) -> None:
        """Be as new: the connection is over, and so is the name; options are told again by who keeps them."""

    def connect_abandon(self) -> None:
        """Undo a failed connect, so that another may be tried; the local name stays."""

    def disconnect(self) -> None:
        """Dissolve a datagram socket's peer."""

    def half_close(self, how: int) -> None: ...

    def local_name(self) -> Address | None:
        """None while there is none."""

    def peer_name(self) -> Address | None: ...

    def tell_option(self, level: int, name: int, value: int | bytes) -> None: ...

    @staticmethod
    def teller(level: int, name: int) -> Callable[[Any, Any], None]:
        """tell_option() for this option of any such socket: takes the socket and the value."""

    def ask_option(self, level: int, name: int, size: int) -> int | bytes: ...

    def pending(self) -> int:
        """How many bytes can be received now; of a datagram socket, the first datagram's."""

    def waiting(self, listens: bool) -> int:
        """How much has arrived and waits: bytes, of datagrams with overhead, connections.

        It is more than before when something has arrived since, and nothing was taken.  0 where the network cannot
        tell.
        """

    def statistics(self) -> dict[str, int]:
        """What the network knows of a TCP connection; the fields of TCP_INFO_v1."""

    def unsent(self) -> int:
        """Bytes of a stream that the peer has not acknowledged."""

    def finish(self, abortive: bool = False) -> None:
        """Close; a second call does nothing."""

    def duplicate(self) -> TransportSocket: ...


class Watcher(Protocol):
    """Tells of the sockets, of any number, that something happened to; the cost is by what happened.

    What it tells are changes: that a socket has become ready for something since it was last told of.  Who is told
    takes all that there is, or asks again().  Transport.wait() takes it for a socket: READ while poll() has something
    to tell.

    tokens    what poll()'s keys stand for; a key that is not there was removed just now
    """

    tokens: dict[int, Any]

    def add(self, sock: TransportSocket, token: Any) -> None:
        """From now on poll() tells of this socket, at first of what it is ready for already; WSAENOBUFS."""

    def again(self, sock: TransportSocket) -> None:
        """Let poll() tell once more what the socket is ready for."""

    def remove(self, sock: TransportSocket) -> None:
        """Tell of it no more.  To be called before the socket is closed."""

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """(key, READ | WRITE | ...) of sockets that something happened to.

        Waits at most timeout milliseconds for it, or until somebody kicks, before or after it began.  One thread
        at a time.
        """

    def kick(self) -> None:
        """End the poll under way, or the next one; from any thread."""

    def close(self) -> None: ...


class Transport(Protocol):
    """The network a process lives on."""

    # The class of its sockets.  create(family, type, protocol) makes a new one; with a fourth argument, the one that
    # it stands for on the network (on the host: a descriptor, which is the socket's from then on and stays as it is).
    # maker(family, type, protocol) gives what makes one more of them at each call, and may fail with any exception:
    # create() tells why.
    socket_class: Any

    def wait(
        self, ts: ThreadState, entries: Sequence[tuple[TransportSocket, int]], timeout: float | None
    ) -> list[tuple[TransportSocket, int]]:
        """Wait for any entry, at most timeout milliseconds; [] on time-out or when ts was interrupted."""

    def prepare(self, ts: ThreadState) -> Callable[[], None]:
        """What ends the thread's wait(), now or the next one, when any thread calls it."""

    def looker(self, ts: ThreadState, wanted: dict[Any, int]) -> Callable[[int], list[tuple[Any, int]]]:
        """The hot path of select: what looks which of these keys of sockets are ready now for what is wanted of them.

        It is called with 0.  It knows the network's ideas of READ, WRITE and URGENT, not Windows'; ERROR and HANGUP
        come unasked, and for a closed socket something that is none of all these.  ts.looker becomes (wanted, it):
        most threads ask of the same sockets again and again.  TypeError for the key None.
        The dictionary may not change.
        """

    def watcher(self) -> Watcher:
        """A new one."""

    def now(self) -> float:
        """Milliseconds on this network's monotonic clock."""

    def clock(self) -> float:
        """The same in seconds."""

    def interfaces(self) -> list[Interface]:
        """Every address of every interface."""

    def route_to(self, family: int, address: Address) -> Address:
        """The local address from which datagrams to that address leave."""

    def changes(self, family: int, routes: bool) -> Any:
        """Something to wait for: READ when a local address, or a route, of that family changes.  To be closed."""
