"""winsock ports run: a command with ports of its own.

    this process                          the command and all it starts
    ------------                          -----------------------------
    holds the reservation                 has the numbers in its environment
    keeps a copy of each passed socket    has bound sockets at descriptors 3, 4, ... (systemd's form)
    makes the trapped calls          <--  calls bind or listen on a reserved port
    passes signals on, waits         -->  ends; its status becomes ours

The sockets that are passed are consumers of the block, not its placeholders: what the command does to them, and when
it ends, leaves the reservation whole.  A command that binds a port by its number gets the port to itself: the passed
socket of that port is put to rest first, so that it takes no connection and no datagram away.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from winsock.cli import _ports_trap as trap
from winsock.ports import _joining

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from winsock.ports import Block

FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # as env, timeout and docker run have them
SIGNALLED = 128
TRIES = 20  # to find numbers that are free for both protocols
FIRST_FD = 3  # SD_LISTEN_FDS_START
BACKLOG = 4096  # as systemd's; the kernel's own maximum comes before it
SO_BINDTOIFINDEX = 62
NO_DEVICE = 0x7FFFFFFF  # an index that no device has
SI_KERNEL = 0x80
SFD_CLOEXEC = os.O_CLOEXEC
SIGINFO_SIZE = 128  # struct signalfd_siginfo

FORWARDED = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
    signal.SIGWINCH, signal.SIGCONT,
)  # fmt: skip


class Options(NamedTuple):
    """How the ports are handed over."""

    host: str = "::"  # where the passed sockets are bound
    sockets: bool = True  # pass bound sockets
    listen: bool = False  # pass the TCP ones listening, as systemd does
    trap: bool = True  # let the command bind by number
    names: tuple[tuple[str, str], ...] = ()  # (environment variable, "tcp1")


class Passed(NamedTuple):
    """A socket that the command gets."""

    name: str  # tcp1, tcp2, ..., udp1, ...
    protocol: str
    port: int
    sock: socket.socket


def same_numbers(start: int | None, count: int) -> list[Block]:
    """A TCP and a UDP block of the same numbers.

    PortError as from reserve(); for blocks that the system chooses, when TRIES of them were half taken.
    """
    from winsock.ports import PortError, reserve

    half_taken: list[Block] = []  # held until the end, so that the next try is another one
    try:
        for left in reversed(range(TRIES if start is None else 1)):
            tcp = reserve(count, "tcp", start=start)
            try:
                return [tcp, reserve(count, "udp", start=tcp.start)]
            except PortError:
                half_taken.append(tcp)
                if not left:
                    raise
    finally:
        for block in half_taken:
            block.close()
    raise AssertionError


def passed_sockets(blocks: Mapping[str, Block], options: Options) -> list[Passed]:
    """One bound socket for every port, TCP first."""
    found = []
    for protocol, block in blocks.items():
        for n, port in enumerate(block.ports, 1):
            listen = BACKLOG if options.listen and protocol == "tcp" else None
            if listen is None and not options.trap and options.host == "::":
                sock = block.hand_over(port)  # with which a program may do what it likes, unwatched
            else:
                sock = block.socket(port, host=options.host, listen=listen)
            found.append(Passed(f"{protocol}{n}", protocol, port, sock))
    return found


def variables(blocks: Mapping[str, Block], options: Options) -> dict[str, str]:
    """What the command finds in its environment, LISTEN_PID excepted."""
    found: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for protocol, block in blocks.items():
        numbers.update((f"{protocol}{n}", port) for n, port in enumerate(block.ports, 1))
        found[f"WINSOCK_{protocol.upper()}_PORTS"] = " ".join(map(str, block.ports))
        found[f"WINSOCK_{protocol.upper()}_PORT"] = str(block.ports[0])
    first = next(iter(blocks.values()))
    if len(set(numbers.values())) == 1 or ("tcp" in blocks and len(first.ports) == 1):
        found["PORT"] = str(first.ports[0])
    if options.sockets:
        found["LISTEN_FDS"] = str(len(numbers))
        found["LISTEN_FDNAMES"] = ":".join(numbers)
    for variable, name in options.names:
        found[variable] = str(numbers[name])
    return found


class Supervisor(trap.Handler):
    """The reservation, the sockets passed, and the command's calls."""

    def __init__(self, blocks: Mapping[str, Block], passed: Sequence[Passed]) -> None:
        self._blocks = blocks
        self._ports = {port for block in blocks.values() for port in block.ports}
        self._unused = {(p.protocol, p.port): p.sock for p in passed}

    def wants(self, port: int) -> bool:
        """Whether the port is of one of the blocks."""
        return port in self._ports

    def bind(self, sock: socket.socket, address: trap.Address) -> bool:
        """Join the command's socket to the reservation."""
        found = self._block(sock, address[1])
        if found is None:
            return False
        protocol, block = found
        if (unused := self._unused.pop((protocol, address[1]), None)) is not None:
            _put_to_rest(unused)
        _joining.bind(block, sock, address)
        return True

    def listen(self, sock: socket.socket, backlog: int) -> bool:
        """Let the command's socket listen; a passed one counts as used from here on."""
        try:
            port = sock.getsockname()[1]
        except (OSError, IndexError):
            return False
        found = self._block(sock, port) if isinstance(port, int) else None
        if found is None:
            return False
        protocol, _ = found
        _joining.listen(sock, backlog)
        if (unused := self._unused.get((protocol, port))) is not None and _same(unused, sock):
            del self._unused[protocol, port]
            unused.close()
        return True

    def _block(self, sock: socket.socket, port: int) -> tuple[str, Block] | None:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        protocol = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}.get(sock.proto, "")
        block = self._blocks.get(protocol)
        return (protocol, block) if block is not None and port in block.ports else None


def _same(one: socket.socket, other: socket.socket) -> bool:
    """Whether both are the same open socket."""
    return os.path.sameopenfile(one.fileno(), other.fileno())


def _put_to_rest(sock: socket.socket) -> None:
    """Keep a passed socket from standing in the way of the command's own one on that port, and from its traffic."""
    with sock:
        # What is bound to a device that does not exist gets nothing, and conflicts with no join.
        for option, value in (
            (socket.SO_REUSEPORT, 1),
            (socket.SO_REUSEADDR, 1),
            (SO_BINDTOIFINDEX, NO_DEVICE),
        ):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, value)
            except OSError:  # an ordinary user may not change the device of a socket that has one
                pass
        try:
            sock.shutdown(socket.SHUT_RDWR)  # a listening one stops, and keeps the port
        except OSError:
            pass


def run(command: list[str], blocks: Mapping[str, Block], options: Options) -> int:
    """Run the command with the blocks' ports; its exit status, 128 + n when signal n ended it.

    The blocks stay reserved for as long as that takes, and are closed then.
    """
    if options.trap:
        try:
            trap.check()
        except OSError as error:
            _complain(_untrapped(error))
            return FAILED
    passed = passed_sockets(blocks, options) if options.sockets else []
    environment = {**os.environ, **variables(blocks, options)}
    supervisor = Supervisor(blocks, passed if options.trap else ())
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, (*FORWARDED, signal.SIGCHLD))
    try:
        with SignalFd((*FORWARDED, signal.SIGCHLD)) as signals:
            if options.trap:
                # What the command's children leave behind must stay below us: debugging rights may end there.
                trap.prctl(trap.PR_SET_CHILD_SUBREAPER, 1)
            ours, theirs = socket.socketpair()
            parent = os.getpid()
            sys.stdout.flush()
            sys.stderr.flush()
            child = os.fork()
            if child == 0:
                _become(command, environment, passed, options, theirs, old_mask, parent)
            theirs.close()
            with ours:
                watched = _trapped(ours, supervisor) if options.trap else None
            if watched is None:
                _close(passed, {})
            status = _supervise(child, watched, signals)
            # First free, then let the kernel decide: what is still running finds the ports free, not taken.
            _close(passed, blocks)
            if watched is not None:
                _leave(watched)
            return status
    finally:
        _close(passed, blocks)
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


def _close(passed: Sequence[Passed], blocks: Mapping[str, Block]) -> None:
    for p in passed:
        p.sock.close()
    for block in blocks.values():
        block.close()


def _become(
    command: list[str],
    environment: dict[str, str],
    passed: Sequence[Passed],
    options: Options,
    channel: socket.socket,
    mask: Iterable[int],
    parent: int,
) -> NoReturn:
    """In the child: turn into the command."""
    status = FAILED
    try:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not to interrupt Python, but the command
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        trap.prctl(trap.PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has ended meanwhile
            os._exit(SIGNALLED + signal.SIGTERM)
        if options.trap:
            listener = trap.install()
            socket.send_fds(channel, [b"+"], [listener])
            os.close(listener)
        # Whatever else is at these descriptors gives way: it closes on exec, or the command expects systemd's form.
        copies = [fcntl.fcntl(p.sock, fcntl.F_DUPFD_CLOEXEC, FIRST_FD + len(passed)) for p in passed]
        for n, copy in enumerate(copies):
            os.dup2(copy, FIRST_FD + n, inheritable=True)
        if options.sockets:
            environment["LISTEN_PID"] = str(os.getpid())
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            status = NOT_FOUND
        elif error.errno in (errno.EACCES, errno.ENOEXEC, errno.EISDIR):
            status = NOT_EXECUTABLE
        _complain(f"{command[0]}: {error.strerror}" if status != FAILED else _untrapped(error))
    except BaseException as error:
        _complain(repr(error))
    finally:
        os._exit(status)


def _untrapped(error: OSError) -> str:
    if error.errno == errno.EBUSY:
        why = "something watches this process' calls already, another winsock ports run perhaps"
        return (
            f"{why}: reserve all ports there, or use --no-trap (the command must then use the sockets it is passed)"
        )
    why = f"the command's bind calls can't be watched here ({error.strerror})"
    return f"{why}: use --no-trap (the command must then use the sockets it is passed)"


def _complain(text: str) -> None:
    print(f"winsock ports run: {text}", file=sys.stderr, flush=True)


def _supervise(child: int, watched: trap.Trap | None, signals: SignalFd) -> int:
    poll = select.poll()
    poll.register(signals, select.POLLIN)
    if watched is not None:
        poll.register(watched, select.POLLIN)
    status: int | None = None
    while status is None:
        for fd, event in poll.poll():
            if fd == signals.fileno():
                number, by_kernel = signals.read()
                if number == signal.SIGCHLD:
                    status = _reaped(child)
                elif not by_kernel:  # a terminal's ^C reaches the command without us
                    os.kill(child, number)
            elif watched is not None and _gone(watched, event):
                poll.unregister(watched)
    return status


def _gone(watched: trap.Trap, event: int) -> bool:
    """Answer a call; whether there will be no more."""
    return not (event & select.POLLIN and watched.serve()) and bool(event & select.POLLHUP)


def _trapped(channel: socket.socket, supervisor: Supervisor) -> trap.Trap | None:
    """The trap that the child has set; None when it could not, which it says itself."""
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        return None
    os.set_inheritable(descriptors[0], False)
    return trap.Trap(descriptors[0], supervisor)


def _reaped(child: int) -> int | None:
    """Collect what has ended; the command's exit status if it is among it."""
    status = None
    while True:
        try:
            pid, result = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            code = os.waitstatus_to_exitcode(result)
            status = code if code >= 0 else SIGNALLED - code


def _leave(watched: trap.Trap) -> None:
    """Go without breaking what the command has left running: somebody must send its calls on to the kernel."""
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    if any(event == select.POLLHUP for _, event in poll.poll(0)) or os.fork():
        watched.close()
        return
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(FIRST_FD):
            os.dup2(null, fd)
        # Nothing of ours may keep a port, or the reader of a pipe, waiting.
        os.closerange(FIRST_FD, watched.fileno())
        os.closerange(watched.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        rest = trap.Trap(watched.fileno(), trap.Handler())
        while not any(_gone(rest, event) for _, event in poll.poll()):
            pass
    finally:
        os._exit(0)


class SignalFd:
    """signalfd(2): blocked signals as something to poll for, with who sent them."""

    def __init__(self, numbers: Sequence[signal.Signals]) -> None:
        mask = sum(1 << (number - 1) for number in numbers).to_bytes(128, sys.byteorder)
        self._fd = ctypes.CDLL(None, use_errno=True).signalfd(-1, mask, SFD_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def fileno(self) -> int:
        return int(self._fd)

    def read(self) -> tuple[int, bool]:
        """(number, whether the kernel sent it, as it does for a terminal's keys)."""
        number, _, code = struct.unpack_from("=Iii", os.read(self._fd, SIGINFO_SIZE))
        return number, code == SI_KERNEL

    def __enter__(self) -> SignalFd:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)
