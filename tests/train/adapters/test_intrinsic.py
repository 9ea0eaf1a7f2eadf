"""Intrinsic dimension: with as many coordinates as weights every change is reached, with fewer it is not."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.adapters.intrinsic import Intrinsic, spread
from tests.making.adapted import attached, logits, parameters
from tests.making.tiny import tiny_classifier

WEIGHTS = 2 * (4 * 32 * 32 + 2 * 32 * 48)


def both(dimensions: int) -> tuple[Tensor, Tensor]:
    """Logits with the coordinates nearest to a random change of all maps, and with that change."""
    ours, twin = Intrinsic(dimensions), tiny_classifier()
    model = attached(ours)
    maps = ours.maps(twin)
    generator, z = torch.Generator().manual_seed(4), torch.zeros(dimensions)
    for name, linear in maps.items():
        change = 0.1 * torch.randn(linear.weight.shape, generator=generator)
        linear.weight.data += change
        index, factors = ours._parts[name]
        z.index_add_(0, index, change.flatten() * factors / ours.scale**2)
    ours.z.data = z
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """As many coordinates as weights."""
    return both(WEIGHTS)


def usual() -> tuple[Tensor, Tensor]:
    return both(100)


def test_columns_are_orthonormal() -> None:
    index, factors = spread(103, 10)
    matrix = torch.zeros(103, 10)
    matrix[torch.arange(103), index.long()] = factors
    torch.testing.assert_close(matrix.T @ matrix, torch.eye(10))
    assert torch.bincount(index).tolist() == [11] * 3 + [10] * 7 and {*factors.sign().tolist()} == {1.0, -1.0}


def test_coordinates_are_all_that_is_trained_and_all_maps_follow_them() -> None:
    assert parameters(Intrinsic(50)) == 50
    adapter = Intrinsic(50)
    model = attached(adapter)
    assert sum(len(index) for index, _ in adapter._parts.values()) == WEIGHTS
    model(torch.full((2, 5), 4), torch.ones(2, 5, dtype=torch.bool)).square().sum().backward()
    assert adapter.z.grad is not None and int((adapter.z.grad != 0).sum()) == 50
    before = {name: linear.weight.detach().clone() for name, linear in adapter.maps(model).items()}
    adapter.z.data.normal_()
    adapter.merge(model)
    assert all((linear.weight != before[name]).float().mean() > 0.99 for name, linear in adapter.maps(model).items())
