"""`_overlapped` from many threads at once: each operation ends once, and no byte gets lost or comes twice."""

from __future__ import annotations

import pytest

RACE = """
import random, socket, sys, threading
import _overlapped as o, _winapi
INFINITE, INVALID, ABORTED = o.INFINITE, o.INVALID_HANDLE_VALUE, o.ERROR_OPERATION_ABORTED
PAIRS, STARTERS, EACH = 6, 3, 250
sys.setswitchinterval(1e-5)
port = o.CreateIoCompletionPort(INVALID, 0, 0, 0)
pairs = [socket.socketpair() for _ in range(PAIRS)]
for key, (a, b) in enumerate(pairs):
    o.CreateIoCompletionPort(b.fileno(), port, key, 0)
descriptors = [b.fileno() for _, b in pairs]
lock, starters_left = threading.Lock(), [STARTERS]
started, refused, sent = {}, [], [0] * PAIRS

def starter(seed):
    chosen = random.Random(seed)
    for _ in range(EACH):
        which, buffer, ov = chosen.randrange(PAIRS), bytearray(chosen.choice((1, 7, 64))), o.Overlapped(0)
        with lock:
            started[ov.address] = ov, which
        try:
            if chosen.random() < 0.5:
                ov.WSARecvInto(descriptors[which], buffer)
            else:
                ov.WSARecv(descriptors[which], len(buffer))
        except OSError as e:
            with lock:
                del started[ov.address]
                refused.append((which, e.winerror))
    with lock:
        starters_left[0] -= 1

def sender(seed):
    chosen = random.Random(seed)
    while starters_left[0]:
        which, n = chosen.randrange(PAIRS), chosen.randrange(1, 40)
        try:
            sent[which] += pairs[which][0].send(bytes(n))
        except OSError:
            pass                # there is no more room, or the other end is closed

def canceller(seed):
    chosen = random.Random(seed)
    while starters_left[0]:
        with lock:
            some = chosen.choice(list(started.values()) or [None])
        if some is not None:
            some[0].cancel()

def closer():
    while len(started) < EACH:
        pass
    pairs[0][1].close()

for a, _ in pairs:
    a.setblocking(False)
threads = [threading.Thread(target=starter, args=(SEED * 10 + i,)) for i in range(STARTERS)]
threads += [threading.Thread(target=what, args=(SEED,)) for what in (sender, canceller)]
threads.append(threading.Thread(target=closer))
for t in threads:
    t.start()
ended, unknown = {}, 0
def take(ms):
    while (packet := o.GetQueuedCompletionStatus(port, ms)) is not None:
        ended[packet[3]] = ended.get(packet[3], 0) + 1
        if len(ended) == len(started) and not any(t.is_alive() for t in threads):
            return
while any(t.is_alive() for t in threads):
    take(10)
for ov, _ in list(started.values()):
    ov.cancel()
while len(ended) < len(started):
    before = len(ended)
    take(30_000)
    assert len(ended) > before, (len(ended), len(started), [ov.pending for ov, _ in started.values()].count(True))
print(o.GetQueuedCompletionStatus(port, 0), set(ended.values()), set(ended) == set(started))
got, errors = [0] * PAIRS, set()
for ov, which in started.values():
    assert not ov.pending
    try:
        result = ov.getresult()
        got[which] += result if isinstance(result, int) else len(result)
    except OSError as e:
        errors.add(e.winerror)
for which in range(1, PAIRS):
    b = pairs[which][1]
    b.setblocking(False)
    try:
        while part := b.recv(65536):
            got[which] += len(part)
    except BlockingIOError:
        pass
print(got[1:] == sent[1:], errors <= {ABORTED})
print({code for _, code in refused} <= {10038, 6}, {which for which, _ in refused} <= {0})
"""


@pytest.mark.parametrize("seed", range(4))
def test_receives_race_with_data_cancelling_and_closing(program, seed: int) -> None:
    assert program(f"SEED = {seed}\n" + RACE).splitlines() == ["None {1} True", "True True", "True True"]
