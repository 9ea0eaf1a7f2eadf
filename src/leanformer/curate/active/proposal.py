"""One round of active learning: the rows to label next, what is known so far, and whether to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.curate.active.pool import Pool, check_task, read_pool, read_round, task_of
from leanformer.curate.active.stopping import ROUNDS, is_stable
from leanformer.curate.active.strategies import COLD, STRATEGIES, WARM, Situation
from leanformer.curate.active.texts import Texts
from leanformer.curate.active.vectors import ngram_vectors
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError
from leanformer.inputs.input import parts_of
from leanformer.inputs.kinds import input_of
from leanformer.linear.fit import need_sklearn
from leanformer.metrics.binomial import lower_limit, upper_limit
from leanformer.metrics.probabilities import unit_vectors
from leanformer.task import Task, Text


@dataclass(frozen=True)
class Proposal:
    """The result of a round.

    Attributes:
        rows: the chosen rows and those of the audit, in random order, as JSON objects with `label` null.
        status: what is known so far, as a JSON object; see docs/how-to/label.md.
    """

    rows: list[dict[str, Any]]
    status: dict[str, Any]


def propose(
    pool: Path,
    *,
    count: int,
    data: Dataset | None = None,
    labelled: Sequence[Path] = (),
    strategy: str | None = None,
    audit: int = 0,
    cost: str | None = None,
    kind: str | None = None,
    embed: Callable[[Examples], np.ndarray] | None = None,
    seed: int = 13,
) -> Proposal:
    """Choose rows of a pool to label.

    Args:
        pool: a file of texts or pairs. Its rows that are in dev or test (exactly or nearly), that are labelled already,
            or that repeat an earlier row, are left out.
        count: the number of rows to choose. audit: of rows to draw at random beside them.
        data: a data set with labelled rows, opened without taking dev out of train; None if there is none.
        labelled: rounds labelled so far, in order: files with the rows of earlier proposals and their labels.
        strategy: a key of `strategies.STRATEGIES`; None: "kmeans" until rows of two labels are labelled, then "margin".
        cost: the column of the pool with the cost of each row; None counts words.
        kind: of the task, if there is no data set; None: detected.
        embed: gives vectors `[n, width]` (`curate.embeddings.embed`); None: vectors of n-grams.

    Raises `DataError` for files that cannot be read, a pool with too few rows, a label that is not in the task;
    `LeanformerError` for a kind of task that is not supported, and a strategy that needs labels where there are none;
    `MissingExtraError` without scikit-learn.
    """
    need_sklearn()
    if data is not None:
        check_task(data.task)
    read = read_pool(pool, kind if data is None else data.task.kind)
    rounds = [read_round(path, read.kind) for path in labelled]
    task = task_of(read.kind, rounds) if data is None else data.task
    known = Texts(read, task, data, rounds)
    costs = np.array(read.costs(cost))
    if (short := count + audit - len(known.candidates)) > 0:
        raise _too_few(read, known, count, audit, short)
    paired = input_of(task).paired
    vectors = (
        ngram_vectors(known.inputs, paired, seed)
        if embed is None
        else unit_vectors(embed(_examples(known.inputs, task)))
    )
    generator = np.random.default_rng((seed, len(rounds)))
    audited = np.sort(generator.permutation(known.candidates)[:audit])
    candidates = np.setdiff1d(known.candidates, audited)
    rows, classes = known.labelled(len(rounds))
    situation = Situation(vectors, candidates, rows, classes, len(task.labels), int(generator.integers(2**31)))
    name = strategy or (WARM if situation.is_warm else COLD)
    if STRATEGIES[name].warm and not situation.is_warm:
        raise LeanformerError(
            f"--strategy {name} needs labelled rows of at least two labels, and "
            + ("all labelled rows have one label" if len(rows) else "no rows are labelled yet")
            + f"\n  remedy: --strategy {COLD} for the first round"
        )
    chosen = candidates[STRATEGIES[name].choose(situation, count)]
    predicted = {}
    if situation.is_warm:
        both = np.concatenate([chosen, audited])
        probabilities = situation.head.probabilities(vectors[both])
        predicted = {
            int(row): {"predicted": task.labels[values.argmax()], "probability": round(float(values.max()), 4)}
            for row, values in zip(both, probabilities, strict=True)
        }
    found = [
        known.record(row)
        | {"label": None, "audit": row in set(audited.tolist()), "strategy": name, "round": len(rounds) + 1}
        | predicted.get(row, {})
        for row in generator.permutation(np.concatenate([chosen, audited])).tolist()
    ]
    kappas = known.agreements(vectors, task)
    status = {
        "round": len(rounds) + 1, "strategy": name, "pool": len(read.inputs), "candidates": len(known.candidates),
        "left_out": {reason: len(lines) for reason, lines in known.left_out.items()},
        "evaluated_lines": known.left_out["evaluated"],
        "labelled": len(rows), "labels": _counts(classes, task),
        "unanswered": sum(labelled.unanswered for labelled in rounds),
        "agreement": [round(kappa, 4) for kappa in kappas], "stop": is_stable(kappas), "rounds_compared": ROUNDS,
        "audit": _share([hit for labelled in rounds[-1:] for hit in labelled.audited]),
        "chosen": _share([hit for labelled in rounds[-1:] for hit in labelled.chosen]),
        "cost": {
            "of": cost or "words", "chosen": float(costs[known.at(chosen)].sum()),
            "audit": float(costs[known.at(audited)].sum()), "mean_chosen": float(costs[known.at(chosen)].mean()),
            "mean_candidate": float(costs[known.at(known.candidates)].mean()),
        },
    }  # fmt: skip
    return Proposal(found, status)


def _examples(inputs: Sequence[Text], task: Task) -> Examples:
    first, second = ([parts_of(text)[place] for text in inputs] for place in (0, -1))
    return Examples(task, tuple(first), None, tuple(second) if input_of(task).paired else None)


def _counts(classes: np.ndarray, task: Task) -> dict[str, int]:
    counts = np.bincount(classes, minlength=len(task.labels)).tolist()
    return dict(zip(task.labels, counts, strict=True))


def _share(hits: Sequence[bool]) -> dict[str, Any] | None:
    """How many answers of the model were the label, with a 95 % interval (Clopper and Pearson 1934)."""
    if not hits:
        return None
    right, rows = sum(hits), len(hits)
    low, high = lower_limit(right, rows, 0.975), upper_limit(right, rows, 0.975)
    return {"rows": rows, "right": right, "accuracy": right / rows, "interval": [round(low, 4), round(high, 4)]}


def _too_few(pool: Pool, known: Texts, count: int, audit: int, short: int) -> DataError:
    left = len(known.candidates)
    why = {"evaluated": "in dev or test", "labelled": "labelled already", "repeated": "repeats"}
    out = ", ".join(f"{len(lines):,} {why[reason]}" for reason, lines in known.left_out.items() if lines)
    asked = _rows(count) + (f" and {audit:,} for the audit" if audit else "")
    are = "is" if count == 1 and not audit else "are"
    return DataError(
        f"{asked} {are} to be chosen, and of its {_rows(len(pool.inputs))} {left:,} can be{f' ({out})' if out else ''}",
        path=pool.path,
        remedy=f"--count {count - short}" if count > short else "add rows to the pool that are in no split",
    )  # fmt: skip


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
