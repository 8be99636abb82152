"""What a provider's procedures look like from C: the code of a failure comes by lpErrno, not as the last error."""

from __future__ import annotations

from typing import Any

from winsock.api import _ioctl
from winsock.api._call import SOCKET_ERROR, unexpected
from winsock.codes import WSA, WinsockError
from winsock.nt import ThreadState, current, memory

THREAD_ID_SIZE = 16  # WSATHREADID: a handle and a reserved number


def WSPIoctl(
    s: int,
    dwIoControlCode: int,
    lpvInBuffer: Any,
    cbInBuffer: int,
    lpvOutBuffer: Any,
    cbOutBuffer: int,
    lpcbBytesReturned: Any,
    lpOverlapped: Any,
    lpCompletionRoutine: Any,
    lpThreadId: Any,
    lpErrno: Any,
) -> int:
    """WSAIoctl as the base provider has it: the same control codes, the same refusals.

    lpThreadId    a WSATHREADID, for a completion routine; the routine runs in the calling thread
    lpErrno       an int that gets the code when the call fails

    SOCKET_ERROR for a failure, and the last error stays as it was.  Without an lpErrno that can be written to, the
    call fails all the same.  Source: document.
    """
    ts = current()
    before = ts.last_error
    try:
        memory.writable(lpErrno, 4)
        if not memory.is_null(lpThreadId):
            memory.read(lpThreadId, THREAD_ID_SIZE)
        result = _ioctl.WSAIoctl(
            s, dwIoControlCode, lpvInBuffer, cbInBuffer, lpvOutBuffer, cbOutBuffer, lpcbBytesReturned, lpOverlapped,
            lpCompletionRoutine,
        )  # fmt: skip
        if result:
            memory.write_u32(lpErrno, ts.last_error)
        return result
    except WinsockError as e:
        return _failed(ts, lpErrno, e.code)
    except Exception as e:
        return _failed(ts, lpErrno, unexpected("WSPIoctl", e, (s, dwIoControlCode)))
    finally:
        ts.last_error = before


def _failed(ts: ThreadState, lpErrno: Any, code: int) -> int:
    try:
        memory.write_u32(lpErrno, code or WSA.WSAEFAULT)
    except (WinsockError, TypeError, ValueError):
        pass  # it was lpErrno itself
    return SOCKET_ERROR
