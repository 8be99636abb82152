"""Which function returns which code, and when: data/functions.toml.

One table a function, named as Windows spells it; a line `NAME = "condition"`, or a list of conditions, for each code.
The conditions are clauses that many functions share; their texts are in each language's [conditions].
"""

from __future__ import annotations

from functools import cache

from winsock.codes._texts import DEFAULT, content, table

_STEM = "functions"


@cache
def functions_of(name: str) -> tuple[str, ...]:
    """The functions that are documented to return the code of that name, in the file's order."""
    found: dict[str, None] = {}
    data, line = content(_STEM), f"\n{name} = ".encode()
    at = data.find(line) if name else -1
    while at >= 0:
        head = data.rfind(b"\n[", 0, at) + 2
        found[data[head : data.index(b"]", head)].decode()] = None
        at = data.find(line, at + 1)
    return tuple(found)


@cache
def function_names() -> dict[str, str]:
    """Every function in the file by its name in lower case."""
    heads = content(_STEM).decode().split("\n[")[1:]
    return {name.lower(): name for name in (head.partition("]")[0] for head in heads)}


def function_name(text: str) -> str:
    """A function's name as Windows spells it, for one in any case, with or without brackets: "recv()", "wsarecv".

    Raises ValueError for one that is not in the file.
    """
    names = function_names()
    wanted = text.strip().removesuffix("()").rpartition(".")[2].lower()
    for candidate in (wanted, wanted + "a", wanted + "w", wanted[:-1]):
        if candidate in names:
            return names[candidate]
    raise ValueError(f"no function {text!r} is known here")


def conditions(name: str, function: str, lang: str = DEFAULT) -> tuple[str, ...]:
    """The cases in which a function, spelled as in the file, returns the code of that name."""
    ids = table(_STEM, function).get(name, [])
    texts = {**table(DEFAULT, "conditions"), **table(lang, "conditions")}
    return tuple(str(texts.get(i, i)) for i in ([ids] if isinstance(ids, str) else ids))
