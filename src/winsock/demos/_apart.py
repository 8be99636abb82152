"""Run a program in a network of its own, and cut its connection there as an administrator can.

    python -m winsock.demos._apart COMMAND...     COMMAND HOST PORT, with a server at HOST PORT
    python -m winsock.demos._apart                only try whether this machine allows it

On Windows tools like TCPView close a connection from outside the program, and so do VPN clients and adapters that go
away.  On Linux that is SOCK_DESTROY of the kernel's socket diagnosis (`ss -K`), which needs the network's privileges;
in a network namespace of one's own everybody has them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from winsock.demos._peers import LOOPBACK, serving

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
_INTERFACE = struct.Struct("16sh14x")

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
NETLINK_SOCK_DIAG, SOCK_DESTROY = 4, 21
NLM_F_REQUEST, NLM_F_ACK = 1, 4
ANY_STATE, NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_IDENTITY = struct.Struct("!HH4s12x4s12xI8s")
_ANSWER = struct.Struct("=16xi")
ROOM = 4096


def own_network() -> None:
    """Go into a network namespace of one's own, with a loopback interface; OSError where that is not allowed."""
    uid, gid = os.getuid(), os.getgid()
    try:
        _unshare(CLONE_NEWNET)
    except OSError:
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        _, flags = _INTERFACE.unpack(fcntl.ioctl(s, SIOCGIFFLAGS, _INTERFACE.pack(b"lo", 0)))
        fcntl.ioctl(s, SIOCSIFFLAGS, _INTERFACE.pack(b"lo", flags | IFF_UP))


def _unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def cut(accepted: socket.socket) -> None:
    """Abort the other end of this connection, which is on this machine too; OSError if that is not allowed."""
    (host, port), (peer_host, peer_port) = accepted.getpeername(), accepted.getsockname()
    ends = socket.inet_aton(host), socket.inet_aton(peer_host)
    identity = _IDENTITY.pack(port, peer_port, *ends, 0, NO_COOKIE)
    body = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, ANY_STATE) + identity
    header = _HEADER.pack(_HEADER.size + len(body), SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + body)
        (number,) = _ANSWER.unpack_from(kernel.recv(ROOM))
    if number:
        raise OSError(-number, os.strerror(-number))


def attempt() -> None:
    """Cut a connection of one's own; OSError if anything of that is not allowed."""
    with (
        socket.create_server((LOOPBACK, 0)) as listener,
        socket.create_connection(listener.getsockname()) as victim,
        listener.accept()[0] as accepted,
    ):
        cut(accepted)
        try:
            victim.recv(1)
        except ConnectionAbortedError:
            return
        raise OSError(errno.ENOTSUP, "the kernel does not abort connections")


def main(command: list[str]) -> int:
    """The program's exit status; 1 and a line on standard error if a connection cannot be cut here."""
    try:
        own_network()
        if not command:
            attempt()
            return 0
    except OSError as e:
        print(f"connections cannot be cut on this machine: {e.strerror}", file=sys.stderr)
        return 1
    with serving(cut) as port:
        return subprocess.run([*command, LOOPBACK, str(port)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
