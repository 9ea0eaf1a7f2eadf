"""How faithfully one model follows another, whatever the labels say."""

from __future__ import annotations

import numpy as np

from leanformer.metrics.correlation import pearson
from leanformer.predictor import decide, sigmoid, softmax
from leanformer.tagging.ragged import flat
from leanformer.task import Task


def same_answers(answers: np.ndarray, reference: np.ndarray, task: Task) -> float:
    """Share of rows with the same answer (label loyalty, Xu et al. 2021); of scores Pearson's correlation.

    Answers are as `predictor.decide` gives them. Of any number of labels the same answer is the same set; of tags it is
    the share of words with the same tag.
    """
    if task.answer == "score":
        return pearson(answers, reference)
    return 1 - float(_differs(answers, reference).mean())


def changed(logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
    """Whether each row's answer is another one `[n]`: another label, or a threshold crossed; of tags, each word's.

    Never for scores and vectors: each differs a little and none flips.
    """
    if task.answer in ("score", "vector"):
        return np.zeros(len(logits), dtype=bool)
    return _differs(decide(logits, task), decide(reference, task))


def _differs(answers: np.ndarray, reference: np.ndarray) -> np.ndarray:
    differs = flat(answers) != flat(reference)
    return np.asarray(differs if differs.ndim == 1 else differs.any(axis=1))


def probability_agreement(logits: np.ndarray, reference: np.ndarray, answer: str = "label") -> float | None:
    """Mean of 1 - sqrt(Jensen-Shannon divergence in bits) over rows, or words (probability loyalty, Xu et al. 2021).

    Where any number of labels may apply, over rows and labels, each of which applies or does not. None for scores.
    """
    if answer == "score":
        return None
    p, q = _distributions(reference, answer), _distributions(logits, answer)
    middle = (p + q) / 2

    def divergence(a: np.ndarray) -> np.ndarray:
        ratio = np.where(a > 0, a / np.where(middle > 0, middle, 1), 1)
        return np.asarray((a * np.log2(ratio)).sum(axis=-1))

    distance = np.sqrt(np.clip((divergence(p) + divergence(q)) / 2, 0, 1))
    return float((1 - distance).mean())


def _distributions(logits: np.ndarray, answer: str) -> np.ndarray:
    """Probabilities that sum to 1 over the last axis: `[n, classes]`, or of each label `[n, labels, 2]`."""
    values = flat(logits).astype(np.float64)
    if answer in ("label", "tags"):
        return softmax(values)
    return np.stack([sigmoid(values), sigmoid(-values)], axis=-1)
