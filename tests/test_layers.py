"""The shape of the house: which room may import which, where state and numbers may live.

The rules are functions over a source tree: each is first shown to catch a tiny tree that breaks it, then put
to the package itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "winsock"

# The rooms from the ground up.  A room imports those on lower floors; of its own floor only itself.
FLOORS: list[set[str]] = [
    {"_version", "codes", "abi"},
    {"nt", "annotate"},
    {"ports"},
    {"transports", "names", "qos"},
    {"afd"},
    {"spi"},
    {"api"},
    {"winsock", "ws2_32", "mswsock", "iphlpapi", "ws2spi", "kernel32", "user32", "ntdll"},  # the faces
    {"python", "explore", "demos", "pytest_plugin"},
    {"asyncio"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ALONE = {"_version", "codes", "abi"}  # import nothing of winsock but themselves

# Module-level state that is meant: (module, name) -> why.
STATE: dict[tuple[str, str], str] = {
    ("winsock.nt._process", "_default"): "the process of threads that are attached to none",
    ("winsock.nt._process", "_tls"): "each thread's current process",
    ("winsock.api._pointers", "_functions"): "addresses are the interpreter's, whatever the process",
    ("winsock.api._pointers", "_addresses"): "the same, the other way round",
    ("winsock.api._pointers", "_anchors"): "what keeps those addresses from being given out twice",
    ("winsock.python._oserror", "_language"): "OSError is the interpreter's, and so is the language of its texts",
    ("winsock.python._oserror", "_made"): "a cache of those texts",
    ("winsock.python._endpoints", "_endpoints"): "descriptors are the interpreter's",
    ("winsock.nt._threads", "_resting"): "threads are the interpreter's",
    ("winsock.transports.host._bind", "_claims"): "ports are this machine's, whatever the process",
    ("winsock.transports.host._descriptors", "_graves"): "descriptors are the interpreter's",
}

PROGRAMS = "programs"  # directories of programs that users of sockets might have written, not of our own modules
CODES = range(10_001, 12_000)  # where Winsock's error codes live
LARGEST_BARE = 9999


class Module(NamedTuple):
    """A source file of the package under test."""

    name: str  # dotted
    is_package: bool
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        return room_of(self.name)


def room_of(dotted: str) -> str:
    """The room a dotted name lies in; "winsock" is the package's own __init__."""
    return dotted.split(".")[1] if "." in dotted else dotted


def is_ours(dotted: str) -> bool:
    return dotted == "winsock" or dotted.startswith("winsock.")


def modules(package: Path) -> list[Module]:
    """Every module below a package directory named winsock."""
    found = []
    for path in sorted(package.rglob("*.py")):
        if PROGRAMS in path.parts:
            continue
        parts = path.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found.append(Module(name, is_package, path, ast.parse(path.read_text("utf-8"), str(path))))
    return found


# -- imports ------------------------------------------------------------------------------------


def word(node: ast.AST) -> str:
    """The last name of `a.b.c` or `c`; "" for anything else."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def is_typing_only(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:` names types for mypy and never runs."""
    return isinstance(node, ast.If) and any(word(n) == "TYPE_CHECKING" for n in ast.walk(node.test))


def running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below that can run."""
    for child in ast.iter_child_nodes(node):
        if is_typing_only(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield from (other, *running(other))
        else:
            yield child
            yield from running(child)


def imports(module: Module, known: set[str]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of what a module imports of winsock, import_module("winsock.x") included."""
    for node in running(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.name.split(".")
                parts = parts[: len(parts) - node.level + module.is_package]
                base = ".".join([*parts, base] if base else parts)
            if is_ours(base):
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield node.lineno, inner if inner in known else base
        elif isinstance(node, ast.Call):
            first = node.args[0] if node.args else None
            if word(node.func) in ("import_module", "__import__") and isinstance(first, ast.Constant):
                text = str(first.value)
                if is_ours(text):
                    yield node.lineno, text


def wrong_imports(package: Path) -> list[str]:
    """Imports that point up, or sideways into a room of the same floor."""
    found, wrong = modules(package), []
    known = {m.name for m in found}
    for module in found:
        here = module.room
        if here not in FLOOR:
            wrong.append(f"{module.name}: the room {here} has no place in FLOORS")
            continue
        for line, target in imports(module, known):
            there = room_of(target)
            if there == here:
                continue
            if there not in FLOOR:
                wrong.append(f"{module.name}:{line}: imports {target}, which has no place in FLOORS")
            elif here in ALONE:
                wrong.append(f"{module.name}:{line}: {here} imports nothing of winsock, but {target}")
            elif FLOOR[there] >= FLOOR[here]:
                wrong.append(f"{module.name}:{line}: imports {target}, which is not below {here}")
    return wrong


# -- state --------------------------------------------------------------------------------------

CONTAINERS = {
    "list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter", "WeakSet",
    "WeakKeyDictionary", "WeakValueDictionary", "Queue", "SimpleQueue", "local", "count", "cycle",
}  # fmt: skip


def is_state(value: ast.expr | None, local_types: set[str]) -> bool:
    """An empty container or a counter: nobody writes one at module level but to fill it later."""
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(args=args, keywords=keywords):
            name = word(value.func)
            if name in local_types or name in ("local", "count", "cycle"):
                return True
            empty = not (args or keywords) or name.startswith("Weak") or name == "defaultdict"
            return name in CONTAINERS and empty
    return False


def module_state(package: Path) -> list[tuple[str, str, int]]:
    """(module, name, line) of mutable state: a name that a function rebinds, or a container made empty."""
    found = []
    for module in modules(package):
        rebound = {n for node in ast.walk(module.tree) if isinstance(node, ast.Global) for n in node.names}
        locals_ = {
            node.name
            for node in module.tree.body
            if isinstance(node, ast.ClassDef)
            and any(word(b) == "local" for b in node.bases)
        }
        for node in module.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            for target in targets:
                if isinstance(target, ast.Name) and (target.id in rebound or is_state(node.value, locals_)):
                    found.append((module.name, target.id, node.lineno))
    return found


# -- numbers ------------------------------------------------------------------------------------


def bare_numbers(package: Path) -> list[str]:
    """Large numbers outside the constants' rooms.

    A code is never written as a number; another large number only as the value of a module-level CONSTANT.
    Powers of two and masks (0x10000, 0xffff) speak for themselves.
    """
    wrong = []
    for module in modules(package):
        if module.room in ("codes", "abi"):
            continue
        named = set()
        for node in module.tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
                if all(n.id.isupper() for n in names):
                    named |= {id(n) for n in ast.walk(node.value)}
        for node in ast.walk(module.tree):
            n = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
            if type(n) is not int or n <= LARGEST_BARE:
                continue
            if n in CODES:
                wrong.append(f"{module.name}:{node.lineno}: {n} looks like a code; name it: WSA.…")
            elif n & (n - 1) and n & (n + 1) and id(node) not in named:
                wrong.append(f"{module.name}:{node.lineno}: bare number {n}; give it a name")
    return wrong


# -- words --------------------------------------------------------------------------------------

TEXTS = {".py", ".md", ".toml", ".cfg", ".c", ".h", ".sh", ".txt", ".yml", ".yaml", ".json", ".jsonl"}
CACHES = {".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__"}
SKIPPED = {".venv", ".git", ".ci", "build", "dist"} | CACHES
# Written in pieces so that this file passes its own test.
ELSEWHERE = re.compile(r"\.\." + r"/shared|/work" + r"/(main|shared)|/tmp" + r"/team")


def texts(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name in SKIPPED or path.is_symlink():
            continue
        if path.is_dir():
            yield from texts(path)
        elif path.suffix in TEXTS or path.name in ("Makefile", "LICENSE", ".gitignore"):
            yield path


def mentions_of_elsewhere(root: Path) -> list[str]:
    """Lines that name a place outside the project."""
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in texts(root)
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]


# ################ the rules catch what they should ################


@pytest.fixture
def tree(tmp_path: Path):
    """Write a package: tree({"afd/_x.py": "import winsock.nt"}) -> its directory."""

    def write(files: dict[str, str]) -> Path:
        package = tmp_path / "winsock"
        for name, text in {"__init__.py": "", **files}.items():
            path = package / name
            for folder in (path.parent, *path.parent.parents):
                if folder == tmp_path:
                    break
                folder.mkdir(parents=True, exist_ok=True)
                if not (folder / "__init__.py").exists():
                    (folder / "__init__.py").write_text("")
            path.write_text(text)
        return package

    return write


UP_OR_SIDEWAYS = {
    "up": ("nt/_x.py", "from winsock.afd import Endpoint"),
    "up, whole module": ("afd/_x.py", "import winsock.ws2_32 as ws"),
    "up, inside a function": ("nt/_x.py", "def f():\n    from winsock.spi import catalog"),
    "up, relative": ("nt/_x.py", "from ..afd import Endpoint"),
    "up, relative from a package": ("nt/__init__.py", "from ..afd import Endpoint"),
    "up, from the package": ("nt/_x.py", "from winsock import afd"),
    "up, a name of the package": ("afd/_x.py", "from winsock import Process"),
    "up, by import_module": ("nt/_x.py", "import importlib\nimportlib.import_module('winsock.cli._run')"),
    "up, in the else of TYPE_CHECKING": (
        "nt/_x.py",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import winsock.afd",
    ),
    "sideways": ("names/_x.py", "from winsock.transports import READ"),
    "sideways, between faces": ("mswsock.py", "import winsock.ws2_32"),
    "the library imports the command": ("python/_x.py", "from winsock.cli import main"),
    "codes import abi": ("codes/_x.py", "from winsock.abi import _constants"),
    "abi imports codes": ("abi/_x.py", "from winsock.codes import WSA"),
    "an unknown room": ("attic/_x.py", "import os"),
    "from an unknown room": ("cli/_x.py", "import winsock.attic"),
}


@pytest.mark.parametrize("case", UP_OR_SIDEWAYS.values(), ids=UP_OR_SIDEWAYS)
def test_wrong_import_is_found(tree, case):
    name, text = case
    package = tree({"afd/__init__.py": "", "ports/__init__.py": "", "cli/__init__.py": "", name: text})
    wrong = wrong_imports(package)
    assert wrong
    assert all(w.startswith("winsock." + name.split("/")[0].removesuffix(".py")) for w in wrong)


def test_right_imports_are_let_be(tree):
    package = tree({
        "codes/__init__.py": "from winsock.codes._wsa import WSA as WSA",
        "codes/_wsa.py": "import enum",
        "nt/_process.py": "from winsock.codes import WSA\nfrom . import memory\n"
        "if TYPE_CHECKING:\n    from winsock.afd import Endpoint",
        "nt/memory.py": "import ctypes",
        "afd/_x.py": "from winsock.nt import memory\nfrom winsock.transports.host import HostSocket",
        "api/_call.py": "from winsock import spi, codes",
        "ws2_32.py": "from winsock.api._call import *",
        "spi/__init__.py": "",
        "cli/__init__.py": "def main():\n    import winsock.python\n    from winsock import Process",
        "__main__.py": "from winsock.cli import main",
    })  # fmt: skip
    assert wrong_imports(package) == []


STATES = {
    "an empty list": "_seen = []",
    "an empty dict, annotated": "_cache: dict[int, int] = {}",
    "a set": "_open = set()",
    "a default dict": "import collections\n_by = collections.defaultdict(list)",
    "a weak dictionary": "import weakref\n_all = weakref.WeakValueDictionary()",
    "a counter": "import itertools\n_ids = itertools.count(1)",
    "a thread's own": "import threading\nclass T(threading.local): pass\n_tls = T()",
    "a rebound name": "_now = None\ndef set_now(x):\n    global _now\n    _now = x",
}


@pytest.mark.parametrize("text", STATES.values(), ids=STATES)
def test_module_state_is_found(tree, text):
    assert [m for m, _, _ in module_state(tree({"afd/_x.py": text}))] == ["winsock.afd._x"]


def test_tables_and_locks_are_no_state(tree):
    text = """
        T = {1: 2}
        L = [1]
        S = {1}
        F = frozenset()
        X = dict(a=1)
        _lock = threading.Lock()
        class C:
            x = []
    """
    package = tree({"afd/_x.py": dedent(text)})
    assert [name for _, name, _ in module_state(package)] == []


@pytest.mark.parametrize(
    "text",
    ["x = 10054", "if e.errno == 10035: pass", "ECONNRESET = 10054", "f(0x4004667e)", "def f(p=49152): pass"],
)
def test_bare_number_is_found(tree, text):
    assert len(bare_numbers(tree({"afd/_x.py": text}))) == 1


@pytest.mark.parametrize("text", ["x = 9999", "MAX = 0xFFFFFC", "A, B = 1, 65467", "y &= 0xffff", "n = 65536"])
def test_other_numbers_are_let_be(tree, text):
    package = tree({"afd/_x.py": text, "codes/_wsa.py": "A = 10054", "abi/_c.py": "f(0x4004667e)"})
    assert bare_numbers(package) == []


def test_mention_of_elsewhere_is_found(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("as in .." + "/shared/facts\n")
    (tmp_path / "b.py").write_text("# see /work" + "/main\n")
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run.sh").write_text("ls .." + "/shared\n")
    (tmp_path / "c.py").write_text("shared = 'work/shared memory'\n")
    assert [m.split(":")[0] for m in mentions_of_elsewhere(tmp_path)] == ["b.py", "docs/a.md"]


# ################ and the package keeps them ################


def report(lines: list[str]) -> str:
    return "\n" + "\n".join(lines)


def test_imports_point_down():
    wrong = wrong_imports(PACKAGE)
    assert not wrong, report(wrong)


def test_no_state_at_module_level():
    found = module_state(PACKAGE)
    surprising = [f"{m}:{line}: {name}" for m, name, line in found if (m, name) not in STATE]
    assert not surprising, report(surprising)
    gone = set(STATE) - {(m, name) for m, name, _ in found}
    assert not gone, f"in STATE but not in the code: {gone}"


def test_no_bare_numbers():
    wrong = bare_numbers(PACKAGE)
    assert not wrong, report(wrong)


def test_nothing_outside_the_project_is_named():
    wrong = mentions_of_elsewhere(ROOT)
    assert not wrong, report(wrong)
