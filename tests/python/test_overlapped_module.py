"""The module `_overlapped`, as asyncio's windows_events calls it, each test a program of its own."""

from __future__ import annotations

START = """
import gc, os, signal, socket, struct, sys, threading
import _overlapped as o, _winapi, msvcrt
INFINITE, INVALID = o.INFINITE, o.INVALID_HANDLE_VALUE
port = o.CreateIoCompletionPort(INVALID, 0, 0, 0)

def pair(associate=True):
    a, b = socket.socketpair()
    if associate:
        for s, key in (a, 1), (b, 2):
            assert o.CreateIoCompletionPort(s.fileno(), port, key, 0) == port
    return a, b

def get(ms=30_000):
    return o.GetQueuedCompletionStatus(port, ms)

def code(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return type(e).__name__, e.winerror, e.errno
    except (TypeError, ValueError) as e:
        return str(e)
"""


def test_a_receive_waits_and_ends_by_a_packet(program) -> None:
    assert program(START + """
a, b = pair()
ov = o.Overlapped(0)
print(ov.pending, ov.error, ov.event, ov.address == id(ov))
print(ov.WSARecv(b.fileno(), 10), ov.pending, ov.error)
print(code(ov.getresult), ov.error)
print(code(ov.WSARecv, b.fileno(), 10))
a.send(b"hello")
print(get() == (0, 5, 2, ov.address), ov.pending, ov.getresult(), ov.error)
print(get(0))
""").splitlines() == [
        "False 0 0 True",
        "None True 997",
        "('OSError', 996, 22) 996",
        "operation already attempted",
        "True False b'hello' 0",
        "None",
    ]


def test_what_is_there_ends_the_receive_at_once_and_tells_the_port_all_the_same(program) -> None:
    assert program(START + """
a, b = pair()
a.send(b"hello")
import select; select.select([b], [], [], 30)
ov, buffer = o.Overlapped(0), bytearray(3)
print(ov.WSARecvInto(b.fileno(), buffer), ov.pending, ov.error, ov.getresult(), bytes(buffer))
print(get() == (0, 3, 2, ov.address))
ov = o.Overlapped(0)
print(ov.WSASend(a.fileno(), b"12"), ov.pending, ov.getresult(), get() == (0, 2, 1, ov.address))
""").splitlines() == ["None False 0 3 b'hel'", "True", "None False 2 True"]


def test_a_buffer_is_held_until_the_end(program) -> None:
    assert program(START + """
a, b = pair()
ov, buffer = o.Overlapped(0), bytearray(4)
ov.WSARecvInto(b.fileno(), buffer)
try:
    buffer.append(1)
except BufferError:
    print("held")
a.send(b"x"); get(); buffer.append(1); print(len(buffer), ov.getresult())
""") == "held\n5 1\n"


def test_the_end_of_a_stream_is_told_by_the_port_only(program) -> None:
    assert program(START + """
a, b = pair()
a.close()
import select; select.select([b], [], [], 30)
for ov in o.Overlapped(0), o.Overlapped(0):
    ov.WSARecv(b.fileno(), 10)
    print(ov.pending, get() == (0, 0, 2, ov.address), ov.getresult())
""") == "True True b''\n" * 2


def test_numbers_differ_between_what_fails_at_once_and_what_fails_later(program) -> None:
    assert program(START + """
def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("HH", 1, 0)); sock.close()
a, b = pair()
ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 10)
reset(a)
print(get()[0], code(ov.getresult))
ov = o.Overlapped(0)
print(code(ov.WSARecv, b.fileno(), 10), ov.pending, ov.cancel(), code(ov.getresult), get(0))
a, b = pair()
ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 10)
print(ov.cancel(), get()[0], code(ov.getresult), ov.pending)
ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 10); b.close()
print(get()[0], code(ov.getresult))
""").splitlines() == [
        "64 ('OSError', 64, 22)",
        "('ConnectionResetError', 10054, 10054) False None operation failed to start None",
        "None 995 ('OSError', 995, 22) False",
        "995 ('OSError', 995, 22)",
    ]


def test_accept_and_connect(program) -> None:
    assert program(START + """
listener = socket.create_server(("127.0.0.1", 0))
conn, new = socket.socket(), socket.socket()
for s in listener, conn, new:
    o.CreateIoCompletionPort(s.fileno(), port, 0, 0)
accepting, connecting = o.Overlapped(0), o.Overlapped(0)
accepting.AcceptEx(listener.fileno(), new.fileno())
print(code(o.Overlapped(0).ConnectEx, conn.fileno(), listener.getsockname()))
o.BindLocal(conn.fileno(), socket.AF_INET)
print(code(o.BindLocal, conn.fileno(), socket.AF_INET), code(o.BindLocal, conn.fileno(), 77))
connecting.ConnectEx(conn.fileno(), listener.getsockname())
print({get()[3], get()[3]} == {accepting.address, connecting.address}, accepting.getresult(), connecting.getresult())
print(code(conn.getpeername) == ("OSError", 10057, 10057))
conn.setsockopt(socket.SOL_SOCKET, o.SO_UPDATE_CONNECT_CONTEXT, 0)
new.setsockopt(socket.SOL_SOCKET, o.SO_UPDATE_ACCEPT_CONTEXT, struct.pack("@P", listener.fileno()))
print(conn.getpeername() == listener.getsockname(), new.getpeername() == conn.getsockname())
new.sendall(b"hi"); print(conn.recv(10))
with socket.socket() as unused:
    unused.bind(("127.0.0.1", 0)); nobody = unused.getsockname()
conn = socket.socket(); o.CreateIoCompletionPort(conn.fileno(), port, 0, 0)
o.BindLocal(conn.fileno(), socket.AF_INET)
ov = o.Overlapped(0); ov.ConnectEx(conn.fileno(), nobody)
print(ov.pending, get()[0], code(ov.getresult))
""").splitlines() == [
        "('OSError', 10022, 22)",
        "('OSError', 10022, 22) expected tuple of length 2 or 4",
        "True 0 0",
        "True",
        "True True",
        "b'hi'",
        "True 1225 ('ConnectionRefusedError', 1225, 22)",
    ]


def test_datagrams(program) -> None:
    assert program(START + """
a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in "ab")
for s in a, b:
    s.bind(("127.0.0.1", 0)); o.CreateIoCompletionPort(s.fileno(), port, 0, 0)
ov = o.Overlapped(0); ov.WSARecvFrom(b.fileno(), 10)
sent = o.Overlapped(0); sent.WSASendTo(a.fileno(), b"hello", 0, b.getsockname())
print(sent.getresult(), {get()[3], get()[3]} == {ov.address, sent.address})
print(ov.getresult() == (b"hello", a.getsockname()))
ov, buffer = o.Overlapped(0), bytearray(3); ov.WSARecvFromInto(b.fileno(), buffer, 3)
a.sendto(b"hello", b.getsockname())
print(get()[0], bytes(buffer), code(ov.getresult) == (3, a.getsockname()))
for wrong in "x", (1, 2, 3), ("nobody.invalid", 1):
    print(code(o.Overlapped(0).WSASendTo, a.fileno(), b"", 0, wrong))
nobody = b.getsockname(); b.close()
ov = o.Overlapped(0); ov.WSARecvFrom(a.fileno(), 10); a.sendto(b"x", nobody)
print(get()[0], code(ov.getresult))
""").splitlines() == [
        "5 True",
        "True",
        "234 b'hel' True",
        "must be tuple, not str",
        "illegal address_as_bytes argument",
        "('OSError', 10022, 22)",
        "1234 ('OSError', 1234, 22)",
    ]


def test_what_a_send_has_caused_is_found_without_a_wait(program) -> None:
    """However often the port was asked before: a loop's last look in vain is spared, but not this one."""
    assert program(START + """
a, b = pair()
for turn in range(3):
    ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 10)
    a.send(b"first")
    print(get()[1:3], get(0), end=" ")
    ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 10)
    a.send(b"again")
    print(get()[1:3], end=" ")
    ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 10)
    sent = o.Overlapped(0); sent.WSASend(a.fileno(), b"more")
    print(get(0)[1:3], get(0)[1:3], get(0), ov.getresult())
""").splitlines() == ["(5, 2) None (5, 2) (4, 1) (4, 2) None b'more'"] * 3


def test_a_port_is_a_queue(program) -> None:
    assert program(START + """
for packet in (1, 2, 3), (4, 5, 2**64 - 1):
    o.PostQueuedCompletionStatus(port, *packet)
print(get(), get(), get(0), get(1))
a, b = pair()
print(code(o.CreateIoCompletionPort, a.fileno(), port, 0, 0), code(o.CreateIoCompletionPort, 0xFFFF, port, 0, 0))
print(code(o.GetQueuedCompletionStatus, 0xFFFF, 0), code(o.PostQueuedCompletionStatus, port + 4, 0, 0, 0))
threading.Timer(0.05, o.PostQueuedCompletionStatus, (port, 7, 8, 9)).start()
print(get(INFINITE))
threading.Timer(0.05, _winapi.CloseHandle, (port,)).start()
print(code(get, INFINITE))
""").splitlines() == [
        "(0, 1, 2, 3) (0, 4, 5, 18446744073709551615) None None",
        "('OSError', 87, 22) ('OSError', 10038, 10038)",
        "('OSError', 6, 9) ('OSError', 6, 9)",
        "(0, 7, 8, 9)",
        "('OSError', 735, 22)",
    ]


def test_events_and_registered_waits(program) -> None:
    assert program(START + """
print(code(o.CreateEvent, 1, True, False, None))
event, done = o.CreateEvent(None, True, False, None), o.CreateEvent(None, True, False, None)
o.RegisterWaitWithQueue(event, port, 77, INFINITE); o.SetEvent(event); print(get())
o.ResetEvent(event)
o.RegisterWaitWithQueue(event, port, 78, 20); print(get())
wait = o.RegisterWaitWithQueue(event, port, 79, INFINITE); o.UnregisterWaitEx(wait, done)
print(_winapi.WaitForSingleObject(done, 30_000), get(0), code(o.UnregisterWait, wait))
ov = o.Overlapped(); a, b = pair(False); ov.WSARecv(b.fileno(), 3)
print(_winapi.WaitForSingleObject(ov.event, 0)); a.send(b"x")
print(_winapi.WaitForSingleObject(ov.event, 30_000), ov.getresult(True))
""").splitlines() == [
        "EventAttributes must be None",
        "(0, 0, 0, 77)",
        "(0, 1, 0, 78)",
        "0 None ('OSError', 6, 9)",
        "258",
        "0 b'x'",
    ]


def test_a_packet_comes_when_nobody_waits_for_the_port(program) -> None:
    """Work goes on without a thread that waits: pending changes by itself."""
    assert program(START + """
a, b = pair()
ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 3); a.send(b"x")
done = threading.Event()
def look():
    while ov.pending:
        done.wait(0.005)
    done.set()
looker = threading.Thread(target=look); looker.start(); looker.join(30)
print(done.is_set(), ov.getresult(), [t.name for t in threading.enumerate()])
""") == "True b'x' ['MainThread']\n"


def test_a_forked_child_and_many_threads(program) -> None:
    assert program(START + """
import warnings; warnings.simplefilter("ignore", DeprecationWarning)      # since 3.12, of forking beside threads
a, b = pair()
ov = o.Overlapped(0); ov.WSARecv(b.fileno(), 3)
child = __import__("posix").fork()
if not child:
    c, d = socket.socketpair()
    other = o.CreateIoCompletionPort(INVALID, 0, 0, 0); o.CreateIoCompletionPort(d.fileno(), other, 0, 0)
    mine = o.Overlapped(0); mine.WSARecv(d.fileno(), 3); c.send(b"y")
    good = o.GetQueuedCompletionStatus(other, 30_000) == (0, 1, 0, mine.address) and mine.getresult() == b"y"
    __import__("posix")._exit(0 if good else 1)
print(__import__("posix").waitpid(child, 0)[1])
a.send(b"x"); print(get()[1], ov.getresult())
seen, lock = [], threading.Lock()
def take():
    while (packet := o.GetQueuedCompletionStatus(port, INFINITE))[2]:
        with lock: seen.append(packet[3])
threads = [threading.Thread(target=take) for _ in range(4)]
for t in threads: t.start()
for i in range(400): o.PostQueuedCompletionStatus(port, 0, 1, i)
for t in threads: o.PostQueuedCompletionStatus(port, 0, 0, 0)
for t in threads: t.join()
print(sorted(seen) == list(range(400)))
""") == "0\n1 b'x'\nTrue\n"


def test_a_message_that_is_too_long_is_told_by_the_port(program) -> None:
    """And the next one is sent: CPython's tests for python/cpython#156920 rely on it."""
    assert program(START + """
a, b = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
b.bind(("127.0.0.1", 0)); o.CreateIoCompletionPort(a.fileno(), port, 0, 0)
ov = o.Overlapped(0); ov.WSASendTo(a.fileno(), bytes(70_000), 0, b.getsockname())
print(ov.error, get()[0])
try: ov.getresult()
except OSError as e: print(e.winerror)
ov = o.Overlapped(0); ov.WSASendTo(a.fileno(), b"x", 0, b.getsockname())
print(ov.getresult(), b.recv(9))
try: a.sendto(bytes(70_000), b.getsockname())
except OSError as e: print(e.winerror)
""") == "997 1784\n1784\n1 b'x'\n10040\n"


def test_a_port_takes_pipes_that_are_opened_for_it(program) -> None:
    """Not the ends without FILE_FLAG_OVERLAPPED, as CPython's ProactorPipeObjectSupportTests have it."""
    assert program(START + """
from asyncio import windows_utils
for ends in (True, False), (False, True):
    for handle, overlapped in zip(windows_utils.pipe(overlapped=ends), ends):
        try:
            print(overlapped, o.CreateIoCompletionPort(handle, port, 0, 0) == port)
        except OSError as e:
            print(overlapped, e.winerror)
        _winapi.CloseHandle(handle)
""") == "True True\nFalse 87\nFalse 87\nTrue True\n"


def test_files_and_disconnecting(program) -> None:
    assert program(START + """
import tempfile
def transmit(s, number, *rest):
    ov = o.Overlapped(0); ov.TransmitFile(s.fileno(), number, *rest)
    return ov.pending, get()[:2], ov.getresult()
a, b = pair()
with tempfile.TemporaryFile() as file:
    file.write(b"0123456789"); file.flush()
    handle = msvcrt.get_osfhandle(file.fileno())
    print(transmit(a, handle, 5, 0, 0, 0, 0), b.recv(100), transmit(a, handle, 2, 0, 3, 0, 0), b.recv(100))
    print(code(o.Overlapped(0).TransmitFile, a.fileno(), handle, 0, 0, 0, 0, o.TF_REUSE_SOCKET))
    print(transmit(a, handle, 9, 0, 0, 0, 1), b.recv(1), b.recv(1))      # TF_DISCONNECT
print(code(o.Overlapped(0).TransmitFile, b.fileno(), handle, 0, 0, 0, 0, 0)[1])
listener = socket.create_server(("127.0.0.1", 0))
c = socket.socket(); c.bind(("127.0.0.1", 0)); c.connect(listener.getsockname())
o.CreateIoCompletionPort(c.fileno(), port, 3, 0)
d = listener.accept()[0]
ov = o.Overlapped(0); ov.DisconnectEx(c.fileno(), o.TF_REUSE_SOCKET)
print(d.recv(1), ov.pending, get(0)); d.close()
print(get()[:3] == (0, 0, 3), ov.getresult())
print(code(o.Overlapped(0).DisconnectEx, c.fileno(), 0))
""").splitlines() == [
        "(True, (0, 5), 5) b'56789' (True, (0, 3), 3) b'234'",
        "('OSError', 10022, 22)",
        "(True, (0, 1), 1) b'9' b''",
        "6",
        "b'' True None",
        "True 0",
        "('OSError', 10057, 10057)",
    ]
