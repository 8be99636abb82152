"""AcceptEx, GetAcceptExSockaddrs and ConnectEx."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys

import pytest
from overlapped_kit import LOOPBACK

import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock import mswsock
from winsock.abi import _constants as c
from winsock.codes import NTSTATUS, WSA

AREA = 32


def addresses(room, data):
    """What GetAcceptExSockaddrs finds."""
    found = []
    pointers = [ctypes.c_uint64(), ctypes.c_int32(), ctypes.c_uint64(), ctypes.c_int32()]
    mswsock.GetAcceptExSockaddrs(room, data, AREA, AREA, *pointers)
    for pointer, length in (pointers[:2], pointers[2:]):
        found.append(ctypes.string_at(pointer.value, length.value))
    return found


@pytest.mark.parametrize("data", [0, 1, 3, 40])
def test_addresses_of_the_connection(lab, data):
    listener = lab.listener()
    _, ov, room = lab.accept_ex(listener, data)
    client = lab.client(listener)
    if data:
        assert ov.Internal == c.STATUS_PENDING
        lab.send(client, b"x" * 64)
    assert lab.end(listener, ov) == (1, data, 0)
    assert addresses(room, data) == [lab.name(listener), lab.name(client)]
    assert room.raw[:data] == b"x" * data


@pytest.mark.parametrize("data", [0, 1, 7, 40])
def test_buffer_at_a_raw_address(lab, data):
    listener, s, ov = lab.listener(), lab.socket(), lab.overlapped()
    room = ctypes.create_string_buffer(b"\xaa" * (data + 2 * AREA))
    lab.pends("AcceptEx", listener, s, ctypes.addressof(room), data, AREA, AREA, None, ov)
    client = lab.client(listener)
    if data > 1:
        lab.send(client, b"y")
    elif data:
        lab.ok(ws.shutdown(client, c.SD_SEND))
    assert lab.end(listener, ov) == (1, int(data > 1), 0)
    assert addresses(room, data) == [lab.name(listener), lab.name(client)]
    assert room.raw[:data] == (b"y" if data > 1 else b"") + b"\xaa" * (data - (data > 1))


def test_cancelled_request_leaves_the_buffer_as_it_was(lab):
    listener, s, ov = lab.listener(), lab.socket(), lab.overlapped()
    room = ctypes.create_string_buffer(b"\xaa" * 2 * AREA)
    before = room.raw
    lab.pends("AcceptEx", listener, s, ctypes.addressof(room), 0, AREA, AREA, None, ov)
    lab.ok(ws.closesocket(s))
    assert lab.end(listener, ov) == (0, 0, c.ERROR_OPERATION_ABORTED)
    assert room.raw == before


def test_requests_take_connections_in_their_order(lab):
    listener = lab.listener()
    requests = [lab.accept_ex(listener) for _ in range(5)]
    clients = [lab.client(listener) for _ in requests]
    for client, (_, ov, room) in zip(clients, requests, strict=True):
        assert lab.end(listener, ov) == (1, 0, 0)
        assert addresses(room, 0)[1] == lab.name(client)


def test_requests_take_connections_that_came_before_them(lab):
    listener = lab.listener()
    clients = [lab.client(listener) for _ in range(4)]
    requests = [lab.accept_ex(listener) for _ in clients]
    for client, (_, ov, room) in zip(clients, requests, strict=True):
        assert lab.end(listener, ov) == (1, 0, 0)
        assert addresses(room, 0)[1] == lab.name(client)


def test_accept_comes_after_requests(lab):
    listener = lab.nonblocking(lab.listener())
    first = lab.client(listener)
    _, ov, room = lab.accept_ex(listener)
    second = lab.client(listener)
    lab.readable(listener)
    taken = ws.accept(listener, None, None)
    assert lab.peer(taken) == lab.name(second)
    assert lab.end(listener, ov) == (1, 0, 0)
    assert addresses(room, 0)[1] == lab.name(first)


def test_one_request_an_accept_socket(lab):
    listener = lab.listener()
    s, _, _ = lab.accept_ex(listener)
    ov = lab.overlapped()
    assert lab.call("AcceptEx", listener, s, bytearray(64), 0, AREA, AREA, None, ov) == (0, WSA.WSAEINVAL)
    assert ov.Internal == c.STATUS_PENDING


def test_an_accept_socket_connects_nowhere(lab):
    listener = lab.listener()
    s, accepting, _ = lab.accept_ex(listener)
    lab.fails(ws.connect(s, lab.name(listener), 16), WSA.WSAEINVAL)
    lab.ok(ws.bind(s, LOOPBACK, 16))
    connecting = lab.overlapped()
    assert lab.call("ConnectEx", s, lab.name(listener), 16, None, 0, None, connecting) == (0, WSA.WSAEINVAL)
    lab.client(listener)
    assert lab.end(listener, accepting) == (1, 0, 0)


@pytest.fixture
def waiting(lab):
    """An AcceptEx that has its connection and waits for data: listener, client, socket, OVERLAPPED, buffer."""
    listener = lab.listener()
    s, ov, room = lab.accept_ex(listener, 4)
    client, idle = lab.client(listener), lab.event()
    lab.until(lambda: lab.wait(idle, 1) and lab.process.sockets[s].state.name == "CONNECTED", "a connection")
    assert ov.Internal == c.STATUS_PENDING
    return listener, client, s, ov, room


def test_first_data_come_before_other_receives(lab, waiting):
    listener, client, s, ov, room = waiting
    op = lab.pend_recv(s, 4)
    lab.send(client, b"firstand")
    assert lab.end(listener, ov) == (1, 4, 0)
    assert room.raw[:4] == b"firs"
    assert lab.result(s, op) == (1, 4, 0)
    assert op.data == b"tand"
    lab.send(client, b"rest")
    assert lab.recv(s) == b"rest"


def test_a_plain_receive_comes_after_the_first_data(lab, waiting):
    listener, client, s, ov, room = waiting
    receiving = lab.run(lab.recv, s, 4)
    lab.send(client, b"firstand")
    assert receiving.result(30)[0] == b"tand"
    assert lab.end(listener, ov) == (1, 4, 0)
    assert room.raw[:4] == b"firs"


@pytest.mark.parametrize("end", ["cancel", "listener"])
def test_others_receive_when_nobody_waits_for_first_data(lab, waiting, end):
    listener, client, s, ov, _ = waiting
    op = lab.pend_recv(s, 8)
    lab.fails(k32.CancelIoEx(s, ov), c.ERROR_NOT_FOUND, 0)  # it is the listener's
    if end == "cancel":
        assert k32.CancelIoEx(listener, ov) == 1
    else:
        lab.ok(ws.closesocket(listener))
    assert lab.wait(ov.hEvent) == 0
    assert ov.Internal == NTSTATUS.STATUS_CANCELLED
    lab.send(client, b"data")
    assert lab.result(s, op) == (1, 4, 0)
    assert op.data[:4] == b"data"


@pytest.mark.parametrize("end", ["cancel", "close", "reset"])
def test_ends_while_first_data_are_waited_for(lab, waiting, end):
    listener, client, s, ov, _ = waiting
    op = lab.pend_recv(s, 8)
    if end == "cancel":
        assert k32.CancelIo(s) == 1
        assert ov.Internal == c.STATUS_PENDING
        lab.send(client, b"data")
        wanted = (1, 4, 0), (0, 0, c.ERROR_OPERATION_ABORTED)
    elif end == "close":
        lab.ok(ws.closesocket(s))
        s = lab.socket()
        wanted = ((0, 0, c.ERROR_OPERATION_ABORTED),) * 2
    else:
        lab.reset(client)
        wanted = ((0, 0, c.ERROR_NETNAME_DELETED),) * 2
    assert (lab.end(listener, ov), lab.result(s, op)) == wanted


def test_events_selected_on_the_accept_socket(lab):
    """They are told of the connection that it gets, and of the next one."""
    listener, s, event = lab.listener(), lab.socket(), lab.event()
    lab.ok(ws.WSAEventSelect(s, event, c.FD_READ | c.FD_CLOSE))
    found = bytearray(44)
    for _ in range(2):
        _, ov, _ = lab.accept_ex(listener, 0, s)
        client = lab.client(listener)
        assert lab.end(listener, ov) == (1, 0, 0)
        lab.send(client, b"x")
        assert lab.wait(event) == 0
        lab.ok(ws.WSAEnumNetworkEvents(s, event, found))
        assert struct.unpack_from("<i", found) == (c.FD_READ,)
        assert lab.recv(s, 1) == b"x"
        lab.ok(ws.closesocket(client))
        assert lab.wait(event) == 0
        lab.ok(ws.WSAEnumNetworkEvents(s, event, found))
        lab.pends("DisconnectEx", s, ov := lab.overlapped(), c.TF_REUSE_SOCKET, 0)
        assert lab.end(s, ov) == (1, 0, 0)


def test_areas_are_judged_when_a_connection_comes(lab):
    listener = lab.listener()
    for local, remote in (AREA - 1, AREA), (AREA, AREA - 1):
        ov = lab.overlapped()
        lab.pends("AcceptEx", listener, lab.socket(), bytearray(128), 0, local, remote, None, ov)
        lab.client(listener)
        assert lab.end(listener, ov) == (0, 0, c.ERROR_INSUFFICIENT_BUFFER)


def test_names_come_with_the_context(lab):
    listener = lab.listener()
    s, ov, _ = lab.accept_ex(listener)
    client = lab.connect_ex(listener, b"first")
    assert lab.end(listener, ov) == (1, 0, 0)
    assert lab.recv(s) == b"first"
    name, n = bytearray(16), ctypes.c_int32(16)
    lab.fails(ws.getsockname(s, name, n), WSA.WSAEINVAL)
    for end in s, client:
        lab.fails(ws.getpeername(end, name, n), WSA.WSAENOTCONN)
        lab.fails(ws.shutdown(end, c.SD_SEND), WSA.WSAENOTCONN)
        lab.fails(ws.connect(end, lab.name(listener), 16), WSA.WSAEINVAL)
    lab.update(s, listener)
    lab.update(client)
    assert (lab.peer(s), lab.peer(client)) == (lab.name(client), lab.name(s))
    for end in s, client:
        lab.fails(ws.connect(end, lab.name(listener), 16), WSA.WSAEISCONN)
        lab.ok(ws.shutdown(end, c.SD_SEND))


def test_options_of_the_accept_socket_and_of_the_listener(lab):
    listener, s = lab.listener(), lab.socket()
    lab.option(listener, c.SO_KEEPALIVE, 1)
    lab.option(listener, c.SO_RCVTIMEO, 70)
    lab.ok(ws.setsockopt(s, c.IPPROTO_TCP, c.TCP_NODELAY, ctypes.c_int32(1), 4))
    _, ov, _ = lab.accept_ex(listener, 0, s)
    lab.client(listener)
    assert lab.end(listener, ov) == (1, 0, 0)

    def value(level, name):
        data = ctypes.c_int32()
        lab.ok(ws.getsockopt(s, level, name, data, ctypes.c_int32(4)))
        return data.value

    assert (value(c.SOL_SOCKET, c.SO_KEEPALIVE), value(c.SOL_SOCKET, c.SO_RCVTIMEO)) == (0, 0)
    lab.update(s, listener)
    assert (value(c.SOL_SOCKET, c.SO_KEEPALIVE), value(c.SOL_SOCKET, c.SO_RCVTIMEO)) == (1, 70)
    assert value(c.IPPROTO_TCP, c.TCP_NODELAY) == 1


def test_packets_of_both_ends(lab):
    listener, s = lab.listener(), lab.bound()
    port = lab.port(listener, s)
    _, accept, _ = lab.accept_ex(listener, 16)
    connect = lab.overlapped()
    lab.pends("ConnectEx", s, lab.name(listener), 16, b"data", 4, None, connect)
    packets = {lab.packet(port), lab.packet(port)}
    assert packets == {(1, 4, 1, accept.address, 0), (1, 4, 2, connect.address, 0)}
    lab.no_packet(port)


def test_refused_connection_has_a_win32_error(lab):
    s, ov = lab.bound(), lab.overlapped()
    lab.pends("ConnectEx", s, lab.name(lab.bound()), 16, None, 0, None, ov)
    assert lab.end(s, ov) == (0, 0, c.ERROR_CONNECTION_REFUSED)
    listener = lab.listener()
    lab.pends("ConnectEx", s, lab.name(listener), 16, None, 0, None, again := lab.overlapped())
    assert lab.end(s, again) == (1, 0, 0)


def test_much_first_data(lab):
    listener = lab.listener()
    s, ov = lab.bound(), lab.overlapped()
    data = bytes(range(256)) * 40_000
    lab.pends("ConnectEx", s, lab.name(listener), 16, data, len(data), None, ov)
    peer = ws.accept(listener, None, None)
    assert lab.recv_all(peer, len(data)) == data
    assert lab.end(s, ov) == (1, len(data), 0)


def test_sockaddrs_of_a_buffer_without_addresses(lab):
    room = bytearray(b"\xff" * 64)
    outputs = [ctypes.c_uint64(7), ctypes.c_int32(7), ctypes.c_uint64(7), ctypes.c_int32(7)]
    mswsock.GetAcceptExSockaddrs(room, 0, AREA, AREA, *outputs)
    assert [x.value for x in outputs] == [7] * 4
    ws.WSASetLastError(0)
    mswsock.GetAcceptExSockaddrs(None, 0, AREA, AREA, *outputs)
    assert ws.WSAGetLastError() == WSA.WSAEFAULT


FREED = """
import ctypes, struct, winsock, winsock.mswsock as ms, winsock.ws2_32 as ws, winsock.kernel32 as k32
ws.WSAStartup(0x202, bytearray(408))
l = ws.socket(2, 1, 0)
ws.bind(l, struct.pack("<H2x4s8x", 2, bytes([127, 0, 0, 1])), 16)
ws.listen(l, 50)
name = bytearray(16)
ws.getsockname(l, name, ctypes.c_int32(16))
kept = []
for i in range(200):
    a, c = ws.socket(2, 1, 0), ws.socket(2, 1, 0)
    room = ctypes.create_string_buffer(b"z" * 68)
    ov, event = bytearray(32), ws.WSACreateEvent()
    ov[24:] = event.to_bytes(8, "little")
    kept.append(ov)
    assert ms.AcceptEx(l, a, ctypes.addressof(room), 4 * (i % 2), 32, 32, None, ov) == 0, ws.WSAGetLastError()
    assert ws.WSAGetLastError() == 997
    del room
    noise = [ctypes.create_string_buffer(68) for _ in range(i % 3)]
    ws.connect(c, name, 16)
    ws.send(c, b"data", 4, 0)
    assert k32.WaitForSingleObject(event, 20000) == 0
    assert not any(any(x.raw) for x in noise)
    ws.closesocket(a), ws.closesocket(c)
print("fine")
"""


def test_buffers_that_are_freed_too_early():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_hundred_clients_at_once(lab):
    listener = lab.listener()
    port = lab.port(listener)
    pending = {ov.address: (s, ov, room) for s, ov, room in (lab.accept_ex(listener) for _ in range(100))}
    clients = [lab.run(lab.client, listener) for _ in range(100)]
    names = set()
    for _ in range(100):
        r, n, key, address, _ = lab.packet(port)
        assert (r, n, key) == (1, 0, 1)
        s, _, room = pending.pop(address)
        lab.update(s, listener)
        assert addresses(room, 0)[1] == lab.peer(s)
        names.add(lab.peer(s))
    assert names == {lab.name(future.result()[0]) for future in clients}
    lab.no_packet(port)


def test_family_of_the_areas(lab):
    listener = ws.socket(c.AF_INET6, c.SOCK_STREAM, 0)
    lab.ok(ws.setsockopt(listener, c.IPPROTO_IPV6, c.IPV6_V6ONLY, ctypes.c_int32(0), 4))
    lab.ok(ws.bind(listener, struct.pack("<H26x", c.AF_INET6), 28))
    lab.ok(ws.listen(listener, 5))
    name = bytearray(28)
    lab.ok(ws.getsockname(listener, name, ctypes.c_int32(28)))
    to = struct.pack("<H2s4s8x", c.AF_INET, bytes(name[2:4]), b"\x7f\0\0\1")
    for area, ends in (43, (0, 0, c.ERROR_INSUFFICIENT_BUFFER)), (44, (1, 0, 0)):
        ov = lab.overlapped()
        into, client = (ws.socket(family, c.SOCK_STREAM, 0) for family in (c.AF_INET6, c.AF_INET))
        lab.pends("AcceptEx", listener, into, bytearray(128), 0, area, area, None, ov)
        lab.ok(ws.connect(client, to, 16))
        assert lab.end(listener, ov) == ends
