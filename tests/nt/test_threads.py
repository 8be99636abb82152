"""Whose descriptors can be given up at once: those that no other thread can be using."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = """
    import _thread, os, threading
    from winsock.nt._threads import alone, rest, work

    def ask():
        answer, quiet = alone(lambda what: what, "done")
        assert answer == "done"
        return quiet

    class Helper:
        # A thread that does what it is told, one thing after the other.
        def __init__(self):
            self.told, self.done = threading.Semaphore(0), threading.Semaphore(0)
            _thread.start_new_thread(self.run, ())
            self(int)  # only a thread that has begun counts

        def run(self):
            while True:
                self.told.acquire()
                self.answer = self.do()
                self.done.release()

        def __call__(self, do):
            self.do = do
            self.told.release()
            assert self.done.acquire(timeout=60)
            return self.answer

    print("by itself", ask())
    a, b = Helper(), Helper()
    a(rest)
    print("one rests, one may do anything", ask())
    b(rest)
    print("both rest", ask())
    print("asked by one that rests", a(ask))
    b(work)
    print("one works again", ask())
    b(rest)
    child = os.fork()
    if not child:
        c = Helper()
        c(int)
        os._exit(ask())
    print("in a child with a thread of its own", bool(os.waitpid(child, 0)[1]))
"""


def test_threads_that_rest_are_not_in_the_way() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "by itself True",
        "one rests, one may do anything False",
        "both rest True",
        "asked by one that rests False",
        "one works again False",
        "in a child with a thread of its own False",
    ]
