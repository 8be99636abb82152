"""Port reservations against portpicker: failed binds under load, cost, growth.  All in one run.

    ports.py [--rounds N] [--only race|cost|growth]

    race    12 processes choose a port, wait a moment, bind and listen, keep 30: how often does the bind fail?
    cost    from nothing to a bound socket; 100 ports reserved and one bound, against picking as many
    growth  blocks of 1 to 10000 ports: processor time and memory a port

It works in a network namespace of its own where it may, with a small range of automatic ports, as on a busy host.
The exit status is 1 when a budget is missed.  Needs portpicker: pip install '.[bench]'.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import portpicker

from winsock import ports

PROCESSES, KEPT, WAIT = 12, 30, 0.004
AUTOMATIC = (40_000, 41_999)  # the kernel's range in our namespace
POOL = "15000-24999"  # of both servers
SIZES = (1, 10, 100, 1000, 10_000)
COST_BUDGET = 1.0  # of portpicker's time
GROWTH_BUDGET = 2.0  # time a port of the largest block, against blocks of 100
MEMORY_BUDGET = 1.5  # memory a port of the largest block, against one half as large
MEASURABLE = 1000  # ports: blocks whose memory can be told from what others do
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def own_network() -> str:
    """Go into a network namespace with a small automatic range; why not, if that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return os.strerror(ctypes.get_errno())
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        name = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, SIOCGIFFLAGS, name), 16)
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("{} {}".format(*AUTOMATIC), "ascii")
    return ""


# -- the methods -------------------------------------------------------------------------------


def pick() -> tuple[int, Callable[[], socket.socket]]:
    """portpicker's way, with or without a server: a number, and the bind that follows later."""
    port = portpicker.pick_unused_port()
    return port, lambda: listening(port)


def listening(port: int) -> socket.socket:
    """What a test's server does with a number."""
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(5)
    except OSError:
        sock.close()
        raise
    return sock


def reserve() -> tuple[int, Callable[[], socket.socket]]:
    """Our way: the block lives as long as its socket."""
    block = ports.reserve(within=AUTOMATIC)
    return block.start, lambda: block.socket(block.start, listen=5)


@contextlib.contextmanager
def server(command: list[str], address: str) -> Iterator[None]:
    """A port server, and portpicker told of it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            deadline = time.monotonic() + 20
            while sock.connect_ex("\0" + address[1:]):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not serve")
                time.sleep(0.01)
        os.environ["PORTSERVER_ADDRESS"] = address
        yield
    finally:
        os.environ.pop("PORTSERVER_ADDRESS", None)
        process.send_signal(signal.SIGTERM)
        process.wait()


def portserver() -> contextlib.AbstractContextManager[None]:
    """portpicker's own."""
    script = shutil.which("portserver.py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if script is None:
        raise SystemExit("portserver.py, which portpicker installs, is not beside this Python")
    address = f"@bench-theirs-{os.getpid()}"
    options = ["--portserver_static_pool", POOL, "--portserver_address", address]
    return server([sys.executable, "-W", "ignore", script, *options], address)


def our_server() -> contextlib.AbstractContextManager[None]:
    """winsock ports serve."""
    address = f"@bench-ours-{os.getpid()}"
    return server([sys.executable, "-m", "winsock", "ports", "serve", "--address", address, "--pool", POOL], address)


METHODS = {
    "winsock": (contextlib.nullcontext, reserve),
    "portpicker alone": (contextlib.nullcontext, pick),
    "portpicker, its server": (portserver, pick),
    "portpicker, our server": (our_server, pick),
}


# -- race --------------------------------------------------------------------------------------


def racer(choose: Callable[[], tuple[int, Callable[[], socket.socket]]], rounds: int, seed: int) -> dict[str, float]:
    """One process' part: what failed, and the time spent on choosing and binding."""
    rng = random.Random(seed)
    kept: deque[socket.socket] = deque()
    failed, spent = 0, 0.0
    for _ in range(rounds):
        try:
            begun = time.perf_counter()
            _, bind = choose()
            spent += time.perf_counter() - begun
            time.sleep(rng.random() * WAIT)
            begun = time.perf_counter()
            kept.append(bind())
            spent += time.perf_counter() - begun
        except OSError:
            failed += 1
        except portpicker.NoFreePortFoundError:
            failed += 1
        if len(kept) > KEPT:
            kept.popleft().close()
    return {"failed": failed, "spent": spent}


def race(rounds: int) -> bool:
    """Print the failures of each method; whether ours had none."""
    print(f"{PROCESSES} processes x {rounds}: choose, wait up to {WAIT * 1000:.0f} ms, bind and listen, keep {KEPT}")
    print(f"    {'method':24}{'failed binds':>16}{'a port':>12}")
    good = True
    for name, (serving, choose) in METHODS.items():
        with serving():
            choose()[1]().close()  # what is imported at first use is no part of it
            found = forked([lambda n=n, c=choose: racer(c, rounds, n) for n in range(PROCESSES)])
        failed, total = int(sum(f["failed"] for f in found)), PROCESSES * rounds
        micro = sum(f["spent"] for f in found) / total * 1e6
        print(f"    {name:24}{failed:7} = {failed / total:5.1%}{micro:9.0f} us")
        good = good and not (failed and name in ("winsock", "portpicker, our server"))
    print(f"    budget: no failure with winsock, nor with its server: {'kept' if good else 'MISSED'}\n")
    return good


def forked(bodies: list[Callable[[], dict[str, float]]]) -> list[dict[str, float]]:
    """What the bodies return, each run in a process of its own, all at once."""
    sys.stdout.flush()
    started, go = [], os.pipe()
    for body in bodies:
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(go[1])
            os.read(go[0], 1)  # until all are there
            with os.fdopen(writing, "w") as file:
                json.dump(body(), file)
            os._exit(0)
        os.close(writing)
        started.append(reading)
    os.close(go[1])
    texts = []
    for reading in started:
        with os.fdopen(reading) as file:
            texts.append(file.read())
        os.wait()
    os.close(go[0])
    return [json.loads(text) for text in texts]


# -- cost --------------------------------------------------------------------------------------


def one_by_us() -> None:
    """A port, reserved, bound, listening, freed."""
    with ports.reserve() as block:
        block.socket(listen=5).close()


def one_by_them() -> None:
    """A port, picked, bound, listening."""
    port = portpicker.pick_unused_port()
    listening(port).close()
    portpicker.return_port(port)


def hundred_by_us() -> None:
    """100 consecutive ports, one of them bound."""
    with ports.reserve(100) as block:
        block.socket(listen=5).close()


def hundred_by_them() -> None:
    """100 ports wherever, one of them bound."""
    found = [portpicker.pick_unused_port() for _ in range(100)]
    listening(found[0]).close()
    for port in found:
        portpicker.return_port(port)


def all_by_us() -> None:
    """100 consecutive ports, all of them bound."""
    with ports.reserve(100) as block:
        for sock in [block.socket(listen=5) for _ in range(100)]:
            sock.close()


def all_by_them() -> None:
    """100 ports wherever, all of them bound."""
    found = [portpicker.pick_unused_port() for _ in range(100)]
    for sock in [listening(port) for port in found]:
        sock.close()
    for port in found:
        portpicker.return_port(port)


# ours, theirs, how often in a row, whether the budget is meant for it
COSTS = {
    "1 port, bound": (one_by_us, one_by_them, 100, False),
    "100 ports, one bound": (hundred_by_us, hundred_by_them, 3, True),
    "100 ports, all bound": (all_by_us, all_by_them, 3, True),
}


def cost(rounds: int) -> bool:
    """Print our time and theirs; whether the budget is kept."""
    print(f"median of {rounds} interleaved rounds")
    print(f"    {'':24}{'winsock':>12}{'portpicker':>12}{'ratio':>8}")
    good = True
    for name, (ours, theirs, times, budgeted) in COSTS.items():
        pairs = [(timed(ours, times), timed(theirs, times)) for _ in range(rounds)]
        us, them = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        kept = ratio <= COST_BUDGET or not budgeted
        good = good and kept
        print(f"    {name:24}{us:9.0f} us{them:9.0f} us{ratio:8.2f}  {'' if kept else 'MISSED'}".rstrip())
    for name in ("portpicker, its server", "portpicker, our server"):
        with METHODS[name][0]():
            us = statistics.median(timed(portpicker.pick_unused_port, 20) for _ in range(rounds)) * 1e6
        print(f"    {'1 pick, ' + name.partition(', ')[2]:36}{us:9.0f} us")
    verdict = "kept" if good else "MISSED"
    print(f"    budget: 100 ports take at most {COST_BUDGET:.1f} of portpicker's time: {verdict}\n")
    return good


def timed(work: Callable[[], object], times: int) -> float:
    """Seconds for one, from `times` in a row."""
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


# -- growth ------------------------------------------------------------------------------------


def growth(rounds: int) -> bool:
    """Print time and memory a port; whether both stay in proportion."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    sizes = [size for size in SIZES if hard == resource.RLIM_INFINITY or size + 200 < hard]
    print(f"    {'block':>8}{'protocol':>10}{'reserve':>12}{'free':>12}{'a port':>12}{'memory a port':>18}")
    good = True
    for protocol in ("tcp", "udp"):
        each: dict[int, float] = {}
        for size in sizes:
            taken, freed = [], []
            for _ in range(max(3, rounds // max(1, size // 100))):
                begun = time.process_time()
                block = ports.reserve(size, protocol)
                taken.append(time.process_time() - begun)
                begun = time.process_time()
                block.close()
                freed.append(time.process_time() - begun)
            reserve_, free = statistics.median(taken), statistics.median(freed)
            each[size] = (reserve_ + free) / size
            shown = ""
            if size >= MEASURABLE:
                shown = f"{memory_each(size, protocol) / 1024:.1f} KB"
            times = f"{reserve_ * 1e6:9.0f} us{free * 1e6:9.0f} us{each[size] * 1e6:9.1f} us"
            print(f"    {size:8}{protocol:>10}{times}{shown:>18}")
        largest = sizes[-1]
        if largest > 2 * MEASURABLE:
            steady = memory_each(largest, protocol) <= memory_each(largest // 2, protocol) * MEMORY_BUDGET
            good = good and steady and each[largest] <= each[100] * GROWTH_BUDGET
    for size in SIZES[len(sizes) :]:
        print(f"    {size:8}  left out: the limit of descriptors is {hard}")
    print(f"    budget: a port of the largest block takes at most {GROWTH_BUDGET:.0f} times the time of one in 100,")
    print(f"    and {MEMORY_BUDGET} times the memory of one in half of it: {'kept' if good else 'MISSED'}")
    return good


def memory_each(size: int, protocol: str) -> float:
    """Bytes a port; the kernel's count is of pages of them, so it says little of small blocks."""
    return statistics.median(held_memory(size, protocol) for _ in range(5)) / size


def held_memory(size: int, protocol: str) -> float:
    """Bytes that a held block takes, of the kernel's slabs and of this process."""
    gc.collect()
    before = settled_memory()
    with ports.reserve(size, protocol):
        return max(0, used_memory() - before)


def settled_memory() -> int:
    """used_memory(), once the kernel has put away what was closed before."""
    used = used_memory()
    for _ in range(40):
        time.sleep(0.05)
        before, used = used, used_memory()
        if abs(before - used) < 64 * 1024:
            break
    return used


SOCKET_CACHES = {"TCP", "TCPv6", "UDP", "UDPv6", "sock_inode_cache", "filp", "tcp_bind_bucket", "tcp_bind2_bucket"}


def used_memory() -> int:
    """The kernel's objects for sockets, and the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    total = pages * resource.getpagesize()
    try:
        rows = Path("/proc/slabinfo").read_text("ascii").splitlines()[2:]
    except OSError:  # not root, or a kernel without; then all of its objects, which others make and free too
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        return total + int(fields["SUnreclaim"].split()[0]) * 1024
    for name, active, _, size, *_ in map(str.split, rows):
        if name in SOCKET_CACHES:
            total += int(active) * int(size)
    return total


PARTS = {"race": race, "cost": cost, "growth": growth}


def main() -> int:
    """The command; 1 when a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--only", choices=PARTS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as store:
        os.environ.update(WINSOCK_PORTS_STORE=store, WINSOCK_PORTS_SYSCTL="")
        if why := own_network():
            print(f"in this machine's own network ({why}): other programs take part in the race")
        results = [part(args.rounds) for name, part in PARTS.items() if args.only in (None, name)]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
