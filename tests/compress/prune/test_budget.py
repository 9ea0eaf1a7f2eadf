"""How much pruning may keep, by kind of cost, and what is no budget."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.compress.prune.budget import CostBudget
from leanformer.compress.prune.costs import flop_costs, parameter_costs
from leanformer.errors import RecipeError
from tests.making.tiny import tiny_config


def budget(**changes: Any) -> CostBudget:
    return CostBudget(**{"kind": "flops", "keep": 0.5, "table": None, "latency_ms": None, **changes})


def test_a_share_is_of_the_whole_models_cost_in_its_unit():
    config = tiny_config()
    flops, parameters = budget().costs(config, 20), budget(kind="parameters").costs(config, 20)
    assert (flops.unit, parameters.unit) == ("FLOPs", "parameters")
    assert flops.full == flop_costs(config, 20).full != budget().costs(config, 40).full
    assert parameters.full == parameter_costs(config).full == budget(kind="parameters").costs(config, 40).full
    assert budget(keep=0.25).limit(flops) == 0.25 * flops.full
    assert budget(kind="latency", table="t.json", latency_ms=3.0).limit(flops) == 3.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keep": 0}, "keep is a share above 0 and at most 1, not 0"),
        ({"keep": 1.5}, "keep is a share above 0 and at most 1, not 1.5"),
        ({"kind": "bytes"}, "budget is one of flops, parameters, latency, not 'bytes'"),
        ({"kind": "latency"}, "budget latency needs a `table`"),
        ({"table": "t.json"}, "table is read for budget latency only"),
        ({"latency_ms": 3.0}, "latency_ms is for budget latency only"),
        ({"kind": "latency", "table": "t.json", "latency_ms": 0.0}, "latency_ms must be above 0"),
    ],
)
def test_what_is_no_budget_is_refused_in_the_name_of_the_step(changes: dict[str, Any], said: str):
    with pytest.raises(RecipeError, match=f"^compress.prune: {said}"):
        budget(**changes).check("compress.prune")
    budget().check("compress.prune")
    budget(kind="latency", table="t.json", keep=1).check("compress.prune")
