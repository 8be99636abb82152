"""From what people type to the code they mean."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock import codes
from winsock.codes import NTSTATUS, WSA, lookup, suggest
from winsock.codes._names import known_numbers, numbers_by_name


@pytest.mark.parametrize(
    "text",
    [
        "10054",
        " 10054\n",
        "0x2746",
        "0X2746",
        "0x00002746",
        "WSAECONNRESET",
        "wsaeconnreset",
        "ECONNRESET",
        "econnreset",
        "WSA.WSAECONNRESET",
        "errno.ECONNRESET",
        "0x80072746",
        "-2147014842",
        "2147952454",
        "STATUS_CONNECTION_RESET",
        "0xC000020D",
        "[WinError 10054]",
        "WinError 10054",
        "Socket error 10054",
        "error 10054",
        "[Errno 10054]",
        "[WinError 10054] An existing connection was forcibly closed by the remote host",
        "ConnectionResetError: [WinError 10054] An existing connection was forcibly closed by the remote host",
        "OSError: [WinError -2147014842] ...",
        "read tcp: error code 10054, giving up",
        "HRESULT 0x80072746",
        "socket error 10054: reset",
        "Socket Error # 10054",
        "１００５４",
        "10054L",
        "0x80072746UL",
    ],
)
def test_one_code_in_many_forms(text):
    assert lookup(text) == WSA.WSAECONNRESET


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("10094", 10094),
        ("64", 64),
        ("ERROR_NETNAME_DELETED", 64),
        ("netname deleted", 64),
        ("IO_PENDING", 997),
        ("WSA_IO_PENDING", 997),
        ("ERROR_IO_PENDING", 997),
        ("EAI_NONAME", 11001),
        ("HOST_NOT_FOUND", 11001),
        ("host-not-found", 11001),
        ("EAGAIN", 10035),
        ("EPERM", 10013),
        ("ENOTSUP", 10045),
        ("EINPROGRESS", 10036),
        ("WSAINVALIDPROCTABLE", 10104),
        ("WSA_INVALIDPROVIDER", 10105),
        ("WSANO_ADDRESS", 11004),
        ("qos_senders", 11006),
    ],
)
def test_other_names_and_numbers(text, number):
    assert lookup(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "0x", "0xZZ", "104", "-5", "10_054", "10054.0", "1e4", "L", "10054LLU2", "²"),
        *("0xC0000999", "0x80070007", "ECONRESET", "EXDEV", "E", "errno", "STATUS_NONSENSE", "\0", "[]", "é"),
        *("9" * 30, "-" + "9" * 5000, "0x" + "f" * 100),
    ],
)
def test_not_understood(text):
    assert lookup(text) is None


@given(st.sampled_from(sorted(numbers_by_name().items())), st.booleans())
def test_every_name_in_any_case(pair, lower):
    name, number = pair
    assert lookup(name.lower() if lower else name) == number


@given(st.sampled_from(sorted(known_numbers() - {0})))
def test_every_number_in_every_form(number):
    hresult = codes.to_hresult(number)
    for text in (str(number), hex(number), str(hresult), hex(hresult), str(hresult - 2**32)):
        assert lookup(text) == number


@given(st.sampled_from(NTSTATUS))
def test_every_failing_status_by_name_and_number(status):
    assert lookup(status.name) == codes.ntstatus_to_wsa(status)
    if status >= 0x80000000:
        assert lookup(hex(status)) == lookup(str(status - 2**32)) == codes.ntstatus_to_wsa(status)


@given(st.text())
def test_any_text_is_answered_and_what_is_found_has_an_entry(text):
    found = lookup(text)
    assert found is None or codes.explain(found) is not None


@given(st.integers())
def test_any_number_likewise(number):
    found = lookup(str(number))
    assert found is None or codes.explain(found) is not None


# -- suggestions


def test_a_slip_of_the_pen():
    assert suggest("WSAECONRESET")[0] == "10054 WSAECONNRESET"
    assert suggest("econreset")[0] == "10054 WSAECONNRESET"


@pytest.mark.parametrize("text", ["10045x", "0045"])
def test_numbers_with_other_things_in_them_do_not_fail(text):
    assert isinstance(suggest(text), list)


@pytest.mark.parametrize("text", ["10154", "100554", "1054", "11054"])
def test_a_wrong_doubled_or_missing_digit(text):
    assert "10054 WSAECONNRESET" in suggest(text, 10)


def test_a_number_of_linux():
    assert suggest(str(errno.ECONNRESET)) == [
        f"10054 WSAECONNRESET ({errno.ECONNRESET} is ECONNRESET on Linux)",
    ]


@pytest.mark.parametrize("text", ["errno 104", "[Errno 104]", "error: 104"])
def test_a_number_of_linux_among_words(text):
    assert suggest(text)[0] == "10054 WSAECONNRESET (104 is ECONNRESET on Linux)"


def test_nothing_is_close():
    assert suggest("zzzzzzzz") == []
    assert suggest("777777777") == []


@given(st.text(), st.integers(1, 5))
def test_at_most_so_many(text, count):
    assert len(suggest(text, count)) <= count
