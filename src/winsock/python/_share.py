"""socket.share() and fromshare(): a socket's way into another process of this machine.

The bytes have the size of WSAPROTOCOL_INFOW and the fields of it that say what the socket is; where the structure
has its reserved words, the owner's process and descriptor stand.  The receiver fetches the descriptor from the
owner, which the kernel allows to processes of the same user (or only to descendants, or to root: Yama's setting).
"""

from __future__ import annotations

import ctypes
import os
import struct

from winsock.afd import Endpoint
from winsock.codes import WSA, WinsockError

SIZE = 628
MAGIC = b"winsock\0"
# dwServiceFlags1-4 and so on stand before; these are szProtocol's last bytes, which no real name reaches.
_TAIL = struct.Struct("<8s3iQ")  # MAGIC, owner, descriptor, target, inode
_KIND = struct.Struct("<5i")
_KIND_OFFSET = 76  # iAddressFamily
SYS_PIDFD_GETFD = 438


def give(ep: Endpoint, fd: int, process_id: int) -> bytes:
    """The bytes for that process; WSAEINVAL when there is no such process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        raise WinsockError(WSA.WSAEINVAL) from None
    except OSError:
        pass
    data = bytearray(SIZE)
    size = 28 if ep.family != 2 else 16
    _KIND.pack_into(data, _KIND_OFFSET, ep.family, size, size, ep.type, ep.protocol)
    _drop_abandoned()
    kept = os.dup(fd)
    _kept.append((process_id, kept))
    _TAIL.pack_into(data, SIZE - _TAIL.size, MAGIC, os.getpid(), kept, process_id, os.fstat(kept).st_ino)
    return bytes(data)


# What was given and perhaps not taken yet: the giver may close its socket at once, as on Windows.
_kept: list[tuple[int, int]] = []


def _drop_abandoned() -> None:
    """Close what was for processes that have ended."""
    for entry in list(_kept):
        try:
            os.kill(entry[0], 0)
        except ProcessLookupError:
            _kept.remove(entry)
            os.close(entry[1])
        except OSError:
            pass


def receive(data: bytes) -> int:
    """A descriptor for bytes that give() made for this process."""
    if len(data) != SIZE:
        raise ValueError(f"socket descriptor string has wrong size, should be {SIZE} bytes.")
    magic, owner, fd, target, inode = _TAIL.unpack_from(data, SIZE - _TAIL.size)
    if magic != MAGIC or target != os.getpid():
        raise WinsockError(WSA.WSAEINVAL)
    if owner == os.getpid():
        try:
            return _checked(os.dup(fd), inode)
        except OSError:
            raise WinsockError(WSA.WSAENOTSOCK) from None
    try:
        process = os.pidfd_open(owner)
    except OSError:
        raise WinsockError(WSA.WSAEINVAL) from None
    try:
        new: int = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)
    if new < 0:
        raise WinsockError(WSA.WSAEINVAL)
    os.set_inheritable(new, False)
    return _checked(new, inode)


def _checked(fd: int, inode: int) -> int:
    """The descriptor, if it is still that of the socket that was given."""
    if os.fstat(fd).st_ino != inode:
        os.close(fd)
        raise WinsockError(WSA.WSAENOTSOCK)
    return fd
