"""Receiving and sending."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import addressof, c_char
from typing import Any

from winsock.abi import _constants as c
from winsock.afd import _connection, _control, _events, _urgent
from winsock.afd._endpoint import SENDS, Endpoint, State
from winsock.afd._rules import check
from winsock.afd._shape import DISCARD
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.nt._virtual import Pages
from winsock.transports import ERROR, RDHUP, READ, URGENT, WRITE, Address, Message

RECV_FLAGS = c.MSG_OOB | c.MSG_PEEK | c.MSG_DONTROUTE | c.MSG_WAITALL | c.MSG_PUSH_IMMEDIATE | c.MSG_PARTIAL
SEND_FLAGS = c.MSG_OOB | c.MSG_DONTROUTE | c.MSG_PARTIAL
NOT_WITH_WAITALL = c.MSG_OOB | c.MSG_PEEK | c.MSG_PARTIAL

UDP_CONNRESET = (0, c.SIO_UDP_CONNRESET)  # in Endpoint.options: 0 for "tell nothing of unreachable ports"
UDP_NETRESET = (0, c.SIO_UDP_NETRESET)  # the same for datagrams whose time to live ran out

# The codes after which a stream is lost for good.
_LOSSES = frozenset({WSA.WSAECONNRESET, WSA.WSAECONNABORTED, WSA.WSAENETRESET, WSA.WSAETIMEDOUT})


class Truncated(WinsockError):
    """WSAEMSGSIZE of a receive: a message was longer than the buffers.  They are filled; the rest is gone."""

    __slots__ = ("message",)

    def __init__(self, message: Message) -> None:
        super().__init__(WSA.WSAEMSGSIZE)
        self.message = message


def recv(ep: Endpoint, views: Sequence[Any], flags: int) -> tuple[int, Address | None, int]:
    """Receive into these buffers: bytes stored, sender (messages), MSG_* flags of what came.

    Truncated (WSAEMSGSIZE) when a message was longer than the buffers; they are filled all the same.
    """
    if not ep.extra:
        return _recv(ep, views, flags)
    code = 0
    try:
        return _recv(ep, views, flags)
    except WinsockError as e:
        code = e.code
        raise
    finally:
        _events.told(ep, _events.RECEIVE_URGENT if flags & c.MSG_OOB else _events.RECEIVE, code)


def _recv(ep: Endpoint, views: Sequence[Any], flags: int) -> tuple[int, Address | None, int]:
    if "requests" in ep.extra:
        _take_turn(ep)
    if not ep.stream:
        message = _recv_message(ep, views, False, flags)
        if message.size > message.stored:
            raise Truncated(message)
        return message.stored, message.address, 0
    check_receive(ep)
    if flags:
        check_recv_flags(ep, flags, not ep.nonblocking)
        if flags & c.MSG_OOB:
            return _recv_urgent(ep, views, flags), None, c.MSG_OOB
    return _recv_stream(ep, views, flags), None, 0


def recv_message(ep: Endpoint, views: Sequence[Any], control: bool, flags: int) -> Message:
    """Receive a message, with its control data if asked for; one that is too long is not an error here."""
    if "requests" in ep.extra:
        _take_turn(ep)
    code = 0
    try:
        return _recv_message(ep, views, control, flags)
    except WinsockError as e:
        code = e.code
        raise
    finally:
        if ep.extra:
            _events.told(ep, _events.RECEIVE, code)


def _recv_message(ep: Endpoint, views: Sequence[Any], control: bool, flags: int) -> Message:
    check_receive(ep)
    if flags:
        check_recv_flags(ep, flags, not ep.nonblocking)
    transport = ep.transport
    timeout = float(ep.receive_timeout) if ep.receive_timeout else None
    dirty = None
    try:
        while True:
            try:
                if control or len(views) != 1:
                    message = transport.receive_message(views, control, flags)
                    if message.control:
                        message = message._replace(control=_control.wanted(ep, message.control))
                    return message
                size, address = transport.receive_from(views[0], flags)
                return Message(min(size, len(views[0])), size, address, [], 0)
            except WinsockError as e:
                if e.code == WSA.WSAEWOULDBLOCK:
                    if ep.nonblocking:
                        raise
                elif not ignored(ep, e.code):
                    raise
                else:
                    continue
            if dirty is None:
                dirty = mark_pages(ep, views)
            if not wait_ready(ep, READ, timeout, WSA.WSAEINTR):
                raise WinsockError(WSA.WSAETIMEDOUT)
    finally:
        if dirty:
            settle_pages(ep, dirty)


def send(
    ep: Endpoint,
    views: Sequence[Any],
    flags: int,
    address: Address | None = None,
    control: Sequence[tuple[int, int, bytes]] = (),
) -> int:
    """Send these buffers; a blocking stream takes all of them.  How many bytes went.

    A non-blocking stream takes what there is room for.
    """
    try:
        return _send(ep, views, flags, address, control)
    except WinsockError as e:
        if ep.extra:
            _events.told(ep, _events.SEND, e.code)
        raise


def _send(
    ep: Endpoint,
    views: Sequence[Any],
    flags: int,
    address: Address | None,
    control: Sequence[tuple[int, int, bytes]],
) -> int:
    stream = ep.stream
    check_send(ep, address)
    if flags:
        check_send_flags(ep, flags)
    if stream:
        if flags & c.MSG_OOB:
            return send_urgent(ep, views, flags)
        return _send_stream(ep, views, flags)
    if ep.state is State.OPEN:
        _connection.autobind(ep)
    timeout = float(ep.send_timeout) if ep.send_timeout else None
    while True:
        try:
            return ep.transport.transmit_message(views, control, flags, address)
        except WinsockError as e:
            if e.code != WSA.WSAEWOULDBLOCK or ep.nonblocking:
                raise
        if not wait_ready(ep, WRITE, timeout, WSA.WSAEINTR):
            raise WinsockError(WSA.WSAETIMEDOUT)


def lost(ep: Endpoint, code: int) -> None:
    """A call failed with this code: if a stream's connection is gone, it stays gone."""
    if code in _LOSSES and ep.type == c.SOCK_STREAM:
        ep.became_reset(code)


def check_lost(ep: Endpoint) -> None:
    """Raise what ended the connection, if another request or call has met it: it is the end of all that wait."""
    if ep.state is State.RESET:
        raise WinsockError(ep.extra.get("lost", WSA.WSAECONNRESET))


def check_alive(ep: Endpoint) -> None:
    """Raise what ended the connection, if something did and no call has met it yet."""
    if ep.stream and ep.state is State.CONNECTED and ep.transport.readiness() & ERROR:
        code = ep.transport.broken()
        if code:
            lost(ep, code)
            raise WinsockError(code)


# -- checks


def check_receive(ep: Endpoint) -> None:
    """Refuse what the state refuses."""
    state = ep.state
    if ep.receive_shut or (state is not State.CONNECTED and (state is not State.BOUND or ep.stream)):
        _connection.poll_connect(ep)
        check(ep, "recv")
        if ep.state is State.RESET:
            raise WinsockError(ep.extra.get("lost", WSA.WSAECONNRESET))


def check_send(ep: Endpoint, address: Address | None) -> None:
    """Refuse what the state refuses; without an address, the peer has to be known."""
    stream, state = ep.stream, ep.state
    if (
        ep.send_shut
        or (state is not State.CONNECTED if stream else state is not State.BOUND)
        or not (stream or address is not None or ep.remote)
    ):
        _connection.poll_connect(ep)
        if ep.state is State.RESET and not ep.send_shut:
            raise WinsockError(ep.extra.get("lost", WSA.WSAECONNRESET))
        check(ep, "send" if address is None else "sendto")


def check_recv_flags(ep: Endpoint, flags: int, waits: bool) -> None:
    """Order: what no call knows, what this protocol has not, what does not go together.

    waits    the receive may take its time, so that it can wait for all; an overlapped one always may (fact)
    """
    if flags & ~RECV_FLAGS:
        raise WinsockError(WSA.WSAEINVAL)
    if flags & c.MSG_OOB:
        _check_urgent(ep)
    if flags & c.MSG_WAITALL and (not ep.stream or not waits or flags & NOT_WITH_WAITALL):
        raise WinsockError(WSA.WSAEOPNOTSUPP)


def check_send_flags(ep: Endpoint, flags: int) -> None:
    """Order: what no call knows, what this protocol has not."""
    if flags & ~SEND_FLAGS:
        raise WinsockError(WSA.WSAEINVAL)
    if flags & c.MSG_PARTIAL:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if flags & c.MSG_OOB:
        _check_urgent(ep)


def _check_urgent(ep: Endpoint) -> None:
    if not ep.stream or ep.family == c.AF_UNIX:
        raise WinsockError(WSA.WSAEOPNOTSUPP)
    if _urgent.inline(ep):
        raise WinsockError(WSA.WSAEINVAL)


def ignored(ep: Endpoint, code: int) -> bool:
    """Whether this ICMP error is one that the program does not want to know."""
    if ep.type != c.SOCK_DGRAM:
        return False
    if code == WSA.WSAECONNRESET:
        return not ep.options.get(UDP_CONNRESET, 1)
    if code == WSA.WSAENETRESET:
        return not ep.options.get(UDP_NETRESET, 1)
    return False


# -- streams


def _recv_stream(ep: Endpoint, views: Sequence[Any], flags: int) -> int:
    wanted = sum(map(len, views))
    if not wanted:
        # No room: it waits for data all the same, and takes none.
        _recv_stream(ep, [memoryview(bytearray(1))], c.MSG_PEEK)
        return 0
    transport = ep.transport
    wait_all = flags & c.MSG_WAITALL
    end: float | None = None
    dirty = None
    rest = views
    total = 0
    try:
        while True:
            if ep.extra and (n := _take_joined(ep, rest, flags)):
                return total + n
            if DISCARD in ep.process.services:
                check_alive(ep)
            try:
                n = transport.receive(rest, flags)
            except WinsockError as e:
                if e.code != WSA.WSAEWOULDBLOCK:
                    lost(ep, e.code)
                    if total:
                        return total  # the next call tells
                    raise
                if ep.nonblocking:
                    raise
            else:
                total += n
                if not total:
                    check_lost(ep)  # another thread has been told; the network tells only once
                if not wait_all or not n or total == wanted:
                    return total
                rest = remaining(views, total)
                continue
            if dirty is None:
                dirty = mark_pages(ep, views)
                if ep.receive_timeout:
                    end = ep.network.now() + ep.receive_timeout
            left = None if end is None else max(0.0, end - ep.network.now())
            if not wait_ready(ep, READ, left, WSA.WSAECONNABORTED, lambda: _urgent.joined(ep)):
                raise WinsockError(WSA.WSAETIMEDOUT)
    finally:
        if dirty:
            settle_pages(ep, dirty)


def _take_joined(ep: Endpoint, views: Sequence[Any], flags: int) -> int:
    return _urgent.take_joined(ep, views[0], bool(flags & c.MSG_PEEK)) if _urgent.joined(ep) else 0


def _recv_urgent(ep: Endpoint, views: Sequence[Any], flags: int) -> int:
    """One urgent byte; waits for one as recv waits for data."""
    view = next((v for v in views if len(v)), None)
    timeout = float(ep.receive_timeout) if ep.receive_timeout else None
    while True:
        if _urgent.waiting(ep):
            return _urgent.take(ep, view, bool(flags & c.MSG_PEEK)) if view is not None else 0
        try:
            if view is None:
                ep.transport.receive([memoryview(bytearray(1))], flags | c.MSG_PEEK)
                return 0
            return ep.transport.receive([view], flags)
        except WinsockError as e:
            if e.code not in (WSA.WSAEWOULDBLOCK, WSA.WSAEINVAL):  # Linux: EINVAL while there is none
                lost(ep, e.code)
                raise
        if _urgent.ended(ep):
            if not ep.transport.waiting(False):
                check_alive(ep)
            return 0
        if ep.nonblocking:
            raise WinsockError(WSA.WSAEWOULDBLOCK)
        if not wait_ready(ep, URGENT | RDHUP, timeout, WSA.WSAECONNABORTED, lambda: _urgent.waiting(ep)):
            raise WinsockError(WSA.WSAETIMEDOUT)


def _take_turn(ep: Endpoint) -> None:
    """Overlapped receives that wait come first."""
    from winsock.afd._receiving import take_turn

    check_receive(ep)
    take_turn(ep, float(ep.receive_timeout) if ep.receive_timeout else None)


def _send_stream(ep: Endpoint, views: Sequence[Any], flags: int) -> int:
    if SENDS in ep.extra:
        from winsock.afd._sending import send_after

        if (accepted := send_after(ep, views)) is not None:
            return accepted
    total = sum(map(len, views))
    sent = 0
    end: float | None = None
    rest = views
    transport = ep.transport
    while True:
        try:
            sent += transport.transmit(rest, flags)
        except WinsockError as e:
            if e.code != WSA.WSAEWOULDBLOCK:
                lost(ep, e.code)
                raise
            if ep.nonblocking:
                raise
        else:
            if sent >= total or ep.nonblocking:
                return sent
            rest = remaining(views, sent)
            continue
        if end is None and ep.send_timeout:
            end = ep.network.now() + ep.send_timeout
        left = None if end is None else max(0.0, end - ep.network.now())
        if not wait_ready(ep, WRITE, left, WSA.WSAECONNABORTED):
            raise WinsockError(WSA.WSAETIMEDOUT)


def send_urgent(ep: Endpoint, views: Sequence[Any], flags: int) -> int:
    """The last byte of these is the urgent one."""
    views = [v for v in views if len(v)]
    plain = flags & ~c.MSG_OOB
    if not views or _urgent.reaches_inline(ep):
        return _send_stream(ep, views, plain)
    last = memoryview(views[-1]).cast("B")
    before = [*views[:-1], last[:-1]]
    ordinary = sum(map(len, before))
    if ordinary:
        sent = _send_stream(ep, [v for v in before if len(v)], plain)
        if sent < ordinary:
            return sent
    try:
        if _urgent.deliver(ep, last[-1]):
            return ordinary + 1
        return ordinary + _send_stream(ep, [last[-1:]], flags)
    except WinsockError as e:
        if not ordinary:
            raise
        # The other end's answer to the data before it may have broken the connection: the next call tells.
        return ordinary + (ep.state is State.RESET or e.code == WSA.WSAENOTCONN)


def remaining(views: Sequence[Any], done: int) -> list[Any]:
    """What is left of the buffers after so many bytes."""
    rest = []
    for view in views:
        n = len(view)
        if done >= n:
            done -= n
        else:
            rest.append(memoryview(view)[done:])
            done = 0
    return rest


# -- write watches


def mark_pages(ep: Endpoint, views: Sequence[Any]) -> list[tuple[int, int]]:
    """Where a receive that waits has its buffers: their pages count as written already (fact)."""
    pages: Pages | None = ep.process.services.get("pages")
    if pages is None or not pages.watching:
        return []
    places = [(addressof(c_char.from_buffer(v)), len(v)) for v in views if len(v)]
    for place in places:
        pages.touch(*place)
    return places


def settle_pages(ep: Endpoint, places: list[tuple[int, int]]) -> None:
    pages: Pages = ep.process.services["pages"]
    for place in places:
        pages.filled(*place)
