"""`winsock annotate --follow`: logs as they grow, through rotation and truncation, as tail -F does.

A file is known by its name.  When another file takes the name (rotation by renaming), what is left of the old one is
read first.  When a file has become shorter than what was read of it (rotation by copying), it begins anew.  A line
is looked at when its end has come; what is there of the last one when a file ends or Ctrl-C comes is looked at then.
"""

from __future__ import annotations

import os
import select

from winsock.cli._annotate_read import BLOCK, STDIN, Log, open_log, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from winsock.cli._annotate_forms import Form
    from winsock.cli._annotate_read import Interrupts, Output

_PAUSE = 0.2  # seconds between looks at files that do not grow


def follow_all(
    names: list[str], encoding: str | None, form: Form, output: Output, interrupts: Interrupts, from_end: bool
) -> int:
    """Follow the files until Ctrl-C, or until none is left to follow; 1 when one of them never could be."""
    followed = [_Followed(Log(name, encoding, form), from_end, interrupts) for name in dict.fromkeys(names)]
    status = 0
    while followed and not interrupts.came:
        grown = False
        for file in list(followed):
            try:
                grown |= file.read()
            except EOFError:  # standard input has ended
                followed.remove(file)
            except IsADirectoryError as error:
                say(file.log.name, error.strerror or str(error))
                followed.remove(file)
                status = 1
            if interrupts.came:
                break
        output.flush()
        if not grown and followed:
            interrupts.sleep(_PAUSE)
    for file in followed:
        file.close()
    return status


class _Followed:
    """One file that may grow, shrink, go away and come again."""

    def __init__(self, log: Log, from_end: bool, interrupts: Interrupts) -> None:
        self.log = log
        self._from_end = from_end
        self._interrupts = interrupts
        self._fd = -1
        self._at = 0
        self._missed = ""

    def read(self) -> bool:
        """Take what is new; whether there was any."""
        if self._fd < 0 and not self._open():
            return False
        if self.log.name == STDIN and not select.select([self._fd], [], [], 0)[0]:
            return False
        data = self._take()
        if data:
            return True
        if self._interrupts.came:
            return False
        if self.log.name == STDIN:
            self.close()
            raise EOFError
        return self._look_around()

    def _take(self) -> bytes:
        data = self._interrupts.read(self._fd)
        self._at += len(data)
        if data:
            self.log.feed(data)
            if len(data) < BLOCK:
                self.log.flush()
        return data

    def _look_around(self) -> bool:
        """At the end of the file: whether it is still the one of that name, and as long as it was."""
        ours = os.fstat(self._fd)
        if ours.st_size < self._at:
            say(self.log.name, "has become shorter; from its beginning again")
            self.log.close()
            os.lseek(self._fd, 0, os.SEEK_SET)
            self._at = 0
            return True
        try:
            named = os.stat(self.log.name)
        except OSError as error:
            self._miss(error)
            return False
        self._missed = ""
        if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
            return False
        while self._take():  # written between our last look and the rotation
            pass
        say(self.log.name, "is another file now; going on with that")
        self.close()
        return self._open()

    def _open(self) -> bool:
        try:
            self._fd = open_log(self.log.name)
        except IsADirectoryError:
            raise
        except OSError as error:
            self._from_end = False  # what appears later is new as a whole
            self._miss(error)
            return False
        self._at = 0
        self._missed = ""
        if self._from_end and self.log.name != STDIN:
            self._from_end = False
            self.log.scanner.looking = False
            end = os.fstat(self._fd).st_size
            while self._at < end and self._take():
                pass
            self.log.scanner.looking = True
        return True

    def _miss(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        if reason != self._missed:
            say(self.log.name, f"{reason}; waiting for it")
            self._missed = reason

    def close(self) -> None:
        """Look at the rest, and let go of the file."""
        if self._fd >= 0:
            self.log.close()
            os.close(self._fd)
            self._fd = -1
