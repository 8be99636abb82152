"""The cache of the short commands."""

from __future__ import annotations

import threading

import pytest

from winsock.codes import _memo


def test_a_function_is_asked_once_for_the_same_arguments():
    asked = []

    @_memo.cache
    def double(number, other=0):
        """Twice."""
        asked.append((number, other))
        return 2 * number

    assert [double(1), double(2), double(1), double(1, 5)] == [2, 4, 2, 2]
    assert asked == [(1, 0), (2, 0), (1, 5)]
    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    double.cache_clear()
    assert double(1) == 2
    assert len(asked) == 4


def test_a_failure_is_not_remembered():
    answers = iter((ValueError, 5))

    @_memo.cache
    def ask(_):
        answer = next(answers)
        if answer is ValueError:
            raise ValueError("no")
        return answer

    with pytest.raises(ValueError, match="no"):
        ask("x")
    assert ask("x") == ask("x") == 5


def test_none_is_an_answer():
    asked = []
    remembered = _memo.cache(asked.append)
    assert remembered(1) is remembered(1) is None
    assert asked == [1]


def test_arguments_that_have_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        _memo.cache(len)([])


def test_memory_stays_bounded():
    asked = []
    remembered = _memo.cache(asked.append)
    for number in range(20_000):
        remembered(number)
    remembered(19_999)
    assert len(asked) == 20_000
    remembered(0)
    assert len(asked) == 20_001


def test_many_threads_get_their_answers():
    remembered = _memo.cache(lambda number: number + 1)
    wrong = []

    def work():
        wrong.extend(number for number in range(9000) if remembered(number) != number + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
