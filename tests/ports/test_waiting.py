"""SIO_ASSOCIATE_PORT_RESERVATION with a persistent block: what it does while the store keeps it waiting.

Another program holds the store locked, so the block cannot be found yet.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from own_network import NOBODY, become, in_child, needs_root

import winsock.ws2_32 as ws
from winsock import kernel32
from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.nt import current
from winsock.ports import _store, persistent

FAILED = -1
ASSOCIATE = c.SIO_ASSOCIATE_PORT_RESERVATION
FIRST, LAST = 7000, 7002
GENEROUS = 60


@contextmanager
def locked() -> Iterator[None]:
    """Nobody can read the store; without a limit of time."""
    _store.PATIENCE = 3600.0
    db = sqlite3.connect(persistent.store_path(), isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def started(version: int = 0x0202) -> None:
    assert ws.WSAStartup(version, bytearray(512)) == 0


def new() -> int:
    return int(ws.socket(c.AF_INET, c.SOCK_STREAM, 0))


def block() -> bytes:
    """A token's eight bytes."""
    return struct.pack("<Q", persistent.create(FIRST, LAST - FIRST + 1))


def control(s: int, token: bytes, overlapped: bytearray | None = None, routine: object = None) -> int:
    """0 or the code."""
    result = ws.WSAIoctl(s, ASSOCIATE, token, 8, None, 0, bytearray(4), overlapped, routine)
    assert result in (0, FAILED)
    return int(ws.WSAGetLastError()) if result else 0


def ended(s: int, overlapped: bytearray, wait: bool = True) -> int:
    """What it ended with: 0 or the code."""
    count, flags = bytearray(4), bytearray(4)
    if ws.WSAGetOverlappedResult(s, overlapped, count, wait, flags):
        assert count == bytes(4)
        return 0
    return int(ws.WSAGetLastError())


def port(s: int) -> int:
    """The port that bind takes by itself."""
    name = struct.pack("<H2x4s8x", c.AF_INET, bytes((127, 0, 0, 1)))
    assert ws.bind(s, name, 16) == 0
    out = bytearray(16)
    assert ws.getsockname(s, out, bytearray(struct.pack("<i", 16))) == 0
    return int.from_bytes(out[2:4], "big")


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + GENEROUS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


# -- overlapped


def test_pending_until_the_block_is_found(isolated):
    def body() -> None:
        started()
        token, s, overlapped = block(), new(), bytearray(32)
        with locked():
            assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
            assert ended(s, overlapped, wait=False) == WSA.WSA_IO_INCOMPLETE
        assert ended(s, overlapped) == 0
        assert FIRST <= port(s) <= LAST

    isolated(body)


def test_the_event_the_routine_and_the_port_are_told(isolated):
    def body() -> None:
        started()
        token = block()
        event = ws.WSACreateEvent()
        s, overlapped = new(), bytearray(struct.pack("<24xQ", event))
        with locked():
            assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
            assert ws.WSAWaitForMultipleEvents(1, struct.pack("<Q", event), True, 0, False) == c.WSA_WAIT_TIMEOUT
        assert ws.WSAWaitForMultipleEvents(1, struct.pack("<Q", event), True, c.INFINITE, False) == 0
        assert ended(s, overlapped, wait=False) == 0

        told: list[tuple[int, int]] = []
        s, overlapped = new(), bytearray(32)
        assert control(s, token, overlapped, lambda *a: told.append(a[:2])) == WSA.WSA_IO_PENDING
        until(lambda: kernel32.SleepEx(100, True) == c.WAIT_IO_COMPLETION)
        assert told == [(0, 0)]
        assert FIRST <= port(s) <= LAST

        s, overlapped = new(), bytearray(32)
        iocp = kernel32.CreateIoCompletionPort(s, 0, 77, 0)
        assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
        count, key, which = bytearray(4), bytearray(8), bytearray(8)
        assert kernel32.GetQueuedCompletionStatus(iocp, count, key, which, c.INFINITE)
        assert (int.from_bytes(count, "little"), int.from_bytes(key, "little")) == (0, 77)
        assert FIRST <= port(s) <= LAST

    isolated(body)


def test_cancelled_it_is_aborted_and_associates_nothing(isolated):
    def body() -> None:
        started()
        token, s, overlapped = block(), new(), bytearray(32)
        with locked():
            assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
            assert kernel32.CancelIoEx(s, overlapped)
            assert ended(s, overlapped) == WSA.WSA_OPERATION_ABORTED
        until(no_search)  # now the block has been found, too late
        assert not FIRST <= port(s) <= LAST

    isolated(body)


def test_closed_it_is_aborted(isolated):
    def body() -> None:
        started()
        event = ws.WSACreateEvent()
        token, s, overlapped = block(), new(), bytearray(struct.pack("<24xQ", event))
        with locked():
            assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
            assert ws.closesocket(s) == 0
            assert ws.WSAWaitForMultipleEvents(1, struct.pack("<Q", event), True, c.INFINITE, False) == 0
            assert ended(new(), overlapped) == WSA.WSA_OPERATION_ABORTED
        until(no_search)

    isolated(body)


def test_the_thread_that_asked_has_ended(isolated):
    def body() -> None:
        started()
        token, s, overlapped, codes = block(), new(), bytearray(32), []
        with locked():
            thread = threading.Thread(target=lambda: codes.append(control(s, token, overlapped)))
            thread.start()
            thread.join()
            assert codes == [WSA.WSA_IO_PENDING]
            assert ended(s, overlapped) == WSA.WSA_OPERATION_ABORTED
        until(no_search)

    isolated(body)


def test_bound_meanwhile_it_is_refused(isolated):
    def body() -> None:
        started()
        token, s, overlapped = block(), new(), bytearray(32)
        with locked():
            assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
            assert not FIRST <= port(s) <= LAST
        assert ended(s, overlapped) == WSA.WSAEINVAL

    isolated(body)


def test_refusals_come_at_the_end(isolated):
    def body() -> None:
        started()
        token, overlapped = block(), bytearray(32)
        unknown = struct.pack("<Q", int.from_bytes(token, "little") ^ 2)
        s = new()
        assert control(s, unknown, overlapped) == WSA.WSA_IO_PENDING
        assert ended(s, overlapped) == WSA.WSAEINVAL
        s = int(ws.socket(c.AF_INET, c.SOCK_DGRAM, 0))
        assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
        assert ended(s, overlapped) == WSA.WSAEOPNOTSUPP
        assert not FIRST <= port(s) <= LAST

    isolated(body)


@needs_root
def test_who_is_no_administrator_is_told_at_the_end(isolated):
    def body() -> None:
        token = block()

        def other() -> None:
            become(NOBODY)
            started()
            s, overlapped = new(), bytearray(32)
            assert control(s, token) == WSA.WSAEACCES
            assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
            assert ended(s, overlapped) == WSA.WSAEACCES

        assert in_child(other) == ("ok", "")

    isolated(body)


# -- not overlapped


def waiting(s: int, token: bytes) -> tuple[threading.Thread, list[int], list[int]]:
    """A thread inside the call: it, where its code will be, its thread id."""
    codes: list[int] = []
    tids: list[int] = []

    def call() -> None:
        tids.append(kernel32.GetCurrentThreadId())
        codes.append(control(s, token))

    thread = threading.Thread(target=call)
    thread.start()
    ep = current().process.sockets[s]
    until(lambda: ep.waiters)
    return thread, codes, tids


@pytest.mark.parametrize("nonblocking", [0, 1], ids=["blocking", "non-blocking"])
def test_it_blocks_in_either_mode_until_the_block_is_found(isolated, nonblocking):
    def body() -> None:
        started()
        token, s = block(), new()
        assert ws.ioctlsocket(s, c.FIONBIO, bytearray(struct.pack("<I", nonblocking))) == 0
        with locked():
            thread, codes, _ = waiting(s, token)
            assert not codes
        thread.join(GENEROUS)
        assert codes == [0]
        assert FIRST <= port(s) <= LAST

    isolated(body)


def test_closing_the_socket_interrupts_it(isolated):
    def body() -> None:
        started()
        token, s = block(), new()
        with locked():
            thread, codes, _ = waiting(s, token)
            assert ws.closesocket(s) == 0
            thread.join(GENEROUS)
            assert codes == [WSA.WSAEINTR]
        until(no_search)

    isolated(body)


def test_cancelling_the_threads_call_aborts_it(isolated):
    def body() -> None:
        started()
        token, s = block(), new()
        with locked():
            thread, codes, tids = waiting(s, token)
            handle = kernel32.OpenThread(1, 0, tids[0])
            assert handle
            assert kernel32.CancelSynchronousIo(handle)
            thread.join(GENEROUS)
            assert codes == [WSA.WSA_OPERATION_ABORTED]
        until(no_search)
        assert not FIRST <= port(s) <= LAST

    isolated(body)


def test_a_blocking_hook_may_cancel_it(isolated):
    def body() -> None:
        started(0x0101)
        token, s, nested = block(), new(), []

        def hook() -> int:
            nested.append(control(s, token))
            assert ws.WSACancelBlockingCall() == 0
            return 0

        ws.WSASetBlockingHook(hook)
        with locked():
            assert control(s, token) == WSA.WSAEINTR
        assert nested[0] == WSA.WSAEINPROGRESS
        ws.WSAUnhookBlockingHook()
        until(no_search)

    isolated(body)


def test_a_store_that_is_damaged_is_named(isolated, caplog):
    def body() -> None:
        started()
        token = block()
        Path(persistent.store_path()).write_bytes(b"no store" * 100)
        assert control(new(), token) == c.ERROR_FILE_CORRUPT
        assert persistent.store_path() in caplog.text
        s, overlapped = new(), bytearray(32)
        assert control(s, token, overlapped) == WSA.WSA_IO_PENDING
        assert ended(s, overlapped) not in (0, WSA.WSA_IO_INCOMPLETE)

    isolated(body)


def no_search() -> bool:
    return not any(thread.name == "winsock reservations" for thread in threading.enumerate())
