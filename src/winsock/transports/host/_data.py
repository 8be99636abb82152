"""The half of a socket of this machine that moves data; see _socket.py.

Every call here is made with MSG_DONTWAIT, whatever the descriptor's own mode.
"""

from __future__ import annotations

import _socket
import errno
import socket as linux
from collections.abc import Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.transports._contract import Address, Message
from winsock.transports.host import _control, _errors, _interfaces
from winsock.transports.host._numbers import family_of, flags_to_host

DONTWAIT = int(linux.MSG_DONTWAIT)
SEND_FLAGS = int(linux.MSG_DONTWAIT | linux.MSG_NOSIGNAL)
AF_INET6, AF_UNIX = int(linux.AF_INET6), int(linux.AF_UNIX)
MSG_TRUNC = int(linux.MSG_TRUNC)
MSG_CTRUNC = int(linux.MSG_CTRUNC)
CONTROL_SIZE = 1024
ERROR_SIZE = 512
IOV_MAX = 1024
MAX_MESSAGE = 0x10000
SEND_ATTEMPTS = 3

# What Windows tells of an ICMP message, by its origin (2 IPv4, 3 IPv6), type and code (-1: any).
ICMP_CODES: dict[tuple[int, int, int], int] = {
    (2, 3, 2): WSA.WSAECONNRESET,  # protocol unreachable
    (2, 3, 3): WSA.WSAECONNRESET,  # port unreachable
    (2, 11, -1): WSA.WSAENETRESET,  # time to live exceeded
    (3, 1, 4): WSA.WSAECONNRESET,
    (3, 3, -1): WSA.WSAENETRESET,
}
ICMP_ERRORS = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EPROTO,
        errno.EACCES,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EOPNOTSUPP,
    }
)

BROADCAST = "255.255.255.255"

# These spare each call a look through super().
_recv_into = _socket.socket.recv_into
_recvfrom_into = _socket.socket.recvfrom_into
_send = _socket.socket.send


class DataSocket(_socket.socket):
    """What of transports._contract.TransportSocket is about data."""

    __slots__ = ()

    # -- the hot path: C methods as they are

    raw_receive = _socket.socket.recv_into
    raw_receive_from = _socket.socket.recvfrom_into
    raw_send = _socket.socket.send
    raw_send_to = _socket.socket.sendto

    # -- data

    def receive(self, views: Sequence[Any], flags: int) -> int:
        ours = flags_to_host(flags) | DONTWAIT
        try:
            if len(views) == 1:
                return _recv_into(self, views[0], 0, ours)
            return self.recvmsg_into(views[:IOV_MAX], 0, ours)[0]
        except OSError as e:
            raise self.failure(e) from None

    def receive_now(self, buffer: Any, n: int) -> int:
        try:
            return _recv_into(self, buffer, n, DONTWAIT)
        except BlockingIOError:
            return -1
        except OSError as e:
            raise self.failure(e) from None

    def transmit_now(self, data: Any) -> int:
        try:
            return _send(self, data, SEND_FLAGS)
        except BlockingIOError:
            return -1
        except OSError as e:
            raise self.failure(e) from None

    def receive_from(self, view: Any, flags: int) -> tuple[int, Address]:
        ours = flags_to_host(flags) | DONTWAIT | MSG_TRUNC
        while True:
            if self.errors_waiting:
                self._raise_waiting()
            try:
                return _recvfrom_into(self, view, 0, ours)
            except OSError as e:
                self._raise_received(e)

    def receive_message(self, views: Sequence[Any], control: bool, flags: int) -> Message:
        if len(views) > IOV_MAX:
            return self._receive_scattered(views, control, flags)
        ours = flags_to_host(flags) | DONTWAIT | MSG_TRUNC
        while True:
            if self.errors_waiting:
                self._raise_waiting()
            try:
                size, ancillary, got, address = self.recvmsg_into(views, CONTROL_SIZE if control else 0, ours)
                break
            except OSError as e:
                self._raise_received(e)
        stored = min(size, sum(map(len, views)))
        told = c.MSG_TRUNC if size > stored else 0
        if not ancillary:
            return Message(stored, size, address, [], told)
        told |= (c.MSG_CTRUNC if got & MSG_CTRUNC else 0) | _control.cast_of(ancillary)
        return Message(stored, size, address, _control.control_from_host(ancillary), told)

    def _receive_scattered(self, views: Sequence[Any], control: bool, flags: int) -> Message:
        """More buffers than the kernel takes at once."""
        whole = memoryview(bytearray(min(sum(map(len, views)), MAX_MESSAGE)))
        message = self.receive_message([whole], control, flags)
        at = 0
        for view in views:
            part = whole[at : min(at + len(view), message.stored)]
            view[: len(part)] = part
            at += len(part)
        return message

    def transmit(self, views: Sequence[Any], flags: int) -> int:
        ours = flags_to_host(flags) | SEND_FLAGS
        try:
            if len(views) == 1:
                return _send(self, views[0], ours)
            return self.sendmsg(views[:IOV_MAX], (), ours)
        except OSError as e:
            raise self.failure(e) from None

    def transmit_message(
        self, views: Sequence[Any], control: Sequence[tuple[int, int, bytes]], flags: int, address: Address | None
    ) -> int:
        ours = flags_to_host(flags) | SEND_FLAGS
        ancillary = _control.control_to_host(control) if control else ()
        if len(views) > IOV_MAX:
            views = (b"".join(views),)
        attempts = 0
        while True:
            try:
                if address is None:
                    return self.sendmsg(views, ancillary, ours)
                if ancillary or len(views) != 1:
                    return self.sendmsg(views, ancillary, ours, self._to_host(address))
                return self.sendto(views[0], ours, self._to_host(address))
            except OSError as e:
                # A send reports an earlier datagram's ICMP error on Linux; on Windows only a receive does.  This
                # took the error from the socket but not from its queue: send again, and receive looks there.
                if address is not None and (code := self._no_way(e.errno or 0, address)):
                    raise WinsockError(code) from None
                if e.errno not in ICMP_ERRORS or self.type == c.SOCK_STREAM:
                    raise self.failure(e) from None
                self.errors_waiting = True
                attempts += 1
                if attempts > SEND_ATTEMPTS:
                    if e.errno == errno.ECONNREFUSED:  # never of this one: others send as fast as answers come
                        return sum(map(len, views))
                    raise self.failure(e) from None

    def failure(self, e: OSError) -> WinsockError:
        """What a failed call of the hot path means."""
        if e.errno == errno.EPIPE and family_of(self) != AF_UNIX:
            # The connection broke after the peer had finished: Windows' own side gave it up.
            return WinsockError(WSA.WSAECONNABORTED)
        return _errors.translated(e)

    def broken(self) -> int:
        """The code of what ended a connection, which this asks for once; 0 while nothing did."""
        try:
            number = self.getsockopt(linux.SOL_SOCKET, linux.SO_ERROR)
        except OSError as e:
            return _errors.code_of(e.errno)
        return self.failure(OSError(number, "")).code if number else 0

    def receive_failed(self, e: OSError) -> None:
        """A receive of the hot path failed with this; returns if it was about an error that is none."""
        if self.type == c.SOCK_STREAM:
            raise self.failure(e)
        self._raise_received(e)

    def _raise_received(self, e: OSError) -> None:
        """Raise what a failed receive of a datagram means; returns if that is nothing."""
        if e.errno not in ICMP_ERRORS:
            raise _errors.translated(e) from None
        self._raise_waiting()

    def _raise_waiting(self) -> None:
        """Raise the next ICMP error that Windows would report, if there is one."""
        while True:
            self.errors_waiting = True
            try:
                _, ancillary, _, _ = self.recvmsg(0, ERROR_SIZE, linux.MSG_ERRQUEUE | DONTWAIT)
            except OSError:
                self.errors_waiting = False
                return
            for _, _, data in ancillary:
                origin, kind, code = data[4:7]
                reported = ICMP_CODES.get((origin, kind, code)) or ICMP_CODES.get((origin, kind, -1))
                if reported:
                    raise WinsockError(reported)

    # -- where it goes

    def _to_host(self, address: Address) -> Address:
        if self.type == c.SOCK_RAW and family_of(self) == AF_INET6:
            # Linux takes the port for a protocol, Windows looks at none.
            return (address[0], 0, *address[2:])
        return address

    def _no_way(self, number: int, address: Address) -> int:
        """The code of an error that comes of there being no way to that address; 0 for others."""
        if number == errno.ENETUNREACH and address[0] == BROADCAST:
            # On Windows the permission is asked for before the route.
            return 0 if self.getsockopt(linux.SOL_SOCKET, linux.SO_BROADCAST) else WSA.WSAEACCES
        if number == errno.EADDRNOTAVAIL and family_of(self) == AF_INET6:
            try:
                _interfaces.route_to(c.AF_INET6, address)
            except WinsockError as e:  # no IPv6 address here to come from
                return WSA.WSAENETUNREACH if e.code == WSA.WSAEADDRNOTAVAIL else 0
        return 0
