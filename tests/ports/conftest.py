"""A network of one's own for each test that needs one.

`isolated(function)` runs a test's body in a forked child with a fresh network namespace and a store of its own, as
root or, with user=NOBODY, as an ordinary user.  What the body raises, the test raises.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent

import pytest
from own_network import ROOT, become, in_child, own_network, visit
from own_ports import lent
from run_calls import WINSOCK

import winsock
import winsock.ws2_32 as ws


@pytest.fixture(scope="session")
def namespaces() -> str:
    """Why there are no network namespaces here; "" if there are."""
    kind, text = in_child(own_network)
    return "" if kind == "ok" else text.strip().splitlines()[-1]


Isolated = Callable[..., None]


@pytest.fixture
def isolated(namespaces: str, tmp_path: Path) -> Iterator[Isolated]:
    """isolated(function, user=None): run it in its own network; see the module."""
    if namespaces:
        pytest.skip(f"network namespaces are not allowed here: {namespaces}")
    # Not below tmp_path: its parents are closed to other users.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # there each of many commits costs nothing
    place = Path(tempfile.mkdtemp(prefix="winsock-ports-", dir=memory))
    place.chmod(0o755)

    def run(function: Callable[[], object], user: int | None = None) -> None:
        if user is not None and not ROOT:
            pytest.skip("only root can become another user")

        def body() -> None:
            own_network()
            os.environ["WINSOCK_PORTS_STORE"] = str(place / "store")
            os.environ.pop("WINSOCK_PORTS_SYSCTL", None)  # this network's own list
            if user is not None:
                become(user)
            function()

        kind, text = in_child(body)
        if kind == "skipped":
            pytest.skip(text)
        if kind == "failed":
            pytest.fail(text, pytrace=False)

    yield run
    shutil.rmtree(place)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Where that is possible, a network in which nobody else takes ports."""
    with visit():
        yield


@pytest.fixture
def process(quiet: None) -> Iterator[winsock.Process]:
    """A Windows process that has started Winsock."""
    with winsock.Process().attached() as process:
        assert ws.WSAStartup(0x0202, bytearray(512)) == 0
        yield process
        for s in list(process.sockets):
            ws.closesocket(s)
        ws.WSACleanup()


@pytest.fixture
def lend() -> Iterator[Callable[[int], int]]:
    """lend(count): the first of so many ports in a row that are this test's alone, where the kernel assigns none."""
    with ExitStack() as stack:
        yield lambda count: stack.enter_context(lent(count))


@pytest.fixture
def running():
    """A command that goes on until its stdin ends: running(*options, script=...) -> Popen."""
    started = []

    def start(*options, script):
        command = [*WINSOCK, *options, "--", sys.executable, "-uc", dedent(script)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the command too, whatever winsock has made of it
        process.communicate()


@pytest.fixture(autouse=True)
def store_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the machine's own store or kernel list."""
    monkeypatch.setenv("WINSOCK_PORTS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("WINSOCK_PORTS_SYSCTL", "")
    return tmp_path / "store"
