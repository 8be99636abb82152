"""DisconnectEx, TransmitFile and TransmitPackets."""

from __future__ import annotations

import ctypes
import os
import struct

import pytest

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

CONTENT = os.urandom(3_000_000)


@pytest.fixture
def file(lab, tmp_path):
    """A handle of a file with CONTENT."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    handle = k32.CreateFileW(str(path), c.GENERIC_READ, 0, None, c.OPEN_EXISTING, 0, None)
    assert handle != c.INVALID_HANDLE_VALUE
    yield handle
    k32.CloseHandle(handle)


class Ends:
    """Head and tail."""

    def __init__(self, head: bytes, tail: bytes) -> None:
        self.memory = [ctypes.create_string_buffer(x, max(1, len(x))) for x in (head, tail)]
        sizes = len(head), len(tail)
        fields = [x for m, n in zip(self.memory, sizes, strict=True) for x in (ctypes.addressof(m), n)]
        self.data = struct.pack("<QI4xQI4x", *fields)


def elements(*parts):
    """TRANSMIT_PACKETS_ELEMENTs of (flags, memory) and (flags, length, offset, file)."""
    data, kept = b"", []
    for flags, *part in parts:
        if len(part) == 1:
            memory = ctypes.create_string_buffer(part[0], max(1, len(part[0])))
            kept.append(memory)
            data += struct.pack("<IIQQ", flags | c.TP_ELEMENT_MEMORY, len(part[0]), ctypes.addressof(memory), 0)
        else:
            data += struct.pack("<IIqQ", flags | c.TP_ELEMENT_FILE, *part)
    return data, kept


# -- TransmitFile


def test_whole_file_with_head_and_tail(lab, file):
    a, b = lab.pair()
    ends, ov = Ends(b"head", b"tail"), lab.overlapped()
    lab.pends("TransmitFile", a, file, 0, 0, ov, ends.data, 0)
    whole = b"head" + CONTENT + b"tail"
    assert lab.recv_all(b, len(whole)) == whole
    assert lab.end(a, ov) == (1, len(whole), 0)


@pytest.mark.parametrize(("offset", "length"), [(0, 10), (5, 0), (2_999_990, 100), (3_000_000, 0)])
def test_part_of_a_file(lab, file, offset, length):
    a, b = lab.pair()
    ov = lab.overlapped()
    ov.Offset = offset
    lab.pends("TransmitFile", a, file, length, 0, ov, None, c.TF_DISCONNECT)
    part = CONTENT[offset : offset + length if length else None]
    assert lab.recv_all(b, len(part) + 1) == part
    assert lab.end(a, ov) == (1, len(part), 0)


def test_without_overlapped_from_the_files_position_on(lab, file):
    a, b = lab.pair()
    lab.nonblocking(a)  # it waits all the same
    assert k32.SetFilePointer(file, 100, None, c.FILE_BEGIN) == 100
    received = lab.run(lab.recv_all, b, len(CONTENT))
    assert lab.call("TransmitFile", a, file, 50, 0, None, None, 0) == (1, 0)
    assert k32.SetFilePointer(file, 0, None, c.FILE_CURRENT) == 150
    assert lab.call("TransmitFile", a, file, 0, 0, None, None, c.TF_DISCONNECT) == (1, 0)
    assert received.result()[0] == CONTENT[100:]


def test_file_that_is_closed_meanwhile(lab, file):
    a, b = lab.pair()
    ov = lab.overlapped()
    lab.pends("TransmitFile", a, file, 0, 0, ov, None, 0)
    assert k32.CloseHandle(file)
    assert lab.recv_all(b, len(CONTENT)) == CONTENT
    assert lab.end(a, ov) == (1, len(CONTENT), 0)


def test_transmissions_and_sends_keep_their_order(lab, file):
    a, b = lab.pair()
    overlapped = []
    for i in range(3):
        ov = lab.overlapped()
        lab.pends("TransmitFile", a, file, 1_000_000, 0, ov, Ends(b"", b"").data, 0)
        overlapped.append((ov, lab.start_send(a, b"%d" % i)))
    expected = b"".join(CONTENT[:1_000_000] + b"%d" % i for i in range(3))
    assert lab.recv_all(b, len(expected)) == expected
    for ov, op in overlapped:
        assert lab.end(a, ov)[:2] == (1, 1_000_000)
        assert lab.result(a, op) == (1, 1, 0)


@pytest.mark.parametrize("how", [c.SD_SEND, c.SD_BOTH])
def test_the_end_of_the_stream_comes_after_transmissions(lab, file, how):
    a, b = lab.pair()
    ov = lab.overlapped()
    data, _kept = elements(*[(0, 0, 0, file)] * 6)
    lab.pends("TransmitPackets", a, data, 6, 0, ov, 0)
    lab.ok(ws.shutdown(a, how))
    assert lab.recv_all(b, 6 * len(CONTENT)) == 6 * CONTENT
    assert lab.end(a, ov) == (1, 6 * len(CONTENT), 0)
    assert lab.recv(b) == b""


@pytest.mark.parametrize("how", ["cancel", "close", "reset"])
def test_end_of_a_transmission(lab, file, how):
    a, b = lab.pair()
    ov = lab.overlapped()
    # More than the network takes, as nobody receives.
    data, _kept = elements(*[(0, 0, 0, file)] * 20)
    lab.pends("TransmitPackets", a, data, 20, 0, ov, 0)
    lab.readable(b)
    if how == "cancel":
        assert k32.CancelIoEx(a, ov)
    elif how == "close":
        lab.ok(ws.closesocket(a))
    else:
        lab.reset(b)
    assert lab.wait(ov.hEvent) == 0
    assert ov.Internal == {"reset": 0xC000020D}.get(how, 0xC0000120)
    assert ov.InternalHigh < 20 * len(CONTENT)


def test_refusals(lab, file):
    a, _ = lab.pair()
    udp, ov = lab.udp(), lab.overlapped()
    lab.ok(ws.connect(udp, lab.name(udp), 16))
    ov.Offset = len(CONTENT) + 1
    assert lab.call("TransmitFile", a, file, 0, 0, ov, None, 0) == (0, WSA.WSAEINVAL)
    assert lab.call("TransmitFile", a, 0x7FFC, 0, 0, None, None, 0) == (0, c.ERROR_INVALID_HANDLE)
    assert lab.call("TransmitFile", a, file, 0x7FFFFFFF, 0, None, None, 0) == (0, WSA.WSAEINVAL)
    assert lab.call("TransmitFile", a, file, 0, 0, None, None, c.TF_REUSE_SOCKET) == (0, WSA.WSAEINVAL)
    nowhere = struct.pack("<QI4xQI4x", 16, 9, 0, 0)
    assert lab.call("TransmitFile", a, file, 0, 0, None, nowhere, 0) == (0, WSA.WSAEFAULT)
    assert lab.call("TransmitFile", udp, file, 0, 0, None, None, 0) == (0, WSA.WSAEINVAL)
    for kind in 0, 3:
        element = struct.pack("<IIQQ", kind, 0, 0, 0)
        assert lab.call("TransmitPackets", a, element, 1, 0, None, 0) == (0, WSA.WSAEINVAL)
    lab.ok(ws.shutdown(a, c.SD_SEND))
    assert lab.call("TransmitFile", a, file, 0, 0, None, None, 0) == (0, WSA.WSAESHUTDOWN)


def test_a_reset_ends_it_as_it_ends_the_receive_that_waits(lab, file):
    a, b = lab.pair()
    lab.option(a, c.SO_SNDBUF, 4096)
    lab.option(b, c.SO_RCVBUF, 4096)
    port, receive = lab.port(a), lab.pend_recv(a)
    lab.pends("TransmitFile", a, file, 0, 0, ov := lab.overlapped(), None, 0)
    lab.pends("TransmitFile", a, file, 0, 0, second := lab.overlapped(), None, 0)
    lab.readable(b)
    lab.reset(b)
    packets = [lab.packet(port) for _ in range(3)]
    assert {(p[0], p[3], p[4]) for p in packets} == {
        (0, address, c.ERROR_NETNAME_DELETED) for address in (receive.ov.address, ov.address, second.address)
    }


# -- TransmitPackets


def test_pieces_of_memory_and_files(lab, file):
    a, b = lab.pair()
    data, _kept = elements((0, b"one"), (0, 7, 20, file), (c.TP_ELEMENT_EOP, b""), (0, 9, 0, file), (0, b"two"))
    expected = b"one" + CONTENT[20:27] + CONTENT[:9] + b"two"
    assert lab.call("TransmitPackets", a, data, 5, 0, None, 0) == (1, 0)
    ov = lab.overlapped()
    lab.pends("TransmitPackets", a, data, 5, 0, ov, c.TF_DISCONNECT)
    assert lab.recv_all(b, 1000) == expected * 2
    assert lab.end(a, ov) == (1, len(expected), 0)


def test_datagrams_end_where_it_says(lab, file):
    a, b = lab.udp(), lab.udp()
    lab.ok(ws.connect(a, lab.name(b), 16))
    eop = c.TP_ELEMENT_EOP
    data, _kept = elements((0, b"one"), (eop, 4, 0, file), (eop, b"two"), (0, b"three"), (0, b"four"))
    ov = lab.overlapped()
    lab.pends("TransmitPackets", a, data, 5, 0, ov, 0)
    assert lab.end(a, ov) == (1, 19, 0)
    assert [lab.recv(b) for _ in range(3)] == [b"one" + CONTENT[:4], b"two", b"threefour"]


# -- DisconnectEx


def test_disconnect_follows_what_was_sent(lab):
    a, b = lab.pair()
    data = bytes(range(256)) * 20_000
    sent, ov = lab.start_send(a, data), lab.overlapped()
    lab.pends("DisconnectEx", a, ov, 0, 0)
    assert lab.recv_all(b, len(data) + 1) == data
    assert lab.result(a, sent) == (1, len(data), 0)
    assert lab.end(a, ov) == (1, 0, 0)
    lab.fails(ws.send(a, b"x", 1, 0), WSA.WSAESHUTDOWN)


@pytest.mark.parametrize("how", ["overlapped", "wait"])
def test_connecting_socket_connects_again(lab, how):
    """Thrice with one socket, from one name."""
    listener, s = lab.listener(), lab.bound()
    name = lab.name(s)
    for i in range(3):
        ov = lab.overlapped()
        lab.pends("ConnectEx", s, lab.name(listener), 16, b"%d" % i, 1, None, ov)
        assert lab.end(s, ov) == (1, 1, 0)
        peer = ws.accept(listener, None, None)
        assert lab.recv(peer) == b"%d" % i
        assert lab.peer(peer) == name
        if how == "wait":
            over = lab.run(lab.call, "DisconnectEx", s, None, c.TF_REUSE_SOCKET, 0)
            assert lab.recv(peer) == b""
            lab.ok(ws.closesocket(peer))
            assert over.result()[0] == (1, 0)
        else:
            lab.pends("DisconnectEx", s, ov := lab.overlapped(), c.TF_REUSE_SOCKET, 0)
            assert lab.recv(peer) == b""
            assert ov.Internal == c.STATUS_PENDING
            lab.ok(ws.closesocket(peer))
            assert lab.end(s, ov) == (1, 0, 0)
        lab.fails(ws.send(s, b"x", 1, 0), WSA.WSAENOTCONN)
        assert lab.name(s) == name


def test_accept_socket_accepts_again(lab):
    listener, s = lab.listener(), lab.socket()
    lab.ok(ws.setsockopt(s, c.IPPROTO_TCP, c.TCP_NODELAY, ctypes.c_int32(1), 4))
    for i in range(3):
        _, ov, _ = lab.accept_ex(listener, 16, s)
        client = lab.client(listener)
        lab.send(client, b"%d" % i)
        assert lab.end(listener, ov) == (1, 1, 0)
        lab.update(s, listener)
        lab.send(s, b"back")
        assert lab.recv(client) == b"back"
        lab.ok(ws.closesocket(client))
        lab.pends("DisconnectEx", s, ov := lab.overlapped(), c.TF_REUSE_SOCKET, 0)
        assert lab.end(s, ov) == (1, 0, 0)
        value = ctypes.c_int32()
        lab.ok(ws.getsockopt(s, c.IPPROTO_TCP, c.TCP_NODELAY, value, ctypes.c_int32(4)))
        assert value.value == 1


def test_connecting_socket_accepts(lab):
    listener = lab.listener()
    s = lab.connect_ex(listener)
    peer = ws.accept(listener, None, None)
    lab.ok(ws.closesocket(peer))
    lab.pends("DisconnectEx", s, ov := lab.overlapped(), c.TF_REUSE_SOCKET, 0)
    assert lab.end(s, ov) == (1, 0, 0)
    _, ov, _ = lab.accept_ex(listener, 0, s)
    client = lab.client(listener)
    assert lab.end(listener, ov) == (1, 0, 0)
    lab.send(client, b"hello")
    assert lab.recv(s) == b"hello"


def test_socket_whose_connection_was_reset_connects_again(lab):
    listener = lab.listener()
    s = lab.connect_ex(listener)
    lab.reset(ws.accept(listener, None, None))
    lab.pends("DisconnectEx", s, ov := lab.overlapped(), c.TF_REUSE_SOCKET, 0)
    assert lab.end(s, ov) == (1, 0, 0)
    lab.pends("ConnectEx", s, lab.name(listener), 16, None, 0, None, ov := lab.overlapped())
    assert lab.end(s, ov) == (1, 0, 0)


def test_disconnect_needs_a_connection(lab):
    for s in lab.socket(), lab.bound(), lab.udp():
        assert lab.call("DisconnectEx", s, lab.overlapped(), 0, 0) == (0, WSA.WSAENOTCONN)
    a, _ = lab.pair()
    assert lab.call("DisconnectEx", a, None, 4, 0) == (0, WSA.WSAEINVAL)
    assert lab.call("DisconnectEx", a, None, 0, 1) == (0, WSA.WSAEINVAL)
