"""The labelled lines of logs, and how well the annotator does on them.

    python tests/annotate/labelled.py [-v]      precision and recall; -v: the lines it gets wrong

A file a format lies in corpus/, written before the rules and what they were made with, and in held_out/, written
after them as a check, in three batches; a rule that failed there was mended where that made it better in general, not
for the line.  A line is CODES<TAB>LINE: numbers with commas between them, or - where the line holds no socket error.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from pathlib import Path

from winsock.annotate import find

HERE = Path(__file__).parent
PARTS = ("corpus", "held_out")

Labelled = namedtuple("Labelled", "format codes text")
Score = namedtuple("Score", "lines formats right wrong missed")


def lines(part: str) -> list[Labelled]:
    """All labelled lines of a part of the corpus."""
    found = []
    for path in sorted((HERE / part).glob("*.txt")):
        for row in path.read_text("utf-8").splitlines():
            if row and not row.startswith("#"):
                codes, text = row.split("\t", 1)
                wanted = frozenset() if codes == "-" else frozenset(map(int, codes.split(",")))
                found.append(Labelled(path.stem, wanted, text))
    return found


def score(labelled: list[Labelled], mistakes: list[str] | None = None) -> Score:
    """Counted by codes: found rightly, found wrongly, not found."""
    right = wrong = missed = 0
    for format_, wanted, text in labelled:
        found = {hit.number for hit in find(text)}
        right += len(found & wanted)
        wrong += len(found - wanted)
        missed += len(wanted - found)
        if found != wanted and mistakes is not None:
            mistakes.append(f"{format_}: expected {sorted(wanted)}, found {sorted(found)}: {text}")
    return Score(len(labelled), len({line.format for line in labelled}), right, wrong, missed)


def precision(s: Score) -> float:
    return s.right / (s.right + s.wrong)


def recall(s: Score) -> float:
    return s.right / (s.right + s.missed)


def main() -> int:
    for part in PARTS:
        mistakes: list[str] = []
        s = score(lines(part), mistakes)
        rates = f"precision {precision(s):.4f}, recall {recall(s):.4f}"
        counts = f"{s.right} right, {s.wrong} wrong, {s.missed} missed"
        print(f"{part:9} {s.lines:4} lines in {s.formats:2} formats: {rates} ({counts})")
        if "-v" in sys.argv[1:]:
            print("".join(f"  {mistake}\n" for mistake in mistakes), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
