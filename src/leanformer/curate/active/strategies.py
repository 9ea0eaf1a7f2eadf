"""Strategies of active learning: from a pool of vectors and the labelled rows to the rows to label next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leanformer.curate.active.head import Head, fit_head
from leanformer.curate.active.spread import badge, central, density, farthest, nearest_rows
from leanformer.curate.active.uncertainty import contrast, disagreement, entropy, least_confident, margin

MEMBERS = 10  # heads of the ensemble
NEIGHBOURS = 10
# The share of the pool, the least dense rows, that `density` leaves out.
OUTLYING = 0.1


@dataclass(frozen=True)
class Situation:
    """What a strategy chooses from.

    Attributes:
        vectors: all texts, `[n, width]`, of length 1. candidates: the rows that can be chosen, ascending.
        labelled: the rows with a label. labels: their classes. classes: the number of classes.
        seed: of everything random.
    """

    vectors: np.ndarray
    candidates: np.ndarray
    labelled: np.ndarray
    labels: np.ndarray
    classes: int
    seed: int

    @property
    def is_warm(self) -> bool:
        """Whether rows of at least two classes are labelled, so that a model can be trained."""
        return len(np.unique(self.labels)) > 1

    @cached_property
    def head(self) -> Head:
        """The model trained on all labelled rows."""
        return fit_head(self.vectors[self.labelled], self.labels, self.classes)

    @cached_property
    def pool(self) -> np.ndarray:
        """The vectors of the candidates."""
        return np.asarray(self.vectors[self.candidates])

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Those of the candidates, `[candidates, classes]`."""
        return self.head.probabilities(self.pool)


@dataclass(frozen=True)
class Strategy:
    """A way to choose.

    Attributes:
        choose: the situation and a number of rows -> the places of the rows among the candidates, best first.
        warm: whether it needs labelled rows of at least two classes.
        about: what it chooses, in a few words.
    """

    choose: Callable[[Situation, int], np.ndarray]
    warm: bool
    about: str


def _ranked(score: Callable[[Situation], np.ndarray]) -> Callable[[Situation, int], np.ndarray]:
    """The rows with the highest scores; of equal ones the first."""
    return lambda situation, count: np.argsort(-score(situation), kind="stable")[:count]


def _random(situation: Situation, count: int) -> np.ndarray:
    return np.random.default_rng(situation.seed).permutation(len(situation.candidates))[:count]


def _bald(situation: Situation) -> np.ndarray:
    """Disagreement of heads trained on bootstrap samples, since a linear model has no dropout to sample with."""
    generator = np.random.default_rng(situation.seed)
    rows = len(situation.labelled)
    members = []
    for _ in range(MEMBERS):
        drawn = generator.integers(0, rows, rows)
        while len(np.unique(situation.labels[drawn])) < 2:
            drawn = generator.integers(0, rows, rows)
        head = fit_head(situation.vectors[situation.labelled[drawn]], situation.labels[drawn], situation.classes)
        members.append(head.probabilities(situation.pool))
    return disagreement(np.stack(members))


def _cal(situation: Situation) -> np.ndarray:
    known = situation.vectors[situation.labelled]
    near = nearest_rows(situation.pool, known, NEIGHBOURS)
    return contrast(situation.probabilities, situation.head.probabilities(known)[near])


def _dense(situation: Situation, count: int) -> np.ndarray:
    """Margin without the least dense rows, which may be outliers that no model learns (Karamcheti et al. 2021)."""
    dense = np.argsort(density(situation.pool, situation.seed), kind="stable")
    dense = np.sort(dense[min(int(OUTLYING * len(dense)), len(dense) - count) :])
    return np.asarray(dense[np.argsort(-margin(situation.probabilities[dense]), kind="stable")[:count]])


STRATEGIES: dict[str, Strategy] = {
    "margin": Strategy(_ranked(lambda at: margin(at.probabilities)), True, "the two likeliest labels are close"),
    "entropy": Strategy(_ranked(lambda at: entropy(at.probabilities)), True, "probability is spread over labels"),
    "least-confident": Strategy(
        _ranked(lambda at: least_confident(at.probabilities)), True, "the likeliest label is not likely"
    ),
    "bald": Strategy(_ranked(_bald), True, f"{MEMBERS} models trained on bootstrap samples disagree"),
    "cal": Strategy(_ranked(_cal), True, "answers differ from those for the nearest labelled texts"),
    "badge": Strategy(
        lambda at, count: badge(at.pool, at.probabilities, count, at.seed), True, "unsure answers, of different kinds"
    ),
    "density": Strategy(_dense, True, f"as margin, without the {100 * OUTLYING:.0f} % that are least like others"),
    "coreset": Strategy(
        lambda at, count: farthest(at.pool, at.vectors[at.labelled], count), False, "farthest from all labelled"
    ),
    "kmeans": Strategy(lambda at, count: central(at.pool, count, at.seed), False, "the middle of each cluster"),
    "random": Strategy(_random, False, "drawn at random"),
}
COLD, WARM = "kmeans", "margin"  # the defaults, before and after there are labels of two classes
