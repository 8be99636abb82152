"""A socket of this machine that keeps the transport contract.

It is CPython's own socket type underneath, so the hot calls are its C methods and cost nothing more.  Every
descriptor call is non-blocking, whatever the descriptor's own mode: Winsock's waiting is done by Transport.wait.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import os
import select
import socket as linux
import struct
from collections.abc import Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.transports._contract import Address, Message
from winsock.transports.host import _bind, _errors, _options
from winsock.transports.host._numbers import FAMILIES, flags_to_host

DONTWAIT = linux.MSG_DONTWAIT
SEND_FLAGS = linux.MSG_DONTWAIT | linux.MSG_NOSIGNAL
MSG_TRUNC = linux.MSG_TRUNC
MSG_CTRUNC = linux.MSG_CTRUNC
IP_RECVERR, IPV6_RECVERR = 11, 25
CONTROL_SIZE = 1024

_recv_into = _socket.socket.recv_into
_send = _socket.socket.send
_libc = ctypes.CDLL(None, use_errno=True)


class HostSocket(_socket.socket):
    """One socket of this machine; see transports._contract.TransportSocket.

    own_blocking    the descriptor's O_NONBLOCK belongs to somebody else (CPython's ssl needs a blocking one);
                    it is borrowed for connect only
    """

    __slots__ = ("bound", "own_blocking", "win_family", "win_type")

    def __init__(self, family: int, type: int, protocol: int, fileno: int | None = None) -> None:
        host_family = FAMILIES.get(family)
        if host_family is None:
            raise WinsockError(WSA.WSAEAFNOSUPPORT)
        self.win_family, self.win_type = family, type
        self.bound: Any = None  # what _bind holds for it
        self.own_blocking = fileno is not None
        if type == c.SOCK_RAW and protocol == 0:
            protocol = linux.IPPROTO_RAW  # Linux has no raw socket of all protocols; this one at least sends
        try:
            if fileno is None:
                super().__init__(host_family, type | linux.SOCK_NONBLOCK, protocol)
            else:
                super().__init__(host_family, type, protocol, fileno)
            if type == c.SOCK_DGRAM:
                if host_family == linux.AF_INET:
                    super().setsockopt(linux.IPPROTO_IP, IP_RECVERR, 1)
                elif host_family == linux.AF_INET6:
                    super().setsockopt(linux.IPPROTO_IPV6, IPV6_RECVERR, 1)
            if host_family == linux.AF_INET6 and fileno is None:
                super().setsockopt(linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1)
        except OSError as e:
            raise _errors.translated(e) from None

    # -- the hot path: C methods as they are

    fast_receive = _socket.socket.recv_into
    fast_send = _socket.socket.send

    # -- data

    def receive(self, view: Any, n: int, flags: int) -> int:
        try:
            return _recv_into(self, view, n, flags_to_host(flags) | DONTWAIT)
        except OSError as e:
            raise self._data_error(e) from None

    def receive_message(self, views: Sequence[Any], control: int, flags: int) -> Message:
        ours = flags_to_host(flags) | DONTWAIT | (MSG_TRUNC if self.win_type != c.SOCK_STREAM else 0)
        try:
            n, ancillary, msg_flags, address = self.recvmsg_into(views, control and CONTROL_SIZE, ours)
        except OSError as e:
            raise self._data_error(e) from None
        room = sum(len(v) for v in views)
        return Message(min(n, room), n, address, _options.control_from_host(ancillary), msg_flags)

    def transmit(self, views: Sequence[Any], flags: int) -> int:
        return self.transmit_message(views, (), flags, None)

    def transmit_message(
        self, views: Sequence[Any], control: Sequence[tuple[int, int, bytes]], flags: int, address: Address | None
    ) -> int:
        ours = flags_to_host(flags) | SEND_FLAGS
        ancillary = _options.control_to_host(control) if control else ()
        for attempt in (0, 1):
            try:
                if address is None:
                    return self.sendmsg(views, ancillary, ours)
                return self.sendmsg(views, ancillary, ours, self._to_host(address))
            except OSError as e:
                # A datagram socket's send reports an earlier datagram's ICMP error on Linux; on Windows only
                # the next receive does.  Reading the error cleared it, so keep it and send again.
                if attempt == 0 and self.win_type != c.SOCK_STREAM and e.errno == errno.ECONNREFUSED:
                    continue
                raise self._data_error(e) from None
        raise AssertionError

    def _data_error(self, e: OSError) -> WinsockError:
        if self.win_type == c.SOCK_DGRAM and e.errno == errno.ECONNREFUSED:
            self._drain_errors()
            return WinsockError(WSA.WSAECONNRESET)
        return _errors.translated(e)

    def _drain_errors(self) -> None:
        """Empty the queue of ICMP errors, whose head recv has just reported."""
        try:
            while True:
                self.recvmsg(0, 512, linux.MSG_ERRQUEUE | DONTWAIT)
        except OSError:
            pass

    # -- names, connections

    def _to_host(self, address: Address) -> Address:
        return address

    def bind_to(self, address: Address, reuse: bool, exclusive: bool) -> None:
        _bind.bind(self, self._to_host(address), reuse, exclusive)

    def listen_with(self, backlog: int) -> None:
        try:
            os.set_blocking(self.fileno(), False)  # accept must never wait in the kernel
            self.listen(backlog)
        except OSError as e:
            raise _errors.translated(e) from None

    def accept_one(self) -> tuple[HostSocket, Address]:
        try:
            fd, address = self._accept()  # type: ignore[attr-defined]
        except OSError as e:
            raise _errors.translated(e) from None
        new = HostSocket(self.win_family, self.win_type, self.proto, fd)
        if not self.own_blocking:
            os.set_blocking(fd, False)
            new.own_blocking = False
        return new, address

    def connect_begin(self, address: Address) -> bool:
        if self.own_blocking:
            was = os.get_blocking(self.fileno())
            os.set_blocking(self.fileno(), False)
        try:
            error = self.connect_ex(self._to_host(address))
        except OSError as e:
            raise _errors.translated(e) from None
        finally:
            if self.own_blocking:
                os.set_blocking(self.fileno(), was)
        if error == 0:
            return True
        if error in (errno.EINPROGRESS, errno.EALREADY):
            return False
        raise WinsockError(_errors.code_of(error))

    def connect_error(self) -> int:
        error = self.getsockopt(linux.SOL_SOCKET, linux.SO_ERROR)
        return _errors.code_of(error) if error else 0

    def connect_abandon(self) -> None:
        self._connect_unspec()

    def disconnect(self) -> None:
        self._connect_unspec()

    def _connect_unspec(self) -> None:
        nowhere = struct.pack("=H14x", linux.AF_UNSPEC)
        if _libc.connect(self.fileno(), nowhere, len(nowhere)) != 0:
            number = ctypes.get_errno()
            if number != errno.EAFNOSUPPORT:
                raise WinsockError(_errors.code_of(number))

    def half_close(self, how: int) -> None:
        try:
            self.shutdown(how)
        except OSError as e:
            raise _errors.translated(e) from None

    def local_name(self) -> Address | None:
        try:
            name = self.getsockname()
        except OSError as e:
            raise _errors.translated(e) from None
        if self.win_family == c.AF_UNIX:
            return name
        return name if name[1] else None

    def peer_name(self) -> Address | None:
        try:
            return self.getpeername()
        except OSError as e:
            raise _errors.translated(e) from None

    # -- options, end

    def set_option(self, level: int, name: int, value: int | bytes) -> None:
        _options.set_option(self, level, name, value)

    def get_option(self, level: int, name: int, size: int) -> int | bytes:
        return _options.get_option(self, level, name, size)

    def finish(self, abortive: bool = False) -> None:
        _bind.release(self)
        if self.fileno() < 0:
            return
        try:
            if abortive:
                self.setsockopt(linux.SOL_SOCKET, linux.SO_LINGER, struct.pack("=ii", 1, 0))
            self.close()
        except OSError:
            pass  # the descriptor is gone all the same

    def duplicate(self) -> HostSocket:
        try:
            fd = os.dup(self.fileno())
        except OSError as e:
            raise _errors.translated(e) from None
        new = HostSocket(self.win_family, self.win_type, self.proto, fd)
        new.own_blocking = self.own_blocking
        return new

    def readiness(self) -> int:
        """poll(2)'s events that hold now."""
        poller = select.poll()
        poller.register(self.fileno(), select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP)
        for _, events in poller.poll(0):
            return events
        return 0
