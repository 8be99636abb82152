"""What CPython's networking modules of each version call of C modules that only Windows has: it is there.

Read off the modules' source, of every supported CPython on this machine.
"""

from __future__ import annotations

import ast
import glob
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from winsock.python import _msvcrt, _overlapped, _starts, _winapi
from winsock.python._versions import THIS, WINAPI_NAMES, later

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "other_pythons.py"
ALSO_THERE = ("/usr/lib/python{}", "/usr/local/lib/python{}")
VERSIONS = [(3, minor) for minor in range(11, 16)]
FILES = (  # and the tests of them, where they are installed
    "asyncio/base_events.py asyncio/base_subprocess.py asyncio/proactor_events.py asyncio/windows_events.py "
    "asyncio/windows_utils.py multiprocessing/connection.py selectors.py socket.py socketserver.py ssl.py "
    "test/test_asyncio/test_windows_events.py test/test_asyncio/test_windows_utils.py"
).split()
MODULES = {
    "_winapi": _winapi.make_module(),
    "_overlapped": _overlapped.make_module(),
    "msvcrt": _msvcrt.make_module(),
}


def libraries(version: tuple[int, int]) -> Iterator[Path]:
    """Where the standard library of that version may be."""
    text = "{}.{}".format(*version)
    if version == THIS:
        yield Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.spec_from_file_location("other_pythons", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for interpreter in script.candidates(text):
        yield Path(os.path.realpath(interpreter)).parents[1] / "lib" / f"python{text}"
    for pattern in ALSO_THERE:
        yield from map(Path, glob.glob(pattern.format(text)))


def library(version: tuple[int, int]) -> Path:
    """The standard library of that version."""
    for found in libraries(version):
        if (found / FILES[0]).is_file():
            return found
    pytest.skip("no CPython {}.{} on this machine".format(*version))


def used(source: str, module: str) -> set[str]:
    """Names of the module that some source uses."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module:
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module == module:
            names.update(alias.name for alias in node.names)
    return names


def sources(version: tuple[int, int]) -> list[str]:
    """The networking modules of that version."""
    where = library(version)
    return [(where / file).read_text("utf-8") for file in FILES if (where / file).is_file()]


def shown(module: ModuleType, version: tuple[int, int]) -> set[str]:
    """What the module shows to that version (this one's, and what later ones have besides)."""
    return set(vars(module)) | (set(later(WINAPI_NAMES)) - set(later(WINAPI_NAMES, version)))


def test_what_is_looked_for_is_found() -> None:
    source = "import _winapi, os\nfrom _winapi import A, B\n_winapi.C(_winapi.D, os.E)\nx._winapi.F\n"
    assert used(source, "_winapi") == {"A", "B", "C", "D"}


@pytest.mark.parametrize("version", VERSIONS, ids="{0[0]}.{0[1]}".format)
@pytest.mark.parametrize("module", MODULES)
def test_networking_modules_find_what_they_call(module: str, version: tuple[int, int]) -> None:
    names: set[str] = set().union(*(used(source, module) for source in sources(version)))
    assert names
    assert names - shown(MODULES[module], version) == set()


@pytest.mark.parametrize("version", VERSIONS, ids="{0[0]}.{0[1]}".format)
def test_an_operation_has_what_is_asked_of_it(version: tuple[int, int]) -> None:
    names: set[str] = set()
    for source in sources(version):
        for variable in "ov", "_ov":
            names |= used(source, variable)
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Attribute)
                and node.value.attr == "_ov"
                and isinstance(node.value.value, ast.Name)
            ):
                names.add(node.attr)  # self._ov.x
    names -= {"GetOverlappedResult", "getbuffer"}  # _winapi's
    assert {"WSARecv", "WSASend", "AcceptEx", "ConnectEx", "getresult", "cancel", "pending"} <= names
    overlapped = _starts.Overlapped(0)
    assert [name for name in sorted(names) if not hasattr(overlapped, name)] == []
    assert [name for name in ("GetOverlappedResult", "getbuffer", "cancel", "event") if not hasattr(
        _winapi.Overlapped, name)] == []  # fmt: skip


def test_this_version_is_one_of_them() -> None:
    assert sys.version_info[:2] in VERSIONS
    assert library(THIS).samefile(sysconfig.get_path("stdlib"))
