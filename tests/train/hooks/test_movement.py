"""Scores grow where a weight moves away from zero, and blocks have one each."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from leanformer.models.maps import maps
from leanformer.train.hooks.movement import MovementPruning, Scored
from tests.making.batches import check_other, check_same, trained


def test_the_gradient_of_a_score_is_that_of_the_weight_times_the_weight():
    part = nn.Linear(3, 1, bias=False)
    part.weight.data = torch.tensor([[2.0, -1, 4]])
    scored = Scored(torch.tensor([[5.0, 1, 3]], requires_grad=True), 1)
    scored.density = 2 / 3
    parametrize.register_parametrization(part, "weight", scored)
    assert part.weight.tolist() == [[2, 0, 4]]
    part(torch.tensor([[1.0, 10, 100]])).sum().backward()
    # A weight that is masked has a score with a gradient, and so can come back; its own gradient is masked.
    assert scored.scores.grad.tolist() == [[2, -10, 400]]  # type: ignore[union-attr]
    assert part.parametrizations.weight.original.grad.tolist() == [[1, 0, 100]]


@pytest.mark.parametrize("block", [1, 8])
def test_the_density_is_exact_and_blocks_are_whole(block: int):
    model = trained(MovementPruning(0.25, block=block))
    for part in maps(model).values():
        alive = (part.weight != 0).float()
        assert alive.mean() == pytest.approx(0.25, abs=0.01)
        tiles = alive.unflatten(0, (-1, block)).unflatten(2, (-1, block)).mean(dim=(1, 3))
        assert set(tiles.flatten().tolist()) == {0.0, 1.0}
    check_other(model, trained())


def test_it_is_not_magnitude_that_decides():
    model = trained(MovementPruning(0.5))
    start = maps(trained())["0.ffn.up"].weight.abs()
    alive = maps(model)["0.ffn.up"].weight != 0
    assert start[alive].min() < start[~alive].max()


def test_a_density_of_one_is_training_as_usual():
    check_same(trained(MovementPruning(1.0)), trained())
