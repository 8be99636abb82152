"""SIO_ACQUIRE, SIO_ASSOCIATE and SIO_RELEASE_PORT_RESERVATION: what they take, give and refuse."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import itertools
import os
import random
import resource
import socket as linux
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from own_network import NOBODY, in_child

import winsock
import winsock.ws2_32 as ws
from winsock import kernel32, ports, spi
from winsock.abi import _constants as c
from winsock.abi._structs import INET_PORT_RANGE, INET_PORT_RESERVATION_INSTANCE, INET_PORT_RESERVATION_TOKEN
from winsock.afd import Endpoint
from winsock.codes import WSA, WinsockError
from winsock.ports import _placeholder
from winsock.ports._runtime import POOL

pytestmark = pytest.mark.usefixtures("quiet")

FAILED = -1
ACQUIRE, ASSOCIATE, RELEASE = (
    c.SIO_ACQUIRE_PORT_RESERVATION,
    c.SIO_ASSOCIATE_PORT_RESERVATION,
    c.SIO_RELEASE_PORT_RESERVATION,
)
KINDS = {"tcp": (c.SOCK_STREAM, c.IPPROTO_TCP), "udp": (c.SOCK_DGRAM, c.IPPROTO_UDP)}
LOCAL = {c.AF_INET: bytes((127, 0, 0, 1)), c.AF_INET6: bytes(15) + b"\1"}
ANYWHERE = {c.AF_INET: bytes(4), c.AF_INET6: bytes(16)}


@pytest.fixture(autouse=True)
def process(quiet: None) -> Iterator[winsock.Process]:
    with winsock.Process().attached() as process:
        assert ws.WSAStartup(0x0202, bytearray(512)) == 0
        yield process
        for s in list(process.sockets):
            ws.closesocket(s)
        ws.WSACleanup()


def new(protocol: str = "tcp", family: int = c.AF_INET) -> int:
    s = ws.socket(family, *KINDS[protocol])
    assert s != (1 << 64) - 1
    return s


def code() -> int:
    return int(ws.WSAGetLastError())


def control(s: int, number: int, data: object, out: object = None, size: int | None = None) -> tuple[int, int]:
    """(return value or code, byte count); the count is 0xAA... where nothing was stored."""
    count = bytearray(b"\xaa" * 4)
    in_size = len(data) if isinstance(data, bytes) else 0
    out_size = size if size is not None else len(out) if isinstance(out, bytearray) else 0
    result = ws.WSAIoctl(s, number, data, in_size, out, out_size, count, None, None)
    return (code() if result == FAILED else result), int.from_bytes(count, "little")


def acquire(s: int, count: int = 1, start: int = 0) -> tuple[int, int]:
    """(first port, token)."""
    out = bytearray(16)
    assert control(s, ACQUIRE, struct.pack(">H", start) + struct.pack("<H", count), out) == (0, 16)
    first = int.from_bytes(out[:2], "big")
    number, token = struct.unpack("<2xH4xQ", out)
    assert number == count
    assert start in (0, first)
    assert 0 < token < 1 << 63
    return first, token


def associate(s: int, token: int) -> int:
    return control(s, ASSOCIATE, struct.pack("<Q", token))[0]


def release(s: int, token: int) -> int:
    return control(s, RELEASE, struct.pack("<Q", token))[0]


def address(port: int, family: int = c.AF_INET, host: bytes | None = None) -> bytes:
    host = LOCAL[family] if host is None else host
    if family == c.AF_INET:
        return struct.pack("<H", family) + port.to_bytes(2, "big") + host + bytes(8)
    return struct.pack("<H", family) + port.to_bytes(2, "big") + bytes(4) + host + bytes(4)


def bind(s: int, port: int = 0, family: int = c.AF_INET, host: bytes | None = None) -> int:
    """0 or the code."""
    name = address(port, family, host)
    return code() if ws.bind(s, name, len(name)) else 0


def port_of(s: int) -> int:
    name, size = bytearray(28), bytearray(struct.pack("<i", 28))
    assert ws.getsockname(s, name, size) == 0
    return int.from_bytes(name[2:4], "big")


def associated(token: int, protocol: str = "tcp", family: int = c.AF_INET) -> int:
    s = new(protocol, family)
    assert associate(s, token) == 0
    return s


def option(s: int, name: int) -> None:
    assert ws.setsockopt(s, c.SOL_SOCKET, name, struct.pack("<i", 1), 4) == 0


def held(port: int, protocol: str = "tcp") -> bool:
    """Whether a program without winsock is refused the port."""
    kind = linux.SOCK_STREAM if protocol == "tcp" else linux.SOCK_DGRAM
    with linux.socket(linux.AF_INET, kind) as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])
FAMILIES = pytest.mark.parametrize("family", [c.AF_INET, c.AF_INET6], ids=["v4", "v6"])


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
    with winsock.Process().attached():
        assert ws.WSAStartup(0x0202, bytearray(512)) == 0
        s = new()
        assert associate(s, token) == WSA.WSAEINVAL
        assert release(s, token) == WSA.WSAEINVAL
        assert bind(s, first) == WSA.WSAEACCES
        assert ws.closesocket(s) == 0
        ws.WSACleanup()


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


def test_a_duplicate_keeps_the_block():
    s = new()
    first, token = acquire(s, 1)
    info = bytearray(628)
    assert ws.WSADuplicateSocketW(s, winsock.Process.find(_pid()).pid, info) == 0
    twin = ws.WSASocketW(0, 0, 0, bytes(info), 0, 0)
    assert twin != (1 << 64) - 1
    assert ws.closesocket(s) == 0
    assert held(first)
    user = associated(token)
    assert bind(user) == 0
    assert ws.closesocket(user) == 0
    assert ws.closesocket(twin) == 0
    assert not held(first)


def _pid() -> int:
    from winsock.nt import current

    return current().process.pid


def test_a_process_that_is_forgotten_leaves_nothing_held():
    def body() -> int:
        with winsock.Process().attached():
            assert ws.WSAStartup(0x0202, bytearray(512)) == 0
            return acquire(new(), 1)[0]

    first = body()
    gc.collect()
    assert not held(first)


def test_a_forked_child_does_not_have_the_block():
    s = new()
    first, token = acquire(s, 2)
    read, write = os.pipe()
    release_read, release_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            other = new()
            if associate(other, token) == WSA.WSAEINVAL and release(other, token) == WSA.WSAEINVAL:
                ws.closesocket(s)
                status = 0 if held(first) else 2
            os.write(write, b"x")
            os.read(release_read, 1)  # stays alive while the parent frees the block
        finally:
            os._exit(status)
    os.close(write)
    assert os.read(read, 1) == b"x"
    assert held(first)
    assert ws.closesocket(s) == 0
    assert not held(first)
    os.write(release_write, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for fd in (read, release_read, release_write):
        os.close(fd)


def test_the_structures_of_the_headers():
    sizes = (INET_PORT_RANGE, 4), (INET_PORT_RESERVATION_TOKEN, 8), (INET_PORT_RESERVATION_INSTANCE, 16)
    assert [ctypes.sizeof(layout) for layout, _ in sizes] == [size for _, size in sizes]
    wanted, got, count = INET_PORT_RANGE(0, 2), INET_PORT_RESERVATION_INSTANCE(), ctypes.c_uint32()
    assert ws.WSAIoctl(new(), ACQUIRE, wanted, 4, got, 16, ctypes.byref(count), None, None) == 0
    assert (count.value, got.NumberOfPorts) == (16, 2)
    s = new()
    token = INET_PORT_RESERVATION_TOKEN(got.Token)
    assert ws.WSAIoctl(s, ASSOCIATE, ctypes.byref(token), 8, None, 0, ctypes.byref(count), None, None) == 0
    assert bind(s) == 0
    assert port_of(s) == linux.ntohs(got.StartPort)


def test_threads_that_acquire_associate_and_close_at_once(process):
    allowed = {0, WSA.WSAEINVAL, WSA.WSAENOBUFS, WSA.WSAENOTSOCK, WSA.WSAEADDRNOTAVAIL, WSA.WSAEADDRINUSE}
    owner = [0, 0]  # a socket that acquired, and its token: whoever comes takes it away
    faults: list[object] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        choose = random.Random(seed)
        with process.attached():
            start.wait()
            for _ in range(60):
                s = new()
                what = choose.randrange(3)
                if what == 0:
                    owner[:] = s, acquire(s, 2)[1]
                    continue
                code_ = associate(s, owner[1])
                bound = bind(s)
                if bound == 0:
                    ws.listen(s, 1)
                if not {code_, bound} <= allowed:
                    faults.append((code_, bound))
                ws.closesocket(s)
                if what == 1:
                    ws.closesocket(owner[0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults
    for s in list(process.sockets):
        ws.closesocket(s)
    assert not POOL.by_token
    assert not POOL.owners
    assert not POOL.associated
    assert not POOL.dying


# -- refusals


def test_the_sizes_of_the_buffers():
    s = new()
    there = struct.pack(">H", 0) + struct.pack("<H", 1)
    assert control(s, ACQUIRE, there, bytearray(15)) == (WSA.WSAEINVAL, 0)
    assert control(s, ACQUIRE, there, None) == (WSA.WSAEINVAL, 0)
    assert control(s, ACQUIRE, there[:3], bytearray(16)) == (WSA.WSAEINVAL, 0)
    assert control(s, ACQUIRE, there + b"more", bytearray(64)) == (0, 16)
    _, token = acquire(s, 1)
    for number in (ASSOCIATE, RELEASE):
        assert control(new(), number, struct.pack("<Q", token)[:7]) == (WSA.WSAEINVAL, 0)
        assert control(new(), number, struct.pack("<Q", token), bytearray(1)) == (WSA.WSAEINVAL, 0)


@pytest.mark.parametrize("number", [ACQUIRE, ASSOCIATE, RELEASE], ids=["acquire", "associate", "release"])
def test_bad_pointers(number):
    s = new()
    bad = 8
    data = bytes(8)
    count = bytearray(4)
    assert ws.WSAIoctl(s, number, bad, 8, bytearray(16), 16, count, None, None) == FAILED
    assert code() == WSA.WSAEFAULT
    assert ws.WSAIoctl(s, number, data, 8, None, 0, bad, None, None) == FAILED
    assert code() == WSA.WSAEFAULT
    assert ws.WSAIoctl(s, number, data, 8, None, 0, None, None, None) == FAILED
    assert code() == WSA.WSAEFAULT


def test_a_bad_output_pointer_reserves_nothing():
    s = new()
    count = bytearray(4)
    there = struct.pack(">H", 0) + struct.pack("<H", 1)
    before = len(ports.reservations(persistent=False))
    assert ws.WSAIoctl(s, ACQUIRE, there, 4, ctypes.c_void_p(8).value, 16, count, None, None) == FAILED
    assert code() == WSA.WSAEFAULT
    mine = [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]
    assert len(mine) <= before


@pytest.mark.parametrize("number", [ACQUIRE, ASSOCIATE, RELEASE], ids=["acquire", "associate", "release"])
def test_not_a_socket(number):
    assert control(4, number, bytes(8), bytearray(16))[0] == WSA.WSAENOTSOCK


@pytest.mark.parametrize("number", [ACQUIRE, ASSOCIATE, RELEASE], ids=["acquire", "associate", "release"])
def test_other_kinds_of_sockets(number):
    s = ws.socket(c.AF_UNIX, c.SOCK_STREAM, 0)
    assert control(s, number, bytes(8), bytearray(16))[0] == WSA.WSAEOPNOTSUPP


def test_a_socket_of_neither_protocol(isolated):
    def body() -> None:
        s = ws.socket(c.AF_INET, c.SOCK_RAW, c.IPPROTO_ICMP)
        for number in ACQUIRE, ASSOCIATE, RELEASE:
            assert control(s, number, bytes(8), bytearray(16)) == (WSA.WSAEOPNOTSUPP, 0)
            overlapped = bytearray(32)
            assert request(s, number, bytes(8), bytearray(16), overlapped, None) == WSA.WSA_IO_PENDING
            assert not ws.WSAGetOverlappedResult(s, overlapped, bytearray(4), True, bytearray(4))
            assert code() == WSA.WSAEOPNOTSUPP

    isolated(body)


def test_a_network_without_reservations(process, monkeypatch):
    first = new()
    _, token = acquire(first)
    monkeypatch.delattr(type(process.sockets[first].network), "ports")
    data = struct.pack(">H", 0) + struct.pack("<H", 1) + bytes(4)
    assert control(first, ACQUIRE, data, bytearray(16)) == (WSA.WSAEOPNOTSUPP, 0)
    for number in ASSOCIATE, RELEASE:
        assert control(first, number, struct.pack("<Q", token)) == (WSA.WSAEOPNOTSUPP, 0)
        persistent = struct.pack("<Q", 1 << 63)
        overlapped = bytearray(32)
        assert request(first, number, persistent, None, overlapped, None) == WSA.WSA_IO_PENDING
        assert not ws.WSAGetOverlappedResult(first, overlapped, bytearray(4), True, bytearray(4))
        assert code() == WSA.WSAEOPNOTSUPP


def test_an_unused_output_pointer_is_not_looked_at():
    _, token = acquire(new())
    s = new()
    data, count = struct.pack("<Q", token), bytearray(b"\xaa" * 4)
    for number, on in (ASSOCIATE, new()), (RELEASE, s):
        assert ws.WSAIoctl(on, number, data, 8, 8, 0, count, None, None) == 0
        assert count == bytes(4)  # there is no output, though the documents say that this is not zero


@pytest.mark.parametrize(("start", "count"), [(0, 0), (5000, 0), (65535, 2), (2, 65535)], ids=str)
def test_blocks_that_cannot_be(start, count):
    data = struct.pack(">H", start) + struct.pack("<H", count & 0xFFFF)
    assert control(new(), ACQUIRE, data, bytearray(16)) == (WSA.WSAEINVAL, 0)


def test_more_ports_than_the_system_chooses_from():
    assert control(new(), ACQUIRE, bytes(2) + b"\xff\xff", bytearray(16)) == (WSA.WSAENOBUFS, 0)


@PROTOCOLS
def test_a_block_with_a_port_in_use_is_refused_whole(protocol):
    first, _ = acquire(new(protocol), 1)
    for start in (first, first - 1, first - 2):
        data = struct.pack(">H", start) + struct.pack("<H", 3)
        assert control(new(protocol), ACQUIRE, data, bytearray(16)) == (WSA.WSAEADDRINUSE, 0)
    mine = [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]
    assert [(r.start, r.count) for r in mine] == [(first, 1)]


def test_unknown_tokens():
    s = new()
    _, token = acquire(s, 1)
    for wrong in (0, token ^ 1, 1 << 63, (1 << 64) - 1):
        assert associate(new(), wrong) == WSA.WSAEINVAL
        assert release(new(), wrong) == WSA.WSAEINVAL


def test_a_token_of_the_other_protocol():
    _, token = acquire(new("tcp"), 1)
    assert associate(new("udp"), token) == WSA.WSAEOPNOTSUPP
    assert release(new("udp"), token) == WSA.WSAEOPNOTSUPP


def test_associate_only_before_bind():
    _, token = acquire(new(), 1)
    s = new()
    assert bind(s) == 0
    assert associate(s, token) == WSA.WSAEINVAL


def test_without_startup():
    with winsock.Process().attached():
        assert control(4, ACQUIRE, bytes(4), bytearray(16))[0] == WSA.WSANOTINITIALISED


# -- overlapped


def request(s: int, number: int, data: bytes, out: bytearray | None, overlapped: bytearray, routine: object) -> int:
    """0 or the code."""
    size = len(out) if out is not None else 0
    result = ws.WSAIoctl(s, number, data, len(data), out, size, bytearray(4), overlapped, routine)
    return code() if result == FAILED else 0


def test_overlapped_with_an_event():
    s = new()
    event = ws.WSACreateEvent()
    overlapped = bytearray(struct.pack("<24xQ", event))
    out = bytearray(16)
    assert request(s, ACQUIRE, bytes(2) + b"\2\0", out, overlapped, None) in (0, WSA.WSA_IO_PENDING)
    assert ws.WSAWaitForMultipleEvents(1, struct.pack("<Q", event), True, 60000, False) == 0
    count, flags = bytearray(4), bytearray(4)
    assert ws.WSAGetOverlappedResult(s, overlapped, count, True, flags)
    first, (token,) = int.from_bytes(out[:2], "big"), struct.unpack_from("<Q", out, 8)
    for number, other in (ASSOCIATE, new()), (RELEASE, s):
        assert request(other, number, struct.pack("<Q", token), None, overlapped, None) in (0, WSA.WSA_IO_PENDING)
        assert ws.WSAGetOverlappedResult(other, overlapped, count, True, flags)
        if number == ASSOCIATE:
            assert bind(other) == 0
            assert port_of(other) == first
    ws.WSACloseEvent(event)
    assert not held(first + 1)


def test_overlapped_with_a_completion_routine():
    told: list[tuple[int, int]] = []
    s = new()
    out, overlapped = bytearray(16), bytearray(32)

    def done(error: int, count: int, overlapped: int, flags: int) -> None:
        told.append((error, overlapped))

    assert request(s, ACQUIRE, bytes(2) + b"\1\0", out, overlapped, done) in (0, WSA.WSA_IO_PENDING)
    assert not told  # only a thread that waits so is told
    assert kernel32.SleepEx(60000, True) == c.WAIT_IO_COMPLETION
    assert [error for error, _ in told] == [0]
    assert held(int.from_bytes(out[:2], "big"))


@pytest.mark.parametrize("number", [ASSOCIATE, RELEASE], ids=["associate", "release"])
def test_overlapped_and_refused(number):
    s = new()
    overlapped = bytearray(32)
    assert request(s, number, bytes(8), None, overlapped, None) == WSA.WSAEINVAL
    assert request(s, ACQUIRE, bytes(4), bytearray(16), overlapped, None) == WSA.WSAEINVAL
    assert request(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16), 8, None) == WSA.WSAEFAULT  # type: ignore[arg-type]
    assert not [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]


def test_an_overlapped_pointer_means_nothing_to_other_sockets():
    s = ws.WSASocketW(c.AF_INET, c.SOCK_STREAM, 0, None, 0, 0)  # without WSA_FLAG_OVERLAPPED
    overlapped, out = bytearray(b"\xee" * 32), bytearray(16)
    assert request(s, ACQUIRE, bytes(2) + b"\1\0", out, overlapped, None) == 0
    assert held(int.from_bytes(out[:2], "big"))


def test_without_any_network(isolated):
    def body() -> None:
        s = new()
        _placeholder.AF_INET6 = _placeholder.AF_INET = 99  # which no kernel knows
        assert control(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16)) == (WSA.WSAENETDOWN, 0)

    isolated(body)


def test_ports_below_1024_need_the_right_to_them(isolated):
    def body() -> None:
        assert control(new(), ACQUIRE, b"\0\x50\1\0", bytearray(16)) == (WSA.WSAEACCES, 0)

    isolated(body, NOBODY)


def test_without_descriptors(isolated):
    def body() -> None:
        s = new()
        resource.setrlimit(resource.RLIMIT_NOFILE, (1200, 1200))
        assert control(s, ACQUIRE, bytes(2) + b"\0\2", bytearray(16)) == (WSA.WSAEMFILE, 0)
        assert ports.reservations(persistent=False) == []
        acquire(s, 100)

    isolated(body)


def test_a_bad_completion_routine():
    s = new()
    assert request(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16), bytearray(32), 8) == WSA.WSAEFAULT
    assert not [r for r in ports.reservations(persistent=False) if r.pid == os.getpid()]


def test_inside_a_callback_of_winsock_1():
    with winsock.Process().attached():
        assert ws.WSAStartup(0x0101, bytearray(512)) == 0
        s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
        assert bind(s) == 0
        codes: list[int] = []

        def hook() -> int:
            for number in (ACQUIRE, ASSOCIATE, RELEASE):
                codes.append(control(s, number, bytes(8), bytearray(16))[0])
            ws.WSACancelBlockingCall()
            return 0

        ws.WSASetBlockingHook(hook)
        assert ws.recv(s, bytearray(8), 8, 0) == FAILED
        assert codes[:3] == [WSA.WSAEINPROGRESS] * 3
        assert ws.closesocket(s) == 0
        ws.WSACleanup()


def test_a_layered_provider_sees_them_and_may_refuse(process):
    """WSPIoctl: a provider's own entry, below WSAIoctl."""
    seen: list[int] = []

    def ioctl(ep: Endpoint, number: int, data: bytes | None, room: int | None) -> bytes:
        seen.append(number)
        if refusing:
            raise WinsockError(WSA.WSAEINTR)
        return spi.BASE.ioctl(ep, number, data, room)

    refusing = False
    s, other = new(), new()
    for handle in (s, other):
        ep = process.sockets[handle]
        ep.procs = dataclasses.replace(spi.BASE, ioctl=ioctl, plain=False)
    first, token = acquire(s, 2)
    assert associate(other, token) == 0
    assert bind(other) == 0
    assert port_of(other) == first
    assert release(s, token) == 0
    assert seen == [ACQUIRE, ASSOCIATE, RELEASE]
    refusing = True
    assert control(s, ACQUIRE, bytes(2) + b"\1\0", bytearray(16))[0] == WSA.WSAEINTR
    assert associate(new(), token) == WSA.WSAEINVAL
    # and without a socket call above it
    ep = process.sockets[s]
    output = spi.BASE.ioctl(ep, ACQUIRE, bytes(2) + b"\1\0", 16)
    assert len(output) == 16
    with pytest.raises(WinsockError) as e:
        spi.BASE.ioctl(ep, ASSOCIATE, bytes(7), None)
    assert e.value.code == WSA.WSAEINVAL


def test_programs_under_winsock_run(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import socket, sys\n"
        "with socket.socket() as s:\n"
        "    try:\n"
        "        s.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "    except PermissionError as e:\n"
        "        print(e.winerror)\n"
    )
    first, _ = acquire(new(), 1)
    command = [sys.executable, "-m", "winsock", "run", str(program), str(first)]
    assert subprocess.check_output(command) == b"10013\n"


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
        with winsock.Process().attached():
            assert ws.WSAStartup(0x0202, bytearray(512)) == 0
            UNPRIVILEGED[which]()

    isolated(body, NOBODY)
