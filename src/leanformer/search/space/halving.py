"""Successive halving: each trial first gets a small share of the training, and only the better ones get more.

Every rung trains from the beginning with its share, including the schedule, instead of continuing an interrupted
training: with a schedule for the whole training, early figures could not be compared (the learning rate would fall at
another time). The cost of a rung is therefore lost for the next; with a factor of 3 that is less than half of the
whole.

Li et al. 2020, ASHA (arXiv 1810.05934): a trial at a rung is compared with those that were there before, so that none
has to wait. Here a trial that is not promoted at once never is, as with Optuna's pruner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from leanformer.data.carving import strata
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import RecipeError
from leanformer.metrics.pareto import crowding_distances, nondominated_ranks
from leanformer.options import options
from leanformer.recipe.spec import Recipe, build

OVER = ("epochs", "data")


@dataclass(frozen=True)
class Halving:
    """How the training is divided into rungs.

    Attributes:
        over: what a share is of: "epochs" of every step that has them, or "data": the train and unlabelled texts.
        least: share of the first rung. factor: each rung gets this many times the share of the one before, and one in
            `factor` trials is promoted to it.
    """

    over: str = "epochs"
    least: float = 1 / 3
    factor: int = 3

    def __post_init__(self) -> None:
        if self.over not in OVER:
            raise RecipeError(f"halving is over {' or '.join(OVER)}, not {self.over!r}")
        if not 0 < self.least < 1:
            raise RecipeError(f"halving: least is a share between 0 and 1, not {self.least}")
        if self.factor < 2:
            raise RecipeError(f"halving: factor is a whole number of 2 or more, not {self.factor}")

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each rung; the last one is 1."""
        shares = [1.0]
        while shares[0] / self.factor >= self.least * (1 - 1e-9):
            shares.insert(0, shares[0] / self.factor)
        return tuple(shares)


def in_front(costs: Sequence[Sequence[float]], violations: Sequence[float], factor: int) -> bool:
    """Whether the last of these trials is among the best 1 / `factor` of them.

    Args:
        costs: `[trials][goals]`, lower is better. violations: 0 if all bounds are kept.

    Trials that keep the bounds come before those that do not, which are sorted by their violation. Among the former the
    non-dominated rank decides, and within a rank the distance to the neighbours: larger first. With fewer than `factor`
    trials, the best one is promoted.
    """
    order = ranking(costs, violations)
    return order.index(len(costs) - 1) < max(1, len(costs) // factor)


def ranking(costs: Sequence[Sequence[float]], violations: Sequence[float]) -> list[int]:
    """Indices of the trials, the best first; see `in_front`. Ties go to the later one, as new results may matter."""
    keeping = [i for i, violation in enumerate(violations) if violation <= 0]
    passing = sorted((i for i, violation in enumerate(violations) if violation > 0), key=lambda i: (violations[i], -i))
    kept = [costs[i] for i in keeping]
    ranks, crowding = nondominated_ranks(kept), crowding_distances(kept)
    order = sorted(range(len(kept)), key=lambda i: (ranks[i], -crowding[i], -i))
    return [*(keeping[i] for i in order), *passing]


def with_share(recipe: Recipe, share: float) -> Recipe:
    """The recipe with this share of the epochs and minimum steps of every step that has them; at least one epoch."""
    steps = []
    for step in recipe.steps:
        if any(field.name == "epochs" for field in fields(step.step)):  # type: ignore[arg-type]
            values: dict[str, Any] = options(step.step)
            values["epochs"] = max(1, round(share * values["epochs"]))
            if "least_steps" in values:
                values["least_steps"] = round(share * values["least_steps"])
            step = replace(step, step=build(step.technique, values, f"recipe {recipe.name}, step {step.name!r}"))
        steps.append(step)
    return replace(recipe, steps=tuple(steps))


def share_of_data(data: Dataset, share: float, seed: int) -> Dataset:
    """A share of train and unlabelled texts, stratified by label; smaller shares are subsets of larger ones."""
    if share >= 1:
        return data
    return replace(data, train=_part(data.train, share, seed), unlabelled=_part(data.unlabelled, share, seed))


def _part(examples: Examples | None, share: float, seed: int) -> Examples | None:
    if examples is None:
        return None
    order = np.random.default_rng(seed).permutation(len(examples))
    groups: dict[int, list[int]] = {}
    labels = strata(examples) if examples.is_labelled else (0,) * len(examples)
    for row in order:
        groups.setdefault(labels[row], []).append(int(row))
    kept = [row for rows in groups.values() for row in rows[: max(1, round(share * len(rows)))]]
    return examples.select(sorted(kept))
