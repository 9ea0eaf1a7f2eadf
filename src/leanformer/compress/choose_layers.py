"""Which layers of a teacher to keep: the subset whose answers, untrained, lie nearest to the teacher's.

Low KL divergence before training is a cheap guide to a good start (all subsets of a 6-layer teacher take seconds).
It is a guide, not a proof; the ladder shows what came of it.
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
from leanformer.predictor import softmax

_MOST_SUBSETS = 300
# Above so many subsets fewer rows must do, so that a deep teacher does not take tens of minutes.
_QUICK_SUBSETS, _FEWER_ROWS = 60, 128


def choose_layers(
    teacher: Classifier,
    keep: int,
    rows: Sequence[np.ndarray],
    *,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[int, ...]:
    """The `keep` layers (from 0) to start a student from, judged on held-out token rows.

    All subsets are tried while there are at most 300; beyond that layers are dropped one at a time, the least
    missed first. Raises `ValueError` when the teacher has fewer layers than asked for.
    """
    depth = len(teacher.config.layers)
    if not 1 <= keep <= depth:
        raise ValueError(f"cannot keep {keep} of {depth} layers")
    if comb(depth, keep) > _QUICK_SUBSETS:
        rows = rows[:_FEWER_ROWS]
    reference = _log_softmax(_score(teacher, rows))
    if comb(depth, keep) <= _MOST_SUBSETS:
        candidates = list(combinations(range(depth), keep))
        distances = []
        for one in candidates:
            distances.append(_distance(teacher, one, rows, reference))
            if len(distances) % 50 == 0:
                say(f"choosing layers: {len(distances)} of {len(candidates)} subsets tried")
        best = int(np.argmin(distances))
        found = f"nearest of {len(candidates)} subsets, KL {distances[best]:.3f}"
        say(f"layers {_shown(candidates[best])} of {depth}: {found}")
        return candidates[best]
    layers = tuple(range(depth))
    while len(layers) > keep:
        smaller = [layers[:i] + layers[i + 1 :] for i in range(len(layers))]
        distances = [_distance(teacher, one, rows, reference) for one in smaller]
        layers = smaller[int(np.argmin(distances))]
    say(f"layers {_shown(layers)} of {depth}: found by dropping one at a time, KL {min(distances):.3f}")
    return layers


def _distance(teacher: Classifier, layers: tuple[int, ...], rows: Sequence[np.ndarray], reference: np.ndarray) -> float:
    """Mean KL(teacher || teacher with only these layers)."""
    ours = _log_softmax(_score(keep_layers(teacher, layers).eval(), rows))
    return float((np.exp(reference) * (reference - ours)).sum(axis=1).mean())


def _score(model: Classifier, rows: Sequence[np.ndarray]) -> np.ndarray:
    device = next(model.parameters()).device
    return score_rows(model, rows, padding_id=model.config.padding_id, device=torch.device(device))


def _log_softmax(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(softmax(values.astype(np.float64)), 1e-12)))


def _shown(layers: Sequence[int]) -> str:
    return ", ".join(str(i + 1) for i in layers)
