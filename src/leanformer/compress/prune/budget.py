"""The share of a model that pruning may keep, and the unit it is measured in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leanformer.compress.prune.costs import CostTable, flop_costs, parameter_costs
from leanformer.compress.prune.latency_table import read_latency_table
from leanformer.errors import RecipeError
from leanformer.shapes.encoder import EncoderConfig

KINDS = ("flops", "parameters", "latency")


@dataclass(frozen=True)
class CostBudget:
    """A share `keep` of the cost, or `latency_ms` milliseconds; `kind` names the cost. See the steps' options."""

    kind: str
    keep: float
    table: str | None
    latency_ms: float | None

    def check(self, name: str) -> None:
        """Raise `RecipeError`, in the name of step `name`, for invalid values."""

        def need(holds: bool, what: str) -> None:
            if not holds:
                raise RecipeError(f"{name}: {what}")

        need(0 < self.keep <= 1, f"keep is a share above 0 and at most 1, not {self.keep}")
        need(self.kind in KINDS, f"budget is one of {', '.join(KINDS)}, not {self.kind!r}")
        timed = self.kind == "latency"
        need(
            not timed or self.table is not None,
            "budget latency needs a `table`, made by benchmarks/runtime/latency_table.py",
        )
        need(timed or self.table is None, "table is read for budget latency only")
        need(timed or self.latency_ms is None, "latency_ms is for budget latency only")
        need(self.latency_ms is None or self.latency_ms > 0, f"latency_ms must be above 0, not {self.latency_ms}")

    def costs(self, config: EncoderConfig, tokens: int) -> CostTable:
        """Costs of every shape; FLOPs for texts of `tokens` tokens. Raises `RecipeError` for an unusable table."""
        if self.kind == "latency":
            assert self.table is not None
            return read_latency_table(Path(self.table), config)
        return parameter_costs(config) if self.kind == "parameters" else flop_costs(config, tokens)

    def limit(self, costs: CostTable) -> float:
        """The maximum cost of a pruned model, in the unit of `costs`."""
        return self.latency_ms if self.latency_ms is not None else self.keep * costs.full
