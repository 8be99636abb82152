"""Functions of the program's that Winsock calls, and that fail."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import pytest
from hostile_calls import TABLE
from test_sweep import outcome

import winsock
import winsock.ws2_32 as ws
from winsock import kernel32 as k32
from winsock.abi import _constants as c
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1


class Failure(Exception):
    pass


def fails(*args: Any) -> int:
    raise Failure


@pytest.fixture
def told(caplog):
    """The failures of the program's own functions that were logged, and forgotten then."""

    def take() -> int:
        n = sum(bool(r.exc_info and r.exc_info[0] in (Failure, TypeError)) for r in caplog.records)
        assert n == len(caplog.records)
        caplog.clear()
        return n

    return take


@pytest.fixture
def pending(zoo):
    """A listener that has a connection to be accepted."""
    client = zoo.socket()
    ws.connect(client, zoo.target4, 16)
    read = bytearray(struct.pack("<I4xQ", 1, zoo.listening))
    assert ws.select(0, read, None, None, struct.pack("<ii", 60, 0)) == 1
    return zoo.listening


@pytest.mark.parametrize("condition", [fails, lambda: 0, lambda *a: 77, lambda *a: -1])
def test_a_condition_that_fails(pending, told, condition):
    """It decides nothing: the connection stays the next one."""
    assert ws.WSAAccept(pending, None, None, condition, 0) == NO_SOCKET
    assert ws.WSAGetLastError() == WSA.WSAEINVAL
    told()
    s = ws.WSAAccept(pending, None, None, lambda *a: c.CF_ACCEPT, 0)
    assert s != NO_SOCKET
    assert ws.closesocket(s) == 0


@pytest.mark.parametrize("address", [1, 2**64 - 1, -1, 2**70, 1.5, "f", b"f", object()])
def test_no_condition_function(pending, address):
    assert ws.WSAAccept(pending, None, None, address, 0) == NO_SOCKET
    assert ws.WSAGetLastError() == WSA.WSAEFAULT
    assert ws.accept(pending, None, None) != NO_SOCKET


def test_a_condition_that_closes_its_listener(pending):
    """It may: the connection goes with it, or comes out; either way nothing is left."""

    def close(*args: Any) -> int:
        assert ws.closesocket(pending) == 0
        return c.CF_ACCEPT

    s = ws.WSAAccept(pending, None, None, close, 0)
    if s != NO_SOCKET:
        assert ws.closesocket(s) == 0


@pytest.mark.parametrize("verdict", [c.CF_DEFER, 77])
def test_a_condition_that_closes_its_listener_and_does_not_accept(pending, verdict):
    def close(*args: Any) -> int:
        assert ws.closesocket(pending) == 0
        return verdict

    assert ws.WSAAccept(pending, None, None, close, 0) == NO_SOCKET


def test_a_hook_that_fails(nothing_left, told):
    """The call that waits ends, and so does nothing else."""
    old = winsock.Process()
    with old.attached():
        assert ws.WSAStartup(0x0101, bytearray(408)) == 0
        s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
        assert ws.bind(s, struct.pack("<HHI8x", c.AF_INET, 0, 0x100007F), 16) == 0
        assert ws.WSASetBlockingHook(fails)
        assert ws.recv(s, bytearray(9), 9, 0) == -1
        assert ws.WSAGetLastError() == WSA.WSAEINTR
        assert told() == 1
        assert ws.WSAIsBlocking() == 0
        assert ws.WSAUnhookBlockingHook() == 0
        name = bytearray(16)
        assert ws.getsockname(s, name, ctypes.c_int(16)) == 0
        assert ws.sendto(s, b"on", 2, 0, name, 16) == 2
        assert ws.recv(s, bytearray(9), 9, 0) == 2
        assert ws.WSACleanup() == 0


def test_an_apc_that_fails(zoo, told):
    """Those behind it run all the same."""
    ran: list[int] = []
    for function in (fails, ran.append, fails, ran.append):
        assert k32.QueueUserAPC(function, zoo.thread, 7) == 1
    assert k32.SleepEx(0, 1) == c.WAIT_IO_COMPLETION
    assert ran == [7, 7]
    assert told() == 2


def test_an_interrupt_of_the_user_is_not_swallowed(pending):
    """KeyboardInterrupt belongs to Python: it goes through, and the connection stays."""

    def interrupt(*args: Any) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ws.WSAAccept(pending, None, None, interrupt, 0)
    s = ws.accept(pending, None, None)
    assert s != NO_SOCKET
    assert ws.closesocket(s) == 0


@pytest.mark.parametrize("address", [None, 0, 1, 2**64 - 1, -1, 2**70, 1.5, "f", b"f", object(), []])
def test_no_hook_function(process, address):
    process.version = 0x0101
    assert ws.WSASetBlockingHook(address) == 0
    assert ws.WSAGetLastError() == WSA.WSAEFAULT
    assert ws.WSASetBlockingHook(lambda: 0) != 0


# What a program of Winsock 1.1 may call while a call of its own blocks, of all that needs WSAStartup.
FROM_A_HOOK = frozenset(("WSAIsBlocking", "WSACancelBlockingCall"))


def test_every_call_from_a_hook(zoo):
    """WSAEINPROGRESS, whatever the arguments, and nothing has changed."""
    calls = [(call, call.args(zoo)) for call in TABLE.values() if call.startup and call.name not in FROM_A_HOOK]
    zoo.state = "udp"
    s = zoo.s
    assert ws.ioctlsocket(s, c.FIONBIO, bytes(4)) == 0
    assert ws.setsockopt(s, c.SOL_SOCKET, c.SO_RCVTIMEO, struct.pack("<I", 1), 4) == 0
    before, wrong = zoo.look(), []
    ran = []

    def hook() -> int:
        for call, args in calls:
            failed, code, result = outcome(call, args)
            if not failed or code != "EINPROGRESS":
                wrong.append((call.name, code, result))
        ran.append(ws.WSAIsBlocking())
        return 0

    zoo.process.version = 0x0101
    assert ws.WSASetBlockingHook(hook)
    assert ws.recv(s, bytearray(9), 9, 0) == -1
    assert ws.WSAGetLastError() == WSA.WSAETIMEDOUT
    assert ws.WSAUnhookBlockingHook() == 0
    zoo.process.version = 0x0202
    assert ran[0] == 1
    assert not wrong
    assert zoo.look() == before
