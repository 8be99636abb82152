"""NULL is None, and the address 0."""

from __future__ import annotations

import ctypes

import pytest
from hostile_calls import TABLE
from test_sweep import MAKERS, outcome

import winsock.ws2_32 as ws

POINTERS = "PpOoLlTtCcxa*"
PLACES = [
    (name, i)
    for name, call in TABLE.items()
    for i, kind in enumerate(call.kinds)
    if kind in POINTERS and (name, i) not in {("select", 0), ("select", 4)}
]


class Zero(int):
    """A 0 of a class of its own."""


@pytest.mark.parametrize(("name", "i"), PLACES)
def test_zero_is_null(zoo, name, i):
    """In each state the call ends alike; where it succeeds, with the same result."""
    call = TABLE[name]
    for state in zoo.STATES if "s" in call.kinds else ["fresh"]:
        zoo.state = state
        ends = []
        for null in (None, 0, Zero(0)):
            args = call.args(zoo)
            args[i] = null
            failed, code, result = outcome(call, args)
            if name in MAKERS and not failed:
                assert ws.closesocket(result) == 0
            kept = [bytes(a) for j, a in enumerate(args) if isinstance(a, (bytearray, ctypes.c_int)) and j != i]
            ends.append((failed, code, kept if name not in MAKERS and "GetTemp" not in name else None))
            zoo.renew(state)
        shown = ends if not {name} & VARYING else [end[:2] for end in ends]
        assert shown[0] == shown[1] == shown[2], (name, state)


# What these store is another each time: addresses, ports, tickets, what a file has next.
VARYING = frozenset(
    name
    for name in TABLE
    if name.startswith(("getsockname", "WSAConnectBy", "WSADuplicate", "getaddr", "GetA", "WSARecvMsg", "recvfrom"))
    or name in ("NtOpenFile", "NtCreateFile")
    or name in ("WSARecvFrom", "getpeername", "accept", "WSAAccept", "WSASendMsg", "WSAIoctl", "ReadFile", "select")
)
