"""Figures of a ranking, as trec_eval and BEIR define them: nDCG@10, recall@10, reciprocal rank, average precision."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

CUT = 10
FIGURES = (f"nDCG@{CUT}", f"recall@{CUT}", "MRR", "MAP")
"""Their names; the last two are means over queries of figures of the whole ranking."""


def of_ranking(scores: np.ndarray, gains: Mapping[int, float]) -> np.ndarray:
    """The `FIGURES` of one query.

    Args:
        scores: of each document `[documents]`; equal ones stay in the order of the documents.
        gains: document -> how relevant it is; those that are missing, or 0 or less, are not relevant.

    The gain counts as it is, divided by log2(1 + rank), relative to the best possible ranking (Järvelin and Kekäläinen
    2002). Raises `ValueError` if no document is relevant.
    """
    relevant = {number: gain for number, gain in gains.items() if gain > 0}
    if not relevant:
        raise ValueError("no document is relevant")
    ranks = np.argsort(np.argsort(-scores, kind="stable"), kind="stable")[list(relevant)]
    gained = np.array(list(relevant.values()), dtype=np.float64)
    ideal = np.sort(gained)[::-1][:CUT]
    near, found = ranks < CUT, np.sort(ranks) + 1
    dcg = (gained[near] / np.log2(ranks[near] + 2)).sum()
    precision = np.arange(1, len(found) + 1) / found
    return np.array(
        [dcg / (ideal / np.log2(np.arange(len(ideal)) + 2)).sum(), near.mean(), 1 / found[0], precision.mean()]
    )


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Average precision of rows `[n]` of which some are relevant, such as pairs that are duplicates.

    The sum over thresholds of the recall gained times the precision; rows with equal scores share a threshold, as in
    scikit-learn. Raises `ValueError` if no row is relevant.
    """
    if not np.any(relevant):
        raise ValueError("no row is relevant")
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(np.asarray(relevant, dtype=bool)[order])[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / hits[-1])
