"""The words of `winsock ports explain`, a file a language: data/ports.LANG.toml."""

from __future__ import annotations

import os
import tomllib
from functools import cache

_DATA = os.path.join(os.path.dirname(__file__), "data")
_PREFIX, _SUFFIX = "ports.", ".toml"
Texts = dict[str, dict[str, str]]


@cache
def languages() -> tuple[str, ...]:
    """The languages there are texts in."""
    names = (n for n in os.listdir(_DATA) if n.startswith(_PREFIX) and n.endswith(_SUFFIX))
    return tuple(sorted(name[len(_PREFIX) : -len(_SUFFIX)] for name in names))


def load(language: str) -> Texts:
    """One language's texts: section -> key -> text with {names} to fill in."""
    with open(os.path.join(_DATA, f"{_PREFIX}{language}{_SUFFIX}"), "rb") as file:
        return tomllib.load(file)
