"""Rungs: their shares, who survives them, and what a share of the training is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from leanformer.errors import RecipeError
from leanformer.options import options
from leanformer.recipe.library import find_recipe
from leanformer.search.space.halving import Halving, in_front, ranking, share_of_data, with_share
from tests.making.searches import space_of
from tests.making.tiny import tiny_dataset


@pytest.mark.parametrize(
    ("least", "factor", "shares"),
    [
        (1 / 3, 3, (1 / 3, 1)),
        (0.33, 3, (1 / 3, 1)),
        (0.34, 3, (1,)),
        (0.1, 3, (1 / 9, 1 / 3, 1)),
        (0.25, 2, (0.25, 0.5, 1)),
    ],
)
def test_shares_grow_by_the_factor_up_to_the_whole(least: float, factor: int, shares: tuple[float, ...]):
    assert Halving(least=least, factor=factor).shares == pytest.approx(shares)


@pytest.mark.parametrize("given", [{"over": "hours"}, {"least": 0.0}, {"least": 1.0}, {"factor": 1}])
def test_what_cannot_be_meant_is_refused(given: dict[str, float]):
    with pytest.raises(RecipeError):
        Halving(**given)  # type: ignore[arg-type]


def test_survivors_by_rank():
    # The front of the four is (0, 3), (1, 1), (3, 0); (2, 2) lies behind (1, 1).
    costs = [(0.0, 3.0), (1.0, 1.0), (3.0, 0.0), (2.0, 2.0)]
    kept = [0.0] * 4
    assert ranking(costs, kept)[-1] == 3
    assert not in_front(costs, kept, 2)
    # It dominates three, and is itself dominated by none: only the two ends of the front go before it.
    better = [*costs, (4.0, 4.0), (0.5, 0.5)]
    assert in_front(better, [0.0] * 6, 2) and not in_front(better, [0.0] * 6, 3)
    assert ranking([*costs[:3], (0.0, 0.0)], kept)[0] == 3


def test_the_lonelier_of_one_front_goes_first():
    costs = [(0.0, 10.0), (10.0, 0.0), (5.0, 4.9), (5.1, 4.8), (5.2, 4.7)]
    order = ranking(costs, [0.0] * 5)
    assert set(order[:2]) == {0, 1}  # the ends
    assert order[-1] == 3  # between two close neighbours


def test_who_keeps_the_bounds_goes_before_who_does_not():
    costs = [(5.0,), (1.0,), (2.0,), (9.0,)]
    assert ranking(costs, [0.0, 0.4, 0.1, 0.0]) == [0, 3, 2, 1]


def test_one_in_factor_survives_and_the_best_always_does():
    costs: list[tuple[float, ...]] = []
    survived = 0
    for i in range(30):
        costs.append(((7 * i % 30) / 30,))
        survived += in_front(costs, [0.0] * len(costs), 3)
        if costs[-1] == min(costs):
            assert in_front(costs, [0.0] * len(costs), 3)
    assert 5 <= survived <= 15


def test_a_share_of_epochs_is_one_at_least(tmp_path: Path):
    recipe = find_recipe("thorough")
    third = with_share(recipe, 1 / 3)
    (taken,) = (options(step.step) for step in third.steps if step.technique == "compress.distil")
    assert (taken["epochs"], taken["least_steps"]) == (1, 333)
    assert with_share(recipe, 1.0) == recipe
    assert [step.name for step in third.steps] == [step.name for step in recipe.steps]


def test_a_share_of_data_holds_every_label_and_lies_in_a_larger_one():
    data = tiny_dataset()
    small, large = (share_of_data(data, share, 13) for share in (0.1, 0.4))
    assert small.train and large.train and small.unlabelled and small.train.labels
    assert (len(small.train), len(large.train), len(small.unlabelled)) == (12, 48, 6)
    assert set(small.train.texts) <= set(large.train.texts)
    assert set(Counter(small.train.labels).values()) == {4}
    assert small.dev is data.dev and share_of_data(data, 1.0, 13) is data


def test_a_search_may_halve_over_data(tmp_path: Path):
    steps = "steps: [{step: compress.distil, layers: {choose: [1, 2]}}, {step: export.onnx}]"
    text = f"goals: {{maximise: quality}}\nhalving: {{over: data, least: 0.2, factor: 4}}\n{steps}"
    space = space_of(tmp_path, text)
    assert space.halving == Halving("data", 0.2, 4)
