"""Which sockets there are, what an omitted family, type or protocol becomes, and the refusals in their order."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import winsock.ws2_32 as ws
from winsock import spi
from winsock.abi import _constants as c
from winsock.abi._structs import WSAPROTOCOL_INFOA, WSAPROTOCOL_INFOW
from winsock.codes import WSA, WinsockError
from winsock.nt import _process, current

SIZE = {"A": 372, "W": 628}
LAYOUT = {"A": WSAPROTOCOL_INFOA, "W": WSAPROTOCOL_INFOW}
ANSI_AND_WIDE = pytest.mark.parametrize("encoding", ["A", "W"])
TCP, UDP = (c.AF_INET, c.SOCK_STREAM, c.IPPROTO_TCP), (c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_UDP)


def enum_protocols(encoding, protocols, buffer, size):
    return getattr(ws, f"WSAEnumProtocols{encoding}")(protocols, buffer, size)


def wsa_socket(encoding, *args):
    return getattr(ws, f"WSASocket{encoding}")(*args)


def rows(encoding, protocols=None):
    """What WSAEnumProtocols lists."""
    size = ctypes.c_uint32(0)
    assert enum_protocols(encoding, protocols, None, size) == -1
    data = bytearray(size.value)
    n = enum_protocols(encoding, protocols, data, size)
    assert n * SIZE[encoding] == len(data)
    return [LAYOUT[encoding].from_buffer_copy(data, i * SIZE[encoding]) for i in range(n)]


def kind(net, s):
    ep = net.endpoint(s)
    return ep.family, ep.type, ep.protocol


# ################ layout ################


@ANSI_AND_WIDE
def test_structures_have_windows_size(encoding):
    assert ctypes.sizeof(LAYOUT[encoding]) == SIZE[encoding]
    assert LAYOUT[encoding].szProtocol.offset == 116


@pytest.mark.parametrize("entry", spi.BASE_ENTRIES, ids=lambda e: e.name)
def test_both_encodings_say_the_same(entry):
    a, w = spi.packed(entry, wide=False), spi.packed(entry, wide=True)
    assert a[:116] == w[:116]
    assert a[116:].rstrip(b"\0").decode() == w[116:].decode("utf-16-le").rstrip("\0") == entry.name


# ################ WSAEnumProtocols ################


@ANSI_AND_WIDE
def test_rows_are_shown_in_catalog_order_without_the_hidden(net, encoding):
    shown = [(r.iAddressFamily, r.iSocketType, r.iProtocol) for r in rows(encoding)]
    assert shown[:2] == [TCP, UDP]
    assert (c.AF_UNIX, c.SOCK_STREAM, 0) in shown
    assert c.SOCK_RAW not in [t for _, t, _ in shown]
    assert len(shown) == len(set(shown)) == 5


def test_identities_are_unique_and_the_providers_are_microsofts(net):
    found = rows("W")
    assert len({r.dwCatalogEntryId for r in found}) == len(found)
    assert len({bytes(r.ProviderId) for r in found}) == 3
    assert all(r.ProtocolChain.ChainLen == 1 and r.iVersion == 2 for r in found)


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        ([c.IPPROTO_TCP], {c.IPPROTO_TCP}),
        ([77, c.IPPROTO_UDP, -5], {c.IPPROTO_UDP}),
        ([c.IPPROTO_UDP, c.IPPROTO_TCP], {c.IPPROTO_TCP, c.IPPROTO_UDP}),
    ],
)
def test_a_list_of_protocols_filters(net, protocols, expected):
    asked = struct.pack(f"<{len(protocols) + 1}i", *protocols, 0)
    assert {r.iProtocol for r in rows("A", asked)} == expected
    held = ctypes.create_string_buffer(asked, len(asked))
    assert {r.iProtocol for r in rows("A", ctypes.addressof(held))} == expected


def test_a_filter_that_nothing_passes_is_no_error(net):
    asked = struct.pack("<2i", 99, 0)
    assert enum_protocols("W", asked, bytearray(1), ctypes.c_uint32(0)) == 0
    net.refused(enum_protocols("W", asked, None, ctypes.c_uint32(0)), WSA.WSAENOBUFS)


@ANSI_AND_WIDE
def test_too_little_room_tells_how_much(net, encoding):
    exact = ctypes.c_uint32(0)
    enum_protocols(encoding, None, None, exact)
    short = ctypes.c_uint32(exact.value - 1)
    net.refused(enum_protocols(encoding, None, bytearray(exact.value), short), WSA.WSAENOBUFS)
    assert short.value == exact.value
    nothing = ctypes.c_uint32(exact.value)
    net.refused(enum_protocols(encoding, None, None, nothing), WSA.WSAENOBUFS)


@pytest.mark.parametrize(
    ("protocols", "buffer", "size"),
    [
        (None, bytearray(4096), None),
        (None, bytearray(4096), 0x10),
        (None, bytearray(5), ctypes.c_uint32(1 << 20)),
        (None, 0x10, ctypes.c_uint32(1 << 20)),
        (None, bytes(4096), ctypes.c_uint32(1 << 20)),
        (struct.pack("<i", 6), bytearray(4096), ctypes.c_uint32(4096)),
        (0x10, bytearray(4096), ctypes.c_uint32(4096)),
    ],
    ids=["no size", "size unmapped", "buffer shorter than said", "buffer unmapped", "buffer read-only",
         "list without end", "list unmapped"],
)  # fmt: skip
def test_bad_pointers_are_faults(net, protocols, buffer, size):
    net.refused(ws.WSAEnumProtocolsW(protocols, buffer, size), WSA.WSAEFAULT)


# ################ which sockets ################


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ((c.AF_INET, c.SOCK_STREAM, 0), TCP),
        ((c.AF_INET, c.SOCK_DGRAM, 0), UDP),
        ((c.AF_INET, 0, 0), TCP),
        ((c.AF_INET, 0, c.IPPROTO_UDP), UDP),
        ((0, 0, c.IPPROTO_UDP), UDP),
        ((0, c.SOCK_STREAM, c.IPPROTO_TCP), TCP),
        ((c.AF_INET6, 0, 0), (c.AF_INET6, c.SOCK_STREAM, c.IPPROTO_TCP)),
        ((c.AF_INET6, c.SOCK_DGRAM, 0), (c.AF_INET6, c.SOCK_DGRAM, c.IPPROTO_UDP)),
        ((c.AF_UNIX, c.SOCK_STREAM, 0), (c.AF_UNIX, c.SOCK_STREAM, 0)),
        ((c.AF_UNIX, 0, 0), (c.AF_UNIX, c.SOCK_STREAM, 0)),
    ],
)
def test_what_is_omitted_comes_from_the_catalog(net, asked, made):
    assert kind(net, net.good(ws.socket(*asked))) == made
    assert kind(net, net.good(ws.WSASocketW(*asked, None, 0, 0))) == made


REFUSED = [
    # Neither family nor protocol comes first, then the type, the family, the protocol.
    ((0, 0, 0), WSA.WSAEINVAL),
    ((0, 77, 0), WSA.WSAEINVAL),
    ((77, 77, 77), WSA.WSAESOCKTNOSUPPORT),
    ((c.AF_INET, c.SOCK_RDM, 0), WSA.WSAESOCKTNOSUPPORT),
    ((77, c.SOCK_STREAM, 77), WSA.WSAEAFNOSUPPORT),
    ((77, 0, 0), WSA.WSAEAFNOSUPPORT),
    ((c.AF_UNIX, c.SOCK_DGRAM, 0), WSA.WSAEAFNOSUPPORT),
    ((c.AF_INET, c.SOCK_STREAM, c.IPPROTO_UDP), WSA.WSAEPROTONOSUPPORT),
    ((c.AF_INET, c.SOCK_STREAM, -1), WSA.WSAEPROTONOSUPPORT),
    ((c.AF_INET, c.SOCK_RAW, 256), WSA.WSAEPROTONOSUPPORT),
    ((c.AF_UNIX, c.SOCK_STREAM, c.IPPROTO_TCP), WSA.WSAEPROTONOSUPPORT),
]


@pytest.mark.parametrize(("asked", "code"), REFUSED)
def test_what_is_refused(net, asked, code):
    before = net.descriptors()
    net.refused(ws.socket(*asked), code)
    net.refused(ws.WSASocketA(*asked, None, 0, 0), code)
    assert net.descriptors() == before
    assert not net.process.sockets


@given(st.integers(-2, 40), st.integers(-2, 7), st.integers(-2, 300))
def test_resolving_gives_what_was_asked_for_or_a_code(family, type, protocol):
    code = 0
    try:
        entry, chosen = spi.resolve(family, type, protocol)
    except WinsockError as e:
        code = e.code
    if code:
        assert code in {WSA.WSAEINVAL, WSA.WSAESOCKTNOSUPPORT, WSA.WSAEAFNOSUPPORT, WSA.WSAEPROTONOSUPPORT}
        assert code != WSA.WSAESOCKTNOSUPPORT or type not in (0, *(x.type for x in spi.BASE_ENTRIES))
        return
    assert family in (0, entry.family)
    assert type in (0, entry.type)
    assert protocol in (0, chosen)
    assert entry.takes(chosen) or chosen == 0


@pytest.mark.parametrize("args", [("x", 1, 6), (c.AF_INET, None, 6), (c.AF_INET, 1.5, 6)])
def test_arguments_that_are_no_numbers(net, args):
    net.refused(ws.socket(*args), WSA.WSAEFAULT)


# ################ raw sockets ################


def may_open_raw_sockets():
    return os.geteuid() == 0


@pytest.mark.skipif(not may_open_raw_sockets(), reason="needs the right to open raw sockets")
@pytest.mark.parametrize("family", [c.AF_INET, c.AF_INET6])
@pytest.mark.parametrize("protocol", [c.IPPROTO_ICMP, c.IPPROTO_TCP, c.IPPROTO_IP, c.IPPROTO_RAW])
def test_raw_sockets(net, family, protocol):
    s = net.good(ws.socket(family, c.SOCK_RAW, protocol))
    assert kind(net, s) == (family, c.SOCK_RAW, protocol)
    info = WSAPROTOCOL_INFOW.from_buffer_copy(spi.info_of(net.endpoint(s), wide=True))
    assert (info.iProtocol, info.iProtocolMaxOffset) == (0, 255)
    assert info.dwProviderFlags == c.PFL_HIDDEN | c.PFL_MATCHES_PROTOCOL_ZERO


def test_raw_sockets_without_the_right(net):
    if may_open_raw_sockets():
        os.seteuid(65534)
    try:
        result, code = ws.socket(c.AF_INET, c.SOCK_RAW, c.IPPROTO_ICMP), ws.WSAGetLastError()
        security = ws.WSASocketW(*TCP, None, 0, c.WSA_FLAG_ACCESS_SYSTEM_SECURITY), ws.WSAGetLastError()
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
    assert (result, code) == (net.INVALID, WSA.WSAEACCES)
    assert security == (net.INVALID, WSA.WSAEACCES)


# ################ WSASocket ################


@ANSI_AND_WIDE
def test_a_socket_of_an_entry(net, encoding):
    for row in rows(encoding):
        s = net.good(wsa_socket(encoding, -1, -1, -1, row, 0, c.WSA_FLAG_OVERLAPPED))
        assert kind(net, s) == (row.iAddressFamily, row.iSocketType, row.iProtocol)


@ANSI_AND_WIDE
def test_arguments_and_entry_complete_each_other(net, encoding):
    row = rows(encoding)[0]
    assert kind(net, net.good(wsa_socket(encoding, 0, 0, 0, row, 0, 0))) == TCP
    assert kind(net, net.good(wsa_socket(encoding, *UDP, row, 0, 0))) == UDP
    row.iSocketType = row.iProtocol = row.iAddressFamily = 0
    assert kind(net, net.good(wsa_socket(encoding, 0, 0, c.IPPROTO_UDP, row, 0, 0))) == UDP
    net.refused(wsa_socket(encoding, 0, 0, 0, row, 0, 0), WSA.WSAEINVAL)


@pytest.mark.parametrize("info", [0x10, bytes(100), 3.5], ids=["unmapped", "short", "no pointer"])
def test_a_bad_entry_is_a_fault(net, info):
    net.refused(ws.WSASocketW(-1, -1, -1, info, 0, 0), WSA.WSAEFAULT)


@pytest.mark.parametrize("flags", [0x20, 0x200, 0x80000000])
def test_unknown_flags(net, flags):
    net.refused(ws.WSASocketW(*TCP, None, 0, flags), WSA.WSAEINVAL)


LEAF = c.WSA_FLAG_MULTIPOINT_C_LEAF | c.WSA_FLAG_MULTIPOINT_D_LEAF


@pytest.mark.parametrize(
    ("triple", "flags"),
    [
        (TCP, LEAF),
        (UDP, c.WSA_FLAG_MULTIPOINT_C_LEAF),
        (UDP, c.WSA_FLAG_MULTIPOINT_C_ROOT | c.WSA_FLAG_MULTIPOINT_D_LEAF),
        (UDP, c.WSA_FLAG_MULTIPOINT_C_ROOT | c.WSA_FLAG_MULTIPOINT_D_ROOT),
    ],
)
def test_multipoint_roles_that_the_protocol_lacks(net, triple, flags):
    net.refused(ws.WSASocketW(*triple, None, 0, flags), WSA.WSAEINVAL)


def test_flags_that_fit(net):
    for flags in (0, c.WSA_FLAG_OVERLAPPED, c.WSA_FLAG_NO_HANDLE_INHERIT, LEAF | c.WSA_FLAG_OVERLAPPED):
        assert net.endpoint(net.good(ws.WSASocketW(*UDP, None, 0, flags))).flags == flags


def test_socket_is_overlapped_unless_the_thread_says_otherwise(net):
    assert net.endpoint(net.good(ws.socket(*TCP))).flags & c.WSA_FLAG_OVERLAPPED
    current().open_type = c.SO_SYNCHRONOUS_NONALERT
    assert not net.endpoint(net.good(ws.socket(*TCP))).flags & c.WSA_FLAG_OVERLAPPED
    made = []

    def other():
        with net.process.attached():
            made.append(net.endpoint(ws.socket(*TCP)).flags)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert made == [c.WSA_FLAG_OVERLAPPED]


def group_of(net, s):
    return net.endpoint(s).options[c.SOL_SOCKET, c.SO_GROUP_ID]


def test_groups(net):
    first = group_of(net, net.good(ws.WSASocketW(*TCP, None, c.SG_CONSTRAINED_GROUP, 0)))
    other = group_of(net, net.good(ws.WSASocketW(*UDP, None, c.SG_UNCONSTRAINED_GROUP, 0)))
    assert first != other
    assert group_of(net, net.good(ws.WSASocketW(*TCP, None, first, 0))) == first
    net.refused(ws.WSASocketW(*UDP, None, first, 0), WSA.WSAEINVAL)
    net.refused(ws.WSASocketW(*UDP, None, c.SG_CONSTRAINED_GROUP, 0), WSA.WSAEINVAL)
    net.refused(ws.WSASocketW(*TCP, None, 0x7777, 0), WSA.WSAEINVAL)


# ################ no more sockets ################


def test_no_free_descriptor(net):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.dup(0)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        result, code = ws.socket(*TCP), ws.WSAGetLastError()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (result, code) == (net.INVALID, WSA.WSAEMFILE)


def test_no_free_handle(net):
    before = net.descriptors()
    net.process.handles._next = _process.MAX_HANDLE + 4
    net.refused(ws.socket(*TCP), WSA.WSAEMFILE)
    assert net.descriptors() == before


def test_before_the_start_and_after_the_end(net):
    assert ws.WSACleanup() == 0
    for result in (
        ws.socket(*TCP),
        ws.WSASocketW(*TCP, None, 0, 0),
        ws.WSAEnumProtocolsA(None, None, ctypes.c_uint32()),
        ws.WSADuplicateSocketW(0, 0, None),
    ):
        net.refused(result, WSA.WSANOTINITIALISED)
