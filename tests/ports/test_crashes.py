"""Many processes at once, killed at any moment: no block overlaps another, nothing acknowledged is lost, nothing
stays held, and what others have in the kernel's list is never lost.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from own_network import NOBODY, Worker, become, needs_root

from winsock import ports
from winsock.abi import _constants as c
from winsock.codes import WSA
from winsock.ports import _kernel_list, _store, persistent

LIST = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
FOREIGN = "5000-5005,6010-6012,9000"


def no_overlap(blocks: list[tuple[int, int]]) -> bool:
    return all(a[0] + a[1] <= b[0] for a, b in itertools.pairwise(sorted(blocks)))


def outcome(call: Callable[[], object]) -> int:
    """0, or the code that it was refused with."""
    try:
        call()
    except ports.PortError as e:
        return e.code
    return 0


def creators(seed: int, rounds: int) -> Callable[[Callable[[str], None]], None]:
    """Create and delete random blocks that overlap those of others."""

    def work(tell: Callable[[str], None]) -> None:
        choose = random.Random(seed)
        mine: list[tuple[int, int]] = []
        for _ in range(rounds):
            if mine and choose.random() < 0.4:
                start, count = mine.pop(choose.randrange(len(mine)))
                tell(f"deleting {start} {count}")
                persistent.delete(start, count)
                tell(f"deleted {start} {count}")
                continue
            start, count = choose.randint(6000, 6100), choose.randint(1, 12)
            tell(f"creating {start} {count}")
            code = outcome(lambda block=(start, count): persistent.create(*block))  # type: ignore[misc]
            assert code in (0, c.ERROR_SHARING_VIOLATION)
            tell(f"{'refused' if code else 'created'} {start} {count}")
            if not code:
                mine.append((start, count))

    return work


def expected(lines: list[str]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """(blocks that must be there, blocks of which nobody knows)."""
    there: set[tuple[int, int]] = set()
    open_: set[tuple[int, int]] = set()
    for line in lines:
        word, *numbers = line.split()
        block = int(numbers[0]), int(numbers[1])
        if word in ("creating", "deleting"):
            open_ = {block}
            there.discard(block)
        else:
            open_ = set()
            if word == "created":
                there.add(block)
    return there, open_


def agree(told: list[list[str]]) -> None:
    """The store has what was acknowledged, and the kernel's list is the store's and the others'."""
    found = {(r.start, r.count) for r in persistent.list()}
    assert no_overlap(list(found))
    must: set[tuple[int, int]] = set()
    may: set[tuple[int, int]] = set()
    for lines in told:
        there, open_ = expected(lines)
        must |= there
        may |= open_
    assert must <= found, must - found
    assert found <= must | may, found - must - may
    assert persistent.apply()
    wanted = [(start, start + count - 1) for start, count in found]
    assert _kernel_list.read() == _kernel_list.merged([*wanted, *_kernel_list.parse(FOREIGN.encode())])


def test_many_processes_at_once(isolated):
    def body() -> None:
        LIST.write_text(FOREIGN)
        workers = [Worker(creators(seed, 12)) for seed in range(4)]
        told = [w.end(kill=False) for w in workers]
        assert any("created" in line for lines in told for line in lines)
        agree(told)
        for r in persistent.list():
            persistent.delete(r.start, r.count)
        assert LIST.read_text().strip() == FOREIGN

    isolated(body)


def test_killed_at_any_moment(isolated):
    """The moments are where the process happens to be; wherever that is, the next one finds a store that is right."""

    def body() -> None:
        LIST.write_text(FOREIGN)
        choose = random.Random(4)
        for turn in range(6):
            workers = [Worker(creators(100 * turn + i, 200)) for i in range(3)]
            for w in workers:
                w.first_line()
                for _ in range(choose.randrange(4)):
                    w.first_line()
            agree([w.end(kill=True) for w in workers])
            for r in persistent.list():
                persistent.delete(r.start, r.count)
            assert LIST.read_text().strip() == FOREIGN

    isolated(body)


def test_killed_between_any_two_steps(isolated):
    """Killed before the n-th call that writes anything, for every n."""

    def body() -> None:
        LIST.write_text(FOREIGN)
        done = False
        for n in itertools.count():
            told = []
            for start, count in (6005, 10), (6020, 5):  # the first overlaps others' ports

                def work(tell: Callable[[str], None], start: int = start, count: int = count, n: int = n) -> None:
                    die_before_step(n)
                    tell(f"creating {start} {count}")
                    persistent.create(start, count)
                    tell(f"created {start} {count}")
                    tell(f"deleting {start} {count}")
                    persistent.delete(start, count)
                    tell(f"deleted {start} {count}")

                w = Worker(work)
                told.append(collect(w))
            agree(told)
            for r in persistent.list():
                persistent.delete(r.start, r.count)
            assert LIST.read_text().strip() == FOREIGN
            if all("deleted" in lines[-1] for lines in told if lines) and all(told):
                done = True
                break
        assert done
        assert n > 6

    isolated(body)


def collect(w: Worker) -> list[str]:
    """What a worker that may kill itself wrote."""
    while data := os.read(w.read, 1 << 16):
        w.text += data
    os.close(w.read)
    assert os.waitstatus_to_exitcode(os.waitpid(w.pid, 0)[1]) in (0, -signal.SIGKILL)
    return w.text.decode().split("\n")[:-1]


def die_before_step(n: int) -> None:
    """Kill this process before its n-th step: a statement to the store, or a write to the kernel's list."""
    left = itertools.count()

    def step() -> None:
        if next(left) == n:
            os.kill(os.getpid(), signal.SIGKILL)

    open_, add, replace = _store._open, _kernel_list.add, _kernel_list.replace

    def opened(file: str, mode: str) -> object:
        db = open_(file, mode)
        db.set_trace_callback(lambda _: step())
        return db

    def added(ranges: object) -> None:
        step()
        add(ranges)  # type: ignore[arg-type]
        step()

    def replaced(ranges: object) -> None:
        step()
        replace(ranges)  # type: ignore[arg-type]
        step()

    _store._open, _kernel_list.add, _kernel_list.replace = opened, added, replaced  # type: ignore[assignment]


def test_killed_while_the_store_is_made(isolated):
    def body() -> None:
        for name in ("chmod", "replace", "fsync"):

            def work(tell: Callable[[str], None], name: str = name) -> None:
                setattr(os, name, lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
                persistent.create(7000, 1)

            collect(Worker(work))
        persistent.create(7000, 1)
        assert [r.start for r in persistent.list()] == [7000]
        left = {p.name for p in Path(os.environ["WINSOCK_PORTS_STORE"]).iterdir()}
        assert left == {"port-reservations.db", "port-reservations.lock"}

    isolated(body)


def test_runtime_blocks_of_many_processes_never_overlap(isolated):
    def body() -> None:
        def work(seed: int) -> Callable[[Callable[[str], None]], None]:
            def acquire(tell: Callable[[str], None]) -> None:
                choose = random.Random(seed)
                kept = []
                for _ in range(60):
                    if kept and choose.random() < 0.4:
                        block = kept.pop(choose.randrange(len(kept)))
                        tell(f"freeing {block.start} {block.count}")
                        block.close()
                        continue
                    count = choose.randint(1, 10)
                    start = choose.choice([None, choose.randint(50000, 50190)])
                    try:
                        block = ports.reserve(count, start=start, within=(50000, 50199))
                    except ports.PortError:
                        continue
                    kept.append(block)
                    with socket.socket() as stranger:
                        try:
                            stranger.bind(("127.0.0.1", block[0]))
                        except OSError:
                            pass
                        else:
                            raise AssertionError("not held")
                tell("kept " + " ".join(f"{b.start} {b.count}" for b in kept))
                signal.pause()

            return acquire

        workers = [Worker(work(seed)) for seed in range(5)]
        kept = []
        for w in workers:
            while b"kept" not in w.text or not w.text.endswith(b"\n"):
                w.first_line()
            numbers = [int(n) for n in w.text.decode().partition("kept")[2].split()]
            mine = list(zip(numbers[::2], numbers[1::2], strict=True))
            listed = [(r.start, r.count) for r in ports.reservations(persistent=False) if r.pid == w.pid]
            assert sorted(mine) == sorted(listed)
            kept += mine
        assert kept
        assert no_overlap(kept)
        for w in workers:
            w.end(kill=True)
        assert ports.reservations() == []
        with ports.reserve(200, start=50000):  # every port is free again
            pass

    isolated(body)


def test_runtime_and_persistent_blocks_never_overlap(isolated):
    def body() -> None:
        def runtime(tell: Callable[[str], None]) -> None:
            choose = random.Random(1)
            for _ in range(150):
                assert outcome(lambda: look(choose.randint(7000, 7060), choose.randint(1, 9))) in (
                    0,
                    WSA.WSAEADDRINUSE,
                )

        def look(start: int, count: int) -> None:
            with ports.reserve(count, start=start) as block:
                kept = {p for r in persistent.list() for p in range(r.start, r.end + 1)}
                assert not kept & set(block)

        def make(tell: Callable[[str], None]) -> None:
            choose = random.Random(2)
            for _ in range(12):
                start, count = choose.randint(7000, 7060), choose.randint(1, 9)
                code = outcome(lambda block=(start, count): persistent.create(*block))  # type: ignore[misc]
                assert code in (0, c.ERROR_SHARING_VIOLATION)
                if not code:
                    persistent.delete(start, count)

        workers = [Worker(runtime), Worker(make), Worker(runtime)]
        for w in workers:
            w.end(kill=False)

    isolated(body)


@needs_root
def test_a_killed_holder_leaves_nothing(isolated):
    def body() -> None:
        def hold(tell: Callable[[str], None]) -> None:
            with ports.reserve(50, start=20000) as block, ports.reserve(50, "udp", start=20000) as other:
                kept = [block.socket(listen=1), block.socket(host=""), other.socket()]
                tell(str(len(kept)))
                signal.pause()

        for user in (None, NOBODY):

            def held(tell: Callable[[str], None], user: int | None = user) -> None:
                if user is not None:
                    become(user)
                hold(tell)

            w = Worker(held)
            w.first_line()
            assert [(r.protocol, r.pid) for r in ports.reservations()] == [("tcp", w.pid), ("udp", w.pid)]
            w.end(kill=True)
            assert ports.reservations() == []
            with ports.reserve(50, start=20000), ports.reserve(50, "udp", start=20000):
                pass

    isolated(body)


@needs_root
def test_a_read_only_look_while_others_write(isolated):
    """Who may not write the store reads whole reservations while it changes."""

    def make() -> None:
        persistent.create(7000, 1)

    def body() -> None:
        def reader(tell: Callable[[str], None]) -> None:
            become(NOBODY)
            tell("ready")
            for _ in range(150):
                assert persistent.lookup(7000, 1)
                assert no_overlap([(r.start, r.count) for r in persistent.list()])

        w = Worker(reader)
        w.first_line()
        for i in range(8):
            persistent.create(8000 + i, 1)
        w.end(kill=False)

    isolated(make)
    isolated(body)


@needs_root
def test_a_change_that_was_cut_off_waits_for_an_administrator(isolated):
    """Killed with half a transaction in the file: who may not write is told so, and who may puts it right."""

    def cut_off() -> None:
        persistent.create(7000, 1)

        def work(tell: Callable[[str], None]) -> None:
            db = sqlite3.connect(persistent.store_path(), isolation_level=None)
            db.execute("PRAGMA cache_size = 1")  # so that much of it gets into the file
            db.execute("BEGIN IMMEDIATE")
            rows = [("x" * 500, "y", i, i) for i in range(2000)]
            db.executemany("INSERT INTO applied VALUES (?, ?, ?, ?)", rows)
            db.execute("DELETE FROM reservations")
            tell("half")
            signal.pause()

        w = Worker(work)
        w.first_line()
        w.end(kill=True)
        assert Path(persistent.store_path() + "-journal").stat().st_size > 512

    def nobody() -> None:
        with pytest.raises(ports.StoreError, match="administrator") as e:
            persistent.lookup(7000, 1)
        assert e.value.code == c.ERROR_LOCK_VIOLATION
        with ports.reserve(1) as block:  # runtime blocks go on
            assert block.socket(listen=1).close() is None

    def root() -> None:
        assert persistent.lookup(7000, 1)
        persistent.create(7001, 1)

    def nobody_again() -> None:
        assert [r.start for r in persistent.list()] == [7000, 7001]

    isolated(cut_off)
    isolated(nobody, NOBODY)
    isolated(root)
    isolated(nobody_again, NOBODY)
