"""Folds, and logits of models that did not see the row."""

from __future__ import annotations

from typing import Any

import numpy as np

from leanformer.curate.out_of_fold import deal_folds, out_of_fold


def test_groups_stay_together_and_strata_are_spread() -> None:
    strata = np.repeat([0, 1, 2], [50, 30, 20])
    groups = np.arange(100)
    groups[40:50] = 40
    folds = deal_folds(strata, groups, seed=1)
    assert len(set(folds[40:50])) == 1 and set(folds) == set(range(5))
    for stratum, size in ((1, 6), (2, 4)):
        counts = np.bincount(folds[strata == stratum], minlength=5)
        assert abs(counts - size).max() <= 1
    assert (deal_folds(strata, groups, seed=1) == folds).all() and (deal_folds(strata, groups, seed=2) != folds).any()


def test_no_row_is_predicted_by_a_model_that_saw_it() -> None:
    """The "model" is the list of the rows it was trained on; a row's logit says how often its own number is there."""
    seen: list[set[int]] = []

    def fit(matrix: np.ndarray, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
        seen.append(set(matrix[:, 1].astype(int).tolist()))
        assert (targets == matrix[:, 1]).all(), "targets belong to their rows"
        return np.full((2, 1), float(len(seen)))

    count = 9000  # of more rows than are predicted together
    folds, numbers = np.arange(count) % 5, np.arange(count)
    trained = numbers[numbers % 3 > 0]

    def features(rows: np.ndarray) -> Any:
        return np.stack([np.ones(len(rows)), rows], axis=1)

    logits = out_of_fold(features, numbers, folds, trained, fit, 1, 1.0, seed=3)
    model = np.rint(logits[:, 0] / (1 + numbers)).astype(int)
    assert (model == folds + 1).all(), "each row is predicted by the model of its fold"
    for fold in range(5):
        assert seen[fold] == {int(row) for row in trained if row % 5 != fold}
