"""A share of blocks is rounded in each step, and all in the end."""

from __future__ import annotations

import torch

from leanformer.models.maps import maps
from leanformer.train.hooks.projected import Projected
from leanformer.train.hooks.quant_noise import QuantNoise, mixed
from tests.making.batches import check_other, check_same, trained


def coarse(weight: torch.Tensor) -> torch.Tensor:
    return (weight * 4).round() / 4


def test_blocks_are_chosen_as_wholes_with_the_probability():
    found = mixed(torch.zeros(200, 64), torch.ones(200, 64), 0.3, 8, torch.Generator().manual_seed(0)).view(200, 8, 8)
    assert (found == found[..., :1]).all() and abs(float(found.mean()) - 0.3) < 0.05


def test_the_result_is_on_the_grid_and_differs_from_rounding_all_along():
    model = trained(QuantNoise(coarse, 0.5))
    for part in maps(model).values():
        torch.testing.assert_close(part.weight, coarse(part.weight))
    check_other(model, trained(Projected(coarse)))
    check_same(trained(QuantNoise(coarse, 1.0)), trained(Projected(coarse)))


def test_a_probability_of_0_is_training_as_usual():
    check_same(trained(QuantNoise(lambda weight: weight, 0.0)), trained())
