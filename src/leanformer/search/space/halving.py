"""Successive halving: poor trials get a small share of the training, and only the better ones more of it.

Every rung trains anew with its share, schedule and all, and is not a longer training that was interrupted: under a
schedule made for the whole, early figures could not be compared (the rate falls at another time). What a rung costs is
thus lost to the next; with a factor of 3 that is less than half of the whole.

Li et al. 2020, ASHA (arXiv 1810.05934): whoever arrives at a rung is compared with those that were there before, so
that nobody waits. Here a trial that does not go on at once never does, as with Optuna's pruner.
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
    """How training is shared out.

    Attributes:
        over: what a share is of: "epochs" of every step that has them, or "data": the train and unlabelled texts.
        least: share that the first rung gets. factor: each rung gets so many times the share of the one before, and
            one in so many goes on to it.
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
        """The share of each rung, the whole last."""
        shares = [1.0]
        while shares[0] / self.factor >= self.least * (1 - 1e-9):
            shares.insert(0, shares[0] / self.factor)
        return tuple(shares)


def in_front(costs: Sequence[Sequence[float]], violations: Sequence[float], factor: int) -> bool:
    """Whether the last of these trials is among the best one in `factor` of them.

    Args:
        costs: `[trials][goals]`, less is better. violations: 0 where all bounds are kept.

    Trials that keep the bounds go before those that do not, which go by how far they pass them. Among the former the
    non-dominated rank decides, and within a rank the distance to the neighbours: the lonelier first. As long as there
    are fewer than `factor` trials, the best one goes on.
    """
    order = ranking(costs, violations)
    return order.index(len(costs) - 1) < max(1, len(costs) // factor)


def ranking(costs: Sequence[Sequence[float]], violations: Sequence[float]) -> list[int]:
    """Indices of the trials, the best first; see `in_front`. Of equal ones the later goes first, as news may matter."""
    keeping = [i for i, violation in enumerate(violations) if violation <= 0]
    passing = sorted((i for i, violation in enumerate(violations) if violation > 0), key=lambda i: (violations[i], -i))
    kept = [costs[i] for i in keeping]
    ranks, crowding = nondominated_ranks(kept), crowding_distances(kept)
    order = sorted(range(len(kept)), key=lambda i: (ranks[i], -crowding[i], -i))
    return [*(keeping[i] for i in order), *passing]


def with_share(recipe: Recipe, share: float) -> Recipe:
    """The recipe with this share of the epochs and least steps of every step that has them; one epoch at least."""
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
    """Train and unlabelled texts cut to a share, every label alike; a smaller share is part of a larger one."""
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
