"""The forward pass sees the projection, the gradient the latent weight."""

from __future__ import annotations

import torch
from torch import nn

from leanformer.models.maps import maps
from leanformer.train.hooks.projected import Projected, install, remove
from tests.making.batches import check_other, check_same, trained


def test_the_gradient_passes_straight_through():
    part = nn.Linear(2, 2, bias=False)
    part.weight.data = torch.tensor([[0.4, 1.6], [-0.4, 2.2]])
    install(part, torch.round)
    x = torch.tensor([[1.0, 10.0]])
    assert part(x).tolist() == [[20, 20]]
    part(x).sum().backward()
    assert part.parametrizations.weight.original.grad.tolist() == [[1, 10], [1, 10]]
    assert remove(part).tolist() == [[0, 2], [0, 2]] and list(dict(part.named_parameters())) == ["weight"]


def test_the_latent_weight_can_be_kept():
    part = nn.Linear(2, 1, bias=False)
    part.weight.data = torch.tensor([[0.4, 1.6]])
    install(part, torch.round)
    torch.testing.assert_close(remove(part, latent=True), torch.tensor([[0.4, 1.6]]))


def test_a_training_ends_on_the_grid():
    def coarse(weight: torch.Tensor) -> torch.Tensor:
        return (weight * 5).round() / 5

    model = trained(Projected(coarse))
    for part in maps(model).values():
        torch.testing.assert_close(part.weight, coarse(part.weight))
    check_other(model, trained())
    check_same(trained(Projected(lambda weight: weight)), trained())
