"""A socket of this machine that keeps the transport contract.

It is CPython's own socket type underneath, so the hot calls are its C methods and cost nothing more.  Every
descriptor call is non-blocking, whatever the descriptor's own mode: Winsock's waiting is done by Transport.wait.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import fcntl
import os
import select
import socket as linux
import struct
import termios
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.nt._threads import alone, others
from winsock.transports._contract import Address
from winsock.transports._sharing import Use
from winsock.transports.host import _bind, _descriptors, _errors, _options
from winsock.transports.host._data import DataSocket
from winsock.transports.host._descriptors import Grave
from winsock.transports.host._numbers import FAMILIES, FAMILIES_BACK, family_of

# Plain ints: the enumeration's own operators cost more than a call.
AF_INET, AF_INET6, AF_UNIX = int(linux.AF_INET), int(linux.AF_INET6), int(linux.AF_UNIX)
SOCK_STREAM, SOCK_DGRAM = int(linux.SOCK_STREAM), int(linux.SOCK_DGRAM)
IPPROTO_IP, IPPROTO_IPV6 = int(linux.IPPROTO_IP), int(linux.IPPROTO_IPV6)
SOCK_RAW, IPPROTO_RAW = int(linux.SOCK_RAW), int(linux.IPPROTO_RAW)
SOCK_NONBLOCK = int(linux.SOCK_NONBLOCK)
IP_RECVERR, IPV6_RECVERR = 11, 25

# A program may replace these in their modules (gevent, eventlet).
_poll, _close_fd = select.poll, os.close

R = TypeVar("R")
EXCLUSIVE = Use.EXCLUSIVE
# These spare each call a look through super().
_init = _socket.socket.__init__
_getdefaulttimeout = _socket.getdefaulttimeout
_gettimeout = _socket.socket.gettimeout
_settimeout = _socket.socket.settimeout
_fileno = _socket.socket.fileno
_close = _socket.socket.close
_detach = _socket.socket.detach
_accept: Any = vars(_socket.socket)["_accept"]
_connect_ex = _socket.socket.connect_ex
_getsockopt = _socket.socket.getsockopt
_setsockopt = _socket.socket.setsockopt
POOL: Any = _bind.POOL
_libc = ctypes.CDLL(None, use_errno=True)


SOL_SOCKET, SO_ERROR = int(linux.SOL_SOCKET), int(linux.SO_ERROR)
EINPROGRESS = errno.EINPROGRESS
# What has ended a connection that was reset, or given up, before anybody took it
RESETS = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ETIMEDOUT})

# What connect's errors mean on Windows where it is not what they mean elsewhere
CONNECT_CODES: dict[int, int] = {
    errno.EINVAL: WSA.WSAEADDRNOTAVAIL,  # the local address cannot reach that one
    errno.EADDRNOTAVAIL: WSA.WSAEADDRINUSE,  # the very same connection exists, or has just ended
    errno.EPROTOTYPE: WSA.WSAECONNREFUSED,
}


def _connect_code(number: int) -> int:
    """What connect's error means."""
    return CONNECT_CODES.get(number) or _errors.code_of(number)


def _unreachable(e: OSError | OverflowError) -> WinsockError:
    """What it means that connect raised this; OverflowError is about the address."""
    return WinsockError(_connect_code(e.errno or 0) if isinstance(e, OSError) else WSA.WSAEADDRNOTAVAIL)


_RECVERR = {
    (AF_INET, SOCK_DGRAM): ((IPPROTO_IP, IP_RECVERR, 1),),
    # a dual-stack socket has its IPv4 side's, too
    (AF_INET6, SOCK_DGRAM): ((IPPROTO_IPV6, IPV6_RECVERR, 1), (IPPROTO_IP, IP_RECVERR, 1)),
}
# (Windows' family, type): the kernel's, and what it is told of a new socket
_KINDS: dict[tuple[int, int], tuple[int, int, tuple[tuple[int, int, int], ...]]] = {
    (family, kind): (
        host_family,
        kind | SOCK_NONBLOCK,
        (*_RECVERR.get((host_family, kind), ()), *_options.FRESH.get((host_family, kind), ())),
    )
    for family, host_family in FAMILIES.items()
    for kind in (c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW)
}


LOOPBACK = frozenset({"127.0.0.1", "::1"})


def _stays_here(address: Address) -> bool:
    """Whether what is sent there cannot leave this machine."""
    return not isinstance(address, tuple) or address[0] in LOOPBACK or address[0].startswith("127.")


class HostSocket(DataSocket):
    """One socket of this machine; see transports._contract.TransportSocket.

    held      what _bind holds for it (see bound); its number's Grave, after it was closed under other threads

    CPython's own timeout of the object says whose the descriptor's O_NONBLOCK is.  At 0.0 it is set, and ours; at
    None it belongs to somebody else (CPython's ssl needs a blocking descriptor), and is borrowed for connect only.
    """

    __slots__ = ("__weakref__", "held")

    held: Any
    options: Mapping[tuple[int, int], Any] = MappingProxyType({})  # the endpoint's

    @property
    def bound(self) -> Any:
        """What _bind holds for it."""
        held = self.held
        return held.claim if isinstance(held, Grave) else held

    @bound.setter
    def bound(self, claim: Any) -> None:
        held = self.held
        if isinstance(held, Grave):
            held.claim = claim
        else:
            self.held = claim

    win_type: Any = vars(_socket.socket)["type"]

    @property
    def win_family(self) -> int:
        """Windows' number of the family."""
        return FAMILIES_BACK[family_of(self)]

    @classmethod
    def create(cls, family: int, type: int, protocol: int, fileno: int | None = None) -> Any:
        """See Transport.socket_class."""
        if fileno is None:
            make = cls.maker(family, type, protocol)
            try:
                return make()
            except OSError as e:
                raise _errors.translated(e) from None
        if family not in FAMILIES:
            raise WinsockError(WSA.WSAEAFNOSUPPORT)
        new = cls.__new__(cls)
        new.held = None
        new._take_over(FAMILIES[family], type, protocol, fileno)
        return new

    @classmethod
    def maker(cls, family: int, type: int, protocol: int, waiting: bool = False) -> Callable[[], Any]:
        """See Transport.socket_class.

        waiting    the descriptor's own mode is to wait, and somebody else's affair, see above
        """
        try:
            host_family, host_type, fresh = _KINDS[family, type]
        except KeyError:
            raise WinsockError(WSA.WSAEAFNOSUPPORT) from None
        if type == SOCK_RAW and protocol == 0:
            protocol = IPPROTO_RAW  # Linux has no raw socket of all protocols; this one at least sends
        make: Any = cls  # made by CPython's own __init__: there is none of ours, which would cost as much again

        def make_one() -> Any:
            new = make(host_family, host_type, protocol)
            new.held = None
            for level, name, value in fresh:
                _setsockopt(new, level, name, value)
            return new

        def make_waiting() -> Any:
            new = make_one()
            if _gettimeout(new) is not None:  # socket.setdefaulttimeout(), see _take_over
                _settimeout(new, None)
            return new

        if waiting:
            host_type &= ~SOCK_NONBLOCK
            return make_waiting
        return make_one

    def _take_over(self, host_family: int, type: int, protocol: int, fileno: int) -> None:
        was_blocking = _getdefaulttimeout() is not None and os.get_blocking(fileno)
        try:
            _init(self, host_family, type, protocol, fileno)
            if _gettimeout(self) is not None:
                # The program's own socket.setdefaulttimeout() is not meant for this one, which never waits.
                self.settimeout(None)
                os.set_blocking(self.fileno(), was_blocking)
            for level, name, value in _RECVERR.get((host_family, type), ()):
                _setsockopt(self, level, name, value)
        except OSError as e:
            raise _errors.translated(e) from None

    # -- names, connections

    def bind_to(self, address: Address, reuse: bool, exclusive: bool) -> None:
        _bind.bind(self, self._to_host(address), reuse, exclusive)

    def listen_with(self, backlog: int) -> None:
        try:
            os.set_blocking(self.fileno(), False)  # accept must never wait in the kernel
            self._depart()
        except OSError as e:
            raise _errors.translated(e) from None
        _bind.listen(self, backlog)

    def accept_one(self) -> tuple[HostSocket, Address]:
        try:
            fd, address = _accept(self)
        except OSError as e:
            raise _errors.translated(e) from None
        if _getdefaulttimeout() is None:
            make: Any = self.__class__
            new: HostSocket = make(-1, SOCK_STREAM, self.proto, fd)  # CPython asks for the name anyway
            new.held = None
        else:
            new = self._another(fd)
        if type(address) is tuple:  # not AF_UNIX
            if _getsockopt(new, SOL_SOCKET, SO_ERROR) in RESETS:
                new.finish()
                raise WinsockError(WSA.WSAECONNRESET)
            held = self.held
            if held is not None and held.use is EXCLUSIVE:
                _bind.accepted(self, new)
        return new, address

    def _another(self, fd: int) -> HostSocket:
        """A socket like this one on a descriptor."""
        cls: Any = self.__class__
        new: HostSocket = cls.__new__(cls)
        new.held = None
        new._take_over(family_of(self), self.type, self.proto, fd)
        return new

    def accept_into(self, target: HostSocket) -> Address:
        try:
            fd, address = _accept(self)
        except OSError as e:
            raise _errors.translated(e) from None
        if target.held is not None:
            _bind.release(target)
        try:
            os.dup2(fd, target.fileno(), inheritable=False)
        except OSError as e:
            raise _errors.translated(e) from None
        finally:
            _close_fd(fd)
        if family_of(self) != AF_UNIX:
            if _getsockopt(target, SOL_SOCKET, SO_ERROR) in RESETS:
                target.renew()
                raise WinsockError(WSA.WSAECONNRESET)
            held = self.held
            if held is not None and held.use is EXCLUSIVE:
                _bind.accepted(self, target)
        return address

    def take_over(self, other: HostSocket) -> None:
        if self.bound is not None:
            _bind.release(self)
        try:
            os.dup2(other.fileno(), self.fileno(), inheritable=False)
        except OSError as e:
            other.finish(abortive=True)
            raise _errors.translated(e) from None
        _bind.moved(other, self)
        other.finish()

    def renew(self) -> None:
        fresh: HostSocket = HostSocket.create(self.win_family, self.type, self.proto)
        if _gettimeout(self) is not None:
            os.set_blocking(fresh.fileno(), False)
        self.take_over(fresh)

    def connect_begin(self, address: Address, borrowed: bool = False) -> bool:
        if _gettimeout(self) is None and not borrowed:
            return self._borrow(self.connect_begin, address)
        try:
            if not ((type(address) is tuple and address[0] in LOOPBACK) or _stays_here(address)):
                self._depart()
            error = _connect_ex(self, address)
            if error == EINPROGRESS:
                # On this machine the answer came during the call, and asking again is cheaper than a wait.
                error = _connect_ex(self, address)
        except (OSError, OverflowError) as e:
            raise _unreachable(e) from None
        if error:
            return self._under_way(error, address)
        if self.held is not None:
            _bind.connected(self)
        return True

    def set_peer(self, address: Address, borrowed: bool = False) -> None:
        if _gettimeout(self) is None and not borrowed:
            self._borrow(self.set_peer, address)
            return
        address = self._to_host(address)
        try:
            error = _connect_ex(self, address)
        except (OSError, OverflowError) as e:
            raise _unreachable(e) from None
        if error:
            self._under_way(error, address)

    def _borrow(self, connect: Callable[[Address, bool], R], address: Address) -> R:
        """connect(), of which `borrowed` is the last parameter, with a descriptor whose owner may want it to wait."""
        was = False
        try:
            was = os.get_blocking(self.fileno())
            os.set_blocking(self.fileno(), False)
            return connect(address, True)
        except OSError as e:
            raise _unreachable(e) from None
        finally:
            if was:
                self._give_blocking_back()

    def _under_way(self, error: int, address: Address) -> bool:
        """connect said this: False if that is no failure; else raises what it means."""
        if error in (EINPROGRESS, errno.EALREADY):
            return False
        if error == errno.EAGAIN:
            # The path's queue is full; of ports, none is left.
            raise WinsockError(WSA.WSAECONNREFUSED if family_of(self) == AF_UNIX else WSA.WSAENOBUFS)
        raise WinsockError(self._no_way(error, address) or _connect_code(error))

    def _depart(self) -> None:
        """A stream may be about to send its first packet to another machine."""
        family = family_of(self)
        for key, families, told in _options.DEPARTING:
            if family in families and key not in self.options:
                _setsockopt(self, *told)

    def _give_blocking_back(self) -> None:
        try:
            os.set_blocking(self.fileno(), True)
        except OSError:
            pass  # closed meanwhile

    def connect_error(self) -> int:
        try:
            error = self.getsockopt(linux.SOL_SOCKET, linux.SO_ERROR)
        except OSError as e:
            return _errors.code_of(e.errno)
        if error:
            return _connect_code(error)
        _bind.connected(self)
        return 0

    def connect_abandon(self) -> None:
        self._dissolve()

    def disconnect(self) -> None:
        self._dissolve()

    def _dissolve(self) -> None:
        if family_of(self) == AF_UNIX:
            return  # it never gets half-way
        name = self.local_name()
        self._connect_unspec()
        if self.type in (c.SOCK_STREAM, c.SOCK_DGRAM):
            _bind.restore(self, name)

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
        if family_of(self) == AF_UNIX:
            return name
        return name if name[1] else None

    def peer_name(self) -> Address | None:
        try:
            return self.getpeername()
        except OSError as e:
            raise _errors.translated(e) from None

    # -- options, end

    def tell_option(self, level: int, name: int, value: int | bytes) -> None:
        _options.teller(level, name)(self, value)

    teller = staticmethod(_options.teller)

    def ask_option(self, level: int, name: int, size: int) -> int | bytes:
        return _options.get_option(self, level, name, size)

    def pending(self) -> int:
        return _options.pending(self)

    def waiting(self, listens: bool) -> int:
        return _options.waiting(self, listens)

    def statistics(self) -> dict[str, int]:
        return _options.statistics(self)

    def unsent(self) -> int:
        """Bytes that the peer has not acknowledged."""
        if family_of(self) == AF_UNIX:
            return 0  # what was sent is in the peer's queue
        data = bytearray(4)
        try:
            fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, data)
        except OSError:
            return 0
        return int.from_bytes(data, "little")

    def finish(self, abortive: bool = False) -> None:
        if abortive:
            try:
                self.setsockopt(linux.SOL_SOCKET, linux.SO_LINGER, struct.pack("=ii", 1, 0))
            except OSError:
                pass
        if not (others() or self.held is not None or POOL.owners or POOL.associated):
            try:
                _close(self)
            except OSError:
                pass  # the program closed the descriptor
            return
        fd, quiet = alone(_detach, self)  # one thread of several gets it
        if fd >= 0 and quiet:
            try:
                _close_fd(fd)
            except OSError:
                pass  # the program closed the descriptor
        if self.held is not None or POOL.owners or POOL.associated:
            _bind.release(self)
        if fd >= 0 and not quiet:
            grave = _descriptors.retire(fd)
            if grave is not None:
                grave.claim = self.held  # a bind of another thread's may just have come to its end
                self.held = grave

    def __del__(self) -> None:
        # A process that ends without closing its sockets; no warning, Windows closes them too.
        if _fileno(self) >= 0:
            try:
                _bind.release(self)
            except AttributeError:
                pass  # a signal's handler raised before it had got `held`
            _close(self)

    def duplicate(self) -> HostSocket:
        try:
            fd = os.dup(self.fileno())
        except OSError as e:
            raise _errors.translated(e) from None
        new = self._another(fd)
        if _gettimeout(self) is not None:
            _settimeout(new, 0.0)
        _bind.duplicated(self, new)
        return new

    look_key = _socket.socket.fileno

    def readiness(self) -> int:
        """poll(2)'s events that hold now."""
        poller = _poll()
        try:
            poller.register(self.fileno(), select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP)
        except ValueError:
            return 0  # closed
        for _, events in poller.poll(0):
            return events
        return 0
