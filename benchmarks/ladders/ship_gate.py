"""How often the ship gate ships a model that it should hold back: benchmarks/results/ship_gate.json.

    python -m benchmarks.ladders.ship_gate

For each setting (texts, share of texts on which the models differ in rightness, true loss) 1,000 models are drawn with
exactly that true loss, and each is judged at a bound of one point and 95 % confidence by the gate's exact test and, for
comparison, by the three methods it was chosen over: Tango's normal approximation, Wald's, and the percentile bootstrap.
A model whose true loss is the bound or more is shipped falsely. A share of 1,000 scatters, so the exact test's own rate
is computed beside it, as a sum over all outcomes. Pure numpy, two minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.files import write_json
from leanformer.metrics.binomial import at_most, binomial_pmf
from leanformer.metrics.noninferiority import noninferiority_p, tango_score
from leanformer.metrics.paired import Paired, loss_interval

BOUND, CONFIDENCE, MODELS, SEED = 0.01, 0.95, 1000, 13
TEXTS = (300, 872, 1821)
LOSSES = (0.01, 0.015, 0.005, 0.0)
EXTRA = (0.0, 0.003, 0.01, 0.03)  # texts gained, as a share; the losing ones come on top


def exact(lost: int, gained: int, n: int) -> bool:
    return noninferiority_p(lost, gained, n, BOUND) <= 1 - CONFIDENCE


def tango(lost: int, gained: int, n: int) -> bool:
    score = float(tango_score(np.array(lost), np.array(gained), n, BOUND))
    return score <= NormalDist().inv_cdf(1 - CONFIDENCE)


def wald(lost: int, gained: int, n: int) -> bool:
    loss = (lost - gained) / n
    spread = np.sqrt(max(0.0, (lost + gained) / n - loss * loss) / n)
    return bool(loss + NormalDist().inv_cdf(CONFIDENCE) * spread < BOUND)


def bootstrap(lost: int, gained: int, n: int) -> bool:
    # Two-sided 90 %: its upper end is the one-sided 95 % limit.
    return loss_interval(Paired(n, lost, gained, 0), resamples=1000, confidence=2 * CONFIDENCE - 1)[1] < BOUND


METHODS: dict[str, Callable[[int, int, int], bool]] = {
    "exact": exact, "tango": tango, "wald": wald, "bootstrap": bootstrap,
}  # fmt: skip


def setting(n: int, loss: float, gained: float, generator: np.random.Generator) -> dict[str, Any]:
    """Shipping rates of `MODELS` models of this true loss."""
    drawn = generator.multinomial(n, [gained + loss, gained, 1 - 2 * gained - loss], size=MODELS)
    known: dict[tuple[int, int], dict[str, bool]] = {}
    for lost, won, _ in drawn.tolist():
        if (lost, won) not in known:
            known[lost, won] = {name: method(lost, won, n) for name, method in METHODS.items()}
    shipped = {name: float(np.mean([known[a, b][name] for a, b, _ in drawn.tolist()])) for name in METHODS}
    return {"n": n, "true_loss": loss, "share_differing": 2 * gained + loss, "shipped": shipped}


def boundary(n: int, most_gained: int) -> np.ndarray:
    """For each number of gained texts the largest number of lost ones that ships, -1 where none does.

    By bisection: with more lost the p-value only rises (tests/metrics/test_noninferiority.py).
    """
    found = np.full(most_gained + 1, -1)
    for gained in range(most_gained + 1):
        low, high = -1, min(n - gained, gained + int(BOUND * n) + 1)  # beyond it more than the bound was lost
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if exact(middle, gained, n) else (low, middle)
        found[gained] = low
    return found


def true_rate(n: int, loss: float, gained: float, ships: np.ndarray) -> float:
    """The exact test's chance to ship such a model: a sum over all outcomes, no simulation."""
    total = 0.0
    won = binomial_pmf(n, gained)
    for count, most in enumerate(ships):
        if most >= 0 and won[count] > 0:
            # Given the gained texts, the lost ones are binomial among the rest.
            total += float(won[count]) * at_most(int(most), n - count, (gained + loss) / (1 - gained))
    return total


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    generator = np.random.default_rng(SEED)
    rows = [setting(n, loss, gained, generator) for n in TEXTS for loss in LOSSES for gained in EXTRA]
    for n in TEXTS:
        ships = boundary(n, int(n * max(EXTRA) + 10 * np.sqrt(n * max(EXTRA))))
        for row in rows:
            if row["n"] == n:
                gained = (row["share_differing"] - row["true_loss"]) / 2
                row["true_rate_of_exact"] = true_rate(n, row["true_loss"], gained, ships)
    should_not = [row for row in rows if row["true_loss"] >= BOUND]
    # Of 1,000 draws at a true rate of 5 %, the share shipped itself scatters; this is its 99.9 % limit.
    scatter = float(3.09 * np.sqrt((1 - CONFIDENCE) * CONFIDENCE / MODELS))
    summary = {
        name: {
            "largest_false_ship_rate": max(row["shipped"][name] for row in should_not),
            "settings_above_the_stated_rate": int(sum(row["shipped"][name] > 1 - CONFIDENCE for row in should_not)),
            "settings_above_it_beyond_chance": int(
                sum(row["shipped"][name] > 1 - CONFIDENCE + scatter for row in should_not)
            ),
            "shipped_when_equally_good": float(
                np.mean([row["shipped"][name] for row in rows if row["true_loss"] == 0])
            ),
        }
        for name in METHODS
    }
    result = {
        "bound": BOUND,
        "confidence": CONFIDENCE,
        "models_per_setting": MODELS,
        "seed": SEED,
        "settings_at_or_beyond_the_bound": len(should_not),
        "largest_true_false_ship_rate_of_exact": max(row["true_rate_of_exact"] for row in should_not),
        "summary": summary,
        "settings": rows,
        **provenance(),
    }
    write_json(RESULTS / "ship_gate.json", result)
    print(f"largest true false-ship rate of the exact test: {result['largest_true_false_ship_rate_of_exact']:.4f}")
    for name, figures in summary.items():
        print(f"{name:10} " + ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
