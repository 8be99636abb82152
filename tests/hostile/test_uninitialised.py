"""Calls of a program that has not called WSAStartup, or has called WSACleanup."""

from __future__ import annotations

import ctypes

import pytest
from hostile_calls import TABLE
from test_sweep import outcome, values

import winsock
import winsock.ws2_32 as ws
from winsock.codes import WSA

NEEDS = [name for name, call in TABLE.items() if call.startup]
# What works without: whoever reads the list sees what is missing in it.
FREE = (
    "WSAStartup WSAGetLastError WSASetLastError __WSAFDIsSet htonl htons ntohl ntohs inet_addr inet_ntoa inet_pton "
    "inet_ntop InetPtonW InetNtopW freeaddrinfo FreeAddrInfoW FreeAddrInfoEx FreeAddrInfoExW WSCEnumProtocols "
    "WSCGetProviderInfo WSCGetProviderPath GetAddrInfoExCancel GetAddrInfoExOverlappedResult"
).split()


def test_which_calls_need_it():
    assert {name for name, call in TABLE.items() if not call.startup and hasattr(ws, name)} == set(FREE)


@pytest.mark.parametrize("name", NEEDS)
def test_not_initialised(zoo, name):
    """Whatever else is wrong with the arguments."""
    call = TABLE[name]
    args = call.args(zoo)
    many = [args]
    for i, kind in enumerate(call.kinds):
        many += [[*args[:i], value, *args[i + 1 :]] for _, value in values(kind, zoo)]
    never = winsock.Process()
    with never.attached():
        for some in many:
            assert outcome(call, some)[:2] == (True, "NOTINITIALISED"), some
    assert not never.sockets


def test_after_the_last_cleanup(process):
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    s = ws.socket(2, 1, 0)
    assert ws.WSACleanup() == 0
    assert ws.getsockopt(s, 0xFFFF, 0x1008, bytearray(4), ctypes.c_int(4)) == 0
    assert ws.WSACleanup() == 0
    for call in (ws.closesocket, ws.WSACleanup, ws.socket):
        args = {"closesocket": (s,), "WSACleanup": (), "socket": (2, 1, 0)}[call.__name__]
        assert call(*args) in (-1, (1 << 64) - 1)
        assert ws.WSAGetLastError() == WSA.WSANOTINITIALISED
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    assert ws.closesocket(s) == -1
    assert ws.WSAGetLastError() == WSA.WSAENOTSOCK
