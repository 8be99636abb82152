"""The collection of problems: a directory each in programs/, with about.toml, trouble.py and cure.py."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")


@dataclass(frozen=True, slots=True)
class Demo:
    """One problem.

    id        project and number, as in cpython-91227
    title     what goes wrong, in a few words
    thread    OWNER/REPOSITORY#NUMBER; `also` are other threads of the same problem
    url       the thread's address
    story     what people saw, and what Windows does underneath
    remedy    what the cure changes
    codes     the codes that the trouble meets on Windows, most telling first
    fixed_in  the Python that has it mended, where the fault is Python's; "" otherwise
    stage     what it needs around it, and is told of by its arguments: see _stages.py
    options   further options of `winsock run` that it needs
    ipv6      it happens only on a machine with IPv6
    linux, windows, cured
              texts that the outputs contain: of the trouble on plain Linux, of the trouble under Windows' rules,
              of the cure under Windows' rules
    """

    id: str
    title: str
    thread: str
    url: str
    story: str
    remedy: str
    codes: tuple[int, ...]
    linux: tuple[str, ...]
    windows: tuple[str, ...]
    cured: tuple[str, ...]
    also: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    fixed_in: str = ""
    stage: str = ""
    ipv6: bool = False

    @property
    def fixed_here(self) -> bool:
        """Whether this interpreter has the fix, so that the trouble looks like the cure."""
        return bool(self.fixed_in) and sys.version_info >= tuple(map(int, self.fixed_in.split(".")))

    @property
    def trouble(self) -> Path:
        """The program that fails."""
        return PROGRAMS / self.id / "trouble.py"

    @property
    def cure(self) -> Path:
        """The program that does not."""
        return PROGRAMS / self.id / "cure.py"


def demos() -> list[Demo]:
    """Every problem, by project and number."""
    return [read(path) for path in sorted(PROGRAMS.glob("*/about.toml"), key=_order)]


def read(path: Path) -> Demo:
    """The problem that an about.toml tells of; TypeError names a field that is missing or unknown."""
    with path.open("rb") as file:
        fields = tomllib.load(file)
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Demo(id=path.parent.name, **{**fields, **lists})


def find(text: str) -> list[Demo]:
    """The problems that a word stands for.

    text    an id, a thread (python/cpython#91227), its number, a code's number, or a part of a title
    """
    wanted = text.strip().lower()
    if not wanted:
        return []
    everything = demos()
    for matches in (
        lambda demo: demo.id.lower() == wanted,
        lambda demo: wanted in map(str.lower, (demo.thread, *demo.also, demo.url)),
        lambda demo: wanted.isdigit() and wanted in {t.rpartition("#")[2] for t in (demo.thread, *demo.also)},
        lambda demo: wanted.isdigit() and int(wanted) in demo.codes,
        lambda demo: wanted in demo.id.lower() or wanted in demo.title.lower(),
    ):
        found = [demo for demo in everything if matches(demo)]
        if found:
            return found
    return []


def _order(path: Path) -> tuple[str, int]:
    project, _, number = path.parent.name.rpartition("-")
    return project, int(number) if number.isdigit() else 0
