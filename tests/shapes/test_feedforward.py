"""The cost of a feed-forward unit, beside the matrices that it is made of."""

from __future__ import annotations

import pytest

from leanformer.shapes.feedforward import unit_flops, unit_parameters


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("biases", [False, True])
def test_a_unit_is_its_rows_and_its_column(gated: bool, biases: bool):
    from leanformer.models.feedforward.dense import FeedForward
    from tests.making.tiny import tiny_config

    config = tiny_config(gated_ffn=gated, ffn_bias=biases)

    def parameters(units: int) -> int:
        return sum(weight.numel() for weight in FeedForward(config, units).parameters())

    assert unit_parameters(config.hidden, gated=gated, biases=biases) == parameters(9) - parameters(8)
    assert unit_flops(config.hidden, gated=gated) == 2 * unit_parameters(config.hidden, gated=gated, biases=False)
