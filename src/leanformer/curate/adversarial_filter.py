"""Adversarial filtering: rows whose label a linear model easily predicts are removed (AFLite).

Le Bras et al. 2020 (arXiv 2002.04108). Many times, a linear model on fixed features is trained on a random part of the
rows and asked for the others. A row's predictability is the share of times it was right. The most predictable rows are
cut away, and all is repeated with what is left. What remains is a harder set, without the rows that give their label
away; it is meant for tests of models, and for training only where there are rows to spare.
"""

from __future__ import annotations

import numpy as np

from leanformer.curate.dense_fits import DENSE_FITS
from leanformer.linear.features import BIAS

ROUNDS, TRAINED, THRESHOLD, CUT = 64, 0.5, 0.75, 0.1
_STRENGTH = 1.0


def predictability(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    rounds: int = ROUNDS,
    trained: float = TRAINED,
    strength: float = _STRENGTH,
    seed: int = 13,
) -> np.ndarray:
    """How often a linear model that has not seen a row predicts its label, float64 `[n]`; 0 if it was never asked.

    Args:
        features: `[n, columns]`. labels: the class of each row, `[n]`, counted from 0.
        rounds: models. trained: the share of rows that each is trained on.
        strength: inverse regularisation of the logistic regression.
    """
    generator, classes = np.random.default_rng(seed), int(labels.max()) + 1
    matrix = np.insert(np.asarray(features, dtype=np.float64), BIAS, 1.0, axis=1)
    right, asked = np.zeros(len(labels)), np.zeros(len(labels))
    for _ in range(rounds):
        held = np.ones(len(labels), dtype=bool)
        held[generator.permutation(len(labels))[: max(1, round(trained * len(labels)))]] = False
        weights = DENSE_FITS["label"](matrix[~held], labels[~held], classes, strength, seed)
        right[held] += (matrix[held] @ weights).argmax(axis=1) == labels[held]
        asked[held] += 1
    return np.asarray(right / np.maximum(asked, 1))


def aflite(
    features: np.ndarray,
    labels: np.ndarray,
    size: int,
    *,
    rounds: int = ROUNDS,
    trained: float = TRAINED,
    threshold: float = THRESHOLD,
    cut: float = CUT,
    strength: float = _STRENGTH,
    seed: int = 13,
) -> np.ndarray:
    """The rows that remain, int64, ascending: at least `size` of them.

    Args:
        threshold: rows below this predictability are never cut; the filter ends when too few reach it.
        cut: share of all rows to cut at a time, at most.
    """
    rows, most = np.arange(len(labels)), max(1, round(cut * len(labels)))
    while len(rows) > size:
        scores = predictability(
            features[rows], labels[rows], rounds=rounds, trained=trained, strength=strength, seed=seed + len(rows)
        )
        order = np.argsort(-scores, kind="stable")[: min(most, len(rows) - size)]
        gone = order[scores[order] >= threshold]
        rows = np.delete(rows, gone)
        if len(gone) < len(order):
            break
    return rows
