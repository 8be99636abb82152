"""Connections that end without a word from the peer: what overlapped requests say, and what calls say."""

from __future__ import annotations

import ctypes
import socket as linux
import struct
import subprocess
import sys
from textwrap import dedent

import pytest
from overlapped_kit import Operation, environment

import winsock
import winsock.kernel32 as k32
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.abi._guids import WSAID
from winsock.afd._data import lost
from winsock.codes import NTSTATUS, WSA
from winsock.demos._peers import silence

PATIENCE = struct.pack("<I", 1)  # s


def name(port):
    return struct.pack("<H", c.AF_INET) + struct.pack(">H", port) + b"\x7f\0\0\1" + bytes(8)


def connect_ex(lab, s, to, op):
    pointer, code = ctypes.c_uint64(), c.SIO_GET_EXTENSION_FUNCTION_POINTER
    lab.ok(ws.WSAIoctl(s, code, WSAID["ConnectEx"].bytes_le, 16, pointer, 8, ctypes.c_uint32(), None, None))
    lab.fails(winsock.function(pointer.value)(s, to, 16, None, 0, None, op.ov), WSA.WSA_IO_PENDING, 0)


def impatient(lab):
    s = lab.bound()
    lab.ok(ws.setsockopt(s, c.IPPROTO_TCP, c.TCP_MAXRT, PATIENCE, 4))
    return s


@pytest.fixture
def peer():
    with linux.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_connect_that_nobody_answers(lab, peer):
    silence(peer)
    s, op = impatient(lab), Operation()
    port = lab.port(s)
    connect_ex(lab, s, name(peer.getsockname()[1]), op)
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_SEM_TIMEOUT)
    assert op.ov.Internal == NTSTATUS.STATUS_IO_TIMEOUT
    assert lab.wsa_result(s, op)[::3] == (0, WSA.WSAETIMEDOUT)
    assert lab.result(s, op) == (0, 0, c.ERROR_SEM_TIMEOUT)
    connect_ex(lab, s, lab.name(lab.listener()), op)
    assert lab.packet(port) == (1, 0, 1, op.ov.address, 0), "the same socket can connect to another"


def lose(lab, peer, wait):
    """A connection with requests that wait, whose peer acknowledges nothing any more."""
    s = impatient(lab)
    lab.ok(ws.connect(s, name(peer.getsockname()[1]), 16))
    with peer.accept()[0] as accepted:
        silence(accepted)
        wait(s)


def test_a_peer_that_no_longer_acknowledges(lab, peer):
    def wait(s):
        port, receives = lab.port(s), [lab.pend_recv(s) for _ in range(3)]
        lab.ok(ws.send(s, b"anybody there?", 14, 0), 14)
        for op in receives:
            assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_SEM_TIMEOUT)
            assert op.ov.Internal == NTSTATUS.STATUS_IO_TIMEOUT
            assert lab.wsa_result(s, op)[::3] == (0, WSA.WSAETIMEDOUT)
        lab.no_packet(port)

    lose(lab, peer, wait)


def test_all_receives_that_wait_hear_of_a_reset(lab):
    a, b = lab.pair()
    port, receives = lab.port(b), [lab.pend_recv(b) for _ in range(3)]
    lab.reset(a)
    for op in receives:
        assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_NETNAME_DELETED)
    lab.no_packet(port)


def test_a_receive_that_waits_hears_of_a_failed_send(lab, peer):
    def wait(s):
        op = lab.pend_recv(s, event=lab.event())
        sends = [lab.start_send(s, bytes(1 << 16), event=lab.event()) for _ in range(3)]
        assert lab.wait(op.ov.hEvent) == 0
        assert lab.wsa_result(s, op)[::3] == (0, WSA.WSAETIMEDOUT)
        for send in sends:
            assert lab.wait(send.ov.hEvent) == 0

    lose(lab, peer, wait)


def test_a_call_that_blocks_hears_of_what_another_thread_was_told(lab):
    a, b = lab.pair()
    call = lab.run(ws.recv, b, bytearray(10), 10, 0)
    ep = lab.process.sockets[b]
    lab.until(lambda: ep.waiters, "it waits")
    lost(ep, WSA.WSAECONNRESET)  # as by a send there
    lab.ok(ws.closesocket(a))
    assert call.result(20) == (-1, WSA.WSAECONNRESET)


def test_a_send_that_waits_ends_with_it(lab, peer):
    def wait(s):
        port = lab.port(s)
        sends = []
        while not sends or not sends[-1].pending:
            sends.append(lab.start_send(s, bytes(1 << 20)))
            assert len(sends) < 1000
        packets = [lab.packet(port) for _ in sends]
        assert [p[3] for p in packets] == [op.ov.address for op in sends]
        assert packets[-1][0] == 0
        assert packets[-1][4] == c.ERROR_SEM_TIMEOUT
        lab.no_packet(port)

    lose(lab, peer, wait)


def test_a_call_that_blocks(lab, peer):
    def wait(s):
        lab.ok(ws.send(s, b"anybody there?", 14, 0), 14)
        lab.fails(ws.recv(s, bytearray(1), 1, 0), WSA.WSAETIMEDOUT)

    lose(lab, peer, wait)


CUT = """
import struct, sys
from overlapped_kit import Lab
import winsock, winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import NTSTATUS, WSA

to = struct.pack("<H", c.AF_INET) + struct.pack(">H", int(sys.argv[2])) + bytes([127, 0, 0, 1]) + bytes(8)
process = winsock.Process()
with process.attached():
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    lab = Lab(process)
    s = lab.socket()
    lab.ok(ws.connect(s, to, 16))
    port, receives = lab.port(s), [lab.pend_recv(s) for _ in range(2)]
    lab.send(s, b"hello\\n")
    for op in receives:
        assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_CONNECTION_ABORTED)
        assert op.ov.Internal == NTSTATUS.STATUS_CONNECTION_ABORTED
        assert lab.wsa_result(s, op)[::3] == (0, WSA.WSAECONNABORTED)
    lab.fails(ws.recv(s, bytearray(1), 1, 0), WSA.WSAECONNABORTED)
    lab.fails(ws.send(s, b"x", 1, 0), WSA.WSAECONNABORTED)
    t = lab.socket()
    lab.ok(ws.connect(t, to, 16))
    lab.send(t, b"hello\\n")
    print(lab.recv(t))
    assert ws.WSACleanup() == 0
"""


def test_a_connection_that_is_cut_on_this_machine(tmp_path):
    apart = [sys.executable, "-m", "winsock.demos._apart"]
    if reason := subprocess.run(apart, capture_output=True, text=True, check=False).stderr:
        pytest.skip(reason)
    script = tmp_path / "cut.py"
    script.write_text(dedent(CUT))
    done = subprocess.run(
        [*apart, sys.executable, str(script)],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("b'welcome\\n'\n", "")


def test_a_handle_that_is_closed_behind_winsocks_back(lab):
    a, b = lab.pair()
    port, op = lab.port(b), lab.pend_recv(b)
    assert k32.CloseHandle(b)
    assert lab.packet(port) == (0, 0, 1, op.ov.address, c.ERROR_CONNECTION_ABORTED)
    lab.ok(ws.closesocket(a))
