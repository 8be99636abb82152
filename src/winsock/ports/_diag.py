"""Which sockets this machine has on a port, and whose they are: the kernel's socket diagnosis, or /proc/net."""

from __future__ import annotations

import os
import socket as linux
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from winsock.ports._placeholder import DGRAM, STREAM

# linux/sock_diag.h, linux/inet_diag.h
SOCK_DIAG_BY_FAMILY, NETLINK_SOCK_DIAG = 20, 4
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE = 0x1, 0x300, 2, 3
BYTECODE, S_GE, S_LE = 1, 2, 3
HEADER = struct.Struct("=IHHII")
REQUEST = struct.Struct("=BBBxI48s")
MESSAGE = struct.Struct("=BBBBHH16s16sI8sIIIII")
ALL_STATES = 0xFFFFFFFF
ROOM = 1 << 16
TIMEOUT: Final = 5.0

ESTABLISHED, TIME_WAIT, CLOSE, LISTEN, BOUND = 1, 6, 7, 10, 13  # of TCP; BOUND has a port and nothing else
PROTOCOLS: Final = {STREAM: int(linux.IPPROTO_TCP), DGRAM: int(linux.IPPROTO_UDP)}
TABLES: Final = {STREAM: ("tcp", "tcp6"), DGRAM: ("udp", "udp6")}


class Socket(NamedTuple):
    """One socket of the kernel's.

    state         as of TCP; a UDP socket is CLOSE, or ESTABLISHED with a peer
    host, port    its local address
    uid, inode    whose it is; of TIME_WAIT nobody's, and 0
    """

    family: int
    state: int
    host: str
    port: int
    uid: int
    inode: int


def sockets(kind: int, port: int) -> list[Socket]:
    """The sockets of any user on a local port, in this network namespace."""
    try:
        return [*_asked(kind, linux.AF_INET, port), *_asked(kind, linux.AF_INET6, port)]
    except OSError:
        return list(_listed(kind, port))


def only_time_wait(port: int) -> bool:
    """Whether nothing has this TCP port but connections that have ended."""
    found = sockets(STREAM, port)
    return bool(found) and all(s.state == TIME_WAIT for s in found)


def _asked(kind: int, family: int, port: int) -> Iterator[Socket]:
    """Ask the kernel; OSError where it does not answer."""
    # Two conditions of two words each: the port is no less, and no more.  Their last field is where to go if not.
    conditions = struct.pack("=BBHBBHBBHBBH", S_GE, 8, 20, 0, 0, port, S_LE, 8, 12, 0, 0, port)
    body = REQUEST.pack(family, PROTOCOLS[kind], 0, ALL_STATES, b"")
    body += struct.pack("=HH", 4 + len(conditions), BYTECODE) + conditions
    header = HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    with linux.socket(linux.AF_NETLINK, linux.SOCK_RAW | linux.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as s:
        s.settimeout(TIMEOUT)
        s.send(header + body)
        while True:
            data = s.recv(ROOM)
            at = 0
            while at + HEADER.size <= len(data):
                size, type_, _, _, _ = HEADER.unpack_from(data, at)
                if type_ == NLMSG_DONE:
                    # Its number says how it ended; older kernels give none.
                    number = struct.unpack_from("=i", data, at + HEADER.size)[0] if size >= HEADER.size + 4 else 0
                    if number < 0:
                        raise OSError(-number, os.strerror(-number))
                    return
                if type_ == NLMSG_ERROR:
                    number = -struct.unpack_from("=i", data, at + HEADER.size)[0]
                    raise OSError(number, os.strerror(number))
                fields = MESSAGE.unpack_from(data, at + HEADER.size)
                local = linux.ntohs(fields[4])
                if local == port:
                    host = linux.inet_ntop(fields[0], fields[6][: 4 if fields[0] == linux.AF_INET else 16])
                    yield Socket(fields[0], fields[1], host, local, fields[13], fields[14])
                at += size + 3 & ~3


def _listed(kind: int, port: int) -> Iterator[Socket]:
    """What /proc/net tells: no TCP sockets that only are bound."""
    for name, family in zip(TABLES[kind], (linux.AF_INET, linux.AF_INET6)):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as f:
                rows = [line.split() for line in f][1:]
        except OSError:
            continue
        for row in rows:
            address, _, local = row[1].partition(":")
            if int(local, 16) == port:
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                host = linux.inet_ntop(family, b"".join(words))
                yield Socket(family, int(row[3], 16), host, port, int(row[7]), int(row[9]))


def owners(inodes: set[int]) -> dict[int, int]:
    """{inode: pid} of the processes that have these sockets open, as far as their descriptors can be read."""
    found: dict[int, int] = {}
    names = {f"socket:[{inode}]": inode for inode in inodes if inode}
    if not names:
        return found
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with os.scandir(f"/proc/{pid}/fd") as descriptors:
                for fd in descriptors:
                    inode = names.get(os.readlink(fd.path))
                    if inode is not None:
                        found.setdefault(inode, int(pid))
        except OSError:
            continue  # another user's, or gone
        if len(found) == len(names):
            break
    return found
