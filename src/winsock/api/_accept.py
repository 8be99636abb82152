"""WSAAccept: a condition function decides before there is a new socket."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import Any

from winsock.abi._sockaddrs import pack_address
from winsock.api import _pointers
from winsock.api._buffers import WSABUF
from winsock.api._call import INVALID_SOCKET, c_int, endpoint, export
from winsock.api._sockets import accept_into, given
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState
from winsock.transports import Address, TransportSocket

NO_VERDICT = -1
GROUP_SIZE = 4  # the g parameter: a GROUP

_log = logging.getLogger("winsock")


@export(INVALID_SOCKET)
def WSAAccept(ts: ThreadState, s: int, addr: Any, addrlen: Any, lpfnCondition: Any, dwCallbackData: Any) -> int:
    """accept(), if a condition function agrees.

    lpfnCondition    a callable of 8 arguments, or NULL: lpCallerId and lpCallerData (pointers to WSABUFs: the peer's
                     address; no data), lpSQOS and lpGQOS (NULL), lpCalleeId and lpCalleeData (WSABUFs: the local
                     address; no room for data), g (pointer to a GROUP), dwCallbackData.  It returns CF_ACCEPT,
                     CF_REJECT or CF_DEFER; it runs on the calling thread.

    WSAECONNREFUSED after CF_REJECT (the peer is reset), WSATRY_AGAIN after CF_DEFER (the connection stays the next
    one), WSAEINVAL after anything else; else as accept().  Source: document, facts.
    """
    ep = endpoint(ts, s)
    condition = None
    if given(lpfnCondition):
        condition = _condition(ts, ep.family, _callable(lpfnCondition), dwCallbackData)
    return accept_into(ts, ep, addr, addrlen, condition)


def _callable(pointer: Any) -> Callable[..., Any]:
    if callable(pointer):
        function: Callable[..., Any] = pointer
        return function
    try:
        return _pointers.function(pointer)
    except (KeyError, TypeError, ValueError):
        raise WinsockError(WSA.WSAEFAULT) from None


class _Buffer:
    """A WSABUF with an address of its own, and the bytes it points to."""

    def __init__(self, data: bytes) -> None:
        self.data = ctypes.create_string_buffer(data, max(1, len(data)))
        where = ctypes.addressof(self.data) if data else 0
        self.head = ctypes.create_string_buffer(WSABUF.pack(len(data), where), WSABUF.size)
        self.address = ctypes.addressof(self.head)


def _condition(
    ts: ThreadState, family: int, function: Callable[..., Any], data: Any
) -> Callable[[TransportSocket, Address], int]:
    """The condition function with C's arguments made for it; the memory lives as long as the call."""

    def decide(transport: TransportSocket, peer: Address) -> int:
        local = transport.local_name()
        caller = _Buffer(pack_address(family, peer))
        callee = _Buffer(pack_address(family, local) if local is not None else b"")
        nothing, no_room = _Buffer(b""), _Buffer(b"")
        group = ctypes.create_string_buffer(GROUP_SIZE)
        before, ts.in_callback = ts.in_callback, True
        try:
            verdict = function(
                caller.address,
                nothing.address,
                None,
                None,
                callee.address,
                no_room.address,
                ctypes.addressof(group),
                data,
            )
        except Exception:  # C code could not raise through Winsock either
            _log.exception("a condition function failed: %r", function)
            return NO_VERDICT
        finally:
            ts.in_callback = before
        return c_int(verdict or 0)

    return decide
