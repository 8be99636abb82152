"""The resolver's error numbers: h_errno, and getaddrinfo's EAI_*, on both systems.

On Windows neither has numbers of its own: h_errno is WSAGetLastError, and each EAI_* is a Winsock code
(ws2tcpip.h).  On Linux h_errno counts from 1 and EAI_* are negative.
"""

from __future__ import annotations

from functools import cache

from winsock.codes._wsa import WSA

# netdb.h -> winsock2.h
H_ERRNO: dict[str, tuple[int, WSA]] = {
    "HOST_NOT_FOUND": (1, WSA.WSAHOST_NOT_FOUND),
    "TRY_AGAIN": (2, WSA.WSATRY_AGAIN),
    "NO_RECOVERY": (3, WSA.WSANO_RECOVERY),
    "NO_DATA": (4, WSA.WSANO_DATA),
}

# ws2tcpip.h.  EAI_NODATA is defined as EAI_NONAME there, though getaddrinfo does return WSANO_DATA.
WINDOWS_EAI: dict[str, WSA] = {
    "EAI_AGAIN": WSA.WSATRY_AGAIN,
    "EAI_BADFLAGS": WSA.WSAEINVAL,
    "EAI_FAIL": WSA.WSANO_RECOVERY,
    "EAI_FAMILY": WSA.WSAEAFNOSUPPORT,
    "EAI_MEMORY": WSA.WSA_NOT_ENOUGH_MEMORY,
    "EAI_NONAME": WSA.WSAHOST_NOT_FOUND,
    "EAI_NODATA": WSA.WSAHOST_NOT_FOUND,
    "EAI_SERVICE": WSA.WSATYPE_NOT_FOUND,
    "EAI_SOCKTYPE": WSA.WSAESOCKTNOSUPPORT,
    "EAI_NOSECURENAME": WSA.WSA_SECURE_HOST_NOT_FOUND,
    "EAI_IPSECPOLICY": WSA.WSA_IPSEC_NAME_POLICY_ERROR,
}

# What Windows returns where Linux tells more.
_FROM_LINUX: dict[str, WSA] = {
    "EAI_NODATA": WSA.WSANO_DATA,  # the name has no address: 11004 in spite of the header
    "EAI_ADDRFAMILY": WSA.WSANO_DATA,  # ... none of that family
    "EAI_OVERFLOW": WSA.WSAEFAULT,
    "EAI_SYSTEM": WSA.WSANO_RECOVERY,  # errno says more; the caller looks there first
}


@cache
def _host() -> tuple[dict[int, int], dict[int, int]]:
    import _socket  # the numbers of this machine's C library; not needed by most users of this package

    names = {**WINDOWS_EAI, **_FROM_LINUX}
    numbers = {name: value for name in names if (value := getattr(_socket, name, None)) is not None}
    there = {number: int(names[name]) for name, number in numbers.items()}
    back = {int(names[n]): numbers[n] for n in WINDOWS_EAI if n in numbers}
    return there, back


def from_h_errno(number: int) -> int | None:
    """The Winsock code for an h_errno of netdb.h (1 to 4); None for another number."""
    return next((int(code) for n, code in H_ERRNO.values() if n == number), None)


def to_h_errno(code: int) -> int | None:
    """The h_errno for WSAHOST_NOT_FOUND ... WSANO_DATA; None for another code."""
    return next((n for n, wsa in H_ERRNO.values() if wsa == code), None)


def from_eai(number: int, default: int = WSA.WSANO_RECOVERY) -> int:
    """The code of Windows' getaddrinfo for what this machine's returned: an EAI_* number of Python's socket."""
    return _host()[0].get(number, default)


def to_eai(code: int) -> int | None:
    """This machine's EAI_* number for a code of Windows' getaddrinfo, or None."""
    return _host()[1].get(code)
