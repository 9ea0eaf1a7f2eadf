"""Easy rows first: each step draws from the rows that the model is competent for.

Competence-based curriculum learning (Platanios et al. 2019, arXiv 1903.09848). The competence c of a step is a share
that grows from 0.01 to 1 during the first half of the run; rows are drawn from the easiest c of the data. After that,
the feed is the same as without a curriculum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from leanformer.errors import LeanformerError
from leanformer.train.feeds.feed import Feed, FeedAround, FeedPart

_START = 0.01
_SHARE = 0.5  # of the steps of a run, until all rows are used


def by_length(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The number of tokens in each row, `[n]`."""
    return np.array([len(row) for row in rows], dtype=np.float64)


def by_rarity(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The negative log-likelihood of each row's tokens under their frequencies in all rows, `[n]`."""
    ids = [row if row.ndim == 1 else row[:, 0] for row in rows]
    counts = np.bincount(np.concatenate(ids))
    bits = -np.log(np.maximum(counts, 1) / counts.sum())
    return np.array([bits[row].sum() for row in ids])


def linear(time: float, start: float = _START) -> float:
    """Competence at a time from 0 to 1, growing linearly."""
    return min(1.0, time * (1 - start) + start)


def root(time: float, start: float = _START) -> float:
    """Competence that grows with the square root of time, so that new rows are added more and more slowly."""
    return float(min(1.0, np.sqrt(time * (1 - start**2) + start**2)))


DIFFICULTIES: dict[str, Callable[[Sequence[np.ndarray]], np.ndarray]] = {"length": by_length, "rarity": by_rarity}
COMPETENCES: dict[str, Callable[[float], float]] = {"root": root, "linear": linear}


class Curriculum(FeedPart):
    """A curriculum by name: DIFFICULTY or DIFFICULTY-COMPETENCE, such as "length" or "rarity-linear".

    Raises `LeanformerError` for an unknown name.
    """

    def __init__(self, name: str) -> None:
        difficulty, _, competence = name.partition("-") if isinstance(name, str) else ("", "", "")
        competence = competence or "root"
        if difficulty not in DIFFICULTIES or competence not in COMPETENCES:
            names = [f"{difficulty}-{competence}" for difficulty in DIFFICULTIES for competence in COMPETENCES]
            raise LeanformerError(f"curriculum is one of {', '.join((*DIFFICULTIES, *names))}, not {name!r}")
        self._difficulty, self._competence = DIFFICULTIES[difficulty], COMPETENCES[competence]

    def around(self, feed: Feed, *, epochs: int, seed: int) -> Feed:
        steps = max(1, round(_SHARE * feed.steps_per_epoch * epochs))
        return EasyFirst(feed, self._difficulty(feed.data.joined), lambda step: self._competence(step / steps), seed)


class EasyFirst(FeedAround):
    """A feed with the step sizes of `feed`, whose rows are drawn from the easiest until competence is 1.

    Rows as difficult as the hardest of these are included, and there are always at least as many as a step needs.

    Args:
        difficulty: of each row, `[n]`. competence: the share of rows to use at a step of the run, counted from 0.
    """

    def __init__(self, feed: Feed, difficulty: np.ndarray, competence: Callable[[int], float], seed: int) -> None:
        super().__init__(feed)
        self._competence, self._seed = competence, seed
        self._order = np.argsort(difficulty, kind="stable")
        self._sorted = difficulty[self._order]

    def steps(self, epoch: int) -> list[np.ndarray]:
        generator, first = np.random.default_rng([self._seed, epoch, 1]), epoch * self.steps_per_epoch
        return [
            self._drawn(len(rows), competence, generator)
            if (competence := self._competence(first + number)) < 1
            else rows
            for number, rows in enumerate(self._feed.steps(epoch))
        ]

    def _drawn(self, count: int, competence: float, generator: np.random.Generator) -> np.ndarray:
        least = max(count, int(competence * len(self._order)))
        easiest = int(np.searchsorted(self._sorted, self._sorted[least - 1], side="right"))
        return generator.choice(self._order[:easiest], size=count, replace=False)
