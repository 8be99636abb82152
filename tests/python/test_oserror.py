"""OSError as on Windows."""

from __future__ import annotations

import copy
import pickle
import socket
import traceback
import urllib.error

import pytest

from winsock.codes import WSA, WinsockError
from winsock.python import _oserror


@pytest.fixture(autouse=True)
def _installed() -> None:
    _oserror.install()


@pytest.mark.parametrize(
    ("code", "cls", "number"),
    [
        (WSA.WSAECONNRESET, ConnectionResetError, 10054),
        (WSA.WSAECONNREFUSED, ConnectionRefusedError, 10061),
        (WSA.WSAECONNABORTED, ConnectionAbortedError, 10053),
        (WSA.WSAETIMEDOUT, TimeoutError, 10060),
        (WSA.WSAEWOULDBLOCK, BlockingIOError, 10035),
        (WSA.WSAEALREADY, BlockingIOError, 10037),
        (WSA.WSAESHUTDOWN, BrokenPipeError, 10058),
        (WSA.WSAEACCES, PermissionError, 13),
        (WSA.WSAEINTR, InterruptedError, 4),
        (WSA.WSAEINVAL, OSError, 22),
        (WSA.WSAENOTSOCK, OSError, 10038),
        (WSA.WSAEMSGSIZE, OSError, 10040),
        (64, OSError, 22),
        (1225, OSError, 22),
        (995, OSError, 22),
    ],
)
def test_errno_class_and_text_follow_cpython(code: int, cls: type[OSError], number: int) -> None:
    e = _oserror.winsock_error(code)
    assert type(e) is cls
    assert (e.errno, e.winerror) == (number, int(code))
    assert e.args == (number, e.strerror, None, int(code), None)
    assert str(e) == f"[WinError {int(code)}] {e.strerror}"
    assert e.strerror


def test_the_class_is_the_builtin_one() -> None:
    e = _oserror.winsock_error(WSA.WSAECONNRESET)
    assert e.__class__ is type(e) is ConnectionResetError
    assert traceback.format_exception_only(e)[0].startswith("ConnectionResetError: [WinError 10054] ")
    assert repr(e).startswith("ConnectionResetError(10054, ")


class _Defined(ConnectionError):
    """A subclass that was there before or after: it has the text of its base."""


class _WithText(OSError):
    def __str__(self) -> str:
        return "mine"


@pytest.mark.parametrize("cls", [OSError, ConnectionResetError, _Defined, socket.gaierror, urllib.error.URLError])
def test_the_text_is_that_of_a_plain_oserror_where_there_is_no_winerror(cls: type[OSError]) -> None:
    if cls is urllib.error.URLError:
        assert str(urllib.error.URLError("why")) == "<urlopen error why>"
        return
    assert str(cls(5, "text")) == "[Errno 5] text"
    assert str(cls(5, "text", "a", None, "b")) == "[Errno 5] text: 'a' -> 'b'"
    assert str(cls("alone")) == "alone"
    assert str(cls()) == ""


def test_the_text_of_a_subclass() -> None:
    args = _oserror.winsock_error(WSA.WSAECONNRESET).args
    assert str(_Defined(*args)) == f"[WinError 10054] {args[1]}"
    assert str(type("Later", (_Defined,), {})(*args)) == f"[WinError 10054] {args[1]}"
    assert str(_WithText(*args)) == "mine"
    assert OSError.__str__(_WithText(*args)) == f"[WinError 10054] {args[1]}"


def test_an_error_in_the_text_is_raised() -> None:
    class Unshown:
        def __str__(self) -> str:
            raise LookupError("no text")

    with pytest.raises(LookupError, match="no text"):
        str(OSError(5, Unshown()))


def test_every_oserror_answers_winerror() -> None:
    assert OSError(2, "no").winerror is None
    assert ConnectionResetError().winerror is None
    with pytest.raises(FileNotFoundError) as caught:
        open("/no/such/file")
    assert caught.value.winerror is None


def test_winerror_survives_args() -> None:
    e = _oserror.winsock_error(WSA.WSAECONNRESET)
    again = ConnectionResetError(*e.args)
    assert (again.winerror, again.errno, str(again)) == (10054, 10054, str(e))


def test_winerror_can_be_set_and_deleted() -> None:
    e = OSError(1, "x")
    e.winerror = 5
    assert e.winerror == 5
    del e.winerror
    assert e.winerror is None


@pytest.mark.parametrize("how", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_stay_what_they_are(how: object) -> None:
    e = _oserror.winsock_error(WSA.WSAECONNREFUSED)
    e.extra = 1  # type: ignore[attr-defined]
    again = how(e)  # type: ignore[operator]
    assert type(again) is type(e)
    assert (str(again), again.winerror, again.extra) == (str(e), 10061, 1)


@pytest.mark.parametrize(
    ("number", "cls"),
    [
        (10061, ConnectionRefusedError),
        (10054, ConnectionResetError),
        (10035, BlockingIOError),
        (10060, TimeoutError),
        (10040, OSError),
        (104, ConnectionResetError),  # Linux' own numbers go on as before
    ],
)
def test_oserror_chooses_its_class_by_the_numbers_too(number: int, cls: type[OSError]) -> None:
    assert type(OSError(number, "x")) is cls


def test_resolver_errors() -> None:
    e = _oserror.name_error(WSA.WSAHOST_NOT_FOUND)
    assert isinstance(e, socket.gaierror)
    assert (str(e), e.errno, e.winerror) == ("[Errno 11001] getaddrinfo failed", 11001, None)
    assert str(_oserror.host_error(WSA.WSANO_DATA)) == "[Errno 11004] host not found"


def test_file_names_stand_behind_the_text() -> None:
    e = _oserror.with_winerror(0, "text", "a", 2)
    assert (type(e), str(e)) == (FileNotFoundError, "[WinError 2] text: 'a'")
    assert str(_oserror.with_winerror(0, "text", "a", 2, "b")) == "[WinError 2] text: 'a' -> 'b'"


def test_face_translates_and_leaves_no_frame() -> None:
    @_oserror.face
    def refuse() -> None:
        raise WinsockError(WSA.WSAEISCONN)

    with pytest.raises(OSError, match=r"^\[WinError 10056\] ") as caught:
        refuse()
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [f.filename for f in frames] == [__file__]
    assert caught.value.__context__ is None


def test_face_leaves_other_exceptions_alone() -> None:
    @_oserror.face
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        fail()
    assert len(traceback.extract_tb(caught.value.__traceback__)) == 1


def test_the_language_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winsock.codes.message", lambda code, lang="en": f"{lang} {int(code)}")
    try:
        _oserror.set_language("ja")
        assert str(_oserror.winsock_error(WSA.WSAECONNREFUSED)) == "[WinError 10061] ja 10061"
        _oserror.set_language(None)
        assert str(_oserror.winsock_error(WSA.WSAECONNREFUSED)) == "[WinError 10061] en 10061"
    finally:
        monkeypatch.undo()
        _oserror.set_language(None)
