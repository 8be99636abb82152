"""Holding a port in the kernel, and letting our own sockets in beside what holds it.

A port is held by a placeholder: a socket bound to [::], both families, without any reuse option.  Beside it nobody
gets in, whatever the options, address, family or user.  It is never closed while the block lives.

Who belongs to the block gets in by a device join: sockets bound to different devices never conflict, and a device's
index need not exist.  For the moment of a bind or listen the placeholder has one such index and the newcomer
another; everybody else has none and conflicts with both.  That takes CAP_NET_RAW, to clear an index.

Without it placeholder and newcomer have SO_REUSEPORT for that moment, which lets in only who has it too, on that very
port, under the same user.  TCP's table remembers that a port was shared until a socket binds that does not share:
one passes through afterwards (_forget); where none can, SO_REUSEADDR opens the port instead, to more.  The
placeholder keeps an index then, so that this one can; programs that bind themselves to a device could get in beside
it.  Of UDP the placeholder has an index from the start, lest it get the datagrams.

Interrupted anywhere, the port stays closed to everybody: no step opens more than it closes.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import resource
import socket as linux
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from winsock.codes import WSA
from winsock.ports._errors import Refused

STREAM, DGRAM = int(linux.SOCK_STREAM), int(linux.SOCK_DGRAM)
AF_INET, AF_INET6 = int(linux.AF_INET), int(linux.AF_INET6)
SOL_SOCKET, IPPROTO_IPV6, IPV6_V6ONLY = int(linux.SOL_SOCKET), int(linux.IPPROTO_IPV6), int(linux.IPV6_V6ONLY)
SO_REUSEADDR, SO_REUSEPORT, SO_BINDTOIFINDEX = int(linux.SO_REUSEADDR), int(linux.SO_REUSEPORT), 62
CLOEXEC = int(linux.SOCK_CLOEXEC)

# Indexes that no interface has
HELD, HELD_TOO, JOINING, PASSING = 0x7FFFFFF0, 0x7FFFFFF1, 0x7FFFFFF2, 0x7FFFFFF3
LOOPBACK = 1  # lo's index, always

FD_SETSIZE = 1024  # placeholders lie above what select() can watch, out of the program's way

_socket_type = _socket.socket

# Held from the first port of a block until somebody knows of the descriptors: a fork waits for it, lest the child
# keep what nobody there knows of.
HOLDING = threading.RLock()
os.register_at_fork(
    before=HOLDING.acquire,
    after_in_parent=HOLDING.release,
    after_in_child=HOLDING._at_fork_reinit,  # type: ignore[attr-defined]
)


# -- holding


def hold(kind: int, port: int, over_ended: bool = False) -> int:
    """A descriptor that keeps the port closed to everybody; low, and not inherited by programs.

    over_ended    also over connections in TIME_WAIT that allow it

    OSError as bind(2) says.
    """
    try:
        s = _socket_type(AF_INET6, kind | CLOEXEC, 0)
    except OSError as e:
        if e.errno != errno.EAFNOSUPPORT:
            raise
        s = _socket_type(AF_INET, kind | CLOEXEC, 0)
    try:
        if s.family == AF_INET6:
            s.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
            address: tuple[str, int] = ("::", port)
        else:
            address = ("0.0.0.0", port)
        if kind == DGRAM:
            _set(s, SO_BINDTOIFINDEX, HELD)
        if over_ended:
            s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        s.bind(address)
        if over_ended:
            s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 0)
    except BaseException:
        s.close()
        raise
    return s.detach()


class Busy(Exception):
    """A port of a run could not be held.

    port      which
    number    Linux' errno
    """

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port, number)
        self.port, self.number = port, number


def hold_run(kind: int, start: int, count: int, ended: Callable[[int], bool] | None = None) -> array[int]:
    """Descriptors that hold these consecutive ports, all of them; Busy, and none, when one cannot be had.

    ended    asked of a port that is in use: whether only connections in TIME_WAIT use it

    The descriptors lie beyond what select() takes, and beyond the program's soft limit where that is low: it keeps
    as many for itself as it had.
    """
    held = array("i")
    port = start
    restore: tuple[int, int] | None = None
    try:
        for port in range(start, start + count):
            over_ended = False
            while True:
                try:
                    held.append(_raised(hold(kind, port, over_ended)))
                    break
                except OSError as e:
                    if e.errno == errno.EADDRINUSE and ended is not None and not over_ended and ended(port):
                        over_ended = True
                        continue
                    if e.errno != errno.EMFILE or restore is not None:
                        raise Busy(port, e.errno or 0) from None
                    restore = _more_descriptors()
                    if restore is None:
                        raise Busy(port, errno.EMFILE) from None
    except BaseException:
        let_go(held)
        raise
    finally:
        if restore is not None:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, restore)
            except (OSError, ValueError):
                pass  # somebody lowered the hard limit; theirs counts
    return held


def _raised(fd: int) -> int:
    """The same socket under a high number."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FD_SETSIZE)
    except OSError as e:
        if e.errno == errno.EINVAL:  # the limit is below that
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from None
        raise
    finally:
        os.close(fd)


def _more_descriptors() -> tuple[int, int] | None:
    """Raise the soft limit to the hard one: what it was, or None if that gives no more.

    It is put back at once: descriptors above a limit stay, and the program's children get what they would have got.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= hard and hard != resource.RLIM_INFINITY:
        return None
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return None
    return soft, hard


def let_go(held: array[int]) -> None:
    """Close them; the ports are anybody's.  What is still in the array may still be open."""
    while held:
        if held[-1] >= 0:
            try:
                os.close(held[-1])
            except OSError:
                pass  # the program closed every descriptor it found
        held.pop()


def let_go_what_is_left(held: array[int]) -> None:
    """In a forked child: another thread was in the middle of it, and the last number may be something else by now."""
    for fd in held:
        if fd < 0:
            continue
        try:
            s = _socket_type(fileno=fd)
        except OSError:
            continue
        if s.family in (AF_INET6, AF_INET) and s.getsockname()[0] in ("::", "0.0.0.0"):
            s.close()
        else:
            s.detach()


# -- letting in


@contextmanager
def beside(
    placeholder: int, kind: int, newcomer: _socket.socket, address: Any, keeps_sharing: bool
) -> Iterator[None]:
    """While it lasts, the newcomer may bind to the held port, or listen there.

    newcomer         any socket of this machine
    address          what it binds to; None when it listens
    keeps_sharing    the newcomer has the option that shares ports for itself, and keeps it
    """
    held = _socket_type(AF_INET6, kind, 0, placeholder)
    try:
        if _join(held):
            with _by_device(held, kind, newcomer, address):
                yield
        else:
            with _by_sharing(held, kind, newcomer, address, keeps_sharing):
                yield
    finally:
        held.detach()


def _join(held: _socket.socket) -> bool:
    """Give the placeholder an index; whether it is one that can be taken back."""
    try:
        held.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, HELD)  # refused if it has one and we may not change it
        held.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, HELD_TOO)
    except OSError:
        return False
    return True


@contextmanager
def _by_device(held: _socket.socket, kind: int, newcomer: _socket.socket, address: Any) -> Iterator[None]:
    index = _index_for(address)
    if index:
        _set(newcomer, SO_BINDTOIFINDEX, index)
    try:
        yield
    finally:
        if index:
            _set(newcomer, SO_BINDTOIFINDEX, 0)
        if kind == STREAM:
            _set(held, SO_BINDTOIFINDEX, 0)


def _index_for(address: Any) -> int:
    """The device that a newcomer joins by: of an IPv6 address the one that has it; 0 if it brings its own."""
    if address is None or ":" not in address[0]:
        return JOINING
    host = address[0].split("%")[0]
    if host in ("::", ""):
        return JOINING
    if host.lower().startswith(("fe8", "fe9", "fea", "feb")):
        return 0  # link-local: bind gives it the scope's own index
    packed = linux.inet_pton(linux.AF_INET6, host)
    if packed[:12] == bytes(10) + b"\xff\xff":
        return LOOPBACK  # any that exists will do
    for number, found in _ipv6_addresses():
        if found == packed:
            return number
    return LOOPBACK  # no address of this machine, as bind says only with an index that exists


def _ipv6_addresses() -> list[tuple[int, bytes]]:
    """(interface, address) of every IPv6 address."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as f:
            rows = [line.split() for line in f]
    except OSError:
        return [(LOOPBACK, bytes(15) + b"\1")]
    return [(int(row[1], 16), bytes.fromhex(row[0])) for row in rows]


@contextmanager
def _by_sharing(
    held: _socket.socket, kind: int, newcomer: _socket.socket, address: Any, keeps_sharing: bool
) -> Iterator[None]:
    if address is None and _everywhere(newcomer):
        # Nobody could pass beside a listener on all addresses.  So for this one moment who has SO_REUSEADDR may bind
        # too; a thief cannot listen later, and would make this listen fail.
        _set(held, SO_REUSEADDR, 1)
        try:
            yield
        except BaseException:
            _set(held, SO_REUSEADDR, 0)
            _forget(held, newcomer)  # a thief that shares was quicker; no other is to follow
            raise
        _set(held, SO_REUSEADDR, 0)
        return
    if kind == DGRAM and address is not None and isinstance(newcomer, linux.socket):
        _ask_others(newcomer, address)
    _set(held, SO_REUSEPORT, 1)
    _set(newcomer, SO_REUSEPORT, 1)
    try:
        yield
    finally:
        _set(held, SO_REUSEPORT, 0)
        if not keeps_sharing:
            _set(newcomer, SO_REUSEPORT, 0)
        if kind == STREAM:
            _forget(held, newcomer)


def _ask_others(newcomer: _socket.socket, address: Any) -> None:
    """WSAEADDRINUSE if a socket besides the placeholder is in the newcomer's way.

    Of UDP the kernel asks no further once it has met one socket that shares, and that may be the placeholder.  A
    socket with another index than that meets only the others.  (Among themselves, _bind.py knows winsock's sockets.)
    """
    with linux.socket(newcomer.family, DGRAM | CLOEXEC) as probe:
        try:
            if probe.family == AF_INET6:
                probe.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, newcomer.getsockopt(IPPROTO_IPV6, IPV6_V6ONLY))
            for option in (SO_REUSEADDR, SO_REUSEPORT):
                probe.setsockopt(SOL_SOCKET, option, newcomer.getsockopt(SOL_SOCKET, option))
            probe.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, _index_for(address) or PASSING)
        except OSError:
            return
        try:
            probe.bind(address)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                raise Refused(WSA.WSAEADDRINUSE, f"{address[0]} port {address[1]}: {e.strerror}") from None


def _everywhere(s: _socket.socket) -> bool:
    """Whether it is bound to every address of both families."""
    try:
        return s.family == AF_INET6 and s.getsockname()[0] == "::" and not s.getsockopt(IPPROTO_IPV6, IPV6_V6ONLY)
    except OSError:
        return False


def _forget(held: _socket.socket, newcomer: _socket.socket) -> None:
    """Let the kernel forget that the port was shared: a socket that does not share passes through.

    Where it may pass: beside a socket that only is bound, if both have SO_REUSEADDR; beside one that listens, where
    that does not listen.
    """
    try:
        port = held.getsockname()[1]  # the newcomer's bind may have failed
        had = newcomer.getsockopt(SOL_SOCKET, SO_REUSEADDR)
    except OSError:
        return
    if not had:
        _set(newcomer, SO_REUSEADDR, 1)
    try:
        for family, host, only in _PASSAGES:
            try:
                with linux.socket(family, STREAM | CLOEXEC, 0) as passing:
                    if family == AF_INET6:
                        passing.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, only)
                    passing.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                    passing.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, LOOPBACK if host == "::1" else PASSING)
                    passing.bind((host, port))
                    return
            except OSError:
                pass
    finally:
        if not had:
            _set(newcomer, SO_REUSEADDR, 0)


_PASSAGES = ((AF_INET6, "::", 0), (AF_INET6, "::1", 1), (AF_INET, "127.0.0.1", 0))


def _set(s: Any, name: int, value: int) -> None:
    try:
        s.setsockopt(SOL_SOCKET, name, value)
    except OSError:
        pass  # another thread closed it just now; or the kernel is older than 5.7


def handed_over(placeholder: int) -> linux.socket:
    """The placeholder as a program's own socket; WSAEACCES if it cannot be made an ordinary one."""
    s = linux.socket(fileno=placeholder)
    try:
        if s.getsockopt(SOL_SOCKET, SO_BINDTOIFINDEX):
            s.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, 0)
    except PermissionError:
        s.detach()
        raise Refused(WSA.WSAEACCES, "handing over this held port needs CAP_NET_RAW") from None
    except BaseException:
        s.detach()
        raise
    return s
