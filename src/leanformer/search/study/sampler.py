"""What to try next: Optuna through ask and tell, with its state rebuilt from the journal.

Each trial has a fresh sampler, seeded by the search's seed and the trial's number. The values of trial n thus depend
only on the trials before it, and a search that was killed continues as if it had not been.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from leanformer.errors import MissingExtraError, RecipeError
from leanformer.search.space.halving import Halving
from leanformer.search.space.holes import Choose, Hole
from leanformer.search.space.space import Space

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "nsga2", "random", "grid")
# Population of the genetic search: small, because there are tens of trials and not thousands.
POPULATION = 12


class Sampler:
    """Asks Optuna for trials of a space and tells it their results.

    Args:
        kind: "tpe" (Bergstra et al. 2011; with several goals Ozaki et al. 2020), "nsga2" (Deb et al. 2002), "random"
            (Bergstra and Bengio 2012), or "grid", every combination in an order shuffled by the seed.
        halving: with a single goal, Optuna's pruner decides which trials are stopped.

    Raises `MissingExtraError` without Optuna, `RecipeError` for another kind.
    """

    def __init__(self, space: Space, kind: str, seed: int, halving: Halving | None = None) -> None:
        if kind not in SAMPLERS:
            raise RecipeError(f"no sampler is called {kind!r}\n  remedy: one of {', '.join(SAMPLERS)}")
        try:
            import optuna
        except ImportError as error:
            raise MissingExtraError("searching", "search") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.kind, self.seed = space, kind, seed
        self._optuna = optuna
        self._grid: list[dict[str, Any]] | None = None
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        self.prunes = halving is not None and len(space.goals.names) == 1
        if halving is not None and self.prunes:
            pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=halving.factor)
        self._factor = 1 if halving is None else halving.factor
        # Optuna is told costs, so lower is always better.
        self._study = optuna.create_study(directions=["minimize"] * len(space.goals.names), pruner=pruner)
        self._trials: dict[int, optuna.trial.Trial] = {}

    @property
    def combinations(self) -> int | None:
        """The number of possible trials; None if it is infinite."""
        return len(self._combinations()) if self.kind == "grid" else None

    def ask(self, number: int) -> dict[str, Any] | None:
        """Hole name -> value for trial `number`; None when the grid is exhausted."""
        if self.kind == "grid":
            grid = self._combinations()
            return self.enter(number, grid[number]) if number < len(grid) else None
        if number == 0 and self.kind != "random":
            return self.enter(number, self.space.start())
        return self._ask(number)

    def enter(self, number: int, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a trial with given values, from the journal or from the grid."""
        self._study.enqueue_trial(dict(params))
        return self._ask(number)

    def report(self, number: int, rung: int, cost: float) -> None:
        """Report a trial's cost at a rung; NaN if it breaks a bound."""
        if self.prunes:
            self._trials[number].report(cost, self._factor**rung)

    def goes_on(self, number: int) -> bool:
        """Whether Optuna's pruner promotes a trial beyond its last rung; for a single goal only."""
        return not self._trials[number].should_prune()

    def tell(
        self, number: int, costs: tuple[float, ...] | None, violations: Mapping[str, float], stopped: bool
    ) -> None:
        """Report the end of a trial. Without costs it failed, or was not run."""
        trial = self._trials.pop(number)
        for name, value in violations.items():
            trial.set_constraint(name, min(value, 1e9))  # infinite if there is no such figure
        state = self._optuna.trial.TrialState
        known = costs is not None and all(np.isfinite(costs))
        # With several goals Optuna has no pruned trials, so the costs at a small share are used instead. They are no
        # better than those of the whole training, so they are not too optimistic.
        if known and not (stopped and len(self.space.goals.names) == 1):
            self._study.tell(trial, list(costs or ()))
        else:
            # Not "failed", which Optuna ignores: the sampler should learn that such values are no good.
            self._study.tell(trial, state=state.PRUNED)

    def _ask(self, number: int) -> dict[str, Any]:
        sampler = self._study.sampler = self._fresh(number)
        trial = self._study.ask()
        if trial.number != number:
            raise AssertionError(f"trial {number} is Optuna's {trial.number}")
        if isinstance(sampler, self._optuna.samplers.NSGAIISampler):
            # A trial with given values gets no generation from Optuna, but belongs to one all the same.
            generation = sampler.get_trial_generation(self._study, self._study.trials[number])
            sampler.get_parent_population(self._study, generation)
        self._trials[number] = trial
        return self.space.fill(lambda hole, default: _suggest(trial, hole)).params

    def _fresh(self, number: int) -> optuna.samplers.BaseSampler:
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        samplers = self._optuna.samplers
        sampler: optuna.samplers.BaseSampler
        if self.kind == "tpe":
            sampler = samplers.TPESampler(seed=seed)
        elif self.kind == "nsga2":
            sampler = samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
        else:
            sampler = samplers.RandomSampler(seed=seed)
        return sampler

    def _combinations(self) -> list[dict[str, Any]]:
        if self._grid is None:
            self._grid = list(self.space.grid())
            Random(self.seed).shuffle(self._grid)
        return self._grid


def _suggest(trial: optuna.trial.Trial, hole: Hole) -> Any:
    if isinstance(hole, Choose):
        return trial.suggest_categorical(hole.name, list(hole.labels))
    if hole.integer:
        return trial.suggest_int(hole.name, int(hole.low), int(hole.high), step=int(hole.step or 1), log=hole.log)
    return trial.suggest_float(hole.name, hole.low, hole.high, step=hole.step, log=hole.log)
