"""How much a search may spend, and what it has spent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from leanformer.errors import RecipeError


@dataclass(frozen=True)
class SearchBudget:
    """Limits of a search, at least one; it ends when the first is reached.

    Attributes:
        trials: number of trials that are run; skipped and repeated ones are not counted.
        minutes: wall-clock time, summed over all runs of a resumed search.
        joules: of the trials, as measured by `measure.energy`: on most machines an estimate from load.

    When a limit is reached, running trials are finished and no new ones are started. Raises `RecipeError` for limits
    that are not above 0, and if there is none.
    """

    trials: int | None = None
    minutes: float | None = None
    joules: float | None = None

    def __post_init__(self) -> None:
        given = {"trials": self.trials, "minutes": self.minutes, "joules": self.joules}
        for name, value in given.items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise RecipeError(f"a budget of {value} {name} is none; it is above 0")
        if all(value is None for value in given.values()):
            raise RecipeError("a search needs a budget\n  remedy: --trials 30, --minutes 60 or --joules 100000")

    def reached(self, spent: Spent) -> str | None:
        """Why no more work may be started; None if it may."""
        if self.minutes is not None and spent.wall_seconds >= 60 * self.minutes:
            return f"{self.minutes:g} minutes are over"
        if self.joules is not None and spent.joules >= self.joules:
            return f"{self.joules:g} joules are spent"
        return None

    def allows_trial(self, trials: int) -> bool:
        return self.trials is None or trials < self.trials


@dataclass
class Spent:
    """The cost of all runs of a search together.

    Attributes:
        wall_seconds: while it ran. trial_seconds, cpu_seconds: of its trials, on all workers.
        joules: of the trials that were metered.
    """

    wall_seconds: float = 0.0
    trial_seconds: float = 0.0
    cpu_seconds: float = 0.0
    joules: float = 0.0
