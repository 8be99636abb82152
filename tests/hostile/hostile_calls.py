"""Every export of the faces: kinds of parameters, how it fails, with which codes, and a call that is right.

A kind is one letter a parameter:

    s   a SOCKET                           h   a handle of another kind
    i   a number                           n   a number of bytes, characters, elements
    P   memory that is read                p   the same, may be NULL
    O   memory that is written             o   the same, may be NULL
    L   a length in and out                l   the same, may be NULL
    T   a text                             t   the same, may be NULL
    C   a function                         c   the same, may be NULL
    x   an OVERLAPPED, a completion routine or something reserved: NULL
    a   an address that was given out, to be freed
    *   anything, never looked at

How a call fails: "-1", "0", "INVALID" (INVALID_SOCKET) with the code as last error; "code": the code itself;
"errno": -1 with the code where the last argument points; "never": it cannot.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from winsock import iphlpapi, kernel32, mswsock, ntdll, user32, ws2_32
from winsock.abi import _constants as c
from winsock.api import _connectex, _transmit, _wsadata

FACES = (ws2_32, mswsock, iphlpapi, kernel32, user32, ntdll)
# What SIO_GET_EXTENSION_FUNCTION_POINTER hands out, and no face has.
EXTENSIONS = ("ConnectEx", "DisconnectEx", "TransmitPackets", "WSARecvMsg")


@dataclass(frozen=True)
class Call:
    """One export.

    args      of a call that is right, for the state of things that test_sweep.py makes
    startup   it needs WSAStartup
    clears    success sets the last error to 0
    """

    name: str
    kinds: str
    fails: str
    codes: frozenset[str]
    args: Callable[[Any], list[Any]]
    startup: bool = True

    @property
    def function(self) -> Any:
        homes = (*FACES, _connectex, _transmit, _wsadata)
        return next(getattr(home, self.name) for home in homes if hasattr(home, self.name))

    @property
    def failure(self) -> int | None:
        return {
            "-1": -1,
            "0": 0,
            "INVALID": (1 << 64) - 1,
            "errno": -1,
            "SEEK": c.INVALID_SET_FILE_POINTER,
            "WAIT": c.WAIT_FAILED,
        }.get(self.fails)


# Codes that the reference gives for a call; the names without WSA.  These any call may have: arguments of types that
# C does not know are bad pointers and numbers; the rest is for calls that need WSAStartup.
ANYWHERE = frozenset(("EFAULT", "EINVAL"))
SOCKETS = frozenset(("NOTINITIALISED", "ENETDOWN", "EINPROGRESS", "ENOBUFS"))
TRANSFER = "ENOTSOCK EINTR ENOTCONN ESHUTDOWN EOPNOTSUPP EWOULDBLOCK ECONNRESET ECONNABORTED ENETRESET ETIMEDOUT"
TRANSFER += " INVALID_HANDLE IO_PENDING"  # with an OVERLAPPED
RECEIVE = TRANSFER + " EMSGSIZE"
SEND = TRANSFER + " EMSGSIZE EACCES EHOSTUNREACH"
SEND_TO = SEND + " EADDRNOTAVAIL EAFNOSUPPORT EDESTADDRREQ ENETUNREACH"
CONNECT = (
    "ENOTSOCK EADDRINUSE EINTR EALREADY EADDRNOTAVAIL EAFNOSUPPORT ECONNREFUSED EISCONN ENETUNREACH EHOSTUNREACH "
    "ETIMEDOUT EWOULDBLOCK EACCES"
)
NAMES = "HOST_NOT_FOUND TRY_AGAIN NO_RECOVERY NO_DATA"
ADDRINFO = NAMES + " EAFNOSUPPORT TYPE_NOT_FOUND ESOCKTNOSUPPORT"
MAKE = "EAFNOSUPPORT EPROTONOSUPPORT EPROTOTYPE ESOCKTNOSUPPORT EMFILE"

TABLE: dict[str, Call] = {}


def call(
    name: str, kinds: str, fails: str, codes: str, args: Callable[[Any], list[Any]], startup: bool = True
) -> None:
    known = ANYWHERE | set(codes.split()) | (SOCKETS if startup else frozenset())
    TABLE[name] = Call(name, kinds, fails, frozenset(known), args, startup)


def length(n: int) -> ctypes.c_int:
    return ctypes.c_int(n)


def room(n: int) -> bytearray:
    return bytearray(n)


def fd_set(*sockets: int) -> bytearray:
    return bytearray(struct.pack(f"<I4x{len(sockets)}Q", len(sockets), *sockets))


NOW = bytes(8)
HINTS = struct.pack("<iiiiQQQQ", 0, c.AF_INET, c.SOCK_STREAM, 0, 0, 0, 0, 0)
HINTS_EX = HINTS + bytes(24)
GUID = bytes.fromhex("a01a0fe7ab8bcf118ca300805f48a192")  # MSAFD Tcpip [TCP/IP]

# -- start, error, blocking hooks
call(
    "WSAStartup",
    "iO",
    "code",
    "SYSNOTREADY VERNOTSUPPORTED EINPROGRESS EPROCLIM",
    lambda e: [0x202, room(408)],
    False,
)
call("WSACleanup", "", "-1", "", lambda e: [])
call("WSAGetLastError", "", "never", "", lambda e: [], False)
call("WSASetLastError", "i", "never", "", lambda e: [0], False)
call("WSASetBlockingHook", "C", "0", "EOPNOTSUPP", lambda e: [lambda: 0])
call("WSAUnhookBlockingHook", "", "-1", "EOPNOTSUPP", lambda e: [])
call("WSAIsBlocking", "", "0", "EOPNOTSUPP", lambda e: [])
call("WSACancelBlockingCall", "", "-1", "EOPNOTSUPP", lambda e: [])

# -- sockets
call("socket", "iii", "INVALID", MAKE, lambda e: [c.AF_INET, c.SOCK_STREAM, 0])
for _w in "AW":
    call(
        f"WSASocket{_w}", "iiipii", "INVALID", MAKE + " EACCES",
        lambda e: [c.AF_INET, c.SOCK_DGRAM, 0, None, 0, c.WSA_FLAG_OVERLAPPED],
    )  # fmt: skip
    call(f"WSADuplicateSocket{_w}", "siO", "-1", "ENOTSOCK EMFILE", lambda e: [e.s, e.process.pid, room(628)])
    call(f"WSAEnumProtocols{_w}", "pOL", "-1", "", lambda e: [None, room(16384), length(16384)])
call("closesocket", "s", "-1", "ENOTSOCK EINTR EWOULDBLOCK", lambda e: [e.spare()])
call("bind", "sPn", "-1", "ENOTSOCK EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT", lambda e: [e.s, e.any, len(e.any)])
call("listen", "si", "-1", "ENOTSOCK EADDRINUSE EISCONN EMFILE EOPNOTSUPP", lambda e: [e.s, 5])
call("accept", "sol", "INVALID", "ENOTSOCK ECONNRESET EINTR EMFILE EOPNOTSUPP EWOULDBLOCK",
     lambda e: [e.s, room(128), length(128)])  # fmt: skip
call("WSAAccept", "solc*", "INVALID",
     "ENOTSOCK ECONNRESET EINTR EMFILE EOPNOTSUPP EWOULDBLOCK ECONNREFUSED TRY_AGAIN EACCES",
     lambda e: [e.s, room(128), length(128), e.condition, 7])  # fmt: skip
call("connect", "sPn", "-1", CONNECT, lambda e: [e.s, e.target, len(e.target)])
call("WSAConnect", "sPnpopx", "-1", CONNECT + " EPROTONOSUPPORT EOPNOTSUPP",
     lambda e: [e.s, e.target, len(e.target), None, None, None, None])  # fmt: skip
_CONNECT_MANY = CONNECT + " HOST_NOT_FOUND TYPE_NOT_FOUND"
for _w in "AW":
    call(f"WSAConnectByName{_w}", "sTTlolopx", "0", _CONNECT_MANY,
         lambda e: [e.s, "127.1", f"{e.port}", length(99), room(99), length(99), room(99), NOW, None])  # fmt: skip
call("WSAConnectByList", "sPlolopx", "0", _CONNECT_MANY,
     lambda e: [e.s, e.address_list, length(128), room(128), length(128), room(128), NOW, None])  # fmt: skip
call("WSAJoinLeaf", "sPnpopxi", "INVALID", CONNECT + " EPROTONOSUPPORT EOPNOTSUPP",
     lambda e: [e.s, e.group, len(e.group), None, None, None, None, c.JL_BOTH])  # fmt: skip
call("shutdown", "si", "-1", "ENOTSOCK ECONNABORTED ECONNRESET ENOTCONN", lambda e: [e.s, c.SD_SEND])
call("WSASendDisconnect", "sp", "-1", "ENOTSOCK ENOPROTOOPT ENOTCONN", lambda e: [e.s, None])
call("WSARecvDisconnect", "so", "-1", "ENOTSOCK ENOPROTOOPT ENOTCONN", lambda e: [e.s, None])
call("getsockname", "sOL", "-1", "ENOTSOCK", lambda e: [e.s, room(128), length(128)])
call("getpeername", "sOL", "-1", "ENOTSOCK ENOTCONN", lambda e: [e.s, room(128), length(128)])

# -- data
call("recv", "sOni", "-1", RECEIVE, lambda e: [e.s, room(64), 64, 0])
call("WSARecvEx", "sOnL", "-1", RECEIVE, lambda e: [e.s, room(64), 64, length(0)])
call("recvfrom", "sOniol", "-1", RECEIVE + " EISCONN", lambda e: [e.s, room(64), 64, 0, room(128), length(128)])
call("send", "sPni", "-1", SEND, lambda e: [e.s, b"bytes", 5, 0])
call("sendto", "sPnipn", "-1", SEND_TO, lambda e: [e.s, b"bytes", 5, 0, e.target, len(e.target)])
call("WSASend", "sPnoixx", "-1", SEND, lambda e: [e.s, e.buffers, 2, length(0), 0, None, None])
call("WSASendTo", "sPnoipnxx", "-1", SEND_TO,
     lambda e: [e.s, e.buffers, 2, length(0), 0, e.target, len(e.target), None, None])  # fmt: skip
call("WSARecv", "sPnoLxx", "-1", RECEIVE, lambda e: [e.s, e.buffers, 2, length(0), length(0), None, None])
call("WSARecvFrom", "sPnoLolxx", "-1", RECEIVE,
     lambda e: [e.s, e.buffers, 2, length(0), length(0), room(128), length(128), None, None])  # fmt: skip
call("WSASendMsg", "sPioxx", "-1", SEND_TO, lambda e: [e.s, e.message(e.target), 0, length(0), None, None])

# -- readiness
call("select", "*oooP", "-1", "ENOTSOCK EINTR", lambda e: [0, fd_set(e.s), fd_set(e.s), fd_set(e.s), NOW])
call("WSAPoll", "Oni", "-1", "ENOTSOCK EINTR", lambda e: [bytearray(struct.pack("<QhhI", e.s, c.POLLIN, 0, 0)), 1, 0])
call("__WSAFDIsSet", "sp", "never", "", lambda e: [e.s, fd_set(e.s)], False)

# -- options, control codes
call(
    "getsockopt", "siiOL", "-1", "ENOTSOCK ENOPROTOOPT", lambda e: [e.s, c.SOL_SOCKET, c.SO_TYPE, room(4), length(4)]
)
call("setsockopt", "siiPn", "-1", "ENOTSOCK ENOPROTOOPT ENETRESET ENOTCONN EADDRNOTAVAIL EACCES",
     lambda e: [e.s, c.SOL_SOCKET, c.SO_KEEPALIVE, bytes(4), 4])  # fmt: skip
call("ioctlsocket", "siO", "-1", "ENOTSOCK EOPNOTSUPP", lambda e: [e.s, c.FIONREAD, room(4)])
call("WSAIoctl", "sipnonOxx", "-1",
     "ENOTSOCK EOPNOTSUPP EWOULDBLOCK ENOPROTOOPT ENOTCONN EMSGSIZE EAFNOSUPPORT ENETUNREACH EHOSTUNREACH "
     "IO_PENDING INVALID_HANDLE",
     lambda e: [e.s, c.SIO_ADDRESS_LIST_QUERY, None, 0, room(4096), 4096, length(0), None, None])  # fmt: skip

# -- names
call("gethostname", "On", "-1", "", lambda e: [room(256), 256])
call("GetHostNameW", "On", "-1", "", lambda e: [room(512), 256])
call("gethostbyname", "t", "0", NAMES + " EINTR", lambda e: ["localhost"])
call("gethostbyaddr", "Pni", "0", NAMES + " EAFNOSUPPORT EINTR", lambda e: [b"\x7f\0\0\1", 4, c.AF_INET])
call("getservbyname", "Tt", "0", NAMES, lambda e: ["http", "tcp"])
call("getservbyport", "it", "0", NAMES, lambda e: [0x5000, "tcp"])
call("getprotobyname", "T", "0", NAMES, lambda e: ["tcp"])
call("getprotobynumber", "i", "0", NAMES, lambda e: [6])
call("getaddrinfo", "ttpO", "code", ADDRINFO, lambda e: ["127.0.0.1", "80", HINTS, room(8)])
call("GetAddrInfoW", "ttpO", "code", ADDRINFO, lambda e: ["127.0.0.1", "80", HINTS, room(8)])
for _w in "AW":
    call(f"GetAddrInfoEx{_w}", "tti*pOxxxx", "code", ADDRINFO + " SERVICE_NOT_FOUND IO_PENDING INVALID_HANDLE",
         lambda e: ["127.0.0.1", "80", c.NS_DNS, None, HINTS_EX, room(8), None, None, None, None])  # fmt: skip
call("GetAddrInfoExOverlappedResult", "P", "never", "", lambda e: [bytes(32)], False)
call("GetAddrInfoExCancel", "P", "code", "INVALID_HANDLE", lambda e: [bytes(8)], False)
for _name in ("freeaddrinfo", "FreeAddrInfoW", "FreeAddrInfoEx", "FreeAddrInfoExW"):
    call(_name, "a", "never", "", lambda e: [None], False)
call("getnameinfo", "Pnononi", "code", NAMES + " EAFNOSUPPORT",
     lambda e: [e.target4, 16, room(64), 64, room(64), 64, c.NI_NUMERICHOST | c.NI_NUMERICSERV])  # fmt: skip
call("GetNameInfoW", "Pnononi", "code", NAMES + " EAFNOSUPPORT",
     lambda e: [e.target4, 16, room(128), 64, room(128), 64, c.NI_NUMERICHOST | c.NI_NUMERICSERV])  # fmt: skip
for _name in ("A", "W", "ExA", "ExW"):
    call(f"WSAEnumNameSpaceProviders{_name}", "LO", "-1", "", lambda e: [length(4096), room(4096)])

# -- strings, byte order
call("inet_addr", "T", "never", "", lambda e: ["127.0.0.1"], False)
call("inet_ntoa", "i", "0", "", lambda e: [0x100007F], False)
call("inet_pton", "iTO", "-1", "EAFNOSUPPORT", lambda e: [c.AF_INET, "127.0.0.1", room(4)], False)
call("InetPtonW", "iTO", "-1", "EAFNOSUPPORT", lambda e: [c.AF_INET, "127.0.0.1", room(4)], False)
call("inet_ntop", "iPOn", "0", "EAFNOSUPPORT INVALID_PARAMETER", lambda e: [c.AF_INET, bytes(4), room(64), 64], False)
call("InetNtopW", "iPOn", "0", "EAFNOSUPPORT INVALID_PARAMETER", lambda e: [c.AF_INET, bytes(4), room(64), 32], False)
for _w in "AW":
    call(f"WSAAddressToString{_w}", "PnpOL", "-1", "", lambda e: [e.target4, 16, None, room(128), length(64)])
    call(f"WSAStringToAddress{_w}", "TipOL", "-1", "", lambda e: ["127.0.0.1", c.AF_INET, None, room(16), length(16)])
for _name in ("htonl", "htons", "ntohl", "ntohs"):
    call(_name, "i", "never", "", lambda e: [1], False)
    call("WSA" + _name.capitalize(), "siO", "-1", "ENOTSOCK", lambda e: [e.s, 1, room(4)])

# -- installers
call("WSCEnumProtocols", "pOLO", "errno", "ENOBUFS", lambda e: [None, room(16384), length(16384), length(0)], False)
call("WSCGetProviderInfo", "PiOPiO", "errno", "NO_RECOVERY CALL_NOT_IMPLEMENTED EINVALIDPROVIDER",
     lambda e: [e.provider, 0, room(4), bytearray(struct.pack("<Q", 4)), 0, length(0)], False)  # fmt: skip
call("WSCGetProviderPath", "POLO", "errno", "", lambda e: [e.provider, room(512), length(256), length(0)], False)

# -- IP Helper
call("GetAdaptersAddresses", "iixoL", "code", "BUFFER_OVERFLOW NO_DATA INVALID_PARAMETER NOACCESS",
     lambda e: [0, 0, None, room(1 << 16), length(1 << 16)], False)  # fmt: skip
call("if_nametoindex", "T", "0", "", lambda e: ["lo"], False)
call("if_indextoname", "iO", "0", "", lambda e: [1, room(257)], False)
for _protocol in ("Tcp", "Udp"):
    call(f"CreatePersistent{_protocol}PortReservation", "iiO", "code",
         "ACCESS_DENIED INVALID_PARAMETER SHARING_VIOLATION NOACCESS",
         lambda e: [e.unused_port(), 1, room(8)], False)  # fmt: skip
    call(f"LookupPersistent{_protocol}PortReservation", "iiO", "code", "INVALID_PARAMETER NOT_FOUND NOACCESS",
         lambda e, p=_protocol: [e.reserved_port(p), 1, room(8)], False)  # fmt: skip
    call(f"DeletePersistent{_protocol}PortReservation", "ii", "code", "ACCESS_DENIED INVALID_PARAMETER NOT_FOUND",
         lambda e, p=_protocol: [e.reserved_port(p), 1], False)  # fmt: skip

# -- kernel32
KERNEL = "INVALID_PARAMETER INVALID_HANDLE NOT_ENOUGH_MEMORY NOACCESS"
for _name in ("GetLastError", "GetCurrentProcess", "GetCurrentProcessId", "GetCurrentThread", "GetCurrentThreadId"):
    call(_name, "", "never", "", lambda e: [], False)
call("SetLastError", "i", "never", "", lambda e: [0], False)
call("CloseHandle", "h", "0", KERNEL, lambda e: [e.spare()], False)
call("OpenThread", "iii", "0", KERNEL + " EMFILE", lambda e: [0, 0, e.tid], False)
call("QueueUserAPC", "Ch*", "0", KERNEL, lambda e: [e.apc, e.thread, 0], False)
call("Sleep", "i", "never", "", lambda e: [0], False)
call("SleepEx", "ii", "never", "", lambda e: [0, 1], False)
call("VirtualAlloc", "xnii", "0", KERNEL,
     lambda e: [None, 4096, c.MEM_COMMIT | c.MEM_RESERVE, c.PAGE_READWRITE], False)  # fmt: skip
call("VirtualFree", "ani", "0", KERNEL, lambda e: [e.region(), 0, c.MEM_RELEASE], False)
call("VirtualProtect", "aniO", "0", KERNEL, lambda e: [e.pages, 4096, c.PAGE_READWRITE, length(0)], False)
call("GetWriteWatch", "ianoOO", "code", KERNEL,
     lambda e: [0, e.watched, 4096, room(64), bytearray(struct.pack("<Q", 8)), length(0)], False)  # fmt: skip
call("ResetWriteWatch", "an", "code", KERNEL, lambda e: [e.watched, 4096], False)
call("GetComputerNameExW", "iOL", "0", KERNEL + " MORE_DATA", lambda e: [1, room(512), length(256)], False)

# -- kernel32's files and completion ports
FILES = KERNEL + " FILE_NOT_FOUND PATH_NOT_FOUND ACCESS_DENIED FILE_EXISTS ALREADY_EXISTS INVALID_NAME NOT_SUPPORTED"
for _w in "AW":
    call(f"GetTempPath{_w}", "nO", "0", FILES, lambda e: [256, room(512)], False)
    call(f"GetTempFileName{_w}", "TTiO", "0", FILES, lambda e: [e.folder, "abc", 0, room(520)], False)
    call(
        f"CreateFile{_w}",
        "Ti*xii*",
        "INVALID",
        FILES,
        lambda e: [e.file_name, c.GENERIC_READ, 0, None, 3, 0, None],
        False,
    )
call("WriteFile", "hPnox", "0", FILES, lambda e: [e.file, b"bytes", 5, length(0), None], False)
call("ReadFile", "hOnox", "0", FILES, lambda e: [e.file, room(64), 64, length(0), None], False)
call("SetFilePointer", "hili", "SEEK", FILES + " NEGATIVE_SEEK", lambda e: [e.file, 0, length(0), 0], False)
call("CreateIoCompletionPort", "hhii", "0", KERNEL, lambda e: [e.spare(), 0, 7, 0], False)
call("PostQueuedCompletionStatus", "hii*", "0", KERNEL, lambda e: [e.port_handle, 1, 2, None], False)
call("GetQueuedCompletionStatus", "hOOOi", "0", "INVALID_HANDLE WAIT_TIMEOUT ABANDONED_WAIT_0",
     lambda e: [e.port_handle, length(0), room(8), room(8), 0], False)  # fmt: skip

# -- events, waits, requests
EVENTS = "INVALID_HANDLE INVALID_PARAMETER ALREADY_EXISTS EMFILE"
for _w in "AW":
    call(f"CreateEvent{_w}", "*iit", "0", EVENTS, lambda e: [None, 1, 0, None], False)
    call(f"CreateEventEx{_w}", "*tii", "0", EVENTS, lambda e: [None, None, 0, 0], False)
for _name in ("SetEvent", "ResetEvent", "PulseEvent"):
    call(_name, "h", "0", EVENTS, lambda e: [e.event], False)
call("WSACreateEvent", "", "0", EVENTS, lambda e: [])
call("WSACloseEvent", "h", "0", EVENTS, lambda e: [e.new_event()])
for _name in ("WSASetEvent", "WSAResetEvent"):
    call(_name, "h", "0", EVENTS, lambda e: [e.event])
call("WSAWaitForMultipleEvents", "nPiii", "WAIT", EVENTS, lambda e: [1, struct.pack("<Q", e.event), 0, 0, 0])
call("WaitForMultipleObjects", "nPii", "WAIT", EVENTS, lambda e: [1, struct.pack("<Q", e.event), 0, 0], False)
call("WaitForMultipleObjectsEx", "nPiii", "WAIT", EVENTS, lambda e: [1, struct.pack("<Q", e.event), 0, 0, 0], False)
call("WaitForSingleObject", "hi", "WAIT", EVENTS, lambda e: [e.event, 0], False)
call("WaitForSingleObjectEx", "hii", "WAIT", EVENTS, lambda e: [e.event, 0, 0], False)
call("DuplicateHandle", "hhhOiii", "0", EVENTS + " ACCESS_DENIED NOT_SUPPORTED",
     lambda e: [-1, e.event, -1, room(8), 0, 0, c.DUPLICATE_SAME_ACCESS], False)  # fmt: skip
call("RegisterWaitForSingleObject", "Oh*iii", "0", EVENTS,
     lambda e: [room(8), e.event, lambda *_: None, 0, 0xFFFFFFFF, 8], False)  # fmt: skip
call("UnregisterWait", "h", "0", EVENTS + " IO_PENDING", lambda e: [e.registered()], False)
call("UnregisterWaitEx", "hh", "0", EVENTS + " IO_PENDING", lambda e: [e.registered(), -1], False)
RESULTS = EVENTS + " IO_INCOMPLETE WAIT_TIMEOUT WAIT_IO_COMPLETION NOT_FOUND ABANDONED_WAIT_0 MR_MID_NOT_FOUND"
call("CancelIo", "h", "0", RESULTS, lambda e: [e.s], False)
call("CancelIoEx", "hp", "0", RESULTS, lambda e: [e.pending(), None], False)
call("CancelSynchronousIo", "h", "0", RESULTS, lambda e: [e.waiting_thread()], False)
call("GetOverlappedResult", "hPOi", "0", RESULTS, lambda e: [e.s, bytes(32), length(0), 0], False)
call("GetOverlappedResultEx", "hPOii", "0", RESULTS, lambda e: [e.s, bytes(32), length(0), 0, 0], False)
call("WSAGetOverlappedResult", "sPOiO", "0", RESULTS + " ENOTSOCK",
     lambda e: [e.s, bytes(32), length(0), 0, length(0)])  # fmt: skip
call("GetQueuedCompletionStatusEx", "hOnOii", "0", RESULTS,
     lambda e: [e.full_port(), room(64), 2, length(0), 0, 0], False)  # fmt: skip
call("SetFileCompletionNotificationModes", "hi", "0", RESULTS, lambda e: [e.s, 0], False)

# -- network events
call("WSAEventSelect", "shi", "-1", "ENOTSOCK", lambda e: [e.s, e.event, c.FD_READ])
call("WSAEnumNetworkEvents", "shO", "-1", "ENOTSOCK", lambda e: [e.s, e.event, room(44)])
call("WSAAsyncSelect", "shii", "-1", "ENOTSOCK", lambda e: [e.s, e.window, c.WM_USER, c.FD_READ])

# -- look-ups that end with a message, which tells what was wrong with the pointers
for _name, _kinds, _args in (
    ("HostByName", "*", lambda e: ["127.0.0.1"]),
    ("HostByAddr", "*ii", lambda e: [b"\x7f\0\0\1", 4, c.AF_INET]),
    ("ServByName", "**", lambda e: ["http", "tcp"]),
    ("ServByPort", "i*", lambda e: [0x5000, "tcp"]),
    ("ProtoByName", "*", lambda e: ["tcp"]),
    ("ProtoByNumber", "i", lambda e: [6]),
):
    call(f"WSAAsyncGet{_name}", f"hi{_kinds}*n", "0", "EWOULDBLOCK",
         lambda e, args=_args: [e.window, c.WM_USER, *args(e), ctypes.create_string_buffer(1024), 1024])  # fmt: skip
call("WSACancelAsyncRequest", "h", "-1", "EALREADY", lambda e: [e.task()])

# -- user32
WINDOW = "INVALID_WINDOW_HANDLE"
CLASSES = "CANNOT_FIND_WND_CLASS CLASS_ALREADY_EXISTS CLASS_DOES_NOT_EXIST CLASS_HAS_WINDOWS INVALID_PARAMETER"
for _w in "AW":
    call(f"RegisterClass{_w}", "P", "0", CLASSES, lambda e: [e.window_class(False)], False)
    call(f"RegisterClassEx{_w}", "P", "0", CLASSES, lambda e: [e.window_class(True)], False)
    call(f"UnregisterClass{_w}", "T*", "0", CLASSES, lambda e: ["never", None], False)
    call(f"CreateWindowEx{_w}", "iTtiiiiihhhi", "0", CLASSES,
         lambda e: [0, "static", "name", 0, 0, 0, 0, 0, c.HWND_MESSAGE, None, None, 0], False)  # fmt: skip
    call(f"DefWindowProc{_w}", "hiii", "0", WINDOW, lambda e: [e.window, c.WM_USER, 0, 0], False)
    call(f"DispatchMessage{_w}", "P", "0", WINDOW, lambda e: [bytearray(48)], False)
    call(f"PeekMessage{_w}", "Ohiii", "0", WINDOW, lambda e: [room(48), None, 0, 0, c.PM_REMOVE], False)
    call(f"GetMessage{_w}", "Ohii", "-1", WINDOW, lambda e: [e.quit(room(48)), None, 0, 0], False)
    call(f"PostMessage{_w}", "hiii", "0", WINDOW + " NOT_ENOUGH_QUOTA", lambda e: [e.window, c.WM_USER, 0, 0], False)
    call(f"PostThreadMessage{_w}", "iiii", "0", "INVALID_THREAD_ID NOT_ENOUGH_QUOTA",
         lambda e: [e.tid, c.WM_USER, 0, 0], False)  # fmt: skip
    call(f"SendMessage{_w}", "hiii", "0", WINDOW + " CALL_NOT_IMPLEMENTED",
         lambda e: [e.window, c.WM_USER, 0, 0], False)  # fmt: skip
    call(f"GetWindowLongPtr{_w}", "hi", "0", WINDOW, lambda e: [e.window, -21], False)
    call(f"SetWindowLongPtr{_w}", "hii", "0", WINDOW, lambda e: [e.window, -21, 1], False)
call("DestroyWindow", "h", "0", WINDOW + " ACCESS_DENIED", lambda e: [e.window], False)
call("IsWindow", "h", "0", "", lambda e: [e.window], False)
call("PostQuitMessage", "i", "never", "", lambda e: [0], False)
call("TranslateMessage", "P", "0", "", lambda e: [bytearray(48)], False)
call("WaitMessage", "", "0", "", lambda e: e.quit([]), False)
call("MsgWaitForMultipleObjects", "npiii", "WAIT", "INVALID_PARAMETER INVALID_HANDLE",
     lambda e: [1, struct.pack("<Q", e.event), 0, 0, c.QS_ALLINPUT], False)  # fmt: skip
call("MsgWaitForMultipleObjectsEx", "npiii", "WAIT", "INVALID_PARAMETER INVALID_HANDLE",
     lambda e: [1, struct.pack("<Q", e.event), 0, c.QS_ALLINPUT, 0], False)  # fmt: skip

# -- ntdll: each returns an NTSTATUS
NATIVE = (
    "3221225477 3221225480 3221225485 3221225488 3221225659 3221225524 3221225531 3221225731 3221225487 "
    "3221226021 3221225506 3221225507 259"
)
NATIVE += " INVALID_PARAMETER 3221225648 3221225792 3221225921 3221225993 3221226022 3221226041 3221226029 2147483653"


def ask_for_name(e: Any, *code: int) -> list[Any]:
    return [e.s, None, None, None, room(16), *(code or (c.IOCTL_AFD_GETSOCKNAME,)), bytes(64), 64, room(128), 128]


call("NtOpenFile", "OiPOii", "code", NATIVE, lambda e: [room(8), 0x100000, e.afd(), room(16), 0, 0], False)
call("NtCreateFile", "OiPO*iiii*i", "code", NATIVE,
     lambda e: [room(8), 0x100000, e.afd(), room(16), None, 0, 0, 1, 0, None, 0], False)  # fmt: skip
call("NtClose", "h", "code", NATIVE, lambda e: [e.new_event()], False)
call("NtQueryObject", "hiOno", "code", NATIVE, lambda e: [e.event, 0, room(56), 56, None], False)
call("NtDeviceIoControlFile", "hhciOipnon", "code", NATIVE, ask_for_name, False)
call("NtReadFile", "hhciOOnp*", "code", NATIVE,
     lambda e: [e.s, None, None, None, room(16), room(64), 64, None, None], False)  # fmt: skip
call("NtWriteFile", "hhciOPnp*", "code", NATIVE,
     lambda e: [e.s, None, None, None, room(16), bytes(64), 64, bytes(8), None], False)  # fmt: skip
call("NtCancelIoFile", "hO", "code", NATIVE, lambda e: [e.s, room(16)], False)
call("NtCancelIoFileEx", "hpO", "code", NATIVE, lambda e: [e.s, None, room(16)], False)
call("RtlNtStatusToDosError", "i", "never", "", lambda e: [0], False)
call("DeviceIoControl", "hipnonoo", "0", RESULTS + " INVALID_FUNCTION INVALID_PARAMETER NOACCESS NOT_SUPPORTED",
     lambda e: [e.s, c.IOCTL_AFD_GETSOCKNAME, None, 0, room(128), 128, room(4), room(32)], False)  # fmt: skip
call("TerminateThread", "hi", "0", "INVALID_HANDLE ACCESS_DENIED", lambda e: [e.waiting_thread(), 0], False)

# -- extension functions
EXTENDED = (
    "ENOTSOCK INVALID_PARAMETER EALREADY EISCONN ENOTCONN ESHUTDOWN EOPNOTSUPP EADDRNOTAVAIL EAFNOSUPPORT "
    "IO_PENDING INVALID_HANDLE "
)
PACKET = struct.pack("<II16x", c.TP_ELEMENT_MEMORY, 0)
call("AcceptEx", "ssOnnnoO", "0", EXTENDED,
     lambda e: [e.at("listening"), e.spare(), room(256), 64, 64, 64, None, room(32)])  # fmt: skip
call("GetAcceptExSockaddrs", "Pnnnoooo", "never", "",
     lambda e: [room(256), 64, 64, 64, room(8), length(0), room(8), length(0)], False)  # fmt: skip
call("ConnectEx", "sPnpnoO", "0", EXTENDED, lambda e: [e.s, e.target, len(e.target), None, 0, None, room(32)])
call("DisconnectEx", "soii", "0", EXTENDED + TRANSFER, lambda e: [e.s, room(32), 0, 0])
call("TransmitFile", "shnnopi", "0", EXTENDED + TRANSFER, lambda e: [e.s, None, 0, 0, room(32), None, 0])
call("TransmitPackets", "spnnoi", "0", EXTENDED + TRANSFER, lambda e: [e.s, PACKET, 1, 0, room(32), 0])
call("WSARecvMsg", "sOoxx", "-1", RECEIVE, lambda e: [e.s, e.message(), length(0), None, None])
