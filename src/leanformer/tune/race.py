"""Finds the fastest of many runners within a time budget: successive halving in rounds, then a separate final.

Successive halving (Jamieson & Talwalkar 2016): all are timed briefly, the better half again for the same time, and so
on, until a few are left. Each runs once per round, in a new order, and is compared by the ratio to the reference in the
same round, so a slowdown of the machine affects all alike. The remaining ones are compared with the reference again in
a final, and only its figures decide: the best of many noisy figures is biased by the selection. In the final the
reference runs twice, and the difference between its two times is the noise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from leanformer.metrics.rounds import LEAST_NOISE, LEAST_ROUNDS, median_interval

FINAL_ROUNDS, FINALISTS, _FINAL_SHARE = LEAST_ROUNDS, 4, 0.4


@dataclass(eq=False)
class Entrant:
    """A runner in the race.

    Attributes:
        name: identifies it.
        run: takes one turn and returns its figure, lower is better (ms).
        group: the best of each group reaches the final, together with the best `FINALISTS` of all.
        figures: of each turn before the final.
        ratios: reference's figure / its own, in the same round, before the final.
        final, final_ratios: the same in the final.
        left: why it dropped out before the final; empty if it did not.
    """

    name: str
    run: Callable[[], float]
    group: str = ""
    figures: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    final_ratios: list[float] = field(default_factory=list)
    left: str = ""

    @property
    def figure(self) -> float:
        """Median of the figures, of the final if it was reached."""
        return float(np.median(self.final or self.figures))

    @property
    def speedup(self) -> float:
        """Median speedup over the reference in the same round."""
        return float(np.median(self.final_ratios or self.ratios))


@dataclass(frozen=True)
class RaceResult:
    """The result of the final.

    Attributes:
        noise: how far the reference's median may differ from its own by chance, as a share.
        rounds: number of rounds in the final.
        finalists: without the reference.
    """

    noise: float
    rounds: int
    finalists: list[Entrant]

    def faster(self, entrant: Entrant) -> bool:
        """Whether it is faster than the reference by more than the noise, and surely so."""
        # With more finalists it is more likely that one looks better than it is (Bonferroni).
        low, _ = median_interval(np.log(entrant.final_ratios), 1 - 0.05 / max(1, len(self.finalists)))
        return math.log(entrant.speedup) > self.noise and low > 0


def race(
    reference: Entrant,
    runners: Sequence[Entrant],
    *,
    seconds: float,
    seed: int = 13,
    clock: Callable[[], float] = time.perf_counter,
    say: Callable[[str], None] = lambda line: None,
) -> RaceResult:
    """Race for about `seconds`, including a final of at least `FINAL_ROUNDS` rounds.

    Adds to each runner's figures. `reference` is not among `runners`; if there are none, only the noise is measured.
    """
    random = np.random.default_rng(seed)
    start = clock()
    alive = list(runners)
    rungs = max(1, math.ceil(math.log2(len(alive) / FINALISTS))) if alive else 0
    share = seconds * (1 - _FINAL_SHARE) / max(1, rungs)
    for rung in range(rungs):
        end = start + (rung + 1) * share
        rounds = 0
        while not rounds or clock() < end:
            _round(reference, alive, random)
            rounds += 1
        alive = _better_half(alive)
        say(f"{_counted(rounds, 'round')}; {_counted(len(alive), 'candidate')} left")
    again = Entrant(f"{reference.name}, again", reference.run)
    rounds = 0
    while rounds < FINAL_ROUNDS or clock() < start + seconds:
        _round(reference, [again, *alive], random, final=True)
        rounds += 1
    low, high = median_interval(np.log(again.final_ratios))
    return RaceResult(max(LEAST_NOISE, -low, high), rounds, sorted(alive, key=lambda entrant: -entrant.speedup))


def _round(reference: Entrant, others: Sequence[Entrant], random: np.random.Generator, *, final: bool = False) -> None:
    turns = [reference, *others]
    times = dict.fromkeys(turns, 0.0)
    for index in random.permutation(len(turns)):
        times[turns[index]] = turns[index].run()
    for entrant, figure in times.items():
        (entrant.final if final else entrant.figures).append(figure)
        (entrant.final_ratios if final else entrant.ratios).append(times[reference] / figure)


def _better_half(alive: list[Entrant]) -> list[Entrant]:
    """The better half, at least `FINALISTS`, and always the best of each group."""
    ranked = sorted(alive, key=lambda entrant: -entrant.speedup)
    best: dict[str, Entrant] = {}
    for entrant in ranked:
        best.setdefault(entrant.group, entrant)
    half = ranked[: max(FINALISTS, math.ceil(len(ranked) / 2))]
    kept = [entrant for entrant in ranked if entrant in half or best[entrant.group] is entrant]
    for entrant in alive:
        if entrant not in kept:
            entrant.left = f"slower than others after {_counted(len(entrant.figures), 'round')}"
    return kept


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
