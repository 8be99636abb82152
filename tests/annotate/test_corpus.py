"""How well the annotator does on labelled lines: the floors it must not fall below."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PRECISION, RECALL = 0.99, 0.97


@pytest.fixture(scope="module")
def labelled():
    spec = importlib.util.spec_from_file_location("labelled", HERE / "labelled.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("part", ["corpus", "held_out"])
def test_floors(labelled, part):
    mistakes = []
    score = labelled.score(labelled.lines(part), mistakes)
    told = "\n".join(mistakes)
    assert labelled.precision(score) >= PRECISION, told
    assert labelled.recall(score) >= RECALL, told


def test_it_is_large_and_hard_enough(labelled):
    lines = labelled.lines("corpus")
    assert len(lines) >= 300
    assert len({line.format for line in lines}) >= 10
    assert len(labelled.lines("held_out")) >= 100
    for part in labelled.PARTS:
        without = [line for line in labelled.lines(part) if not line.codes]
        assert len(without) >= len(labelled.lines(part)) / 4
        numbers = [line for line in without if any(word in line.text for word in ("1005", "1006", "1004"))]
        assert len(numbers) > len(without) / 2  # they have the numbers, and yet no code


def test_a_line_is_labelled_once(labelled):
    texts = [line.text for part in labelled.PARTS for line in labelled.lines(part)]
    assert len(texts) == len(set(texts))


def test_the_score_notices_mistakes(labelled):
    lines = [
        labelled.Labelled("x", frozenset({10054}), "WinError 10054"),
        labelled.Labelled("x", frozenset({10054}), "nothing here"),
        labelled.Labelled("x", frozenset(), "WinError 10061"),
    ]
    mistakes = []
    score = labelled.score(lines, mistakes)
    assert (score.right, score.wrong, score.missed) == (1, 1, 1)
    assert labelled.precision(score) == labelled.recall(score) == 0.5
    assert len(mistakes) == 2


def test_the_command_prints_both():
    out = subprocess.run([sys.executable, HERE / "labelled.py"], capture_output=True, text=True, check=True).stdout
    assert out.count("precision 0.9") + out.count("precision 1.0") == 2
    assert out.count("recall") == 2
