"""The state of one trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped early", "failed"
SKIPPED, REPEATED = "skipped", "repeated"


@dataclass
class Trial:
    """One filling of the holes, and its results.

    Attributes:
        number: from 0, in the order of sampling. params: hole name -> value.
        results: of each rung, first to last; see `search.jobs.executor`.
        state: RUNNING until it is FINISHED (with the whole training), STOPPED after a rung, FAILED, SKIPPED (not run,
            because a predictor found it hopeless) or REPEATED (the values of an earlier trial, whose end it shares).
        reason: why it failed or was skipped. predicted: latencies by figure, before it was run.
        of: the trial that it repeats. decided: number of rungs with a decision.
    """

    number: int
    params: dict[str, Any]
    results: list[dict[str, Any]] = field(default_factory=list)
    state: str = RUNNING
    reason: str = ""
    predicted: dict[str, float] | None = None
    of: int | None = None
    decided: int = 0

    @property
    def figures(self) -> dict[str, Any]:
        """The figures of the last rung that it reached; empty if there is none."""
        return dict(self.results[-1]["figures"]) if self.results else {}

    @property
    def ran(self) -> bool:
        """Whether it was run, so that it counts for the budget."""
        return self.state not in (SKIPPED, REPEATED)

    def to_json(self) -> dict[str, Any]:
        return {
            "trial": self.number,
            "state": self.state,
            "reason": self.reason,
            "params": self.params,
            "rungs": len(self.results),
            "figures": self.figures,
            "predicted": self.predicted,
            "of": self.of,
            "wall_seconds": sum(result.get("wall_seconds") or 0.0 for result in self.results),
            "cpu_seconds": sum(result.get("cpu_seconds") or 0.0 for result in self.results),
        }
