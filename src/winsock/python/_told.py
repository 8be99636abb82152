"""The core's requests that do an Overlapped's work: they tell its address to the completion port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._extended import Accept, Connect
from winsock.afd._receiving import Receive
from winsock.afd._request import Request
from winsock.afd._sending import Send
from winsock.afd._transmitting import FilePart, Transmit
from winsock.codes import WSA, WinsockError
from winsock.nt import current
from winsock.nt._completion import CompletionPort
from winsock.python import _pipes
from winsock.transports import READ


class _Told(Request):
    """A request of an Overlapped."""

    owner: Any  # the Overlapped

    def complete(self, status: int, transferred: int = 0, at_once: bool = False) -> None:
        super().complete(status, transferred, at_once)
        self.owner.pending = False
        del self.owner  # which refers to this

    def packet(self, port: CompletionPort, key: int) -> None:
        port.drained = False
        port.post((self.status, self.transferred, key, self.owner.address))


class ToldReceive(_Told, Receive):
    tried = False

    def attempt(self) -> int | None:
        n = super().attempt()
        if not self.tried:
            self.tried = True
            if n == 0 and self.room and self.ep.shape.stream:
                # The end of a stream is told by the port only: asyncio posts a receive before it has delivered what
                # the one before brought.
                self.requests.reactor.call_at(0.0, self._ask_again)
                return None
        return n

    def _ask_again(self) -> None:
        self.requests.serve(self.ep, READ)


class ToldSend(_Told, Send):
    pass


class ToldAccept(_Told, Accept):
    pass


class ToldConnect(_Told, Connect):
    eager = True


class ToldConnecting(_Told, _pipes.Connecting):
    pass


class ToldTransmit(_Told, Transmit):
    def __init__(self, ep: Endpoint, packets: Sequence[Sequence[FilePart]], flags: int) -> None:
        disconnect, reuse = bool(flags & c.TF_DISCONNECT), bool(flags & c.TF_REUSE_SOCKET)
        if reuse and not disconnect:
            raise WinsockError(WSA.WSAEINVAL)
        super().__init__(current(), ep, packets, None, disconnect, reuse)
        self.quiet, self.waits = False, True  # as with an OVERLAPPED
