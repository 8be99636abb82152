"""hostent, servent, protoent and addrinfo as 64-bit Windows lays them out, in memory that winsock keeps alive."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from typing import Any

from winsock.abi import _constants as c
from winsock.names import Host, Info, Protocol, Service
from winsock.nt import Process, ThreadState

_POINTER = 8
_HOSTENT = struct.Struct("<QQhh4xQ")  # h_name, h_aliases, h_addrtype, h_length, h_addr_list
_SERVENT = struct.Struct("<QQQ2s6x")  # s_name, s_aliases, s_proto, s_port: not in the order of 32-bit Windows
_PROTOENT = struct.Struct("<QQh6x")  # p_name, p_aliases, p_proto
_ADDRINFO = struct.Struct("<iiiiQQQQ")  # flags, family, socktype, protocol, addrlen, canonname, addr, next
_ADDRINFOEX = struct.Struct("<iiiiQQQQQQQ")  # the same, with blob, bloblen, provider before next
SIZEOF_ADDRINFO, SIZEOF_ADDRINFOEX = _ADDRINFO.size, _ADDRINFOEX.size
_FIRST_SIZE = 1024  # MAXGETHOSTSTRUCT: enough for nearly all, so that the address does not change


def _keep(ts: ThreadState, name: str, pack: Callable[[int], bytes]) -> int:
    """The address of the thread's structure of that name: its old place, a new one if that is too small."""
    data = pack(0)
    buffer = ts.buffers.get(name)
    if buffer is None or len(buffer) < len(data):
        buffer = ts.buffers[name] = ctypes.create_string_buffer(max(len(data), _FIRST_SIZE))
    base = ctypes.addressof(buffer)
    ctypes.memmove(base, pack(base), len(data))
    return base


def _strings(at: int, texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """The texts one behind the other, and the address of each."""
    data, where = b"", []
    for text in texts:
        where.append(at + len(data))
        data += text.encode("utf-8", "surrogateescape") + b"\0"
    return data, where


def _array(pointers: Sequence[int]) -> bytes:
    """A NULL-terminated array of pointers."""
    return struct.pack(f"<{len(pointers) + 1}Q", *pointers, 0)


def pack_hostent(host: Host, base: int) -> bytes:
    """A hostent that will lie at base: the structure, aliases, address pointers, addresses, texts, without gaps.

    Source: a fact.
    """
    n, count, size = len(host.aliases), len(host.addresses), len(host.addresses[0])
    aliases = _HOSTENT.size
    pointers = aliases + _POINTER * (n + 1)
    addresses = pointers + _POINTER * (count + 1)
    data, where = _strings(base + addresses + size * count, (host.name, *host.aliases))
    head = _HOSTENT.pack(where[0], base + aliases, host.family, size, base + pointers)
    listed = _array([base + addresses + size * i for i in range(count)])
    return head + _array(where[1:]) + listed + b"".join(host.addresses) + data


def pack_servent(service: Service, base: int) -> bytes:
    """A servent that will lie at base."""
    texts = _SERVENT.size + _POINTER * (len(service.aliases) + 1)
    data, where = _strings(base + texts, (service.name, service.protocol, *service.aliases))
    head = _SERVENT.pack(where[0], base + _SERVENT.size, where[1], service.port.to_bytes(2, "big"))
    return head + _array(where[2:]) + data


def pack_protoent(protocol: Protocol, base: int) -> bytes:
    """A protoent that will lie at base."""
    texts = _PROTOENT.size + _POINTER * (len(protocol.aliases) + 1)
    data, where = _strings(base + texts, (protocol.name, *protocol.aliases))
    head = _PROTOENT.pack(where[0], base + _PROTOENT.size, protocol.number)
    return head + _array(where[1:]) + data


def hostent(ts: ThreadState, host: Host) -> int:
    """The address of the thread's hostent."""
    return _keep(ts, "hostent", lambda base: pack_hostent(host, base))


def servent(ts: ThreadState, service: Service) -> int:
    """The address of the thread's servent."""
    return _keep(ts, "servent", lambda base: pack_servent(service, base))


def protoent(ts: ThreadState, protocol: Protocol) -> int:
    """The address of the thread's protoent."""
    return _keep(ts, "protoent", lambda base: pack_protoent(protocol, base))


def _sockaddr(info: Info) -> bytes:
    port = info.address[1].to_bytes(2, "big")
    if info.family == c.AF_INET:
        return struct.pack("<H2s4s8x", info.family, port, info.data)
    return struct.pack("<H2s4x16sI", info.family, port, info.data, info.address[-1])


def addrinfo(process: Process, infos: Sequence[Info], wide: bool, extended: bool = False) -> int:
    """A linked list that lives until free_addrinfo: the address of its head."""
    node = _ADDRINFOEX if extended else _ADDRINFO
    parts: list[tuple[int, int, bytes, bytes]] = []  # node, sockaddr, its bytes, the name's bytes; offsets
    size = 0
    for info in infos:
        sockaddr = _sockaddr(info)
        name = b""
        if info.canonname is not None:
            name = (info.canonname + "\0").encode("utf-16-le" if wide else "utf-8", "surrogatepass")
        parts.append((size, size + node.size, sockaddr, name))
        size += node.size + (len(sockaddr) + len(name) + 7 & ~7)
    buffer = ctypes.create_string_buffer(size)
    base = ctypes.addressof(buffer)
    for i, (info, (at, where, sockaddr, name)) in enumerate(zip(infos, parts)):
        following = base + parts[i + 1][0] if i + 1 < len(parts) else 0
        named = base + where + len(sockaddr) if name else 0
        middle = (0, 0, 0) if extended else ()
        head = (info.flags, info.family, info.type, info.protocol, len(sockaddr), named, base + where)
        data = node.pack(*head, *middle, following) + sockaddr + name
        ctypes.memmove(base + at, data, len(data))
    _lists(process)[base] = buffer
    return base


def free_addrinfo(process: Process, pointer: int) -> None:
    """Free a list; what is none is ignored."""
    _lists(process).pop(pointer, None)


def _lists(process: Process) -> dict[int, Any]:
    lists: dict[int, Any] = process.services.setdefault("addrinfo", {})
    return lists
