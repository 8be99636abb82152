"""Completion ports as queues, and the files behind handles."""

import ctypes
import os
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import started

import winsock
from winsock import kernel32 as k32
from winsock import ws2_32 as ws
from winsock.abi import _constants as c

NONE = c.INVALID_HANDLE_VALUE


@pytest.fixture
def process():
    with started() as process:
        yield process


def take(port, ms=0):
    """Return value, transferred, key, OVERLAPPED, last error."""
    n, key, ov = ctypes.c_uint32(0xAA), ctypes.c_uint64(0xAA), ctypes.c_uint64(0xAA)
    k32.SetLastError(0)
    r = k32.GetQueuedCompletionStatus(port, n, key, ov, ms)
    return r, n.value, key.value, ov.value, k32.GetLastError()


def new_port():
    port = k32.CreateIoCompletionPort(NONE, None, 0, 0)
    assert port
    return port


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(1, 2**64 - 1))))
def test_packets_come_back_unchanged_in_order(packets):
    with winsock.Process().attached():
        port = new_port()
        for packet in packets:
            assert k32.PostQueuedCompletionStatus(port, *packet) == 1
        assert [take(port)[1:4] for _ in packets] == packets
        assert take(port) == (0, 0xAA, 0xAA, 0, c.WAIT_TIMEOUT)


def test_waiters_get_every_packet_once(process):
    port, got, lock = new_port(), [], threading.Lock()

    def worker():
        with process.attached():
            while (packet := take(port, c.INFINITE))[2] != 999:
                with lock:
                    got.append(packet[2])

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for key in range(500):
        k32.PostQueuedCompletionStatus(port, 0, key, 8)
    for _ in threads:
        k32.PostQueuedCompletionStatus(port, 0, 999, 8)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert sorted(got) == list(range(500))


def test_closing_the_port_ends_waits(process):
    port, results = new_port(), []

    def worker():
        with process.attached():
            results.append(take(port, c.INFINITE))

    thread = threading.Thread(target=worker)
    thread.start()
    queue = process.handles.objects[port]
    while not queue._queue:
        pass
    assert k32.CloseHandle(port) == 1
    thread.join(60)
    assert results == [(0, 0xAA, 0xAA, 0, c.ERROR_ABANDONED_WAIT_0)]
    assert take(port)[-1] == c.ERROR_INVALID_HANDLE


def test_a_handle_has_one_port_until_it_closes(process):
    s, port = ws.socket(c.AF_INET, c.SOCK_STREAM, 0), new_port()
    assert k32.CreateIoCompletionPort(s, port, 5, 0) == port
    for other in port, new_port(), None:
        assert k32.CreateIoCompletionPort(s, other, 6, 0) == 0
        assert k32.GetLastError() == c.ERROR_INVALID_PARAMETER
    assert ws.closesocket(s) == 0
    again = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert k32.CreateIoCompletionPort(again, port, 5, 0) == port


@pytest.mark.parametrize("handle", [0x44444, "no", 2.5, -2])
def test_what_cannot_be_associated(process, handle):
    assert k32.CreateIoCompletionPort(handle, new_port(), 0, 0) == 0
    assert k32.GetLastError() != 0


def test_bad_places_for_a_packet_do_not_lose_it(process):
    port = new_port()
    k32.PostQueuedCompletionStatus(port, 1, 2, 3)
    assert k32.GetQueuedCompletionStatus(port, None, None, None, 0) == 0
    assert take(port)[:4] == (1, 1, 2, 3)


# -- files


@pytest.fixture
def path(tmp_path):
    return os.fsencode(tmp_path / "file")


def create(path, how=c.CREATE_ALWAYS, flags=0, access=c.GENERIC_READ | c.GENERIC_WRITE):
    return k32.CreateFileA(path, access, 0, None, how, flags, None)


def test_write_seek_read(process, path):
    h, n, data = create(path), ctypes.c_uint32(), bytearray(10)
    assert k32.WriteFile(h, b"hello world", 11, n, None) == 1
    assert n.value == 11
    assert k32.SetFilePointer(h, 6, None, c.FILE_BEGIN) == 6
    assert k32.ReadFile(h, data, 10, n, None) == 1
    assert data[: n.value] == b"world"
    assert k32.CloseHandle(h) == 1
    assert os.path.getsize(path) == 11


def address(memory):
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def overlapped(offset, event=0):
    return bytearray(struct.pack("<QQQQ", 99, 99, offset, event))


def test_files_at_an_offset_tell_event_and_port(process, path):
    h, n, data = create(path), ctypes.c_uint32(), bytearray(4)
    port, event = new_port(), k32.CreateEventW(None, 1, 0, None)
    assert k32.CreateIoCompletionPort(h, port, 7, 0) == port
    first = overlapped(2, event)
    assert k32.WriteFile(h, b"hello", 5, None, first) == 1
    assert k32.WaitForSingleObject(event, 0) == 0
    assert struct.unpack("<QQQQ", first) == (0, 5, 2, event)
    second = overlapped(4)
    assert k32.ReadFile(h, data, 4, n, second) == 1
    assert (n.value, data) == (3, b"llo\0")
    assert [take(port)[:4] for _ in range(2)] == [(1, 5, 7, address(first)), (1, 3, 7, address(second))]
    assert k32.SetFilePointer(h, 0, None, c.FILE_CURRENT) == 0  # the position is another matter
    quiet = overlapped(0, event | 1)
    assert k32.ReadFile(h, data, 4, None, quiet) == 1
    assert data == b"\0\0he"
    assert k32.SetFileCompletionNotificationModes(h, c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) == 1
    assert k32.ReadFile(h, data, 4, None, second) == 1
    assert take(port)[0] == 0  # of neither
    assert os.path.getsize(path) == 7


def test_failures_at_an_offset_are_told_to_nobody(process, path):
    h, data, port, event = create(path), bytearray(4), new_port(), k32.CreateEventW(None, 1, 1, None)
    assert k32.CreateIoCompletionPort(h, port, 7, 0) == port
    for offset, error in (0, c.ERROR_HANDLE_EOF), (1 << 63, c.ERROR_INVALID_PARAMETER):
        assert k32.ReadFile(h, data, 4, None, overlapped(offset, event)) == 0
        assert k32.GetLastError() == error
    assert k32.WriteFile(h, b"x", 1, None, overlapped(1 << 63)) == 0
    assert k32.WaitForSingleObject(event, 0) == c.WAIT_TIMEOUT
    assert k32.ReadFile(h, data, 4, None, overlapped(0, 0x4444)) == 0
    assert k32.GetLastError() == c.ERROR_INVALID_HANDLE
    assert k32.ReadFile(h, data, 4, None, bytearray(31)) == 0
    assert take(port)[0] == 0
    only = create(path, c.OPEN_EXISTING, access=c.GENERIC_READ)
    assert k32.WriteFile(only, b"x", 1, None, overlapped(0)) == 0
    assert k32.GetLastError() == c.ERROR_INVALID_HANDLE


def test_delete_on_close(process, path):
    h = create(path, flags=c.FILE_FLAG_DELETE_ON_CLOSE)
    assert os.path.exists(path)
    k32.CloseHandle(h)
    assert not os.path.exists(path)


def test_temporary_names(process):
    folder, name = bytearray(c.MAX_PATH), bytearray(c.MAX_PATH)
    n = k32.GetTempPathA(c.MAX_PATH, folder)
    assert folder[:n].endswith(b"/")
    assert k32.GetTempPathA(1, folder) == n + 1
    assert k32.GetTempFileNameA(folder, b"abcdef", 0, name)
    made = bytes(name).split(b"\0")[0]
    assert os.path.basename(made).startswith(b"abc")
    assert os.path.exists(made)
    os.unlink(made)


@pytest.mark.parametrize(
    ("how", "exists", "error"),
    [
        (c.OPEN_EXISTING, False, c.ERROR_FILE_NOT_FOUND),
        (c.CREATE_NEW, True, c.ERROR_FILE_EXISTS),
        (99, False, c.ERROR_INVALID_PARAMETER),
    ],
)
def test_refused_files(process, path, how, exists, error):
    if exists:
        k32.CloseHandle(create(path))
    assert create(path, how) == NONE
    assert k32.GetLastError() == error


def test_negative_seek_is_refused_and_moves_nothing(process, path):
    h = create(path)
    assert k32.SetFilePointer(h, 3, None, c.FILE_BEGIN) == 3
    assert k32.SetFilePointer(h, -10, None, c.FILE_BEGIN) == c.INVALID_SET_FILE_POINTER
    assert k32.GetLastError() == c.ERROR_NEGATIVE_SEEK
    assert k32.SetFilePointer(h, 0, None, c.FILE_CURRENT) == 3
    k32.CloseHandle(h)


def test_a_file_is_no_socket(process, path):
    h = create(path)
    assert ws.closesocket(h) == -1
    assert ws.WSAGetLastError() == 10038
    k32.CloseHandle(h)
