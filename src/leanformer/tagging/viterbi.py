"""The most probable legal tags of a sentence.

A tag is chosen for each word from its own logits, under the one condition that the sequence is legal IOB2: I-X follows
B-X or I-X only. Of a model that was trained on IOB1 every sequence is legal, for I-X begins an entity there. The best
such sequence is found by dynamic programming (Viterbi 1967); with the model's own choice where that is legal already,
which nearly all are, it costs next to nothing. Where a model has learnt which tag follows which (`Task.transitions`),
what it learnt is added, and the search is made for every sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from leanformer.tagging.chain import best_paths, tag_shares
from leanformer.tagging.ragged import ragged
from leanformer.tagging.schemes import IOB1, split_tag

Transitions = tuple[tuple[float, ...], ...]
"""What each first tag adds to a sequence's score, and then for each tag what every tag behind it adds."""


@lru_cache(maxsize=64)
def legal_steps(labels: tuple[str, ...], scheme: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Which tags may begin a sentence `[labels]`, and which may follow which `[before, after]`; booleans.

    A type without a B may begin with its I, or it could never be said at all. For `scheme` see `task.Task`.
    """
    if scheme == IOB1:
        return np.ones(len(labels), dtype=bool), np.ones((len(labels), len(labels)), dtype=bool)
    parts = [split_tag(label) for label in labels]
    with_begin = {kind for prefix, kind in parts if prefix in ("B", "S", "U")}
    inside = np.array([prefix in ("I", "E", "L") and kind in with_begin for prefix, kind in parts])
    kinds = np.array([kind for _, kind in parts])
    goes_on = (kinds[:, None] == kinds[None, :]) & np.array([prefix in ("B", "I") for prefix, _ in parts])[:, None]
    return ~inside, ~inside[None, :] | goes_on


@lru_cache(maxsize=64)
def step_scores(
    labels: tuple[str, ...], transitions: Transitions | None = None, scheme: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What a first tag `[labels]` and a step `[before, after]` add to a sequence's score: -inf for what is not legal.

    What `transitions` say of illegal steps is passed over, so that none can come of them.
    """
    first, follows = legal_steps(labels, scheme)
    learnt = np.zeros((len(labels) + 1, len(labels))) if transitions is None else np.asarray(transitions, np.float64)
    return np.where(first, learnt[0], -np.inf), np.where(follows, learnt[1:], -np.inf)


def is_legal(tags: np.ndarray, labels: tuple[str, ...], scheme: str | None = None) -> bool:
    """Whether the tags `[words]` of one sentence, as indices, are a legal sequence."""
    first, follows = legal_steps(labels, scheme)
    return len(tags) == 0 or bool(first[tags[0]] and follows[tags[:-1], tags[1:]].all())


def best_legal(
    values: np.ndarray, labels: tuple[str, ...], transitions: Transitions | None = None, scheme: str | None = None
) -> np.ndarray:
    """The legal sequence with the largest score, `[words]`, of logits `[words, labels]` of one sentence.

    The score is the sum of logits, and of `transitions` where there are some. A softmax shifts all logits of a word
    alike, so that it is the most probable one too. Of equal ones that with the lower indices at the end is taken.
    """
    if transitions is None:
        best = np.asarray(values.argmax(axis=1))
        if is_legal(best, labels, scheme):
            return best
    return best_paths([values], *step_scores(labels, transitions, scheme))[0]


def decode(
    values: Sequence[np.ndarray],
    labels: tuple[str, ...],
    transitions: Transitions | None = None,
    scheme: str | None = None,
) -> np.ndarray:
    """`best_legal` of each sentence: a ragged array `[n]` of tag indices `[words]`.

    Those that are searched for go side by side, which takes a small part of the time of one after the other.
    """
    if transitions is not None:
        return ragged(best_paths(values, *step_scores(labels, transitions, scheme)))
    found = [np.asarray(value.argmax(axis=1)) for value in values]
    wrong = [i for i, tags in enumerate(found) if not is_legal(tags, labels, scheme)]
    for i, tags in zip(wrong, best_paths([values[i] for i in wrong], *step_scores(labels)), strict=True):
        found[i] = tags
    return ragged(found)


def shares(
    values: Sequence[np.ndarray], labels: tuple[str, ...], transitions: Transitions, scheme: str | None = None
) -> list[np.ndarray]:
    """How probable each tag of each word is over all legal sequences, `[words, labels]` of each sentence."""
    return tag_shares(values, *step_scores(labels, transitions, scheme))


def word_scores(
    tags: np.ndarray,
    values: np.ndarray,
    labels: tuple[str, ...],
    transitions: Transitions | None = None,
    scheme: str | None = None,
) -> np.ndarray:
    """What each word adds to the score of a sequence `[words]`: its logit, and the step that leads to it."""
    words = np.arange(len(tags))
    each = np.asarray(values[words, tags].astype(np.float64))
    if transitions is not None and len(tags):
        first, steps = step_scores(labels, transitions, scheme)
        each += np.concatenate([[first[tags[0]]], steps[tags[:-1], tags[1:]]])
    return each
