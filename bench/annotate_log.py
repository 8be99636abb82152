"""winsock annotate on a large log against grep -E for the same patterns: time, and memory.

    annotate_log.py [--size MB] [--rounds N]

The log is written to a temporary folder and deleted.  One line in five hundred holds a socket error.  grep gets an
expression for what annotate looks for that somebody could have written: the numbers, the names and the English
messages ("its patterns"); and a short one of a dozen alternatives, to compare with what people really type.  grep
prints its lines into a pipe, because with /dev/null it stops at the first; LC_ALL is C.UTF-8 for both.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUDGET, MEMORY_BUDGET = 3.0, 1.5
UNBOUNDED = float("inf")  # shown for comparison
DEFAULT_SIZE = 1000  # MB
PATTERN_MB = 32  # the log is this much, again and again
SHORT = (
    r"WinError [0-9]+|\[Errno 1[01][0-9]{3}\]|WSAE[A-Z]+|[Ss]ocket [Ee]rror #? ?[0-9]+|os error 1[01][0-9]{3}"
    r"|SocketException|0x8007[0-9a-fA-F]{4}|-21470[0-9]{5}|forcibly closed|actively refused|did not properly respond"
)
ERRORS = (
    "ERROR asyncio: [WinError 10054] An existing connection was forcibly closed by the remote host",
    "WARN connectex: No connection could be made because the target machine actively refused it.",
    "ERROR Socket error 10060",
    "ERROR System.Net.Sockets.SocketException (10061)",
    "INFO send failed with WSAECONNABORTED",
)
WORDS = (
    "request served client session cache update worker queue handler database connection opened closed timeout"
    " socket retry network host user login page index image static query result commit transaction started"
    " finished scheduled"
).split()


def line(rng: random.Random) -> str:
    """A line of a log as servers write them."""
    kind = rng.random()
    stamp = "2026-11-{:02} {:02}:{:02}:{:02},{:03}".format(*(rng.randrange(1, n) for n in (29, 24, 60, 60, 1000)))
    address = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
    some = " ".join(rng.choices(WORDS, k=rng.randrange(4, 12)))
    if kind < 0.35:
        path = f"/{rng.choice(WORDS)}/{rng.randrange(100_000)}?id={rng.randrange(10**9)}"
        browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
        return f'{address} - bob [{stamp}] "GET {path} HTTP/1.1" 200 {rng.randrange(100_000)} "-" "{browser}"'
    if kind < 0.7:
        return (
            f"{stamp} INFO  [worker-{rng.randrange(64)}] app.{rng.choice(WORDS)}: {some} in {rng.randrange(5000)} ms"
        )
    if kind < 0.998:
        numbers = f'"pid":{rng.randrange(32768)},"bytes":{rng.randrange(10**7)}'
        return f'{{"ts":"{stamp}","level":"info",{numbers},"msg":"{some}","peer":"{address}:{rng.randrange(65536)}"}}'
    return f"{stamp} {rng.choice(ERRORS)}"


def write_log(path: Path, megabytes: int) -> None:
    rng = random.Random(10054)
    lines = []
    size = 0
    while size < min(PATTERN_MB, megabytes) * 1_000_000:
        lines.append(line(rng))
        size += len(lines[-1]) + 1
    block = ("\n".join(lines) + "\n").encode()
    with open(path, "wb") as file:
        for _ in range(max(1, megabytes * 1_000_000 // len(block))):
            file.write(block)


def pattern() -> str:
    """An extended regular expression for what annotate looks for in English."""
    from winsock.annotate._messages import parts
    from winsock.annotate._names import c_names
    from winsock.codes import WSA

    numbers = "|".join(str(int(code)) for code in WSA if code >= WSA.WSAEINTR)
    names = "|".join(sorted(c_names()))
    texts = "|".join(re.sub(r"([][.*+?(){}|\\^$])", r"\\\1", p.text) for p in parts() if p.lang in ("en", "posix"))
    return rf"{numbers}|0x8007[0-9a-fA-F]{{4}}|-21470[0-9]{{5}}|WSA[A-Z_]+|WinError|{names}|{texts}"


def run(command: list[str]) -> tuple[float, int]:
    """Seconds, and kilobytes of memory at most."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    most = 0
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        while process.stdout.read(1 << 16):
            most = max(most, peak(process.pid))
    if process.returncode:
        raise SystemExit(f"{command[0]} failed")
    return time.perf_counter() - begin, most


def peak(pid: int) -> int:
    """The most memory that a process had so far, in kilobytes; what wait4 tells counts its parent's, too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except FileNotFoundError:
        return 0
    return int(found[1]) if (found := re.search(r"VmHWM:\s+(\d+)", status)) else 0


def measure(megabytes: int, rounds: int) -> list[tuple[str, str, float, float, str]]:
    """Rows: what, against what, ratio, budget, what each took."""
    winsock = shutil.which("winsock", path=str(Path(sys.executable).parent)) or "winsock"
    with tempfile.TemporaryDirectory() as folder:
        free = shutil.disk_usage(folder).free // 1_000_000
        if free < 2 * megabytes:
            print(f"only {free} MB free in {folder}: measuring with a log of {free // 2} MB")
            megabytes = free // 2
        log, small, patterns = (Path(folder) / name for name in ("log", "small", "patterns"))
        write_log(log, megabytes)
        write_log(small, max(40, megabytes // 20))
        patterns.write_text(pattern())
        annotate = [winsock, "annotate", "--format", "json"]
        commands = {
            "annotate": [*annotate, str(log)],
            "alone": [*annotate, "--jobs", "1", str(log)],
            "grep": ["grep", "-E", "-f", str(patterns), str(log)],
            "short": ["grep", "-E", SHORT, str(log)],
        }
        seen: dict[str, list[float]] = {name: [] for name in commands}
        memory = {}
        for _ in range(rounds):
            for name, command in commands.items():
                seconds, memory[name] = run(command)
                seen[name].append(seconds)
        _, memory["small"] = run([*annotate, str(small)])
    size = f"{megabytes / 1000:.2g} GB"
    rows = []
    for ours, theirs, what, against, budget in (
        ("annotate", "grep", f"winsock annotate, {size}", "grep -E, its patterns", BUDGET),
        ("alone", "grep", f"winsock annotate --jobs 1, {size}", "grep -E, its patterns", UNBOUNDED),
        ("annotate", "short", f"winsock annotate, {size}", "grep -E, a dozen patterns", UNBOUNDED),
    ):
        ratio = statistics.median(a / b for a, b in zip(seen[ours], seen[theirs]))
        each = f"{statistics.median(seen[ours]):.1f} s / {statistics.median(seen[theirs]):.1f} s"
        rows.append((what, against, ratio, budget, each))
    each = f"{memory['annotate'] / 1024:.0f} MB / {memory['small'] / 1024:.0f} MB"
    rows.append(
        (
            f"memory of winsock annotate, {size}",
            "a log of a 20th",
            memory["annotate"] / memory["small"],
            MEMORY_BUDGET,
            each,
        )
    )
    return rows


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", type=int, default=DEFAULT_SIZE, metavar="MB")
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    over = 0
    print(f"{'what':38}{'against':28}{'ratio':>8}{'budget':>9}   each")
    for what, against, ratio, budget, each in measure(a.size, a.rounds):
        over += ratio > budget
        limit = f"{budget:.2f}x" if budget != UNBOUNDED else "-"
        print(
            f"{what:38}{against:28}{ratio:7.2f}x{limit:>9}   {each}  {'OVER' if ratio > budget else 'ok'}", flush=True
        )
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main())
