"""winsock ports serve: portpicker's port-server protocol.

A client connects to a local socket, sends a process number and a line end, reads a port number and a line end.  No
answer is a refusal.  The port is lent to that process until it ends; the server watches it by a pidfd, so that a new
process with the same number inherits nothing.

A client binds the port itself, plainly, and may do so at any time: a lent port can't be held by a placeholder.  What
keeps others away is that the pool lies outside the range from which the kernel chooses, that every port is tried
just before it is lent, and that everybody who asks here gets another one.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import signal
import socket
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable

from winsock.cli._ports_run import FAILED, NOT_EXECUTABLE, NOT_FOUND, SIGNALLED, SignalFd

REQUEST_MAX = 20  # characters, as portserver has it
CONNECTIONS_MAX = 512  # that have not said anything yet; the oldest goes first
INIT = 1
VARIABLE = "PORTSERVER_ADDRESS"


class Pool:
    """Which ports are lent to whom.

    The free ones are a queue: who gives a port back puts it at the end, so that it rests as long as possible.
    """

    def __init__(self, ports: Iterable[int], free: Callable[[int], bool] | None = None) -> None:
        self._free = deque(ports)
        self._lent: dict[int, list[int]] = {}
        self._is_free = is_free if free is None else free
        self.size = len(self._free)
        self.tried = 0  # for the last request

    def lend(self, pid: int) -> int:
        """A port for a process; 0 when there is none."""
        self.tried = 0
        for _ in range(len(self._free)):
            self.tried += 1
            port = self._free.popleft()
            if self._is_free(port):
                self._lent.setdefault(pid, []).append(port)
                return port
            self._free.append(port)
        return 0

    def give_back(self, pid: int) -> None:
        """All that the process had."""
        self._free.extend(self._lent.pop(pid, ()))


def is_free(port: int) -> bool:
    """Whether a port can be bound on all addresses, for TCP and for UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        family = socket.AF_INET6
        try:
            sock = socket.socket(family, kind)
        except OSError:  # a kernel without IPv6
            family = socket.AF_INET
            sock = socket.socket(family, kind)
        with sock:
            try:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                if kind == socket.SOCK_STREAM:
                    # Connections of the last user in TIME_WAIT are no obstacle to listeners; others show at listen.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("", port))
                if kind == socket.SOCK_STREAM:
                    sock.listen(1)
            except OSError:
                return False
    return True


class Server:
    """The local socket, its clients and the processes that have ports."""

    def __init__(self, address: str, pool: Pool) -> None:
        self._pool = pool
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[socket.socket, None] = {}
        self._watched: dict[int, int] = {}  # pid -> pidfd
        self._stop = False
        self.granted = self.denied = self.nonsense = 0
        self._path = "" if address.startswith("@") else address
        self._socket = _listening(address)
        self._selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def register(self, source: SignalFd, action: Callable[[], None]) -> None:
        """Have something else done when it becomes readable."""
        self._selector.register(source, selectors.EVENT_READ, lambda _: action())

    def run(self) -> None:
        """Serve until stop()."""
        while not self._stop:
            for key, _ in self._selector.select():
                key.data(key.fileobj)

    def stop(self) -> None:
        """Return from run() after this event."""
        self._stop = True

    def close(self) -> None:
        """Free everything; the socket's file goes too."""
        if self._path and self._socket.fileno() >= 0:
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass
        self._socket.close()
        for client in self._waiting:
            client.close()
        for handle in self._watched.values():
            os.close(handle)
        self._watched.clear()
        self._selector.close()

    def statistics(self) -> dict[str, int]:
        """The numbers that portserver gives for SIGUSR1, by its names."""
        return {
            "client-request-errors": self.nonsense,
            "denied-allocations": self.denied,
            "num-ports-managed": self._pool.size,
            "num-ports-checked-for-last-request": self._pool.tried,
            "total-allocations": self.granted,
        }

    def _accept(self, _: object) -> None:
        try:
            client, _address = self._socket.accept()
        except OSError:  # it went away, or we have no descriptor left
            if self._waiting:
                self._drop(next(iter(self._waiting)))
            return
        client.setblocking(False)
        if len(self._waiting) >= CONNECTIONS_MAX:
            self._drop(next(iter(self._waiting)))
        self._waiting[client] = None
        self._selector.register(client, selectors.EVENT_READ, self._read)

    def _drop(self, client: socket.socket) -> None:
        del self._waiting[client]
        self._selector.unregister(client)
        client.close()

    def _read(self, client: socket.socket) -> None:
        if client not in self._waiting:  # dropped a moment ago
            return
        try:
            request = client.recv(100)
        except BlockingIOError:
            return
        except OSError:
            request = b""
        if (answer := self.answer(request)) is not None:
            try:
                client.send(answer)
            except OSError:  # the process keeps its port; that it does not know of it is its affair
                pass
        self._drop(client)

    def answer(self, request: bytes) -> bytes | None:
        """What to say to a request; None to say nothing, which refuses."""
        try:
            if len(request) > REQUEST_MAX:
                raise ValueError
            pid = int(request)
        except ValueError:
            self.nonsense += 1
            return None
        port = self._pool.lend(pid) if self._watch(pid) else 0
        if port == 0:
            self.denied += 1
            return None
        self.granted += 1
        return b"%d\n" % port

    def _watch(self, pid: int) -> bool:
        """Notice when the process ends; False for one that should get no port."""
        if pid in self._watched:
            return not self._ended(pid)
        if pid <= INIT:  # init: somebody's parent has died, or is in another container
            return False
        try:
            handle = os.pidfd_open(pid)
        except (OSError, OverflowError):  # no such process, or no such number
            return False
        self._watched[pid] = handle
        self._selector.register(handle, selectors.EVENT_READ, lambda _: self._ended(pid))
        return not self._ended(pid)

    def _ended(self, pid: int) -> bool:
        handle = self._watched.get(pid)
        if handle is None:  # noticed by a request for it a moment ago
            return True
        if not _readable(handle):
            return False
        del self._watched[pid]
        self._selector.unregister(handle)
        os.close(handle)
        self._pool.give_back(pid)
        return True


def _readable(handle: int) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))


def _listening(address: str) -> socket.socket:
    """The server's socket; a file that a dead server has left is replaced."""
    name = "\0" + address[1:] if address.startswith("@") else address
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            sock.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or address.startswith("@") or not _abandoned(name):
                raise
            os.unlink(name)
            sock.bind(name)
        sock.listen(1024)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _abandoned(path: str) -> bool:
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _complain(text: str) -> None:
    print(f"winsock ports serve: {text}", file=sys.stderr, flush=True)


def _lendable(ports: list[int]) -> list[int]:
    """The pool without what is reserved persistently; says so where the kernel may interfere."""
    from winsock.ports import reservations

    for row in reservations(runtime=False):
        ports = [p for p in ports if not row.start <= p < row.start + row.count]
    low, high = automatic_range()
    if inside := sum(low <= p <= high for p in ports):
        _complain(f"{inside} ports of the pool are in {low}-{high}, from which the kernel chooses for anybody")
    return ports


def automatic_range() -> tuple[int, int]:
    """From where the kernel takes ports that nobody has named."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low, high = map(int, file.read().split())
    return low, high


def serve(address: str, ports: list[int], command: list[str]) -> int:
    """Serve until SIGINT, SIGTERM or SIGHUP, or until the command ends; its exit status then."""
    ports = _lendable(ports)
    if not ports:
        _complain("no ports to lend")
        return 1
    try:
        server = Server(address, Pool(ports))
    except OSError as error:
        _complain(f"{address}: {error.strerror}")
        return FAILED if command else 1
    # A command's ^C is its own affair: the server ends when it does.
    stop = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    watched = (*stop, signal.SIGUSR1, signal.SIGCHLD)
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    child, status = 0, 0
    try:
        with SignalFd(watched) as signals:

            def on_signal() -> None:
                nonlocal status
                number, by_kernel = signals.read()
                if number == signal.SIGUSR1:
                    for name, value in server.statistics().items():
                        _complain(f"{name} {value}")
                elif number == signal.SIGCHLD:
                    if child and (ended := os.waitpid(child, os.WNOHANG))[0]:
                        code = os.waitstatus_to_exitcode(ended[1])
                        status = code if code >= 0 else SIGNALLED - code
                        server.stop()
                elif child:
                    if not by_kernel:
                        os.kill(child, number)
                else:
                    server.stop()

            server.register(signals, on_signal)
            if command:
                child = _spawn(command, {**os.environ, VARIABLE: address}, old_mask)
            else:
                print(f"{VARIABLE}={address}", flush=True)
            server.run()
    except FileNotFoundError as error:
        _complain(f"{command[0]}: {error.strerror}")
        return NOT_FOUND
    except PermissionError as error:
        _complain(f"{command[0]}: {error.strerror}")
        return NOT_EXECUTABLE
    finally:
        server.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
    return status


def _spawn(command: list[str], environment: dict[str, str], mask: Iterable[int]) -> int:
    return os.posix_spawnp(
        command[0], command, environment, setsigmask=mask, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ)
    )
