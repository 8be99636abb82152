"""OSError as on Windows."""

from __future__ import annotations

import copy
import pickle
import socket
import traceback

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
    assert isinstance(e, cls)
    assert type(e).__mro__[1] is cls
    assert (e.errno, e.winerror) == (number, int(code))
    assert e.args == (number, e.strerror, None, int(code), None)
    assert str(e) == f"[WinError {int(code)}] {e.strerror}"
    assert e.strerror


def test_the_class_passes_for_the_builtin_one() -> None:
    e = _oserror.winsock_error(WSA.WSAECONNRESET)
    assert type(e).__name__ == type(e).__qualname__ == "ConnectionResetError"
    assert type(e).__module__ == "builtins"
    assert traceback.format_exception_only(e)[0].startswith("ConnectionResetError: [WinError 10054] ")
    assert repr(e).startswith("ConnectionResetError(10054, ")


def test_every_oserror_answers_winerror() -> None:
    assert OSError(2, "no").winerror is None
    assert ConnectionResetError().winerror is None
    with pytest.raises(FileNotFoundError) as caught:
        open("/no/such/file")
    assert caught.value.winerror is None


def test_winerror_survives_args() -> None:
    e = _oserror.winsock_error(WSA.WSAECONNRESET)
    again = ConnectionResetError(*e.args)
    assert (again.winerror, again.errno) == (10054, 10054)


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
    cls = type(_oserror.winsock_error(2))
    assert cls is not FileNotFoundError
    assert isinstance(_oserror.winsock_error(2), FileNotFoundError)


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
