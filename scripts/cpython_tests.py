"""Run CPython's own networking tests, as they lie in this interpreter, under the Windows view.

    python scripts/cpython_tests.py [MODULE ...] [-m PATTERN] [-j JOBS] [-v] [--plain]

Each module runs in processes of its own under `winsock run`.  A test that hangs or kills its process is recorded,
and the module goes on without it.  Exit status 0 when every failure is one of the known ones.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time

# The slow ones first: two run at a time.  A module that an interpreter doesn't have is left out, with a word.
MODULES = (
    "test_ssl test_asyncio.test_events test_asyncio.test_tasks test_asyncio.test_subprocess test_asyncio.test_ssl "
    "test_asyncio.test_sslproto test_asyncio.test_sendfile test_asyncio.test_sock_lowlevel "
    "test_asyncio.test_windows_events test_asyncio.test_windows_utils test_asyncio.test_proactor_events "
    "test_asyncio.test_server test_asyncio.test_streams test_asyncio.test_buffered_proto "
    "test_asyncio.test_base_events test_asyncio.test_selector_events test_asyncio.test_runners "
    "test_asyncio.test_futures test_asyncio.test_futures2 test_asyncio.test_locks test_asyncio.test_queues "
    "test_asyncio.test_taskgroups test_asyncio.test_timeouts test_asyncio.test_waitfor test_asyncio.test_context "
    "test_asyncio.test_pep492 test_asyncio.test_protocols test_asyncio.test_threads test_asyncio.test_transports "
    "test_asyncio.test_eager_task_factory test_asyncio.test_staggered test_asyncio.test_free_threading "
    "test_asyncio.test_graph test_asyncio.test_server_context test_asyncio.test_unix_events "
    "test_socket test_selectors test_socketserver test_select test_timeout test_errno test_httplib test_httpservers "
    "test_ftplib test_smtplib test_poplib test_imaplib test_telnetlib test_asyncore test_asynchat test_wsgiref "
    "test_xmlrpc test_urllib2_localnet test_docxmlrpc test_smtpd test_robotparser test_urllib_response "
    "test_signal test_exceptions"
).split()

TEST_LIMIT = 60.0  # s for one test
MODULE_LIMIT = 900.0  # s for one module

NEWEST = (9, 9)

_SIGNALS = "signals and exit statuses are this machine's"

# (test, why it fails, first and last version of Python that it fails in)
KNOWN: tuple[tuple[str, str, tuple[int, int], tuple[int, int]], ...] = tuple(
    (f"{module}.{test}", why, since, until)
    for module, why, since, until, tests in (
        ("test_ssl", "this machine's store of authorities keeps no revocation lists", (3, 11), NEWEST,
         "BasicSocketTests.test_enum_crls"),
        ("test_asyncio.test_events", "writing to a closed pipe is BrokenPipeError for a child", (3, 11), NEWEST,
         "ProactorEventLoopTests.test_subprocess_close_client_stream"),
        ("test_signal", _SIGNALS, (3, 11), NEWEST,
         "RaiseSignalTest.test_invalid_argument WindowsSignalTests.test_issue9324 "
         "WindowsSignalTests.test_keyboard_interrupt_exit_code GenericTests.test_enums"),
        ("test_signal", "looks for the word 'send' in a message of the interpreter itself", (3, 11), NEWEST,
         "WakeupSocketSignalTests.test_send_error WakeupSocketSignalTests.test_warn_on_full_buffer"),
        ("test_exceptions", "asks OSError for an errno by the winerror that it is made with", (3, 11), NEWEST,
         "ExceptionTests.test_WindowsError"),
        ("test_exceptions", "asks this machine's libpython for a function that Windows' has", (3, 11), NEWEST,
         "ExceptionTests.test_windows_message"),
    )
    for test in tests.split()
)  # fmt: skip


def known_failures(version: tuple[int, int]) -> dict[str, str]:
    """{test: why it fails} under one version of Python."""
    return {test: why for test, why, since, until in KNOWN if since <= version <= until}

# -- in the child


def child(module: str, log_path: str, skip_path: str, pattern: str | None) -> None:
    """Run one module's tests; one JSON line for each start and outcome."""
    import faulthandler
    import fnmatch
    import signal
    import unittest

    signal.signal(signal.SIGINT, signal.default_int_handler)
    from test import support  # type: ignore[import-not-found]

    support.MS_WINDOWS = True
    support.has_fork_support = False  # test.support sees this machine; its users see Windows
    support.verbose = 0
    support.use_resources = None
    with open(skip_path, encoding="utf-8") as file:
        skip = set(json.load(file))
    log = open(log_path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115

    def say(kind: str, test: object, detail: str = "") -> None:
        name = test.id() if isinstance(test, unittest.TestCase) else str(test)
        log.write(json.dumps([kind, name, detail]) + "\n")

    class Result(unittest.TestResult):
        def startTest(self, test: unittest.TestCase) -> None:
            super().startTest(test)
            faulthandler.dump_traceback_later(TEST_LIMIT, exit=True)
            say("start", test)

        def stopTest(self, test: unittest.TestCase) -> None:
            faulthandler.cancel_dump_traceback_later()
            say("stop", test)
            super().stopTest(test)

        def addSuccess(self, test: unittest.TestCase) -> None:
            say("passed", test)

        def addExpectedFailure(self, test: unittest.TestCase, err: object) -> None:
            say("passed", test)

        def addSkip(self, test: unittest.TestCase, reason: str) -> None:
            say("skipped", test, reason)

        def addFailure(self, test: unittest.TestCase, err: object) -> None:
            say("failed", test, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

        def addError(self, test: unittest.TestCase, err: object) -> None:
            say("failed", test, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

        def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
            say("failed", test, "unexpected success")

        def addSubTest(self, test: unittest.TestCase, subtest: object, err: object) -> None:
            if err is not None:
                say("failed", test, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    def flat(suite: object) -> object:
        for item in suite:  # type: ignore[attr-defined]
            if isinstance(item, unittest.TestSuite):
                yield from flat(item)
            else:
                yield item

    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
    except unittest.SkipTest as e:
        say("skipped", module, str(e))
        suite = unittest.TestSuite()
    chosen = [
        t for t in flat(suite)
        if t.id() not in skip and (pattern is None or fnmatch.fnmatchcase(t.id(), f"*{pattern}*"))
    ]
    unittest.TestSuite(chosen).run(Result())
    say("end", module)


# -- in the parent


def run_module(module: str, pattern: str | None, plain: bool) -> dict[str, tuple[str, str]]:
    """{test: (outcome, detail)} of one module."""
    outcomes: dict[str, tuple[str, str]] = {}
    with tempfile.TemporaryDirectory() as directory:
        log, skip, output = (os.path.join(directory, n) for n in ("log", "skip", "output"))
        deadline = time.monotonic() + MODULE_LIMIT
        while True:
            open(log, "w").close()
            with open(skip, "w", encoding="utf-8") as file:
                json.dump(sorted(outcomes), file)
            under = [] if plain else ["-m", "winsock", "run"]
            command = [sys.executable, *under, os.path.abspath(__file__), "--child", module, log, skip]
            with open(output, "wb") as out:
                process = subprocess.Popen(
                    command + ([pattern] if pattern else []), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                    cwd=directory, start_new_session=True,
                )  # fmt: skip
                try:
                    process.wait(max(1.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            running, ended = _read(log, outcomes)
            if ended:
                break
            with open(output, encoding="utf-8", errors="replace") as file:
                tail = file.read()[-3000:]
            if running is None:
                outcomes[f"{module} itself"] = ("failed", tail)
                break
            outcomes[running] = ("failed", "hung, or ended its process:\n" + tail)
            if time.monotonic() > deadline:
                outcomes[f"{module} itself"] = ("failed", f"not done in {MODULE_LIMIT:.0f} s")
                break
    return outcomes


def _read(log: str, outcomes: dict[str, tuple[str, str]]) -> tuple[str | None, bool]:
    """Add a log's outcomes; the test that was running at its end, and whether the module came to its end."""
    running, ended = None, False
    with open(log, encoding="utf-8") as file:
        for line in file:
            kind, name, detail = json.loads(line)
            if kind == "start":
                running = name
            elif kind == "stop":
                running = None
            elif kind == "end":
                ended = True
            elif outcomes.get(name, ("",))[0] != "failed":
                outcomes[name] = (kind, detail)
    return running, ended


def main() -> int:
    """The command."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5] if len(sys.argv) > 5 else None)
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", nargs="*", default=MODULES)
    parser.add_argument("-m", "--match", help="only tests whose name contains this pattern")
    parser.add_argument("--plain", action="store_true", help="without winsock, to compare")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="modules that run at the same time")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the tracebacks of failures, and the skips")
    args = parser.parse_args()
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_socket") is None:
        print("this Python was installed without its tests; on Debian: apt-get install libpython3-testsuite")
        return 0
    modules, missing = [], []
    for module in args.module:
        (modules if importlib.util.find_spec(f"test.{module}") else missing).append(module)
    if missing:
        print(f"not among this Python's tests: {', '.join(missing)}")
    print(f"{'module':32} {'run':>5} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    unknown = 0
    known = known_failures(sys.version_info[:2])
    total = dict.fromkeys(("passed", "failed", "skipped"), 0)
    begun = time.monotonic()

    def timed(module: str) -> tuple[dict[str, tuple[str, str]], float]:
        start = time.monotonic()
        return run_module(module, args.match, args.plain), time.monotonic() - start

    pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
    for module, result in [(module, pool.submit(timed, module)) for module in modules]:
        outcomes, seconds = result.result()
        count = {k: sum(1 for o, _ in outcomes.values() if o == k) for k in total}
        ran = count["passed"] + count["failed"]
        total = {k: n + count[k] for k, n in total.items()}
        print(f"{module:32} {ran:5} {count['passed']:7} {count['failed']:7} {count['skipped']:8} {seconds:8.1f}")
        for name, (outcome, detail) in outcomes.items():
            if outcome == "failed":
                reason = known.get(name.removeprefix("test."))
                unknown += reason is None
                print(f"    {'known' if reason else 'FAILED'}: {name}{': ' + reason if reason else ''}")
                if args.verbose and not reason:
                    print("        " + detail.rstrip().replace("\n", "\n        "))
            elif outcome == "passed" and name.removeprefix("test.") in known:
                print(f"    passed: {name}, which is listed as one that does not")
            elif outcome == "skipped" and args.verbose:
                print(f"    skipped: {name}: {detail}")
        sys.stdout.flush()
    pool.shutdown()
    ran, seconds = total["passed"] + total["failed"], time.monotonic() - begun
    print(f"{'in all':32} {ran:5} {total['passed']:7} {total['failed']:7} {total['skipped']:8} {seconds:8.1f}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
