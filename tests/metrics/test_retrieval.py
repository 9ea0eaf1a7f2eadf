"""Figures of rankings, equal to their definitions: by hand, and as scikit-learn computes them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from leanformer.metrics.retrieval import FIGURES, average_precision, of_ranking


def test_a_ranking_by_hand():
    # Documents 2, 0, 3, 1 in that order; 0 and 1 are relevant.
    found = of_ranking(np.array([0.8, 0.1, 0.9, 0.5]), {0: 3.0, 1: 1.0, 2: 0.0, 3: -1.0})
    ideal = 3 + 1 / np.log2(3)
    wanted = [(3 / np.log2(3) + 1 / np.log2(5)) / ideal, 1.0, 1 / 2, (1 / 2 + 2 / 4) / 2]
    np.testing.assert_allclose(found, wanted)
    assert FIGURES == ("nDCG@10", "recall@10", "MRR", "MAP")


def test_what_is_below_the_cut_counts_for_the_whole_ranking_alone():
    scores = -np.arange(30.0)
    found = of_ranking(scores, {10: 1.0, 29: 2.0})
    np.testing.assert_allclose(found, [0, 0, 1 / 11, (1 / 11 + 2 / 30) / 2])


def test_equal_scores_stay_in_order():
    assert of_ranking(np.zeros(5), {1: 1.0})[2] == 1 / 2


def test_the_same_as_scikit_learn():
    generator = np.random.default_rng(4)
    for size in (8, 40):
        gains = generator.integers(0, 4, size=size) * (generator.random(size) < 0.5)
        gains[3] = 2
        scores = generator.permutation(size).astype(float)
        found = of_ranking(scores, dict(enumerate(gains.tolist())))
        assert found[0] == pytest.approx(ndcg_score(gains[None], scores[None], k=10))
        assert found[3] == pytest.approx(average_precision_score(gains > 0, scores))
        tied = np.floor(scores / 3)
        assert average_precision(tied, gains > 0) == pytest.approx(average_precision_score(gains > 0, tied))


def test_without_anything_relevant():
    with pytest.raises(ValueError, match="no document is relevant"):
        of_ranking(np.ones(3), {0: 0.0})
    with pytest.raises(ValueError, match="no row is relevant"):
        average_precision(np.ones(3), np.zeros(3))
