"""Spending a budget on heads and units: never more than there is, and as well as trying everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch

from leanformer.compress.prune.allocate import allocate
from leanformer.compress.prune.costs import CostTable, Widths, flop_costs, parameter_costs
from leanformer.errors import RecipeError
from leanformer.models.surgery import narrow
from leanformer.shapes.encoder import LayerShape
from tests.making.tiny import tiny_classifier, tiny_config

CONFIG = tiny_config(layers=(LayerShape(3, 5), LayerShape(2, 4)))


def scores(seed: int, config=CONFIG) -> tuple[list[np.ndarray], list[np.ndarray]]:
    generator = np.random.default_rng(seed)
    return (
        [generator.gamma(0.5, size=layer.heads) for layer in config.layers],
        [generator.gamma(0.5, size=layer.ffn) for layer in config.layers],
    )


def worth(heads: list[np.ndarray], units: list[np.ndarray], shape: Sequence[LayerShape | Widths]) -> float:
    total = 0.0
    for h, u, layer in zip(heads, units, shape, strict=True):
        total += np.sort(h)[::-1][: layer.heads].sum() + np.sort(u)[::-1][: layer.ffn].sum()
    return float(total)


def every_shape(config=CONFIG) -> list[tuple[LayerShape, ...]]:
    choices = [[LayerShape(h, u) for h in range(1, o.heads + 1) for u in range(1, o.ffn + 1)] for o in config.layers]
    return list(product(*choices))


def stairs() -> CostTable:
    """Costs that rise in steps, as times do."""
    generator = np.random.default_rng(9)
    return CostTable(
        tuple(np.cumsum(generator.integers(0, 4, layer.heads + 1) * 1.0) for layer in CONFIG.layers),
        tuple(np.cumsum(generator.integers(0, 2, layer.ffn + 1) * 1.0) for layer in CONFIG.layers),
        2.0,
        "ms",
    )


@pytest.mark.parametrize(
    "costs", [flop_costs(CONFIG, 9), parameter_costs(CONFIG), stairs()], ids=lambda table: table.unit
)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("keep", [0.4, 0.5, 0.77, 1.0])
def test_no_shape_within_the_budget_is_worth_more(costs: CostTable, seed: int, keep: float):
    heads, units = scores(seed)
    affordable = [shape for shape in every_shape() if costs.of(shape) <= keep * costs.full * (1 + 1e-12)]
    if not affordable:
        with pytest.raises(RecipeError, match="cannot be met"):
            allocate(heads, units, costs, keep * costs.full)
        return
    best = max(worth(heads, units, shape) for shape in affordable)
    found = allocate(heads, units, costs, keep * costs.full)
    assert costs.of(found) <= keep * costs.full * (1 + 1e-9)
    assert worth(heads, units, found) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("keep", [0.3, 0.5, 0.75, 0.9])
def test_a_large_model_meets_the_budget_closely(keep: float):
    """MiniLM's shape, whose costs are too fine to be counted exactly."""
    config = tiny_config(hidden=384, head_size=32, layers=(LayerShape(12, 1536),) * 6, positions=512)
    costs = flop_costs(config, 25)
    heads, units = scores(1, config)
    found = allocate(heads, units, costs, keep * costs.full, multiple=8)
    assert 0.99 * keep < costs.of(found) / costs.full <= keep
    assert all(layer.ffn % 8 == 0 for layer in found)


def test_a_large_model_is_kept_whole_by_a_full_budget():
    config = tiny_config(hidden=384, head_size=32, layers=(LayerShape(12, 1531),) * 6, positions=512)
    costs = flop_costs(config, 23)
    assert set(allocate(*scores(1, config), costs, costs.full, multiple=8)) == {Widths(12, 1531)}


def test_a_full_budget_keeps_also_what_scores_nothing():
    heads, units = [np.zeros(3), np.zeros(2)], [np.zeros(5), np.zeros(4)]
    for costs in (flop_costs(CONFIG, 9), stairs()):
        for multiple in (1, 2):
            found = allocate(heads, units, costs, costs.full, multiple=multiple)
            assert found == tuple(Widths(layer.heads, layer.ffn) for layer in CONFIG.layers)


def test_a_budget_below_the_smallest_shape_says_what_is_possible():
    heads, units = scores(0)
    costs = parameter_costs(CONFIG)
    with pytest.raises(RecipeError, match=r"cannot be met.*one head(.|\n)*keep at least 0\.\d") as caught:
        allocate(heads, units, costs, 0.1 * costs.full)
    least = float(str(caught.value).split("keep at least ")[1].split(",")[0])
    smallest = tuple(LayerShape(1, 1) for _ in CONFIG.layers)
    assert allocate(heads, units, costs, least * costs.full) is not None
    assert costs.of(smallest) / costs.full <= least < costs.of(smallest) / costs.full + 0.01


@pytest.mark.parametrize("first_token_only", [True, False])
def test_flop_costs_are_the_encoders_flops(first_token_only: bool):
    """All but the head, which is the same for every shape."""
    costs = flop_costs(CONFIG, 9, first_token_only=first_token_only)
    head = 2 * CONFIG.hidden * (CONFIG.hidden + CONFIG.labels)
    for shape in (CONFIG.layers, (LayerShape(1, 2), LayerShape(2, 1))):
        config = tiny_config(layers=shape)
        assert costs.of(shape) == config.shape(first_token_only=first_token_only).flops(1, 9) - head
    assert costs.full == costs.of(CONFIG.layers)


def test_parameter_costs_are_what_narrowing_saves():
    model, costs = tiny_classifier(CONFIG), parameter_costs(CONFIG)
    shape = (LayerShape(1, 2), LayerShape(2, 3))
    smaller = narrow(
        model, [torch.arange(layer.heads) for layer in shape], [torch.arange(layer.ffn) for layer in shape]
    )
    before, after = (sum(p.numel() for p in classifier.parameters()) for classifier in (model, smaller))
    assert before - after == costs.full - costs.of(shape)


def test_what_scores_nothing_is_kept_while_there_is_room():
    """Of shapes that are worth the same the larger: the second head scores nothing, and can be paid for."""
    costs = CostTable((np.array([0.0, 10.0, 20.0]),), (np.array([0.0, 1.0, 20.0]),), 0.0, "ms")
    heads, units = [np.array([5.0, 0.0])], [np.array([3.0, 2.0])]
    assert allocate(heads, units, costs, 25.0) == (Widths(2, 1),)
