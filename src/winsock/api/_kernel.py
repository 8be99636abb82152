"""The parts of kernel32 that Winsock programs need beside the sockets: errors, handles, threads, memory."""

from __future__ import annotations

import operator
import socket as linux
from collections.abc import Callable
from typing import Any, TypeVar

from winsock import spi
from winsock.abi import _constants as c
from winsock.afd import handle_closed
from winsock.afd._requests import abort_later
from winsock.api._call import dword, export
from winsock.api._startup import WSAGetLastError, WSASetLastError
from winsock.codes import WinsockError
from winsock.nt import Process, ThreadState, current, memory
from winsock.nt._virtual import PAGE, Pages

MASK = (1 << 64) - 1

T = TypeVar("T")

GetLastError = WSAGetLastError  # a thread has one last error, under two names
SetLastError = WSASetLastError


class ThreadObject:
    """What a thread handle stands for."""

    __slots__ = ("state",)

    def __init__(self, state: ThreadState) -> None:
        self.state = state


def kernel(failure: int) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """A kernel32 call: needs no WSAStartup and leaves the last error alone when it succeeds."""
    return export(failure, startup=False, clears=False)


def _handle(value: Any) -> int:
    return operator.index(value) & MASK


def handle_object(ts: ThreadState, handle: Any) -> Any:
    """What a handle stands for; ERROR_INVALID_HANDLE."""
    number = _handle(handle)
    if number == c.CURRENT_PROCESS:
        return ts.process
    if number == c.CURRENT_THREAD:
        return ThreadObject(ts)
    obj = ts.process.handles.get(number)
    if obj is None:
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    return obj


def object_of(ts: ThreadState, handle: Any, kind: type[T]) -> T:
    """The object of that kind behind a handle; ERROR_INVALID_HANDLE."""
    found = handle_object(ts, handle)
    if not isinstance(found, kind):
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    return found


def pages(process: Process) -> Pages:
    """The pages that VirtualAlloc gave this process."""
    return process.service("pages", Pages)


# -- process, threads


def GetCurrentProcessId() -> int:
    """The id of the calling thread's process."""
    return current().process.pid


def GetCurrentProcess() -> int:
    """The pseudo handle of the process."""
    return c.CURRENT_PROCESS


def GetCurrentThreadId() -> int:
    """The calling thread's id."""
    return current().tid


def GetCurrentThread() -> int:
    """The pseudo handle of the calling thread."""
    return c.CURRENT_THREAD


@kernel(0)
def OpenThread(ts: ThreadState, dwDesiredAccess: int, bInheritHandle: int, dwThreadId: int) -> int:
    """A handle to the thread with this id; 0 and ERROR_INVALID_PARAMETER if it was never in this process."""
    tid = dword(dwThreadId)
    for state in ts.process.threads:
        if state.tid == tid:
            return ts.process.handles.add(ThreadObject(state))
    raise WinsockError(c.ERROR_INVALID_PARAMETER)


# -- handles


@kernel(0)
def CloseHandle(ts: ThreadState, hObject: int) -> int:
    """Close any handle, a socket's too."""
    number = _handle(hObject)
    if number in (c.CURRENT_PROCESS, c.CURRENT_THREAD):
        return 1
    if number in ts.process.sockets:
        ep: Any = ts.process.sockets[number]
        handle_closed(ep)
        abort_later(ep)
        spi.close_socket(ts.process, number)
        return 1
    obj = ts.process.handles.remove(number)
    if obj is None:
        raise WinsockError(c.ERROR_INVALID_HANDLE)
    if hasattr(obj, "close"):
        obj.close()
    return 1


# -- memory


@kernel(0)
def VirtualAlloc(ts: ThreadState, lpAddress: Any, dwSize: int, flAllocationType: int, flProtect: int) -> int:
    """Pages of zeroes: their address; 0 on failure.  Only whole new regions: reserve and commit in one."""
    kind = dword(flAllocationType)
    if memory.address(lpAddress) or not kind & c.MEM_COMMIT:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    return pages(ts.process).alloc(_handle(dwSize), dword(flProtect), bool(kind & c.MEM_WRITE_WATCH))


@kernel(0)
def VirtualFree(ts: ThreadState, lpAddress: Any, dwSize: int, dwFreeType: int) -> int:
    """Give a region back (MEM_RELEASE, size 0)."""
    if dword(dwFreeType) != c.MEM_RELEASE or _handle(dwSize):
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    pages(ts.process).free(memory.address(lpAddress))
    return 1


@kernel(0)
def VirtualProtect(ts: ThreadState, lpAddress: Any, dwSize: int, flNewProtect: int, lpflOldProtect: Any) -> int:
    """Change the protection of pages."""
    memory.writable(lpflOldProtect, 4)
    old = pages(ts.process).protect(memory.address(lpAddress), _handle(dwSize), dword(flNewProtect))
    memory.write_u32(lpflOldProtect, old)
    return 1


# GetWriteWatch and ResetWriteWatch return 0 when they succeed.
@kernel(c.ERROR_INVALID_PARAMETER)
def GetWriteWatch(
    ts: ThreadState,
    dwFlags: int,
    lpBaseAddress: Any,
    dwRegionSize: int,
    lpAddresses: Any,
    lpdwCount: Any,
    lpdwGranularity: Any,
) -> int:
    """Addresses of the pages that were written; lpdwCount is how many fit, and how many came."""
    room = memory.read_u64(lpdwCount)
    base, size = memory.address(lpBaseAddress), _handle(dwRegionSize)
    found = pages(ts.process).written(base, size, bool(dword(dwFlags) & c.WRITE_WATCH_FLAG_RESET))[:room]
    if found:
        memory.write(lpAddresses, b"".join(page.to_bytes(8, "little") for page in found))
    memory.write_u64(lpdwCount, len(found))
    memory.write_u32(lpdwGranularity, PAGE)
    return 0


@kernel(c.ERROR_INVALID_PARAMETER)
def ResetWriteWatch(ts: ThreadState, lpBaseAddress: Any, dwRegionSize: int) -> int:
    """Forget what was written."""
    pages(ts.process).written(memory.address(lpBaseAddress), _handle(dwRegionSize), True)
    return 0


# -- the machine's name


@kernel(0)
def GetComputerNameExW(ts: ThreadState, NameType: int, lpBuffer: Any, nSize: Any) -> int:
    """The computer's name in UTF-16; nSize is in characters.  ERROR_MORE_DATA tells the size needed."""
    kind = dword(NameType)
    host, _, domain = linux.gethostname().partition(".")
    names = {
        c.COMPUTER_NAME_NETBIOS: host[:15].upper(),
        c.COMPUTER_NAME_DNS_HOSTNAME: host,
        c.COMPUTER_NAME_DNS_DOMAIN: domain,
        c.COMPUTER_NAME_DNS_FULLY_QUALIFIED: f"{host}.{domain}" if domain else host,
    }
    kind = kind - 4 if kind >= 4 else kind  # the physical names: the same without a cluster
    if kind not in names:
        raise WinsockError(c.ERROR_INVALID_PARAMETER)
    name, room = names[kind], memory.read_u32(nSize)
    if room <= len(name):
        memory.write_u32(nSize, len(name) + 1)
        raise WinsockError(c.ERROR_MORE_DATA)
    memory.write(lpBuffer, (name + "\0").encode("utf-16-le"))
    memory.write_u32(nSize, len(name))
    return 1
