"""SIO_ACQUIRE, SIO_ASSOCIATE and SIO_RELEASE_PORT_RESERVATION: who gets the ports of a block, and until when."""

from __future__ import annotations

import itertools
import struct

import pytest
from own_network import NOBODY, in_child
from processes import started
from reservation_calls import (
    ACQUIRE,
    ANYWHERE,
    FAILED,
    FAMILIES,
    LOCAL,
    PROTOCOLS,
    RELEASE,
    acquire,
    address,
    associate,
    associated,
    bind,
    code,
    control,
    held,
    new,
    option,
    port_of,
    release,
)

import winsock.ws2_32 as ws
from winsock import ports
from winsock.abi import _constants as c
from winsock.codes import WSA

pytestmark = pytest.mark.usefixtures("quiet", "process")


# -- what works


@PROTOCOLS
@FAMILIES
def test_associated_sockets_take_the_ports_of_the_block_one_by_one(protocol, family):
    first, token = acquire(new(protocol, family), 3)
    taken = []
    for _ in range(3):
        s = associated(token, protocol, family)
        assert bind(s, family=family) == 0
        taken.append(port_of(s))
        if protocol == "tcp":
            assert ws.listen(s, 5) == 0
    assert sorted(taken) == [first, first + 1, first + 2]
    late = associated(token, protocol, family)
    assert bind(late, family=family) == WSA.WSAENOBUFS


@PROTOCOLS
def test_a_port_whose_socket_closed_is_free_for_the_block_again(protocol):
    first, token = acquire(new(protocol), 1)
    for _ in range(3):
        s = associated(token, protocol)
        assert bind(s) == 0
        assert port_of(s) == first
        assert ws.closesocket(s) == 0
        assert held(first, protocol)


@PROTOCOLS
def test_an_explicit_port_inside_the_block(protocol):
    first, token = acquire(new(protocol), 4)
    s = associated(token, protocol)
    assert bind(s, first + 2) == 0
    assert port_of(s) == first + 2


@pytest.mark.parametrize("offset", [-1, 2], ids=["before", "behind"])
def test_an_explicit_port_outside_the_block_is_refused_and_changes_nothing(offset):
    first, token = acquire(new(), 2)
    s = associated(token)
    assert bind(s, first + offset) == WSA.WSAEADDRNOTAVAIL
    assert bind(s, first) == 0


def test_the_acquiring_socket_may_use_the_block_itself():
    s = new()
    first, token = acquire(s, 1)
    assert associate(s, token) == 0
    assert bind(s) == 0
    assert port_of(s) == first
    assert ws.listen(s, 1) == 0
    assert ws.closesocket(s) == 0
    assert not held(first)


def test_a_bound_socket_may_acquire():
    s = new()
    assert bind(s) == 0
    acquire(s, 2)


def test_one_socket_may_acquire_several_blocks():
    s = new()
    blocks = [acquire(s, 3) for _ in range(10)]
    assert len({token for _, token in blocks}) == 10
    ranges = sorted((first, first + 2) for first, _ in blocks)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ranges))
    assert ws.closesocket(s) == 0
    assert not any(held(port) for first, _ in blocks for port in range(first, first + 3))


def test_a_second_association_replaces_the_first():
    one, token = acquire(new(), 1)
    other, second = acquire(new(), 1)
    s = associated(token)
    assert associate(s, second) == 0
    assert bind(s) == 0
    assert port_of(s) == other != one


def test_connect_takes_its_port_from_the_block():
    listener = new()
    assert bind(listener) == 0
    assert ws.listen(listener, 5) == 0
    first, token = acquire(new(), 2)
    ports_used = []
    for _ in range(2):
        s = associated(token)
        assert ws.connect(s, address(port_of(listener)), 16) == 0
        ports_used.append(port_of(s))
    assert sorted(ports_used) == [first, first + 1]
    s = associated(token)
    assert ws.connect(s, address(port_of(listener)), 16) == FAILED
    assert code() == WSA.WSAENOBUFS


def test_sendto_takes_its_port_from_the_block():
    first, token = acquire(new("udp"), 1)
    receiver = new("udp")
    assert bind(receiver) == 0
    s = associated(token, "udp")
    assert ws.sendto(s, b"x", 1, 0, address(port_of(receiver)), 16) == 1
    assert port_of(s) == first


@pytest.mark.parametrize("family", [c.AF_INET, c.AF_INET6], ids=["v4", "v6"])
def test_listeners_of_the_block_get_connections(family):
    _, token = acquire(new(), 2)
    for host in (None, ANYWHERE[family]):
        s = associated(token, "tcp", family)
        assert bind(s, 0, family, host) == 0
        assert ws.listen(s, 5) == 0
        client = new("tcp", family)
        name = address(port_of(s), family)
        assert ws.connect(client, name, len(name)) == 0
        assert ws.accept(s, None, None) != (1 << 64) - 1


def test_a_dual_stack_listener_gets_connections_of_both_families():
    _, token = acquire(new(), 1)
    s = associated(token, "tcp", c.AF_INET6)
    assert ws.setsockopt(s, c.IPPROTO_IPV6, c.IPV6_V6ONLY, struct.pack("<i", 0), 4) == 0
    assert bind(s, 0, c.AF_INET6, ANYWHERE[c.AF_INET6]) == 0
    assert ws.listen(s, 5) == 0
    for family in (c.AF_INET, c.AF_INET6):
        client = new("tcp", family)
        name = address(port_of(s), family)
        assert ws.connect(client, name, len(name)) == 0


def test_a_mapped_address_inside_the_block():
    _, token = acquire(new(), 1)
    s = associated(token, "tcp", c.AF_INET6)
    assert ws.setsockopt(s, c.IPPROTO_IPV6, c.IPV6_V6ONLY, struct.pack("<i", 0), 4) == 0
    assert bind(s, 0, c.AF_INET6, bytes(10) + b"\xff\xff\x7f\0\0\1") == 0
    assert ws.listen(s, 5) == 0
    client = new()
    assert ws.connect(client, address(port_of(s)), 16) == 0


def test_datagrams_reach_the_socket_not_what_holds_the_port():
    _, token = acquire(new("udp"), 1)
    s = associated(token, "udp")
    assert bind(s) == 0
    sender = new("udp")
    for i in range(20):
        assert ws.sendto(sender, bytes([i]), 1, 0, address(port_of(s)), 16) == 1
        buffer = bytearray(8)
        assert ws.recv(s, buffer, 8, 0) == 1
        assert buffer[0] == i


def test_a_reserved_port_without_a_socket_refuses_connections():
    first, _ = acquire(new(), 1)
    s = new()
    assert ws.connect(s, address(first), 16) == FAILED
    assert code() == WSA.WSAECONNREFUSED


@PROTOCOLS
def test_sharing_inside_the_block_follows_windows_rules(protocol):
    """Two sockets on one reserved port: refused as anywhere, shared with SO_REUSEADDR on both."""
    first, token = acquire(new(protocol), 1)
    one = associated(token, protocol)
    assert bind(one, first) == 0
    two = associated(token, protocol)
    assert bind(two, first) == WSA.WSAEADDRINUSE
    exclusive = associated(token, protocol)
    option(exclusive, c.SO_EXCLUSIVEADDRUSE)
    assert bind(exclusive, first, host=ANYWHERE[c.AF_INET]) == WSA.WSAEADDRINUSE
    assert ws.closesocket(one) == 0
    for _ in range(3):
        s = associated(token, protocol)
        option(s, c.SO_REUSEADDR)
        assert bind(s, first) == 0
        if protocol == "tcp":
            assert ws.listen(s, 5) == 0
    assert held(first, protocol)


def test_a_wildcard_beside_a_specific_address_inside_the_block():
    first, token = acquire(new(), 1)
    wide, narrow = associated(token), associated(token)
    assert bind(wide, first, host=ANYWHERE[c.AF_INET]) == 0
    assert ws.listen(wide, 5) == 0
    assert bind(narrow, first) == 0
    assert ws.listen(narrow, 5) == 0


# -- who else is refused


@PROTOCOLS
def test_sockets_that_are_not_associated_get_wsaeacces(protocol):
    first, token = acquire(new(protocol), 2)
    s = associated(token, protocol)
    assert bind(s, first) == 0
    for port in (first, first + 1):  # with a socket of the block, and without
        for family in LOCAL:
            stranger = new(protocol, family)
            assert bind(stranger, port, family) == WSA.WSAEACCES
            assert bind(stranger, port, family, ANYWHERE[family]) == WSA.WSAEACCES
            option(stranger, c.SO_REUSEADDR)
            assert bind(stranger, port, family) == WSA.WSAEACCES
            assert bind(stranger, 0, family) == 0  # a refused bind changes nothing


def test_the_other_protocol_has_its_own_ports():
    first, _ = acquire(new("tcp"), 1)
    s = new("udp")
    assert bind(s, first) in (0, WSA.WSAEADDRINUSE)  # free, unless some program has just that one
    acquire(s, 1)


def test_another_process_of_the_interpreter_may_not_use_the_token():
    first, token = acquire(new(), 1)
    with started():
        s = new()
        assert associate(s, token) == WSA.WSAEINVAL
        assert release(s, token) == WSA.WSAEINVAL
        assert bind(s, first) == WSA.WSAEACCES
        assert ws.closesocket(s) == 0


def test_another_program_with_winsock_gets_wsaeacces_and_may_not_use_the_token():
    first, token = acquire(new(), 1)

    def body() -> None:
        s = new()
        assert bind(s, first) == WSA.WSAEACCES
        assert associate(s, token) == WSA.WSAEINVAL
        assert release(s, token) == WSA.WSAEINVAL
        out = bytearray(16)
        there = struct.pack(">H", first) + struct.pack("<H", 1)
        assert control(s, ACQUIRE, there, out) == (WSA.WSAEADDRINUSE, 0)

    kind, text = in_child(body)
    assert kind == "ok", text


def test_a_token_of_winsock_ports_serves_here():
    with ports.reserve(2) as block:
        s = associated(block.token)
        assert bind(s) == 0
        assert port_of(s) in block


# -- the end


@PROTOCOLS
def test_the_block_ends_with_the_acquiring_socket(protocol):
    s = new(protocol)
    first, token = acquire(s, 3)
    assert all(held(port, protocol) for port in range(first, first + 3))
    user = associated(token, protocol)
    assert bind(user, first) == 0
    waiting = associated(token, protocol)
    assert ws.closesocket(s) == 0
    assert held(first, protocol)  # a socket that is bound keeps its port
    assert not held(first + 1, protocol)
    assert associate(new(protocol), token) == WSA.WSAEINVAL
    assert bind(waiting) == WSA.WSAENOBUFS
    if protocol == "tcp":
        assert ws.listen(user, 5) == 0


def test_release_frees_the_block_and_leaves_bound_sockets():
    s = new()
    first, token = acquire(s, 2)
    user = associated(token)
    assert bind(user, first) == 0
    assert control(new(), RELEASE, struct.pack("<Q", token)) == (0, 0)  # any socket of the process
    assert ws.listen(user, 5) == 0
    assert not held(first + 1)
    assert release(s, token) == WSA.WSAEINVAL
    again = new()
    assert bind(again, first + 1) == 0


# -- the same as an ordinary user, who joins in another way

UNPRIVILEGED = (
    lambda: test_associated_sockets_take_the_ports_of_the_block_one_by_one("tcp", c.AF_INET6),
    lambda: test_a_port_whose_socket_closed_is_free_for_the_block_again("tcp"),
    lambda: test_a_port_whose_socket_closed_is_free_for_the_block_again("udp"),
    test_connect_takes_its_port_from_the_block,
    test_sendto_takes_its_port_from_the_block,
    lambda: test_listeners_of_the_block_get_connections(c.AF_INET),
    lambda: test_listeners_of_the_block_get_connections(c.AF_INET6),
    test_a_dual_stack_listener_gets_connections_of_both_families,
    test_a_mapped_address_inside_the_block,
    test_datagrams_reach_the_socket_not_what_holds_the_port,
    lambda: test_sharing_inside_the_block_follows_windows_rules("tcp"),
    lambda: test_sharing_inside_the_block_follows_windows_rules("udp"),
    test_a_wildcard_beside_a_specific_address_inside_the_block,
    lambda: test_sockets_that_are_not_associated_get_wsaeacces("tcp"),
    lambda: test_sockets_that_are_not_associated_get_wsaeacces("udp"),
    lambda: test_the_block_ends_with_the_acquiring_socket("tcp"),
    test_release_frees_the_block_and_leaves_bound_sockets,
)


@pytest.mark.parametrize("which", range(len(UNPRIVILEGED)), ids=str)
def test_as_an_ordinary_user(isolated, which):
    def body() -> None:
        with started():
            UNPRIVILEGED[which]()

    isolated(body, NOBODY)
