"""Every control code of WSAIoctl and ioctlsocket: its number, what it takes and gives, how faithful it is here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from winsock.abi import _constants as c
from winsock.abi._options import (
    ALL_FAMILIES,
    ANY,
    APPROXIMATE,
    DATAGRAM,
    EXACT,
    INTERNET,
    MESSAGES,
    ONLY_4,
    REFUSED,
    STORED,
    STREAM,
    Fidelity,
)


class Control(NamedTuple):
    """One control code.

    code, label            number and spelling
    fidelity, note         as of options
    takes, gives           bytes of input that it needs, and of output it needs room for; less is WSAEFAULT
    silent                 too little room leaves the caller's byte count alone instead of setting it to 0
    types, families        sockets that have it; on others it fails with `elsewhere`
    refusal                what it fails with, when REFUSED
    """

    code: int
    label: str
    fidelity: Fidelity
    note: str = ""
    takes: int = 0
    gives: int = 0
    silent: bool = False
    types: frozenset[int] = ANY
    families: frozenset[int] = ALL_FAMILIES
    elsewhere: str = "WSAEINVAL"
    refusal: str = ""


_KEPT = "kept; nothing here depends on it"
_LATER = "for later"


def _row(label: str, fidelity: Fidelity, note: str = "", **more: Any) -> Control:
    return Control(getattr(c, label), label, fidelity, note, **more)


def _refused(labels: str, code: str, note: str) -> Iterable[Control]:
    for label in labels.split():
        yield _row(label, REFUSED, note, refusal=code)


def _rows() -> Iterable[Control]:
    handle: dict[str, Any] = {"gives": 8}
    yield _row("FIONBIO", EXACT, takes=4)
    yield _row("FIONREAD", APPROXIMATE, "of datagrams, the first one's size only", gives=4, silent=True)
    yield _row("SIOCATMARK", EXACT, gives=4, silent=True)
    yield _row("SIO_KEEPALIVE_VALS", APPROXIMATE, "whole seconds", takes=12, types=STREAM, elsewhere="WSAENOPROTOOPT")
    yield _row("SIO_UDP_CONNRESET", EXACT, takes=4, types=MESSAGES)
    yield _row("SIO_UDP_NETRESET", EXACT, takes=4, types=MESSAGES)
    yield _row("SIO_GET_EXTENSION_FUNCTION_POINTER", EXACT, takes=16, gives=8)
    yield _row("SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER", EXACT, takes=16, gives=112)
    for label in ("SIO_BASE_HANDLE", "SIO_BSP_HANDLE", "SIO_BSP_HANDLE_SELECT", "SIO_BSP_HANDLE_POLL"):
        yield _row(label, EXACT, **handle)
    yield _row("SIO_QUERY_TARGET_PNP_HANDLE", APPROXIMATE, "the socket itself", **handle)
    yield _row("SIO_ROUTING_INTERFACE_QUERY", EXACT, families=INTERNET)
    yield _row("SIO_ROUTING_INTERFACE_CHANGE", EXACT, families=INTERNET)
    yield _row("SIO_FIND_ROUTE", APPROXIMATE, "asks the routing table only", families=INTERNET)
    yield _row("SIO_ADDRESS_LIST_QUERY", EXACT, families=INTERNET)
    yield _row("SIO_ADDRESS_LIST_CHANGE", EXACT, families=INTERNET)
    yield _row("SIO_ADDRESS_LIST_SORT", APPROXIMATE, "by RFC 6724's table alone", families=INTERNET)
    yield _row("SIO_GET_INTERFACE_LIST", EXACT, families=ONLY_4)
    yield _row("SIO_GET_BROADCAST_ADDRESS", EXACT, gives=16, families=ONLY_4, elsewhere="WSAENOPROTOOPT")
    yield _row("SIO_MULTIPOINT_LOOPBACK", APPROXIMATE, "as IP_MULTICAST_LOOP", takes=4, types=MESSAGES)
    yield _row("SIO_MULTICAST_SCOPE", EXACT, takes=4, types=MESSAGES)
    yield _row("SIO_ENABLE_CIRCULAR_QUEUEING", STORED, _KEPT, types=MESSAGES, elsewhere="WSAENOPROTOOPT")
    yield _row(
        "SIO_IDEAL_SEND_BACKLOG_QUERY",
        APPROXIMATE,
        "always 64 KiB",
        gives=4,
        types=STREAM,
        elsewhere="WSAEOPNOTSUPP",
    )
    yield _row(
        "SIO_IDEAL_SEND_BACKLOG_CHANGE", APPROXIMATE, "it never changes", types=STREAM, elsewhere="WSAEOPNOTSUPP"
    )
    yield _row("SIO_TCP_INFO", APPROXIMATE, "what this kernel counts; other fields are 0", types=STREAM)
    yield _row("SIO_LOOPBACK_FAST_PATH", STORED, "as on current Windows", takes=4, types=STREAM)
    yield _row("SIO_TCP_INITIAL_RTO", APPROXIMATE, "the times hold for sockets that block", takes=4, types=STREAM)
    yield _row("SIO_CPU_AFFINITY", STORED, _KEPT, takes=2, types=DATAGRAM)
    yield _row("SIO_SET_PRIORITY_HINT", STORED, _KEPT, takes=4)
    yield _row("SIO_SET_COMPATIBILITY_MODE", STORED, _KEPT, takes=8)
    yield _row("SIO_QUERY_RSS_SCALABILITY_INFO", EXACT, "there is none", elsewhere="WSAEINVAL")
    ports: dict[str, Any] = {"types": STREAM | DATAGRAM, "families": INTERNET, "elsewhere": "WSAEOPNOTSUPP"}
    yield _row("SIO_ACQUIRE_PORT_RESERVATION", EXACT, **ports)
    yield _row("SIO_ASSOCIATE_PORT_RESERVATION", EXACT, **ports)
    yield _row("SIO_RELEASE_PORT_RESERVATION", EXACT, **ports)
    yield from _refused(
        "SIO_FLUSH FIOASYNC SIO_GET_INTERFACE_LIST_EX", "WSAEOPNOTSUPP", "Windows' own providers refuse it too"
    )
    yield from _refused("SIO_ASSOCIATE_HANDLE SIO_TRANSLATE_HANDLE", "WSAENOPROTOOPT", "no companion interfaces")
    yield from _refused(
        "SIO_GET_QOS SIO_GET_GROUP_QOS SIO_SET_QOS SIO_SET_GROUP_QOS SIO_CHK_QOS", "WSAENOPROTOOPT", _LATER
    )
    yield from _refused(
        "SIO_RCVALL SIO_RCVALL_MCAST SIO_RCVALL_IGMPMCAST SIO_RCVALL_MCAST_IF SIO_RCVALL_IF",
        "WSAEOPNOTSUPP",
        "raw sockets of this kernel see their own protocol only",
    )
    yield from _refused(
        "SIO_APPLY_TRANSPORT_SETTING SIO_QUERY_TRANSPORT_SETTING SIO_QUERY_RSS_PROCESSOR_INFO "
        "SIO_QUERY_WFP_ALE_ENDPOINT_HANDLE SIO_QUERY_WFP_CONNECTION_REDIRECT_CONTEXT "
        "SIO_QUERY_WFP_CONNECTION_REDIRECT_RECORDS SIO_SET_WFP_CONNECTION_REDIRECT_RECORDS "
        "SIO_TCP_SET_ICW SIO_TCP_SET_ACK_FREQUENCY",
        "WSAEOPNOTSUPP",
        "Windows' own machinery",
    )
    yield from _refused("SIO_TIMESTAMPING SIO_GET_TX_TIMESTAMP", "WSAEOPNOTSUPP", _LATER)
    yield from _refused("SIO_NSP_NOTIFY_CHANGE", "WSAEOPNOTSUPP", "for WSANSPIoctl, not for sockets")
    yield from _refused(
        "SIOCSHIWAT SIOCGHIWAT SIOCSLOWAT SIOCGLOWAT SIO_ABSORB_RTRALERT SIO_UCAST_IF "
        "SIO_LIMIT_BROADCASTS SIO_INDEX_BIND SIO_INDEX_MCASTIF SIO_INDEX_ADD_MCAST SIO_INDEX_DEL_MCAST "
        "SIO_GET_MULTICAST_FILTER SIO_SET_MULTICAST_FILTER SIO_EXT_SELECT SIO_EXT_POLL SIO_EXT_SENDMSG "
        "SIO_RESERVED_1 SIO_RESERVED_2",
        "WSAEOPNOTSUPP",
        "in the headers, not in the documents",
    )


CONTROLS: Final[tuple[Control, ...]] = tuple(_rows())
BY_CODE: Final[dict[int, Control]] = {row.code: row for row in CONTROLS}

SOCKETS_ONLY: Final = frozenset({c.FIONBIO, c.FIONREAD, c.SIOCATMARK})  # what ioctlsocket takes
