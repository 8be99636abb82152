"""The other side that some programs need: hosts that do not answer, fall silent, or whose connection is cut.

They are sockets of plain Linux, in a process that is not the program's.  What stops answering is a real socket: a
filter drops the segments that come for it before TCP sees them, as a firewall does or a cable that was pulled.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

LIMIT = 60.0  # seconds for anything that a program does; it ends long before
LOOPBACK = "127.0.0.1"

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_RETURN = 0x06  # BPF_RET | BPF_K: so many bytes of the packet are kept
_INSTRUCTION = struct.Struct("HBBI")
_PROGRAM = struct.Struct("HP")
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)

First = Callable[[socket.socket], None]


def silence(sock: socket.socket) -> None:
    """Let nothing arrive there any more; what was sent to it is never acknowledged, a connect never answered."""
    nothing = ctypes.create_string_buffer(_INSTRUCTION.pack(_RETURN, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM.pack(1, ctypes.addressof(nothing)))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)


@contextmanager
def unanswering() -> Iterator[int]:
    """The port of a host that drops every packet."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        silence(listener)
        yield listener.getsockname()[1]


@contextmanager
def serving(first: First) -> Iterator[int]:
    """The port of a server that answers lines: "hello" with "welcome", "ping" with "pong".

    first    what becomes of the first connection once its "hello" has been read
    """
    with socket.create_server((LOOPBACK, 0)) as listener:
        kept: list[socket.socket] = []
        thread = threading.Thread(target=_serve, args=(listener, first, kept), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT)
            for connection in kept:
                connection.close()


def falls_silent(connection: socket.socket) -> None:
    """Answer, and never acknowledge anything again."""
    silence(connection)
    connection.sendall(b"welcome\n")


def _serve(listener: socket.socket, first: First, kept: list[socket.socket]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        kept.append(connection)
        connection.settimeout(LIMIT)
        with suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                if connection is kept[0]:
                    first(connection)
                    break
                connection.sendall(b"welcome\n" if line == b"hello\n" else b"pong\n")
