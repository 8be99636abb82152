"""The catalog of name-space providers."""

from __future__ import annotations

import struct
import uuid
from typing import Any, NamedTuple

from winsock.abi import _constants as c
from winsock.api._call import SOCKET_ERROR, export
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, memory

# NSProviderId, dwNameSpace, fActive, dwVersion, lpszIdentifier; the extended one has a BLOB behind
_INFO = struct.Struct("<16sIII4xQ")
_INFO_EX = struct.Struct("<16sIII4xQI4xQ")


class _Provider(NamedTuple):
    identifier: uuid.UUID
    namespace: int
    version: int
    name: str


# Those that answer here.  The identifier is the one that Windows' own DNS provider has.
_PROVIDERS = (_Provider(uuid.UUID("22059d40-7e9e-11cf-ae5a-00aa00a7112b"), c.NS_DNS, 0, "Tcpip"),)


def _enumerate(length: Any, out: Any, wide: bool, layout: struct.Struct) -> int:
    if memory.is_null(length):
        raise WinsockError(WSA.WSAEFAULT)
    texts = [(p.name + "\0").encode("utf-16-le" if wide else "ascii") for p in _PROVIDERS]
    size = layout.size * len(_PROVIDERS) + sum(map(len, texts))
    room = memory.read_u32(length)
    if memory.is_null(out) or room < size:
        memory.write_u32(length, size)
        raise WinsockError(WSA.WSAEFAULT)
    memory.writable(out, size)
    where = memory.address(out) + layout.size * len(_PROVIDERS)
    data = b""
    for provider, text in zip(_PROVIDERS, texts):
        blob = (0, 0) if layout is _INFO_EX else ()
        data += layout.pack(provider.identifier.bytes_le, provider.namespace, 1, provider.version, where, *blob)
        where += len(text)
    memory.write(out, data + b"".join(texts))
    return len(_PROVIDERS)


@export(SOCKET_ERROR)
def WSAEnumNameSpaceProvidersA(ts: ThreadState, lpdwBufferLength: Any, lpnspBuffer: Any) -> int:
    """The name-space providers as WSANAMESPACE_INFO structures, texts behind them: how many.

    lpdwBufferLength    in: room, out: what is needed; bytes

    WSAEFAULT: no or too small a buffer.  Source: document, facts.
    """
    return _enumerate(lpdwBufferLength, lpnspBuffer, False, _INFO)


@export(SOCKET_ERROR)
def WSAEnumNameSpaceProvidersW(ts: ThreadState, lpdwBufferLength: Any, lpnspBuffer: Any) -> int:
    """WSAEnumNameSpaceProvidersA with UTF-16 texts."""
    return _enumerate(lpdwBufferLength, lpnspBuffer, True, _INFO)


@export(SOCKET_ERROR)
def WSAEnumNameSpaceProvidersExA(ts: ThreadState, lpdwBufferLength: Any, lpnspBuffer: Any) -> int:
    """WSAEnumNameSpaceProvidersA with WSANAMESPACE_INFOEX structures: a BLOB more, empty here."""
    return _enumerate(lpdwBufferLength, lpnspBuffer, False, _INFO_EX)


@export(SOCKET_ERROR)
def WSAEnumNameSpaceProvidersExW(ts: ThreadState, lpdwBufferLength: Any, lpnspBuffer: Any) -> int:
    """WSAEnumNameSpaceProvidersExA with UTF-16 texts."""
    return _enumerate(lpdwBufferLength, lpnspBuffer, True, _INFO_EX)
