"""getsockopt and setsockopt."""

from __future__ import annotations

import ctypes
import struct
from typing import Any, Final

from winsock.abi import _constants as c
from winsock.abi._options import BY_NUMBER, OPTIONS, Option, Short
from winsock.afd import Endpoint, State, _options
from winsock.api._call import c_int, endpoint, slow_way
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory
from winsock.nt._process import _tls

_INTS: Final = (ctypes.c_int, ctypes.c_uint)
_c_int = ctypes.c_int
HANDLE_SIZE: Final = 8
_number_at: Final = struct.Struct("<I").unpack_from
_handle_at: Final = struct.Struct("<Q").unpack_from
_store: Final = struct.Struct("<I").pack_into
_CONNECTING = State.CONNECTING
_ONE_BYTE: Final = frozenset((row.level, row.name) for row in OPTIONS if row.layout.size == 1)
_BSP_POINTERS: Final = (0, 16)  # of a CSADDR_INFO


def getsockopt(s: int, level: int, optname: int, optval: Any, optlen: Any) -> int:
    """Read an option into optval; optlen has the buffer's size and gets the value's.

    WSAENOTSOCK, WSAEFAULT for bad pointers or too small a buffer, WSAEINVAL for an unknown level or a socket that the
    option is not for, WSAENOPROTOOPT for an unknown option or one that cannot be read.

    Source: document; how each option treats small buffers: facts.
    """
    ts = current()
    try:
        ep: Any = ts.sockets[s]
        key = (level, optname)
        value = ep.rest.options.get(key, ep.shape.quick[key])
        if value is None and ep.shape.state is not _CONNECTING:
            value = ep.rest.so_error
        width = 1 if key in _ONE_BYTE else 4
        if type(optlen) is _c_int and (size := optlen.value) >= width:
            if type(optval) is bytearray:
                if width == 1:
                    optval[0] = value
                else:
                    _store(optval, 0, value)
            elif type(optval) in _INTS:
                optval.value = value if width == 4 else value | optval.value & ~0xFF
            else:
                return slow_way("getsockopt", _getsockopt, ts, s, level, optname, optval, optlen)
            if size != width:
                optlen.value = width
            ts.last_error = 0
            return 0
    except Exception:
        pass  # whatever was wrong, the long way finds out
    return slow_way("getsockopt", _getsockopt, ts, s, level, optname, optval, optlen)


def _getsockopt(ts: ThreadState, s: int, level: int, optname: int, optval: Any, optlen: Any) -> int:
    level, optname = c_int(level), c_int(optname)
    if (level, optname) == (c.SOL_SOCKET, c.SO_OPENTYPE):
        if memory.read_i32(optlen) < 4:
            raise WinsockError(WSA.WSAEFAULT)
        memory.write_u32(optval, _options.get_opentype(ts))
        memory.write_u32(optlen, 4)
        return 0
    ep = endpoint(ts, s)
    if ep.procs.plain and ep.shape.quick is None:
        ep.shape.quick = _options.plan(ep.family, ep.type)
    size = memory.read_i32(optlen)
    if memory.is_null(optval):
        raise WinsockError(WSA.WSAEFAULT)
    row = BY_NUMBER.get((level, optname))
    try:
        data = ep.procs.getsockopt(ep, level, optname, size)
    except WinsockError as e:
        if row is not None and e.code == WSA.WSAEFAULT:
            _leave_traces(row, size, optval, optlen)
        raise
    if row is None:  # a layered provider's own
        memory.write(optval, data)
        memory.write_u32(optlen, len(data))
        return 0
    if row.label == "SO_BSP_STATE":
        data = _moved(data, optval)
    memory.write(optval, data)
    memory.write_u32(optlen, _options.reported(row, size, data))
    return 0


def _leave_traces(row: Option, size: int, optval: Any, optlen: Any) -> None:
    """What a query leaves behind that failed because the buffer was too small."""
    if row.layout.short is Short.BLANK and 0 < size < row.layout.size:
        memory.write(optval, bytes(size))
    elif row.layout.short is Short.LENGTH:
        memory.write_u32(optlen, 0)


def _moved(data: bytes, optval: Any) -> bytes:
    """A CSADDR_INFO whose pointers are offsets, with real ones for where it will be."""
    base = memory.address(optval)
    moved = bytearray(data)
    for at in _BSP_POINTERS:
        offset = int.from_bytes(moved[at : at + 8], "little")
        if offset:
            moved[at : at + 8] = (base + offset).to_bytes(8, "little")
    return bytes(moved)


def setsockopt(s: int, level: int, optname: int, optval: Any, optlen: int) -> int:
    """Set an option to the optlen bytes at optval.

    WSAENOTSOCK, WSAEFAULT for a bad pointer or too few bytes, WSAENOBUFS for a negative length (some options take
    it), WSAEINVAL for a value out of range, an unknown level, a state or a socket that it is not for, WSAENOPROTOOPT
    for an unknown option or one that cannot be set.

    Source: document; how each option treats lengths: facts.
    """
    try:
        # The short way, for numbers that are kept and told the network.  Any exception leads to the long way.
        ts = _tls.state
        if optlen == 4 and not ts.blocking:
            ep = ts.sockets[s]
            key = level, optname
            values, bits, tell = ep.shape.settable[key]
            (value,) = _number_at(optval)
            if bits:
                value = 1 if value & bits else 0
            if values is None or value in values:
                if tell is not None:
                    tell(ep, value)
                ep.set_option(key, value)
                ts.last_error = 0
                return 0
        elif optlen == HANDLE_SIZE and not ts.blocking:
            ep = ts.sockets[s]
            values, _, take = ep.shape.settable[level, optname]
            if values is _options.A_HANDLE:
                take(ep, *_handle_at(optval))
                ts.last_error = 0
                return 0
    except Exception:
        pass
    return slow_way("setsockopt", _setsockopt, current(), s, level, optname, optval, optlen)


def _setsockopt(ts: ThreadState, s: int, level: int, optname: int, optval: Any, optlen: int) -> int:
    level, optname, optlen = c_int(level), c_int(optname), c_int(optlen)
    if (level, optname) == (c.SOL_SOCKET, c.SO_OPENTYPE):
        if 0 <= optlen < 4:
            raise WinsockError(WSA.WSAEFAULT)
        _options.set_opentype(ts, memory.read_u32(optval))
        return 0
    ep = endpoint(ts, s)
    shape = ep.shape
    if shape.settable is None and shape.procs.plain and not shape.closed:
        shape.settable = _options.settings(type(ep), shape.family, shape.type)
    row = BY_NUMBER.get((level, optname))
    data = _consulted(ep, row, optval, optlen)
    if row is not None and data is not None and shape.procs.plain:
        _options.write(ep, row, data)  # what else the base provider's entry looks at, _consulted has
    else:
        shape.procs.setsockopt(ep, level, optname, data)
    return 0


def _consulted(ep: Endpoint, row: Option | None, optval: Any, optlen: int) -> bytes | None:
    """The bytes that the option looks at; None for NULL where that is allowed."""
    if row is None:  # a layered provider may know it
        return None if ep.procs.plain else memory.read(optval, max(0, optlen))
    _options.writable(ep, row)
    if memory.is_null(optval) and (optlen == 0 or row.layout.size):
        return None
    return memory.read(optval, _options.consulted(row, optlen))
