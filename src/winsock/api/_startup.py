"""WSAStartup, WSACleanup and the last error."""

from __future__ import annotations

import struct
from typing import Any

from winsock import spi
from winsock.api._call import SOCKET_ERROR, dword, export, refuse_nested
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory

HIGHEST = 0x0202
# wVersion, wHighVersion, iMaxSockets, iMaxUdpDg, lpVendorInfo (left alone), szDescription, szSystemStatus
_HEAD = struct.Struct("<HHHH")
_TEXTS = struct.Struct("<257s129s")
DESCRIPTION, STATUS = b"WinSock 2.0", b"Running"
MAX_SOCKETS, MAX_UDP = 32767, 65467


def _negotiate(requested: int) -> tuple[int, int]:
    """(version to use, WSAStartup's result) for a requested version, low byte major."""
    major, minor = requested & 0xFF, requested >> 8
    if major == 0:
        return HIGHEST, WSA.WSAVERNOTSUPPORTED
    if major == 1:
        return 0x0001 | min(minor, 1) << 8, 0
    if major == 2:
        return 0x0002 | min(minor, 2) << 8, 0
    return HIGHEST, 0


def WSAStartup(wVersionRequested: int, lpWSAData: Any) -> int:
    """Begin to use Winsock; the calls are counted, and each needs its WSACleanup.

    wVersionRequested   minor version in the high byte, major in the low one: 0x0202 for 2.2
    lpWSAData           WSADATA, 408 bytes, filled in even when the version is refused

    Returns 0 or the code itself (the last error is not set): WSAVERNOTSUPPORTED for 0.x, WSAEFAULT, WSAEINPROGRESS
    in a blocking hook.  Source: document; the values in WSADATA are facts; 0.x without WSADATA: observed on Wine.
    """
    ts = current()
    try:
        if ts.blocking and ts.process.startups:
            refuse_nested(ts)
        version, result = _negotiate(dword(wVersionRequested) & 0xFFFF)
        if result and lpWSAData is None:
            return result
        memory.writable(lpWSAData, _HEAD.size + 8 + _TEXTS.size)
        limits = (MAX_SOCKETS, MAX_UDP) if version & 0xFF == 1 else (0, 0)
        data = bytearray(memory.read(lpWSAData, _HEAD.size + 8 + _TEXTS.size))
        data[: _HEAD.size] = _HEAD.pack(version, HIGHEST, *limits)
        data[_HEAD.size + 8 :] = _TEXTS.pack(DESCRIPTION, STATUS)
        memory.write(lpWSAData, data)
    except WinsockError as e:
        return e.code
    except (TypeError, ValueError):
        return WSA.WSAEFAULT
    if result == 0:
        with ts.process.lock:
            if not ts.process.startups:
                ts.process.version = version
            ts.process.startups += 1
    return result


@export(SOCKET_ERROR)
def WSACleanup(ts: ThreadState) -> int:
    """Undo one WSAStartup; the last one closes every socket of the process.  WSANOTINITIALISED without a start."""
    process = ts.process
    with process.lock:
        if not process.startups:
            raise WinsockError(WSA.WSANOTINITIALISED)  # another thread was faster
        process.startups -= 1
        last = process.startups == 0
    if last:
        for handle in list(process.sockets):
            try:
                spi.close_socket(process, handle)
            except WinsockError:
                pass  # another thread was faster
        spi.discard(process)
    return 0


def WSAGetLastError() -> int:
    """The calling thread's last error."""
    return current().last_error


def WSASetLastError(iError: int) -> None:
    """Set the calling thread's last error."""
    try:
        current().last_error = dword(iError)
    except Exception:
        current().last_error = WSA.WSAEINVAL


