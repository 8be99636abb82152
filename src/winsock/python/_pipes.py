r"""Named pipes for asyncio: \\.\pipe\name, within this process, each connection a pair of Unix sockets.

A server's instance and its client's end are made together; the client's waits until somebody opens the name.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import select
import sys
import termios
from typing import Any
from weakref import WeakValueDictionary

from winsock import spi
from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._request import Request
from winsock.afd._requests import READS, requests_of
from winsock.codes import WinsockError
from winsock.nt import ThreadState, current
from winsock.nt._objects import Waitable
from winsock.python import _endpoints, _handles
from winsock.transports import HANGUP, RDHUP

_C = _socket.socket
_poll = select.poll  # a program may replace it in its module (gevent, eventlet)
PREFIX = "\\\\.\\pipe\\"
PEEK = _socket.MSG_PEEK | _socket.MSG_DONTWAIT
NAMES = "named pipes"  # in Process.services: {name: [Server, ...]}
VACANCIES = "vacancies of named pipes"  # {name: Vacancy}
DEFAULT_WAIT = 50  # ms that WaitNamedPipe waits for a pipe that was made with a time of 0 (document)
ERROR_BAD_PIPE = 230
INT_SIZE = 4


class End:
    """One end of a connection.

    overlapped    opened with FILE_FLAG_OVERLAPPED: only then a completion port takes it (document)
    """

    def __init__(self, ep: Endpoint, overlapped: bool = True) -> None:
        self.ep: Endpoint = ep
        self.overlapped = overlapped

    def close(self) -> None:
        """CloseHandle."""
        if not self.ep.closed:
            _endpoints.close(self.ep)


class Server(End):
    """An instance of a named pipe; `connected` once a client has opened it."""

    def __init__(self, name: str, limit: int, overlapped: bool, default_wait: int) -> None:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        super().__init__(_adopt(ours), overlapped)
        self.name, self.limit, self.default_wait = name, limit, default_wait
        self.peer: Endpoint | None = _adopt(theirs)  # the client's end, until somebody takes it
        self.connected = False
        self.waiting: Connecting | None = None

    @property
    def vacant(self) -> bool:
        """Whether it waits for a client."""
        return self.peer is not None and not self.connected

    def take(self, overlapped: bool) -> End:
        """A client opens the pipe."""
        assert self.peer is not None
        end, self.peer, self.connected = End(self.peer, overlapped), None, True
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            with waiting.requests.lock:
                waiting.requests.end(waiting, 0, 0)
        return end

    def close(self) -> None:
        instances = _names().get(self.name, [])
        if self in instances:
            instances.remove(self)
            if not instances:
                del _names()[self.name]
                _tell_of(self.name)
        super().close()
        if self.peer is not None:
            _endpoints.close(self.peer)
            self.peer = None


class Vacancy(Waitable):
    """Signalled while an instance of a named pipe waits for a client, and when there is no instance any more."""

    __slots__ = ("default_wait", "name")

    def __init__(self, name: str, default_wait: int) -> None:
        super().__init__()
        self.name, self.default_wait = name, default_wait

    def is_signaled(self, ts: ThreadState) -> bool:
        instances = _names().get(self.name)
        return not instances or any(server.vacant for server in list(instances))


class Connecting(Request):
    """ConnectNamedPipe: ends when a client comes."""

    lane = None
    def __init__(self, ts: ThreadState, server: Server) -> None:
        super().__init__(ts, server.ep)
        self.server = server

    def attempt(self) -> int | None:
        if self.server.connected:
            return 0
        self.server.waiting = self
        return None

    def cleared(self) -> None:
        if self.server.waiting is self:
            self.server.waiting = None


def _adopt(sock: _socket.socket) -> Endpoint:
    fd = sock.detach()
    os.set_blocking(fd, False)
    process = current().process
    ep = spi.adopt(process, fd, c.AF_UNIX, c.SOCK_STREAM, 0)
    ep.became_bound()
    ep.became_connected(b"")
    return ep


def _names() -> dict[str, list[Server]]:
    names: dict[str, list[Server]] = current().process.services.setdefault(NAMES, {})
    return names


def _folded(name: str) -> str:
    """The name in the form that counts.  tempfile.mktemp puts this machine's directory before it."""
    name = name.lower()
    at = name.find(PREFIX)
    if at < 0:
        raise WinsockError(c.ERROR_INVALID_NAME)
    return name[at:]


def vacancy(name: str) -> Vacancy:
    """What who wants to connect waits for; ERROR_FILE_NOT_FOUND when there is no such pipe."""
    name = _folded(name)
    instances = _names().get(name)
    if not instances:
        raise WinsockError(c.ERROR_FILE_NOT_FOUND)
    return _vacancies().setdefault(name, Vacancy(name, instances[0].default_wait or DEFAULT_WAIT))


def _vacancies() -> WeakValueDictionary[str, Vacancy]:
    found: WeakValueDictionary[str, Vacancy] = current().process.services.setdefault(VACANCIES, WeakValueDictionary())
    return found


def _tell_of(name: str) -> None:
    """Have who waits for the pipe look again."""
    waiting = _vacancies().get(name)
    if waiting is not None:
        waiting.wake()


def create(name: str, first: bool, limit: int, overlapped: bool, default_wait: int = 0) -> Server:
    """CreateNamedPipe.  ERROR_ACCESS_DENIED when it is to be the first and is not, ERROR_PIPE_BUSY at the limit."""
    name = _folded(name)
    instances = _names().setdefault(name, [])
    if first and instances:
        raise WinsockError(c.ERROR_ACCESS_DENIED)
    if instances and len(instances) >= instances[0].limit:
        raise WinsockError(c.ERROR_PIPE_BUSY)
    server = Server(name, limit, overlapped, default_wait)
    instances.append(server)
    _tell_of(name)
    return server


def connect(name: str, overlapped: bool = True) -> End:
    """The client's end of a named pipe: ERROR_FILE_NOT_FOUND, ERROR_PIPE_BUSY when every instance has a client."""
    instances = _names().get(_folded(name))
    if not instances:
        raise WinsockError(c.ERROR_FILE_NOT_FOUND)
    for server in instances:
        if server.vacant:
            return server.take(overlapped)
    raise WinsockError(c.ERROR_PIPE_BUSY)


def any_end(handle: int) -> Endpoint | None:
    """The endpoint of a pipe's handle; None if it is no pipe's."""
    if handle < _handles.FIRST:
        return None
    return _handles.find(handle, End).ep


def end_for_port(handle: int) -> Endpoint | None:
    """The endpoint of a pipe's handle; None if it is no pipe's, ERROR_INVALID_PARAMETER if it is not overlapped."""
    ep = any_end(handle)
    if ep is not None and not _handles.find(handle, End).overlapped:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    return ep


def end_of(handle: int) -> Endpoint:
    """The endpoint of a pipe's handle; ERROR_INVALID_HANDLE."""
    return _handles.find(handle, End).ep


def at_end(ep: Endpoint) -> bool:
    """Whether the other side is gone and everything read."""
    if requests_of(ep).lanes[READS] or not ep.transport.readiness() & (HANGUP | RDHUP):
        return False
    sock: Any = ep.transport
    try:
        return not _C.recv(sock, 1, PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def peek(handle: int, size: int) -> tuple[int, bytes]:
    """(bytes there, at most size of them), which stay there; ERROR_BROKEN_PIPE at the end, ERROR_BAD_PIPE."""
    end = _handles.find(handle, End)
    if isinstance(end, Server) and not end.connected:
        raise WinsockError(ERROR_BAD_PIPE)
    sock: Any = end.ep.transport
    over = end.ep.transport.readiness() & (HANGUP | RDHUP)  # looked at first: nothing comes after that
    there = int.from_bytes(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(INT_SIZE)), sys.byteorder)
    if over and not there:
        raise WinsockError(c.ERROR_BROKEN_PIPE)
    return there, _C.recv(sock, min(size, there), PEEK) if size and there else b""


def peer_gone(server: Server) -> bool:
    """Whether the client has come and gone."""
    return server.connected and bool(server.ep.transport.readiness() & HANGUP)


# -- processes


class ProcessObject(Waitable):
    """A process as something to wait for."""

    __slots__ = ("transport", "watched")

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.transport = _Descriptor(os.pidfd_open(pid))
        self.watched: Any = None

    def is_signaled(self, ts: Any) -> bool:
        return self.transport.ended()

    def watch(self, reactor: Any) -> None:
        """Have who waits woken."""
        if self.watched is None:
            self.watched = reactor
            reactor.watch(self, self._told)

    def _told(self, _: Any, got: int) -> None:
        self.wake()

    def close(self) -> None:
        """CloseHandle."""
        if self.watched is not None:
            self.watched.forget(self)
            self.watched = None
        self.transport.close()


class _Descriptor:
    """What the reactor watches of a process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def ended(self) -> bool:
        if self._fd < 0:
            return True
        poller = _poll()
        poller.register(self._fd, select.POLLIN)
        return bool(poller.poll(0))

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
