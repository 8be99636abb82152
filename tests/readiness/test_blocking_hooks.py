"""What Winsock 1.1 programs do while they block, and what Winsock 2 programs are told instead."""

from __future__ import annotations

import ctypes

import pytest
from fdsets import fd_set, timeval
from processes import started

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA


@pytest.fixture
def old():
    """A process that negotiated Winsock 1.1."""
    with started(0x0101):
        yield
        ws.WSAUnhookBlockingHook()


def failed(result, value=-1):
    assert result == value
    return ws.WSAGetLastError()


def udp():
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert ws.bind(s, c.AF_INET.to_bytes(2, "little") + bytes(2) + b"\x7f\0\0\x01" + bytes(8), 16) == 0
    return s


def send_to_itself(s):
    """Without Winsock, as a hook would have it done by others."""
    from winsock.nt import current

    transport = current().process.sockets[s].transport
    transport.sendto(b"x", transport.getsockname())


# ################ Winsock 2 ################


def test_winsock_2_has_none_of_it(net):
    assert failed(ws.WSASetBlockingHook(lambda: 0), 0) == WSA.WSAEOPNOTSUPP
    assert failed(ws.WSAUnhookBlockingHook()) == WSA.WSAEOPNOTSUPP
    assert failed(ws.WSACancelBlockingCall()) == WSA.WSAEOPNOTSUPP
    assert failed(ws.WSAIsBlocking(), 0) == WSA.WSAEOPNOTSUPP


def test_before_the_start():
    with winsock.Process().attached():
        assert failed(ws.WSASetBlockingHook(lambda: 0), 0) == WSA.WSANOTINITIALISED
        assert failed(ws.WSACancelBlockingCall()) == WSA.WSANOTINITIALISED


# ################ Winsock 1.1 ################


def test_setting_a_hook_gives_the_one_before(old):
    def hook():
        return 0

    default = ws.WSASetBlockingHook(hook)
    assert winsock.function(default)() == 0
    mine = ws.WSASetBlockingHook(default)
    assert winsock.function(mine) is hook
    assert ws.WSASetBlockingHook(mine) == default
    assert ws.WSAUnhookBlockingHook() == 0
    assert ws.WSASetBlockingHook(hook) == default


@pytest.mark.parametrize("bad", [None, 0, 0x1234, "hook"])
def test_a_bad_hook(old, bad):
    assert failed(ws.WSASetBlockingHook(bad), 0) == WSA.WSAEFAULT


def test_the_hook_runs_while_a_call_blocks(old):
    s = udp()
    seen = []

    def hook():
        seen.append(ws.WSAIsBlocking())
        if len(seen) == 3:
            send_to_itself(s)
        return 0

    assert ws.WSAIsBlocking() == 0
    assert ws.WSASetBlockingHook(hook)
    assert ws.recv(s, bytearray(5), 5, 0) == 1
    assert set(seen) == {1}
    assert len(seen) >= 3
    assert ws.WSAIsBlocking() == 0


def test_a_hook_that_returns_true_runs_again_at_once(old):
    s = udp()
    turns = iter([1, 1, 1, 0])
    ran = []

    def hook():
        ran.append(1)
        more = next(turns, 0)
        if not more:
            send_to_itself(s)
        return more

    assert ws.WSASetBlockingHook(hook)
    assert ws.select(0, fd_set(s), None, None, timeval(10_000)) == 1
    assert len(ran) >= 4


NESTED = {
    "socket": lambda s: ws.socket(c.AF_INET, c.SOCK_DGRAM, 0) == (1 << 64) - 1,
    "recv": lambda s: ws.recv(s, bytearray(1), 1, 0) == -1,
    "send": lambda s: ws.send(s, b"x", 1, 0) == -1,
    "select": lambda s: ws.select(0, None, fd_set(s), None, timeval(0)) == -1,
    "closesocket": lambda s: ws.closesocket(s) == -1,
    "getsockopt": lambda s: ws.getsockopt(s, c.SOL_SOCKET, c.SO_TYPE, ctypes.c_int32(), ctypes.c_int32(4)) == -1,
    "WSASetBlockingHook": lambda s: ws.WSASetBlockingHook(lambda: 0) == 0,
    "WSACleanup": lambda s: ws.WSACleanup() == -1,
}


@pytest.mark.parametrize("call", NESTED.values(), ids=NESTED)
def test_a_hook_may_not_call_winsock(old, call):
    s = udp()
    seen = []

    def hook():
        if not seen:
            seen.append((call(s), ws.WSAGetLastError()))
            send_to_itself(s)
        return 0

    assert ws.WSASetBlockingHook(hook)
    assert ws.recv(s, bytearray(1), 1, 0) == 1
    assert seen == [(True, WSA.WSAEINPROGRESS)]


def test_starting_in_a_hook(old):
    s = udp()
    seen = []

    def hook():
        if not seen:
            seen.append(ws.WSAStartup(0x0101, bytearray(408)))
            send_to_itself(s)
        return 0

    assert ws.WSASetBlockingHook(hook)
    assert ws.recv(s, bytearray(1), 1, 0) == 1
    assert seen == [WSA.WSAEINPROGRESS]


BLOCKING = {
    "recv": lambda s: ws.recv(s, bytearray(1), 1, 0),
    "select": lambda s: ws.select(0, fd_set(s), None, None, None),
}


@pytest.mark.parametrize("call", BLOCKING.values(), ids=BLOCKING)
def test_cancelling_from_the_hook(old, call):
    s = udp()
    cancelled = []

    def hook():
        cancelled.append(ws.WSACancelBlockingCall())
        return 1

    assert ws.WSASetBlockingHook(hook)
    assert failed(call(s)) == WSA.WSAEINTR
    assert cancelled == [0]
    ws.WSAUnhookBlockingHook()
    send_to_itself(s)
    assert ws.recv(s, bytearray(1), 1, 0) == 1


def test_nothing_to_cancel(old):
    assert failed(ws.WSACancelBlockingCall()) == WSA.WSAEINVAL


def test_a_hook_that_raises_is_no_crash(old, caplog):
    s = udp()

    def hook():
        raise RuntimeError("in the hook")

    assert ws.WSASetBlockingHook(hook)
    assert ws.recv(s, bytearray(1), 1, 0) == -1
    assert "in the hook" in caplog.text
    ws.WSAUnhookBlockingHook()
    send_to_itself(s)
    assert ws.recv(s, bytearray(1), 1, 0) == 1
