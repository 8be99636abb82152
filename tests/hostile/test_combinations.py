"""Several bad arguments in one call, drawn at random: no exception, a documented code, nothing left behind."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import pytest
from hostile_calls import TABLE, Call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_sweep import MAKERS, TIMEOUTS, outcome, values

import winsock.ws2_32 as ws
from winsock import kernel32 as k32
from winsock.abi import _constants as c
from winsock.codes import WSA

# Numbers that mean something to one call or another: they lead further inside than nonsense does.
TELLING = (
    0, 1, 2, 4, 8, 16, 28, 64, 128, 628, 0xFFFF, 0x4004667F, 0x8004667E, 41, 17, 6, 23, c.MSG_PEEK | c.MSG_OOB,
    c.SO_LINGER, c.SO_RCVTIMEO, c.SO_UPDATE_ACCEPT_CONTEXT, c.IP_ADD_MEMBERSHIP, c.SIO_ADDRESS_LIST_SORT,
    c.SIO_KEEPALIVE_VALS, c.SIO_GET_EXTENSION_FUNCTION_POINTER, c.SIO_UDP_CONNRESET, c.SIO_TCP_INFO,
)  # fmt: skip
# These end the process' use of Winsock, or wait for as long as an argument says.
NOT_HERE = frozenset(
    ("WSACleanup", "Sleep", "SleepEx", "VirtualProtect", "VirtualFree", "CloseHandle", "RegisterWaitForSingleObject")
)
NAMES = [name for name, call in TABLE.items() if call.kinds and name not in NOT_HERE]
FIXED = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def arguments(call: Call, zoo: Any, data: Any) -> list[Any]:
    """Of a right call, some arguments replaced."""
    args = call.args(zoo)
    for i, kind in enumerate(call.kinds):
        if (call.name, i) in TIMEOUTS or (call.name == "select" and i == 4) or not data.draw(st.integers(0, 2)):
            continue
        if kind in "in" and data.draw(st.booleans()):
            args[i] = data.draw(st.sampled_from(TELLING) | st.integers(-(2**65), 2**65))
        elif kind in "PpOoLl" and data.draw(st.integers(0, 3)) == 0:
            args[i] = bytearray(data.draw(st.binary(max_size=128)))
        elif kind == "s" and data.draw(st.integers(0, 3)):
            continue
        else:
            pool = values(kind, zoo)
            args[i] = pool[data.draw(st.integers(0, len(pool) - 1))][1]
    return args


@pytest.mark.parametrize("name", NAMES)
def test_several_bad_arguments(zoo, name):
    call = TABLE[name]

    @FIXED
    @given(st.data())
    def calls(data):
        zoo.state = data.draw(st.sampled_from(zoo.STATES)) if "s" in call.kinds else "fresh"
        args = arguments(call, zoo, data)
        failed, code, result = outcome(call, args)
        if failed:
            assert code in call.codes, (args, code)
        elif call.name in MAKERS:
            assert ws.closesocket(result) == 0
        zoo.renew(zoo.state)

    calls()


# -- lengths that no memory has


def rss() -> int:
    """KB that this process has in memory."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


HUGE = (0x7FFFFFFF, 0xFFFFFFFF)


def absurd(zoo: Any) -> dict[str, list[Any]]:
    """Calls that say there is a lot of memory at a raw address where there is a page of it, or nothing."""
    zoo.state = "udp peer"
    calls: dict[str, list[Any]] = {}
    for at, n in enumerate(HUGE):
        # An fd_set that says so, before a page that nobody may touch: as far as there is memory, it is believed.
        fd_set = zoo.pages + 64 * at
        ctypes.memmove(fd_set, struct.pack("<I4x", n), 8)
        for where in (zoo.pages, zoo.nowhere):
            some = struct.pack("<I4xQ", n, where)
            message = struct.pack("<Qi4xQI4xI4xQI4x", 0, 0, zoo.held(zoo.buffers), 2, n, where, 0)
            key = f" {n:#x} {where == zoo.nowhere}"
            got = lambda: ctypes.c_int(0)  # noqa: E731
            calls["send" + key] = [zoo.s, where, n, 0]
            calls["sendto" + key] = [zoo.s, where, n, 0, zoo.target, 16]
            calls["WSASend" + key] = [zoo.s, some, 1, got(), 0, None, None]
            calls["WSASendTo" + key] = [zoo.s, some * 3, 3, got(), 0, zoo.target, 16, None, None]
            calls["WSARecv" + key] = [zoo.s, some * 3, 3, got(), got(), None, None]
            calls["WSASendMsg" + key] = [zoo.s, message, 0, got(), None, None]
            calls["WSARecvMsg" + key] = [zoo.s, bytearray(message), got(), None, None]
            calls["WSAPoll" + key] = [where, n, 0]
            calls["WSAIoctl" + key] = [
                zoo.s, c.SIO_ADDRESS_LIST_SORT, where, n, bytearray(64), 64, got(), None, None,
            ]  # fmt: skip
            calls["setsockopt" + key] = [zoo.s, c.SOL_SOCKET, c.SO_SNDBUF, where, n]
            calls["WriteFile" + key] = [zoo.file, where, n, got(), None]
            calls["ReadFile" + key] = [zoo.file, where, n, got(), None]
            calls["select" + key] = [0, fd_set, None, None, bytes(8)]
            calls["VirtualAlloc" + key] = [None, 1 << 40, c.MEM_COMMIT | c.MEM_WRITE_WATCH, c.PAGE_NOACCESS]
    return calls


def test_absurd_lengths_cost_no_memory(zoo):
    """A length is believed when the memory is there, not before."""
    before = rss()
    for key, args in absurd(zoo).items():
        call = TABLE[key.split()[0]]
        failed, code, _ = outcome(call, args)
        assert not failed or code in call.codes, (key, code)
        assert failed or call.name in ("setsockopt",), key
        assert rss() - before < 256 << 10, key


def test_a_large_region_costs_nothing_until_it_is_used(zoo):
    before = rss()
    base = k32.VirtualAlloc(None, 1 << 40, c.MEM_COMMIT, c.PAGE_NOACCESS)
    if base:  # a machine may have less to give
        assert k32.VirtualProtect(base + 4096, (1 << 39), c.PAGE_NOACCESS, ctypes.c_uint32(0)) == 1
        assert k32.VirtualFree(base, 0, c.MEM_RELEASE) == 1
    assert rss() - before < 64 << 10


# -- a message that cannot be stored is not lost


def receives(s: int, bad: Any, zoo: Any) -> dict[str, list[Any]]:
    """Ways to receive 64 bytes; those by WSABUF only at an address."""
    got = ctypes.c_int(0)
    ways: dict[str, list[Any]] = {
        "recv": [s, bad, 64, 0],
        "recvfrom": [s, bad, 64, 0, bytearray(16), ctypes.c_int(16)],
        "WSARecvEx": [s, bad, 64, ctypes.c_int(0)],
    }
    if isinstance(bad, int):
        some = struct.pack("<I4xQ", 64, bad)
        message = bytearray(struct.pack("<Qi4xQI4xI4xQI4x", 0, 0, zoo.held(some), 1, 0, 0, 0))
        ways["WSARecv"] = [s, some, 1, got, ctypes.c_int(0), None, None]
        ways["WSARecvFrom"] = [s, some, 1, got, ctypes.c_int(0), None, None, None, None]
        ways["WSARecvMsg"] = [s, message, got, None, None]
    return ways


def names(s: int, zoo: Any) -> dict[str, list[Any]]:
    """Receives with room for the message and none for its sender, or for how much it is."""
    room = bytearray(64)
    some = struct.pack("<I4xQ", 64, zoo.pages)
    calls: dict[str, list[Any]] = {}
    for i, (name, length) in enumerate(
        [
            (bytearray(15), ctypes.c_int(16)),
            (bytearray(16), ctypes.c_int(15)),
            (bytes(16), ctypes.c_int(16)),
            (zoo.nowhere, ctypes.c_int(16)),
            (zoo.edge - 8, ctypes.c_int(16)),
            (bytearray(16), zoo.nowhere),
            (bytearray(16), b"\x10\0\0\0"),
            (bytearray(16), bytearray(3)),
        ]
    ):
        calls[f"recvfrom {i}"] = [s, room, 64, 0, name, length]
        got, flags = ctypes.c_int(0), ctypes.c_int(0)
        calls[f"WSARecvFrom {i}"] = [s, some, 1, got, flags, name, length, None, None]
    for i, bad in enumerate((None, zoo.nowhere, b"\0\0\0\0", bytearray(3))):
        calls[f"WSARecv {i}"] = [s, some, 1, bad, ctypes.c_int(0), None, None]
        calls[f"WSARecv flags {i}"] = [s, some, 1, ctypes.c_int(0), bad, None, None]
        calls[f"WSARecvEx {i}"] = [s, room, 64, bad]
    return calls


def bad_rooms(zoo: Any) -> list[Any]:
    return [
        zoo.nowhere,
        zoo.readonly,
        zoo.edge - 3,
        bytearray(63),
        bytes(64),
        None,
        0,
        memoryview(bytes(64)),
        1.5,
        "x",
    ]


@pytest.mark.parametrize("state", ["udp peer", "connected"])
def test_nothing_is_taken_for_bad_memory(zoo, state):
    """What waits still waits after every refusal."""
    zoo.state = state
    s, n = zoo.s, 0
    calls = [call for bad in bad_rooms(zoo) for call in receives(s, bad, zoo).items()]
    if state == "connected":  # a stream tells no sender; its kernel buffers are looked at as far as there are bytes
        calls = [(way, args) for way, args in calls if not (way == "WSARecvMsg" or args[1] == zoo.edge - 3)]
    else:
        calls += list(names(s, zoo).items())
    for way, args in calls:
        assert TABLE[way.split()[0]].function(*args) == -1, (way, args)
        assert ws.WSAGetLastError() == WSA.WSAEFAULT, (way, args, ws.WSAGetLastError())
        n += 1
    assert n > 20
    room = bytearray(64)
    assert ws.recv(s, room, 64, 0) == 7
    assert room[:7] == b"waiting"


@pytest.mark.parametrize("call", ["accept", "WSAAccept"])
def test_a_connection_is_not_taken_for_bad_memory(zoo, call):
    client = zoo.socket()
    ws.connect(client, zoo.target4, 16)
    read = struct.pack("<I4xQ", 1, zoo.listening)
    assert ws.select(0, bytearray(read), None, None, struct.pack("<ii", 60, 0)) == 1
    more = (None, 0) if call == "WSAAccept" else ()
    for bad in (zoo.nowhere, zoo.readonly, bytes(16), bytearray(15), zoo.edge - 8):
        assert getattr(ws, call)(zoo.listening, bad, ctypes.c_int(16), *more) == (1 << 64) - 1
        assert ws.WSAGetLastError() == WSA.WSAEFAULT
    s = getattr(ws, call)(zoo.listening, None, None, *more)
    assert s != (1 << 64) - 1
    assert ws.closesocket(s) == 0
    assert ws.closesocket(client) == 0


# -- tickets of WSADuplicateSocket that somebody changed


@pytest.mark.parametrize("wide", [False, True])
def test_tickets_that_were_changed(zoo, wide):
    """Each byte of one: another socket never comes out, and nothing is left."""
    size = 628 if wide else 372
    share, make = (ws.WSADuplicateSocketW, ws.WSASocketW) if wide else (ws.WSADuplicateSocketA, ws.WSASocketA)
    call = TABLE[make.__name__]
    s = zoo.at("udp")
    for i in range(size):
        info = bytearray(size)
        assert share(s, zoo.process.pid, info) == 0
        info[i] ^= 0xFF
        failed, code, new = outcome(call, [-1, -1, -1, info, 0, c.WSA_FLAG_OVERLAPPED])
        if failed:
            assert code in call.codes, (i, code)
        else:
            ep: Any = zoo.process.sockets[new]
            name = ep.transport.local_name()
            assert name is None or name[1] == zoo.port_of(s)
            assert ws.closesocket(new) == 0


def test_a_ticket_of_another_process(zoo):
    """Only who it is for may open it."""
    info = bytearray(628)
    assert ws.WSADuplicateSocketW(zoo.at("udp"), zoo.other.pid, info) == 0
    assert outcome(TABLE["WSASocketW"], [-1, -1, -1, info, 0, 0])[:2] == (True, "EINVAL")
    with zoo.other.attached():
        new = ws.WSASocketW(-1, -1, -1, info, 0, 0)
        assert zoo.port_of(new)
        assert outcome(TABLE["WSASocketW"], [-1, -1, -1, info, 0, 0])[:2] == (True, "EINVAL")
