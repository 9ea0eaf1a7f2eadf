"""The most probable legal tags of a sentence.

A tag is chosen for each word from its own logits, under the one condition that the sequence is legal IOB2: I-X follows
B-X or I-X only. The best such sequence is found by dynamic programming (Viterbi 1967); with the model's own choice
where that is legal already, which nearly all are, it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from leanformer.tagging.ragged import ragged
from leanformer.tagging.schemes import split_tag


@lru_cache(maxsize=64)
def legal_steps(labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which tags may begin a sentence `[labels]`, and which may follow which `[before, after]`; booleans.

    A type without a B may begin with its I, or it could never be said at all.
    """
    parts = [split_tag(one) for one in labels]
    with_begin = {kind for prefix, kind in parts if prefix in ("B", "S", "U")}
    inside = np.array([prefix in ("I", "E", "L") and kind in with_begin for prefix, kind in parts])
    kinds = np.array([kind for _, kind in parts])
    goes_on = (kinds[:, None] == kinds[None, :]) & np.array([prefix in ("B", "I") for prefix, _ in parts])[:, None]
    return ~inside, ~inside[None, :] | goes_on


def is_legal(tags: np.ndarray, labels: tuple[str, ...]) -> bool:
    """Whether the tags `[words]` of one sentence, as indices, are a legal sequence."""
    first, follows = legal_steps(labels)
    return len(tags) == 0 or bool(first[tags[0]] and follows[tags[:-1], tags[1:]].all())


def best_legal(values: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """The legal sequence with the largest sum of logits, `[words]`, of logits `[words, labels]` of one sentence.

    A softmax shifts all logits of a word alike, so that it is the most probable one too. Of equal ones that with the
    lower indices at the end is taken.
    """
    best = np.asarray(values.argmax(axis=1))
    if is_legal(best, labels):
        return best
    first, follows = legal_steps(labels)
    values = values.astype(np.float64)
    score = np.where(first, values[0], -np.inf)
    came_from = np.zeros(values.shape, dtype=np.int64)
    for word in range(1, len(values)):
        through = np.where(follows, score[:, None], -np.inf)
        came_from[word] = through.argmax(axis=0)
        score = through.max(axis=0) + values[word]
    tags = np.empty(len(values), dtype=np.int64)
    tags[-1] = score.argmax()
    for word in range(len(values) - 1, 0, -1):
        tags[word - 1] = came_from[word, tags[word]]
    return tags


def decode(values: Sequence[np.ndarray], labels: tuple[str, ...]) -> np.ndarray:
    """`best_legal` of each sentence: a ragged array `[n]` of tag indices `[words]`."""
    return ragged([best_legal(one, labels) for one in values])
