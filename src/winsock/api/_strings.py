"""Addresses to text and back.

The inet_* functions need no WSAStartup, and what succeeds leaves the last error alone.
"""

from __future__ import annotations

import ctypes
import operator
import struct
from typing import Any

from winsock.abi import _addresses as text
from winsock.abi import _constants as c
from winsock.api._call import SOCKET_ERROR, c_int, dword, export
from winsock.api._sockaddr import SIZE_IN, SIZE_IN6
from winsock.codes import NTSTATUS, WSA, WinsockError
from winsock.nt import ThreadState, memory

_WHITE = frozenset(" \t\n\v\f\r")
_SIZES = {c.AF_INET: 4, c.AF_INET6: 16}
_FAMILY_IN_INFO = 76  # offset of iAddressFamily in WSAPROTOCOL_INFO, A and W


def _narrow(ptr: Any) -> str:
    """The text for an ANSI function, one character a byte."""
    return memory.cstring(ptr).decode("latin-1")


# -- inet_addr, inet_ntoa


@export(c.INADDR_NONE, startup=False, clears=False, during=True)
def inet_addr(ts: ThreadState, cp: Any) -> int:
    """The IPv4 address in a text, in network order (its first byte is the lowest of the result).

    One to four parts, decimal, octal (0) or hexadecimal (0x); white space ends the text.  A single space is 0.
    INADDR_NONE for what is no address, which sets no error, and for NULL, which is WSAEFAULT.
    Source: document, facts.
    """
    string = _narrow(cp)
    if string == " ":
        return 0
    ok, data, end = text.ipv4(string, strict=False)
    if not ok or (end < len(string) and string[end] not in _WHITE):
        return c.INADDR_NONE
    return int.from_bytes(data, "little")


@export(0, startup=False, clears=False, during=True)
def inet_ntoa(ts: ThreadState, in_: Any) -> int:
    """A pointer to the text of an IPv4 address (an in_addr, in network order); the thread's next call reuses it."""
    data = struct.pack("<I", dword(in_)) if hasattr(in_, "__index__") else memory.read(in_, 4)
    buffer = ts.buffers.get("inet_ntoa")
    if buffer is None:
        buffer = ts.buffers["inet_ntoa"] = ctypes.create_string_buffer(16)
    buffer.value = text.ipv4_text(data).encode()
    return ctypes.addressof(buffer)


# -- inet_pton, inet_ntop


def _pton(family: int, string: str | None, out: Any) -> bool:
    """Parse, and leave what was parsed in the buffer, as Windows does also when the text turns out to be wrong."""
    if string is None or memory.is_null(out):
        raise WinsockError(WSA.WSAEFAULT)
    size = _SIZES.get(c_int(family))
    if size is None:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    memory.writable(out, size)
    ok, data, end = text.ipv4(string, strict=True) if size == 4 else text.ipv6(string)
    memory.write(out, data)
    return ok and end == len(string)


@export(-1, startup=False, clears=False, during=True)
def inet_pton(ts: ThreadState, Family: int, pszAddrString: Any, pAddrBuf: Any) -> int:
    """An address (4 or 16 bytes) from its text, which must be complete and standard.

    Returns 1; 0 for a wrong text, which sets no error; -1 with WSAEFAULT (a pointer is NULL or bad, found before
    the family is) or WSAEAFNOSUPPORT.  Source: document, facts.
    """
    return int(_pton(Family, None if memory.is_null(pszAddrString) else _narrow(pszAddrString), pAddrBuf))


@export(-1, startup=False, clears=False, during=True)
def InetPtonW(ts: ThreadState, Family: int, pszAddrString: Any, pAddrBuf: Any) -> int:
    """inet_pton for UTF-16; a wrong text gives 0 and sets WSAEINVAL."""
    string = None if memory.is_null(pszAddrString) else memory.wstring(pszAddrString)
    if _pton(Family, string, pAddrBuf):
        return 1
    ts.last_error = WSA.WSAEINVAL
    return 0


def _ntop(family: int, address: Any, out: Any, room: int, unit: int, refusal: int) -> int:
    size = _SIZES.get(c_int(family))
    if size is None:
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    if memory.is_null(address) or memory.is_null(out):
        raise WinsockError(refusal)
    data = memory.read(address, size)
    string = (text.ipv4_text if size == 4 else text.ipv6_text)(data) + "\0"
    if len(string) > _size_t(room):
        raise WinsockError(refusal)
    memory.write(out, string.encode("ascii" if unit == 1 else "utf-16-le"))
    return memory.address(out)


def _size_t(value: Any) -> int:
    return operator.index(value) & memory.MAX_ADDRESS


@export(0, startup=False, clears=False, during=True)
def inet_ntop(ts: ThreadState, Family: int, pAddr: Any, pStringBuf: Any, StringBufSize: int) -> int:
    """The text of an address (4 or 16 bytes) into pStringBuf, of StringBufSize bytes; returns that pointer, or NULL.

    WSAEAFNOSUPPORT; STATUS_INVALID_PARAMETER, an NTSTATUS as it is, where there is no or too little room.
    Source: facts.
    """
    return _ntop(Family, pAddr, pStringBuf, StringBufSize, 1, NTSTATUS.STATUS_INVALID_PARAMETER)


@export(0, startup=False, clears=False, during=True)
def InetNtopW(ts: ThreadState, Family: int, pAddr: Any, pStringBuf: Any, StringBufSize: int) -> int:
    """inet_ntop for UTF-16, StringBufSize in characters; ERROR_INVALID_PARAMETER for no or too little room."""
    return _ntop(Family, pAddr, pStringBuf, StringBufSize, 2, c.ERROR_INVALID_PARAMETER)


# -- WSAAddressToString, WSAStringToAddress


def _check_provider(info: Any, family: int) -> None:
    """A protocol that the caller names must be one of that family."""
    if memory.is_null(info):
        return
    data = memory.read(info, _FAMILY_IN_INFO + 4)
    if int.from_bytes(data[_FAMILY_IN_INFO:], "little", signed=True) != family:
        raise WinsockError(WSA.WSAEINVAL)


def _address_to_string(sa: Any, salen: int, info: Any, out: Any, length: Any, unit: int) -> int:
    if memory.is_null(sa) or memory.is_null(length):
        raise WinsockError(WSA.WSAEFAULT)
    if (n := dword(salen)) < 2:
        raise WinsockError(WSA.WSAEFAULT)
    family = memory.read_u16(sa)
    if family not in _SIZES:
        raise WinsockError(WSA.WSAEINVAL)
    if n < (SIZE_IN if family == c.AF_INET else SIZE_IN6):
        raise WinsockError(WSA.WSAEFAULT)
    _check_provider(info, family)
    if family == c.AF_INET:
        port, address = struct.unpack(">2xH4s", memory.read(sa, 8))
        string = text.ipv4_endpoint_text(address, port)
    else:
        data = memory.read(sa, SIZE_IN6)
        port, address = struct.unpack_from(">2xH4x16s", data)
        string = text.ipv6_endpoint_text(address, port, int.from_bytes(data[24:28], "little"))
    string += "\0"
    room = memory.read_u32(length)
    memory.write_u32(length, len(string))
    if room < len(string):
        raise WinsockError(WSA.WSAEFAULT)
    memory.write(out, string.encode("ascii" if unit == 1 else "utf-16-le"))
    return 0


@export(SOCKET_ERROR, clears=False)
def WSAAddressToStringA(
    ts: ThreadState,
    lpsaAddress: Any,
    dwAddressLength: int,
    lpProtocolInfo: Any,
    lpszAddressString: Any,
    lpdwAddressStringLength: Any,
) -> int:
    """The text of a sockaddr, with port and scope unless they are 0.

    lpdwAddressStringLength     in: room, out: length with the NUL, also when there is too little room; characters

    WSAEFAULT: a bad pointer, too short an address, too little room; WSAEINVAL: not an Internet address, or
    lpProtocolInfo is of another family.  Source: document, facts.
    """
    return _address_to_string(
        lpsaAddress, dwAddressLength, lpProtocolInfo, lpszAddressString, lpdwAddressStringLength, 1
    )


@export(SOCKET_ERROR, clears=False)
def WSAAddressToStringW(
    ts: ThreadState,
    lpsaAddress: Any,
    dwAddressLength: int,
    lpProtocolInfo: Any,
    lpszAddressString: Any,
    lpdwAddressStringLength: Any,
) -> int:
    """WSAAddressToStringA for UTF-16."""
    return _address_to_string(
        lpsaAddress, dwAddressLength, lpProtocolInfo, lpszAddressString, lpdwAddressStringLength, 2
    )


def _string_to_address(string: str | None, family: int, info: Any, out: Any, length: Any) -> int:
    if memory.is_null(out) or memory.is_null(length):
        raise WinsockError(WSA.WSAEFAULT)
    family = c_int(family)
    if string is None or family not in _SIZES:
        raise WinsockError(WSA.WSAEINVAL)
    _check_provider(info, family)
    size = SIZE_IN if family == c.AF_INET else SIZE_IN6
    if memory.read_i32(length) < size:
        memory.write_u32(length, size)
        raise WinsockError(WSA.WSAEFAULT)
    if family == c.AF_INET:
        found = text.ipv4_endpoint(string, strict=False)
        tail = found.data.ljust(4, b"\0") + bytes(8)
    else:
        found = text.ipv6_endpoint(string)
        tail = bytes(4) + found.data.ljust(16, b"\0") + struct.pack("<I", found.scope)
    head = struct.pack("<H", family if found.ok else 0) + struct.pack(">H", found.port)
    memory.write(out, head + tail)
    if not found.ok:
        raise WinsockError(WSA.WSAEINVAL)
    memory.write_u32(length, size)
    return 0


@export(SOCKET_ERROR, clears=False)
def WSAStringToAddressA(
    ts: ThreadState,
    AddressString: Any,
    AddressFamily: int,
    lpProtocolInfo: Any,
    lpAddress: Any,
    lpAddressLength: Any,
) -> int:
    """A sockaddr from a text: an address, with a port and (IPv6) a scope or without.

    lpAddressLength     in: room, out: length of the structure; bytes

    WSAEFAULT: a bad pointer, too little room (the length it needs is stored); WSAEINVAL: no such text (the
    structure is overwritten with what was parsed), no Internet family, lpProtocolInfo of another family.
    Source: document, facts.
    """
    string = None if memory.is_null(AddressString) else _narrow(AddressString)
    return _string_to_address(string, AddressFamily, lpProtocolInfo, lpAddress, lpAddressLength)


@export(SOCKET_ERROR, clears=False)
def WSAStringToAddressW(
    ts: ThreadState,
    AddressString: Any,
    AddressFamily: int,
    lpProtocolInfo: Any,
    lpAddress: Any,
    lpAddressLength: Any,
) -> int:
    """WSAStringToAddressA for UTF-16."""
    string = None if memory.is_null(AddressString) else memory.wstring(AddressString)
    return _string_to_address(string, AddressFamily, lpProtocolInfo, lpAddress, lpAddressLength)
