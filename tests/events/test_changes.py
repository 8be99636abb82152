"""FD_ADDRESS_LIST_CHANGE and FD_ROUTING_INTERFACE_CHANGE: told once for each time that the ioctl asked for it."""

from __future__ import annotations

import shutil
import socket as linux
import subprocess
import sys
from textwrap import dedent

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

CASES = {
    "addresses": (c.SIO_ADDRESS_LIST_CHANGE, c.FD_ADDRESS_LIST_CHANGE),
    "routes": (c.SIO_ROUTING_INTERFACE_CHANGE, c.FD_ROUTING_INTERFACE_CHANGE),
}
cases = pytest.mark.parametrize(("code", "event"), CASES.values(), ids=CASES)


class Changes:
    """A network whose changes are ours to make."""

    def __init__(self, lab, monkeypatch):
        self.ends = []
        network = lab.process.sockets[lab.socket()].network
        monkeypatch.setattr(type(network), "changes", staticmethod(self.watch))

    def watch(self, family, routes):
        ours, theirs = linux.socketpair(linux.AF_UNIX, linux.SOCK_DGRAM)
        self.ends.append(ours)
        return theirs

    def happen(self):
        while self.ends:
            with self.ends.pop() as end:
                end.send(b"x")


@pytest.fixture
def changes(lab, monkeypatch):
    made = Changes(lab, monkeypatch)
    yield made
    for end in made.ends:
        end.close()


def ask(lab, s, code):
    """The ioctl on a socket that does not block."""
    to = lab.sin("127.0.0.1", 0)
    data = to if code == c.SIO_ROUTING_INTERFACE_CHANGE else None
    count = bytearray(4)
    lab.fails(ws.WSAIoctl(s, code, data, len(data or b""), None, 0, count, None, None), WSA.WSAEWOULDBLOCK)


@cases
def test_a_change_that_was_asked_for(lab, watch, changes, code, event):
    s = lab.bound()
    watch.select(s, event)
    watch.none(s)
    ask(lab, s, code)
    watch.none(s)
    changes.happen()
    assert watch.until(s, event) == [(event, 0)]
    changes.happen()
    watch.none(s)
    ask(lab, s, code)
    ask(lab, s, code)
    changes.happen()
    assert watch.until(s, event) == [(event, 0)]


@cases
def test_asked_before_it_was_selected(lab, events, changes, code, event):
    s = lab.bound()
    lab.ok(ws.WSAEventSelect(s, None, 0))
    ask(lab, s, code)
    changes.happen()
    events.select(s, event)
    assert events.until(s, event) == [(event, 0)]


@cases
def test_closing_ends_it(lab, watch, changes, code, event):
    s = lab.bound()
    watch.select(s, event)
    ask(lab, s, code)
    lab.ok(ws.closesocket(s))
    with pytest.raises(ConnectionRefusedError), changes.ends.pop() as end:
        end.send(b"x")


IN_A_NETWORK_OF_ITS_OWN = """
    import ctypes, subprocess
    import winsock.kernel32 as k32
    import winsock.ws2_32 as ws
    from winsock.abi import _constants as c

    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    ip("link", "set", "lo", "up")
    assert ws.WSAStartup(0x0202, bytearray(408)) == 0
    s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
    event = ws.WSACreateEvent()
    assert ws.WSAEventSelect(s, event, c.FD_ADDRESS_LIST_CHANGE) == 0
    ip("addr", "add", "127.1.1.1/8", "dev", "lo")
    data = bytearray(44)
    assert ws.WSAEnumNetworkEvents(s, event, data) == 0
    assert data[:4] == bytes(4), "nobody has asked"
    assert ws.WSAIoctl(s, c.SIO_ADDRESS_LIST_CHANGE, None, 0, None, 0, bytearray(4), None, None) == -1
    ip("addr", "add", "127.1.1.2/8", "dev", "lo")
    assert k32.WaitForSingleObject(event, 9000) == 0
    assert ws.WSAEnumNetworkEvents(s, event, data) == 0
    assert int.from_bytes(data[:4], "little") == c.FD_ADDRESS_LIST_CHANGE
    print("told")
"""


def test_a_real_change_of_addresses(tmp_path):
    apart = ["unshare", "--map-root-user", "--net"]
    if (
        not shutil.which("ip")
        or not shutil.which("unshare")
        or subprocess.run([*apart, "true"], check=False).returncode
    ):
        pytest.skip("this machine lets nobody make a network namespace")
    script = tmp_path / "change.py"
    script.write_text(dedent(IN_A_NETWORK_OF_ITS_OWN))
    done = subprocess.run(
        [*apart, sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("told\n", "")
