"""The matrix: which function gives which code, and when."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock import codes
from winsock.afd import REFUSALS
from winsock.afd._endpoint import State
from winsock.afd._rules import MESSAGES, STREAM
from winsock.codes import WSA
from winsock.codes import _functions as functions
from winsock.codes import _texts as texts
from winsock.codes._names import known_numbers

DATA = Path(texts.DATA)
MATRIX = tomllib.loads((DATA / "functions.toml").read_text("utf-8"))
FACTS = tomllib.loads((DATA / "codes.toml").read_text("utf-8"))
ENGLISH = tomllib.loads((DATA / "en.toml").read_text("utf-8"))["conditions"]
ROWS = {int(key): table for key, table in MATRIX.items() if key.isdigit()}
CALLS = {table[len("refused-") :]: rows for table, rows in MATRIX.items() if table.startswith("refused-")}
HOW = {"call", "message", "event", "overlapped"}
NOT_GIVEN = {"never", "undocumented", "listing", "success"}

# What the faces do not export yet; a name leaves when its call comes.
NOT_YET = {
    "ws2_32": """
        GetAddrInfoExCancel GetAddrInfoExOverlappedResult ProcessSocketNotifications SetAddrInfoExW
        SocketNotificationRetrieveEvents WPUCompleteOverlappedRequest WSAAdvertiseProvider WSAGetQOSByName
        WSAGetServiceClassInfoW WSAGetServiceClassNameByClassIdW WSAInstallServiceClassW
        WSALookupServiceBeginW WSALookupServiceEnd WSALookupServiceNextW WSANSPIoctl
        WSAProviderCompleteAsyncCall WSAProviderConfigChange WSARemoveServiceClass WSASetServiceW
        WSAUnadvertiseProvider WSCDeinstallProvider WSCEnableNSProvider WSCEnumNameSpaceProviders32
        WSCGetApplicationCategory WSCInstallNameSpace WSCInstallNameSpaceEx WSCInstallProvider
        WSCInstallProviderAndChains WSCInstallQOSTemplate WSCRemoveQOSTemplate WSCSetApplicationCategory
        WSCSetProviderInfo WSCUnInstallNameSpace WSCUpdateProvider WSCWriteNameSpaceOrder
        WSCWriteProviderOrder""",
    "mswsock": """
        AcceptEx ConnectEx DisconnectEx GetAcceptExSockaddrs RIOCloseCompletionQueue RIOCreateCompletionQueue
        RIOCreateRequestQueue RIODequeueCompletion RIODeregisterBuffer RIONotify RIOReceive RIOReceiveEx
        RIORegisterBuffer RIOResizeCompletionQueue RIOResizeRequestQueue RIOSend RIOSendEx TransmitFile
        TransmitPackets WSARecvMsg""",
    "iphlpapi": "",
}

# Exported, and no calls of Winsock's reference.
NO_WINSOCK_CALLS = {"WEP", "WSApSetPostRoutine", "GetAdaptersAddresses", "if_indextoname", "if_nametoindex"}


def split(ids):
    return [(how or "call", key) for how, _, key in (word.rpartition(":") for word in ids.split())]


# -- the files


def test_every_row_names_a_function_and_conditions_that_have_texts():
    assert len(ROWS) > 90
    for code, row in ROWS.items():
        assert list(row) == sorted(row, key=str.lower), code
        for function, ids in row.items():
            assert function in MATRIX["functions"], (code, function)
            conditions = split(ids)
            assert conditions, (code, function)
            assert len(set(conditions)) == len(conditions), (code, function)
            for how, key in conditions:
                assert how in HOW, (code, function)
                assert key in ENGLISH, (code, function)
    assert list(ROWS) == sorted(ROWS)


def test_every_text_is_used_somewhere():
    used = {key for row in ROWS.values() for ids in row.values() for _, key in split(ids)}
    used |= {key for ids in MATRIX["general"].values() for _, key in split(ids)}
    used |= {word for rows in CALLS.values() for row in rows.values() for word in row.split()[1:]}
    used |= {facts["returned"] for facts in FACTS.values()}
    used |= set(functions.TEMPLATES.values())
    assert set(ENGLISH) - used == {"state-connected"} - used  # every state has its text, refused there or not
    assert used <= set(ENGLISH)


def test_conditions_are_clauses():
    for key, text in ENGLISH.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key), key
        assert text == " ".join(text.split()), key
        assert not text.endswith((".", ",", ";")), key
        assert text[0].islower() or re.match(r"[A-Z]{2}|[A-Z]_|WSA|Winsock|[{]", text), key
    assert list(ENGLISH) == sorted(ENGLISH)
    clauses = list(ENGLISH.values())
    assert len(set(clauses)) == len(clauses)


@pytest.mark.parametrize("stem", ["functions", "codes"])
def test_a_table_cut_out_reads_as_the_whole_file_does(stem):
    whole = tomllib.loads((DATA / f"{stem}.toml").read_text("utf-8"))
    for name, table in whole.items():
        assert texts.table(stem, name) == table, name


@pytest.mark.parametrize("lang", codes.languages())
def test_a_language_has_every_text_and_keeps_its_places(lang):
    there = tomllib.loads((DATA / f"{lang}.toml").read_text("utf-8")).get("conditions")
    if there is None:
        pytest.skip(f"{lang} has no conditions yet; they come in English")
    assert there.keys() == ENGLISH.keys()
    for key, text in ENGLISH.items():
        assert there[key].strip(), key
        assert re.findall(r"\{\w+\}", there[key]) == re.findall(r"\{\w+\}", text), key
        for name in re.findall(r"\b(?:WSA[A-Z]\w+|[A-Z]{2,}_\w+)", text):
            assert name in there[key], (key, name)


# -- both ways round


def test_both_directions_hold_the_same_pairs():
    by_code = {(use.code, use.function): use for code in ROWS for use in codes.functions_of(code)}
    by_function = {(use.code, use.function): use for name in MATRIX["functions"] for use in codes.codes_of(name)}
    assert by_code == by_function
    assert len(by_code) == sum(map(len, ROWS.values())) > 1360
    for (code, function), use in by_code.items():
        assert use.conditions == codes.conditions(code, function)
        assert [(c.how, c.id) for c in use.conditions] == split(ROWS[code][function])
    for code in known_numbers():
        assert [use.function for use in codes.functions_of(code)] == list(functions.function_names_of(code))


def test_codes_of_a_function_come_in_order():
    numbers = [use.code for use in codes.codes_of("recv")]
    assert numbers == sorted(numbers)
    assert {WSA.WSAEINVAL, WSA.WSAENOTCONN, WSA.WSAESHUTDOWN, WSA.WSAECONNRESET} <= set(numbers)
    assert WSA.WSAEADDRINUSE not in numbers


def test_a_code_or_function_without_rows():
    assert codes.functions_of(WSA.WSAEBADF) == ()
    assert codes.functions_of(4711) == ()
    assert codes.conditions(WSA.WSAEBADF, "recv") == ()
    assert codes.codes_of("inet_ntoa") == ()
    assert codes.about("inet_ntoa").module == "ws2_32"


@pytest.mark.parametrize(
    ("code", "function", "ids"),
    [
        (WSA.WSAEINVAL, "accept", {"not-listening"}),
        (WSA.WSAEINVAL, "bind", {"already-bound"}),
        (WSA.WSAEINVAL, "shutdown", {"how-invalid"}),
        (WSA.WSAEWOULDBLOCK, "connect", {"would-block-connect"}),
        (WSA.WSAEALREADY, "WSACancelAsyncRequest", {"async-finished"}),
        (WSA.WSAENOTCONN, "getpeername", {"not-connected", "connect-running", "context-not-updated"}),
        (WSA.WSAENOPROTOOPT, "getsockopt", {"option-unknown"}),
        (WSA.WSAEDESTADDRREQ, "sendto", {"destination-missing", "destination-wildcard"}),
        (WSA.WSAETIMEDOUT, "connect", {"connect-timed-out"}),
        (WSA.WSAETIMEDOUT, "recv", {"connection-timed-out", "receive-timeout"}),
        (WSA.WSAENOBUFS, "setsockopt", {"option-length-negative"}),
        (WSA.WSA_IO_INCOMPLETE, "WSAGetOverlappedResult", {"operation-unfinished"}),
        (WSA.WSA_IO_PENDING, "ConnectEx", {"overlapped-started"}),
    ],
)
def test_cells_that_everybody_knows(code, function, ids):
    assert {c.id for c in codes.conditions(code, function)} == ids


def test_what_comes_later_says_how():
    (closed,) = codes.conditions(WSA.WSA_OPERATION_ABORTED, "WSARecv")
    assert (closed.id, closed.how) == ("socket-closed", "overlapped")
    assert closed.text.startswith(ENGLISH["socket-closed"])
    assert closed.text != ENGLISH["socket-closed"]
    (refused,) = codes.conditions(WSA.WSAECONNREFUSED, "ConnectEx")
    assert (refused.id, refused.how) == ("connect-refused", "overlapped")
    hows = {c.how for c in codes.conditions(WSA.WSAENETDOWN, "WSAAsyncGetHostByName")}
    assert hows == {"call", "message"}
    (refused,) = codes.conditions(WSA.WSAECONNREFUSED, "WSAEnumNetworkEvents")
    assert (refused.how, refused.text) == ("event", ENGLISH["fd-connect"])
    assert {c.how for c in codes.conditions(WSA.WSAECONNRESET, "WSAGetOverlappedResult")} == {"overlapped"}


# -- names


@pytest.mark.parametrize(
    ("text", "name", "base"),
    [
        ("recv", "recv", "recv"),
        (" RECV() ", "recv", "recv"),
        ("ws2_32.WSARecv", "WSARecv", "WSARecv"),
        ("wsasocketa", "WSASocketA", "WSASocketW"),
        ("WSASocket", "WSASocketW", "WSASocketW"),
        ("GetAddrInfoW", "GetAddrInfoW", "getaddrinfo"),
        ("getaddrinfoex", "GetAddrInfoExW", "GetAddrInfoExW"),
        ("inet_pton", "inet_pton", "InetPtonW"),
        ("WSCGetProviderPath32", "WSCGetProviderPath32", "WSCGetProviderPath"),
    ],
)
def test_names_in_many_forms(text, name, base):
    assert functions.function_name(text) == name
    assert functions.base_name(text) == base
    assert codes.codes_of(text) == codes.codes_of(base)
    assert name in (base, *codes.about(text).spellings)


@pytest.mark.parametrize("text", ["", "()", "rec", "CreateFileW", "recv; drop", "\0", "ä" * 300, "WSA"])
def test_names_that_are_none(text):
    for ask in (codes.codes_of, codes.about, codes.refusals_of, functions.function_name):
        with pytest.raises(ValueError, match="no function"):
            ask(text)
    with pytest.raises(ValueError, match="no function"):
        codes.conditions(WSA.WSAEINVAL, text)


def test_a_name_misspelled_as_a_published_list_does_leads_to_the_right_one():
    with pytest.raises(ValueError, match=r"nearest: .*getsockname"):
        codes.codes_of("getstockname")


@given(st.text(max_size=40))
def test_any_text_is_a_function_or_refused(text):
    try:
        base = functions.base_name(text)
    except ValueError:
        return
    assert base in MATRIX["functions"]


@pytest.mark.parametrize("ask", [codes.functions_of, codes.facts_of], ids=["functions_of", "facts_of"])
def test_an_unknown_language(ask):
    with pytest.raises(ValueError, match="language"):
        ask(10054, "tlh")


def test_a_text_there_is_not():
    with pytest.raises(KeyError):
        functions.text_of("no-such-condition")
    with pytest.raises(KeyError):
        functions.text_of("title")  # a text of the file, but no condition


# -- the faces


@pytest.mark.parametrize("module", sorted(NOT_YET))
def test_the_functions_of_the_matrix_are_exported_or_known_to_be_missing(module):
    face = import_module(f"winsock.{module}")
    named = {name for name in MATRIX["functions"] if codes.about(name).module == module}
    missing = {name for name in named if not hasattr(face, name)}
    assert missing <= set(NOT_YET[module].split())
    assert set(NOT_YET[module].split()) <= named


@pytest.mark.parametrize("module", ["ws2_32", "mswsock", "iphlpapi"])
def test_the_matrix_knows_every_export(module):
    face = import_module(f"winsock.{module}")
    exported = {name for name in dir(face) if callable(getattr(face, name)) and not name.startswith("_")}
    assert {name for name in exported if name.lower() not in functions.function_names()} <= NO_WINSOCK_CALLS


# -- what each code is besides


def test_every_known_code_has_facts():
    assert {int(key) for key in FACTS} == known_numbers()
    assert codes.facts_of(4711) is None
    for code in known_numbers():
        facts = codes.facts_of(code)
        assert facts.returned_text == ENGLISH[FACTS[str(code)]["returned"]], code
        assert 1 <= len(facts.related) <= 5, code
        assert set(facts.related) <= known_numbers() - {code}, code
        assert len(set(facts.related)) == len(facts.related), code


def test_every_member_is_given_by_a_function_or_said_not_to_be():
    for code in WSA:
        facts = codes.facts_of(code)
        assert (facts.returned in NOT_GIVEN) is not bool(functions.function_names_of(code)), code.name
        assert facts.since, code.name
        assert len(facts.related) >= 2, code.name
    assert codes.facts_of(0).returned == "success"
    assert codes.facts_of(10094).returned == "listing"


@pytest.mark.parametrize("code", sorted({int(code) for code in WSA if 11005 <= code <= 11031}))
def test_quality_of_service_comes_with_an_event_only(code):
    assert codes.facts_of(code).returned in ("qos-status", "qos-error")
    assert {c.how for use in codes.functions_of(code) for c in use.conditions} == {"event"}


def test_codes_only_of_name_resolution():
    for code in (WSA.WSAHOST_NOT_FOUND, WSA.WSANO_DATA):
        assert codes.facts_of(code).returned == "names"
        for name in functions.function_names_of(code):
            assert re.search("(?i)name|addr|serv|proto|class|nsp|lookup", name), name


# -- against our own refusals


def test_the_rows_of_refusals_are_those_of_the_endpoints():
    """data/functions.toml restates afd's table, which codes may not import."""
    assert CALLS.keys() == REFUSALS.keys() == MATRIX["calls"].keys()
    flags = {
        "receive_shut": {"receive-shut"},
        "send_shut": {"send-shut"},
        "!remote": {"not-connected", "no-destination-no-peer"},
        "unsettled": {"context-not-updated"},
        "nameless": {"accept-context-not-updated"},
        "": set(ENGLISH) - {"receive-shut", "send-shut", "context-not-updated", "accept-context-not-updated"},
    }
    types = {None: [], STREAM: ["type-stream"], MESSAGES: ["type-messages"]}
    for call, refusals in REFUSALS.items():
        restated = [row.split() for row in CALLS[call].values()]
        assert len(restated) == len(refusals), call
        for (code, condition, *limits), refusal in zip(restated, refusals, strict=True):
            assert int(code) == refusal.code, (call, refusal)
            assert condition in flags[refusal.flag], (call, refusal)
            assert condition.endswith("-winsock11") is refusal.old, (call, refusal)
            states = [
                s for s in State if refusal.states is not None and s in refusal.states and s is not State.CLOSED
            ]
            assert limits == types[refusal.types] + [f"state-{state.value}" for state in states], (call, refusal)


def test_every_state_has_its_text():
    assert {key for key in ENGLISH if key.startswith("state-")} == {
        f"state-{state.value}" for state in State if state is not State.CLOSED
    }


@pytest.mark.parametrize("call", sorted(REFUSALS))
def test_the_matrix_documents_what_our_calls_refuse(call):
    for function in MATRIX["calls"][call].split():
        for row in CALLS[call].values():
            code, condition, *_ = row.split()
            assert condition in {c.id for c in codes.conditions(int(code), function)}, (function, row)


def test_why_recv_refuses_with_invalid_argument():
    (refusal,) = codes.refusals_of("RECV()", WSA.WSAEINVAL)
    assert refusal.function == "recv"
    assert refusal.condition == ENGLISH["not-bound"]
    assert refusal.types == ENGLISH["type-messages"]
    assert refusal.states == (ENGLISH["state-open"],)


@pytest.mark.parametrize("lang", codes.languages())
@pytest.mark.parametrize("function", ["connect", "WSAConnect", "WSAConnectByList", "WSAConnectByNameW"])
def test_why_connect_refuses_with_invalid_argument(function, lang):
    listening, running, context = codes.refusals_of(function, WSA.WSAEINVAL, lang)
    (already,) = codes.refusals_of(function, WSA.WSAEALREADY, lang)
    assert running.states == already.states != listening.states
    assert running.types == already.types == listening.types == context.types
    assert "1.1" in running.condition
    assert "1.1" not in already.condition
    assert [r.condition for r in (listening, running, context)] == [
        c.text for c in codes.conditions(WSA.WSAEINVAL, function, lang)
        if c.id in ("socket-listening", "connect-running-winsock11", "context-not-updated")
    ]  # fmt: skip


def test_refusals_stand_in_the_order_of_the_checks():
    assert [r.code for r in codes.refusals_of("listen")] == [10045, 10022, 10056, 10022]
    assert codes.refusals_of("gethostbyname") == ()
    assert codes.refusals_of("recv", WSA.WSAEADDRINUSE) == ()


def test_a_function_of_two_tables_lists_no_row_twice():
    rows = codes.refusals_of("WSASendMsg")
    assert len(set(rows)) == len(rows) == len(codes.refusals_of("send"))


# -- cost


def test_asking_for_one_cell_parses_nothing_and_imports_nothing_heavy():
    program = (
        "import sys; from winsock import codes; "
        "assert 'winsock.codes._matrix' not in sys.modules; "
        "assert codes.conditions(10022, 'recv') and codes.facts_of(10022) and codes.refusals_of('recv', 10022); "
        "print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert "winsock.codes._matrix" in loaded
    assert not loaded & {
        "tomllib",
        "typing",
        "dataclasses",
        "re",
        "difflib",
        "winsock.afd",
        "winsock.codes._catalogue",
    }
