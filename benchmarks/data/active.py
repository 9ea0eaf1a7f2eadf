"""Strategies of active learning beside random choice: benchmarks/results/data/active.json.

    python -m benchmarks.data.active
    python -m benchmarks.data.active trec banking77

reads $LEANFORMER_DATA. Labels are hidden and given to the rows that a strategy chooses, batch by batch. The model is
logistic regression on frozen vectors of MiniLM, as in `leanformer label`; accuracy is that on test. In each draw all
strategies begin with the same random batch, except those whose first batch is theirs. Differences from random choice
are paired by draw, with a bootstrap interval over draws. `area` is the mean accuracy over all sizes after the first.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.frozen import ENCODER, drawn, embed, opened
from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.curate.active.head import STRENGTH, fit_head
from leanformer.curate.active.stopping import AGREEMENT, ROUNDS, agreements, is_stable
from leanformer.curate.active.strategies import STRATEGIES, Situation
from leanformer.data.examples import Examples
from leanformer.files import write_json
from leanformer.metrics.bootstrap import interval
from leanformer.strict_json import read_json

DRAWS, POOL, SHARE, FIXED = 10, 5000, 0.97, 1000
# Batch and budget of each set.
SETS = {"trec": (50, 500), "sst2": (50, 500), "ag_news": (50, 500), "banking77": (150, 1500)}
RANDOM = "random"
# Name -> strategies of the first batch and of the others.
ARMS = {
    **{name: (RANDOM, name) for name in STRATEGIES if name != "kmeans"},
    "kmeans": ("kmeans", "kmeans"),
    "kmeans, then margin": ("kmeans", "margin"),
    "coreset from the start": ("coreset", "coreset"),
}


@dataclass(frozen=True)
class Split:
    """Vectors `[n, width]` of length 1, labels `[n]`, and the number of classes."""

    vectors: np.ndarray
    labels: np.ndarray
    classes: int


def of_split(examples: Examples | None, most: int | None = None) -> Split:
    """The vectors of a split, or of that many rows of it."""
    assert examples is not None
    rows = drawn(len(examples), most or len(examples))
    return Split(embed(examples)[rows], np.asarray(examples.labels)[rows], len(examples.task.labels))


def run_arm(pool: Split, test: Split, arm: tuple[str, str], batch: int, budget: int, seed: int) -> dict[str, Any]:
    """Accuracies on test at each size, and where the stopping rule would have stopped."""
    labelled = np.zeros(0, dtype=np.int64)
    fixed = np.random.default_rng(seed).permutation(len(pool.labels))[:FIXED]
    accuracies, answers, stop = [], [], None
    while len(labelled) < budget:
        candidates = np.setdiff1d(np.arange(len(pool.labels)), labelled)
        at = Situation(
            pool.vectors, candidates, labelled, pool.labels[labelled], pool.classes, 1000 * seed + len(labelled)
        )
        chosen = STRATEGIES[arm[0] if not len(labelled) else arm[1]].choose(at, batch)
        labelled = np.concatenate([labelled, candidates[chosen]])
        head = fit_head(pool.vectors[labelled], pool.labels[labelled], pool.classes)
        accuracies.append(float((head.answers(test.vectors) == test.labels).mean()))
        answers.append(head.answers(pool.vectors[fixed]))
        if stop is None and is_stable(agreements(answers[-ROUNDS - 1 :], pool.classes)):
            stop = len(labelled)
    return {"accuracy": accuracies, "stop": stop}


def run_set(name: str) -> dict[str, Any]:
    """All arms and draws of a data set."""
    batch, budget = SETS[name]
    data = opened(name)
    pool, test = of_split(data.train, POOL), of_split(data.test)
    full = float((fit_head(pool.vectors, pool.labels, pool.classes).answers(test.vectors) == test.labels).mean())
    sizes = list(range(batch, budget + 1, batch))
    curves: dict[str, np.ndarray] = {}
    arms: dict[str, Any] = {}
    for arm, strategies in ARMS.items():
        begun = time.process_time()
        found = [run_arm(pool, test, strategies, batch, budget, seed) for seed in range(DRAWS)]
        curves[arm] = 100 * np.array([draw["accuracy"] for draw in found])
        arms[arm] = {"stops": [draw["stop"] for draw in found], "seconds": round(time.process_time() - begun, 1)}
        print(f"{name}, {arm}: {curves[arm][:, -1].mean():.1f}, {arms[arm]['seconds']} s", flush=True)
    for arm, curve in curves.items():
        arms[arm] |= compared(curve, curves[RANDOM], sizes, 100 * SHARE * full)
    return {
        "pool": len(pool.labels), "test": len(test.labels), "classes": pool.classes, "full": round(100 * full, 2),
        "sizes": sizes, "arms": arms,
    }  # fmt: skip


def compared(curve: np.ndarray, others: np.ndarray, sizes: list[int], wanted: float) -> dict[str, Any]:
    """Accuracies `[draws, sizes]` of an arm beside those of random choice, in points; and the labels to reach one."""
    areas, differences = curve[:, 1:].mean(axis=1), (curve - others)[:, 1:].mean(axis=1)
    reached = np.flatnonzero(curve.mean(axis=0) >= wanted)
    return {
        "curve": np.round(curve.mean(axis=0), 2).tolist(), "deviation": np.round(curve.std(axis=0, ddof=1), 2).tolist(),
        "area": round(float(areas.mean()), 2),
        **{
            key: _difference(values)
            for key, values in {
                "area_minus_random": differences, "first_minus_random": (curve - others)[:, 0],
                "last_minus_random": (curve - others)[:, -1],
            }.items()
        },
        "lowest_minus_random": round(float((curve - others).mean(axis=0).min()), 2),
        "labels_to_reach": sizes[reached[0]] if len(reached) else None,
    }  # fmt: skip


def _difference(values: np.ndarray) -> list[float]:
    """Mean and 95 % interval over draws."""
    low, high = interval(lambda rows: float(values[rows].mean()), len(values))
    return [round(float(value), 2) for value in (values.mean(), low, high)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--output", type=Path, default=RESULTS / "data" / "active.json")
    given = parser.parse_args()
    names: Iterable[str] = given.sets or SETS
    if unknown := set(names) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; one of {', '.join(SETS)}")
    sets = dict(read_json(given.output)["sets"]) if given.output.is_file() else {}
    about = {
        "command": "python -m benchmarks.data.active", "encoder": ENCODER, "strength": STRENGTH, "draws": DRAWS,
        "share": SHARE, "agreement": AGREEMENT, "rounds": ROUNDS,
    }  # fmt: skip
    for name in names:
        sets[name] = run_set(name)
        write_json(given.output, {**about, "sets": {key: sets[key] for key in SETS if key in sets}, **provenance()})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
