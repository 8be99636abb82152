"""Every parameter of every export, with each value that no program should pass."""

from __future__ import annotations

import ctypes
import inspect
import struct
from typing import Any

import pytest
from hostile_calls import EXTENSIONS, FACES, TABLE, Call

import winsock.ws2_32 as ws
from winsock.codes import NTSTATUS, WSA
from winsock.codes._win32 import WIN32

PAGE = 4096
NO_SOCKET = (1 << 64) - 1
MORE = {
    80: "FILE_EXISTS", 120: "CALL_NOT_IMPLEMENTED", 131: "NEGATIVE_SEEK", 1400: "INVALID_WINDOW_HANDLE",
    1407: "CANNOT_FIND_WND_CLASS", 1410: "CLASS_ALREADY_EXISTS", 1411: "CLASS_DOES_NOT_EXIST",
    1412: "CLASS_HAS_WINDOWS", 1444: "INVALID_THREAD_ID", 1816: "NOT_ENOUGH_QUOTA",
}  # fmt: skip
# Calls whose success has a last error to tell
TELL = frozenset(
    ("InetPtonW", "WSASetLastError", "WSAGetOverlappedResult", *(f"CreateEvent{w}" for w in "A W ExA ExW".split()))
)
TIMEOUTS = frozenset(
    (
        ("Sleep", 0),
        ("SleepEx", 0),
        ("WSAPoll", 2),
        ("GetQueuedCompletionStatus", 4),
        ("GetQueuedCompletionStatusEx", 4),
        ("GetOverlappedResult", 3),
        ("GetOverlappedResultEx", 3),
        ("WSAGetOverlappedResult", 3),
        ("WSAWaitForMultipleEvents", 3),
        ("WaitForMultipleObjects", 3),
        ("WaitForMultipleObjectsEx", 3),
        ("WaitForSingleObject", 1),
        ("RegisterWaitForSingleObject", 4),
        ("WaitForSingleObjectEx", 1),
        ("MsgWaitForMultipleObjects", 3),
        ("MsgWaitForMultipleObjectsEx", 2),
    )
)
MAKERS = frozenset(("socket", "WSASocketA", "WSASocketW", "accept", "WSAAccept"))
POINTERS = "PpOoLlTtxaCc"
NOT_NUMBERS = (None, 1.5, "1", b"1", [], object())
NUMBERS = (0, 1, -1, 2, True, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**70, -(2**70))


def code_name(code: int) -> str:
    """A code as the table names it."""
    if code == NTSTATUS.STATUS_INVALID_PARAMETER:
        return "INVALID_PARAMETER"
    try:
        return WSA(code).name.removeprefix("WSA").removeprefix("_")
    except ValueError:
        return MORE.get(code) or WIN32.get(code, str(code)).removeprefix("ERROR_")


class Index:
    """An int in disguise that turns out not to be one."""

    def __index__(self) -> int:
        raise ValueError("no number after all")


def released() -> memoryview:
    view = memoryview(bytearray(4096))
    view.release()
    return view


def nowhere(zoo: Any) -> list[Any]:
    """Pointers behind which there is nothing."""
    return [
        1, 0x10, -1, -4096, 2**63, 2**64 - 1, 2**70, -(2**70), zoo.nowhere, zoo.edge,
        1.5, object(), [], {}, print, released(), Index(), memoryview(bytearray(64))[::2],
    ]  # fmt: skip


def short(zoo: Any) -> list[Any]:
    """Memory that is too little for most."""
    return [b"", bytearray(), b"\0", bytearray(1), zoo.edge - 1, ctypes.c_byte(0), "", memoryview(b"")]


def constant(zoo: Any) -> list[Any]:
    """Memory that cannot be written."""
    return [bytes(4096), memoryview(bytes(4096)), zoo.readonly, "text" * 1024]


def texts(zoo: Any) -> list[Any]:
    return [
        "", "\0", "\0abc", "127.0.0.1\0junk", "\ud800", "\udcff", "x" * 70000, "a" * 64 + ".b", b"\xff\xfe",
        b"no end", "1.2.3.4.5", "[::1", "::1%99999999999999999999", "٣", "-1", "9" * 5000, "0x", "%s%n", ":" * 5000,
    ]  # fmt: skip


def numbers(zoo: Any) -> list[Any]:
    return [*NUMBERS, *NOT_NUMBERS, Index()]


def filled(zoo: Any) -> list[Any]:
    """Memory enough, with nonsense in it: absurd lengths and inner pointers."""
    inner = struct.pack("<QQ", zoo.nowhere, zoo.nowhere)
    return [
        bytearray(b"\xff" * 4096), bytearray(b"\x80" * 4096), bytearray(b"\1" * 4096), bytearray(4096),
        bytearray(inner * 64), bytearray(struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF) * 512),
        bytearray(struct.pack("<QQ", 2**64 - 1, 64) * 64), bytearray(struct.pack("<QQ", 0xFFFFFFFF, zoo.pages) * 64),
        bytearray(struct.pack("<QQ", 8, zoo.nowhere) * 64), bytearray(struct.pack("<HH", 2, 0xFFFF) * 64),
        bytearray(struct.pack("<HH", 23, 0xFFFF) * 64), bytearray(struct.pack("<HH", 1, 0x7878) * 64),
    ]  # fmt: skip


def raising(*args: Any) -> int:
    raise RuntimeError("a callback of a program")


def callbacks(zoo: Any) -> list[Any]:
    def wrong(*args: Any) -> Any:
        return object()

    return [raising, wrong, lambda: 0, lambda *a: None, lambda *a: 2**70, type, zoo.nowhere]


def handles(zoo: Any) -> list[Any]:
    """What is no socket of this process."""
    return [
        zoo.closed(), zoo.foreign, None, 0, -1, -2, 1, 3, 2**32 - 1, 2**64 - 1, 2**70, -(2**70), 1.5, "64", b"@",
        [], {}, object(), Index(), 0xFFFFFC, 0x40 + 0.5,
    ]  # fmt: skip


def values(kind: str, zoo: Any) -> list[tuple[str, Any]]:
    """What to pass for a parameter of a kind, each with what is wrong with it."""

    def tagged(tag: str, some: list[Any]) -> list[tuple[str, Any]]:
        return [(tag, value) for value in some]

    if kind in "sh":
        return tagged("no handle", handles(zoo)) + (tagged("no socket", [zoo.thread]) if kind == "s" else [])
    if kind in "in":
        return tagged("number", numbers(zoo))
    pointers = tagged("NULL", [None, 0]) + tagged("nowhere", nowhere(zoo)) + tagged("short", short(zoo))
    if kind in "PpOoLl":
        return pointers + tagged("constant", constant(zoo)) + tagged("nonsense", filled(zoo))
    if kind in "Tt":
        return pointers + tagged("text", texts(zoo))
    if kind in "Cc":
        return pointers[:12] + tagged("callback", callbacks(zoo))
    return pointers + tagged("nonsense", filled(zoo)[:3])


def must_fail(call: Call, kind: str, tag: str) -> bool:
    """Whether no implementation could succeed with this."""
    if call.fails == "never":
        return False
    if tag in ("no handle", "no socket"):
        return kind == "s"
    if tag in ("NULL", "nowhere"):
        return kind in "POLC" or (kind == "T" and tag == "nowhere")
    return tag == "constant" and kind == "O"


def outcome(call: Call, args: list[Any]) -> tuple[bool, str, Any]:
    """Make the call: whether it failed, the code's name, what it returned."""
    ws.WSASetLastError(0)
    result = call.function(*args)
    if call.fails == "never":
        return False, "", result
    if call.fails == "code":
        return result != 0, code_name(result) if result else "", result
    failed = result == call.failure
    if call.fails == "errno":
        where = args[-1]
        return failed, code_name(where.value) if failed and type(where) is ctypes.c_int else "EFAULT", result
    code = ws.WSAGetLastError()
    assert failed or code == 0 or call.name in TELL, f"succeeded with {code}"
    # inet_pton, if_indextoname and their like have results that are no errors
    return failed and (code != 0 or call.startup), code_name(code) if code else "", result


def problem(call: Call, args: list[Any], kind: str, tag: str, zoo: Any) -> str:
    """Make one hostile call; what is wrong with how it ends, if anything is."""
    what = f"{call.name}({', '.join(f'{a!r:.60}' for a in args)}) in state {zoo.state}"
    before = zoo.look()
    try:
        failed, code, result = outcome(call, args)
    except Exception as e:
        return f"{what} raised {e!r}"
    if call.name in MAKERS and not failed:
        ws.closesocket(result)
    if not failed:
        return f"{what} succeeded: {result!r}" if must_fail(call, kind, tag) else ""
    if code not in call.codes:
        return f"{what} failed with {code or 'no code'}"
    # A connect that is under way, a message that was too long and an error that was told are no refusals.
    if (after := zoo.look()) == before or call.name in ("sendto", "WSASendTo"):  # these name the socket first
        return ""
    if code not in ("EWOULDBLOCK", "IO_PENDING", "EMSGSIZE", "ECONNRESET", "ECONNREFUSED", "ENETUNREACH"):
        return f"{what} failed with {code} and changed {before} to {after}"
    return ""


def out_of_bounds(call: Call, i: int, value: Any, zoo: Any) -> bool:
    """Whether it would wait for ever."""
    if (call.name, i) in TIMEOUTS:
        return isinstance(value, int) and value & 0xFFFFFFFF > 50
    if (call.name, i) == ("select", 4):
        data = value.encode("utf-8", "replace") if isinstance(value, str) else value
        seconds = int.from_bytes(data[:4], "little", signed=True) if isinstance(data, (bytes, bytearray)) else 0
        return value in (None, 0) or seconds > 0
    # It would make that memory accessible.
    return call.name == "VirtualProtect" and i == 0 and isinstance(value, int) and abs(value - zoo.edge) <= PAGE


def sweep(call: Call, zoo: Any) -> list[str]:
    """Every parameter with every value, the others as they should be."""
    problems = []
    for i, kind in enumerate(call.kinds):
        for tag, value in values(kind, zoo):
            if out_of_bounds(call, i, value, zoo):
                continue
            args = call.args(zoo)
            args[i] = value
            before = zoo.look()
            if found := problem(call, args, kind, tag, zoo):
                problems.append(f"{tag}: {found}")
            # What pends may change the socket at any time from now on.
            if ws.WSAGetLastError() == WSA.WSA_IO_PENDING or zoo.look() != before or len(zoo.spares) > 100:
                zoo.renew(zoo.state)
    return problems


def report(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def test_the_table_has_every_export():
    exported = {
        name
        for face in FACES
        for name, value in vars(face).items()
        if callable(value) and (not name.startswith("__") or name == "__WSAFDIsSet")
    }
    assert exported | set(EXTENSIONS) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_the_table_has_every_parameter(name):
    call = TABLE[name]
    function = getattr(call.function, "__winsock__", call.function)
    parameters = [p for p in inspect.signature(function).parameters if p != "ts"]
    assert len(parameters) == len(call.kinds)


@pytest.mark.parametrize("name", [name for name, call in TABLE.items() if "s" in call.kinds or name == "select"])
def test_bad_arguments_of_socket_calls(zoo, name):
    """Each bad argument in each state of the socket: a documented code, and nothing has changed."""
    problems = []
    for state in zoo.STATES:
        zoo.state = state
        problems += sweep(TABLE[name], zoo)
    report(problems)


@pytest.mark.parametrize("name", [name for name, call in TABLE.items() if "s" not in call.kinds and call.kinds])
def test_bad_arguments(zoo, name):
    report(sweep(TABLE[name], zoo))
