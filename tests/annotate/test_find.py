"""find(): what is a socket error in a line, and what is not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import winsock.codes
from winsock.annotate import annotate, find
from winsock.annotate._messages import parts
from winsock.codes import WSA, languages

# Other work on the machine must not fail a test.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NUMBERS = [int(code) for code in WSA if code >= WSA.WSAEINTR]
DATA = Path(winsock.codes.__file__).parent / "data"


def codes(text):
    return [hit.number for hit in find(text)]


# -- as numbers


@pytest.mark.parametrize(
    "form",
    [
        "[WinError {}]",
        "[Errno {}]",
        "OSError: [WinError {}] text",
        "winerror={}",
        '{{"winerror": {}}}',
        "Socket error {}",
        "Socket Error # {}",
        "socket error: {}.",
        "(os error {})",
        "System.Net.Sockets.SocketException ({}): text",
        "WSAGetLastError() = {}",
        "WSAGetLastError returned {}",
        "Winsock error {}",
        "WSA error {}",
        "recv failed with error {}",
        "recv() failed: {}",
        "connect failed, error code {}",
        "syscall.Errno({})",
        "Error Code: {}",
        "ErrorCode={}",
        "%%{}",
        "Os {{ code: {}, kind: Uncategorized }}",
    ],
)
def test_every_number_in_every_form(form):
    missed = [n for n in NUMBERS if codes(form.format(n)) != [n]]
    assert not missed


@pytest.mark.parametrize("code", [64, 121, 995, 1225, 1231, 1234, 1236])
def test_win32_codes_of_networks_by_python_s_word(code):
    assert codes(f"OSError: [WinError {code}] text") == [code]
    assert codes(f"error {code}") == []


@pytest.mark.parametrize("code", [1, 2, 3, 5, 6, 8, 32, 87, 126, 193])
def test_other_win32_codes_are_let_be(code):
    assert codes(f"OSError: [WinError {code}] text") == []


@pytest.mark.parametrize("code", [6, 8, 87, 64, 995, 997])
def test_win32_codes_from_winsock_itself(code):
    assert codes(f"WSARecv failed, WSAGetLastError() = {code}") == [code]
    assert codes(f"WSAGetLastError returned {code}.") == [code]
    assert codes(f"GetLastError() = {code}") == []


def test_hresults():
    for number in NUMBERS:
        value = 0x80070000 | number
        for text in (f"0x{value:08X}", f"0x{value:08x}", f"HRESULT: {value:08x}", f"{value - 2**32}", f"({value})"):
            assert codes(text) == [number], text
    assert codes("0x80070005 0x80070002 0x80072EE7 0x80004005") == []


@pytest.mark.parametrize(
    "text",
    [
        "port {}",
        "Port: {}",
        "localhost:{}",
        "http://127.0.0.1:{}/socket",
        "[::1]:{}",
        "pid {}",
        "pid={} socket error handler installed",
        "PID {} connection failed",
        "sshd[{}]: connection closed",
        "$ {}",
        "${}",
        "{} bytes received on socket",
        "recv {} bytes",
        "took {} ms to connect",
        "order {} failed",
        "id={}",
        "line {}: connection error",
        "0.{}",
        "1{}",
        "{}1",
        "1,{}",
        "{},00",
        "item #{}",
        "x{}",
        "2026-{}-01",
        "KB{}",
        "v{}",
        "{}/tcp",
        "/path/{}/file",
        "Event ID: {}",
        "thread {} lost its connection",
        "error in line {}",
        "{} errors",
        "exit code {}",
        "HTTP error {}",
        "client {} disconnected",
        "user_id {} connect failed",
        "{}% of connections failed",
        "connection failed {} times",
    ],
)
def test_ordinary_numbers(text):
    assert [n for n in NUMBERS if codes(text.format(n))] == []


@pytest.mark.parametrize("number", [10000, 10003, 10005, 10072, 10090, 10094, 10100, 10113, 11000, 11034, 12000])
def test_numbers_that_are_no_codes(number):
    assert codes(f"[WinError {number}] socket error {number}") == []


def test_one_line_may_hold_several_once_each_in_order():
    text = "WSAECONNREFUSED (10061), before: [WinError 10054], after: 10061 WSAECONNREFUSED, ECONNRESET"
    assert codes(text) == [10061, 10054]


def test_where_it_stands_and_by_what():
    text = "  recv: [WinError 10054] bad; WSAENOTCONN; Address already in use"
    hits = find(text)
    assert [(text[h.begin : h.end], h.name, h.sign) for h in hits] == [
        ("10054", "WSAECONNRESET", "number"),
        ("WSAENOTCONN", "WSAENOTCONN", "name"),
        ("ddress already in use", "WSAEADDRINUSE", "message"),
    ]


# -- as names


def test_every_name_of_winsock():
    for name, code in WSA.__members__.items():
        assert codes(f"call failed: {name}") == [code], name
        assert codes(f"X{name}") == codes(f"{name}X") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("read ECONNRESET", 10054),
        ("code: 'ETIMEDOUT'", 10060),
        ("getaddrinfo ENOTFOUND host", 11001),
        ("getaddrinfo EAI_AGAIN host", 11002),
        ("listen EACCES: permission denied 0.0.0.0:80", 10013),
        ("setsockopt EINVAL", 10022),
        ("SocketError.ConnectionRefused", 10061),
        ("SocketErrorCode: HostNotFound", 11001),
        ("kind: ConnectionAborted", 10053),
        ("ErrorKind::AddrInUse", 10048),
        ("java.net.UnknownHostException: db", 11001),
        ("java.net.BindException: Permission denied", 10013),
    ],
)
def test_names_elsewhere(text, code):
    assert codes(text) == [code]


@pytest.mark.parametrize(
    "text",
    ["open EACCES: /etc/shadow", "EINVAL", "EMFILE", "write EPIPE", "ENOENT", "kind: TimedOut", "kind: NotFound",
     "WSAStartup ok", "WSA", "WSAE", "ELOOP", "SocketError.Nonsense", "SocketException: hello"],
)  # fmt: skip
def test_names_that_may_mean_anything(text):
    assert codes(text) == []


# -- as messages


def test_windows_own_messages_in_the_languages_of_the_catalogue():
    """What FormatMessage says, as far as it is about sockets, is known by itself."""
    missed = []
    for lang in languages():
        for number, table in tomllib.loads((DATA / f"{lang}.toml").read_text("utf-8")).items():
            if not number.isdigit() or int(number) not in NUMBERS or "system" not in table:
                continue
            known = {n for part in parts() if int(number) in part.numbers for n in part.numbers} | {int(number)}
            if not known & set(codes(table["system"])):
                missed.append((lang, number, table["system"]))
    # Too general to be an error of sockets in any log.
    general = {"10062", "10063", "10066", "10068", "10069", "10070", "10071", "11007", "11008", "11009", "11015"}
    assert [m for m in missed if m[1] not in general] == []


@pytest.mark.parametrize("part", parts(), ids=lambda part: f"{part.lang}-{part.numbers[0]}-{part.text[:20]}")
def test_every_part_of_a_message_is_found_in_a_line(part):
    found = set(codes(f"x: {part.text}."))
    assert found & set(part.numbers), part


def test_languages():
    assert {part.lang for part in parts()} == {
        "en", "posix", "fr", "ja", "zh-Hant", "zh-Hans", "ru", "es", "de", "pt-BR", "ko", "it", "pl",
    }  # fmt: skip


@pytest.mark.parametrize("mark", ["'", "\u2019"])
def test_typographic_apostrophes(mark):
    text = "Aucune connexion n'a pu être établie car l'ordinateur cible l'a expressément refusée"
    assert codes(text.replace("'", mark)) == [10061]
    assert codes(f"Connessione in corso interrotta forzatamente dall{mark}host remoto") == [10054]


def test_a_number_says_which_of_the_codes_with_one_text():
    text = "The network location cannot be reached. For information about network troubleshooting, see Windows Help"
    assert codes(text) == [1231]
    assert codes(f"[WinError 1232] {text}") == [1232]


@pytest.mark.parametrize(
    "text",
    [
        "Connection refused by policy 7",
        "connection timed out after 30 s, will retry",
        "Connection timed out: 30 s",
        "Connection reset count: 5",
        "connection established",
        "reset by peer review",
    ],
)
def test_texts_that_mean_something_else(text):
    assert codes(text) == []


# -- any text


@calm
@given(st.text())
def test_any_text_is_looked_at(text):
    for hit in find(text):
        assert 0 <= hit.begin < hit.end <= len(text)
        assert hit.name


SIGNS = ["10054", "error", "port", " ", ":", "[", "]", "WinError", "=", "#", "0x8007274D", "é"]


@calm
@given(st.lists(st.sampled_from(SIGNS)))
def test_any_order_of_signs(words):
    text = "".join(words)
    assert set(codes(text)) <= {10054, 10061}
    assert codes(text) == codes(text + " ")


def test_lines_of_an_iterable():
    lines = ["nothing\n", "WinError 10054\r\n", "port 10054", "x WSAENOTSOCK"]
    assert [(line.number, line.text, [h.number for h in line.hits]) for line in annotate(lines)] == [
        (2, "WinError 10054", [10054]),
        (4, "x WSAENOTSOCK", [10038]),
    ]
