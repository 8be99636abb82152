"""What a program finds around it: a reserved port, a host that does not answer.  It is set up anew for each run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from winsock.demos import _peers
from winsock.demos._catalogue import Demo
from winsock.names import has_ipv6

Arguments = Sequence[str]

_APART: Final = (sys.executable, "-m", "winsock.demos._apart")


@dataclass(frozen=True, slots=True)
class Stage:
    """One kind of surroundings; an about.toml names it.

    arguments   the program's arguments, for people
    note        what they stand for
    set_up      makes it for one run, under Windows' rules or not, and gives the program's arguments
    before      a command that runs the program's, and adds the arguments itself
    """

    arguments: str
    note: str
    set_up: Callable[[bool], AbstractContextManager[Arguments]]
    before: Arguments = ()


@contextmanager
def _reserved(windows: bool) -> Iterator[Arguments]:
    if not windows:
        yield ["0"]
        return
    from winsock import ports

    with ports.reserve(1) as block:  # as Hyper-V and others do on Windows
        yield [str(block.ports[0])]


@contextmanager
def _unanswering(_windows: bool) -> Iterator[Arguments]:
    with _peers.unanswering() as port:
        yield [_peers.LOOPBACK, str(port)]


@contextmanager
def _falls_silent(_windows: bool) -> Iterator[Arguments]:
    with _peers.serving(_peers.falls_silent) as port:
        yield [_peers.LOOPBACK, str(port)]


def _nothing(_windows: bool) -> AbstractContextManager[Arguments]:
    return nullcontext(())


STAGES: Final = {
    "": Stage("", "", _nothing),
    "reserved port": Stage("PORT", "a port that is reserved on Windows, and any port on Linux", _reserved),
    "no answer": Stage("HOST PORT", "a host that drops every packet, as a firewall does", _unanswering),
    "falls silent": Stage(
        "HOST PORT", "a server that, once, says welcome and then nothing more, as with a cable pulled", _falls_silent
    ),
    "cut": Stage(
        "HOST PORT", "a server; the first connection to it is cut from outside the program", _nothing, _APART
    ),
}


def hindrance(demo: Demo) -> str:
    """Why it cannot be run on this machine; "" if it can."""
    if demo.ipv6 and not has_ipv6():
        return "this machine has no IPv6, and localhost is 127.0.0.1 alone"
    before = STAGES[demo.stage].before
    if before:
        return subprocess.run(before, capture_output=True, text=True, check=False).stderr.strip()
    return ""
