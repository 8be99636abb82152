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
