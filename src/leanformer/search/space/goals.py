"""The goals of a search: figures to maximise or minimise, and bounds that the result must keep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from leanformer.errors import RecipeError

# Figures of a trial, all measured on dev; see `report.Rung` for the meaning of each.
FIGURES = (
    "quality",
    "latency_ms_p50",
    "latency_ms_p95",
    "latency_ms_p99",
    "throughput_per_second",
    "cpu_seconds_per_1000",
    "bytes",
    "parameters",
    "flops_per_text",
)
# By the name of the task's metric (`answers.forms.metric_name`).
_METRICS = {
    "accuracy": "accuracy",
    "micro_f1": "micro-F1",
    "spearman": "Spearman correlation",
    "entity_f1": "entity F1",
    "answer_f1": "answer F1",
}
TIMED = ("latency_ms_p50", "latency_ms_p95", "latency_ms_p99", "throughput_per_second", "cpu_seconds_per_1000")
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Bound:
    """A limit on a figure: a maximum if `upper`, otherwise a minimum."""

    name: str
    figure: str
    value: float
    upper: bool

    def violation(self, figures: Figures) -> float:
        """By which share of the bound it is exceeded; 0 or less if it is kept."""
        found = figures.get(self.figure)
        if found is None:
            return math.inf
        over = float(found) - self.value if self.upper else self.value - float(found)
        # The epsilon only covers the rounding of 100 * (a - b).
        return over / max(abs(self.value), 1e-9) if abs(over) > 1e-9 else 0.0


@dataclass(frozen=True)
class Goals:
    """Figures in the order in which they were named, and bounds.

    Attributes:
        names: figures (`FIGURES`). maximised: for each, whether higher is better.
        bounds: "max_drop" is in points of dev quality against the teacher; the others are in the figure's unit.
        written: the metric's name, if quality was given by it; checked against the task.
        allow_lost: labels that the teacher finds on dev may be lost. Otherwise that is a bound too, broken by a
            finished model that loses one (its figure "lost"). Journals of earlier versions do not have this figure.
    """

    names: tuple[str, ...]
    maximised: tuple[bool, ...]
    bounds: tuple[Bound, ...] = ()
    written: str | None = None
    allow_lost: bool = False

    def costs(self, figures: Figures) -> tuple[float, ...]:
        """The figures as costs, lower is better; infinite if there is none."""
        found = [figures.get(name) for name in self.names]
        return tuple(
            math.inf if value is None else -float(value) if more else float(value)
            for value, more in zip(found, self.maximised, strict=True)
        )

    def violations(self, figures: Figures, *, whole: bool = True) -> dict[str, float]:
        """By how much each bound is exceeded; 0 or less if it is kept.

        Bounds on quality and on lost labels count only for a `whole` training: before it, a model shows little of its
        final quality and labels, but its cost is known.
        """
        found = {
            bound.name: bound.violation(figures)
            for bound in self.bounds
            if whole or bound.figure not in ("drop", "quality")
        }
        if whole and not self.allow_lost and (lost := figures.get("lost")):
            found["lost"] = float(len(lost))
        return found

    def violation(self, figures: Figures, *, whole: bool = True) -> float:
        """The sum of the violations of all bounds; 0 if all are kept."""
        return sum(max(0.0, violation) for violation in self.violations(figures, whole=whole).values())

    @property
    def timed(self) -> tuple[str, ...]:
        """Latencies in goals or bounds: those that a latency predictor can judge."""
        named = [*self.names, *(bound.figure for bound in self.bounds)]
        return tuple(dict.fromkeys(name for name in named if name.startswith("latency_ms_")))

    @property
    def needs_time(self) -> bool:
        return any(name in TIMED for name in (*self.names, *(bound.figure for bound in self.bounds)))

    def check_metric(self, metric: str) -> None:
        """Raises `RecipeError` if quality was given by the name of another metric than the task's."""
        if self.written is not None and _METRICS[self.written] != metric:
            raise RecipeError(
                f"the goal {self.written!r} is not the metric of this task, which is {metric}\n  remedy: write quality"
            )

    def to_json(self) -> dict[str, Any]:
        goals = [{"figure": n, "maximise": more} for n, more in zip(self.names, self.maximised, strict=True)]
        return {"goals": goals, "bounds": {bound.name: bound.value for bound in self.bounds}}


def read_goals(value: Any, where: str) -> Goals:
    """Parse goals. Raises `RecipeError` for unknown figures and bounds that are not numbers."""
    if not isinstance(value, dict):
        raise RecipeError(
            f"{where}: `goals:` is a mapping\n  remedy: goals: {{maximise: quality, max_bytes: 50000000}}"
        )
    names: list[str] = []
    maximised: list[bool] = []
    bounds: list[Bound] = []
    written: str | None = None
    for key, entry in value.items():
        if key in ("maximise", "minimise"):
            for name in entry if isinstance(entry, list) else [entry]:
                if name in _METRICS:
                    written = name
                figure = _figure(name, where)
                if figure in names:
                    raise RecipeError(f"{where}: the goal {name!r} is given twice")
                names.append(figure)
                maximised.append(key == "maximise")
        elif isinstance(key, str) and key.startswith(("max_", "min_")):
            bounds.append(_bound(key, entry, where))
        else:
            raise RecipeError(f"{where}: `goals:` has no {key!r}\n  remedy: maximise, minimise, max_FIGURE, min_FIGURE")
    if not names:
        raise RecipeError(f"{where}: nothing to maximise or minimise\n  remedy: maximise: quality")
    if (at := next((i for i, name in enumerate(names) if name == "quality"), None)) is not None and not maximised[at]:
        raise RecipeError(f"{where}: quality is better when higher\n  remedy: maximise it")
    return Goals(tuple(names), tuple(maximised), tuple(bounds), written)


def _figure(name: Any, where: str) -> str:
    if name in _METRICS:
        return "quality"
    if name not in FIGURES:
        raise RecipeError(f"{where}: no figure is called {name!r}\n  remedy: one of {', '.join((*FIGURES, *_METRICS))}")
    return str(name)


def _bound(key: str, value: Any, where: str) -> Bound:
    if isinstance(value, str):
        with suppress(ValueError):
            value = float(value)  # 50e6 is text in YAML 1.1
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RecipeError(f"{where}: the bound {key} is a number, not {value!r}")
    if key == "max_drop":
        return Bound(key, "drop", float(value), upper=True)
    return Bound(key, _figure(key[4:], where), float(value), upper=key.startswith("max_"))
