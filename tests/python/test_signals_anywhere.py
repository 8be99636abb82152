"""Signals' handlers that raise, wherever the program is: nothing is left behind of the call that they have ended."""

from __future__ import annotations

import pytest

START = """
import collections, random, select, signal, socket, sys, threading
import _overlapped as o, _winapi
from winsock.afd import _connection, _endpoint, _requests
from winsock.afd._reactor import REACTOR
from winsock.nt import _objects, current
from winsock.python._endpoints import _endpoints
from winsock.python._handles import FIRST

class Hit(BaseException): pass
def handler(*_): raise Hit
signal.signal(signal.SIGALRM, handler)

port = o.CreateIoCompletionPort(o.INVALID_HANDLE_VALUE, 0, 0, 0)
event = o.CreateEvent(None, True, False, None)
a, b = socket.socketpair()
c, d = socket.socketpair()
for s in a, b:
    o.CreateIoCompletionPort(s.fileno(), port, 0, 0)
buffer, kept = bytearray(4096), collections.deque(maxlen=6)

def echo():
    while data := d.recv(100):
        d.send(data)
threading.Thread(target=echo, daemon=True).start()

def overlapped():
    while True:
        received, sent = o.Overlapped(0), o.Overlapped(0)
        kept.extend((received, sent))
        received.WSARecvInto(b.fileno(), buffer)
        sent.WSASend(a.fileno(), b"x")
        o.GetQueuedCompletionStatus(port, 1)
        o.GetQueuedCompletionStatus(port, 0)

def by_event():
    while True:
        o.SetEvent(event)
        _winapi.WaitForSingleObject(event, 1)
        o.ResetEvent(event)
        _winapi.WaitForSingleObject(event, 1)

def blocking():
    while True:
        c.send(b"a")
        c.recv(50)

def selecting():
    while True:
        select.select([c, b], [], [a], 0.001)
        select.select([c], [a], [], 0)

def left_behind():
    me, found = current(), []
    process = me.process
    reactor = process.services[REACTOR]
    if reactor._leader is me or me in reactor._followers or not reactor._free and reactor._leader is None \\
            and not reactor._stand_in.leads:
        found.append("the lead")
    if process.handles.objects[port - FIRST]._queue:
        found.append("waits for a port")
    if any(me in ep.waiters for ep in _endpoints if ep is not None):
        found.append("waits for a socket")
    if any(me in getattr(known, "_waiters", ()) for known in process.handles.objects.values()):
        found.append("waits for an object")
    locks = [_connection._settling, _endpoint._lock, _objects.taking, reactor._lock]
    locks += [known.lock for known in process.services[_requests.ALL]]
    # Python 3.14 lets a handler raise between a lock's __enter__ and the block of a `with`, whatever the lock is.
    if sys.version_info[:2] != (3, 14) and any(lock._is_owned() for lock in locks):
        found.append("a lock")
    if me.blocking or me.wake is not None:
        found.append("a blocking call")
    return found
"""

RUN = """
chosen, hits = random.Random(1), 0
while hits < 400:
    try:
        signal.setitimer(signal.ITIMER_REAL, chosen.uniform(0.0002, 0.001), 0.05)
        WORK()
    except Hit:
        hits += 1
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            break
        except Hit:
            pass
    for attempt in range(100):      # the stand-in may lead for a moment
        if not (found := left_behind()) or found != ["the lead"]:
            break
        threading.Event().wait(0.01)
    if found:
        print(hits, found, flush=True)
        break
print("done", flush=True)
import os; os._exit(0)
"""


@pytest.mark.parametrize("work", ["overlapped", "by_event", "blocking", "selecting"])
def test_an_exception_leaves_nothing_behind(program, work: str) -> None:
    assert program(START + RUN.replace("WORK", work)) == "done\n"


def test_an_exception_in_the_reactor_is_the_programs(program) -> None:
    """Not a fault of winsock's, of which it would tell in the log: an alarm's TimeoutError, say."""
    assert program(START + """
class Late(Exception): pass
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
def raises(ep, got):
    if threading.current_thread() is threading.main_thread():   # not the stand-in, while this one does not wait
        signal.raise_signal(signal.SIGALRM)
received = o.Overlapped(0)
received.WSARecvInto(b.fileno(), buffer)
reactor, ep = current().process.services[REACTOR], _endpoints[b.fileno()]
reactor.watch(ep, raises, True)
late = 0
while not late:
    a.send(b"x")
    try:
        o.GetQueuedCompletionStatus(port, 100)
    except Late:
        late += 1
reactor.unwatch(ep, raises)
while received.pending:
    o.GetQueuedCompletionStatus(port, 100)
print(received.getresult() > 0)
""") == "True\n"
