"""Clusters of duplicate texts, exact or near, and which rows of each are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanformer.answers.labels_check import Label
from leanformer.data.minhash import likely_pairs
from leanformer.data.near_repeats import near_pairs
from leanformer.data.overlap import group_rows

# Of more different texts, near pairs are found by MinHash: the time of the exact join grows with the square.
EXACT_TEXTS = 100_000
CONFLICTING = ("first", "none", "keep")


def cluster_rows(keys: Sequence[str], near: float | None = None) -> list[list[int]]:
    """The rows (from 0) of each cluster, ascending, in order of the first row; a text without duplicates is one, too.

    Args:
        keys: the normalised texts (`data.overlap.normalise_all`).
        near: texts are also in one cluster if the Jaccard similarity of their character 5-grams is at least this, or if
            a chain of such pairs links them (above 0, at most 1); None: only equal ones.
    """
    groups = group_rows(keys)
    if near is None:
        return list(groups.values())
    clusters: dict[int, list[int]] = {}
    for number, rows in zip(near_clusters(list(groups), near).tolist(), groups.values(), strict=True):
        clusters.setdefault(number, []).extend(rows)
    return [sorted(rows) for rows in clusters.values()]


def near_clusters(texts: Sequence[str], near: float) -> np.ndarray:
    """The cluster of each of different texts, int64 `[n]`: the lowest row that a chain of near pairs links it to.

    Of up to `EXACT_TEXTS` texts all near pairs are found, of more nearly all (see `data.minhash`).
    """
    cluster = np.arange(len(texts))
    find = near_pairs if len(texts) <= EXACT_TEXTS else likely_pairs
    for pairs in find(texts, near, cluster):
        for row, other in pairs.tolist():
            first, second = _root(cluster, row), _root(cluster, other)
            cluster[max(first, second)] = min(first, second)
        # The array must name the root of each text, not a text on the way to it.
        while (cluster[cluster] != cluster).any():
            cluster[:] = cluster[cluster]
    return cluster


def _root(cluster: np.ndarray, row: int) -> int:
    while cluster[row] != row:
        cluster[row] = row = cluster[cluster[row]]
    return row


def is_conflicting(rows: Sequence[int], labels: Sequence[Label] | None, per_word: bool = False) -> bool:
    """Whether the rows have different labels.

    If there is a label `per_word`, only texts with the same number of words are compared.
    """
    if labels is None:
        return False
    different = {labels[row] for row in rows}
    lengths = {len(label) if per_word and isinstance(label, tuple) else 0 for label in different}
    return len(different) > len(lengths)


def kept_rows(
    clusters: Sequence[Sequence[int]],
    labels: Sequence[Label] | None,
    removed: Sequence[bool] | np.ndarray,
    conflicting: str = "first",
    per_word: bool = False,
) -> list[int]:
    """The rows that remain, ascending: the first of each cluster that is not among the removed ones.

    Args:
        clusters: the rows of each cluster, see `cluster_rows`.
        labels: the label of each row; None if there are none.
        removed: for each row, whether it is removed in any case.
        conflicting: of a cluster with different labels, keep the "first" row, "none", or all ("keep").
        per_word: see `is_conflicting`.
    """
    kept: list[int] = []
    for rows in clusters:
        left = [row for row in rows if not removed[row]]
        if conflicting == "first" or not is_conflicting(rows, labels, per_word):
            kept += left[:1]
        elif conflicting == "keep":
            kept += left
    return sorted(kept)
