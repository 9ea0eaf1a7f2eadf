"""How often the gate ships models of each form that it should hold back: benchmarks/results/gate_forms.json.

    python -m benchmarks.ladders.gate_forms

For each figure, number of rows and setting, 2,000 models are drawn whose true loss is exactly the bound, so that each
one that ships is shipped falsely, and 500 that are as good as their teacher and should ship. The true loss follows
from the probabilities that the answers are drawn with. Rows are easy or hard for both models alike, and the student's
answers are its teacher's but for what it loses and gains. There are two settings: "usual", in which single answers are
lost and gained, and "rare", in which the student differs only in a few rows (documents) that it loses altogether: with
few rows, these may all be missing from the sample.

`coverage` is that of the two-sided 95 % interval, which consists of both one-sided tests at 97.5 %.
`false_ships_percentile` is the share of false ships of the percentile bootstrap (Efron 1979) on every fourth of these
models, for 100 rows. Pure numpy, about six minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import asin, pi, sin, sqrt
from typing import Any
from warnings import catch_warnings

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.files import write_json
from leanformer.measure.ship_gate import Loss, loss_between
from leanformer.metrics.estimates import Estimate, error_estimate, f1_estimate, rank_estimate, ratio
from leanformer.metrics.noninferiority import ExactLoss

MODELS, CONFIDENCE, SEED = 2000, 0.95, 13
FEWER = 4  # one model in so many is judged by the bootstrap as well, and for one in so many a good one is drawn
# Rows, and points of bound: what so many rows can show of a good model.
SIZES = {100: 10.0, 500: 4.0, 5000: 1.0}
RESAMPLED, RESAMPLES = 100, 500
USUAL, RARE = "usual", "rare"
# Of easy and of hard rows: their shares.
SHARES = np.array([0.7, 0.3])
# Of ten labels, how many rows have each: 35 % to 5 %.
PREVALENCE = 0.35 * 0.8 ** np.arange(10)
# The scores' teacher: the spread of its errors, in that of the true scores.
SPREAD = 0.5
Generator = np.random.Generator
Parts = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Figure:
    """A figure of the parts of an answer, and the same of many samples with the weights `[samples, n]`."""

    estimate: Callable[..., Estimate]
    resampled: Callable[..., np.ndarray]


@dataclass(frozen=True)
class Drawn:
    """Parts of the student's and of the teacher's answers, and the document of each row, if any."""

    ours: Parts
    theirs: Parts
    documents: np.ndarray | None = None


@dataclass(frozen=True)
class Case:
    """A figure of a form, and what draws models that lose so much of it: from the loss, from a generator and rows."""

    form: str
    metric: str
    setting: str
    figure: Figure
    make: Callable[[float], Callable[[Generator, int], Drawn]]


def _ratios(weights: np.ndarray, right: np.ndarray, total: np.ndarray) -> np.ndarray:
    columns = [part.reshape(len(right), -1).astype(float) for part in (right, total)]
    with np.errstate(invalid="ignore"), catch_warnings(action="ignore", category=RuntimeWarning):  # no row of a label
        return np.asarray(np.nanmean((weights @ columns[0]) / (weights @ columns[1]), axis=1))


def _correlations(weights: np.ndarray, said: np.ndarray, true: np.ndarray) -> np.ndarray:
    n = len(said)
    ranks = []
    for values in (said, true):
        order = np.argsort(values)
        sorted_weights = weights[:, order]
        ranks.append(np.empty_like(weights))
        ranks[-1][:, order] = np.cumsum(sorted_weights, axis=1) - sorted_weights / 2 - n / 2
    x, y = ranks
    product, first, second = ((weights * part).sum(axis=1) for part in (x * y, x * x, y * y))
    return np.asarray(product / np.sqrt(first * second))


F1 = Figure(f1_estimate, lambda weights, right, given, true: _ratios(weights, 2 * right, given + true))
SHARE = Figure(lambda right, total: ratio(right, total, total), _ratios)
SPEARMAN = Figure(rank_estimate, _correlations)
ERROR = Figure(error_estimate, lambda weights, said, true: -(weights @ np.abs(said - true)) / len(said))


def hardness(generator: Generator, n: int) -> np.ndarray:
    return (generator.random(n) >= SHARES[0]).astype(np.int64)


def gains(loss: float, setting: str) -> float:
    """The share of what the teacher has wrong that the student has right: more where more is lost."""
    return min(0.2, 4 * loss + 0.02) if setting == USUAL else 0.0


def solved(expected: Callable[[float], float], loss: float) -> float:
    """The share at which the student, expected to reach `expected(share)`, loses so much against its teacher."""
    low, high, wanted = 0.0, 1.0, expected(-1.0) - loss  # -1 stands for the teacher
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) > wanted else (low, middle)
    return low


def answers(candidates: int, setting: str) -> Callable[[float], Callable[[Generator, int], Drawn]]:
    """One label of several, or one of several candidates; hard rows are lost three times as often."""
    right = np.array([0.97, 0.6])

    def make(loss: float) -> Callable[[Generator, int], Drawn]:
        gain = gains(loss, setting)
        times = np.array([1.0, 3.0]) if setting == USUAL else np.ones(2)
        lose = times * (loss + gain * (SHARES @ (1 - right))) / (SHARES @ (right * times))

        def draw(generator: Generator, n: int) -> Drawn:
            hard, targets = hardness(generator, n), generator.integers(0, candidates, n)
            wrong = (targets + generator.integers(1, candidates, n)) % candidates
            good = generator.random(n) < right[hard]
            kept = np.where(good, generator.random(n) >= lose[hard], generator.random(n) < gain)
            ones = np.ones(n)
            ours, theirs = (np.where(part, targets, wrong) == targets for part in (kept, good))
            return Drawn((ours, ones), (theirs, ones))

        return draw

    return make


def tags(
    setting: str, *, document: int = 1, recall: bool = False
) -> Callable[[float], Callable[[Generator, int], Drawn]]:
    """Entities of sentences. The sentences of a document are equally hard, and are lost together."""
    right, entities, spurious, wrong = np.array([0.95, 0.7]), np.array([1.5, 2.5]), np.array([0.05, 0.3]), 0.5

    def make(loss: float) -> Callable[[Generator, int], Drawn]:
        gain = gains(loss, setting)

        def expected(share: float) -> float:
            teacher = share < 0
            lose = share if setting == USUAL and not teacher else 0.0
            dropped = share if setting == RARE and not teacher else 0.0
            found = right * (1 - lose) + (1 - right) * (0.0 if teacher else gain)
            correct, true = SHARES @ (entities * found) * (1 - dropped), SHARES @ entities
            given = SHARES @ (entities * (found + wrong * (1 - found)) + spurious) * (1 - dropped)
            return float(correct / true if recall else 2 * correct / (given + true))

        share = solved(expected, loss)

        def draw(generator: Generator, n: int) -> Drawn:
            documents = np.arange(n) // document
            hard = hardness(generator, documents[-1] + 1)[documents]
            true = generator.poisson(entities[hard])
            theirs = generator.binomial(true, right[hard])
            lost = generator.binomial(theirs, share if setting == USUAL else 0.0)
            gained = generator.binomial(true - theirs, gain)
            # Half of the missed entities are found with other boundaries, by both models if both miss them.
            missed, more = generator.binomial(true - theirs - gained, wrong), generator.poisson(spurious[hard])
            theirs_given = theirs + missed + generator.binomial(gained, wrong) + more
            ours = theirs - lost + gained
            ours_given = ours + missed + generator.binomial(lost, wrong) + more
            kept = (generator.random(documents[-1] + 1) >= (share if setting == RARE else 0.0))[documents]
            places = documents if document > 1 else None
            if recall:
                return Drawn((ours * kept, true), (theirs, true), places)
            return Drawn((ours * kept, ours_given * kept, true), (theirs, theirs_given, true), places)

        return draw

    return make


def labels(figure: str, setting: str) -> Callable[[float], Callable[[Generator, int], Drawn]]:
    """Ten labels of `PREVALENCE`, of hard rows less often right."""
    right, false = np.array([0.92, 0.6]), np.array([0.01, 0.06])

    def make(loss: float) -> Callable[[Generator, int], Drawn]:
        gain = gains(loss, setting)

        def expected(share: float) -> float:
            teacher = share < 0
            lose = share if setting == USUAL and not teacher else 0.0
            dropped = share if setting == RARE and not teacher else 0.0
            found = SHARES @ (right * (1 - lose) + (1 - right) * (0.0 if teacher else gain)) * (1 - dropped)
            if figure == "recall":
                return float(found)
            correct = PREVALENCE * found
            total = PREVALENCE + correct + (1 - PREVALENCE) * (SHARES @ false) * (1 - dropped)
            return float(2 * correct.sum() / total.sum() if figure == "micro" else (2 * correct / total).mean())

        share = solved(expected, loss)

        def draw(generator: Generator, n: int) -> Drawn:
            hard, each = hardness(generator, n)[:, None], PREVALENCE[4:5] if figure == "recall" else PREVALENCE

            def random() -> np.ndarray:
                return generator.random((n, len(each)), dtype=np.float32)

            true = random() < each
            theirs = random() < np.where(true, right[hard], false[hard])
            kept = random() >= (share if setting == USUAL else 0.0)
            ours = np.where(true, np.where(theirs, kept, random() < gain), theirs)
            ours &= (generator.random(n) >= (share if setting == RARE else 0.0))[:, None]
            if figure == "recall":
                return Drawn((ours & true, true), (theirs & true, true))
            parts = [tuple(part.astype(float) for part in (said & true, said, true)) for said in (ours, theirs)]
            if figure == "micro":
                parts = [tuple(part.sum(axis=1) for part in each) for each in parts]
            return Drawn(*parts)

        return draw

    return make


def scores(figure: Figure, setting: str) -> Callable[[float], Callable[[Generator, int], Drawn]]:
    """Normal scores, with errors of both models that correlate by 0.8; or the teacher's but for random ones."""
    whole, unit = 6 / pi * asin(1 / sqrt(1 + SPREAD**2) / 2), sqrt(2 / pi)

    def make(loss: float) -> Callable[[Generator, int], Drawn]:
        if figure is SPEARMAN:
            spread = sqrt((2 * sin(pi * (whole - loss) / 6)) ** -2 - 1)
            random = loss / whole  # of a mixture of such models, Spearman's correlation is the mean
        else:
            spread = SPREAD + loss / unit
            random = loss / unit / (sqrt(2 + SPREAD**2) - SPREAD)

        def draw(generator: Generator, n: int) -> Drawn:
            true, common, own = generator.standard_normal((3, n))
            theirs = true + SPREAD * common
            ours = true + spread * (0.8 * common + 0.6 * own)
            if setting == RARE:
                ours = np.where(generator.random(n) < random, sqrt(1 + SPREAD**2) * own, theirs)
            return Drawn((ours, true), (theirs, true))

        return draw

    return make


def cases() -> list[Case]:
    return [
        Case(form, metric, setting, figure, make)
        for setting in (USUAL, RARE)
        for form, metric, figure, make in (
            ("label", "accuracy", SHARE, answers(4, setting)),
            ("choice", "accuracy", SHARE, answers(5, setting)),
            ("labels", "micro-F1", F1, labels("micro", setting)),
            ("labels", "macro-F1", F1, labels("macro", setting)),
            ("labels", "recall of a label", SHARE, labels("recall", setting)),
            ("score", "Spearman correlation", SPEARMAN, scores(SPEARMAN, setting)),
            ("score", "mean absolute error", ERROR, scores(ERROR, setting)),
            ("tags", "entity F1", F1, tags(setting)),
            ("tags", "entity F1, documents of 5 sentences", F1, tags(setting, document=5)),
            ("tags", "recall of a type", SHARE, tags(setting, recall=True)),
        )
    ]


def is_below(loss: Loss, bound: float, level: float) -> bool:
    """Whether less than the bound is shown to be lost."""
    if isinstance(loss, ExactLoss) and loss.n >= MANY:
        return loss.lost <= most_lost(loss.gained, loss.n, bound, level)
    return loss.p_below(bound) <= level


def is_above(loss: Loss, bound: float, level: float) -> bool:
    if isinstance(loss, ExactLoss) and loss.n >= MANY:
        return loss.lost >= least_lost(loss.gained, loss.n, bound, level)
    return loss.p_above(bound) <= level


# With so many rows an exact p-value takes long; it rises with the lost rows, so that their limit is looked for once.
MANY = 2000


@cache
def most_lost(gained: int, n: int, bound: float, level: float) -> int:
    """The most lost rows with which less than the bound is shown to be lost; -1 if there are none."""
    low, high = -1, min(n - gained, gained + int(bound * n)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ExactLoss(middle, gained, n).p_below(bound) <= level else (low, middle)
    return low


@cache
def least_lost(gained: int, n: int, bound: float, level: float) -> int:
    """The fewest lost rows with which more than the bound is shown to be lost."""
    low, high = gained + int(bound * n) - 1, n - gained + 1
    while high - low > 1:
        # Most of the way up is far beyond the bound.
        middle = min((low + high) // 2, low + 64)
        low, high = (low, middle) if ExactLoss(middle, gained, n).p_above(bound) <= level else (middle, high)
    return high


def measured(case: Case, n: int, bound: float, models: int, generator: Generator) -> dict[str, Any]:
    """Shares of models at the bound, and of equally good ones, that ship."""
    level, two_sided = 1 - CONFIDENCE, (1 - CONFIDENCE) / 2
    shipped = covered = good = percentile = 0
    draw, draw_good = case.make(bound), case.make(0.0)
    samples = generator.multinomial(RESAMPLED, np.full(RESAMPLED, 1 / RESAMPLED), RESAMPLES).astype(float)

    def loss_of(drawn: Drawn) -> Loss:
        ours, theirs = (case.figure.estimate(*parts) for parts in (drawn.ours, drawn.theirs))
        return loss_between(ours, theirs, drawn.documents)

    for number in range(models):
        drawn = draw(generator, n)
        loss = loss_of(drawn)
        shipped += is_below(loss, bound, level)
        covered += not is_below(loss, bound, two_sided) and not is_above(loss, bound, two_sided)
        if number % FEWER:
            continue
        good += is_below(loss_of(draw_good(generator, n)), bound, level)
        if n == RESAMPLED and drawn.documents is None:
            ours, theirs = (case.figure.resampled(samples, *parts) for parts in (drawn.ours, drawn.theirs))
            percentile += float(np.nanquantile(theirs - ours, CONFIDENCE)) <= bound
    row = {
        "form": case.form, "metric": case.metric, "setting": case.setting, "n": n, "bound": bound,
        "simulations": models, "false_ships": shipped / models, "coverage": covered / models,
        "ships_equally_good": FEWER * good / models,
    }  # fmt: skip
    has_percentile = n == RESAMPLED and drawn.documents is None
    return row | ({"false_ships_percentile": FEWER * percentile / models} if has_percentile else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=MODELS, help="fewer for a trial, which is not stored")
    models = parser.parse_args().models
    rows = []
    for case in cases():
        for n, points in SIZES.items():
            rows.append(measured(case, n, points / 100, models, np.random.default_rng([SEED, n])))
            told = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in rows[-1].values())
            print(*told, sep=", ", flush=True)
    if models == MODELS:
        about = provenance()
        write_json(RESULTS / "gate_forms.json", [row | about for row in rows])


if __name__ == "__main__":
    main()
