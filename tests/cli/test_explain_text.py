"""The lines of the pages: where they may break, and how wide they are on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock.cli._explain_text import columns, wrap

CLOSING, OPENING = "、。，」）？ーっ", "「（『"
LETTERS = st.text(alphabet="ab 接続漢字かな、。「」（）éàü«»\u00a0-:", max_size=120)


@pytest.mark.parametrize(
    ("text", "wide"), [("abc", 3), ("接続", 4), ("ａ", 2), ("é", 1), ("한글", 4), ("", 0), ("「a」", 5)]
)
def test_columns(text, wide):
    assert columns(text) == wide


def test_words_stay_whole():
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("incomprehensibilities and", 8) == ["incomprehensibilities", "and"]


def test_japanese_breaks_anywhere_but_before_closing_and_after_opening_marks():
    assert wrap("接続が拒否されました。", 8) == ["接続が拒", "否されま", "した。"]
    assert wrap("接続が拒。否", 8) == ["接続が", "拒。否"]
    assert wrap("接続が「拒」否", 8) == ["接続が", "「拒」否"]


def test_a_command_stays_on_one_line_where_it_can():
    assert wrap("try `a b c` now", 9) == ["try", "`a b c`", "now"]
    assert wrap("次の `a b c` です", 9) == ["次の", "`a b c`", "です"]
    assert wrap("try `a b c` now", 6) == ["try `a", "b c`", "now"]
    assert wrap("a lone ` mark stays", 6) == ["a lone", "` mark", "stays"]


def test_latin_words_in_japanese_stay_whole():
    assert wrap("値はWSAECONNRESETです", 10) == ["値は", "WSAECONNRESET", "です"]


def test_french_does_not_break_before_its_punctuation():
    assert wrap("quoi\u00a0? rien", 6) == ["quoi\u00a0?", "rien"]


@given(LETTERS, st.integers(10, 60))
def test_nothing_is_lost(text, width):
    assert "".join(wrap(text, width)).replace(" ", "") == text.replace(" ", "")


@given(LETTERS, st.integers(10, 60))
def test_lines_fit_unless_one_piece_does_not(text, width):
    for line in wrap(text, width):
        if columns(line) > width:
            assert " " not in line.strip(" ")


@given(LETTERS, st.integers(10, 60))
def test_no_line_starts_with_a_closing_mark_or_ends_with_an_opening_one(text, width):
    lines = wrap("".join(text.split(" ")), width)
    assert not any(line[:1] in tuple(CLOSING) for line in lines[1:])
    assert not any(line[-1:] in tuple(OPENING) for line in lines[:-1])
