"""Holm's correction, by hand and on p-values of true hypotheses."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.holm import holm


def test_the_smallest_counts_as_often_as_there_are_hypotheses():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_true_hypotheses_are_hardly_ever_rejected():
    generator = np.random.default_rng(1)
    drawn = generator.random((4000, 5))
    drawn[:, 0] = 1e-6  # one that is false does not help the others
    wrong = np.mean([min(holm(values)[1:]) <= 0.05 for values in drawn])
    assert 0.03 < wrong <= 0.055
