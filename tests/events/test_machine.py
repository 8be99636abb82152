"""The machine of network events against a model that is simpler: what a program could want of it."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from winsock.abi import _constants as c
from winsock.afd import _events
from winsock.afd._events import KINDS, NetworkEvents, Snapshot
from winsock.codes import WSA

MASKS = st.integers(0, c.FD_ALL_EVENTS)
BY_EVENT = {kind.event: kind for kind in KINDS}


def now(ready: int = 0, **more: int) -> Snapshot:
    return Snapshot(ready, **more)


class Connection(RuleBasedStateMachine):
    """A stream that connects, gets data and ends; the program sees it through the machine alone."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = self.urgent = 0
        self.ended = self.reset = self.full = False
        self.events = NetworkEvents()
        self.connected = False
        self.connects = self.closes = 0  # announced or fetched since the connection began
        self.unanswered: set[int] = set()  # posted, and no answer since
        self.fresh: set[int] = set()  # something new since it was announced last

    def snapshot(self) -> Snapshot:
        ready = 0
        if self.connected:
            ready = c.AFD_POLL_CONNECT | (0 if self.full else c.AFD_POLL_SEND)
            ready |= c.AFD_POLL_RECEIVE if self.queue else 0
            ready |= c.AFD_POLL_RECEIVE_EXPEDITED if self.urgent else 0
            if self.reset:
                ready = c.AFD_POLL_CONNECT | c.AFD_POLL_ABORT | c.AFD_POLL_SEND
            elif self.ended:
                ready |= c.AFD_POLL_DISCONNECT
        return Snapshot(ready, self.queue, self.urgent)

    def announced(self, announcements: list[tuple[int, int]]) -> None:
        """Whatever is announced is selected, true, and no repetition."""
        order = [kind.event for kind in KINDS]
        assert [e for e, _ in announcements] == sorted((e for e, _ in announcements), key=order.index)
        for event, code in announcements:
            assert event & self.events.mask
            assert self.snapshot().ready & BY_EVENT[event].condition
            assert code == (WSA.WSAECONNABORTED if event == c.FD_CLOSE and self.reset else 0)
            if self.events.messages:
                assert event not in self.unanswered, "posted twice without an answer"
                self.unanswered.add(event)

    def look(self) -> None:
        self.announced(self.events.look(self.snapshot()))

    def answered(self, call: str) -> None:
        self.unanswered.discard(_events.ANSWERED_BY[call])
        self.events.answer(call)
        self.look()

    @initialize(accepted=st.booleans())
    def made(self, accepted: bool) -> None:
        self.accepted = self.connected = accepted
        self.events = NetworkEvents(accepted)

    @rule(mask=MASKS, messages=st.booleans())
    def select(self, mask: int, messages: bool) -> None:
        self.unanswered.clear()
        found = self.events.select(mask, messages, self.snapshot())
        if messages:
            assert c.FD_CONNECT not in dict(found), "a connect that is done is never posted"
            for event, _ in found:
                self.unanswered.add(event)
            for kind in KINDS:
                if kind.repeats and mask & kind.event and self.snapshot().ready & kind.condition:
                    assert kind.event in dict(found), "what holds is posted at each selection"
        elif self.events.record & self.events.mask:
            assert found, "what is recorded signals at each selection"

    @rule()
    @precondition(lambda self: not self.connected or self.ended)
    def connect(self) -> None:
        """For the first time, or again as DisconnectEx allows."""
        self.queue = self.urgent = 0
        self.ended = self.reset = self.full = self.accepted = False
        self.events.begin(True)
        self.unanswered.clear()
        self.connected, self.connects, self.closes = True, 0, 0
        announcements = self.events.look(self.snapshot())
        self.announced(announcements)
        for event in c.FD_CONNECT, c.FD_WRITE:
            if self.events.mask & event:
                assert (event, 0) in announcements, "each connection is told of"

    @rule(n=st.integers(1, 3))
    @precondition(lambda self: self.connected and not self.ended)
    def data_comes(self, n: int) -> None:
        self.queue += n
        self.look()
        if not self.events.messages and self.events.mask & c.FD_READ:
            assert self.events.record & c.FD_READ, "each arrival is recorded"

    @rule(n=st.integers(1, 4))
    @precondition(lambda self: self.connected and not self.reset)
    def receive(self, n: int) -> None:
        self.queue = max(0, self.queue - n)
        self.answered(_events.RECEIVE)

    @rule()
    @precondition(lambda self: self.connected and not self.ended)
    def urgent_comes(self) -> None:
        self.urgent += 1
        self.look()

    @rule()
    @precondition(lambda self: self.urgent and not self.reset)
    def receive_urgent(self) -> None:
        self.urgent -= 1
        self.answered(_events.RECEIVE_URGENT)

    @rule()
    @precondition(lambda self: self.connected and not self.full)
    def send_is_refused(self) -> None:
        self.full = True
        self.answered(_events.SEND)

    @rule()
    @precondition(lambda self: self.full)
    def room_comes(self) -> None:
        self.full = False
        self.look()
        if self.events.mask & c.FD_WRITE and self.events.messages:
            assert c.FD_WRITE in self.unanswered

    @rule()
    @precondition(lambda self: self.connected and not self.ended)
    def peer_ends(self) -> None:
        self.ended = True
        self.look()

    @rule()
    @precondition(lambda self: self.connected and not self.reset)
    def peer_resets(self) -> None:
        self.ended = self.reset = True
        self.full = False
        self.look()

    @rule()
    def look_again(self) -> None:
        self.look()
        assert self.events.look(self.snapshot()) == [], "nothing happened between two looks"

    @rule()
    def fetch(self) -> None:
        self.look()
        found = self.events.fetch()
        assert set(found) <= {kind.event for kind in KINDS if kind.event & self.events.mask}
        assert self.events.fetch() == {}, "fetched once"
        self.connects += c.FD_CONNECT in found
        self.closes += c.FD_CLOSE in found

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert self.connects <= (not self.accepted)
        assert self.closes <= 1

    @invariant()
    def nothing_is_lost(self) -> None:
        """A program that waits for messages is never left waiting for what is there."""
        if self.events.messages:
            ready = self.snapshot().ready
            for kind in KINDS:
                if kind.answer and self.events.mask & kind.event and ready & kind.condition:
                    assert kind.event in self.unanswered


TestConnection = Connection.TestCase
TestConnection.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


# -- the table, row by row

POLLED = [kind for kind in KINDS if kind.condition]
NAMES = {value: name for name, value in vars(c).items() if name.startswith("FD_") and value in BY_EVENT}
ANSWERED = [kind for kind in POLLED if kind.answer]
rows = pytest.mark.parametrize("kind", POLLED, ids=[NAMES[kind.event] for kind in POLLED])
answered_rows = pytest.mark.parametrize("kind", ANSWERED, ids=[NAMES[kind.event] for kind in ANSWERED])


@rows
def test_each_kind_is_recorded_while_nothing_is_selected(kind):
    events = NetworkEvents()
    assert events.look(now(kind.condition)) == []
    assert events.select(kind.event, False, now(kind.condition))[0][0] == kind.event
    assert list(events.fetch()) == [kind.event]


@rows
def test_what_was_fetched_is_not_recorded_again_by_selecting(kind):
    events = NetworkEvents()
    events.select(kind.event, False, now(kind.condition))
    events.fetch()
    for mask in (kind.event, 0, kind.event, c.FD_ALL_EVENTS):
        events.select(mask, False, now(kind.condition))
        assert events.fetch() == {}


@answered_rows
def test_the_answer_allows_the_next_record(kind):
    events = NetworkEvents()
    events.select(kind.event, False, now(kind.condition))
    events.fetch()
    for call in _events.ANSWERED_BY:
        if call != kind.answer:
            events.answer(call)
    assert events.look(now(kind.condition)) == []
    events.answer(kind.answer)
    assert [event for event, _ in events.look(now(kind.condition))] == [kind.event]


@answered_rows
@pytest.mark.parametrize("selected", [True, False], ids=["selected", "not selected"])
def test_an_answer_takes_the_event_out_of_the_record(kind, selected):
    events = NetworkEvents()
    events.select(kind.event if selected else 0, False, now(kind.condition))
    events.answer(kind.answer)
    events.look(now())
    events.select(kind.event, False, now())
    # A send leaves the room that was told of: what it would have to wait for comes later.
    assert list(events.fetch()) == ([kind.event] if kind.answer == _events.SEND else [])


@rows
def test_messages_repeat_what_holds_at_each_selection_but_no_connect(kind):
    events = NetworkEvents()
    events.select(kind.event, True, now())
    assert [event for event, _ in events.look(now(kind.condition))] == [kind.event]
    again = events.select(kind.event, True, now(kind.condition))
    assert [event for event, _ in again] == ([kind.event] if kind.repeats else [])


@pytest.mark.parametrize("event", [c.FD_READ, c.FD_ACCEPT, c.FD_OOB], ids=["read", "accept", "oob"])
def test_only_the_record_takes_arrivals_that_nobody_answered(event):
    condition = BY_EVENT[event].condition
    for messages in (False, True):
        events = NetworkEvents()
        events.select(event, messages, now(condition, waiting=1, urgent=1))
        events.fetch()
        found = events.look(now(condition, waiting=2, urgent=2))
        assert bool(found) is not messages


def test_a_call_that_failed_before_it_asked_answers_messages_only():
    for messages in (False, True):
        events = NetworkEvents()
        events.select(c.FD_READ, messages, now(c.AFD_POLL_RECEIVE, waiting=1))
        events.fetch()
        events.refused(_events.RECEIVE)
        assert bool(events.look(now(c.AFD_POLL_RECEIVE, waiting=1))) is messages


def test_errors_go_with_connect_and_close_only():
    failed = now(c.AFD_POLL_CONNECT_FAIL, connect_code=WSA.WSAECONNREFUSED)
    events = NetworkEvents()
    events.select(c.FD_ALL_EVENTS, False, failed)
    assert events.fetch() == {c.FD_CONNECT: WSA.WSAECONNREFUSED}
    lost = now(c.AFD_POLL_CONNECT | c.AFD_POLL_ABORT | c.AFD_POLL_SEND)
    events = NetworkEvents()
    events.select(c.FD_ALL_EVENTS, False, lost)
    assert events.fetch() == {c.FD_CONNECT: 0, c.FD_WRITE: 0, c.FD_CLOSE: WSA.WSAECONNABORTED}


def test_what_no_snapshot_shows():
    events = NetworkEvents()
    assert events.happened(c.FD_ADDRESS_LIST_CHANGE) == []
    events.select(c.FD_ADDRESS_LIST_CHANGE, False, now())
    assert events.fetch() == {c.FD_ADDRESS_LIST_CHANGE: 0}
    assert events.happened(c.FD_ADDRESS_LIST_CHANGE) == [(c.FD_ADDRESS_LIST_CHANGE, 0)]
    events.select(c.FD_ADDRESS_LIST_CHANGE, True, now())
    assert events.happened(c.FD_ADDRESS_LIST_CHANGE) == [(c.FD_ADDRESS_LIST_CHANGE, 0)]


def test_unknown_bits_are_not_selected():
    events = NetworkEvents()
    events.select(-1, False, now())
    assert events.mask == c.FD_ALL_EVENTS
    events.select(0x7FFFFC00, False, now())
    assert events.mask == 0
