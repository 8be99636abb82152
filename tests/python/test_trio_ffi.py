"""cffi as trio finds it: Windows' types, Windows' libraries, memory that may be gone when a request ends."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

if importlib.util.find_spec("trio") is None or importlib.util.find_spec("cffi") is None:
    pytest.skip("needs trio and cffi", allow_module_level=True)

import cffi

from winsock.python._cffi import COMMON, modules, windows_types, with_common_types

POLLING = """
    import gc, socket
    from trio._core._windows_cffi import ffi, kernel32, ntdll, ws2_32
    port = kernel32.CreateIoCompletionPort(ffi.cast("HANDLE", -1), ffi.NULL, 0, 0)
    name = ffi.from_buffer("\\\\\\\\.\\\\GLOBALROOT\\\\Device\\\\Afd\\\\X\\0".encode("utf-16le"))
    afd = kernel32.CreateFileW(ffi.cast("LPCWSTR", name), 0x100000, 3, ffi.NULL, 3, 0, ffi.NULL)
    assert kernel32.CreateIoCompletionPort(afd, port, 7, 0) == port
    receiver = socket.socket(type=socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    def poll(overlapped, info):
        info.Timeout, info.NumberOfHandles = 2**63 - 1, 1
        info.Handles[0].Handle, info.Handles[0].Events = ffi.cast("HANDLE", receiver.fileno()), 0x21
        assert not kernel32.DeviceIoControl(afd, 0x12024, info, 32, info, 32, ffi.NULL, overlapped)
        assert ffi.getwinerror()[0] == 997, ffi.getwinerror()
    def packets(ms=20_000):
        entries, n = ffi.new("OVERLAPPED_ENTRY[]", 4), ffi.new("PULONG")
        if not kernel32.GetQueuedCompletionStatusEx(port, entries, 4, n, ms, False):
            return [ffi.getwinerror()[0]]
        return [(e.lpCompletionKey, e.lpOverlapped, ntdll.RtlNtStatusToDosError(e.Internal)) for e in entries[0:n[0]]]
    def arrive():
        receiver.sendto(b"x", receiver.getsockname())
"""


def test_a_long_is_short() -> None:
    ours = modules(False)["cffi"].FFI()
    ours.cdef("""
        typedef unsigned long DWORD;
        typedef struct { DWORD a; long b; unsigned long long c; void *d; } all;
        size_t strlen(const char *);
        long labs(long);
    """)
    assert [ours.sizeof(kind) for kind in ("long", "DWORD", "all", "long long", "void *")] == [4, 4, 24, 8, 8]
    for name in None, "api-ms-win-crt-string-l1-1-0.dll":  # this machine's own
        assert ours.dlopen(name).strlen(b"abc") == 3
    assert cffi.FFI().sizeof("unsigned long") == 8  # for everybody else


def test_what_is_declared_by_windows_alone() -> None:
    ours = modules(False)["cffi"].FFI()
    ours.cdef("typedef void *HANDLE; int SetIt(LPSECURITY_ATTRIBUTES, LPCSTR, UCHAR);")
    assert ours.typeof("LPCSTR") is ours.typeof("char const *")
    assert with_common_types("typedef BYTE UCHAR; UCHAR f();") == "typedef BYTE UCHAR; UCHAR f();"
    assert set(COMMON) == {name for name in COMMON if with_common_types(f"f({name})").startswith("typedef")}


@given(st.binary(max_size=400))
def test_tables_keep_their_length_and_all_but_longs(table: bytes) -> None:
    changed = windows_types(table)
    assert len(changed) == len(table)
    for at in range(0, len(table) - 3, 4):
        entry, now = table[at : at + 4], changed[at : at + 4]
        assert now == {b"\0\0\x09\1": b"\0\0\x07\1", b"\0\0\x0a\1": b"\0\0\x08\1"}.get(entry, entry)


def test_libraries_and_their_functions(program) -> None:
    source = """
        from trio._core._windows_cffi import ffi, kernel32, raise_winerror
        def met(do):
            try:
                return do()
            except Exception as e:
                return f"{type(e).__name__}: {e}"
        print(kernel32, ffi.sizeof("DWORD"), ffi.sizeof("OVERLAPPED_ENTRY"))
        print(met(lambda: kernel32.CreateToolhelp32Snapshot))
        print(met(lambda: kernel32.CloseHandle(4)))
        print(met(lambda: kernel32.CloseHandle()))
        print(met(lambda: kernel32.WaitForSingleObject(ffi.NULL, 0.5)))
        print(met(lambda: ffi.dlopen("nowhere.dll"))[:8])
        event = kernel32.CreateEventA(ffi.NULL, True, False, ffi.NULL)
        wait = kernel32.WaitForSingleObject
        print(wait(event, 0), kernel32.SetEvent(event), wait(event, 0))
        print(kernel32.ResetEvent(event), kernel32.WaitForMultipleObjects(1, ffi.new("HANDLE[1]", [event]), 0, 0))
        print(kernel32.CloseHandle(event), kernel32.CloseHandle(event), ffi.getwinerror(), ffi.getwinerror(1225))
        print(wait(event, 0) == 2**32 - 1, ffi.getwinerror()[0])
        print(kernel32.WaitForMultipleObjects(0, ffi.NULL, 0, 0) == 2**32 - 1, ffi.getwinerror()[0])
        print(met(lambda: raise_winerror(109, filename="here")))
        print(met(lambda: raise_winerror(999999)))
    """
    assert program(source).splitlines() == [
        "<Lib object for 'kernel32.dll'> 4 32",
        "AttributeError: function/symbol 'CreateToolhelp32Snapshot' not found in library 'kernel32.dll'",
        "TypeError: initializer for ctype 'void *' must be a cdata pointer, not int",
        "TypeError: 'CloseHandle' expects 1 arguments, got 0",
        "TypeError: 'float' object cannot be interpreted as an integer",
        "OSError:",
        "258 1 0",
        "1 258",
        "1 0 (6, 'The handle is invalid') (1225, 'The remote computer refused the network connection')",
        "True 6",
        "True 87",
        "BrokenPipeError: [WinError 109] The pipe has been ended: 'here'",
        "OSError: [WinError 999999] Windows Error 0xF423F",
    ]


def test_a_poll_of_memory_that_nobody_else_keeps(program) -> None:
    source = (
        POLLING
        + """
    overlapped, info = ffi.new("LPOVERLAPPED"), ffi.new("AFD_POLL_INFO *")
    address = int(ffi.cast("uintptr_t", overlapped))
    poll(overlapped, info)
    del overlapped, info
    gc.collect()
    junk = [ffi.new("LPOVERLAPPED") for _ in range(1000)]
    print(address in {int(ffi.cast("uintptr_t", o)) for o in junk})
    arrive()
    [(key, told, error)] = packets()
    print(key, int(ffi.cast("uintptr_t", told)) == address, error)
    """
    )
    assert program(source).splitlines() == ["False", "7 True 0"]


def test_a_poll_of_memory_that_is_gone(program) -> None:
    """Its owner has given it back: the packet comes, nothing is written."""
    source = (
        POLLING
        + """
    import mmap
    page = mmap.mmap(-1, mmap.PAGESIZE)
    start = int(ffi.cast("uintptr_t", ffi.from_buffer(page)))
    overlapped, info = ffi.cast("LPOVERLAPPED", start), ffi.cast("AFD_POLL_INFO *", start + 64)
    poll(overlapped, info)
    gc.collect()
    page.close()
    arrive()
    [(key, told, error)] = packets()
    print(key, told == overlapped, kernel32.CancelIoEx(afd, ffi.NULL), ffi.getwinerror()[0])
    """
    )
    assert program(source).splitlines() == ["7 True 0 1168"]


def test_cancelling_closing_and_handles(program) -> None:
    source = (
        POLLING
        + """
    a, b = ffi.new("LPOVERLAPPED"), ffi.new("LPOVERLAPPED")
    infos = [ffi.new("AFD_POLL_INFO *") for _ in range(2)]
    poll(a, infos[0])
    poll(b, infos[1])
    print(kernel32.CancelIoEx(afd, b), packets() == [(7, b, 995)], kernel32.CancelIoEx(afd, b), packets(0))
    base, n = ffi.new("HANDLE *"), ffi.new("DWORD *")
    for s, code in (receiver.fileno(), 0x48000022), (receiver.fileno(), 0x4800001D), (0, 0x48000022):
        failed = ws2_32.WSAIoctl(ffi.cast("SOCKET", s), code, ffi.NULL, 0, base, 8, n, ffi.NULL, ffi.NULL)
        print(failed, ws2_32.WSAGetLastError() if failed else int(ffi.cast("uintptr_t", base[0])) == s)
    receiver.close()
    [(key, told, error)] = packets()
    print(told == a, error, infos[0].NumberOfHandles, infos[0].Handles[0].Events)
    print(kernel32.PostQueuedCompletionStatus(port, 5, 2**64 - 1, ffi.NULL), packets() == [(2**64 - 1, ffi.NULL, 0)])
    print(kernel32.CloseHandle(afd), kernel32.CloseHandle(port), packets())
    """
    )
    assert program(source).splitlines() == [
        "1 True 0 [258]",
        "0 True",
        "0 True",
        "-1 10038",
        "True 0 1 32",
        "1 True",
        "1 1 [6]",
    ]


def test_a_file_by_a_completion_port(program) -> None:
    source = """
        import trio
        from trio._core._windows_cffi import ffi, kernel32
        from trio.lowlevel import current_iocp, readinto_overlapped, register_with_iocp, write_overlapped
        async def main():
            path = ffi.from_buffer((__file__ + ".data\\0").encode("utf-16le"))
            handle = kernel32.CreateFileW(ffi.cast("LPCWSTR", path), 0xC0000000, 0, ffi.NULL, 2, 0x40000000, ffi.NULL)
            register_with_iocp(handle)
            print(await write_overlapped(handle, b"words", 3), await write_overlapped(handle, b"abc"))
            buffer = bytearray(6)
            print(await readinto_overlapped(handle, buffer, 2), buffer)
            try:
                await readinto_overlapped(handle, buffer, 100)
            except OSError as e:
                print(e)
            print(kernel32.CloseHandle(handle))
        trio.run(main)
    """
    assert program(source).splitlines() == [
        "5 3",
        "6 bytearray(b'cwords')",
        "[WinError 38] Reached the end of the file",
        "1",
    ]


def test_a_pipe_that_ends_as_its_reading_begins(program) -> None:
    """The call fails, and the port is not told besides, which would be a packet that nobody waits for."""
    source = """
        import _winapi, msvcrt
        from asyncio import windows_utils
        from trio._core._windows_cffi import ffi, kernel32
        from winsock.python import _pipes
        port = kernel32.CreateIoCompletionPort(ffi.cast("HANDLE", -1), ffi.NULL, 0, 0)
        buffer = ffi.new("char[]", 4)
        def read():
            overlapped = ffi.new("LPOVERLAPPED")
            ok = kernel32.ReadFile(ffi.cast("HANDLE", reader), buffer, 4, ffi.NULL, overlapped)
            return (ok, ffi.getwinerror()[0]), overlapped
        def packets():
            entries, n = ffi.new("OVERLAPPED_ENTRY[]", 4), ffi.new("PULONG")
            kernel32.GetQueuedCompletionStatusEx(port, entries, 4, n, 0, False)
            return int(n[0])
        real = _pipes.at_end
        for late in False, True:
            reader, writer = windows_utils.pipe(overlapped=(True, True))
            assert kernel32.CreateIoCompletionPort(ffi.cast("HANDLE", reader), port, 1, 0)
            if late:
                print(read()[0])
            _winapi.CloseHandle(writer)
            if late:
                entries, n = ffi.new("OVERLAPPED_ENTRY[]", 4), ffi.new("PULONG")
                assert kernel32.GetQueuedCompletionStatusEx(port, entries, 4, n, 20_000, False)
                print(n[0], hex(entries[0].Internal))
            _pipes.at_end = lambda ep: False  # as if it had come to its end only now
            print(read()[0], packets())
            _pipes.at_end = real
            print(read()[0], packets())
            _winapi.CloseHandle(reader)
    """
    assert program(source).splitlines() == [
        "(0, 109) 0",
        "(0, 109) 0",
        "(0, 997)",
        "1 0xc000014b",
        "(0, 109) 0",
        "(0, 109) 0",
    ]
