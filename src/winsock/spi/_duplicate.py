"""Sharing a socket: what WSADuplicateSocket writes down, and the socket that WSASocket makes of it.

The structure names a ticket.  A ticket for a process of this interpreter waits in that process; one for another
process of this machine waits in the process that wrote it, which hands a descriptor over on an abstract Unix
socket, to the process that it was written for and to no other.  A ticket serves once.

The new handle is another descriptor of the same socket.  What only the endpoint knows (bound or not, blocking or
not, options that are stored) is copied when the handle is made; later both go their own ways.
Source: facts, document.
"""

from __future__ import annotations

import os
import socket as linux
import struct
import threading
from typing import Any, Final, NamedTuple

from winsock.abi._structs import WSAPROTOCOL_INFOA, WSAPROTOCOL_INFOW
from winsock.afd import Endpoint
from winsock.afd._requests import share
from winsock.codes import WSA, WinsockError
from winsock.nt import Process
from winsock.spi._catalog import entry_of, packed
from winsock.spi._open import adopt, register
from winsock.transports import TransportSocket

MAGIC: Final = b"winsock\x01"
KEY_SIZE: Final = 16
TICKET: Final = struct.Struct(f"<8sI{KEY_SIZE}s{KEY_SIZE}s")  # magic, writer's pid, key, server
AT: Final = 116 + 128  # in both structures: behind any name, in what is left of szProtocol
TIMEOUT: Final = 5.0  # seconds for the other process to answer
_PEER: Final = struct.Struct("=iII")  # struct ucred
LONGEST_STATE: Final = 1 << 16
LARGEST_PID: Final = 0x7FFFFFFF


class _Pending(NamedTuple):
    """A duplicate that nobody has taken yet: a descriptor of its own, and the endpoint to copy from."""

    source: Endpoint
    transport: TransportSocket
    state: dict[str, Any]
    target: int  # pid

    def current(self) -> dict[str, Any]:
        """The endpoint's state now, or when the ticket was written if it is closed by now."""
        return self.state if self.source.closed else self.source.snapshot()


def write_ticket(ep: Endpoint, pid: int, wide: bool) -> bytearray:
    """What WSADuplicateSocket fills in for the process with that id.  WSAEINVAL if there is none."""
    target = Process.find(pid)
    if not process_exists(pid):
        raise WinsockError(WSA.WSAEINVAL)
    key = os.urandom(KEY_SIZE)
    pending = _Pending(ep, ep.transport.duplicate(), ep.snapshot(), pid)
    server = bytes(KEY_SIZE)
    if target is not None:
        with target.lock:
            target.services.setdefault("duplicates", {})[key] = pending
    else:
        server = _server(ep.process).add(key, pending)
    info = bytearray(packed(entry_of(ep), wide))
    layout = WSAPROTOCOL_INFOW if wide else WSAPROTOCOL_INFOA
    layout.from_buffer(info).dwProviderReserved = int.from_bytes(key[:4], "little") | 1
    info[AT : AT + TICKET.size] = TICKET.pack(MAGIC, os.getpid(), key, server)
    return info


def open_ticket(process: Process, info: bytes, flags: int) -> Endpoint | None:
    """The socket that a ticket stands for, with a handle in this process; None for a structure without one.

    WSAEINVAL for a ticket that was used, or is another process', or whose writer has gone.
    """
    magic, writer, key, server = TICKET.unpack_from(info, AT)
    layout = WSAPROTOCOL_INFOW if len(info) == _SIZE_W else WSAPROTOCOL_INFOA
    entry = layout.from_buffer_copy(info)
    if not entry.dwProviderReserved or magic != MAGIC:
        return None
    with process.lock:
        pending: _Pending | None = process.services.get("duplicates", {}).pop(key, None)
    transport: Any
    if pending is not None:
        source = pending.source
        transport, state = pending.transport, pending.current()
        family, kind, protocol = source.family, source.type, source.protocol
    else:
        if writer == os.getpid() or not any(server):
            raise WinsockError(WSA.WSAEINVAL)
        transport, family, kind, protocol, state = _fetch(server, key)
    ep = register(process, adopt(process, transport, family, kind, protocol, flags))
    ep.restore(state)
    if pending is not None and pending.source.process is process and not pending.source.closed:
        share(pending.source, ep)  # another handle of the same open socket
    return ep


_SIZE_W: Final = len(bytes(WSAPROTOCOL_INFOW()))


def discard(process: Process) -> None:
    """WSACleanup: nobody will take what waits in this process, or was written by it."""
    with process.lock:
        waiting = process.services.pop("duplicates", {})
        server: _Server | None = process.services.pop("duplicate server", None)
    for pending in waiting.values():
        pending.transport.finish()
    if server is not None:
        server.stop()


def process_exists(pid: int) -> bool:
    """Whether there is such a process, in this interpreter or on this machine."""
    if Process.find(pid) is not None:
        return True
    if not 0 < pid <= LARGEST_PID:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


# -- between processes


def _server(process: Process) -> _Server:
    """The process' server, started when first needed, and anew after a fork."""
    with process.lock:
        server: _Server | None = process.services.get("duplicate server")
        if server is None or not server.alive:
            server = process.services["duplicate server"] = _Server()
        return server


def _address(name: bytes) -> bytes:
    return b"\0winsock-duplicate-" + name.hex().encode()


class _Server:
    """Hands descriptors to the processes that they are for, until none is left."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.name = os.urandom(KEY_SIZE)
        self.pending: dict[bytes, _Pending] = {}
        self.lock = threading.Lock()
        self.closed = False
        self.listener = linux.socket(linux.AF_UNIX, linux.SOCK_SEQPACKET)
        self.listener.bind(_address(self.name))
        self.listener.listen(16)
        threading.Thread(target=self._serve, name="winsock-duplicates", daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self.closed and self.pid == os.getpid()

    def add(self, key: bytes, pending: _Pending) -> bytes:
        with self.lock:
            self.pending[key] = pending
        return self.name

    def stop(self) -> None:
        """Close; what was not taken is given up."""
        with self.lock:
            self.closed = True
            left, self.pending = self.pending, {}
        for pending in left.values():
            pending.transport.finish()
        if self.pid == os.getpid():
            try:
                self.listener.shutdown(linux.SHUT_RDWR)  # ends accept
            except OSError:
                pass
        self.listener.close()

    def _serve(self) -> None:
        while not self.closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(TIMEOUT)
                    self._answer(connection)
                except OSError:
                    pass  # it went away; the ticket stays good

    def _answer(self, connection: linux.socket) -> None:
        key = connection.recv(KEY_SIZE)
        who = connection.getsockopt(linux.SOL_SOCKET, linux.SO_PEERCRED, _PEER.size)
        pid, _, _ = _PEER.unpack(who)
        with self.lock:
            pending = self.pending.get(key)
            if pending is None or pending.target != pid:
                return
            del self.pending[key]
        ep = pending.source
        state = repr((ep.family, ep.type, ep.protocol, _plain(pending.current()))).encode()
        try:
            linux.send_fds(connection, [state[:LONGEST_STATE]], [pending.transport.fileno()])
        finally:
            pending.transport.finish()


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """What another process can read: numbers, strings, bytes and containers of them."""
    return {name: value for name, value in state.items() if _survives(value)}


def _literal(text: str) -> Any:
    from ast import literal_eval  # only who has duplicates pays for it

    return literal_eval(text)


def _survives(value: Any) -> bool:
    try:
        return bool(_literal(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False


def _fetch(server: bytes, key: bytes) -> tuple[int, int, int, int, dict[str, Any]]:
    """The descriptor, family, type, protocol and state behind a ticket of another process."""
    with linux.socket(linux.AF_UNIX, linux.SOCK_SEQPACKET) as connection:
        connection.settimeout(TIMEOUT)
        fds: list[int] = []
        try:
            connection.connect(_address(server))
            connection.send(key)
            data, fds, _, _ = linux.recv_fds(connection, LONGEST_STATE, 1)
            family, kind, protocol, state = _literal(data.decode())
        except (OSError, ValueError, SyntaxError):
            for fd in fds:
                os.close(fd)
            raise WinsockError(WSA.WSAEINVAL) from None
    if len(fds) != 1:
        raise WinsockError(WSA.WSAEINVAL)
    return fds[0], family, kind, protocol, state
