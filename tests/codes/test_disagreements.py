"""Where the reference's documents disagree: the entry says who says what, and what it says of Windows is what our
calls do."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from processes import started

import winsock.ws2_32 as ws
from winsock import codes
from winsock.abi import _constants as c
from winsock.codes import WSA

NO_SOCKET = (1 << 64) - 1
LOOPBACK = struct.pack("<HH4s8x", c.AF_INET, 0, b"\x7f\0\0\1")
ANY = struct.pack("<HH4s8x", c.AF_INET, 0, bytes(4))
SOURCES = {
    "en": {"microsoft": "Microsoft", "ce": "CE", "japanese": "Japanese", "chinese": "Chinese", "listing": "isting"},
    "fr": {"microsoft": "Microsoft", "ce": "CE", "japanese": "japonais", "chinese": "chinois", "listing": "list"},
    "ja": {"microsoft": "Microsoft", "ce": "CE", "japanese": "日本語", "chinese": "中国語", "listing": "一覧"},
    "zh-Hant": {"microsoft": "Microsoft", "ce": "CE", "japanese": "日文", "chinese": "中文", "listing": "清單"},
}
ALL_FOUR = "microsoft ce japanese chinese"
# code, who is named, what else the note has to name: codes, versions, spellings
NOTES = [
    (0, "chinese listing", "0"),
    (10013, ALL_FOUR, "NT"),
    (10036, "microsoft ce chinese", "WSAEINPROGRESS WSAEALREADY Windows"),
    (10037, ALL_FOUR, "Windows Berkeley WSAEISCONN"),
    (10039, ALL_FOUR, "sendto WSAEADDRNOTAVAIL Windows"),
    (10041, ALL_FOUR, "SOCK_STREAM UDP WSAEPROTONOSUPPORT Windows"),
    (10046, "microsoft ce chinese", "WSAEAFNOSUPPORT Windows"),
    (10048, ALL_FOUR, "SO_REUSEADDR SO_EXCLUSIVEADDRUSE Windows"),
    (10051, ALL_FOUR, "WSAEHOSTUNREACH ICMP Windows 10051 10065"),
    (10054, ALL_FOUR, "WSAENETRESET WSAECONNRESET"),
    (10056, ALL_FOUR, "sendto 0.0.0.0 Windows"),
    (10065, "microsoft ce japanese", "WSAENETUNREACH Windows 10051 10065"),
    (10091, ALL_FOUR, "DLL Windows System32"),
    (10094, "microsoft ce japanese chinese listing", "WSAEDISCON 10101 Windows"),
    (10101, "listing", "10094 10101 Windows"),
    (10104, ALL_FOUR, "WSAEINVALIDPROCTABLE WSAINVALIDPROCTABLE WSA_INVALIDPROCEDURE 10104"),
    (10105, ALL_FOUR, "2.0 2.2 WSA_INVALIDPROVIDER Windows"),
    (10106, "ce japanese chinese", "WSAPROVIDERFAILEDINIT WSAEPROVIDERFAILEDINIT"),
    (10107, "microsoft japanese chinese", "WaitForMultipleObjects WaitForMultipleEvents Windows 10107"),
    (11001, ALL_FOUR, "getservbyname WSANO_DATA Windows"),
    (11004, ALL_FOUR, "EAI_NODATA EAI_NONAME getaddrinfo"),
]


@pytest.mark.parametrize("lang", codes.languages())
@pytest.mark.parametrize(("code", "sources", "facts"), NOTES, ids=[str(row[0]) for row in NOTES])
def test_a_note_says_who_says_what(code, sources, facts, lang):
    note = codes.explain(code, lang=lang).note
    for source in sources.split():
        assert SOURCES[lang][source] in note, source
    for fact in facts.split():
        assert fact in note, fact


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (10104, {"WSAINVALIDPROCTABLE", "WSA_INVALIDPROCEDURE"}),
        (10105, {"WSAINVALIDPROVIDER", "WSA_INVALIDPROVIDER"}),
        (10106, {"WSAPROVIDERFAILEDINIT"}),
    ],
)
def test_the_names_of_other_documents_are_aliases(code, names):
    assert names <= set(codes.explain(code).aliases)
    assert {codes.lookup(name) for name in names} == {code}


# -- what the notes say of Windows, asked of the calls


@pytest.fixture
def process():
    with started() as process:
        yield process


def answer(result):
    """The last error of a call that failed, 0 for one that did not."""
    return ws.WSAGetLastError() if result in (-1, NO_SOCKET) else 0


def udp():
    s = ws.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert s != NO_SOCKET
    return s


def name_of(s):
    name = bytearray(16)
    assert ws.getsockname(s, name, bytearray(struct.pack("<i", 16))) == 0
    return bytes(name)


def test_a_stream_with_udp_is_protonosupport_not_prototype(process):
    assert answer(ws.socket(c.AF_INET, c.SOCK_STREAM, c.IPPROTO_UDP)) == WSA.WSAEPROTONOSUPPORT
    assert answer(ws.socket(c.AF_INET, c.SOCK_DGRAM, c.IPPROTO_TCP)) == WSA.WSAEPROTONOSUPPORT


def test_an_unknown_family_is_afnosupport_not_pfnosupport(process):
    assert answer(ws.socket(99, c.SOCK_STREAM, 0)) == WSA.WSAEAFNOSUPPORT


def test_the_wildcard_as_destination_is_addrnotavail_not_destaddrreq(process):
    assert answer(ws.sendto(udp(), b"x", 1, 0, ANY, 16)) == WSA.WSAEADDRNOTAVAIL


def test_a_connected_datagram_socket_takes_a_destination(process):
    there, other, s = udp(), udp(), udp()
    assert ws.bind(there, LOOPBACK, 16) == ws.bind(other, LOOPBACK, 16) == 0
    assert ws.connect(s, name_of(there), 16) == 0
    assert ws.sendto(s, b"x", 1, 0, name_of(other), 16) == 1
    assert ws.recv(other, bytearray(9), 9, 0) == 1


def test_a_service_that_is_not_known_is_no_data(process):
    assert ws.getservbyname("no-such-service", None) in (0, None)
    assert ws.WSAGetLastError() == WSA.WSANO_DATA


def test_version_2_2_is_granted_and_0_refused(process):
    data = bytearray(408)
    assert ws.WSAStartup(0x0202, data) == 0
    assert data[:4] == b"\2\2\2\2"
    assert ws.WSAStartup(0, bytearray(408)) == WSA.WSAVERNOTSUPPORTED


@pytest.mark.parametrize(
    ("holders", "then"),
    [(None, WSA.WSAEACCES), (c.SO_REUSEADDR, 0), (c.SO_EXCLUSIVEADDRUSE, WSA.WSAEACCES)],
    ids=["plain", "reused", "exclusive"],
)
def test_a_port_can_be_taken_from_who_lets_it_be_shared(process, holders, then):
    """SO_REUSEADDR, which some documents recommend to servers: with it on both sides anybody has the port."""
    one = struct.pack("<i", 1)
    holder, thief = udp(), udp()
    if holders is not None:
        assert ws.setsockopt(holder, c.SOL_SOCKET, holders, one, 4) == 0
    assert ws.bind(holder, LOOPBACK, 16) == 0
    assert ws.setsockopt(thief, c.SOL_SOCKET, c.SO_REUSEADDR, one, 4) == 0
    assert answer(ws.bind(thief, name_of(holder), 16)) == then


def test_a_second_connect_is_already_not_in_progress(process):
    """Asked of a server whose queue somebody else has filled, so that it cannot answer meanwhile."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        port = struct.pack(">H", full.getsockname()[1])
        server = LOOPBACK[:2] + port + LOOPBACK[4:]
        s = ws.socket(c.AF_INET, c.SOCK_STREAM, 0)
        assert ws.ioctlsocket(s, c.FIONBIO, bytearray(b"\1\0\0\0")) == 0
        assert answer(ws.connect(s, server, 16)) == WSA.WSAEWOULDBLOCK
        assert answer(ws.connect(s, server, 16)) == WSA.WSAEALREADY
