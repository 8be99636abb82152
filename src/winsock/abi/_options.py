"""Every socket option of the reference: its number, shape, where it applies, and how faithful it is here.

The rows are data for the calls, for documentation and for tests.  Values are those of Windows; lengths are judged as
Windows 10 and 11 judge them, which differs from option to option (source: facts; Wine for what they leave open).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, NamedTuple

from winsock.abi import _constants as c


class Fidelity(Enum):
    """How close to Windows something is.

    EXACT          does what Windows does
    APPROXIMATE    has the effect, with a difference that the row's note names
    STORED         is accepted and reads back, without effect
    REFUSED        fails with a documented code
    """

    EXACT = "exact"
    APPROXIMATE = "approximate"
    STORED = "stored"
    REFUSED = "refused"


class Short(Enum):
    """What getsockopt does when the buffer is smaller than the value."""

    BYTE = "gives its first byte and reports one byte"
    PADDED = "fills the buffer and reports one byte"
    BLANK = "fails with WSAEFAULT and zeroes the buffer"
    NOTHING = "fails with WSAEFAULT"
    LENGTH = "fails with WSAEFAULT and sets the length to 0"


class Layout(NamedTuple):
    """A value's size and how lengths are judged.

    size        bytes that getsockopt gives, and the most that setsockopt looks at; 0 is any number
    least       a shorter length is WSAEFAULT when setting
    negative    a negative length counts as a huge one when setting; otherwise it is WSAENOBUFS
    short       a smaller buffer when getting
    """

    size: int
    least: int
    negative: bool
    short: Short


FLAG: Final = Layout(4, 0, True, Short.PADDED)
NUMBER: Final = Layout(4, 4, True, Short.BLANK)
DWORD: Final = Layout(4, 4, True, Short.NOTHING)
BYTE: Final = Layout(1, 1, False, Short.NOTHING)
CHAR: Final = Layout(4, 1, False, Short.BYTE)
STRICT: Final = Layout(4, 4, False, Short.LENGTH)
BYTES: Final = Layout(0, 0, False, Short.NOTHING)


def structure(size: int) -> Layout:
    """A structure of so many bytes."""
    return Layout(size, size, False, Short.NOTHING)


MAX: Final = 0xFFFFFFFF
ANY: Final = frozenset({c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW, c.SOCK_RDM, c.SOCK_SEQPACKET})
STREAM: Final = frozenset({c.SOCK_STREAM})
MESSAGES: Final = ANY - STREAM
DATAGRAM: Final = frozenset({c.SOCK_DGRAM})
RAW: Final = frozenset({c.SOCK_RAW})

ALL_FAMILIES: Final = frozenset({c.AF_INET, c.AF_INET6, c.AF_UNIX})
INTERNET: Final = frozenset({c.AF_INET, c.AF_INET6})
ONLY_4: Final = frozenset({c.AF_INET})
ONLY_6: Final = frozenset({c.AF_INET6})

LEVELS: Final[dict[str, int]] = {
    "SOL_SOCKET": c.SOL_SOCKET,
    "IPPROTO_IP": c.IPPROTO_IP,
    "IPPROTO_IPV6": c.IPPROTO_IPV6,
    "IPPROTO_TCP": c.IPPROTO_TCP,
    "IPPROTO_UDP": c.IPPROTO_UDP,
    "IPPROTO_RM": c.IPPROTO_RM,
    "NSPROTO_IPX": c.NSPROTO_IPX,
    "SOL_IRLMP": c.SOL_IRLMP,
    "SOL_APPLETALK": c.SOL_APPLETALK,
}
_FAMILIES_OF: Final = {
    "SOL_SOCKET": ALL_FAMILIES,
    "IPPROTO_IP": INTERNET,
    "IPPROTO_IPV6": ONLY_6,
    "IPPROTO_TCP": INTERNET,
    "IPPROTO_UDP": INTERNET,
}
_TYPES_OF: Final = {"IPPROTO_TCP": STREAM, "IPPROTO_UDP": DATAGRAM}


class Option(NamedTuple):
    """One option.

    level, name            numbers; name is signed where the header's is
    level_label, label     spellings
    layout                 see Layout
    fidelity, note         see Fidelity; why it is not exact
    get, set               whether it can be read and written at all
    default                None when it has none of its own: state, or the network, answers
    stream_default         the default on streams where that differs
    boolean                values are made 0 or 1
    low, high              other values are WSAEINVAL
    types, families        sockets that have it; on others it is `elsewhere`
    carried                the network is told its value
    refusal                what it fails with, when REFUSED
    """

    level: int
    name: int
    level_label: str
    label: str
    layout: Layout
    fidelity: Fidelity
    note: str = ""
    get: bool = True
    set: bool = True
    default: int | bytes | None = 0
    stream_default: int | None = None
    boolean: bool = False
    low: int = 0
    high: int = MAX
    types: frozenset[int] = ANY
    families: frozenset[int] = ALL_FAMILIES
    elsewhere: str = "WSAEINVAL"
    carried: bool = False
    refusal: str = ""

    def applies(self, family: int, type: int) -> bool:
        """Whether a socket of this family and type has it."""
        if type == c.SOCK_RAW and family == c.AF_INET6 and self.level == c.IPPROTO_IP:
            return False  # unlike streams and datagrams, it is never dual-mode
        return type in self.types and family in self.families

    def default_for(self, type: int) -> int | bytes | None:
        """Its value on a fresh socket of this type."""
        if type == c.SOCK_STREAM and self.stream_default is not None:
            return self.stream_default
        return self.default


EXACT, APPROXIMATE, STORED, REFUSED = Fidelity


def _option(level: str, label: str, layout: Layout, fidelity: Fidelity, note: str = "", **more: Any) -> Option:
    known: dict[str, Any] = {
        "families": _FAMILIES_OF.get(level, ALL_FAMILIES),
        "types": _TYPES_OF.get(level, ANY),
        "elsewhere": "WSAENOPROTOOPT" if level == "SOL_SOCKET" else "WSAEINVAL",
        "boolean": layout is FLAG or layout is BYTE,
    }
    number = getattr(c, label)
    return Option(LEVELS[level], number, level, label, layout, fidelity, note, **known | more)


_LEGACY = "only other protocols than TCP/IP have it"
_NO_EFFECT = "kept and read back; nothing here depends on it"
_INTERFACE_LIST = "the list is kept; datagrams from other interfaces are not kept away"
_NO_MESSAGE = "kept; no control message comes of it"
_SHAPE = "the control message is laid out as the headers suggest; no document says"
_TUNNEL = "tells the interface that it came by, whatever tunnel that is"
_STATE: Final[dict[str, Any]] = {"default": None, "set": False}


def _socket_rows() -> Iterable[Option]:
    def row(label: str, layout: Layout, fidelity: Fidelity, note: str = "", **more: Any) -> Option:
        return _option("SOL_SOCKET", label, layout, fidelity, note, **more)

    def refused(label: str, code: str, note: str, layout: Layout = DWORD) -> Option:
        return row(label, layout, REFUSED, note, default=None, refusal=code)

    yield row("SO_DEBUG", FLAG, EXACT)
    yield row("SO_ACCEPTCONN", DWORD, EXACT, **_STATE)
    yield row("SO_REUSEADDR", FLAG, EXACT, "read when the socket is bound")
    yield row("SO_EXCLUSIVEADDRUSE", FLAG, EXACT, "read when the socket is bound")
    yield row("SO_KEEPALIVE", BYTE, EXACT, types=STREAM, carried=True)
    yield row("SO_DONTROUTE", BYTE, EXACT, "without effect on Windows too", families=ONLY_4 | {c.AF_UNIX})
    yield row("SO_BROADCAST", FLAG, EXACT, types=MESSAGES, carried=True)
    yield row("SO_LINGER", NUMBER, EXACT, types=STREAM, carried=True)
    yield row("SO_DONTLINGER", FLAG, EXACT, types=STREAM, default=None)
    yield row("SO_OOBINLINE", FLAG, EXACT, carried=True)
    yield row(
        "SO_SNDBUF",
        NUMBER,
        APPROXIMATE,
        "the kernel adds its own overhead and has a minimum",
        default=0x10000,
        carried=True,
    )
    yield row(
        "SO_RCVBUF",
        NUMBER,
        APPROXIMATE,
        "the kernel adds its own overhead and has a minimum",
        default=0x10000,
        carried=True,
    )
    yield row("SO_SNDTIMEO", DWORD, EXACT, default=None)
    yield row("SO_RCVTIMEO", DWORD, EXACT, default=None)
    yield row("SO_ERROR", DWORD, EXACT, default=None)
    yield row("SO_TYPE", DWORD, EXACT, **_STATE)
    yield row("SO_OPENTYPE", DWORD, EXACT, "belongs to the thread")
    yield row("SO_MAX_MSG_SIZE", DWORD, EXACT, **_STATE)
    yield row("SO_MAXDG", DWORD, EXACT, types=MESSAGES, **_STATE)
    yield row("SO_MAXPATHDG", DWORD, APPROXIMATE, "the same for every destination", types=MESSAGES, **_STATE)
    yield row("SO_CONNECT_TIME", DWORD, APPROXIMATE, "an accepted connection's clock starts with accept", **_STATE)
    yield row("SO_PROTOCOL_INFOA", structure(372), EXACT, **_STATE)
    yield row("SO_PROTOCOL_INFOW", structure(628), EXACT, **_STATE)
    yield row("SO_BSP_STATE", structure(40), EXACT, **_STATE)
    yield row("SO_CONDITIONAL_ACCEPT", FLAG, APPROXIMATE, "the kernel still completes the handshake", types=STREAM)
    yield row("SO_UPDATE_ACCEPT_CONTEXT", structure(8), EXACT, get=False, default=None, types=STREAM)
    yield row("SO_UPDATE_CONNECT_CONTEXT", BYTES, EXACT, get=False, default=None, types=STREAM)
    yield row("SO_PAUSE_ACCEPT", FLAG, STORED, "connections are still taken", types=STREAM)
    yield row("SO_RANDOMIZE_PORT", FLAG, EXACT, "this kernel always chooses at random")
    yield row("SO_PORT_SCALABILITY", FLAG, STORED, _NO_EFFECT)
    yield row("SO_REUSE_UNICASTPORT", FLAG, STORED, _NO_EFFECT)
    yield row("SO_REUSE_MULTICASTPORT", FLAG, STORED, _NO_EFFECT, types=MESSAGES)
    yield row("SO_COMPARTMENT_ID", DWORD, STORED, "there is one compartment", default=1, low=1, high=1)
    for label in ("SO_RCVLOWAT", "SO_SNDLOWAT", "SO_USELOOPBACK"):
        yield refused(label, "WSAEINVAL", "Windows' TCP/IP has none either")
    for label in ("SO_GROUP_ID", "SO_GROUP_PRIORITY", "PVD_CONFIG"):
        yield refused(label, "WSAENOPROTOOPT", "reserved", BYTES if label == "PVD_CONFIG" else DWORD)
    for label in ("SO_CONNDATA", "SO_CONNOPT", "SO_DISCDATA", "SO_DISCOPT"):
        yield refused(label, "WSAENOPROTOOPT", _LEGACY, BYTES)
    for label in ("SO_CONNDATALEN", "SO_CONNOPTLEN", "SO_DISCDATALEN", "SO_DISCOPTLEN"):
        yield refused(label, "WSAENOPROTOOPT", _LEGACY)


def _ip_rows(level: str) -> Iterable[Option]:
    """IPPROTO_IP and IPPROTO_IPV6, which have most options in common."""
    six = level == "IPPROTO_IPV6"
    ip = "IPV6" if six else "IP"
    command: dict[str, Any] = {"get": False, "default": None, "types": MESSAGES, "carried": True}

    def row(label: str, layout: Layout, fidelity: Fidelity, note: str = "", **more: Any) -> Option:
        return _option(level, label, layout, fidelity, note, **more)

    if six:
        yield row("IPV6_HOPOPTS", BYTES, STORED, _NO_EFFECT, default=b"")
        yield row("IPV6_UNICAST_HOPS", CHAR, EXACT, default=128, high=255, carried=True)
        yield row("IPV6_MULTICAST_HOPS", CHAR, EXACT, default=1, high=255, types=MESSAGES, carried=True)
        yield row("IPV6_HOPLIMIT", STRICT, EXACT, boolean=True, types=MESSAGES, carried=True)
        yield row("IPV6_RECVTCLASS", STRICT, EXACT, boolean=True, types=MESSAGES, carried=True)
        yield row("IPV6_V6ONLY", BYTE, EXACT, default=1, families=INTERNET, carried=True)
        yield row("IPV6_PROTECTION_LEVEL", STRICT, STORED, _NO_EFFECT, default=c.PROTECTION_LEVEL_UNRESTRICTED)
        yield row("IPV6_ADD_MEMBERSHIP", structure(20), EXACT, **command)
        yield row("IPV6_DROP_MEMBERSHIP", structure(20), EXACT, **command)
        dontfrag = "IPV6_DONTFRAG"
    else:
        yield row(
            "IP_OPTIONS", BYTES, APPROXIMATE, "the kernel refuses some without privileges", default=b"", carried=True
        )
        yield row("IP_TTL", CHAR, EXACT, default=128, low=1, high=255, carried=True)
        yield row("IP_TOS", CHAR, EXACT, "without effect on Windows too, by default", high=255)
        yield row("IP_MULTICAST_TTL", CHAR, EXACT, default=1, high=255, types=MESSAGES, carried=True)
        yield row("IP_RECVTTL", STRICT, EXACT, boolean=True, types=MESSAGES, carried=True)
        yield row("IP_RECVTOS", STRICT, EXACT, boolean=True, types=MESSAGES, carried=True)
        yield row(
            "IP_RECEIVE_BROADCAST",
            STRICT,
            STORED,
            "broadcasts are always received",
            default=1,
            boolean=True,
            types=MESSAGES,
        )
        yield row("IP_ADD_MEMBERSHIP", structure(8), EXACT, **command)
        yield row("IP_DROP_MEMBERSHIP", structure(8), EXACT, **command)
        for label in ("ADD_SOURCE_MEMBERSHIP", "DROP_SOURCE_MEMBERSHIP", "BLOCK_SOURCE", "UNBLOCK_SOURCE"):
            yield row(f"IP_{label}", structure(12), EXACT, **command)
        dontfrag = "IP_DONTFRAGMENT"
    yield row(
        f"{ip}_HDRINCL", STRICT, EXACT, boolean=True, types=RAW, families=ONLY_6 if six else ONLY_4, carried=True
    )
    yield row(f"{ip}_MULTICAST_IF", STRICT, EXACT, types=MESSAGES, carried=True)
    yield row(
        f"{ip}_MULTICAST_LOOP",
        CHAR,
        APPROXIMATE,
        "decided where the datagram is sent, not where it is received",
        default=1,
        boolean=True,
        types=MESSAGES,
        carried=True,
    )
    yield row(dontfrag, CHAR, EXACT, stream_default=1, boolean=True, carried=True)
    yield row(f"{ip}_MTU_DISCOVER", STRICT, EXACT, low=c.IP_PMTUDISC_DO, high=c.IP_PMTUDISC_PROBE, carried=True)
    yield row(f"{ip}_MTU", STRICT, EXACT, **_STATE)
    yield row(f"{ip}_USER_MTU", STRICT, STORED, _NO_EFFECT, default=MAX)
    yield row(f"{ip}_PKTINFO", STRICT, EXACT, boolean=True, types=MESSAGES, carried=True)
    yield row(f"{ip}_UNICAST_IF", STRICT, APPROXIMATE, "the kernel heeds it for datagrams only", carried=True)
    yield row(f"{ip}_RECVERR", STRICT, STORED, _NO_MESSAGE, boolean=True, types=DATAGRAM)
    yield row(f"{ip}_ECN", STRICT, EXACT, boolean=True, types=MESSAGES)
    for label in ("RECVIF", "RECVDSTADDR", "PKTINFO_EX"):
        yield row(f"{ip}_{label}", STRICT, APPROXIMATE, _SHAPE, boolean=True, types=MESSAGES)
    yield row("IP_ORIGINAL_ARRIVAL_IF", STRICT, APPROXIMATE, _TUNNEL, boolean=True, types=MESSAGES)
    for label in ("RECVRTHDR", "WFP_REDIRECT_RECORDS", "WFP_REDIRECT_CONTEXT"):
        yield row(f"{ip}_{label}", STRICT, STORED, _NO_MESSAGE, boolean=True, types=MESSAGES)
    yield row(f"{'IPV6' if six else 'IP'}_RTHDR", BYTES, STORED, _NO_EFFECT, default=b"")
    yield row(f"{ip}_IFLIST", STRICT, STORED, _INTERFACE_LIST, boolean=True)
    yield row(f"{ip}_ADD_IFLIST", STRICT, STORED, _INTERFACE_LIST, get=False, default=None)
    yield row(f"{ip}_DEL_IFLIST", STRICT, STORED, _INTERFACE_LIST, get=False, default=None)
    yield row(f"{ip}_GET_IFLIST", BYTES, STORED, _INTERFACE_LIST, **_STATE)


def _transport_rows() -> Iterable[Option]:
    def tcp(label: str, layout: Layout, fidelity: Fidelity, note: str = "", **more: Any) -> Option:
        return _option("IPPROTO_TCP", label, layout, fidelity, note, **more)

    def udp(label: str, layout: Layout, fidelity: Fidelity, note: str = "", **more: Any) -> Option:
        return _option("IPPROTO_UDP", label, layout, fidelity, note, **more)

    seconds: dict[str, Any] = {"low": 1, "carried": True}
    yield tcp("TCP_NODELAY", BYTE, EXACT, carried=True)
    yield tcp("TCP_KEEPIDLE", STRICT, APPROXIMATE, "the kernel takes 32767 s at most", default=7200, **seconds)
    yield tcp("TCP_KEEPINTVL", STRICT, APPROXIMATE, "the kernel takes 32767 s at most", default=1, **seconds)
    yield tcp("TCP_KEEPCNT", STRICT, APPROXIMATE, "the kernel takes 127 at most", default=10, high=255, **seconds)
    yield tcp("TCP_MAXSEG", STRICT, EXACT, **_STATE)
    yield tcp(
        "TCP_MAXRT", STRICT, APPROXIMATE, "counted from the first byte not acknowledged", default=MAX, carried=True
    )
    yield tcp("TCP_TIMESTAMPS", STRICT, STORED, "the machine's setting holds", boolean=True)
    yield tcp(
        "TCP_FASTOPEN",
        STRICT,
        APPROXIMATE,
        "a listener takes such connections; connecting has none",
        boolean=True,
        carried=True,
    )
    yield tcp("TCP_EXPEDITED_1122", STRICT, STORED, "urgent data keeps BSD's meaning", boolean=True)
    yield tcp("TCP_BSDURGENT", STRICT, STORED, "urgent data keeps BSD's meaning", default=1, boolean=True)
    yield tcp(
        "TCP_FAIL_CONNECT_ON_ICMP_ERROR", STRICT, STORED, "the kernel decides when a connect fails", boolean=True
    )
    yield tcp("TCP_ICMP_ERROR_INFO", BYTES, STORED, "no error is ever seen", default=b"", set=False)
    yield udp("UDP_NOCHECKSUM", STRICT, EXACT, boolean=True, families=ONLY_4, carried=True)
    yield udp("UDP_CHECKSUM_COVERAGE", STRICT, STORED, _NO_EFFECT, boolean=True)
    yield udp("UDP_SEND_MSG_SIZE", STRICT, EXACT, high=0xFFFF, carried=True)
    yield udp("UDP_RECV_MAX_COALESCED_SIZE", STRICT, APPROXIMATE, "the kernel chooses the size", carried=True)


# Options of protocols that no provider here speaks: their level itself is unknown, so WSAEINVAL.
_ELSEWHERE: Final[dict[str, tuple[str, int, str]]] = {
    "IPPROTO_RM": (
        "no reliable multicast here",
        c.RM_OPTIONSBASE + 1,
        "RM_RATE_WINDOW_SIZE RM_SET_MESSAGE_BOUNDARY RM_FLUSHCACHE RM_SENDER_WINDOW_ADVANCE_METHOD "
        "RM_SENDER_STATISTICS RM_LATEJOIN RM_SET_SEND_IF RM_ADD_RECEIVE_IF RM_DEL_RECEIVE_IF "
        "RM_SEND_WINDOW_ADV_RATE RM_USE_FEC RM_SET_MCAST_TTL RM_RECEIVER_STATISTICS "
        "RM_HIGH_SPEED_INTRANET_OPT",
    ),
    "NSPROTO_IPX": (
        "no IPX here",
        0x4000,
        "IPX_PTYPE IPX_FILTERPTYPE IPX_DSTYPE IPX_STOPFILTERPTYPE IPX_EXTENDED_ADDRESS IPX_RECVHDR "
        "IPX_MAXSIZE IPX_ADDRESS IPX_GETNETINFO IPX_GETNETINFO_NORIP - IPX_SPXGETCONNECTIONSTATUS "
        "IPX_ADDRESS_NOTIFY IPX_MAX_ADAPTER_NUM IPX_RERIPNETNUMBER IPX_RECEIVE_BROADCAST "
        "IPX_IMMEDIATESPXACK",
    ),
    "SOL_IRLMP": (
        "no infrared here",
        0x10,
        "IRLMP_ENUMDEVICES IRLMP_IAS_SET IRLMP_IAS_QUERY IRLMP_SEND_PDU_LEN IRLMP_EXCLUSIVE_MODE "
        "IRLMP_IRLPT_MODE IRLMP_9WIRE_MODE IRLMP_TINYTP_MODE IRLMP_PARAMETERS IRLMP_DISCOVERY_MODE - - - "
        "- - - IRLMP_SHARP_MODE",
    ),
    "SOL_APPLETALK": (
        "no AppleTalk here",
        0xA000,
        "SO_REGISTER_NAME SO_DEREGISTER_NAME,SO_REMOVE_NAME SO_LOOKUP_NAME SO_CONFIRM_NAME "
        "SO_GETMYZONE,SO_LOOKUP_MYZONE SO_GETZONELIST,SO_LOOKUP_ZONES "
        "SO_GETLOCALZONES,SO_LOOKUP_ZONES_ON_ADAPTER "
        "SO_GETNETINFO,SO_LOOKUP_NETDEF_ON_ADAPTER,SO_PAP_SET_SERVER_STATUS SO_PAP_GET_SERVER_STATUS "
        "SO_PAP_PRIME_READ",
    ),
}


def _foreign_rows() -> Iterable[Option]:
    for level, (note, number, labels) in _ELSEWHERE.items():
        for offset, aliases in enumerate(labels.split()):
            for label in aliases.split(",") if aliases != "-" else ():
                yield Option(
                    LEVELS[level],
                    number + offset,
                    level,
                    label,
                    BYTES,
                    REFUSED,
                    note,
                    default=None,
                    families=frozenset(),
                    refusal="WSAEINVAL",
                )


OPTIONS: Final[tuple[Option, ...]] = (
    *_socket_rows(),
    *_ip_rows("IPPROTO_IP"),
    *_ip_rows("IPPROTO_IPV6"),
    *_transport_rows(),
)
FOREIGN: Final[tuple[Option, ...]] = tuple(_foreign_rows())

# Other spellings of the same numbers.
ALIASES: Final[dict[str, str]] = {
    "SO_PROTOCOL_INFO": "SO_PROTOCOL_INFOW",
    "TCP_KEEPALIVE": "TCP_KEEPIDLE",
    "IP_RECVECN": "IP_ECN",
    "IPV6_RECVECN": "IPV6_ECN",
    "IPV6_JOIN_GROUP": "IPV6_ADD_MEMBERSHIP",
    "IPV6_LEAVE_GROUP": "IPV6_DROP_MEMBERSHIP",
}

BY_NUMBER: Final[dict[tuple[int, int], Option]] = {(row.level, row.name): row for row in OPTIONS}
KNOWN_LEVELS: Final = frozenset(row.level for row in OPTIONS)
