"""Two models on the same texts: what was lost and gained, McNemar's test, and the interval of the difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leanformer.metrics.binomial import at_most


@dataclass(frozen=True)
class Paired:
    """Counts of a comparison with a reference.

    Attributes:
        n: texts.
        lost: the reference is right and the model is wrong.
        gained: the model is right and the reference is wrong.
        changed: the answers differ, right or wrong.
    """

    n: int
    lost: int
    gained: int
    changed: int

    @property
    def loss(self) -> float:
        """Accuracy of the reference minus that of the model."""
        return (self.lost - self.gained) / self.n


def compare(predicted: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Paired:
    """Counts from the predicted classes `[n]` of both models, and the labels. Raises `ValueError` for n = 0."""
    if len(labels) == 0:
        raise ValueError("no rows to compare on")
    ours, theirs = predicted == labels, reference == labels
    return Paired(
        n=len(labels),
        lost=int((theirs & ~ours).sum()),
        gained=int((ours & ~theirs).sum()),
        changed=int((predicted != reference).sum()),
    )


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided exact p-value of "as many are lost as gained" (McNemar 1947; binomial, no correction)."""
    if lost == gained:
        return 1.0
    return min(1.0, 2 * at_most(min(lost, gained), lost + gained, 0.5))


def loss_interval(
    paired: Paired, *, resamples: int = 10_000, confidence: float = 0.95, seed: int = 13
) -> tuple[float, float]:
    """Two-sided percentile bootstrap interval of the loss; each text is resampled with both answers.

    The resampled sums depend on three counts only, so they are drawn directly from the multinomial.
    """
    rest = paired.n - paired.lost - paired.gained
    shares = np.array([paired.lost, paired.gained, rest]) / paired.n
    drawn = np.random.default_rng(seed).multinomial(paired.n, shares, size=resamples)
    losses = (drawn[:, 0] - drawn[:, 1]) / paired.n
    tail = 50 * (1 - confidence)
    low, high = np.percentile(losses, [tail, 100 - tail])
    return float(low), float(high)
