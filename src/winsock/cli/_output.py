"""What the verbs have in common about their output."""

from __future__ import annotations

import os
import sys


def nobody_reads() -> None:
    """The reader of standard output has gone (`winsock ... | head -1`): be quiet, also when the interpreter ends.

    It flushes once more then, and must not fail.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
