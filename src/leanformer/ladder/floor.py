"""The floor of a ladder: a linear model on n-grams, trained in seconds on the same texts, to compare all rungs with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import MissingExtraError
from leanformer.files import sha256_json
from leanformer.first_rungs import FLOOR
from leanformer.ladder.entries import Entry
from leanformer.linear.fit import can_fit, fit_linear, need_sklearn
from leanformer.linear.store import describe_linear, find_linear, open_linear, store_linear
from leanformer.measure.effort import Effort
from leanformer.measure.energy import EnergySettings, meter
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.paired import compare, mcnemar

# Part of the keys in the work folder: changed when the model is trained differently.
_VERSION = 2
_OPENER = "leanformer.linear.store:open_linear"
_TECHNIQUE = "linear"


@dataclass(frozen=True)
class Floor:
    """The rung, the cost of training it, and why there is none; each empty or with one item."""

    entries: tuple[Entry, ...] = ()
    efforts: tuple[Effort, ...] = ()
    notes: tuple[str, ...] = ()


def make_floor(
    data: Dataset, work: Path, *, seed: int, energy: EnergySettings | None = None, say: Callable[[str], None]
) -> Floor:
    """Train the floor on train and dev, or reuse it from the work folder, where it is kept by a hash of its inputs."""
    if (reason := _without(data)) is not None:
        return Floor(notes=(f"no floor ({FLOOR}): {reason}",))
    data = replace(data, test=None)
    key = sha256_json({"version": _VERSION, "data": data.training_hash, "seed": seed})
    folder = work / "floor" / key[:16]
    facts = find_linear(folder, say)
    if facts is None:
        say(f"{FLOOR}: training the floor")
        with meter(
            "training", country=None if energy is None else energy.country, tracked=energy is not None
        ) as block:  # fmt: skip
            fitted = fit_linear(data, seed=seed)
        assert block.energy is not None
        facts = {
            "options": {"ngrams": " and ".join(fitted.kinds), "C": fitted.strength}, "energy": asdict(block.energy)
        }  # fmt: skip
        store_linear(fitted.predictor, folder, facts)
    else:
        say(f"{FLOOR}: found in {folder}")
    artifact, predictor = describe_linear(folder), open_linear(folder)
    entry = Entry(FLOOR, None, artifact, predictor, "numpy, one thread", False, lossless=False, opener=_OPENER)
    return Floor((entry,), (Effort(FLOOR, _TECHNIQUE, energy=facts["energy"]),))


def _without(data: Dataset) -> str | None:
    """Why there can be no floor; None if there can be one."""
    if not can_fit(data.task):
        return f"a linear model is not built for answers of the form {data.task.answer!r}"
    if data.train is None or data.train.labels is None or data.dev is None or data.dev.labels is None:
        return "there are no labelled training texts"
    try:
        need_sklearn()
    except MissingExtraError:
        return "not measured, because scikit-learn is not installed (pip install 'leanformer[train]')"
    return None


def over_floor(entries: Sequence[Entry], scores: Sequence[np.ndarray], test: Examples) -> list[dict[str, Any] | None]:
    """For each rung, its quality on test minus that of the floor, with a paired 95 % bootstrap interval.

    Args:
        scores: logits of each entry on test.

    Each is {"difference", "low", "high", "mcnemar_p"}, the last null unless answers are one label; None for the floor
    itself, and for all rungs if there is no floor.
    """
    number = next((i for i, entry in enumerate(entries) if entry.name == FLOOR), None)
    if number is None:
        return [None] * len(entries)
    found: dict[int, dict[str, Any]] = {}
    for values, entry in zip(scores, entries, strict=True):
        if id(values) not in found:  # rungs that run the same model share its logits
            found[id(values)] = _over(values, entry, scores[number], entries[number], test)
    return [None if i == number else found[id(values)] for i, values in enumerate(scores)]


def _over(ours: np.ndarray, entry: Entry, theirs: np.ndarray, floor: Entry, test: Examples) -> dict[str, Any]:
    task = entry.artifact.task
    form = form_of(task)
    answers, floor_answers = form.decide(ours, task), form.decide(theirs, floor.artifact.task)
    score = form.of_rows(answers, test.targets, task)
    floor_score = form.of_rows(floor_answers, test.targets, floor.artifact.task)

    def gained(rows: np.ndarray) -> float:
        return score(rows) - floor_score(rows)

    low, high = interval(gained, len(test))
    paired = compare(answers, floor_answers, test.targets) if form.exclusive else None
    return {
        "difference": gained(np.arange(len(test))), "low": low, "high": high,
        "mcnemar_p": None if paired is None else mcnemar(paired.lost, paired.gained),
    }  # fmt: skip
