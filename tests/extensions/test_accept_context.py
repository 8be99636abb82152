"""SO_UPDATE_ACCEPT_CONTEXT before AcceptEx has a connection: there is nothing to update."""

from __future__ import annotations

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA


def test_refused_until_there_is_a_connection(lab):
    listener = lab.listener()
    s, ov, _ = lab.accept_ex(listener)
    data = listener.to_bytes(8, "little")
    assert ws.setsockopt(s, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, data, 8) == -1
    assert ws.WSAGetLastError() == WSA.WSAENOTCONN
    lab.client(listener)
    assert lab.end(s, ov) == (1, 0, 0)
    lab.update(s, listener)
    lab.peer(s)


def accepted(lab, listener):
    s, ov, _ = lab.accept_ex(listener)
    lab.client(listener)
    assert lab.end(s, ov) == (1, 0, 0)
    return s


def test_each_of_many_is_told_what_is_wrong_with_its_own(lab):
    """The first is looked at the long way, those after it are known to have the option."""
    listener = lab.listener()
    for _ in range(3):
        s = accepted(lab, listener)
        for handle, size, code in (
            (0, 8, WSA.WSAENOTSOCK),
            (s, 8, WSA.WSAEINVAL),  # no listener
            (listener, 7, WSA.WSAEFAULT),
            (listener, 4, WSA.WSAEFAULT),
        ):
            data = handle.to_bytes(8, "little")
            assert ws.setsockopt(s, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, data, size) == -1
            assert ws.WSAGetLastError() == code
        assert ws.setsockopt(s, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, bytes(4), 8) == -1
        assert ws.WSAGetLastError() == WSA.WSAEFAULT
        lab.update(s, listener)
        lab.peer(s)
        lab.update(s, listener)  # once more does no harm


def test_the_listeners_options_are_taken_each_time(lab):
    listener = lab.listener()
    for value in (0, 1, 0):
        assert ws.setsockopt(listener, c.SOL_SOCKET, c.SO_KEEPALIVE, value.to_bytes(4, "little"), 4) == 0
        s = accepted(lab, listener)
        lab.update(s, listener)
        room, size = bytearray(4), bytearray(b"\4\0\0\0")
        assert ws.getsockopt(s, c.SOL_SOCKET, c.SO_KEEPALIVE, room, size) == 0
        assert room[0] == value


def test_what_is_noted_of_the_connection_is_known_at_once(lab):
    s = accepted(lab, lab.listener())
    ep = lab.process.sockets[s]
    shape = ep.shape
    ep.refresh()
    assert ep.shape is shape
    assert ep.unsettled
