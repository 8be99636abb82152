"""Overlapped, as `_overlapped` has it: what an Operation can be, with messages, connections and pipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import Endpoint
from winsock.afd._structures import PENDING, SUCCESS
from winsock.afd._transmitting import FilePart
from winsock.codes import WSA, WinsockError
from winsock.nt import current
from winsock.python import _addresses, _handles, _pipes
from winsock.python._operation import HANDED, Operation, win32_error
from winsock.python._oserror import face
from winsock.python._told import ToldAccept, ToldConnect, ToldConnecting, ToldReceive, ToldSend, ToldTransmit
from winsock.transports import Address, Message


class Overlapped(Operation):
    """Overlapped(event=INVALID_HANDLE_VALUE): one overlapped operation.

    event    a handle that is signalled at the end, NULL for none; by default a new one
    """

    __slots__ = ()

    # -- messages

    @face
    def WSARecvFrom(self, handle: int, size: int, flags: int = 0) -> None:
        """WSARecvFrom(handle, size[, flags]): receive a message; (bytes, address)."""
        self._start_afresh()
        view = memoryview(bytearray(max(size, 1)))[:size]
        self._receive_from(handle, view, flags, lambda n: bytes(view[:n]))

    @face
    def WSARecvFromInto(self, handle: int, buf: Any, size: int, flags: int = 0) -> None:
        """WSARecvFromInto(handle, buffer, size[, flags]): receive a message into a buffer; (size, address)."""
        self._start_afresh()
        whole = memoryview(buf).cast("B")
        if size > len(whole):
            raise ValueError("nbytes is greater than the length of the buffer")
        self._receive_from(handle, whole[:size], flags, lambda n: n)

    def _receive_from(self, handle: int, view: memoryview, flags: int, value: Callable[[int], Any]) -> None:
        ep = _handles.endpoint(handle)
        sender: list[Address] = [None]

        def deliver(message: Message) -> None:
            sender[0] = message.address

        def make() -> ToldReceive:
            return ToldReceive(current(), ep, [view], flags, deliver=deliver)

        self._start(make, lambda request: (value(request.transferred), sender[0]))

    @face
    def WSASendTo(self, handle: int, buf: Any, flags: int, address: Any) -> None:
        """WSASendTo(handle, data, flags, address): send a message; the address is numeric."""
        self._start_afresh()
        ep = _handles.endpoint(handle)
        to = numeric(ep, address)
        data = memoryview(buf).cast("B")
        self._start(lambda: ToldSend(current(), ep, [data], flags, address=to))

    # -- connections

    @face
    def AcceptEx(self, listen_handle: int, accept_handle: int) -> None:
        """AcceptEx(listener, socket): accept the next connection into a fresh socket."""
        self._start_afresh()
        listener, into = _handles.endpoint(listen_handle), _handles.endpoint(accept_handle)
        self._start(lambda: ToldAccept(current(), listener, into))

    @face
    def ConnectEx(self, handle: int, address: Any) -> None:
        """ConnectEx(handle, address): connect a bound socket; the address is numeric."""
        self._start_afresh()
        ep = _handles.endpoint(handle)
        to = numeric(ep, address)
        self._start(lambda: ToldConnect(current(), ep, to))

    @face
    def DisconnectEx(self, handle: int, flags: int) -> None:
        """DisconnectEx(handle, flags): end the connection; TF_REUSE_SOCKET: and be fit for another one."""
        self._start_afresh()
        ep = _handles.endpoint(handle)
        self._start(lambda: ToldTransmit(ep, (), c.TF_DISCONNECT | flags))

    @face
    def TransmitFile(
        self, socket: int, file: int, offset: int, offset_high: int, count: int, count_per_send: int, flags: int
    ) -> None:
        """TransmitFile(socket, file, offset, offset_high, count, count_per_send, flags): send part of a file.

        file     what msvcrt.get_osfhandle() gave
        count    bytes; 0 for all of the rest
        flags    TF_DISCONNECT, TF_REUSE_SOCKET
        """
        self._start_afresh()
        ep = _handles.endpoint(socket)
        part = FilePart(file, offset_high << 32 | offset, count or None)
        self._start(lambda: ToldTransmit(ep, [[part]], flags))

    # -- pipes

    @face
    def ReadFile(self, handle: int, size: int) -> None:
        """ReadFile(handle, size): read from a pipe."""
        self._start_afresh()
        self.__class__ = _OfPipe
        ep = _pipes.end_of(handle)
        view = memoryview(bytearray(max(size, 1)))[:size]
        self._receive_pipe(ep, view, lambda r: bytes(view[: r.transferred]))

    @face
    def ReadFileInto(self, handle: int, buf: Any) -> None:
        """ReadFileInto(handle, buffer): read from a pipe into a buffer."""
        self._start_afresh()
        self.__class__ = _OfPipe
        ep = _pipes.end_of(handle)
        self._receive_pipe(ep, memoryview(buf).cast("B"))

    def _receive_pipe(
        self, ep: Endpoint, view: memoryview, finish: Callable[[Any], Any] | None = None
    ) -> None:
        if _pipes.at_end(ep):
            self.error = c.ERROR_BROKEN_PIPE
            raise win32_error(c.ERROR_BROKEN_PIPE)
        try:
            self._receive_slowly(ep, view, 0, finish)
        except WinsockError:
            self.error = c.ERROR_BROKEN_PIPE
            raise win32_error(c.ERROR_BROKEN_PIPE) from None

    @face
    def WriteFile(self, handle: int, buf: Any) -> None:
        """WriteFile(handle, data): write to a pipe."""
        self._start_afresh()
        self.__class__ = _OfPipe
        ep = _pipes.end_of(handle)
        try:
            self._transmit(ep, buf, 0, stored=True)  # a pipe takes what it has room for, and the rest when it has
        except WinsockError:
            self.error = c.ERROR_NO_DATA
            raise win32_error(c.ERROR_NO_DATA) from None

    @face
    def ConnectNamedPipe(self, handle: int) -> bool:
        """ConnectNamedPipe(handle): wait for a client; True when one is there already."""
        self._start_afresh()
        server = _handles.find(handle, _pipes.Server)
        if server.connected:
            if _pipes.peer_gone(server):
                self.error = c.ERROR_NO_DATA
                raise win32_error(c.ERROR_NO_DATA)
            self.status = SUCCESS
            return True
        self._start(lambda: ToldConnecting(current(), server))
        return False


class _OfPipe(Overlapped):
    """One of a pipe's: who asks whether it is under way may be the only one to look."""

    __slots__ = ()
    of_pipe = True

    @property
    def pending(self) -> bool:
        """whether the operation is under way"""
        if self._stage != HANDED or self._started.request.status != PENDING:
            return False
        request = self._started.request
        ts = current()
        _handles.reactor(ts).wait(ts, lambda: None, 0)
        status: int = request.status
        return status == PENDING

    @pending.setter
    def pending(self, value: bool) -> None:
        """The request knows."""


_OfPipe.__name__ = _OfPipe.__qualname__ = "Overlapped"


def numeric(ep: Endpoint, address: Any) -> Address:
    """An address of numbers, as a tuple of the family's length; no names are looked up."""
    try:
        if address[1].__class__ is int:
            return _addresses.numeric_pair(ep.shape.family, address)
    except (LookupError, TypeError):
        pass
    if not isinstance(address, tuple):
        raise TypeError(f"must be tuple, not {type(address).__name__}")
    if len(address) != {c.AF_INET: 2, c.AF_INET6: 4}.get(ep.family, len(address)) or len(address) not in (2, 4):
        raise ValueError("illegal address_as_bytes argument")
    if not _addresses.is_numeric(ep.family, address):
        raise WinsockError(WSA.WSAEINVAL)
    return _addresses.parse(ep.family, address, "address")
