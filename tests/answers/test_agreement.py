"""Loyalty of one model to another, on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.forms import changed, decide, form_of, probability_agreement
from leanformer.task import Task

TASK = Task("classification", ("a", "b", "c"))


def test_labels_agree_where_the_largest_logit_is_the_same() -> None:
    reference = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [5, 4, 3]])
    logits = np.array([[9.0, 8, 0], [1, 0, 0], [0, 0, 0.1], [3, 4, 5]])
    ours, theirs = decide(logits, TASK), decide(reference, TASK)
    assert form_of(TASK).same(ours, theirs) == 0.5
    assert form_of(TASK).same(theirs, theirs) == 1.0
    assert changed(logits, reference, TASK).tolist() == [False, True, False, True]


def test_equal_probabilities_agree_wholly() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 4)) * 5
    assert probability_agreement(logits, logits, TASK) == pytest.approx(1, abs=1e-6)
    assert probability_agreement(logits + 7, logits, TASK) == pytest.approx(1, abs=1e-6)  # softmax knows no shift


def test_opposite_certainties_do_not_agree_at_all() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert probability_agreement(np.array([[900.0, 0.0]]), np.array([[0.0, 900.0]]), TASK) == pytest.approx(0)


def test_half_against_certain() -> None:
    """p = (1, 0), q = (1/2, 1/2): the middle is (3/4, 1/4), JS = (log2(4/3) + log2(2/3)/2 + 1/2) / 2 bits."""
    divergence = (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5 * np.log2(2)) / 2
    got = probability_agreement(np.array([[0.0, 0.0]]), np.array([[800.0, 0.0]]), TASK)
    assert got == pytest.approx(1 - np.sqrt(divergence), abs=1e-9)


def test_it_is_a_mean_over_rows_and_symmetric() -> None:
    generator = np.random.default_rng(1)
    one, other = generator.normal(size=(2, 30, 5)) * 2
    rows = [probability_agreement(one[i : i + 1], other[i : i + 1], TASK) for i in range(30)]
    assert probability_agreement(one, other, TASK) == pytest.approx(np.mean(rows))
    assert probability_agreement(other, one, TASK) == pytest.approx(probability_agreement(one, other, TASK))
    assert 0.2 < probability_agreement(one, other, TASK) < 0.9


def test_against_scipy() -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    special = pytest.importorskip("scipy.special")
    one, other = np.random.default_rng(2).normal(size=(2, 10, 6)) * 3
    theirs = distance.jensenshannon(special.softmax(one, axis=1), special.softmax(other, axis=1), base=2, axis=1)
    assert probability_agreement(one, other, TASK) == pytest.approx(float(1 - theirs.mean()))
