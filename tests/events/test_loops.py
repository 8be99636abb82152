"""Servers as programs write them, one by events and one by messages, with many clients: nothing is lost."""

from __future__ import annotations

import hashlib
import os
import random
import socket as linux
import struct
import threading

import pytest

import winsock.user32 as user
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

CLIENTS, ROUNDS = 12, 25
WM_SOCKET = c.WM_USER + 1
ALL = c.FD_READ | c.FD_WRITE | c.FD_ACCEPT | c.FD_CLOSE
PATIENCE = 60_000


def client(address, seed, failures):
    """Sends blocks and wants them back; some end with a reset, some with half a close."""
    try:
        rng = random.Random(seed)
        with linux.create_connection(address, 30) as s:
            for _ in range(ROUNDS):
                data = rng.randbytes(rng.choice((1, 100, 70_000)))
                sender = threading.Thread(target=s.sendall, args=(data,))
                sender.start()
                got = hashlib.sha256()
                left = len(data)
                while left:
                    part = s.recv(min(left, 1 << 16))
                    assert part, "it ended early"
                    got.update(part)
                    left -= len(part)
                sender.join(30)
                assert got.digest() == hashlib.sha256(data).digest()
            if seed % 3 == 0:
                s.setsockopt(linux.SOL_SOCKET, linux.SO_LINGER, struct.pack("ii", 1, 0))
            elif seed % 3 == 1:
                s.shutdown(linux.SHUT_WR)
                assert s.recv(1) == b""
    except Exception as e:
        failures.append((seed, e))


class Server:
    """Echoes; does for a socket what its events say, and only that."""

    def __init__(self, lab):
        self.lab, self.listener = lab, lab.listener(64)
        self.unsent: dict[int, bytearray] = {}
        self.ended = 0
        self.room = bytearray(1 << 16)

    def happened(self, s, event, code):
        if event == c.FD_ACCEPT:
            new = ws.accept(s, None, None)
            if new != (1 << 64) - 1:
                self.unsent[new] = bytearray()
                self.accepted(new)
            else:
                assert ws.WSAGetLastError() == WSA.WSAEWOULDBLOCK
            return
        if s not in self.unsent:
            return  # a message that was on its way when the socket closed
        if event == c.FD_READ:
            n = ws.recv(s, self.room, len(self.room), 0)
            if n > 0:
                self.unsent[s] += self.room[:n]
                self.send(s)
            elif n < 0 and ws.WSAGetLastError() != WSA.WSAEWOULDBLOCK:
                self.end(s)
        elif event == c.FD_WRITE:
            self.send(s)
        elif event == c.FD_CLOSE:
            while not code and (n := ws.recv(s, self.room, len(self.room), 0)) > 0:
                self.unsent[s] += self.room[:n]
            self.send(s)
            self.end(s)

    def send(self, s):
        waiting = self.unsent[s]
        while waiting:
            n = ws.send(s, bytes(waiting), len(waiting), 0)
            if n < 0:
                break
            del waiting[:n]

    def end(self, s):
        assert ws.closesocket(s) == 0
        del self.unsent[s]
        self.ended += 1

    def accepted(self, s):
        """It has the listener's selection."""


class ByEvents(Server):
    """An event object for each socket."""

    def __init__(self, lab):
        super().__init__(lab)
        self.sockets: dict[int, int] = {}  # event: socket
        self.accepted(self.listener)

    def accepted(self, s):
        event = ws.WSACreateEvent()
        self.sockets[event] = s
        assert ws.WSAEventSelect(s, event, ALL) == 0

    def run(self):
        data = bytearray(44)
        while self.ended < CLIENTS:
            events = list(self.sockets)
            which = ws.WSAWaitForMultipleEvents(len(events), struct.pack(f"<{len(events)}Q", *events), 0, PATIENCE, 0)
            assert which != c.WSA_WAIT_TIMEOUT, "something was lost"
            event = events[which]
            s = self.sockets[event]
            assert ws.WSAEnumNetworkEvents(s, event, data) == 0
            bits, *codes = struct.unpack("<i10i", data)
            for bit in (c.FD_ACCEPT, c.FD_READ, c.FD_WRITE, c.FD_CLOSE):
                if bits & bit:
                    self.happened(s, bit, codes[bit.bit_length() - 1])
            if s not in self.unsent and s != self.listener:
                del self.sockets[event]
                assert ws.WSACloseEvent(event)


class ByMessages(Server):
    """A window for all."""

    def __init__(self, lab):
        super().__init__(lab)
        self.hwnd = lab.window()
        assert ws.WSAAsyncSelect(self.listener, self.hwnd, WM_SOCKET, ALL) == 0

    def run(self):
        msg = bytearray(48)
        while self.ended < CLIENTS:
            waited = user.MsgWaitForMultipleObjectsEx(0, None, PATIENCE, c.QS_ALLPOSTMESSAGE, c.MWMO_INPUTAVAILABLE)
            assert waited == c.WAIT_OBJECT_0, "something was lost"
            while user.PeekMessageW(msg, None, 0, 0, c.PM_REMOVE):
                s, lparam = struct.unpack_from("<QQ", msg, 16)
                self.happened(s, lparam & 0xFFFF, lparam >> 16)


@pytest.mark.parametrize("kind", [ByEvents, ByMessages], ids=["events", "messages"])
def test_an_echo_server(lab, kind):
    server, failures = kind(lab), []
    address = ("127.0.0.1", int.from_bytes(lab.name(server.listener)[2:4], "big"))
    threads = [threading.Thread(target=client, args=(address, seed, failures)) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    server.run()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert server.unsent == {}


def test_selecting_again_and_again_while_data_comes(lab, events):
    """From several threads; at the end the event is signalled for what waits."""
    client, server = lab.pair()
    begun = threading.Barrier(4)

    def select():
        begun.wait(60)
        for _ in range(200):
            events.select(server, c.FD_READ)
            events.select(server, c.FD_READ | c.FD_CLOSE)
        return True

    def send():
        begun.wait(60)
        for _ in range(100):
            lab.send(client, b"x")
        return True

    results = []

    def run(function):
        with lab.process.attached():
            results.append(function())

    threads = [threading.Thread(target=run, args=(f,)) for f in (select, select, send, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [True] * 4
    lab.holds(server, 200)
    events.until(server, c.FD_READ)
    while lab.recv(server, 64):
        taken = events.take(server)
        if not taken:
            break
        assert taken == [(c.FD_READ, 0)]
    assert lab.process.sockets[server].transport.pending() == 0, "no data without an event"


def test_closing_while_others_select_and_fetch(lab):
    """Each call ends as it may: done, or the socket is no more."""
    for _ in range(20):
        client, server = lab.pair()
        event = ws.WSACreateEvent()
        go = threading.Barrier(3)
        codes = []

        def work(call, *args, go=go, codes=codes):
            with lab.process.attached():
                go.wait(60)
                for _ in range(30):
                    if call(*args) == -1:
                        codes.append(ws.WSAGetLastError())
                        return

        threads = [
            threading.Thread(target=work, args=(ws.WSAEventSelect, server, event, c.FD_READ)),
            threading.Thread(target=work, args=(ws.WSAEnumNetworkEvents, server, event, bytearray(44))),
        ]
        for thread in threads:
            thread.start()
        go.wait(60)
        lab.send(client, b"x")
        lab.ok(ws.closesocket(server))
        lab.ok(ws.closesocket(client))
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert set(codes) <= {WSA.WSAENOTSOCK}
        assert ws.WSACloseEvent(event)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_told_of_its_own(lab, events):
    client, server = lab.pair()
    events.select(server, c.FD_READ)
    events.none(server)
    child = os.fork()
    if child == 0:
        ok = False
        try:
            lab.send(client, b"x")
            ok = events.signalled(PATIENCE) and events.take(server) == [(c.FD_READ, 0)]
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert events.until(server, c.FD_READ) == [(c.FD_READ, 0)], "so is the parent"
