"""Other programs' bind and listen, done for them: how `winsock ports run` lets any program into its block.

A reserved port is held by a placeholder socket, which keeps everybody out, the command that the port was reserved
for included: it knows nothing of tokens.  So the kernel is asked to tell us whenever a process of the command calls
bind or listen (seccomp's user notification; it works for every language, static binaries too, and passes on to
forked and executed programs).  A call for a reserved port is then made here, on a duplicate of the caller's own
socket (pidfd_getfd), through the reservation.  All other calls are sent on to the kernel untouched.

    in the child, before exec:  install()          -> descriptor of the notifications
    in the parent:              Trap(descriptor, handler); when it is readable: trap.serve()

Nothing here is a security boundary: a process that wants to escape its own reservation only loses by it.
Sources: seccomp_unotify(2), pidfd_getfd(2), measured on Linux 6.18.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from typing import NamedTuple


class Machine(NamedTuple):
    """The numbers of one processor's system calls."""

    audit: int  # AUDIT_ARCH_*
    seccomp: int
    bind: int
    listen: int


MACHINES = {
    "x86_64": Machine(0xC000003E, 317, 49, 50),
    "aarch64": Machine(0xC00000B7, 277, 200, 201),
    "riscv64": Machine(0xC00000F3, 277, 200, 201),
}

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SYS_PIDFD_GETFD = 438  # the same on all processors
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5  # Linux 5.19: no signal interrupts a call that we are making
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102

# struct seccomp_notif: id, pid, flags; seccomp_data: nr, arch, instruction pointer, six arguments
_NOTIF = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_OFFSET_NR, _OFFSET_ARCH = 0, 4
_SOCKADDR_MAX = 128

Address = tuple[str, int] | tuple[str, int, int, int]


class Handler:
    """What the trap asks.  False leaves a call to the kernel, as this one does with all; an OSError refuses it."""

    def wants(self, port: int) -> bool:
        """Whether a bind to this port is worth a closer look."""
        return False

    def bind(self, sock: socket.socket, address: Address) -> bool:
        """Bind the command's socket; an OSError is the command's."""
        return False

    def listen(self, sock: socket.socket, backlog: int) -> bool:
        """Make the command's socket listen."""
        return False


def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def machine() -> Machine | None:
    """This processor's numbers; None where the trap is not known to work."""
    return MACHINES.get(os.uname().machine)


def program(numbers: Machine) -> bytes:
    """The filter: notify of bind and listen, allow all else, calls by another processor's table included."""
    calls = (numbers.bind, numbers.listen)
    lines = [
        (_LOAD, 0, 0, _OFFSET_ARCH),
        (_JUMP_IF_EQUAL, 0, len(calls) + 1, numbers.audit),
        (_LOAD, 0, 0, _OFFSET_NR),
    ]
    lines += [(_JUMP_IF_EQUAL, len(calls) - n, 0, number) for n, number in enumerate(calls)]
    lines += [(_RETURN, 0, 0, SECCOMP_RET_ALLOW), (_RETURN, 0, 0, SECCOMP_RET_USER_NOTIF)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def install() -> int:
    """Put this thread and all it starts under the trap, for ever; the descriptor that tells of its calls.

    Without CAP_SYS_ADMIN, setting it costs the right to gain privileges by executing a file (no_new_privs).
    OSError where the kernel, or a container's own filter, has none of this.
    """
    numbers = machine()
    if numbers is None:
        raise OSError(errno.ENOSYS, f"no numbers of system calls for {os.uname().machine}")
    libc = _libc()
    code = ctypes.create_string_buffer(text := program(numbers), len(text))
    # struct sock_fprog: unsigned short and a pointer
    fprog = struct.pack("@HP", len(text) // 8, ctypes.addressof(code))
    argument = ctypes.create_string_buffer(fprog, len(fprog))

    def attempt(flags: int) -> int:
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER
        return int(libc.syscall(numbers.seccomp, SECCOMP_SET_MODE_FILTER, flags, argument))

    result = -1
    for flags in (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0):
        result = attempt(flags)
        if result < 0 and ctypes.get_errno() == errno.EACCES:
            _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
            result = attempt(flags)
        if result >= 0 or ctypes.get_errno() != errno.EINVAL:
            break
    return _checked(result, "seccomp")


def check() -> None:
    """OSError if other processes' sockets can't be reached here: a container's filter may forbid it."""
    handle = os.pidfd_open(os.getpid())
    try:
        os.close(_pidfd_getfd(_libc(), handle, handle))
    finally:
        os.close(handle)


def _pidfd_getfd(libc: ctypes.CDLL, handle: int, descriptor: int) -> int:
    return _checked(int(libc.syscall(SYS_PIDFD_GETFD, handle, descriptor, 0)), "pidfd_getfd")


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument."""
    _checked(_libc().prctl(option, value, 0, 0, 0), "prctl")


class Trap:
    """The parent's end of one installed filter."""

    def __init__(self, descriptor: int, handler: Handler) -> None:
        numbers = machine()
        if numbers is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._fd = descriptor
        self._handler = handler
        self._numbers = numbers
        self._libc = _libc()

    def fileno(self) -> int:
        """For poll: readable when a call waits, hung up when the last process under the filter has gone."""
        return self._fd

    def close(self) -> None:
        """Forget the command; a call of it that comes later fails with ENOSYS."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def serve(self) -> bool:
        """Answer one call; False when there was none (its process has died meanwhile)."""
        buffer = bytearray(_NOTIF.size)
        try:
            fcntl.ioctl(self._fd, SECCOMP_IOCTL_NOTIF_RECV, buffer)
        except OSError:
            return False
        number, pid, _, call, _, _, *arguments = _NOTIF.unpack(buffer)
        failure, flags = 0, 0
        try:
            if not self._make(number, pid, call, arguments):
                flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE
        except OSError as error:
            failure = -(error.errno or errno.EINVAL)
        try:
            fcntl.ioctl(self._fd, SECCOMP_IOCTL_NOTIF_SEND, _RESPONSE.pack(number, 0, failure, flags))
        except OSError:  # killed while it waited
            return False
        return True

    def _make(self, number: int, pid: int, call: int, arguments: list[int]) -> bool:
        descriptor, second, third = arguments[0] & 0xFFFFFFFF, arguments[1], arguments[2]
        address: Address | None = None
        if call == self._numbers.bind:
            try:
                address = _address(_memory(pid, second, min(third & 0xFFFFFFFF, _SOCKADDR_MAX)))
            except OSError:
                return False  # the kernel will say EFAULT, or it may not be looked into
            if address is None or not self._handler.wants(address[1]):
                return False
        try:
            sock = self._duplicate(number, pid, descriptor)
        except OSError:
            return False
        with sock:
            if address is not None:
                return self._handler.bind(sock, address)
            backlog = struct.unpack("=i", struct.pack("=I", second & 0xFFFFFFFF))[0]
            return self._handler.listen(sock, backlog)

    def _duplicate(self, number: int, pid: int, descriptor: int) -> socket.socket:
        """The caller's socket as one of ours: the same open socket under another descriptor."""
        handle = os.pidfd_open(_group(pid))
        try:
            # Only now is it sure that the process number still means the process that called.
            fcntl.ioctl(self._fd, SECCOMP_IOCTL_NOTIF_ID_VALID, struct.pack("=Q", number))
            copy = _pidfd_getfd(self._libc, handle, descriptor)
        finally:
            os.close(handle)
        try:
            return socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            raise


def _group(thread: int) -> int:
    """The process that a thread belongs to; a pidfd is of a process."""
    with open(f"/proc/{thread}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def _memory(pid: int, address: int, count: int) -> bytes:
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, count, address)
    finally:
        os.close(descriptor)


def _address(raw: bytes) -> Address | None:
    """A sockaddr as Python's tuple; None for other families and for what is too short."""
    if len(raw) >= 16 and raw[:2] == struct.pack("=H", socket.AF_INET):
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), int.from_bytes(raw[2:4], "big")
    if len(raw) >= 28 and raw[:2] == struct.pack("=H", socket.AF_INET6):
        flow, scope = int.from_bytes(raw[4:8], "big"), struct.unpack("=I", raw[24:28])[0]
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), int.from_bytes(raw[2:4], "big"), flow, scope
    return None
