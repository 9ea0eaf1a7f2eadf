"""The best spans of a context by the logits of its characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOWHERE = -1e4
"""The logit of a character at which no token starts or ends: its probability is 0, and differences are finite."""
# Starts that are looked at together, which bounds the memory for a long context.
_BLOCK = 256


@dataclass(frozen=True)
class Best:
    """The best spans of a context.

    Attributes:
        spans: first character and end (exclusive) of each, int64 `[k, 2]`, the best first.
        scores: the sum of its two logits, relative to no answer, float64 `[k]`.
        total: the logarithm of the sum of exp(score) over all spans; -inf if there is none.
    """

    spans: np.ndarray
    scores: np.ndarray
    total: float


def best_spans(values: np.ndarray, longest: int | None, count: int = 1) -> Best:
    """The `count` best spans, of at most `longest` characters, by logits `[1 + characters, 2]`; row 0 is no answer.

    Of equal scores the span that starts first, then the shortest, is better.
    """
    values = values.astype(np.float64)
    begins, ends = (np.flatnonzero(values[1:, column] > NOWHERE / 2) for column in (0, 1))
    stops = ends + 1
    most = len(values) if longest is None else longest
    found: list[tuple[float, int, int]] = []
    total = -np.inf
    for low in range(0, len(begins), _BLOCK):
        own = begins[low : low + _BLOCK]
        span = slice(
            int(np.searchsorted(stops, own[0], side="right")), int(np.searchsorted(stops, own[-1] + most, side="right"))
        )
        lengths = stops[span][None] - own[:, None]
        scores = values[1 + own, 0][:, None] + values[stops[span], 1][None]
        scores[(lengths < 1) | (lengths > most)] = -np.inf
        if not np.isfinite(scores).any():
            continue
        flat = scores.ravel()
        peak = flat.max()
        total = float(np.logaddexp(total, peak + np.log(np.exp(flat - peak).sum())))
        if count == 1:
            places = [int(flat.argmax())]
        else:
            least = np.partition(flat, -min(count, len(flat)))[-min(count, len(flat))]
            high = np.flatnonzero(flat >= least)
            places = high[np.argsort(-flat[high], kind="stable")][:count].tolist()
        width = scores.shape[1]
        found += [
            (float(flat[place]), int(own[place // width]), int(stops[span][place % width]))
            for place in places
            if np.isfinite(flat[place])
        ]
    found.sort(key=lambda answer: (-answer[0], answer[1], answer[2]))
    kept = found[:count]
    return Best(
        np.array([(start, end) for _, start, end in kept], dtype=np.int64).reshape(-1, 2),
        np.array([score for score, _, _ in kept], dtype=np.float64),
        total,
    )


def score_of(values: np.ndarray, start: int, end: int) -> float:
    """The score of the span `context[start:end]`; of no answer (`end` 0) it is 0."""
    return float(values[1 + start, 0]) + float(values[end, 1]) if end else 0.0
