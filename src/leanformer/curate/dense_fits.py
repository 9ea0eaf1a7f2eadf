"""Fits of linear models on vectors, such as an encoder's: logistic regression, as `linear.fit.FITS` has them."""

from __future__ import annotations

import numpy as np

from leanformer.answers.form import FormTable
from leanformer.curate.active.head import fit_head
from leanformer.linear.features import BIAS
from leanformer.linear.fit import NEVER, Fit


def _one_label(matrix: np.ndarray, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """Weights `[columns, outputs]` for one label per text; a class without texts is never predicted."""
    if len(np.unique(targets)) == 1:
        weights = np.zeros((matrix.shape[1], outputs))
        weights[BIAS] = np.where(np.arange(outputs) == targets[0], -NEVER, NEVER)
        return weights
    head = fit_head(matrix[:, BIAS + 1 :], targets, outputs, strength)
    return np.concatenate([head.bias[None], head.weights])


def _any_labels(matrix: np.ndarray, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """A classifier per label; a label that all or no texts have always or never applies."""
    both = [_one_label(matrix, targets[:, label], 2, strength, seed) for label in range(outputs)]
    return np.stack([weights[:, 1] - weights[:, 0] for weights in both], axis=1)


DENSE_FITS: FormTable[Fit] = FormTable("leanformer/curate/dense_fits.py", {"label": _one_label, "labels": _any_labels})
