"""Sequences of tags as paths through a chain: the best one, and how probable each tag is over all of them.

A path's score is the sum of its words' logits and of what its first tag and each step from tag to tag add (see
`viterbi.step_scores`); probabilities are those of a linear-chain conditional random field (Lafferty, McCallum and
Pereira 2001). Sentences go through together, so that the work of Python is for the longest of them and not for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Sentences that are worked on together: enough to hide Python, few enough to stay small with many tags; and the most
# words, padding included, so that one very long sentence does not make all its company as long.
_TOGETHER, _WORDS = 256, 1 << 17


@dataclass(frozen=True)
class _Block:
    """Some sentences, longest first.

    Attributes:
        rows: their numbers. values: logits `[rows, words, labels]`, float64, padded. lengths: words of each.
        live: for each word how many sentences, the first of them, have it.
    """

    rows: np.ndarray
    values: np.ndarray
    lengths: np.ndarray
    live: list[int]


def _blocks(sentences: Sequence[np.ndarray]) -> Iterator[_Block]:
    """All sentences that have a word."""
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        together = min(_TOGETHER, max(1, _WORDS // int(lengths[order[start]])))
        rows = order[start : start + together]
        start += together
        values = np.zeros((len(rows), int(lengths[rows[0]]), sentences[rows[0]].shape[1]))
        for place, row in enumerate(rows):
            values[place, : lengths[row]] = sentences[row]
        live = (lengths[rows] > np.arange(values.shape[1])[:, None]).sum(axis=1)
        yield _Block(rows, values, lengths[rows], live.tolist())


def best_paths(sentences: Sequence[np.ndarray], first: np.ndarray, steps: np.ndarray) -> list[np.ndarray]:
    """The path with the largest score of each sentence, tags `[words]` (Viterbi 1967).

    Of equal ones that with the lower indices at the end is taken.

    Args:
        sentences: logits `[words, labels]` of each.
        first: what each first tag adds, `[labels]`; -inf where it may not be one.
        steps: what each step adds, `[before, after]`, likewise.
    """
    found = [np.zeros(0, dtype=np.int64) for _ in sentences]
    for block in _blocks(sentences):
        count, width, labels = block.values.shape
        came_from = np.zeros((count, width, labels), dtype=np.int64)
        score = first + block.values[:, 0]
        for word in range(1, width):
            live = block.live[word]
            through = score[:live, :, None] + steps
            came_from[:live, word] = through.argmax(axis=1)
            score[:live] = through.max(axis=1) + block.values[:live, word]
        tags = np.zeros((count, width), dtype=np.int64)
        places = np.arange(count)
        tags[places, block.lengths - 1] = score.argmax(axis=1)
        for word in range(width - 1, 0, -1):
            live = block.live[word]
            tags[:live, word - 1] = came_from[places[:live], word, tags[:live, word]]
        for row, length, tag in zip(block.rows, block.lengths, tags, strict=True):
            found[row] = tag[:length].copy()
    return found


def tag_shares(sentences: Sequence[np.ndarray], first: np.ndarray, steps: np.ndarray) -> list[np.ndarray]:
    """The probability of each tag of each word over all paths, `[words, labels]` of each sentence, rows summing to 1.

    By the forward-backward algorithm (Rabiner 1989); arguments as for `best_paths`.
    """
    found = [np.zeros((0, len(first))) for _ in sentences]
    for block in _blocks(sentences):
        width = block.values.shape[1]
        before = np.empty_like(block.values)  # log of the sum over paths up to a word, that word's logit included
        behind = np.zeros_like(block.values)  # and over paths from behind it
        before[:, 0] = first + block.values[:, 0]
        for word in range(1, width):
            live = block.live[word]
            before[:live, word] = _log_sum(before[:live, word - 1, :, None] + steps, axis=1) + block.values[:live, word]
        for word in range(width - 1, 0, -1):
            live = block.live[word]
            onward = behind[:live, word] + block.values[:live, word]
            behind[:live, word - 1] = _log_sum(steps + onward[:, None, :], axis=2)
        for place, (row, length) in enumerate(zip(block.rows, block.lengths, strict=True)):
            score = before[place, :length] + behind[place, :length]
            share = np.exp(score - score.max(axis=1, keepdims=True))
            found[row] = share / share.sum(axis=1, keepdims=True)
    return found


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """log sum exp; of every legal chain some path goes through, so that the largest is finite."""
    largest = values.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(values - largest).sum(axis=axis)) + largest.squeeze(axis))
