"""Costs of shapes, beside what models of these shapes have and compute."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leanformer.compress.prune.costs import CostTable, Widths, flop_costs, parameter_costs
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from tests.making.tiny import tiny_classifier, tiny_config

CONFIG = tiny_config(layers=(LayerShape(4, 48), LayerShape(3, 40)))


def narrowed(*layers: LayerShape) -> EncoderConfig:
    return replace(CONFIG, layers=layers)


def test_parameters_are_those_that_narrower_models_lack():
    def parameters(config: EncoderConfig) -> int:
        return sum(weight.numel() for weight in tiny_classifier(config=config).parameters())

    costs = parameter_costs(CONFIG)
    smaller = (LayerShape(2, 10), LayerShape(3, 39))
    assert costs.full - costs.of(smaller) == parameters(CONFIG) - parameters(narrowed(*smaller))


@pytest.mark.parametrize("tokens", [7, 40])
def test_flops_are_those_that_narrower_shapes_save(tokens: int):
    def flops(config: EncoderConfig) -> int:
        return config.shape(first_token_only=True).flops(1, tokens)

    costs = flop_costs(CONFIG, tokens)
    smaller = (LayerShape(2, 10), LayerShape(1, 40))
    assert costs.full - costs.of(smaller) == pytest.approx(flops(CONFIG) - flops(narrowed(*smaller)))
    all_tokens = flop_costs(CONFIG, tokens, first_token_only=False)
    assert all_tokens.units[0][-1] == costs.units[0][-1], "only the last layer is read at one token"
    assert all_tokens.units[1][-1] == pytest.approx(tokens * costs.units[1][-1])


def test_a_cost_is_the_fixed_part_and_that_of_each_layer():
    import numpy as np

    table = CostTable((np.array([0.0, 1.0, 3.0]),) * 2, (np.array([0.0, 10.0]),) * 2, 100.0, "ms")
    assert table.full == 100 + 2 * (3 + 10)
    assert table.of([Widths(1, 0), Widths(2, 1)]) == 100 + 1 + 3 + 10
    with pytest.raises(ValueError):
        table.of([Widths(1, 0)])
