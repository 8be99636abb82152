"""From Linux errno to Winsock codes: the only place where the host transport translates."""

from __future__ import annotations

import errno

from winsock.codes import WSA, WinsockError

CODES: dict[int, int] = {
    errno.EINTR: WSA.WSAEINTR,
    errno.EBADF: WSA.WSAENOTSOCK,
    errno.EACCES: WSA.WSAEACCES,
    errno.EPERM: WSA.WSAEACCES,
    errno.EFAULT: WSA.WSAEFAULT,
    errno.EINVAL: WSA.WSAEINVAL,
    errno.EMFILE: WSA.WSAEMFILE,
    errno.ENFILE: WSA.WSAEMFILE,
    errno.EAGAIN: WSA.WSAEWOULDBLOCK,
    errno.EINPROGRESS: WSA.WSAEWOULDBLOCK,
    errno.EALREADY: WSA.WSAEALREADY,
    errno.ENOTSOCK: WSA.WSAENOTSOCK,
    errno.EDESTADDRREQ: WSA.WSAENOTCONN,  # Windows: a send without a peer is not connected
    errno.EMSGSIZE: WSA.WSAEMSGSIZE,
    errno.EPROTOTYPE: WSA.WSAEPROTOTYPE,
    errno.ENOPROTOOPT: WSA.WSAENOPROTOOPT,
    errno.EPROTONOSUPPORT: WSA.WSAEPROTONOSUPPORT,
    errno.ESOCKTNOSUPPORT: WSA.WSAESOCKTNOSUPPORT,
    errno.EOPNOTSUPP: WSA.WSAEOPNOTSUPP,
    errno.EPFNOSUPPORT: WSA.WSAEPFNOSUPPORT,
    errno.EAFNOSUPPORT: WSA.WSAEAFNOSUPPORT,
    errno.EADDRINUSE: WSA.WSAEADDRINUSE,
    errno.EADDRNOTAVAIL: WSA.WSAEADDRNOTAVAIL,
    errno.ENETDOWN: WSA.WSAENETDOWN,
    errno.ENETUNREACH: WSA.WSAENETUNREACH,
    errno.ENETRESET: WSA.WSAENETRESET,
    errno.ECONNABORTED: WSA.WSAECONNABORTED,
    errno.ECONNRESET: WSA.WSAECONNRESET,
    errno.EPIPE: WSA.WSAECONNRESET,  # the caller's own shutdown was refused before; so the peer did it
    errno.ENOBUFS: WSA.WSAENOBUFS,
    errno.ENOMEM: WSA.WSAENOBUFS,
    errno.EISCONN: WSA.WSAEISCONN,
    errno.ENOTCONN: WSA.WSAENOTCONN,
    errno.ESHUTDOWN: WSA.WSAESHUTDOWN,
    errno.ETOOMANYREFS: WSA.WSAETOOMANYREFS,
    errno.ETIMEDOUT: WSA.WSAETIMEDOUT,
    errno.ECONNREFUSED: WSA.WSAECONNREFUSED,
    errno.ELOOP: WSA.WSAELOOP,
    errno.ENAMETOOLONG: WSA.WSAENAMETOOLONG,
    errno.EHOSTDOWN: WSA.WSAEHOSTDOWN,
    errno.EHOSTUNREACH: WSA.WSAEHOSTUNREACH,
    errno.ENODEV: WSA.WSAEADDRNOTAVAIL,
    errno.ENXIO: WSA.WSAEADDRNOTAVAIL,
    errno.ENOENT: WSA.WSAECONNREFUSED,  # AF_UNIX: nobody at that path
    errno.EPROTO: WSA.WSAECONNABORTED,
}


def code_of(number: int | None) -> int:
    """The Winsock code for a Linux errno; WSASYSCALLFAILURE for one that has none."""
    return CODES.get(number or 0, WSA.WSASYSCALLFAILURE)


def translated(error: OSError) -> WinsockError:
    """A Linux error as Winsock's."""
    return WinsockError(code_of(error.errno))
