"""Where quality was lost: the classes, lengths and individual texts behind the totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from leanformer.metrics.calibration import calibration_error, fit_temperature, scaled_probabilities
from leanformer.metrics.paired import compare, mcnemar
from leanformer.metrics.slices import Slice, length_groups, slices
from leanformer.task import Task

# The maximum number of changed texts that are listed.
LISTED = 60


def describe_loss(
    logits: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    task: Task,
    lengths: Sequence[int],
    dev: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """What a rung changed compared with the reference, as plain JSON.

    Args:
        logits, reference: `[n, classes]` of the rung and of the reference on test. labels: `[n]`.
        lengths: tokens of each test text.
        dev: the rung's logits and the labels on dev, for fitting the temperature; without them none is fitted.

    Texts are identified by their row in the test split and never quoted: a report may be shared with the model.
    """
    ours, theirs = logits.argmax(axis=1), reference.argmax(axis=1)
    paired = compare(ours, theirs, labels)
    classes = tuple(task.labels[i] for i in labels)
    return {
        "lost": paired.lost,
        "gained": paired.gained,
        "changed": paired.changed,
        "mcnemar_p": mcnemar(paired.lost, paired.gained),
        "calibration": _calibration(logits, labels, dev),
        "classes": slices_json(ours, theirs, labels, classes),
        "lengths": [
            _slice_json(slice_)
            for slice_ in sorted(slices(ours, theirs, labels, length_groups(lengths)), key=_first_number)
        ],
        "flips": _flips(ours, theirs, labels, logits, task),
    }


def slices_json(
    ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Every group of one grouping as plain JSON, by name."""
    return [_slice_json(slice_) for slice_ in sorted(slices(ours, theirs, labels, groups), key=lambda s: s.name)]


def _calibration(
    logits: np.ndarray, labels: np.ndarray, dev: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, float | None]:
    before = calibration_error(scaled_probabilities(logits), labels)
    if dev is None:
        return {"error": before, "temperature": None, "error_scaled": None}
    temperature = fit_temperature(*dev)
    after = calibration_error(scaled_probabilities(logits, temperature), labels)
    return {"error": before, "temperature": temperature, "error_scaled": after}


def _flips(
    ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, logits: np.ndarray, task: Task
) -> list[dict[str, Any]]:
    """The changed answers: lost ones first, and among them those with the highest confidence of the rung."""
    sure = scaled_probabilities(logits).max(axis=1)
    rows = np.flatnonzero(ours != theirs)
    kinds = np.where(theirs[rows] == labels[rows], 0, np.where(ours[rows] == labels[rows], 1, 2))
    order = rows[np.lexsort((-sure[rows], kinds))][:LISTED]
    return [
        {
            "row": int(row),
            "label": task.labels[labels[row]],
            "reference": task.labels[theirs[row]],
            "answer": task.labels[ours[row]],
            "probability": round(float(sure[row]), 4),
        }
        for row in order
    ]


def _slice_json(part: Slice) -> dict[str, Any]:
    return asdict(part) | {"loss": part.loss}


def _first_number(part: Slice) -> int:
    return int(part.name.split(" ")[0])
