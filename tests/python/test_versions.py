"""What the view shows depends on the version of Python as it does on Windows."""

from __future__ import annotations

import signal
import socket
import sys

import pytest

from winsock.python import _overlay
from winsock.python._versions import OS_NAMES, SOCKET_NAMES, here, later

TABLE = {(3, 12): "one two", (3, 13): "three"}


@pytest.mark.parametrize(
    ("version", "names"),
    [((3, 11), []), ((3, 12), ["one", "two"]), ((3, 13), ["one", "two", "three"]), ((4, 0), ["one", "two", "three"])],
)
def test_a_version_has_its_own_and_earlier_names(version: tuple[int, int], names: list[str]) -> None:
    assert here(TABLE, version) == names
    assert sorted(here(TABLE, version) + later(TABLE, version)) == ["one", "three", "two"]


@pytest.mark.parametrize("table", [OS_NAMES, SOCKET_NAMES])
def test_a_name_comes_once(table: dict[tuple[int, int], str]) -> None:
    names = here(table, (9, 9))
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["set_blocking", "get_blocking"])
def test_os_tells_what_blocks_since_3_12(name: str) -> None:
    assert hasattr(_overlay.os_view(), name) is (sys.version_info >= (3, 12))


@pytest.mark.parametrize("view", [_overlay.signal_view, _overlay.strict_signal_view])
def test_windows_signals_are_signals(view: object) -> None:
    shown = view()  # type: ignore[operator]
    assert [(s.name, s.value) for s in (shown.CTRL_C_EVENT, shown.CTRL_BREAK_EVENT, shown.SIGBREAK)] == [
        ("CTRL_C_EVENT", 0), ("CTRL_BREAK_EVENT", 1), ("SIGBREAK", 21),
    ]  # fmt: skip
    assert isinstance(shown.SIGBREAK, signal.Signals)
    assert shown.SIGINT is signal.SIGINT


@pytest.fixture
def wakeup():
    """The view's set_wakeup_fd; afterwards things are as before."""
    before = signal.set_wakeup_fd(-1)
    yield _overlay.signal_view().set_wakeup_fd
    signal.set_wakeup_fd(before)


def test_a_wakeup_socket_may_block(wakeup) -> None:
    a, b = socket.socketpair()
    with a, b:
        with pytest.raises(ValueError, match="non-blocking"):
            signal.set_wakeup_fd(a.fileno())
        assert wakeup(a.fileno()) == -1
        assert a.getblocking()
        signal.raise_signal(signal.SIGCHLD)  # no handler: nothing is written
        assert wakeup(-1) == a.fileno()


@pytest.mark.parametrize(
    ("fd", "error"), [("1", TypeError), (1 << 40, OverflowError), (1 << 20, (OSError, ValueError))]
)
def test_what_is_no_descriptor_is_refused(wakeup, fd: object, error) -> None:
    with pytest.raises(error):
        wakeup(fd)
    assert wakeup(-1) == -1
