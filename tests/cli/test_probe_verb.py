"""winsock probe: what it prints, what it refuses."""

import subprocess
import sys

import pytest

from winsock.cli import main
from winsock.cli._probe_names import FdSet, PollFds, buf, described, fd_set, linger, name, pollfd, sin, sin6, timeval
from winsock.codes import explain, languages


@pytest.fixture
def probe(capsys):
    """Run the verb: (exit status, lines printed, text of the complaint)."""

    def run(*calls):
        try:
            status = main(["probe", *calls])
        except SystemExit as e:
            status = e.code
        out, err = capsys.readouterr()
        return status, out.splitlines(), err

    return run


################ what is printed ################


def test_refusal_with_name_and_meaning(probe):
    status, lines, _ = probe("socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)")
    assert status == 0
    assert lines[0] == "socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)"
    assert lines[1] == "  -> INVALID_SOCKET"
    assert lines[2].startswith("  last error 10043 WSAEPROTONOSUPPORT: ")


def test_variables_last_from_call_to_call(probe):
    _, lines, _ = probe("s = socket(AF_INET, SOCK_STREAM, 0)", "listen(s, 5)", "closesocket(s)", "closesocket(s)")
    assert "10022 WSAEINVAL" in "".join(lines)
    assert lines[-2] == "  -> SOCKET_ERROR (-1)"
    assert "10038 WSAENOTSOCK" in lines[-1]


def test_what_a_call_wrote(probe):
    _, lines, _ = probe(
        "s = socket(AF_INET, SOCK_DGRAM, 0)", "bind(s, sin(), 16)", "n = i32(99)", "getsockname(s, buf(16), n)", "n"
    )
    assert any(line.startswith("  argument 2: 127.0.0.1:") for line in lines)
    assert "  argument 3: 16" in lines
    assert lines[-1] == "  16"


def test_nested_calls_are_told_apart(probe):
    _, lines, _ = probe("closesocket(socket(AF_INET, SOCK_STREAM, 0))")
    assert [line.split()[0] for line in lines[1:]] == ["socket", "closesocket"]


def test_last_error_is_fresh_for_each_call(probe):
    _, lines, _ = probe("listen(1, 1)", "WSAGetLastError()", "htons(80)")
    assert "10038 WSAENOTSOCK" in lines[2]
    assert lines[4] == "  -> 10038"
    assert lines[-1] == "  -> 20480"


def test_no_startup(probe):
    _, lines, _ = probe("--no-startup", "socket(2, 1, 0)")
    assert "10093 WSANOTINITIALISED" in lines[-1]


def test_call_in_the_background(probe):
    status, lines, _ = probe(
        "s = socket(AF_INET, SOCK_STREAM, 0)",
        "bind(s, sin(), 16)",
        "listen(s, 1)",
        "accept(s, NULL, NULL) &",
        "closesocket(s)",
    )
    assert status == 0
    assert "  waits" in lines
    assert lines[-3] == "accept(s, NULL, NULL)"
    assert "10004 WSAEINTR" in lines[-1]


def test_call_that_never_returns(probe):
    status, lines, _ = probe(
        "--timeout=0.2",
        "s = socket(AF_INET, SOCK_DGRAM, 0)",
        "bind(s, sin(), 16)",
        "recv(s, buf(1), 1, 0)",
        "closesocket(s)",
    )
    assert status == 1
    assert "  still waits after 0.2 s; going on without it" in lines


def test_calls_from_standard_input():
    command = [sys.executable, "-m", "winsock", "probe", "-"]
    done = subprocess.run(
        command, input="# a comment\nhtons(1)\n\nhtons(2)\n", text=True, capture_output=True, timeout=60
    )
    assert done.stdout.splitlines() == ["htons(1)", "  -> 256", "htons(2)", "  -> 512"]
    assert (done.stderr, done.returncode) == ("", 0)


def test_language(probe):
    for lang in languages():
        _, lines, _ = probe(f"--lang={lang}", "listen(1, 1)")
        assert explain(10038, lang=lang).meaning in lines[2]


def test_list(probe):
    _, lines, _ = probe("--list", "getpeern")
    assert lines == ["getpeername(s, name, namelen)"]


################ what is refused ################

NONSENSE = {
    "unknown name": ("sokcet(2, 1, 0)", "did you mean socket?"),
    "syntax": ("socket(2,", "is no call"),
    "attribute": ("socket.__globals__", "Attribute is not for a probe"),
    "import": ("__import__('os')", "unknown name '__import__'"),
    "lambda": ("(lambda: 1)()", "only functions can be called"),
    "comprehension": ("[x for x in (1, 2)]", "not for a probe"),
    "power": ("9 ** 9 ** 9", "not for a probe"),
    "two statements": ("htons(1); htons(2)", "neither CALL nor VARIABLE = CALL"),
    "definition": ("import os", "neither CALL nor VARIABLE = CALL"),
    "name of a function": ("send = 3", "send is a function"),
    "too few arguments": ("recv(1, 2)", "missing a required argument"),
    "named arguments": ("recv(s=1)", "have no names"),
    "no address": ("sin('nowhere')", "nowhere"),
    "huge buffer": ("buf(1 << 60)", "not for a probe"),
    "large buffer": ("buf(99999999999)", "from 0 to"),
    "odd pairs": ("pollfd(1)", "pairs"),
    "a crash of Python's": ("1 // 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("case", NONSENSE.values(), ids=NONSENSE)
def test_nonsense(probe, case):
    call, complaint = case
    status, _, err = probe("htons(1)", call, "htons(2)")
    assert status == 2
    assert err.startswith("winsock probe: ")
    assert complaint in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [(), ("--no-such-option", "htons(1)"), ("--lang=xx", "htons(1)")])
def test_wrong_command_line(probe, arguments):
    assert probe(*arguments)[0] == 2


################ helpers ################


def test_addresses_print_as_addresses():
    assert name(sin("10.0.0.1", 80)) == "10.0.0.1:80"
    assert name(sin6("fe80::1", 443)) == "[fe80::1]:443"
    assert name(b"xy") == "no address"


def test_structures():
    assert fd_set(4, -1).sockets() == [4, (1 << 64) - 1]
    assert isinstance(fd_set(), FdSet)
    assert len(fd_set()) == 520
    assert timeval(1.5) == b"\1\0\0\0\x20\xa1\7\0"
    assert linger(1, 5) == b"\1\0\5\0"
    assert pollfd(4, 256).entries() == [(4, 256, 0)]
    assert isinstance(pollfd(), PollFds)
    assert buf(3) == bytearray(3)


def test_values_print_well():
    assert described(buf(b"ab\0\0")) == "b'ab' (4 bytes)"
    assert described(buf(200)) == "b'' (200 bytes)"
    assert described(b"x" * 100).endswith("...")
    assert described(1 << 40) == "0x10000000000"
