"""What Twisted's iocpreactor stands on: its own C module, over the core's requests and ports.

Twisted asks for three modules that exist on Windows only.  `twisted_iocpsupport` is here as a whole.  The two that it
makes of pywin32, child processes and events beside sockets, are here by name: what they do is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.abi._sockaddrs import pack_address, unpack_address
from winsock.afd._extended import Accept, Connect
from winsock.afd._receiving import Receive
from winsock.afd._request import Request
from winsock.afd._requests import requests_of
from winsock.afd._sending import Send
from winsock.afd._structures import SUCCESS
from winsock.codes import WSA, WinsockError, ntstatus_to_win32
from winsock.nt import current
from winsock.nt._completion import CompletionPort as Port
from winsock.python import _handles
from winsock.python._oserror import face
from winsock.python._starts import numeric
from winsock.transports import Address, Message

TIMEOUT = c.WAIT_TIMEOUT
SIZES = {c.AF_INET: 16, c.AF_INET6: 28}  # of SOCKADDR_IN and SOCKADDR_IN6


class Event:
    """Event(callback, owner, **more): what comes out of the port when an operation has ended."""

    def __init__(self, callback: Any, owner: Any, **more: Any) -> None:
        self.callback, self.owner = callback, owner
        self.__dict__.update(more)


class CompletionPort:
    """A completion port whose packets carry Events."""

    def __init__(self) -> None:
        self._port = Port()

    @face
    def addHandle(self, handle: int, key: int) -> None:
        """addHandle(socket, key): what ends on the socket comes out here."""
        requests = requests_of(_handles.endpoint(handle))
        with requests.lock:
            if requests.port is not None:
                raise WinsockError(c.ERROR_INVALID_PARAMETER)
            requests.key, requests.port = key, self._port

    def getEvent(self, timeout: int) -> tuple[int, int, int, Event | None]:
        """getEvent(ms): (error, bytes, key, event); (WAIT_TIMEOUT, 0, 0, None) in vain.  Negative: without limit."""
        packets = self._port.packets
        ts = current()
        found: Any = self._port.get(
            ts, _handles.reactor(ts), None if timeout < 0 else timeout, lambda: packets.popleft() if packets else None
        )
        if found is None:
            return TIMEOUT, 0, 0, None
        status, n, key, event = found
        return ntstatus_to_win32(status) if status else 0, n, key, event

    def postEvent(self, n: int, key: int, event: Event | None) -> None:
        """postEvent(bytes, key, event): queue a packet."""
        _post(self._port, n, key, event, SUCCESS)


def _post(port: Any, n: int, key: int, event: Any, status: int) -> None:
    port.post((status, n, key, event))  # the place of OVERLAPPED's address is the event's own here


# -- requests


class _Told(Request):
    """A request that brings its Event to the port."""

    tells: Any = None

    def packet(self, port: Port, key: int) -> None:
        _post(port, self.transferred, key, self.tells, self.status)


class _Receive(_Told, Receive):
    pass


class _Send(_Told, Send):
    pass


class _Accept(_Told, Accept):
    pass


class _Connect(_Told, Connect):
    pass


def _start(make: Callable[[], Any], event: Any) -> int:
    """Start; 0 if the port will tell of it, also when it goes on; else the code that it failed with."""
    try:
        request = make()
        request.tells = event
        request.ep.procs.start(request)
    except WinsockError as e:
        return e.code
    return 0


def _bytes(buffer: Any) -> memoryview:
    return memoryview(buffer).cast("B")


def accept(listening: int, accepting: int, buff: Any, obj: Any) -> int:
    """accept(listener, socket, buffer, event): AcceptEx; the buffer gets the addresses.  An error, or 0."""
    places = _bytes(buff)
    half = len(places) // 2

    def joined(local: Address, remote: Address) -> int:
        for start, address in ((0, local), (half, remote)):
            data = pack_address(into.family, address)
            places[start : start + len(data)] = data
        return SUCCESS

    try:
        listener, into = _handles.endpoint(listening), _handles.endpoint(accepting)
    except WinsockError as e:
        return e.code
    if half < maxAddrLen(accepting):
        return int(WSA.WSAEFAULT)
    return _start(lambda: _Accept(current(), listener, into, joined=joined), obj)


def connect(s: int, addr: tuple[Any, ...], obj: Any) -> int:
    """connect(socket, address, event): ConnectEx; the socket is bound, the address numeric.  An error, or 0."""

    def make() -> _Connect:
        ep = _handles.endpoint(s)
        given = (*addr, 0, 0)[:4] if ep.family == c.AF_INET6 else addr
        return _Connect(current(), ep, numeric(ep, given))

    return _start(make, obj)


def recv(s: int, bufflist: Sequence[Any], obj: Any, flags: int = 0) -> tuple[int, int]:
    """recv(socket, buffers, event[, flags]): WSARecv; (error, 0)."""
    views = [_bytes(b) for b in bufflist]
    return _start(lambda: _Receive(current(), _handles.endpoint(s), views, flags), obj), 0


def recvfrom(
    s: int, buff: Any, addr_buff: Any, addr_len_buff: Any, obj: Any, flags: int = 0
) -> tuple[int, int]:
    """recvfrom(socket, buffer, address, length, event[, flags]): WSARecvFrom; (error, 0)."""
    view, place, length = _bytes(buff), _bytes(addr_buff), _bytes(addr_len_buff)

    def make() -> _Receive:
        ep = _handles.endpoint(s)

        def deliver(message: Message) -> None:
            data = pack_address(ep.family, message.address)
            place[: len(data)] = data
            length[:4] = len(data).to_bytes(4, "little")

        if len(place) < SIZES.get(ep.family, 0) or len(length) < 4:
            raise WinsockError(WSA.WSAEFAULT)
        return _Receive(current(), ep, [view], flags, deliver=deliver)

    return _start(make, obj), 0


def send(s: int, buff: Any, obj: Any, flags: int = 0) -> tuple[int, int]:
    """send(socket, data, event[, flags]): WSASend; (error, 0)."""
    data = _bytes(buff)
    return _start(lambda: _Send(current(), _handles.endpoint(s), [data], flags), obj), 0


# -- addresses


def makesockaddr(buff: Any) -> tuple[str, int]:
    """makesockaddr(buffer): (host, port); an IPv6 host ends in %scope where it has one."""
    address = unpack_address(bytes(buff))
    if len(address) > 2 and address[3]:
        return f"{address[0]}%{address[3]}", address[1]
    host, port = address[:2]
    return host, port


@face
def maxAddrLen(s: int) -> int:
    """maxAddrLen(socket): the size of its family's addresses."""
    size = SIZES.get(_handles.endpoint(s).family)
    if size is None:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    return size


@face
def get_accept_addrs(s: int, buff: Any) -> tuple[int, tuple[str, int], tuple[str, int]]:
    """get_accept_addrs(socket, buffer): (family, local address, remote address) that accept() stored."""
    half = len(buff) // 2
    family = _handles.endpoint(s).family
    return family, makesockaddr(buff[:half]), makesockaddr(buff[half:])


# -- what needs pywin32


class _Refused:
    def __init__(self, *args: Any, **more: Any) -> None:
        raise NotImplementedError("child processes of the iocpreactor need pywin32, which Windows has")


class _ThreadedWin32EventsMixin:
    """Events beside sockets, which Twisted waits for in another thread."""

    def addEvent(self, event: Any, fd: Any, action: str) -> None:
        """Refused."""
        raise NotImplementedError("waiting for Win32 events needs pywin32, which Windows has")

    def removeEvent(self, event: Any) -> None:
        """Refused."""
        raise NotImplementedError("waiting for Win32 events needs pywin32, which Windows has")


FACE: tuple[Callable[..., Any], ...] = (
    CompletionPort, Event, accept, connect, get_accept_addrs, makesockaddr, maxAddrLen, recv, recvfrom, send,
)  # fmt: skip


def make_modules() -> dict[str, ModuleType]:
    """The three, by name."""
    package = ModuleType("twisted_iocpsupport", __doc__)
    package.__path__ = []
    support = ModuleType("twisted_iocpsupport.iocpsupport", __doc__)
    support.__dict__.update({f.__name__: f for f in FACE}, have_connectex=True)
    package.__dict__["iocpsupport"] = support
    processes = ModuleType("twisted.internet._dumbwin32proc")
    processes.__dict__["Process"] = _Refused
    events = ModuleType("twisted.internet.win32eventreactor")
    events.__dict__["_ThreadedWin32EventsMixin"] = _ThreadedWin32EventsMixin
    return {module.__name__: module for module in (package, support, processes, events)}
