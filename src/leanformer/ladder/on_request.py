"""Optional measurements beyond the ladder: the functions that the table of measurements refers to."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.data.examples import Examples
from leanformer.data.reading.columns import read_column
from leanformer.errors import DataError, LeanformerError
from leanformer.ladder.variants import ways_of
from leanformer.loading import open_predictor
from leanformer.measure.lost_quality import LISTED, slices_json
from leanformer.measure.robustness import robustness
from leanformer.measure.stability import stability
from leanformer.measurements import FLAG, MEASUREMENTS, Measurement
from leanformer.metrics.exemplars import exemplars
from leanformer.metrics.fairness import group_gaps
from leanformer.predictor import Predictor, logits

# Enough test texts to see whether answers change, and few enough to run them one at a time in every way.
STABILITY_TEXTS = 200
Columns = dict[str, tuple[str, ...]]


@dataclass(frozen=True, init=False)
class Further:
    """The measurements requested beyond the ladder.

    Attributes:
        asked: name of a measurement -> columns, artifacts, or True; in the order of the table.

    Raises `LeanformerError` for a name that is not in the table.
    """

    asked: Mapping[str, Any]

    def __init__(self, **asked: Any) -> None:
        if unknown := [name for name in asked if name not in MEASUREMENTS]:
            raise LeanformerError(f"there is no measurement {unknown[0]!r}; one of {', '.join(MEASUREMENTS)}")
        object.__setattr__(self, "asked", {name: asked[name] for name in MEASUREMENTS if asked.get(name)})

    def prepare(self, test: Examples, threads: int) -> dict[str, Any]:
        """Inputs read once for all rungs, by measurement. Raises `LeanformerError` if the task does not support one."""
        for name in self.asked:
            answers = MEASUREMENTS[name].answers
            if test.task.answer not in answers:
                forms = "one label" if answers == ("label",) else ", ".join(answers)
                raise LeanformerError(
                    f"{MEASUREMENTS[name].option} is for tasks whose answer is {forms}, not {test.task.kind!r}\n"
                    "  remedy: leave it out"
                )
        return {
            name: MEASUREMENTS[name].function("prepares")(value, test, threads)
            for name, value in self.asked.items()
            if MEASUREMENTS[name].prepares
        }

    def key(self, prepared: Mapping[str, Any]) -> list[Any]:
        """What the figures depend on, as JSON; slices are represented by the values of their columns."""
        names = [name for name, entry in MEASUREMENTS.items() if name != "slices" and "compress" in entry.commands]
        usual = {name: False if MEASUREMENTS[name].takes == FLAG else () for name in names}
        return [*(self.asked.get(name, usual[name]) for name in names), _columns(prepared)]

    def measured(self, subject: Subject, *, in_loss: bool) -> dict[str, Any]:
        """Key in the report -> figures, for the measurements within a rung's loss, or for the others."""
        brought = {MEASUREMENTS[name].brings for name in self.asked}
        figures = {
            entry.key: entry.function("measures")(subject)
            for name, entry in MEASUREMENTS.items()
            if entry.in_loss == in_loss and (name in self.asked or name in brought)
        }
        return {key: value for key, value in figures.items() if value is not None}

    def again(self) -> list[Measurement]:
        """The measurements that score every rung again."""
        return [MEASUREMENTS[name] for name in self.asked if not MEASUREMENTS[name].in_loss]


NOTHING = Further()


@dataclass(frozen=True)
class Subject:
    """A rung as measurements see it.

    Attributes:
        predictor: scores texts in the way in which the rung was scored.
        ours, theirs: classes `[n]` of this rung and of the first one, on test; None unless the answer is one label.
        prepared: the result of `Further.prepare`.
    """

    artifact: Artifact
    predictor: Predictor
    test: Examples
    ours: np.ndarray | None
    theirs: np.ndarray | None
    prepared: Mapping[str, Any]

    @property
    def both(self) -> tuple[np.ndarray, np.ndarray]:
        """`ours` and `theirs`, which must not be None."""
        assert self.ours is not None
        assert self.theirs is not None
        return self.ours, self.theirs


def _columns(prepared: Mapping[str, Any]) -> Columns:
    return {**prepared.get("slices", {}), **prepared.get("groups", {})}


def slice_columns(names: tuple[str, ...], test: Examples, threads: int) -> Columns:
    """The value of every row for each column; length and class are in every report anyway."""
    return {name: read_column(test, name) for name in names if name not in ("length", "class")}


def group_columns(names: tuple[str, ...], test: Examples, threads: int) -> Columns:
    """As `slice_columns`. Raises `DataError` for a column with only one value."""
    columns = {name: read_column(test, name) for name in names}
    for name, values in columns.items():
        if len(set(values)) < 2:
            raise DataError(f"the column {name!r} has one value alone; gaps need two groups", path=test.source)
    return columns


def reseeded_answers(artifacts: tuple[Artifact, ...], test: Examples, threads: int) -> np.ndarray:
    """Classes `[seeds, n]` of the reference's other seeds. Raises `LeanformerError` if one has other labels."""
    for artifact in artifacts:
        if artifact.task.question != test.task.question:
            raise LeanformerError(
                f"{artifact.path}: its labels are not those of the data; it is no other seed of the model"
            )
    answers = [logits(open_predictor(artifact, threads=threads), test.inputs).argmax(axis=1) for artifact in artifacts]
    return np.array(answers, dtype=np.int64)


def by_slices(subject: Subject) -> dict[str, Any] | None:
    """Quality by each requested column, for slices or for gaps."""
    columns, labels = _columns(subject.prepared), subject.test.targets
    return {name: slices_json(*subject.both, labels, values) for name, values in columns.items()} or None


def gaps(subject: Subject) -> dict[str, Any]:
    """Largest gaps between groups, for this rung and for the first one."""
    (ours, theirs), labels = subject.both, subject.test.targets
    return {
        name: {
            "this": asdict(group_gaps(ours, labels, values)),
            "reference": asdict(group_gaps(theirs, labels, values)),
        }
        for name, values in subject.prepared["groups"].items()
    }


def seed_churn(subject: Subject) -> dict[str, Any]:
    """Texts whose answer compression changed, compared with those that another seed changes."""
    (ours, theirs), reseeded = subject.both, subject.prepared["reseeded"]
    texts = exemplars(ours[None], np.concatenate([theirs[None], reseeded]))
    return {
        "rows": list(texts.rows[:LISTED]), "count": len(texts.rows), "churn": texts.churn, "excess": texts.excess,
        "uncompressed": 1 + len(reseeded),
    }  # fmt: skip


def robustness_of(subject: Subject) -> dict[str, Any]:
    """See `measure.robustness`."""
    return robustness(subject.predictor, subject.test.inputs, subject.test.targets)


def stability_of(subject: Subject) -> dict[str, Any]:
    """See `measure.stability`."""
    place = subject.artifact.path
    with tempfile.TemporaryDirectory() as folder:
        ways = ways_of(subject.artifact, subject.predictor, Path(folder))
        moved = stability(subject.predictor, ways, subject.test.inputs[:STABILITY_TEXTS])
    for way in moved["ways"].values():
        if "unavailable" in way:  # the report may be shared: leave out the model's path
            way["unavailable"] = way["unavailable"].replace(f"{place}/", "").replace(f"{place}: ", "")
    return moved
