"""Structure layouts of the Winsock headers, as ctypes classes (64-bit Windows).

A C `long` is 32 bits on Windows whatever ctypes says, hence the fixed-width types.
"""

from __future__ import annotations

import ctypes

MAX_PROTOCOL_CHAIN = 7
WSAPROTOCOL_LEN = 255


class GUID(ctypes.Structure):
    """A provider's or extension's identity."""

    _fields_ = (
        ("Data1", ctypes.c_uint32),
        ("Data2", ctypes.c_uint16),
        ("Data3", ctypes.c_uint16),
        ("Data4", ctypes.c_uint8 * 8),
    )


class WSAPROTOCOLCHAIN(ctypes.Structure):
    """ChainLen is 0 for a layer, 1 for a base protocol, more for a chain."""

    _fields_ = (("ChainLen", ctypes.c_int32), ("ChainEntries", ctypes.c_uint32 * MAX_PROTOCOL_CHAIN))


_PROTOCOL_INFO = (
    ("dwServiceFlags1", ctypes.c_uint32),
    ("dwServiceFlags2", ctypes.c_uint32),
    ("dwServiceFlags3", ctypes.c_uint32),
    ("dwServiceFlags4", ctypes.c_uint32),
    ("dwProviderFlags", ctypes.c_uint32),
    ("ProviderId", GUID),
    ("dwCatalogEntryId", ctypes.c_uint32),
    ("ProtocolChain", WSAPROTOCOLCHAIN),
    ("iVersion", ctypes.c_int32),
    ("iAddressFamily", ctypes.c_int32),
    ("iMaxSockAddr", ctypes.c_int32),
    ("iMinSockAddr", ctypes.c_int32),
    ("iSocketType", ctypes.c_int32),
    ("iProtocol", ctypes.c_int32),
    ("iProtocolMaxOffset", ctypes.c_int32),
    ("iNetworkByteOrder", ctypes.c_int32),
    ("iSecurityScheme", ctypes.c_int32),
    ("dwMessageSize", ctypes.c_uint32),
    ("dwProviderReserved", ctypes.c_uint32),
)


class WSAPROTOCOL_INFOA(ctypes.Structure):
    """372 bytes; the name in the ANSI code page."""

    _fields_ = (*_PROTOCOL_INFO, ("szProtocol", ctypes.c_uint8 * (WSAPROTOCOL_LEN + 1)))


class WSAPROTOCOL_INFOW(ctypes.Structure):
    """628 bytes; the name in UTF-16."""

    _fields_ = (*_PROTOCOL_INFO, ("szProtocol", ctypes.c_uint8 * (2 * (WSAPROTOCOL_LEN + 1))))


class WSAPOLLFD(ctypes.Structure):
    """One entry of WSAPoll's array: 16 bytes."""

    _fields_ = (("fd", ctypes.c_uint64), ("events", ctypes.c_int16), ("revents", ctypes.c_int16))


class TIMEVAL(ctypes.Structure):
    """select's timeout: two 32-bit longs."""

    _fields_ = (("tv_sec", ctypes.c_int32), ("tv_usec", ctypes.c_int32))


class INET_PORT_RANGE(ctypes.Structure):
    """A block of ports: 4 bytes.  StartPort is in network order, NumberOfPorts in the machine's."""

    _fields_ = (("StartPort", ctypes.c_uint16), ("NumberOfPorts", ctypes.c_uint16))


class INET_PORT_RESERVATION_TOKEN(ctypes.Structure):
    """What names a reservation: 8 bytes; never 0."""

    _fields_ = (("Token", ctypes.c_uint64),)


class INET_PORT_RESERVATION_INSTANCE(ctypes.Structure):
    """What SIO_ACQUIRE_PORT_RESERVATION gives: 16 bytes."""

    _anonymous_ = ("Reservation", "TokenOf")
    _fields_ = (("Reservation", INET_PORT_RANGE), ("TokenOf", INET_PORT_RESERVATION_TOKEN))
