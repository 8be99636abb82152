"""The languages say the same: no text is missing in any, none is left in English, each has its own typography."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from winsock import codes
from winsock.codes import _texts as texts

DATA = Path(texts.DATA)
CJK = "\u3040-\u30ff\u3400-\u9fff"
HALF_WIDTH_BETWEEN = re.compile(rf"[{CJK}][.,;:!?][{CJK}]|[{CJK}][.,;!?]$")
SPACED_PUNCTUATION = re.compile(r" [、。，；：！？」』）]|[「『（] ")
COMMANDS = re.compile(r"`((?:netsh|netstat|nslookup|ipconfig|route|Test-NetConnection)\b[^`]*)`")
SIMPLIFIED = set("关发连进设网络错误无这个对应为务时间当过")
PLACES = re.compile(r"\{\w+\}")


def parsed(lang):
    return tomllib.loads((DATA / f"{lang}.toml").read_text("utf-8"))


ENGLISH = parsed("en")
OTHERS = [lang for lang in texts.LANGUAGES if lang != "en"]


@pytest.fixture(scope="module", params=OTHERS)
def other(request):
    return request.param, parsed(request.param)


def flat(fields):
    """Key and text of each field, lists joined: languages may cut causes differently."""
    for key, value in fields.items():
        yield key, " ".join(value) if isinstance(value, list) else value


def same_words(text, translated):
    """Whether a text was left as it is, though it has words to translate: names and numbers are the same anywhere."""
    words = re.findall(r"\b[A-Za-z]?[a-z]+\b", re.sub(r"`[^`]*`|\{\w+\}", "", text))
    return text == translated and len(words) > 2


def test_the_check_for_untranslated_texts_sees_words_but_not_names():
    assert same_words("Nothing to do here.", "Nothing to do here.")
    assert not same_words("Nothing to do here.", "Rien à faire ici.")
    assert not same_words("ERROR_ABANDONED_WAIT_0", "ERROR_ABANDONED_WAIT_0")
    assert not same_words("`netsh winsock reset`", "`netsh winsock reset`")
    assert not same_words("nearest: {codes}", "nearest: {codes}")


def test_every_language_of_the_reference_is_there():
    assert codes.languages() == texts.LANGUAGES


def test_the_same_tables_in_the_same_order(other):
    _, whole = other
    assert list(whole) == list(ENGLISH)


def test_every_code_has_the_same_fields(other):
    _, whole = other
    for number, fields in ENGLISH.items():
        assert whole[number].keys() == fields.keys(), number


def test_nothing_is_empty_or_padded(other):
    _, whole = other
    for number, fields in whole.items():
        for key, text in flat(fields):
            assert isinstance(text, str), (number, key)
            assert text == text.strip(), (number, key)
            assert "  " not in text, (number, key)
            assert text, (number, key)


def test_nothing_is_left_in_english(other):
    _, whole = other
    left = []
    for number, fields in ENGLISH.items():
        translated = dict(flat(whole[number]))
        left += [(number, key) for key, text in flat(fields) if same_words(text, translated.get(key, ""))]
    assert left == []


def test_places_to_fill_in_are_kept(other):
    _, whole = other
    for table in ("labels", "conditions"):
        for key, text in ENGLISH[table].items():
            assert sorted(PLACES.findall(whole[table][key])) == sorted(PLACES.findall(text)), (table, key)


def test_codes_that_a_text_names_are_named_in_its_translation(other):
    """The numbers in parentheses are the references between entries."""
    _, whole = other
    for number, fields in ENGLISH.items():
        translated = dict(flat(whole[number]))
        for key, text in flat(fields):
            if key in ("title", "system"):
                continue
            for reference in re.findall(r"\b1[01]\d{3}\b", text):
                assert reference in translated[key], (number, key, reference)


def test_commands_are_kept(other):
    _, whole = other
    for number, fields in ENGLISH.items():
        translated = dict(flat(whole[number]))
        for key, text in flat(fields):
            for command in re.findall(COMMANDS, text):
                assert command.split()[0] in translated[key], (number, key, command)


@pytest.mark.parametrize("lang", ["ja", "zh-Hant"])
def test_east_asian_typography(lang):
    for number, fields in parsed(lang).items():
        for key, text in flat(fields):
            assert not HALF_WIDTH_BETWEEN.search(text), (number, key, text)
            assert not SPACED_PUNCTUATION.search(text), (number, key, text)
            if number.isdigit() and key not in ("title", "system"):
                assert re.search(f"[{CJK}]", text), (number, key, text)
                assert text.endswith(("。", "）")), (number, key, text)
            if lang == "zh-Hant":
                assert not re.search("[\u3040-\u30ff]", text), (number, key, text)  # kana
                assert not set(text) & SIMPLIFIED, (number, key, text)
            if lang == "ja":
                assert "，" not in text, (number, key, text)


def test_french_typography():
    for number, fields in parsed("fr").items():
        for key, text in flat(fields):
            if key == "system":
                continue
            prose = re.sub(r"`[^`]*`", "", text)
            assert not re.search(r"[^\s\u00a0\u202f:][!?;](?:\s|$)", prose), (number, key, text)
            assert not re.search(r"\S [!?;:»]|« ", prose), (number, key, text)  # a line must not break there
            assert not re.search(r'"', prose), (number, key, text)


@pytest.mark.parametrize("lang", codes.languages())
def test_messages_find_their_codes(lang):
    """What this language's Windows shows is understood, whole and inside a line of a log."""
    for number, fields in parsed(lang).items():
        if number.isdigit() and number != "735" and (system := fields.get("system")):
            assert int(number) in codes.lookup_all(system), number
            assert int(number) in codes.lookup_all(f"{system}."), number


@pytest.mark.parametrize("lang", codes.languages())
def test_every_entry_is_in_its_language(lang):
    for number in map(int, codes.WSA):
        entry = codes.explain(number, lang=lang)
        assert entry.lang == lang
        assert entry.title == parsed(lang)[str(number)]["title"]
