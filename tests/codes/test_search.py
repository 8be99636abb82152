"""Messages, parts of messages, lines of logs and other libraries' spellings, to the codes they stand for."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from winsock import codes
from winsock.codes import WSA, from_spelling, lookup_all, spellings, suggest
from winsock.codes import _texts as texts
from winsock.codes._names import known_numbers
from winsock.codes._phrases import PHRASES
from winsock.codes._search import corpus, folded, numbers_of_message, plain, search, similar

KNOWN = sorted(known_numbers())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("forcibly closed", 10054),
        ("An existing connection was forcibly closed by the remote host.", 10054),
        ("an existing connection was forcibly closed by the remote host", 10054),
        ("wsarecv: An existing connection was forcibly closed by the remote host.", 10054),
        ("remote host forcibly", 10054),
        ("actively refused", 10061),
        ("No such host is known. (example.invalid:443)", 11001),
        ("Only one usage of each socket address", 10048),
        ("接続が拒否されました", 10061),
        ("「接続が拒否されました」", 10061),
        ("接続が タイムアウト しました", 10060),
        ("Connexion refusée", 10061),
        ("CONNEXION REFUSEE", 10061),
        ("connexion réinitialisée par le correspondant", 10054),
        ("連線逾時", 10060),
        ("連接受拒", 10061),
        ("找不到主機", 11001),
        ("Connection reset by peer", 10054),
        ("curl: (56) Recv failure: Connection reset by peer", 10054),
        ("java.net.BindException: Address already in use: bind", 10048),
        ("java.net.ConnectException: Connection timed out: connect", 10060),
        ("dial tcp: lookup db.internal: no such host", 11001),
        ("read tcp 10.0.0.1:80: i/o timeout", 10060),
        ("Error: connect ECONNREFUSED 127.0.0.1:8080", 10061),
        ("Error: getaddrinfo ENOTFOUND db.internal", 11001),
        ("System.Net.Sockets.SocketException (10054): An", 10054),
        ('Os { code: 10048, kind: AddrInUse, message: "..." }', 10048),
        ("failed (os error 10060)", 10060),
        ("Error Code: 10061", 10061),
        ("WSAGetLastError() = 10048", 10048),
        ("bind() failed with 10013!", 10013),
        ("ソケット エラー 10061", 10061),
        ("送信に失敗: An existing connection was forcibly closed by the remote host", 10054),
        ("ｿｹｯﾄ: 接続がﾀｲﾑｱｳﾄ", 10060),
        ("Erreur 10060", 10060),
        ("Errno::ECONNRESET: Connection reset by peer", 10054),
        ("Temporary failure in name resolution", 11002),
        ("Name or service not known", 11001),
    ],
)
def test_what_people_paste(text, number):
    assert lookup_all(text) == (number,)


@pytest.mark.parametrize(
    "text", ["connection", "unreachable", "socket", "the", "接続", "error", "a host that", "....", "？"]
)
def test_too_little_to_tell(text):
    assert lookup_all(text) == ()


def test_too_little_gets_suggestions_of_winsock_first():
    assert suggest("unreachable", 2) == ["10051 WSAENETUNREACH", "10065 WSAEHOSTUNREACH"]


def test_windows_has_one_message_for_several_codes():
    assert lookup_all("No more results can be returned by WSALookupServiceNext") == (10102, 10110)
    assert lookup_all("Insufficient quota to complete the requested service") == (1453, 1454)


def test_a_message_of_one_code_that_older_documents_call_another():
    assert lookup_all("參數錯誤") == (87, 10022)


def test_a_list_of_numbers_in_a_line_is_not_guessed_at():
    assert lookup_all("between 10054 and 10061") == ()
    assert lookup_all("port 10094 and 10054 apples") == ()


SHARED = [name for name in errno.errorcode.values() if f"WSA{name}" in WSA.__members__]


@pytest.mark.parametrize("name", sorted(SHARED))
def test_the_c_librarys_text_of_a_shared_name(name):
    found = lookup_all(os.strerror(getattr(errno, name)))
    namesake = WSA.WSAENOTSOCK if name == "EBADF" else WSA[f"WSA{name}"]  # what Winsock says of a bad descriptor
    assert found == (namesake,)


@pytest.mark.parametrize("number", sorted(PHRASES))
def test_every_phrase_stands_for_its_code(number):
    for phrase in PHRASES[number].split("|"):
        assert number in lookup_all(phrase), phrase


def test_the_index_says_what_the_texts_say():
    """data/search.txt is made from the texts: scripts/search_index.py renews it."""
    for wide in (False, True):
        assert corpus(wide) == folded(wide)
        assert len(corpus(wide)) > 600


def test_without_its_index_the_texts_are_searched(monkeypatch):
    def gone(*_, **__):
        raise FileNotFoundError

    corpus.cache_clear()
    monkeypatch.setattr("winsock.codes._search.open", gone, raising=False)
    assert search("forcibly closed") == (10054,)
    corpus.cache_clear()


def test_no_phrase_stands_for_two_codes():
    seen = {}
    for number, phrases in PHRASES.items():
        for phrase in phrases.split("|"):
            assert seen.setdefault(plain(phrase), number) == number, phrase


def test_the_corpus_has_every_text():
    numbers = {number for wide in (False, True) for number, _, _ in corpus(wide)}
    assert numbers >= known_numbers()


@given(st.sampled_from(KNOWN), st.sampled_from(codes.languages()), st.text(max_size=20))
def test_a_message_is_found_inside_other_words(number, lang, before):
    system = tomllib_entry(lang, number).get("system")
    if system and number != 735 and len(plain(system)) > 12:
        found = search(f"{before} {system}.")
        assert set(found) <= known_numbers()
        assert number in search(system)


def tomllib_entry(lang, number):
    return texts.table(lang, str(number))


@given(st.one_of(st.text(max_size=40), st.sampled_from(['"', 'x"\n[5]', "\ud800", "\\", ".", "。"])))
def test_any_text_is_compared_with_the_messages(text):
    assert set(numbers_of_message(text)) <= known_numbers()


@pytest.mark.parametrize("lang", codes.languages())
def test_the_short_way_for_whole_messages_finds_what_the_search_finds(lang):
    for number in KNOWN:
        system = texts.table(lang, str(number)).get("system")
        if system and number != 735:
            found = numbers_of_message(f"{system}.")
            assert number in found
            assert set(found) <= set(search(system))


@given(st.text())
def test_plain_settles(text):
    assert plain(plain(text)) == plain(text)


@given(st.text(max_size=60))
@example("㈱")  # wide only once it is normalized
@example("ｱ")
@example("接続 x")
def test_any_text_is_searched(text):
    for number in (*search(text), *similar(text)):
        assert number in known_numbers()


@given(
    st.lists(
        st.sampled_from(["error", "10054", "[WinError", "接続", "connection", "E", ":", "0x", "reset", "-"]),
        max_size=8,
    )
)
def test_any_mixture_of_marks_is_answered(words):
    text = " ".join(words)
    assert set(lookup_all(text)) <= known_numbers()
    assert len(suggest(text)) <= 3


# -- spellings


def facts():
    return tomllib.loads((Path(texts.DATA) / "names.toml").read_text("utf-8"))


def test_the_table_of_spellings():
    table = facts()
    assert [int(number) for number in table] == sorted(map(int, table))
    assert set(map(int, table)) <= known_numbers()
    for number, row in table.items():
        assert row.keys() <= {"name", "aliases", "linux", "dotnet", "rust", "node", "java", "more"}, number


@pytest.mark.parametrize("number", KNOWN)
def test_a_spelling_leads_back_to_its_code_or_to_the_commoner_one(number):
    for world, spelling in spellings(number):
        found = codes.lookup(spelling)
        assert found is not None, spelling
        if world in (".NET", "Go"):
            assert found == number, spelling
        elif world != "Node.js":  # whose names are errno's, and mean what they mean on Linux
            assert spelling in dict(spellings(found)).values(), spelling


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ConnectionReset", 10054),
        ("SocketError.HostNotFound", 11001),
        ("System.Net.Sockets.SocketError.TryAgain", 11002),
        ("ErrorKind::AddrInUse", 10048),
        ("ErrorKind::Unsupported", 120),
        ("ErrorKind::QuotaExceeded", 10069),
        ("std::io::ErrorKind::TimedOut", 10060),
        ("syscall.WSAECONNRESET", 10054),
        ("windows.ERROR_IO_PENDING", 997),
        ("std::errc::connection_refused", 10061),
        ("boost::asio::error::connection_aborted", 10053),
        ("ENOTFOUND", 11001),
        ("ESERVFAIL", 11003),
        ("UnknownHostException", 11001),
        ("java.net.NoRouteToHostException", 10065),
        ("BrokenPipeError", 10058),
        ("socket.gaierror", 11001),
        ("would block", 10035),
    ],
)
def test_spellings_of_other_worlds(text, number):
    assert codes.lookup(text) == number


def test_nobody_spells_it_so():
    assert from_spelling("NoSuchKind") is None
    assert from_spelling("") is None
    assert spellings(10094) == ()
    assert spellings(4711) == ()
