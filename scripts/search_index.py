"""Write src/winsock/codes/data/search.txt: the titles and messages of all codes as `winsock explain` compares them.

    search_index.py           write it
    search_index.py --check   say whether it is up to date, exit status 1 if not

Above the empty line what is written in Latin letters, below it Chinese and Japanese; in each line the text without
case, accents and punctuation, a tab, and the number, with "!" after it for Windows' own message.
"""

from __future__ import annotations

import sys
from pathlib import Path

from winsock.codes import _search, _texts

FILE = Path(_texts.DATA) / "search.txt"


def index() -> str:
    """What the file has to hold."""
    parts = []
    for wide in (False, True):
        rows = (f"{text}\t{number}{'!' if shown else ''}" for number, shown, text in _search.folded(wide))
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    text = index()
    if FILE.exists() and FILE.read_text("utf-8") == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{FILE} is not up to date: run scripts/search_index.py", file=sys.stderr)
        return 1
    FILE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
