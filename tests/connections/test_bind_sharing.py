"""Who may bind beside whom: the documented table cell by cell, over the real kernel; foreign holders; TIME_WAIT."""

from __future__ import annotations

import itertools
import socket as linux
import subprocess
import sys

import pytest

import winsock
import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

WILD = {c.AF_INET: "0.0.0.0", c.AF_INET6: "::"}
LOOP = {c.AF_INET: "127.0.0.1", c.AF_INET6: "::1"}
USES = {"default": None, "reuse": c.SO_REUSEADDR, "exclusive": c.SO_EXCLUSIVEADDRUSE}
I, A = WSA.WSAEADDRINUSE, WSA.WSAEACCES  # noqa: E741

# The table of Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE (one user account): by the first socket's option and
# address, what comes of the second's: default, SO_REUSEADDR, SO_EXCLUSIVEADDRUSE, each for wildcard and specific.
TABLE = {
    ("default", "wildcard"): (I, 0, A, 0, I, 0),
    ("default", "specific"): (0, I, 0, A, I, I),
    ("reuse", "wildcard"): (I, 0, 0, 0, I, 0),
    ("reuse", "specific"): (0, I, 0, 0, I, I),
    ("exclusive", "wildcard"): (I, A, A, A, I, A),
    ("exclusive", "specific"): (0, I, 0, A, I, I),
}
CELLS = [
    (first, second, code)
    for first, row in TABLE.items()
    for second, code in zip(itertools.product(USES, ("wildcard", "specific")), row, strict=True)
]


families = pytest.mark.parametrize(
    "family", [pytest.param(c.AF_INET, id="ipv4"), pytest.param(c.AF_INET6, id="ipv6", marks=pytest.mark.ipv6)]
)


def opened(net, family, kind, use):
    s = net.socket(family, kind)
    return net.set(s, USES[use]) if USES[use] is not None else s


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM], ids=["tcp", "udp"])
@families
@pytest.mark.parametrize(("first", "second", "code"), CELLS, ids=lambda x: "-".join(x) if type(x) is tuple else "")
def test_cell_of_the_documented_table(net, kind, family, first, second, code):
    def host(place):
        return (WILD if place == "wildcard" else LOOP)[family]

    s1, s2 = opened(net, family, kind, first[0]), opened(net, family, kind, second[0])
    net.ok(net.bind(s1, net.at(host(first[1]))))
    wanted = net.at(host(second[1]), net.port(s1))
    if code:
        net.fails(net.bind(s2, wanted), code)
        net.fails(ws.getsockname(s2, bytearray(28), b"\x1c\0\0\0"), WSA.WSAEINVAL)  # it is as it was
        net.ok(net.bind(s2, net.at(host(second[1]))))
    else:
        net.ok(net.bind(s2, wanted))
        if kind == c.SOCK_STREAM:
            net.ok(ws.listen(s1, 1))
            net.ok(ws.listen(s2, 1))


@pytest.mark.parametrize("listen_first", [False, True])
def test_the_refused_may_bind_when_the_holder_has_gone(net, listen_first):
    holder = net.listener() if listen_first else net.bound()
    name = net.name(holder)
    s = net.tcp()
    net.fails(net.bind(s, name), WSA.WSAEADDRINUSE)
    net.ok(ws.closesocket(holder))
    net.ok(net.bind(s, name))


def dual(net, host):
    s = net.socket(c.AF_INET6)
    net.set(s, c.IPV6_V6ONLY, 0, c.IPPROTO_IPV6)
    return s, net.sin6(host)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("::", "0.0.0.0", 0),
        ("::", "127.0.0.1", 0),
        ("::ffff:127.0.0.1", "127.0.0.1", WSA.WSAEADDRINUSE),
        ("::ffff:127.0.0.1", "0.0.0.0", 0),
        pytest.param("::1", "127.0.0.1", 0, marks=pytest.mark.ipv6),
    ],
)
def test_dual_stack_and_ipv4(net, first, second, code):
    s, name = dual(net, first)
    net.ok(net.bind(s, name))
    other = net.tcp()
    r = net.bind(other, net.sin(second, net.port(s)))
    net.fails(r, code) if code else net.ok(r)


def test_an_ipv6_only_wildcard_leaves_ipv4_alone(net):
    s = net.bound("::")
    exclusive = net.set(net.tcp(), c.SO_EXCLUSIVEADDRUSE)
    net.ok(net.bind(exclusive, net.sin("0.0.0.0", net.port(s))))


def test_tcp_and_udp_have_ports_of_their_own(net):
    net.ok(net.bind(net.udp(), net.name(net.listener())))


def test_sharing_ends_with_the_call(net):
    """Beside each other for us; closed to other processes that would share the port."""
    s1 = net.listener()
    s2 = net.tcp()
    net.ok(net.bind(s2, net.sin("0.0.0.0", net.port(s1))))
    net.ok(ws.listen(s2, 1))
    for option in (linux.SO_REUSEPORT, linux.SO_REUSEADDR):
        with linux.socket() as foreign:
            foreign.setsockopt(linux.SOL_SOCKET, option, 1)
            with pytest.raises(OSError, match="in use"):
                foreign.bind(("127.0.0.1", net.port(s1)))


def test_two_processes_of_this_interpreter_share_one_machine(net):
    name = net.name(net.listener())
    other = winsock.Process()
    with other.attached():
        assert ws.WSAStartup(0x0202, bytearray(408)) == 0
        s = net.set(net.tcp(), c.SO_REUSEADDR)
        net.fails(net.bind(s, name), WSA.WSAEACCES)  # what no kernel says: the table knows
        net.ok(ws.WSACleanup())


# -- other processes' sockets


@pytest.mark.parametrize(("use", "code"), [("default", I), ("reuse", A), ("exclusive", I)])
def test_port_of_another_process(net, use, code):
    with linux.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        s = opened(net, c.AF_INET, c.SOCK_STREAM, use)
        net.fails(net.bind(s, net.sin(port=foreign.getsockname()[1])), code)


IN_A_PROCESS_OF_ITS_OWN = """
import ctypes, sys
import winsock.ws2_32 as ws
ws.WSAStartup(0x0202, bytearray(408))
s = ws.socket(2, 1, 6)
if int(sys.argv[2]):
    ws.setsockopt(s, 0xFFFF, int(sys.argv[2]), ctypes.c_int(1), 4)
print(ws.bind(s, bytes.fromhex(sys.argv[1]), 16) or ws.listen(s, 5), ws.WSAGetLastError())
"""


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [("reuse", "reuse", 0), ("reuse", "default", I), ("default", "reuse", A), ("default", "default", I)],
)
def test_two_programs_and_one_port(net, first, second, code):
    """SO_REUSEADDR lets a second copy of a server start, and only if the first had it too."""
    lst = opened(net, c.AF_INET, c.SOCK_STREAM, first)
    net.ok(net.bind(lst, net.sin()))
    net.ok(ws.listen(lst, 5))
    command = [
        sys.executable,
        "-c",
        IN_A_PROCESS_OF_ITS_OWN,
        net.name(lst).hex(),
        str((USES[second] or 0) & 0xFFFFFFFF),
    ]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert out.split() == (["-1", str(int(code))] if code else ["0", "0"])


def test_udp_port_shared_with_another_process(net):
    with linux.socket(type=linux.SOCK_DGRAM) as foreign:
        foreign.setsockopt(linux.SOL_SOCKET, linux.SO_REUSEADDR, 1)
        foreign.bind(("127.0.0.1", 0))
        name = net.sin(port=foreign.getsockname()[1])
        net.fails(net.bind(net.udp(), name), WSA.WSAEADDRINUSE)
        net.ok(net.bind(net.set(net.udp(), c.SO_REUSEADDR), name))


# -- connections that have ended


@pytest.mark.parametrize("use", USES)
def test_time_wait_does_not_block_a_listener(net, use):
    lst = net.listener()
    name = net.name(lst)
    client = net.tcp()
    net.ok(net.connect(client, name))
    server = net.accept(lst)
    for s in (lst, server, client):  # the listening side ends the connection and has to wait
        net.ok(ws.closesocket(s))
    again = opened(net, c.AF_INET, c.SOCK_STREAM, use)
    net.ok(net.bind(again, name))
    net.ok(ws.listen(again, 1))
    net.ok(net.connect(net.tcp(), name))


def test_time_wait_of_a_bound_client_does_not_block_its_port(net):
    lst, client = net.listener(), net.bound()
    name = net.name(client)
    net.ok(net.connect(client, net.name(lst)))
    server = net.accept(lst)
    net.ok(ws.closesocket(client))
    net.ok(ws.closesocket(server))
    net.ok(net.bind(net.tcp(), name))


def test_live_connection_does_not_block_its_listeners_port(net):
    lst = net.listener()
    name = net.name(lst)
    net.ok(net.connect(net.tcp(), name))
    net.accept(lst)
    net.ok(ws.closesocket(lst))
    again = net.tcp()
    net.ok(net.bind(again, name))
    net.ok(ws.listen(again, 1))


def test_connection_of_an_exclusive_listener_keeps_exclusive_ones_out(net):
    lst = net.set(net.tcp(), c.SO_EXCLUSIVEADDRUSE)
    net.ok(net.bind(lst, net.sin()))
    net.ok(ws.listen(lst, 1))
    name = net.name(lst)
    client = net.tcp()
    net.ok(net.connect(client, name))
    server = net.accept(lst)
    net.ok(ws.closesocket(lst))
    again = net.set(net.tcp(), c.SO_EXCLUSIVEADDRUSE)
    net.fails(net.bind(again, name), WSA.WSAEADDRINUSE)
    net.ok(ws.closesocket(client))
    net.ok(ws.closesocket(server))
    net.ok(net.bind(again, name))


# -- who gets what arrives


def taken_by(net, family, port, *listeners):
    """Which of these listeners gets a connection to loopback at the port."""
    client = net.socket(family)
    net.ok(net.connect(client, net.at(LOOP[family], port)))
    for index, lst in enumerate(listeners):
        new = ws.accept(net.nonblocking(lst), None, None)
        if new != (1 << 64) - 1:
            return index
    return None


@families
def test_first_of_equal_listeners_gets_every_connection_until_it_closes(net, family):
    listeners = []
    port = 0
    for _ in range(3):
        s = net.set(net.socket(family), c.SO_REUSEADDR)
        net.ok(net.bind(s, net.at(LOOP[family], port)))
        port = net.port(s)
        net.ok(ws.listen(s, 20))
        listeners.append(s)
    assert {taken_by(net, family, port, *listeners) for _ in range(20)} == {0}
    net.ok(ws.closesocket(listeners.pop(0)))
    assert len({taken_by(net, family, port, *listeners) for _ in range(10)}) == 1


@pytest.mark.parametrize("specific_first", [True, False])
def test_specific_udp_socket_gets_the_datagrams(net, specific_first):
    hosts = ["127.0.0.1", "0.0.0.0"] if specific_first else ["0.0.0.0", "127.0.0.1"]
    s1 = net.bound(hosts[0], c.SOCK_DGRAM)
    s2 = net.udp()
    net.ok(net.bind(s2, net.sin(hosts[1], net.port(s1))))
    specific = s1 if specific_first else s2
    sender, to = net.udp(), net.sin(port=net.port(s1))
    assert ws.sendto(sender, b"x", 1, 0, to, 16) == 1
    assert ws.recv(net.nonblocking(specific), bytearray(1), 1, 0) == 1
