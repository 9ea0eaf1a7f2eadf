"""The record of a finished search, as plain JSON: every trial, the front, the cost, and how much was luck."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

from leanformer.metrics.expected_best import expected_best_curve
from leanformer.search.jobs.latency import LatencyPredictor
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FINISHED, SKIPPED, STOPPED

RECORD_VERSION = 1


def describe_search(study: Study, budget: SearchBudget, why: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The content of `search.json`; `facts` are included unchanged."""
    space = study.space
    record: dict[str, Any] = {
        "format_version": RECORD_VERSION,
        "name": space.name,
        **space.goals.to_json(),
        **facts,
        "space": space.document,
        "shares": list(study.shares),
        "budget": asdict(budget),
        "ended": why,
        "spent": asdict(study.now()),
        "counts": dict(Counter(trial.state for trial in study.trials)),
        "front": [trial.number for trial in study.front()],
        "kept_off": [trial.number for trial in study.kept_off()],
        "expected": expected(study),
        "trials": [trial.to_json() for trial in study.trials],
    }
    if isinstance(study.judge, LatencyPredictor):
        record["predictor"] = study.judge.errors() | {
            "skipped": len(study.of_state(SKIPPED)),
            "seconds_saved": _saved(study),
        }
    return record


def expected(study: Study) -> dict[str, Any] | None:
    """Expected best figure by number of trials, over trials that have it; None if none has.

    For quality if that is a goal, otherwise for the first goal, in which case bounds are ignored. A trial that was
    stopped early counts with its last figure.
    """
    goals = study.space.goals
    at = goals.names.index("quality") if "quality" in goals.names else 0
    trials = [trial for trial in study.trials if trial.state in (FINISHED, STOPPED)]
    values = [merit for trial in trials if math.isfinite(merit := -goals.costs(trial.figures)[at])]
    if not values:
        return None
    sign = 1.0 if goals.maximised[at] else -1.0
    seconds = sum(sum(result.get("wall_seconds") or 0.0 for result in trial.results) for trial in trials)
    return {
        "figure": goals.names[at],
        "trials": len(values),
        "curve": [sign * value for value in expected_best_curve(values)],
        "seconds_per_trial": seconds / len(values),
    }


def chosen_from(record: dict[str, Any]) -> str:
    """A sentence, for every winner, on the number of trials among which it was chosen."""
    counts = record["counts"]
    ran = sum(count for state, count in counts.items() if state not in (SKIPPED, "repeated"))
    rest = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()) if state != FINISHED)
    return f"{ran} trials on dev" + (f" ({counts.get(FINISHED, 0)} finished, {rest})" if rest else "")


def _saved(study: Study) -> float | None:
    """Seconds that the skipped trials would have taken at the mean of the others; None if none ran."""
    ran = [trial for trial in study.trials if trial.results]
    seconds = sum(sum(result.get("wall_seconds") or 0.0 for result in trial.results) for trial in ran)
    return seconds / len(ran) * len(study.of_state(SKIPPED)) if ran else None
