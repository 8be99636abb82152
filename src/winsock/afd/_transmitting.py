"""The requests behind TransmitFile, TransmitPackets and DisconnectEx: send pieces one after the other, then part.

A part of a file never is in memory as a whole.  A call with an OVERLAPPED always pends, even when there is nothing to
wait for (fact).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _events
from winsock.afd._connection import ANY, _settling
from winsock.afd._data import check_lost, check_send, lost
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._extended import CONTEXT, REUSED, tell_options
from winsock.afd._request import Request
from winsock.afd._requests import WRITES, requests_of, serve_later
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState
from winsock.nt._files import file_error
from winsock.transports import ERROR, HANGUP, RDHUP, WRITE

CHUNK = 1 << 18  # bytes of a file that are in memory at a time
TURN = 1 << 22  # bytes after which others have their turn
LONGEST_MESSAGE = 0xFFFF


class FilePart:
    """A part of an open file, from an offset on; it has a descriptor of its own.

    at      None: the file's own position, which moves along
    left    bytes; None: to the end
    """

    __slots__ = ("at", "fd", "follows", "left")

    def __init__(self, fd: int, at: int | None, left: int | None) -> None:
        self.fd = -1
        try:
            self.fd = os.dup(fd)
        except OSError as e:
            raise file_error(e) from None
        self.follows = at is None
        self.at = os.lseek(fd, 0, os.SEEK_CUR) if at is None else at
        self.left = left

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        n = CHUNK if self.left is None else min(CHUNK, self.left)
        try:
            return os.pread(self.fd, n, self.at)
        except OSError as e:
            raise file_error(e) from None

    def advance(self, n: int) -> None:
        """So much of it is sent."""
        self.at += n
        if self.left is not None:
            self.left -= n
        if self.follows:
            os.lseek(self.fd, self.at, os.SEEK_SET)

    def close(self) -> None:
        """The descriptor is needed no more."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close


Piece = memoryview | FilePart


class Transmit(Request):
    """Send pieces, and end the connection if that is asked for.

    packets       of a stream, pieces in any grouping; of a message socket, what goes into one message each
    disconnect    the end of the stream follows them
    reuse         and when the peer has ended too, the socket is fit for another connection
    """

    lane = WRITES

    __slots__ = ("disconnect", "packets", "reuse", "starting", "waits")

    def __init__(
        self,
        ts: ThreadState,
        ep: Endpoint,
        packets: Iterable[Sequence[Piece]] = (),
        overlapped: Any = None,
        disconnect: bool = False,
        reuse: bool = False,
    ) -> None:
        super().__init__(ts, ep, overlapped)
        self.packets = deque(deque(packet) for packet in packets)
        self.disconnect, self.reuse = disconnect, reuse
        self.quiet = self.quiet or overlapped is None
        self.starting, self.waits = False, overlapped is not None

    def check(self) -> None:
        """WSAENOTCONN, WSAESHUTDOWN for a socket that cannot do this."""
        if not self.packets and self.disconnect:
            ep = self.ep
            if not ep.stream or ep.state not in (State.CONNECTED, State.RESET):
                raise WinsockError(WSA.WSAENOTCONN)
            return
        check_send(self.ep, None)

    def begin(self) -> bool:
        self.check()
        self.starting = True
        try:
            ended = super().begin()
        finally:
            self.starting = False
        if not ended:
            serve_later(self.ep, WRITE)
        return ended

    def attempt(self) -> int | None:
        if (self.starting and self.waits) or self.requests.sends is not None:
            return None
        ep = self.ep
        try:
            done = self._stream() if ep.type == c.SOCK_STREAM else self._messages()
        except WinsockError as e:
            if e.code == WSA.WSAEWOULDBLOCK:
                return None
            lost(ep, e.code)
            raise
        return self.total if done and (not self.disconnect or self._part()) else None

    def _stream(self) -> bool:
        """Send what there is room for; whether that was all."""
        packets, transport = self.packets, self.ep.transport
        limit = self.total + TURN
        while packets:
            pieces = packets[0]
            if not pieces:
                packets.popleft()
                continue
            piece = pieces[0]
            data = piece.read() if isinstance(piece, FilePart) else piece
            if not len(data):
                pieces.popleft()
                continue
            if self.total >= limit:
                serve_later(self.ep, WRITE)
                return False
            check_lost(self.ep)
            n = transport.transmit_now(data)
            if n < 0:
                return False
            self.total += n
            if isinstance(piece, FilePart):
                piece.advance(n)
            else:
                pieces[0] = piece[n:]
        return True

    def _messages(self) -> bool:
        """Send each packet as one message."""
        while self.packets:
            data = bytearray()
            moved = []
            for piece in self.packets[0]:
                if isinstance(piece, FilePart):
                    start = piece.at
                    moved.append((piece, start))
                    while len(data) <= LONGEST_MESSAGE and (part := piece.read()):
                        data += part
                        piece.advance(len(part))
                else:
                    data += piece
            try:
                self.total += self.ep.transport.transmit_message([data], (), 0, None)
            except WinsockError:
                for piece, start in moved:
                    piece.advance(start - piece.at)
                raise
            self.packets.popleft()
        return True

    def _part(self) -> bool:
        """End the stream; whether that is all that was asked for, and done."""
        ep = self.ep
        if not ep.send_shut:
            try:
                ep.transport.half_close(c.SD_SEND)
            except WinsockError as e:
                if e.code != WSA.WSAENOTCONN:  # the peer was faster
                    raise
            ep.shut(c.SD_SEND)
        if not self.reuse:
            return True
        if ep.state is not State.RESET and not ep.transport.readiness() & (RDHUP | HANGUP | ERROR):
            return False
        renew(ep)
        return True

    def orphaned(self) -> None:
        for packet in self.packets:
            for i, piece in enumerate(packet):
                if not isinstance(piece, FilePart):
                    packet[i] = memoryview(b"")

    def cleared(self) -> None:
        for packet in self.packets:
            for piece in packet:
                if isinstance(piece, FilePart):
                    piece.close()
        self.packets.clear()


def renew(ep: Endpoint) -> None:
    """The endpoint's connection is over; it gets ready for another one.

    What had been bound is bound to the same name again, so that ConnectEx takes it; what came out of a listener has
    none any more.  AcceptEx takes both.
    """
    requests = requests_of(ep)
    with _settling:
        if ep.closed:
            raise WinsockError(WSA.WSAENOTSOCK)
        state = State.BOUND
        try:
            if ep.accepted or ep.family not in ANY:
                raise WinsockError(WSA.WSAEINVAL)
            ep.transport.connect_abandon()
        except WinsockError:
            state = State.OPEN
            requests.reactor.replace(ep, ep.transport.renew)
            tell_options(ep)
        for name in (CONTEXT, "lost"):
            ep.drop(name)
        ep.note(REUSED, True)
        ep.remote = ep.connect_time = None
        ep.so_error = 0
        ep.accepted = ep.receive_shut = ep.send_shut = ep.connect_failed = False
        ep.state = state
        ep.refresh()
    _events.told(ep, _events.BIND)
