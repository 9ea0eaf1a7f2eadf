"""What is measured of a rung on request: slices and groups, seed churn, robustness, stability of answers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
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
from leanformer.metrics.exemplars import exemplars
from leanformer.metrics.fairness import group_gaps
from leanformer.predictor import Predictor, logits

# So many test texts are enough to see answers move, and few enough to run one at a time in every way.
STABILITY_TEXTS = 200


@dataclass(frozen=True)
class Further:
    """What was asked for beyond the ladder.

    Attributes:
        slices: columns of the test file by whose values quality is to be split.
        groups: columns that name groups of people or places: their gaps are measured too.
        reseeded: the reference trained with other seeds, by which seed churn is told from compression.
        robustness: whether the test texts are scored again with typing errors and other case.
        stability: whether the models are run in every other way that there is.
    """

    slices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    reseeded: tuple[Artifact, ...] = ()
    robustness: bool = False
    stability: bool = False

    def columns(self, test: Examples) -> dict[str, tuple[str, ...]]:
        """The value of every row for each column asked for. Raises `LeanformerError` for what cannot be answered."""
        if (self.slices or self.groups or self.reseeded) and test.task.answer != "label":
            raise LeanformerError(
                f"--slice, --group and --reseeded are for tasks whose answer is one label, not {test.task.kind!r}"
            )
        if (self.robustness or self.stability) and test.task.answer not in ("label", "labels", "score"):
            raise LeanformerError(f"--robustness and --stability are not for tasks of kind {test.task.kind!r}")
        # Length and class are in every report.
        names = dict.fromkeys((*(one for one in self.slices if one not in ("length", "class")), *self.groups))
        found = {name: read_column(test, name) for name in names}
        for name in self.groups:
            if len(set(found[name])) < 2:
                raise DataError(f"the column {name!r} has one value alone; gaps need two groups", path=test.source)
        return found


NOTHING = Further()


def further_loss(
    asked: Further,
    columns: Mapping[str, Sequence[str]],
    ours: np.ndarray,
    theirs: np.ndarray,
    labels: np.ndarray,
    reseeded: np.ndarray,
) -> dict[str, Any]:
    """Entries for `report.Rung.loss`.

    Args:
        ours, theirs: classes `[n]` of the rung and of the reference. reseeded: `[seeds, n]` of its other seeds.
    """
    found: dict[str, Any] = {}
    if columns:
        found["slices"] = {name: slices_json(ours, theirs, labels, groups) for name, groups in columns.items()}
    if asked.groups:
        found["gaps"] = {
            name: {
                "this": asdict(group_gaps(ours, labels, columns[name])),
                "reference": asdict(group_gaps(theirs, labels, columns[name])),
            }
            for name in asked.groups
        }
    if len(reseeded):
        one = exemplars(ours[None], np.concatenate([theirs[None], reseeded]))
        found["exemplars"] = {
            "rows": list(one.rows[:LISTED]), "count": len(one.rows), "churn": one.churn, "excess": one.excess,
            "uncompressed": 1 + len(reseeded),
        }  # fmt: skip
    return found


def reseeded_answers(asked: Further, test: Examples, threads: int) -> np.ndarray:
    """Classes `[seeds, n]` of the reference's other seeds. Raises `LeanformerError` where one has other labels."""
    for one in asked.reseeded:
        if one.task.question != test.task.question:
            raise LeanformerError(f"{one.path}: its labels are not those of the data; it is no other seed of the model")
    answers = [logits(open_predictor(one, threads=threads), test.inputs).argmax(axis=1) for one in asked.reseeded]
    return np.array(answers, dtype=np.int64).reshape(len(answers), len(test))


def further_fields(asked: Further, artifact: Artifact, predictor: Predictor, test: Examples) -> dict[str, Any]:
    """The fields `robustness` and `stability` of `report.Rung`; None for what was not asked for."""
    moved = None
    if asked.stability:
        with tempfile.TemporaryDirectory() as folder:
            ways = ways_of(artifact, predictor, Path(folder))
            moved = stability(predictor, ways, test.inputs[:STABILITY_TEXTS])
        for one in moved["ways"].values():
            if "unavailable" in one:  # where the model lies is nobody's business: the report may travel
                one["unavailable"] = (
                    one["unavailable"].replace(f"{artifact.path}/", "").replace(f"{artifact.path}: ", "")
                )
    return {
        "robustness": robustness(predictor, test.inputs, test.targets) if asked.robustness else None,
        "stability": moved,
    }
