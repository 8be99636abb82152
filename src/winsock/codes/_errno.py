"""Linux errno <-> Winsock code.

The numbers come from this interpreter's `errno`, so the map holds on every architecture (ECONNRESET is 104
on most, 131 on MIPS).  It is the answer without context; where Windows gives another code for the same Linux
error in some state (EPIPE after a reset, EDESTADDRREQ on an unconnected datagram socket), the transport
decides before it asks here.
"""

from __future__ import annotations

import errno as _e

from winsock.codes._wsa import WSA

# Names that mean the same on both sides: the pair reads in both directions.
_SAME: dict[int, WSA] = {
    _e.EINTR: WSA.WSAEINTR,
    _e.EACCES: WSA.WSAEACCES,
    _e.EFAULT: WSA.WSAEFAULT,
    _e.EINVAL: WSA.WSAEINVAL,
    _e.EMFILE: WSA.WSAEMFILE,
    _e.EWOULDBLOCK: WSA.WSAEWOULDBLOCK,
    _e.EALREADY: WSA.WSAEALREADY,
    _e.ENOTSOCK: WSA.WSAENOTSOCK,
    _e.EDESTADDRREQ: WSA.WSAEDESTADDRREQ,
    _e.EMSGSIZE: WSA.WSAEMSGSIZE,
    _e.EPROTOTYPE: WSA.WSAEPROTOTYPE,
    _e.ENOPROTOOPT: WSA.WSAENOPROTOOPT,
    _e.EPROTONOSUPPORT: WSA.WSAEPROTONOSUPPORT,
    _e.ESOCKTNOSUPPORT: WSA.WSAESOCKTNOSUPPORT,
    _e.EOPNOTSUPP: WSA.WSAEOPNOTSUPP,
    _e.EPFNOSUPPORT: WSA.WSAEPFNOSUPPORT,
    _e.EAFNOSUPPORT: WSA.WSAEAFNOSUPPORT,
    _e.EADDRINUSE: WSA.WSAEADDRINUSE,
    _e.EADDRNOTAVAIL: WSA.WSAEADDRNOTAVAIL,
    _e.ENETDOWN: WSA.WSAENETDOWN,
    _e.ENETUNREACH: WSA.WSAENETUNREACH,
    _e.ENETRESET: WSA.WSAENETRESET,
    _e.ECONNABORTED: WSA.WSAECONNABORTED,
    _e.ECONNRESET: WSA.WSAECONNRESET,
    _e.ENOBUFS: WSA.WSAENOBUFS,
    _e.EISCONN: WSA.WSAEISCONN,
    _e.ENOTCONN: WSA.WSAENOTCONN,
    _e.ESHUTDOWN: WSA.WSAESHUTDOWN,
    _e.ETOOMANYREFS: WSA.WSAETOOMANYREFS,
    _e.ETIMEDOUT: WSA.WSAETIMEDOUT,
    _e.ECONNREFUSED: WSA.WSAECONNREFUSED,
    _e.ELOOP: WSA.WSAELOOP,
    _e.ENAMETOOLONG: WSA.WSAENAMETOOLONG,
    _e.EHOSTDOWN: WSA.WSAEHOSTDOWN,
    _e.EHOSTUNREACH: WSA.WSAEHOSTUNREACH,
    _e.ENOTEMPTY: WSA.WSAENOTEMPTY,
    _e.EUSERS: WSA.WSAEUSERS,
    _e.EDQUOT: WSA.WSAEDQUOT,
    _e.ESTALE: WSA.WSAESTALE,
    _e.EREMOTE: WSA.WSAEREMOTE,
    _e.ECANCELED: WSA.WSA_OPERATION_ABORTED,
}

# What Linux says in words that Winsock does not have, or has but never uses.
_FROM_LINUX: dict[int, WSA] = {
    _e.EAGAIN: WSA.WSAEWOULDBLOCK,
    _e.EINPROGRESS: WSA.WSAEWOULDBLOCK,  # connect: WSAEINPROGRESS is about blocking calls, never about this
    _e.EBADF: WSA.WSAENOTSOCK,  # no Winsock call returns WSAEBADF
    _e.EPERM: WSA.WSAEACCES,
    _e.ENFILE: WSA.WSAEMFILE,
    _e.ENOMEM: WSA.WSAENOBUFS,
    _e.ENOSPC: WSA.WSAENOBUFS,
    _e.EPIPE: WSA.WSAECONNABORTED,  # the transport knows better: 10058 after a shutdown, 10054 after a reset
    _e.ENODEV: WSA.WSAEADDRNOTAVAIL,  # an interface index that names no interface
    _e.ENXIO: WSA.WSAEADDRNOTAVAIL,
    _e.ENONET: WSA.WSAENETDOWN,
    _e.EPROTO: WSA.WSAECONNABORTED,
    _e.ETIME: WSA.WSAETIMEDOUT,
    _e.ENOSYS: WSA.WSAEOPNOTSUPP,
    _e.ENOTTY: WSA.WSAEOPNOTSUPP,
    _e.EDOM: WSA.WSAEINVAL,  # a timeout out of range
}

_TO_LINUX: dict[int, int] = {
    WSA.WSA_INVALID_HANDLE: _e.EBADF,
    WSA.WSA_NOT_ENOUGH_MEMORY: _e.ENOMEM,
    WSA.WSA_INVALID_PARAMETER: _e.EINVAL,
    WSA.WSA_IO_INCOMPLETE: _e.EINPROGRESS,
    WSA.WSA_IO_PENDING: _e.EINPROGRESS,
    WSA.WSAEBADF: _e.EBADF,
    WSA.WSAEINPROGRESS: _e.EINPROGRESS,
}

# Win32 errors of overlapped results, pipes and files; only in this direction.
_WIN32_TO_LINUX: dict[int, int] = {
    2: _e.ENOENT,
    3: _e.ENOENT,
    4: _e.EMFILE,
    5: _e.EACCES,
    14: _e.ENOMEM,
    32: _e.EBUSY,
    50: _e.EOPNOTSUPP,
    64: _e.ECONNRESET,
    109: _e.EPIPE,
    121: _e.ETIMEDOUT,
    122: _e.ENOBUFS,
    231: _e.EBUSY,
    232: _e.EPIPE,
    233: _e.EPIPE,
    234: _e.EMSGSIZE,
    258: _e.ETIMEDOUT,
    487: _e.EFAULT,
    998: _e.EFAULT,
    1168: _e.ENOENT,
    1214: _e.EADDRNOTAVAIL,
    1223: _e.ECANCELED,
    1225: _e.ECONNREFUSED,
    1229: _e.ENOTCONN,
    1230: _e.EISCONN,
    1231: _e.ENETUNREACH,
    1232: _e.EHOSTUNREACH,
    1233: _e.ENOPROTOOPT,
    1234: _e.ECONNREFUSED,
    1236: _e.ECONNABORTED,
    1256: _e.EHOSTDOWN,
    1314: _e.EPERM,
    1450: _e.ENOMEM,
    1453: _e.ENOMEM,
    1454: _e.ENOMEM,
    1460: _e.ETIMEDOUT,
    1784: _e.EMSGSIZE,
    1816: _e.ENOMEM,
}

ERRNO_TO_WSA: dict[int, WSA] = {**_FROM_LINUX, **_SAME}
WSA_TO_ERRNO: dict[int, int] = {
    **_WIN32_TO_LINUX,
    **{int(code): number for number, code in _SAME.items()},
    **_TO_LINUX,
}


def from_errno(number: int, default: int = WSA.WSASYSCALLFAILURE) -> int:
    """The Winsock code for a Linux errno.

    number    as in OSError.errno on this machine
    default   what to return for an errno that no socket call is known to give
    """
    return ERRNO_TO_WSA.get(number, default)


def to_errno(code: int) -> int | None:
    """The Linux errno nearest to a Winsock or Win32 code, or None where Linux has nothing like it."""
    return WSA_TO_ERRNO.get(code)
