"""Latency and throughput of several predictors on the same texts, in rounds in which each is timed once.

If the machine is slow for a while, it is slow for all predictors timed in that round, so figures of the same round can
be compared (`metrics.rounds`). The figure of a predictor is its median over the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from leanformer.measure.turns import Figures, Timed
from leanformer.predictor import Predictor
from leanformer.progress import Status
from leanformer.report import LATENCY_PERCENTS
from leanformer.task import Text

# Worker threads of a library may spin for a moment after its last call; wait until they are idle.
_SETTLE_SECONDS = 0.25
# From this number of rounds on, predictors in `seldom` skip every other one.
_MANY_ROUNDS = 5


@dataclass(frozen=True)
class Speed:
    """Times of one predictor; see `report.Rung` for the meaning of each."""

    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    latency_n: int
    tokenizer_ms_p50: float
    throughput_per_second: float
    throughput_median: float
    throughput_warm: float
    inference_per_second: float
    throughput_n: int
    latency_ms_quantiles: tuple[float, ...]
    cpu_seconds_per_1000: float
    rounds: dict[str, dict[str, float]]


@dataclass(frozen=True)
class SpeedSettings:
    """How long to measure.

    Attributes:
        rounds: each predictor has one turn per round; those in `seldom` may skip every other round.
        latency_texts: texts timed one at a time, over all these rounds.
        seconds: wall-clock seconds that one turn's throughput run may take; a predictor too slow for all texts
            in that time is timed on a seeded sample of them.
        patience: if it is not yet sure which is the best, further rounds of the candidates may take
            up to this many times as long as these rounds took.
    """

    rounds: int = 5
    latency_texts: int = 300
    seconds: float = 5.0
    patience: float = 0.5


class Contest(Protocol):
    """What further rounds should decide: which is the best by `goal`, "throughput" or "latency"."""

    @property
    def goal(self) -> str: ...

    def undecided(self, figures: Sequence[Figures]) -> list[int]:
        """The numbers of the predictors among which the best is not yet sure; empty if it is."""
        ...


def measure_speed(
    predictors: Sequence[Predictor],
    texts: Sequence[Text],
    settings: SpeedSettings,
    *,
    seed: int = 13,
    others: Sequence[Text] = (),
    seldom: Collection[int] = (),
    contest: Contest | None = None,
    clock: Callable[[], float] = time.perf_counter,
    say: Callable[[str], None] = lambda line: None,
) -> list[Speed]:
    """Measure all predictors on `texts`, tokenizer included, in rounds, each round in a different order.

    Args:
        others: further texts like these. Before each turn a predictor's word cache is emptied and then filled by
            tokenizing them once, so that timing simulates a program that has read other texts, but not the timed ones.
        seldom: numbers of slow predictors that are only there for comparison.
        contest: what further rounds should decide; with None there are no rounds beyond `settings.rounds`.
    """
    random = np.random.default_rng(seed)
    shuffled = [texts[i] for i in random.permutation(len(texts))]
    singles = [shuffled[i % len(shuffled)] for i in range(max(settings.latency_texts, settings.rounds))]
    often = [number for number in range(settings.rounds) if number % 2 == 0 or settings.rounds < _MANY_ROUNDS]
    timed = [
        Timed(
            predictor, sample(predictor, shuffled, settings.seconds, clock), singles, others,
            turns=len(often) if index in seldom else settings.rounds, clock=clock,
        )
        for index, predictor in enumerate(predictors)
    ]  # fmt: skip

    def play(number: int, members: Sequence[int], goal: str | None) -> None:
        for place in random.permutation(len(members)):
            time.sleep(_SETTLE_SECONDS)
            timed[members[place]].turn(number, goal)

    begun = clock()
    for number in range(settings.rounds):
        play(number, [i for i in range(len(timed)) if i not in seldom or number in often], None)
        say(Status(f"timing: round {number + 1} of {settings.rounds}"))
    number, start = settings.rounds, clock()
    end = start + settings.patience * (start - begun)
    while contest is not None and (members := contest.undecided([rung.figures for rung in timed])):
        needed = sum(timed[index].seconds(contest.goal) + _SETTLE_SECONDS for index in members)
        if clock() + needed > end:
            break
        play(number, members, contest.goal)
        number += 1
        say(Status(f"timing: round {number}, {len(members)} rungs in question"))
    return [_summary(rung) for rung in timed]


def _summary(timed: Timed) -> Speed:
    figures, ms = timed.figures, 1000 * np.array(timed.latencies)
    p50, p95, p99 = (float(value) for value in np.percentile(ms, [50, 95, 99]))
    median = {name: float(np.median(list(rounds.values()))) for name, rounds in asdict(figures).items()}
    return Speed(
        latency_ms_p50=p50,
        latency_ms_p95=p95,
        latency_ms_p99=p99,
        latency_n=len(ms),
        tokenizer_ms_p50=float(np.median(timed.tokenizing) * 1000),
        throughput_per_second=median["throughput"],
        throughput_median=median["throughput"],
        throughput_warm=median["warm"],
        inference_per_second=median["inference"],
        throughput_n=len(timed.sample),
        latency_ms_quantiles=tuple(float(value) for value in np.percentile(ms, LATENCY_PERCENTS)),
        cpu_seconds_per_1000=1000 * timed.cpu / (len(timed.sample) * len(figures.throughput)),
        rounds=figures.to_json(),
    )


def sample(
    predictor: Predictor, texts: list[Text], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> list[Text]:
    """As many of the (shuffled) texts as the predictor scores in about `seconds`, at least 64 (or all)."""
    trial = texts[:64]
    predictor.infer(predictor.tokenize(trial))
    start = clock()
    predictor.infer(predictor.tokenize(trial))
    rate = len(trial) / (clock() - start)
    return texts[: max(64, int(rate * seconds))]
