"""What a transport gives the endpoints: the one contract of the host and of the simulated network.

Families, types, protocols, levels, options and flags are Windows' numbers, addresses are tuples as CPython uses
them (bytes or str for AF_UNIX).  Nothing here ever waits but Transport.wait; a call that would wait raises
WinsockError(WSAEWOULDBLOCK).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

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


class TransportSocket(Protocol):
    """One socket of the network."""

    def fast_receive(self, buffer: Any, n: int, flags: int, /) -> int:
        """The hot path: the platform's own recv_into; raises OSError."""

    def fast_send(self, data: Any, flags: int, /) -> int:
        """The hot path: the platform's own send; raises OSError."""

    def fileno(self) -> int: ...

    def receive(self, view: Any, n: int, flags: int) -> int: ...

    def receive_message(self, views: Sequence[Any], control: int, flags: int) -> Message: ...

    def transmit(self, views: Sequence[Any], flags: int) -> int: ...

    def transmit_message(
        self, views: Sequence[Any], control: Sequence[tuple[int, int, bytes]], flags: int, address: Address | None
    ) -> int: ...

    def bind_to(self, address: Address, reuse: bool, exclusive: bool) -> None: ...

    def listen_with(self, backlog: int) -> None: ...

    def accept_one(self) -> tuple[TransportSocket, Address]: ...

    def connect_begin(self, address: Address) -> bool:
        """Start to connect; True when that is done at once."""

    def connect_error(self) -> int:
        """After a connect that was under way has ended: 0, or its code."""

    def connect_abandon(self) -> None:
        """Undo a failed connect, so that another may be tried; the local name stays."""

    def disconnect(self) -> None:
        """Dissolve a datagram socket's peer."""

    def half_close(self, how: int) -> None: ...

    def local_name(self) -> Address | None:
        """None while there is none."""

    def peer_name(self) -> Address | None: ...

    def set_option(self, level: int, name: int, value: int | bytes) -> None: ...

    def get_option(self, level: int, name: int, size: int) -> int | bytes: ...

    def finish(self, abortive: bool = False) -> None:
        """Close."""

    def duplicate(self) -> TransportSocket: ...


class Transport(Protocol):
    """The network a process lives on."""

    def socket(self, family: int, type: int, protocol: int) -> TransportSocket: ...

    def wait(
        self, ts: ThreadState, entries: Sequence[tuple[TransportSocket, int]], timeout: float | None
    ) -> list[tuple[TransportSocket, int]]:
        """Wait for any entry, at most timeout milliseconds; [] on time-out or when ts was interrupted."""

    def now(self) -> float:
        """Milliseconds on this network's monotonic clock."""
