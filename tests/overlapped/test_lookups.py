"""GetAddrInfoExW with an OVERLAPPED."""

from __future__ import annotations

import ctypes
import threading

import pytest
from overlapped_kit import OVERLAPPED

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock import names
from winsock.abi import _constants as c
from winsock.codes import WSA

NS_ALL = c.NS_ALL


def query(ov, name="127.0.0.1", routine=None, handle=None):
    res = ctypes.c_uint64(0xDEAD)
    code = ws.GetAddrInfoExW(name, None, NS_ALL, None, None, res, None, ov, routine, handle)
    return code, res


def test_by_event(lab):
    e = lab.event()
    ov = OVERLAPPED(hEvent=e)
    code, res = query(ov)
    assert code == WSA.WSA_IO_PENDING
    assert lab.wait(e) == c.WAIT_OBJECT_0
    assert ws.GetAddrInfoExOverlappedResult(ov) == 0
    assert res.value not in (0, 0xDEAD)
    pointer = ov.Offset | ov.OffsetHigh << 32
    assert (ov.Internal, pointer, ov.hEvent) == (0, ctypes.addressof(res), e)
    ws.FreeAddrInfoExW(res.value)


def test_by_routine(lab):
    ov, seen, called = OVERLAPPED(), [], threading.Event()
    code, res = query(ov, routine=lambda *args: (seen.append(args), called.set()))
    assert code == WSA.WSA_IO_PENDING
    assert called.wait(30)
    assert seen == [(0, 0, ov.address)]
    ws.FreeAddrInfoExW(res.value)


def test_a_name_that_is_not_there(lab, monkeypatch):
    def lookup(*args):
        raise names_error

    from winsock.codes import WinsockError

    names_error = WinsockError(WSA.WSAHOST_NOT_FOUND)
    monkeypatch.setattr(names, "lookup", lookup)
    e = lab.event()
    ov = OVERLAPPED(hEvent=e)
    _, res = query(ov, "nowhere.invalid")
    assert lab.wait(e) == c.WAIT_OBJECT_0
    assert (ws.GetAddrInfoExOverlappedResult(ov), res.value) == (WSA.WSAHOST_NOT_FOUND, 0)


def test_cancelling(lab, monkeypatch):
    """While the look-up lasts; what it finds later goes nowhere."""
    entered, leave = threading.Event(), threading.Event()
    real = names.lookup

    def lookup(*args):
        entered.set()
        assert leave.wait(30)
        return real(*args)

    monkeypatch.setattr(names, "lookup", lookup)
    e, handle = lab.event(), ctypes.c_uint64()
    ov = OVERLAPPED(hEvent=e)
    code, res = query(ov, handle=handle)
    assert code == WSA.WSA_IO_PENDING
    assert entered.wait(30)
    assert ws.GetAddrInfoExOverlappedResult(ov) == WSA.WSAEINPROGRESS
    assert ws.GetAddrInfoExCancel(handle) == 0
    assert lab.wait(e) == c.WAIT_OBJECT_0
    assert ws.GetAddrInfoExOverlappedResult(ov) == WSA.WSA_E_CANCELLED
    assert ws.GetAddrInfoExCancel(handle) == WSA.WSA_INVALID_HANDLE
    running = [t for t in threading.enumerate() if t.name == "winsock look-up"]
    leave.set()
    for thread in running:
        thread.join(30)
    assert (ov.Internal, res.value) == (WSA.WSA_E_CANCELLED, 0)


@pytest.mark.parametrize("bad", ["both", "event", "routine", "no overlapped"])
def test_refusals_come_at_once(lab, bad):
    e = lab.event()
    ov = OVERLAPPED(hEvent={"both": e, "event": 0xFFFFFC}.get(bad, 0))
    routine = (lambda *_: None) if bad in ("both", "no overlapped") else 12345 if bad == "routine" else None
    code, res = query(None if bad == "no overlapped" else ov, routine=routine)
    expected = {"event": WSA.WSA_INVALID_HANDLE, "routine": WSA.WSAEFAULT}.get(bad, WSA.WSAEINVAL)
    assert (code, res.value, ov.Internal) == (expected, 0, 0)


def test_results_of_nothing(lab):
    assert ws.GetAddrInfoExOverlappedResult(None) == WSA.WSAEINVAL
    assert ws.GetAddrInfoExOverlappedResult(16) == WSA.WSAEFAULT
    assert ws.GetAddrInfoExCancel(ctypes.c_uint64(k32.GetCurrentThreadId())) == WSA.WSA_INVALID_HANDLE
