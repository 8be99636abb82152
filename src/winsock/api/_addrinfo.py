"""getaddrinfo and getnameinfo and their wide and extended forms: they return the code, and set it as last error."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from winsock import names
from winsock.abi import _constants as c
from winsock.api import _addrinfo_async
from winsock.api import _name_structs as structs
from winsock.api._call import c_int, dword, refuse_nested, unexpected
from winsock.api._names import ansi
from winsock.api._sockaddr import SIZE_IN, SIZE_IN6
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory

P = ParamSpec("P")

_HINTS = struct.Struct("<iiii")


def _export_code(function: Callable[Concatenate[ThreadState, P], None]) -> Callable[P, int]:
    """As api._call.export does, but the result is the code."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> int:
        ts = current()
        code = 0
        try:
            if not ts.process.startups:
                raise WinsockError(WSA.WSANOTINITIALISED)
            if ts.blocking:
                refuse_nested(ts)
            function(ts, *args, **kwargs)
        except WinsockError as e:
            code = e.code
        except Exception as e:
            code = unexpected(function.__name__, e, args)
        ts.last_error = code
        return code

    call.__winsock__ = function  # type: ignore[attr-defined]
    del call.__wrapped__
    return call


def _text(ptr: Any, wide: bool) -> str | None:
    if memory.is_null(ptr):
        return None
    return memory.wstring(ptr) if wide else ansi(ptr)


def _hints(ptr: Any, size: int) -> tuple[int, int, int, int]:
    """flags, family, type, protocol; WSANO_RECOVERY where the rest is not zero."""
    if memory.is_null(ptr):
        return 0, 0, 0, 0
    data = memory.read(ptr, size)
    if any(data[_HINTS.size :]):
        raise WinsockError(WSA.WSANO_RECOVERY)
    flags, family, kind, protocol = _HINTS.unpack_from(data)
    return flags & 0xFFFFFFFF, family, kind, protocol


def _find(ts: ThreadState, node: Any, service: Any, hints: Any, res: Any, wide: bool) -> None:
    memory.write_u64(res, 0)
    flags, family, kind, protocol = _hints(hints, structs.SIZEOF_ADDRINFO)
    found = names.lookup(_text(node, wide), _text(service, wide), family, kind, protocol, flags)
    memory.write_u64(res, structs.addrinfo(ts.process, found, wide))


@_export_code
def getaddrinfo(ts: ThreadState, nodename: Any, servname: Any, hints: Any, res: Any) -> None:
    """Socket addresses for a host and a service: a list of addrinfo into res, for freeaddrinfo.

    nodename    a name or address; "" for this computer; NULL for the loopback address or (AI_PASSIVE) any
    hints       flags, family, socktype, protocol; the other members must be 0; may be NULL

    Returns 0 or the code: WSAHOST_NOT_FOUND, WSATYPE_NOT_FOUND, WSANO_DATA, WSATRY_AGAIN, WSANO_RECOVERY, WSAEINVAL
    (flags), WSAESOCKTNOSUPPORT, WSAEAFNOSUPPORT, WSAEFAULT; res is NULL then.  Source: document, facts.
    """
    _find(ts, nodename, servname, hints, res, False)


@_export_code
def GetAddrInfoW(ts: ThreadState, pNodeName: Any, pServiceName: Any, pHints: Any, ppResult: Any) -> None:
    """getaddrinfo for UTF-16; the list is for FreeAddrInfoW."""
    _find(ts, pNodeName, pServiceName, pHints, ppResult, True)


def _free(pointer: Any) -> None:
    try:
        if (address := memory.address(pointer)) != 0:
            structs.free_addrinfo(current().process, address)
    except (WinsockError, TypeError):
        pass  # a void function has no way to complain


def freeaddrinfo(pAddrInfo: Any) -> None:
    """Free a list that getaddrinfo gave."""
    _free(pAddrInfo)


def FreeAddrInfoW(pAddrInfo: Any) -> None:
    """Free a list that GetAddrInfoW gave."""
    _free(pAddrInfo)


def FreeAddrInfoEx(pAddrInfoEx: Any) -> None:
    """Free a list that GetAddrInfoExA gave."""
    _free(pAddrInfoEx)


def FreeAddrInfoExW(pAddrInfoEx: Any) -> None:
    """Free a list that GetAddrInfoExW gave."""
    _free(pAddrInfoEx)


def _find_ex(
    ts: ThreadState,
    texts: tuple[Any, Any],
    namespace: int,
    hints: Any,
    res: Any,
    asynchronous: tuple[Any, Any, Any],
    wide: bool,
) -> None:
    """asynchronous: OVERLAPPED, completion routine, where a handle goes."""
    memory.write_u64(res, 0)
    overlapped, routine, handle = asynchronous
    if memory.is_null(overlapped) and not (memory.is_null(routine) and memory.is_null(handle)):
        raise WinsockError(WSA.WSAEINVAL)
    if dword(namespace) not in (c.NS_ALL, c.NS_DNS):
        raise WinsockError(WSA.WSASERVICE_NOT_FOUND)
    flags, family, kind, protocol = _hints(hints, structs.SIZEOF_ADDRINFOEX)
    name, service = _text(texts[0], wide), _text(texts[1], wide)

    def find() -> int:
        found = names.lookup(name, service, family, kind, protocol, flags)
        return structs.addrinfo(ts.process, found, wide, extended=True)

    if memory.is_null(overlapped):
        memory.write_u64(res, find())
    else:
        _addrinfo_async.begin(ts, find, res, overlapped, routine, handle)


@_export_code
def GetAddrInfoExA(
    ts: ThreadState,
    pName: Any,
    pServiceName: Any,
    dwNameSpace: int,
    lpNspId: Any,
    hints: Any,
    ppResult: Any,
    timeout: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
    lpNameHandle: Any,
) -> None:
    """getaddrinfo with a choice of name space: NS_ALL, NS_DNS; the last four are reserved, NULL.

    As getaddrinfo; WSASERVICE_NOT_FOUND: no such name space here; WSAEINVAL: a reserved one is not NULL.
    """
    reserved = (timeout, lpOverlapped, lpCompletionRoutine, lpNameHandle)
    if not all(memory.is_null(a) for a in reserved):
        memory.write_u64(ppResult, 0)
        raise WinsockError(WSA.WSAEINVAL)
    _find_ex(ts, (pName, pServiceName), dwNameSpace, hints, ppResult, (None,) * 3, False)


@_export_code
def GetAddrInfoExW(
    ts: ThreadState,
    pName: Any,
    pServiceName: Any,
    dwNameSpace: int,
    lpNspId: Any,
    pHints: Any,
    ppResult: Any,
    timeout: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
    lpHandle: Any,
) -> None:
    """GetAddrInfoExA for UTF-16, and with an OVERLAPPED asynchronous: always WSA_IO_PENDING then (fact).

    timeout                ignored
    lpCompletionRoutine    called with the code, 0 and the OVERLAPPED's address, in a thread of winsock's, so that no
                           alertable wait is needed.  Not together with an event: WSAEINVAL (fact)
    lpHandle               gets what GetAddrInfoExCancel takes

    At the end the list's address is at ppResult, OVERLAPPED.Internal is the code and Pointer is ppResult.
    """
    asynchronous = (lpOverlapped, lpCompletionRoutine, lpHandle)
    _find_ex(ts, (pName, pServiceName), dwNameSpace, pHints, ppResult, asynchronous, True)


# -- getnameinfo


def _store(out: Any, room: int, text: str, wide: bool) -> None:
    if room < len(text) + 1:
        raise WinsockError(WSA.WSAEFAULT)
    memory.write(out, (text + "\0").encode("utf-16-le" if wide else "utf-8", "surrogateescape"))


def _name(sa: Any, salen: int, host: Any, hostlen: int, serv: Any, servlen: int, flags: int, wide: bool) -> None:
    n, host_room, service_room, flags = c_int(salen), dword(hostlen), dword(servlen), dword(flags)
    if memory.is_null(sa) or n < 2:
        raise WinsockError(WSA.WSAEFAULT)
    family = memory.read_u16(sa)
    if family not in (c.AF_INET, c.AF_INET6):
        raise WinsockError(WSA.WSAEAFNOSUPPORT)
    size = SIZE_IN if family == c.AF_INET else SIZE_IN6
    if n < size:
        raise WinsockError(WSA.WSAEFAULT)
    data = memory.read(sa, size)
    want_host, want_service = not memory.is_null(host), not memory.is_null(serv)
    if not want_host and not want_service:
        raise WinsockError(WSA.WSAHOST_NOT_FOUND)
    if (want_host and not host_room) or (want_service and not service_room):
        raise WinsockError(WSA.WSAEINVAL)
    port = int.from_bytes(data[2:4], "big")
    address, scope = (data[4:8], 0) if size == SIZE_IN else (data[8:24], int.from_bytes(data[24:28], "little"))
    if want_host:
        _store(host, host_room, names.host_text(address, family, flags, scope), wide)
    if want_service:
        _store(serv, service_room, names.service_text(port, flags), wide)


@_export_code
def getnameinfo(
    ts: ThreadState, sa: Any, salen: int, host: Any, hostlen: int, serv: Any, servlen: int, flags: int
) -> None:
    """The names of a socket address' host and service, or (NI_NUMERICHOST, NI_NUMERICSERV, or no name) numbers.

    hostlen, servlen    room in bytes; a NULL pointer means that this one is not wanted

    Returns 0 or the code: WSAEFAULT (sa, salen, too little room), WSAEAFNOSUPPORT, WSAEINVAL (no room at all),
    WSAHOST_NOT_FOUND (nothing wanted; NI_NAMEREQD and no name).  Source: document.
    """
    _name(sa, salen, host, hostlen, serv, servlen, flags, False)


@_export_code
def GetNameInfoW(
    ts: ThreadState,
    pSockaddr: Any,
    SockaddrLength: int,
    pNodeBuffer: Any,
    NodeBufferSize: int,
    pServiceBuffer: Any,
    ServiceBufferSize: int,
    Flags: int,
) -> None:
    """getnameinfo for UTF-16, room in characters."""
    _name(pSockaddr, SockaddrLength, pNodeBuffer, NodeBufferSize, pServiceBuffer, ServiceBufferSize, Flags, True)
