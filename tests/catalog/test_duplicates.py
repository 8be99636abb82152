"""WSADuplicateSocket: handles of one socket within a process, across processes of an interpreter, of the machine."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import textwrap

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock import kernel32 as k32
from winsock.abi import _constants as c
from winsock.codes import WSA

SIZE = {"A": 372, "W": 628}
LOOPBACK = struct.pack("<H2x4s8x", c.AF_INET, b"\x7f\0\0\x01")
ENCODINGS = pytest.mark.parametrize("encoding", ["A", "W"])


def ticket(s, pid=None, encoding="W"):
    info = bytearray(SIZE[encoding])
    duplicate = getattr(ws, f"WSADuplicateSocket{encoding}")
    result = duplicate(s, k32.GetCurrentProcessId() if pid is None else pid, info)
    assert result == 0, WSA(ws.WSAGetLastError())
    return info


def open_ticket(info, flags=c.WSA_FLAG_OVERLAPPED):
    return (ws.WSASocketA if len(info) == SIZE["A"] else ws.WSASocketW)(-1, -1, -1, info, 0, flags)


def udp():
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert ws.bind(s, LOOPBACK, 16) == 0
    return s


def name(s):
    data = bytearray(16)
    assert ws.getsockname(s, data, ctypes.c_int32(16)) == 0
    return bytes(data)


def send_to_itself(s, data):
    assert ws.sendto(s, data, len(data), 0, name(s), 16) == len(data)


def receive(s):
    data = bytearray(100)
    n = ws.recv(s, data, 100, 0)
    assert n >= 0, WSA(ws.WSAGetLastError())
    return bytes(data[:n])


# ################ one process ################


@ENCODINGS
def test_both_handles_are_the_socket(net, encoding):
    s = udp()
    d = net.good(open_ticket(ticket(s, encoding=encoding)))
    assert d != s
    assert name(d) == name(s)
    send_to_itself(s, b"one")
    assert receive(d) == b"one"
    assert ws.closesocket(s) == 0
    send_to_itself(d, b"two")
    assert receive(d) == b"two"


def test_the_ticket_shows_what_it_is_for(net):
    family, kind, protocol = struct.unpack_from("<i8xii", ticket(udp()), 76)
    assert (family, kind, protocol) == (c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_UDP)


def test_the_bound_state_is_that_of_the_time_of_opening(net):
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    early, late = ticket(s), ticket(s)
    unbound = net.good(open_ticket(early))
    assert ws.bind(s, LOOPBACK, 16) == 0
    bound = net.good(open_ticket(late))
    assert name(bound) == name(s)
    net.refused(ws.recv(unbound, bytearray(1), 1, 0), WSA.WSAEINVAL)
    net.refused(ws.getsockname(unbound, bytearray(16), ctypes.c_int32(16)), WSA.WSAEINVAL)


def test_a_ticket_outlives_its_socket(net):
    s = udp()
    where = name(s)
    info = ticket(s)
    assert ws.closesocket(s) == 0
    d = net.good(open_ticket(info))
    assert name(d) == where


def test_a_ticket_serves_once(net):
    info = ticket(udp())
    net.good(open_ticket(info))
    net.refused(open_ticket(info), WSA.WSAEINVAL)


def test_a_forged_ticket(net):
    info = ticket(udp())
    info[244 + 12] ^= 1  # the key
    net.refused(open_ticket(info), WSA.WSAEINVAL)
    forged = ticket(udp())
    forged[244:] = bytes(len(forged) - 244)
    net.refused(open_ticket(forged), WSA.WSAEINVAL)


def test_flags_are_the_openers(net):
    d = net.good(open_ticket(ticket(udp()), c.WSA_FLAG_NO_HANDLE_INHERIT))
    assert net.endpoint(d).flags == c.WSA_FLAG_NO_HANDLE_INHERIT


def test_cleanup_frees_what_nobody_took(net):
    before = net.descriptors()
    for _ in range(3):
        ticket(udp())
    assert ws.WSACleanup() == 0
    assert net.descriptors() == before


# ################ refusals ################


def test_what_is_checked_first(net):
    s = udp()
    net.refused(ws.WSADuplicateSocketW(0, 0, None), WSA.WSAENOTSOCK)
    for nobody in (0, 0xFFFFFFFF, -1):
        net.refused(ws.WSADuplicateSocketW(s, nobody, None), WSA.WSAEINVAL)
    before = net.descriptors()
    for bad in (None, 0x10, bytes(628), bytearray(627)):
        net.refused(ws.WSADuplicateSocketW(s, k32.GetCurrentProcessId(), bad), WSA.WSAEFAULT)
    assert net.descriptors() == before


# ################ two processes of this interpreter ################


def test_to_another_process_of_this_interpreter(net):
    s = udp()
    other = winsock.Process()
    info = ticket(s, other.pid)
    net.refused(open_ticket(info), WSA.WSAEINVAL)
    with other.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        d = open_ticket(info)
        assert d != net.INVALID
        send_to_itself(d, b"hello")
    assert receive(s) == b"hello"
    with other.attached():
        assert ws.WSACleanup() == 0


# ################ another process of this machine ################

CHILD = """
    import sys
    import winsock.ws2_32 as ws
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    print("ready", flush=True)
    for line in sys.stdin:
        info = bytearray.fromhex(line)
        s = (ws.WSASocketA if len(info) == 372 else ws.WSASocketW)(-1, -1, -1, info, 0, 1)
        if s == (1 << 64) - 1:
            print("error", ws.WSAGetLastError(), flush=True)
            continue
        got = bytearray(100)
        n = ws.recv(s, got, 100, 0)
        answer = bytes(got[:n]).upper()
        ws.send(s, answer, n, 0)
        print("done", n, flush=True)
    ws.WSACleanup()
"""


@pytest.fixture
def child():
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
        assert process.wait(30) == 0


def give(child, info):
    child.stdin.write(bytes(info).hex() + "\n")
    child.stdin.flush()
    return child.stdout.readline().split()


def stream_pair():
    listener = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert ws.bind(listener, LOOPBACK, 16) == ws.listen(listener, 1) == 0
    a = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert ws.connect(a, name(listener), 16) == 0
    return a, ws.accept(listener, None, None)


@ENCODINGS
def test_another_process_goes_on_with_a_connection(net, child, encoding):
    a, b = stream_pair()
    assert ws.send(a, b"hello", 5, 0) == 5
    assert give(child, ticket(b, child.pid, encoding)) == ["done", "5"]
    assert receive(a) == b"HELLO"


def test_a_ticket_is_for_one_process_alone(net, child):
    a, b = stream_pair()
    info = ticket(b, os.getppid())
    assert give(child, info) == ["error", str(int(WSA.WSAEINVAL))]
    own = ticket(b, child.pid)
    net.refused(open_ticket(own), WSA.WSAEINVAL)
    assert ws.send(a, b"x", 1, 0) == 1
    assert give(child, own) == ["done", "1"]
    assert give(child, own) == ["error", str(int(WSA.WSAEINVAL))]


def test_a_ticket_of_a_process_that_ended(net, child):
    _, b = stream_pair()
    info = ticket(b, child.pid)
    before = net.descriptors()
    assert ws.WSACleanup() == 0
    assert net.descriptors() < before
    assert give(child, info) == ["error", str(int(WSA.WSAEINVAL))]
