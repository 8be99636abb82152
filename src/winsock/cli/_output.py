"""What the verbs have in common about their output: readers that go, disks that are full."""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

CANNOT_WRITE = 1  # the exit status
# What writing fails with, and nothing else that a verb lets through.
TROUBLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def guarded(verb: str, work: Callable[[], int]) -> int:
    """Do a verb's work, written out to the end; its exit status.

    0 when the reader has gone (`winsock ... | head -1`); 1, and a line on standard error, when the output cannot be
    written.
    """
    try:
        if sys.stdout is None:  # closed, and the next file opened would be taken for it
            if verb != "ports":  # whose work is done all the same
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            sys.stdout = open(os.devnull, "w", encoding="ascii", errors="replace")  # noqa: SIM115
        try:
            return work()
        finally:
            sys.stdout.flush()  # at the interpreter's end it would be too late, for argparse's help too
    except OSError as error:
        if not is_trouble(error):
            raise
        to_nowhere(sys.stdout)
        if error.errno == errno.EPIPE:
            return 0
        complain(verb, error.strerror)
        return CANNOT_WRITE


def is_trouble(error: OSError) -> bool:
    """Whether it is about the output, and not about some file or socket."""
    return error.errno in TROUBLE and error.filename is None and not hasattr(error, "code")


def complain(verb: str, why: str | None) -> None:
    """Say that the output cannot be written, if that at least can be written."""
    try:
        print(f"winsock {verb}".rstrip() + f": cannot write the output: {why}", file=sys.stderr)
    except OSError:
        to_nowhere(sys.stderr)


def to_nowhere(stream: TextIO | None) -> None:
    """Let what is still to be written there vanish: the interpreter flushes at its end, and must not fail."""
    if stream is None:
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
