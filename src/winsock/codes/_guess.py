"""The slow ways from a text to a code: other names, lines of logs, messages in any language."""

from __future__ import annotations

import errno

from winsock.codes._elsewhere import FIRST_WINSOCK, from_spelling, is_known, numbers_of_names
from winsock.codes._lookup import AROUND, from_name
from winsock.codes._search import phrases, plain, search

_NO_COUNTERPART = -1


def code_of_name(text: str, name: str) -> int | None:
    """The code of a name: as it was typed, and in upper case with underscores."""
    names = numbers_of_names()
    for candidate in (name, "WSA" + name, "WSA_" + name):
        if (code := names.get(candidate)) is not None:
            return code
    if (code := names.get("ERROR_" + name)) is not None:  # unless others mean a code of Winsock: connection refused
        return code_of_words(text) or code
    if name.startswith("STATUS_"):
        from winsock.codes._ntstatus import NTSTATUS, ntstatus_to_wsa

        status = NTSTATUS.__members__.get(name)
        return None if status is None else ntstatus_to_wsa(status)
    number = getattr(errno, name, None) if name.startswith("E") else None
    if isinstance(number, int):
        from winsock.codes._errno import from_errno

        code = from_errno(number, _NO_COUNTERPART)
        return None if code == _NO_COUNTERPART else code
    return None


def code_of_line(text: str, words: list[str]) -> tuple[int, ...]:
    """The code of a line that holds one in some way, the surest way first."""
    bare = [word.strip(AROUND) for word in words]
    if len(words) > 1:
        for word in bare:
            if word.isupper() and len(word) > 3:
                code = from_name(word)
                if code is not None or (code := from_spelling(word)) is not None:
                    return (code,)
    if (code := from_spelling(text.strip().strip("[]()"))) is not None:
        return (code,)
    if found := search(text):
        return found
    for word in bare:
        if word.isascii() and word.endswith(("Error", "Exception")) and (code := from_spelling(word)) is not None:
            return (code,)
    if len(words) > 1:
        numbers = {int(word) for word in bare if word.isascii() and word.isdigit() and len(word) == 5}
        numbers = {number for number in numbers if number >= FIRST_WINSOCK and is_known(number)}
        if len(numbers) == 1:
            return tuple(numbers)
    return ()


def code_of_words(text: str) -> int | None:
    """The code that other libraries spell so, or that is known by that phrase."""
    found = from_spelling(text)
    return phrases().get(plain(text)) if found is None else found
