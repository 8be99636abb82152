"""Receiving and sending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from winsock.afd import _connection
from winsock.afd._endpoint import Endpoint, State
from winsock.afd._rules import check
from winsock.afd._wait import wait_ready
from winsock.codes import WSA, WinsockError
from winsock.transports import READ, WRITE, Address


def recv(ep: Endpoint, views: Sequence[Any], flags: int) -> tuple[int, Address | None, int]:
    """Receive into these buffers: bytes stored, sender (datagrams), MSG_* flags of what came.

    WSAEMSGSIZE when a datagram was longer than the buffers; they are filled all the same.
    """
    _connection.poll_connect(ep)
    check(ep, "recv")
    timeout = float(ep.receive_timeout) if ep.receive_timeout else None
    total = 0
    while True:
        try:
            message = ep.transport.receive_message(views, 0, flags)
        except WinsockError as e:
            if e.code != WSA.WSAEWOULDBLOCK or ep.nonblocking:
                if e.code in (WSA.WSAECONNRESET, WSA.WSAETIMEDOUT) and ep.stream:
                    ep.became_reset()
                raise
        else:
            total = message.stored
            if message.size > message.stored and not ep.stream:
                raise WinsockError(WSA.WSAEMSGSIZE)
            return total, message.address, 0
        if not wait_ready(ep, READ, timeout, WSA.WSAECONNABORTED):
            raise WinsockError(WSA.WSAETIMEDOUT)


def send(ep: Endpoint, views: Sequence[Any], flags: int, address: Address | None = None) -> int:
    """Send these buffers; a blocking stream takes all of them.  How many bytes went."""
    _connection.poll_connect(ep)
    check(ep, "send" if address is None else "sendto")
    if ep.stream:
        address = None
    elif ep.state is State.OPEN:
        _connection.autobind(ep)
    total = sum(len(v) for v in views)
    sent = 0
    timeout = float(ep.send_timeout) if ep.send_timeout else None
    rest: Sequence[Any] = views
    while True:
        try:
            sent += ep.transport.transmit_message(rest, (), flags, address)
        except WinsockError as e:
            if e.code != WSA.WSAEWOULDBLOCK or ep.nonblocking:
                if e.code in (WSA.WSAECONNRESET, WSA.WSAETIMEDOUT) and ep.stream:
                    ep.became_reset()
                raise
        else:
            if sent >= total or not ep.stream or ep.nonblocking:
                return sent
            rest = _remaining(views, sent)
        if not wait_ready(ep, WRITE, timeout, WSA.WSAECONNABORTED):
            raise WinsockError(WSA.WSAETIMEDOUT)


def _remaining(views: Sequence[Any], sent: int) -> list[Any]:
    """What is left of the buffers after so many bytes."""
    rest = []
    for view in views:
        n = len(view)
        if sent >= n:
            sent -= n
        else:
            rest.append(memoryview(view)[sent:])
            sent = 0
    return rest


