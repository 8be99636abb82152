"""The catalogue: every code has its entry, and an entry reads the same whichever way it is read."""

from __future__ import annotations

import copy
import errno
import pickle
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from winsock import codes
from winsock.codes import WSA
from winsock.codes import _elsewhere as elsewhere
from winsock.codes import _names as names
from winsock.codes import _texts as texts
from winsock.codes._names import known_numbers

DATA = Path(texts.DATA)
NEEDED = {"title", "meaning", "causes", "remedy_program", "remedy_user"}
OPTIONAL = {"system", "berkeley", "winsock11", "ce", "note"}
MOST_CAUSES = 5


def parsed(lang):
    return tomllib.loads((DATA / f"{lang}.toml").read_text("utf-8"))


def entries(lang):
    return {int(key): fields for key, fields in parsed(lang).items() if key.isdigit()}


@pytest.fixture(params=codes.languages())
def language(request):
    return request.param


def test_a_file_holds_known_codes_in_order_then_labels_and_conditions(language):
    numbers = list(entries(language))
    assert numbers == sorted(numbers)
    assert set(numbers) <= known_numbers()
    assert list(parsed(language))[len(numbers) :] in (["labels"], ["labels", "conditions"])


def test_texts_are_clean(language):
    for number, fields in entries(language).items():
        assert fields.keys() <= NEEDED | OPTIONAL, number
        assert 1 <= len(fields["causes"]) <= MOST_CAUSES, number
        for key, value in fields.items():
            for text in value if key == "causes" else [value]:
                assert text, (number, key)
                assert text == text.strip(), (number, key)
                assert "  " not in text, (number, key)
                assert "\n" not in text, (number, key)
                assert not set(text) & set('"\\'), (number, key)
                ends = text.endswith((".", "。"))
                assert ends != (key in ("title", "system")), (number, key, text)


def test_a_table_cut_out_reads_as_the_whole_file_does(language):
    whole = parsed(language)
    for name in [*map(str, known_numbers()), "labels", "conditions"]:
        assert texts.table(language, name) == whole.get(name, {}), name


def test_english_is_complete():
    whole = entries("en")
    assert set(whole) == known_numbers()
    for number, fields in whole.items():
        assert fields.keys() >= NEEDED, number
        assert number == 10094 or "system" in fields, number


def test_the_reference_set_names_what_older_systems_make_of_each_code():
    whole = entries("en")
    contrasted = [n for n in map(int, WSA) if "berkeley" in whole[n]]
    assert len(contrasted) >= 45
    for number in (10091, 10094, 10101, 10105, 10051, 10037, 10036):  # where documents disagree
        assert "note" in whole[number], number


@pytest.mark.parametrize("code", WSA, ids=lambda code: code.name)
def test_every_member_has_a_complete_entry(code):
    entry = codes.explain(code)
    assert entry is not None
    assert (entry.number, entry.name, entry.lang) == (int(code), code.name, "en")
    assert all((entry.title, entry.meaning, entry.causes, entry.remedy_program, entry.remedy_user, entry.message))
    assert entry.hresult == 0x80070000 + code
    if not 11001 <= code <= 11004:
        assert entry.exception == codes.exception_class(code).__name__
    assert entry.errno == codes.winerror_to_errno(code)


def test_the_seed_entry():
    entry = codes.explain(10054)
    assert entry.name == "WSAECONNRESET"
    assert entry.message == "An existing connection was forcibly closed by the remote host"
    assert (entry.exception, entry.errno) == ("ConnectionResetError", 10054)
    assert (entry.linux, entry.linux_errno) == ("ECONNRESET", errno.ECONNRESET)
    assert entry.hresult == 0x80072746


def test_resolver_entries_name_the_exception_that_python_raises():
    entry = codes.explain(11001)
    assert (entry.exception, entry.linux, entry.linux_errno) == ("socket.gaierror", "EAI_NONAME", None)
    assert set(entry.aliases) == {"EAI_NONAME", "EAI_NODATA", "HOST_NOT_FOUND"}


def test_names_of_other_documents_are_aliases():
    assert "WSAINVALIDPROVIDER" in codes.explain(10105).aliases
    assert "WSA_INVALIDPROVIDER" in codes.explain(10105).aliases
    assert codes.explain(997).aliases == ("ERROR_IO_PENDING",)


def test_the_two_odd_numbers_of_a_listing_have_notes():
    success, misprint = codes.explain(0), codes.explain(10094)
    assert success.name == "NO_ERROR"
    assert success.exception is None
    assert success.note
    assert misprint.name == ""
    assert misprint.message is None
    assert "10101" in misprint.note


@pytest.mark.parametrize("number", [-1, 7, 104, 10000, 10100, 11034, 2**31, 2**70])
def test_a_number_that_is_no_code(number):
    assert codes.explain(number) is None
    assert codes.message(number) is None


def test_entries_of_the_same_content_are_equal():
    entry, same = codes.explain(10054), codes.explain(10054)
    assert entry == same == pickle.loads(pickle.dumps(entry)) == copy.deepcopy(entry)
    assert hash(entry) == hash(same)
    assert len({entry, same, codes.explain(10053), codes.explain(10054, "recv")}) == 3
    assert entry != entry.asdict()
    assert repr(entry).startswith("Entry(number=10054, name='WSAECONNRESET', ")


def test_the_file_of_names_says_what_the_tables_say():
    whole = tomllib.loads((DATA / "names.toml").read_text("utf-8"))
    numbers = names.numbers_by_name()
    assert [int(number) for number in whole] == sorted(known_numbers())
    for number in known_numbers():
        row = whole[str(number)]
        shown = names.name_of(number)
        assert row.get("name", "") == shown
        assert row.get("aliases", "").split() == sorted(n for n in numbers if numbers[n] == number and n != shown)
        linux = row.get("linux")
        assert getattr(errno, linux or "", None) == codes.to_errno(number), number
        if linux is not None and linux.startswith("EAI_"):
            assert codes.from_eai(getattr(socket, linux)) == number
        elif linux is None:
            assert codes.to_eai(number) is None


def test_names_are_found_in_the_file():
    assert elsewhere.numbers_of_names() == names.numbers_by_name()
    for number in known_numbers() - {10094}:
        assert elsewhere.number_of_name(names.name_of(number)) == number
    assert elsewhere.number_of_name("WSAENONSENSE") is None
    assert elsewhere.number_of_name("") is None


def test_an_entry_is_frozen_and_has_no_dict():
    entry = codes.explain(5)
    with pytest.raises(AttributeError):
        entry.title = "other"
    with pytest.raises(AttributeError):
        del entry.title
    assert not hasattr(entry, "__dict__")


# -- messages


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "The operation completed successfully"),
        (2, "The system cannot find the file specified"),
        (5, "Access is denied"),
        (64, "The specified network name is no longer available"),
        (121, "The semaphore timeout period has expired"),
        (995, "The I/O operation has been aborted because of either a thread exit or an application request"),
        (1225, "The remote computer refused the network connection"),
        (1236, "The network connection was aborted by the local system"),
        (10022, "An invalid argument was supplied"),
        (10035, "A non-blocking socket operation could not be completed immediately"),
        (10061, "No connection could be made because the target machine actively refused it"),
        (11001, "No such host is known"),
    ],
)
def test_message(code, text):
    assert codes.message(code) == codes.error_text(code) == text


@pytest.mark.parametrize(
    ("number", "text"), [(10094, "0x276e"), (99999, "0x1869f"), (-2147024889, "0x80070007"), (-1, "0xffffffff")]
)
def test_without_a_message_cpythons_fallback(number, text):
    assert codes.error_text(number) == f"Windows Error {text}"


def test_an_hresult_has_the_message_of_the_code_inside():
    assert codes.message(-2147014842) == codes.message(0x80072746) == codes.message(10054)


# -- languages


def test_languages_are_the_files():
    stems = {path.stem for path in DATA.glob("*.toml")}
    assert codes.languages() == tuple(sorted(stems - {"codes", "functions", "names"}))
    assert "en" in codes.languages()


@pytest.mark.parametrize("lang", ["en", "EN", "en-GB", "en_US.UTF-8"])
def test_a_regional_name_finds_its_language(lang):
    assert codes.explain(10054, lang=lang).lang == "en"
    assert codes.message(10054, lang)


@pytest.mark.parametrize("lang", ["tlh", "", "../en", "e", "english"])
def test_a_language_there_is_not(lang):
    with pytest.raises(ValueError, match=r"there are: .*en"):
        codes.explain(10054, lang=lang)
    with pytest.raises(ValueError, match="language"):
        codes.message(10054, lang)


@pytest.fixture
def sparse_language(tmp_path, monkeypatch):
    """A second language, "xx-Test", whose file has one entry with two of its texts, one of them long."""
    for stem in ("en", "codes", "functions", "names"):
        (tmp_path / f"{stem}.toml").write_bytes((DATA / f"{stem}.toml").read_bytes())
    (tmp_path / "xx-Test.toml").write_text(
        '[10054]\ntitle = "Titel \\"x\\""\nmeaning = """\nzwei\nZeilen"""\n\n[10055]\nsystem = "Voll"\n\n'
        '[labels]\nnote = "Notiz"\n',
        "utf-8",
    )
    caches = (texts.content, texts.table, texts.language, texts.languages, texts.labels)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(texts, "DATA", str(tmp_path))
    yield "xx-Test"
    for cached in caches:
        cached.cache_clear()


def test_what_a_language_lacks_comes_in_english(sparse_language):
    entry = codes.explain(10055, lang=sparse_language)
    assert (entry.message, entry.lang) == ("Voll", "xx-Test")
    assert entry.title == codes.explain(10055).title
    assert codes.message(10055, "xx_TEST") == "Voll"
    assert codes.message(10061, sparse_language) == codes.message(10061)
    assert codes.explain(10061, lang=sparse_language).title == codes.explain(10061).title
    assert texts.labels(sparse_language)["note"] == "Notiz"
    assert texts.labels(sparse_language)["causes"] == texts.labels("en")["causes"]


def test_the_first_entry_of_a_file_needs_no_header_before_it(sparse_language):
    assert codes.explain(10054, lang=sparse_language).title == 'Titel "x"'


def test_texts_that_are_not_plain_go_through_the_parser(sparse_language):
    assert codes.explain(10054, lang=sparse_language).meaning == "zwei\nZeilen"


LISTED = 'a = [\n    "b",\n    "c d",\n]\n'


@pytest.mark.parametrize(
    "table",
    [
        *('a = "b"\n', 'a = "b"\n\n# c\nd = ""\n', 'a = "say \\"b\\""\n', 'a="b"\n', "a = 'b'\n", 'a-b = "c"\n', ""),
        *(
            LISTED,
            LISTED + 'e = "f"\n',
            'a = ["b"]\n',
            "a = []\n",
            "a = [\n]\n",
            'a = [\n  "b"\n]\n',
            'a = [\n    "",\n]\n',
        ),
        *(
            'a = [\n    "b\\n",\n]\n',
            'a = [\n    "b", "c",\n]\n',
            'a = [\n    "b", # c\n]\n',
            'a.b = "c"\n',
            "a = 1\n",
        ),
    ],
)
def test_short_cut_and_parser_agree(table):
    assert texts.read_table(table) == tomllib.loads(table)


@pytest.mark.parametrize(
    "table",
    [
        *('a = "b\n', "a = b\n", "a\n", 'a = "b" c = "d"\n', 'a = "b"c"\n', 'a = "b"\na = "c"\n', 'é = "b"\n'),
        *('a = [\n    "b",\n', 'a = [\n    "b"c",\n]\n', 'a = [\n    "b\n]\n', LISTED + LISTED, 'a = [\n    ",\n]\n'),
    ],
)
def test_broken_toml_is_refused(table):
    with pytest.raises(tomllib.TOMLDecodeError):
        texts.read_table(table)


# -- cost


LIGHT = {"winsock", "winsock._version", "winsock.codes"}
HEAVY = {"tomllib", "typing", "dataclasses", "socket", "_socket", "re", "enum", "functools", "collections"}


def modules_after(program):
    text = subprocess.check_output([sys.executable, "-c", f"import sys; {program}; print(*sys.modules)"], text=True)
    return set(text.splitlines()[-1].split())


def test_importing_codes_imports_nothing():
    loaded = modules_after("import winsock.codes")
    assert {name for name in loaded if name.startswith("winsock")} == LIGHT
    assert not loaded & HEAVY


def test_explaining_a_number_imports_no_tables():
    loaded = modules_after("from winsock import codes; codes.explain(codes.lookup('10054'), 'recv', 'en')")
    assert "winsock.codes._catalogue" in loaded
    assert not loaded & HEAVY
    assert not loaded & {f"winsock.codes.{name}" for name in ("_wsa", "_errno", "_names", "_resolver", "_ntstatus")}


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = codes.nonsense
