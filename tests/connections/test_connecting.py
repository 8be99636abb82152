"""connect: refusals in order, what a failed attempt leaves, non-blocking ones, UDP peers, names, interruption."""

from __future__ import annotations

import ctypes
import socket as linux
import struct
from pathlib import Path

import pytest

import winsock.ws2_32 as ws
from winsock.abi import _constants as c
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1


def so_error(net, s):
    return net.get(s, c.SO_ERROR)


# -- what is no address to connect to


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("0.0.0.0", 80),
        ("0.0.0.0", 0),
        ("127.0.0.1", 0),
        ("255.255.255.255", 80),
        ("224.0.0.1", 80),
        ("::", 80),
        ("::1", 0),
        ("ff02::1", 80),
        ("::ffff:0.0.0.0", 80),
    ],
)
def test_no_host_or_port_to_connect_to(net, host, port):
    s = net.socket(c.AF_INET6 if ":" in host else c.AF_INET)
    net.fails(net.connect(s, net.at(host, port)), WSA.WSAEADDRNOTAVAIL)
    net.fails(ws.getsockname(s, bytearray(28), b"\x1c\0\0\0"), WSA.WSAEINVAL)  # it is as it was
    if ":" in host:
        net.set(s, c.IPV6_V6ONLY, 0, c.IPPROTO_IPV6)
    to = net.port(net.listener())
    net.ok(net.connect(s, net.sin6("::ffff:127.0.0.1", to) if ":" in host else net.sin(port=to)))


@pytest.mark.parametrize(
    ("name", "length", "code"),
    [
        (None, 16, WSA.WSAEFAULT),
        (None, 0, WSA.WSAEFAULT),
        (8, 16, WSA.WSAEFAULT),
        (bytes(16), 15, WSA.WSAEFAULT),
        (bytes(16), 0, WSA.WSAEFAULT),
        (bytes(16), -1, WSA.WSAEFAULT),
        (bytes(4), 16, WSA.WSAEFAULT),
        (struct.pack("<H14x", 0xDEAD), 16, WSA.WSAEAFNOSUPPORT),
        (struct.pack("<H26x", c.AF_INET6), 28, WSA.WSAEAFNOSUPPORT),
        (struct.pack("<H14x", c.AF_UNSPEC), 16, WSA.WSAEAFNOSUPPORT),
        ("text", 16, WSA.WSAEFAULT),
        (3.5, 16, WSA.WSAEFAULT),
    ],
)
def test_bad_addresses(net, name, length, code):
    s = net.tcp()
    net.fails(ws.connect(s, name, length), code)
    net.fails(ws.WSAConnect(s, name, length, None, None, None, None), code)
    net.ok(net.connect(s, net.name(net.listener())))
    # The state comes first.
    net.fails(ws.connect(s, name, length), WSA.WSAEISCONN)


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, ctypes.create_string_buffer, ctypes.c_char_p, list])
def test_a_name_is_in_any_memory_and_in_nothing_else(net, form):
    name = net.name(net.listener())
    for _ in range(2):  # the second time it is known
        s = net.tcp()
        if form in (list, ctypes.c_char_p):  # numbers; a pointer, which is 8 bytes itself
            net.fails(ws.connect(s, form(name), 16), WSA.WSAEFAULT)
            form_of_old = bytes
        else:
            form_of_old = form
            net.ok(ws.connect(s, form(name), 16))
            assert net.peer(s) == name
        other = net.tcp()
        net.fails(ws.connect(other, form_of_old(name), 15), WSA.WSAEFAULT)
        net.fails(ws.connect(other, form_of_old(name[:12]), 16), WSA.WSAEFAULT)
        net.ok(ws.connect(other, form_of_old(name + b"more"), 20))


def test_of_many_peers_each_is_the_right_one(net):
    port = net.port(net.listener("0.0.0.0", 400))
    for i in [*range(300), 0, 299]:
        name = net.sin(f"127.0.{i // 200 + 1}.{i % 200 + 1}", port)
        s = net.tcp()
        net.ok(net.connect(s, name))
        assert net.peer(s) == name
        net.set(s, c.SO_LINGER, 1)
        net.ok(ws.closesocket(s))


@pytest.mark.parametrize("s", [0, 4, -1, NO_SOCKET, 1 << 70, None, "s", 2.5, b"\x40"])
def test_no_socket(net, s):
    for call in (
        lambda: ws.connect(s, None, 0),
        lambda: ws.bind(s, None, 0),
        lambda: ws.listen(s, 1),
        lambda: ws.accept(s, None, None),
        lambda: ws.shutdown(s, 9),
        lambda: ws.getsockname(s, None, None),
        lambda: ws.getpeername(s, None, None),
        lambda: ws.closesocket(s),
        lambda: ws.WSAConnect(s, None, 0, None, None, None, None),
        lambda: ws.WSAAccept(s, None, None, None, 0),
        lambda: ws.WSASendDisconnect(s, None),
        lambda: ws.WSARecvDisconnect(s, None),
        lambda: ws.WSAJoinLeaf(s, None, 0, None, None, None, None, 4),
    ):
        net.fails(call(), WSA.WSAENOTSOCK)


def test_nothing_works_before_startup(net):
    import winsock

    with winsock.Process().attached():
        net.fails(ws.connect(0, None, 0), WSA.WSANOTINITIALISED)
        net.fails(ws.accept(0, None, None), WSA.WSANOTINITIALISED)
        net.fails(ws.closesocket(0), WSA.WSANOTINITIALISED)


# -- blocking


def test_refused_and_tried_again(net, refused):
    s = net.tcp()
    for _ in range(3):
        net.fails(net.connect(s, refused), WSA.WSAECONNREFUSED)
        assert so_error(net, s) == 0  # the call itself told
    name = net.name(s)
    assert name[:8] == net.sin("0.0.0.0", net.port(s))[:8]
    net.fails(net.bind(s, net.sin()), WSA.WSAEINVAL)  # the attempt gave it a name
    net.ok(net.connect(s, net.name(net.listener())))
    assert net.name(s)[2:4] == name[2:4]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_refused_socket_keeps_the_name_it_was_bound_to(net, refused, host):
    s = net.tcp()
    net.ok(net.bind(s, net.sin(host)))
    name = net.name(s)
    net.fails(net.connect(s, refused), WSA.WSAECONNREFUSED)
    assert net.name(s) == name
    net.fails(net.bind(net.tcp(), name), WSA.WSAEADDRINUSE)
    net.ok(net.connect(s, net.name(net.listener())))
    assert net.port(s) == int.from_bytes(name[2:4], "big")


def test_refused_socket_can_listen(net, refused):
    s = net.tcp()
    net.fails(net.connect(s, refused), WSA.WSAECONNREFUSED)
    net.ok(ws.listen(s, 1))
    net.ok(net.connect(net.tcp(), net.sin(port=net.port(s))))
    net.accept(s)


def test_names_of_both_ends(net):
    client, server = net.pair()
    assert (net.name(client), net.peer(client)) == (net.peer(server), net.name(server))
    assert net.name(client)[4:8] == b"\x7f\0\0\1"


def test_closing_ends_a_blocking_connect(net, silent):
    s = net.tcp()
    call = net.background(net.connect, s, silent)
    call.waits()
    net.fails(net.connect(s, silent), WSA.WSAEALREADY)
    net.ok(ws.closesocket(s))
    assert call.join() == (-1, WSA.WSAEINTR)


def test_cancelled_connect_can_be_tried_again(net, silent):
    s = net.tcp()
    call = net.background(net.connect, s, silent)
    call.waits()
    call.state.cancelled = WSA.WSAEINTR  # what WSACancelBlockingCall does from a blocking hook
    call.state.interrupt()
    assert call.join() == (-1, WSA.WSAEINTR)
    net.ok(net.connect(s, net.name(net.listener())))


def test_connect_gives_up_in_time(net, silent, monkeypatch):
    from winsock.afd import _connection

    monkeypatch.setattr(_connection, "RETRANSMISSION", 5)  # ms
    s = net.tcp()
    net.fails(net.connect(s, silent), WSA.WSAETIMEDOUT)
    net.ok(net.connect(s, net.name(net.listener())))


# -- non-blocking


def test_nonblocking_success(net):
    lst, s = net.listener(), net.nonblocking(net.tcp())
    net.fails(net.connect(s, net.name(lst)), WSA.WSAEWOULDBLOCK)
    assert net.ready(s, "write")
    net.fails(net.connect(s, net.name(lst)), WSA.WSAEISCONN)
    assert so_error(net, s) == 0
    assert net.peer(s) == net.name(lst)


def test_polling_with_connect_alone(net):
    """Old programs call connect until it says that there is a connection."""
    lst, s = net.listener(), net.nonblocking(net.tcp())
    codes = []
    while WSA.WSAEISCONN not in codes:
        assert net.connect(s, net.name(lst)) == -1
        codes.append(ws.WSAGetLastError())
        assert len(codes) < 1000
    assert codes[0] == WSA.WSAEWOULDBLOCK
    assert set(codes[1:-1]) <= {WSA.WSAEALREADY}


def test_nonblocking_refusal(net, refused):
    s = net.nonblocking(net.tcp())
    net.fails(net.connect(s, refused), WSA.WSAEWOULDBLOCK)
    assert net.ready(s, "except")
    assert [so_error(net, s) for _ in range(3)] == [WSA.WSAECONNREFUSED] * 3
    net.fails(ws.send(s, b"x", 1, 0), WSA.WSAENOTCONN)
    net.fails(ws.getpeername(s, bytearray(16), ctypes.c_int(16)), WSA.WSAENOTCONN)
    net.fails(net.connect(s, net.name(net.listener())), WSA.WSAEWOULDBLOCK)
    assert so_error(net, s) == WSA.WSAECONNREFUSED
    assert net.ready(s, "write")
    assert ws.send(s, b"x", 1, 0) == 1


def test_connection_that_is_reset_before_anybody_looks(net):
    lst, s = net.listener(), net.nonblocking(net.tcp())
    net.fails(net.connect(s, net.name(lst)), WSA.WSAEWOULDBLOCK)
    server = net.accept(lst)
    net.set(server, c.SO_LINGER, 1)
    net.ok(ws.closesocket(server))
    assert net.ready(s, "write")
    assert so_error(net, s) == 0
    net.fails(ws.recv(s, bytearray(1), 1, 0), WSA.WSAECONNRESET)
    net.fails(net.connect(s, net.name(lst)), WSA.WSAEISCONN)


def test_connect_under_way(net, silent):
    s = net.nonblocking(net.tcp())
    net.fails(net.connect(s, silent), WSA.WSAEWOULDBLOCK)
    net.fails(net.connect(s, silent), WSA.WSAEALREADY)
    net.fails(net.connect(s, b""), WSA.WSAEALREADY)
    net.fails(net.bind(s, net.sin()), WSA.WSAEINVAL)
    net.fails(ws.shutdown(s, c.SD_SEND), WSA.WSAENOTCONN)
    net.fails(ws.recv(s, bytearray(1), 1, 0), WSA.WSAENOTCONN)
    net.fails(ws.getpeername(s, bytearray(16), ctypes.c_int(16)), WSA.WSAENOTCONN)
    assert net.port(s)
    assert not net.ready(s, "write", seconds=0)
    net.nonblocking(s, 0)
    net.fails(net.connect(s, silent), WSA.WSAEALREADY)


def test_blocking_socket_whose_outcome_select_learns_first(net, refused):
    """Two threads wait for one attempt: both learn how it went."""
    for _ in range(50):
        s = net.tcp()
        call = net.background(net.connect, s, refused)
        while call.result is None:
            net.ready(s, "except", seconds=0)
        assert call.join() == (-1, WSA.WSAECONNREFUSED)


# -- IPv6


def test_ipv6_only_is_the_default(net):
    lst = net.listener("::")
    net.fails(net.connect(net.tcp(), net.sin(port=net.port(lst))), WSA.WSAECONNREFUSED)
    mapped = net.socket(c.AF_INET6)
    assert net.connect(mapped, net.sin6("::ffff:127.0.0.1", net.port(lst))) == -1


@pytest.mark.ipv6
def test_wildcard_of_ipv6(net):
    s = net.socket(c.AF_INET6)
    net.ok(net.connect(s, net.sin6(port=net.port(net.listener("::")))))


def test_dual_stack_both_ways(net):
    lst = net.set(net.socket(c.AF_INET6), c.IPV6_V6ONLY, 0, c.IPPROTO_IPV6)
    net.ok(net.bind(lst, net.sin6("::")))
    net.ok(ws.listen(lst, 5))
    client = net.tcp()
    net.ok(net.connect(client, net.sin(port=net.port(lst))))
    assert net.peer(net.accept(lst))[8:24] == bytes(10) + b"\xff\xff\x7f\0\0\1"
    dual = net.set(net.socket(c.AF_INET6), c.IPV6_V6ONLY, 0, c.IPPROTO_IPV6)
    net.ok(net.connect(dual, net.sin6("::ffff:127.0.0.1", net.port(net.listener()))))


@pytest.mark.parametrize("host", [pytest.param("::1", marks=pytest.mark.ipv6), "::"])
def test_scope_of_no_interface(net, host):
    s = net.socket(c.AF_INET6)
    net.fails(net.bind(s, net.sin6(host, 0, 0xABACAB)), WSA.WSAEADDRNOTAVAIL)
    net.ok(net.bind(s, net.sin6(host)))


@pytest.mark.ipv6
def test_scope_of_the_addresss_own_interface(net):
    s = net.socket(c.AF_INET6)
    net.ok(net.bind(s, net.sin6("::1", 0, linux.if_nametoindex("lo"))))


def test_link_local_addresses_get_their_scope(net):
    for host, scope in link_locals():
        for given in (0, scope):
            s = net.socket(c.AF_INET6)
            net.ok(net.bind(s, net.sin6(host, 0, given)))
            assert net.name(s)[8:] == net.sin6(host, 0, scope)[8:]
            net.ok(ws.listen(s, 1))
            client = net.socket(c.AF_INET6)
            net.ok(net.connect(client, net.name(s)))
            assert net.peer(client) == net.name(s)
        net.fails(net.bind(net.socket(c.AF_INET6), net.sin6(host, 0, 0xABACAB)), WSA.WSAEADDRNOTAVAIL)


def link_locals():
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except FileNotFoundError:
        lines = []
    found = [
        (linux.inet_ntop(linux.AF_INET6, bytes.fromhex(address)), int(number, 16))
        for address, number, _, scope, *_ in map(str.split, lines)
        if scope == "20"
    ]
    return found or pytest.skip("no link-local address here")


# -- datagrams


@pytest.mark.parametrize("nowhere", ["zeroed", "wildcard", "wildcard and port"])
def test_dissolving_a_peer(net, nowhere):
    s, peer = net.udp(), net.bound(kind=c.SOCK_DGRAM)
    net.ok(net.connect(s, net.name(peer)))
    assert net.peer(s) == net.name(peer)
    port = net.port(s)
    name = {"zeroed": bytes(16), "wildcard": net.sin("0.0.0.0"), "wildcard and port": net.sin("0.0.0.0", 9)}[nowhere]
    net.ok(net.connect(s, name))
    net.fails(ws.getpeername(s, bytearray(16), ctypes.c_int(16)), WSA.WSAENOTCONN)
    net.fails(ws.send(s, b"x", 1, 0), WSA.WSAENOTCONN)
    assert net.port(s) == port
    assert ws.sendto(peer, b"x", 1, 0, net.sin(port=port), 16) == 1
    assert ws.recv(s, bytearray(1), 1, 0) == 1  # from anybody again


def test_dissolving_what_never_was(net):
    s = net.udp()
    net.ok(net.connect(s, bytes(16)))
    net.fails(ws.getsockname(s, bytearray(16), ctypes.c_int(16)), WSA.WSAEINVAL)


def test_changing_peers(net):
    s, first, second = net.udp(), net.bound(kind=c.SOCK_DGRAM), net.bound(kind=c.SOCK_DGRAM)
    net.ok(net.connect(s, net.name(first)))
    net.ok(net.connect(s, net.name(second)))
    assert ws.send(s, b"x", 1, 0) == 1
    assert ws.recv(second, bytearray(1), 1, 0) == 1


def test_broadcast_needs_permission(net):
    s = net.udp()
    net.fails(net.connect(s, net.sin("255.255.255.255", 9)), WSA.WSAEACCES)
    net.fails(net.bind(net.udp(), net.sin("255.255.255.255")), WSA.WSAEACCES)


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
@pytest.mark.parametrize("host", ["224.0.0.251", "ff02::fb", "203.0.113.1", "2001:db8::1"])
def test_only_addresses_of_this_machine_can_be_bound(net, kind, host):
    s = net.socket(c.AF_INET6 if ":" in host else c.AF_INET, kind)
    net.fails(net.bind(s, net.at(host)), WSA.WSAEADDRNOTAVAIL)
    net.ok(net.bind(s, net.at("::" if ":" in host else "127.0.0.1")))


# -- WSAConnect


def test_wsaconnect_extras(net):
    lst = net.name(net.listener())
    room = (ctypes.c_char * 4)()
    data = struct.pack("<I4xQ", 4, ctypes.addressof(room))
    s = net.tcp()
    net.fails(ws.WSAConnect(s, lst, 16, None, None, None, bytes(80)), WSA.WSAEINVAL)
    net.fails(ws.WSAConnect(s, lst, 16, data, None, None, None), WSA.WSAEPROTONOSUPPORT)
    net.fails(ws.WSAConnect(s, lst, 16, bytes(4), None, None, None), WSA.WSAEFAULT)
    net.fails(ws.WSAConnect(s, lst, 16, None, 8, None, None), WSA.WSAEFAULT)
    net.fails(ws.WSAConnect(s, lst, 16, None, None, bytes(8), None), WSA.WSAEFAULT)
    callee = bytearray(data)
    net.ok(ws.WSAConnect(s, lst, 16, bytes(16), callee, bytes(80), None))
    assert callee[:4] == bytes(4)
    u = net.udp()
    net.ok(ws.WSAConnect(u, net.sin(port=9), 16, data, None, None, None))


# -- by name, by list


def by_name(call, s, host, service, *, local=(None, None), remote=(None, None), timeout=None, reserved=None):
    return call(s, host, service, *local, *remote, timeout, reserved)


@pytest.mark.parametrize(("call", "text"), [(ws.WSAConnectByNameA, str.encode), (ws.WSAConnectByNameW, str)])
def test_by_name(net, call, text):
    lst, s = net.listener(), net.nonblocking(net.tcp())
    local, remote = bytearray(16), bytearray(16)
    n1, n2 = ctypes.c_uint(16), ctypes.c_uint(64)
    assert by_name(call, s, text("localhost"), text(str(net.port(lst))), local=(n1, local), remote=(n2, remote)) == 1
    assert (local, remote, n1.value, n2.value) == (net.name(s), net.peer(s), 16, 16)
    assert by_name(call, s, text("localhost"), text("1")) == 0
    assert ws.WSAGetLastError() == WSA.WSAEISCONN


@pytest.mark.parametrize(
    ("host", "service", "code"),
    [
        (None, "80", WSA.WSAEINVAL),
        ("localhost", None, WSA.WSAEINVAL),
        ("localhost", "no-such-service", WSA.WSATYPE_NOT_FOUND),
        ("no.such.host.invalid", "80", WSA.WSAHOST_NOT_FOUND),
        ("x" * 70 + ".invalid", "80", WSA.WSAHOST_NOT_FOUND),
    ],
)
def test_by_name_refusals(net, host, service, code):
    s = net.tcp()
    assert by_name(ws.WSAConnectByNameW, s, host, service) == 0
    assert WSA(ws.WSAGetLastError()) == code
    net.fails(ws.getsockname(s, bytearray(16), ctypes.c_int(16)), WSA.WSAEINVAL)


def test_by_name_order_of_refusals(net):
    call = ws.WSAConnectByNameW
    for args, code in (
        ({"s": 4, "host": None, "service": "1", "reserved": bytes(32)}, WSA.WSAEINVAL),
        ({"s": 4, "host": "localhost", "service": "1", "reserved": bytes(32)}, WSA.WSAEINVAL),
        ({"s": 4, "host": "localhost", "service": "1"}, WSA.WSAENOTSOCK),
        ({"s": net.tcp(), "host": "?", "service": "?", "local": (ctypes.c_uint(15), bytearray(16))}, WSA.WSAEFAULT),
        ({"s": net.tcp(), "host": "localhost", "service": "1", "timeout": bytes(4)}, WSA.WSAEFAULT),
        ({"s": net.udp(), "host": "localhost", "service": "1"}, WSA.WSAEINVAL),
        ({"s": net.listener(), "host": "localhost", "service": "1"}, WSA.WSAEINVAL),
    ):
        assert by_name(call, **args) == 0
        assert WSA(ws.WSAGetLastError()) == code


def address_list(*names):
    """A SOCKET_ADDRESS_LIST, and what has to stay alive with it."""
    kept = [ctypes.create_string_buffer(n, len(n)) for n in names]
    data = struct.pack("<i4x", len(names))
    return data + b"".join(struct.pack("<Qi4x", ctypes.addressof(k), len(k)) for k in kept), kept


def test_by_list_takes_the_first_that_answers(net, refused):
    lst, s = net.listener(), net.tcp()
    data, kept = address_list(net.sin6("::1", 1), refused, net.sin("0.0.0.0", 1), net.name(lst), refused)
    remote, n = bytearray(16), ctypes.c_uint(16)
    assert ws.WSAConnectByList(s, data, None, None, n, remote, None, None) == 1
    assert remote == net.name(lst) == net.peer(s)
    del kept


def test_by_list_refusals(net, refused):
    data, kept = address_list(refused, refused)
    wrong, more = address_list(net.sin6())
    for s, array, reserved, timeout, code in (
        (net.tcp(), None, None, None, WSA.WSAEINVAL),
        (net.tcp(), data, bytes(32), None, WSA.WSAEINVAL),
        (4, data, None, None, WSA.WSAENOTSOCK),
        (net.tcp(), bytes(8), None, None, WSA.WSAEINVAL),
        (net.tcp(), data[:20], None, None, WSA.WSAEFAULT),
        (net.tcp(), struct.pack("<i4xQi4x", 1, 0, 16), None, None, WSA.WSAEFAULT),
        (net.tcp(), wrong, None, None, WSA.WSAEAFNOSUPPORT),
        (net.tcp(), data, None, None, WSA.WSAECONNREFUSED),
        (net.tcp(), data, None, bytes(8), WSA.WSAETIMEDOUT),
        (net.udp(), data, None, None, WSA.WSAEINVAL),
    ):
        assert ws.WSAConnectByList(s, array, None, None, None, None, timeout, reserved) == 0
        assert WSA(ws.WSAGetLastError()) == code
    del kept, more


# -- leaves


def leaf(net):
    flags = c.WSA_FLAG_OVERLAPPED | c.WSA_FLAG_MULTIPOINT_C_LEAF | c.WSA_FLAG_MULTIPOINT_D_LEAF
    s = ws.WSASocketW(c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_UDP, None, 0, flags)
    assert s != NO_SOCKET
    return s


def join_leaf(net, s, host, flags=c.JL_BOTH, port=9):
    return ws.WSAJoinLeaf(s, net.sin(host, port), 16, None, None, None, None, flags)


def test_leaf_joins_its_group(net):
    s = leaf(net)
    net.ok(net.bind(s, net.sin("0.0.0.0")))
    assert join_leaf(net, s, "239.1.2.3", c.JL_RECEIVER_ONLY) == s
    net.fails(join_leaf(net, s, "239.1.2.3", c.JL_RECEIVER_ONLY), ws.WSAGetLastError())  # a member already
    net.fails(ws.getpeername(s, bytearray(16), ctypes.c_int(16)), WSA.WSAENOTCONN)


def test_leaf_refusals(net):
    for s, host, flags, code in (
        (net.udp(), "239.1.2.3", c.JL_BOTH, WSA.WSAEINVAL),
        (net.tcp(), "239.1.2.3", c.JL_BOTH, WSA.WSAEINVAL),
        (leaf(net), "239.1.2.3", 3, WSA.WSAEINVAL),
        (leaf(net), "127.0.0.1", c.JL_BOTH, WSA.WSAEADDRNOTAVAIL),
    ):
        net.fails(join_leaf(net, s, host, flags), code)
    net.fails(ws.WSAJoinLeaf(leaf(net), None, 16, None, None, None, None, 4), WSA.WSAEFAULT)
    net.fails(ws.WSAJoinLeaf(leaf(net), net.sin6(), 28, None, None, None, None, 4), WSA.WSAEAFNOSUPPORT)
