"""Choice of the teacher layers to keep: the subset whose answers, before any training, are closest to the teacher's.

A low KL divergence before training is a cheap indicator of a good start: trying every subset of a 6-layer teacher
takes seconds. It is no proof; the ladder shows the quality that was reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb

import numpy as np
import torch

from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.surgery import keep_layers
from leanformer.train.feeds.batches import folded
from leanformer.train.objectives.answers import LOSSES

_MOST_SUBSETS = 300
# With more subsets than this, fewer rows are used, so that a deep teacher does not take tens of minutes.
_QUICK_SUBSETS, _FEWER_ROWS = 60, 128


def choose_layers(
    teacher: Classifier,
    keep: int,
    rows: Sequence[np.ndarray],
    *,
    answer: str = "label",
    counts: np.ndarray | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[int, ...]:
    """Choose `keep` layers (counted from 0) to initialise a student from, using held-out token rows.

    `answer` is the task's answer form. It selects the distance: the KL divergence of the label probabilities; with any
    number of labels, the mean over labels; for scores, the squared difference.
    `counts` holds the number of rows per example, if an example can have several.
    Up to 300 subsets, all of them are tried. Beyond that, layers are dropped one at a time, always the one whose
    removal changes the answers least. Raises `ValueError` unless `keep` is between 1 and the number of layers.
    """
    depth = len(teacher.config.layers)
    if not 1 <= keep <= depth:
        raise ValueError(f"cannot keep {keep} of {depth} layers")
    if comb(depth, keep) > _QUICK_SUBSETS:
        if counts is not None:
            counts = counts[: max(1, int(np.searchsorted(np.cumsum(counts), _FEWER_ROWS, side="right")))]
        rows = rows[: _FEWER_ROWS if counts is None else int(counts.sum())]

    ends = np.cumsum([len(row) for row in rows])

    def score(model: Classifier) -> np.ndarray:
        logits = _score(model, rows)
        if LOSSES[answer].positions:
            return LOSSES[answer].table(np.split(logits, ends[:-1])).numpy()
        return logits if counts is None else folded(torch.from_numpy(logits), torch.from_numpy(counts)).numpy()

    reference = score(teacher)
    if comb(depth, keep) <= _MOST_SUBSETS:
        candidates = list(combinations(range(depth), keep))
        distances = []
        for candidate in candidates:
            distances.append(_distance(teacher, candidate, score, reference, answer))
            if len(distances) % 50 == 0:
                say(f"choosing layers: {len(distances)} of {len(candidates)} subsets tried")
        best = int(np.argmin(distances))
        found = f"nearest of {len(candidates)} subsets, {LOSSES[answer].distance} {distances[best]:.3f}"
        say(f"layers {_shown(candidates[best])} of {depth}: {found}")
        return candidates[best]
    layers = tuple(range(depth))
    while len(layers) > keep:
        smaller = [layers[:i] + layers[i + 1 :] for i in range(len(layers))]
        distances = [_distance(teacher, subset, score, reference, answer) for subset in smaller]
        layers = smaller[int(np.argmin(distances))]
    how = f"found by dropping one at a time, {LOSSES[answer].distance} {min(distances):.3f}"
    say(f"layers {_shown(layers)} of {depth}: {how}")
    return layers


def _distance(
    teacher: Classifier,
    layers: tuple[int, ...],
    score: Callable[[Classifier], np.ndarray],
    reference: np.ndarray,
    answer: str,
) -> float:
    """Mean KL(teacher || teacher with only these layers), or its equivalent for `answer` (see `answer_distance`)."""
    return answer_distance(score(keep_layers(teacher, layers).eval()), reference, answer)


def answer_distance(logits: np.ndarray, reference: np.ndarray, answer: str) -> float:
    """Mean distance between the answers of `logits` and of `reference`, both `[n, outputs]`; 0 if they are equal.

    This is the soft loss of distillation minus its minimum, the value at which the logits equal the reference.
    """
    ours, theirs = (torch.from_numpy(values.astype(np.float64)) for values in (logits, reference))
    soft = LOSSES[answer].soft
    return float((soft(ours, theirs, 1.0) - soft(theirs, theirs, 1.0)).mean())


def _score(model: Classifier, rows: Sequence[np.ndarray]) -> np.ndarray:
    device = next(model.parameters()).device
    return score_rows(model, rows, padding_id=model.config.padding_id, device=torch.device(device))


def _shown(layers: Sequence[int]) -> str:
    return ", ".join(str(i + 1) for i in layers)
