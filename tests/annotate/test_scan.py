"""Logs as bytes: blocks, line ends, encodings, long lines, junk.  Nothing of how they come may matter."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from winsock.annotate import Scanner, _scan, find, scan
from winsock.annotate._encoding import guess, sniff
from winsock.annotate._messages import spellings
from winsock.annotate._names import c_names, winsock_names
from winsock.annotate._prefilter import candidates
from winsock.annotate._scan import LONGEST, OVERLAP

# Other work on the machine must not fail a test.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = [
    "ConnectionResetError: [WinError 10054] An existing connection was forcibly closed by the remote host",
    "listening on port 10054",
    "send failed: WSAECONNABORTED",
    "",
    "hr=0x8007274D, retrying",
    "日本語の行",
    "既存の接続はリモート ホストに強制的に切断されました。",
    "Une connexion existante a dû être fermée par l’hôte distant",
    "connect ECONNREFUSED 127.0.0.1:5432",
    "Ошибка сокета 10061",
    "10060: error",
]
line_texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(blacklist_characters="\r\n"), max_size=20))
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
junk = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([t.encode() for t in TEXTS] + [b"\n", b"\r", b"\r\n", b"\0", b"\xff\xfe", b"WinError 10054"]),
)


@pytest.fixture(scope="module", autouse=True)
def no_small_blocks():
    """Let the first look be taken at the smallest blocks, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_scan, "SMALL", 0)
        yield


def run(data, sizes=(), encoding=None):
    """The pieces of a log that comes in parts of these sizes, the last of them again and again."""
    scanner = Scanner(encoding)
    pieces = []
    at = turn = 0
    while at < len(data):
        size = sizes[min(turn, len(sizes) - 1)] if sizes else len(data)
        pieces += scanner.feed(data[at : at + size])
        at += size
        turn += 1
    pieces += scanner.close()
    return pieces, scanner


def rows(pieces):
    return [(line.number, line.text, [hit.number for hit in line.hits]) for _, line in pieces if line is not None]


# -- the quick look misses nothing


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "cp950", "gb18030", "cp949", "cp1251", "cp1252", "cp1250"])
def test_every_message_passes_the_first_look(encoding):
    lost = []
    tried = 0
    for text in spellings():
        try:
            raw = f"x {text}.".encode(encoding)
        except UnicodeEncodeError:
            continue
        tried += 1
        encodings = () if raw.isascii() else ("utf-8", encoding)
        if candidates(b"a\n" + raw + b"\nb\n", 0, len(raw) + 5, encodings) != [(2, 2 + len(raw))]:
            lost.append(text)
    assert tried > 50
    assert lost == []


def test_every_name_passes_the_first_look():
    for name in (*winsock_names(), *c_names()):
        assert candidates(f"a\nx {name}\n".encode(), 2, 5 + len(name), ()) == [(2, 4 + len(name))]


@calm
@given(line_texts)
@example("connect EACCES 0.0.0.0:80")
@example("SocketErrorCode: TimedOut")
@example("kind: ConnectionReset")
@example("ErrorKind::AddrInUse")
@example("java.net.UnknownHostException: a")
@example("BindException: Permission denied")
@example("OSError: [WinError 64] x")
@example("Win32Exception (1225)")
@example("socket error１００５４ 10054")
def test_a_line_gives_what_find_gives(text):
    pieces, _ = run((text + "\n").encode("utf-8", "surrogatepass"))
    clean = text.removeprefix("\ufeff")
    if text.startswith("\ufeff") or "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        return
    assert rows(pieces) == [(1, clean, [h.number for h in find(clean)])] * bool(find(clean))


def test_digits_of_other_scripts_are_no_codes():
    assert find("[WinError １００５４]") == []


# -- blocks and lines


@calm
@given(st.lists(st.tuples(line_texts, line_ends), max_size=12), st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_borders_of_blocks_change_nothing(lines, sizes):
    data = "".join(text + end for text, end in lines).encode("utf-8", "replace")
    whole, one = run(data)
    parts_, other = run(data, sizes)
    assert rows(parts_) == rows(whole)
    assert one.lines == other.lines
    assert b"".join(raw for raw, _ in parts_) == data


@calm
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(["\n", "\r\n", "\r"])), min_size=1, max_size=12))
def test_line_numbers_are_those_of_universal_newlines(lines):
    data = "".join(text + end for text, end in lines).encode()
    pieces, _ = run(data)
    expected = [
        (number, text.rstrip("\n"), codes)
        for number, text in enumerate(io.TextIOWrapper(io.BytesIO(data), "utf-8"), 1)
        if (codes := [hit.number for hit in find(text.rstrip("\n"))])
    ]
    assert rows(pieces) == expected


@calm
@given(st.lists(junk, max_size=12).map(b"".join), st.lists(st.integers(1, 9), min_size=1, max_size=3))
@example(b"a\0b\0" * 3, [1])
@example(b"\xff\xfeW\0", [1])
@example(b"x\r", [1])
@example(b"\r\n\r\n\r", [1])
@example(b"\xef\xbb\xbfWSAENOTCONN", [1])
def test_any_bytes_in_any_blocks(data, sizes):
    whole, one = run(data)
    in_parts, other = run(data, sizes)
    assert rows(in_parts) == rows(whole)
    assert one.encoding == other.encoding
    if not one.encoding.startswith("utf-16") and not one.encoding.startswith("utf-32"):
        assert b"".join(raw for raw, _ in in_parts) == data


@calm
@given(st.lists(st.binary(max_size=30).filter(lambda b: b"1" not in b and b"W" not in b and b"E" not in b)))
def test_bytes_without_signs_pass_untouched(lines):
    data = b"\n".join(lines)
    pieces, scanner = run(data)
    if scanner.encoding[:4] != "utf-" or scanner.encoding == "utf-8":
        assert [(raw, line) for raw, line in pieces if line is not None] == []
        assert b"".join(raw for raw, _ in pieces) == data


def test_a_last_line_without_its_end():
    assert rows(run(b"a\nWinError 10054")[0]) == [(2, "WinError 10054", [10054])]


def test_an_empty_log():
    assert run(b"")[0] == []


def test_a_stream_that_pauses_is_read_up_to_the_pause():
    scanner = Scanner()
    assert rows(scanner.feed(b"WinError 10054\nhalf")) == []  # too little to know the encoding by
    assert rows(scanner.flush()) == [(1, "WinError 10054", [10054])]
    assert rows(scanner.feed(b" WSAENOTCONN\n")) == [(2, "half WSAENOTCONN", [10057])]
    assert rows(scanner.flush()) == []
    assert rows(scanner.close()) == []


@calm
@given(st.lists(st.tuples(line_texts, line_ends), max_size=12))
def test_small_blocks_are_looked_at_another_way_with_the_same_result(lines):
    data = "".join(text + end for text, end in lines).encode("utf-8", "replace")
    by_signs = rows(run(data)[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_scan, "SMALL", 1 << 30)
        assert rows(run(data)[0]) == by_signs


# -- encodings

JAPANESE = "2026-11-21 エラー: 既存の接続はリモート ホストに強制的に切断されました。 (10054)"
TRADITIONAL = "2026-11-21 錯誤: 無法連線，因為目標電腦拒絕連線。 伺服器沒有回應"
SIMPLIFIED = "2026-11-21 错误: 由于目标计算机积极拒绝，无法连接。"
RUSSIAN = "2026-11-21 Ошибка: Удаленный хост принудительно разорвал существующее подключение"
KOREAN = "2026-11-21 오류: 현재 연결은 원격 호스트에 의해 강제로 끊겼습니다"
FRENCH = "2026-11-21 Erreur : Une connexion existante a dû être fermée par l’hôte distant"
POLISH = "2026-11-21 Błąd: Istniejące połączenie zostało gwałtownie zamknięte przez zdalnego hosta"
PAGES = [
    (JAPANESE, "cp932", 10054),
    (JAPANESE, "euc_jp", 10054),
    (TRADITIONAL, "cp950", 10061),
    (SIMPLIFIED, "gb18030", 10061),
    (RUSSIAN, "cp1251", 10054),
    (RUSSIAN, "cp866", 10054),
    (RUSSIAN, "koi8-r", 10054),
    (KOREAN, "cp949", 10054),
    (FRENCH, "cp1252", 10054),
    (FRENCH.replace("’", "'"), "cp850", 10054),
    (POLISH, "cp1250", 10054),
]


@pytest.mark.parametrize(("text", "page", "code"), PAGES, ids=[page for _, page, _ in PAGES])
def test_code_pages_are_found_out(text, page, code):
    data = ("one\n" + text + "\nthree WSAENOTSOCK\n").encode(page)
    pieces, scanner = run(data)
    assert rows(pieces) == [(2, text, [code]), (3, "three WSAENOTSOCK", [10038])]
    assert (scanner.encoding, scanner.guessed) == (page, True)
    assert b"".join(raw for raw, _ in pieces) == data
    assert scanner.in_utf8(data).decode() == data.decode(page)


@pytest.mark.parametrize(("text", "page", "code"), PAGES, ids=[page for _, page, _ in PAGES])
def test_code_pages_may_be_given(text, page, code):
    pieces, scanner = run((text + "\n").encode(page), encoding=page)
    assert rows(pieces) == [(1, text, [code])]
    assert not scanner.guessed


@pytest.mark.parametrize("mark", [True, False], ids=["mark", "no-mark"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings(encoding, mark):
    texts = ["Application log of a Windows service", "plain", "[WinError 10054] " + JAPANESE, "x WSAENOTCONN"]
    data = ("\ufeff" * mark + "\r\n".join(texts) + "\r\n").encode(encoding)
    for sizes in ((), (1,), (3, 7), (4096,)):
        pieces, scanner = run(data, sizes)
        assert rows(pieces) == [(3, texts[2], [10054]), (4, texts[3], [10057])]
        assert scanner.encoding == encoding
        assert b"".join(raw for raw, _ in pieces).decode() == "\r\n".join(texts) + "\r\n"


def test_utf_16_asked_for_without_a_byte_order():
    data = "\ufeffWinError 10054\n"
    assert rows(run(data.encode("utf-16-be"), encoding="utf-16")[0]) == [(1, "WinError 10054", [10054])]
    assert rows(run(data[1:].encode("utf-16-le"), encoding="utf-16")[0]) == [(1, "WinError 10054", [10054])]


def test_the_mark_of_utf_8_is_no_part_of_the_first_line():
    assert rows(run(b"\xef\xbb\xbf[WinError 10054]\n")[0]) == [(1, "[WinError 10054]", [10054])]


def test_lines_in_several_encodings():
    data = b"\n".join([FRENCH.encode(), FRENCH.encode("cp1252"), FRENCH.encode(), b"\xff\xfe\xfa WSAENOTCONN"])
    pieces, _ = run(data)
    assert [codes for _, _, codes in rows(pieces)] == [[10054], [10054], [10054], [10057]]
    assert [text for _, text, _ in rows(pieces)][:3] == [FRENCH] * 3


def test_bytes_without_a_meaning_stay_visible():
    (row,) = rows(run(b"\xf0\x01\xff WSAENOTCONN \xc3\n")[0])
    assert row == (1, "\\xf0\x01\\xff WSAENOTCONN \\xc3", [10057])


def test_binary_junk_is_no_language():
    assert guess(bytes(range(256)) * 20) == ""
    assert sniff(b"\0" * 4096) == ("", 0)


def test_an_encoding_that_does_not_exist():
    with pytest.raises(LookupError):
        list(scan(io.BytesIO(b"x"), "utf-7000"))


@pytest.mark.parametrize("encoding", ["utf-7", "cp037"])
def test_encodings_that_are_not_like_ascii(encoding):
    data = "a\n[WinError 10054] x\n".encode(encoding)
    assert rows(run(data, encoding=encoding)[0]) == [(2, "[WinError 10054] x", [10054])]


# -- long lines


def long_line(*places):
    data = bytearray(b"x" * (4 * LONGEST))
    for place, text in places:
        data[place : place + len(text)] = text
    return bytes(data)


SIGN = b" [WinError 10054] "


@pytest.mark.parametrize("place", [0, LONGEST - 8, LONGEST - OVERLAP - 3, 2 * LONGEST, 4 * LONGEST - len(SIGN)])
@pytest.mark.parametrize("sizes", [(), (1000,), (LONGEST,), (LONGEST + 1, 77)], ids=str)
def test_a_code_anywhere_in_a_long_line(place, sizes):
    data = b"first\n" + long_line((place, SIGN)) + b"\r\nlast WSAENOTCONN\n"
    pieces, scanner = run(data, sizes)
    lines = [line for _, line in pieces if line is not None]
    assert [(line.number, [h.number for h in line.hits], line.cut) for line in lines] == [
        (2, [10054], True),
        (3, [10057], False),
    ]
    assert "[WinError 10054]" in lines[0].text
    assert len(lines[0].text) <= 4096
    assert (scanner.cut, scanner.lines) == (1, 3)
    assert b"".join(raw for raw, _ in pieces) == data


def test_all_codes_of_a_long_line_are_one_line():
    data = long_line((100, SIGN), (2 * LONGEST, b" WSAENOTCONN "), (3 * LONGEST, SIGN))
    assert [(number, codes) for number, _, codes in rows(run(data)[0])] == [(1, [10054, 10057])]


def test_memory_does_not_grow_with_a_line():
    block = b"y" * (1 << 20)
    scanner = Scanner()
    list(scanner.feed(block))
    tracemalloc.start()
    for _ in range(20):
        for _ in scanner.feed(block):
            pass
    for _ in scanner.feed(SIGN + b"\n"):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert scanner.lines == 1


def test_memory_does_not_grow_with_a_log():
    block = b"".join(b"2026-11-21 INFO request %d served\n" % n for n in range(20_000))
    block += b"recv failed: WSAECONNRESET\n"
    scanner = Scanner()
    list(scanner.feed(block))
    tracemalloc.start()
    for _ in range(20):
        for _ in scanner.feed(block):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_scan_reads_a_stream_to_its_end():
    log = io.BytesIO(b"a\nWinError 10054\n" * 3)
    assert [line.number for line in scan(log)] == [2, 4, 6]
    assert log.read() == b""
