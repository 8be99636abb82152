"""How other languages and their libraries spell the codes.

Sources: the reference of .NET's SocketError; what Rust's standard library makes of a raw OS error; libuv's table of
system errors; Go's packages syscall and golang.org/x/sys/windows; the exceptions and texts that Java programs show
on Windows.  Several codes may share one spelling; the way back gives the one that is met most.
"""

from __future__ import annotations

from functools import cache

from winsock.codes._names import name_of
from winsock.codes._win32 import SAME_AS_WINSOCK
from winsock.codes._wsa import WSA

# System.Net.Sockets.SocketError: the values are Winsock's.
DOTNET: dict[int, str] = {
    0: "Success",
    995: "OperationAborted",
    997: "IOPending",
    WSA.WSAEINTR: "Interrupted",
    WSA.WSAEACCES: "AccessDenied",
    WSA.WSAEFAULT: "Fault",
    WSA.WSAEINVAL: "InvalidArgument",
    WSA.WSAEMFILE: "TooManyOpenSockets",
    WSA.WSAEWOULDBLOCK: "WouldBlock",
    WSA.WSAEINPROGRESS: "InProgress",
    WSA.WSAEALREADY: "AlreadyInProgress",
    WSA.WSAENOTSOCK: "NotSocket",
    WSA.WSAEDESTADDRREQ: "DestinationAddressRequired",
    WSA.WSAEMSGSIZE: "MessageSize",
    WSA.WSAEPROTOTYPE: "ProtocolType",
    WSA.WSAENOPROTOOPT: "ProtocolOption",
    WSA.WSAEPROTONOSUPPORT: "ProtocolNotSupported",
    WSA.WSAESOCKTNOSUPPORT: "SocketNotSupported",
    WSA.WSAEOPNOTSUPP: "OperationNotSupported",
    WSA.WSAEPFNOSUPPORT: "ProtocolFamilyNotSupported",
    WSA.WSAEAFNOSUPPORT: "AddressFamilyNotSupported",
    WSA.WSAEADDRINUSE: "AddressAlreadyInUse",
    WSA.WSAEADDRNOTAVAIL: "AddressNotAvailable",
    WSA.WSAENETDOWN: "NetworkDown",
    WSA.WSAENETUNREACH: "NetworkUnreachable",
    WSA.WSAENETRESET: "NetworkReset",
    WSA.WSAECONNABORTED: "ConnectionAborted",
    WSA.WSAECONNRESET: "ConnectionReset",
    WSA.WSAENOBUFS: "NoBufferSpaceAvailable",
    WSA.WSAEISCONN: "IsConnected",
    WSA.WSAENOTCONN: "NotConnected",
    WSA.WSAESHUTDOWN: "Shutdown",
    WSA.WSAETIMEDOUT: "TimedOut",
    WSA.WSAECONNREFUSED: "ConnectionRefused",
    WSA.WSAEHOSTDOWN: "HostDown",
    WSA.WSAEHOSTUNREACH: "HostUnreachable",
    WSA.WSAEPROCLIM: "ProcessLimit",
    WSA.WSASYSNOTREADY: "SystemNotReady",
    WSA.WSAVERNOTSUPPORTED: "VersionNotSupported",
    WSA.WSANOTINITIALISED: "NotInitialized",
    WSA.WSAEDISCON: "Disconnecting",
    WSA.WSATYPE_NOT_FOUND: "TypeNotFound",
    WSA.WSAHOST_NOT_FOUND: "HostNotFound",
    WSA.WSATRY_AGAIN: "TryAgain",
    WSA.WSANO_RECOVERY: "NoRecovery",
    WSA.WSANO_DATA: "NoData",
}

# std::io::ErrorKind of io::Error::from_raw_os_error
RUST: dict[int, str] = {
    WSA.WSAEACCES: "PermissionDenied",
    WSA.WSAEINVAL: "InvalidInput",
    WSA.WSAEWOULDBLOCK: "WouldBlock",
    WSA.WSAEADDRINUSE: "AddrInUse",
    WSA.WSAEADDRNOTAVAIL: "AddrNotAvailable",
    WSA.WSAENETDOWN: "NetworkDown",
    WSA.WSAENETUNREACH: "NetworkUnreachable",
    WSA.WSAECONNABORTED: "ConnectionAborted",
    WSA.WSAECONNRESET: "ConnectionReset",
    WSA.WSAENOTCONN: "NotConnected",
    WSA.WSAETIMEDOUT: "TimedOut",
    WSA.WSAECONNREFUSED: "ConnectionRefused",
    WSA.WSAEHOSTUNREACH: "HostUnreachable",
    2: "NotFound",
    3: "NotFound",
    5: "PermissionDenied",
    8: "OutOfMemory",
    14: "OutOfMemory",
    87: "InvalidInput",
    109: "BrokenPipe",
    121: "TimedOut",
    232: "BrokenPipe",
    258: "TimedOut",
    995: "TimedOut",
    1231: "NetworkUnreachable",
    1232: "HostUnreachable",
    1460: "TimedOut",
}

# The code of Node's errors; what is not here is UNKNOWN there.  The resolver's come from getaddrinfo.
NODE: dict[int, str] = {
    2: "ENOENT",
    3: "ENOENT",
    4: "EMFILE",
    5: "EPERM",
    6: "EBADF",
    8: "ENOMEM",
    14: "ENOMEM",
    31: "EIO",
    32: "EBUSY",
    50: "ENOTSUP",
    64: "ECONNRESET",
    87: "EINVAL",
    109: "EOF",
    111: "EFAULT",
    121: "ETIMEDOUT",
    122: "EINVAL",
    126: "ENOENT",
    231: "EBUSY",
    232: "EPIPE",
    233: "EPIPE",
    995: "ECANCELED",
    998: "EACCES",
    1225: "ECONNREFUSED",
    1227: "EADDRINUSE",
    1231: "ENETUNREACH",
    1232: "EHOSTUNREACH",
    1236: "ECONNABORTED",
    1314: "EPERM",
    WSA.WSAEINTR: "ECANCELED",
    WSA.WSAEACCES: "EACCES",
    WSA.WSAEFAULT: "EFAULT",
    WSA.WSAEINVAL: "EINVAL",
    WSA.WSAEMFILE: "EMFILE",
    WSA.WSAEWOULDBLOCK: "EAGAIN",
    WSA.WSAEALREADY: "EALREADY",
    WSA.WSAENOTSOCK: "ENOTSOCK",
    WSA.WSAEMSGSIZE: "EMSGSIZE",
    WSA.WSAEPROTONOSUPPORT: "EPROTONOSUPPORT",
    WSA.WSAESOCKTNOSUPPORT: "ESOCKTNOSUPPORT",
    WSA.WSAEPFNOSUPPORT: "EINVAL",
    WSA.WSAEAFNOSUPPORT: "EAFNOSUPPORT",
    WSA.WSAEADDRINUSE: "EADDRINUSE",
    WSA.WSAEADDRNOTAVAIL: "EADDRNOTAVAIL",
    WSA.WSAENETUNREACH: "ENETUNREACH",
    WSA.WSAECONNABORTED: "ECONNABORTED",
    WSA.WSAECONNRESET: "ECONNRESET",
    WSA.WSAENOBUFS: "ENOBUFS",
    WSA.WSAEISCONN: "EISCONN",
    WSA.WSAENOTCONN: "ENOTCONN",
    WSA.WSAESHUTDOWN: "EPIPE",
    WSA.WSAETIMEDOUT: "ETIMEDOUT",
    WSA.WSAECONNREFUSED: "ECONNREFUSED",
    WSA.WSAEHOSTUNREACH: "EHOSTUNREACH",
    WSA.WSATYPE_NOT_FOUND: "EAI_SERVICE",
    WSA.WSAHOST_NOT_FOUND: "ENOTFOUND",
    WSA.WSATRY_AGAIN: "EAI_AGAIN",
    WSA.WSANO_RECOVERY: "EAI_FAIL",
    WSA.WSANO_DATA: "ENOTFOUND",
}

# The exception of java.net, and its text where one class serves several codes.
JAVA: dict[int, str] = {
    WSA.WSAEACCES: "java.net.SocketException: Permission denied",
    WSA.WSAENOTSOCK: "java.net.SocketException: Socket closed",
    WSA.WSAEADDRINUSE: "java.net.BindException: Address already in use",
    WSA.WSAEADDRNOTAVAIL: "java.net.BindException: Cannot assign requested address",
    WSA.WSAENETUNREACH: "java.net.SocketException: Network is unreachable",
    WSA.WSAECONNABORTED: "java.net.SocketException: Software caused connection abort",
    WSA.WSAECONNRESET: "java.net.SocketException: Connection reset",
    WSA.WSAENOBUFS: "java.net.SocketException: No buffer space available",
    WSA.WSAENOTCONN: "java.net.SocketException: Socket is not connected",
    WSA.WSAETIMEDOUT: "java.net.ConnectException: Connection timed out",
    WSA.WSAECONNREFUSED: "java.net.ConnectException: Connection refused",
    WSA.WSAEHOSTUNREACH: "java.net.NoRouteToHostException",
    WSA.WSAHOST_NOT_FOUND: "java.net.UnknownHostException",
}

# Spellings that stand in no table above: other classes and codes for the same event.
_MORE: dict[str, int] = {
    "ConnectException": WSA.WSAECONNREFUSED,
    "BindException": WSA.WSAEADDRINUSE,
    "SocketTimeoutException": WSA.WSAETIMEDOUT,
    "PortUnreachableException": WSA.WSAECONNRESET,
    "ConnectionResetError": WSA.WSAECONNRESET,
    "ConnectionAbortedError": WSA.WSAECONNABORTED,
    "ConnectionRefusedError": WSA.WSAECONNREFUSED,
    "BrokenPipeError": WSA.WSAESHUTDOWN,
    "BlockingIOError": WSA.WSAEWOULDBLOCK,
    "TimeoutError": WSA.WSAETIMEDOUT,
    "InterruptedError": WSA.WSAEINTR,
    "gaierror": WSA.WSAHOST_NOT_FOUND,
    "ENODATA": WSA.WSANO_DATA,  # c-ares, as in Node's dns module
    "ESERVFAIL": WSA.WSANO_RECOVERY,
    "ETIMEOUT": WSA.WSAETIMEDOUT,
    "AddressInUse": WSA.WSAEADDRINUSE,  # std::errc from here on
    "AlreadyConnected": WSA.WSAEISCONN,
    "ConnectionAlreadyInProgress": WSA.WSAEALREADY,
    "NotASocket": WSA.WSAENOTSOCK,
    "NoBufferSpace": WSA.WSAENOBUFS,
    "OperationWouldBlock": WSA.WSAEWOULDBLOCK,
    "OperationCanceled": WSA.WSA_OPERATION_ABORTED,
    "WrongProtocolType": WSA.WSAEPROTOTYPE,
    "NoProtocolOption": WSA.WSAENOPROTOOPT,
    "BadAddress": WSA.WSAEFAULT,
}
_IN_SYSCALL = frozenset((WSA.WSAEACCES, WSA.WSAECONNABORTED, WSA.WSAECONNRESET))


def spellings(code: int) -> tuple[tuple[str, str], ...]:
    """What a code is called in other worlds: pairs such as ("Rust", "io::ErrorKind::TimedOut")."""
    found = []
    if code in DOTNET:
        found.append((".NET", f"SocketError.{DOTNET[code]}"))
    if code in RUST:
        found.append(("Rust", f"io::ErrorKind::{RUST[code]}"))
    if go := _go(code):
        found.append(("Go", go))
    if code in NODE:
        found.append(("Node.js", NODE[code]))
    if code in JAVA:
        found.append(("Java", JAVA[code]))
    return tuple(found)


def _go(code: int) -> str:
    name = SAME_AS_WINSOCK.get(code) or (name_of(code) if code else "")
    if not name:
        return ""
    return f"{'syscall' if code in _IN_SYSCALL else 'windows'}.{name}"


@cache
def _by_spelling() -> dict[str, int]:
    numbers: dict[str, int] = {}
    for table in (DOTNET, RUST, NODE):
        for code in sorted(table, key=lambda code: (code < WSA.WSAEINTR, code)):
            numbers.setdefault(_fold(table[code]), int(code))
    for code, text in JAVA.items():
        numbers.setdefault(_fold(text.rpartition(".")[2]), int(code))
    for spelling, code in _MORE.items():
        numbers.setdefault(_fold(spelling), int(code))
    return numbers


def from_spelling(text: str) -> int | None:
    """The code for a spelling of another world, with or without the names before it; None for no such spelling.

    text    "SocketError.ConnectionReset", "std::io::ErrorKind::TimedOut", "java.net.UnknownHostException",
            "ENOTFOUND", "ConnectionResetError", "connection_refused"
    """
    last = text.replace("::", ".").rpartition(".")[2]
    return _by_spelling().get(_fold(last))


def _fold(text: str) -> str:
    return "".join(c for c in text.lower() if c not in "_- ")
