"""BM25 by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.embedders.bm25 import Bm25, words


def test_words_lose_plurals_and_the_most_frequent():
    assert words("The Wings of Flying machines, his gas is") == ["wing", "fly", "machine", "his", "gas"]


def test_a_score_by_hand():
    floor = Bm25(["wing wing flow", "flow", "heat"])
    mean = 5 / 3
    rarity = np.log(1 + (3 - 1 + 0.5) / 1.5)
    wanted = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / mean))
    np.testing.assert_allclose(floor.scores("wings"), [wanted, 0, 0])
    assert floor.scores("wing flow")[0] > floor.scores("flow")[1] > 0
    assert not floor.scores("sea").any()
    np.testing.assert_allclose(floor.scores("wing wings"), 2 * floor.scores("wing"))
