"""The end of a Block: closed, forgotten, forked; and what others get of it meanwhile."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from reservation_calls import PROTOCOLS, held

from winsock import ports
from winsock.ports._runtime import POOL

pytestmark = pytest.mark.usefixtures("quiet")

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def test_a_forgotten_block_is_free():
    block = ports.reserve(5)
    first = block.start
    assert held(first)
    del block
    gc.collect()
    assert not held(first)


def test_a_socket_keeps_its_block():
    s = ports.reserve(2).socket()
    gc.collect()
    port = s.getsockname()[1]
    assert held(port + 1)
    s.listen()
    s.close()
    del s
    gc.collect()
    assert not held(port + 1)


def test_bound_sockets_outlive_their_block():
    with ports.reserve(1) as block:
        s = block.socket()
    assert held(block.start)
    s.listen()
    socket.create_connection(s.getsockname()).close()
    s.close()


def test_a_cycle_is_no_hiding_place():
    block = ports.reserve(1)
    cycle = [block]
    cycle.append(cycle)  # type: ignore[arg-type]
    first = block.start
    del block, cycle
    gc.collect()
    assert not held(first)


def test_a_forked_child_holds_nothing():
    with ports.reserve(2) as block:
        go_read, go_write = os.pipe()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                block.close()
                status = 0 if held(block.start) and not POOL.by_token else 2
                os.write(write, b"x")
                os.read(go_read, 1)
            finally:
                os._exit(status)
        assert os.read(read, 1) == b"x"
        assert held(block[0])
        block.close()
        assert not held(block[0])  # while the child is alive
        os.write(go_write, b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        for fd in (go_read, go_write, read, write):
            os.close(fd)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of Python 3.12: that is the point
def test_forks_at_any_moment_hold_nothing(isolated):
    def body() -> None:
        done = threading.Event()
        rounds = children_ready = 0

        def reserve() -> None:
            nonlocal rounds
            while not done.is_set():
                with ports.reserve(20, within=(50000, 50099)):
                    rounds += 1

        thread = threading.Thread(target=reserve)
        thread.start()
        stop_read, stop_write = os.pipe()
        ready_read, ready_write = os.pipe()
        children = []
        for _ in range(40):
            pid = os.fork()
            if pid == 0:
                os.close(stop_write)
                os.write(ready_write, b"x")
                os.read(stop_read, 1)  # until the parent has looked
                os._exit(0)
            children.append(pid)
        done.set()
        while children_ready < len(children):  # before it runs, a child has copies of everything
            children_ready += len(os.read(ready_read, 64))
        thread.join()
        assert rounds
        with ports.reserve(100, start=50000):
            pass
        os.close(stop_write)
        for pid in children:
            os.waitpid(pid, 0)

    isolated(body)


@PROTOCOLS
def test_automatic_assignment_stays_away(isolated, protocol):
    def body() -> None:
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40049")
        found = []
        with ports.reserve(40, protocol, start=40000):
            for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::"):
                kept = [socket.socket(family, KINDS[protocol]) for _ in range(2)]
                for s in kept:
                    s.bind((host, 0))
                    found.append(s.getsockname()[1])
                for s in kept:
                    s.close()
            if protocol == "tcp":
                with socket.create_server(("127.0.0.1", 7000)) as listener:
                    for _ in range(4):
                        with socket.create_connection(listener.getsockname()) as client:
                            found.append(client.getsockname()[1])
            else:
                for _ in range(4):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                        s.connect(("127.0.0.1", 9))
                        found.append(s.getsockname()[1])
        assert min(found) >= 40040

    isolated(body)


def test_other_programs_inherit_nothing():
    def inherited() -> bytes:
        code = "import os; print(*[fd for fd in range(3, 2000) if os.path.exists(f'/proc/self/fd/{fd}')])"
        return subprocess.check_output([sys.executable, "-c", code], close_fds=False, stdin=subprocess.DEVNULL)

    before = inherited()
    with ports.reserve(3) as block, block.socket(listen=1):
        assert inherited() == before
