"""Every row of the refusal table: an endpoint it matches is refused with its code, and is as it was before."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import pytest

from winsock.abi import _constants as c
from winsock.afd import REFUSALS, Endpoint, State, check, new_endpoint
from winsock.codes import WinsockError
from winsock.nt import Process
from winsock.spi import BASE

CALLS = {
    "bind": lambda ep: ep.procs.bind(ep, ("127.0.0.1", 0)),
    "listen": lambda ep: ep.procs.listen(ep, 1),
    "accept": lambda ep: ep.procs.accept(ep),
    "connect": lambda ep: ep.procs.connect(ep, ("127.0.0.1", 9)),
    "shutdown": lambda ep: ep.procs.shutdown(ep, c.SD_BOTH),
    "recv": lambda ep: ep.procs.recv(ep, [memoryview(bytearray(1))], 0),
    "send": lambda ep: ep.procs.send(ep, [memoryview(b"x")], 0),
    "sendto": lambda ep: ep.procs.send(ep, [memoryview(b"x")], 0, ("127.0.0.1", 9)),
    "getsockname": lambda ep: ep.procs.getsockname(ep),
    "getpeername": lambda ep: ep.procs.getpeername(ep),
}
ROWS = [(call, row) for call, rows in REFUSALS.items() for row in rows if call in CALLS]
KINDS = (c.SOCK_STREAM, c.SOCK_DGRAM)
VERSIONS = (0x0202, 0x0101)
LIVING = [s for s in State if s is not State.CLOSED]


class Still:
    """A transport's socket on which nothing may be called but the question how a connect goes: it is under way."""

    __slots__ = ("__weakref__", "type")

    @classmethod
    def create(cls, family, type, protocol, source=None):
        new = cls()
        new.type = type
        return new

    def readiness(self):
        return 0

    def __getattr__(self, name):
        raise AssertionError(f"a refused call reached the transport: {name}")


class StillNetwork:
    socket_class = Still


NETWORK = StillNetwork()


def endpoints(row):
    """Endpoints in every state and of every type that the row is about."""
    for kind in KINDS:
        for state in LIVING:
            if kind == c.SOCK_DGRAM and state not in (State.OPEN, State.BOUND):
                continue
            variants = itertools.product(VERSIONS, ((False, ""), (True, ""), (False, "accept"), (False, "connect")))
            for version, (shut, context) in variants:
                process = Process()
                process.version = version
                ep = new_endpoint(process, NETWORK, c.AF_INET, kind, 0, 0, BASE)
                ep.nonblocking = True
                ep.state = state
                ep.receive_shut = ep.send_shut = shut
                if state in (State.CONNECTING, State.CONNECTED, State.RESET):
                    ep.remote = ("127.0.0.1", 9)
                if context:
                    ep.note("context", context)
                if row.matches(ep):
                    yield ep


def picture(ep):
    names = [name for name, value in vars(Endpoint).items() if isinstance(value, property)]
    return {name: getattr(ep, name) for name in names if name not in ("transport", "handle")}


@pytest.mark.parametrize(("call", "row"), ROWS, ids=lambda x: x if isinstance(x, str) else x.why.replace(" ", "-"))
def test_row_refuses_and_changes_nothing(call, row):
    met = 0
    for ep in endpoints(row):
        first = next(r for r in REFUSALS[call] if r.matches(ep))
        if first is not row:
            continue
        met += 1
        before = {k: dict(v) if isinstance(v, dict) else v for k, v in picture(ep).items()}
        with pytest.raises(WinsockError) as caught:
            check(ep, call)
        assert caught.value.code == row.code
        if ep.state is State.RESET and call in ("recv", "send", "sendto"):
            continue  # what the loss was comes first there
        with pytest.raises(WinsockError) as caught:
            CALLS[call](ep)
        assert caught.value.code == row.code
        assert picture(ep) == before
    assert met, "no endpoint can ever meet this row"


@pytest.mark.parametrize("call", sorted({call for call, row in ROWS if row.old or row.flag}))
def test_what_the_shape_does_not_decide_is_looked_at_each_time(call):
    """A call that was let through, or refused, once in a shape decides nothing for others of the same shape."""
    met = set()
    for kind, state in itertools.product(KINDS, LIVING):
        if kind == c.SOCK_DGRAM and state not in (State.OPEN, State.BOUND):
            continue
        process = Process()
        for version, remote, context in itertools.product(
            (0x0202, 0x0101, 0x0202), (None, ("127.0.0.1", 9), None), ("", "accept", "connect", "")
        ):
            process.version = version
            ep = new_endpoint(process, NETWORK, c.AF_INET, kind, 0, 0, BASE)
            ep.state = state
            ep.remote = remote
            if context:
                ep.note("context", context)
            row = next((r for r in REFUSALS[call] if r.matches(ep)), None)
            met.add(row)
            with nullcontext() if row is None else pytest.raises(WinsockError) as caught:
                check(ep, call)
            if row is not None:
                assert caught.value.code == row.code
    assert len(met) > 1
