"""The numbers that programs see: errno's, and every constant of _socket."""

from __future__ import annotations

import sys

import pytest

from winsock.codes import WSA
from winsock.python import _errno, _socket, _socket_module, _socket_names

VALUES = {
    "AF_INET": 2, "AF_INET6": 23, "AF_IRDA": 26, "AF_BLUETOOTH": 32, "SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3,
    "SOL_SOCKET": 65535, "SO_REUSEADDR": 4, "SO_EXCLUSIVEADDRUSE": -5, "SO_KEEPALIVE": 8, "SO_BROADCAST": 32,
    "SO_LINGER": 128, "SO_OOBINLINE": 256, "SO_SNDBUF": 4097, "SO_RCVBUF": 4098, "SO_SNDTIMEO": 4101,
    "SO_RCVTIMEO": 4102, "SO_ERROR": 4103, "SO_TYPE": 4104, "SO_USELOOPBACK": 64, "TCP_NODELAY": 1, "TCP_MAXSEG": 4,
    "TCP_KEEPIDLE": 3, "TCP_KEEPCNT": 16, "TCP_KEEPINTVL": 17, "TCP_FASTOPEN": 15, "IPV6_V6ONLY": 27,
    "IPV6_JOIN_GROUP": 12, "IPV6_UNICAST_HOPS": 4, "IPV6_MULTICAST_HOPS": 10, "IP_TTL": 4, "IP_TOS": 3,
    "IP_MULTICAST_TTL": 10, "IP_ADD_MEMBERSHIP": 12, "IP_HDRINCL": 2, "MSG_PEEK": 2, "MSG_WAITALL": 8, "MSG_OOB": 1,
    "MSG_TRUNC": 256, "MSG_CTRUNC": 512, "AI_ADDRCONFIG": 1024, "AI_V4MAPPED": 2048, "AI_ALL": 256, "AI_PASSIVE": 1,
    "NI_NUMERICHOST": 2, "NI_NUMERICSERV": 8, "NI_NAMEREQD": 4, "NI_DGRAM": 16, "EAI_NONAME": 11001,
    "EAI_AGAIN": 11002, "EAI_FAIL": 11003, "EAI_FAMILY": 10047, "EAI_SERVICE": 10109, "EAI_SOCKTYPE": 10044,
    "EAI_BADFLAGS": 10022, "EAI_MEMORY": 8, "SOMAXCONN": 0x7FFFFFFF, "INADDR_BROADCAST": -1,
    "INADDR_LOOPBACK": 0x7F000001, "SIO_RCVALL": 0x98000001, "SIO_KEEPALIVE_VALS": 0x98000004,
    "SIO_LOOPBACK_FAST_PATH": 0x98000010, "RCVALL_ON": 1, "IPPROTO_ICMPV6": 58, "IPPROTO_PGM": 113,
    "IPPROTO_L2TP": 115, "IPPROTO_SCTP": 132, "SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2,
}  # fmt: skip

# What Linux' module has and Windows' has not
ABSENT = """
AF_UNIX AF_NETLINK AF_PACKET AF_CAN AF_VSOCK SO_REUSEPORT SO_DOMAIN SO_PROTOCOL SO_PEERCRED SO_BINDTODEVICE
SOCK_NONBLOCK SOCK_CLOEXEC MSG_DONTWAIT MSG_NOSIGNAL TCP_CORK TCP_INFO TCP_USER_TIMEOUT CMSG_LEN CMSG_SPACE
SCM_RIGHTS EAI_SYSTEM EAI_ADDRFAMILY socketpair sethostname IPPROTO_UDPLITE IPPROTO_MPTCP PF_PACKET
""".split()


@pytest.mark.parametrize(("name", "value"), VALUES.items())
def test_socket_constant(name: str, value: int) -> None:
    assert _socket_names.CONSTANTS[name] == value


def test_linux_names_are_absent() -> None:
    module = _socket_module.make_module()
    assert [name for name in ABSENT if hasattr(module, name)] == []


@pytest.mark.parametrize(("version", "more"), [((3, 11), set()), ((3, 13), set()), ((3, 14), {"TCP_QUICKACK"})])
def test_the_tcp_names_are_exactly_windows(version: tuple[int, int], more: set[str]) -> None:
    names = {n for n in _socket_names.constants(version) if n.startswith("TCP_")}
    assert names == {
        "TCP_FASTOPEN", "TCP_KEEPCNT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_MAXSEG", "TCP_NODELAY", *more,
    }  # fmt: skip


def test_the_module_has_the_names_of_this_version() -> None:
    module = vars(_socket_module.make_module())
    assert _socket_names.constants(sys.version_info[:2]) == _socket_names.CONSTANTS
    assert _socket_names.CONSTANTS.items() <= module.items()


def test_the_modules_functions() -> None:
    module = _socket_module.make_module()
    functions = {n for n, v in vars(module).items() if callable(v) and n[0] != "_"}
    assert functions == {
        "SocketType", "close", "dup", "error", "gaierror", "getaddrinfo", "getdefaulttimeout", "gethostbyaddr",
        "gethostbyname", "gethostbyname_ex", "gethostname", "getnameinfo", "getprotobyname", "getservbyname",
        "getservbyport", "herror", "htonl", "htons", "if_indextoname", "if_nameindex", "if_nametoindex", "inet_aton",
        "inet_ntoa", "inet_ntop", "inet_pton", "ntohl", "ntohs", "setdefaulttimeout", "socket", "timeout",
    }  # fmt: skip
    assert module.timeout is TimeoutError
    assert module.error is OSError


def test_the_methods_of_a_socket() -> None:
    shown = {n for n in dir(_socket.socket) if n[0] != "_" and hasattr(_socket.socket, n)}
    assert shown == {
        "bind", "close", "connect", "connect_ex", "detach", "family", "fileno", "getblocking", "getpeername",
        "getsockname", "getsockopt", "gettimeout", "ioctl", "listen", "proto", "recv", "recv_into", "recvfrom",
        "recvfrom_into", "send", "sendall", "sendto", "setblocking", "setsockopt", "settimeout", "share", "shutdown",
        "timeout", "type",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "EWOULDBLOCK": 10035, "EAGAIN": 11, "ECONNRESET": 10054, "EINVAL": 22, "WSAEINVAL": 10022, "EACCES": 13,
        "WSAEACCES": 10013, "EADDRINUSE": 10048, "ETIMEDOUT": 10060, "EINPROGRESS": 10036, "ENOTSOCK": 10038,
        "ENAMETOOLONG": 38, "ENOTEMPTY": 41, "EDEADLK": 36, "EILSEQ": 42, "ECANCELED": 105, "ELOOP": 10062,
        "EPIPE": 32, "WSABASEERR": 10000, "EMFILE": 24, "WSAEMFILE": 10024,
    }.items(),
)  # fmt: skip
def test_errno(name: str, value: int) -> None:
    assert getattr(_errno.make_module(), name) == value


def test_errorcode_covers_the_module() -> None:
    module = _errno.make_module()
    values = {v for n, v in vars(module).items() if isinstance(v, int)}
    assert set(module.errorcode) == values
    assert module.errorcode[10054] == "WSAECONNRESET"
    assert module.errorcode[11] == "EAGAIN"


def test_errno_has_what_winsock_has() -> None:
    values = _errno.numbers()
    for name, value in values.items():
        if name.startswith("WSAE"):
            assert WSA[name] == value
    assert not {"ENONET", "EREMOTEIO", "ECHRNG", "ERESTART"} & set(values)


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "AF_HYPERV": 34, "IP_PKTINFO": 19, "IP_ADD_SOURCE_MEMBERSHIP": 15, "HV_PROTOCOL_RAW": 1,
        "HVSOCKET_CONNECT_TIMEOUT_MAX": 300_000, "HVSOCKET_CONNECTED_SUSPEND": 4,
        "HV_GUID_WILDCARD": "00000000-0000-0000-0000-000000000000",
        "HV_GUID_LOOPBACK": "E0E16197-DD56-4A10-9195-5EE7A155A838",
    }.items(),
)  # fmt: skip
def test_names_since_3_12(name: str, value: object) -> None:
    assert name not in _socket_names.constants((3, 11))
    for version in ((3, 12), (3, 13)):
        assert _socket_names.constants(version)[name] == value
    assert (name in _socket_names.CONSTANTS) is (sys.version_info >= (3, 12))


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "SOL_RFCOMM": 3, "SO_BTH_MTU": -0x7FFFFFF9, "IP_RECVTTL": 21, "IP_RECVERR": 75, "IPV6_RECVERR": 75,
        "SO_ORIGINAL_DST": 0x300F, "TCP_QUICKACK": 0x98000017 - (1 << 32),
    }.items(),
)  # fmt: skip
def test_names_since_3_14(name: str, value: int) -> None:
    assert name not in _socket_names.constants((3, 13))
    assert _socket_names.constants((3, 14))[name] == value
