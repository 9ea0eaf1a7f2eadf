"""A data map: what a training shows about each of its rows, in several measures, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.metrics.correlation import spearman

QUANTILES = {"5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95}
# Measure -> the sign that makes high values those of rows that are hard to learn.
HARD = {
    "confidence": -1, "variability": 1, "correctness": -1, "forgetting": 1, "error": 1, "information": -1, "depth": 1,
}  # fmt: skip


def confidence(gold: np.ndarray) -> np.ndarray:
    """The mean probability of the label over the epochs, `[n]`, of `[epochs, n]` (Swayamdipta et al. 2020)."""
    return np.asarray(gold.mean(axis=0))


def variability(gold: np.ndarray) -> np.ndarray:
    """The standard deviation of that probability over the epochs, `[n]`, 0 to 0.5 (Swayamdipta et al. 2020)."""
    return np.asarray(gold.std(axis=0))


def correctness(right: np.ndarray) -> np.ndarray:
    """The share of epochs after which the row is answered rightly, `[n]`, of bool `[epochs, n]`."""
    return np.asarray(right.mean(axis=0))


def forgetting(right: np.ndarray) -> np.ndarray:
    """How often a row that was right after one epoch is wrong after the next, `[n]` (Toneva et al. 2019).

    A row that is never right has as many as there are epochs, more than any row that was learnt.
    """
    events = (right[:-1] & ~right[1:]).sum(axis=0)
    return np.asarray(np.where(right.any(axis=0), events, len(right)))


def usable_information(gold: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Pointwise V-information in bits, `[n]` (Ethayarajh et al. 2022): log2 g(y | x) - log2 g0(y).

    Args:
        gold: the probability of the label, `[n]`, by a model that was not trained on the row. labels: `[n]`.

    g0, which sees no text, is the frequency of the labels: a model of an empty input learns just this.
    """
    counts = np.bincount(labels)
    prior = counts[labels] / len(labels)
    return np.asarray(np.log2(np.maximum(gold, 1e-12)) - np.log2(prior))


@dataclass(frozen=True)
class DataMap:
    """The measures of the rows of train.

    Attributes:
        measures: name, as in `HARD` -> values, `[n]`.
        epochs: of the training. encoder: the name of the model that was trained. data: the content hash of train.
    """

    measures: Mapping[str, np.ndarray]
    epochs: int
    encoder: str
    data: str

    @property
    def hardness(self) -> dict[str, np.ndarray]:
        """The measures, with high values for rows that are hard to learn."""
        return {name: HARD[name] * values for name, values in self.measures.items()}

    @property
    def agreement(self) -> dict[str, dict[str, float]]:
        """Spearman's correlation of each two measures of hardness."""
        hard = self.hardness
        return {
            name: {other: round(spearman(hard[name], hard[other]), 3) for other in hard if other != name}
            for name in hard
        }

    @property
    def hardest(self) -> np.ndarray:
        """The rows from the one of least confidence on."""
        return np.argsort(self.measures["confidence"], kind="stable")

    @property
    def most_variable(self) -> np.ndarray:
        """The rows from the one of highest variability on."""
        return np.argsort(-self.measures["variability"], kind="stable")

    def to_json(self) -> dict[str, Any]:
        """Quantiles of each measure, and how they agree; the rows are in a file of their own."""
        return {
            "encoder": self.encoder, "epochs": self.epochs, "data": self.data,
            "rows": len(self.measures["confidence"]),
            "quantiles": {
                name: {key: round(float(np.quantile(values, at)), 4) for key, at in QUANTILES.items()}
                for name, values in self.measures.items()
            },
            "agreement": self.agreement,
        }  # fmt: skip

    def row(self, row: int) -> dict[str, float]:
        """The measures of a row."""
        return {name: round(float(values[row]), 4) for name, values in self.measures.items()}
