"""Predicts the latency of a shape from shapes that were timed on this machine (the idea of HAT; Wang et al. 2020).

The first fit is from a table of models with random weights, made by the trials' own export steps and run like the
trials; every measured trial is added. The model is linear in the operations of a shape, with a separate fit for each
precision and engine that minimises relative errors.

Its error is reported twice: on the table, by leave-one-out; and on the trials, each predicted before it was run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.metrics.correlation import kendall_tau as kendall_tau
from leanformer.search.jobs.shapes import planned_shape
from leanformer.search.space.goals import Goals
from leanformer.search.space.space import Filled
from leanformer.search.study.trial import Trial
from leanformer.shapes.planned import PlannedShape

# Minimum number of shapes of a precision and engine for a fit.
LEAST_POINTS = 6
_RIDGE = 1e-3


def features(shape: PlannedShape) -> list[float]:
    """What the time of one text depends on: a constant, the layers, products of attention and of feed-forward blocks.

    The last layer is separate: if the head reads only the first token, a graph computes little of it.
    """
    inner, last = shape.layers[:-1], shape.layers[-1]
    return [
        1.0,
        float(len(shape.layers)),
        shape.hidden * shape.head_size * sum(heads for heads, _ in shape.layers),
        shape.hidden * float(sum(ffn for _, ffn in inner)),
        shape.hidden * float(last[1]),
    ]


@dataclass(frozen=True)
class Fit:
    """Weights of the features, and the leave-one-out errors on the points of the fit.

    Attributes:
        errors: for each point, predicted over measured, minus 1.
        tau: Kendall's tau of predicted and measured; None if all are equal.
    """

    weights: np.ndarray
    errors: tuple[float, ...]
    tau: float | None

    def predict(self, shape: PlannedShape) -> float:
        return max(float(np.array(features(shape)) @ self.weights), 1e-6)

    @property
    def mape(self) -> float:
        """Mean absolute relative error, in per cent."""
        return 100 * float(np.mean(np.abs(self.errors)))


def fit_latency(shapes: Sequence[PlannedShape], measured: Sequence[float]) -> Fit | None:
    """Least squares on relative errors, with a small ridge; None for fewer than `LEAST_POINTS` points."""
    if len(shapes) < LEAST_POINTS:
        return None
    rows, times = np.array([features(shape) for shape in shapes]), np.array(measured)
    scale = np.abs(rows).max(axis=0)
    scale[scale == 0] = 1.0
    weights = _solve(rows / scale, times) / scale
    left_out = []
    for i in range(len(times)):
        others = np.arange(len(times)) != i
        left_out.append(float(rows[i] @ (_solve(rows[others] / scale, times[others]) / scale)))
    errors = tuple(max(predicted, 1e-6) / time - 1 for predicted, time in zip(left_out, times, strict=True))
    return Fit(weights, errors, kendall_tau(left_out, times.tolist()))


def _solve(rows: np.ndarray, times: np.ndarray) -> np.ndarray:
    weighted = rows / times[:, None]
    gram = weighted.T @ weighted
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    ridge[0, 0] = 0.0  # the constant cost per text is not shrunk
    found: np.ndarray = np.linalg.solve(gram + ridge + 1e-12 * np.eye(len(gram)), weighted.T @ np.ones(len(times)))
    return found


@dataclass
class LatencyPredictor:
    """Predicts the latencies used in goals and bounds, and skips trials that the predictions show to be hopeless.

    Attributes:
        teacher: the model whose shape all others are derived from. goals: of the search.
        ceiling: the highest quality assumed possible for a trial: the teacher's on dev, or the best so far if higher.
        points: shape and measured figures, of the table and of trials.
        ahead: for each figure (predicted, measured) of trials, predicted before they were run.
    """

    teacher: Artifact
    goals: Goals
    ceiling: float
    points: list[tuple[PlannedShape, dict[str, float]]] = field(default_factory=list)
    ahead: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _fits: dict[tuple[str, str], Fit | None] = field(default_factory=dict)

    def shape(self, filled: Filled) -> PlannedShape | None:
        return planned_shape(filled.recipe, filled.runtime, self.teacher)

    def add(self, shape: PlannedShape, figures: Mapping[str, Any]) -> None:
        self.points.append((shape, {name: float(figures[name]) for name in self.goals.timed}))
        self._fits.clear()

    def fit(self, cell: str, figure: str) -> Fit | None:
        """The fit for a precision and engine."""
        if (cell, figure) not in self._fits:
            own = [(shape, figures[figure]) for shape, figures in self.points if shape.cell == cell]
            self._fits[cell, figure] = fit_latency([shape for shape, _ in own], [time for _, time in own])
        return self._fits[cell, figure]

    def predict(self, filled: Filled) -> dict[str, float] | None:
        """Milliseconds by figure; None for shapes without enough points."""
        shape = self.shape(filled)
        fits = {name: None if shape is None else self.fit(shape.cell, name) for name in self.goals.timed}
        if shape is None or not fits or any(fit is None for fit in fits.values()):
            return None
        return {name: fit.predict(shape) for name, fit in fits.items() if fit is not None}

    def learn(self, filled: Filled, figures: Mapping[str, Any], rung: int) -> None:
        """Add a trial's figures; at its first rung, record how well its latency would have been predicted."""
        self.ceiling = max(self.ceiling, float(figures["quality"]))
        if rung:
            return  # the same shape again
        for name, predicted in (self.predict(filled) or {}).items():
            self.ahead.setdefault(name, []).append((predicted, float(figures[name])))
        if (shape := self.shape(filled)) is not None:
            self.add(shape, figures)

    @property
    def margin(self) -> float:
        """The share by which a prediction may be too high: the largest error on the points, at least a tenth."""
        fits = [self.fit(cell, name) for cell in {shape.cell for shape, _ in self.points} for name in self.goals.timed]
        return max([0.1, *(max(fit.errors, default=0.0) for fit in fits if fit is not None)])

    def hopeless(self, predicted: Mapping[str, float] | None, finished: Sequence[Trial]) -> str | None:
        """Why a trial cannot succeed, or None if it may.

        Assumes the best case: the highest quality that can be hoped for, and latencies below the predictions by the
        margin. A trial is hopeless if it even then breaks a bound on latency, or is dominated by a finished trial that
        keeps the bounds; the latter only if all goals are quality and latencies.
        """
        if not predicted:
            return None
        hoped = {"quality": self.ceiling, "drop": -float("inf")}
        hoped |= {name: value / (1 + self.margin) for name, value in predicted.items()}
        shown = ", ".join(f"{name} {value:.3g}" for name, value in predicted.items())
        for bound in self.goals.bounds:
            if bound.figure in predicted and bound.violation(hoped) > 0:
                return f"predicted {shown}, which is above {bound.name} {bound.value:g} by more than any error so far"
        if all(name in hoped for name in self.goals.names):
            ours = self.goals.costs(hoped)
            for trial in finished:
                theirs = self.goals.costs(trial.figures)
                keeps = self.goals.violation(trial.figures) <= 0
                if keeps and theirs != ours and all(a <= b for a, b in zip(theirs, ours, strict=True)):
                    return f"predicted {shown}: even with the best quality seen it would not pass trial {trial.number}"
        return None

    def errors(self) -> dict[str, Any]:
        """For the report: errors on the points by cell, and on trials before they were run."""
        cells: dict[str, Any] = {}
        for cell in sorted({shape.cell for shape, _ in self.points}):
            for name in self.goals.timed:
                found = self.fit(cell, name)
                count = sum(shape.cell == cell for shape, _ in self.points)
                error = None if found is None else {"mape": found.mape, "kendall_tau": found.tau}
                cells.setdefault(cell, {})[name] = {"points": count, "left_out": error}
        ahead = {
            name: {
                "trials": len(pairs),
                "mape": 100 * float(np.mean([abs(p / m - 1) for p, m in pairs])),
                "kendall_tau": kendall_tau([p for p, _ in pairs], [m for _, m in pairs]),
            }
            for name, pairs in self.ahead.items()
        }
        return {"by_cell": cells, "ahead_of_trials": ahead, "margin": self.margin}
