"""names: what is answered without the resolver, what is refused before it is asked, and what its failures become."""

import _socket
import socket as linux
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock import names
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError
from winsock.names import _hosts, _interfaces, _services

HAS_IPV6 = _interfaces.has_ipv6()


def refused(code, function, *args, **keywords):
    with pytest.raises(WinsockError) as caught:
        function(*args, **keywords)
    assert caught.value.code == code


def hosts(infos):
    return [i.address[0] for i in infos]


@pytest.fixture
def resolver(monkeypatch):
    """A resolver in place of the C library's: give it answers or an error, and see what it was asked."""
    stub = SimpleNamespace(**{n: getattr(_socket, n) for n in dir(_socket) if not n.startswith("__")})
    stub.asked, stub.answers, stub.failure = [], [], None

    def getaddrinfo(host, port, family, *rest):
        stub.asked.append((host, family))
        if stub.failure is not None:
            raise stub.failure
        found = [(f, 1, 6, stub.canonical if not i else "", a) for i, (f, a) in enumerate(stub.answers)]
        return [entry for entry in found if family in (0, entry[0])]

    def gethostbyaddr(host):
        stub.asked.append(host)
        if stub.failure is not None:
            raise stub.failure
        return stub.answers

    stub.canonical = "canonical.example"
    stub.getaddrinfo, stub.gethostbyaddr = getaddrinfo, gethostbyaddr
    monkeypatch.setattr(_hosts, "_socket", stub)
    return stub


# -- no resolver needed


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "loopback"])
def test_localhost(resolver, name):
    assert hosts(names.lookup(name, "80", c.AF_INET)) == ["127.0.0.1"]
    assert hosts(names.lookup(name, "80")) == ["::1", "127.0.0.1"][not HAS_IPV6 :]
    assert resolver.asked == []


@pytest.mark.ipv6
def test_nobody_is_loopback_or_any():
    assert [i.address for i in names.lookup(None, "7")] == [("::1", 7, 0, 0), ("127.0.0.1", 7)]
    assert [i.address for i in names.lookup(None, "7", flags=c.AI_PASSIVE)] == [("::", 7, 0, 0), ("0.0.0.0", 7)]


@pytest.mark.parametrize("name", ["", "..localmachine", linux.gethostname().partition(".")[0]])
def test_this_computer(resolver, name):
    found = names.lookup(name, "80", c.AF_INET)
    assert found
    for info in found:
        with linux.socket(linux.AF_INET, linux.SOCK_DGRAM) as s:
            s.bind((info.address[0], 0))
    assert resolver.asked == []


def test_own_addresses_leave_loopback_out():
    every = [a.data for i in names.interfaces() if not i.loopback and i.up for a in i.addresses]
    mine = [a.data for a in names.local_addresses()]
    assert set(mine) <= set(every) or not every


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.1", ("127.0.0.1", 0)),
        ("0x7f000001", ("127.0.0.1", 0)),
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("2001:DB8::1", ("2001:db8::1", 0, 0, 0)),
        ("[2001:db8::1]", ("2001:db8::1", 0, 0, 0)),
        ("fe80::1%5", ("fe80::1", 0, 0, 5)),
    ],
)
def test_literals(resolver, text, address):
    for flags in (0, c.AI_NUMERICHOST):
        (info,) = names.lookup(text, None, flags=flags)
        assert info.address == address
        assert (info.flags, info.canonname) == (c.AI_NUMERICHOST, None)
    assert names.lookup(text, None, flags=c.AI_CANONNAME)[0].canonname == text
    assert resolver.asked == []


def test_literal_of_the_other_family():
    refused(WSA.WSAHOST_NOT_FOUND, names.lookup, "127.0.0.1", None, c.AF_INET6)
    refused(WSA.WSAHOST_NOT_FOUND, names.lookup, "::1", None, c.AF_INET)
    assert hosts(names.lookup("127.0.0.1", None, c.AF_INET6, flags=c.AI_V4MAPPED)) == ["::ffff:127.0.0.1"]


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1:80", "[::1]:80", "::1%lo", "[::1", "1.2.3.4 ", "example"])
def test_numeric_host_asks_nobody(resolver, text):
    refused(WSA.WSAHOST_NOT_FOUND, names.lookup, text, "80", flags=c.AI_NUMERICHOST)
    assert resolver.asked == []


@given(st.integers(0, 2**70))
def test_numeric_services_count_16_bits(number):
    expected = min(number, 2**32 - 1) & 0xFFFF
    assert names.lookup("127.0.0.1", str(number))[0].address[1] == expected
    assert names.lookup("127.0.0.1", " " + str(number).zfill(30))[0].address[1] == expected


def test_type_and_protocol_come_back():
    for kind in (0, c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW):
        for protocol in (0, 6, 17, 41, 999):
            (info,) = names.lookup("127.0.0.1", "1", c.AF_INET, kind, protocol)
            assert (info.type, info.protocol) == (kind, protocol)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (WSA.WSAHOST_NOT_FOUND, {"host": None, "service": None}),
        (WSA.WSAHOST_NOT_FOUND, {"host": None, "service": None, "type": 99, "family": 99}),
        (WSA.WSAEINVAL, {"flags": 0x200}),
        (WSA.WSAEINVAL, {"flags": c.AI_CANONNAME | c.AI_FQDN}),
        (WSA.WSAEINVAL, {"host": None, "flags": c.AI_CANONNAME}),
        (WSA.WSAESOCKTNOSUPPORT, {"type": c.SOCK_SEQPACKET, "family": 99}),
        (WSA.WSAESOCKTNOSUPPORT, {"type": -1}),
        (WSA.WSAEAFNOSUPPORT, {"family": c.AF_UNIX}),
        (WSA.WSAEAFNOSUPPORT, {"family": 10}),  # Linux' number
        (WSA.WSATYPE_NOT_FOUND, {"service": "no-such-service"}),
        (WSA.WSATYPE_NOT_FOUND, {"service": "-1"}),
        (WSA.WSATYPE_NOT_FOUND, {"service": "80x"}),
        (WSA.WSATYPE_NOT_FOUND, {"service": "tftp", "type": c.SOCK_STREAM}),
        (WSA.WSATYPE_NOT_FOUND, {"service": "http", "type": c.SOCK_RAW}),
        (WSA.WSAHOST_NOT_FOUND, {"service": "http", "flags": c.AI_NUMERICSERV}),
    ],
)
def test_refusals(code, arguments):
    refused(code, names.lookup, **{"host": "127.0.0.1", "service": "80", **arguments})


# -- through the resolver

V4, V6 = (linux.AF_INET, ("192.0.2.7", 0)), (linux.AF_INET6, ("2001:db8::7", 0, 0, 0))


def test_names_go_to_the_resolver(resolver, monkeypatch):
    monkeypatch.setattr(_interfaces, "has_global_ipv6", lambda: True)
    resolver.answers = [V6, V4]
    found = names.lookup("name.example", "http", flags=c.AI_CANONNAME)
    assert [i.address for i in found] == [("2001:db8::7", 80, 0, 0), ("192.0.2.7", 80)]
    assert [i.family for i in found] == [c.AF_INET6, c.AF_INET]
    assert [i.canonname for i in found] == ["canonical.example", None]
    assert [i.flags for i in found] == [0, 0]
    assert resolver.asked == [(b"name.example", linux.AF_UNSPEC)]


def test_unreachable_ipv6_is_not_told(resolver, monkeypatch):
    monkeypatch.setattr(_interfaces, "has_global_ipv6", lambda: False)
    resolver.answers = [V6, V4]
    assert hosts(names.lookup("name.example", None)) == ["192.0.2.7"]
    refused(WSA.WSANO_DATA, names.lookup, "name.example", None, c.AF_INET6)


def test_mapped_addresses(resolver, monkeypatch):
    monkeypatch.setattr(_interfaces, "has_global_ipv6", lambda: True)
    resolver.answers = [V4]
    refused(WSA.WSANO_DATA, names.lookup, "name.example", None, c.AF_INET6)
    assert hosts(names.lookup("name.example", None, c.AF_INET6, flags=c.AI_V4MAPPED)) == ["::ffff:192.0.2.7"]
    resolver.answers = [V6, V4]
    assert hosts(names.lookup("name.example", None, c.AF_INET6, flags=c.AI_V4MAPPED)) == ["2001:db8::7"]
    both = names.lookup("name.example", None, c.AF_INET6, flags=c.AI_V4MAPPED | c.AI_ALL)
    assert hosts(both) == ["2001:db8::7", "::ffff:192.0.2.7"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (linux.EAI_NONAME, WSA.WSAHOST_NOT_FOUND),
        (linux.EAI_AGAIN, WSA.WSATRY_AGAIN),
        (linux.EAI_FAIL, WSA.WSANO_RECOVERY),
        (linux.EAI_NODATA, WSA.WSANO_DATA),
        (linux.EAI_MEMORY, WSA.WSA_NOT_ENOUGH_MEMORY),
        (-9999, WSA.WSANO_RECOVERY),
    ],
)
def test_the_resolver_s_failures(resolver, number, code):
    resolver.failure = linux.gaierror(number, "text")
    refused(code, names.lookup, "name.example", "80")
    refused(code, names.host_by_name, "name.example")


@pytest.mark.parametrize("name", ["a" * 256, "a b", "ä" * 70, "\ud800", "x\0y", "a..ö"])
def test_what_is_no_name_is_not_found(resolver, name):
    refused(WSA.WSAHOST_NOT_FOUND, names.lookup, name, None)
    assert resolver.asked == []


def test_international_names_go_encoded(resolver):
    resolver.answers = [V4]
    names.lookup("bücher.example", None, c.AF_INET)
    assert resolver.asked == [(b"xn--bcher-kva.example", linux.AF_INET)]


# -- hosts of Winsock 1.1


def test_host_by_name(resolver):
    resolver.answers = [V4]
    host = names.host_by_name("name.example")
    assert (host.name, host.aliases, host.addresses) == ("canonical.example", ("name.example",), (b"\xc0\0\2\7",))
    assert resolver.asked == [(b"name.example", linux.AF_INET)]
    assert names.host_by_name("127.1").addresses == (b"\x7f\0\0\1",)
    refused(WSA.WSANO_DATA, names.host_by_name, "::1")


def test_own_addresses_have_the_computer_s_name(resolver):
    for data, family in ((b"\x7f\0\0\1", c.AF_INET), (bytes(15) + b"\1", c.AF_INET6)):
        assert names.host_by_addr(data, family).name == names.local_name()
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(1, WSA.WSAHOST_NOT_FOUND), (2, WSA.WSATRY_AGAIN), (3, WSA.WSANO_RECOVERY), (4, WSA.WSANO_DATA)],
)
def test_reverse_failures(resolver, number, code):
    resolver.failure = linux.herror(number, "text")
    address = bytes([203, 0, 113, 9])
    refused(code, names.host_by_addr, address, c.AF_INET)
    assert names.reverse(address, c.AF_INET, 80) == ("203.0.113.9", "http")
    refused(WSA.WSAHOST_NOT_FOUND, names.reverse, address, c.AF_INET, 80, c.NI_NAMEREQD)


def test_reverse(resolver):
    resolver.answers = ("peer.example", ["alias"], [])
    address = bytes([203, 0, 113, 9])
    assert names.reverse(address, c.AF_INET, 53, c.NI_DGRAM) == ("peer.example", "domain")
    assert names.reverse(address, c.AF_INET, 53, c.NI_NUMERICHOST | c.NI_NUMERICSERV) == ("203.0.113.9", "53")
    assert names.reverse(address, c.AF_INET, 0) == ("peer.example", "0")
    link_local = bytes.fromhex("fe80" + "00" * 13 + "01")
    assert names.reverse(link_local, c.AF_INET6, 1, c.NI_NUMERICHOST, 3)[0] == "fe80::1%3"
    refused(WSA.WSAEAFNOSUPPORT, names.reverse, address, c.AF_UNIX, 1)


# -- services, protocols


def test_services():
    assert names.service_by_name("HTTP", "TCP") == names.service_by_port(80) == names.service_by_name("www-http")
    assert names.service_by_name("domain").protocol == "tcp"
    assert names.service_by_name("domain", "udp").port == names.service_by_port(53, "udp").port == 53
    for name, protocol in (("http", "udp"), ("tftp", "tcp"), ("", None), ("80", "tcp"), ("http", ""), ("x", "tcp")):
        refused(WSA.WSANO_DATA, names.service_by_name, name, protocol)
    for port, protocol in ((0, None), (69, "tcp"), (80, ""), (80, "sctp?")):
        refused(WSA.WSANO_DATA, names.service_by_port, port, protocol)


def test_services_of_this_machine_come_second(monkeypatch, tmp_path):
    own = tmp_path / "services"
    own.write_text("# comment\nmine 4711/tcp other # x\nhttp 81/tcp\nweb 80/tcp\nbroken\nbad x/tcp\nno 1\n")
    monkeypatch.setattr(_services, "_FILE", str(own))
    _services._services.cache_clear()
    try:
        assert names.service_by_name("OTHER") == ("mine", ("other",), 4711, "tcp")
        assert names.service_by_name("http").port == 80
        assert names.service_by_port(80).name == "http"
        assert names.service_by_name("web", "tcp").port == 80
        own.unlink()
        _services._services.cache_clear()
        refused(WSA.WSANO_DATA, names.service_by_name, "mine")
    finally:
        monkeypatch.undo()
        _services._services.cache_clear()


def test_protocols():
    assert names.protocol_by_name("TcP") == ("tcp", ("TCP",), 6)
    assert names.protocol_by_number(41) == ("ipv6", ("IPv6",), 41)
    for number in (-1, 2, 47, 255, 256, 1 << 40):
        refused(WSA.WSANO_DATA, names.protocol_by_number, number)
    refused(WSA.WSANO_DATA, names.protocol_by_name, "")


# -- interfaces


def test_interfaces_agree_with_the_system():
    found = {i.ifindex: i.name for i in names.interfaces()}
    assert found == dict(linux.if_nameindex())
    (loopback,) = [i for i in names.interfaces() if i.loopback]
    assert b"\x7f\0\0\1" in [a.data for a in loopback.addresses]
    assert loopback.up
    assert names.interfaces()[-1] == loopback


def test_link_local_addresses_carry_their_interface():
    for i in names.interfaces():
        for a in i.addresses:
            assert a.scope == (i.ifindex if a.family == c.AF_INET6 and a.link_local else 0)
