"""Programs that try to get at reserved ports while their owner uses them; what they won, counted.

    attack(owner, thieves, rounds, ...) in a network namespace of one's own (see own_network.py)

Run as root, this file measures more of it than the tests do:

    python tests/ports/thieves.py [ROUNDS]
"""

from __future__ import annotations

import itertools
import json
import os
import select
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from own_network import NOBODY, SOMEBODY, become, in_child, own_network

from winsock import ports
from winsock.ports import _block

_PRELOADED = (_block, "idna".encode("idna"), "ascii".encode("ascii"))  # before rights to read files may go

ROOT = 0
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
SO_BINDTOIFINDEX = 62
LOOPBACK = 1

FORMS = {
    "v4 all": (socket.AF_INET, "0.0.0.0", 0),
    "v4 loopback": (socket.AF_INET, "127.0.0.1", 0),
    "v4 other": (socket.AF_INET, "127.0.0.2", 0),
    "v6 all": (socket.AF_INET6, "::", 1),
    "v6 loopback": (socket.AF_INET6, "::1", 1),
    "dual stack": (socket.AF_INET6, "::", 0),
}
ONE_FAMILY = ("127.0.0.1", "0.0.0.0", "::1")
PLAIN: dict[str, tuple[int, ...]] = {"plain": (), "SO_REUSEADDR": (socket.SO_REUSEADDR,)}
SHARING = {
    "SO_REUSEPORT": (socket.SO_REUSEPORT,),
    "SO_REUSEADDR and SO_REUSEPORT": (socket.SO_REUSEADDR, socket.SO_REUSEPORT),
}
EVERY = {**PLAIN, **SHARING}


class Thief(NamedTuple):
    """A process that tries."""

    user: int
    options: dict[str, tuple[int, ...]]
    device: int = 0  # bound to this interface first


class Outcome(NamedTuple):
    """What came of an attack."""

    tries: int  # of all thieves
    wins: dict[str, int]  # what won -> how often
    joins: int  # of the owner
    failures: int  # joins that did not work


def attempts(
    numbers: dict[str, list[int]], thief: Thief
) -> Iterator[tuple[str, int, socket.socket, tuple[str, int]]]:
    """Every way once: (its name, kind, socket with its options, address)."""
    for (name, (family, host, only)), (option, values) in itertools.product(FORMS.items(), thief.options.items()):
        for protocol, kind in ("tcp", TCP), ("udp", UDP):
            for port in numbers[protocol]:
                with socket.socket(family, kind) as sock:
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
                    for value in values:
                        sock.setsockopt(socket.SOL_SOCKET, value, 1)
                    if thief.device:
                        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, thief.device)
                    yield f"{protocol} {name} {option}", kind, sock, (host, port)


def steal(numbers: dict[str, list[int]], thief: Thief, rounds: int) -> dict[str, Any]:
    """Try every way so many times."""
    tries, wins = 0, {}
    for _ in range(rounds):
        for name, kind, sock, address in attempts(numbers, thief):
            tries += 1
            try:
                sock.bind(address)
            except OSError:
                continue
            try:
                if kind == TCP:
                    sock.listen()
            except OSError:
                name += " (bound only)"
            wins[name] = wins.get(name, 0) + 1
    return {"tries": tries, "wins": wins}


def use(blocks: Iterable[ports.Block], hosts: tuple[str, ...], stopped: Callable[[], bool]) -> dict[str, Any]:
    """Join the blocks and leave them, on each of these addresses, until told to stop."""
    joins, failures = 0, 0
    while not stopped():
        for block, host in itertools.product(blocks, hosts):
            for port in block:
                joins += 1
                try:
                    block.socket(port, host=host, listen=5 if block.protocol == "tcp" else None).close()
                except OSError:
                    failures += 1
    return {"joins": joins, "failures": failures}


def attack(
    owner: int, thieves: list[Thief], rounds: int, hosts: tuple[str, ...] = (*ONE_FAMILY, "::"), count: int = 2
) -> Outcome:
    """Let thieves at ports that another process has reserved and uses all the while.

    owner     the user who reserves `count` TCP and `count` UDP ports
    rounds    how often each thief tries every way; the end of the last ends the owner
    hosts     where the owner's sockets are bound
    """
    told, results = [], []
    for thief in thieves:
        reading, writing = os.pipe()
        results.append(_spawn(lambda t=thief, r=reading: _as_thief(t, r, rounds)))
        os.close(reading)
        told.append(writing)
    stop_reading, stop = os.pipe()
    announced, announce = os.pipe()
    owning = _spawn(lambda: _as_owner(owner, count, hosts, announce, stop_reading))
    os.close(announce)
    numbers = b""
    while chunk := os.read(announced, 4096):
        numbers += chunk
    for pipe in told:
        os.write(pipe, (numbers or b"null") + b"\n")
        os.close(pipe)
    found = [_result(result) for result in results]
    os.write(stop, b"!")
    used = _result(owning)
    for fd in (stop, stop_reading, announced):
        os.close(fd)
    wins: dict[str, int] = {}
    for one in found:
        for name, number in one["wins"].items():
            wins[name] = wins.get(name, 0) + number
    return Outcome(sum(one["tries"] for one in found), wins, used["joins"], used["failures"])


def _as_thief(thief: Thief, reading: int, rounds: int) -> dict[str, Any]:
    become(thief.user)
    with os.fdopen(reading) as file:
        numbers = json.loads(file.readline())  # not to its end: other thieves have a copy of that
    return steal(numbers, thief, rounds) if numbers else {"tries": 0, "wins": {}}


def _as_owner(user: int, count: int, hosts: tuple[str, ...], announce: int, stop: int) -> dict[str, Any]:
    become(user)
    poll = select.poll()
    poll.register(stop, select.POLLIN)
    with ports.reserve(count) as tcp, ports.reserve(count, "udp") as udp:
        os.write(announce, json.dumps({"tcp": list(tcp), "udp": list(udp)}).encode())
        os.close(announce)
        return use((tcp, udp), hosts, lambda: bool(poll.poll(0)))


def _spawn(body: Callable[[], dict[str, Any]]) -> tuple[int, int]:
    """(process, pipe with what the body returns)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = {"value": body()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        with os.fdopen(writing, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writing)
    return child, reading


def _result(spawned: tuple[int, int]) -> dict[str, Any]:
    child, reading = spawned
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    answer = json.loads(text or '{"error": "it died"}')
    if "error" in answer:
        raise AssertionError(answer["error"])
    value: dict[str, Any] = answer["value"]
    return value


# -- measuring ---------------------------------------------------------------------------------

BOTH = (*ONE_FAMILY, "::")
SCENES = {
    "owner root; thieves root and another user, every option": (
        ROOT, BOTH, [Thief(ROOT, EVERY), Thief(NOBODY, EVERY)],
    ),
    "owner an ordinary user, addresses of one family; thieves another user, every option": (
        NOBODY, ONE_FAMILY, [Thief(SOMEBODY, EVERY), Thief(SOMEBODY, EVERY)],
    ),
    "owner an ordinary user, addresses of one family; thieves the same user, plain and SO_REUSEADDR": (
        NOBODY, ONE_FAMILY, [Thief(NOBODY, PLAIN), Thief(NOBODY, PLAIN)],
    ),
    "owner an ordinary user, both families in one socket; thieves another user, every option": (
        NOBODY, ("::",), [Thief(SOMEBODY, EVERY), Thief(SOMEBODY, EVERY)],
    ),
    "owner an ordinary user; thieves the same user with SO_REUSEPORT": (
        NOBODY, BOTH, [Thief(NOBODY, SHARING), Thief(NOBODY, SHARING)],
    ),
    "owner root; thief root, bound to the device lo": (
        ROOT, BOTH, [Thief(ROOT, PLAIN, LOOPBACK)],
    ),
    "owner an ordinary user; thief the same user, bound to the device lo": (
        NOBODY, BOTH, [Thief(NOBODY, PLAIN, LOOPBACK)],
    ),
}  # fmt: skip


def main(rounds: int) -> None:
    """Print what came of each scene."""
    for title, arguments in SCENES.items():

        def scene(owner: int, hosts: tuple[str, ...], thieves: list[Thief]) -> None:
            own_network()
            outcome = attack(owner, thieves, rounds, hosts)
            bound = sum(n for name, n in outcome.wins.items() if name.endswith("(bound only)"))
            thefts = sum(outcome.wins.values()) - bound
            print(f"  {outcome.tries} tries against {outcome.joins} joins: {thefts} thefts", end="")
            print(f" and {bound} that bound but could not listen; {outcome.failures} joins failed")
            for protocol in "tcp", "udp":
                if number := sum(n for name, n in outcome.wins.items() if name.startswith(protocol)):
                    print(f"    {number:7} {protocol}")
            sys.stdout.flush()

        print(title, flush=True)
        kind, text = in_child(lambda a=arguments: scene(*a))
        if kind != "ok":
            print(text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
