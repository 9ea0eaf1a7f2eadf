"""Semantic duplicates: texts of one label whose vectors nearly coincide (SemDeDup).

Abbas et al. 2023 (arXiv 2303.09540) cluster the vectors of all texts, and within a cluster remove a text if its cosine
with one that is farther from the centre is above a threshold, so that of a group the least typical one stays. Here
clusters are within a label: intents that differ in one word have nearly equal vectors, and both are needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

ALONE = -1.0
# Texts of a cluster on average; all pairs of a cluster are compared at once.
_PER_CLUSTER = 1000


def nearest_cosines(vectors: np.ndarray, labels: np.ndarray, seed: int = 13) -> np.ndarray:
    """The highest cosine of each text with a text of its label and cluster that is farther from the centre.

    Args:
        vectors: `[n, width]`, of length 1. labels: of each text, `[n]`.

    Returns float64 `[n]`, `ALONE` for the text of each cluster that is the farthest.
    """
    nearest = np.full(len(vectors), ALONE)
    for rows in _clusters(vectors, np.asarray(labels), seed):
        part = vectors[rows].astype(np.float64)
        centre = part.mean(axis=0)
        order = np.argsort(part @ centre, kind="stable")
        cosines = part[order] @ part[order].T
        cosines[np.triu_indices(len(order))] = -np.inf
        nearest[rows[order[1:]]] = cosines.max(axis=1)[1:]
    return nearest


def semantic_duplicates(
    vectors: np.ndarray,
    labels: np.ndarray,
    *,
    threshold: float | None = None,
    share: float | None = None,
    seed: int = 13,
) -> np.ndarray:
    """Which texts are semantic duplicates of a text that stays, booleans `[n]`.

    Args:
        vectors, labels, seed: see `nearest_cosines`.
        threshold: texts above this cosine are duplicates. share: instead, the share of texts that is to stay.

    Raises `ValueError` unless one of both is given.
    """
    if (threshold is None) == (share is None):
        raise ValueError("semantic duplicates: give either a threshold or the share of texts that stays")
    nearest = nearest_cosines(vectors, labels, seed)
    if share is None:
        return np.asarray(nearest > threshold)
    gone = np.zeros(len(nearest), dtype=bool)
    gone[np.argsort(nearest, kind="stable")[round(share * len(nearest)) :]] = True
    return gone


def _clusters(vectors: np.ndarray, labels: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """The rows of each cluster of each label."""
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = -(-len(rows) // _PER_CLUSTER)
        if count == 1:
            yield rows
            continue
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors give fewer clusters
            number = MiniBatchKMeans(count, n_init=1, random_state=seed).fit_predict(vectors[rows])
        for cluster in np.unique(number):
            yield rows[number == cluster]
