"""The catalog for installers: WSCEnumProtocols, WSCGetProviderInfo, WSCGetProviderPath.

These need no WSAStartup, and they report their code through a pointer, not as the last error.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any, Final

from winsock import spi
from winsock.abi import _constants as c
from winsock.api._call import SOCKET_ERROR, c_int, dword, unexpected
from winsock.api._wsasocket import int_list, store_entries
from winsock.codes import WSA, WinsockError
from winsock.nt import memory

PROVIDER_DLL: Final = "%SystemRoot%\\system32\\mswsock.dll"
GUID_SIZE: Final = 16
PROVIDER_INFO_LSP_CATEGORIES, PROVIDER_INFO_AUDIT = 0, 1

_log = logging.getLogger("winsock")


def _with_errno(lpErrno: Any, call: Callable[..., int], *args: Any) -> int:
    """call(*args); its code goes to lpErrno.  Without a place for it the call fails."""
    try:
        memory.writable(lpErrno, 4)
        return call(*args)
    except WinsockError as e:
        code = e.code
    except Exception as e:
        code = unexpected(call.__name__, e, args)
    try:
        memory.write_u32(lpErrno, code)
    except WinsockError:
        _log.debug("%s: nowhere to store error %d", call.__name__, code)
    return SOCKET_ERROR


def WSCEnumProtocols(lpiProtocols: Any, lpProtocolBuffer: Any, lpdwBufferLength: Any, lpErrno: Any) -> int:
    """WSAEnumProtocolsW with the hidden entries; how many, or SOCKET_ERROR and the code at lpErrno.

    WSAENOBUFS when there is too little room (lpdwBufferLength then says how much is needed), WSAEFAULT.
    Source: document.
    """
    return _with_errno(lpErrno, _enum_protocols, lpiProtocols, lpProtocolBuffer, lpdwBufferLength)


def _enum_protocols(protocols: Any, buffer: Any, length: Any) -> int:
    wanted = None if memory.is_null(protocols) else int_list(protocols)
    entries = [e for e in spi.BASE_ENTRIES if wanted is None or e.protocol in wanted]
    return store_entries(entries, buffer, length, wide=True)


def WSCGetProviderInfo(
    lpProviderId: Any, InfoType: int, Info: Any, InfoSize: Any, Flags: int, lpErrno: Any
) -> int:
    """What is noted about a provider: 0, or SOCKET_ERROR and the code at lpErrno.

    InfoType   0: its LSP categories, a DWORD; none for the base providers
    InfoSize   in and out: bytes, 64 bits wide

    WSANO_RECOVERY for an unknown provider, before anything else is looked at; ERROR_CALL_NOT_IMPLEMENTED for
    InfoType 1, WSAEINVAL for another one or for flags, WSAEFAULT.  Source: facts, document.
    """
    return _with_errno(lpErrno, _provider_info, lpProviderId, InfoType, Info, InfoSize, Flags)


def _provider_info(provider: Any, kind: int, info: Any, size: Any, flags: int) -> int:
    if not _is_known(provider):
        raise WinsockError(WSA.WSANO_RECOVERY)
    kind = c_int(kind)
    if kind == PROVIDER_INFO_AUDIT:
        raise WinsockError(c.ERROR_CALL_NOT_IMPLEMENTED)
    if kind != PROVIDER_INFO_LSP_CATEGORIES or dword(flags):
        raise WinsockError(WSA.WSAEINVAL)
    room = memory.read_u64(size)
    memory.write_u64(size, 4)
    if room < 4:
        raise WinsockError(WSA.WSAEFAULT)
    memory.write_u32(info, 0)
    return 0


def WSCGetProviderPath(
    lpProviderId: Any, lpszProviderDllPath: Any, lpProviderDllPathLen: Any, lpErrno: Any
) -> int:
    """Where a provider's DLL is on a Windows, environment variables unexpanded: 0, or SOCKET_ERROR.

    lpszProviderDllPath    UTF-16
    lpProviderDllPathLen   in and out: characters, the NUL included

    At lpErrno: WSAEFAULT without a length or when it is too small, WSAEINVAL for a negative one and for a provider
    that does not exist.  Source: facts, document.
    """
    return _with_errno(lpErrno, _provider_path, lpProviderId, lpszProviderDllPath, lpProviderDllPathLen)


def _provider_path(provider: Any, path: Any, length: Any) -> int:
    room = memory.read_i32(length)
    if room < 0 or not _is_known(provider):
        raise WinsockError(WSA.WSAEINVAL)
    needed = len(PROVIDER_DLL) + 1
    if room < needed:
        memory.write_u32(length, needed)
        raise WinsockError(WSA.WSAEFAULT)
    memory.write(path, (PROVIDER_DLL + "\0").encode("utf-16-le"))
    memory.write_u32(length, needed)
    return 0


def _is_known(provider: Any) -> bool:
    """Whether a GUID is that of a provider in the catalog."""
    identity = str(uuid.UUID(bytes_le=memory.read(provider, GUID_SIZE)))
    return any(e.provider == identity for e in spi.BASE_ENTRIES)
