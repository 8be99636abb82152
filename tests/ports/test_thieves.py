"""The guarantee under attack: other processes loop bind and listen on reserved ports that are in use all the while.

Each thief does a fixed number of tries, and the owner joins and leaves until the last thief is done: the verdict
depends on counts alone.  See thieves.py, which run by itself measures more.
"""

from __future__ import annotations

import os
import socket

import pytest
from own_network import NOBODY, SOMEBODY, become
from thieves import (
    BOTH,
    EVERY,
    FORMS,
    LOOPBACK,
    ONE_FAMILY,
    PLAIN,
    ROOT,
    SHARING,
    TCP,
    UDP,
    Outcome,
    Thief,
    attack,
    attempts,
)

from winsock import ports
from winsock.ports import _placeholder

ROUNDS = 60  # of each thief: 192 tries with every option

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be several users")


def attacked(isolated, owner: int, thieves: list[Thief], hosts: tuple[str, ...]) -> None:
    """Attack in a network of one's own, and hold the owner's and the guarantee's side of it."""

    def body() -> None:
        outcome = attack(owner, thieves, ROUNDS, hosts)
        ways = 2 * 2 * len(FORMS)  # two ports for each of two protocols
        assert outcome == Outcome(ROUNDS * sum(ways * len(t.options) for t in thieves), {}, outcome.joins, 0)
        assert outcome.joins >= 2 * 2 * len(hosts)

    isolated(body)


@needs_root
def test_with_privileges_nobody_gets_in(isolated):
    thieves = [Thief(ROOT, EVERY), Thief(ROOT, EVERY), Thief(NOBODY, EVERY), Thief(NOBODY, EVERY)]
    attacked(isolated, ROOT, thieves, BOTH)


@needs_root
def test_without_privileges_no_other_user_gets_in(isolated):
    attacked(isolated, NOBODY, [Thief(SOMEBODY, EVERY), Thief(SOMEBODY, EVERY), Thief(SOMEBODY, EVERY)], ONE_FAMILY)


@needs_root
def test_without_privileges_the_same_user_gets_in_by_sharing_alone(isolated):
    attacked(isolated, NOBODY, [Thief(NOBODY, PLAIN), Thief(NOBODY, PLAIN), Thief(SOMEBODY, EVERY)], ONE_FAMILY)


# -- the documented holes: open when we say so, for whom we say so, and shut at once ------------


def won(numbers: dict[str, list[int]], thief: Thief) -> set[str]:
    """What gets in at this moment."""
    found = set()
    for name, _, sock, address in attempts(numbers, thief):
        try:
            sock.bind(address)
        except OSError:
            continue
        found.add(name)
    return found


def elsewhere(numbers: dict[str, list[int]], thief: Thief) -> set[str]:
    """The same for a thief of another user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            become(thief.user)
            os.write(writing, ",".join(won(numbers, thief)).encode() or b"-")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    assert text, "the thief died"
    return set(text.split(",")) - {"-"}


# Who stands still in the middle of a join shows for certain what a race shows by chance.


def joining(block: ports.Block, newcomer: socket.socket, address: tuple[str, int] | None):
    """The join of a TCP socket, to stand still in; None for the address when it listens."""
    return _placeholder.beside(block._reservation.placeholder(block.start), TCP, newcomer, address, False)


@needs_root
def test_the_middle_of_a_join_with_privileges(isolated):
    def body() -> None:
        with ports.reserve() as block:
            numbers = {"tcp": list(block), "udp": []}
            with socket.socket() as newcomer:
                with joining(block, newcomer, ("127.0.0.1", block.start)):
                    newcomer.bind(("127.0.0.1", block.start))
                    assert elsewhere(numbers, Thief(NOBODY, EVERY)) == set()
                    assert won(numbers, Thief(ROOT, EVERY)) == set()
                    assert won(numbers, Thief(ROOT, PLAIN, LOOPBACK))  # bound to a device: the documented hole
                assert won(numbers, Thief(ROOT, EVERY, LOOPBACK)) == set()

    isolated(body)


@needs_root
def test_the_middle_of_a_join_without_privileges(isolated):
    def body() -> None:
        reading, writing = os.pipe()
        go, told = os.pipe()
        child = os.fork()
        if child == 0:  # the other user, while we still can
            try:
                numbers = {"tcp": [int(os.read(go, 99))], "udp": []}
                os.write(writing, ",".join(elsewhere(numbers, Thief(SOMEBODY, EVERY))).encode() or b"-")
            finally:
                os._exit(0)
        os.close(writing)
        become(NOBODY)
        with ports.reserve() as block:
            numbers = {"tcp": list(block), "udp": []}
            with socket.socket() as newcomer:
                with joining(block, newcomer, ("127.0.0.1", block.start)):
                    newcomer.bind(("127.0.0.1", block.start))
                    os.write(told, b"%d" % block.start)
                    assert os.read(reading, 4096) == b"-"
                    assert won(numbers, Thief(NOBODY, PLAIN)) == set()
                    assert won(numbers, Thief(NOBODY, SHARING))  # the documented hole
                assert won(numbers, Thief(NOBODY, EVERY)) == set()
        os.waitpid(child, 0)

    isolated(body)


@needs_root
def test_the_middle_of_listening_on_both_families_without_privileges(isolated):
    def body() -> None:
        become(NOBODY)
        with ports.reserve() as block, block.socket(host="::") as sock:
            numbers = {"tcp": list(block), "udp": []}
            with joining(block, sock, None), socket.socket() as thief:
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                thief.bind(("127.0.0.1", block.start))  # the documented hole
                socket.socket.listen(sock)
                with pytest.raises(OSError, match="in use"):  # and that it leads nowhere
                    thief.listen()
            assert won(numbers, Thief(NOBODY, EVERY)) == set()

    isolated(body)


@needs_root
def test_datagram_ports_without_a_socket_are_open_to_the_device_bound_alone(isolated):
    def body() -> None:
        with ports.reserve(1, "udp") as block:
            numbers = {"tcp": [], "udp": list(block)}
            assert won(numbers, Thief(ROOT, EVERY)) == set()
            assert won(numbers, Thief(ROOT, PLAIN, LOOPBACK))
            with block.socket(host="::"):
                assert won(numbers, Thief(ROOT, EVERY, LOOPBACK)) == set()

    isolated(body)


def test_a_thief_that_wins_is_noticed(isolated):
    # The measure itself: on a port that nobody holds every way succeeds.
    def body() -> None:
        with ports.reserve() as tcp, ports.reserve(1, "udp") as udp:
            numbers = {"tcp": list(tcp), "udp": list(udp)}
        found = won(numbers, Thief(ROOT, EVERY))
        assert len(found) == 2 * len(FORMS) * len(EVERY)
        assert {TCP, UDP} == {kind for _, kind, _, _ in attempts(numbers, Thief(ROOT, PLAIN))}

    isolated(body)
