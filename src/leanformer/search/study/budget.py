"""How much a search may spend, and what it has spent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from leanformer.errors import RecipeError


@dataclass(frozen=True)
class SearchBudget:
    """Limits, any of them; a search ends at the first that is reached.

    Attributes:
        trials: those that are run; what is skipped or repeated is not counted.
        minutes: of wall-clock, over all runs of a search that was taken up again.
        joules: of the trials, as `measure.energy` has them: on most machines an estimate from load.

    What runs when a limit is reached is finished; nothing new is begun. Raises `RecipeError` for limits that are not
    above 0, and where there is none at all.
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
        """Why no more work may be begun; None while it may."""
        if self.minutes is not None and spent.wall_seconds >= 60 * self.minutes:
            return f"{self.minutes:g} minutes are over"
        if self.joules is not None and spent.joules >= self.joules:
            return f"{self.joules:g} joules are spent"
        return None

    def allows_trial(self, trials: int) -> bool:
        return self.trials is None or trials < self.trials


@dataclass
class Spent:
    """What all runs of a search took together.

    Attributes:
        wall_seconds: while it ran. trial_seconds, cpu_seconds: of its trials, on all workers.
        joules: of the trials that were metered.
    """

    wall_seconds: float = 0.0
    trial_seconds: float = 0.0
    cpu_seconds: float = 0.0
    joules: float = 0.0
