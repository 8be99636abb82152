"""WSAEventSelect, WSAEnumNetworkEvents, WSAAsyncSelect."""

from __future__ import annotations

import operator
import struct
from typing import Any

from winsock.abi import _constants as c
from winsock.api._call import INVALID_SOCKET, SOCKET_ERROR, dword, endpoint, export
from winsock.api._events import event_object
from winsock.codes import WSA, WinsockError
from winsock.nt import Process, ThreadState, memory
from winsock.nt._messages import Desktop
from winsock.nt._objects import Event

NETWORK_EVENTS = struct.Struct("<i10i")  # WSANETWORKEVENTS: lNetworkEvents, iErrorCode by the events' bit numbers

WORD = struct.Struct("<i")


def _event(ts: ThreadState, handle: Any) -> Event:
    """WSAEINVAL for what is no event."""
    try:
        return event_object(ts, handle)
    except (WinsockError, TypeError):
        raise WinsockError(WSA.WSAEINVAL) from None


@export(SOCKET_ERROR)
def WSAEventSelect(ts: ThreadState, s: int, hEventObject: Any, lNetworkEvents: int) -> int:
    """Signal an event object when one of these network events is recorded; in place of what was selected before.

    s                an endpoint; it does not block from now on, and cannot be made to while events are selected
    hEventObject     NULL only to select nothing
    lNetworkEvents   FD_* bits; 0 ends the selection

    An event is recorded when it happens, selected or not, and once only until the call that answers it: FD_READ a
    receive, FD_OOB a receive of urgent data, FD_ACCEPT an accept, FD_WRITE a send that failed with WSAEWOULDBLOCK.
    New data, and new connections, are recorded without an answer too.  Sockets that a listener accepts have its
    selection.

    WSAENOTSOCK, WSAEINVAL (no event object), WSAENOBUFS.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    mask = dword(lNetworkEvents) & c.FD_ALL_EVENTS
    event = None if not mask and memory.is_null(hEventObject) else _event(ts, hEventObject)
    ep.procs.event_select(ep, mask, event)
    return 0


@export(SOCKET_ERROR)
def WSAEnumNetworkEvents(ts: ThreadState, s: int, hEventObject: Any, lpNetworkEvents: Any) -> int:
    """What is recorded of the selected network events, and reset an event object in the same step.

    hEventObject      may be NULL
    lpNetworkEvents   a WSANETWORKEVENTS: the bits, and for each bit that is set its error code at iErrorCode[bit];
                      the other codes stay as they are.  FD_CONNECT: what the connect failed with.  FD_CLOSE:
                      WSAECONNABORTED when the connection was lost

    What was told is recorded no more.  WSAENOTSOCK, WSAEFAULT, WSAEINVAL (no event object).
    Source: document, facts.
    """
    ep = endpoint(ts, s)
    event = None if memory.is_null(hEventObject) else _event(ts, hEventObject)
    if type(lpNetworkEvents) is bytearray and len(lpNetworkEvents) >= NETWORK_EVENTS.size:
        found = ep.procs.enum_network_events(ep, event)
        WORD.pack_into(lpNetworkEvents, 0, sum(found))
        for bit, code in found.items():
            WORD.pack_into(lpNetworkEvents, 4 * bit.bit_length(), code)
        return 0
    memory.writable(lpNetworkEvents, NETWORK_EVENTS.size)
    found = ep.procs.enum_network_events(ep, event)
    values = list(NETWORK_EVENTS.unpack(memory.read(lpNetworkEvents, NETWORK_EVENTS.size)))
    values[0] = sum(found)
    for bit, code in found.items():
        values[bit.bit_length()] = code
    memory.write(lpNetworkEvents, NETWORK_EVENTS.pack(*values))
    return 0


class _Poster:
    """Posts a socket's events to a window."""

    __slots__ = ("hwnd", "number", "process")

    def __init__(self, process: Process, hwnd: int, number: int) -> None:
        self.process, self.hwnd, self.number = process, hwnd, number

    def __call__(self, s: int, event: int, code: int) -> None:
        try:
            window = Desktop.of(self.process).find(self.hwnd)
            window.queue.post(self.hwnd, self.number, s, code << 16 | event)
        except WinsockError:
            pass  # the window is gone, or its thread does not look: nobody to tell


@export(SOCKET_ERROR)
def WSAAsyncSelect(ts: ThreadState, s: int, hWnd: Any, wMsg: int, lEvent: int) -> int:
    """Post a message to a window for each of these network events; in place of what was selected before.

    s        see WSAEventSelect
    hWnd     the window; wMsg the message: wParam is the socket, lParam's low word the event, its high word the error
    lEvent   FD_* bits; 0 ends the selection, though messages may wait in the queue

    What holds already is posted at once, but no connect that is done.  Then there is one message of a kind until the
    call that answers it (see WSAEventSelect).  FD_CLOSE: WSAECONNABORTED when the connection was lost.

    WSAENOTSOCK, WSAEINVAL (no such window), WSAENOBUFS.  Source: document, facts.
    """
    ep = endpoint(ts, s)
    mask = dword(lEvent) & c.FD_ALL_EVENTS
    poster = None
    if mask:
        hwnd = 0 if hWnd is None else operator.index(hWnd) & INVALID_SOCKET
        try:
            Desktop.of(ts.process).find(hwnd)
        except WinsockError:
            raise WinsockError(WSA.WSAEINVAL) from None
        poster = _Poster(ts.process, hwnd, dword(wMsg))
    ep.procs.async_select(ep, mask, poster)
    return 0
