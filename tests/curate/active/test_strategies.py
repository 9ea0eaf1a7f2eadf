"""Strategies choose what they say, and never a row twice or a labelled one."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.active.strategies import STRATEGIES, Situation
from leanformer.curate.active.uncertainty import margin
from leanformer.metrics.probabilities import unit_vectors
from tests.curate.active.test_spread import clusters


def situation(seed: int = 1) -> Situation:
    """Two clusters, of which 24 rows are labelled, and rows between them."""
    ends = clusters(2, 40)
    vectors = np.concatenate([ends, unit_vectors(ends[:10] + ends[40:50])])
    labelled = np.concatenate([np.arange(12), np.arange(40, 52)])
    return Situation(vectors, np.setdiff1d(np.arange(90), labelled), labelled, np.repeat([0, 1], 12), 2, seed)


@pytest.mark.parametrize("name", STRATEGIES)
def test_different_rows_and_the_same_again(name: str) -> None:
    places = STRATEGIES[name].choose(situation(), 30)
    assert len(set(places.tolist())) == 30 and places.min() >= 0 and places.max() < 66
    assert places.tolist() == STRATEGIES[name].choose(situation(), 30).tolist()
    assert sorted(STRATEGIES[name].choose(situation(), 66).tolist()) == list(range(66))


@pytest.mark.parametrize("name", ["margin", "entropy", "least-confident", "badge", "cal", "bald"])
def test_rows_between_the_classes_come_first(name: str) -> None:
    at = situation()
    chosen = at.candidates[STRATEGIES[name].choose(at, 10)]
    assert np.mean(chosen >= 80) >= (0.4 if name == "badge" else 0.9)


def test_margin_is_sorted_from_the_least_sure() -> None:
    at = situation()
    scores = margin(at.probabilities)[STRATEGIES["margin"].choose(at, 66)]
    assert (np.diff(scores) <= 0).all()


def test_density_leaves_out_what_is_like_nothing_else() -> None:
    at = situation()
    alone = unit_vectors(np.random.default_rng(7).normal(size=(5, 16)))
    lone = Situation(
        np.concatenate([at.vectors, alone]), np.concatenate([at.candidates, np.arange(90, 95)]), at.labelled, at.labels,
        2, 1,
    )  # fmt: skip
    assert set(lone.candidates[STRATEGIES["density"].choose(lone, 58)]).isdisjoint(range(90, 95))
    assert not set(lone.candidates[STRATEGIES["margin"].choose(lone, 58)]).isdisjoint(range(90, 95))


def test_seeds_change_what_is_random() -> None:
    assert (
        STRATEGIES["random"].choose(situation(1), 30).tolist() != STRATEGIES["random"].choose(situation(2), 30).tolist()
    )


def test_it_is_cold_until_two_classes_are_labelled() -> None:
    at = situation()
    assert at.is_warm
    assert not Situation(at.vectors, at.candidates, at.labelled[:12], at.labels[:12], 2, 1).is_warm
    assert not Situation(at.vectors, at.candidates, at.labelled[:0], at.labels[:0], 0, 1).is_warm
