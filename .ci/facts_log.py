"""A pytest plugin: writes what each test did as it happens, so that a process that dies leaves its results behind.

FACTS_LOG names the file.  A line is JSON: ["idents", test, [behaviour, ...]], ["begin", test, null] or
["end", test, [result, reason]].
"""

from __future__ import annotations

import json
import os
from typing import Any

_log = open(os.environ["FACTS_LOG"], "a", buffering=1)  # noqa: SIM115
_results: dict[str, tuple[str, str]] = {}


def _write(word: str, test: str, value: Any) -> None:
    _log.write(json.dumps([word, test, value]) + "\n")


def pytest_collection_finish(session: Any) -> None:
    for item in session.items:
        _write("idents", item.nodeid, [i for mark in item.iter_markers("fact") for i in mark.args])


def pytest_runtest_logstart(nodeid: str) -> None:
    _write("begin", nodeid, None)


def pytest_runtest_logreport(report: Any) -> None:
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else str(report.longrepr)
        _results[report.nodeid] = "failed", (text.splitlines() or [""])[0][:200]
    elif report.skipped and _results.get(report.nodeid, ("",))[0] != "failed":
        _results[report.nodeid] = "skipped", ""
    elif report.when == "call":
        _results.setdefault(report.nodeid, ("passed", ""))


def pytest_runtest_logfinish(nodeid: str) -> None:
    _write("end", nodeid, _results.pop(nodeid, ("passed", "")))
