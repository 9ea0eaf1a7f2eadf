"""Texts affected by compression: the modal answer of compressed models differs, beyond what reseeding alone changes.

Hooker et al. (2020) call a text a compression-identified exemplar if the modal answers of a population of uncompressed
and one of compressed models differ. With few models, texts near a decision boundary qualify by chance, so the same
count between two halves of the uncompressed population is subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Exemplars:
    """Rows whose modal answer changed, and how many would by seed alone.

    Attributes:
        rows: indices of rows whose modal answers differ, ambiguous modes left out.
        churn: mean number of such rows between two disjoint groups of uncompressed models of equal size; None with
            fewer than two of those.
        excess: rows beyond churn; None where churn is. At or below 0: compression changed no more than a seed does.
    """

    rows: tuple[int, ...]
    churn: float | None
    excess: float | None


def modal_answers(answers: np.ndarray) -> np.ndarray:
    """The most frequent class of each row of `[models, n]` classes; -1 where two are equally frequent."""
    classes = int(answers.max()) + 1
    counts = np.stack([(answers == index).sum(axis=0) for index in range(classes)])
    top = counts.max(axis=0)
    return np.where((counts == top).sum(axis=0) == 1, counts.argmax(axis=0), -1)


def exemplars(compressed: np.ndarray, uncompressed: np.ndarray) -> Exemplars:
    """From classes `[models, n]` of both populations. Raises `ValueError` for an empty one."""
    if compressed.ndim != 2 or uncompressed.ndim != 2 or min(len(compressed), len(uncompressed)) == 0:
        raise ValueError("at least one compressed and one uncompressed model are needed, as [models, n]")
    rows = _differing(modal_answers(compressed), modal_answers(uncompressed))
    churn = _churn(uncompressed)
    excess = None if churn is None else len(rows) - churn
    return Exemplars(tuple(int(row) for row in rows), churn, excess)


def _differing(modes: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.flatnonzero((modes != others) & (modes >= 0) & (others >= 0))


def _churn(answers: np.ndarray) -> float | None:
    """Mean number of differing modal answers over all ways to take two disjoint groups of half the models."""
    half = len(answers) // 2
    if half == 0:
        return None
    counts = []
    for first in combinations(range(len(answers)), half):
        rest = [i for i in range(len(answers)) if i not in first]
        for second in combinations(rest, half):
            if first < second:
                counts.append(
                    len(_differing(modal_answers(answers[list(first)]), modal_answers(answers[list(second)])))
                )
    return float(np.mean(counts))
