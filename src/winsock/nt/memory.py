"""Pointers of the C-shaped calling convention.

A pointer argument is one of

    None                              NULL
    bytes, bytearray, memoryview      memory of that size; bytes cannot be written
    a ctypes instance, byref(x)       that instance, by reference
    str                               a NUL-terminated string (UTF-16 for a wide function)
    an int                            a raw address of this process

Reading or writing what is not there raises WinsockError(WSAEFAULT), never a crash: raw addresses are read and
written by the kernel (process_vm_readv and process_vm_writev on this very process), which refuses bad ones.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from winsock.codes import WSA, WinsockError

type_data = ctypes._SimpleCData.__mro__[1]  # the common base of all ctypes instances
_SimpleCData = ctypes._SimpleCData
_ByRef = type(ctypes.byref(ctypes.c_int()))


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


_libc = ctypes.CDLL(None, use_errno=True)
_readv = _libc.process_vm_readv
_writev = _libc.process_vm_writev
for _f in (_readv, _writev):
    _f.argtypes = (
        ctypes.c_int,
        ctypes.POINTER(_IoVec),
        ctypes.c_ulong,
        ctypes.POINTER(_IoVec),
        ctypes.c_ulong,
        ctypes.c_ulong,
    )
    _f.restype = ctypes.c_ssize_t

MAX_ADDRESS = (1 << 64) - 1
CHUNK = 1 << 20  # bytes of a raw address that are read at once


def fault() -> WinsockError:
    """The error of a bad pointer."""
    return WinsockError(WSA.WSAEFAULT)


def _ansi(text: str) -> bytes:
    """A str as the bytes that an ANSI function sees; any str will do."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _target(ptr: Any) -> Any:
    return ptr._obj if type(ptr) is _ByRef else ptr  # type: ignore[attr-defined]


def is_null(ptr: Any) -> bool:
    """Whether the pointer is NULL: None, or the address 0."""
    return ptr is None or (isinstance(ptr, int) and ptr == 0)


def _copy(vm: Any, address: int, local: bytearray, n: int) -> None:
    """Let the kernel move n bytes between our own memory and an address nobody vouches for."""
    if n == 0:
        return
    if not 0 < address <= MAX_ADDRESS - n:
        raise fault()
    mine = _IoVec(ctypes.addressof(ctypes.c_char.from_buffer(local)), n)  # an array would be a new type for each n
    theirs = _IoVec(address, n)
    if vm(os.getpid(), ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) != n:
        raise fault()


def read(ptr: Any, n: int) -> bytes:
    """n bytes from ptr."""
    if (type(ptr) is bytes or type(ptr) is bytearray) and n <= len(ptr):
        return bytes(ptr[:n])
    ptr = _target(ptr)
    if ptr is None:
        raise fault()
    if isinstance(ptr, int):
        if n > CHUNK:
            return _read_long(int(ptr), n)
        local = bytearray(n)
        _copy(_readv, int(ptr), local, n)
        return bytes(local)
    if isinstance(ptr, str):
        ptr = _ansi(ptr) + b"\0"
    try:
        data = memoryview(ptr).cast("B") if not isinstance(ptr, bytes) else ptr
    except (TypeError, ValueError, BufferError):
        raise fault() from None
    if len(data) < n:
        raise fault()
    return bytes(data[:n])


def _read_long(address: int, n: int) -> bytes:
    """Piece by piece: a length may be nonsense, so no room of that size is made for it at first."""
    got = bytearray()
    while len(got) < n:
        got += read(address + len(got), min(CHUNK, n - len(got)))
    return bytes(got)


def write(ptr: Any, data: bytes | bytearray | memoryview) -> None:
    """Write data at ptr."""
    ptr = _target(ptr)
    n = len(data)
    if ptr is None:
        raise fault()
    if isinstance(ptr, int):
        _copy(_writev, int(ptr), bytearray(data), n)
        return
    try:
        target = memoryview(ptr).cast("B")
        if target.readonly or len(target) < n:
            raise fault()
        target[:n] = data
    except (TypeError, ValueError, BufferError):
        raise fault() from None


def view(ptr: Any, n: int, writable: bool = False) -> memoryview:
    """n bytes at ptr as a memoryview that the kernel may fill or send.

    For a raw address nothing is checked here: hand such a view to system calls only, they answer EFAULT.
    """
    ptr = _target(ptr)
    if ptr is None:
        raise fault()
    if isinstance(ptr, int):
        if not 0 < ptr <= MAX_ADDRESS - n:
            raise fault()
        return memoryview((ctypes.c_char * n).from_address(int(ptr))).cast("B")
    try:
        data = memoryview(ptr).cast("B")
    except (TypeError, ValueError, BufferError):
        raise fault() from None
    if len(data) < n or (writable and data.readonly):
        raise fault()
    return data[:n]


def address(ptr: Any) -> int:
    """The address that ptr stands for, 0 for NULL; the object must stay alive while it is used."""
    ptr = _target(ptr)
    if ptr is None:
        return 0
    if isinstance(ptr, int):
        return int(ptr)
    try:
        if isinstance(ptr, type_data):
            return ctypes.addressof(ptr)  # type: ignore[arg-type]
        return ctypes.addressof(ctypes.c_char.from_buffer(ptr))
    except (TypeError, ValueError, BufferError):
        raise fault() from None


def size(ptr: Any) -> int | None:
    """How many bytes are known to be at ptr; None for a raw address."""
    ptr = _target(ptr)
    if ptr is None:
        return 0
    if isinstance(ptr, int):
        return None
    try:
        return memoryview(ptr).nbytes
    except (TypeError, ValueError):
        raise fault() from None


def _read_int(ptr: Any, n: int, signed: bool) -> int:
    return int.from_bytes(read(ptr, n), "little", signed=signed)


def read_i32(ptr: Any) -> int:
    """The C int at ptr."""
    if isinstance(ptr, ctypes.c_int):
        return ptr.value
    return _read_int(ptr, 4, True)


def read_u16(ptr: Any) -> int:
    """The u_short at ptr."""
    return _read_int(ptr, 2, False)


def read_u32(ptr: Any) -> int:
    """The DWORD at ptr."""
    if isinstance(ptr, ctypes.c_uint):
        return ptr.value
    return _read_int(ptr, 4, False)


def read_u64(ptr: Any) -> int:
    """The 64-bit number at ptr."""
    return _read_int(ptr, 8, False)


def write_u32(ptr: Any, value: int) -> None:
    """Store a DWORD (or a C int) at ptr."""
    if isinstance(ptr, (ctypes.c_uint, ctypes.c_int)):
        ptr.value = value
    else:
        write(ptr, (value & 0xFFFFFFFF).to_bytes(4, "little"))


def write_u64(ptr: Any, value: int) -> None:
    """Store a 64-bit number, such as a pointer, at ptr."""
    write(ptr, (value & MAX_ADDRESS).to_bytes(8, "little"))


def writable(ptr: Any, n: int) -> None:
    """Raise WSAEFAULT unless n bytes can be written at ptr; what is there stays."""
    if isinstance(ptr, (ctypes.c_uint, ctypes.c_int)) and n <= 4:
        return
    raw = _target(ptr)
    if isinstance(raw, type_data) and ctypes.sizeof(raw) >= n:  # type: ignore[arg-type]
        return
    if isinstance(raw, int):
        for at in range(0, n, CHUNK):
            part = min(CHUNK, n - at)
            write(raw + at, read(raw + at, part))
    else:
        view(ptr, n, writable=True)


def cstring(ptr: Any, limit: int = 1 << 16) -> bytes:
    """The NUL-terminated bytes at ptr, without the NUL."""
    ptr = _target(ptr)
    if ptr is None:
        raise fault()
    if isinstance(ptr, str):
        return _ansi(ptr).split(b"\0", 1)[0]
    if isinstance(ptr, int):
        return _raw_string(int(ptr), 1, limit)
    data = bytes(view(ptr, size(ptr) or 0))
    return data.split(b"\0", 1)[0]


def wstring(ptr: Any, limit: int = 1 << 16) -> str:
    """The NUL-terminated UTF-16 string at ptr."""
    ptr = _target(ptr)
    if ptr is None:
        raise fault()
    if isinstance(ptr, str):
        return ptr.split("\0", 1)[0]
    data = _raw_string(int(ptr), 2, limit) if isinstance(ptr, int) else bytes(view(ptr, size(ptr) or 0))
    text = data[: len(data) & ~1].decode("utf-16-le", "surrogatepass")
    return text.split("\0", 1)[0]


def _raw_string(at: int, unit: int, limit: int) -> bytes:
    """Read on to the NUL, never past the page it is on."""
    got = b""
    end = b"\0" * unit
    while len(got) < limit:
        n = 4096 - (at + len(got)) % 4096
        got += read(at + len(got), n)
        for i in range(0, len(got) - unit + 1, unit):
            if got[i : i + unit] == end:
                return got[:i]
    raise fault()
