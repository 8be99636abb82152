"""Speed and memory against the budgets: ratios, the median of interleaved rounds, everything in one run.

    bench.py [--rounds N] [--only PART] [--log-size MB]

A number is time (or memory) of winsock divided by that of the other side on this machine just now.  In a round each
process works for a moment, one after the other; the times shown are those of the round whose ratio is the median.
The Wine column is there when Wine and its compiler are.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "wine"))

import annotate_log  # noqa: E402
import environment  # noqa: E402

WORKS = {
    "small": "send+recv 64 B",
    "large": "send+recv 64 KB",
    "would_block": "recv that would block",
    "getsockopt": "getsockopt",
    "select_two": "select",
}
# measured C-shaped against Wine only
CALLS = {
    "datagram": "sendto+recvfrom 64 B",
    "make": "socket+closesocket",
    "accept": "connect+accept+close",
    "accept_ex": "AcceptEx by port, connect, close",
    "packets": "post+get on a completion port",
    "overlapped": "overlapped receive, by port",
    "events": "set+wait+reset of an event",
}
# of these the floor is shown, too: bare calls of CPython's socket against the same C program
FLOOR = frozenset({"large", "make", "accept", "accept_ex", "overlapped"})
# connections: the proactor loop's budget against CPython's selector loop
LOOPS = {1: 0.8, 50: 0.8, 500: 0.95}
ECHOES = 20  # of each connection in a round
LOOP_PROCESSES, LOOP_ROUNDS = 5, 5  # where a process has its memory makes a tenth of the time
PYTHON_BUDGET, C_BUDGET, WINE_BUDGET = 1.2, 1.5, 0.2
EXPLAIN_BUDGET, IMPORT_BUDGET_MS, MEMORY_BUDGET = 3.0, 30.0, 2.0
NOT_YET = {
    "reserve 100 ports, then bind one, against portpicker": "make bench-ports measures it",
}
ANNOTATE_ROUNDS = 3
ROUND = 0.02  # seconds of work in a round
IDLE_SOCKETS = 500
IDLE_CONNECTIONS, CROWD_BUDGET = 9_900, 1.2


class Worker:
    """A process that does the work on request."""

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, work: str, times: int) -> float:
        assert self._process.stdin
        assert self._process.stdout
        answer = ""
        try:
            self._process.stdin.write(f"{work} {times}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            pass
        if not answer:
            raise SystemExit(f"{' '.join(map(str, self._process.args))}: died at {work!r}")
        return float(answer)

    def times_for(self, work: str) -> int:
        """How often the work fits into a round."""
        times = 10
        while (seconds := self.ask(work, times)) < ROUND / 4:
            times *= 4
        return max(1, int(times * ROUND / seconds))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


class Table:
    """Rows as they are measured."""

    def __init__(self) -> None:
        self.over = 0
        print(f"{'what':46}{'against':22}{'ratio':>9}{'budget':>9}   each")

    def row(self, what: str, against: str, ratio: float, budget: float, each: str, unit: str = "x") -> None:
        within = ratio <= budget
        self.over += not within
        mark = "" if budget == annotate_log.UNBOUNDED else "ok" if within else "OVER"
        limit = f"{budget:8.2f}{unit}" if budget != annotate_log.UNBOUNDED else f"{'-':>9}"
        print(f"{what:46}{against:22}{ratio:8.2f}{unit}{limit}   {each:24} {mark}", flush=True)

    def pair(
        self, what: str, against: str, ours: list[float], theirs: list[float], budget: float = annotate_log.UNBOUNDED
    ) -> None:
        """A row of seconds, round by round: the median ratio, as one of the rounds, so that what is shown fits."""
        a, b = sorted(zip(ours, theirs), key=lambda each: each[0] / each[1])[len(ours) // 2]
        self.row(what, against, a / b, budget, f"{microseconds(a)} / {microseconds(b)}")


def microseconds(value: float) -> str:
    return f"{value * 1e6:.2f} µs"


def compare(table: Table, workers: dict[str, Worker], rounds: int, only: str) -> None:
    """Every work on every worker, a round each in turn."""
    pairs = [
        ("Python-shaped", "python", "plain", "CPython's socket", PYTHON_BUDGET),
        ("C-shaped", "c", "plain", "CPython's socket", C_BUDGET),
        ("C-shaped", "c", "wine", "C under Wine", WINE_BUDGET),
        ("bare calls", "bare", "wine", "C under Wine", annotate_log.UNBOUNDED),
    ]
    everyone = workers
    for work, label in {**WORKS, **CALLS}.items():
        wanted = ("plain", "python", "c", "wine") if work in WORKS else ("c", "wine")
        if work in FLOOR and "wine" in everyone:
            wanted = (*wanted, "bare")
        workers = {name: worker for name, worker in everyone.items() if name in wanted}
        if only not in label or len(workers) < 2:
            continue
        times = {name: worker.times_for(work) for name, worker in workers.items()}
        seen: dict[str, list[float]] = {name: [] for name in workers}
        turns = list(workers.items())
        for _ in range(rounds):
            turns.reverse()  # nobody always works after the same other
            for name, worker in turns:
                seen[name].append(worker.ask(work, times[name]) / times[name])
        for shape, ours, theirs, against, budget in pairs:
            if ours in seen and theirs in seen:
                table.pair(f"{label}, {shape}", against, seen[ours], seen[theirs], budget)


def processes(table: Table, rounds: int) -> None:
    """Whole processes: winsock explain, winsock run, import winsock.codes."""
    winsock = str(Path(sys.executable).with_name("winsock"))
    verbs = {
        "explain 10054": ["explain", "10054"],
        "explain 10022 --function recv": ["explain", "10022", "--function", "recv"],
        "explain 10054 --lang ja": ["explain", "10054", "--lang", "ja"],
        "explain 'forcibly closed'": ["explain", "forcibly closed"],
        "explain (a message in Japanese)": ["explain", "接続が拒否されました", "--lang", "ja"],
        "run -c pass": ["run", "-c", "pass"],
    }
    commands = {
        "nothing": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import winsock.codes"],
        **{name: [winsock, *arguments] for name, arguments in verbs.items()},
    }
    seen: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seen[name].append(time.perf_counter() - begin)
    nothing = statistics.median(seen["nothing"])
    for name, arguments in verbs.items():
        budget = EXPLAIN_BUDGET if "explain" in arguments else annotate_log.UNBOUNDED
        ratio = statistics.median(a / b for a, b in zip(seen[name], seen["nothing"]))
        each = f"{statistics.median(seen[name]) * 1e3:.1f} ms / {nothing * 1e3:.1f} ms"
        table.row(f"winsock {name}", "python -c pass", ratio, budget, each)
    cost = statistics.median(a - b for a, b in zip(seen["import"], seen["nothing"])) * 1e3
    table.row("import winsock.codes", "time of its own", cost, IMPORT_BUDGET_MS, "", "m")


def crowd(table: Table, worker: Worker, rounds: int) -> None:
    """An overlapped receive beside idle connections with pending ones, against the same without them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    busy = Worker(sys.executable, str(HERE / "worker_c.py"))
    count = min(IDLE_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 100)
    each = busy.ask("pend", count)
    times = worker.times_for("overlapped")
    rows = [(busy.ask("overlapped", times) / times, worker.ask("overlapped", times) / times) for _ in range(rounds)]
    with_idle, alone = map(list, zip(*rows))
    label = f"overlapped receive, {count} idle pending"
    table.pair(label, "none idle", with_idle, alone, CROWD_BUDGET)
    print(f"an idle connection's pending receive: {each:.0f} bytes, beside what the idle socket has (below)")
    busy.close()


def loops(table: Table, rounds: int) -> None:
    """Echo over connections within a process: ProactorEventLoop on winsock, SelectorEventLoop on Linux, uvloop."""
    program = str(HERE / "worker_asyncio.py")
    commands = {
        "plain": (sys.executable, program),
        "ours": (command("winsock"), "run", program),
        "floor": (sys.executable, str(HERE / "worker_loop_floor.py")),
    }
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    if has_uvloop:
        commands["uvloop"] = (sys.executable, program, "uvloop")
    seen: dict[int, dict[str, list[float]]] = {count: {name: [] for name in commands} for count in LOOPS}
    for _ in range(LOOP_PROCESSES):
        workers = {name: Worker(*args) for name, args in commands.items()}
        for count in LOOPS:
            echoes(workers, f"echo_{count}", min(rounds, LOOP_ROUNDS), seen[count])
        for worker in workers.values():
            worker.close()
    for count, budget in LOOPS.items():
        times = seen[count]
        label = f"asyncio echo 1 KB, {count} connections"
        table.pair(label, "SelectorEventLoop", times["ours"], times["plain"], budget)
        table.pair("  windows_events over next to nothing", "SelectorEventLoop", times["floor"], times["plain"])
        if has_uvloop:
            table.pair("  the same on uvloop", "SelectorEventLoop", times["uvloop"], times["plain"])
        else:
            print("  the same on uvloop: not installed, no figure")


def visits(table: Table, rounds: int) -> None:
    """Connections that are made and ended; there is no budget for them."""
    program = str(HERE / "worker_asyncio.py")
    workers = {"plain": Worker(sys.executable, program), "ours": Worker(command("winsock"), "run", program)}
    seen: dict[str, list[float]] = {name: [] for name in workers}
    echoes(workers, "visit_1", rounds, seen)
    table.pair("asyncio connect, close on both sides", "SelectorEventLoop", seen["ours"], seen["plain"])
    for worker in workers.values():
        worker.close()


def echoes(workers: dict[str, Worker], work: str, rounds: int, seen: dict[str, list[float]]) -> None:
    """Add the seconds of an echo, or of what else has a count in its name, in some rounds to what was seen."""
    count = int(work.rpartition("_")[2])
    # In a round of less all connections would begin together and wait for the last.
    times = {name: max(ECHOES, worker.times_for(work)) for name, worker in workers.items()}
    turns = list(workers.items())
    for _ in range(rounds):
        turns.reverse()
        for name, worker in turns:
            seen[name].append(worker.ask(work, times[name]) / times[name] / count)


def command(name: str) -> str:
    """A command of this interpreter's environment."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def memory(table: Table, workers: dict[str, Worker]) -> None:
    plain = workers["plain"].ask("memory", IDLE_SOCKETS)
    for name, shape in (("python", "Python-shaped"), ("c", "C-shaped")):
        ours = workers[name].ask("memory", IDLE_SOCKETS)
        table.row(
            f"idle socket, {shape}", "CPython's socket", ours / plain, MEMORY_BUDGET, f"{ours:.0f} B / {plain:.0f} B"
        )


def wine_worker() -> Worker | None:
    """The C program under Wine; None, and why, if that cannot be."""
    if lacking := environment.missing():
        print(f"no Wine column: not installed: {' '.join(lacking)}\n")
        return None
    environment.prepare()
    program = HERE / "build" / "worker.exe"
    program.parent.mkdir(exist_ok=True)
    subprocess.run([environment.COMPILER, "-O2", "-Wall", "-o", program, HERE / "worker.c", "-lws2_32"], check=True)
    return Worker(str(environment.wine()), str(program), env=environment.environment())


def processor() -> str:
    """What the machine calls its processor."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=25)
    p.add_argument("--log-size", type=int, default=annotate_log.DEFAULT_SIZE, metavar="MB", help="for annotate")
    p.add_argument("--only", default="", metavar="PART", help="socket work whose label has PART in it, nothing else")
    a = p.parse_args()
    print(f"{processor()}, Python {sys.version.split()[0]}, Linux {os.uname().release}")
    print(f"median of {a.rounds} rounds; ratio = winsock / the other side\n")
    winsock = command("winsock")
    workers = {
        "plain": Worker(sys.executable, str(HERE / "worker.py")),
        "python": Worker(winsock, "run", str(HERE / "worker.py")),
        "c": Worker(sys.executable, str(HERE / "worker_c.py")),
        "bare": Worker(sys.executable, str(HERE / "worker_bare.py")),
    }
    if (wine := wine_worker()) is not None:
        workers["wine"] = wine
    table = Table()
    compare(table, workers, a.rounds, a.only)
    if a.only in "asyncio echo":
        loops(table, a.rounds)
    if a.only in "asyncio connect, close":
        visits(table, a.rounds)
    if not a.only:
        crowd(table, workers["c"], a.rounds)
        memory(table, workers)
    for worker in workers.values():
        worker.close()
    if not a.only:
        processes(table, a.rounds)
        for what, against, ratio, budget, each in annotate_log.measure(a.log_size, ANNOTATE_ROUNDS):
            table.row(what, against, ratio, budget, each)
        for what, why in NOT_YET.items():
            print(f"{what}: {why}")
    print(f"\n{table.over} over budget" if table.over else "\nall within budget")
    return 0


if __name__ == "__main__":
    sys.exit(main())
