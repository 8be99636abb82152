"""What is refused in which state, and with which code: a table.

The rows of a call stand in the order in which Windows checks them; the first that matches decides.  The table is
read by the calls, by documentation and by tests; a refused call changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from winsock.abi import _constants as c
from winsock.afd._endpoint import Endpoint
from winsock.afd._shape import VARYING, Shape, State
from winsock.codes import WSA, WinsockError

STREAM: Final = frozenset({c.SOCK_STREAM})
MESSAGES: Final = frozenset({c.SOCK_DGRAM, c.SOCK_RAW})


class Refusal(NamedTuple):
    """One row: in these states, for these socket types, when this flag of the endpoint is set.

    code      what the call fails with
    why       the condition, in a few words, for people
    source    "document", "fact", "observed on Wine", "seen in reports"
    states    None is any
    types     None is any
    flag      name of an endpoint's attribute that must be true ("" is none); "!x" must be false
    old       only for programs that asked for Winsock 1.1
    """

    code: WSA
    why: str
    source: str
    states: frozenset[State] | None = None
    types: frozenset[int] | None = None
    flag: str = ""
    old: bool = False

    def matches(self, ep: Endpoint) -> bool:
        """Whether it applies to this endpoint now."""
        if self.states is not None and ep.state not in self.states:
            return False
        if self.types is not None and ep.type not in self.types:
            return False
        if self.old and ep.process.version & 0xFF != 1:
            return False
        if self.flag:
            negated = self.flag[0] == "!"
            return bool(getattr(ep, self.flag.lstrip("!"))) is not negated
        return True


_JOINED = frozenset({State.CONNECTED, State.RESET})
_UNCONNECTED = frozenset({State.OPEN, State.BOUND, State.LISTENING, State.CONNECTING})

REFUSALS: Final[dict[str, tuple[Refusal, ...]]] = {
    "bind": (
        Refusal(WSA.WSAEINVAL, "the socket already has a name", "fact", frozenset(State) - {State.OPEN}),
    ),
    "listen": (
        Refusal(WSA.WSAEOPNOTSUPP, "only streams listen", "document", types=MESSAGES),
        Refusal(WSA.WSAEINVAL, "the socket is not bound", "document", frozenset({State.OPEN})),
        Refusal(
            WSA.WSAEISCONN, "the socket is connected", "document", frozenset({State.CONNECTED, State.RESET})
        ),
        Refusal(WSA.WSAEINVAL, "a connect is under way", "fact", frozenset({State.CONNECTING})),
    ),
    "accept": (
        Refusal(WSA.WSAEOPNOTSUPP, "only streams accept", "document", types=MESSAGES),
        Refusal(WSA.WSAEINVAL, "the socket does not listen", "document", frozenset(State) - {State.LISTENING}),
    ),
    "connect": (
        Refusal(WSA.WSAEINVAL, "the socket listens", "fact", frozenset({State.LISTENING}), STREAM),
        Refusal(
            WSA.WSAEINVAL,
            "an old program's connect is under way",
            "document",
            frozenset({State.CONNECTING}),
            STREAM,
            old=True,
        ),
        Refusal(WSA.WSAEALREADY, "a connect is under way", "fact", frozenset({State.CONNECTING}), STREAM),
        Refusal(
            WSA.WSAEINVAL, "it lacks SO_UPDATE_*_CONTEXT", "fact", _JOINED, STREAM, "unsettled"
        ),
        Refusal(
            WSA.WSAEISCONN,
            "the socket is connected",
            "fact",
            frozenset({State.CONNECTED, State.RESET}),
            STREAM,
        ),
    ),
    "shutdown": (
        Refusal(WSA.WSAENOTCONN, "the stream has no connection", "fact", _UNCONNECTED, STREAM),
        Refusal(
            WSA.WSAENOTCONN, "it lacks SO_UPDATE_*_CONTEXT", "seen in reports", _JOINED, STREAM, "unsettled"
        ),
    ),
    "recv": (
        Refusal(WSA.WSAENOTCONN, "the stream has no connection", "fact", _UNCONNECTED, STREAM),
        Refusal(WSA.WSAESHUTDOWN, "receiving was shut down", "fact", flag="receive_shut"),
        Refusal(
            WSA.WSAEINVAL, "the socket has no name to receive at", "document", frozenset({State.OPEN}), MESSAGES
        ),
    ),
    "send": (
        Refusal(WSA.WSAENOTCONN, "the stream has no connection", "fact", _UNCONNECTED, STREAM),
        Refusal(WSA.WSAESHUTDOWN, "sending was shut down", "fact", flag="send_shut"),
        Refusal(WSA.WSAENOTCONN, "no address given and no peer", "fact", types=MESSAGES, flag="!remote"),
    ),
    "sendto": (
        Refusal(WSA.WSAENOTCONN, "the stream has no connection", "fact", _UNCONNECTED, STREAM),
        Refusal(WSA.WSAESHUTDOWN, "sending was shut down", "fact", flag="send_shut"),
    ),
    "getsockname": (
        Refusal(WSA.WSAEINVAL, "the socket has no name yet", "fact", frozenset({State.OPEN})),
        Refusal(
            WSA.WSAEINVAL, "it lacks SO_UPDATE_ACCEPT_CONTEXT", "document", _JOINED, STREAM, "nameless"
        ),
    ),
    "getpeername": (
        Refusal(WSA.WSAENOTCONN, "the socket has no peer", "fact", flag="!remote"),
        Refusal(WSA.WSAENOTCONN, "a connect is under way", "fact", frozenset({State.CONNECTING})),
        Refusal(WSA.WSAENOTCONN, "it lacks SO_UPDATE_*_CONTEXT", "document", _JOINED, STREAM, "unsettled"),
    ),
}


# The same by state, as most calls are refused for nothing in the state that they are meant for.
_BY_STATE: Final[dict[str, dict[State, tuple[Refusal, ...]]]] = {
    call: {state: tuple(row for row in rows if row.states is None or state in row.states) for state in State}
    for call, rows in REFUSALS.items()
}


def check(ep: Endpoint, call: str) -> None:
    """Raise what refuses this call now, if anything does."""
    shape = ep.shape
    left = shape.left.get(call)
    if left is None:
        if shape.closed:
            raise WinsockError(WSA.WSAENOTSOCK)
        left = _look_at_all(shape, call)
    for code, old, flag, wanted in left:
        if (not old or ep.process.version & 0xFF == 1) and (not flag or bool(getattr(ep, flag)) is wanted):
            raise WinsockError(code)


def _look_at_all(shape: Shape, call: str) -> tuple[tuple[WSA, bool, str, bool], ...]:
    """What of the call's rows has to be looked at each time, as more than the shape decides it; kept there.

    (code, old, an endpoint's attribute or "", what that must be for the refusal).  Of rows that the shape decides the
    first that matches is the last.
    """
    left = []
    for row in _BY_STATE[call][shape.state]:
        if row.types is not None and shape.type not in row.types:
            continue
        flag = row.flag.lstrip("!")
        wanted = flag == row.flag
        if flag in VARYING and bool(getattr(shape, flag)) is not wanted:
            continue
        decided = flag in VARYING or not flag
        left.append((row.code, row.old, "" if decided else flag, wanted))
        if decided and not row.old:
            break
    shape.left[call] = found = tuple(left)
    return found
