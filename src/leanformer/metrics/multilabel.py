"""Scores of multi-label classification: any number of labels per text.

Arrays are `[n, labels]`, 1 (or true) if a label applies. For the averages see Sorower 2010; of the two macro-F1 in
Opitz and Burst 2019 (arXiv 1911.03347), the mean of the labels' F1 is used.
"""

from __future__ import annotations

import numpy as np


def label_counts(predicted: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per label, `[labels]` each: number of true positives, of predicted and of gold labels."""
    given, true = predicted.astype(bool), labels.astype(bool)
    return (given & true).sum(axis=0), given.sum(axis=0), true.sum(axis=0)


def micro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """F1 over all decisions together, 0 to 1; 1 if no label applies and none was predicted."""
    right, given, true = (count.sum() for count in label_counts(predicted, labels))
    return float(2 * right / (given + true)) if given + true else 1.0


def label_f1(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """F1 of each label `[labels]`; NaN for a label that neither applies nor was predicted."""
    right, given, true = label_counts(predicted, labels)
    both = given + true
    return np.asarray(np.divide(2 * right, both, out=np.full(len(both), np.nan), where=both > 0))


def mean_label_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Macro-F1: the mean F1 of the labels that apply or were predicted somewhere; 1 if there are none."""
    each = label_f1(predicted, labels)
    return float(np.nanmean(each)) if np.isfinite(each).any() else 1.0


def label_recalls(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Recall of each label `[labels]`; NaN for a label without texts."""
    right, _, true = label_counts(predicted, labels)
    return np.asarray(np.divide(right, true, out=np.full(len(true), np.nan), where=true > 0))


def subset_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of texts whose predicted labels are exactly the gold labels."""
    return float((predicted.astype(bool) == labels.astype(bool)).all(axis=1).mean())


def best_thresholds(probabilities: np.ndarray, labels: np.ndarray, *, fewest: int = 5) -> tuple[float, ...]:
    """For each label the threshold (inclusive) that maximises its F1 on these rows (Yang 2001, SCut).

    Candidates are 0.5 and the midpoints between neighbouring probabilities; ties go to the one nearest to 0.5. A label
    that applies to fewer than `fewest` rows keeps 0.5, because the best on so few is chance (Yang's SCutFBR).

    Args:
        probabilities: `[n, labels]`, 0 to 1.
        labels: `[n, labels]`, 1 if a label applies.
    """
    return tuple(
        _best_threshold(probabilities[:, i], labels[:, i].astype(bool)) if labels[:, i].sum() >= fewest else 0.5
        for i in range(labels.shape[1])
    )


def _best_threshold(probabilities: np.ndarray, applies: np.ndarray) -> float:
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    # Predict the label for the k most probable rows, for each k after which the probability changes.
    ends = np.flatnonzero(ranked[:-1] > ranked[1:])
    right = np.cumsum(applies[order])[ends]
    candidates = (ranked[ends] + ranked[ends + 1]) / 2
    f1 = 2 * right / (ends + 1 + applies.sum())
    at_half = probabilities >= 0.5
    candidates = np.append(candidates, 0.5)
    f1 = np.append(f1, 2 * (at_half & applies).sum() / (at_half.sum() + applies.sum()))
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(candidates[best[np.abs(candidates[best] - 0.5).argmin()]])
